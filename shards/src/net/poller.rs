//! Readiness of many descriptors in one call: `epoll(7)`, level-triggered.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// What to be told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to receive, or the peer's end.
    Read,
    /// Room to send, or the outcome of a connect.
    Write,
    /// Both.
    ReadWrite,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Read => EventFlags::IN | EventFlags::RDHUP,
            Self::Write => EventFlags::OUT,
            Self::ReadWrite => EventFlags::IN | EventFlags::RDHUP | EventFlags::OUT,
        }
    }
}

/// One descriptor that is ready. An error or a hang-up makes it both readable and writable, whatever the
/// interest was: the next `recv` or `send` tells what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The token that it was added with.
    pub token: u64,
    /// `recv` will not block.
    pub readable: bool,
    /// `send` will not block, or a connect has ended.
    pub writable: bool,
}

/// The most that one wait returns: the kernel's records are on the stack then (64 x 12 bytes), and a shard has some
/// tens of descriptors.
const AT_ONCE_MAX: usize = 64;

/// Room for the answers of one [`Poller::wait`], reused from call to call. `Send`, as the poller is.
#[derive(Debug)]
pub struct Events {
    /// What the last wait found: at most `at_once`, so it never grows.
    ready: Vec<Ready>,
    /// From 1 to [`AT_ONCE_MAX`].
    at_once: usize,
}

impl Events {
    /// Room for `capacity` answers, from 1 to 64. More descriptors than that are told in turn: the kernel rotates
    /// its list.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let at_once = capacity.clamp(1, AT_ONCE_MAX);
        Self { ready: Vec::with_capacity(at_once), at_once }
    }

    /// What the last wait found.
    pub fn iter(&self) -> impl Iterator<Item = Ready> + '_ {
        self.ready.iter().copied()
    }

    /// One of the things that the last wait found, in its order: for a loop that handles a few at a time.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Ready> {
        self.ready.get(index).copied()
    }
}

impl Ready {
    fn new(event: &epoll::Event) -> Self {
        // Copied: the kernel's record is packed.
        let (flags, data) = (event.flags, event.data);
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        Self {
            token: data.u64(),
            readable: broken || flags.intersects(EventFlags::IN | EventFlags::RDHUP),
            writable: broken || flags.contains(EventFlags::OUT),
        }
    }
}

/// An epoll instance. `Send`; used by one thread.
#[derive(Debug)]
pub struct Poller {
    fd: OwnedFd,
}

impl Poller {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// What `epoll_create1(2)` answers: too many open files.
    pub fn new() -> io::Result<Self> {
        Ok(Self { fd: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Adds a descriptor. Remove it before it is closed: a duplicate elsewhere would keep it in the set.
    ///
    /// # Errors
    ///
    /// What `epoll_ctl(2)` answers: added already, or not pollable.
    pub fn add(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.fd, source, EventData::new_u64(token), interest.flags())?)
    }

    /// Changes token and interest of a descriptor that was added.
    ///
    /// # Errors
    ///
    /// What `epoll_ctl(2)` answers: not in the set.
    pub fn modify(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.fd, source, EventData::new_u64(token), interest.flags())?)
    }

    /// Takes a descriptor out.
    ///
    /// # Errors
    ///
    /// What `epoll_ctl(2)` answers: not in the set.
    pub fn remove(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.fd, source)?)
    }

    /// Waits until a descriptor is ready or `timeout` has passed (`None`: for ever; zero: only looks), and
    /// returns how many are ready. A signal handler that runs meanwhile ends the wait early, with 0.
    ///
    /// # Errors
    ///
    /// What `epoll_wait(2)` answers; a signal is none.
    pub fn wait(&self, timeout: Option<Duration>, events: &mut Events) -> io::Result<usize> {
        events.ready.clear();
        let timeout = match timeout {
            // epoll_wait counts whole milliseconds. For a finer timeout (a linger, a batch that is due) ppoll
            // waits on the epoll descriptor itself, and epoll_wait only collects.
            Some(fine) if fine.subsec_nanos() % NS_PER_MS != 0 => {
                if !self.wait_finely(fine)? {
                    return Ok(0);
                }
                Some(Duration::ZERO)
            }
            coarse => coarse,
        };
        // A time too long for the kernel's type is for ever.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut room = [const { MaybeUninit::uninit() }; AT_ONCE_MAX];
        match epoll::wait(&self.fd, &mut room[..events.at_once], timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok((found, _)) => events.ready.extend(found.iter().map(Ready::new)),
        }
        Ok(events.ready.len())
    }

    /// Waits until any descriptor is ready: false on timeout or after a signal.
    fn wait_finely(&self, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], timeout.as_ref()) {
            Err(Errno::INTR) => Ok(false),
            other => Ok(other? > 0),
        }
    }
}

impl AsFd for Poller {
    /// The epoll descriptor is itself pollable: readable while anything in the set is ready.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const NS_PER_MS: u32 = 1_000_000;
