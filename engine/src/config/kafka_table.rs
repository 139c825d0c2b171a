//! The table of a Kafka's settings, under Kafka's own names. What is ours says so.

use std::time::Duration;

use ringwire_core::{Acks, BackoffKind, Compression, IN_FLIGHT_MAX, Partitioner};

use super::brokers;
use super::kafka::{Kafka, TOPIC_LEN_MAX, is_topic_part};
use super::kind::{Kind, Setting, required, setting, unshown};
use super::settings::{
    CLIENT_NAME_LEN_MAX, CREDIT_BYTES_MAX, CREDIT_BYTES_MIN, CREDIT_MESSAGES_MAX, MILLISECOND, RING_BYTES_MAX,
};

/// Kafka's own settings are 32 bits with a sign, and users give their largest value for "never".
const KAFKA_MAX: u64 = i32::MAX as u64;
/// No message is longer than a quarter of the largest ring.
const REQUEST_SIZE_MAX: u64 = RING_BYTES_MAX / 4;
/// Below this, the head of a request with the longest topic name leaves little room for a record.
const REQUEST_SIZE_MIN: u64 = 4 << 10;
/// The usual levels: gzip's own, and zstd's.
const GZIP_LEVEL: u8 = 6;
const ZSTD_LEVEL: i8 = 3;
const SINGLE: &str = "single:";
/// A partition's number has 31 bits.
const PARTITION_MAX: u32 = i32::MAX as u32;

/// A time in whole milliseconds.
const fn milliseconds(
    name: &'static str,
    min: u64,
    read: fn(&Kafka) -> Duration,
    write: fn(&mut Kafka, Duration),
    meaning: &'static str,
) -> Setting<Kafka> {
    setting(name, "ms", Kind::Duration { unit: MILLISECOND, min, max: KAFKA_MAX, read, write }, meaning)
}

