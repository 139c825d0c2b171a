//! Waiting for a due time, and noticing that nothing moves any more.

use std::num::NonZeroU64;

use ringwire::monotonic_ns;
use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec};

use super::PATIENCE_NS;

const NS_PER_S: u64 = 1_000_000_000;

/// The kernel rounds sleeps up by its timer slack, 50 µs unless told otherwise; threads inherit it.
pub(super) fn sharpen_timers() {
    // Where the kernel refuses, sleeps are later: that is recorded with everything else.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
}

/// Sleeps until `at_ns` on CLOCK_MONOTONIC.
pub(super) fn sleep_until(at_ns: u64) {
    // A sleep until a time that has passed costs as much as another one: some 20 µs on a virtual machine, and who is late
    // would never catch up.
    if monotonic_ns() < at_ns {
        let at = Timespec { tv_sec: (at_ns / NS_PER_S) as i64, tv_nsec: (at_ns % NS_PER_S) as i64 };
        // A signal wakes it early: the caller looks at the clock anyway.
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &at);
    }
}

/// CPU time of the whole process so far, user and system.
pub(super) fn process_cpu_ns() -> u64 {
    let Timespec { tv_sec, tv_nsec } = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    tv_sec as u64 * NS_PER_S + tv_nsec as u64
}

/// Gives up when a count has not moved for [`PATIENCE_NS`].
pub(super) struct Patience {
    count: u64,
    since_ns: u64,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { count: 0, since_ns: monotonic_ns() }
    }

    /// Whether to go on.
    #[inline]
    pub(super) fn holds(&mut self, count: u64, now_ns: u64) -> bool {
        if count != self.count {
            (self.count, self.since_ns) = (count, now_ns);
        }
        now_ns.saturating_sub(self.since_ns) < PATIENCE_NS
    }
}
