//! The settings of one endpoint, as the core needs them: already checked, in its own units.

use ringwire_codec::resp::Limits;

use crate::kafka::settings::KafkaSettings;
use crate::time::{MILLISECOND_NS, SECOND_NS};

/// What happens to a message whose endpoint is not connected: a route says it for its channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhenDown {
    /// It is refused; what was accepted before that was known is *not sent*. The default of pub/sub.
    #[default]
    Reject,
    /// It waits for the connection, up to the credit.
    Buffer,
    /// It is accepted, counted, and *not sent*.
    Drop,
}

/// Name that the server shows for our connections, unless one is set.
pub const DEFAULT_CLIENT_NAME: &str = "ringwire";
/// Time for a connect, and again for the handshake after it.
pub const DEFAULT_CONNECT_TIMEOUT_NS: u64 = 2 * SECOND_NS;
/// How long the oldest unanswered command may stand at the head of the queue before the connection is given up. Redis answers in microseconds; a
/// server that takes longer than this is paused, forking or gone.
pub const DEFAULT_REPLY_TIMEOUT_NS: u64 = 2 * SECOND_NS;
/// Quiet time after which a `PING` asks for a sign of life: short enough that NAT tables and load balancers do not
/// forget the connection.
pub const DEFAULT_PING_INTERVAL_NS: u64 = SECOND_NS;
/// Time between two `ROLE` checks of the publish lane: a demoted primary answers `PUBLISH` as if nothing had
/// happened.
pub const DEFAULT_ROLE_INTERVAL_NS: u64 = SECOND_NS;
/// Failures in a row that open the breaker: five are no accident.
pub const DEFAULT_BREAKER_THRESHOLD: u32 = 5;
/// How long an open breaker keeps an endpoint from work: long enough for a server to get rid of what ails it, short
/// enough that one which recovered is found within half a second.
pub const DEFAULT_BREAKER_OPEN_NS: u64 = 500 * MILLISECOND_NS;
/// The first reconnect waits at most this long.
pub const DEFAULT_RECONNECT_MIN_NS: u64 = 10 * MILLISECOND_NS;
/// No reconnect waits longer than this, so that a server that is back is found within half a second.
pub const DEFAULT_RECONNECT_MAX_NS: u64 = 250 * MILLISECOND_NS;

/// One endpoint.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them, at the start")]
pub enum EndpointSettings {
    /// A Redis.
    Redis(RedisSettings),
    /// A Kafka.
    Kafka(KafkaSettings),
}

impl From<RedisSettings> for EndpointSettings {
    fn from(settings: RedisSettings) -> Self {
        Self::Redis(settings)
    }
}

impl From<KafkaSettings> for EndpointSettings {
    fn from(settings: KafkaSettings) -> Self {
        Self::Kafka(settings)
    }
}

/// One Redis endpoint. Its `Debug` text does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// User for `AUTH`; none means the default user.
    pub username: Option<String>,
    /// Password for `AUTH`; none means that no `AUTH` is sent.
    pub password: Option<String>,
    /// Database for `SELECT`; 0 sends none. Pub/sub itself does not depend on it.
    pub database: u32,
    /// Name for `CLIENT SETNAME`, without spaces.
    pub client_name: String,
    /// Nanoseconds for the connect, and again for the handshake.
    pub connect_timeout_ns: u64,
    /// Nanoseconds that the oldest unanswered command may wait since it was sent or the last answer came.
    pub reply_timeout_ns: u64,
    /// Nanoseconds of quiet before a `PING`.
    pub ping_interval_ns: u64,
    /// Nanoseconds between `ROLE` checks.
    pub role_interval_ns: u64,
    /// Failures in a row (error replies that are the server's own fault, and reply timeouts) that open the breaker;
    /// 0 for none.
    pub breaker_threshold: u32,
    /// Nanoseconds that an open breaker keeps the endpoint from work, before one probe decides.
    pub breaker_open_ns: u64,
    /// Upper bound of the first reconnect delay, in nanoseconds; it doubles with each attempt.
    pub reconnect_min_ns: u64,
    /// Upper bound of every reconnect delay, in nanoseconds.
    pub reconnect_max_ns: u64,
    /// Caps on what the server may send.
    pub limits: Limits,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            database: 0,
            client_name: DEFAULT_CLIENT_NAME.to_owned(),
            connect_timeout_ns: DEFAULT_CONNECT_TIMEOUT_NS,
            reply_timeout_ns: DEFAULT_REPLY_TIMEOUT_NS,
            ping_interval_ns: DEFAULT_PING_INTERVAL_NS,
            role_interval_ns: DEFAULT_ROLE_INTERVAL_NS,
            breaker_threshold: DEFAULT_BREAKER_THRESHOLD,
            breaker_open_ns: DEFAULT_BREAKER_OPEN_NS,
            reconnect_min_ns: DEFAULT_RECONNECT_MIN_NS,
            reconnect_max_ns: DEFAULT_RECONNECT_MAX_NS,
            limits: Limits::default(),
        }
    }
}

impl std::fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSettings")
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("database", &self.database)
            .field("client_name", &self.client_name)
            .field("connect_timeout_ns", &self.connect_timeout_ns)
            .field("reply_timeout_ns", &self.reply_timeout_ns)
            .field("ping_interval_ns", &self.ping_interval_ns)
            .field("role_interval_ns", &self.role_interval_ns)
            .field("breaker_threshold", &self.breaker_threshold)
            .field("breaker_open_ns", &self.breaker_open_ns)
            .field("reconnect_min_ns", &self.reconnect_min_ns)
            .field("reconnect_max_ns", &self.reconnect_max_ns)
            .field("limits", &self.limits)
            .finish()
    }
}
