//! What an engine is made of: endpoints, routes and how its shards run. From a builder ([`Config`]), or from a
//! file, the environment and the command line ([`Settings`]); checked once.

mod address;
mod brokers;
mod build;
mod document;
mod endpoint;
mod error;
mod foreign;
mod foreign_kafka;
mod kafka;
mod kafka_table;
mod kind;
mod layers;
mod nearest;
mod redis;
mod reference;
mod settings;
mod show;
mod url;
mod value;

use std::collections::BTreeMap;
use std::path::Path;

pub use ringwire_core::WhenDown;
use ringwire_core::channel::{LEGS_MAX, NAME_LEN_MAX};
use ringwire_core::{EndpointId, Leg, Source, glob_match};
pub use ringwire_shards::host::HostKind;
pub use ringwire_shards::idle::IdleStrategy;

pub use endpoint::EndpointKind;
pub use error::ConfigError;
pub(crate) use error::one_line;
pub use kafka::{DEFAULT_BUFFER_MEMORY, DEFAULT_QUEUE_MESSAGES, KafkaOptions};
pub use layers::{FILE_BYTES_MAX, Settings};
pub use redis::RedisOptions;
pub use reference::reference;

pub(crate) use endpoint::{Endpoint, Server};
use kafka::Kafka;
use kafka_table::KAFKA;
use kind::Setting;
use redis::Redis;
use settings::{ENGINE, REDIS, ROUTE};
pub(crate) use url::Location;
use url::{RedisUrl, masked};
use value::Value;

use crate::engine::OpenError;
use crate::thread_start::ThreadStart;

/// A publisher's ring on each shard, in bytes. The largest message is a quarter of it: 1 MiB.
pub const DEFAULT_RING_BYTES: usize = 4 << 20;
/// A subscriber's ring on each shard, in bytes. At 100,000 messages of 128 bytes a second it holds 200 ms.
pub const DEFAULT_SUBSCRIBER_RING_BYTES: usize = 4 << 20;
/// Messages that one publisher may have without an outcome, for each shard and endpoint: 160 ms at 100,000 a second.
pub const DEFAULT_CREDIT_MESSAGES: u32 = 1 << 14;
/// Bytes that one publisher may have without an outcome, for each shard and endpoint.
pub const DEFAULT_CREDIT_BYTES: u32 = 4 << 20;
/// As many endpoints as one engine serves: each has two connections on each shard.
const ENDPOINTS_MAX: usize = 100;
/// Names are for people, and part of variables' names.
const ENDPOINT_NAME_LEN_MAX: usize = 64;
const ENDPOINT_NAME_EXPECTED: &str = "expected an endpoint's name of 1 to 64 letters, digits, - or _";

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
    pub(crate) thread_start: ThreadStart,
    /// Where each setting that was given came from, by its path; none for the builder's.
    origins: BTreeMap<String, String>,
}

/// A glob over channels, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    channels: String,
    to: Vec<String>,
    /// None: as each Kafka names it.
    topic: Option<String>,
    /// None: as suits each endpoint.
    when_down: Option<WhenDown>,
    external_only: bool,
}

impl Route {
    /// The route of the channels that match `channels` by Redis' glob rules. It leads to the local bus until it gets
    /// an endpoint.
    pub fn new(channels: impl Into<String>) -> Self {
        Self { channels: channels.into(), to: Vec::new(), topic: None, when_down: None, external_only: false }
    }

    /// Adds an endpoint, by its name.
    #[must_use]
    pub fn to(mut self, endpoint: impl Into<String>) -> Self {
        self.to.push(endpoint.into());
        self
    }

    /// The topic of these channels at a Kafka, instead of the endpoint's `topic.prefix` and the channel's name.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// What happens to a message while an endpoint is not connected. Unless set, a Redis rejects it, and a Kafka
    /// buffers it.
    #[must_use]
    pub fn when_down(mut self, when_down: WhenDown) -> Self {
        self.when_down = Some(when_down);
        self
    }

    /// States that these channels are never delivered by the local bus. A channel that has an endpoint never is; the
    /// statement is checked, and a route without an endpoint is refused.
    #[must_use]
    pub fn external_only(mut self) -> Self {
        self.external_only = true;
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
            thread_start: ThreadStart::default(),
            origins: BTreeMap::new(),
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
        Settings::new().read_toml(text, "")?.config()
    }

