//! The host's own noise around a run: stolen time, switches, and gaps in a loop that does nothing else.
//!
//! The spinner that looks for gaps runs right before and right after a run on the client's core, not beside it: with as
//! many cores as parts it would take a core from one of them. What happens during the run is told by the kernel: the
//! time that the hypervisor took, and how long the contestant's main thread was ready and not running.

use std::fs;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::machine::on_cores;

/// Shorter gaps are the clock's and the loop's own.
pub const GAP_MIN_NS: u64 = 10_000;
/// How long the spinner looks: long enough to meet a timer tick (4 ms) many times, short beside a run.
const LOOK: Duration = Duration::from_millis(20);
/// /proc counts in hundredths of a second, whatever the kernel's own tick is.
const TICK_MS: u64 = 10;

/// Gaps of more than [`GAP_MIN_NS`] in an idle loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hiccups {
    /// How many.
    pub count: u64,
    /// The longest.
    pub longest_ns: u64,
    /// All of them together.
    pub lost_ns: u64,
}

/// What disturbed a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// In the 20 ms before the run, on the client's core.
    pub before: Hiccups,
    /// In the 20 ms after it.
    pub after: Hiccups,
    /// Time that the hypervisor gave to others during the run, all cores together, to 10 ms.
    pub steal_ms: u64,
    /// Context switches of the whole machine during the run.
    pub switches: u64,
    /// How long the contestant's main thread was ready and did not run.
    pub waited_ns: u64,
}

/// Looks for gaps on a core.
pub(crate) fn hiccups(cores: &[usize]) -> Hiccups {
    on_cores(cores, spin).unwrap_or_default()
}

fn spin() -> Hiccups {
    let mut found = Hiccups::default();
    let begin = Instant::now();
    let mut last = begin;
    while last - begin < LOOK {
        let now = Instant::now();
        let gap_ns = (now - last).as_nanos() as u64;
        if gap_ns > GAP_MIN_NS {
            found.count += 1;
            found.lost_ns += gap_ns;
            found.longest_ns = found.longest_ns.max(gap_ns);
        }
        last = now;
    }
    found
}

/// The machine's counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    steal_ticks: u64,
    switches: u64,
}

impl Counters {
    pub(crate) fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    fn parse(stat: &str) -> Self {
        // cpu  user nice system idle iowait irq softirq steal guest guest_nice
        const STEAL: usize = 8;
        let line = |name: &str| stat.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let number = |line: &str, at: usize| {
            line.split_whitespace().nth(at).and_then(|it| it.parse().ok()).unwrap_or(0)
        };
        Self { steal_ticks: number(line("cpu "), STEAL), switches: number(line("ctxt "), 1) }
    }

    /// What happened from `before` to now: stolen milliseconds, and switches.
    pub(crate) fn since(self, before: Self) -> (u64, u64) {
        let steal_ms = self.steal_ticks.saturating_sub(before.steal_ticks) * TICK_MS;
        (steal_ms, self.switches.saturating_sub(before.switches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_from_the_kernels_lines() {
        let text = "cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 9 9 9 9 9 9 9 9 9 9\nintr 5\nctxt 1234\n";
        let found = Counters::parse(text);
        assert_eq!(found, Counters { steal_ticks: 80, switches: 1234 });
        let later = Counters { steal_ticks: 83, switches: 1300 };
        assert_eq!(later.since(found), (30, 66));
        assert_eq!(Counters::parse(""), Counters::default());
        assert!(Counters::read().switches > 0);
    }

    #[test]
    fn gaps_add_up() {
        let found = spin();
        assert!(found.longest_ns <= found.lost_ns && (found.count == 0) == (found.lost_ns == 0), "{found:?}");
    }
}
