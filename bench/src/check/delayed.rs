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
    /// Evenly spread between two times.
    Uniform {
        /// The shortest, in nanoseconds.
        from_ns: u64,
        /// The longest.
        to_ns: u64,
    },
    /// Exponentially distributed beyond a least time.
    Exponential {
        /// The least, in nanoseconds.
        least_ns: u64,
        /// The mean of what comes on top.
        mean_ns: u64,
    },
}

impl Delays {
    fn of(self, message: u64) -> u64 {
        match self {
            Self::TwoPoint { seldom_ns, every, .. } if message % every == every - 1 => seldom_ns,
            Self::Fixed { ns } | Self::TwoPoint { ns, .. } => ns,
            Self::Uniform { from_ns, to_ns } => {
                from_ns + (share_below(message) * (to_ns - from_ns) as f64) as u64
            }
            Self::Exponential { least_ns, mean_ns } => {
                least_ns + (-(1.0 - share_below(message)).ln() * mean_ns as f64) as u64
            }
        }
    }
}

/// The share of all delays that are shorter than this message's: multiples of the golden ratio fill the interval evenly, so
/// that what was drawn has the percentiles of what it was drawn from.
fn share_below(message: u64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    ((message as f64 + 0.5) * GOLDEN).fract()
}

/// What the server did with one `PUBLISH`, on CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) received_ns: u64,
    pub(super) sent_ns: u64,
}

/// The server's thread.
pub(super) struct Delayed {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<Vec<Noted>>>,
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

    /// Ends it. What it did with each `PUBLISH`, in their order.
    pub(super) fn finish(self) -> Result<Vec<Noted>, RigError> {
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
    /// When it came, if it is a `PUBLISH`'s.
    received_ns: Option<u64>,
}

fn serve(listener: &TcpListener, delays: Delays, stop: &AtomicBool) -> std::io::Result<Vec<Noted>> {
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
                Answer { due_ns, bytes: b":0\r\n".to_vec(), received_ns: Some(now_ns) }
            } else {
                server.receive(now_ns, self.id, frame.bytes());
                let bytes = server.output(self.id).to_vec();
                server.sent(self.id, bytes.len());
                Answer { due_ns: now_ns, bytes, received_ns: None }
            };
            self.answers.push_back(answer);
            at += frame.len();
        }
        self.input.drain(..at);
        true
    }

    /// Sends what is due, in order.
    fn answer(&mut self, sent: &mut Vec<Noted>) -> std::io::Result<()> {
        while let Some(answer) = self.answers.front() {
            // Before the system call: a reply cannot be seen earlier than it is noted.
            let now_ns = monotonic_ns();
            if answer.due_ns > now_ns {
                break;
            }
            // A few bytes always fit.
            self.stream.write_all(&answer.bytes)?;
            sent.extend(answer.received_ns.map(|received_ns| Noted { received_ns, sent_ns: now_ns }));
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

    #[test]
    fn what_is_drawn_has_the_percentiles_of_its_distribution() {
        let check = |delays: Delays, expected: [f64; 3]| {
            let mut drawn: Vec<u64> = (0..2_000).map(|message| delays.of(message)).collect();
            drawn.sort_unstable();
            for (quantile, expected) in [0.5, 0.9, 0.99].into_iter().zip(expected) {
                let found = drawn[(2_000.0 * quantile) as usize] as f64;
                assert!(
                    (found - expected).abs() < expected * 0.005,
                    "{delays:?} at {quantile}: {found}, not {expected}"
                );
            }
        };
        check(Delays::Uniform { from_ns: 1_000_000, to_ns: 3_000_000 }, [2e6, 2.8e6, 2.98e6]);
        let mean = |share: f64| 5e6 - 2e6 * f64::ln(1.0 - share);
        check(Delays::Exponential { least_ns: 5_000_000, mean_ns: 2_000_000 }, [0.5, 0.9, 0.99].map(mean));
    }
}
