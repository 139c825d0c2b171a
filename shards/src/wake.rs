//! Waking a thread that sleeps, at no cost while it does not: one flag and one eventfd per sleeper.
//!
//! ```text
//!   sleeper (its own thread)                     waker (any thread, Clone)
//!   ------------------------                     ------------------------------------------------
//!   drain                                        publish data (a release store in a ring)
//!   arm:  sleeping = true, FENCE                 FENCE
//!   look at every ring once more                 if sleeping (relaxed load)
//!   nothing? wait on fd  <---- eventfd ------        if sleeping.swap(false)  write eventfd
//!   disarm: sleeping = false
//! ```
//!
//! # Why no wake-up is lost
//!
//! The two sides do the same dance: each writes one location and then reads the other's (Dekker). What
//! must never happen is that *both* read the old value:
//!
//! ```text
//!   sleeper: sleeping = true   ...  reads the ring: empty      (the publish is still in a store buffer)
//!   waker:   publishes         ...  reads sleeping: false      (so is the flag)
//!   the sleeper waits for ever, with a message in its ring
//! ```
//!
//! A fence between the write and the read *on both sides* excludes it: of two SeqCst fences one is first,
//! and what was written before the first is seen by reads after the second. So:
//!
//! * The waker's fence is first: the sleeper's second look finds the data. It disarms and does not wait.
//! * The sleeper's fence is first: the waker sees `sleeping`, and the `swap` gives exactly one of any number
//!   of wakers the duty to write. The eventfd keeps the write: it does not matter whether the sleeper has
//!   begun to wait.
//!
//! The second look is what makes the first case harmless. Who arms and waits without it loses messages that
//! were published between the last look and the flag. (`tests/loom.rs` shows both.)
//!
//! # Who pays for the fence
//!
//! [`Fence::Full`]: both do. The waker does it once for a whole batch and then looks at every sleeper's flag
//! ([`publication_fence`], [`Waker::notify_fenced`]). Right for a shard that feeds reports and subscribers.
//!
//! [`Fence::Membarrier`]: the sleeper alone. `membarrier(PRIVATE_EXPEDITED)` makes every running thread of the
//! process execute a full fence before it returns (and a thread that is not running fences when it is
//! switched in). So wherever the waker was, one of the two holds:
//!
//! * Its publish came before that interruption: it is visible, and the second look finds it.
//! * Its load of `sleeping` comes after the interruption: it sees `true`, which was stored before.
//!
//! The compiler alone could undo that by moving the load above the publish, hence
//! [`light_fence`]. The sleeper pays one system call and the process one interrupt per running
//! thread, so only a shard that is about to park anyway uses it. Where the kernel lacks it,
//! [`Waker::costs_fence`] is true, and [`Waker::notify`] fences.
//!
//! # A late waker
//!
//! A waker may read `true`, be preempted, and `swap` only after the sleeper has woken, worked and armed again.
//! It then takes the *new* arming and writes: a wake-up with nothing to find, which costs a turn. It is why
//! the sleeper drains *before* it arms. Drained in between, that write would be eaten while the flag is already
//! down, and nobody would write again.

use std::io;

#[cfg(not(loom))]
use std::os::fd::BorrowedFd;
#[cfg(not(loom))]
use std::time::Duration;

use crossbeam::utils::CachePadded;

use crate::sync::{Arc, AtomicBool, Ordering, fence, light_fence};

#[cfg_attr(loom, path = "wake/bell_model.rs")]
mod bell;
mod membarrier;

use bell::Bell;

/// Who pays for the fence between publishing and looking whether somebody sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// The sleeper, with `membarrier(2)`: for a shard that parks. Wakers execute no fence, unless the kernel
    /// lacks it.
    Membarrier,
    /// Both sides: for sleepers that are woken by a shard, which fences once per batch.
    Full,
}

#[derive(Debug)]
struct Shared {
    /// True from `arm` until the first waker or `disarm` takes it. Whoever takes it from true to false, and
    /// is not the sleeper, rings the bell.
    sleeping: CachePadded<AtomicBool>,
    bell: Bell,
}

impl Shared {
    /// Changes the flag and returns what it was.
    ///
    /// Every change is a read-modify-write, also where a plain store would do on paper: the changes then are
    /// one chain in which each has seen the one before, so that a late waker's `false` cannot seem to come
    /// after a new arming that it did not take. (Loom, which orders a store and a concurrent swap in both ways,
    /// finds exactly that.) None of them is on a path that a message takes while the sleeper is awake.
    #[inline]
    fn set_sleeping(&self, sleeping: bool) -> bool {
        self.sleeping.swap(sleeping, Ordering::AcqRel)
    }
}

