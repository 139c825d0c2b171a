//! The Kafka part of the rig: our producer, its floor and other clients against one real broker, in turns.
//!
//! ```text
//!   cases: scenario x compression x who ──► rig::Measure: a child process for each run ──► results, goals, report
//!     broker  one real Kafka on the server's core: topic made, flooded once before anything counts
//! ```
//!
//! Every message goes to the topic `TOPIC` with its channel's name as its key, which each client's own partitioner
//! places; every client obeys the contract of `bench/peers`.

mod broker;
mod cases;
mod goals;
mod run;

use std::net::SocketAddr;

use ringwire::config::KafkaOptions;
use ringwire::{Compression, Config, ConfigError};
use serde::{Deserialize, Serialize};

pub(crate) use broker::serve;
pub(crate) use cases::peers;
pub use goals::judge;
pub(crate) use run::run;
pub use run::{KafkaArgs, KafkaScenario};

/// The topic of every client.
pub(crate) const TOPIC: &str = "rig";
/// Its partitions.
pub(crate) const PARTITIONS: i32 = 4;
/// zstd's own default, and Kafka's.
const ZSTD_LEVEL: i8 = 3;

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// LZ4.
    Lz4,
    /// Zstandard, level 3.
    Zstd,
}

impl Codec {
    /// Its name, as on the command line and in Kafka's settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    pub(crate) fn compression(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd => Compression::Zstd(ZSTD_LEVEL),
        }
    }
}

/// Adds a Kafka, with the options that it has by default.
pub(crate) fn endpoint(config: Config, address: SocketAddr, codec: Codec) -> Result<Config, ConfigError> {
    let options = KafkaOptions { compression: codec.compression(), ..KafkaOptions::default() };
    config.kafka_with("kafka", &address.to_string(), options)
}
