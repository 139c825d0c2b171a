//! What an engine is made of: endpoints, routes and how its shards run. From a builder or from TOML, checked once.

mod file;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use ringwire_core::WhenDown;
use ringwire_core::channel::{LEGS_MAX, NAME_LEN_MAX};
use ringwire_core::{EndpointId, Leg, RedisSettings, Source, glob_match};
pub use ringwire_shards::host::HostKind;
pub use ringwire_shards::idle::IdleStrategy;

pub(crate) use url::Location;
use url::RedisUrl;

/// A publisher's ring on each shard, in bytes. The largest message is a quarter of it: 1 MiB.
pub const DEFAULT_RING_BYTES: usize = 4 << 20;
/// A subscriber's ring on each shard, in bytes. At 100,000 messages of 128 bytes a second it holds 200 ms.
pub const DEFAULT_SUBSCRIBER_RING_BYTES: usize = 4 << 20;
/// Messages that one publisher may have without an outcome, for each shard and endpoint: 160 ms at 100,000 a second.
pub const DEFAULT_CREDIT_MESSAGES: u32 = 1 << 14;
/// Bytes that one publisher may have without an outcome, for each shard and endpoint.
pub const DEFAULT_CREDIT_BYTES: u32 = 4 << 20;
/// More shards than this do not fit a machine that we know.
const SHARDS_MAX: usize = 256;
/// As many endpoints as one engine serves: each has two connections on each shard.
const ENDPOINTS_MAX: usize = 100;

/// The configuration of an [`crate::Engine`].
///
/// With no endpoint, every channel is local: subscribers in the process receive what its publishers publish. With
/// one endpoint and no route, every channel goes there. Otherwise the first route that matches a channel's name
/// says where it goes, and a channel that no route matches is local.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) routes: Vec<Route>,
    pub(crate) cores: Vec<usize>,
    pub(crate) shards: usize,
    pub(crate) host: HostKind,
    pub(crate) host_driven: bool,
    pub(crate) idle: IdleStrategy,
    pub(crate) ring_bytes: usize,
    pub(crate) subscriber_ring_bytes: usize,
    pub(crate) credit_messages: u32,
    pub(crate) credit_bytes: u32,
}

/// One named Redis.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) settings: RedisSettings,
}

/// A glob over channels, and where they go.
#[derive(Clone, Debug)]
pub struct Route {
    channels: String,
    to: Vec<String>,
    when_down: WhenDown,
}

impl Route {
    /// The route of the channels that match `channels` by Redis' glob rules; it leads nowhere yet.
    pub fn new(channels: impl Into<String>) -> Self {
        Self { channels: channels.into(), to: Vec::new(), when_down: WhenDown::default() }
    }

    /// Adds an endpoint, by its name.
    #[must_use]
    pub fn to(mut self, endpoint: impl Into<String>) -> Self {
        self.to.push(endpoint.into());
        self
    }

    /// What happens to a message while an endpoint is not connected; [`WhenDown::Reject`] unless set.
    #[must_use]
    pub fn when_down(mut self, when_down: WhenDown) -> Self {
        self.when_down = when_down;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            routes: Vec::new(),
            cores: Vec::new(),
            shards: 1,
            host: HostKind::default(),
            host_driven: false,
            idle: IdleStrategy::default(),
            ring_bytes: DEFAULT_RING_BYTES,
            subscriber_ring_bytes: DEFAULT_SUBSCRIBER_RING_BYTES,
            credit_messages: DEFAULT_CREDIT_MESSAGES,
            credit_bytes: DEFAULT_CREDIT_BYTES,
        }
    }
}

