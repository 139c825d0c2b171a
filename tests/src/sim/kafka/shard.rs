//! The shard: one duty cycle after another, as the contract of `ringwire-core` has it.

use std::collections::VecDeque;

use ringwire_core::{
    ConnectionId, Core, EndpointId, EndpointState, Frame, LinkError, MILLISECOND_NS, NEVER_NS, PublisherId,
};

use super::network::Network;
use super::port::{Agreed, Port, Wish};
use super::scenario::{PORT, host};
use super::wire;
use crate::sim::ledger::payload;

/// A turn that polls more often than this is stuck: each call does at most some hundred things.
const POLLS_MAX: u32 = 2_000;
/// Turns at one instant: a core whose deadline stays in the past never sleeps.
const TURNS_AT_ONCE_MAX: u32 = 100;
/// Messages that one turn hands to the core.
const FRAMES_MAX: u64 = 64;
/// Bytes that may wait in a connection's output, beside the largest request.
const OUTPUT_MAX: usize = 1 << 20;

pub(super) struct Shard {
    pub(super) core: Core,
    pub(super) port: Port,
    pub(super) network: Network,
    /// Accepted messages that the core has not taken yet: publisher and sequence.
    pub(super) ring: VecDeque<(usize, u64)>,
    /// The core's deadline, if it had nothing more to do when it was polled last.
    idle_until_ns: Option<u64>,
    last_turn_ns: u64,
    turns_at_once: u32,
    errors: Option<LinkError>,
}

impl Shard {
    pub(super) fn new(core: Core, port: Port, network: Network) -> Self {
        let ring = VecDeque::new();
        Self {
            core,
            port,
            network,
            ring,
            idle_until_ns: None,
            last_turn_ns: 0,
            turns_at_once: 0,
            errors: None,
        }
    }

    /// One duty cycle.
    pub(super) fn turn(&mut self) {
        let ctx = &mut self.port.ctx;
        ctx.turn_at_ns = None;
        ctx.coverage.turns += 1;
        self.turns_at_once = if self.last_turn_ns == ctx.now_ns { self.turns_at_once + 1 } else { 0 };
        self.last_turn_ns = ctx.now_ns;
        let (at_once, deadline_ns) = (self.turns_at_once, self.core.deadline_ns());
        ctx.judge.require(at_once < TURNS_AT_ONCE_MAX, "the core does not spin", || {
            format!("{at_once} turns at one instant, deadline {deadline_ns:?}")
        });
        let mut busy = self.drain_ring(FRAMES_MAX);
        busy |= self.hear();
        let more = self.poll(busy);
        self.grant_wishes();
        self.send();
        if !more {
            self.idle_until_ns = Some(self.core.deadline_ns().unwrap_or(NEVER_NS));
            wire::turn_over(&mut self.port.ctx);
        }
        self.hold_against_the_books();
        self.plan_next_turn(more);
    }

    /// Hands accepted messages to the core. Answers whether there were any.
    fn drain_ring(&mut self, limit: u64) -> bool {
        let now = self.port.ctx.now();
        let any = !self.ring.is_empty();
        let limit = self.port.ctx.random.between(1, limit);
        for _ in 0..limit {
            let Some((publisher, sequence)) = self.ring.pop_front() else { break };
            let ctx = &mut self.port.ctx;
            ctx.ledger.hand_over(ctx.now_ns, publisher, sequence);
            ctx.coverage.waited += u64::from(self.port.state != EndpointState::Connected);
            let message = &ctx.ledger.messages[publisher][sequence as usize];
            ctx.judge.note(|| format!("core takes {publisher}.{sequence}: {message:?}"));
            let key = message.key.map(u64::to_le_bytes);
            let bytes = payload(publisher, sequence, message.payload_len);
            let frame = Frame {
                channel: message.channel as u32,
                sequence,
                tag: !sequence,
                partition: message.partition,
                key: key.as_ref().map(<[u8; 8]>::as_slice),
                payload: Some(&bytes),
                ..Frame::default()
            };
            self.core.publish(now, PublisherId(publisher as u32), &frame, &mut self.port);
        }
        any
    }

