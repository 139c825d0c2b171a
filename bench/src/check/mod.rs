//! Is the rig itself right? A server that delays its answers by known times must be measured so.
//!
//! ```text
//!   due time ──► contestant ──► server: notes when it sends each delayed answer ──► contestant: reports a latency
//!       └──────────── expected: sent - due ────────────┘                                    │
//!       └──────────── reported ─────────────────────────────────────────────────────────────┘
//! ```
//!
//! Foreign clients do not say when their clock began: for them it is taken from the message that reached the server soonest
//! after its due time. That is later by this message's way to the server, far less than 2 % of the delays that they get.
//!
//! What is expected is taken from the server's own notes and the due times: a stall of the machine that delays the
//! server or the handing over is in it, and only what happens between the server's send and the contestant's look at
//! the clock is not. A contestant that left out waiting messages, or counted from when it handed them over, would
//! report less than is expected.

mod delayed;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub use delayed::Delays;

use crate::child;
use crate::client::{Told, Tuning, read_u64s, write_u64s};
use crate::contestants::{Contestant, PEERS, find, inside};
use crate::folder::Folder;
use crate::goals::{FLOOR, OURS};
use crate::load::{Shape, payloads};
use crate::machine::{self, Cores};
use crate::rig::RigError;
use crate::stats::histogram;
use delayed::{Delayed, Noted};

/// What a percentile may differ by. The way back, from the server's look at the clock over the loopback to the
/// contestant's, is two system calls and a turn of a loop, some 20 µs: delays are so long that it is within this.
pub const TOLERANCE: f64 = 0.02;
/// A contestant that was kept from its core for more than this share of the time cannot be judged at p99.
const WAITED_SHARE_MAX: f64 = 0.005;
/// A busy machine is given so many chances.
const ATTEMPTS: usize = 5;
/// A check takes a few seconds.
const WITHIN: Duration = Duration::from_secs(60);
/// Bytes of a message; they do not matter here.
const BYTES: usize = 128;
/// Percentiles that are compared.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];

/// What is delayed, and how many messages meet it.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// How long answers take.
    pub delays: Delays,
    /// Messages a second.
    pub rate: u64,
    /// Messages.
    pub messages: u64,
}

/// The trials of `check`: a fixed delay, one that many messages wait for at a time, two delays that do not meet, two of
/// which the longer holds up others, and two distributions, with and without waiting. All are long: see [`TOLERANCE`].
/// The second word is who takes part: for foreign clients, on runtimes of their own, 2 % has to be more than a wake-up takes.
const TRIALS: [(&str, Who, Trial); 6] = [
    ("2 ms each", Who::Own, Trial { delays: Delays::Fixed { ns: 2_000_000 }, rate: 200, messages: 400 }),
    (
        "10 ms each, 10 of them at a time",
        Who::All,
        Trial { delays: Delays::Fixed { ns: 10_000_000 }, rate: 1_000, messages: 2_000 },
    ),
    (
        "3 ms, every 20th 15 ms",
        Who::Own,
        Trial {
            delays: Delays::TwoPoint { ns: 3_000_000, seldom_ns: 15_000_000, every: 20 },
            rate: 60,
            messages: 240,
        },
    ),
    (
        "2 ms, every 100th 50 ms, others wait behind it",
        Who::Own,
        Trial {
            delays: Delays::TwoPoint { ns: 2_000_000, seldom_ns: 50_000_000, every: 100 },
            rate: 1_000,
            messages: 3_000,
        },
    ),
    (
        "3 to 15 ms, evenly spread",
        Who::Own,
        Trial { delays: Delays::Uniform { from_ns: 3_000_000, to_ns: 15_000_000 }, rate: 60, messages: 240 },
    ),
    (
        "10 ms and more, exponential, mean 15 ms",
        Who::All,
        Trial {
            delays: Delays::Exponential { least_ns: 10_000_000, mean_ns: 5_000_000 },
            rate: 500,
            messages: 1_500,
        },
    ),
];

/// Whom a trial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The floor and ringwire.
    Own,
    /// Foreign clients as well.
    All,
}

/// One percentile: what was reported and what the server's notes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Nanoseconds that the rig reports.
    pub reported_ns: u64,
    /// Nanoseconds by the server's notes.
    pub expected_ns: u64,
}