impl Config {
    /// One shard that is not pinned and spins 50 µs before it parks; no endpoint, no route.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the TOML text of a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that is unknown or has a bad value, and what would be accepted.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        file::parse(text)
    }

    /// Adds a Redis by its URL: `redis://[user:password@]host[:port][/db]` or `unix:///path/to.sock`.
    ///
    /// # Errors
    /// [`ConfigError`] if the URL is none, or the name is empty or taken.
    pub fn redis(self, name: &str, url: &str) -> Result<Self, ConfigError> {
        self.redis_with(name, url, RedisTimeouts::default())
    }

    /// Adds a Redis with timeouts of its own.
    ///
    /// # Errors
    /// As [`Config::redis`]; also if a timeout is zero.
    pub fn redis_with(mut self, name: &str, url: &str, timeouts: RedisTimeouts) -> Result<Self, ConfigError> {
        let key = format!("endpoint.{name}");
        if name.is_empty() || self.endpoints.iter().any(|endpoint| endpoint.name == name) {
            return Err(ConfigError::new("endpoint", name, "expected a name that no other endpoint has"));
        }
        if self.endpoints.len() == ENDPOINTS_MAX {
            return Err(ConfigError::new(&key, name, "an engine has at most 100 endpoints"));
        }
        let url = RedisUrl::parse(&format!("{key}.url"), url)?;
        let settings = RedisSettings {
            username: url.username,
            password: url.password,
            database: url.database,
            connect_timeout_ns: nanoseconds(&key, "connect_timeout", timeouts.connect)?,
            reply_timeout_ns: nanoseconds(&key, "reply_timeout", timeouts.reply)?,
            ping_interval_ns: nanoseconds(&key, "ping_interval", timeouts.ping_interval)?,
            ..RedisSettings::default()
        };
        self.endpoints.push(Endpoint { name: name.to_owned(), location: url.location, settings });
        Ok(self)
    }

    /// Adds a route. The first one that matches a channel decides.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Pins one shard to each of these cores (their numbers as `lscpu` gives them).
    #[must_use]
    pub fn cores(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
        self.cores = cores.into_iter().collect();
        self.shards = self.cores.len();
        self
    }

    /// So many shards, not pinned.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.cores.clear();
        self.shards = shards;
        self
    }

    /// What a shard does when it finds nothing to do.
    #[must_use]
    pub fn idle(mut self, idle: IdleStrategy) -> Self {
        self.idle = idle;
        self
    }

    /// What hosts the shards' loops.
    #[must_use]
    pub fn host(mut self, host: HostKind) -> Self {
        self.host = host;
        self
    }

    /// The application's own threads drive the shards ([`crate::Engine::take_shard`]); the engine starts none.
    #[must_use]
    pub fn host_driven(mut self) -> Self {
        self.host_driven = true;
        self
    }

    /// Bytes of a publisher's ring on each shard: a power of two. The largest message is a quarter of it.
    #[must_use]
    pub fn ring_bytes(mut self, bytes: usize) -> Self {
        self.ring_bytes = bytes;
        self
    }

    /// Bytes of a subscriber's ring on each shard: a power of two.
    #[must_use]
    pub fn subscriber_ring_bytes(mut self, bytes: usize) -> Self {
        self.subscriber_ring_bytes = bytes;
        self
    }

    /// What one publisher may have without an outcome, for each shard and endpoint. Also the number of its report
    /// slots on each shard.
    #[must_use]
    pub fn credit(mut self, messages: u32, bytes: u32) -> Self {
        self.credit_messages = messages;
        self.credit_bytes = bytes;
        self
    }

    /// Checks what the builder could not check while it was incomplete.
    pub(crate) fn checked(&self) -> Result<(), ConfigError> {
        let bad = |key: &str, value: String, expected: &str| Err(ConfigError::new(key, &value, expected));
        if !(1..=SHARDS_MAX).contains(&self.shards) {
            return bad("engine.shards", self.shards.to_string(), "expected 1 to 256 shards");
        }
        for (index, core) in self.cores.iter().enumerate() {
            if self.cores[..index].contains(core) {
                return bad(
                    "engine.cores",
                    core.to_string(),
                    "expected each core once: two shards would share it",
                );
            }
        }
        for (key, bytes) in
            [("ring_bytes", self.ring_bytes), ("subscriber_ring_bytes", self.subscriber_ring_bytes)]
        {
            if !bytes.is_power_of_two() || !(RING_BYTES_MIN..=RING_BYTES_MAX).contains(&bytes) {
                let expected = "expected a power of two from 16 KiB (16384) to 1 GiB (1073741824)";
                return bad(&format!("engine.{key}"), bytes.to_string(), expected);
            }
        }
        if self.credit_messages == 0 || self.credit_messages > CREDIT_MESSAGES_MAX {
            let expected = "expected 1 to 1048576 messages";
            return bad("engine.credit_messages", self.credit_messages.to_string(), expected);
        }
        if (self.credit_bytes as usize) < self.ring_bytes / 4 + 2 * NAME_LEN_MAX {
            let expected = "expected at least a quarter of engine.ring_bytes and 2 KiB, so that the largest \
                            message fits";
            return bad("engine.credit_bytes", self.credit_bytes.to_string(), expected);
        }
        if self.endpoints.len() > 1 && self.routes.is_empty() {
            let names: Vec<&str> = self.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
            let expected = "with several endpoints, [[route]] says which channels go where";
            return bad("route", names.join(", "), expected);
        }
        for route in &self.routes {
            self.check_route(route)?;
        }
        Ok(())
    }

    fn check_route(&self, route: &Route) -> Result<(), ConfigError> {
        let key = format!("route `{}`", route.channels);
        if route.channels.is_empty() {
            return Err(ConfigError::new(
                "route.channels",
                "",
                "expected a glob over channel names, as in `fx.*`",
            ));
        }
        if route.to.is_empty() || route.to.len() > LEGS_MAX {
            let found = format!("{} endpoints", route.to.len());
            return Err(ConfigError::new(&format!("{key}: to"), &found, "expected 1 to 4 endpoints"));
        }
        for (index, name) in route.to.iter().enumerate() {
            if self.endpoint(name).is_none() {
                let known: Vec<&str> = self.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
                let expected = format!("expected an endpoint that is configured: {}", known.join(", "));
                return Err(ConfigError::new(&format!("{key}: to"), name, &expected));
            }
            if route.to[..index].contains(name) {
                return Err(ConfigError::new(&format!("{key}: to"), name, "expected each endpoint once"));
            }
        }
        Ok(())
    }

    pub(crate) fn endpoint(&self, name: &str) -> Option<EndpointId> {
        let index = self.endpoints.iter().position(|endpoint| endpoint.name == name)?;
        Some(EndpointId(index as u16))
    }

    /// The endpoints of a channel, and what happens when they are down; none means the local bus.
    fn resolve(&self, channel: &[u8]) -> (Vec<EndpointId>, WhenDown) {
        if self.routes.is_empty() {
            return ((0..self.endpoints.len() as u16).map(EndpointId).collect(), WhenDown::default());
        }
        let matching = self.routes.iter().find(|route| glob_match(route.channels.as_bytes(), channel));
        matching.map_or((Vec::new(), WhenDown::default()), |route| {
            (route.to.iter().filter_map(|name| self.endpoint(name)).collect(), route.when_down)
        })
    }

    /// All legs of a channel.
    pub(crate) fn legs(&self, channel: &[u8]) -> Vec<Leg> {
        let (endpoints, when_down) = self.resolve(channel);
        if endpoints.is_empty() {
            return vec![Leg::bus()];
        }
        endpoints.iter().map(|endpoint| Leg::redis_publish(*endpoint, channel, when_down)).collect()
    }

    /// Where a channel's messages are heard: at its first endpoint.
    pub(crate) fn source(&self, channel: &[u8]) -> Source {
        self.resolve(channel).0.first().map_or(Source::Bus, |endpoint| Source::Redis(*endpoint))
    }
}

