//! Ctrl-C and SIGTERM: the first asks for an orderly end, a second one ends the process at once.
//!
//! ```text
//!  signal ──► flag, for loops that look at it
//!        └──► a byte in a socket, for `poll`: whoever waits for input, output or an event waits for this too
//! ```

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// What a shell reports for a process that a signal ended: 128 and the signal's number.
const SIGNALLED: i32 = 128;

/// Whether somebody asked for the end.
pub(crate) struct Stop {
    is_asked: Arc<AtomicBool>,
    /// Becomes readable with the first signal, and stays so.
    bell: UnixStream,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The descriptor is ready.
    Ready,
    /// The other end of the output has gone.
    Gone,
    /// Somebody asked for the end.
    Stopped,
    /// The time is up.
    TimedOut,
}

impl Stop {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    /// What the system refused, in words.
    pub(crate) fn listen() -> Result<Self, String> {
        let refused = |error: std::io::Error| format!("signals cannot be listened for: {error}");
        let (bell, ringer) = UnixStream::pair().map_err(refused)?;
        let is_asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag not set yet.
            flag::register_conditional_shutdown(signal, SIGNALLED + signal, is_asked.clone())
                .map_err(refused)?;
            flag::register(signal, is_asked.clone()).map_err(refused)?;
            low_level::pipe::register(signal, ringer.try_clone().map_err(refused)?).map_err(refused)?;
        }
        Ok(Self { is_asked, bell })
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Waits for the signal.
    pub(crate) fn wait(&self) {
        let mut byte = [0];
        while !self.is_asked() && (&self.bell).read(&mut byte).is_ok_and(|len| len > 0) {}
    }

    /// Waits until `fd` is ready for what `flags` say, or the end is asked for, or the time is up.
    pub(crate) fn wait_for(&self, fd: BorrowedFd<'_>, flags: PollFlags, timeout: Option<Duration>) -> Woken {
        self.wait_for_either(fd, flags, None, timeout)
    }

    /// [`Stop::wait_for`], which also notices that nobody reads `output` any more.
    pub(crate) fn wait_for_either(
        &self,
        fd: BorrowedFd<'_>,
        flags: PollFlags,
        output: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
    ) -> Woken {
        let bell = self.bell.as_fd();
        // Asked for nothing, `poll` still tells of an error or a hang-up.
        let watched = PollFd::from_borrowed_fd(output.unwrap_or(bell), PollFlags::empty());
        let mut fds =
            [PollFd::from_borrowed_fd(fd, flags), PollFd::from_borrowed_fd(bell, PollFlags::IN), watched];
        // Durations of the command are days at the most.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let count = poll(&mut fds, timeout.as_ref());
        let [ready, stopped, gone] = fds.map(|fd| !fd.revents().is_empty());
        match count {
            // What the system says of a descriptor, its read or write says in words. It goes first: what is there is
            // still read, and what can be written is still written.
            Ok(_) if ready => Woken::Ready,
            Ok(_) if gone && output.is_some() => Woken::Gone,
            _ if stopped || self.is_asked() => Woken::Stopped,
            Ok(_) | Err(Errno::INTR) => Woken::TimedOut,
            Err(_) => Woken::Ready,
        }
    }
}
