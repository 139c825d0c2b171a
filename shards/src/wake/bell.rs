//! What rings: an eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// An eventfd. It remembers that it was rung until it is silenced.
#[derive(Debug)]
pub(super) struct Bell {
    fd: OwnedFd,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// Makes the eventfd readable. The write can fail only when the counter is at its maximum, and then the
    /// eventfd is readable already.
    pub(super) fn ring(&self) {
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable. It fails only if it is so already.
    pub(super) fn silence(&self) {
        let mut count = [0; size_of::<u64>()];
        let _ = rustix::io::read(&self.fd, &mut count);
    }

    /// Waits until it is readable; false on timeout, or early when a signal handler ran.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        // A time too long for the kernel's type is for ever.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        matches!(poll(&mut fds, timeout.as_ref()), Ok(ready) if ready > 0)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
