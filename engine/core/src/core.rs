//! The core of one shard: channels and endpoints, and the calls that drive them.

use std::collections::VecDeque;

use crate::backoff::Random;
use crate::channel::{Channel, LEGS_MAX, Target};
use crate::frame::Frame;
use crate::kafka::{self, KafkaProducer, Slots};
use crate::outlet::{Charge, ConnectionId, EndpointId, FIXED_LANES, Outlet, PublisherId, Role};
use crate::redis::{Departure, Link, PublishLane, SubscribeLane};
use crate::report::{Outcome, Reason, Report, receivers_detail};
use crate::settings::{EndpointSettings, RedisSettings};
use crate::status::{BreakerState, Counters, EndpointState, LaneStatus, LinkError};
use crate::subscription::{Arrival, Place, Source, Subscription, Subscriptions};
use crate::time::{MILLISECOND_NS, NEVER_NS, Now};

/// One Redis endpoint on this shard.
#[derive(Debug)]
struct Redis {
    settings: RedisSettings,
    publish: PublishLane,
    subscribe: SubscribeLane,
}

impl Redis {
    fn new(id: EndpointId, settings: RedisSettings) -> Self {
        let publish = PublishLane::new(id, &settings);
        let subscribe = SubscribeLane::new(id, &settings);
        Self { settings, publish, subscribe }
    }

    fn link(&mut self, role: Role) -> &mut Link {
        match role {
            Role::Publish => self.publish.link(),
            Role::Subscribe => self.subscribe.link(),
        }
    }

    fn output(&self, role: Role) -> &[u8] {
        match role {
            Role::Publish => self.publish.output(),
            Role::Subscribe => self.subscribe.output(),
        }
    }
}

/// One endpoint on this shard.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them, and the hot path wants no further pointer")]
enum Endpoint {
    Redis(Redis),
    Kafka(Box<KafkaProducer>),
}

/// A channel and the local subscriptions that match it.
#[derive(Debug)]
struct Opened {
    channel: Channel,
    /// For each leg the number of its topic at its endpoint; 0 where it has none.
    topics: [u32; LEGS_MAX],
    /// Subscriptions of the bus that match, in the order of their numbers; unused without a leg to the bus.
    listeners: Vec<Place>,
}

/// Connections, each at most once, in the order in which they were put.
#[derive(Debug, Default)]
struct WorkList {
    queue: VecDeque<ConnectionId>,
    queued: Vec<bool>,
}

impl WorkList {
    fn new(connections: usize) -> Self {
        Self { queue: VecDeque::with_capacity(connections), queued: vec![false; connections] }
    }

    #[inline]
    fn put(&mut self, connection: ConnectionId) {
        let Some(queued) = self.queued.get_mut(connection.index()) else { return self.put_first(connection) };
        if !*queued {
            *queued = true;
            self.queue.push_back(connection);
        }
    }

    /// Puts a connection that was not there before.
    #[cold]
    fn put_first(&mut self, connection: ConnectionId) {
        self.queued.resize(connection.index() + 1, false);
        self.queued[connection.index()] = true;
        self.queue.push_back(connection);
    }

    fn take(&mut self) -> Option<ConnectionId> {
        let connection = self.queue.pop_front()?;
        self.queued[connection.index()] = false;
        Some(connection)
    }

    fn len(&self) -> usize {
        self.queue.len()
    }
}

/// Messages without an outcome, and their bytes, that publishers may have at one endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Credit {
    messages: usize,
    bytes: usize,
}

/// What one endpoint does on this shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// The connection for publishing.
    pub publish: LaneStatus,
    /// The connection for subscriptions.
    pub subscribe: LaneStatus,
    /// The breaker of the connection for publishing.
    pub breaker: BreakerState,
    /// When the oldest message without an outcome was taken (monotonic nanoseconds).
    pub oldest_ns: Option<u64>,
    /// Names that the server confirmed.
    pub subscribed: usize,
    /// Names that somebody wants.
    pub wanted: usize,
    /// Counts since the start, both lanes together.
    pub counters: Counters,
}