impl Row {
    /// Within [`TOLERANCE`].
    pub fn is_right(&self) -> bool {
        let allowed = (self.expected_ns as f64 * TOLERANCE) as u64;
        self.reported_ns.abs_diff(self.expected_ns) <= allowed
    }
}

/// Percentiles of both, as every report of the rig takes them.
pub fn compare(reported: &[u64], expected: &[u64]) -> [Row; 3] {
    let filled = |values: &[u64]| {
        let mut histogram = histogram();
        values.iter().for_each(|value| histogram.saturating_record((*value).max(1)));
        histogram
    };
    let (reported, expected) = (filled(reported), filled(expected));
    QUANTILES.map(|(name, quantile)| Row {
        name,
        reported_ns: reported.value_at_quantile(quantile),
        expected_ns: expected.value_at_quantile(quantile),
    })
}

/// Measures `client` against the delaying server, and again while the machine is too busy to tell.
///
/// # Errors
/// The contestant failed, or the machine was too busy each time.
fn measure(client: &Contestant, tuning: Tuning, trial: &Trial) -> Result<[Row; 3], RigError> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let trace = trace(client, tuning, trial)?;
        let rows = compare(&trace.reported, &trace.expected);
        if rows.iter().all(Row::is_right) {
            return Ok(rows);
        }
        // Wrong on a quiet machine is wrong.
        if trace.waited_share <= WAITED_SHARE_MAX {
            last = Some(rows);
        }
    }
    last.ok_or_else(|| {
        RigError::Check(format!(
            "cannot tell: {} was kept from its core {ATTEMPTS} times; end other programs",
            client.name
        ))
    })
}

/// One trial, message by message.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Nanoseconds from due time to answer, as the contestant wrote them.
    pub reported: Vec<u64>,
    /// Nanoseconds from due time to the server's sending of the answer, by its notes.
    pub expected: Vec<u64>,
    /// The share of the time for which the contestant was ready and did not run.
    pub waited_share: f64,
}

/// Runs `client` against the delaying server once.
///
/// # Errors
/// The contestant or the server failed.
pub fn trace_own(client: &str, tuning: Tuning, trial: &Trial, own: &[String]) -> Result<Trace, RigError> {
    trace(&inside(client, own), tuning, trial)
}

fn trace(client: &Contestant, tuning: Tuning, trial: &Trial) -> Result<Trace, RigError> {
    let [program, words @ ..] = &client.words[..] else {
        return Err(RigError::Check("this program does not know its own name".to_owned()));
    };
    let name = client.name.as_str();
    let cores = Cores::divide(&machine::allowed());
    let server = Delayed::start(trial.delays, &cores.server)?;
    let folder = Folder::temporary("check")?;
    let path = |name: &str| folder.join(name);
    let due = Shape::Constant.schedule(trial.rate, trial.messages as usize, 0);
    write_u64s(&path("schedule"), &due)?;
    std::fs::write(path("payloads"), payloads(BYTES))
        .map_err(|error| RigError::system("writing payloads", &error))?;
    let mut command = Command::new(program);
    command.args(words).args(["--client", name, "--mode", "ack", "--tuning", tuning.name()]);
    command.args(["--warmup", "0", "--channels", "1", "--window", "100"]);
    command.args(["--address", &server.address.to_string(), "--bytes", &BYTES.to_string()]);
    command.args(["--messages", &trial.messages.to_string()]);
    command.arg("--schedule").arg(path("schedule")).arg("--payloads").arg(path("payloads"));
    command.arg("--out").arg(path("out"));
    let finished = child::start(name, command, &cores.client)?.finish(WITHIN)?;
    let told: Told =
        serde_json::from_str(finished.lines.last().map_or("", String::as_str)).map_err(|error| {
            RigError::failed(name, format_args!("its last line is not the contract's: {error}"))
        })?;
    let sent = server.finish()?;
    let reported = read_u64s(&path("out"))?;
    if sent.len() != due.len() || reported.len() != due.len() {
        let (sent, reported) = (sent.len(), reported.len());
        return Err(RigError::Check(format!("{} messages, {sent} answers, {reported} latencies", due.len())));
    }
    let started_ns = if told.started_ns > 0 { told.started_ns } else { soonest_start(&sent, &due) };
    let expected = |(it, due): (&Noted, &u64)| it.sent_ns.saturating_sub(started_ns + due);
    let expected: Vec<u64> = sent.iter().zip(&due).map(expected).collect();
    let waited_share = finished.waited_ns as f64 / told.elapsed_ns.max(1) as f64;
    Ok(Trace { reported, expected, waited_share })
}

