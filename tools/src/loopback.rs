//! `ringwire loopback`: the embedded servers as a process of their own.

use ringwire_loopback::front::{self, KafkaFront, KafkaOptions};
use ringwire_loopback::kafka::ClusterOptions;
use ringwire_loopback::redis::Options;
use serde::Serialize;

use crate::args::{KafkaPlan, Loopback};
use crate::output::{self, Failure};
use crate::stop::Stop;

/// Where the servers listen.
#[derive(Serialize)]
struct Places {
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<String>,
    /// The bootstrap servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka: Option<String>,
}

/// Serves until the end is asked for; answers what went wrong.
pub(crate) fn run(plan: &Loopback) -> Option<Failure> {
    try_run(plan).err()
}

fn try_run(plan: &Loopback) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let redis = plan.redis.as_ref().map(|address| {
        front::spawn(address, Options::default())
            .map_err(|error| format!("cannot listen on {address}: {error}"))
    });
    let (redis, kafka) = (redis.transpose()?, plan.kafka.as_ref().map(cluster).transpose()?);
    let places = Places {
        redis: redis.as_ref().map(front::RedisFront::url),
        kafka: kafka.as_ref().map(KafkaFront::bootstrap),
    };
    let mut addrs: Vec<_> = redis.as_ref().and_then(front::RedisFront::addr).into_iter().collect();
    addrs.extend(kafka.iter().flat_map(|front| front.addrs().first()));
    if addrs.iter().any(|address| !address.ip().is_loopback()) {
        output::complain("anybody who reaches this machine can use it: it has no password");
    }
    let is_printed = if plan.json { output::print_json(&places) } else { output::print(&places.to_lines()) };
    if !is_printed {
        // Nobody knows where it is.
        return Err(Failure::told());
    }
    stop.wait();
    Ok(())
}

fn cluster(plan: &KafkaPlan) -> Result<KafkaFront, String> {
    let KafkaPlan { address, brokers, partitions } = plan;
    let cluster = ClusterOptions { partitions: *partitions, ..ClusterOptions::default() };
    let options = KafkaOptions { brokers: *brokers, cluster, ..KafkaOptions::default() };
    let several = if *brokers > 1 { " and the ports behind it" } else { "" };
    front::spawn_kafka(address, options)
        .map_err(|error| format!("cannot listen on {address}{several}: {error}"))
}

impl Places {
    fn to_lines(&self) -> String {
        [&self.redis, &self.kafka].into_iter().flatten().map(|place| format!("{place}\n")).collect()
    }
}