/// The deterministic core of one shard. See the crate's documentation for the contract.
#[derive(Debug)]
pub struct Core {
    endpoints: Vec<Endpoint>,
    channels: Vec<Option<Opened>>,
    subscriptions: Subscriptions,
    random: Random,
    /// Connections whose lanes have something to do at the next poll.
    busy: WorkList,
    /// Connections that have got output since the driver last took them.
    writable: WorkList,
    /// When each lane has something to do by itself, as of its last turn; never while it is busy. Those of a Kafka
    /// endpoint have one deadline together, in the place of the first.
    deadlines_ns: Box<[u64]>,
    /// The least of them. May be early, never late.
    wake_at_ns: u64,
    /// What all publishers together may have outstanding on one endpoint.
    credit: Credit,
    /// When a notice that found no room is tried again.
    notice_at_ns: u64,
    /// The last poll did something that takes long.
    has_toiled: bool,
    /// For whom, if there is more of it: during a poll.
    toiler: Option<ConnectionId>,
    /// Numbers for the connections of brokers.
    slots: Slots,
    bus: Counters,
}

impl Core {
    /// A core for these endpoints, in the order of their [`EndpointId`]s. All its randomness (reconnect delays)
    /// comes from `seed`.
    pub fn new<S: Into<EndpointSettings>>(endpoints: Vec<S>, seed: u64) -> Self {
        let connections = endpoints.len() * usize::from(FIXED_LANES);
        let endpoint = |(index, settings): (usize, S)| {
            let id = EndpointId(index as u16);
            match settings.into() {
                EndpointSettings::Redis(settings) => Endpoint::Redis(Redis::new(id, settings)),
                EndpointSettings::Kafka(settings) => {
                    let seed = seed.wrapping_add(index as u64);
                    Endpoint::Kafka(Box::new(KafkaProducer::new(id, settings, seed)))
                }
            }
        };
        Self {
            slots: Slots { next: connections as u16 },
            endpoints: endpoints.into_iter().enumerate().map(endpoint).collect(),
            channels: Vec::new(),
            subscriptions: Subscriptions::default(),
            random: Random::new(seed),
            busy: WorkList::new(connections),
            writable: WorkList::new(connections),
            deadlines_ns: vec![NEVER_NS; connections].into(),
            wake_at_ns: NEVER_NS,
            credit: Credit::default(),
            notice_at_ns: NEVER_NS,
            has_toiled: false,
            toiler: None,
            bus: Counters::default(),
        }
    }

    /// Opens a channel, and the connections that its legs need. Opening one again changes nothing.
    ///
    /// # Panics
    /// If the channel has more than [`LEGS_MAX`] legs or names an endpoint that the core does not have: whoever
    /// resolves the routes has checked both.
    pub fn open_channel(&mut self, now: Now, channel: Channel) {
        assert!(channel.legs.len() <= LEGS_MAX, "a channel has at most {LEGS_MAX} legs");
        let mut topics = [0; LEGS_MAX];
        for (leg, topic) in channel.legs.iter().zip(&mut topics) {
            let Some(endpoint) = leg.endpoint() else { continue };
            match &mut self.endpoints[usize::from(endpoint.0)] {
                Endpoint::Redis(Redis { publish, .. }) => {
                    publish.link().want(now.mono_ns);
                    publish.reserve(self.credit.messages, self.credit.bytes);
                }
                Endpoint::Kafka(producer) => *topic = producer.open_topic(now.mono_ns, leg.topic()),
            }
            self.busy.put(ConnectionId::new(endpoint, Role::Publish));
        }
        let has_bus = channel.legs.iter().any(|leg| leg.target() == Target::Bus);
        let matching = self.subscriptions.of_bus().filter(|(_, it)| has_bus && it.matches(&channel.name));
        let listeners = matching.map(|(place, _)| place).collect();
        let index = channel.index as usize;
        if self.channels.len() <= index {
            self.channels.resize_with(index + 1, || None);
        }
        self.channels[index].get_or_insert(Opened { channel, topics, listeners });
    }