/// A ring must hold a few messages with the longest channel name.
const RING_BYTES_MIN: usize = 16 << 10;
/// Above this a ring is a queue, and latency is lost.
const RING_BYTES_MAX: usize = 1 << 30;
/// At 64 bytes a report slot this is 64 MiB for a publisher on each shard.
const CREDIT_MESSAGES_MAX: u32 = 1 << 20;

fn nanoseconds(endpoint: &str, key: &str, duration: Duration) -> Result<u64, ConfigError> {
    let found = format!("{duration:?}");
    let expected = "expected more than 0 and at most one day";
    let in_range = !duration.is_zero() && duration <= Duration::from_secs(24 * 60 * 60);
    in_range
        .then_some(duration.as_nanos() as u64)
        .ok_or_else(|| ConfigError::new(&format!("{endpoint}.{key}"), &found, expected))
}

/// The clocks of a Redis endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisTimeouts {
    /// For a connect, and again for the greeting after it.
    pub connect: Duration,
    /// How long the oldest unanswered command may stand at the head of the queue before the connection is given up.
    pub reply: Duration,
    /// Quiet time before a `PING`.
    pub ping_interval: Duration,
}

impl Default for RedisTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_nanos(ringwire_core::DEFAULT_CONNECT_TIMEOUT_NS),
            reply: Duration::from_nanos(ringwire_core::DEFAULT_REPLY_TIMEOUT_NS),
            ping_interval: Duration::from_nanos(ringwire_core::DEFAULT_PING_INTERVAL_NS),
        }
    }
}

/// A setting that cannot be: which, what was found, and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    key: String,
    found: String,
    expected: String,
}

impl ConfigError {
    pub(crate) fn new(key: &str, found: &str, expected: &str) -> Self {
        Self { key: key.to_owned(), found: found.to_owned(), expected: expected.to_owned() }
    }

    /// The setting's path, as in `endpoint.main.url`.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.key, self.found, self.expected)
    }
}

impl std::error::Error for ConfigError {}

/// The settings by name, for the parts of a file that name themselves.
pub(crate) type Named<T> = BTreeMap<String, T>;
