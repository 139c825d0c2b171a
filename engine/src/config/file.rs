//! The configuration file: `[engine]`, `[endpoint.NAME]`, `[[route]]`.

use std::time::Duration;

use serde::Deserialize;

use super::{Config, ConfigError, Named, RedisTimeouts, Route, WhenDown};

/// The file as it is written, before anything is checked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    engine: EngineTable,
    endpoint: Named<EndpointTable>,
    route: Vec<RouteTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EngineTable {
    shards: Option<usize>,
    cores: Option<Vec<usize>>,
    host: Option<String>,
    idle: Option<String>,
    ring_bytes: Option<usize>,
    subscriber_ring_bytes: Option<usize>,
    credit_messages: Option<u32>,
    credit_bytes: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointTable {
    url: String,
    connect_timeout_ms: Option<u64>,
    reply_timeout_ms: Option<u64>,
    ping_interval_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    channels: String,
    to: Vec<String>,
    when_down: Option<String>,
}

pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        ConfigError::new(&format!("line {line}"), "(the configuration file)", error.message())
    })?;
    let mut config = file.engine.apply(Config::new())?;
    for (name, table) in &file.endpoint {
        let defaults = RedisTimeouts::default();
        let milliseconds =
            |value: Option<u64>, default: Duration| value.map_or(default, Duration::from_millis);
        let timeouts = RedisTimeouts {
            connect: milliseconds(table.connect_timeout_ms, defaults.connect),
            reply: milliseconds(table.reply_timeout_ms, defaults.reply),
            ping_interval: milliseconds(table.ping_interval_ms, defaults.ping_interval),
        };
        config = config.redis_with(name, &table.url, timeouts)?;
    }
    for table in file.route {
        let when_down = match table.when_down.as_deref() {
            None | Some("reject") => WhenDown::Reject,
            Some("buffer") => WhenDown::Buffer,
            Some("drop") => WhenDown::Drop,
            Some(other) => {
                let key = format!("route `{}`: when_down", table.channels);
                return Err(ConfigError::new(&key, other, "expected reject, buffer or drop"));
            }
        };
        let route = Route::new(table.channels).when_down(when_down);
        config = config.route(table.to.into_iter().fold(route, Route::to));
    }
    config.checked()?;
    Ok(config)
}

impl EngineTable {
    fn apply(self, mut config: Config) -> Result<Config, ConfigError> {
        match (self.cores, self.shards) {
            (Some(_), Some(shards)) => {
                let expected = "expected either engine.cores (pinned) or engine.shards (not pinned)";
                return Err(ConfigError::new("engine.shards", &shards.to_string(), expected));
            }
            (Some(cores), None) => config = config.cores(cores),
            (None, Some(shards)) => config = config.shards(shards),
            (None, None) => {}
        }
        if let Some(name) = self.host {
            config.host = name
                .parse()
                .map_err(|_| ConfigError::new("engine.host", &name, "expected auto, glommio or thread"))?;
        }
        if let Some(name) = self.idle {
            config.idle = name.parse().map_err(|_| {
                ConfigError::new("engine.idle", &name, "expected busy-spin, spin-then-park or park")
            })?;
        }
        config.ring_bytes = self.ring_bytes.unwrap_or(config.ring_bytes);
        config.subscriber_ring_bytes = self.subscriber_ring_bytes.unwrap_or(config.subscriber_ring_bytes);
        config.credit_messages = self.credit_messages.unwrap_or(config.credit_messages);
        config.credit_bytes = self.credit_bytes.unwrap_or(config.credit_bytes);
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HostKind, IdleStrategy};

    #[test]
    fn a_file_says_what_the_builder_says() {
        let config = parse(
            "[engine]\ncores = [0, 1]\nidle = 'busy-spin'\nhost = 'thread'\ncredit_messages = 100\n\
             [endpoint.main]\nurl = 'redis://127.0.0.1'\nreply_timeout_ms = 5\n[endpoint.spare]\nurl = 'unix:///s'\n\
             [[route]]\nchannels = 'fx.*'\nto = ['spare', 'main']\nwhen_down = 'buffer'\n",
        )
        .unwrap();
        assert_eq!((config.cores.as_slice(), config.shards), (&[0, 1][..], 2));
        assert_eq!((config.idle, config.host), (IdleStrategy::BusySpin, HostKind::Thread));
        assert_eq!((config.credit_messages, config.endpoints.len()), (100, 2));
        assert_eq!(config.endpoints[0].settings.reply_timeout_ns, 5_000_000);
        let legs = config.legs(b"fx.eurusd");
        assert_eq!((legs.len(), legs[0].when_down()), (2, WhenDown::Buffer));
        assert_eq!(legs[0].endpoint(), config.endpoint("spare"));
        assert_eq!(config.legs(b"other")[0].endpoint(), None, "no route: the local bus");
    }

    #[test]
    fn bad_settings_are_named_with_what_would_be_accepted() {
        let check = |text: &str, parts: &[&str]| {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                parts.iter().all(|part| error.contains(part)),
                "{text:?} gave {error:?}, expected {parts:?}"
            );
        };
        let main = "[endpoint.main]\nurl = 'redis://h'\n";
        check("[engine]\nidel = 'park'", &["line 2", "idel", "idle"]);
        check("[engine]\nidle = 'nap'", &["engine.idle", "nap", "busy-spin"]);
        check("[engine]\nhost = 'tokio'", &["engine.host", "tokio", "glommio"]);
        check("[engine]\nshards = 0", &["engine.shards", "0", "1 to 256"]);
        check("[engine]\nshards = 1\ncores = [0]", &["engine.cores"]);
        check("[engine]\nring_bytes = 5", &["engine.ring_bytes", "5", "power of two"]);
        check("[engine]\ncredit_messages = 0", &["engine.credit_messages", "1 to"]);
        check("[engine]\ncredit_bytes = 9", &["engine.credit_bytes", "9", "quarter"]);
        check("[endpoint.main]\nurl = 'h'", &["endpoint.main.url", "redis://"]);
        check(
            "[endpoint.main]\nurl = 'redis://h'\nreply_timeout_ms = 0",
            &["endpoint.main.reply_timeout", "0ns"],
        );
        check(&format!("{main}[[route]]\nchannels = ''\nto = ['main']"), &["route.channels"]);
        check(&format!("{main}[[route]]\nchannels = 'a'\nto = []"), &["route `a`: to", "1 to 4"]);
        check(&format!("{main}[[route]]\nchannels = 'a'\nto = ['mian']"), &["mian", "main"]);
        check(&format!("{main}[[route]]\nchannels = 'a'\nto = ['main', 'main']"), &["once"]);
        check(
            &format!("{main}[[route]]\nchannels = 'a'\nto = ['main']\nwhen_down = 'x'"),
            &["reject, buffer"],
        );
        check(&format!("{main}[endpoint.b]\nurl = 'redis://h'"), &["[[route]]", "b, main"]);
        check("[endpoint.main]\n", &["line", "url"]);
        check("\u{0}", &["line 1"]);
    }
}