    /// Opens the connections of an endpoint, whether or not a channel or subscription needs them.
    pub fn open_endpoint(&mut self, now: Now, endpoint: EndpointId) {
        match &mut self.endpoints[usize::from(endpoint.0)] {
            Endpoint::Redis(Redis { publish, subscribe, .. }) => {
                publish.link().want(now.mono_ns);
                subscribe.link().want(now.mono_ns);
                self.busy.put(ConnectionId::new(endpoint, Role::Subscribe));
            }
            Endpoint::Kafka(producer) => producer.want(now.mono_ns),
        }
        self.busy.put(ConnectionId::new(endpoint, Role::Publish));
    }

    /// A publisher was opened that may have so many messages, and so many of their bytes, without an outcome at each
    /// endpoint. The queues of the endpoints that have channels, or get some, are made ready for that, so that no
    /// burst makes them grow.
    pub fn reserve(&mut self, messages: usize, bytes: usize) {
        self.credit.messages = self.credit.messages.saturating_add(messages);
        self.credit.bytes = self.credit.bytes.saturating_add(bytes);
        for endpoint in &mut self.endpoints {
            if let Endpoint::Redis(Redis { publish, .. }) = endpoint
                && publish.link_ref().is_wanted()
            {
                publish.reserve(self.credit.messages, self.credit.bytes);
            }
        }
    }

    /// A publisher for which [`Core::reserve`] was called is gone. What was made ready stays.
    pub fn release(&mut self, messages: usize, bytes: usize) {
        self.credit.messages = self.credit.messages.saturating_sub(messages);
        self.credit.bytes = self.credit.bytes.saturating_sub(bytes);
    }

    /// Whether a frame that names this channel can be published.
    #[inline]
    pub fn knows_channel(&self, index: u32) -> bool {
        self.channels.get(index as usize).is_some_and(Option::is_some)
    }

    /// Adds a subscription, and opens the connection that it needs.
    pub fn subscribe(&mut self, now: Now, subscription: Subscription) {
        let source = subscription.source;
        let place = self.subscriptions.add(subscription.clone());
        match source {
            Source::Bus => {
                for opened in self.channels.iter_mut().flatten() {
                    let has_bus = opened.channel.legs.iter().any(|leg| leg.target() == Target::Bus);
                    if has_bus && subscription.matches(&opened.channel.name) {
                        opened.listeners.push(place);
                    }
                }
                self.subscriptions.activated(place, crate::GapReason::NONE);
            }
            Source::Redis(endpoint) => {
                let Endpoint::Redis(redis) = &mut self.endpoints[usize::from(endpoint.0)] else { return };
                redis.subscribe.subscribe(now.mono_ns, &subscription, place, &mut self.subscriptions);
                self.touched(ConnectionId::new(endpoint, Role::Subscribe));
            }
        }
    }

    /// Ends a subscription: nothing is delivered for it after this.
    pub fn unsubscribe(&mut self, now: Now, id: u32) {
        let Some((place, subscription)) = self.subscriptions.remove(id) else { return };
        match subscription.source {
            Source::Bus => {
                for opened in self.channels.iter_mut().flatten() {
                    opened.listeners.retain(|listener| *listener != place);
                }
            }
            Source::Redis(endpoint) => {
                let Endpoint::Redis(redis) = &mut self.endpoints[usize::from(endpoint.0)] else { return };
                redis.subscribe.unsubscribe(now.mono_ns, &subscription, place);
                self.touched(ConnectionId::new(endpoint, Role::Subscribe));
            }
        }
    }

    fn touched(&mut self, connection: ConnectionId) {
        self.busy.put(connection);
        self.writable.put(connection);
    }

