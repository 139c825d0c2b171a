//! The shard: one duty cycle after another, as the contract of `ringwire-core` has it.
//!
//! ```text
//!   control queue ─► frames of the rings ─► news and bytes of the sockets ─► poll ─► wishes ─► sends ─► credits
//!                                  then: sleep until the deadline, or until something arrives
//! ```

use std::collections::VecDeque;

use ringwire_core::{
    Channel, ConnectionId, Core, EndpointId, EndpointState, Frame, LinkError, MILLISECOND_NS, NEVER_NS,
    PublisherId, Role, Subscription,
};
use ringwire_shards::ring::FrameReader;

use super::breaker::Sight;
use super::context::Context;
use super::invariants;
use super::ledger::Execution;
use super::network::Network;
use super::port::{Agreed, Port, Wish};
use super::publisher::Publisher;
use super::scenario::Scenario;

/// What the application asks of the shard beside messages.
#[derive(Debug)]
pub(crate) enum Control {
    Open(Channel),
    OpenEndpoint(EndpointId),
    Subscribe(Subscription),
    Unsubscribe(u32),
}

#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) core: Core,
    pub(crate) port: Port,
    pub(crate) network: Network,
    pub(crate) control: VecDeque<Control>,
    /// By publisher.
    pub(crate) rings: Vec<FrameReader>,
    /// By connection: there may be something to send.
    unsent: Vec<bool>,
    /// The core's deadline, if it had nothing more to do when it was polled last.
    idle_until_ns: Option<u64>,
    /// The thread does not run before this.
    stalled_until_ns: u64,
    stall_ns: u64,
    /// Turns for no other reason than the core's deadline.
    pub(crate) wakes: u64,
    pub(crate) stalls: u64,
    single_polls: u64,
}

/// A turn that polls more often than this is stuck: each call does at most some hundred things, and no run has more
/// than some ten thousand.
const POLLS_MAX: u32 = 2_000;
/// Frames that one turn takes from each ring.
const FRAMES_MAX: u64 = 64;

impl Shard {
    pub(crate) fn new(scenario: &Scenario, port: Port, network: Network, rings: Vec<FrameReader>) -> Self {
        let settings: Vec<_> = scenario.endpoints.iter().map(|plan| plan.settings.clone()).collect();
        let longest = settings.iter().map(|it| it.reply_timeout_ns).max().unwrap_or(0);
        Self {
            unsent: vec![false; settings.len() * 2],
            core: Core::new(settings, scenario.core_seed),
            port,
            network,
            control: VecDeque::new(),
            rings,
            idle_until_ns: None,
            stalled_until_ns: 0,
            stall_ns: longest * 2,
            wakes: 0,
            stalls: scenario.stalls,
            single_polls: scenario.single_polls,
        }
    }

    fn connections(&self) -> impl Iterator<Item = ConnectionId> + use<> {
        (0..self.unsent.len()).map(ConnectionId::from_index)
    }

    /// One duty cycle.
    pub(crate) fn turn(&mut self, publishers: &[Publisher], scenario: &Scenario) {
        let now_ns = self.port.ctx.now_ns;
        self.port.ctx.turn_at_ns = None;
        if now_ns < self.stalled_until_ns {
            return self.port.ctx.turn_by(self.stalled_until_ns);
        }
        self.port.ctx.coverage.turns += 1;
        let due = self.idle_until_ns.is_some_and(|until_ns| until_ns <= now_ns);
        let mut busy = self.drain_control();
        busy |= self.drain_rings(FRAMES_MAX) > 0;
        busy |= self.hear();
        let more = self.poll(busy);
        self.wakes += u64::from(due && !busy && !more);
        self.grant_wishes();
        self.send();
        self.port.give_back();
        invariants::queues_are_bounded(&mut self.port, &self.core, publishers, scenario);
        invariants::states_agree(&mut self.port, &self.core);
        self.timers_hold(scenario);
        self.plan_next_turn(more);
    }

    fn drain_control(&mut self) -> bool {
        let now = self.port.ctx.now();
        let any = !self.control.is_empty();
        for control in self.control.drain(..) {
            match control {
                Control::Open(channel) => self.core.open_channel(now, channel),
                Control::OpenEndpoint(endpoint) => self.core.open_endpoint(now, endpoint),
                Control::Subscribe(subscription) => {
                    self.port.subscriptions[subscription.id as usize].live = true;
                    self.core.subscribe(now, subscription);
                }
                Control::Unsubscribe(id) => {
                    self.port.subscriptions[id as usize].live = false;
                    self.core.unsubscribe(now, id);
                }
            }
        }
        any
    }

