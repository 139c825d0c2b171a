//! The progress of a run: one live line on standard error, where that is a terminal.
//!
//! ```text
//!  [######----]   6.2 s  123,456 accepted  123,400 delivered  123,399 received  p99 88.1 µs
//! ```
//!
//! A thread of its own prints it, so that a slow terminal never holds up a message; it reads counters that the
//! publishing thread writes.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::output::write_stderr;
use crate::table::{duration, grouped};

/// Fast enough to look alive, slow enough to be read.
const LIVE_EVERY: Duration = Duration::from_millis(200);
/// Characters between the brackets of the bar.
const BAR_LEN: u64 = 10;
/// Where the terminal does not say how wide it is.
const DEFAULT_COLUMNS: usize = 80;
/// To the start of the line, and clear it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Counters of a run; written by one thread.
#[derive(Debug)]
pub(crate) struct Live {
    accepted: AtomicU64,
    delivered: AtomicU64,
    lost: AtomicU64,
    received: AtomicU64,
    ack_p99_ns: AtomicU64,
    done: AtomicU64,
}

/// A reading of [`Live`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    /// Outcomes *not sent* and *unknown*.
    pub(crate) lost: u64,
    /// Messages that came back; nothing is shown of it where nobody subscribes.
    pub(crate) received: Option<u64>,
    /// 0 shows nothing.
    pub(crate) ack_p99_ns: u64,
    /// How much of the total is done, in its unit.
    pub(crate) done: u64,
}

/// Stands for `None` in [`Live::received`].
const NOBODY: u64 = u64::MAX;

impl Default for Live {
    /// Reads as [`Reading::default`].
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            accepted: zero(),
            delivered: zero(),
            lost: zero(),
            received: AtomicU64::new(NOBODY),
            ack_p99_ns: zero(),
            done: zero(),
        }
    }
}

impl Live {
    pub(crate) fn write(&self, reading: &Reading) {
        for (counter, value) in [
            (&self.accepted, reading.accepted),
            (&self.delivered, reading.delivered),
            (&self.lost, reading.lost),
            (&self.received, reading.received.unwrap_or(NOBODY)),
            (&self.ack_p99_ns, reading.ack_p99_ns),
            (&self.done, reading.done),
        ] {
            counter.store(value, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Reading {
        let received = self.received.load(Ordering::Relaxed);
        Reading {
            accepted: self.accepted.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            received: (received != NOBODY).then_some(received),
            ack_p99_ns: self.ack_p99_ns.load(Ordering::Relaxed),
            done: self.done.load(Ordering::Relaxed),
        }
    }
}

impl Reading {
    /// One line; a `total` of 0 has no bar.
    fn line(&self, elapsed: Duration, total: u64) -> String {
        let mut line = bar(self.done, total);
        line += &format!("{:5.1} s  {} accepted", elapsed.as_secs_f64(), grouped(self.accepted));
        line += &format!("  {} delivered", grouped(self.delivered));
        if let Some(received) = self.received {
            line += &format!("  {} received", grouped(received));
        }
        if self.lost > 0 {
            line += &format!("  {} lost", grouped(self.lost));
        }
        if self.ack_p99_ns > 0 {
            line += &format!("  p99 {}", duration(self.ack_p99_ns));
        }
        line
    }
}

fn bar(done: u64, total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    let full = (u128::from(done) * u128::from(BAR_LEN) / u128::from(total)).min(u128::from(BAR_LEN)) as usize;
    format!("[{}{}] ", "#".repeat(full), "-".repeat(BAR_LEN as usize - full))
}

/// What fits the terminal: a line that wraps would leave a copy of itself at every step.
fn cut(line: &str, columns: usize) -> &str {
    let end = line.char_indices().nth(columns.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    &line[..end]
}

fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(DEFAULT_COLUMNS)
}

/// The thread that prints; ends, and clears the line, when it is dropped.
pub(crate) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts it, if standard error is a terminal that can clear a line. Without a thread there is no progress to be
    /// seen, and nothing else is lost. A `total` of 0 is not known.
    pub(crate) fn start(live: Arc<Live>, total: u64) -> Self {
        let can_clear = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        if !std::io::stderr().is_terminal() || !can_clear {
            return Self { stop: None, thread: None };
        }
        let (stop, stopped) = channel();
        let start = Instant::now();
        let print = move || {
            while stopped.recv_timeout(LIVE_EVERY) == Err(RecvTimeoutError::Timeout) {
                let line = live.read().line(start.elapsed(), total);
                write_stderr(&format!("{CLEAR_LINE}{}", cut(&line, columns())));
            }
            write_stderr(CLEAR_LINE);
        };
        let thread = std::thread::Builder::new().name("ringwire-show".into()).spawn(print);
        Self { stop: Some(stop), thread: thread.ok() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The thread sees the end of the channel.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_fits_a_line() {
        let live = Live::default();
        assert_eq!(live.read(), Reading::default());
        let reading = Reading {
            accepted: 999_999_999,
            delivered: 999_999_998,
            lost: 0,
            received: Some(999_999_997),
            ack_p99_ns: 88_100,
            done: 7,
        };
        live.write(&reading);
        assert_eq!(live.read(), reading);
        let line = reading.line(Duration::from_millis(999_900), 0);
        assert_eq!(
            line,
            "999.9 s  999,999,999 accepted  999,999,998 delivered  999,999,997 received  p99 88.1 µs"
        );
        let reading =
            Reading { accepted: 5, delivered: 2, lost: 3, received: None, ack_p99_ns: 0, done: 500 };
        live.write(&reading);
        let line = |total| live.read().line(Duration::from_secs(1), total);
        assert_eq!(line(1_000), "[#####-----]   1.0 s  5 accepted  2 delivered  3 lost");
        assert!(line(100).starts_with("[##########] "), "a file may grow");
        assert_eq!((cut("abcµe", 5), cut("abcµe", 6), cut("", 0)), ("abcµ", "abcµe", ""));
    }
}