/// `[endpoint.NAME]` of a Kafka.
pub(super) static KAFKA: &[Setting<Kafka>] = &[
    unshown(required(setting(
        "url",
        "",
        Kind::Url { read: Kafka::url },
        "`kafka://host[:port][,host[:port]…]`: the same as `bootstrap.servers`. One of them is required; where both are given in one \
         place, they name the same brokers.",
    ))),
    required(setting(
        "bootstrap.servers",
        "",
        Kind::Parsed {
            read: |it| brokers::joined(&it.brokers),
            write: |it, text| {
                it.brokers = brokers::parse(text)?;
                Ok(())
            },
            expected: brokers::EXPECTED,
        },
        "Brokers to ask first, `host[:port]` and comma separated; the port is 9092 unless given. They tell of all \
         others.",
    )),
    setting(
        "client.id",
        "",
        Kind::Text {
            read: |it| &it.options.client_id,
            write: |it, text| it.options.client_id = text,
            accepts: |text| {
                (1..=CLIENT_NAME_LEN_MAX).contains(&text.len())
                    && text.bytes().all(|it| it.is_ascii_graphic())
            },
            expected: "expected 1 to 64 printable ASCII characters without spaces",
        },
        "What the broker's logs and quotas call us.",
    ),
    setting(
        "acks",
        "",
        Kind::Word {
            words: &["all", "-1", "1", "0"],
            read: |it| acks_word(it.options.acks).to_owned(),
            write: |it, word| {
                it.options.acks = match word {
                    "0" => Acks::None,
                    "1" => Acks::Leader,
                    _ => Acks::All,
                };
            },
        },
        "Who has to have a record before it counts as delivered: every in-sync replica, the leader (`1`), or nobody \
         (`0`: each message ends *unknown*).",
    ),
    setting(
        "enable.idempotence",
        "",
        Kind::Flag {
            read: |it| it.options.is_idempotent(),
            write: |it, flag| it.options.enable_idempotence = Some(flag),
        },
        "Nothing is twice in the log, and order holds over retries. It needs `acks = \"all\"`: with another one it is \
         off unless it is set, and setting it is refused.",
    ),
    setting(
        "compression.type",
        "",
        Kind::Word {
            words: &["none", "gzip", "snappy", "lz4", "zstd"],
            read: |it| compression_word(it.options.compression).to_owned(),
            write: |it, word| {
                it.options.compression = match word {
                    "gzip" => Compression::Gzip(GZIP_LEVEL),
                    "snappy" => Compression::Snappy,
                    "lz4" => Compression::Lz4,
                    "zstd" => Compression::Zstd(ZSTD_LEVEL),
                    _ => Compression::None,
                };
            },
        },
        "How batches are compressed, block by block while they fill.",
    ),
    setting(
        "compression.level",
        "",
        Kind::Parsed {
            read: |it| match it.options.compression {
                Compression::Gzip(level) if level != GZIP_LEVEL => level.to_string(),
                Compression::Zstd(level) if level != ZSTD_LEVEL => level.to_string(),
                _ => "default".to_owned(),
            },
            write: |it, text| {
                it.level = match text {
                    "default" => None,
                    _ => Some(text.parse().map_err(|_| LEVEL_EXPECTED)?),
                };
                Ok(())
            },
            expected: LEVEL_EXPECTED,
        },
        "gzip: 0 to 9, 6 by default. zstd: 1 to 22, 3 by default, and negative ones that are faster still. The others \
         have none.",
    ),
    setting(
        "batch.size",
        "bytes",
        Kind::Integer {
            min: 1,
            max: REQUEST_SIZE_MAX,
            read: |it| it.options.batch_size as u64,
            write: |it, number| it.options.batch_size = number as usize,
        },
        "A batch of a partition takes records up to this, counted before compression. A larger record gets a batch of \
         its own.",
    ),
    setting(
        "linger.ms",
        "ms",
        Kind::Milliseconds {
            max: KAFKA_MAX,
            read: |it| it.options.linger,
            write: |it, duration| it.options.linger = duration,
        },
        "How long a batch waits for company although it could go. With 0 it goes at once when nothing is under way to \
         its broker, and grows while something is.",
    ),
    setting(
        "max.request.size",
        "bytes",
        Kind::Integer {
            min: REQUEST_SIZE_MIN,
            max: REQUEST_SIZE_MAX,
            read: |it| it.options.max_request_size as u64,
            write: |it, number| it.options.max_request_size = number as usize,
        },
        "The largest request, and so the largest record, before compression: above it a message is *not sent*. The \
         broker's `message.max.bytes` has to allow it, and `engine.ring_bytes` as well.",
    ),
    milliseconds(
        "delivery.timeout.ms",
        1,
        |it| it.options.delivery_timeout,
        |it, duration| it.options.delivery_timeout = duration,
        "After this a message that is certainly not in the log is *not sent*. One that may be in it is retried until \
         that is decided.",
    ),
    milliseconds(
        "request.timeout.ms",
        1,
        |it| it.options.request_timeout,
        |it, duration| it.options.request_timeout = duration,
        "A broker that does not answer for so long has its connection closed, and what was under way is retried.",
    ),
    setting(
        "retries",
        "attempts",
        Kind::Integer {
            min: 0,
            max: KAFKA_MAX,
            read: |it| u64::from(it.options.retries),
            write: |it, number| it.options.retries = number as u32,
        },
        "Further attempts of a batch that is certainly not in the log. What may be in it does not count them.",
    ),
    milliseconds(
        "retry.backoff.ms",
        1,
        |it| it.options.retry_backoff,
        |it, duration| it.options.retry_backoff = duration,
        "Before the first retry; with a jitter of 20 %.",
    ),
    milliseconds(
        "retry.backoff.max.ms",
        1,
        |it| it.options.retry_backoff_max,
        |it, duration| it.options.retry_backoff_max = duration,
        "No retry waits longer than this. At least `retry.backoff.ms`.",
    ),
    setting(
        "retry.backoff.kind",
        "",
        Kind::Word {
            words: &["exponential", "linear", "fixed"],
            read: |it| backoff_word(it.options.retry_backoff_kind).to_owned(),
            write: |it, word| {
                it.options.retry_backoff_kind = match word {
                    "fixed" => BackoffKind::Fixed,
                    "linear" => BackoffKind::Linear,
                    _ => BackoffKind::Exponential,
                };
            },
        },
        "How the delay grows from retry to retry. Ours: other clients have no choice.",
    ),
    setting(
        "max.in.flight.requests.per.connection",
        "requests",
        Kind::Integer {
            min: 1,
            max: IN_FLIGHT_MAX as u64,
            read: |it| it.options.max_in_flight as u64,
            write: |it, number| it.options.max_in_flight = number as usize,
        },
        "Unanswered requests to one broker. Without idempotence a partition has one batch under way at a time, so \
         that its order is kept.",
    ),
    setting(
        "buffer.memory",
        "bytes",
        Kind::Integer {
            min: CREDIT_BYTES_MIN,
            max: CREDIT_BYTES_MAX,
            read: |it| u64::from(it.options.buffer_memory),
            write: |it, number| it.options.buffer_memory = number as u32,
        },
        "Bytes that a publisher may have without an outcome, for each shard: the endpoint's credit, instead of \
         `engine.credit_bytes`. At least a quarter of `engine.ring_bytes` and 2 KiB.",
    ),
    setting(
        "queue.buffering.max.messages",
        "messages",
        Kind::Integer {
            min: 1,
            max: CREDIT_MESSAGES_MAX,
            read: |it| u64::from(it.options.queue_messages),
            write: |it, number| it.options.queue_messages = number as u32,
        },
        "Messages that a publisher may have without an outcome, for each shard, instead of `engine.credit_messages`. \
         librdkafka's name.",
    ),
    milliseconds(
        "topic.metadata.propagation.max.ms",
        0,
        |it| it.options.topic_metadata_propagation,
        |it, duration| it.options.topic_metadata_propagation = duration,
        "How long messages wait for a topic that the brokers do not know (yet). librdkafka's name.",
    ),
    setting(
        "allow.auto.create.topics",
        "",
        Kind::Flag {
            read: |it| it.options.allow_auto_create_topics,
            write: |it, flag| it.options.allow_auto_create_topics = flag,
        },
        "The broker may create a topic that does not exist, if `auto.create.topics.enable` is on there.",
    ),
    setting(
        "partitioner",
        "",
        Kind::Parsed {
            read: |it| partitioner_text(&it.options.partitioner),
            write: |it, text| {
                it.options.partitioner = parse_partitioner(text).ok_or(PARTITIONER_EXPECTED)?;
                Ok(())
            },
            expected: PARTITIONER_EXPECTED,
        },
        "Where a record goes that names no partition: `murmur2` of the key as the Java client's, `consistent` (CRC-32 \
         of the key) as librdkafka's; both by the channel's name without a key. `channel-hash`: by the channel's name \
         always. `sticky`: a random partition for `batch.size` bytes (KIP-794). `round-robin`. `single:N`: always \
         that one. A function of your own is set in code.",
    ),
    milliseconds(
        "metadata.max.age.ms",
        1,
        |it| it.options.metadata_max_age,
        |it, duration| it.options.metadata_max_age = duration,
        "Brokers and leaders are asked for anew after this, also when nothing went wrong.",
    ),
    milliseconds(
        "reconnect.backoff.ms",
        1,
        |it| it.options.reconnect_backoff,
        |it, duration| it.options.reconnect_backoff = duration,
        "The first reconnect waits a random time up to this; the bound doubles with each attempt.",
    ),
    milliseconds(
        "reconnect.backoff.max.ms",
        1,
        |it| it.options.reconnect_backoff_max,
        |it, duration| it.options.reconnect_backoff_max = duration,
        "No reconnect waits longer than this. At least `reconnect.backoff.ms`.",
    ),
    milliseconds(
        "socket.connection.setup.timeout.ms",
        1,
        |it| it.options.connection_setup_timeout,
        |it, duration| it.options.connection_setup_timeout = duration,
        "Time for a connect, and again for the greeting after it.",
    ),
    setting(
        "topic.prefix",
        "",
        Kind::Text {
            read: |it| &it.options.topic_prefix,
            write: |it, text| it.options.topic_prefix = text,
            accepts: |text| text.len() < TOPIC_LEN_MAX && is_topic_part(text),
            expected: "expected at most 248 letters, digits, ., _ or -",
        },
        "Stands before a channel's name in its topic's name, unless the route names the topic. Ours.",
    ),
];

