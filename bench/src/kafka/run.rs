//! `ringwire bench kafka`: who takes part, and what is run.

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;

use super::broker::Broker;
use super::cases::{self, Cases};
use super::{Codec, TOPIC};
use crate::client::Batches;
use crate::machine::{self, Conditions, Cores};
use crate::probe::Probe;
use crate::report;
use crate::results::{FORMAT, Results};
use crate::rig::{CasePlan, Measure, Progress, RigError, draw_seed, duration_words, own_words};
use crate::server::Server;

/// How long a flood takes that is not slow, in seconds: a client that takes longer sends fewer messages from then on.
const FLOOD_S: f64 = 10.0;
/// A broker that compiles takes its own core from itself for milliseconds at a time, and of latencies nothing else is seen
/// then. Before the open loops it is kept busy until compiling takes less than this share of a core, so often at most.
const COMPILING_SHARE_MAX: f64 = 0.01;
const WARMINGS_MAX: usize = 12;

/// A part of the Kafka report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KafkaScenario {
    /// As fast as it goes: messages a second, CPU for each.
    Flood,
    /// From the due time to the acknowledgement at 50,000/s.
    Ack,
    /// Batches in memory: records a second on one core.
    Encode,
    /// Resident memory of a process of its own, at 50,000/s and in a flood.
    Memory,
    /// A Redis leg with and without a Kafka leg on its shard that compresses with zstd at 50,000/s.
    BesideRedis,
}

/// Measures the Kafka producer beside other clients and a bare socket, against a real broker that it starts itself. It
/// takes ten minutes, and is no part of `ringwire bench` alone.
#[derive(Clone, Debug, clap::Args)]
pub struct KafkaArgs {
    /// Only these.
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',')]
    only: Vec<KafkaScenario>,
    /// Only these clients.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    clients: Vec<String>,
    /// Only these compressions in the flood.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "none,lz4")]
    compression: Vec<Codec>,
    /// Messages of a flood; a quarter as many come before those that count.
    #[arg(long, value_name = "N", default_value_t = 4_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    messages: u64,
    /// Length of an open loop, in seconds.
    #[arg(long, value_name = "S", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Repetitions of each run.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    repetitions: u64,
    /// Reproduces the order of the runs; drawn and printed unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// The embedded Kafka instead of a real one: to try the rig itself.
    #[arg(long)]
    embedded: bool,
    /// Where the foreign clients are installed.
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Folder for the report; `ringwire-kafka-YYYYMMDD-HHMMSS` unless given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl KafkaArgs {
    fn wants(&self, scenario: KafkaScenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }

    fn wants_client(&self, name: &str) -> bool {
        self.clients.is_empty() || self.clients.iter().any(|it| it == name)
    }

    /// Names of clients that are none.
    fn check(&self) -> Result<(), RigError> {
        let names = cases::names();
        match self.clients.iter().find(|it| !names.contains(&it.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(RigError::Option {
                name: "--clients".into(),
                value: unknown.clone(),
                accepted: format!("there are {}", names.join(", ")),
            }),
        }
    }
}

/// Runs what was asked for, judges it, and writes the report.
///
/// # Errors
/// There is no broker, or a file cannot be written. A client that fails is named in the report.
pub(crate) fn run(args: &KafkaArgs) -> Result<(), RigError> {
    args.check()?;
    let own = own_words()?;
    let cores = Cores::divide(&machine::allowed());
    cores.keep_away();
    let name = format!("ringwire-kafka-{}", machine::date("%Y%m%d-%H%M%S"));
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(name));
    std::fs::create_dir_all(&out)
        .map_err(|error| RigError::system(&format!("making the folder {}", out.display()), &error))?;
    let seed = args.seed.unwrap_or_else(draw_seed);
    let (able, absent) = cases::contestants(args.peers.as_deref(), &own, |name| args.wants_client(name));
    let rounds = args.repetitions as usize;
    let cases = Cases { able, messages: args.messages, seconds: args.seconds as f64, rounds };
    let probe = args.wants(KafkaScenario::Memory) && cases.has_ours();
    let probe = Probe::of_kafka(probe.then_some(&cores.all[..]));
    let mut conditions = Conditions { cores: cores.words(), seed, ..Conditions::read() };
    let broker = Broker::start(args.embedded, &cores.server)?;
    conditions.server.clone_from(&broker.words);
    let redis = if args.wants(KafkaScenario::BesideRedis) && cases.has_ours() {
        Some(Server::start(args.embedded, &own, &cores.server, false)?)
    } else {
        None
    };
    let mut notes = notes(rounds, seed);
    notes.extend(redis.as_ref().map(beside_words));
    let mut results =
        Results { format: FORMAT, conditions, repetitions: rounds, absent, notes, ..Results::default() };
    let mut measure = Measure::new(&cores, broker.address, None, seed, FLOOD_S)?;
    scenarios(args, &cases, &mut measure, (&broker, redis.as_ref()), &mut results)?;
    if args.wants(KafkaScenario::Memory) && cases.has_ours() {
        results.facts.extend(probe.kafka(broker.address, TOPIC, &cores.client));
    }
    results.goals = super::goals::judge(&results);
    report::write(&out, &results, measure.histograms())?;
    println!("{}", report::table::render(&results));
    println!("written to {}: open report.html", out.display());
    Ok(())
}

