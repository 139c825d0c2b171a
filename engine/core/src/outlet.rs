//! What the core asks of its driver: the other half of the contract.

use crate::delivery::Delivery;
use crate::kafka::Slots;
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

/// One connection of this shard. A Redis endpoint has one for each role; a Kafka endpoint has one for each broker, as
/// they become known. There is never more than one at a time behind an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    index: u16,
    endpoint: u16,
    /// Which of its endpoint's.
    lane: u16,
}

impl ConnectionId {
    /// The connection of a Redis `endpoint` that has `role`.
    pub const fn new(endpoint: EndpointId, role: Role) -> Self {
        let lane = match role {
            Role::Publish => 0,
            Role::Subscribe => 1,
        };
        Self { index: endpoint.0 * FIXED_LANES + lane, endpoint: endpoint.0, lane }
    }

    /// A connection of a Kafka `endpoint`: the first two have numbers of their own, the others get one.
    pub(crate) fn of_broker(endpoint: EndpointId, lane: u16, slots: &mut Slots) -> Self {
        let index = if lane < FIXED_LANES {
            endpoint.0 * FIXED_LANES + lane
        } else {
            slots.next += 1;
            slots.next - 1
        };
        Self { index, endpoint: endpoint.0, lane }
    }

    /// The endpoint that it leads to.
    pub fn endpoint(self) -> EndpointId {
        EndpointId(self.endpoint)
    }

    /// What a connection of a Redis endpoint is for.
    pub fn role(self) -> Role {
        if self.lane == 0 { Role::Publish } else { Role::Subscribe }
    }

    /// Which of its endpoint's connections it is.
    pub(crate) fn lane(self) -> usize {
        usize::from(self.lane)
    }

    /// A dense number from 0, for tables of connections. Tables grow: a broker that becomes known gets the next one.
    pub fn index(self) -> usize {
        usize::from(self.index)
    }

    /// The connection of a Redis endpoint with this number.
    pub const fn from_index(index: usize) -> Self {
        let index = index as u16;
        Self { index, endpoint: index / FIXED_LANES, lane: index % FIXED_LANES }
    }
}

/// Connections that every endpoint has numbers for from the start.
pub(crate) const FIXED_LANES: u16 = 2;

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

    /// The outcomes of several messages of one publisher at one endpoint, in the order in which they were taken: the
    /// same as [`Outlet::outcome`] for each. Only [`crate::Core::poll`] and [`crate::Core::expire`] tell of several.
    #[inline]
    fn outcomes(
        &mut self,
        publisher: PublisherId,
        endpoint: EndpointId,
        outcomes: impl ExactSizeIterator<Item = (Charge, Report)>,
    ) {
        for (charge, report) in outcomes {
            debug_assert_eq!((charge.publisher, charge.endpoint), (publisher, Some(endpoint)));
            self.outcome(charge, &report);
        }
    }

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
