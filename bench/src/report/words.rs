//! Figures as people read them, the same on the terminal and in the HTML page.

use crate::client::Mode;
use crate::results::{Case, Cell, Figure};
use crate::rig::thousands;
use crate::stats::{Spread, median};

/// A column of a comparison's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Column {
    Time(&'static str, Figure),
    /// Without its spread: what stands between others that have one.
    Median(&'static str, Figure),
    /// How late messages were handed over: at 99 % and at 99.9 %, medians.
    Late,
    /// What the hypervisor took of a run, on all cores: so much of a tail is the host's.
    Stolen,
    Rate,
    Cpu,
    PeakMemory,
    Memory,
}

const LATENCIES: [Column; 8] = [
    Column::Time("p50", Figure::P50),
    Column::Median("p90", Figure::P90),
    Column::Time("p99", Figure::P99),
    Column::Time("p99.9", Figure::P999),
    Column::Median("p99.99", Figure::P9999),
    Column::Time("worst", Figure::Max),
    Column::Late,
    Column::Stolen,
];

/// What a comparison shows of each contestant.
pub(super) fn columns(case: &Case) -> Vec<Column> {
    match case.mode {
        Mode::Cost => LATENCIES.into(),
        Mode::Ack | Mode::Subscribe | Mode::Source => [&LATENCIES[..], &[Column::Cpu]].concat(),
        Mode::Flood => vec![Column::Rate, Column::Cpu, Column::PeakMemory],
        Mode::Decode | Mode::Encode => vec![Column::Cpu],
        Mode::Memory => vec![Column::Memory, Column::PeakMemory],
    }
}

impl Column {
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Time(name, _) | Self::Median(name, _) => name,
            Self::Late => "late p99 · p99.9",
            Self::Stolen => "stolen",
            Self::Rate => "messages/s",
            Self::Cpu => "CPU/message",
            Self::PeakMemory => "peak memory",
            Self::Memory => "memory",
        }
    }

    /// The median, and the spread where there is more than one run.
    pub(super) fn text(self, cell: &Cell) -> (String, String) {
        let none = || ("-".to_owned(), String::new());
        let (spread, show): (Option<Spread>, fn(f64) -> String) = match self {
            Self::Time(_, figure) | Self::Median(_, figure) => (cell.spread(figure), time),
            Self::Late => return lateness(cell).map_or_else(none, |text| (text, String::new())),
            Self::Stolen => {
                let stolen: Vec<f64> = cell.runs.iter().map(|run| run.noise.steal_ms as f64).collect();
                (Spread::of(&stolen), |ms| format!("{ms:.0} ms"))
            }
            Self::Rate => (cell.spread(Figure::Rate), |it| thousands(it.round() as u64)),
            Self::Cpu => (cell.spread(Figure::Cpu), time),
            Self::PeakMemory | Self::Memory => {
                let kib = |run: &crate::results::Run| {
                    (if self == Self::Memory { run.rss_kib } else { run.max_rss_kib }) as f64
                };
                let values: Vec<f64> = cell.runs.iter().map(kib).filter(|it| *it > 0.0).collect();
                (Spread::of(&values), |kib| format!("{:.1} MiB", kib / 1_024.0))
            }
        };
        let Some(spread) = spread else { return none() };
        let has_range = cell.runs.len() > 1 && !matches!(self, Self::Median(..));
        let range = if has_range { range(spread, show) } else { String::new() };
        (show(spread.median), range)
    }
}

/// How late messages were handed over, at 99 % and at 99.9 %.
fn lateness(cell: &Cell) -> Option<String> {
    let late = || cell.runs.iter().filter_map(|run| run.late);
    let p99 = median(&late().map(|it| it.p99).collect::<Vec<_>>())?;
    let p999 = median(&late().map(|it| it.p999).collect::<Vec<_>>())?;
    Some(format!("{} · {}", time(p99), time(p999)))
}

/// The lowest and the highest, with one unit where it is the same.
fn range(spread: Spread, show: fn(f64) -> String) -> String {
    let (low, high) = (show(spread.low), show(spread.high));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((low, one)), Some((high, other))) if one == other => format!("{low} – {high} {one}"),
        _ => format!("{low} – {high}"),
    }
}

/// Three digits and a unit, of nanoseconds.
pub(crate) fn time(ns: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    let (size, unit) = UNITS.into_iter().find(|(size, _)| ns.abs() >= *size).unwrap_or(UNITS[3]);
    let value = ns / size;
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

/// What was offered, in one line under a heading.
pub(super) fn offered(case: &Case) -> String {
    let Some(cell) = case.cells.first() else { return String::new() };
    let load = &cell.load;
    let same = |wanted: fn(&Cell) -> String| {
        let first = wanted(cell);
        case.cells.iter().all(|it| wanted(it) == first).then_some(first)
    };
    let mut words = Vec::new();
    match case.mode {
        Mode::Encode => return "whole batches, in memory, time for each record".to_owned(),
        Mode::Decode => return "64 frames in a buffer, in memory, time for each frame".to_owned(),
        Mode::Flood | Mode::Memory => {
            words.extend(same(|it| format!("at most {} outstanding", thousands(u64::from(it.window)))));
        }
        _ => {
            words.extend(same(|it| format!("{}/s", thousands(it.load.rate))));
            words.extend(same(|it| format!("{} gaps", it.load.shape.name())));
        }
    }
    words.extend(same(|it| format!("{} B", thousands(it.load.bytes as u64))));
    words.extend(same(|it| {
        let plural = if it.load.channels == 1 { "" } else { "s" };
        format!("{} channel{plural}", thousands(u64::from(it.load.channels)))
    }));
    words.push(format!("tuned for {}", case.tuning.name()));
    let counts: Vec<usize> = case.cells.iter().map(|it| it.runs.len()).collect();
    let most = counts.iter().max().copied().unwrap_or(0);
    words.push(format!("{most} runs of {} messages", thousands(load.messages)));
    words.join(" · ")
}

/// Runs that a cell has, where they are fewer than the case's most; and its remark.
pub(super) fn remark(case: &Case, cell: &Cell) -> String {
    let most = case.cells.iter().map(|it| it.runs.len()).max().unwrap_or(0);
    let runs = cell.runs.len();
    let fewer = if runs < most { format!("{runs} of {most} runs") } else { String::new() };
    let words = [fewer, cell.remark()];
    words.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (ns, expected) in [
            (0.0, "0.00 ns"),
            (49.44, "49.4 ns"),
            (999.0, "999 ns"),
            (16_300.0, "16.3 µs"),
            (1_000_000.0, "1.00 ms"),
            (2_110_000.0, "2.11 ms"),
            (61e9, "61.0 s"),
        ] {
            assert_eq!(time(ns), expected);
        }
    }
}
