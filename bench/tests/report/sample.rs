//! Results as a run of the rig would leave them, of round figures.

use ringwire_bench::client::{Mode, Tuning};
use ringwire_bench::load::{Load, Shape};
use ringwire_bench::machine::Conditions;
use ringwire_bench::noise::{Hiccups, Noise};
use ringwire_bench::results::{
    Absent, Case, Cell, FORMAT, Fact, Participant, Point, Quantiles, Results, Run, Timeline,
};

const ROUNDS: usize = 3;

/// Every kind of comparison, an invalid contestant, one that gave up and one that is absent.
pub(crate) fn results() -> Results {
    let mut results = Results {
        format: FORMAT,
        conditions: conditions(),
        repetitions: ROUNDS,
        contestants: ["ringwire", "floor", "redis-rs"].map(participant).into(),
        absent: vec![Absent { name: "fred".into(), why: "not installed: bench/peers/install fred".into() }],
        cases: vec![publish(), ack(), rates(), flood(), memory()],
        facts: vec![
            Fact {
                name: "allocations".into(),
                value: Some(0.0),
                unit: "for each message".into(),
                how: "0 in 50000 messages <out & back>".into(),
            },
            Fact {
                name: "resident memory".into(),
                value: Some(13.9),
                unit: "MiB".into(),
                how: "14236 KiB after 1,000,000 messages".into(),
            },
        ],
        goals: Vec::new(),
        notes: vec!["A note with <angles> & an ampersand.".into()],
    };
    results.goals = ringwire_bench::goals::judge(&results);
    results
}

pub(crate) fn conditions() -> Conditions {
    Conditions {
        date: "2026-11-21 12:00:00 UTC".into(),
        cpu: "Some CPU, 2600 MHz, virtual machine".into(),
        kernel: "Linux 6.18.0, x86_64".into(),
        cores: "2 cores: client on 0, server on 1".into(),
        governor: "performance".into(),
        load_before: "0.02".into(),
        server: "redis-server 7.0.15, no persistence".into(),
        version: "0.1.0".into(),
        command: "ringwire bench --seed 7".into(),
        seed: 7,
    }
}

fn participant(name: &str) -> Participant {
    Participant {
        name: name.into(),
        version: "1.2.3".into(),
        settings: vec!["ack (latency): spins; one <thread>".into(), "flood (throughput): parks".into()],
    }
}

fn load(rate: u64) -> Load {
    Load { shape: Shape::Constant, rate, bytes: 128, channels: 8, messages: 100_000, warmup: 20_000 }
}

pub(crate) fn case(id: &str, title: &str, mode: Mode, cells: Vec<Cell>) -> Case {
    Case { id: id.into(), title: title.into(), mode, tuning: Tuning::Latency, cells }
}

/// Latencies around `p50_ns`, a little more in each round; 200 ns of CPU for each message.
pub(crate) fn cell(label: &str, rate: u64, p50_ns: f64) -> Cell {
    let run = |round: usize| {
        let p50 = p50_ns * (1.0 + round as f64 / 10.0);
        let latency = Quantiles {
            p50,
            p90: p50 * 2.0,
            p99: p50 * 8.0,
            p999: p50 * 40.0,
            p9999: p50 * 60.0,
            max: p50 * 100.0,
        };
        let late =
            Quantiles { p50: 50.0, p90: 90.0, p99: p50 / 10.0, p999: p50, p9999: p50 * 2.0, max: p50 * 3.0 };
        Run { latency: Some(latency), late: Some(late), ..plain_run(round) }
    };
    let points =
        (0..=4).map(|step| Point { quantile: 1.0 - 10_f64.powi(-step), ns: p50_ns * 3_f64.powi(step) });
    Cell {
        label: label.into(),
        contestant: label.split([',', ' ']).next().unwrap_or_default().into(),
        load: load(rate),
        window: 100,
        runs: (0..ROUNDS).map(run).collect(),
        curve: points.collect(),
        late_curve: (0..=4)
            .map(|step| Point { quantile: 1.0 - 10_f64.powi(-step), ns: 40.0 * 4_f64.powi(step) })
            .collect(),
        timeline: Some(Timeline {
            round: 1,
            slice_ms: 1.0,
            worst_ns: (0..50).map(|at| (p50_ns as u64) * (1 + at * 7 % 20)).collect(),
        }),
        trouble: None,
    }
}

