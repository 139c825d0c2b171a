//! The publish lane: commands go out in order, answers meet them by position, and each message has one outcome.
//!
//! ```text
//!  in_flight:  │ lost …     │ sent whole …        │ not sent whole … │
//!              ├────────────┼─────────────────────┼──────────────────┤
//!              front         `lost`                `lost + sent`
//! ```
//!
//! Only a lane without a connection has lost entries, and it does not connect again before each of them has had its
//! outcome: *unknown* if its last byte reached `send`, else *not sent* (or, where its route's `when_down` is `buffer`,
//! it is not lost at all and goes out again from its first byte). A `PUBLISH` is never sent whole twice.

use std::collections::VecDeque;

use ringwire_codec::resp::{self, Token};

use super::breaker::Breaker;
use super::handshake::{self, Handshake, Identity, Task};
use super::link::{Due, Link};
use super::{FRAMES_PER_POLL, check_interval_ns};
use crate::backoff::Random;
use crate::buffer::Output;
use crate::channel::Leg;
use crate::frame::Frame;
use crate::outlet::{Charge, ConnectionId, EndpointId, Outlet, PublisherId, Role};
use crate::report::{Outcome, Reason, Report, error_detail, receivers_detail};
use crate::settings::{RedisSettings, WhenDown};
use crate::status::{BreakerState, Counters, LinkError, beginning, is_servers_fault, words};
use crate::time::NEVER_NS;

/// The `end` of a lost entry whose last byte did not reach `send`.
const NOT_SENT: u64 = u64::MAX;
/// Lost entries that are reported in one poll: a lane that dies with a full queue must not hold up its neighbours
/// on the shard.
const SETTLE_PER_POLL: usize = 256;
/// In-flight entries that are made room for at once: the default credit of four publishers, under 4 MiB of address space.
const ENTRIES_RESERVED_MAX: usize = 4 << 14;
/// Entries that are no messages: `PING` and `ROLE`, once each.
const PROBES_MAX: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    Ping,
    Role,
}

/// A command without an answer: all that is needed to answer for it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    sequence: u64,
    tag: u64,
    intended_ns: u64,
    /// When the lane took it.
    since_ns: u64,
    /// Stream position behind its last byte.
    end: u64,
    channel: u32,
    publisher: PublisherId,
    cost: u32,
    leg: u8,
    kind: Kind,
    /// What becomes of it without a connection.
    when_down: WhenDown,
}

/// A message on its way into a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure<'a> {
    pub(crate) publisher: PublisherId,
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) leg: &'a Leg,
    pub(crate) leg_index: u8,
}

/// An answer, taken out of the receive buffer.
enum Answer {
    Integer(i64),
    Error {
        detail: [u8; 16],
        is_servers_fault: bool,
        /// The text, where it is wanted: as much of it as is ever told.
        text: Option<Box<[u8]>>,
    },
    /// `ROLE`'s first item says that this is still a primary, or not.
    Role(Result<(), LinkError>),
    Other,
    /// Out of band.
    Push,
}

#[derive(Debug)]
pub(crate) struct PublishLane {
    endpoint: EndpointId,
    link: Link,
    output: Output,
    in_flight: VecDeque<Entry>,
    /// Leading entries that wait for their outcome because the connection is gone.
    lost: usize,
    /// Entries behind those whose last byte reached `send`.
    sent: usize,
    lost_reason: Reason,
    /// How the server knows the present connection.
    identity: Option<Identity>,
    /// The connection before, while it may hold commands that were not answered.
    predecessor: Option<Identity>,
    /// When the last answer came, or the connection became ready.
    last_answer_ns: u64,
    check_at_ns: u64,
    /// The last look at the clocks came late and judged nobody.
    excused: bool,
    role_at_ns: u64,
    role_outstanding: bool,
    breaker: Breaker,
    pub(crate) counters: Counters,
}

