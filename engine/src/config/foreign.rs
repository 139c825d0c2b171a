//! What users of other clients write: names that mean one of our settings, and names of what there is not. The table of
//! Redis clients is here.
//!
//! In a URL's query those that mean a setting are taken; in a file or a variable they only make the error helpful.

use super::endpoint::EndpointKind;
use super::foreign_kafka::FOREIGN_KAFKA;

/// Names of one thing in other clients, and what it is here.
pub(super) struct Foreign {
    pub(super) names: &'static [&'static str],
    pub(super) here: Here,
}

pub(super) enum Here {
    /// A setting that takes the value as it is.
    Same(&'static str),
    /// A setting in milliseconds, for a time that is written otherwise.
    Time(&'static str),
    /// A setting in another unit, and which.
    Scaled(&'static str, &'static str),
    /// The version of RESP: there is nothing to choose, and every choice is fine.
    Protocol,
    /// A part of the URL before its query.
    InUrl,
    /// Nothing, and why.
    Absent(&'static str),
}

const NO_CHOICE: &str = "there is nothing to choose: RESP3, and RESP2 where the server has no other";
const NO_POOL: &str = "there is no pool: each shard has two connections of its own";
const NO_RETRIES: &str = "nothing is retried behind your back: each message has one outcome, and connections come back \
                          after `reconnect_min_ms` to `reconnect_max_ms`";
const NO_DECODING: &str = "payloads are bytes, and are handed on as they are";
const NO_TLS: &str = "TLS is not built yet";
const NO_CLUSTER: &str = "cluster and sentinel are not built yet";
const ONE_CLOCK: &str = "one clock covers the write and its answer: `reply_timeout_ms`";

/// redis-py, go-redis, lettuce, redis-rs, jedis, node-redis and ioredis.
pub(super) static FOREIGN: &[Foreign] = &[
    Foreign { names: &["db", "database"], here: Here::Same("database") },
    Foreign { names: &["client_name", "clientname"], here: Here::Same("client_name") },
    Foreign { names: &["username", "user"], here: Here::Same("username") },
    Foreign { names: &["password", "pass"], here: Here::Same("password") },
    Foreign {
        names: &["socket_timeout", "read_timeout", "timeout", "command_timeout"],
        here: Here::Time("reply_timeout_ms"),
    },
    Foreign {
        names: &["socket_connect_timeout", "dial_timeout", "connect_timeout"],
        here: Here::Time("connect_timeout_ms"),
    },
    Foreign { names: &["health_check_interval", "ping_interval"], here: Here::Time("ping_interval_ms") },
    Foreign { names: &["protocol"], here: Here::Protocol },
    Foreign { names: &["host", "port", "addr", "unix_socket_path", "path", "scheme"], here: Here::InUrl },
    Foreign { names: &["write_timeout"], here: Here::Absent(ONE_CLOCK) },
    Foreign {
        names: &[
            "pool_size",
            "pool_timeout",
            "pool_fifo",
            "min_idle_conns",
            "max_idle_conns",
            "max_active_conns",
            "max_connections",
            "conn_max_idle_time",
            "conn_max_lifetime",
            "idle_timeout",
            "single_connection_client",
        ],
        here: Here::Absent(NO_POOL),
    },
    Foreign {
        names: &[
            "max_retries",
            "min_retry_backoff",
            "max_retry_backoff",
            "retry_on_timeout",
            "retry_on_error",
            "retry",
        ],
        here: Here::Absent(NO_RETRIES),
    },
    Foreign { names: &["decode_responses", "encoding", "encoding_errors"], here: Here::Absent(NO_DECODING) },
    Foreign {
        names: &["ssl", "tls", "skip_verify", "ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"],
        here: Here::Absent(NO_TLS),
    },
    Foreign {
        names: &["sentinelmasterid", "route_by_latency", "route_randomly", "read_only"],
        here: Here::Absent(NO_CLUSTER),
    },
];

/// What a Redis client's name means here; upper and lower case are one.
pub(super) fn foreign(name: &str) -> Option<&'static Foreign> {
    let name = name.to_ascii_lowercase();
    FOREIGN.iter().find(|it| it.names.contains(&name.as_str()))
}

/// What a Kafka client's name means here, also as a variable writes it.
fn foreign_kafka(name: &str) -> Option<&'static Foreign> {
    let plain = |name: &str| name.to_ascii_lowercase().replace('.', "_");
    let name = plain(name);
    FOREIGN_KAFKA.iter().find(|it| it.names.iter().any(|known| plain(known) == name))
}

/// For somebody who used it as a key of an endpoint of this kind.
pub(super) fn hint(kind: EndpointKind, name: &str) -> Option<String> {
    let found = match kind {
        EndpointKind::Redis => foreign(name),
        EndpointKind::Kafka => foreign_kafka(name),
    };
    Some(match found?.here {
        Here::Same(setting) => format!("here it is `{setting}`"),
        Here::Time(setting) => format!("here it is `{setting}`, in milliseconds"),
        Here::Scaled(setting, unit) => format!("here it is `{setting}`, {unit}"),
        Here::Protocol => NO_CHOICE.to_owned(),
        Here::InUrl => "here it is part of `url`".to_owned(),
        Here::Absent(why) => why.to_owned(),
    })
}

impl Foreign {
    /// What comes of it in a URL's query, in Markdown.
    pub(super) fn meaning(&self) -> String {
        match self.here {
            Here::Same(setting) | Here::Time(setting) => format!("`{setting}`"),
            Here::Scaled(setting, unit) => format!("`{setting}`, {unit}"),
            Here::Protocol => format!("2 or 3 is accepted; {NO_CHOICE}"),
            Here::InUrl => "refused: it stands before the `?`".to_owned(),
            Here::Absent(why) => format!("refused: {why}"),
        }
    }
}

/// Names that every client knows as seconds; lettuce's `timeout` is milliseconds where it has no unit.
const AMBIGUOUS_WITHOUT_UNIT: &str = "timeout";

/// Nanoseconds of each unit of Go's durations; the longer of two that begin alike stands first.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

const NANOSECONDS_IN_MILLISECOND: f64 = 1e6;

/// The milliseconds of a time that `name` takes: seconds, as in `1.5`, or a Go duration, as in `1m30s`. They are
/// rounded up, so that a time is never nothing.
pub(super) fn milliseconds(name: &str, text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "expected seconds, as in 1.5, or a time with units, as in 500ms or 1m30s";
    if text.parse::<f64>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        if name.eq_ignore_ascii_case(AMBIGUOUS_WITHOUT_UNIT) {
            return Err("clients differ in its unit: write it, as in timeout=2s");
        }
        let seconds: f64 = text.parse().map_err(|_| EXPECTED)?;
        return Ok((seconds * 1e9 / NANOSECONDS_IN_MILLISECOND).ceil() as u64);
    }
    let mut nanoseconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.').ok_or(EXPECTED)?;
        let number: f64 = rest[..digits].parse().map_err(|_| EXPECTED)?;
        rest = &rest[digits..];
        let (unit, each) = unit(rest).ok_or(EXPECTED)?;
        nanoseconds += number * each;
        rest = &rest[unit.len()..];
    }
    if text.is_empty() { Err(EXPECTED) } else { Ok((nanoseconds / NANOSECONDS_IN_MILLISECOND).ceil() as u64) }
}

/// The unit that `text` begins with: all up to the next digit.
fn unit(text: &str) -> Option<(&'static str, f64)> {
    let end = text.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(text.len());
    UNITS.into_iter().find(|(unit, _)| *unit == &text[..end])
}
