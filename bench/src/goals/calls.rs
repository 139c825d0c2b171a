//! What a call costs a C program, beside other libraries' calls, the bare ring, and the same from Rust.

use super::{AtMost, Judge, OURS, at_most, not_measured};
use crate::results::{Cell, Figure, Goal, Verdict};
use crate::stats::median;

const CASE: &str = "publish";
/// Our ways to hand a message over from C.
const WAYS: [(&str, &str); 2] = [("C publish", "rw_publish"), ("C claim", "claim and commit from C")];
/// Whose call is beaten so many times.
const OTHER: &str = "rd_kafka_produce";
const TIMES: [(&str, Figure, f64); 2] = [("p50", Figure::P50, 15.0), ("p99", Figure::P99, 30.0)];
/// The timer of the C program, and that of ours.
const C_EMPTY: &str = "C empty region";
const EMPTY: &str = "empty region";
const RING: &str = "bare ring";
/// Beside the bare ring, at the median.
const RING_TIMES: f64 = 1.4;
/// What C may add to a call from Rust, flat out.
const ADDED_NS_MAX: f64 = 3.0;

/// Every promise of the C calls.
pub(super) fn judge(judge: &Judge<'_>) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (label, words) in WAYS {
        goals.extend(
            TIMES.map(|(name, figure, times)| beside_other(judge, label, words, name, figure, times)),
        );
        goals.push(beside_ring(judge, label, words));
    }
    goals.push(beside_rust(judge));
    goals
}

/// A figure of every run, less the median of the timer that it includes.
fn net(cell: &Cell, figure: Figure, timer: &Cell) -> Vec<f64> {
    let timer = median(&timer.values(Figure::P50)).unwrap_or(0.0);
    cell.values(figure).iter().map(|it| it - timer).collect()
}

/// Two lists in nanoseconds, by their medians.
fn words(ours: &[f64], theirs: &[f64]) -> String {
    let shown = |values: &[f64]| median(values).map_or_else(String::new, crate::report::time);
    format!(": {} beside {}, both net of the timer", shown(ours), shown(theirs))
}

fn beside_other(judge: &Judge<'_>, label: &str, what: &str, name: &str, figure: Figure, times: f64) -> Goal {
    let name = format!("{what}: {name} beside {OTHER}");
    let bound = format!("at least {times} x under it");
    let cell = |label| judge.cell(CASE, label);
    match (cell(label), cell(OTHER), cell(C_EMPTY)) {
        (Ok(ours), Ok(theirs), Ok(timer)) => {
            let (ours, theirs) = (net(ours, figure, timer), net(theirs, figure, timer));
            let goal = judge.at_least(&name, &bound, times, &theirs, &ours);
            Goal { found: goal.found + &words(&ours, &theirs), ..goal }
        }
        (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => not_measured(&name, &bound, &why),
    }
}

fn beside_ring(judge: &Judge<'_>, label: &str, what: &str) -> Goal {
    let name = format!("{what}: p50 beside a bare rtrb ring");
    let cell = |label| judge.cell(CASE, label);
    match (cell(label), cell(C_EMPTY), cell(RING), cell(EMPTY)) {
        (Ok(ours), Ok(c_timer), Ok(ring), Ok(timer)) => {
            let (ours, ring) = (net(ours, Figure::P50, c_timer), net(ring, Figure::P50, timer));
            let goal = judge.judged(&name, AtMost(RING_TIMES), &ours, &ring);
            Goal { found: goal.found + &words(&ours, &ring), ..goal }
        }
        (Err(why), ..) | (_, Err(why), ..) | (_, _, Err(why), _) | (.., Err(why)) => {
            not_measured(&name, &at_most(RING_TIMES), &why)
        }
    }
}

fn beside_rust(judge: &Judge<'_>) -> Goal {
    let name = "rw_publish flat out beside the same from Rust";
    let bound = format!("within {ADDED_NS_MAX} ns");
    let figure = |label| {
        let cell: Result<&Cell, String> = judge.cell(CASE, label);
        cell.and_then(|cell| {
            median(&cell.values(Figure::FlatOut)).ok_or(format!("{label} tells no such figure"))
        })
    };
    // Each program's loop around the call is its own.
    let net = |label, empty| -> Result<f64, String> { Ok(figure(label)? - figure(empty)?) };
    match (net(WAYS[0].0, C_EMPTY), net(OURS, EMPTY)) {
        (Ok(c), Ok(rust)) => Goal {
            name: name.into(),
            bound,
            verdict: if c - rust <= ADDED_NS_MAX { Verdict::Pass } else { Verdict::Fail },
            found: format!(
                "{:+.1} ns: {c:.1} ns beside {rust:.1} ns, medians of the runs less those of the loop alone",
                c - rust
            ),
            ratio: None,
        },
        (Err(why), _) | (_, Err(why)) => not_measured(name, &bound, &why),
    }
}
