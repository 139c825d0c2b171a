//! The core's outlet: takes what it says, and holds it against what is agreed.

use ringwire_core::{
    Charge, ConnectionId, Delivery, EndpointId, EndpointState, NotTaken, Outlet, Report, Role, SubscriberId,
};

use super::context::Context;
use super::scenario::Scenario;
use super::truth;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreed {
    Nothing,
    Connecting { since_ns: u64 },
    Open,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Connect(ConnectionId),
    Close(ConnectionId),
}

pub(super) struct Port {
    pub(super) ctx: Context,
    pub(super) scenario: Scenario,
    pub(super) wishes: Vec<Wish>,
    /// Connections that the core has asked for, and what is agreed about each, by its index.
    pub(super) connections: Vec<ConnectionId>,
    pub(super) agreed: Vec<Agreed>,
    pub(super) state: EndpointState,
    /// Calls that a sleeping core must not need to make.
    pub(super) effects: u64,
}

impl Port {
    pub(super) fn is_open(&self, connection: ConnectionId) -> bool {
        self.agreed[connection.index()] == Agreed::Open
    }
}

impl Outlet for Port {
    fn outcome(&mut self, charge: Charge, report: &Report) {
        self.effects += 1;
        truth::outcome(&mut self.ctx, &self.scenario, charge, report);
    }

    fn deliver(&mut self, _: SubscriberId, delivery: &Delivery<'_>) -> Result<(), NotTaken> {
        self.ctx.judge.broken("deliveries belong to a subscription", format!("{delivery:?}"));
        Ok(())
    }

    fn connect(&mut self, connection: ConnectionId) {
        self.effects += 1;
        if self.agreed.len() <= connection.index() {
            self.agreed.resize(connection.index() + 1, Agreed::Nothing);
        }
        if !self.connections.contains(&connection) {
            self.connections.push(connection);
        }
        let agreed = &mut self.agreed[connection.index()];
        let is_free = *agreed == Agreed::Nothing;
        self.ctx
            .judge
            .require(is_free, "a connection is opened once", || format!("{connection:?}: {agreed:?}"));
        *agreed = Agreed::Connecting { since_ns: self.ctx.now_ns };
        self.wishes.push(Wish::Connect(connection));
    }

    fn close(&mut self, connection: ConnectionId) {
        self.effects += 1;
        let agreed = self.agreed.get_mut(connection.index());
        let is_there = agreed.as_ref().is_some_and(|agreed| **agreed != Agreed::Nothing);
        self.ctx.judge.require(is_there, "only what is open is closed", || format!("{connection:?}"));
        if let Some(agreed) = agreed {
            *agreed = Agreed::Nothing;
        }
        self.wishes.push(Wish::Close(connection));
    }

    fn state(&mut self, _: EndpointId, _: Role, state: EndpointState) {
        self.effects += 1;
        self.ctx.judge.note(|| format!("the endpoint is {}", state.name()));
        self.state = state;
    }
}