/// When a contestant's clock began that does not say so: as the message tells that was the quickest from its due time to the
/// server.
fn soonest_start(sent: &[Noted], due: &[u64]) -> u64 {
    let starts = sent.iter().zip(due).map(|(it, due)| it.received_ns.saturating_sub(*due));
    starts.min().unwrap_or_default()
}

/// Checks the measurements of the floor, of ringwire and of the foreign clients that are installed, and prints what was found.
///
/// # Errors
/// A percentile is wrong, or cannot be judged.
pub(crate) fn run(peers: Option<&Path>, own: &[String]) -> Result<(), RigError> {
    let (contestants, _) = find(peers, own);
    println!(
        "{:<48} {:<10} {:<5} {:>12} {:>12}",
        "the server answers after", "client", "", "reported", "expected"
    );
    let mut wrong = 0;
    for (name, who, trial) in &TRIALS {
        let is_checked = |it: &&Contestant| match it.name.as_str() {
            FLOOR | OURS => true,
            peer => PEERS.contains(&peer) && *who == Who::All,
        };
        for client in contestants.iter().filter(is_checked) {
            let rows = match measure(client, Tuning::Latency, trial) {
                Ok(rows) => rows,
                Err(error) if client.is_foreign => {
                    println!("{name:<48} {:<10} not checked: {error}", client.name);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let client = &client.name;
            for row in rows {
                let us = |ns: u64| format!("{:.1} µs", ns as f64 / 1_000.0);
                let verdict = if row.is_right() { "" } else { "  WRONG" };
                let (reported, expected) = (us(row.reported_ns), us(row.expected_ns));
                println!("{name:<48} {client:<10} {:<5} {reported:>12} {expected:>12}{verdict}", row.name);
                wrong += usize::from(!row.is_right());
            }
        }
    }
    println!("right is within {:.0} %; expected by the server's own notes", TOLERANCE * 100.0);
    if wrong > 0 { Err(RigError::Check(format!("{wrong} percentiles are off"))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(reported: &[u64], expected: &[u64]) -> [bool; 3] {
        compare(reported, expected).map(|row| row.is_right())
    }

    #[test]
    fn the_quickest_message_tells_when_the_clock_began() {
        let noted = |received_ns: u64| Noted { received_ns, sent_ns: received_ns + 5 };
        assert_eq!(soonest_start(&[1_030, 1_120, 1_250].map(noted), &[0, 100, 200]), 1_020);
        assert_eq!(soonest_start(&[], &[]), 0);
    }

    #[test]
    fn what_is_off_is_noticed() {
        // Twenty of a hundred wait behind a stall, each a little less than the one before it.
        let expected: Vec<u64> = (0..1_000)
            .map(|at| if at % 100 < 20 { 20_000_000 - at % 100 * 1_000_000 } else { 200_000 })
            .collect();
        let plus = |ns: u64| expected.iter().map(|it| it + ns).collect::<Vec<_>>();
        assert_eq!(rights(&expected, &expected), [true; 3]);
        let percent = |share: u64| plus(200_000 * share / 100);
        assert_eq!(rights(&percent(1), &expected), [true; 3]);
        assert_eq!(rights(&percent(3), &expected), [false, true, true]);
        // Who stops sending during a stall sees one slow answer instead of twenty.
        let omitted: Vec<u64> =
            expected.iter().enumerate().map(|(at, it)| if at % 100 == 0 { *it } else { 200_000 }).collect();
        assert!(!compare(&omitted, &expected)[2].is_right(), "coordinated omission is noticed");
        let wrong_unit: Vec<u64> = expected.iter().map(|it| it / 10).collect();
        assert_eq!(rights(&wrong_unit, &expected), [false; 3]);
    }
}