    /// Tells the core what its sockets say.
    fn hear(&mut self) -> bool {
        let now = self.port.ctx.now();
        let mut any = false;
        for at in 0..self.port.connections.len() {
            let connection = self.port.connections[at];
            let tiny = self.port.ctx.random.percent(3);
            while self.port.is_open(connection) && !self.core.is_behind(connection) {
                let space = self.core.space(connection);
                let len = if tiny { space.len().min(7) } else { space.len() };
                let n = self.network.receive(connection, &mut space[..len]);
                if n == 0 {
                    break;
                }
                any = true;
                let bytes = space[..n].to_vec();
                wire::heard(&mut self.port.ctx, connection, &bytes);
                self.core.received(now, connection, n);
                if tiny {
                    break;
                }
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
                self.core.connected(ctx.now(), connection);
            }
            Err(error) => {
                self.port.agreed[connection.index()] = Agreed::Nothing;
                wire::closed(ctx, connection);
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
        let once = self.port.ctx.random.percent(self.port.scenario.single_polls);
        let mut polls = 0;
        let more = loop {
            let more = self.core.poll(now, &mut self.port);
            self.note_error();
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
        let (effects, until_ns) = (self.port.effects, self.idle_until_ns.take());
        self.port.ctx.judge.require(!asleep || effects == 0, "a core with nothing to do sleeps", || {
            format!("{effects} effects before {until_ns:?}")
        });
        more
    }

    /// Counts what connections were lost for.
    fn note_error(&mut self) {
        let error = self.core.status(EndpointId(0)).publish.last_error;
        if error == self.errors {
            return;
        }
        self.port.ctx.judge.note(|| format!("ailment: {error:?}"));
        let coverage = &mut self.port.ctx.coverage;
        match &error {
            Some(LinkError::ReplyTimeout) => coverage.reply_timeouts += 1,
            Some(LinkError::ConnectTimeout | LinkError::Advertised { .. }) => coverage.connect_timeouts += 1,
            Some(LinkError::HandshakeTimeout) => coverage.handshake_timeouts += 1,
            Some(LinkError::Protocol(words)) => {
                coverage.protocol_errors += 1;
                let is_honest = coverage.nonsense == 0;
                let words = words.to_string();
                self.port.ctx.judge.require(!is_honest, "an honest broker breaks no protocol", || words);
            }
            _ => {}
        }
        self.errors = error;
    }

    fn grant_wishes(&mut self) {
        for wish in std::mem::take(&mut self.port.wishes) {
            match wish {
                Wish::Connect(connection) => {
                    let (name, port) = self.core.address(connection).unwrap_or(("", 0));
                    let brokers = 1..=self.port.scenario.brokers;
                    let broker = brokers.into_iter().find(|id| host(*id) == name && port == PORT);
                    let ctx = &mut self.port.ctx;
                    ctx.judge.note(|| format!("connects {connection:?} to {name}:{port}"));
                    wire::opened(ctx, connection, broker);
                    self.network.connect(ctx, connection, broker);
                }
                Wish::Close(connection) => {
                    self.port.ctx.judge.note(|| format!("closes {connection:?}"));
                    wire::closed(&mut self.port.ctx, connection);
                    self.network.close(&mut self.port.ctx, connection);
                }
            }
        }
    }

    fn send(&mut self) {
        while self.core.take_writable().is_some() {}
        for at in 0..self.port.connections.len() {
            let connection = self.port.connections[at];
            let output: Vec<u8> = self.core.pieces(connection).flatten().copied().collect();
            if output.is_empty() || !self.port.is_open(connection) {
                continue;
            }
            let (ctx, len) = (&mut self.port.ctx, output.len());
            let limit = OUTPUT_MAX + self.port.scenario.settings.max_request_size;
            ctx.judge.require(len <= limit, "output is bounded", || format!("{len} bytes"));
            wire::offered(ctx, connection, &output);
            if ctx.random.percent(3) {
                continue;
            }
            let n = self.network.send(ctx, connection, &output);
            ctx.coverage.partial_sends += u64::from(n > 0 && n < len);
            if n > 0 {
                wire::taken(ctx, connection, n);
                self.core.sent(connection, n);
            }
        }
    }

    /// The core holds what the books say, and gives up connects in time.
    fn hold_against_the_books(&mut self) {
        let held = self.port.ctx.ledger.held();
        let counters = self.core.counters(EndpointId(0));
        let counted = (counters.in_flight, counters.in_flight_bytes);
        let judge = &mut self.port.ctx.judge;
        judge.require(counted == held, "the core counts what it holds", || {
            format!("{counted:?}, not {held:?}")
        });
        let is_drained = self.core.is_drained();
        judge.require(is_drained == (held.0 == 0), "drained means that nothing is held", || {
            format!("{held:?}")
        });
        let now_ns = self.port.ctx.now_ns;
        let timeout_ns = self.port.scenario.settings.connect_timeout_ns;
        for agreed in &self.port.agreed {
            let Agreed::Connecting { since_ns } = agreed else { continue };
            let is_late = now_ns >= since_ns + timeout_ns && self.idle_until_ns.is_some();
            judge_connect(&mut self.port.ctx.judge, is_late, *since_ns);
        }
    }

    fn plan_next_turn(&mut self, more: bool) {
        let sends_now = self.port.connections.iter().any(|it| {
            self.port.is_open(*it) && self.network.has_room(*it) && !self.core.output(*it).is_empty()
        });
        let reads_now = self.port.connections.iter().any(|it| self.network.has_news(*it));
        let ctx = &mut self.port.ctx;
        if more || sends_now || reads_now || !self.ring.is_empty() {
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

    /// The shutdown deadline has passed.
    pub(super) fn expire(&mut self) {
        while self.drain_ring(u64::MAX) {}
        let ctx = &mut self.port.ctx;
        ctx.expired = true;
        ctx.coverage.expires += 1;
        ctx.coverage.expired_in_flight += ctx.ledger.undecided();
        let now = ctx.now();
        self.core.expire(now, &mut self.port);
        self.grant_wishes();
    }
}

fn judge_connect(judge: &mut crate::sim::judge::Judge, is_late: bool, since_ns: u64) {
    judge.require(!is_late, "a connect has its timeout", || format!("since {since_ns}"));
}
