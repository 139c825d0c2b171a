//! Everything that a run of the rig found: what `results.json` holds, and what every other output is made from.
//!
//! ```text
//!   Results ── conditions, contestants, goals
//!      └─ Case: one comparison under one kind of load
//!           └─ Cell: one contestant in it
//!                └─ Run: one repetition, a process of its own
//! ```

use serde::{Deserialize, Serialize};

use crate::client::{Batches, Mode, Tuning};
use crate::load::Load;
use crate::machine::Conditions;
use crate::noise::Noise;
use crate::stats::{Ratio, Spread};

/// Of `results.json`: raised when a field changes its meaning or goes.
pub const FORMAT: u32 = 2;

/// A run of the rig.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`].
    pub format: u32,
    /// Machine, server, command, seed.
    pub conditions: Conditions,
    /// Repetitions of each comparison; where a verdict hangs on it there may be more, and fewer where none does,
    /// as their runs show.
    pub repetitions: usize,
    /// Who took part.
    pub contestants: Vec<Participant>,
    /// Who did not, and why.
    pub absent: Vec<Absent>,
    /// The comparisons.
    pub cases: Vec<Case>,
    /// What is measured once and not compared.
    pub facts: Vec<Fact>,
    /// What was promised, and what was found.
    pub goals: Vec<Goal>,
    /// What a reader must know to judge the figures.
    pub notes: Vec<String>,
}

/// A contestant that took part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Participant {
    /// Its name.
    pub name: String,
    /// As it says itself.
    pub version: String,
    /// How it was set up in each mode, as it says itself.
    pub settings: Vec<String>,
}

/// A contestant that is known and did not take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Its name.
    pub name: String,
    /// Why, and what to do.
    pub why: String,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its name in file names and goals.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// What the contestants did.
    pub mode: Mode,
    /// What they were set up for.
    pub tuning: Tuning,
    /// The contestants.
    pub cells: Vec<Cell>,
}

/// One contestant in a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name here: the contestant, and what differs where it takes part more than once.
    pub label: String,
    /// The contestant.
    pub contestant: String,
    /// What it was offered.
    pub load: Load,
    /// Messages outstanding at most, in a flood.
    pub window: u32,
    /// Its repetitions, in the order of the rounds.
    pub runs: Vec<Run>,
    /// Latency at rising percentiles, all repetitions together.
    pub curve: Vec<Point>,
    /// How late messages were handed over at rising percentiles, all repetitions together.
    pub late_curve: Vec<Point>,
    /// Of the repetition with the median p99.
    pub timeline: Option<Timeline>,
    /// Why it has fewer repetitions than the others, or none.
    pub trouble: Option<String>,
}

/// A point of a percentile curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// From 0 to 1.
    pub quantile: f64,
    /// Nanoseconds.
    pub ns: f64,
}

/// The worst latency in each slice of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Which repetition.
    pub round: usize,
    /// Length of a slice in milliseconds, by due times.
    pub slice_ms: f64,
    /// Nanoseconds; 0 where nothing was due.
    pub worst_ns: Vec<u64>,
}

/// Latencies of one run in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// 99.99 %.
    #[serde(default)]
    pub p9999: f64,
    /// The worst.
    pub max: f64,
}

/// One repetition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The round, from 0.
    pub round: usize,
    /// The how-manieth run of all.
    pub order: usize,
    /// Messages that counted.
    pub messages: u64,
    /// Of these, those that failed or never came.
    pub failed: u64,
    /// From the first counted message to the last answer.
    pub elapsed_ns: u64,
    /// CPU of the contestant's process in that time, as it says itself.
    pub cpu_ns: u64,
    /// CPU of its whole life, seen from outside.
    pub life_cpu_ns: u64,
    /// Peak memory in KiB, as it says itself.
    pub max_rss_kib: u64,
    /// Memory at the end in KiB, where that was asked for.
    pub rss_kib: u64,
    /// Latencies, in an open loop.
    pub latency: Option<Quantiles>,
    /// How late messages were handed over, in an open loop: what the machine did to the generator in this very run.
    pub late: Option<Quantiles>,
    /// Mean cost of a call flat out, in nanoseconds, where that was measured.
    #[serde(default)]
    pub flat_out_ns: Option<f64>,
    /// What its Produce requests held, where it is a flood of Kafka.
    #[serde(default)]
    pub batches: Option<Batches>,
    /// How often it was repeated since the generator was late or the host busy; what was measured before is not kept.
    #[serde(default)]
    pub repeated: u32,
    /// Why its figures do not count as a measurement.
    pub invalid: Option<String>,
    /// What disturbed it.
    pub noise: Noise,
}