impl PublishLane {
    pub(crate) fn new(endpoint: EndpointId, settings: &RedisSettings) -> Self {
        Self {
            endpoint,
            link: Link::new(ConnectionId::new(endpoint, Role::Publish), settings),
            output: Output::default(),
            in_flight: VecDeque::new(),
            lost: 0,
            sent: 0,
            lost_reason: Reason::ConnectionLost,
            identity: None,
            predecessor: None,
            last_answer_ns: 0,
            check_at_ns: NEVER_NS,
            excused: false,
            role_at_ns: 0,
            role_outstanding: false,
            breaker: Breaker::new(settings.breaker_threshold),
            counters: Counters::default(),
        }
    }

    pub(crate) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    pub(crate) fn link_ref(&self) -> &Link {
        &self.link
    }

    /// Makes room for so many messages and their bytes. That is address space: memory comes with the first use, and
    /// both queues go back to their beginning whenever they are empty.
    pub(crate) fn reserve(&mut self, messages: usize, bytes: usize) {
        let entries = messages.min(ENTRIES_RESERVED_MAX) + PROBES_MAX;
        // Where there is no room for it now, the queue grows when it must.
        let _ = self.in_flight.try_reserve_exact(entries.saturating_sub(self.in_flight.len()));
        self.output.reserve(bytes);
    }

    /// Whether an answer is outstanding.
    pub(crate) fn expects(&self) -> bool {
        !self.in_flight.is_empty() || self.link.is_greeting()
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.counters.in_flight == 0
    }

    pub(crate) fn oldest_since_ns(&self) -> Option<u64> {
        self.in_flight.iter().find(|entry| entry.kind == Kind::Message).map(|entry| entry.since_ns)
    }

    pub(crate) fn breaker(&self) -> BreakerState {
        self.breaker.state()
    }

    /// What the driver may send now.
    pub(crate) fn output(&self) -> &[u8] {
        if self.link.is_gone() {
            &[]
        } else if self.link.is_greeting() {
            self.link.greeting()
        } else if self.link.is_ready() {
            let unsent = self.output.unsent();
            match self.send_limit() {
                None => unsent,
                Some(end) => {
                    let room = end.saturating_sub(self.output.sent_to());
                    &unsent[..unsent.len().min(usize::try_from(room).unwrap_or(usize::MAX))]
                }
            }
        } else {
            &[]
        }
    }

    /// The stream position up to which may be sent, if there is one: an open breaker lets out what was begun, a half
    /// open one the first message alone.
    #[inline]
    fn send_limit(&self) -> Option<u64> {
        match self.breaker.state() {
            BreakerState::Closed => None,
            BreakerState::Open => Some(self.begun_to()),
            BreakerState::HalfOpen => {
                self.in_flight.iter().find(|entry| entry.kind == Kind::Message).map(|entry| entry.end)
            }
        }
    }

    /// The end of the last command whose first byte has been sent.
    fn begun_to(&self) -> u64 {
        let sent_to = self.output.sent_to();
        let next = self.in_flight.get(self.lost + self.sent);
        next.filter(|_| sent_to > self.output.kept_from()).map_or(sent_to, |entry| entry.end)
    }

    pub(crate) fn bytes_sent(&mut self, n: usize) {
        if self.link.is_greeting() {
            self.link.greeting_sent(n);
            return;
        }
        self.output.sent(n);
        // Behind the last command that is whole, a new connection would begin.
        let mut whole = None;
        while let Some(entry) = self.in_flight.get(self.lost + self.sent) {
            if entry.end > self.output.sent_to() {
                break;
            }
            whole = Some(entry.end);
            self.sent += 1;
        }
        if let Some(end) = whole {
            self.output.keep_from(end);
        }
    }

