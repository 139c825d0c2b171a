//! `ringwire demo`.

use std::path::PathBuf;

use clap::{Arg, Args};

use super::origin::{EMBEDDED, Origin, RawOrigin};
use super::values;
use crate::help;
use crate::pace::Rate;

/// Longer demonstrations prove nothing more.
const SECONDS_MAX: u64 = 3_600;
/// The demo keeps one byte for each message to account for it: 100 MB.
const MESSAGES_MAX: u64 = 100_000_000;

#[derive(Args)]
pub(super) struct Raw {
    /// Messages a second
    #[arg(long, allow_negative_numbers = true, value_name = "MSG_PER_S", default_value_t = 20_000)]
    rate: u64,
    /// How long to publish
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Lines to send instead of the quotes, over and over; the first is taken for a header and not sent
    #[arg(long, value_name = "CSV")]
    file: Option<PathBuf>,
    /// End with one JSON object on standard output instead of the table; latencies are nanoseconds
    #[arg(long)]
    json: bool,
    /// Show no progress on a terminal
    #[arg(long)]
    no_progress: bool,
    #[command(flatten)]
    origin: RawOrigin,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Demo {
    pub(crate) origin: Origin,
    /// The Kafka is the one that the command brings.
    pub(crate) embedded_kafka: bool,
    pub(crate) rate: Rate,
    pub(crate) messages: u64,
    /// `None` for the quotes that the command brings.
    pub(crate) file: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) progress: bool,
}

/// `--kafka` without a value is the embedded one.
pub(super) fn may_embed_kafka(kafka: Arg) -> Arg {
    kafka.num_args(0..=1).default_missing_value(EMBEDDED).help(help::DEMO_KAFKA)
}

impl Raw {
    pub(super) fn resolve(mut self) -> Result<Demo, String> {
        let rate = values::rate(self.rate)?;
        if !(1..=SECONDS_MAX).contains(&self.seconds) {
            return Err(format!("--seconds {}: expected 1 to {SECONDS_MAX}", self.seconds));
        }
        let messages = rate.per_second() * self.seconds;
        if messages > MESSAGES_MAX {
            return Err(format!(
                "--rate {} for --seconds {} makes {messages} messages: expected at most {MESSAGES_MAX}",
                self.rate, self.seconds
            ));
        }
        let embedded_kafka = self.origin.take_embedded_kafka();
        Ok(Demo {
            origin: self.origin.resolve()?,
            embedded_kafka,
            rate,
            messages,
            file: self.file,
            json: self.json,
            progress: !self.no_progress,
        })
    }
}
