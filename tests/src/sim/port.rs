//! The shard's side of the contract that the core calls: real rings, real credits, real report slots.

use std::collections::VecDeque;

use ringwire_core::{
    BreakerState, Charge, ConnectionId, Delivery, EndpointId, EndpointState, Event, LinkError, NotTaken,
    Outlet, Report, Role, Source, SubscriberId,
};
use ringwire_shards::credit::Grantor;
use ringwire_shards::slots::SlotWriter;

use super::context::Context;
use super::invariants;
use super::ledger::one;
use super::subscriber::{Inbox, Record};

/// What the core asked for, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Connect(ConnectionId),
    Close(ConnectionId),
}

/// A connection as the core and its driver agree about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// There is none.
    #[default]
    Nothing,
    Connecting {
        since_ns: u64,
    },
    Open,
}

/// The shard's ends of one publisher's credits and reports.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// By endpoint.
    pub(crate) grantors: Vec<Grantor>,
    pub(crate) reports: Option<SlotWriter<Report>>,
    /// What the publisher's reader is going to find.
    pub(crate) told: VecDeque<Report>,
}

#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) ctx: Context,
    /// By publisher.
    pub(crate) outgoing: Vec<Outgoing>,
    /// By subscriber.
    pub(crate) inboxes: Vec<Inbox>,
    /// By number.
    pub(crate) subscriptions: Vec<Record>,
    pub(crate) wishes: VecDeque<Wish>,
    /// By connection.
    pub(crate) agreed: Vec<Agreed>,
    /// By connection: the last socket that was open, for telling interruptions.
    pub(crate) last_socket: Vec<usize>,
    /// By connection.
    pub(crate) states: Vec<EndpointState>,
    /// By connection: the error that stood beside the state when it was told, and since when the state is that.
    pub(crate) errors: Vec<Option<LinkError>>,
    pub(crate) since_ns: Vec<u64>,
    /// By endpoint: its breaker when its publish lane's state was told.
    pub(crate) breakers: Vec<BreakerState>,
    /// By connection: its state before this poll.
    pub(crate) before: Vec<EndpointState>,
    /// States that were told in this poll.
    pub(crate) changed: Vec<ConnectionId>,
    /// Connections that the core closed in this poll.
    pub(crate) closed: Vec<ConnectionId>,
    /// By endpoint: when its publish lane was ready first.
    pub(crate) ready_ns: Vec<Option<u64>>,
    /// By endpoint: a fact that no outcome may contradict.
    pub(crate) spotless: Vec<bool>,
    /// On the bus: subscriptions that took the present message.
    pub(crate) bus_taken: u64,
    /// Calls that a sleeping core must not need to make.
    pub(crate) effects: u64,
    /// Changes of state in the whole run.
    pub(crate) state_changes: u64,
}

impl Outlet for Port {
    fn outcome(&mut self, charge: Charge, report: &Report) {
        self.effects += 1;
        let ctx = &mut self.ctx;
        ctx.judge.digest(report.sequence ^ (u64::from(report.outcome as u8) << 56));
        let known = invariants::outcome_is_the_only_one(ctx, charge, report);
        if !known {
            return;
        }
        if let Some(EndpointId(endpoint)) = charge.endpoint {
            let Context { breakers, judge, coverage, now_ns, .. } = ctx;
            breakers[usize::from(endpoint)].told(judge, coverage, *now_ns, report);
        }
        invariants::outcome_is_true(ctx, charge, report, self.bus_taken);
        self.bus_taken = 0;
        if let Some(EndpointId(endpoint)) = charge.endpoint {
            let endpoint = usize::from(endpoint);
            ctx.ledger.give_back(charge.publisher, endpoint, charge.bytes);
            if self.spotless[endpoint] {
                let ready_ns = self.ready_ns[endpoint];
                invariants::healthy_endpoints_deliver(ctx, charge, report, ready_ns);
            }
            self.outgoing[charge.publisher.0 as usize].grantors[endpoint].give_back(one(charge.bytes));
        }
        let outgoing = &mut self.outgoing[charge.publisher.0 as usize];
        if let Some(reports) = &mut outgoing.reports {
            outgoing.told.push_back(*report);
            let pushed = reports.push(*report);
            ctx.judge.require(pushed.is_ok(), "a reserved report slot is free", || format!("{report:?}"));
        }
    }