    /// Takes one message: encoded straight into the output, or given its outcome at once.
    #[inline]
    pub(crate) fn publish(&mut self, now_ns: u64, departure: Departure<'_>, outlet: &mut impl Outlet) {
        let Departure { publisher, frame, leg, leg_index } = departure;
        let payload = frame.payload.unwrap_or_default();
        self.counters.accepted += 1;
        let mut entry = Entry {
            sequence: frame.sequence,
            tag: frame.tag,
            intended_ns: frame.intended_ns,
            since_ns: now_ns,
            end: 0,
            channel: frame.channel,
            publisher,
            cost: leg.cost(frame.body_len()),
            leg: leg_index,
            kind: Kind::Message,
            when_down: leg.when_down(),
        };
        let is_open = self.breaker.state() == BreakerState::Open;
        if (is_open || !self.link.is_ready()) && entry.when_down != WhenDown::Buffer {
            let reason = match entry.when_down {
                WhenDown::Drop => Reason::Dropped,
                _ if is_open => Reason::BreakerOpen,
                _ => Reason::NotConnected,
            };
            self.counters.not_sent += 1;
            self.tell(&entry, now_ns, Outcome::NotSent, reason, [0; 16], outlet);
            return;
        }
        leg.prefix().encode1(self.output.writer(), payload);
        entry.end = self.output.end();
        self.counters.in_flight += 1;
        self.counters.in_flight_bytes += u64::from(entry.cost);
        self.in_flight.push_back(entry);
    }

    fn tell(
        &self,
        entry: &Entry,
        at_ns: u64,
        outcome: Outcome,
        reason: Reason,
        detail: [u8; 16],
        outlet: &mut impl Outlet,
    ) {
        let report = Report {
            sequence: entry.sequence,
            tag: entry.tag,
            intended_ns: entry.intended_ns,
            at_ns,
            broker_timestamp_ms: 0,
            detail,
            channel: entry.channel,
            leg: entry.leg,
            outcome,
            reason,
            reserved: 0,
        };
        let charge = Charge {
            publisher: entry.publisher,
            endpoint: Some(self.endpoint),
            bytes: entry.cost,
            taken_ns: entry.since_ns,
        };
        outlet.outcome(charge, &report);
    }

    /// Does what is due: outcomes of a lost connection, timers, answers. Answers whether there is more at once.
    pub(crate) fn poll(
        &mut self,
        now_ns: u64,
        settings: &RedisSettings,
        random: &mut Random,
        outlet: &mut impl Outlet,
    ) -> bool {
        let mut more = self.settle(now_ns, SETTLE_PER_POLL, outlet);
        // Answers first: after a standstill of our own the clocks would call a server silent whose answers are here.
        let turn = match self.decode(now_ns, settings, outlet) {
            Ok(more) => self.check(now_ns, settings, outlet).map(|()| more),
            Err(error) => Err(error),
        };
        if matches!(turn, Err(LinkError::ReplyTimeout)) {
            self.breaker.failed(|| LinkError::ReplyTimeout.to_string());
        }
        match turn {
            Ok(true) => more = true,
            Ok(false) => {
                if let Some(error) = self.link.take_gone() {
                    self.down(now_ns, error, settings, random);
                    more = true;
                }
            }
            Err(error) => {
                if !self.link.is_gone() {
                    outlet.close(self.link.connection);
                }
                self.down(now_ns, error, settings, random);
                more = true;
            }
        }
        self.link.announce(now_ns, outlet);
        more
    }

    /// The next time at which [`PublishLane::poll`] has something to do without bytes coming in.
    pub(crate) fn deadline_ns(&self) -> u64 {
        if self.lost > 0 {
            return 0;
        }
        if self.link.is_ready() { self.check_at_ns } else { self.link.deadline_ns() }
    }

    pub(crate) fn connected(&mut self, now_ns: u64, settings: &RedisSettings) {
        let must_be_healthy = self.breaker.state() == BreakerState::HalfOpen;
        let task = Task { predecessor: self.predecessor.clone(), must_be_healthy };
        self.link.connected(now_ns, task, settings);
    }

