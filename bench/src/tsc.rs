//! Nanoseconds by the processor's own counter: a clock read costs as much as the call that is measured.

use std::time::{Duration, Instant};

/// The counter, calibrated against the monotonic clock.
#[derive(Clone, Copy)]
pub(crate) struct Tsc {
    ticks_per_ns: f64,
}

/// The counter's reading once everything before it is done, and before anything behind it begins: without the fences
/// the processor overlaps a short call with the readings around it, and its cost disappears.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn ticks() -> u64 {
    use core::arch::x86_64::{_mm_lfence, _rdtsc};
    // SAFETY: every x86-64 processor has LFENCE and RDTSC; one orders instructions, the other reads a register.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

/// Elsewhere: the monotonic clock.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ticks() -> u64 {
    ringwire::monotonic_ns()
}

impl Tsc {
    pub(crate) fn calibrate() -> Self {
        let (start, first) = (Instant::now(), ticks());
        while start.elapsed() < Duration::from_millis(50) {}
        let (elapsed, last) = (start.elapsed(), ticks());
        Self { ticks_per_ns: (last - first) as f64 / elapsed.as_nanos() as f64 }
    }

    pub(crate) fn ticks_of_ns(self, ns: f64) -> u64 {
        (ns * self.ticks_per_ns) as u64
    }

    /// In tenths of a nanosecond, to keep what the unit would round away.
    pub(crate) fn tenths_ns(self, ticks: u64) -> u64 {
        (ticks as f64 * 10.0 / self.ticks_per_ns) as u64
    }
}
