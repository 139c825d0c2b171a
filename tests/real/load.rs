//! A publisher under load, what became of each message, and the judgement: outcomes against what was seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringwire::{Channel, Engine, Outcome, Publisher, Refusal, Report, Reports, monotonic_ns};

use crate::journal::Seen;
use crate::patience::until;

/// How the load is made.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) channels: &'static [&'static str],
    /// Messages a second; without one, as fast as they are taken.
    pub(crate) rate: Option<u64>,
    pub(crate) payload_len: usize,
}

/// How far the load has come.
#[derive(Default)]
pub(crate) struct Progress {
    delivered: AtomicU64,
    unknown: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    pub(crate) fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    /// Waits until `count` more messages were delivered.
    pub(crate) fn await_delivered(&self, count: u64) {
        let goal = self.delivered() + count;
        until("messages to be delivered", || self.delivered() >= goal);
    }
}

pub(crate) struct Load {
    pub(crate) progress: Arc<Progress>,
    thread: JoinHandle<Ledger>,
}

impl Load {
    pub(crate) fn start(engine: &Engine, plan: Plan) -> Self {
        let channels: Vec<Channel> =
            plan.channels.iter().map(|name| engine.channel(name).expect("a channel opens")).collect();
        let (publisher, reports) = engine.publisher().expect("a publisher opens");
        let progress = Arc::new(Progress::default());
        let ledger = Ledger { names: plan.channels, entries: Vec::new(), seen_reports: 0 };
        let mut source =
            Source { publisher, reports, channels, plan, progress: progress.clone(), ledger, offered: 0 };
        let thread = thread::spawn(move || {
            source.run();
            source.ledger
        });
        Self { progress, thread }
    }

    /// Ends the load, waits for every outcome, and answers them.
    pub(crate) fn finish(self) -> Ledger {
        self.progress.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load ends")
    }
}

struct Source {
    publisher: Publisher,
    reports: Reports,
    channels: Vec<Channel>,
    plan: Plan,
    progress: Arc<Progress>,
    ledger: Ledger,
    /// Messages that were accepted or refused.
    offered: u64,
}

/// Between two looks at the clock, so that a load that lags does not leave its reports unpolled.
const BURST_MAX: u64 = 256;
/// Longest wait for reports before the clock says that messages are due again.
const TICK: Duration = Duration::from_millis(1);

impl Source {
    fn run(&mut self) {
        let begin = Instant::now();
        let mut payload = vec![FILLER; self.plan.payload_len];
        while !self.progress.stop.load(Ordering::Relaxed) {
            let due = self.plan.rate.map_or(u64::MAX, |rate| {
                (begin.elapsed().as_nanos() * u128::from(rate) / 1_000_000_000) as u64
            });
            let burst = due.saturating_sub(self.offered).min(BURST_MAX);
            for _ in 0..burst {
                self.offer(&mut payload);
            }
            if burst < BURST_MAX {
                self.reports.wait(TICK);
            }
            self.poll();
        }
        let accepted = self.publisher.accepted() as usize;
        until("the outcome of every message", || {
            self.poll();
            self.ledger.seen_reports >= accepted
        });
    }

    fn offer(&mut self, payload: &mut [u8]) {
        let number = self.publisher.accepted();
        let channel = (self.offered % self.channels.len() as u64) as usize;
        self.offered += 1;
        payload[..NUMBER_LEN].copy_from_slice(&number.to_le_bytes());
        match self.publisher.publish(&self.channels[channel], payload) {
            Ok(sequence) => {
                assert_eq!(sequence, number, "sequences are dense");
                let accepted_ns = monotonic_ns();
                self.ledger.entries.push(Entry {
                    channel,
                    verdict: None,
                    accepted_ns,
                    settled_ns: 0,
                    told_ns: 0,
                });
            }
            // A load does not wait: what is refused is not said.
            Err(Refusal::NotConnected | Refusal::BackPressured | Refusal::ReportsFull) => {}
            Err(refusal) => panic!("{refusal}"),
        }
    }

    fn poll(&mut self) {
        let Self { reports, ledger, progress, .. } = self;
        let told_ns = monotonic_ns();
        reports.poll(usize::MAX, |report| {
            ledger.enter(report, told_ns);
            match report.outcome {
                Outcome::Delivered => progress.delivered.fetch_add(1, Ordering::Relaxed),
                Outcome::Unknown => progress.unknown.fetch_add(1, Ordering::Relaxed),
                Outcome::NotSent => 0,
            };
        });
    }
}

const NUMBER_LEN: usize = 8;
/// What a payload consists of behind its number.
const FILLER: u8 = 0x5a;

/// The shortest payload of message `number`.
pub(crate) fn numbered(number: u64) -> [u8; NUMBER_LEN] {
    number.to_le_bytes()
}

/// Number of a message, from its payload, which has to be whole.
pub(crate) fn number(payload: &[u8]) -> u64 {
    let (number, filler) = payload.split_at(NUMBER_LEN);
    assert!(filler.iter().all(|byte| *byte == FILLER), "a payload has changed on its way");
    u64::from_le_bytes(number.try_into().expect("it has the length of a number"))
}

#[derive(Debug)]
struct Entry {
    channel: usize,
    verdict: Option<Outcome>,
    accepted_ns: u64,
    /// When the shard learnt of its outcome.
    settled_ns: u64,
    /// When the publisher did.
    told_ns: u64,
}

/// Every accepted message and its outcome.
#[derive(Debug)]
pub(crate) struct Ledger {
    names: &'static [&'static str],
    entries: Vec<Entry>,
    seen_reports: usize,
}

