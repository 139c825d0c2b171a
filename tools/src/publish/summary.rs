//! What `publish` shows in the end.

use serde::Serialize;

use crate::latency::Percentiles;
use crate::output::{Failure, Stream, Summary};
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
    pub(super) redis: String,
    pub(super) error: Option<Failure>,
}

impl PublishSummary {
    pub(super) fn fill(&mut self, sent: &Sent, messages: u64) {
        self.messages = messages;
        self.tally = sent.tally;
        self.receivers = sent.receivers;
        self.bytes = sent.bytes;
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
        let latency = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), table::duration);
        if self.messages == 1 && accepted == 1 && delivered == 1 {
            let heard = match self.receivers {
                0 => "nobody was subscribed".to_owned(),
                receivers => format!("{} received it", table::counted(receivers, "subscription")),
            };
            let took = latency(self.latency_ns.p50);
            return format!("ringwire: delivered to {} in {took}; {heard}\n", self.redis);
        }
        let none = String::new;
        let per_second = if self.seconds > 0.0 { (accepted as f64 / self.seconds) as u64 } else { 0 };
        let waited = if refused > 0 { "at first, and waited for".to_owned() } else { none() };
        let Percentiles { p50, p99, .. } = self.latency_ns;
        let took = format!("p50 {}, p99 {}", latency(p50), latency(p99));
        let mut text =
            format!("\n  {} on channel {}\n", table::counted(self.messages, "message"), self.channel);
        text += &format!("  redis: {}\n\n", self.redis);
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
            ("receivers", self.receivers, none()),
        ]);
        text.push('\n');
        text
    }

    fn failure(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
}
