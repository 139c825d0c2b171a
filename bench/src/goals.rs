//! What Ringwire promises beside its floor and its peers, and how a run judges it.

mod calls;

use crate::results::{Cell, Figure, Goal, Results, Verdict};
use crate::stats::{Ratio, Spread, median, ratio};

/// The most resident memory with one shard, one publisher and one subscriber, in MiB.
const RSS_MIB_MAX: f64 = 16.0;
/// Labels of the cells, as the plan makes them.
pub(crate) const OURS: &str = "ringwire";
pub(crate) const FLOOR: &str = "floor";

/// Every promise, judged.
pub fn judge(results: &Results) -> Vec<Goal> {
    let judge = Judge::of(results);
    let mut goals = vec![
        judge.publish("cost of publish, 128 B, 100,000/s, null endpoint: p50", Figure::P50),
        judge.publish("cost of publish, 128 B, 100,000/s, null endpoint: p99", Figure::P99),
    ];
    goals.extend(calls::judge(&judge));
    let ack = "acknowledgement at 100,000/s";
    goals.push(judge.ratio(
        &format!("{ack}: p50 beside the floor"),
        AtMost(1.1),
        "ack-100000",
        Figure::P50,
        &[FLOOR],
    ));
    goals.push(judge.ratio(
        &format!("{ack}: p99 beside the floor"),
        AtMost(1.5),
        "ack-100000",
        Figure::P99,
        &[FLOOR],
    ));
    let peers = ["redis-rs", "fred", "rueidis"];
    goals.push(judge.ratio(
        &format!("{ack}: p99 beside the best client"),
        AtMost(0.5),
        "ack-100000",
        Figure::P99,
        &peers,
    ));
    let flood = "flood: CPU for each message beside";
    let benchmark = ["redis-benchmark"];
    goals.push(judge.ratio(
        &format!("{flood} redis-benchmark -c 1 -P 100"),
        AtMost(0.75),
        "flood",
        Figure::Cpu,
        &benchmark,
    ));
    let pipelines = ["redis-rs", "rueidis", "go-redis"];
    goals.push(judge.ratio(
        &format!("{flood} the best explicit pipeline"),
        AtMost(0.3),
        "flood",
        Figure::Cpu,
        &pipelines,
    ));
    let heard = "subscribe at 100,000/s";
    goals.push(judge.ratio(
        &format!("{heard}: p99 beside a socket that reads"),
        AtMost(1.5),
        "subscribe",
        Figure::P99,
        &[FLOOR],
    ));
    for peer in ["redis-rs", "rueidis"] {
        let name = format!("{heard}: CPU for each message beside {peer}");
        goals.push(judge.ratio(&name, AtMost(0.3), "subscribe-cpu", Figure::Cpu, &[peer]));
    }
    for other in ["redis-protocol", "hiredis"] {
        for what in ["replies", "messages"] {
            goals.push(judge.decode(what, other));
        }
    }
    goals.push(judge.fact(ALLOCATIONS, "allocations for each message in the steady state", "0", 0.0));
    let memory = "resident memory, one shard, publisher and subscriber";
    goals.push(judge.fact(MEMORY, memory, &format!("at most {RSS_MIB_MAX} MiB"), RSS_MIB_MAX));
    goals.push(judge.breadth("1 to 10,000 channels", "1 channel", "10,000 channels"));
    goals.push(judge.breadth("1 to 100 connections, 99 of them quiet", "1 connection", "100 connections"));
    goals.push(judge.shards());
    goals
}

/// The highest ratio that is allowed.
#[derive(Clone, Copy)]
pub(crate) struct AtMost(pub(crate) f64);

/// That bound in words.
pub(crate) fn at_most(bound: f64) -> String {
    format!("at most {bound} x")
}

/// Results, and what their intervals are drawn from.
pub(crate) struct Judge<'a> {
    pub(crate) results: &'a Results,
    pub(crate) seed: u64,
}

pub(crate) fn not_measured(name: &str, bound: &str, why: &str) -> Goal {
    Goal {
        name: name.into(),
        bound: bound.into(),
        verdict: Verdict::NotMeasured,
        found: why.into(),
        ratio: None,
    }
}

