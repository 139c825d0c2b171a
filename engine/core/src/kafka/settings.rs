//! The settings of one Kafka endpoint, as the core needs them: already checked, in its own units. The names in the
//! documentation are Kafka's own.

use std::fmt;

use ringwire_codec::kafka::Compression;

use crate::settings::{
    DEFAULT_CLIENT_NAME, DEFAULT_CONNECT_TIMEOUT_NS, DEFAULT_RECONNECT_MAX_NS, DEFAULT_RECONNECT_MIN_NS,
};
use crate::time::{MILLISECOND_NS, SECOND_NS};

/// `batch.size`: large enough that compression and the broker's work per batch vanish beside the records, small
/// enough that a hundred partitions with a full batch each stay below 32 MiB.
pub const DEFAULT_BATCH_SIZE: usize = 256 << 10;
/// `max.request.size`, as Java's: below what a broker takes by default (`message.max.bytes`, 1,048,588).
pub const DEFAULT_MAX_REQUEST_SIZE: usize = 1 << 20;
/// `max.in.flight.requests.per.connection`, as Java's: a broker remembers the last five batches of a producer.
pub const DEFAULT_MAX_IN_FLIGHT: usize = 5;
/// The most that idempotence allows.
pub const IN_FLIGHT_MAX: usize = 5;
/// `delivery.timeout.ms`, as Java's.
pub const DEFAULT_DELIVERY_TIMEOUT_NS: u64 = 120 * SECOND_NS;
/// `request.timeout.ms`, as Java's.
pub const DEFAULT_REQUEST_TIMEOUT_NS: u64 = 30 * SECOND_NS;
/// `retry.backoff.ms`, as Java's.
pub const DEFAULT_RETRY_BACKOFF_NS: u64 = 100 * MILLISECOND_NS;
/// `retry.backoff.max.ms`, as Java's.
pub const DEFAULT_RETRY_BACKOFF_MAX_NS: u64 = SECOND_NS;
/// `metadata.max.age.ms`, as Java's.
pub const DEFAULT_METADATA_MAX_AGE_NS: u64 = 300 * SECOND_NS;
/// `topic.metadata.propagation.max.ms`, as librdkafka's: a topic that was just made is not known everywhere at once.
pub const DEFAULT_TOPIC_PROPAGATION_NS: u64 = 30 * SECOND_NS;
/// Software name and version that brokers show in their metrics (KIP-511).
pub const SOFTWARE_NAME: &str = "ringwire";

/// `acks`: what a broker waits for before it answers a Produce request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acks {
    /// `0`: it does not answer. Every message ends *unknown*.
    None,
    /// `1`: the leader has it. It may be lost with the leader.
    Leader,
    /// `all`: every in-sync replica has it.
    #[default]
    All,
}

impl Acks {
    /// As the protocol says it.
    pub fn number(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// How the delay grows from one attempt to the next. Each delay gets a jitter of 20 %, as Kafka's own clients give it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BackoffKind {
    /// `d`.
    Fixed,
    /// `d * n`.
    Linear,
    /// `d * 2^(n - 1)`, as Kafka's own clients do.
    #[default]
    Exponential,
}

/// `retry.backoff.*`: the time between two attempts of a batch, or of a question to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBackoff {
    /// How it grows.
    pub kind: BackoffKind,
    /// `retry.backoff.ms`, in nanoseconds.
    pub base_ns: u64,
    /// `retry.backoff.max.ms`, in nanoseconds.
    pub max_ns: u64,
}

impl Default for RetryBackoff {
    fn default() -> Self {
        Self {
            kind: BackoffKind::default(),
            base_ns: DEFAULT_RETRY_BACKOFF_NS,
            max_ns: DEFAULT_RETRY_BACKOFF_MAX_NS,
        }
    }
}

impl RetryBackoff {
    /// The delay before attempt number `attempt` (1: the first retry), without jitter.
    pub fn delay_ns(&self, attempt: u32) -> u64 {
        let attempt = attempt.max(1);
        let grown = match self.kind {
            BackoffKind::Fixed => self.base_ns,
            BackoffKind::Linear => self.base_ns.saturating_mul(u64::from(attempt)),
            BackoffKind::Exponential => {
                self.base_ns.saturating_mul(1_u64.checked_shl(attempt - 1).unwrap_or(u64::MAX))
            }
        };
        grown.min(self.max_ns)
    }
}

/// What a user's partitioner is told of a message.
#[derive(Clone, Copy, Debug)]
pub struct PartitionerInput<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The record's key.
    pub key: Option<&'a [u8]>,
    /// The record's payload.
    pub payload: Option<&'a [u8]>,
    /// Partitions that the topic has; at least 1.
    pub partitions: u32,
}

/// A user's partitioner. It runs on the shard, for every message: it must be pure, quick, and call nothing of the
/// engine. What is out of range makes the message *not sent*.
pub struct CustomPartitioner(Box<dyn Choose>);