    fn deliver(&mut self, subscriber: SubscriberId, delivery: &Delivery<'_>) -> Result<(), NotTaken> {
        let ctx = &mut self.ctx;
        let Some(record) = self.subscriptions.get_mut(delivery.subscription as usize) else {
            ctx.judge.broken("deliveries belong to a subscription", format!("{delivery:?}"));
            return Ok(());
        };
        invariants::delivery_is_due(ctx, record, subscriber, delivery);
        let taken = self.inboxes[subscriber.0 as usize].put(delivery);
        let is_message = matches!(delivery.event, Event::Message { .. });
        if let Err(reason) = taken {
            // It would be tried for ever, and others wait behind it.
            let fits = is_message || reason == NotTaken::Full;
            ctx.judge.require(fits, "a notice fits into every ring", || format!("{delivery:?}"));
            if is_message && reason == NotTaken::Full {
                record.full += 1;
                ctx.coverage.ring_full_drops += 1;
            } else if is_message {
                record.too_long += 1;
            }
            return Err(reason);
        }
        let socket = match record.subscription.source {
            Source::Bus => 0,
            Source::Redis(endpoint) => self.last_socket[ConnectionId::new(endpoint, Role::Subscribe).index()],
        };
        if is_message {
            self.effects += 1;
            self.bus_taken += u64::from(record.subscription.source == Source::Bus);
        }
        let told = invariants::told(ctx, record, delivery, socket);
        let id = delivery.subscription;
        ctx.judge.note(|| format!("subscription {id} told {told:?}"));
        record.told.push(told);
        Ok(())
    }

    fn connect(&mut self, connection: ConnectionId) {
        self.effects += 1;
        let agreed = &mut self.agreed[connection.index()];
        let none = *agreed == Agreed::Nothing;
        self.ctx.judge.require(none, "a connection is opened once", || format!("{connection:?}: {agreed:?}"));
        *agreed = Agreed::Connecting { since_ns: self.ctx.now_ns };
        if connection.role() == Role::Publish {
            let Context { breakers, judge, coverage, now_ns, .. } = &mut self.ctx;
            breakers[usize::from(connection.endpoint().0)].connects(judge, coverage, *now_ns);
        }
        self.wishes.push_back(Wish::Connect(connection));
    }

    fn close(&mut self, connection: ConnectionId) {
        self.effects += 1;
        let agreed = &mut self.agreed[connection.index()];
        let some = *agreed != Agreed::Nothing;
        self.ctx.judge.require(some, "only what is open is closed", || format!("{connection:?}"));
        *agreed = Agreed::Nothing;
        self.closed.push(connection);
        if connection.role() == Role::Publish {
            self.ctx.breakers[usize::from(connection.endpoint().0)].ended(self.ctx.now_ns, false);
        }
        self.wishes.push_back(Wish::Close(connection));
    }

    fn state(&mut self, endpoint: EndpointId, role: Role, state: EndpointState) {
        self.effects += 1;
        let connection = ConnectionId::new(endpoint, role);
        let old = std::mem::replace(&mut self.states[connection.index()], state);
        self.ctx.judge.note(|| format!("{endpoint:?} {role:?} is {}", state.name()));
        let twice = self.changed.contains(&connection);
        self.ctx.judge.require(!twice || self.ctx.expired, "a poll tells a state once", || {
            format!("{endpoint:?} {role:?} is {}", state.name())
        });
        self.changed.push(connection);
        if old != state {
            self.state_changes += 1;
            self.since_ns[connection.index()] = self.ctx.now_ns;
        }
        if self.spotless[usize::from(endpoint.0)] {
            invariants::healthy_connections_stay(&mut self.ctx, connection, old, state);
        }
        if state == EndpointState::Connected && role == Role::Publish && old != state {
            let Context { breakers, judge, now_ns, .. } = &mut self.ctx;
            breakers[usize::from(endpoint.0)].connected(judge, *now_ns);
            self.ready_ns[usize::from(endpoint.0)].get_or_insert(self.ctx.now_ns);
        }
    }
}

impl Port {
    /// By endpoint: whether its publish lane is connected, as the shard last heard.
    pub(crate) fn connected(&self) -> Vec<bool> {
        self.states.iter().step_by(2).map(|state| *state == EndpointState::Connected).collect()
    }

    /// Shows publishers what came back, as a shard does once per turn.
    pub(crate) fn give_back(&mut self) {
        for outgoing in &mut self.outgoing {
            for grantor in &mut outgoing.grantors {
                grantor.publish();
            }
            if let Some(reports) = &mut outgoing.reports {
                reports.publish();
            }
        }
    }
}