/// A cell that may be judged, or why it may not.
pub(crate) fn usable<'a>(cell: Option<&'a Cell>, label: &str) -> Result<&'a Cell, String> {
    let cell =
        cell.filter(|cell| !cell.runs.is_empty()).ok_or_else(|| format!("{label} was not measured"))?;
    if cell.is_invalid() { Err(format!("{label}: {}", cell.remark())) } else { Ok(cell) }
}

impl<'a> Judge<'a> {
    pub(crate) fn of(results: &'a Results) -> Self {
        Self { results, seed: results.conditions.seed }
    }

    /// A cell that may be judged, or why there is none.
    pub(crate) fn cell(&self, case: &str, label: &str) -> Result<&'a Cell, String> {
        usable(self.results.cell(case, label), label)
    }

    /// The one with the lowest median of `figure`, and which of the others are missing; or why there is none at all.
    pub(crate) fn best(
        &self,
        case: &str,
        figure: Figure,
        others: &[&str],
    ) -> Result<(&'a Cell, String), String> {
        let found: Vec<Result<&Cell, String>> = others.iter().map(|other| self.cell(case, other)).collect();
        let middle = |cell: &Cell| cell.spread(figure).map(|spread| spread.median);
        let best = found
            .iter()
            .filter_map(|it| it.as_ref().ok())
            .filter_map(|cell| Some((middle(cell)?, *cell)))
            .min_by(|one, other| one.0.total_cmp(&other.0));
        let missing: Vec<&str> =
            found.iter().filter_map(|it| it.as_ref().err()).map(String::as_str).collect();
        let missing = missing.join("; ");
        match best {
            Some((_, best)) => Ok((best, missing)),
            None => Err(missing),
        }
    }

    /// Ours beside the best of some others. Without one of them it is said which were there.
    pub(crate) fn ratio(
        &self,
        name: &str,
        bound: AtMost,
        case: &str,
        figure: Figure,
        others: &[&str],
    ) -> Goal {
        let ours = match self.cell(case, OURS) {
            Ok(ours) => ours,
            Err(why) => return not_measured(name, &at_most(bound.0), &why),
        };
        let (best, missing) = match self.best(case, figure, others) {
            Ok(found) => found,
            Err(why) => return not_measured(name, &at_most(bound.0), &why),
        };
        let mut goal = self.judged(name, bound, &ours.values(figure), &best.values(figure));
        let shown = |cell: &Cell| cell.spread(figure).map_or_else(String::new, |it| shown(figure, it));
        goal.found = format!("{}: {} beside {} of {}", goal.found, shown(ours), shown(best), best.label);
        if !missing.is_empty() {
            goal.found += &format!(" ({missing})");
        }
        goal
    }

    pub(crate) fn judged(&self, name: &str, bound: AtMost, ours: &[f64], other: &[f64]) -> Goal {
        let words = at_most(bound.0);
        let Some(ratio) = ratio(ours, other, self.seed) else {
            return not_measured(name, &words, "there is nothing to divide by");
        };
        let verdict = if ratio.ratio <= bound.0 { Verdict::Pass } else { Verdict::Fail };
        Goal {
            name: name.into(),
            bound: words,
            verdict,
            found: ratio_words(ratio, bound.0),
            ratio: Some(ratio),
        }
    }

    /// Net of the empty region, whose median both sides include.
    fn publish(&self, name: &str, figure: Figure) -> Goal {
        const BOUND: AtMost = AtMost(1.3);
        let words = format!("at most {} x a bare rtrb ring", BOUND.0);
        let cell = |label| self.cell("publish", label);
        let (ours, bare, empty) = match (cell(OURS), cell("bare ring"), cell("empty region")) {
            (Ok(ours), Ok(bare), Ok(empty)) => (ours, bare, empty),
            (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => return not_measured(name, &words, &why),
        };
        let timer = median(&empty.values(Figure::P50)).unwrap_or(0.0);
        let net = |cell: &Cell| cell.values(figure).iter().map(|it| it - timer).collect::<Vec<_>>();
        let (ours, bare) = (net(ours), net(bare));
        let mut goal = self.judged(name, BOUND, &ours, &bare);
        if let (Some(ours), Some(bare)) = (median(&ours), median(&bare)) {
            goal.found +=
                &format!(": {ours:.1} ns beside {bare:.1} ns, both net of {timer:.1} ns for the timer");
        }
        Goal { bound: words, ..goal }
    }

    fn decode(&self, what: &str, other: &str) -> Goal {
        const TIMES: f64 = 2.0;
        let name = format!("RESP decode of {what} beside {other}");
        let words = format!("at least {TIMES} x as fast");
        let cell = |label: &str| {
            let label = format!("{label} {what}");
            self.cell("decode", &label)
        };
        match (cell(OURS), cell(other)) {
            (Ok(ours), Ok(theirs)) => {
                let (ours, theirs) = (ours.values(Figure::Cpu), theirs.values(Figure::Cpu));
                self.at_least(&name, &words, TIMES, &theirs, &ours)
            }
            (Err(why), _) | (_, Err(why)) => not_measured(&name, &words, &why),
        }
    }

    pub(crate) fn at_least(&self, name: &str, words: &str, bound: f64, one: &[f64], other: &[f64]) -> Goal {
        let Some(ratio) = ratio(one, other, self.seed) else {
            return not_measured(name, words, "there is nothing to divide by");
        };
        let verdict = if ratio.ratio >= bound { Verdict::Pass } else { Verdict::Fail };
        let found = ratio_words(ratio, bound);
        Goal { name: name.into(), bound: words.into(), verdict, found, ratio: Some(ratio) }
    }

    /// A figure that is judged by itself: at most `max`.
    pub(crate) fn fact(&self, fact: &str, name: &str, bound: &str, max: f64) -> Goal {
        let fact = self.results.facts.iter().find(|it| it.name == fact);
        match fact.map(|fact| (fact.value, fact)) {
            Some((Some(value), fact)) => Goal {
                name: name.into(),
                bound: bound.into(),
                verdict: if value <= max { Verdict::Pass } else { Verdict::Fail },
                found: format!("{} ({})", (value * 100.0).round() / 100.0, fact.how),
                ratio: None,
            },
            Some((None, fact)) => not_measured(name, bound, &fact.how),
            None => not_measured(name, bound, "it was not asked for"),
        }
    }

    fn breadth(&self, what: &str, one: &str, many: &str) -> Goal {
        const BOUND: AtMost = AtMost(1.15);
        let name = format!("{what}: CPU for each message");
        let cell = |label| self.cell("breadth", label);
        match (cell(many), cell(one)) {
            (Ok(many), Ok(one)) => {
                self.judged(&name, BOUND, &many.values(Figure::Cpu), &one.values(Figure::Cpu))
            }
            (Err(why), _) | (_, Err(why)) => not_measured(&name, "at most 1.15 x", &why),
        }
    }

    fn shards(&self) -> Goal {
        const TIMES: f64 = 1.8;
        let (name, words) = ("two shards on two cores: messages a second", format!("at least {TIMES} x one"));
        let cell = |label| self.cell("shards", label);
        match (cell("2 shards"), cell("1 shard")) {
            (Ok(two), Ok(one)) => {
                self.at_least(name, &words, TIMES, &two.values(Figure::Rate), &one.values(Figure::Rate))
            }
            _ => not_measured(name, &words, &format!("it needs {SHARD_CORES} cores that are free")),
        }
    }
}

/// Names of the facts that tell of allocations and of memory.
pub(crate) const ALLOCATIONS: &str = "allocations";
pub(crate) const MEMORY: &str = "resident memory";
pub(crate) const KAFKA_MEMORY: &str = "resident memory at 50,000/s";
pub(crate) const KAFKA_PEAK: &str = "peak memory of a flood";
/// Two publishers, two shards, and a server each.
pub(crate) const SHARD_CORES: usize = 6;

fn ratio_words(ratio: Ratio, bound: f64) -> String {
    let crosses = ratio.low < bound && bound < ratio.high;
    let doubt = if crosses { ", which holds the bound: more repetitions would tell" } else { "" };
    format!("{:.2} x (95 %: {:.2} to {:.2}{doubt})", ratio.ratio, ratio.low, ratio.high)
}

fn shown(figure: Figure, spread: Spread) -> String {
    match figure {
        Figure::Rate => format!("{:.0}/s", spread.median),
        _ => crate::report::time(spread.median),
    }
}
