//! Contestants that live in this program: ours, the floor, the rig's own null. Each run is a process of its own.
//!
//! ```text
//!   rig ── starts, pinned ──► PROGRAM client --client NAME --mode ack --schedule FILE --payloads FILE …
//!       ◄── one line of JSON ─┤
//!       ◄── --out: u64 for each message: nanoseconds from its due time to its answer
//!       ◄── --out.late: u64 for each message: how late it was handed over
//! ```
//!
//! The foreign clients obey the same contract in their own languages.

mod decode;
mod encode;
mod floor;
mod kafka_floor;
mod null;
mod ours;
mod pace;
mod publish_cost;
mod record;
mod source;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::kafka::Codec;
use crate::rig::RigError;
pub(crate) use record::{FAILED, late_path, read_u64s, write_u64s};

/// No progress for so long, and a program gives up: longer than any server of this rig pauses.
const PATIENCE_NS: u64 = 60_000_000_000;
/// A subscriber that has heard nothing for so long has heard everything.
const SILENCE_NS: u64 = 3_000_000_000;

/// What a contestant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Open loop, from the due time to the answer.
    Ack,
    /// As many as it takes, with at most a window outstanding.
    Flood,
    /// From the due time in the payload to the application.
    Subscribe,
    /// Ours alone: what a `publish` costs its caller, in tenths of a nanosecond.
    Cost,
    /// Ours alone: messages out and back, for the memory that takes.
    Memory,
    /// In memory: RESP frames, ours beside redis-protocol.
    Decode,
    /// In memory: Kafka's record batches, ours alone.
    Encode,
    /// The rig's own publisher for subscribers.
    Source,
}

impl Mode {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Flood => "flood",
            Self::Subscribe => "subscribe",
            Self::Cost => "cost",
            Self::Memory => "memory",
            Self::Decode => "decode",
            Self::Encode => "encode",
            Self::Source => "source",
        }
    }
}

/// What a contestant is set up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Tuning {
    /// The earliest answer.
    Latency,
    /// The least work.
    Throughput,
}

impl Tuning {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Throughput => "throughput",
        }
    }
}

/// One run of one contestant.
#[derive(Clone, Debug, clap::Args)]
pub struct ClientArgs {
    #[arg(long)]
    client: String,
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    mode: Mode,
    #[arg(long, default_value = "latency")]
    tuning: Tuning,
    #[arg(long)]
    messages: u64,
    #[arg(long, default_value_t = 0)]
    warmup: u64,
    #[arg(long)]
    bytes: usize,
    #[arg(long, default_value_t = 1)]
    channels: u32,
    #[arg(long)]
    payloads: PathBuf,
    #[arg(long)]
    schedule: Option<PathBuf>,
    #[arg(long)]
    out: Option<PathBuf>,
    #[arg(long, default_value_t = 100)]
    window: u32,
    #[arg(long, default_value_t = 1)]
    shards: usize,
    /// Publishing handles; in a flood, threads.
    #[arg(long, default_value_t = 1)]
    publishers: usize,
    /// Connections of which all but one are quiet.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Microseconds that ours naps where it is tuned for throughput: what a wake-up costs is shared by a hundred messages at
    /// 100,000 a second, and a millisecond is added at most.
    #[arg(long, default_value_t = 1_000)]
    nap_us: u64,
    /// A second server, which every other channel leads to.
    #[arg(long)]
    also: Option<SocketAddr>,
    /// How a Kafka's batches are compressed.
    #[arg(long, value_enum, default_value = "none")]
    compression: Codec,
    /// Records of a batch and batches of a request, of the Kafka floor: what the engine's had.
    #[arg(long, default_value_t = 1_000)]
    batch_records: usize,
    #[arg(long, default_value_t = 4)]
    request_batches: usize,
    /// The core of the shard, for `cost`.
    #[arg(long)]
    shard_core: Option<usize>,
}