    /// Hands the frames of all rings to the core; answers how many.
    pub(crate) fn drain_rings(&mut self, limit: u64) -> usize {
        let now = self.port.ctx.now();
        let mut frames = 0;
        for (publisher, ring) in self.rings.iter_mut().enumerate() {
            let limit = if limit == FRAMES_MAX { self.port.ctx.random.between(1, limit) } else { limit };
            let id = PublisherId(publisher as u32);
            frames += ring.read(limit as usize, |bytes| match Frame::decode(bytes) {
                Ok(frame) if self.core.knows_channel(frame.channel) => {
                    book(&mut self.port, id, &frame);
                    self.core.publish(now, id, &frame, &mut self.port);
                }
                other => self
                    .port
                    .ctx
                    .judge
                    .broken("a ring gives back what was put", format!("publisher {publisher}: {other:?}")),
            });
        }
        frames
    }

    /// Tells the core what its sockets say.
    fn hear(&mut self) -> bool {
        let now = self.port.ctx.now();
        let mut any = false;
        for connection in self.connections() {
            // Some reads are small, and some turns read more than once.
            let tiny = self.port.ctx.random.percent(3);
            for _ in 0..self.port.ctx.random.between(1, 3) {
                let open = self.port.agreed[connection.index()] == Agreed::Open;
                if !open || self.core.is_behind(connection) {
                    break;
                }
                let space = self.core.space(connection);
                self.port
                    .ctx
                    .judge
                    .require(!space.is_empty(), "space is never empty", || format!("{connection:?}"));
                let len = if tiny { space.len().min(7) } else { space.len() };
                let n = self.network.receive(&mut self.port.ctx, connection, &mut space[..len]);
                if n == 0 {
                    break;
                }
                any = true;
                self.core.received(now, connection, n);
            }
            any |= self.hear_news(connection);
        }
        any
    }

    fn hear_news(&mut self, connection: ConnectionId) -> bool {
        let Some(news) = self.network.take_news(&mut self.port.ctx, connection) else { return false };
        let ctx = &mut self.port.ctx;
        ctx.judge.note(|| format!("{connection:?}: {news:?}"));
        match news {
            Ok(()) => {
                self.port.agreed[connection.index()] = Agreed::Open;
                let socket = self.network.socket_of(connection).unwrap_or(usize::MAX);
                self.port.last_socket[connection.index()] = socket;
                self.core.connected(ctx.now(), connection);
            }
            Err(error) => {
                ctx.coverage.cut_resends += u64::from(is_cut(self.core.output(connection)));
                self.port.agreed[connection.index()] = Agreed::Nothing;
                if connection.role() == Role::Publish {
                    ctx.breakers[usize::from(connection.endpoint().0)].ended(ctx.now_ns, true);
                }
                self.core.disconnected(connection, error);
            }
        }
        true
    }

    /// Polls once, or until there is nothing more to do. Answers whether there is.
    fn poll(&mut self, busy: bool) -> bool {
        let now = self.port.ctx.now();
        let asleep = !busy && self.idle_until_ns.is_some_and(|until_ns| now.mono_ns < until_ns);
        self.port.effects = 0;
        let once = self.port.ctx.random.percent(self.single_polls);
        let mut polls = 0;
        let more = loop {
            let before = self.port.effects;
            let more = self.core.poll(now, &mut self.port);
            if self.port.effects > before {
                self.note_changes();
            }
            polls += 1;
            if !more || once {
                break more;
            }
            if polls == POLLS_MAX {
                let words = format!("poll asks for more after {polls} calls at one time");
                self.port.ctx.judge.broken("poll comes to an end", words);
                break false;
            }
        };
        if asleep {
            let until_ns = self.idle_until_ns;
            invariants::core_is_not_asleep(&mut self.port.ctx, self.port.effects, until_ns);
        }
        self.idle_until_ns = None;
        if !more {
            invariants::core_does_not_spin(&mut self.port.ctx, self.core.deadline_ns());
            self.idle_until_ns = Some(self.core.deadline_ns().unwrap_or(NEVER_NS));
        }
        more
    }

