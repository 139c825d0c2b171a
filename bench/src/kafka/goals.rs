//! What Ringwire promises of Kafka, and how a run judges it.

use super::Codec;
use crate::goals::{AtMost, Judge, KAFKA_MEMORY, OURS, at_most, not_measured};
use crate::results::{Cell, Figure, Goal, Results, Verdict};
use crate::stats::{Difference, difference};

/// Ids of the cases, and labels of the cells that are ours under another name.
pub(super) const ACK: &str = "ack-kafka";
pub(super) const BESIDE: &str = "beside-redis";
pub(super) const ENCODE: &str = "kafka-encode";
pub(super) const ALONE: &str = "Redis leg alone";
pub(super) const BESIDE_PLAIN: &str = "beside Kafka, none";
pub(super) const BESIDE_ZSTD: &str = "beside Kafka, zstd";

/// Clients that the flood is judged beside.
const FLOODERS: [&str; 2] = ["librdkafka", "franz-go"];
/// Times as many messages for each second of CPU as theirs.
const TIMES: [(Codec, f64); 2] = [(Codec::None, 8.0), (Codec::Lz4, 6.0)];
/// The client whose acknowledgements are judged beside ours, at its best linger.
const ACKNOWLEDGER: &str = "librdkafka";
/// Records a second, on one core and without compression.
const ENCODED_PER_S: f64 = 30e6;
/// What a Redis leg's p99 may rise by beside a Kafka leg that compresses.
const BESIDE_NS_MAX: f64 = 100_000.0;
/// Resident memory with one shard, one broker and one publisher.
const RSS_MIB_MAX: f64 = 24.0;

pub(super) fn flood(codec: Codec) -> String {
    format!("kafka-flood-{}", codec.name())
}

pub(super) fn encoded(codec: Codec) -> String {
    format!("{OURS}, {}", codec.name())
}

/// Every promise of Kafka, judged.
pub fn judge(results: &Results) -> Vec<Goal> {
    let judge = Judge::of(results);
    let mut goals = Vec::new();
    for (codec, times) in TIMES {
        goals.push(efficiency(&judge, codec, times));
        goals.extend(FLOODERS.map(|peer| rate(&judge, codec, peer)));
    }
    goals.extend(acknowledgement(&judge));
    goals.push(encode(&judge));
    goals.push(beside(&judge));
    let memory = "Kafka: resident memory at 50,000/s, one shard and one broker";
    goals.push(judge.fact(KAFKA_MEMORY, memory, &format!("at most {RSS_MIB_MAX} MiB"), RSS_MIB_MAX));
    goals
}

/// Messages for each second of CPU beside the better of the others.
fn efficiency(judge: &Judge<'_>, codec: Codec, times: f64) -> Goal {
    let name = format!("Kafka flood, {}: messages for each second of CPU", codec.name());
    let bound = format!("at least {times} x the better of {}", FLOODERS.join(" and "));
    let case = flood(codec);
    let ours = match judge.cell(&case, OURS) {
        Ok(ours) => ours,
        Err(why) => return not_measured(&name, &bound, &why),
    };
    match judge.best(&case, Figure::Cpu, &FLOODERS) {
        Ok((best, missing)) => {
            let (one, other) = (best.values(Figure::Cpu), ours.values(Figure::Cpu));
            let mut goal = judge.at_least(&name, &bound, times, &one, &other);
            goal.found += &format!(": {} beside {} of {}", cpu(ours), cpu(best), best.label);
            // The better one of those that are there is not the better one of all.
            if !missing.is_empty() {
                goal.found += &format!(" ({missing})");
                goal.verdict = Verdict::NotMeasured;
            }
            goal
        }
        Err(why) => not_measured(&name, &bound, &why),
    }
}

fn cpu(cell: &Cell) -> String {
    cell.spread(Figure::Cpu).map_or_else(String::new, |it| crate::report::time(it.median))
}

