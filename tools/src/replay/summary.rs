//! What a replay shows in the end.

use serde::Serialize;

use crate::endpoints::{self, Endpoint};
use crate::latency::Percentiles;
use crate::output::{Failure, Summary};
use crate::positions::{self, Partition};
use crate::running::{KAFKA, Running};
use crate::sender::Sent;
use crate::table;
use crate::tally::Tally;

/// How a replay went.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ReplaySummary {
    pub(super) file: String,
    pub(super) channel: String,
    /// How many channels the lines went to.
    pub(super) channels: usize,
    pub(super) lines: u64,
    #[serde(flatten)]
    pub(super) tally: Tally,
    /// Of the messages that were accepted.
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    /// Lines whose time lay before an earlier one's.
    pub(super) backwards: u64,
    pub(super) latency_ns: Percentiles,
    /// Where it went: under `kafka` where every endpoint is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) redis: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) kafka: String,
    pub(super) endpoints: Vec<Endpoint>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) partitions: Vec<Partition>,
    pub(super) hosted_by: String,
    #[serde(skip)]
    pub(super) conditions: String,
    pub(super) error: Option<Failure>,
}

impl ReplaySummary {
    pub(super) fn went_to(&mut self, running: &Running) {
        let place = if running.label == KAFKA { &mut self.kafka } else { &mut self.redis };
        place.clone_from(&running.shown);
    }

    pub(super) fn fill(&mut self, sent: &Sent) {
        self.tally = sent.tally;
        self.bytes = sent.bytes;
        self.endpoints.clone_from(&sent.endpoints);
        self.partitions.clone_from(&sent.partitions);
        self.seconds = sent.seconds;
        self.latency_ns = sent.latency.percentiles();
    }
}

impl Summary for ReplaySummary {
    fn table(&self) -> String {
        if self.lines == 0 && self.error.is_some() {
            return String::new();
        }
        let Tally { accepted, refused, delivered, not_sent, unknown } = self.tally;
        let per_second = if self.seconds > 0.0 { (accepted as f64 / self.seconds) as u64 } else { 0 };
        let mut text = format!("\n  {} on channel {}\n  {}\n\n", self.file, self.channel, self.conditions);
        let none = String::new;
        let waited = if refused > 0 { "at first, and waited for".to_owned() } else { none() };
        let speed = format!("in {:.3} s: {} a second", self.seconds, table::grouped(per_second));
        text += &table::counts(&[
            ("lines", self.lines, none()),
            ("accepted", accepted, speed),
            ("refused", refused, waited),
            ("delivered", delivered, none()),
            ("not sent", not_sent, none()),
            ("unknown", unknown, none()),
            ("bytes", self.bytes, none()),
        ]);
        if self.channels > 1 {
            text += &table::counts(&[("channels", self.channels as u64, none())]);
        }
        if self.backwards > 0 {
            text += &table::counts(&[(
                "backwards",
                self.backwards,
                "times that went back, sent at once".to_owned(),
            )]);
        }
        text += &endpoints::table(&self.endpoints);
        text += &positions::table(&self.partitions);
        text.push('\n');
        text += &table::latencies("latency", &[("to the acknowledgement", self.latency_ns)]);
        text.push('\n');
        text
    }

    fn failure(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
}
