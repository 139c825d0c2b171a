//! What one run has to do, from the command line and the files that it names.

use std::collections::HashMap;
use std::str::FromStr;

use crate::Failure;

pub(crate) struct Plan {
    pub(crate) client: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) mode: Mode,
    /// `--tuning throughput`; otherwise latency.
    pub(crate) throughput: bool,
    /// Counted messages.
    pub(crate) messages: usize,
    /// Messages before the counted ones.
    pub(crate) warmup: usize,
    pub(crate) window: usize,
    pub(crate) out: String,
    /// Nanoseconds from the start at which each message is due (mode ack).
    pub(crate) schedule: Vec<u64>,
    pub(crate) channels: Vec<String>,
    payloads: Vec<&'static [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Ack,
    Flood,
    Subscribe,
}

impl Plan {
    /// The plan and its payloads live as long as the process: they are leaked, so that no message pays for sharing them.
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<&'static Self, Failure> {
        let mut given = HashMap::new();
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            given.insert(name, value);
        }
        let options = Options(given);
        let mode = match options.text("--mode")? {
            "ack" => Mode::Ack,
            "flood" => Mode::Flood,
            "subscribe" => Mode::Subscribe,
            other => return Err(format!("--mode {other}: ack, flood or subscribe").into()),
        };
        let throughput = match options.text("--tuning")? {
            "latency" => false,
            "throughput" => true,
            other => return Err(format!("--tuning {other}: latency or throughput").into()),
        };
        let address = options.text("--address")?;
        let (host, port) = address.rsplit_once(':').ok_or("--address: HOST:PORT")?;
        let channels: usize = options.at_least("--channels", 1)?;
        let mut plan = Self {
            client: options.text("--client")?.to_owned(),
            host: host.to_owned(),
            port: port.parse().map_err(|error| format!("--address {address}: {error}"))?,
            mode,
            throughput,
            messages: options.at_least("--messages", 1)?,
            warmup: options.at_least("--warmup", 0)?,
            window: options.at_least("--window", 1)?,
            out: String::new(),
            schedule: Vec::new(),
            channels: (0..channels).map(|channel| format!("rig.{channel}")).collect(),
            payloads: Vec::new(),
        };
        if mode != Mode::Flood {
            plan.out = options.text("--out")?.to_owned();
        }
        if mode != Mode::Subscribe {
            let bytes: &'static [u8] = read(options.text("--payloads")?)?.leak();
            plan.payloads = bytes.chunks_exact(options.at_least("--bytes", 1)?).collect();
            if plan.payloads.is_empty() {
                return Err("--payloads: less than one record of --bytes".into());
            }
        }
        if mode == Mode::Ack {
            let schedule = read(options.text("--schedule")?)?;
            let (words, _) = schedule.as_chunks();
            plan.schedule = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
            if plan.schedule.len() < plan.total() {
                return Err(format!("--schedule: {} of {} times", plan.schedule.len(), plan.total()).into());
            }
        }
        Ok(Box::leak(Box::new(plan)))
    }

    /// With the warm-up.
    pub(crate) fn total(&self) -> usize {
        self.warmup + self.messages
    }

    pub(crate) fn channel_index(&self, message: usize) -> usize {
        message % self.channels.len()
    }

    pub(crate) fn payload(&self, message: usize) -> &'static [u8] {
        self.payloads[message % self.payloads.len()]
    }
}

struct Options(HashMap<String, String>);

impl Options {
    fn text(&self, name: &str) -> Result<&str, Failure> {
        self.0.get(name).map(String::as_str).ok_or_else(|| format!("{name} is missing").into())
    }

    fn at_least<T: FromStr + PartialOrd>(&self, name: &str, least: T) -> Result<T, Failure> {
        let text = self.text(name)?;
        let value = text.parse().ok().filter(|value| *value >= least);
        value.ok_or_else(|| format!("{name} {text}: a number that is large enough").into())
    }
}

fn read(path: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| format!("{path}: {error}").into())
}
