//! What the demo shows in the end.

use serde::Serialize;

use crate::latency::Percentiles;
use crate::output::{Failure, Summary};
use crate::positions::{self, Partition};
use crate::running::{KAFKA, Running};
use crate::table;
use crate::tally::Tally;

/// How the demo went.
#[derive(Debug, Default, Serialize)]
pub(crate) struct DemoSummary {
    pub(super) rate: u64,
    pub(super) messages: u64,
    #[serde(flatten)]
    pub(super) tally: Tally,
    /// `None` at a Kafka.
    #[serde(flatten)]
    pub(super) back: Option<Back>,
    pub(super) seconds: f64,
    pub(super) ack_ns: Percentiles,
    pub(super) publisher_late_ns: Percentiles,
    pub(super) rate_held: bool,
    /// Where it went: under `kafka` where every endpoint is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) redis: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) kafka: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) partitions: Vec<Partition>,
    pub(super) hosted_by: String,
    pub(super) idle: String,
    pub(super) cores: usize,
    #[serde(skip)]
    pub(super) conditions: String,
    /// What was wrong with the connection at the end, if something was.
    pub(super) trouble: Option<String>,
    #[serde(skip)]
    pub(super) first_refusal: Option<String>,
    #[serde(skip)]
    pub(super) first_failure: Option<String>,
    pub(super) error: Option<Failure>,
}

/// What came back by the subscription.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Back {
    pub(super) received: u64,
    /// Gaps that the subscriber was told of, and the messages that are known to have been lost in them.
    pub(super) gaps: u64,
    pub(super) lost: u64,
    pub(super) subscriber_ns: Percentiles,
}

impl DemoSummary {
    pub(super) fn went_to(&mut self, running: &Running) {
        let place = if running.label == KAFKA { &mut self.kafka } else { &mut self.redis };
        place.clone_from(&running.shown);
    }
}

impl Summary for DemoSummary {
    fn table(&self) -> String {
        let Tally { accepted, refused, delivered, not_sent, unknown } = self.tally;
        if accepted + refused == 0 {
            return String::new();
        }
        let mut text = format!(
            "\n  {} in {:.1} s\n  {}\n\n",
            table::counted(self.messages, "message"),
            self.seconds,
            self.conditions
        );
        let none = String::new;
        let cause = |count, words: &Option<String>| words.clone().filter(|_| count > 0).unwrap_or_default();
        text += &table::counts(&[
            ("accepted", accepted, none()),
            ("refused", refused, cause(refused, &self.first_refusal)),
            ("delivered", delivered, none()),
            ("not sent", not_sent, cause(not_sent, &self.first_failure)),
            ("unknown", unknown, cause(unknown, &self.first_failure)),
        ]);
        let mut latencies = vec![("to the acknowledgement", self.ack_ns)];
        if let Some(Back { received, gaps, lost, subscriber_ns }) = self.back {
            let lost = match lost {
                0 => none(),
                lost => format!("{} known to be lost in them", table::counted(lost, "message")),
            };
            text += &table::counts(&[("received", received, none()), ("gaps", gaps, lost)]);
            latencies.push(("to the subscriber", subscriber_ns));
        }
        text += &positions::table(&self.partitions);
        text.push('\n');
        text += &table::latencies("from the intended send time", &latencies);
        if let (false, Some(late)) = (self.rate_held, self.publisher_late_ns.p99) {
            text += &format!(
                "\n  The rate was not held: the publisher was late by {} at p99, which counts in the latencies.\n",
                table::duration(late)
            );
        }
        if let Some(trouble) = &self.trouble {
            text += &format!("\n  In the end the server was not connected: {trouble}\n");
        }
        text.push('\n');
        text
    }

    fn failure(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
}