fn plain_run(round: usize) -> Run {
    Run {
        round,
        order: round * 3,
        messages: 100_000,
        elapsed_ns: 1_000_000_000 + round as u64 * 10_000_000,
        cpu_ns: 20_000_000 + round as u64 * 1_000_000,
        life_cpu_ns: 30_000_000,
        max_rss_kib: 13_000,
        noise: Noise {
            before: Hiccups { count: 1, longest_ns: 12_000, lost_ns: 12_000 },
            after: Hiccups::default(),
            steal_ms: 10,
            switches: 500,
            waited_ns: 70_000,
            ..Noise::default()
        },
        ..Run::default()
    }
}

fn publish() -> Case {
    let cells = [
        ("ringwire", 47.0),
        ("bare ring", 38.0),
        ("empty region", 13.0),
        ("C publish", 46.0),
        ("C claim", 43.0),
        ("rd_kafka_produce", 613.0),
        ("C empty region", 13.0),
    ];
    let mut cells = cells.map(|(label, ns)| cell(label, 100_000, ns));
    for (at, flat_out_ns) in [(0, 21.0), (2, 1.0), (3, 25.0), (6, 2.5)] {
        cells[at].runs.iter_mut().for_each(|run| run.flat_out_ns = Some(flat_out_ns));
    }
    cells[1].runs[2].repeated = 2;
    case("publish", "Cost of `publish`", Mode::Cost, cells.into())
}

fn ack() -> Case {
    let mut cells: Vec<Cell> =
        [("ringwire", 20_000.0), ("floor", 19_000.0), ("redis-rs", 27_000.0), ("null", 90.0)]
            .map(|(label, ns)| cell(label, 100_000, ns))
            .into();
    for run in &mut cells[2].runs[..2] {
        run.invalid = Some("the generator was late: p99 300 µs, allowed 100 µs".into());
    }
    let mut slow = cell("redis-py", 100_000, 9e8);
    slow.runs.truncate(1);
    slow.trouble = Some("does not hold 100000/s".into());
    cells.push(slow);
    case("ack-100000", "Due time to acknowledgement at 100,000/s", Mode::Ack, cells)
}

fn rates() -> Case {
    let mut cells = Vec::new();
    for (rate, factor) in [(20_000, 1.0), (100_000, 1.5), (400_000, 9.0)] {
        for (name, ns) in [("ringwire", 18_000.0), ("floor", 16_000.0)] {
            cells.push(cell(&format!("{name} at {rate}/s"), rate, ns * factor));
        }
    }
    case("rates", "Latency against offered rate", Mode::Ack, cells)
}

fn flood() -> Case {
    let mut cells: Vec<Cell> =
        ["ringwire", "floor", "redis-benchmark"].map(|label| cell(label, 0, 1.0)).into();
    for (at, cell) in cells.iter_mut().enumerate() {
        (cell.curve, cell.timeline) = (Vec::new(), None);
        cell.runs = (0..ROUNDS).map(plain_run).collect();
        cell.runs.iter_mut().for_each(|run| run.cpu_ns *= at as u64 + 1);
    }
    case("flood", "Flood, 100 outstanding", Mode::Flood, cells)
}

fn memory() -> Case {
    let mut one = cell("ringwire", 0, 1.0);
    (one.curve, one.timeline) = (Vec::new(), None);
    one.runs = (0..ROUNDS).map(|round| Run { rss_kib: 13_400 + round as u64, ..plain_run(round) }).collect();
    case("memory", "Memory", Mode::Memory, vec![one])
}
