//! What is offered: when each message is due, what it carries, on how many channels.
//!
//! ```text
//!   shape, rate, seed ──► schedule: nanoseconds from the start, one for each message ──► file of u64 (LE)
//!   quotes ──► records of exactly N bytes: consecutive lines joined and cut         ──► file of bytes
//! ```
//!
//! Every contestant of a comparison reads the same two files.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Recorded quotes: their lines are the payloads, the gaps between their times the real schedule.
const QUOTES: &str = include_str!("../data/eurusd-quotes.csv");

/// Messages that are due at the same instant in a burst: an order book that is republished.
pub const BURST: u64 = 100;
/// More records teach a compressor or a cache nothing new.
const RECORDS_MAX: usize = 1_024;
/// All records together stay in a second-level cache's reach: the payloads are not what is measured.
const RECORDS_BYTES_MAX: usize = 4 << 20;
/// The smallest payload that carries its due time as 16 hexadecimal digits.
pub const BYTES_MIN: usize = 16;
/// The largest payload that the rig offers.
pub const BYTES_MAX: usize = 16 << 10;
/// The most channels that the rig offers.
pub const CHANNELS_MAX: u32 = 10_000;

const NS_PER_S: u64 = 1_000_000_000;

/// How the due times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Equal gaps.
    Constant,
    /// Independent arrivals: exponential gaps.
    Poisson,
    /// A hundred messages at one instant, then silence.
    Bursts,
    /// The gaps of the recorded quotes, scaled to the mean rate.
    Ticks,
}

impl Shape {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Bursts => "bursts",
            Self::Ticks => "ticks",
        }
    }

    /// When `count` messages are due at `rate` messages a second on average: nanoseconds from the start, ascending.
    pub fn schedule(self, rate: u64, count: usize, seed: u64) -> Vec<u64> {
        let rate = rate.max(1);
        let mean_ns = NS_PER_S as f64 / rate as f64;
        let every = |index: u64| (u128::from(index) * u128::from(NS_PER_S) / u128::from(rate)) as u64;
        match self {
            Self::Constant => (0..count as u64).map(every).collect(),
            Self::Bursts => (0..count as u64).map(|index| every(index / BURST * BURST)).collect(),
            Self::Poisson => {
                let mut random = Random::new(seed);
                accumulate(count, || -(1.0 - random.unit()).ln() * mean_ns)
            }
            Self::Ticks => {
                let gaps = quote_gaps();
                let scale = mean_ns * gaps.len() as f64 / gaps.iter().sum::<f64>().max(1.0);
                let mut next = gaps.iter().cycle();
                accumulate(count, || next.next().map_or(mean_ns, |gap| gap * scale))
            }
        }
    }
}

/// The first is due at once, each other one `gap` behind the one before it.
fn accumulate(count: usize, mut gap: impl FnMut() -> f64) -> Vec<u64> {
    let mut at = 0.0;
    let mut due = Vec::with_capacity(count);
    for _ in 0..count {
        due.push(at as u64);
        at += gap();
    }
    due
}

/// Nanoseconds between neighbouring quotes.
fn quote_gaps() -> Vec<f64> {
    let times: Vec<i64> =
        QUOTES.lines().skip(1).filter_map(|line| line.split(',').next()?.parse().ok()).collect();
    times.windows(2).map(|pair| (pair[1] - pair[0]).max(0) as f64).collect()
}

/// Records of exactly `bytes` bytes, one behind the other: consecutive quote lines joined and cut.
pub fn payloads(bytes: usize) -> Vec<u8> {
    let lines: Vec<&str> = QUOTES.lines().skip(1).collect();
    let records = (RECORDS_BYTES_MAX / bytes.max(1)).clamp(1, RECORDS_MAX);
    let mut out = Vec::with_capacity(records * bytes);
    let mut next = lines.iter().cycle();
    for _ in 0..records {
        let end = out.len() + bytes;
        while out.len() < end
            && let Some(line) = next.next()
        {
            out.extend_from_slice(line.as_bytes());
        }
        out.truncate(end);
    }
    out
}

/// One load, the same for every contestant that meets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// How the due times are spread; no matter in a flood.
    pub shape: Shape,
    /// Messages a second on average; 0 in a flood: as many as it takes.
    pub rate: u64,
    /// Bytes of a payload.
    pub bytes: usize,
    /// Channels, in turn.
    pub channels: u32,
    /// Messages that count.
    pub messages: u64,
    /// Messages before them that do not.
    pub warmup: u64,
}

impl Load {
    /// How long the counted messages take at the offered rate, in seconds; 0 in a flood.
    pub fn seconds(&self) -> f64 {
        if self.rate == 0 { 0.0 } else { self.messages as f64 / self.rate as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schedule never goes back, begins at once, and has the rate that was asked for.
    fn check(shape: Shape, rate: u64, count: usize) {
        let due = shape.schedule(rate, count, 7);
        assert_eq!((due.len(), due[0]), (count, 0), "{shape:?}");
        assert!(due.windows(2).all(|pair| pair[0] <= pair[1]), "{shape:?} never goes back");
        let seconds = *due.last().expect("it is not empty") as f64 / NS_PER_S as f64;
        let found = count as f64 / seconds;
        assert!((found / rate as f64 - 1.0).abs() < 0.05, "{shape:?}: {found} instead of {rate} a second");
    }

    #[test]
    fn schedules_keep_their_rate() {
        for shape in [Shape::Constant, Shape::Poisson, Shape::Bursts, Shape::Ticks] {
            for rate in [1_000, 100_000] {
                // Whole rounds of the recorded quotes.
                check(shape, rate, (quote_gaps().len()) * 4);
            }
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        let schedule = |seed| Shape::Poisson.schedule(50_000, 1_000, seed);
        assert_eq!(schedule(1), schedule(1));
        assert_ne!(schedule(1), schedule(2));
    }

    #[test]
    fn bursts_come_at_once() {
        let due = Shape::Bursts.schedule(100_000, 1_000, 0);
        assert!(due.chunks(BURST as usize).all(|burst| burst.iter().all(|at| *at == burst[0])));
        assert_eq!(due[BURST as usize], 1_000_000);
    }

    #[test]
    fn records_have_exactly_their_length() {
        for bytes in [BYTES_MIN, 100, 128, 1_000, BYTES_MAX] {
            let records = payloads(bytes);
            assert!(!records.is_empty() && records.len().is_multiple_of(bytes), "{bytes}");
            assert!(records.len() <= RECORDS_BYTES_MAX.max(bytes), "{bytes}");
        }
        assert!(payloads(100).starts_with(b"1577916000065000000,EURUSD,1.121200,1.121720"));
    }
}
