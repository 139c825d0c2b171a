//! What `publish` shows in the end.

use serde::Serialize;

use crate::endpoints::{self, Endpoint};
use crate::latency::Percentiles;
use crate::output::{Failure, Stream, Summary};
use crate::positions::{self, Partition};
use crate::running::{KAFKA, Running};
use crate::sender::Sent;
use crate::table;
use crate::tally::Tally;

/// What became of the messages.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PublishSummary {
    pub(super) channel: String,
    /// Messages that were given: one, or the lines that were read.
    pub(super) messages: u64,
    #[serde(flatten)]
    pub(super) tally: Tally,
    /// Subscriptions that the servers counted for them, all together.
    pub(super) receivers: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) latency_ns: Percentiles,
    /// Where it went: under `kafka` where every endpoint is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) redis: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) kafka: String,
    pub(super) endpoints: Vec<Endpoint>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) partitions: Vec<Partition>,
    pub(super) error: Option<Failure>,
}

impl PublishSummary {
    /// Where the one record is.
    fn where_to(&self) -> String {
        let place = |it: &Partition| {
            let offset = it.first_offset.map_or_else(String::new, |offset| format!(", offset {offset}"));
            format!("topic {}, partition {}{offset}", it.topic, it.partition)
        };
        self.partitions.iter().map(place).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn went_to(&mut self, running: &Running) {
        let place = if running.label == KAFKA { &mut self.kafka } else { &mut self.redis };
        place.clone_from(&running.shown);
    }

    pub(super) fn fill(&mut self, sent: &Sent, messages: u64) {
        self.messages = messages;
        self.tally = sent.tally;
        self.receivers = sent.receivers;
        self.bytes = sent.bytes;
        self.endpoints.clone_from(&sent.endpoints);
        self.partitions.clone_from(&sent.partitions);
        self.seconds = sent.seconds;
        self.latency_ns = sent.latency.percentiles();
    }
}

impl Summary for PublishSummary {
    // A shell's pipeline keeps its standard output.
    const TABLE: Stream = Stream::Error;

    fn table(&self) -> String {
        let Tally { accepted, refused, delivered, not_sent, unknown } = self.tally;
        if self.messages == 0 && self.error.is_some() {
            return String::new();
        }
        if self.messages == 1 && accepted == 1 && delivered == 1 {
            let heard = match self.receivers {
                _ if !self.partitions.is_empty() => self.where_to(),
                0 => "nobody was subscribed".to_owned(),
                receivers => format!("{} received it", table::counted(receivers, "subscription")),
            };
            let took = table::latency(self.latency_ns.p50);
            return format!("ringwire: delivered to {}{} in {took}; {heard}\n", self.redis, self.kafka);
        }
        let none = String::new;
        let per_second = if self.seconds > 0.0 { (accepted as f64 / self.seconds) as u64 } else { 0 };
        let waited = if refused > 0 { "at first, and waited for".to_owned() } else { none() };
        let Percentiles { p50, p99, .. } = self.latency_ns;
        let took = format!("p50 {}, p99 {}", table::latency(p50), table::latency(p99));
        let mut text =
            format!("\n  {} on channel {}\n", table::counted(self.messages, "message"), self.channel);
        let (label, place) =
            if self.kafka.is_empty() { ("redis", &self.redis) } else { (KAFKA, &self.kafka) };
        text += &format!("  {label}: {place}\n\n");
        text += &table::counts(&[
            (
                "accepted",
                accepted,
                format!("in {:.3} s: {} a second", self.seconds, table::grouped(per_second)),
            ),
            ("refused", refused, waited),
            ("delivered", delivered, if delivered > 0 { took } else { none() }),
            ("not sent", not_sent, none()),
            ("unknown", unknown, none()),
        ]);
        if self.kafka.is_empty() {
            text += &table::counts(&[("receivers", self.receivers, none())]);
        }
        text += &endpoints::table(&self.endpoints);
        text += &positions::table(&self.partitions);
        text.push('\n');
        text
    }

    fn failure(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
}