    /// Takes one accepted message: every leg of its channel takes it or gives it its outcome at once.
    ///
    /// # Panics
    /// If the channel is not known: see [`Core::knows_channel`].
    #[inline]
    pub fn publish(&mut self, now: Now, publisher: PublisherId, frame: &Frame<'_>, outlet: &mut impl Outlet) {
        let opened = self.channels[frame.channel as usize].as_ref().expect("the driver asked knows_channel");
        for (leg_index, leg) in (0_u8..).zip(&opened.channel.legs) {
            match leg.target() {
                Target::RedisPublish(endpoint) => {
                    let Endpoint::Redis(redis) = &mut self.endpoints[usize::from(endpoint.0)] else {
                        continue;
                    };
                    let departure = Departure { publisher, frame, leg, leg_index };
                    redis.publish.publish(now.mono_ns, departure, outlet);
                    self.writable.put(ConnectionId::new(endpoint, Role::Publish));
                }
                Target::KafkaTopic(endpoint) => {
                    let Endpoint::Kafka(kafka) = &mut self.endpoints[usize::from(endpoint.0)] else {
                        continue;
                    };
                    let topic = opened.topics[usize::from(leg_index)];
                    let departure = kafka::Departure { publisher, frame, leg, leg_index, topic };
                    kafka.publish(now, departure, outlet);
                    self.busy.put(ConnectionId::new(endpoint, Role::Publish));
                }
                Target::Bus => {
                    let payload = frame.payload.unwrap_or_default();
                    let arrival =
                        Arrival { received_ns: now.mono_ns, channel: &opened.channel.name, payload };
                    let table = &mut self.subscriptions;
                    let bus = &mut self.bus;
                    let taken =
                        opened.listeners.iter().filter(|place| table.deliver(**place, arrival, bus, outlet));
                    let receivers = taken.count() as u64;
                    self.bus.accepted += 1;
                    self.bus.delivered += 1;
                    let report = bus_report(now, frame, leg_index, receivers);
                    let charge = Charge { publisher, endpoint: None, bytes: 0, taken_ns: now.mono_ns };
                    outlet.outcome(charge, &report);
                }
            }
        }
    }

