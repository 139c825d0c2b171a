//! The Redis that messages go through: one of the user's, or the one that the command brings.

use std::fmt::{self, Display};
use std::time::Duration;

use ringwire::{Config, ConfigError, Engine, IdleStrategy};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;

/// The endpoint's name in the engine's configuration.
const ENDPOINT: &str = "redis";
/// How the embedded Redis is shown.
const EMBEDDED: &str = "embedded";
/// A publisher's ring, in bytes. The largest message is a quarter of it: 2 MiB, so that a line of 1 MiB fits with
/// its head.
const RING_BYTES: usize = 8 << 20;
/// Up to here a shard that spins takes the core from the publisher, the server or the subscriber that it waits for.
const FEW_CORES: usize = 2;

/// A URL that the library accepts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisUrl {
    url: String,
}

impl RedisUrl {
    /// # Errors
    /// What is wrong with it, without quoting it: it may hold a password.
    pub(crate) fn new(url: String) -> Result<Self, String> {
        match Config::new().redis(ENDPOINT, &url) {
            Ok(_) => Ok(Self { url }),
            Err(error) => Err(without_key(&error)),
        }
    }

    /// The URL without user and password.
    fn shown(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("redis", &self.url));
        // As the library reads it: what follows `?` is options.
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        query.map_or_else(|| format!("{scheme}://{place}"), |query| format!("{scheme}://{place}?{query}"))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// What is wrong, without the setting's key: on the command line it is called `--redis`.
fn without_key(error: &ConfigError) -> String {
    let text = error.to_string();
    let prefix = format!("{} = (the url): ", error.key());
    text.strip_prefix(&prefix).unwrap_or(&text).to_owned()
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The loopback Redis inside this process.
    Embedded,
    Url(RedisUrl),
}

/// An engine with one shard and one endpoint, and the embedded Redis if that is its endpoint.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    /// The Redis, for the table; without password.
    pub(crate) shown: String,
    pub(crate) idle: IdleStrategy,
    pub(crate) cores: usize,
    /// Stops when it is dropped: after the engine, which is declared before it.
    _front: Option<RedisFront>,
}

impl Destination {
    /// Starts the engine, and the embedded Redis if it is wanted.
    ///
    /// # Errors
    /// What the system refused, in words.
    pub(crate) fn start(&self) -> Result<Running, String> {
        let (front, url, shown) = match self {
            Self::Embedded => {
                let front = front::spawn("127.0.0.1:0", Options::default())
                    .map_err(|error| format!("the embedded Redis cannot listen on 127.0.0.1: {error}"))?;
                let url = front.url();
                (Some(front), url, EMBEDDED.to_owned())
            }
            Self::Url(url) => (None, url.url.clone(), url.shown()),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let idle = idle_for(cores);
        let config = Config::new().redis(ENDPOINT, &url).map_err(|error| without_key(&error))?;
        let engine =
            Engine::start(config.ring_bytes(RING_BYTES).idle(idle)).map_err(|error| error.to_string())?;
        Ok(Running { engine, shown, idle, cores, _front: front })
    }
}

fn idle_for(cores: usize) -> IdleStrategy {
    if cores <= FEW_CORES { IdleStrategy::Park } else { IdleStrategy::default() }
}

impl Running {
    /// Waits until the channels and subscriptions that were opened have their connections.
    ///
    /// # Errors
    /// What the endpoint said last, in words.
    pub(crate) fn wait_ready(&self, timeout: Duration) -> Result<(), String> {
        if self.engine.wait_ready(timeout) {
            return Ok(());
        }
        let why = self.trouble().unwrap_or_else(|| "there was no answer yet".to_owned());
        let place = if self.shown == EMBEDDED { "the embedded Redis" } else { &self.shown };
        Err(format!("no connection to {place} within {} s: {why}", timeout.as_secs_f64()))
    }

    /// What went wrong last, if something did: a shard's failure, or the endpoint's error.
    pub(crate) fn trouble(&self) -> Option<String> {
        let endpoint_error = || {
            self.engine.status().into_iter().find_map(|status| status.last_error().map(ToString::to_string))
        };
        self.engine.failure().map(|failure| format!("a shard failed: {failure}")).or_else(endpoint_error)
    }

    /// What hosts the shard, in words.
    pub(crate) fn hosted_by(&self) -> String {
        self.engine.hosted_by().join("; ")
    }

    /// The circumstances of a measurement, in one line.
    pub(crate) fn conditions(&self, pace: &impl Display) -> String {
        let Self { shown, idle, cores, .. } = self;
        format!("redis: {shown}  shard: {}  idle: {idle}  rate: {pace}  cores: {cores}", self.hosted_by())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("redis://127.0.0.1:7000/3", "redis://127.0.0.1:7000/3"),
            ("redis://:hunter2@h", "redis://h"),
            ("redis://bot:hunter2@h:1?db=2", "redis://h:1?db=2"),
            ("redis://bot:hunter2@@h", "redis://h"),
            ("unix://a:hunter2@/run/r.sock", "unix:///run/r.sock"),
        ] {
            let url = RedisUrl::new(url.to_owned()).unwrap();
            assert_eq!(url.shown(), shown);
            assert!(!format!("{:?}", Destination::Url(url)).contains("hunter2"));
        }
        let error = RedisUrl::new("redis://:hunter2@h:0".to_owned()).unwrap_err();
        assert_eq!(error, "the port is a number from 1 to 65535");
    }
}
