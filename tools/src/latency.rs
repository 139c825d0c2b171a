//! Latencies: an HDR histogram with three significant digits, and what is shown of it.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Three significant digits: a value is off by a thousandth at most.
const DIGITS: u8 = 3;
/// One hour. What takes longer is counted as one hour: by then the number says nothing but "stuck".
const HIGHEST_NS: u64 = 3_600 * 1_000_000_000;

/// Latencies in nanoseconds.
pub(crate) struct Latency {
    histogram: Histogram<u64>,
}

/// What is shown of a histogram, in nanoseconds; nothing if it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: Option<u64>,
    pub(crate) p99: Option<u64>,
    pub(crate) p999: Option<u64>,
    pub(crate) max: Option<u64>,
}

impl Percentiles {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| Some(histogram.value_at_quantile(quantile));
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: Some(histogram.max()) }
    }
}

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS);
        Self { histogram: histogram.expect("the bounds are constants, and fit three digits") }
    }

    /// Counts one latency: from `from_ns` to `to_ns` on the same clock. A shard reads its clock at the start of a
    /// duty cycle, so that `to_ns` may be a cycle early: less than nothing counts as nothing.
    pub(crate) fn record(&mut self, from_ns: u64, to_ns: u64) {
        self.histogram.saturating_record(to_ns.saturating_sub(from_ns));
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        Percentiles::of(&self.histogram)
    }

    /// The 99th percentile alone, in nanoseconds; 0 if there is nothing.
    pub(crate) fn p99_ns(&self) -> u64 {
        self.histogram.value_at_quantile(0.99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_have_three_digits_and_nothing_overflows() {
        let mut latency = Latency::new();
        assert_eq!(latency.percentiles(), Percentiles::default());
        assert_eq!(latency.p99_ns(), 0);
        for value in 1..=1_000 {
            latency.record(500, 500 + value * 1_000);
        }
        let close = |value: Option<u64>, expected: u64| {
            let value = value.unwrap();
            assert!(value.abs_diff(expected) * 1_000 <= expected, "{value} for {expected}");
        };
        let shown = latency.percentiles();
        close(shown.p50, 500_000);
        close(shown.p99, 990_000);
        close(shown.p999, 999_000);
        close(shown.max, 1_000_000);
        latency.record(9, 3);
        latency.record(0, u64::MAX);
        close(latency.percentiles().max, HIGHEST_NS);
    }
}
