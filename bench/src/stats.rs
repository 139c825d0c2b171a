//! Medians, spreads, and how sure a ratio is.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Resamplings for an interval: more move its ends by less than their last digit.
const RESAMPLINGS: usize = 2_000;
/// Latencies up to ten minutes: longer than any run may take.
const LATENCY_MAX_NS: u64 = 600_000_000_000;

/// The median of some repetitions, with the lowest and the highest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The lowest repetition.
    pub low: f64,
    /// The highest repetition.
    pub high: f64,
}

impl Spread {
    /// Of at least one value; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let median = median(values)?;
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { median, low, high })
    }
}

/// The value in the middle, or the mean of the two there.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// A ratio of medians, and the interval in which 95 of 100 resamplings of the repetitions leave it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Median of the one by median of the other.
    pub ratio: f64,
    /// 2.5 % of the resamplings are lower.
    pub low: f64,
    /// 2.5 % of the resamplings are higher.
    pub high: f64,
}

/// The ratio of `one` to `other`. Where both have as many repetitions these are resampled in pairs, since the two runs
/// of one round met the same neighbours on the machine. `None` without values, or if `other` is zero.
pub(crate) fn ratio(one: &[f64], other: &[f64], seed: u64) -> Option<Ratio> {
    let of = |one: f64, other: f64| (other != 0.0).then(|| one / other);
    let (ratio, low, high) = resampled(one, other, seed, of)?;
    Some(Ratio { ratio, low, high })
}

/// A difference of medians, and the interval in which 95 of 100 resamplings of the repetitions leave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    /// Median of the one less median of the other.
    pub(crate) difference: f64,
    /// 2.5 % of the resamplings are lower.
    pub(crate) low: f64,
    /// 2.5 % of the resamplings are higher.
    pub(crate) high: f64,
}

/// The difference of `one` and `other`, resampled as a ratio is. `None` without values.
pub(crate) fn difference(one: &[f64], other: &[f64], seed: u64) -> Option<Difference> {
    let (difference, low, high) = resampled(one, other, seed, |one, other| Some(one - other))?;
    Some(Difference { difference, low, high })
}

/// What `of` makes of both medians, and the ends of its interval.
fn resampled(
    one: &[f64],
    other: &[f64],
    seed: u64,
    of: impl Fn(f64, f64) -> Option<f64>,
) -> Option<(f64, f64, f64)> {
    let of = |one: &[f64], other: &[f64]| of(median(one)?, median(other)?);
    let whole = of(one, other)?;
    let mut random = Random::new(seed);
    let mut found: Vec<f64> = (0..RESAMPLINGS)
        .filter_map(|_| {
            let mut picks = |len: usize| -> Vec<usize> { (0..len).map(|_| random.below(len)).collect() };
            let (ours, theirs) = if one.len() == other.len() {
                let pairs = picks(one.len());
                (pairs.clone(), pairs)
            } else {
                (picks(one.len()), picks(other.len()))
            };
            let values = |all: &[f64], picks: &[usize]| picks.iter().map(|at| all[*at]).collect::<Vec<_>>();
            of(&values(one, &ours), &values(other, &theirs))
        })
        .collect();
    found.sort_by(f64::total_cmp);
    let at = |share: f64| found.get(((found.len() as f64 - 1.0) * share).round() as usize).copied();
    Some((whole, at(0.025)?, at(0.975)?))
}

/// An empty histogram for nanoseconds (or tenths of them), right within 0.1 %.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("the bounds are in order")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        let check = |values: &[f64], expected: Option<(f64, f64, f64)>| {
            let found = Spread::of(values).map(|it| (it.median, it.low, it.high));
            assert_eq!(found, expected, "{values:?}");
        };
        check(&[], None);
        check(&[3.0], Some((3.0, 3.0, 3.0)));
        check(&[3.0, 1.0], Some((2.0, 1.0, 3.0)));
        check(&[9.0, 1.0, 2.0], Some((2.0, 1.0, 9.0)));
    }

    #[test]
    fn a_ratio_has_an_interval_around_it() {
        let base = [100.0, 104.0, 98.0, 102.0, 96.0];
        let half = base.map(|it| it / 2.0);
        let same = ratio(&half, &base, 1).expect("there are values");
        assert_eq!((same.ratio, same.low, same.high), (0.5, 0.5, 0.5), "pairs of rounds vary together");
        let found = ratio(&[50.0, 80.0, 40.0, 60.0, 45.0], &base, 1).expect("there are values");
        assert!(found.low < found.ratio && found.ratio < found.high, "{found:?}");
        assert_eq!(ratio(&[50.0, 80.0, 40.0], &base, 1), ratio(&[50.0, 80.0, 40.0], &base, 1));
        assert_eq!(ratio(&[], &base, 1), None);
        assert_eq!(ratio(&base, &[0.0], 1), None);
        let above = base.map(|it| it + 7.0);
        let found = difference(&above, &base, 1).expect("there are values");
        assert_eq!((found.difference, found.low, found.high), (7.0, 7.0, 7.0));
        assert_eq!(difference(&[], &base, 1), None);
    }
}
