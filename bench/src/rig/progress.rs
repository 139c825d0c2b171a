//! One line on standard error: what runs, and how long it will take.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// The progress of a rig's runs.
pub(crate) struct Progress {
    begin: Instant,
    total: usize,
    done: usize,
    /// Seconds that were estimated for everything, and for what is done.
    estimated: f64,
    estimated_done: f64,
    is_terminal: bool,
    last_case: String,
}

impl Progress {
    pub(crate) fn new(total: usize, estimated: f64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            begin: Instant::now(),
            total,
            done: 0,
            estimated,
            estimated_done: 0.0,
            is_terminal,
            last_case: String::new(),
        }
    }

    /// A run begins.
    pub(crate) fn begins(&mut self, case: &str, label: &str, round: usize, rounds: usize) {
        let left = left(self.begin.elapsed(), self.estimated, self.estimated_done);
        let line = format!(
            "[{} of {}] {case}: {label} ({} of {rounds}), {left} left",
            (self.done + 1).min(self.total),
            self.total,
            round + 1
        );
        let mut stderr = std::io::stderr().lock();
        // A progress line that cannot be written is no reason to stop.
        let _ = if self.is_terminal {
            write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush())
        } else if self.last_case == case {
            Ok(())
        } else {
            // In a file: one line for each comparison.
            writeln!(stderr, "[{} of {}] {case}, {left} left", (self.done + 1).min(self.total), self.total)
        };
        case.clone_into(&mut self.last_case);
    }

    /// It ended; or `runs` that were planned do not take place.
    pub(crate) fn ended(&mut self, runs: usize, estimated: f64) {
        self.done += runs;
        self.estimated_done += estimated;
    }

    /// Something is to be said between two runs.
    pub(crate) fn say(&self, words: &str) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(std::io::stderr().lock(), "{clear}{words}");
    }

    pub(crate) fn done(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// What is left of the estimate, stretched by how wrong it was so far.
fn left(elapsed: Duration, estimated: f64, estimated_done: f64) -> String {
    /// Before that much is done, the stretch would be a guess.
    const SEEN_MIN_S: f64 = 5.0;
    let stretch = if estimated_done > SEEN_MIN_S { elapsed.as_secs_f64() / estimated_done } else { 1.0 };
    let seconds = (estimated - estimated_done).max(0.0) * stretch;
    words(seconds)
}

/// A time as people say it.
pub(crate) fn words(seconds: f64) -> String {
    if seconds < 90.0 { format!("about {seconds:.0} s") } else { format!("about {:.1} min", seconds / 60.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_stretched_by_what_was_seen() {
        let check = |elapsed: u64, estimated: f64, done: f64, expected: &str| {
            assert_eq!(left(Duration::from_secs(elapsed), estimated, done), expected);
        };
        check(1, 60.0, 1.0, "about 59 s");
        check(40, 60.0, 20.0, "about 80 s");
        check(100, 300.0, 100.0, "about 3.3 min");
        check(100, 60.0, 100.0, "about 0 s");
    }
}