    pub(crate) fn grant_wishes(&mut self) {
        while let Some(wish) = self.port.wishes.pop_front() {
            self.port.ctx.judge.note(|| format!("{wish:?}"));
            match wish {
                Wish::Connect(connection) => self.network.connect(&mut self.port.ctx, connection),
                Wish::Close(connection) => self.network.close(&mut self.port.ctx, connection),
            }
        }
    }

    fn send(&mut self) {
        while let Some(connection) = self.core.take_writable() {
            self.unsent[connection.index()] = true;
        }
        for connection in self.connections() {
            if !self.unsent[connection.index()] || self.port.ctx.random.percent(3) {
                continue;
            }
            let output = self.core.output(connection);
            let open = self.port.agreed[connection.index()] == Agreed::Open;
            if output.is_empty() || !open {
                self.unsent[connection.index()] = false;
                continue;
            }
            let n = self.network.send(&mut self.port.ctx, connection, output);
            if connection.role() == Role::Publish {
                let Context { breakers, judge, .. } = &mut self.port.ctx;
                breakers[usize::from(connection.endpoint().0)].sent(judge, &output[..n]);
            }
            self.port.ctx.coverage.partial_sends += u64::from(n > 0 && n < output.len());
            self.unsent[connection.index()] = n < output.len();
            if n > 0 {
                self.core.sent(connection, n);
            }
        }
    }

    /// Looks at what a poll has changed, and counts why connections were lost.
    fn note_changes(&mut self) {
        for connection in std::mem::take(&mut self.port.changed) {
            if self.port.states[connection.index()] == EndpointState::Connected {
                invariants::replicas_are_not_joined(&mut self.port.ctx, &self.network, connection);
                if self.port.before[connection.index()] != EndpointState::Connected {
                    invariants::trials_want_health(&mut self.port.ctx, &self.network, connection);
                }
            }
            let status = self.core.status(connection.endpoint());
            let is_publish = connection.role() == Role::Publish;
            let error = if is_publish { status.publish.last_error } else { status.subscribe.last_error };
            let coverage = &mut self.port.ctx.coverage;
            match &error {
                Some(LinkError::ReplyTimeout) => coverage.reply_timeouts += 1,
                Some(LinkError::ConnectTimeout) => coverage.connect_timeouts += 1,
                Some(LinkError::HandshakeTimeout) => coverage.handshake_timeouts += 1,
                Some(LinkError::Replica) => coverage.demotions_seen += 1,
                Some(LinkError::Protocol(_)) => coverage.protocol_errors += 1,
                Some(LinkError::MaxClients(_)) => coverage.turned_away_full += 1,
                Some(LinkError::Authentication(_) | LinkError::Permission(_) | LinkError::Refused(_)) => {
                    coverage.turned_away += 1;
                }
                _ => {}
            }
            if let Some(LinkError::Protocol(words)) = &error {
                let endpoint = usize::from(connection.endpoint().0);
                let liar = self.port.ctx.ledger.liars[endpoint];
                self.port
                    .ctx
                    .judge
                    .require(liar, "an honest server breaks no protocol", || words.to_string());
            }
            let breaker = is_publish.then_some(status.breaker);
            invariants::telling_has_a_reason(&mut self.port, connection, error, breaker);
        }
        for endpoint in 0..self.unsent.len() / 2 {
            self.watch_breaker(endpoint);
        }
        self.port.closed.clear();
        self.port.before.clone_from(&self.port.states);
    }

    /// Shows the judge's breaker what a poll has done to the lane.
    fn watch_breaker(&mut self, endpoint: usize) {
        let connection = ConnectionId::new(EndpointId(endpoint as u16), Role::Publish);
        let index = connection.index();
        let sight = Sight {
            was_connected: self.port.before[index] == EndpointState::Connected,
            was_closed: self.port.closed.contains(&connection),
            is_gone: self.port.agreed[index] == Agreed::Nothing,
            error: self.port.errors[index].as_ref(),
            state: self.core.status(EndpointId(endpoint as u16)).breaker,
        };
        let Context { breakers, judge, coverage, now_ns, .. } = &mut self.port.ctx;
        breakers[endpoint].seen(judge, coverage, *now_ns, &sight);
    }

