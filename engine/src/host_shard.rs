//! A shard that the application's own thread drives.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::shard::Shard;

/// What one [`HostShard::poll`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It did something: poll again soon.
    Worked,
    /// There was nothing to do.
    Idle,
    /// The shard has ended after a shutdown: every message has its outcome.
    Finished,
}

/// A shard of a host-driven engine ([`crate::Engine::take_shard`]). One thread at a time.
///
/// The thread that drives it calls [`HostShard::poll`] over and over. To wait instead of spinning: [`HostShard::arm`];
/// if that answers `true`, wait until [`HostShard::fd`] is readable or [`HostShard::next_deadline_ns`] is reached;
/// then [`HostShard::disarm`], and poll. Or, where the thread has nothing else to wait for, [`HostShard::wait`]. Dropping
/// it ends it: what it holds is reported.
pub struct HostShard {
    shard: Shard,
    /// What the last poll said, for [`HostShard::wait`].
    has_worked: bool,
}

impl HostShard {
    pub(crate) fn new(shard: Shard) -> Self {
        Self { shard, has_worked: false }
    }

    /// One turn: drains rings, sends, receives, delivers. Never waits. If it panics, the engine has failed
    /// ([`crate::Engine::failure`] says why), and the shard has finished.
    pub fn poll(&mut self) -> Progress {
        if self.shard.is_finished() {
            return Progress::Finished;
        }
        let worked = self.shard.guarded(Shard::work);
        self.has_worked = worked;
        if self.shard.is_finished() {
            Progress::Finished
        } else if worked {
            Progress::Worked
        } else {
            Progress::Idle
        }
    }

    /// Waits as the engine's idle strategy says ([`crate::IdleStrategy`]), for `timeout` at most: until a socket has
    /// something, somebody publishes, or a timer is due; for a fixed time; or not at all. To be called after a poll, and
    /// after reports and events were polled: what comes out of those is not waited for.
    pub fn wait(&mut self, timeout: Duration) {
        if !self.shard.is_finished() {
            let worked = self.has_worked;
            self.shard.guarded(|shard| {
                shard.rest(worked, Some(timeout));
                worked
            });
        }
    }

    /// When the next poll has something to do even if nothing happens: on [`crate::monotonic_ns`]'s clock, 0 for at
    /// once; `None` if never.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.shard.deadline_ns()
    }

    /// Announces that the thread is about to wait: publishers ring from now on. Answers `false`, and announces
    /// nothing, if there is something to do at once.
    pub fn arm(&mut self) -> bool {
        self.shard.arm()
    }

    /// Ends what [`HostShard::arm`] announced.
    pub fn disarm(&mut self) {
        self.shard.disarm();
    }

    /// Makes the descriptor readable until the next [`HostShard::arm`] or [`HostShard::disarm`]: for who waits on it before
    /// having polled.
    pub fn ring(&mut self) {
        self.shard.ring();
    }

    /// An epoll descriptor: readable when a socket has something, or when somebody rang.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shard.fd()
    }
}

impl fmt::Debug for HostShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostShard").finish_non_exhaustive()
    }
}