/// One after the other; what they found is put into `results`.
fn scenarios(
    args: &KafkaArgs,
    cases: &Cases,
    measure: &mut Measure<'_>,
    (broker, redis): (&Broker, Option<&Server>),
    results: &mut Results,
) -> Result<(), RigError> {
    let floods: &[Codec] = if args.wants(KafkaScenario::Flood) { &args.compression } else { &[] };
    let mut others = Vec::new();
    if args.wants(KafkaScenario::Ack) {
        others.push(cases.ack());
    }
    if args.wants(KafkaScenario::Encode) {
        others.push(cases.encode(&args.compression));
    }
    others.extend(redis.map(|redis| cases.beside_redis(redis.address, broker.address)));
    let heatings: Vec<CasePlan> = if floods.is_empty() {
        // The broker is warm in any case.
        vec![cases.heating(Codec::None)]
    } else {
        floods.iter().map(|codec| cases.heating(*codec)).collect()
    };
    let mut planned: Vec<CasePlan> = heatings.clone();
    planned.extend(floods.iter().map(|codec| cases.flood(*codec, None)));
    planned.extend(others.iter().cloned());
    let seconds: f64 = planned.iter().map(CasePlan::estimate).sum();
    let runs: usize = planned.iter().map(CasePlan::runs).sum();
    let warmings: Vec<CasePlan> = warmings(args, cases, broker, redis.is_some());
    let seconds = seconds + warmings.iter().map(CasePlan::estimate).sum::<f64>() * WARMINGS_MAX as f64;
    let runs = runs + warmings.iter().map(CasePlan::runs).sum::<usize>() * WARMINGS_MAX;
    let mut progress = Progress::new(runs, seconds);
    let (length, on) = (duration_words(seconds), &results.conditions.server);
    progress.say(&format!("{runs} runs, {length}; server: {on}; seed {}", results.conditions.seed));
    let mut seen = Vec::new();
    for heating in &heatings {
        seen.push(heat(measure, heating, &mut progress)?);
    }
    for (codec, seen) in floods.iter().zip(seen) {
        counted(measure, &cases.flood(*codec, seen), results, &mut progress)?;
    }
    for warming in &warmings {
        results.notes.push(warm(measure, warming, broker, &mut progress)?);
    }
    for case in &others {
        counted(measure, case, results, &mut progress)?;
    }
    progress.done();
    let place = |name: &str| cases::names().iter().position(|it| name.ends_with(it));
    results.contestants.sort_by_key(|it| place(&it.name));
    Ok(())
}

/// One that counts, if anybody takes part.
fn counted(
    measure: &mut Measure<'_>,
    case: &CasePlan,
    results: &mut Results,
    progress: &mut Progress,
) -> Result<(), RigError> {
    if !case.entrants.is_empty() {
        let measured = measure.case(case, results, progress)?;
        results.cases.push(measured);
    }
    Ok(())
}

/// A flood that does not count. Answers what ours had in its requests.
fn heat(
    measure: &mut Measure<'_>,
    case: &CasePlan,
    progress: &mut Progress,
) -> Result<Option<Batches>, RigError> {
    let measured = measure.case(case, &mut Results::default(), progress)?;
    measure.forget(&case.id);
    Ok(measured.cells.iter().flat_map(|cell| &cell.runs).find_map(|run| run.batches))
}

