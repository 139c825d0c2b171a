//! `ringwire loopback`.

use clap::Args;

/// The host where only a port is given: this machine, and nobody else.
const HOST: &str = "127.0.0.1";

/// More than anybody tries out on one machine.
const BROKERS_MAX: i64 = 100;

/// Likewise, for a new topic.
const PARTITIONS_MAX: i64 = 1_000;

#[derive(Args)]
pub(super) struct Raw {
    /// Where a Redis listens; port 0 is any free one. The default if there is no --kafka
    #[arg(long, value_name = "PORT|HOST:PORT")]
    redis: Option<String>,
    /// Where the brokers of a Kafka cluster listen: the first here, the others behind it
    #[arg(long, value_name = "PORT|HOST:PORT")]
    kafka: Option<String>,
    /// Brokers of the Kafka cluster
    #[arg(long, value_name = "N", default_value_t = 1, requires = "kafka")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=BROKERS_MAX))]
    brokers: u32,
    /// Partitions of a Kafka topic for which nobody says how many
    #[arg(long, value_name = "N", default_value_t = 1, requires = "kafka")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=PARTITIONS_MAX))]
    partitions: u32,
    /// Print {"redis":"redis://127.0.0.1:PORT","kafka":"127.0.0.1:PORT"}, with what runs, instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Loopback {
    /// `HOST:PORT`; `None`: no Redis.
    pub(crate) redis: Option<String>,
    /// `None`: no Kafka.
    pub(crate) kafka: Option<KafkaPlan>,
    pub(crate) json: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct KafkaPlan {
    /// `HOST:PORT` of the first broker.
    pub(crate) address: String,
    pub(crate) brokers: u32,
    pub(crate) partitions: u32,
}

impl Raw {
    pub(super) fn resolve(self) -> Result<Loopback, String> {
        let Self { redis, kafka, brokers, partitions, json } = self;
        let redis = if redis.is_none() && kafka.is_none() { Some("0".to_owned()) } else { redis };
        let redis = redis.map(|text| address("--redis", &text)).transpose()?;
        let kafka = kafka.map(|text| address("--kafka", &text)).transpose()?;
        let kafka = kafka.map(|address| KafkaPlan { address, brokers, partitions });
        Ok(Loopback { redis, kafka, json })
    }
}

fn address(option: &str, text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((HOST, text));
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(format!(
            "{option} {text}: expected a port from 0 to 65535, or HOST:PORT, as in 127.0.0.1:6379"
        ));
    }
    Ok(format!("{host}:{port}"))
}
