//! The table of all settings: the one source for reading, checking, showing and explaining them.
//!
//! ```text
//!   file, environment, --set ──► Value ──► Setting::put ──► Config, Redis, Kafka, Route
//!   builder ─────────────────────────────► Setting::check ──────┘ │
//!   Config::to_toml, SETTINGS.md ◄──────── Setting::show ◄────────┘
//! ```
//!
//! A new setting is one entry here, and a field that it reads and writes.

use std::time::Duration;

use ringwire_core::WhenDown;
use ringwire_core::channel::NAME_LEN_MAX;
use ringwire_shards::idle::{IdleStrategy, NAP_DEFAULT, SPIN_DEFAULT};

use super::endpoint::EndpointKind;
use super::kafka::is_topic;
use super::kafka_table::KAFKA;
use super::kind::{Kind, Setting, required, setting};
use super::redis::Redis;
use super::{Config, ENDPOINTS_MAX, Route};

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
const MICROSECOND: Duration = Duration::from_micros(1);
/// More shards than this do not fit a machine that we know.
const SHARDS_MAX: u64 = 256;
/// Linux is built for at most 8192 cores.
const CORE_MAX: u64 = 8191;
/// A shard that spins for longer than a second is better told to busy-spin.
const SPIN_MAX_US: u64 = 1_000_000;
/// A nap holds up timers and answers: beyond a hundredth of a second it would be in the way of the shortest limits.
const NAP_MAX_US: u64 = 10_000;
/// A ring must hold a few messages with the longest channel name.
const RING_BYTES_MIN: u64 = 16 << 10;
/// Above this a ring is a queue, and latency is lost.
pub(super) const RING_BYTES_MAX: u64 = 1 << 30;
/// At 64 bytes a report slot this is 64 MiB for a publisher on each shard.
pub(super) const CREDIT_MESSAGES_MAX: u64 = 1 << 20;
/// A quarter of the smallest ring, and the longest names: below, not even the smallest ring's largest message fits.
pub(super) const CREDIT_BYTES_MIN: u64 = RING_BYTES_MIN / 4 + 2 * NAME_LEN_MAX as u64;
/// Credit is counted in 32 bits.
pub(super) const CREDIT_BYTES_MAX: u64 = u32::MAX as u64;
/// A day: longer than anybody waits, and its nanoseconds fit with room to add.
const DURATION_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// `SELECT` takes an index; servers are configured with far fewer databases than this.
const DATABASE_MAX: u64 = (1 << 16) - 1;
/// A breaker that waits for more failures in a row might as well be off.
const BREAKER_THRESHOLD_MAX: u64 = 1_000_000;
/// The decoder's longest text line: a shorter string would save nothing.
const REPLY_BYTES_MIN: u64 = 64 << 10;
/// Redis' own limit of a string, 512 MiB.
const REPLY_BYTES_MAX: u64 = 512 << 20;
/// Names are for people, and stand in every line of status.
pub(super) const CLIENT_NAME_LEN_MAX: usize = 64;

const _: () = assert!(ENDPOINTS_MAX <= u16::MAX as usize, "an endpoint's number has 16 bits");

