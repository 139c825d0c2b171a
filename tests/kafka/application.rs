//! The library as an application uses it: one engine, one publisher, and the outcome of each of its messages.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use ringwire::{
    Channel, Config, Counters, Engine, Headers, KafkaOptions, Message, Outcome, Publisher, Refusal, Report,
    Reports, monotonic_ns,
};
use ringwire_tests::patience::{PATIENCE, until};

use crate::records::Owned;

/// Reports taken at a time.
const POLL_MAX: usize = 1024;
/// How long it waits for a report before it looks at its deadline again.
const WAIT: Duration = Duration::from_millis(50);

/// A publisher on an engine with one Kafka, where each channel's name is its topic's.
pub(crate) struct Application {
    engine: Engine,
    publisher: Publisher,
    reports: Reports,
    /// By the message's sequence.
    outcomes: Vec<Option<Report>>,
    /// When those were published whose predecessors have all been reported, oldest first, in monotonic nanoseconds.
    waiting: VecDeque<u64>,
    /// Times that a message was refused for want of room.
    pub(crate) refused: usize,
}

impl Application {
    pub(crate) fn start(bootstrap: &[SocketAddr], options: KafkaOptions) -> Self {
        let bootstrap: Vec<String> = bootstrap.iter().map(SocketAddr::to_string).collect();
        let config = Config::new().kafka_with("log", &bootstrap.join(","), options);
        let engine = config.map(Engine::start).unwrap_or_else(|error| panic!("{error}"));
        let engine = engine.unwrap_or_else(|error| panic!("{error}"));
        let (publisher, reports) = engine.publisher().expect("it runs");
        let (outcomes, waiting) = (Vec::new(), VecDeque::new());
        Self { engine, publisher, reports, outcomes, waiting, refused: 0 }
    }

    pub(crate) fn channel(&self, topic: &str) -> Channel {
        self.engine.channel(topic).unwrap_or_else(|error| panic!("{topic}: {error}"))
    }

    /// What the endpoint has counted.
    pub(crate) fn counters(&self) -> Counters {
        self.engine.status()[0].counters
    }

    /// The sequence of the next message.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.publisher.accepted()
    }

    /// Publishes a message unless there is no room for it; answers its sequence.
    pub(crate) fn try_put(&mut self, channel: &Channel, message: &Message<'_>) -> Option<u64> {
        match self.publisher.publish_message(channel, message) {
            Ok(sequence) => {
                assert_eq!(sequence, self.outcomes.len() as u64, "sequences are dense");
                self.outcomes.push(None);
                self.waiting.push_back(monotonic_ns());
                Some(sequence)
            }
            Err(Refusal::BackPressured | Refusal::ReportsFull) => {
                self.refused += 1;
                None
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// Publishes a record, waiting for room as long as it takes.
    pub(crate) fn put(&mut self, channel: &Channel, record: &Owned, partition: Option<u32>) {
        let names = record
            .headers
            .iter()
            .map(|(key, value)| (str::from_utf8(key).expect("names of headers are text"), value.as_deref()));
        let (names, mut buffer): (Vec<_>, _) = (names.collect(), Vec::new());
        let message = Message {
            payload: record.value.as_deref(),
            key: record.key.as_deref(),
            headers: Headers::build(&names, &mut buffer),
            partition,
            timestamp_ms: record.timestamp,
            ..Message::default()
        };
        until("room for a message", || {
            self.poll();
            self.try_put(channel, &message).is_some()
        });
    }

    /// Takes the reports that are there: one for each message, and no second one.
    pub(crate) fn poll(&mut self) {
        let Self { reports, outcomes, .. } = self;
        reports.poll(POLL_MAX, |report| {
            let outcome = outcomes.get_mut(report.sequence as usize).expect("it was accepted");
            assert_eq!(outcome.replace(*report), None, "one outcome for each message");
        });
        let first = outcomes.len() - self.waiting.len();
        let reported = outcomes[first..].iter().take_while(|outcome| outcome.is_some()).count();
        self.waiting.drain(..reported);
    }

    /// What has been reported so far of the messages from this sequence on.
    pub(crate) fn reported(&self, from: u64) -> impl Iterator<Item = &Report> {
        self.outcomes[from as usize..].iter().flatten()
    }

    /// Since when the oldest message waits that has no outcome yet, or now: monotonic nanoseconds.
    pub(crate) fn oldest_ns(&self) -> u64 {
        self.waiting.front().copied().unwrap_or_else(monotonic_ns)
    }

    /// Waits until every message has its outcome.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        let deadline = monotonic_ns() + PATIENCE.as_nanos() as u64;
        while !self.waiting.is_empty() {
            let (waiting, status) = (self.waiting.len(), self.engine.status());
            assert!(monotonic_ns() < deadline, "{waiting} have no outcome: {status:?}");
            self.reports.wait(WAIT);
            self.poll();
        }
    }

    /// What became of each message, by its sequence.
    #[track_caller]
    pub(crate) fn outcomes(&mut self) -> Vec<Report> {
        self.settle();
        self.outcomes.iter().copied().map(|outcome| outcome.expect("all are settled")).collect()
    }

    /// Where each message stands, all of them delivered.
    #[track_caller]
    pub(crate) fn positions(&mut self) -> Vec<(i32, i64)> {
        let outcomes = self.outcomes();
        let wrong = outcomes.iter().find(|report| report.outcome != Outcome::Delivered);
        assert_eq!(wrong, None, "all are delivered");
        outcomes.iter().map(Report::position).collect()
    }
}
