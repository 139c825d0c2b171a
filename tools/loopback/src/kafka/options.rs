//! What a cluster is started with, and its bounds.

use ringwire_codec::kafka::{Api, Versions};

/// Kafka's `message.max.bytes`: 1 MiB and the overhead of a batch.
const MESSAGE_BYTES_MAX: usize = 1_048_588;

/// What a partition keeps, in bytes: a simulated run writes less, and a hundred full partitions fit into a small
/// machine.
const RETENTION_BYTES: usize = 64 << 20;

/// Kafka's `socket.request.max.bytes`.
pub(super) const REQUEST_LEN_MAX: usize = 100 << 20;

/// Unsent answers of a connection, in bytes: beyond it the peer does not read, and is closed. A Fetch answer of 50
/// MiB, Kafka's default limit, fits twice.
pub(super) const OUTPUT_LEN_MAX: usize = 128 << 20;

/// An idle connection keeps buffers of this size: most requests and answers are smaller.
pub(super) const RETAINED_LEN: usize = 1 << 20;

/// Connections that are open at a time: Redis' `maxclients`, as Kafka has no such limit by default.
pub(super) const CONNECTIONS_MAX: usize = 10_000;

/// Partitions of the whole cluster: what a real one of this size holds at most.
pub(super) const PARTITIONS_MAX: usize = 100_000;

/// Producers that a partition remembers; a real broker forgets them by time. One that is forgotten may begin at any
/// sequence.
pub(super) const PRODUCERS_MAX: usize = 10_000;

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: i32,
    /// The name or address that it advertises.
    pub host: String,
    /// The port that it advertises.
    pub port: u16,
}

/// How a cluster is started. The default is Kafka 4.1's own, with one partition for a new topic.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Metadata requests create the topics that they ask for, if they allow it.
    pub auto_create: bool,
    /// Partitions of a topic for which nobody said how many; at least one.
    pub partitions: u32,
    /// Topics have ids. Without them those of metadata answers are zero, as before Kafka 2.8.
    pub topic_ids: bool,
    /// What is spoken, and so what ApiVersions answers. What the codec does not know is only said: such a request
    /// closes the connection.
    pub versions: Vec<(Api, Versions)>,
    /// Look at each record of every batch, and not only at checksum and header.
    pub deep: bool,
    /// What a partition keeps, in bytes. The oldest batches go first; 0 keeps nothing, and only counts offsets.
    pub retention_bytes: usize,
    /// The largest batch of a topic for which nobody said another limit, in bytes (`message.max.bytes`).
    pub message_bytes_max: usize,
    /// Milliseconds since 1970 when the clock of the cluster's driver stands at zero.
    pub epoch_ms: i64,
    /// The cluster's name in metadata answers.
    pub cluster_id: String,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            auto_create: true,
            partitions: 1,
            topic_ids: true,
            versions: kafka_4_1(),
            deep: false,
            retention_bytes: RETENTION_BYTES,
            message_bytes_max: MESSAGE_BYTES_MAX,
            epoch_ms: 0,
            cluster_id: String::from("ringwire-loopback"),
        }
    }
}

fn table(lines: &[(Api, i16, i16)]) -> Vec<(Api, Versions)> {
    lines.iter().map(|&(api, min, max)| (api, Versions { min, max })).collect()
}

/// What Kafka 4.1 answers to ApiVersions: Produce from 0, though it refuses 0 to 2 (KIP-896).
pub fn kafka_4_1() -> Vec<(Api, Versions)> {
    table(&[
        (Api::Produce, 0, 13),
        (Api::Fetch, 4, 17),
        (Api::ListOffsets, 1, 11),
        (Api::Metadata, 0, 13),
        (Api::ApiVersions, 0, 4),
        (Api::CreateTopics, 2, 7),
        (Api::InitProducerId, 0, 5),
    ])
}

/// What Kafka 3.9 answers: no topic ids in Produce.
pub fn kafka_3_9() -> Vec<(Api, Versions)> {
    table(&[
        (Api::Produce, 0, 11),
        (Api::Fetch, 0, 17),
        (Api::ListOffsets, 0, 9),
        (Api::Metadata, 0, 12),
        (Api::ApiVersions, 0, 4),
        (Api::CreateTopics, 0, 7),
        (Api::InitProducerId, 0, 5),
    ])
}

/// What Kafka 2.1 answers: no flexible versions, no errors of single records, no leader in an answer.
pub fn kafka_2_1() -> Vec<(Api, Versions)> {
    table(&[
        (Api::Produce, 0, 7),
        (Api::Fetch, 0, 10),
        (Api::ListOffsets, 0, 4),
        (Api::Metadata, 0, 7),
        (Api::ApiVersions, 0, 2),
        (Api::CreateTopics, 0, 3),
        (Api::InitProducerId, 0, 1),
    ])
}

/// A topic's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicOptions {
    /// The largest batch in bytes (`max.message.bytes`); `None`: the cluster's.
    pub message_bytes_max: Option<usize>,
    /// The broker's time stands on every record (`message.timestamp.type=LogAppendTime`).
    pub log_append_time: bool,
    /// Records need a key (`cleanup.policy=compact`). Nothing is compacted.
    pub compacted: bool,
}