/// What the broker has to be warm for. One that compiles nothing is warm.
fn warmings(args: &KafkaArgs, cases: &Cases, broker: &Broker, is_beside: bool) -> Vec<CasePlan> {
    if !cases.has_ours() || broker.compiled_ns().is_none() {
        return Vec::new();
    }
    let plain = (args.wants(KafkaScenario::Ack) || is_beside).then_some(Codec::None);
    let codecs = plain.into_iter().chain(is_beside.then_some(Codec::Zstd));
    codecs.map(|codec| cases.warming(codec)).collect()
}

/// Runs one of them until the broker hardly compiles. Answers how that went, in words.
fn warm(
    measure: &mut Measure<'_>,
    case: &CasePlan,
    broker: &Broker,
    progress: &mut Progress,
) -> Result<String, RigError> {
    let mut share = 1.0;
    let mut rounds = 0;
    while rounds < WARMINGS_MAX && share > COMPILING_SHARE_MAX {
        let (before, began) = (broker.compiled_ns().unwrap_or(0), Instant::now());
        heat(measure, case, progress)?;
        let compiled = broker.compiled_ns().unwrap_or(0).saturating_sub(before);
        share = compiled as f64 / began.elapsed().as_nanos() as f64;
        rounds += 1;
    }
    let left = WARMINGS_MAX - rounds;
    progress.ended(case.runs() * left, case.estimate() * left as f64);
    Ok(format!(
        "{}: {rounds} runs of ringwire, until the broker's own compiler was quiet ({:.1} % of a core in the last of \
         them; up to {WARMINGS_MAX} runs for less than {:.0} %).",
        case.title,
        share * 100.0,
        COMPILING_SHARE_MAX * 100.0
    ))
}

/// Where there are but two cores, server and broker share one, and what the broker takes from the Redis server would be
/// taken for the client's.
fn beside_words(redis: &Server) -> String {
    let words = if redis.goes_first() {
        "runs ahead of it (SCHED_FIFO), alone as beside Kafka, as if it had a core of its own"
    } else {
        "has no priority here, which needs CAP_SYS_NICE and chrt: what the broker takes from it is in the rise, with \
         compression and without"
    };
    format!("Beside Redis, server and broker share a core where there are but two; the Redis server {words}.")
}

fn notes(rounds: usize, seed: u64) -> Vec<String> {
    let mut notes = vec![
        format!(
            "{rounds} repetitions (thrice as many beside Redis), each a process of its own; in every round the clients run \
             in an order shuffled by seed {seed}. Figures are medians with the lowest and the highest; intervals are 95 % \
             bootstrap intervals over the repetitions, which are few: take them as rough."
        ),
        "Every client sends the same records: 100 B of real quotes, with the name of the channel as key (8 of them), \
         acks=all, idempotent, to one broker and 4 partitions, which its own partitioner chooses. librdkafka and \
         confluent-kafka hash keys with CRC32 by default, the others with murmur2: their partitions differ in how full \
         they are."
            .to_owned(),
        "Before the first run that counts the broker was flooded once with each compression, and each flood begins with \
         messages that do not count: what the broker compiles and the pages that a client touches for the first time \
         are billed to nobody."
            .to_owned(),
        "The floor sends prebuilt requests over a bare socket, as large as ringwire's were on average in that first \
         flood: as many batches, of as many records."
            .to_owned(),
        "Latency counts from the time at which a message was due to the moment at which the application knows the answer: \
         for ringwire a thread that waits for reports and polls them, for librdkafka and confluent-kafka the delivery \
         report's callback on a thread that polls, for franz-go the promise, for the Java client the callback. Every \
         publisher sleeps in clock_nanosleep with a timer slack of 1 ns."
            .to_owned(),
        "CPU is the client's whole process, user and system, from the first counted message to the last answer. In the \
         flood ringwire's shard naps (idle: moderate), in the acknowledgement it parks."
            .to_owned(),
    ];
    if rounds < 5 {
        notes.push(format!("{rounds} repetitions are too few to rely on: this was a quick look."));
    }
    notes
}