    /// The connection is gone.
    pub(crate) fn down(
        &mut self,
        now_ns: u64,
        error: LinkError,
        settings: &RedisSettings,
        random: &mut Random,
    ) {
        // A probe of the half-open breaker ended in words of the server's own.
        if self.link.is_greeting() && error.is_refusal() {
            self.breaker.probe_failed(|| error.to_string());
        }
        let is_open = self.breaker.state() == BreakerState::Open;
        // What came while there was no connection waits for the next one as it is.
        if self.link.is_ready() {
            self.lose(if is_open && self.sent == 0 { Reason::BreakerOpen } else { Reason::ConnectionLost });
        }
        self.counters.breaker_trips = self.breaker.trips();
        let (error, pause_ns) =
            if is_open { (self.breaker.error(), Some(settings.breaker_open_ns)) } else { (error, None) };
        self.link.down(now_ns, error, pause_ns, settings, random);
    }

    /// Parts what was in flight: what is lost comes first, what waits for the next connection behind it.
    fn lose(&mut self, reason: Reason) {
        if let Some(identity) = self.identity.take() {
            // Also with every command answered: the first bytes of a cut one may still be in its buffers, and
            // must not be completed by anything.
            self.predecessor = Some(identity);
        } else if self.sent > 0 {
            self.counters.unfenced += 1;
        }
        self.lost_reason = reason;
        let unsent = self.in_flight.split_off(self.lost + self.sent);
        let (mut bytes, mut waiting) = (Vec::new(), Vec::new());
        let mut start = self.output.kept_from();
        for mut entry in unsent {
            let end = entry.end;
            if entry.when_down == WhenDown::Buffer && reason != Reason::Shutdown {
                bytes.extend_from_slice(self.output.between(start, end));
                entry.end = self.output.sent_to() + bytes.len() as u64;
                waiting.push(entry);
            } else {
                entry.end = NOT_SENT;
                self.in_flight.push_back(entry);
            }
            start = end;
        }
        self.lost = self.in_flight.len();
        self.sent = 0;
        self.in_flight.extend(waiting);
        self.output.restart(&bytes);
    }

    /// Gives up to `limit` lost entries their outcome.
    fn settle(&mut self, now_ns: u64, limit: usize, outlet: &mut impl Outlet) -> bool {
        for _ in 0..self.lost.min(limit) {
            let Some(entry) = self.in_flight.pop_front() else { break };
            self.lost -= 1;
            if entry.kind != Kind::Message {
                self.role_outstanding &= entry.kind != Kind::Role;
                continue;
            }
            self.counters.in_flight -= 1;
            self.counters.in_flight_bytes -= u64::from(entry.cost);
            let outcome = if entry.end != NOT_SENT {
                self.counters.unknown += 1;
                Outcome::Unknown
            } else {
                self.counters.not_sent += 1;
                Outcome::NotSent
            };
            let reason = match (self.lost_reason, entry.when_down) {
                (Reason::BreakerOpen, WhenDown::Drop) => Reason::Dropped,
                (reason, _) => reason,
            };
            self.tell(&entry, now_ns, outcome, reason, [0; 16], outlet);
        }
        self.lost > 0
    }

