//! The subscribe lane: what is wanted, what the server confirmed, and what it delivers.
//!
//! ```text
//!            SUBSCRIBE + PING        confirmation          connection lost: a gap when it is confirmed again
//!  Off ────────────────────► Asking ──────────────► On ──────────────────────────────► Off
//!   ▲                          │ error before PONG   │ nobody wants it: UNSUBSCRIBE + PING
//!   └──────────────────────────┴─────────────────────┴──► Leaving ──► Off
//! ```
//!
//! RESP3 confirms by pushes, which belong to no command, while errors come in band: so each command is followed by
//! a `PING`, no slot is reserved for the command itself, and an error before the `PONG` belongs to it. A name has one
//! command under way at most; what changed meanwhile is looked at when that is answered.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use ringwire_codec::resp::{self, Frame, Token};
use twox_hash::XxHash3_64;

use super::handshake::Task;
use super::link::{Due, Link};
use super::{FRAMES_PER_POLL, check_interval_ns};
use crate::backoff::Random;
use crate::buffer::Output;
use crate::delivery::GapReason;
use crate::outlet::{ConnectionId, EndpointId, Outlet, Role};
use crate::settings::RedisSettings;
use crate::status::{Counters, LinkError};
use crate::subscription::{Arrival, Place, Subscription, Subscriptions};
use crate::time::{NEVER_NS, SECOND_NS};

/// Names that are asked for in one poll after a reconnect, so that ten thousand of them do not hold up the shard.
const RESUBSCRIBE_PER_POLL: usize = 256;
/// A name that the server refused is asked for again after this long: permissions are mended on the server.
const REFUSED_RETRY_NS: u64 = 5 * SECOND_NS;

/// An answer stands behind the messages that the server sent before it: on a full path it may take so many reply
/// timeouts, as long as bytes keep coming. Giving up sooner would lose what is on its way, and fill the path again.
const PATIENCE: u64 = 8;

/// Hashes names by xxh3, as channels are.
#[derive(Debug, Default)]
pub(crate) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ XxHash3_64::oneshot(bytes);
    }

    // A slice's length prefix: the hash of its bytes covers it.
    fn write_usize(&mut self, _: usize) {}
}

type NameMap = HashMap<Box<[u8]>, usize, BuildHasherDefault<NameHasher>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Off,
    Asking,
    On,
    Leaving,
}

#[derive(Debug)]
struct Name {
    text: Box<[u8]>,
    is_pattern: bool,
    /// Subscriptions that want it, in the order they came.
    wanted_by: Vec<Place>,
    wire: Wire,
    /// Why messages may be missing when it is confirmed next.
    interruption: GapReason,
    /// When the server refused it, if that was its last word.
    refused_ns: Option<u64>,
}

/// A command and the `PING` behind it.
#[derive(Clone, Copy, Debug)]
struct Barrier {
    /// The name that was asked for or left; `None` for a bare `PING`.
    name: Option<usize>,
    /// The command was answered (confirmed or refused): another error belongs to the `PING`.
    answered: bool,
    /// Stream positions behind the command's last byte, and behind the `PING`'s.
    command_end: u64,
    end: u64,
    since_ns: u64,
}

/// What a frame means here, with the lengths of its parts.
enum Meaning {
    Message,
    Confirmed { asked: bool },
    Pong,
    Error,
    Ignored,
}

#[derive(Debug)]
pub(crate) struct SubscribeLane {
    link: Link,
    output: Output,
    names: Vec<Option<Name>>,
    free: Vec<usize>,
    channels: NameMap,
    patterns: NameMap,
    barriers: VecDeque<Barrier>,
    /// Names before this index have been asked for on the present connection.
    resubscribed: usize,
    last_answer_ns: u64,
    check_at_ns: u64,
    /// The last look at the clocks came late and judged nobody.
    excused: bool,
    pub(crate) counters: Counters,
}

