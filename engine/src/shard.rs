//! The duty cycle: one loop over rings, sockets and the core.
//!
//! ```text
//!   clock ─► commands ─► frames of each ring ─► one send per connection with output ─► receive ─► core.poll
//!                                                        ▲                                           │
//!     park (by strategy) ◄─ reports, credit, deliveries made visible, one fence ◄── connect, close ◄─┘
//! ```

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, never};
use ringwire_core::{Charge, Core, EndpointId, Frame, Now, Outlet, PublisherId};
use ringwire_shards::clock::Clock;
use ringwire_shards::credit::Amount;
use ringwire_shards::host::{Duty, Turn};
use ringwire_shards::idle::{Idle, IdleAction, IdleStrategy, nap};
use ringwire_shards::ring::FrameReader;
use ringwire_shards::wake::Sleeper;

use crate::connection::Connections;
use crate::ports::{Asked, Ports, PublisherPort};
use crate::shared::{Command, Phase, ShardShared, Shared};

/// Frames that are taken from one ring in one turn. Enough to fill a send (256 messages of 128 bytes are 32 KiB), few
/// enough that the other rings, and what was received, wait 20 µs at the most.
const FRAMES_PER_RING: usize = 256;
/// Frames that are taken from all rings in one turn, about 0.1 ms: the rings behind them come first in the next one.
const FRAMES_PER_TURN: usize = 1_024;
/// Their bytes, for the same time: one ring of large messages a turn.
const FRAME_BYTES_PER_TURN: usize = 1 << 20;
/// Polls of the core in one turn.
const POLLS_PER_TURN: usize = 4;
/// Polls of the core before the end: full receive buffers of the smallest answers, on two hundred connections.
const POLLS_AT_END: usize = 4_096;
/// Commands that are carried out in one turn: opening thousands of channels must not hold up the messages.
const COMMANDS_PER_TURN: usize = 64;
/// While turns find work, the application's threads are told of new counts no more often than this; else in the first
/// turn that finds none, which is when the shard has time.
const DESCRIBE_EVERY_NS: u64 = 50_000;

enum Stage {
    Running,
    /// Shutdown has begun: what was accepted is flushed until then.
    Flushing {
        deadline_ns: u64,
    },
    Finished,
}

/// One shard: made and driven on its own thread, or on the application's.
pub(crate) struct Shard {
    core: Core,
    ports: Ports,
    connections: Connections,
    /// The open publishers' rings, with their numbers; apart from the ports, which the core writes to meanwhile.
    frames: Vec<(u32, FrameReader)>,
    /// Publishers that are gone, and whose reports somebody may still want.
    closing: Vec<u32>,
    commands: Receiver<Command>,
    /// Commands that were overtaken by the opening of a channel.
    postponed: VecDeque<Command>,
    clock: Clock,
    idle: Idle,
    sleeper: Sleeper,
    stage: Stage,
    engine: Arc<Shared>,
    shared: Arc<ShardShared>,
    /// Commands that were taken out of the queue, and those that were carried out.
    commands_taken: u64,
    commands_done: u64,
    /// Which ring a turn begins with.
    first_ring: usize,
    /// The clock's reading of this turn: one a turn.
    turn_ns: u64,
    /// Readiness was judged while lanes were busy: it is judged again.
    is_stale: bool,
    /// There is something that the application's threads have not been told, and when they are at the latest.
    is_untold: bool,
    describe_at_ns: u64,
}

/// What a shard is made of, prepared where errors can still be answered.
pub(crate) struct Parts {
    pub(crate) core: Core,
    pub(crate) connections: Connections,
    pub(crate) commands: Receiver<Command>,
    pub(crate) sleeper: Sleeper,
    pub(crate) idle: IdleStrategy,
    pub(crate) engine: Arc<Shared>,
    pub(crate) shared: Arc<ShardShared>,
}

