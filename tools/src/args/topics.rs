//! `ringwire topics` and `ringwire create-topic`.

use std::time::Duration;

use clap::Args;

use super::origin::{Origin, RawOrigin};
use super::values;

#[derive(Args)]
pub(super) struct RawTopics {
    /// Describe this topic: its partitions with their leaders and replicas
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
    #[command(flatten)]
    asking: RawAsking,
}

#[derive(Args)]
pub(super) struct RawCreateTopic {
    /// The topic's name
    #[arg(value_name = "NAME")]
    name: String,
    /// How many partitions [default: as the broker is set up]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many replicas of each [default: as the broker is set up]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting of the topic, as in retention.ms=60000; may be repeated
    #[arg(long = "topic-config", value_name = "NAME=VALUE")]
    configs: Vec<String>,
    #[command(flatten)]
    asking: RawAsking,
}

#[derive(Args)]
struct RawAsking {
    /// The Kafka; needed where several are configured
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// How long to wait for the cluster
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 10.0)]
    timeout: f64,
    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: RawOrigin,
}

/// Whom to ask, and how to answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Asking {
    pub(crate) endpoint: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
    pub(crate) origin: Origin,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Topics {
    /// `None`: all of them.
    pub(crate) topic: Option<String>,
    pub(crate) asking: Asking,
}

#[derive(Debug, PartialEq)]
pub(crate) struct CreateTopic {
    pub(crate) new: ringwire::admin::NewTopic,
    pub(crate) asking: Asking,
}

impl RawAsking {
    fn resolve(self) -> Result<Asking, String> {
        let Self { endpoint, timeout, json, origin } = self;
        Ok(Asking { endpoint, timeout: values::timeout(timeout)?, json, origin: origin.resolve()? })
    }
}

impl RawTopics {
    pub(super) fn resolve(self) -> Result<Topics, String> {
        Ok(Topics { topic: self.topic, asking: self.asking.resolve()? })
    }
}

impl RawCreateTopic {
    pub(super) fn resolve(self) -> Result<CreateTopic, String> {
        let Self { name, partitions, replication_factor, configs, asking } = self;
        let pair = |text: String| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(format!("--topic-config {text}: expected NAME=VALUE, as in retention.ms=60000")),
        };
        let configs = configs.into_iter().map(pair).collect::<Result<_, _>>()?;
        let new = ringwire::admin::NewTopic { name, partitions, replication_factor, configs };
        Ok(CreateTopic { new, asking: asking.resolve()? })
    }
}