const LEVEL_EXPECTED: &str = "expected default or an integer: 0 to 9 for gzip, -22 to 22 for zstd";
const PARTITIONER_EXPECTED: &str = "expected murmur2, consistent, channel-hash, sticky, round-robin or single:N; a function of your own is set in code";

pub(super) fn acks_word(acks: Acks) -> &'static str {
    match acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    }
}

fn compression_word(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip(_) => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd(_) => "zstd",
    }
}

fn backoff_word(kind: BackoffKind) -> &'static str {
    match kind {
        BackoffKind::Fixed => "fixed",
        BackoffKind::Linear => "linear",
        BackoffKind::Exponential => "exponential",
    }
}

fn partitioner_text(partitioner: &Partitioner) -> String {
    match partitioner {
        Partitioner::Murmur2 => "murmur2".to_owned(),
        Partitioner::Consistent => "consistent".to_owned(),
        Partitioner::ChannelHash => "channel-hash".to_owned(),
        Partitioner::Sticky => "sticky".to_owned(),
        Partitioner::RoundRobin => "round-robin".to_owned(),
        Partitioner::Single(number) => format!("{SINGLE}{number}"),
        Partitioner::Custom(_) => "custom".to_owned(),
    }
}

fn parse_partitioner(text: &str) -> Option<Partitioner> {
    Some(match text {
        "murmur2" => Partitioner::Murmur2,
        "consistent" => Partitioner::Consistent,
        "channel-hash" => Partitioner::ChannelHash,
        "sticky" => Partitioner::Sticky,
        "round-robin" => Partitioner::RoundRobin,
        _ => {
            let number = text.strip_prefix(SINGLE)?.parse().ok()?;
            Partitioner::Single(Some(number).filter(|number| *number <= PARTITION_MAX)?)
        }
    })
}