    /// Reads a configuration file, and the variables of the process whose names begin with `RINGWIRE_`, which win over
    /// it. [`Settings`] says more.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, or for the first setting that is unknown or has a bad value.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Settings::new().read_file(path)?.read_environment(std::env::vars_os())?.config()
    }

    /// Adds a Redis by its URL: `redis://[user:password@]host[:port][/db]` or `unix:///path/to.sock`.
    ///
    /// # Errors
    /// [`ConfigError`] if the URL is none, or the name is taken or is not made of letters, digits, `-` and `_`.
    pub fn redis(self, name: &str, url: &str) -> Result<Self, ConfigError> {
        self.redis_with(name, url, RedisOptions::default())
    }

    /// Adds a Redis with options of its own. What the URL says counts where an option has its default.
    ///
    /// # Errors
    /// As [`Config::redis`]; also if an option is out of bounds.
    pub fn redis_with(mut self, name: &str, url: &str, options: RedisOptions) -> Result<Self, ConfigError> {
        self.check_new(name)?;
        let bad = |what: &str| ConfigError::new(&format!("endpoint.{name}.url"), &masked(url), what);
        let parsed = RedisUrl::parse(url).map_err(|what| bad(&what))?;
        let default = Redis::draft(RedisOptions::default());
        let mut redis = Redis::draft(options);
        for setting in REDIS {
            let part = parsed.settings.iter().rfind(|(it, _)| *it == setting.name);
            let is_default = setting.show(&redis) == setting.show(&default);
            if let Some((_, text)) = part.filter(|_| is_default) {
                let put = setting.put(&mut redis, &Value::Plain(text.clone()));
                put.map_err(|expected| bad(&format!("its {}: {expected}", setting.name)))?;
            }
        }
        redis.location = parsed.location;
        let endpoint = Endpoint { name: name.to_owned(), server: Server::Redis(redis.finished()) };
        check_endpoint(&endpoint)?;
        self.endpoints.push(endpoint);
        Ok(self)
    }

    /// Adds a Kafka by some of its brokers: `host[:port][,host[:port]…]`, as in `bootstrap.servers`.
    ///
    /// # Errors
    /// [`ConfigError`] if the list is none, or the name is taken or is not made of letters, digits, `-` and `_`.
    pub fn kafka(self, name: &str, bootstrap: &str) -> Result<Self, ConfigError> {
        self.kafka_with(name, bootstrap, KafkaOptions::default())
    }

    /// Adds a Kafka with options of its own.
    ///
    /// # Errors
    /// As [`Config::kafka`]; also if an option is out of bounds, or options contradict each other.
    pub fn kafka_with(
        mut self,
        name: &str,
        bootstrap: &str,
        options: KafkaOptions,
    ) -> Result<Self, ConfigError> {
        self.check_new(name)?;
        let brokers = brokers::parse(bootstrap).map_err(|what| {
            let found = masked(&format!("{}{bootstrap}", brokers::SCHEME));
            let found = found.strip_prefix(brokers::SCHEME).unwrap_or(&found);
            ConfigError::new(&format!("endpoint.{name}.bootstrap.servers"), found, &what)
        })?;
        let kafka = Kafka { brokers, options, level: None };
        let endpoint = Endpoint { name: name.to_owned(), server: Server::Kafka(kafka) };
        check_endpoint(&endpoint)?;
        self.endpoints.push(endpoint);
        Ok(self)
    }

    /// Whether an endpoint of this name can be added.
    fn check_new(&self, name: &str) -> Result<(), ConfigError> {
        if !is_endpoint_name(name) {
            return Err(ConfigError::new("endpoint", name, ENDPOINT_NAME_EXPECTED));
        }
        if self.endpoint(name).is_some() {
            let expected = "expected a name that no other endpoint has";
            return Err(ConfigError::new("endpoint", name, expected));
        }
        if self.endpoints.len() == ENDPOINTS_MAX {
            let expected = format!("expected at most {ENDPOINTS_MAX} endpoints");
            return Err(ConfigError::new("endpoint", name, &expected));
        }
        Ok(())
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

    /// The application's own threads drive the shards ([`crate::Engine::take_shard`]); the engine starts none for them.
    /// Host names are looked up on threads of the engine's own all the same (`ringwire-control`, `ringwire-dns-N`); with
    /// IP addresses or Unix paths alone there are none. A Kafka always has the first: its brokers may have names.
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

    /// What one publisher may have without an outcome, for each shard and Redis; a Kafka has
    /// [`KafkaOptions::queue_messages`] and [`KafkaOptions::buffer_memory`]. The largest number of messages is that of
    /// its report slots on each shard.
    #[must_use]
    pub fn credit(mut self, messages: u32, bytes: u32) -> Self {
        self.credit_messages = messages;
        self.credit_bytes = bytes;
        self
    }

    /// Calls `hook` on each thread that the engine starts, with the thread's name and before its work: to set its
    /// priority, say. If it panics on a shard's thread, the engine has failed. The engine's end waits for a hook that
    /// runs, and calls none afterwards; so the hook itself must not end the engine.
    #[must_use]
    pub fn on_thread_start(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.thread_start = ThreadStart::new(hook);
        self
    }

    /// Checks what could not be checked while it was incomplete.
    pub(crate) fn checked(&self) -> Result<(), ConfigError> {
        self.check().map_err(|error| match self.origins.get(error.key()) {
            Some(origin) => error.from(origin),
            None => error,
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_all(ENGINE, self, "engine")?;
        for (index, core) in self.cores.iter().enumerate() {
            if self.cores[..index].contains(core) {
                let expected = "expected each core once: two shards would share it";
                return Err(ConfigError::new("engine.cores", &core.to_string(), expected));
            }
        }
        self.check_credit("engine.credit_bytes", self.credit_bytes)?;
        for endpoint in &self.endpoints {
            check_endpoint(endpoint)?;
            if let Server::Kafka(kafka) = &endpoint.server {
                let key = format!("endpoint.{}.buffer.memory", endpoint.name);
                self.check_credit(&key, kafka.options.buffer_memory)?;
            }
        }
        if self.endpoints.len() > 1 && self.routes.is_empty() {
            let expected = format!(
                "missing; with several endpoints ({}), [[route]] says which channels go where",
                self.endpoint_names()
            );
            return Err(ConfigError::new("route", "", &expected));
        }
        for (index, route) in self.routes.iter().enumerate() {
            self.check_route(&format!("route.{index}"), route)?;
        }
        Ok(())
    }

    /// Whether the largest message fits into a credit.
    fn check_credit(&self, key: &str, bytes: u32) -> Result<(), ConfigError> {
        let min = self.ring_bytes / 4 + 2 * NAME_LEN_MAX;
        if (bytes as usize) >= min {
            return Ok(());
        }
        let expected = format!(
            "expected at least {min}: a quarter of engine.ring_bytes ({}) and 2 KiB, so that the largest message fits",
            self.ring_bytes
        );
        Err(ConfigError::new(key, &bytes.to_string(), &expected))
    }

    /// Messages and bytes that a publisher may have without an outcome at an endpoint, for each shard.
    pub(crate) fn credit_of(&self, endpoint: &Endpoint) -> (u32, u32) {
        match &endpoint.server {
            Server::Redis(_) => (self.credit_messages, self.credit_bytes),
            Server::Kafka(kafka) => (kafka.options.queue_messages, kafka.options.buffer_memory),
        }
    }

    /// Report slots of a publisher on each shard: enough for the largest credit of an endpoint.
    pub(crate) fn report_slots(&self) -> u32 {
        let largest = self.endpoints.iter().map(|endpoint| self.credit_of(endpoint).0).max();
        // A message's reports are all or nothing: there are slots for the legs of one at least.
        largest.unwrap_or(0).max(self.credit_messages).max(LEGS_MAX as u32)
    }

    fn check_route(&self, path: &str, route: &Route) -> Result<(), ConfigError> {
        check_all(ROUTE, route, path)?;
        let key = format!("{path}.to");
        if route.to.is_empty() && route.external_only {
            let expected = "expected an endpoint, because of external_only: an empty list is the local bus";
            return Err(ConfigError::new(&key, "[]", expected));
        }
        if route.to.len() > LEGS_MAX {
            let expected = format!("expected at most {LEGS_MAX} endpoints");
            return Err(ConfigError::new(&key, &format!("{} endpoints", route.to.len()), &expected));
        }
        for (index, name) in route.to.iter().enumerate() {
            if self.endpoint(name).is_none() {
                let expected = match self.endpoint_names() {
                    none if none.is_empty() => {
                        "no endpoint is configured; expected [endpoint.NAME]".to_owned()
                    }
                    names => {
                        let known = self.endpoints.iter().map(|endpoint| endpoint.name.as_str());
                        let hint = nearest::suggestion(name, known);
                        format!("expected an endpoint that is configured: {names}{hint}")
                    }
                };
                return Err(ConfigError::new(&key, name, &expected));
            }
            if route.to[..index].contains(name) {
                return Err(ConfigError::new(&key, name, "expected each endpoint once"));
            }
        }
        let to_kafka =
            |name: &String| self.endpoint_named(name).is_some_and(|it| it.kind() == EndpointKind::Kafka);
        if let Some(topic) = route.topic.as_ref().filter(|_| !route.to.iter().any(to_kafka)) {
            let expected = "expected a Kafka in `to` beside it: no other endpoint has topics";
            return Err(ConfigError::new(&format!("{path}.topic"), topic, expected));
        }
        Ok(())
    }

    /// The endpoints' names, or the first few.
    fn endpoint_names(&self) -> String {
        /// As many as a line holds.
        const SHOWN_MAX: usize = 8;
        let shown = self.endpoints.iter().take(SHOWN_MAX).map(|endpoint| endpoint.name.as_str());
        let names = shown.collect::<Vec<_>>().join(", ");
        if self.endpoints.len() > SHOWN_MAX { names + ", …" } else { names }
    }

    pub(crate) fn endpoint(&self, name: &str) -> Option<EndpointId> {
        let index = self.endpoints.iter().position(|endpoint| endpoint.name == name)?;
        Some(EndpointId(index as u16))
    }

    fn endpoint_named(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    /// The endpoints of a channel, and its route; no endpoint means the local bus.
    fn resolve(&self, channel: &[u8]) -> (Vec<EndpointId>, Option<&Route>) {
        if self.routes.is_empty() {
            return ((0..self.endpoints.len() as u16).map(EndpointId).collect(), None);
        }
        let matching = self.routes.iter().find(|route| glob_match(route.channels.as_bytes(), channel));
        let endpoints = matching
            .map_or_else(Vec::new, |it| it.to.iter().filter_map(|name| self.endpoint(name)).collect());
        (endpoints, matching)
    }

    /// All legs of a channel.
    ///
    /// # Errors
    /// [`OpenError::BadTopic`] if it leads to a Kafka that takes no topic of its name.
    pub(crate) fn legs(&self, channel: &[u8]) -> Result<Vec<Leg>, OpenError> {
        let (endpoints, route) = self.resolve(channel);
        if endpoints.is_empty() {
            return Ok(vec![Leg::bus()]);
        }
        let when_down = route.and_then(|route| route.when_down);
        let leg = |id: &EndpointId| {
            let endpoint = &self.endpoints[usize::from(id.0)];
            let Server::Kafka(kafka) = &endpoint.server else {
                return Ok(Leg::redis_publish(*id, channel, when_down.unwrap_or(WhenDown::Reject)));
            };
            let topic = match route.and_then(|route| route.topic.clone()) {
                Some(topic) => topic,
                None => kafka.topic(channel).map_err(|topic| OpenError::BadTopic {
                    endpoint: endpoint.name.clone(),
                    topic: error::quoted(&topic),
                })?,
            };
            Ok(Leg::kafka_topic(*id, channel, &topic, when_down.unwrap_or(WhenDown::Buffer)))
        };
        endpoints.iter().map(leg).collect()
    }

    /// Where a channel's messages are heard: at its first Redis, or on the local bus if it has no endpoint.
    ///
    /// # Errors
    /// [`OpenError::NotHeard`] if it leads to a Kafka alone.
    pub(crate) fn source(&self, channel: &[u8]) -> Result<Source, OpenError> {
        let (endpoints, _) = self.resolve(channel);
        self.heard_at(&endpoints)
    }

    /// Where a pattern is heard: at the only Redis, or on the local bus if there is no endpoint.
    ///
    /// # Errors
    /// [`OpenError::EndpointNeeded`] if there are several Redis, [`OpenError::NotHeard`] if there is none.
    pub(crate) fn source_of_patterns(&self) -> Result<Source, OpenError> {
        let all: Vec<_> = (0..self.endpoints.len() as u16).map(EndpointId).collect();
        let is_redis = |endpoint: &&Endpoint| endpoint.kind() == EndpointKind::Redis;
        if self.endpoints.iter().filter(is_redis).count() > 1 {
            return Err(OpenError::EndpointNeeded);
        }
        self.heard_at(&all)
    }

    /// The endpoint of this name, for a subscription.
    ///
    /// # Errors
    /// [`OpenError::UnknownEndpoint`], and [`OpenError::NotHeard`] if it is a Kafka.
    pub(crate) fn source_at(&self, name: &str) -> Result<Source, OpenError> {
        let id = self.endpoint(name).ok_or_else(|| OpenError::UnknownEndpoint(name.to_owned()))?;
        self.heard_at(&[id])
    }

    /// The brokers of the Kafka of this name, or of the only one.
    pub(crate) fn brokers_of(&self, name: Option<&str>) -> Result<Vec<(String, u16)>, ConfigError> {
        let kafkas = self.endpoints.iter().filter_map(|endpoint| match &endpoint.server {
            Server::Kafka(kafka) if name.is_none_or(|name| endpoint.name == name) => Some(kafka),
            _ => None,
        });
        let wrong = |found: &str, expected: &str| Err(ConfigError::new("endpoint", found, expected));
        match (kafkas.collect::<Vec<_>>().as_slice(), name) {
            ([kafka], _) => Ok(kafka.brokers.clone()),
            ([], Some(name)) => wrong(name, "expected the name of a Kafka"),
            ([], None) => {
                wrong("", "no endpoint is a Kafka; expected one with bootstrap.servers, or a kafka:// url")
            }
            _ => wrong("", "several endpoints are a Kafka; expected the name of one"),
        }
    }

    fn heard_at(&self, endpoints: &[EndpointId]) -> Result<Source, OpenError> {
        let Some(first) = endpoints.first() else { return Ok(Source::Bus) };
        let endpoint = |id: &EndpointId| &self.endpoints[usize::from(id.0)];
        let redis = endpoints.iter().find(|id| endpoint(id).kind() == EndpointKind::Redis);
        let redis = redis.ok_or_else(|| OpenError::NotHeard { endpoint: endpoint(first).name.clone() })?;
        Ok(Source::Redis(*redis))
    }
}

/// Whether every setting of `target` is in bounds; the builder's may not be.
fn check_all<T>(table: &[Setting<T>], target: &T, path: &str) -> Result<(), ConfigError> {
    for setting in table {
        if let Err((found, expected)) = setting.check(target) {
            return Err(ConfigError::new(&format!("{path}.{}", setting.name), &found, &expected));
        }
    }
    Ok(())
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), ConfigError> {
    let path = format!("endpoint.{}", endpoint.name);
    let checked = match &endpoint.server {
        Server::Redis(redis) => {
            check_all(REDIS, redis, &path)?;
            redis.check()
        }
        Server::Kafka(kafka) => {
            check_all(KAFKA, kafka, &path)?;
            kafka.check()
        }
    };
    checked.map_err(|(name, found, expected)| ConfigError::new(&format!("{path}.{name}"), &found, &expected))
}

/// What is a bare key in TOML and, in upper case, a part of a variable's name.
fn is_endpoint_name(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=ENDPOINT_NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use ringwire_core::RedisSettings;

    use super::*;

    #[test]
    fn the_first_route_that_matches_decides() {
        let config = Config::from_toml(
            "[endpoint.main]\nurl = 'redis://h'\n[endpoint.spare]\nurl = 'unix:///s'\n\
             [[route]]\nchannels = 'fx.in.*'\nto = []\n\
             [[route]]\nchannels = 'fx.*'\nto = ['spare', 'main']\nwhen_down = 'buffer'\nexternal_only = true\n",
        )
        .unwrap();
        let check = |channel: &str, endpoints: &[&str], when_down| {
            let legs = config.legs(channel.as_bytes()).unwrap();
            let found: Vec<_> = legs.iter().filter_map(Leg::endpoint).collect();
            let expected: Vec<_> = endpoints.iter().filter_map(|name| config.endpoint(name)).collect();
            assert_eq!(found, expected, "{channel}");
            assert!(!legs.is_empty() && legs.iter().all(|leg| leg.when_down() == when_down), "{channel}");
            let source = expected.first().map_or(Source::Bus, |endpoint| Source::Redis(*endpoint));
            assert_eq!(config.source(channel.as_bytes()), Ok(source), "{channel}");
        };
        let local = Leg::bus().when_down();
        check("fx.in.x", &[], local);
        check("fx.eurusd", &["spare", "main"], WhenDown::Buffer);
        check("other", &[], local);
    }

    #[test]
    fn the_options_are_the_cores_settings() {
        let settings = |config: Config| match config.endpoints.into_iter().next().map(|it| it.server) {
            Some(Server::Redis(redis)) => redis.settings,
            other => panic!("{other:?} is no Redis"),
        };
        assert_eq!(settings(Config::new().redis("main", "redis://h").unwrap()), RedisSettings::default());
        let toml = "[endpoint.main]\nurl = 'redis://:p@h/2'\nreply_timeout_ms = 5\nmax_reply_bytes = 65536\n";
        let settings = settings(Config::from_toml(toml).unwrap());
        assert_eq!((settings.password.as_deref(), settings.database), (Some("p"), 2));
        assert_eq!((settings.reply_timeout_ns, settings.limits.bulk_len_max), (5_000_000, 65_536));
        assert_eq!(settings.limits.frame_len_max, 4 * 65_536);
    }
}
