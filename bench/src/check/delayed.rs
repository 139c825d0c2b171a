//! A Redis that answers each `PUBLISH` after a known time, and notes when it did.
//!
//! Everything else (HELLO, PING, …) is answered at once by the loopback's server, which has no sockets of its own.
//! Answers keep their order: one that takes long holds up those behind it, as in any server with one thread.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use ringwire::monotonic_ns;
use ringwire_codec::resp::{FrameReader, Limits, Token};
use ringwire_loopback::redis::{ClientId, Options, Server};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::thread::set_current_timer_slack;

use crate::machine::pin;
use crate::rig::RigError;

/// How long it waits before it looks whether it is to end.
const LOOK_AGAIN_NS: u64 = 50_000_000;

/// How long answers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delays {
    /// Each as long.
    Fixed {
        /// Nanoseconds.
        ns: u64,
    },
    /// Two times, in a fixed order.
    TwoPoint {
        /// Most of them, in nanoseconds.
        ns: u64,
        /// The others.
        seldom_ns: u64,
        /// Every so manieth is one of the others.
        every: u64,
    },
}

impl Delays {
    fn of(self, message: u64) -> u64 {
        match self {
            Self::TwoPoint { seldom_ns, every, .. } if message % every == every - 1 => seldom_ns,
            Self::Fixed { ns } | Self::TwoPoint { ns, .. } => ns,
        }
    }
}

/// The server's thread.
pub(super) struct Delayed {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<Vec<u64>>>,
}

impl Delayed {
    pub(super) fn start(delays: Delays, cores: &[usize]) -> Result<Self, RigError> {
        let failed = |error| RigError::system("starting the delaying server", &error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (cores, stopped) = (cores.to_vec(), stop.clone());
        let thread = std::thread::spawn(move || {
            pin(&cores);
            // Where the kernel refuses, answers are later: that is noted with everything else.
            let _ = set_current_timer_slack(NonZeroU64::new(1));
            serve(&listener, delays, &stopped)
        });
        Ok(Self { address, stop, thread })
    }

    /// Ends it. When each answer to a `PUBLISH` was sent, on CLOCK_MONOTONIC, in their order.
    pub(super) fn finish(self) -> Result<Vec<u64>, RigError> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.thread.join().map_err(|_| RigError::failed("delaying server", "it panicked"))?;
        sent.map_err(|error| RigError::system("the delaying server", &error))
    }
}

struct Peer {
    stream: TcpStream,
    id: ClientId,
    reader: FrameReader,
    input: Vec<u8>,
    answers: VecDeque<Answer>,
}

struct Answer {
    due_ns: u64,
    bytes: Vec<u8>,
    is_publish: bool,
}

fn serve(listener: &TcpListener, delays: Delays, stop: &AtomicBool) -> std::io::Result<Vec<u64>> {
    let mut server = Server::new(Options::default());
    let mut peers: Vec<Peer> = Vec::new();
    let (mut published, mut sent) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        wait(listener, &peers)?;
        match listener.accept() {
            Ok((stream, address)) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let id = server.accept(monotonic_ns(), &address.to_string());
                let reader = FrameReader::new(Limits::default());
                peers.push(Peer { stream, id, reader, input: Vec::new(), answers: VecDeque::new() });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        peers.retain_mut(|peer| {
            peer.hear(&mut server, delays, &mut published) && peer.answer(&mut sent).is_ok()
        });
    }
    Ok(sent)
}

/// Waits for bytes, a peer or the next due answer. It does not spin: on a busy machine a thread that sleeps is woken
/// sooner than one that spins is given its core back.
fn wait(listener: &TcpListener, peers: &[Peer]) -> std::io::Result<()> {
    let due_ns = peers.iter().filter_map(|peer| peer.answers.front()).map(|answer| answer.due_ns).min();
    let left_ns =
        due_ns.map_or(LOOK_AGAIN_NS, |due_ns| due_ns.saturating_sub(monotonic_ns()).min(LOOK_AGAIN_NS));
    let mut fds = vec![PollFd::new(listener, PollFlags::IN)];
    fds.extend(peers.iter().map(|peer| PollFd::new(&peer.stream, PollFlags::IN)));
    match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: left_ns as i64 })) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Peer {
    /// Takes what has arrived. Answers whether the peer is still there.
    fn hear(&mut self, server: &mut Server, delays: Delays, published: &mut u64) -> bool {
        let mut room = [0; 16 << 10];
        match self.stream.read(&mut room) {
            Ok(0) => return false,
            Ok(count) => self.input.extend_from_slice(&room[..count]),
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        let now_ns = monotonic_ns();
        let mut at = 0;
        while let Ok(Some(frame)) = self.reader.next(&self.input[at..]) {
            let is_publish =
                matches!(frame.item(0), Some(Token::Bulk(name)) if name.eq_ignore_ascii_case(b"publish"));
            let answer = if is_publish {
                let due_ns = now_ns + delays.of(*published);
                *published += 1;
                Answer { due_ns, bytes: b":0\r\n".to_vec(), is_publish }
            } else {
                server.receive(now_ns, self.id, frame.bytes());
                let bytes = server.output(self.id).to_vec();
                server.sent(self.id, bytes.len());
                Answer { due_ns: now_ns, bytes, is_publish }
            };
            self.answers.push_back(answer);
            at += frame.len();
        }
        self.input.drain(..at);
        true
    }

    /// Sends what is due, in order.
    fn answer(&mut self, sent: &mut Vec<u64>) -> std::io::Result<()> {
        while let Some(answer) = self.answers.front() {
            // Before the system call: a reply cannot be seen earlier than it is noted.
            let now_ns = monotonic_ns();
            if answer.due_ns > now_ns {
                break;
            }
            // A few bytes always fit.
            self.stream.write_all(&answer.bytes)?;
            if answer.is_publish {
                sent.push(now_ns);
            }
            self.answers.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_come_in_their_order() {
        let delays = Delays::TwoPoint { ns: 1, seldom_ns: 9, every: 3 };
        let found: Vec<u64> = (0..7).map(|message| delays.of(message)).collect();
        assert_eq!(found, [1, 1, 9, 1, 1, 9, 1]);
        assert_eq!(Delays::Fixed { ns: 5 }.of(2), 5);
    }
}