/// The line of JSON at the end of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// The contestant's name.
    pub client: String,
    /// Of the library that was measured.
    pub version: String,
    /// How it was set up, in words.
    pub settings: Vec<String>,
    /// Messages that counted.
    pub messages: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// From the first counted message to the last answer.
    pub elapsed_ns: u64,
    /// Of the whole process, user and system, in that time.
    pub cpu_ns: u64,
    /// The process' peak.
    pub max_rss_kib: u64,
    /// On CLOCK_MONOTONIC, when the schedule began; of our own contestants alone.
    #[serde(default)]
    pub started_ns: u64,
    /// Resident memory at the end, where that was what was asked for.
    #[serde(default)]
    pub rss_kib: u64,
    /// Mean cost of a call flat out, where that was measured.
    #[serde(default)]
    pub flat_out_ns: Option<f64>,
    /// Records of a batch and batches of a Produce request, where a Kafka flood saw them.
    #[serde(default)]
    pub batches: Option<Batches>,
}

/// What the Produce requests of a flood held on average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batches {
    /// Records of one batch.
    pub records: f64,
    /// Batches of one request.
    pub of_a_request: f64,
}

/// Runs one contestant, and prints its line.
///
/// # Errors
/// [`RigError`] says which file, server or message it failed at.
pub fn run(args: &ClientArgs) -> Result<(), RigError> {
    pace::sharpen_timers();
    let told = match (args.client.as_str(), args.mode) {
        (_, Mode::Source) => source::run(args)?,
        (_, Mode::Decode) => decode::run(args)?,
        (_, Mode::Encode) => encode::run(args)?,
        (_, Mode::Cost) => publish_cost::run(args)?,
        ("ringwire", Mode::Ack) => ours::ack::run(args)?,
        ("ringwire", Mode::Flood) => ours::flood::run(args)?,
        ("ringwire", Mode::Subscribe) => ours::subscribe::run(args)?,
        ("ringwire", Mode::Memory) => ours::memory::run(args)?,
        ("ringwire-kafka", Mode::Ack) => ours::kafka::ack(args)?,
        ("ringwire-kafka", Mode::Flood) => ours::kafka::flood(args)?,
        ("ringwire-beside", Mode::Ack) => ours::kafka::beside(args)?,
        ("kafka-floor", Mode::Flood) => kafka_floor::flood(args)?,
        ("floor", Mode::Ack) => floor::ack(args)?,
        ("floor", Mode::Flood) => floor::flood(args)?,
        ("floor", Mode::Subscribe) => floor::subscribe(args)?,
        ("null" | "null-sleep", Mode::Ack) => null::run(args)?,
        (name, mode) => {
            let told = format!("`{name}` has no mode {}", mode.name());
            return Err(RigError::Contestant { name: name.to_owned(), told });
        }
    };
    // A program's own last word: the rig reads it from standard output.
    println!(
        "{}",
        serde_json::to_string(&told).map_err(|error| RigError::system("its line of JSON", &error))?
    );
    Ok(())
}

impl ClientArgs {
    fn failed(&self, told: impl std::fmt::Display) -> RigError {
        RigError::Contestant { name: self.client.clone(), told: told.to_string() }
    }

    fn channel(&self, index: u32) -> String {
        format!("rig.{index}")
    }

    /// Warm-up and counted messages.
    fn total(&self) -> usize {
        (self.messages + self.warmup) as usize
    }

    fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Records of `bytes` bytes each.
    fn records(&self) -> Result<Records, RigError> {
        let bytes = read(&self.payloads)?;
        if self.bytes == 0 || bytes.is_empty() || bytes.len() % self.bytes != 0 {
            return Err(self.failed(format_args!(
                "{} has {} bytes: expected records of {} bytes",
                self.payloads.display(),
                bytes.len(),
                self.bytes
            )));
        }
        Ok(Records { len: self.bytes, count: bytes.len() / self.bytes, bytes })
    }

    /// When each message is due, in nanoseconds from the start.
    fn due(&self) -> Result<Vec<u64>, RigError> {
        let path = self.schedule.as_ref().ok_or_else(|| self.failed("--schedule is missing"))?;
        let due = read_u64s(path)?;
        if due.len() < self.total() {
            return Err(self.failed(format_args!(
                "{} has {} due times: {} are needed",
                path.display(),
                due.len(),
                self.total()
            )));
        }
        Ok(due)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RigError> {
    std::fs::read(path).map_err(|error| RigError::system(&format!("reading {}", path.display()), &error))
}

/// Payloads of one length.
struct Records {
    bytes: Vec<u8>,
    len: usize,
    count: usize,
}

impl Records {
    #[inline]
    fn of(&self, message: usize) -> &[u8] {
        let at = message % self.count * self.len;
        &self.bytes[at..at + self.len]
    }
}
