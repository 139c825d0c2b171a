//! Time: one reading of the monotonic clock per turn, with the wall clock beside it.
//!
//! ```text
//!   mono_ns   CLOCK_MONOTONIC, from the vDSO (some 20 ns, no system call)
//!   wall_ns   mono_ns + offset; the offset is read anew once a second, so a clock that was set
//!             or slewed is followed within that time, and between two readings wall time never goes back
//! ```

use rustix::time::{ClockId, Timespec, clock_gettime};

/// How often the offset of the wall clock is read anew. A clock that is slewed at the usual 500 ppm strays
/// by half a millisecond in that time, which is below the resolution of a record's timestamp.
const OFFSET_EVERY_NS: u64 = NS_PER_S;

const NS_PER_S: u64 = 1_000_000_000;

/// One instant on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds on the monotonic clock: since boot, for everything that is a duration.
    pub mono_ns: u64,
    /// Nanoseconds since the Unix epoch: for timestamps.
    pub wall_ns: i64,
}

/// A thread's clock.
#[derive(Debug)]
pub struct Clock {
    /// Wall time less monotonic time, as of the last reading.
    offset_ns: i64,
    /// From when on the next `now` reads the offset anew.
    offset_due_ns: u64,
}

impl Clock {
    /// Reads both clocks.
    #[must_use]
    pub fn new() -> Self {
        let mut clock = Self { offset_ns: 0, offset_due_ns: 0 };
        clock.read_offset(monotonic_ns());
        clock
    }

    /// The time now: one reading of the monotonic clock, and once a second one of the wall clock.
    #[inline]
    pub fn now(&mut self) -> Now {
        let mono_ns = monotonic_ns();
        if mono_ns >= self.offset_due_ns {
            self.read_offset(mono_ns);
        }
        Now { mono_ns, wall_ns: mono_ns as i64 + self.offset_ns }
    }

    #[cold]
    fn read_offset(&mut self, mono_ns: u64) {
        // The thread may be preempted between the two readings: of a few pairs, the closest is the truest.
        const PAIRS: usize = 3;
        let mut closest_ns = u64::MAX;
        for _ in 0..PAIRS {
            let before_ns = monotonic_ns();
            let wall = clock_gettime(ClockId::Realtime);
            let apart_ns = monotonic_ns() - before_ns;
            if apart_ns < closest_ns {
                closest_ns = apart_ns;
                let wall_ns = wall.tv_sec * NS_PER_S as i64 + wall.tv_nsec;
                self.offset_ns = wall_ns - (before_ns + apart_ns / 2) as i64;
            }
        }
        self.offset_due_ns = mono_ns + OFFSET_EVERY_NS;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// The monotonic clock in nanoseconds, the same as [`Now::mono_ns`]; from any thread, without a [`Clock`].
#[inline]
#[must_use]
pub fn monotonic_ns() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    // Never negative: it counts from boot.
    tv_sec as u64 * NS_PER_S + tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    fn system_wall_ns() -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
    }

    #[test]
    fn both_clocks_agree_with_the_system() {
        // Wide enough for any pause of this thread; an error of units or of sign is far beyond it.
        const MINUTE_NS: i64 = 60_000_000_000;
        let mut clock = Clock::new();
        let before_ns = monotonic_ns();
        let now = clock.now();
        assert!((before_ns..=monotonic_ns()).contains(&now.mono_ns));
        assert!((now.wall_ns - system_wall_ns()).abs() < MINUTE_NS);
    }

    #[test]
    fn the_offset_is_read_once_a_second() {
        let mut clock = Clock::new();
        let wrong_ns = clock.offset_ns + 3_600_000_000_000;
        clock.offset_ns = wrong_ns;
        clock.offset_due_ns = u64::MAX;
        clock.now();
        assert_eq!(clock.offset_ns, wrong_ns, "not due: the old offset stands");
        clock.offset_due_ns = 0;
        let now = clock.now();
        assert_ne!(clock.offset_ns, wrong_ns, "due: it was read");
        assert_eq!(clock.offset_due_ns, now.mono_ns + OFFSET_EVERY_NS);
        assert_eq!(now.wall_ns, now.mono_ns as i64 + clock.offset_ns);
    }
}
