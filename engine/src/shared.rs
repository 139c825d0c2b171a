//! What the application's handles and the shards see of each other.
//!
//! ```text
//!   handles ── Command ──► control queue ──► shard        (opening and closing: rare, allocates)
//!   handles ── frames ───► ring ───────────► shard        (publishing: wait-free)
//!   handles ◄─ flags, counters ───────────── shard        (single writer, relaxed)
//! ```

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::channel::Sender;
use crossbeam::utils::CachePadded;
use ringwire_core::{Channel as CoreChannel, ConnectionId, Subscription};
use ringwire_shards::ring::FrameReader;
use ringwire_shards::wake::Waker;

use crate::channel::Channel;
use crate::config::Config;
use crate::ports::{PublisherPort, SubscriberPort};
use crate::resolver::{Found, Name};
use crate::status::EndpointShared;

/// What a shard is told.
pub(crate) enum Command {
    /// A new publisher's rings and credits.
    Publisher(Box<CachePadded<PublisherPort>>, FrameReader),
    /// A channel whose frames may come now.
    Channel(CoreChannel),
    /// A new subscriber's ring.
    Subscriber(Box<CachePadded<SubscriberPort>>),
    Subscribe(Subscription),
    Unsubscribe(u32),
    /// Send what waits for company.
    Flush,
    /// Open the connections of all endpoints, needed or not.
    Connect,
    /// The subscriber is gone, with its ring.
    CloseSubscriber(u32),
    /// The addresses of a name, or why there are none: the answer to a [`crate::resolver::Request`].
    Resolved {
        connection: ConnectionId,
        name: Name,
        found: Found,
    },
    /// Flush, then end; at this monotonic time at the latest.
    Shutdown {
        deadline_ns: u64,
    },
}

/// Whether an engine takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Phase {
    Running = 0,
    /// Shutdown has begun, or is over.
    Closed = 1,
    /// A shard panicked.
    Failed = 2,
}

/// Bits of a pass that tell the phase.
const PHASE_BITS: u32 = 2;

/// One shard, from outside.
pub(crate) struct ShardShared {
    pub(crate) commands: Sender<Command>,
    pub(crate) waker: Waker,
    pub(crate) endpoints: Box<[EndpointShared]>,
    pub(crate) bus: EndpointShared,
    /// Commands that were given, and those that the shard has carried out.
    pub(crate) commands_given: AtomicU64,
    pub(crate) commands_done: AtomicU64,
    /// All connections and subscriptions that somebody needs are there, as of `commands_done`.
    pub(crate) is_ready: AtomicBool,
    /// The shard has ended: every message that it took has its outcome.
    pub(crate) is_finished: AtomicBool,
}

impl ShardShared {
    /// Tells the shard. It is never waited for. A shard that has ended hears nothing.
    pub(crate) fn command(&self, command: Command) {
        self.commands_given.fetch_add(1, Ordering::Relaxed);
        if self.commands.send(command).is_ok() {
            self.waker.notify();
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        // The count is read first: what is ready as of a later count is ready as of this one's commands.
        let given = self.commands_given.load(Ordering::Acquire);
        self.commands_done.load(Ordering::Acquire) >= given && self.is_ready.load(Ordering::Acquire)
    }
}

/// An engine, from all its handles.
pub(crate) struct Shared {
    /// The engine's number within the process and its [`Phase`], in one word: a publisher compares it with the
    /// channel's pass, and so learns at once that the engine runs and that the channel is its own.
    pass: CachePadded<AtomicU64>,
    pub(crate) config: Config,
    pub(crate) shards: Vec<Arc<ShardShared>>,
    registry: Mutex<Registry>,
    pub(crate) failure: Mutex<Option<String>>,
    /// Messages that the shutdown deadline overtook.
    pub(crate) expired: AtomicU64,
}

/// What was opened, by name and number. Only opening takes this lock.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) channels: Vec<Channel>,
    /// Their numbers.
    pub(crate) by_name: HashMap<Box<[u8]>, u32>,
    /// What somebody keeps for as long as anything of the engine lives.
    pub(crate) kept: Vec<Box<dyn Any + Send>>,
    pub(crate) publishers: u32,
    pub(crate) subscribers: u32,
    /// The numbers of the subscriptions that are open.
    open_subscriptions: BTreeSet<u32>,
    next_subscription: u32,
}

impl Registry {
    /// A number for a new subscription, which no other open one has. One that was ended is given again when all others
    /// were: its subscriber's ring may hold events that name it for as long as nobody polls.
    pub(crate) fn open_subscription(&mut self) -> u32 {
        loop {
            let number = self.next_subscription;
            self.next_subscription = number.wrapping_add(1);
            if self.open_subscriptions.insert(number) {
                return number;
            }
        }
    }

    /// The subscription was ended: every shard that knew of it was told.
    pub(crate) fn close_subscription(&mut self, number: u32) {
        self.open_subscriptions.remove(&number);
    }
}

impl Shared {
    pub(crate) fn new(config: Config, shards: Vec<Arc<ShardShared>>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let pass = CachePadded::new(AtomicU64::new(id << PHASE_BITS));
        let (registry, failure) = (Mutex::default(), Mutex::default());
        Self { pass, config, shards, registry, failure, expired: AtomicU64::new(0) }
    }

    /// Whether the engine runs, and gave this pass.
    #[inline]
    pub(crate) fn admits(&self, pass: u64) -> bool {
        self.pass.load(Ordering::Relaxed) == pass
    }

    /// What a channel of this engine shows while the engine runs.
    pub(crate) fn running_pass(&self) -> u64 {
        self.pass.load(Ordering::Relaxed) >> PHASE_BITS << PHASE_BITS
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.pass.load(Ordering::Relaxed) & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Running,
            1 => Phase::Closed,
            _ => Phase::Failed,
        }
    }

    /// Moves on; a failure is never taken back.
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.pass.fetch_max(self.running_pass() | phase as u64, Ordering::AcqRel);
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_again_when_all_others_were_and_nobody_has_it() {
        let mut registry = Registry::default();
        let mut opened = |count| (0..count).map(|_| registry.open_subscription()).collect::<Vec<_>>();
        assert_eq!(opened(4), [0, 1, 2, 3]);
        registry.close_subscription(1);
        registry.close_subscription(3);
        assert_eq!((registry.open_subscription(), registry.open_subscriptions.len()), (4, 3));
        registry.next_subscription = u32::MAX;
        let numbers: Vec<_> = (0..4).map(|_| registry.open_subscription()).collect();
        assert_eq!(numbers, [u32::MAX, 1, 3, 5]);
    }
}
