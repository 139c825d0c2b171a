//! What can be set for one Redis.

use std::fmt;
use std::time::Duration;

use ringwire_core::{Limits, RedisSettings};

use super::url::Location;

/// A frame may hold so many of the longest strings: a message comes with its channel's name, and a reply is small.
const FRAME_TO_STRING: usize = 4;

/// The settings of one Redis endpoint, but for its URL. Each is named, bounded and explained in `SETTINGS.md`.
///
/// Durations are whole milliseconds, at least one and at most a day. Its `Debug` text does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// User of the server's access control list; none is the default user. It needs a password.
    pub username: Option<String>,
    /// Password; none sends no `AUTH`.
    pub password: Option<String>,
    /// Database for `SELECT`. Pub/sub itself does not depend on it.
    pub database: u32,
    /// What the server's `CLIENT LIST` shows: printable ASCII without spaces.
    pub client_name: String,
    /// For a connect, and again for the greeting after it.
    pub connect_timeout: Duration,
    /// How long the oldest unanswered command may stand at the head of the queue before the connection is given up.
    pub reply_timeout: Duration,
    /// Quiet time before a `PING`.
    pub ping_interval: Duration,
    /// Time between two checks that the server is no replica.
    pub role_interval: Duration,
    /// The first reconnect waits at most this long; the bound doubles with each attempt.
    pub reconnect_min: Duration,
    /// No reconnect waits longer than this.
    pub reconnect_max: Duration,
    /// Failures in a row that open the breaker; 0 for no breaker.
    pub breaker_threshold: u32,
    /// How long an open breaker keeps the endpoint from work.
    pub breaker_open: Duration,
    /// Longest string in bytes that the server may send, as a message's payload. A whole reply may be four times it.
    pub max_reply_bytes: usize,
}

impl Default for RedisOptions {
    fn default() -> Self {
        let core = RedisSettings::default();
        Self {
            username: core.username,
            password: core.password,
            database: core.database,
            client_name: core.client_name,
            connect_timeout: Duration::from_nanos(core.connect_timeout_ns),
            reply_timeout: Duration::from_nanos(core.reply_timeout_ns),
            ping_interval: Duration::from_nanos(core.ping_interval_ns),
            role_interval: Duration::from_nanos(core.role_interval_ns),
            reconnect_min: Duration::from_nanos(core.reconnect_min_ns),
            reconnect_max: Duration::from_nanos(core.reconnect_max_ns),
            breaker_threshold: core.breaker_threshold,
            breaker_open: Duration::from_nanos(core.breaker_open_ns),
            max_reply_bytes: core.limits.bulk_len_max,
        }
    }
}

impl RedisOptions {
    /// As the core needs them. They are in bounds: a day of nanoseconds fits.
    fn settings(&self) -> RedisSettings {
        let nanoseconds = |duration: Duration| duration.as_nanos() as u64;
        RedisSettings {
            username: self.username.clone(),
            password: self.password.clone(),
            database: self.database,
            client_name: self.client_name.clone(),
            connect_timeout_ns: nanoseconds(self.connect_timeout),
            reply_timeout_ns: nanoseconds(self.reply_timeout),
            ping_interval_ns: nanoseconds(self.ping_interval),
            role_interval_ns: nanoseconds(self.role_interval),
            breaker_threshold: self.breaker_threshold,
            breaker_open_ns: nanoseconds(self.breaker_open),
            reconnect_min_ns: nanoseconds(self.reconnect_min),
            reconnect_max_ns: nanoseconds(self.reconnect_max),
            limits: Limits {
                bulk_len_max: self.max_reply_bytes,
                frame_len_max: self.max_reply_bytes.saturating_mul(FRAME_TO_STRING),
                ..Limits::default()
            },
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The core's settings say the same, and mask the password.
        self.settings().fmt(f)
    }
}

/// One Redis.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    pub(crate) location: Location,
    pub(crate) options: RedisOptions,
    /// The options, as the core needs them.
    pub(crate) settings: RedisSettings,
}

impl Redis {
    /// One whose location is still to come.
    pub(super) fn draft(options: RedisOptions) -> Self {
        Self { location: Location::default(), options, settings: RedisSettings::default() }
    }

    /// The same, once its options are checked.
    pub(super) fn finished(mut self) -> Self {
        self.settings = self.options.settings();
        self
    }

    /// What holds between settings: else the setting that is wrong, what was found, and what would be accepted.
    pub(super) fn check(&self) -> Result<(), (&'static str, String, String)> {
        let options = &self.options;
        if options.username.is_some() && options.password.is_none() {
            // The name is not quoted: from a url it may be a password that stands in the wrong place.
            let expected = "a user needs a password, here or in the url, as in redis://user:password@host";
            return Err(("username", String::new(), expected.to_owned()));
        }
        if options.reconnect_min > options.reconnect_max {
            let expected =
                format!("expected at most reconnect_max_ms ({})", options.reconnect_max.as_millis());
            return Err(("reconnect_min_ms", options.reconnect_min.as_millis().to_string(), expected));
        }
        Ok(())
    }
}
