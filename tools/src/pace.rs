//! When each message is due, and waiting for that.
//!
//! ```text
//!  rate:     due = start + i / rate                     open loop: whatever happened before
//!  recorded: due = start + (time of line - time of first line) / speed
//!            a line whose time lies before an earlier one's is due at once
//! ```

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::table::grouped;

const NS_PER_SECOND: u128 = 1_000_000_000;
/// The least that the kernel takes. The default of 50 µs is as long as the time between two messages at 20,000 a
/// second, and every sleep would be late by it.
const TIMER_SLACK_NS: NonZeroU64 = NonZeroU64::MIN;

/// Messages a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(NonZeroU64);

impl Rate {
    /// `None` for 0 and for more than [`Rate::MAX`].
    pub(crate) fn new(per_second: u64) -> Option<Self> {
        NonZeroU64::new(per_second).filter(|rate| rate.get() <= Self::MAX).map(Self)
    }

    /// More than one thread can publish.
    pub(crate) const MAX: u64 = 10_000_000;

    pub(crate) fn per_second(self) -> u64 {
        self.0.get()
    }

    /// When message `index` is due, in nanoseconds after the start. No error adds up over the messages.
    pub(crate) fn offset_ns(self, index: u64) -> u64 {
        let ns = u128::from(index) * NS_PER_SECOND / u128::from(self.per_second());
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

/// How many times faster than it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Speed(f64);

impl Speed {
    pub(crate) const REAL: Self = Self(1.0);

    /// `None` for what is not a number above 0.
    pub(crate) fn new(times: f64) -> Option<Self> {
        (times.is_finite() && times > 0.0).then_some(Self(times))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", grouped(self.per_second()))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::REAL { f.write_str("as recorded") } else { write!(f, "{} x recorded", self.0) }
    }
}

/// The times of a recording, played at some speed.
#[derive(Debug)]
pub(crate) struct Playback {
    speed: Speed,
    /// The first time of the recording, and the latest so far.
    span: Option<(i64, i64)>,
    /// Times that lay before an earlier one.
    pub(crate) backwards: u64,
}

impl Playback {
    pub(crate) fn new(speed: Speed) -> Self {
        Self { speed, span: None, backwards: 0 }
    }

    /// When the next line is due, in nanoseconds after the start; `time_ns` is its time since 1970.
    pub(crate) fn offset_ns(&mut self, time_ns: i64) -> u64 {
        let (first, latest) = self.span.unwrap_or((time_ns, time_ns));
        self.backwards += u64::from(time_ns < latest);
        let latest = latest.max(time_ns);
        self.span = Some((first, latest));
        let gap_ns = latest.abs_diff(first);
        // The conversion saturates: what is never due is due in 584 years.
        if self.speed == Speed::REAL { gap_ns } else { (gap_ns as f64 / self.speed.0) as u64 }
    }
}

/// Lets this thread's sleeps end when they should. Without it they are up to 50 µs longer, and nothing else is lost.
pub(crate) fn sleep_precisely() {
    let _ = rustix::thread::set_current_timer_slack(Some(TIMER_SLACK_NS));
}

/// Sleeps until `due_ns` on [`ringwire::monotonic_ns`]'s clock, `longest` at the most.
pub(crate) fn sleep_until(due_ns: u64, longest: Duration) {
    let left = Duration::from_nanos(due_ns.saturating_sub(ringwire::monotonic_ns()));
    if !left.is_zero() {
        std::thread::sleep(left.min(longest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_exact_over_any_number_of_messages() {
        let offset = |rate, index| Rate::new(rate).unwrap().offset_ns(index);
        assert_eq!(
            (offset(20_000, 0), offset(20_000, 1), offset(20_000, 200_000)),
            (0, 50_000, 10_000_000_000)
        );
        assert_eq!((offset(3, 1), offset(3, 2), offset(3, 3)), (333_333_333, 666_666_666, 1_000_000_000));
        assert_eq!(offset(3, 3_000_000_000), 1_000_000_000 * 1_000_000_000);
        assert_eq!(offset(1, u64::MAX), u64::MAX);
        assert_eq!((Rate::new(0), Rate::new(Rate::MAX + 1)), (None, None));
    }

    #[test]
    fn a_recording_keeps_its_gaps_and_never_waits_for_the_past() {
        let mut playback = Playback::new(Speed::REAL);
        let due = [100, 150, 150, 120, 90, 151].map(|time| playback.offset_ns(time));
        assert_eq!((due, playback.backwards), ([0, 50, 50, 50, 50, 51], 2));
        let mut fast = Playback::new(Speed::new(2.5).unwrap());
        assert_eq!([0, 1_000, 2_000].map(|time| fast.offset_ns(time)), [0, 400, 800]);
    }

    #[test]
    fn no_time_and_no_speed_overflows() {
        let mut playback = Playback::new(Speed::new(f64::MIN_POSITIVE).unwrap());
        assert_eq!([i64::MIN, i64::MAX].map(|time| playback.offset_ns(time)), [0, u64::MAX]);
        let mut playback = Playback::new(Speed::REAL);
        assert_eq!([i64::MIN, i64::MAX].map(|time| playback.offset_ns(time)), [0, u64::MAX]);
        for times in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Speed::new(times), None);
        }
    }
}