impl SubscribeLane {
    pub(crate) fn new(endpoint: EndpointId, settings: &RedisSettings) -> Self {
        Self {
            link: Link::new(ConnectionId::new(endpoint, Role::Subscribe), settings),
            output: Output::default(),
            names: Vec::new(),
            free: Vec::new(),
            channels: NameMap::default(),
            patterns: NameMap::default(),
            barriers: VecDeque::new(),
            resubscribed: 0,
            last_answer_ns: 0,
            check_at_ns: NEVER_NS,
            excused: false,
            counters: Counters::default(),
        }
    }

    pub(crate) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    pub(crate) fn link_ref(&self) -> &Link {
        &self.link
    }

    /// Names that the server confirmed, and all that are wanted.
    pub(crate) fn confirmed(&self) -> (usize, usize) {
        let wanted = self.names.iter().flatten().filter(|name| !name.wanted_by.is_empty());
        wanted.fold((0, 0), |(on, all), name| (on + usize::from(name.wire == Wire::On), all + 1))
    }

    pub(crate) fn output(&self) -> &[u8] {
        if self.link.is_gone() {
            &[]
        } else if self.link.is_greeting() {
            self.link.greeting()
        } else if self.link.is_ready() {
            self.output.unsent()
        } else {
            &[]
        }
    }

    pub(crate) fn bytes_sent(&mut self, n: usize) {
        if self.link.is_greeting() {
            self.link.greeting_sent(n);
        } else {
            self.output.sent(n);
            // Nothing here is ever sent again: a new connection asks for all names anew.
            self.output.keep_from(self.output.sent_to());
        }
    }

    pub(crate) fn subscribe(
        &mut self,
        now_ns: u64,
        subscription: &Subscription,
        place: Place,
        table: &mut Subscriptions,
    ) {
        self.link.want(now_ns);
        let index = self.index_of(&subscription.name, subscription.is_pattern);
        if let Some(name) = &mut self.names[index] {
            name.wanted_by.push(place);
            if name.wire == Wire::On {
                table.activated(place, GapReason::NONE);
            }
        }
        if self.link.is_ready() && index < self.resubscribed {
            self.ask(now_ns, index);
        }
    }

