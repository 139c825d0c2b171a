//! What can be set for one Kafka.

use std::time::Duration;

use ringwire_codec::kafka::Compression;
use ringwire_core::{Acks, BackoffKind, KafkaSettings, Partitioner, RetryBackoff};

use super::brokers;

/// `buffer.memory`, as Java's: at 100,000 messages of 200 bytes a second, a second and a half. It is address space
/// until it is used.
pub const DEFAULT_BUFFER_MEMORY: u32 = 32 << 20;
/// `queue.buffering.max.messages`: what keeps five requests of full batches busy with messages of 20 bytes.
pub const DEFAULT_QUEUE_MESSAGES: u32 = 1 << 16;
/// `retries`, as Java's and librdkafka's: `delivery.timeout.ms` decides.
const DEFAULT_RETRIES: u32 = i32::MAX as u32;
/// The longest name of a topic that Kafka takes, in bytes.
pub(super) const TOPIC_LEN_MAX: usize = 249;

/// The settings of one Kafka endpoint, but for its brokers. The names are Kafka's own; each is bounded and explained
/// in `SETTINGS.md`, and the README says where a meaning differs from other clients'.
///
/// Durations are whole milliseconds ([`KafkaOptions::linger`]: microseconds), at most 2^31 - 1 milliseconds.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// `client.id`, for the broker's quotas and logs.
    pub client_id: String,
    /// `acks`: what a broker waits for before it answers.
    pub acks: Acks,
    /// `enable.idempotence`; `None` is on with [`Acks::All`], and off with the others. `Some(true)` needs
    /// [`Acks::All`].
    pub enable_idempotence: Option<bool>,
    /// `compression.type` and `compression.level`.
    pub compression: Compression,
    /// `batch.size`: bytes of a batch, before compression.
    pub batch_size: usize,
    /// `linger.ms`: how long a batch waits for company that could go at once.
    pub linger: Duration,
    /// `max.request.size`: bytes of the largest request, and so of the largest record, before compression.
    pub max_request_size: usize,
    /// `delivery.timeout.ms`: a message that is certainly not in the log after this is given up.
    pub delivery_timeout: Duration,
    /// `request.timeout.ms`: a broker that does not answer for so long has its connection closed.
    pub request_timeout: Duration,
    /// `retries`: further attempts of a batch that is certainly not in the log.
    pub retries: u32,
    /// `retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `retry.backoff.kind`: how the delay grows.
    pub retry_backoff_kind: BackoffKind,
    /// `max.in.flight.requests.per.connection`, from 1 to 5.
    pub max_in_flight: usize,
    /// `buffer.memory`: bytes that one publisher may have without an outcome, on each shard.
    pub buffer_memory: u32,
    /// `queue.buffering.max.messages`: messages that one publisher may have without an outcome, on each shard.
    pub queue_messages: u32,
    /// `topic.metadata.propagation.max.ms`: how long a topic may be unknown to the brokers.
    pub topic_metadata_propagation: Duration,
    /// `allow.auto.create.topics`: the broker may create topics that do not exist, if it is set up for it.
    pub allow_auto_create_topics: bool,
    /// `partitioner`: where a record goes that does not name its partition itself. A function of your own can be set
    /// here alone.
    pub partitioner: Partitioner,
    /// `metadata.max.age.ms`: the cluster's metadata is asked for anew after this.
    pub metadata_max_age: Duration,
    /// `reconnect.backoff.ms`: the first reconnect waits at most this long; the bound doubles with each attempt.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`: no reconnect waits longer than this.
    pub reconnect_backoff_max: Duration,
    /// `socket.connection.setup.timeout.ms`: for a connect, and again for the greeting after it.
    pub connection_setup_timeout: Duration,
    /// `topic.prefix`: stands before a channel's name in its topic's, unless its route names the topic.
    pub topic_prefix: String,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        let core = KafkaSettings::default();
        Self {
            client_id: core.client_id,
            acks: core.acks,
            enable_idempotence: None,
            compression: core.compression,
            batch_size: core.batch_size,
            linger: Duration::from_nanos(core.linger_ns),
            max_request_size: core.max_request_size,
            delivery_timeout: Duration::from_nanos(core.delivery_timeout_ns),
            request_timeout: Duration::from_nanos(core.request_timeout_ns),
            retries: DEFAULT_RETRIES,
            retry_backoff: Duration::from_nanos(core.retry_backoff.base_ns),
            retry_backoff_max: Duration::from_nanos(core.retry_backoff.max_ns),
            retry_backoff_kind: core.retry_backoff.kind,
            max_in_flight: core.max_in_flight,
            buffer_memory: DEFAULT_BUFFER_MEMORY,
            queue_messages: DEFAULT_QUEUE_MESSAGES,
            topic_metadata_propagation: Duration::from_nanos(core.topic_propagation_ns),
            allow_auto_create_topics: core.auto_create_topics,
            partitioner: core.partitioner,
            metadata_max_age: Duration::from_nanos(core.metadata_max_age_ns),
            reconnect_backoff: Duration::from_nanos(core.reconnect_min_ns),
            reconnect_backoff_max: Duration::from_nanos(core.reconnect_max_ns),
            connection_setup_timeout: Duration::from_nanos(core.connect_timeout_ns),
            topic_prefix: String::new(),
        }
    }
}