impl Shard {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            core: parts.core,
            ports: Ports::new(parts.shared.clone()),
            connections: parts.connections,
            frames: Vec::new(),
            closing: Vec::new(),
            commands: parts.commands,
            postponed: VecDeque::new(),
            clock: Clock::new(),
            idle: Idle::new(parts.idle),
            sleeper: parts.sleeper,
            stage: Stage::Running,
            engine: parts.engine,
            shared: parts.shared,
            commands_taken: 0,
            commands_done: 0,
            first_ring: 0,
            turn_ns: 0,
            is_stale: false,
            is_untold: false,
            describe_at_ns: 0,
        }
    }

    fn now(&mut self) -> Now {
        let now = self.clock.now();
        Now { mono_ns: now.mono_ns, wall_ns: now.wall_ns }
    }

    /// Runs a turn, or what comes to it. If it panics, the engine has failed and this shard is finished: nothing of a
    /// defect of ours unwinds into whoever drives it.
    pub(crate) fn guarded(&mut self, turn: impl FnOnce(&mut Self) -> bool) -> bool {
        match catch_unwind(AssertUnwindSafe(|| turn(self))) {
            Ok(worked) => worked,
            Err(panic) => {
                self.fail(panic.as_ref());
                true
            }
        }
    }

    /// One turn without parking. Answers whether there was anything to do.
    pub(crate) fn work(&mut self) -> bool {
        let mut now = self.now();
        self.turn_ns = now.mono_ns;
        let mut worked = self.carry_out(now, COMMANDS_PER_TURN);
        let drained = self.drain(now);
        worked |= drained | self.connections.send_rest(now, &mut self.core);
        self.send(now);
        if self.connections.receive(now, &mut self.core) {
            worked = true;
            if drained {
                // An answer within the turn took its time all the same.
                now = self.now();
            }
        }
        for _ in 0..POLLS_PER_TURN {
            let more = self.core.poll(now, &mut self.ports);
            self.obey(now);
            worked |= more;
            if !more || self.core.has_toiled() {
                break;
            }
        }
        self.send(now);
        self.ports.flush();
        self.is_untold |= worked;
        let has_news = self.is_stale || self.ports.subscriptions_changed || !self.ports.changed.is_empty();
        if has_news || self.is_untold && (!worked || now.mono_ns >= self.describe_at_ns) {
            self.describe_at_ns = now.mono_ns + DESCRIBE_EVERY_NS;
            self.describe();
        }
        if let Stage::Flushing { deadline_ns } = self.stage
            && (now.mono_ns >= deadline_ns || self.is_flushed())
        {
            self.finish(now);
        }
        worked
    }

    /// Whether nothing that was accepted is without its outcome.
    fn is_flushed(&self) -> bool {
        self.commands.is_empty()
            && self.postponed.is_empty()
            && self.frames.iter().all(|(_, ring)| ring.is_empty())
            && self.core.is_drained()
    }

    /// Carries out up to `limit` things that the application asked for.
    fn carry_out(&mut self, now: Now, limit: usize) -> bool {
        // Nearly always there is nothing, and a look at the count costs less than a look into the queue.
        let given = self.shared.commands_given.load(Ordering::Relaxed);
        if given == self.commands_taken && self.postponed.is_empty() {
            return false;
        }
        let mut worked = false;
        for _ in 0..limit {
            let command = self.postponed.pop_front().or_else(|| {
                let command = self.commands.try_recv().ok()?;
                self.commands_taken += 1;
                Some(command)
            });
            let Some(command) = command else { break };
            worked = true;
            self.commands_done += 1;
            match command {
                Command::Publisher(port, frames) => {
                    let Amount { messages, bytes } = credit_of(&port);
                    self.core.reserve(messages as usize, bytes as usize);
                    self.frames.push((port.id, frames));
                    self.ports.add_publisher(port);
                }
                Command::Channel(channel) => self.core.open_channel(now, channel),
                Command::Subscriber(port) => self.ports.add_subscriber(port),
                Command::Subscribe(subscription) => self.core.subscribe(now, subscription),
                Command::Unsubscribe(id) => self.core.unsubscribe(now, id),
                Command::Flush => self.core.flush(false),
                Command::Connect => {
                    for index in 0..self.shared.endpoints.len() {
                        self.core.open_endpoint(now, EndpointId(index as u16));
                    }
                }
                Command::CloseSubscriber(id) => {
                    if let Some(port) = self.ports.subscribers.get_mut(id as usize) {
                        *port = None;
                    }
                }
                Command::Resolved { connection, name, found } => {
                    self.connections.answered(now, connection, name, found, &mut self.core);
                }
                Command::Shutdown { deadline_ns } => {
                    // Of two deadlines the earlier one holds.
                    let deadline_ns = match self.stage {
                        Stage::Flushing { deadline_ns: earlier } => earlier.min(deadline_ns),
                        Stage::Running | Stage::Finished => deadline_ns,
                    };
                    self.stage = Stage::Flushing { deadline_ns };
                    self.core.flush(true);
                }
            }
        }
        worked
    }

    /// Takes frames out of the rings, a bounded number of each and of all.
    fn drain(&mut self, now: Now) -> bool {
        let rings = self.frames.len();
        let (mut drained, mut bytes) = (0, 0);
        let mut gone = None;
        for offset in 0..rings {
            let index = (self.first_ring + offset) % rings;
            let read = self.drain_ring(now, index, &mut bytes);
            drained += read;
            let (_, ring) = &self.frames[index];
            if read == 0 && ring.is_abandoned() && ring.is_empty() {
                gone = Some(index);
            }
            if drained >= FRAMES_PER_TURN || bytes >= FRAME_BYTES_PER_TURN {
                self.first_ring = index + 1;
                break;
            }
        }
        if let Some(index) = gone {
            self.closing.push(self.frames.swap_remove(index).0);
        }
        if !self.closing.is_empty() {
            let Self { core, ports, closing, .. } = self;
            closing.retain(|publisher| {
                let credit = ports.publishers[*publisher as usize].as_ref().map(|port| credit_of(port));
                let is_forgotten = ports.forget_closed(*publisher);
                if let Some(Amount { messages, bytes }) = credit.filter(|_| is_forgotten) {
                    core.release(messages as usize, bytes as usize);
                }
                !is_forgotten
            });
        }
        drained > 0
    }

    fn drain_ring(&mut self, now: Now, index: usize, total: &mut usize) -> usize {
        let Self { core, ports, frames, commands, postponed, commands_taken, commands_done, .. } = self;
        let (publisher, ring) = &mut frames[index];
        let publisher = *publisher;
        let read = ring.read(FRAMES_PER_RING, |bytes| {
            *total += bytes.len();
            let Ok(frame) = Frame::decode(bytes) else { return };
            if !core.knows_channel(frame.channel) {
                // The channel was opened before the frame was committed: its command is in the queue.
                for command in commands.try_iter() {
                    *commands_taken += 1;
                    if let Command::Channel(channel) = command {
                        *commands_done += 1;
                        core.open_channel(now, channel);
                    } else {
                        postponed.push_back(command);
                    }
                }
            }
            if core.knows_channel(frame.channel) {
                ports.begin(publisher, &frame);
                core.publish(now, PublisherId(publisher), &frame, ports);
            }
        });
        ports.end();
        read
    }

    fn send(&mut self, now: Now) {
        while let Some(connection) = self.core.take_writable() {
            self.connections.send(now, connection, &mut self.core);
        }
    }

    /// Opens and closes connections as the core asked.
    fn obey(&mut self, now: Now) {
        if self.ports.asked.is_empty() {
            return;
        }
        let mut asked = std::mem::take(&mut self.ports.asked);
        for asked in asked.drain(..) {
            match asked {
                Asked::Connect(connection) => self.connections.open(now, connection, &mut self.core),
                Asked::Close(connection) => self.connections.close(now, connection),
            }
        }
        // Keeps the list's storage.
        self.ports.asked = asked;
    }

    /// Tells the application's threads how things stand.
    fn describe(&mut self) {
        self.is_untold = false;
        while let Some(endpoint) = self.connections.moved.take() {
            self.ports.touched.mark(endpoint);
        }
        while let Some(endpoint) = self.ports.touched.take() {
            let oldest_ns = self.core.oldest_ns(endpoint);
            let shared = &self.shared.endpoints[usize::from(endpoint.0)];
            shared.set_counters(&self.core.counters(endpoint), oldest_ns);
        }
        self.shared.bus.set_counters(&self.core.bus_counters(), None);
        let has_changed = self.ports.subscriptions_changed || !self.ports.changed.is_empty();
        let Self { core, ports, shared, .. } = self;
        ports
            .changed
            .retain(|endpoint| !shared.endpoints[usize::from(endpoint.0)].set_status(core.status(*endpoint)));
        self.ports.subscriptions_changed = false;
        // What was overtaken is not done, whatever was done since.
        let told = self.shared.commands_done.load(Ordering::Relaxed);
        let done = if self.postponed.is_empty() { self.commands_done } else { told };
        if has_changed || done != told || self.is_stale {
            self.is_stale = self.core.deadline_ns() == Some(0);
            self.shared.is_ready.store(self.core.is_ready(), Ordering::Release);
            self.shared.commands_done.store(done, Ordering::Release);
        }
    }

    /// When the next turn has something to do by itself, in monotonic nanoseconds.
    pub(crate) fn deadline_ns(&self) -> Option<u64> {
        match self.stage {
            Stage::Flushing { deadline_ns } => {
                Some(self.core.deadline_ns().map_or(deadline_ns, |at_ns| at_ns.min(deadline_ns)))
            }
            Stage::Running | Stage::Finished => self.core.deadline_ns(),
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished)
    }

    /// Asks publishers and the control side to ring. Answers `false` if there is something to do at once.
    pub(crate) fn arm(&mut self) -> bool {
        if self.is_untold {
            self.describe();
        }
        let now = Now { mono_ns: self.turn_ns, wall_ns: 0 };
        self.connections.watch(now, &mut self.core);
        self.sleeper.drain();
        self.sleeper.arm();
        let is_idle = self.ports.changed.is_empty()
            && !self.connections.has_rest()
            && self.commands.is_empty()
            && self.postponed.is_empty()
            && self.frames.iter().all(|(_, ring)| ring.is_empty());
        if !is_idle {
            self.sleeper.disarm();
        }
        is_idle
    }

    /// Does nothing for as long as the idle strategy says after a turn that did or did not find work, and at most for
    /// `max`.
    pub(crate) fn rest(&mut self, worked: bool, max: Option<Duration>) {
        match self.idle.decide(self.turn_ns, worked) {
            IdleAction::Spin => {}
            IdleAction::Park => self.park(max),
            // What is due meanwhile is due that much later: naps are short beside every limit.
            IdleAction::Nap(duration) => nap(max.map_or(duration, |max| duration.min(max))),
        }
    }

    /// Takes back what [`Shard::arm`] asked.
    pub(crate) fn disarm(&mut self) {
        self.sleeper.disarm();
        self.sleeper.drain();
    }

    /// Makes the descriptor readable until the next [`Shard::arm`].
    pub(crate) fn ring(&mut self) {
        self.sleeper.ring();
    }

    /// An epoll descriptor that is readable when a socket is, or when somebody rang.
    pub(crate) fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(self.connections.poller())
    }

    fn park(&mut self, max: Option<Duration>) {
        if !self.arm() {
            return;
        }
        let now_ns = self.now().mono_ns;
        let due = self.deadline_ns().map(|at_ns| Duration::from_nanos(at_ns.saturating_sub(now_ns)));
        let timeout = due.into_iter().chain(max).min();
        if timeout != Some(Duration::ZERO) {
            self.connections.wait(timeout);
        }
        self.disarm();
    }

    /// Ends: everything that was accepted gets its outcome, every connection is closed, and the rings are left to
    /// the handles.
    fn finish(&mut self, now: Now) {
        self.stage = Stage::Finished;
        self.carry_out(now, usize::MAX);
        self.stage = Stage::Finished;
        while self.drain(now) {}
        // Answers that have come are answers, also those behind a full turn of them.
        for _ in 0..POLLS_AT_END {
            if !self.core.poll(now, &mut self.ports) {
                break;
            }
        }
        self.expire(now);
        self.hand_over();
    }

    fn expire(&mut self, now: Now) {
        let endpoints = 0..self.shared.endpoints.len() as u16;
        let left: u64 = endpoints.map(|index| self.core.counters(EndpointId(index)).in_flight).sum();
        self.engine.expired.fetch_add(left, Ordering::AcqRel);
        self.core.expire(now, &mut self.ports);
        self.obey(now);
        self.ports.flush();
        self.describe();
    }

    /// Leaves the rings to the handles, which answer for what is still in them.
    fn hand_over(&mut self) {
        for (publisher, ring) in self.frames.drain(..) {
            if let Some(Some(port)) = self.ports.publishers.get(publisher as usize) {
                *port.leftover.lock().unwrap_or_else(PoisonError::into_inner) = Some(ring);
            }
        }
        // Now the handles see the end of their rings, and look at what is left over: also those of publishers that are
        // gone. Each port rings as it goes.
        self.ports.publishers.iter_mut().for_each(|port| *port = None);
        self.ports.subscribers.iter_mut().for_each(|port| *port = None);
        // So does a port that came after the last look, or comes yet.
        self.commands = never();
        self.shared.is_finished.store(true, Ordering::Release);
    }

    /// Ends after a panic that was caught around [`Shard::work`].
    pub(crate) fn fail(&mut self, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let words = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        let mut failure = self.engine.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(format!("a shard's loop panicked: {words}"));
        drop(failure);
        self.engine.set_phase(Phase::Failed);
        let now = self.now();
        self.salvage(now);
    }

    /// After a panic, of the core or around it: no frame is given to the core any more.
    fn salvage(&mut self, now: Now) {
        self.stage = Stage::Finished;
        for command in self.postponed.drain(..).chain(self.commands.try_iter()) {
            if let Command::Publisher(port, frames) = command {
                self.frames.push((port.id, frames));
                self.ports.add_publisher(port);
            }
        }
        // A core that panicked may panic again: then what it held stays without an outcome, and nothing else does.
        let _ = catch_unwind(AssertUnwindSafe(|| self.expire(now)));
        self.answer_underway(now);
        self.hand_over();
    }

    /// Answers for the frame that the core was taking when it panicked, where that has not had its outcome: whatever
    /// became of it, its bytes were to be sent after this.
    fn answer_underway(&mut self, now: Now) {
        let Some(underway) = self.ports.take_underway() else { return };
        let channel = self.engine.registry().channels.get(underway.channel as usize).cloned();
        let Some(channel) = channel else { return };
        for (index, leg) in
            (0_u8..).zip(&channel.rest.legs).filter(|(index, _)| !underway.is_answered(*index))
        {
            let charge = Charge {
                publisher: PublisherId(underway.publisher),
                endpoint: leg.endpoint(),
                bytes: leg.cost(underway.body_len),
                taken_ns: now.mono_ns,
            };
            self.ports.outcome(charge, &underway.not_sent(now.mono_ns, index));
        }
        self.ports.flush();
    }
}

/// What a publisher may have outstanding at each endpoint.
fn credit_of(port: &PublisherPort) -> Amount {
    port.grantors.first().map(|grantor| grantor.capacity()).unwrap_or_default()
}

impl Duty for Shard {
    fn turn(&mut self) -> Turn {
        self.guarded(|shard| {
            let worked = shard.work();
            if !shard.is_finished() {
                shard.rest(worked, None);
            }
            worked
        });
        if self.is_finished() { Turn::Finished } else { Turn::Continue }
    }
}

impl Drop for Shard {
    /// A shard that is dropped before it finished was dropped by the application that drove it: what it held is
    /// answered for all the same.
    fn drop(&mut self) {
        if self.is_finished() {
            return;
        }
        self.engine.set_phase(Phase::Closed);
        self.guarded(|shard| {
            let now = shard.now();
            shard.finish(now);
            true
        });
    }
}

#[cfg(test)]
mod tests;