/// Makes a sleeper and the first of its wakers.
///
/// # Errors
///
/// What `eventfd(2)` answers: usually that the process has too many open files (`ulimit -n`).
pub fn sleeper(kind: Fence) -> io::Result<(Sleeper, Waker)> {
    let shared = Arc::new(Shared { sleeping: CachePadded::new(AtomicBool::new(false)), bell: Bell::new()? });
    let asymmetric = kind == Fence::Membarrier && membarrier::is_available();
    let waker = Waker { shared: shared.clone(), fences: !asymmetric };
    Ok((Sleeper { shared, asymmetric }, waker))
}

/// The full fence of a waker, between all that a batch published and [`Waker::notify_fenced`].
#[inline]
pub fn publication_fence() {
    fence(Ordering::SeqCst);
}

/// The thread that sleeps. `Send`, not `Clone`.
///
/// The order of a sleep is: [`drain`](Self::drain) what rang before, [`arm`](Self::arm), look at everything
/// that wakers publish to, wait on [`fd`](Self::fd) if there was nothing, [`disarm`](Self::disarm) in any case.
#[derive(Debug)]
pub struct Sleeper {
    shared: Arc<Shared>,
    /// The sleeper pays with `membarrier`; its wakers have no fence.
    asymmetric: bool,
}

impl Sleeper {
    /// Makes the descriptor readable until it is drained, as if somebody had rung.
    pub fn ring(&mut self) {
        self.shared.set_sleeping(false);
        self.shared.bell.ring();
    }

    /// Announces that this thread is about to sleep. Look at every ring after it, and sleep only if all are
    /// empty.
    ///
    /// Costs a `membarrier` (some microseconds, and an interrupt for each running thread of the process) for
    /// [`Fence::Membarrier`], else a fence.
    pub fn arm(&mut self) {
        self.shared.set_sleeping(true);
        // Between the flag above and the caller's second look.
        if self.asymmetric {
            membarrier::all_threads();
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// Announces that this thread is awake. A waker may have taken the flag before: then its ring is or
    /// will be in the eventfd, and at worst ends the next sleep early.
    #[inline]
    pub fn disarm(&mut self) {
        self.shared.set_sleeping(false);
    }

    /// Empties the eventfd, so that it is no longer readable. Never between `arm` and the wait.
    pub fn drain(&mut self) {
        self.shared.bell.silence();
    }

    /// The eventfd: readable when a waker rang. For `epoll`, level-triggered.
    #[cfg(not(loom))]
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.bell.fd()
    }

    /// Waits until a waker rings, or until `timeout` has passed (`None`: for ever); then drains and disarms.
    /// True if a waker rang. A signal handler may end it early, with false.
    ///
    /// The blocking half of the order above: call it armed, after the second look found nothing.
    #[cfg(not(loom))]
    pub fn wait(&mut self, timeout: Option<Duration>) -> bool {
        let rang = self.shared.bell.wait(timeout);
        self.drain();
        self.disarm();
        rang
    }

    /// The same, for ever, on the model of the eventfd.
    #[cfg(loom)]
    pub fn wait(&mut self) {
        self.shared.bell.wait();
        self.drain();
        self.disarm();
    }
}

/// Wakes one sleeper. `Clone + Send + Sync`.
#[derive(Debug, Clone)]
pub struct Waker {
    shared: Arc<Shared>,
    /// Whether `notify` must execute a full fence.
    fences: bool,
}

impl Waker {
    /// Wakes the sleeper if it sleeps. Call it after the data was published.
    ///
    /// Executes the fence that this waker needs, if any: with [`Fence::Membarrier`] and an awake sleeper the
    /// cost is one load from a line that seldom changes.
    #[inline]
    pub fn notify(&self) {
        if self.fences {
            publication_fence();
        } else {
            light_fence();
        }
        self.notify_fenced();
    }

    /// Wakes the sleeper if it sleeps; the caller has executed [`publication_fence`] since it published.
    /// For one batch that feeds several sleepers.
    #[inline]
    pub fn notify_fenced(&self) {
        if self.shared.sleeping.load(Ordering::Relaxed) {
            self.ring_if_sleeping();
        }
    }

    /// [`publication_fence`], then [`notify_fenced`](Self::notify_fenced): one sleeper's whole batch.
    #[inline]
    pub fn fence_and_notify(&self) {
        publication_fence();
        self.notify_fenced();
    }

    /// Of all who saw the flag, one rings.
    #[cold]
    fn ring_if_sleeping(&self) {
        if self.shared.set_sleeping(false) {
            self.shared.bell.ring();
        }
    }

    /// Rings whatever the flag says: for a stop or another event outside the rings. The next wait ends at once.
    pub fn wake(&self) {
        self.shared.set_sleeping(false);
        self.shared.bell.ring();
    }

    /// Whether [`notify`](Self::notify) executes a full fence: always for [`Fence::Full`], and for
    /// [`Fence::Membarrier`] where the kernel lacks it.
    #[must_use]
    pub fn costs_fence(&self) -> bool {
        self.fences
    }
}
