//! What the core asks of its driver: the other half of the contract.

use crate::delivery::Delivery;
use crate::report::Report;
use crate::status::EndpointState;

/// One publisher handle of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublisherId(pub u32);

/// One subscriber handle of the engine: it has one ring on each shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId(pub u32);

/// One named Redis or Kafka of the configuration, by its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(pub u16);

/// Which of an endpoint's connections on this shard is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Commands and their answers.
    Publish,
    /// Subscriptions and what they deliver.
    Subscribe,
}

/// One connection of this shard: an endpoint and a role. There is never more than one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u16);

impl ConnectionId {
    /// The connection of `endpoint` that has `role`.
    pub fn new(endpoint: EndpointId, role: Role) -> Self {
        Self(endpoint.0 * 2 + u16::from(role == Role::Subscribe))
    }

    /// The endpoint that it leads to.
    pub fn endpoint(self) -> EndpointId {
        EndpointId(self.0 / 2)
    }

    /// What it is for.
    pub fn role(self) -> Role {
        if self.0.is_multiple_of(2) { Role::Publish } else { Role::Subscribe }
    }

    /// A dense number from 0, for tables of connections.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The connection with this number.
    pub const fn from_index(index: usize) -> Self {
        Self(index as u16)
    }
}

/// The subscriber's ring has no room for this now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The ring is full: there will be room when the subscriber polls.
    Full,
    /// It would not fit into an empty ring either.
    TooLong,
}

/// Where an outcome's credit goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The publisher that was charged.
    pub publisher: PublisherId,
    /// The endpoint whose credit it was; `None` for the local bus, which needs none.
    pub endpoint: Option<EndpointId>,
    /// Bytes that were charged (see [`crate::channel::Leg::cost`]); one message goes with them.
    pub bytes: u32,
    /// When the core took the message (monotonic nanoseconds).
    pub taken_ns: u64,
}

/// What the core asks of its driver, during the calls that take one. None of these may call back into the core.
pub trait Outlet {
    /// The one outcome of an accepted (message, leg): give the credit back, and hand the report to the publisher
    /// if it takes reports (its slot was reserved when the message was accepted).
    fn outcome(&mut self, charge: Charge, report: &Report);

    /// An event for a subscriber's ring. When it is not taken, the core counts it and tells the subscriber later
    /// by a gap.
    fn deliver(&mut self, subscriber: SubscriberId, delivery: &Delivery<'_>) -> Result<(), NotTaken>;

    /// Open this connection. The answer is [`crate::Core::connected`] or [`crate::Core::disconnected`]; until
    /// then the core gives up by itself after the connect timeout, with [`Outlet::close`].
    fn connect(&mut self, connection: ConnectionId);

    /// Close this connection, or give up opening it. No answer is expected, and none may come.
    fn close(&mut self, connection: ConnectionId);

    /// The state of an endpoint on this shard has changed, or what ails it. [`crate::Core::status`] has the
    /// particulars.
    fn state(&mut self, endpoint: EndpointId, role: Role, state: EndpointState);
}