fn rate(judge: &Judge<'_>, codec: Codec, peer: &str) -> Goal {
    let name = format!("Kafka flood, {}: messages a second beside {peer}", codec.name());
    let bound = "never fewer";
    let case = flood(codec);
    match (judge.cell(&case, OURS), judge.cell(&case, peer)) {
        (Ok(ours), Ok(theirs)) => {
            judge.at_least(&name, bound, 1.0, &ours.values(Figure::Rate), &theirs.values(Figure::Rate))
        }
        (Err(why), _) | (_, Err(why)) => not_measured(&name, bound, &why),
    }
}

/// Each percentile beside its best linger; the CPU beside that of the linger with the best p99.
fn acknowledgement(judge: &Judge<'_>) -> Vec<Goal> {
    let lingers: Vec<&str> = judge.results.case(ACK).map_or_else(Vec::new, |case| {
        let labels = case.cells.iter().map(|cell| cell.label.as_str());
        labels.filter(|label| label.split(',').next() == Some(ACKNOWLEDGER)).collect()
    });
    let name =
        |what: &str| format!("Kafka acknowledgement at 50,000/s: {what} beside {ACKNOWLEDGER}'s best linger");
    let lingers = if lingers.is_empty() { &[ACKNOWLEDGER][..] } else { &lingers };
    let best_tail = judge.best(ACK, Figure::P99, lingers).map(|(cell, _)| cell.label.clone());
    let mut goals = vec![
        judge.ratio(&name("p50"), AtMost(0.5), ACK, Figure::P50, lingers),
        judge.ratio(&name("p99"), AtMost(0.5), ACK, Figure::P99, lingers),
    ];
    goals.push(match best_tail {
        Ok(label) => judge.ratio(&name("CPU"), AtMost(1.0), ACK, Figure::Cpu, &[&label]),
        Err(why) => not_measured(&name("CPU"), &at_most(1.0), &why),
    });
    goals
}

/// By CPU time, since who else uses the core is not what is judged.
fn encode(judge: &Judge<'_>) -> Goal {
    let name = "Kafka batches without compression: records for each second of CPU, on one core";
    let bound = format!("at least {:.0} M", ENCODED_PER_S / 1e6);
    match judge.cell(ENCODE, &encoded(Codec::None)).map(|cell| cell.spread(Figure::Cpu)) {
        Ok(Some(spread)) => {
            let a_second = |ns: f64| 1e9 / ns;
            let millions = |ns: f64| format!("{:.1} M", a_second(ns) / 1e6);
            let is_kept = a_second(spread.median) >= ENCODED_PER_S;
            Goal {
                name: name.into(),
                bound,
                verdict: if is_kept { Verdict::Pass } else { Verdict::Fail },
                found: format!(
                    "{} ({} to {})",
                    millions(spread.median),
                    millions(spread.high),
                    millions(spread.low)
                ),
                ratio: None,
            }
        }
        Ok(None) => not_measured(name, &bound, "there is no figure"),
        Err(why) => not_measured(name, &bound, &why),
    }
}

fn beside(judge: &Judge<'_>) -> Goal {
    let name = "a Redis leg's p99 beside a Kafka leg that compresses with zstd at 50,000/s";
    let bound = "rises by at most 100 µs";
    let of = |label| judge.cell(BESIDE, label);
    let (alone, zstd) = match (of(ALONE), of(BESIDE_ZSTD)) {
        (Ok(alone), Ok(zstd)) => (alone, zstd),
        (Err(why), _) | (_, Err(why)) => return not_measured(name, bound, &why),
    };
    let rise = |cell: &Cell| difference(&cell.values(Figure::P99), &alone.values(Figure::P99), judge.seed);
    let Some(found) = rise(zstd) else { return not_measured(name, bound, "there is no figure") };
    let words = |it: Difference| {
        let us = |ns: f64| ns / 1_000.0;
        format!("{:+.0} µs (95 %: {:+.0} to {:+.0})", us(it.difference), us(it.low), us(it.high))
    };
    let plain = of(BESIDE_PLAIN).ok().and_then(rise);
    let plain = plain.map_or_else(String::new, |it| format!("; {} without compression", words(it)));
    Goal {
        name: name.into(),
        bound: bound.into(),
        verdict: if found.difference <= BESIDE_NS_MAX { Verdict::Pass } else { Verdict::Fail },
        found: words(found) + &plain,
        ratio: None,
    }
}