    /// The core gives up a connect that is not answered at its timeout, and tries an open breaker again at its time.
    fn timers_hold(&mut self, scenario: &Scenario) {
        let now_ns = self.port.ctx.now_ns;
        for connection in self.connections() {
            let Agreed::Connecting { since_ns } = self.port.agreed[connection.index()] else { continue };
            let settings = &scenario.endpoints[usize::from(connection.endpoint().0)].settings;
            let late = now_ns >= since_ns + settings.connect_timeout_ns;
            self.port.ctx.judge.require(
                !late || self.idle_until_ns.is_none(),
                "a connect has its timeout",
                || format!("{connection:?} since {since_ns}"),
            );
        }
        for (endpoint, breaker) in self.port.ctx.breakers.iter_mut().enumerate() {
            let is_gone = self.port.agreed[endpoint * 2] == Agreed::Nothing;
            breaker.idle(&mut self.port.ctx.judge, now_ns, is_gone && self.idle_until_ns.is_some());
        }
    }

    fn plan_next_turn(&mut self, more: bool) {
        let sends_now = self.connections().any(|it| {
            self.unsent[it.index()] && self.network.has_room(it) && !self.core.output(it).is_empty()
        });
        let reads_now = self.connections().any(|it| self.network.has_news(it));
        let frames = self.rings.iter().any(|ring| !ring.is_empty());
        let ctx = &mut self.port.ctx;
        // Two in a row would be nobody's network: the core gives a server one grace for a standstill of its own.
        let rested = ctx.now_ns >= self.stalled_until_ns + 2 * self.stall_ns;
        if rested && ctx.random.below(1_000) < self.stalls {
            ctx.coverage.stalls += 1;
            self.stalled_until_ns = ctx.now_ns + self.stall_ns;
        }
        if more || sends_now || reads_now || frames || !self.control.is_empty() {
            ctx.wake_shard(1_000);
        }
        if let Some(deadline_ns) = self.core.deadline_ns().filter(|_| !more) {
            ctx.turn_by(deadline_ns.max(ctx.now_ns));
        }
        if ctx.random.percent(5) {
            // A look without a reason: nothing may come of it.
            let early_ns = ctx.random.between(1_000, MILLISECOND_NS);
            ctx.turn_by(ctx.now_ns + early_ns);
        }
    }

    /// The end of it all.
    pub(crate) fn expire(&mut self) {
        self.drain_control();
        while self.drain_rings(u64::MAX) > 0 {}
        let left = self.port.ctx.ledger.undecided();
        self.port.ctx.coverage.expires += 1;
        self.port.ctx.coverage.expired_in_flight += left as u64;
        self.port.ctx.expired = true;
        let now = self.port.ctx.now();
        self.core.expire(now, &mut self.port);
        self.grant_wishes();
        self.port.give_back();
        let endpoints = self.unsent.len() / 2;
        for endpoint in 0..endpoints {
            let counters = self.core.counters(EndpointId(endpoint as u16));
            self.port.ctx.coverage.reconnects += counters.reconnects;
        }
    }
}

/// Whether an output begins in the middle of a command: the connection was lost between its first byte and its last.
fn is_cut(output: &[u8]) -> bool {
    !output.is_empty() && !output.starts_with(b"*3\r\n$7\r\nPUBLISH\r\n") && !output.starts_with(b"*1\r\n")
}

/// Books what the core is about to take, and executes it on the bus: that is its own journal.
fn book(port: &mut Port, publisher: PublisherId, frame: &Frame<'_>) {
    let connected = port.connected();
    let ctx = &mut port.ctx;
    let lanes: Vec<_> =
        connected.iter().zip(&ctx.breakers).map(|(it, breaker)| (!it, breaker.trips)).collect();
    let (now_ns, sequence) = (ctx.now_ns, frame.sequence);
    ctx.judge.note(|| format!("core takes {}.{sequence} for channel {}", publisher.0, frame.channel));
    ctx.ledger.hand_over(now_ns, publisher, sequence, &lanes);
    let bus = ctx.ledger.bus();
    let position = ctx.ledger.journals[bus].len();
    let Some(message) = ctx.ledger.message(publisher, sequence) else { return };
    let channel = message.channel;
    let Some(leg) = message.legs.iter_mut().find(|leg| leg.endpoint.is_none()) else { return };
    leg.executed += 1;
    leg.position = position;
    ctx.ledger.journals[bus].push(Execution { at_ns: now_ns, channel });
}
