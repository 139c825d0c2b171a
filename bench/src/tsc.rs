//! Nanoseconds by the processor's own counter: a clock read costs as much as the call that is measured.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Pairs of readings from which the counter's step is found: on the machines seen, a dozen would do.
const STEP_PAIRS: usize = 10_000;

/// The counter, calibrated against the monotonic clock.
#[derive(Clone, Copy)]
pub(crate) struct Tsc {
    ticks_per_ns: f64,
    /// The counter moves by so many ticks at once.
    step: u64,
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
        let step = (0..STEP_PAIRS).fold(0, |step, _| {
            divisor(step, {
                let before = ticks();
                ticks().abs_diff(before)
            })
        });
        Self { ticks_per_ns: (last - first) as f64 / elapsed.as_nanos() as f64, step: step.max(1) }
    }

    /// How far the counter moves at once, in tenths of a nanosecond. Some processors' moves by 10 ns.
    pub(crate) fn step_tenths(self) -> u64 {
        self.tenths_ns(self.step)
    }

    /// Spreads equal durations evenly over the step of which they are the middle, in the order in which they came: a
    /// duration of 34 ns is read as 30 six times of ten, and as 40 four times, so that the middle of all readings is
    /// known better than one of them.
    pub(crate) fn spread(self, tenths: &mut [u64]) {
        let step = self.step_tenths();
        let mut counts: HashMap<u64, (u64, u64)> = HashMap::new();
        tenths.iter().for_each(|value| counts.entry(*value).or_default().0 += 1);
        for value in tenths {
            if let Some((count, seen)) = counts.get_mut(value) {
                let offset = step * (2 * *seen + 1) / (2 * *count);
                *seen += 1;
                *value = (*value + offset).saturating_sub(step / 2).max(1);
            }
        }
    }

    pub(crate) fn ticks_of_ns(self, ns: f64) -> u64 {
        (ns * self.ticks_per_ns) as u64
    }

    /// In tenths of a nanosecond, to keep what the unit would round away.
    pub(crate) fn tenths_ns(self, ticks: u64) -> u64 {
        (ticks as f64 * 10.0 / self.ticks_per_ns) as u64
    }
}

/// The greatest common divisor.
fn divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { divisor(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_spread_over_their_step() {
        assert_eq!([divisor(0, 26), divisor(52, 78), divisor(26, 0)], [26, 26, 26]);
        let tsc = Tsc { ticks_per_ns: 1.0, step: 10 };
        let mut tenths = [300, 400, 300, 300, 400, 300, 0];
        tsc.spread(&mut tenths);
        assert_eq!(tenths, [262, 375, 287, 312, 425, 337, 1]);
        let mut exact = [300, 301];
        Tsc { ticks_per_ns: 10.0, step: 1 }.spread(&mut exact);
        assert_eq!(exact, [300, 301]);
    }
}
