//! Latencies of runs, summed up: percentiles, curves and time lines.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;

use crate::client::{FAILED, Mode};
use crate::results::{Cell, Point, Quantiles, Timeline};
use crate::stats::{histogram, median};

/// A slice of a time line is a millisecond, or longer where that makes more slices than this.
const SLICES_MAX: usize = 1_000;
/// Points of a percentile curve for each factor of ten in 1 / (1 - quantile).
const POINTS_PER_DECADE: u32 = 12;

/// One repetition's latencies, for the files that other tools read.
pub(crate) struct Interval {
    pub(crate) began: SystemTime,
    pub(crate) took: Duration,
    pub(crate) latencies: Histogram<u64>,
}

/// The latencies of one cell, by the ids of case and label.
pub(crate) struct Recorded {
    pub(crate) case: String,
    pub(crate) label: String,
    pub(crate) intervals: Vec<Interval>,
    /// How late its messages were handed over, in nanoseconds, all repetitions together.
    pub(crate) late: Histogram<u64>,
}

/// A histogram of those that did not fail.
pub(super) fn filled(latencies: &[u64]) -> Histogram<u64> {
    let mut histogram = histogram();
    for latency in latencies.iter().filter(|it| **it != FAILED) {
        histogram.saturating_record((*latency).max(1));
    }
    histogram
}

/// In nanoseconds, of values of which `unit` make one.
pub(crate) fn quantiles(values: &[u64], unit: f64) -> Quantiles {
    let histogram = filled(values);
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / unit;
    Quantiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        p9999: at(0.9999),
        max: histogram.max() as f64 / unit,
    }
}

/// The curve of all repetitions, and the time line of the middle one.
pub(super) fn summarise(
    cell: &mut Cell,
    mode: Mode,
    latencies: &[(usize, Vec<u64>)],
    intervals: &[Interval],
    late: &Histogram<u64>,
    seed: u64,
) {
    let mut pooled = histogram();
    for interval in intervals {
        // The bounds are the same: nothing can be out of them.
        let _ = pooled.add(&interval.latencies);
    }
    let unit = if mode == Mode::Cost { 10.0 } else { 1.0 };
    cell.curve = curve(&pooled, unit);
    cell.late_curve = curve(late, 1.0);
    if mode != Mode::Ack {
        return;
    }
    let p99 = |round: usize| {
        cell.runs.iter().find(|run| run.round == round).and_then(|run| run.latency).map(|it| it.p99)
    };
    let all: Vec<f64> = latencies.iter().filter_map(|(round, _)| p99(*round)).collect();
    let Some(middle) = median(&all) else { return };
    let distance = |round: usize| p99(round).map_or(f64::INFINITY, |it| (it - middle).abs());
    let nearest = latencies.iter().min_by(|one, other| distance(one.0).total_cmp(&distance(other.0)));
    if let Some((round, values)) = nearest {
        let count = (cell.load.messages + cell.load.warmup) as usize;
        let due = cell.load.shape.schedule(cell.load.rate, count, seed.wrapping_add(*round as u64));
        cell.timeline = Some(timeline(*round, &due[cell.load.warmup as usize..], values));
    }
}

fn curve(histogram: &Histogram<u64>, unit: f64) -> Vec<Point> {
    if histogram.is_empty() {
        return Vec::new();
    }
    // Beyond one message in all of them there is nothing more to see.
    let last = ((histogram.len() as f64).log10() * f64::from(POINTS_PER_DECADE)) as u32;
    let quantile = |step: u32| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_DECADE));
    let point = |quantile: f64| Point { quantile, ns: histogram.value_at_quantile(quantile) as f64 / unit };
    (0..=last).map(|step| point(quantile(step))).collect()
}

fn timeline(round: usize, due: &[u64], latencies: &[u64]) -> Timeline {
    const MS_NS: f64 = 1e6;
    let (Some(first), Some(last)) = (due.first(), due.last()) else {
        return Timeline { round, slice_ms: 1.0, worst_ns: Vec::new() };
    };
    let span_ms = (last - first) as f64 / MS_NS;
    let slice_ms = (span_ms / SLICES_MAX as f64).max(1.0);
    let mut worst_ns = vec![0; (span_ms / slice_ms) as usize + 1];
    for (due, latency) in due.iter().zip(latencies).filter(|(_, latency)| **latency != FAILED) {
        let slice = ((due - first) as f64 / MS_NS / slice_ms) as usize;
        if let Some(worst) = worst_ns.get_mut(slice) {
            *worst = (*latency).max(*worst);
        }
    }
    Timeline { round, slice_ms, worst_ns }
}