/// `[engine]`.
pub(super) static ENGINE: &[Setting<Config>] = &[
    setting(
        "shards",
        "",
        Kind::Integer {
            min: 1,
            max: SHARDS_MAX,
            read: |it| it.shards as u64,
            write: |it, number| it.shards = number as usize,
        },
        "Number of shards, that is of threads, not pinned to cores. With `cores` it may be left out.",
    ),
    setting(
        "cores",
        "",
        Kind::Integers {
            max: CORE_MAX,
            len_max: SHARDS_MAX as usize,
            read: |it| it.cores.iter().map(|core| *core as u64).collect(),
            write: |it, cores| it.cores = cores.into_iter().map(|core| core as usize).collect(),
        },
        "Pins one shard to each of these cores, numbered as `lscpu` does. An empty list pins none.",
    ),
    setting(
        "host",
        "",
        Kind::Word {
            words: &["auto", "glommio", "thread"],
            read: |it| it.host.to_string(),
            write: |it, word| it.host = word.parse().unwrap_or_default(),
        },
        "What hosts a shard's loop: a glommio executor, a plain thread, or glommio where io_uring works (`auto`).",
    ),
    setting(
        "idle",
        "",
        Kind::Word {
            words: &["busy-spin", "spin-then-park", "park", "moderate"],
            read: |it| it.idle.to_string(),
            write: |it, word| it.idle = word.parse().unwrap_or_default(),
        },
        "What a shard does without work: never sleep; spin and then sleep; sleep at once; or, while messages flow, sleep for `nap_us` between turns, which costs the least CPU and adds up to that time each way.",
    ),
    setting(
        "spin_us",
        "µs",
        Kind::Duration {
            unit: MICROSECOND,
            min: 0,
            max: SPIN_MAX_US,
            read: |it| match it.idle {
                IdleStrategy::SpinThenPark { spin } => spin,
                IdleStrategy::BusySpin | IdleStrategy::Park | IdleStrategy::Moderate { .. } => SPIN_DEFAULT,
            },
            write: |it, duration| {
                if let IdleStrategy::SpinThenPark { spin } = &mut it.idle {
                    *spin = duration;
                }
            },
        },
        "How long `spin-then-park` spins after the last work; the others pay no attention to it.",
    ),
    setting(
        "nap_us",
        "µs",
        Kind::Duration {
            unit: MICROSECOND,
            min: 1,
            max: NAP_MAX_US,
            read: |it| match it.idle {
                IdleStrategy::Moderate { nap } => nap,
                IdleStrategy::BusySpin | IdleStrategy::Park | IdleStrategy::SpinThenPark { .. } => {
                    NAP_DEFAULT
                }
            },
            write: |it, duration| {
                if let IdleStrategy::Moderate { nap } = &mut it.idle {
                    *nap = duration;
                }
            },
        },
        "How long `moderate` sleeps between turns while messages flow; the others pay no attention to it.",
    ),
    setting(
        "ring_bytes",
        "bytes",
        Kind::PowerOfTwo {
            min: RING_BYTES_MIN,
            max: RING_BYTES_MAX,
            read: |it| it.ring_bytes as u64,
            write: |it, number| it.ring_bytes = number as usize,
        },
        "A publisher's ring on each shard. The largest message is a quarter of it.",
    ),
    setting(
        "subscriber_ring_bytes",
        "bytes",
        Kind::PowerOfTwo {
            min: RING_BYTES_MIN,
            max: RING_BYTES_MAX,
            read: |it| it.subscriber_ring_bytes as u64,
            write: |it, number| it.subscriber_ring_bytes = number as usize,
        },
        "A subscriber's ring on each shard. What does not fit is lost, counted and told as a gap.",
    ),
    setting(
        "credit_messages",
        "messages",
        Kind::Integer {
            min: 1,
            max: CREDIT_MESSAGES_MAX,
            read: |it| u64::from(it.credit_messages),
            write: |it, number| it.credit_messages = number as u32,
        },
        "Messages that a publisher may have without an outcome, for each shard and endpoint. It has as many report slots, \
         or as many as the largest `queue.buffering.max.messages` of a Kafka.",
    ),
    setting(
        "credit_bytes",
        "bytes",
        Kind::Integer {
            min: CREDIT_BYTES_MIN,
            max: CREDIT_BYTES_MAX,
            read: |it| u64::from(it.credit_bytes),
            write: |it, number| it.credit_bytes = number as u32,
        },
        "Bytes that a publisher may have without an outcome, for each shard and endpoint: at least a quarter of \
         `ring_bytes` and 2 KiB.",
    ),
];

/// A time in milliseconds, from 1 to a day.
const fn milliseconds(
    name: &'static str,
    read: fn(&Redis) -> Duration,
    write: fn(&mut Redis, Duration),
    meaning: &'static str,
) -> Setting<Redis> {
    let kind = Kind::Duration { unit: MILLISECOND, min: 1, max: DURATION_MAX_MS, read, write };
    setting(name, "ms", kind, meaning)
}

