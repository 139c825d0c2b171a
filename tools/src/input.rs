//! Standard input, read until its end or until somebody asks for the end of the command.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;

use crate::stop::{Stop, Woken};

/// Standard input. A read that would wait for ever ends with the first signal.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    stop: &'a Stop,
}

impl<'a> Input<'a> {
    pub(crate) fn new(stop: &'a Stop) -> Self {
        Self { stop }
    }

    /// Waits until there is something to read, or the end of it.
    pub(crate) fn wait(self, timeout: Option<Duration>) -> Woken {
        self.stop.wait_for(io::stdin().as_fd(), PollFlags::IN, timeout)
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.wait(None) {
                // Half a line is no message: it must not be taken for the last one.
                Woken::Stopped => return Err(io::Error::other("stopped by a signal")),
                Woken::Ready | Woken::Gone => match rustix::io::read(io::stdin(), &mut *buffer) {
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    read => return Ok(read?),
                },
                Woken::TimedOut => {}
            }
        }
    }
}