    /// The driver opened a connection that was asked for.
    pub fn connected(&mut self, now: Now, connection: ConnectionId) {
        match &mut self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(Redis { settings, publish, subscribe }) => match connection.role() {
                Role::Publish => publish.connected(now.mono_ns, settings),
                Role::Subscribe => subscribe.connected(now.mono_ns, settings),
            },
            Endpoint::Kafka(producer) => producer.connected(now.mono_ns, connection.lane()),
        }
        self.touched(connection);
    }

    /// The driver lost a connection, or could not open it; it has closed its socket. What was received before is
    /// still decoded: an answer that came before the end is an answer.
    pub fn disconnected(&mut self, connection: ConnectionId, error: LinkError) {
        match &mut self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => redis.link(connection.role()).lost(error),
            Endpoint::Kafka(producer) => producer.disconnected(connection.lane(), error),
        }
        self.busy.put(connection);
    }

    /// Where a connection leads, if that is for the core to say: a broker's host and port. `None` for Redis, whose
    /// place the driver has from the configuration.
    pub fn address(&self, connection: ConnectionId) -> Option<(&str, u16)> {
        match &self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(_) => None,
            Endpoint::Kafka(producer) => Some(producer.address(connection.lane())),
        }
    }

    /// Space to receive into, for an open connection. Never empty.
    pub fn space(&mut self, connection: ConnectionId) -> &mut [u8] {
        match &mut self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => {
                let link = redis.link(connection.role());
                link.input.space(link.reader.wanted())
            }
            Endpoint::Kafka(producer) => producer.space(connection.lane()),
        }
    }

    /// Whether bytes may come at any moment: an answer is outstanding, or others publish.
    pub fn expects(&self, connection: ConnectionId) -> bool {
        match &self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => connection.role() == Role::Subscribe || redis.publish.expects(),
            Endpoint::Kafka(producer) => producer.expects(connection.lane()),
        }
    }

    /// Whether the receive buffer is full of what is still to be decoded: receiving more would only make it grow.
    /// Never while the frame under way needs more bytes than are there.
    pub fn is_behind(&self, connection: ConnectionId) -> bool {
        let link = match &self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) if connection.role() == Role::Publish => redis.publish.link_ref(),
            Endpoint::Redis(redis) => redis.subscribe.link_ref(),
            Endpoint::Kafka(producer) => return producer.is_behind(connection.lane()),
        };
        link.input.is_full() && link.input.unconsumed().len() >= link.reader.wanted()
    }

    /// `n` bytes were received into the space that was lent.
    ///
    /// # Panics
    /// If `n` is more than was lent.
    pub fn received(&mut self, now: Now, connection: ConnectionId, n: usize) {
        match &mut self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => {
                let link = redis.link(connection.role());
                link.input.received(n);
                link.last_received_ns = now.mono_ns;
            }
            Endpoint::Kafka(producer) => producer.received(now.mono_ns, connection.lane(), n),
        }
        self.busy.put(connection);
    }

    /// A connection that has got output since it was last taken, if there is one.
    pub fn take_writable(&mut self) -> Option<ConnectionId> {
        self.writable.take()
    }

    /// What is to be sent on a connection; empty if nothing is. If it [is in pieces](Core::is_in_pieces), the first one.
    #[inline]
    pub fn output(&self, connection: ConnectionId) -> &[u8] {
        match &self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => redis.output(connection.role()),
            Endpoint::Kafka(producer) => producer.output(connection.lane()),
        }
    }

    /// Whether what is to be sent on a connection does not lie in one place: large batches are not copied.
    #[inline]
    pub fn is_in_pieces(&self, connection: ConnectionId) -> bool {
        match &self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(_) => false,
            Endpoint::Kafka(producer) => producer.is_in_pieces(connection.lane()),
        }
    }

    /// All that is to be sent on a connection, in order; no piece is empty.
    pub fn pieces(&self, connection: ConnectionId) -> impl Iterator<Item = &[u8]> {
        let (whole, pieces) = match &self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => (Some(redis.output(connection.role())), None),
            Endpoint::Kafka(producer) => (None, Some(producer.pieces(connection.lane()))),
        };
        let whole = whole.filter(|output| !output.is_empty());
        whole.into_iter().chain(pieces.into_iter().flatten())
    }

    /// `send` took the first `n` bytes of the pieces.
    ///
    /// # Panics
    /// If `n` is more than was lent.
    pub fn sent(&mut self, connection: ConnectionId, n: usize) {
        match &mut self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => match connection.role() {
                Role::Publish => redis.publish.bytes_sent(n),
                Role::Subscribe => redis.subscribe.bytes_sent(n),
            },
            Endpoint::Kafka(producer) => {
                if producer.sent(connection.lane(), n) {
                    self.busy.put(connection);
                }
            }
        }
    }

    /// Does what is due: answers, messages, timers, outcomes of lost connections. One call does a bounded amount.
    /// Answers whether there is more to do at once.
    pub fn poll(&mut self, now: Now, outlet: &mut impl Outlet) -> bool {
        self.has_toiled = false;
        if now.mono_ns >= self.wake_at_ns {
            self.wake_due(now.mono_ns);
        }
        for _ in 0..self.busy.len().min(LANES_PER_POLL) {
            let Some(connection) = self.busy.take() else { break };
            if self.poll_lane(now, connection, outlet) {
                self.busy.put(connection);
            }
        }
        // Behind all others: the next time that there is for compression is somebody else's.
        if let Some(connection) = self.toiler.take() {
            self.busy.put(connection);
        }
        // After the lanes, whose answers are what there is to tell: only a full ring leaves something waiting.
        self.subscriptions.tell_waiting(now.mono_ns, outlet);
        let is_waiting = self.subscriptions.has_waiting();
        self.notice_at_ns = if is_waiting { now.mono_ns + NOTICE_RETRY_NS } else { NEVER_NS };
        self.busy.len() > 0
    }

    /// Gives a turn to the lanes that are due, and to no others.
    fn wake_due(&mut self, now_ns: u64) {
        self.wake_at_ns = NEVER_NS;
        for (index, deadline_ns) in self.deadlines_ns.iter_mut().enumerate() {
            if *deadline_ns <= now_ns {
                *deadline_ns = NEVER_NS;
                self.busy.put(ConnectionId::from_index(index));
            }
            self.wake_at_ns = self.wake_at_ns.min(*deadline_ns);
        }
    }

    fn poll_lane(&mut self, now: Now, connection: ConnectionId, outlet: &mut impl Outlet) -> bool {
        let now_ns = now.mono_ns;
        let redis = match &mut self.endpoints[usize::from(connection.endpoint().0)] {
            Endpoint::Redis(redis) => redis,
            Endpoint::Kafka(_) => return self.poll_producer(now, connection, outlet),
        };
        let Redis { settings, publish, subscribe } = redis;
        let (more, deadline_ns, has_output) = match connection.role() {
            Role::Publish => {
                let more = publish.poll(now_ns, settings, &mut self.random, outlet);
                (more, publish.deadline_ns(), !publish.output().is_empty())
            }
            Role::Subscribe => {
                let table = &mut self.subscriptions;
                let more = subscribe.poll(now_ns, settings, &mut self.random, table, outlet);
                (more, subscribe.deadline_ns(), !subscribe.output().is_empty())
            }
        };
        self.set_deadline(connection, deadline_ns);
        if has_output {
            self.writable.put(connection);
        }
        more
    }

    fn poll_producer(&mut self, now: Now, connection: ConnectionId, outlet: &mut impl Outlet) -> bool {
        let Endpoint::Kafka(producer) = &mut self.endpoints[usize::from(connection.endpoint().0)] else {
            return false;
        };
        // One of them compresses in a poll, and once.
        let has_time = !self.has_toiled;
        let mut more = producer.poll(now, connection.lane(), has_time, &mut self.slots, outlet);
        if producer.has_compressed {
            self.has_toiled = true;
            self.toiler = std::mem::take(&mut more).then_some(connection);
        }
        for connection in producer.writable.drain(..) {
            self.writable.put(connection);
        }
        let deadline_ns = producer.deadline_ns();
        self.set_deadline(ConnectionId::new(connection.endpoint(), Role::Publish), deadline_ns);
        more
    }

    #[inline]
    fn set_deadline(&mut self, connection: ConnectionId, deadline_ns: u64) {
        self.deadlines_ns[connection.index()] = deadline_ns;
        self.wake_at_ns = self.wake_at_ns.min(deadline_ns);
    }

    /// Whether the last [`Core::poll`] took so long that everything else on the shard should have its turn before the next
    /// one: it compressed, which it does for some 60 µs at a time, or for as long as it takes to keep up with what comes.
    pub fn has_toiled(&self) -> bool {
        self.has_toiled
    }

    /// When the next [`Core::poll`] has something to do even if nothing else happens, in monotonic nanoseconds;
    /// `None` if never.
    pub fn deadline_ns(&self) -> Option<u64> {
        if self.busy.len() > 0 {
            return Some(0);
        }
        let at_ns = self.wake_at_ns.min(self.notice_at_ns);
        (at_ns != NEVER_NS).then_some(at_ns)
    }

    /// Whether every message that was taken has had its outcome.
    pub fn is_drained(&self) -> bool {
        self.endpoints.iter().all(|endpoint| match endpoint {
            Endpoint::Redis(redis) => redis.publish.is_drained(),
            Endpoint::Kafka(producer) => producer.is_drained(),
        })
    }

    /// Nothing that was taken waits for company any more: open batches go out, whatever `linger.ms` says. If this is the
    /// end, the same holds for what is taken later.
    pub fn flush(&mut self, is_end: bool) {
        for (index, endpoint) in self.endpoints.iter_mut().enumerate() {
            if let Endpoint::Kafka(producer) = endpoint {
                producer.flush(is_end);
                self.busy.put(ConnectionId::new(EndpointId(index as u16), Role::Publish));
            }
        }
    }

    /// Whether every connection that somebody needs is there and every subscription is in force.
    pub fn is_ready(&self) -> bool {
        let settled = |state| matches!(state, EndpointState::Connected | EndpointState::Disconnected);
        self.busy.len() == 0
            && self.endpoints.iter().all(|endpoint| match endpoint {
                Endpoint::Redis(redis) => {
                    let (confirmed, wanted) = redis.subscribe.confirmed();
                    settled(redis.publish.link_ref().state())
                        && settled(redis.subscribe.link_ref().state())
                        && confirmed == wanted
                }
                Endpoint::Kafka(producer) => settled(producer.state()),
            })
    }

    /// Ends everything now: each message without an outcome gets it (*unknown* if its last byte reached `send`,
    /// else *not sent*), and all connections are closed. The core is of no use afterwards.
    pub fn expire(&mut self, now: Now, outlet: &mut impl Outlet) {
        for endpoint in &mut self.endpoints {
            match endpoint {
                Endpoint::Redis(redis) => {
                    redis.publish.expire(now.mono_ns, outlet);
                    redis.subscribe.expire(now.mono_ns, outlet);
                }
                Endpoint::Kafka(producer) => producer.expire(now.mono_ns, outlet),
            }
        }
    }

    /// What an endpoint does on this shard.
    pub fn status(&self, endpoint: EndpointId) -> EndpointStatus {
        let counters = self.counters(endpoint);
        let Redis { publish, subscribe, .. } = match &self.endpoints[usize::from(endpoint.0)] {
            Endpoint::Redis(redis) => redis,
            Endpoint::Kafka(producer) => {
                return EndpointStatus {
                    publish: producer.status(),
                    subscribe: LaneStatus::NEVER_NEEDED,
                    breaker: BreakerState::Closed,
                    oldest_ns: producer.oldest_since_ns(),
                    subscribed: 0,
                    wanted: 0,
                    counters,
                };
            }
        };
        let (subscribed, wanted) = subscribe.confirmed();
        EndpointStatus {
            publish: publish.link_ref().status(),
            subscribe: subscribe.link_ref().status(),
            breaker: publish.breaker(),
            oldest_ns: publish.oldest_since_ns(),
            subscribed,
            wanted,
            counters,
        }
    }

    /// When the oldest message without an outcome was taken (monotonic nanoseconds), of one endpoint.
    pub fn oldest_ns(&self, endpoint: EndpointId) -> Option<u64> {
        match &self.endpoints[usize::from(endpoint.0)] {
            Endpoint::Redis(redis) => redis.publish.oldest_since_ns(),
            Endpoint::Kafka(producer) => producer.oldest_since_ns(),
        }
    }

    /// An endpoint's counters on this shard, both lanes together. Cheap enough for every duty cycle.
    pub fn counters(&self, endpoint: EndpointId) -> Counters {
        let Redis { publish, subscribe, .. } = match &self.endpoints[usize::from(endpoint.0)] {
            Endpoint::Redis(redis) => redis,
            Endpoint::Kafka(producer) => return producer.counters,
        };
        let (out, inward) = (&publish.counters, &subscribe.counters);
        Counters {
            reconnects: out.reconnects + inward.reconnects,
            received: inward.received,
            dropped: inward.dropped,
            ..*out
        }
    }

    /// The local bus' counters on this shard.
    pub fn bus_counters(&self) -> Counters {
        self.bus
    }
}

/// How often a notice that found no room in a subscriber's ring is tried again while the shard has nothing else to
/// do: a full ring is not news to its subscriber, and a parked shard should stay parked.
const NOTICE_RETRY_NS: u64 = MILLISECOND_NS;
/// Lanes that one poll looks at: with [`crate::redis::FRAMES_PER_POLL`] frames each, 2,048 frames or 0.2 ms. The others
/// come first in the next call.
const LANES_PER_POLL: usize = 16;

fn bus_report(now: Now, frame: &Frame<'_>, leg: u8, receivers: u64) -> Report {
    Report {
        sequence: frame.sequence,
        tag: frame.tag,
        intended_ns: frame.intended_ns,
        at_ns: now.mono_ns,
        broker_timestamp_ms: 0,
        detail: receivers_detail(receivers),
        channel: frame.channel,
        leg,
        outcome: Outcome::Delivered,
        reason: Reason::None,
        reserved: 0,
    }
}
