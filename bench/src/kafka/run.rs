//! `ringwire bench kafka`: what is run, by whom, and the table of it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use super::broker::Broker;
use super::{Codec, PARTITIONS};
use crate::child;
use crate::client::{Told, read_u64s, write_u64s};
use crate::contestants;
use crate::load::{Shape, payloads};
use crate::machine::{self, Conditions, Cores};
use crate::random::Random;
use crate::rig::{RigError, own_words, thousands};
use crate::server::Server;
use crate::stats::median;

/// Bytes of a message: two quotes and a bit.
const BYTES: usize = 100;
/// Messages of a flood, and before them those that do not count.
const FLOOD: (u64, u64) = (1_000_000, 200_000);
/// Messages a second of the acknowledgement, and for how long.
const RATE: u64 = 50_000;
const ACK: (u64, u64) = (250_000, 50_000);
/// Messages a second on Redis beside Kafka's, and how many count.
const BESIDE_RATE: u64 = 20_000;
const BESIDE: (u64, u64) = (100_000, 20_000);
/// Channels of ours. Their names spread over the partitions.
const CHANNELS: u32 = 8;
/// A run takes seconds; a client that hangs is ended.
const PATIENCE: Duration = Duration::from_secs(90);
/// Lingers that librdkafka is tried with, in milliseconds: it has no setting that is best for everybody.
const LINGERS: [&str; 3] = ["0", "1", "5"];
const OURS: &str = "ringwire-kafka";
const FLOOR: &str = "kafka-floor";
const BESIDE_CLIENT: &str = "ringwire-beside";
/// As `bench/peers/install` calls them.
const PEERS: [&str; 2] = ["librdkafka", "franz-go"];

/// A part of the Kafka report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KafkaScenario {
    /// As fast as it goes: messages a second, CPU for each.
    Flood,
    /// From the due time to the acknowledgement at 50,000/s.
    Ack,
    /// A Redis leg with and without a Kafka leg on its shard that compresses with zstd at 50,000/s.
    BesideRedis,
}

/// Measures the Kafka producer beside other clients and a bare socket, against a real broker that it starts itself. It
/// takes some minutes, and is no part of `ringwire bench` alone.
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
    /// Repetitions of each run.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    repetitions: u64,
    /// Where the foreign clients are installed.
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Folder for the table and its figures; `ringwire-kafka-YYYYMMDD-HHMMSS` unless given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// One client in one scenario.
#[derive(Clone, Debug)]
struct Entrant {
    label: String,
    /// As `--client` names it.
    client: String,
    words: Vec<String>,
    /// Further arguments.
    extra: Vec<String>,
}

/// What one client did in all rounds: medians.
#[derive(Clone, Debug, Default, Serialize)]
struct Row {
    scenario: String,
    client: String,
    version: String,
    settings: Vec<String>,
    runs: Vec<Figures>,
    trouble: Option<String>,
}

/// What one run found.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Figures {
    rate: f64,
    cpu_ns: f64,
    rss_mib: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    failed: u64,
}

