//! Latencies that a shard counts and any thread may read: log-linear buckets in single-writer relaxed atomics, from
//! which a reader rebuilds a histogram. A count costs the shard a few nanoseconds, a reading nothing.
//!
//! ```text
//!  value      0 … 63   64 … 127   128 … 255   256 … 511   …
//!  bucket    1 ns wide    1 ns       2 ns        4 ns     …   64 buckets for each doubling: 1.6 % at most
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;

/// Buckets for each doubling, as a power of two.
const SUB_BITS: u32 = 6;
/// Longer latencies count as this one: 2^40 ns are 18 minutes.
const MAX_BITS: u32 = 40;
const BUCKETS: usize = ((MAX_BITS - SUB_BITS + 1) as usize) << SUB_BITS;

/// Counts of latencies. One thread writes.
#[derive(Debug)]
pub(crate) struct LatencyCells {
    counts: Box<[AtomicU64]>,
}

impl Default for LatencyCells {
    fn default() -> Self {
        Self { counts: std::iter::repeat_with(AtomicU64::default).take(BUCKETS).collect() }
    }
}

impl LatencyCells {
    /// Counts a latency that so many messages had. Only the shard calls it.
    #[inline]
    pub(crate) fn count(&self, messages: u64, latency_ns: u64) {
        let cell = &self.counts[bucket(latency_ns)];
        cell.store(cell.load(Ordering::Relaxed) + messages, Ordering::Relaxed);
    }

    /// Adds what was counted so far, each at the middle of its bucket.
    pub(crate) fn add_to(&self, histogram: &mut Histogram<u64>) {
        for (index, cell) in self.counts.iter().enumerate() {
            let count = cell.load(Ordering::Relaxed);
            if count > 0 {
                histogram.saturating_record_n(middle(index), count);
            }
        }
    }
}

/// An empty histogram for what [`LatencyCells`] count, in nanoseconds.
pub(crate) fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1 << MAX_BITS, 3).expect("the bounds are in order")
}

fn bucket(value: u64) -> usize {
    let value = value.min((1 << MAX_BITS) - 1);
    let shift = (u64::BITS - SUB_BITS).saturating_sub((value | 1).leading_zeros() + 1);
    ((shift as usize) << SUB_BITS) + (value >> shift) as usize
}

fn middle(bucket: usize) -> u64 {
    let shift = (bucket >> SUB_BITS).saturating_sub(1) as u32;
    let least = ((bucket - ((shift as usize) << SUB_BITS)) as u64) << shift;
    least + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_again_within_the_width_of_its_bucket() {
        let mut before = 0;
        for exponent in 0..48 {
            for value in [1_u64 << exponent, (1 << exponent) + (1 << exponent) / 3, (2 << exponent) - 1] {
                let index = bucket(value);
                assert!(index < BUCKETS && index >= before, "{value}");
                before = index;
                let value = value.min((1 << MAX_BITS) - 1);
                assert!(
                    middle(index).abs_diff(value) <= value >> (SUB_BITS + 1),
                    "{value}: {}",
                    middle(index)
                );
            }
        }
        assert_eq!((0..200).map(|it| middle(bucket(it)).abs_diff(it)).max(), Some(1));
    }

    #[test]
    fn a_reader_finds_what_was_counted() {
        let cells = LatencyCells::default();
        for latency_us in 1..=1000 {
            cells.count(1, latency_us * 1000);
        }
        let mut histogram = empty_histogram();
        cells.add_to(&mut histogram);
        assert_eq!(histogram.len(), 1000);
        let p99 = histogram.value_at_quantile(0.99);
        assert!(p99.abs_diff(990_000) < 10_000, "{p99}");
    }
}
