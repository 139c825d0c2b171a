//! Rounds that alternate, and the table of their medians.

use hdrhistogram::Histogram;

/// What is measured, how often.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) messages: u64,
    pub(crate) rate: u64,
    pub(crate) bytes: usize,
}

impl Plan {
    /// When message `index` is due, in nanoseconds from the start.
    pub(crate) fn due_ns(&self, index: u64) -> u64 {
        index * 1_000_000_000 / self.rate
    }
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// The quantiles of some rounds of one kind.
#[derive(Default)]
pub(crate) struct Series(Vec<[f64; 4]>);

impl Series {
    /// Adds a round; `scale` values of the histogram make one unit of the table.
    pub(crate) fn add(&mut self, histogram: &Histogram<u64>, scale: f64) {
        self.0.push(QUANTILES.map(|(_, quantile)| histogram.value_at_quantile(quantile) as f64 / scale));
    }

    fn median(&self, column: usize) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(|row| row[column]).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn spread(&self, column: usize) -> (f64, f64) {
        let values = self.0.iter().map(|row| row[column]);
        values.fold((f64::INFINITY, 0.0), |(low, high), value| (low.min(value), f64::max(high, value)))
    }
}

/// Prints medians, spreads and the ratio of the first kind to the second.
pub(crate) fn table(unit: &str, ours: (&str, &Series), floor: (&str, &Series)) {
    println!("{:<8} {:>26} {:>26} {:>7}", unit, ours.0, floor.0, "ratio");
    for (column, (name, _)) in QUANTILES.iter().enumerate() {
        let cell = |series: &Series| {
            let (low, high) = series.spread(column);
            format!("{:.1} ({low:.1} to {high:.1})", series.median(column))
        };
        let ratio = ours.1.median(column) / floor.1.median(column);
        println!("{name:<8} {:>26} {:>26} {ratio:>7.2}", cell(ours.1), cell(floor.1));
    }
}

/// Latencies from a nanosecond to a minute, within 0.1 %.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("the bounds are valid")
}

/// Pins the calling thread; a machine without that core is measured unpinned, and says so.
pub(crate) fn pin(core: usize) {
    if !core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        println!("core {core} is not there: not pinned, the figures will wander");
    }
}