impl KafkaOptions {
    /// Whether the producer is idempotent: as it was set, or else with [`Acks::All`].
    pub fn is_idempotent(&self) -> bool {
        self.enable_idempotence.unwrap_or(self.acks == Acks::All)
    }
}

/// One Kafka.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kafka {
    /// Host and port of the brokers to ask first.
    pub(crate) brokers: Vec<(String, u16)>,
    pub(crate) options: KafkaOptions,
    /// `compression.level`, while it is not known yet what it belongs to.
    pub(super) level: Option<i32>,
}

impl Kafka {
    pub(crate) fn url(&self) -> String {
        format!("{}{}", brokers::SCHEME, brokers::joined(&self.brokers))
    }

    /// As the core needs it. Times are in bounds: 2^31 milliseconds of nanoseconds fit.
    pub(crate) fn settings(&self) -> KafkaSettings {
        let nanoseconds = |duration: Duration| duration.as_nanos() as u64;
        let options = &self.options;
        KafkaSettings {
            bootstrap_servers: self.brokers.clone(),
            client_id: options.client_id.clone(),
            acks: options.acks,
            idempotent: options.is_idempotent(),
            compression: options.compression,
            batch_size: options.batch_size,
            linger_ns: nanoseconds(options.linger),
            max_request_size: options.max_request_size,
            max_in_flight: options.max_in_flight,
            delivery_timeout_ns: nanoseconds(options.delivery_timeout),
            request_timeout_ns: nanoseconds(options.request_timeout),
            retries: options.retries,
            retry_backoff: RetryBackoff {
                kind: options.retry_backoff_kind,
                base_ns: nanoseconds(options.retry_backoff),
                max_ns: nanoseconds(options.retry_backoff_max),
            },
            partitioner: options.partitioner.clone(),
            metadata_max_age_ns: nanoseconds(options.metadata_max_age),
            topic_propagation_ns: nanoseconds(options.topic_metadata_propagation),
            auto_create_topics: options.allow_auto_create_topics,
            connect_timeout_ns: nanoseconds(options.connection_setup_timeout),
            reconnect_min_ns: nanoseconds(options.reconnect_backoff),
            reconnect_max_ns: nanoseconds(options.reconnect_backoff_max),
        }
    }

    /// Applies `compression.level`; else says what would be accepted.
    pub(super) fn apply_level(&mut self) -> Result<(), (String, &'static str)> {
        let Some(level) = self.level.take() else { return Ok(()) };
        let applied = match self.options.compression {
            Compression::Gzip(_) if (0..=9).contains(&level) => Ok(Compression::Gzip(level as u8)),
            Compression::Gzip(_) => Err("expected a level of gzip, from 0 to 9, or default"),
            Compression::Zstd(_) if (-ZSTD_LEVEL_MAX..=ZSTD_LEVEL_MAX).contains(&level) => {
                Ok(Compression::Zstd(level as i8))
            }
            Compression::Zstd(_) => Err("expected a level of zstd, from -22 to 22, or default"),
            Compression::None => {
                Err("expected compression.type gzip or zstd beside it: without one there is no level")
            }
            Compression::Snappy | Compression::Lz4 => {
                Err("expected default: snappy and lz4 have no levels here")
            }
        };
        self.options.compression = applied.map_err(|expected| (level.to_string(), expected))?;
        Ok(())
    }

    /// What holds between settings: else the setting that is wrong, what was found, and what would be accepted.
    pub(super) fn check(&self) -> Result<(), (&'static str, String, String)> {
        let options = &self.options;
        if options.enable_idempotence == Some(true) && options.acks != Acks::All {
            let found = options.acks.number().to_string();
            let expected = "expected all: enable.idempotence = true needs every in-sync replica's word";
            return Err(("acks", found, expected.to_owned()));
        }
        if options.batch_size > options.max_request_size {
            let expected = format!("expected at most max.request.size ({})", options.max_request_size);
            return Err(("batch.size", options.batch_size.to_string(), expected));
        }
        let ordered = [
            ("retry.backoff.ms", options.retry_backoff, "retry.backoff.max.ms", options.retry_backoff_max),
            (
                "reconnect.backoff.ms",
                options.reconnect_backoff,
                "reconnect.backoff.max.ms",
                options.reconnect_backoff_max,
            ),
            ("linger.ms", options.linger, "delivery.timeout.ms", options.delivery_timeout),
        ];
        for (lower, shorter, upper, longer) in ordered {
            if shorter > longer {
                let expected = format!("expected at most {upper} ({})", longer.as_millis());
                return Err((lower, shorter.as_millis().to_string(), expected));
            }
        }
        Ok(())
    }

    /// The topic of a channel whose route names none; else why it cannot be one.
    pub(super) fn topic(&self, channel: &[u8]) -> Result<String, String> {
        let name = String::from_utf8_lossy(channel);
        let topic = format!("{}{name}", self.options.topic_prefix);
        if is_topic(&topic) { Ok(topic) } else { Err(topic) }
    }
}

/// Levels of zstd, and of its faster half.
const ZSTD_LEVEL_MAX: i32 = 22;

/// Whether Kafka takes it as a topic's name.
pub(super) fn is_topic(name: &str) -> bool {
    (1..=TOPIC_LEN_MAX).contains(&name.len()) && is_topic_part(name) && name != "." && name != ".."
}

/// Whether each byte may stand in a topic's name.
pub(super) fn is_topic_part(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