/// `[endpoint.NAME]` of a Redis.
pub(super) static REDIS: &[Setting<Redis>] = &[
    required(setting(
        "url",
        "",
        Kind::Url { read: |it| it.location.to_string() },
        "`redis://[user:password@]host[:port][/database]` or `unix:///path`; the part on urls says more.",
    )),
    setting(
        "username",
        "",
        Kind::Text {
            read: |it| it.options.username.as_deref().unwrap_or_default(),
            write: |it, text| it.options.username = (!text.is_empty()).then_some(text),
            accepts: |_| true,
            expected: "expected a user's name",
        },
        "User of the server's access control list; empty for the default user. It needs a password.",
    ),
    setting(
        "password",
        "",
        Kind::Secret {
            is_set: |it| it.options.password.is_some(),
            write: |it, text| it.options.password = (!text.is_empty()).then_some(text),
        },
        "Password; empty for none. It is never shown.",
    ),
    setting(
        "database",
        "",
        Kind::Integer {
            min: 0,
            max: DATABASE_MAX,
            read: |it| u64::from(it.options.database),
            write: |it, number| it.options.database = number as u32,
        },
        "Database for `SELECT`. Pub/sub itself does not depend on it.",
    ),
    setting(
        "client_name",
        "",
        Kind::Text {
            read: |it| &it.options.client_name,
            write: |it, text| it.options.client_name = text,
            accepts: |text| {
                (1..=CLIENT_NAME_LEN_MAX).contains(&text.len())
                    && text.bytes().all(|it| it.is_ascii_graphic())
            },
            expected: "expected 1 to 64 printable ASCII characters without spaces",
        },
        "What `CLIENT LIST` shows for our connections.",
    ),
    milliseconds(
        "connect_timeout_ms",
        |it| it.options.connect_timeout,
        |it, duration| it.options.connect_timeout = duration,
        "Time for a connect, and again for the greeting after it.",
    ),
    milliseconds(
        "reply_timeout_ms",
        |it| it.options.reply_timeout,
        |it, duration| it.options.reply_timeout = duration,
        "How long the oldest unanswered command may stand at the head of the queue before the connection is given up.",
    ),
    milliseconds(
        "ping_interval_ms",
        |it| it.options.ping_interval,
        |it, duration| it.options.ping_interval = duration,
        "Quiet time after which a `PING` asks for a sign of life.",
    ),
    milliseconds(
        "role_interval_ms",
        |it| it.options.role_interval,
        |it, duration| it.options.role_interval = duration,
        "Time between two checks that the server is no replica: a replica takes a `PUBLISH` and passes it to nobody \
         else.",
    ),
    milliseconds(
        "reconnect_min_ms",
        |it| it.options.reconnect_min,
        |it, duration| it.options.reconnect_min = duration,
        "The first reconnect waits a random time up to this; the bound doubles with each attempt.",
    ),
    milliseconds(
        "reconnect_max_ms",
        |it| it.options.reconnect_max,
        |it, duration| it.options.reconnect_max = duration,
        "No reconnect waits longer than this. At least `reconnect_min_ms`.",
    ),
    setting(
        "breaker_threshold",
        "failures",
        Kind::Integer {
            min: 0,
            max: BREAKER_THRESHOLD_MAX,
            read: |it| u64::from(it.options.breaker_threshold),
            write: |it, number| it.options.breaker_threshold = number as u32,
        },
        "Error replies and reply timeouts in a row that open the breaker; 0 turns it off.",
    ),
    milliseconds(
        "breaker_open_ms",
        |it| it.options.breaker_open,
        |it, duration| it.options.breaker_open = duration,
        "How long an open breaker keeps the endpoint from work, before one probe decides.",
    ),
    setting(
        "max_reply_bytes",
        "bytes",
        Kind::Integer {
            min: REPLY_BYTES_MIN,
            max: REPLY_BYTES_MAX,
            read: |it| it.options.max_reply_bytes as u64,
            write: |it, number| it.options.max_reply_bytes = number as usize,
        },
        "Longest string that the server may send, as a message's payload; a whole reply may be four times it. More \
         ends the connection.",
    ),
];

/// The names of an endpoint's settings.
pub(super) fn names_of(kind: EndpointKind) -> Vec<&'static str> {
    match kind {
        EndpointKind::Redis => REDIS.iter().map(|setting| setting.name).collect(),
        EndpointKind::Kafka => KAFKA.iter().map(|setting| setting.name).collect(),
    }
}

/// What a route does while an endpoint is down, by its word.
const WHEN_DOWN: [(&str, Option<WhenDown>); 4] = [
    ("auto", None),
    ("reject", Some(WhenDown::Reject)),
    ("buffer", Some(WhenDown::Buffer)),
    ("drop", Some(WhenDown::Drop)),
];

/// `[[route]]`.
pub(super) static ROUTE: &[Setting<Route>] = &[
    required(setting(
        "channels",
        "",
        Kind::Text {
            read: |it| &it.channels,
            write: |it, text| it.channels = text,
            accepts: |text| (1..=NAME_LEN_MAX).contains(&text.len()),
            expected: "expected a glob over channel names, as in \"fx.*\", of at most 1024 bytes",
        },
        "The channels that it is for, by Redis' glob rules. The first route that matches decides.",
    )),
    required(setting(
        "to",
        "",
        Kind::Names { read: |it| it.to.clone(), write: |it, names| it.to = names },
        "The endpoints that get the messages, up to four, each with an outcome of its own. An empty list is the local \
         bus: subscribers in the same process.",
    )),
    setting(
        "topic",
        "",
        Kind::Text {
            read: |it| it.topic.as_deref().unwrap_or_default(),
            write: |it, text| it.topic = (!text.is_empty()).then_some(text),
            accepts: |text| text.is_empty() || is_topic(text),
            expected: "expected a topic's name: 1 to 249 letters, digits, ., _ or -, and neither . nor ..",
        },
        "The topic of these channels at a Kafka. Empty: the endpoint's `topic.prefix` and the channel's name.",
    ),
    setting(
        "when_down",
        "",
        Kind::Word {
            words: &[WHEN_DOWN[0].0, WHEN_DOWN[1].0, WHEN_DOWN[2].0, WHEN_DOWN[3].0],
            read: |it| {
                let found = WHEN_DOWN.iter().find(|(_, when_down)| *when_down == it.when_down);
                found.map_or_else(String::new, |(word, _)| (*word).to_owned())
            },
            write: |it, word| {
                let found = WHEN_DOWN.iter().find(|(it, _)| *it == word);
                it.when_down = found.and_then(|(_, when_down)| *when_down);
            },
        },
        "What happens to a message while an endpoint is not connected: refused, kept for it up to the credit, or \
         counted and dropped; auto rejects for a Redis, and buffers for a Kafka.",
    ),
    setting(
        "external_only",
        "",
        Kind::Flag { read: |it| it.external_only, write: |it, flag| it.external_only = flag },
        "States that these channels are never delivered by the local bus. It is checked: `to` then names an endpoint.",
    ),
];