impl Ledger {
    fn enter(&mut self, report: &Report, told_ns: u64) {
        let entry = &mut self.entries[report.sequence as usize];
        assert_eq!(
            entry.verdict.replace(report.outcome),
            None,
            "message {} has two outcomes",
            report.sequence
        );
        (entry.settled_ns, entry.told_ns) = (report.at_ns, told_ns);
        self.seen_reports += 1;
    }

    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.entries.iter().filter(|entry| entry.verdict == Some(outcome)).count() as u64
    }

    /// From the acceptance of a delivered message to its report: at most this, for so large a part of them.
    pub(crate) fn latency(&self, part: f64) -> Duration {
        let delivered = self.entries.iter().filter(|entry| entry.verdict == Some(Outcome::Delivered));
        let mut all: Vec<u64> =
            delivered.map(|entry| entry.told_ns.saturating_sub(entry.accepted_ns)).collect();
        all.sort_unstable();
        let index = (all.len() as f64 * part) as usize;
        Duration::from_nanos(all.get(index).copied().unwrap_or(0))
    }

    /// When the first message was delivered, at `since_ns` or later, of those that were accepted at
    /// `accepted_since_ns` or later.
    pub(crate) fn first_delivery_ns(&self, accepted_since_ns: u64, since_ns: u64) -> Option<u64> {
        let delivered = self.entries.iter().filter(|entry| {
            entry.verdict == Some(Outcome::Delivered)
                && entry.accepted_ns >= accepted_since_ns
                && entry.settled_ns >= since_ns
        });
        delivered.map(|entry| entry.settled_ns).min()
    }

    /// Messages that were delivered from `since_ns` to `until_ns`.
    pub(crate) fn delivered_within(&self, since_ns: u64, until_ns: u64) -> u64 {
        let within = self.entries.iter().filter(|entry| (since_ns..until_ns).contains(&entry.settled_ns));
        within.filter(|entry| entry.verdict == Some(Outcome::Delivered)).count() as u64
    }

    /// This load's own messages, among those of others.
    fn own<'a>(&self, record: &'a [Seen]) -> impl Iterator<Item = &'a Seen> {
        record.iter().filter(|seen| self.names.contains(&seen.channel.as_str()))
    }

    fn outcome(&self, number: u64) -> Outcome {
        self.entries[number as usize].verdict.expect("it has an outcome")
    }

    /// Judges a record, in which other loads' messages may stand as well, and the parts of which are each without a known interruption: one for each life of a server, or
    /// between two gaps. Each message once, in order on its channel, never one that was *not sent*; and within a
    /// channel's part nothing is missing that was *delivered*.
    pub(crate) fn judge(&self, parts: &[Vec<Seen>]) {
        assert!(self.entries.iter().all(|entry| entry.verdict.is_some()), "each message has an outcome");
        let mut last: Vec<Option<u64>> = vec![None; self.names.len()];
        for part in parts {
            for seen in self.own(part) {
                let number = seen.number;
                let channel = self.entries[number as usize].channel;
                assert_eq!(self.names[channel], seen.channel, "message {number} came on another channel");
                assert!(last[channel] < Some(number), "message {number} came after {:?}", last[channel]);
                last[channel] = Some(number);
                assert_ne!(self.outcome(number), Outcome::NotSent, "message {number} was seen");
            }
            for channel in 0..self.names.len() {
                self.assert_no_hole(channel, part);
            }
        }
    }

    fn assert_no_hole(&self, channel: usize, part: &[Seen]) {
        let mut mine = part.iter().filter(|seen| seen.channel == self.names[channel]).map(|seen| seen.number);
        let Some(mut next) = mine.next() else { return };
        for number in mine {
            for missing in next + 1..number {
                let elsewhere = self.entries[missing as usize].channel != channel;
                let outcome = self.outcome(missing);
                assert!(elsewhere || outcome != Outcome::Delivered, "{missing} was delivered and not seen");
            }
            next = number;
        }
    }

    /// Every message that was *delivered* is in `record`.
    pub(crate) fn assert_all_delivered_seen(&self, record: &[Seen]) {
        let mut was_seen = vec![false; self.entries.len()];
        for seen in self.own(record) {
            was_seen[seen.number as usize] = true;
        }
        for (number, was_seen) in was_seen.iter().enumerate() {
            let delivered = self.outcome(number as u64) == Outcome::Delivered;
            assert!(*was_seen || !delivered, "message {number} was delivered and not seen");
        }
    }

    /// Every message that was *delivered* is in the record of the server's life in which it was; but for those behind
    /// the last line of a life, which the server was killed before it could write. Answers how many those are.
    pub(crate) fn assert_seen_but_for_tails(&self, lives: &[Life]) -> u64 {
        let mut was_seen = vec![false; self.entries.len()];
        let mut last = vec![None; lives.len()];
        for (life, last) in lives.iter().zip(&mut last) {
            for seen in self.own(&life.record) {
                was_seen[seen.number as usize] = true;
                *last = (*last).max(Some(seen.number));
            }
        }
        let mut unwritten = 0;
        for (number, entry) in (0..).zip(&self.entries) {
            if entry.verdict == Some(Outcome::Delivered) && !was_seen[number as usize] {
                let life = lives.partition_point(|life| life.began_ns <= entry.settled_ns) - 1;
                assert!(last[life] < Some(number), "message {number} was delivered and not executed");
                assert!(life + 1 < lives.len(), "message {number} was delivered, and its server not killed");
                unwritten += 1;
            }
        }
        unwritten
    }
}

/// What a server executed from its start to its end.
pub(crate) struct Life {
    /// When the engine could reach it.
    pub(crate) began_ns: u64,
    pub(crate) record: Vec<Seen>,
}