    fn index_of(&mut self, text: &[u8], is_pattern: bool) -> usize {
        let map = if is_pattern { &mut self.patterns } else { &mut self.channels };
        if let Some(index) = map.get(text) {
            return *index;
        }
        let name = Name {
            text: text.into(),
            is_pattern,
            wanted_by: Vec::new(),
            wire: Wire::Off,
            interruption: GapReason::NONE,
            refused_ns: None,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.names[index] = Some(name);
                index
            }
            None => {
                self.names.push(Some(name));
                // All names before it have been asked for: so is it, by the caller.
                if self.resubscribed + 1 == self.names.len() && self.link.is_ready() {
                    self.resubscribed += 1;
                }
                self.names.len() - 1
            }
        };
        map.insert(text.into(), index);
        index
    }

    pub(crate) fn unsubscribe(&mut self, now_ns: u64, subscription: &Subscription, place: Place) {
        let map = if subscription.is_pattern { &self.patterns } else { &self.channels };
        let Some(index) = map.get(&subscription.name).copied() else { return };
        let Some(name) = &mut self.names[index] else { return };
        name.wanted_by.retain(|wanting| *wanting != place);
        // A refused name keeps waiting for its retry while somebody wants it.
        if name.wanted_by.is_empty() {
            self.ask(now_ns, index);
        }
    }

    /// Brings a name's state on the wire towards what is wanted, unless a command for it is under way.
    fn ask(&mut self, now_ns: u64, index: usize) {
        let Some(name) = &mut self.names[index] else { return };
        let wanted = !name.wanted_by.is_empty();
        let command: &[u8] = match (name.wire, wanted) {
            (Wire::Off, false) => {
                self.forget(index);
                return;
            }
            (Wire::Off, true) if !self.link.is_ready() => return,
            (Wire::Off, true) => {
                name.wire = Wire::Asking;
                if name.is_pattern { b"PSUBSCRIBE" } else { b"SUBSCRIBE" }
            }
            (Wire::On, true) => {
                name.refused_ns = None;
                return;
            }
            (Wire::On, false) => {
                name.wire = Wire::Leaving;
                if name.is_pattern { b"PUNSUBSCRIBE" } else { b"UNSUBSCRIBE" }
            }
            _ => return,
        };
        name.refused_ns = None;
        resp::command(self.output.writer(), &[command, &name.text]);
        self.ping(now_ns, Some(index));
    }

    fn ping(&mut self, now_ns: u64, name: Option<usize>) {
        let command_end = self.output.end();
        resp::command(self.output.writer(), &[b"PING"]);
        let end = self.output.end();
        self.barriers.push_back(Barrier { name, answered: false, command_end, end, since_ns: now_ns });
    }

    fn forget(&mut self, index: usize) {
        if let Some(name) = self.names[index].take() {
            let map = if name.is_pattern { &mut self.patterns } else { &mut self.channels };
            map.remove(&name.text);
            self.free.push(index);
        }
    }

    pub(crate) fn poll(
        &mut self,
        now_ns: u64,
        settings: &RedisSettings,
        random: &mut Random,
        table: &mut Subscriptions,
        outlet: &mut impl Outlet,
    ) -> bool {
        let mut more = false;
        // Answers first: after a standstill of our own the clocks would call a server silent whose answers are here.
        let turn = match self.decode(now_ns, settings, table, outlet) {
            Ok(more) => self.check(now_ns, settings, outlet).map(|()| more),
            Err(error) => Err(error),
        };
        match turn {
            Ok(true) => more = true,
            Ok(false) => {
                if let Some(error) = self.link.take_gone() {
                    self.down(now_ns, error, settings, random);
                }
            }
            Err(error) => {
                if !self.link.is_gone() {
                    outlet.close(self.link.connection);
                }
                self.down(now_ns, error, settings, random);
            }
        }
        more |= self.resubscribe(now_ns);
        self.link.announce(now_ns, outlet);
        more
    }

    pub(crate) fn deadline_ns(&self) -> u64 {
        if self.link.is_ready() { self.check_at_ns } else { self.link.deadline_ns() }
    }

    pub(crate) fn connected(&mut self, now_ns: u64, settings: &RedisSettings) {
        self.link.connected(now_ns, Task::default(), settings);
    }

    /// The connection is gone, and with it what was confirmed.
    pub(crate) fn down(
        &mut self,
        now_ns: u64,
        error: LinkError,
        settings: &RedisSettings,
        random: &mut Random,
    ) {
        self.barriers.clear();
        self.output.restart(b"");
        self.resubscribed = 0;
        for index in 0..self.names.len() {
            let Some(name) = &mut self.names[index] else { continue };
            if matches!(name.wire, Wire::On | Wire::Leaving) {
                name.interruption = name.interruption.with(GapReason::RECONNECTED);
            }
            name.wire = Wire::Off;
            if name.wanted_by.is_empty() {
                self.forget(index);
            }
        }
        self.link.down(now_ns, error, None, settings, random);
    }

    /// Asks for the names that the present connection does not know yet.
    fn resubscribe(&mut self, now_ns: u64) -> bool {
        if !self.link.is_ready() {
            return false;
        }
        let until = (self.resubscribed + RESUBSCRIBE_PER_POLL).min(self.names.len());
        for index in self.resubscribed..until {
            self.ask(now_ns, index);
        }
        self.resubscribed = until;
        until < self.names.len()
    }

    fn check(
        &mut self,
        now_ns: u64,
        settings: &RedisSettings,
        outlet: &mut impl Outlet,
    ) -> Result<(), LinkError> {
        if self.link.is_gone() {
            return Ok(());
        }
        if !self.link.is_ready() {
            match self.link.due(now_ns, settings) {
                Due::Connect => outlet.connect(self.link.connection),
                Due::GiveUp(error) => return Err(error),
                Due::Nothing => {}
            }
            return Ok(());
        }
        if now_ns < self.check_at_ns {
            return Ok(());
        }
        // A look that comes late says that we stood still ourselves, and then no silence is the server's: what it
        // answered may not be read, or our own commands not be sent. The next look judges, late or not.
        let interval_ns = check_interval_ns(settings);
        self.excused = !self.excused && now_ns - self.check_at_ns >= interval_ns;
        self.check_at_ns = now_ns + interval_ns;
        if let Some(oldest) = self.barriers.front() {
            let waited_ns = now_ns.saturating_sub(oldest.since_ns.max(self.last_answer_ns));
            let silent_ns = waited_ns.min(now_ns.saturating_sub(self.link.last_received_ns));
            let patience_ns = settings.reply_timeout_ns.saturating_mul(PATIENCE);
            if !self.excused && (silent_ns >= settings.reply_timeout_ns || waited_ns >= patience_ns) {
                return Err(LinkError::ReplyTimeout);
            }
        } else if now_ns.saturating_sub(self.last_answer_ns) >= settings.ping_interval_ns {
            // Messages alone prove nothing of the way out: the PONG is required, sooner or later.
            self.ping(now_ns, None);
        }
        for index in 0..self.resubscribed {
            let refused = self.names[index].as_ref().and_then(|name| name.refused_ns);
            if refused.is_some_and(|at| now_ns.saturating_sub(at) >= REFUSED_RETRY_NS) {
                self.ask(now_ns, index);
            }
        }
        Ok(())
    }

    fn decode(
        &mut self,
        now_ns: u64,
        settings: &RedisSettings,
        table: &mut Subscriptions,
        outlet: &mut impl Outlet,
    ) -> Result<bool, LinkError> {
        if self.link.is_greeting() {
            if self.link.greet(now_ns, settings)?.is_none() {
                return Ok(false);
            }
            self.last_answer_ns = now_ns;
            self.check_at_ns = now_ns + check_interval_ns(settings);
            self.counters.reconnects = self.link.reconnects();
        }
        if !self.link.is_ready() {
            return Ok(false);
        }
        for _ in 0..FRAMES_PER_POLL {
            if !self.next_frame(now_ns, table, outlet)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes one frame out of the receive buffer, if a whole one is there.
    fn next_frame(
        &mut self,
        now_ns: u64,
        table: &mut Subscriptions,
        outlet: &mut impl Outlet,
    ) -> Result<bool, LinkError> {
        let frame = match self.link.reader.next(self.link.input.unconsumed()) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(false),
            Err(error) => return Err(LinkError::Protocol(error.to_string().into())),
        };
        let len = frame.len();
        let mut confirmed = None;
        let mut refusal = None;
        let meaning = meaning(&frame);
        match meaning {
            Meaning::Message => {
                let (map, channel, payload) = match (frame.item(2), frame.item(3)) {
                    (Some(Token::Bulk(channel)), Some(Token::Bulk(payload))) => {
                        (&self.patterns, channel, payload)
                    }
                    (Some(Token::Bulk(payload)), None) => (&self.channels, bulk(&frame, 1), payload),
                    _ => {
                        return Err(LinkError::Protocol("a message has neither three nor four parts".into()));
                    }
                };
                let name = map.get(bulk(&frame, 1)).and_then(|index| self.names[*index].as_ref());
                let arrival = Arrival { received_ns: now_ns, channel, payload };
                for place in name.into_iter().flat_map(|name| &name.wanted_by) {
                    table.deliver(*place, arrival, &mut self.counters, outlet);
                }
            }
            Meaning::Confirmed { asked } => {
                let is_pattern = bulk(&frame, 0).starts_with(b"p");
                let map = if is_pattern { &self.patterns } else { &self.channels };
                confirmed = map.get(bulk(&frame, 1)).map(|index| (*index, asked));
            }
            Meaning::Error => {
                if let Token::Error(text) | Token::BulkError(text) = frame.head() {
                    refusal = Some(Box::<[u8]>::from(text));
                }
            }
            Meaning::Pong | Meaning::Ignored => {}
        }
        self.link.input.consume(len);
        match (meaning, confirmed, refusal) {
            (_, Some((index, asked)), _) => self.confirm(now_ns, index, asked, table),
            (_, _, Some(text)) => self.refused(now_ns, &text, table)?,
            (Meaning::Pong, _, _) => self.pong(now_ns, None)?,
            _ => {}
        }
        Ok(true)
    }

    /// The server says that a name is subscribed, or is not any more.
    fn confirm(&mut self, now_ns: u64, index: usize, asked: bool, table: &mut Subscriptions) {
        // What was not sent was not answered: then the server did it by itself.
        if let Some(barrier) = self.barriers.front_mut()
            && barrier.name == Some(index)
            && barrier.command_end <= self.output.sent_to()
        {
            barrier.answered = true;
        }
        let Some(name) = &mut self.names[index] else { return };
        if asked {
            name.wire = Wire::On;
            let interruption = std::mem::take(&mut name.interruption);
            for place in &name.wanted_by {
                table.activated(*place, interruption);
            }
        } else if name.wire == Wire::On {
            // Not asked for: the server ended it by itself, and no command of ours is under way that would end
            // with a look at what is wanted.
            name.wire = Wire::Off;
            name.interruption = name.interruption.with(GapReason::UNSUBSCRIBED);
            self.ask(now_ns, index);
        } else {
            name.wire = Wire::Off;
        }
    }

    /// An error in band: it belongs to the oldest command if that has no answer yet, and else to its `PING`.
    fn refused(&mut self, now_ns: u64, text: &[u8], table: &mut Subscriptions) -> Result<(), LinkError> {
        let Some(Barrier { name: Some(index), answered: answered @ false, .. }) = self.barriers.front_mut()
        else {
            return self.pong(now_ns, LinkError::from_ping(text));
        };
        let index = *index;
        *answered = true;
        self.last_answer_ns = now_ns;
        let Some(name) = &mut self.names[index] else { return Ok(()) };
        name.refused_ns = Some(now_ns);
        if name.wire == Wire::Leaving {
            // It is still in force, and so for those who came to want it meanwhile.
            name.wire = Wire::On;
            for place in &name.wanted_by {
                table.activated(*place, GapReason::NONE);
            }
            return Ok(());
        }
        name.wire = Wire::Off;
        for place in &name.wanted_by {
            table.refused(*place, text);
        }
        Ok(())
    }

    /// The `PONG` of the oldest command, or any other answer to its `PING`.
    fn pong(&mut self, now_ns: u64, ailment: Option<LinkError>) -> Result<(), LinkError> {
        let Some(barrier) = self.barriers.pop_front().filter(|barrier| barrier.end <= self.output.sent_to())
        else {
            return Err(LinkError::Protocol("an answer came to a command that was not sent".into()));
        };
        self.last_answer_ns = now_ns;
        self.link.examined(ailment);
        let Some(index) = barrier.name else { return Ok(()) };
        if !barrier.answered {
            return Err(LinkError::Protocol("a subscription was neither confirmed nor refused".into()));
        }
        // What was refused waits for its retry; a name that nobody wants any more is forgotten at once.
        let waits = self.names[index].as_ref().is_some_and(|name| {
            name.refused_ns.is_some() && (name.wire == Wire::On || !name.wanted_by.is_empty())
        });
        if !waits {
            self.ask(now_ns, index);
        }
        Ok(())
    }

    pub(crate) fn expire(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        if self.link.has_socket() {
            outlet.close(self.link.connection);
        }
        self.link.retire();
        self.link.announce(now_ns, outlet);
    }
}

/// Item `index` of a frame, if it is text.
fn bulk<'a>(frame: &Frame<'a>, index: usize) -> &'a [u8] {
    match frame.item(index) {
        Some(Token::Bulk(text) | Token::Simple(text)) => text,
        _ => b"",
    }
}

fn meaning(frame: &Frame<'_>) -> Meaning {
    match frame.head() {
        Token::Error(_) | Token::BulkError(_) => Meaning::Error,
        // RESP2 delivers by arrays, RESP3 by pushes; the words are the same.
        Token::Array(_) | Token::Push(_) => match bulk(frame, 0) {
            b"message" | b"pmessage" => Meaning::Message,
            b"subscribe" | b"psubscribe" => Meaning::Confirmed { asked: true },
            b"unsubscribe" | b"punsubscribe" => Meaning::Confirmed { asked: false },
            b"pong" => Meaning::Pong,
            _ => Meaning::Ignored,
        },
        Token::Simple(_) | Token::Bulk(_) => Meaning::Pong,
        _ => Meaning::Ignored,
    }
}
