//! Where the settings come from: a URL, a file, or both ends of the environment.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use ringwire::Config;

use crate::help;

/// The name of the endpoint that `--redis` makes.
pub(crate) const ENDPOINT: &str = "redis";
/// The name of the endpoint that `--kafka` makes.
pub(crate) const KAFKA_ENDPOINT: &str = "kafka";

#[derive(Args)]
pub(super) struct RawOrigin {
    #[arg(long, value_name = "URL", help = help::REDIS, conflicts_with = "config", help_heading = HEADING)]
    redis: Option<String>,
    #[arg(long, value_name = "HOST:PORT,…", help = help::KAFKA, conflicts_with_all = ["config", "redis"])]
    #[arg(help_heading = HEADING)]
    kafka: Option<String>,
    #[arg(long, value_name = "FILE", help = help::CONFIG_FILE, help_heading = HEADING)]
    config: Option<PathBuf>,
    #[arg(long = "set", value_name = "PATH=VALUE", help = help::SET, help_heading = HEADING)]
    assignments: Vec<String>,
}

const HEADING: &str = "Configuration";

/// What `--kafka` names where it has no value, for a command that brings a Kafka of its own.
pub(super) const EMBEDDED: &str = "embedded";

/// What the command line says of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// One Redis, and no file.
    pub(crate) redis: Option<RedisUrl>,
    /// One Kafka by some of its brokers, and no file.
    pub(crate) kafka: Option<String>,
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    /// `--set`, in their order.
    pub(crate) assignments: Vec<String>,
}

impl RawOrigin {
    /// Takes `--kafka` without a value away; answers whether it was there.
    pub(super) fn take_embedded_kafka(&mut self) -> bool {
        self.kafka.take_if(|brokers| brokers == EMBEDDED).is_some()
    }

    pub(super) fn resolve(self) -> Result<Origin, String> {
        let redis = self.redis.map(RedisUrl::new).transpose().map_err(|words| format!("--redis: {words}"))?;
        if let Some(brokers) = &self.kafka {
            let added = Config::new().kafka(KAFKA_ENDPOINT, brokers);
            added.map_err(|error| format!("--kafka: {}", error.expected()))?;
        }
        if self.assignments.iter().any(|assignment| !assignment.contains('=')) {
            // It is not quoted: it may be a password.
            return Err("--set: expected PATH=VALUE, as in --set engine.idle=park; `ringwire config reference` lists \
                        the paths"
                .to_owned());
        }
        Ok(Origin { redis, kafka: self.kafka, file: self.config, assignments: self.assignments })
    }
}

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
            // Without the setting's key: on the command line it is called `--redis`.
            Err(error) => Err(error.expected().to_owned()),
        }
    }

    /// The whole URL, password included.
    pub(crate) fn text(&self) -> &str {
        &self.url
    }

    /// The URL without user and password.
    pub(crate) fn shown(&self) -> String {
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
            let origin = Origin { redis: Some(url), ..Origin::default() };
            assert!(!format!("{origin:?}").contains("hunter2"));
        }
        let error = RedisUrl::new("redis://:hunter2@h:0".to_owned()).unwrap_err();
        assert!(error.contains("the port is a number from 1 to 65535"), "{error}");
    }
}