struct Rig {
    folder: PathBuf,
    cores: Cores,
    broker: Broker,
    random: Random,
    rounds: u64,
    payloads: PathBuf,
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs what was asked for, and prints its tables.
///
/// # Errors
/// There is no broker, or a file cannot be written. A client that fails is named in the table.
pub(crate) fn run(args: &KafkaArgs) -> Result<(), RigError> {
    let cores = Cores::divide(&machine::allowed());
    let name = format!("ringwire-kafka-{}", machine::date("%Y%m%d-%H%M%S"));
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(name));
    let failed = |what: String| move |error: std::io::Error| RigError::system(&what, &error);
    fs::create_dir_all(&out).map_err(failed(format!("making the folder {}", out.display())))?;
    let seed = ringwire::monotonic_ns();
    let mut conditions = Conditions { cores: cores.words(), seed, ..Conditions::read() };
    let broker = Broker::start(&cores.server)?;
    conditions.server.clone_from(&broker.words);
    let folder = std::env::temp_dir().join(format!("ringwire-bench-clients-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(failed(format!("making the folder {}", folder.display())))?;
    let payloads_file = folder.join("payloads");
    fs::write(&payloads_file, payloads(BYTES)).map_err(failed("writing the payloads".to_owned()))?;
    let (random, rounds) = (Random::new(seed), args.repetitions);
    let mut rig = Rig { folder, cores, broker, random, rounds, payloads: payloads_file };
    let wants = |scenario| args.only.is_empty() || args.only.contains(&scenario);
    let (able, absent) = able(args)?;
    let mut rows = Vec::new();
    if wants(KafkaScenario::Flood) {
        for codec in &args.compression {
            rows.extend(rig.flood(*codec, &able));
        }
    }
    if wants(KafkaScenario::Ack) {
        rows.extend(rig.ack(&able));
    }
    if wants(KafkaScenario::BesideRedis) && able.iter().any(|it| it.label == OURS) {
        rows.extend(rig.beside_redis()?);
    }
    let text = table(&conditions, &rows, &absent);
    let json = serde_json::to_string_pretty(&(&conditions, &rows))
        .map_err(|error| RigError::system("writing the figures", &error))?;
    for (name, text) in [("table.txt", &text), ("figures.json", &json)] {
        fs::write(out.join(name), text).map_err(failed(format!("writing {name}")))?;
    }
    println!("{text}written to {}", out.display());
    Ok(())
}

/// Who can take part, and who is not installed.
fn able(args: &KafkaArgs) -> Result<(Vec<Entrant>, Vec<String>), RigError> {
    let mut own = own_words()?;
    own.push("client".to_owned());
    let wants = |name: &str| args.clients.is_empty() || args.clients.iter().any(|it| it == name);
    let entrant = |name: &str, words: Vec<String>| Entrant {
        label: name.to_owned(),
        client: name.to_owned(),
        words,
        extra: Vec::new(),
    };
    let mut able: Vec<Entrant> = [OURS, FLOOR].map(|name| entrant(name, own.clone())).into();
    let mut absent = Vec::new();
    for name in PEERS {
        match contestants::installed(args.peers.as_deref(), name) {
            Some(program) => able.push(entrant(name, vec![program.to_string_lossy().into_owned()])),
            None => absent.push(format!("{name}: not installed (bench/peers/install {name})")),
        }
    }
    able.retain(|it| wants(&it.label));
    absent.retain(|it| wants(it.split(':').next().unwrap_or_default()));
    Ok((able, absent))
}

impl Rig {
    fn flood(&mut self, codec: Codec, able: &[Entrant]) -> Vec<Row> {
        let title = format!("flood, compression {}", codec.name());
        let compression = ["--compression".to_owned(), codec.name().to_owned()];
        let entrants: Vec<Entrant> =
            able.iter().map(|it| Entrant { extra: compression.to_vec(), ..it.clone() }).collect();
        self.rounds(&title, "flood", &entrants, FLOOD, 0)
    }

    fn ack(&mut self, able: &[Entrant]) -> Vec<Row> {
        let mut entrants = Vec::new();
        for entrant in able.iter().filter(|it| it.label != FLOOR) {
            if entrant.label == OURS {
                entrants.push(entrant.clone());
                continue;
            }
            entrants.extend(LINGERS.map(|linger| Entrant {
                label: format!("{}, linger {linger} ms", entrant.label),
                extra: vec!["--linger".to_owned(), linger.to_owned()],
                ..entrant.clone()
            }));
        }
        let title = format!("due time to acknowledgement at {}/s", thousands(RATE));
        self.rounds(&title, "ack", &entrants, ACK, RATE)
    }

    fn beside_redis(&mut self) -> Result<Vec<Row>, RigError> {
        let own = own_words()?;
        let redis = Server::start(false, &own, &self.cores.server, false)?;
        let mut words = own;
        words.push("client".to_owned());
        let address = |at: &str| vec!["--address".to_owned(), at.to_owned()];
        let redis_at = address(&redis.address.to_string());
        let kafka = ["--also".to_owned(), self.broker.address.to_string(), "--compression".to_owned()];
        let with = [&redis_at[..], &kafka, &["zstd".to_owned()]].concat();
        let entrant = |label: &str, extra: Vec<String>| Entrant {
            label: label.to_owned(),
            client: BESIDE_CLIENT.to_owned(),
            words: words.clone(),
            extra,
        };
        let entrants =
            [entrant("Redis leg alone", redis_at), entrant("beside Kafka, zstd at 50,000/s", with)];
        let title = format!("a Redis leg at {}/s on a shard with Kafka", thousands(BESIDE_RATE));
        Ok(self.rounds(&title, "ack", &entrants, BESIDE, BESIDE_RATE))
    }

    /// Every entrant once in each round, in an order that is drawn anew.
    fn rounds(
        &mut self,
        title: &str,
        mode: &str,
        entrants: &[Entrant],
        (messages, warmup): (u64, u64),
        rate: u64,
    ) -> Vec<Row> {
        let row =
            |it: &Entrant| Row { scenario: title.to_owned(), client: it.label.clone(), ..Row::default() };
        let mut rows: Vec<Row> = entrants.iter().map(row).collect();
        for round in 0..self.rounds {
            let mut order: Vec<usize> = (0..entrants.len()).collect();
            self.random.shuffle(&mut order);
            for at in order {
                if rows[at].trouble.is_some() {
                    continue;
                }
                eprintln!("{title}: {} ({} of {})", entrants[at].label, round + 1, self.rounds);
                match self.once(mode, &entrants[at], messages, warmup, rate) {
                    Ok((told, figures)) => {
                        rows[at].version = told.version;
                        rows[at].settings = told.settings;
                        rows[at].runs.push(figures);
                    }
                    Err(error) => rows[at].trouble = Some(error.to_string()),
                }
            }
        }
        rows
    }

    fn once(
        &mut self,
        mode: &str,
        entrant: &Entrant,
        messages: u64,
        warmup: u64,
        rate: u64,
    ) -> Result<(Told, Figures), RigError> {
        let (schedule, out) = (self.folder.join("schedule"), self.folder.join("out"));
        let due = if rate == 0 {
            Vec::new()
        } else {
            Shape::Constant.schedule(rate, (messages + warmup) as usize, 0)
        };
        write_u64s(&schedule, &due)?;
        let _ = fs::remove_file(&out);
        let mut command = Command::new(&entrant.words[0]);
        command.args(&entrant.words[1..]).args(["--client", &entrant.client, "--mode", mode]);
        if entrant.client != BESIDE_CLIENT {
            command.args(["--address", &self.broker.address.to_string()]);
        }
        let tuning = if mode == "flood" { "throughput" } else { "latency" };
        command.args([
            "--tuning",
            tuning,
            "--bytes",
            &BYTES.to_string(),
            "--channels",
            &CHANNELS.to_string(),
        ]);
        command.args(["--messages", &messages.to_string(), "--warmup", &warmup.to_string()]);
        // What is outstanding, the client's own queue bounds.
        command.args(["--window", &(messages + warmup).to_string()]).args(&entrant.extra);
        command.arg("--payloads").arg(&self.payloads).arg("--schedule").arg(&schedule).arg("--out").arg(&out);
        let finished = child::start(&entrant.label, command, &self.cores.client)?.finish(PATIENCE)?;
        let line = finished.lines.last().map_or("", String::as_str);
        let told: Told = serde_json::from_str(line).map_err(|error| {
            RigError::failed(&entrant.label, format_args!("its last line is not the contract's: {error}"))
        })?;
        let latencies = if mode == "ack" { read_u64s(&out)? } else { Vec::new() };
        Ok((told.clone(), figures(&told, latencies)))
    }
}

fn figures(told: &Told, mut latencies: Vec<u64>) -> Figures {
    latencies.sort_unstable();
    let at = |quantile: f64| {
        let index = (latencies.len() as f64 * quantile) as usize;
        latencies.get(index.min(latencies.len().saturating_sub(1))).map_or(0.0, |ns| *ns as f64 / 1e3)
    };
    Figures {
        rate: told.messages as f64 * 1e9 / (told.elapsed_ns as f64).max(1.0),
        cpu_ns: told.cpu_ns as f64 / (told.messages as f64).max(1.0),
        rss_mib: told.max_rss_kib as f64 / 1024.0,
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
        failed: told.failed,
    }
}

/// The tables as text: medians of the rounds.
fn table(conditions: &Conditions, rows: &[Row], absent: &[String]) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        let _ = writeln!(text, "{words}");
    };
    line(format!("{}, {}, {}", conditions.date, conditions.cpu, conditions.kernel));
    line(format!("{}; {}; load before: {}", conditions.server, conditions.cores, conditions.load_before));
    line(format!(
        "{BYTES} B of real quotes, {CHANNELS} channels, {PARTITIONS} partitions, acks=all, idempotent; CPU of the whole \
         client; medians of the rounds"
    ));
    let mut scenario = "";
    for row in rows {
        if row.scenario != scenario {
            scenario = &row.scenario;
            line(format!("\n{scenario}"));
            line(format!(
                "  {:<34} {:>10} {:>9} {:>8} {:>10} {:>10} {:>10}",
                "", "msg/s", "CPU ns", "RSS MiB", "p50 µs", "p99 µs", "p99.9 µs"
            ));
        }
        let middle = |figure: fn(&Figures) -> f64| {
            median(&row.runs.iter().map(figure).collect::<Vec<_>>()).unwrap_or(0.0)
        };
        let latency = |figure: fn(&Figures) -> f64| match middle(figure) {
            0.0 => "-".to_owned(),
            found => format!("{found:.0}"),
        };
        let failed: u64 = row.runs.iter().map(|it| it.failed).sum();
        let remark = match (&row.trouble, failed) {
            (Some(trouble), _) => format!("  {trouble}"),
            (None, 0) => String::new(),
            (None, failed) => format!("  {failed} failed"),
        };
        line(format!(
            "  {:<34} {:>10} {:>9.0} {:>8.1} {:>10} {:>10} {:>10}{remark}",
            format!("{} {}", row.client, row.version),
            thousands(middle(|it| it.rate) as u64),
            middle(|it| it.cpu_ns),
            middle(|it| it.rss_mib),
            latency(|it| it.p50_us),
            latency(|it| it.p99_us),
            latency(|it| it.p999_us),
        ));
    }
    for words in absent {
        line(words.clone());
    }
    text
}
