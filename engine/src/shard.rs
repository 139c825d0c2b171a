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

use crossbeam::channel::Receiver;
use ringwire_core::{Core, EndpointId, Frame, Now, PublisherId};
use ringwire_shards::clock::Clock;
use ringwire_shards::host::{Duty, Turn};
use ringwire_shards::idle::{Idle, IdleAction, IdleStrategy};
use ringwire_shards::ring::FrameReader;
use ringwire_shards::wake::Sleeper;

use crate::connection::Connections;
use crate::ports::{Asked, Ports};
use crate::shared::{Command, Phase, ShardShared, Shared};

/// Frames that are taken from one ring in one turn. Enough to fill a send (256 messages of 128 bytes are 32 KiB), few
/// enough that the other rings, and what was received, wait 20 µs at the most.
const FRAMES_PER_TURN: usize = 256;
/// Polls of the core in one turn.
const POLLS_PER_TURN: usize = 4;
/// Polls of the core before the end: four receive buffers of the smallest answers.
const POLLS_AT_END: usize = 256;
/// Commands that are carried out in one turn: opening thousands of channels must not hold up the messages.
const COMMANDS_PER_TURN: usize = 64;

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
    commands_done: u64,
    /// The clock's reading of this turn: one a turn.
    turn_ns: u64,
    /// Readiness was judged while lanes were busy: it is judged again.
    is_stale: bool,
    /// A turn has begun and not ended: if the shard is dropped now, it panicked.
    in_turn: bool,
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
            commands_done: 0,
            turn_ns: 0,
            is_stale: false,
            in_turn: false,
        }
    }

    fn now(&mut self) -> Now {
        let now = self.clock.now();
        Now { mono_ns: now.mono_ns, wall_ns: now.wall_ns }
    }

    /// One turn without parking. Answers whether there was anything to do.
    pub(crate) fn work(&mut self) -> bool {
        self.in_turn = true;
        let now = self.now();
        self.turn_ns = now.mono_ns;
        let mut worked = self.carry_out(now, COMMANDS_PER_TURN);
        worked |= self.drain(now);
        self.send(now);
        worked |= self.connections.receive(now, &mut self.core);
        for _ in 0..POLLS_PER_TURN {
            let more = self.core.poll(now, &mut self.ports);
            self.obey(now);
            worked |= more;
            if !more {
                break;
            }
        }
        self.send(now);
        self.ports.flush();
        if worked || self.is_stale || self.ports.subscriptions_changed || !self.ports.changed.is_empty() {
            self.describe();
        }
        if let Stage::Flushing { deadline_ns } = self.stage
            && (now.mono_ns >= deadline_ns || self.is_flushed())
        {
            self.finish(now);
        }
        self.in_turn = false;
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
        let mut worked = false;
        for _ in 0..limit {
            let Some(command) = self.postponed.pop_front().or_else(|| self.commands.try_recv().ok()) else {
                break;
            };
            worked = true;
            self.commands_done += 1;
            match command {
                Command::Publisher(port, frames) => {
                    self.frames.push((port.id, frames));
                    self.ports.add_publisher(port);
                }
                Command::Channel(channel) => self.core.open_channel(now, channel),
                Command::Subscriber(port) => self.ports.add_subscriber(port),
                Command::Subscribe(subscription) => self.core.subscribe(now, subscription),
                Command::Unsubscribe(id) => self.core.unsubscribe(now, id),
                Command::Connect => {
                    for index in 0..self.ports.touched.len() {
                        self.core.open_endpoint(now, EndpointId(index as u16));
                    }
                }
                Command::CloseSubscriber(id) => {
                    if let Some(port) = self.ports.subscribers.get_mut(id as usize) {
                        *port = None;
                    }
                }
                Command::Resolved { connection, addresses } => {
                    self.connections.resolved(now, connection, addresses, &mut self.core);
                }
                Command::Shutdown { deadline_ns } => {
                    // Of two deadlines the earlier one holds.
                    let deadline_ns = match self.stage {
                        Stage::Flushing { deadline_ns: earlier } => earlier.min(deadline_ns),
                        Stage::Running | Stage::Finished => deadline_ns,
                    };
                    self.stage = Stage::Flushing { deadline_ns };
                }
            }
        }
        worked
    }

    /// Takes frames out of the rings, a bounded number of each.
    fn drain(&mut self, now: Now) -> bool {
        let Self { core, ports, frames, closing, commands, postponed, commands_done, .. } = self;
        let mut drained = 0;
        let mut gone = None;
        for (index, (publisher, reader)) in frames.iter_mut().enumerate() {
            let read = reader.read(FRAMES_PER_TURN, |bytes| {
                let Ok(frame) = Frame::decode(bytes) else { return };
                if !core.knows_channel(frame.channel) {
                    // The channel was opened before the frame was committed: its command is in the queue.
                    for command in commands.try_iter() {
                        if let Command::Channel(channel) = command {
                            *commands_done += 1;
                            core.open_channel(now, channel);
                        } else {
                            postponed.push_back(command);
                        }
                    }
                }
                if core.knows_channel(frame.channel) {
                    core.publish(now, PublisherId(*publisher), &frame, ports);
                }
            });
            drained += read;
            if read == 0 && reader.is_abandoned() && reader.is_empty() {
                gone = Some(index);
            }
        }
        if let Some(index) = gone {
            closing.push(frames.swap_remove(index).0);
        }
        if !closing.is_empty() {
            closing.retain(|publisher| !ports.forget_closed(*publisher));
        }
        drained > 0
    }

    fn send(&mut self, now: Now) {
        while let Some(connection) = self.core.take_writable() {
            self.connections.send(now, connection, &mut self.core);
        }
    }

    /// Opens and closes connections as the core asked.
    fn obey(&mut self, now: Now) {
        let mut asked = std::mem::take(&mut self.ports.asked);
        for asked in asked.drain(..) {
            match asked {
                Asked::Connect(connection) => self.connections.open(now, connection, &mut self.core),
                Asked::Close(connection) => self.connections.close(connection),
            }
        }
        // Keeps the list's storage.
        self.ports.asked = asked;
    }

    /// Tells the application's threads how things stand.
    fn describe(&mut self) {
        for index in 0..self.ports.touched.len() {
            let has_moved = std::mem::take(&mut self.connections.moved[index]);
            if std::mem::take(&mut self.ports.touched[index]) || has_moved {
                let endpoint = EndpointId(index as u16);
                let oldest_ns = self.core.oldest_ns(endpoint);
                self.shared.endpoints[index].set_counters(&self.core.counters(endpoint), oldest_ns);
            }
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
        self.sleeper.drain();
        self.sleeper.arm();
        let is_idle = self.ports.changed.is_empty()
            && self.commands.is_empty()
            && self.postponed.is_empty()
            && self.frames.iter().all(|(_, ring)| ring.is_empty());
        if !is_idle {
            self.sleeper.disarm();
        }
        is_idle
    }

    /// Takes back what [`Shard::arm`] asked.
    pub(crate) fn disarm(&mut self) {
        self.sleeper.disarm();
        self.sleeper.drain();
    }

    /// An epoll descriptor that is readable when a socket is, or when somebody rang.
    pub(crate) fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(self.connections.poller())
    }

    fn park(&mut self) {
        if !self.arm() {
            return;
        }
        let now_ns = self.now().mono_ns;
        let timeout = self.deadline_ns().map(|at_ns| Duration::from_nanos(at_ns.saturating_sub(now_ns)));
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
        let endpoints = 0..self.ports.touched.len() as u16;
        let left: u64 = endpoints.map(|index| self.core.counters(EndpointId(index)).in_flight).sum();
        self.engine.expired.fetch_add(left, Ordering::AcqRel);
        self.core.expire(now, &mut self.ports);
        self.obey(now);
        self.ports.touched.fill(true);
        self.ports.flush();
        self.describe();
    }

    /// Leaves the rings to the handles, which answer for what is still in them.
    fn hand_over(&mut self) {
        for (publisher, ring) in self.frames.drain(..) {
            if let Some(Some(port)) = self.ports.publishers.get_mut(publisher as usize) {
                *port.leftover.lock().unwrap_or_else(PoisonError::into_inner) = Some(ring);
                // Now the handle sees the end of the report ring, and looks at what is left over.
                port.reports = None;
                port.reports_waker.wake();
                port.credit_waker.wake();
            }
        }
        for port in self.ports.subscribers.iter_mut().filter_map(Option::take) {
            let waker = port.waker.clone();
            drop(port);
            waker.wake();
        }
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
        self.hand_over();
    }
}

impl Duty for Shard {
    fn turn(&mut self) -> Turn {
        let worked = self.work();
        if self.is_finished() {
            return Turn::Finished;
        }
        if self.idle.decide(self.turn_ns, worked) == IdleAction::Park {
            self.park();
        }
        Turn::Continue
    }
}

impl Drop for Shard {
    /// A shard that is dropped before it finished has panicked, or was dropped by the application that drove it: what
    /// it held is answered for all the same.
    fn drop(&mut self) {
        if self.is_finished() {
            return;
        }
        let now = self.now();
        if self.in_turn {
            self.engine.set_phase(Phase::Failed);
            self.salvage(now);
        } else {
            self.engine.set_phase(Phase::Closed);
            if catch_unwind(AssertUnwindSafe(|| self.finish(now))).is_err() {
                self.engine.set_phase(Phase::Failed);
                self.salvage(now);
            }
        }
    }
}
