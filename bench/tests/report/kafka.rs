//! The promises of Kafka, judged from made-up results.

use ringwire_bench::client::Mode;
use ringwire_bench::kafka;
use ringwire_bench::results::{Cell, Fact, Results, Verdict};

use crate::sample::{case, cell, conditions};

/// A cell whose messages cost `cpu_ns` each, at `rate` a second.
fn flooded(label: &str, rate: f64, cpu_ns: f64) -> Cell {
    let mut cell = cell(label, 0, 1.0);
    for run in &mut cell.runs {
        run.latency = None;
        run.elapsed_ns = (run.messages as f64 * 1e9 / rate) as u64;
        run.cpu_ns = (run.messages as f64 * cpu_ns) as u64;
    }
    cell
}

/// Results in which every promise is kept, by little.
fn kept() -> Results {
    let floods = |id: &str, ours_ns: f64| {
        let cells = vec![
            flooded("ringwire", 1.3e6, ours_ns),
            flooded("floor", 1.4e6, 40.0),
            flooded("librdkafka", 0.8e6, 1_500.0),
            flooded("franz-go", 1.2e6, 900.0),
        ];
        case(id, "Kafka flood", Mode::Flood, cells)
    };
    let acks = vec![
        cell("ringwire", 50_000, 400_000.0),
        cell("librdkafka, linger 0 ms", 50_000, 2_800_000.0),
        cell("librdkafka, linger 1 ms", 50_000, 1_000_000.0),
    ];
    let besides =
        [("Redis leg alone", 20_000.0), ("beside Kafka, none", 22_000.0), ("beside Kafka, zstd", 31_000.0)];
    Results {
        conditions: conditions(),
        cases: vec![
            floods("kafka-flood-none", 110.0),
            floods("kafka-flood-lz4", 145.0),
            case("ack-kafka", "Kafka acknowledgement", Mode::Ack, acks),
            case("kafka-encode", "Batches", Mode::Encode, vec![flooded("ringwire, none", 1e6, 32.0)]),
            case(
                "beside-redis",
                "Beside",
                Mode::Ack,
                besides.map(|(label, ns)| cell(label, 20_000, ns)).into(),
            ),
        ],
        facts: vec![Fact {
            name: "resident memory at 50,000/s".into(),
            value: Some(23.9),
            unit: "MiB".into(),
            how: "24474 KiB".into(),
        }],
        ..Results::default()
    }
}

/// Changes one thing, and looks which promises are not kept then, or cannot be judged.
#[track_caller]
fn check(change: impl FnOnce(&mut Results), expected: &[(&str, Verdict)]) {
    let mut results = kept();
    change(&mut results);
    let goals = kafka::judge(&results);
    for (name, verdict) in expected {
        assert_eq!(goals.iter().filter(|goal| goal.name.contains(name)).count(), 1, "{name}");
        let goal = goals.iter().find(|goal| goal.name.contains(name)).expect("it was counted");
        assert_eq!(goal.verdict, *verdict, "{goal:?}");
    }
    let others = goals.iter().filter(|goal| !expected.iter().any(|(name, _)| goal.name.contains(name)));
    others.for_each(|goal| assert_eq!(goal.verdict, Verdict::Pass, "{goal:?}"));
}

fn cell_of<'a>(results: &'a mut Results, case: &str, label: &str) -> &'a mut Cell {
    let case = results.cases.iter_mut().find(|it| it.id == case).expect("it is there");
    case.cells.iter_mut().find(|it| it.label == label).expect("it is there")
}

fn drop_case(results: &mut Results, id: &str) {
    results.cases.retain(|case| case.id != id);
}

#[test]
fn each_promise_is_judged_by_its_own_figures() {
    check(|_| (), &[]);
    let cpu = |ns: u64| {
        move |results: &mut Results| {
            let cell = cell_of(results, "kafka-flood-none", "ringwire");
            cell.runs.iter_mut().for_each(|run| run.cpu_ns = run.messages * ns);
        }
    };
    check(cpu(113), &[("flood, none: messages for each second of CPU", Verdict::Fail)]);
    check(
        |results| *cell_of(results, "kafka-flood-lz4", "ringwire") = flooded("ringwire", 1.1e6, 145.0),
        &[("lz4: messages a second beside franz-go", Verdict::Fail)],
    );
    check(
        |results| *cell_of(results, "ack-kafka", "ringwire") = cell("ringwire", 50_000, 510_000.0),
        &[("/s: p50 beside", Verdict::Fail), ("/s: p99 beside", Verdict::Fail)],
    );
    check(
        |results| {
            let cell = cell_of(results, "ack-kafka", "ringwire");
            cell.runs.iter_mut().for_each(|run| run.cpu_ns *= 2);
        },
        &[("/s: CPU beside", Verdict::Fail)],
    );
    check(
        |results| *cell_of(results, "kafka-encode", "ringwire, none") = flooded("ringwire, none", 1e6, 34.0),
        &[("Kafka batches", Verdict::Fail)],
    );
    // The sample's p99 is eight times its p50.
    check(
        |results| {
            *cell_of(results, "beside-redis", "beside Kafka, zstd") =
                cell("beside Kafka, zstd", 20_000, 33_000.0);
        },
        &[("Redis leg's p99", Verdict::Fail)],
    );
    check(|results| results.facts[0].value = Some(24.1), &[("resident memory", Verdict::Fail)]);
}

#[test]
fn what_was_not_measured_is_not_judged() {
    let none = Verdict::NotMeasured;
    // The better one of those that are there is not the better one of all.
    check(
        |results| cell_of(results, "kafka-flood-none", "librdkafka").runs.clear(),
        &[
            ("none: messages for each second of CPU", none),
            ("none: messages a second beside librdkafka", none),
        ],
    );
    check(
        |results| drop_case(results, "ack-kafka"),
        &[("/s: p50 beside", none), ("/s: p99 beside", none), ("/s: CPU beside", none)],
    );
    check(|results| drop_case(results, "kafka-encode"), &[("Kafka batches", none)]);
    check(|results| drop_case(results, "beside-redis"), &[("Redis leg's p99", none)]);
    check(|results| results.facts.clear(), &[("resident memory", none)]);
    check(
        |results| {
            let cell = cell_of(results, "ack-kafka", "ringwire");
            cell.runs.iter_mut().for_each(|run| run.invalid = Some("the generator was late".into()));
        },
        &[("/s: p50 beside", none), ("/s: p99 beside", none), ("/s: CPU beside", none)],
    );
}