    /// Timers: connect, give up, ask for a sign of life.
    fn check(
        &mut self,
        now_ns: u64,
        settings: &RedisSettings,
        outlet: &mut impl Outlet,
    ) -> Result<(), LinkError> {
        if self.lost > 0 {
            return Ok(());
        }
        if self.link.is_gone() {
            return Ok(());
        }
        if !self.link.is_ready() {
            match self.link.due(now_ns, settings) {
                Due::Connect => {
                    if self.breaker.tried_again() {
                        self.link.tell_again();
                    }
                    outlet.connect(self.link.connection);
                }
                Due::GiveUp(error) => return Err(error),
                Due::Nothing => {}
            }
            return Ok(());
        }
        if self.breaker.state() == BreakerState::Open && self.sent == 0 && self.output().is_empty() {
            // All that was begun is answered.
            return Err(self.breaker.error());
        }
        if now_ns < self.check_at_ns {
            return Ok(());
        }
        // A look that comes late says that we stood still ourselves, and then no silence is the server's: what it
        // answered may not be read, or our own commands not be sent. The next look judges, late or not.
        let interval_ns = check_interval_ns(settings);
        self.excused = !self.excused && now_ns - self.check_at_ns >= interval_ns;
        self.check_at_ns = now_ns + interval_ns;
        if let Some(oldest) = self.in_flight.front() {
            let waiting_since = oldest.since_ns.max(self.last_answer_ns);
            if !self.excused && now_ns.saturating_sub(waiting_since) >= settings.reply_timeout_ns {
                return Err(LinkError::ReplyTimeout);
            }
        }
        if now_ns >= self.role_at_ns && !self.role_outstanding {
            self.role_at_ns = now_ns + settings.role_interval_ns;
            self.role_outstanding = true;
            self.probe(now_ns, Kind::Role);
            // `ROLE` is answered whatever ails the server; `PING` is not.
            self.probe(now_ns, Kind::Ping);
        } else if self.in_flight.is_empty()
            && now_ns.saturating_sub(self.link.last_received_ns) >= settings.ping_interval_ns
        {
            self.probe(now_ns, Kind::Ping);
        }
        Ok(())
    }

    fn probe(&mut self, now_ns: u64, kind: Kind) {
        let command: &[u8] = if kind == Kind::Role { b"ROLE" } else { b"PING" };
        resp::command(self.output.writer(), &[command]);
        self.in_flight.push_back(Entry {
            sequence: 0,
            tag: 0,
            intended_ns: 0,
            since_ns: now_ns,
            end: self.output.end(),
            channel: 0,
            publisher: PublisherId(0),
            cost: 0,
            leg: 0,
            kind,
            when_down: WhenDown::Reject,
        });
    }