/// A function that can be given to each shard.
trait Choose: Send + Sync {
    fn choose(&self, input: &PartitionerInput<'_>) -> i64;
    fn again(&self) -> Box<dyn Choose>;
}

impl<F: Fn(&PartitionerInput<'_>) -> i64 + Clone + Send + Sync + 'static> Choose for F {
    fn choose(&self, input: &PartitionerInput<'_>) -> i64 {
        self(input)
    }

    fn again(&self) -> Box<dyn Choose> {
        Box::new(self.clone())
    }
}

impl CustomPartitioner {
    /// A partitioner of a function; each shard gets a clone.
    pub fn new(function: impl Fn(&PartitionerInput<'_>) -> i64 + Clone + Send + Sync + 'static) -> Self {
        Self(Box::new(function))
    }

    pub(super) fn choose(&self, input: &PartitionerInput<'_>) -> i64 {
        self.0.choose(input)
    }
}

impl Clone for CustomPartitioner {
    fn clone(&self) -> Self {
        Self(self.0.again())
    }
}

impl fmt::Debug for CustomPartitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomPartitioner")
    }
}

/// `partitioner`: where a record goes that does not name its partition itself.
#[derive(Clone, Debug, Default)]
pub enum Partitioner {
    /// The Java client's murmur2 of the key; without a key the hash of the channel's name, so that a channel keeps
    /// its order.
    #[default]
    Murmur2,
    /// librdkafka's `consistent`: CRC-32 of the key; without a key the hash of the channel's name.
    Consistent,
    /// The hash of the channel's name, whatever the key.
    ChannelHash,
    /// KIP-794: one partition after the other at random, each for `batch.size` bytes. Keys go by murmur2.
    Sticky,
    /// One partition after the other, record by record, whatever the key.
    RoundRobin,
    /// Always this one.
    Single(u32),
    /// A function of the application's.
    Custom(CustomPartitioner),
}

/// One Kafka endpoint.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `bootstrap.servers`: host and port of the brokers to ask first. At least one.
    pub bootstrap_servers: Vec<(String, u16)>,
    /// `client.id`, for the broker's quotas and logs.
    pub client_id: String,
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`: needs `acks=all`.
    pub idempotent: bool,
    /// `compression.type` and `compression.level`.
    pub compression: Compression,
    /// `batch.size`: bytes of a batch before compression.
    pub batch_size: usize,
    /// `linger.ms`, in nanoseconds: how long an open batch waits for company. With 0 it goes as soon as the broker has
    /// answered what was sent before, or at once if nothing is under way.
    pub linger_ns: u64,
    /// `max.request.size`: bytes of a request, and so of the largest record, before compression.
    pub max_request_size: usize,
    /// `max.in.flight.requests.per.connection`, from 1 to [`IN_FLIGHT_MAX`].
    pub max_in_flight: usize,
    /// `delivery.timeout.ms`, in nanoseconds: a message that is certainly not in the log after this is given up. What
    /// may be in the log is retried until that is decided.
    pub delivery_timeout_ns: u64,
    /// `request.timeout.ms`, in nanoseconds: a broker that does not answer for so long has its connection closed.
    pub request_timeout_ns: u64,
    /// `retries`: further attempts of a batch that is certainly not in the log.
    pub retries: u32,
    /// `retry.backoff.*`.
    pub retry_backoff: RetryBackoff,
    /// `partitioner`.
    pub partitioner: Partitioner,
    /// `metadata.max.age.ms`, in nanoseconds.
    pub metadata_max_age_ns: u64,
    /// `topic.metadata.propagation.max.ms`, in nanoseconds: how long a topic may be unknown to the brokers.
    pub topic_propagation_ns: u64,
    /// `allow.auto.create.topics`: the broker may create topics that do not exist, if it is set up for it.
    pub auto_create_topics: bool,
    /// `socket.connection.setup.timeout.ms`, in nanoseconds: for the connect, and again for the greeting.
    pub connect_timeout_ns: u64,
    /// `reconnect.backoff.ms`, in nanoseconds: upper bound of the first delay; it doubles with each attempt.
    pub reconnect_min_ns: u64,
    /// `reconnect.backoff.max.ms`, in nanoseconds: upper bound of every delay.
    pub reconnect_max_ns: u64,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            bootstrap_servers: Vec::new(),
            client_id: DEFAULT_CLIENT_NAME.to_owned(),
            acks: Acks::All,
            idempotent: true,
            compression: Compression::None,
            batch_size: DEFAULT_BATCH_SIZE,
            linger_ns: 0,
            max_request_size: DEFAULT_MAX_REQUEST_SIZE,
            max_in_flight: DEFAULT_MAX_IN_FLIGHT,
            delivery_timeout_ns: DEFAULT_DELIVERY_TIMEOUT_NS,
            request_timeout_ns: DEFAULT_REQUEST_TIMEOUT_NS,
            retries: u32::MAX,
            retry_backoff: RetryBackoff::default(),
            partitioner: Partitioner::default(),
            metadata_max_age_ns: DEFAULT_METADATA_MAX_AGE_NS,
            topic_propagation_ns: DEFAULT_TOPIC_PROPAGATION_NS,
            auto_create_topics: true,
            connect_timeout_ns: DEFAULT_CONNECT_TIMEOUT_NS,
            reconnect_min_ns: DEFAULT_RECONNECT_MIN_NS,
            reconnect_max_ns: DEFAULT_RECONNECT_MAX_NS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_as_their_kind_says() {
        let backoff = |kind| RetryBackoff { kind, base_ns: 10, max_ns: 1_000 };
        let delays = |kind| [0, 1, 2, 3, 8, 64, u32::MAX].map(|attempt| backoff(kind).delay_ns(attempt));
        assert_eq!(delays(BackoffKind::Fixed), [10; 7]);
        assert_eq!(delays(BackoffKind::Linear), [10, 10, 20, 30, 80, 640, 1_000]);
        assert_eq!(delays(BackoffKind::Exponential), [10, 10, 20, 40, 1_000, 1_000, 1_000]);
    }
}