impl Run {
    /// Messages a second.
    pub fn rate(&self) -> f64 {
        if self.elapsed_ns == 0 { 0.0 } else { self.messages as f64 * 1e9 / self.elapsed_ns as f64 }
    }

    /// Nanoseconds of CPU for each message.
    pub fn cpu_per_message(&self) -> f64 {
        if self.messages == 0 { 0.0 } else { self.cpu_ns as f64 / self.messages as f64 }
    }
}

/// A figure of a run, by which contestants are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Latency at 50 %, in nanoseconds.
    P50,
    /// Latency at 90 %, in nanoseconds.
    P90,
    /// Latency at 99 %, in nanoseconds.
    P99,
    /// Latency at 99.9 %, in nanoseconds.
    P999,
    /// Latency at 99.99 %, in nanoseconds.
    P9999,
    /// The worst latency, in nanoseconds.
    Max,
    /// CPU for each message, in nanoseconds.
    Cpu,
    /// Messages a second.
    Rate,
    /// Mean cost of a call flat out, in nanoseconds.
    FlatOut,
}

impl Figure {
    fn of(self, run: &Run) -> Option<f64> {
        match self {
            Self::P50 => run.latency.map(|it| it.p50),
            Self::P90 => run.latency.map(|it| it.p90),
            Self::P99 => run.latency.map(|it| it.p99),
            Self::P999 => run.latency.map(|it| it.p999),
            Self::P9999 => run.latency.map(|it| it.p9999),
            Self::Max => run.latency.map(|it| it.max),
            Self::Cpu => Some(run.cpu_per_message()),
            Self::Rate => Some(run.rate()),
            Self::FlatOut => run.flat_out_ns,
        }
    }
}

impl Cell {
    /// A figure of every run, in the order of the rounds. Invalid ones are among them: leaving them out would flatter
    /// whoever is fastest, since a pause of the machine shows most in the shortest latencies.
    pub fn values(&self, figure: Figure) -> Vec<f64> {
        self.runs.iter().filter_map(|run| figure.of(run)).collect()
    }

    /// Median and spread of a figure.
    pub fn spread(&self, figure: Figure) -> Option<Spread> {
        Spread::of(&self.values(figure))
    }

    /// How many of its runs are invalid.
    pub fn invalid(&self) -> usize {
        self.runs.iter().filter(|run| run.invalid.is_some()).count()
    }

    /// Whether more than half of its runs are invalid: then its medians are no measurement either.
    pub fn is_invalid(&self) -> bool {
        self.invalid() * 2 > self.runs.len()
    }

    /// What stands beside its figures: `INVALID` runs first, then its trouble; empty if there is nothing to say.
    pub fn remark(&self) -> String {
        let mut words = Vec::new();
        let invalid = self.invalid();
        if invalid > 0 {
            let why = self.runs.iter().find_map(|run| run.invalid.clone()).unwrap_or_default();
            words.push(format!("INVALID {invalid} of {}: {why}", self.runs.len()));
        }
        let repeated: u32 = self.runs.iter().map(|run| run.repeated).sum();
        if repeated > 0 {
            words.push(format!("{repeated} repeated: the generator was late or the host busy"));
        }
        words.extend(self.trouble.clone());
        words.join("; ")
    }
}

impl Results {
    /// A comparison by its id.
    pub fn case(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }

    /// A contestant in a comparison.
    pub fn cell(&self, case: &str, label: &str) -> Option<&Cell> {
        self.case(case)?.cells.iter().find(|cell| cell.label == label)
    }
}

/// Something that is measured once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// How much; `None` where it could not be measured.
    pub value: Option<f64>,
    /// Of what.
    pub unit: String,
    /// How it was measured, or why not.
    pub how: String,
}

/// How a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Kept.
    #[serde(rename = "PASS")]
    Pass,
    /// Not kept.
    #[serde(rename = "FAIL")]
    Fail,
    /// This run cannot tell.
    #[serde(rename = "not measured")]
    NotMeasured,
}

impl Verdict {
    /// As every output shows it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::NotMeasured => "not measured",
        }
    }
}

/// A promise, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// What was promised.
    pub name: String,
    /// The bound, in words.
    pub bound: String,
    /// Whether it is kept.
    pub verdict: Verdict,
    /// The figure, in words; or why there is none.
    pub found: String,
    /// The ratio behind it, where it is one.
    pub ratio: Option<Ratio>,
}