    fn decode(
        &mut self,
        now_ns: u64,
        settings: &RedisSettings,
        outlet: &mut impl Outlet,
    ) -> Result<bool, LinkError> {
        if self.link.is_greeting() {
            match self.link.greet(now_ns, settings)? {
                Some(handshake) => self.ready(now_ns, handshake, settings),
                None => return Ok(false),
            }
        }
        if !self.link.is_ready() {
            return Ok(false);
        }
        for _ in 0..FRAMES_PER_POLL {
            match self.next_answer()? {
                Some(Answer::Push) => {}
                Some(answer) => self.answered(now_ns, answer, outlet)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn ready(&mut self, now_ns: u64, handshake: Handshake, settings: &RedisSettings) {
        self.counters.unfenced += u64::from(handshake.unfenced);
        self.predecessor = None;
        self.identity = handshake.identity;
        self.last_answer_ns = now_ns;
        self.role_at_ns = now_ns + settings.role_interval_ns;
        self.check_at_ns = now_ns + check_interval_ns(settings);
        self.counters.reconnects = self.link.reconnects();
    }

    #[inline]
    fn next_answer(&mut self) -> Result<Option<Answer>, LinkError> {
        // Most answers come alone: then the decoder need not be asked what is missing.
        if self.link.input.unconsumed().is_empty() {
            return Ok(None);
        }
        let frame = match self.link.reader.next(self.link.input.unconsumed()) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(None),
            Err(error) => return Err(LinkError::Protocol(error.to_string().into())),
        };
        let answer = match frame.head() {
            Token::Integer(number) => Answer::Integer(number),
            Token::Error(text) | Token::BulkError(text) => {
                // Only what somebody will read is copied.
                let is_probe = self.in_flight.front().is_some_and(|entry| entry.kind != Kind::Message);
                let told = (is_probe || self.breaker.is_on_the_brink()).then(|| beginning(text).into());
                let (detail, is_servers_fault) = (error_detail(text), is_servers_fault(text));
                Answer::Error { detail, is_servers_fault, text: told }
            }
            Token::Push(_) => Answer::Push,
            Token::Array(_) => Answer::Role(handshake::check_role(frame.item(0))),
            _ => Answer::Other,
        };
        let len = frame.len();
        self.link.input.consume(len);
        Ok(Some(answer))
    }

    /// Meets an answer with the oldest command.
    #[inline]
    fn answered(&mut self, now_ns: u64, answer: Answer, outlet: &mut impl Outlet) -> Result<(), LinkError> {
        if self.sent == 0 {
            return Err(LinkError::Protocol("an answer came to a command that was not sent".into()));
        }
        let Some(entry) = self.in_flight.front().copied() else {
            return Err(LinkError::Protocol("an answer came without a command".into()));
        };
        let (outcome, reason, detail) = match (entry.kind, answer) {
            (Kind::Message, Answer::Integer(receivers)) if receivers >= 0 => {
                self.counters.delivered += 1;
                if self.breaker.succeeded() {
                    self.link.tell_again();
                }
                (Outcome::Delivered, Reason::None, receivers_detail(receivers as u64))
            }
            (Kind::Message, Answer::Error { detail, is_servers_fault, text }) => {
                self.counters.not_sent += 1;
                self.counters.errors += 1;
                if is_servers_fault {
                    self.message_failed(text);
                }
                (Outcome::NotSent, Reason::ServerError, detail)
            }
            (Kind::Message, _) => {
                return Err(LinkError::Protocol(
                    "PUBLISH was answered with neither a count nor an error".into(),
                ));
            }
            (Kind::Role, Answer::Role(role)) => {
                role?;
                return self.probed(now_ns, Kind::Role);
            }
            (Kind::Ping, answer) => {
                // Any answer is a sign of life, and an error says what ails the server.
                self.link.examined(match answer {
                    Answer::Error { text, .. } => LinkError::from_ping(&text.unwrap_or_default()),
                    _ => None,
                });
                return self.probed(now_ns, Kind::Ping);
            }
            // A user may lack the right to ask for the role.
            (Kind::Role, _) => return self.probed(now_ns, Kind::Role),
        };
        self.pop_answered();
        self.last_answer_ns = now_ns;
        self.counters.in_flight -= 1;
        self.counters.in_flight_bytes -= u64::from(entry.cost);
        self.tell(&entry, now_ns, outcome, reason, detail, outlet);
        Ok(())
    }

    #[inline]
    fn pop_answered(&mut self) {
        self.in_flight.pop_front();
        self.sent -= 1;
        if self.in_flight.is_empty() {
            // Back to the storage's beginning: only what a burst has needed is ever touched, and so is memory.
            self.in_flight.clear();
        }
    }

    /// A message was answered with an error that is the server's own fault.
    #[cold]
    fn message_failed(&mut self, text: Option<Box<[u8]>>) {
        if self.breaker.failed(|| words(&text.unwrap_or_default())) {
            self.counters.breaker_trips = self.breaker.trips();
            self.link.hold(self.breaker.error());
        }
    }

    fn probed(&mut self, now_ns: u64, kind: Kind) -> Result<(), LinkError> {
        self.pop_answered();
        self.last_answer_ns = now_ns;
        self.role_outstanding &= kind != Kind::Role;
        Ok(())
    }

    /// The shutdown deadline passed: everything left gets its outcome now.
    pub(crate) fn expire(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        if self.link.has_socket() {
            outlet.close(self.link.connection);
        }
        self.settle(now_ns, usize::MAX, outlet);
        self.lose(Reason::Shutdown);
        self.settle(now_ns, usize::MAX, outlet);
        self.link.retire();
        self.link.announce(now_ns, outlet);
    }
}
