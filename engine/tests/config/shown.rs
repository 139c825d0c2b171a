//! What is in effect is shown, and what is shown can be read again.

use std::time::Duration;

use ringwire::{Config, HostKind, IdleStrategy, RedisOptions, Route, WhenDown};

use crate::{MAIN, config, shown};

/// Without comments.
fn values(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" # ").next().unwrap_or_default().trim_end()).collect()
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let file = "[engine]\nring_bytes = 65536\n[endpoint.main]\nurl = 'redis://bot:hunter2@h/3'\n";
    let variables = [("RINGWIRE_ENDPOINT__MAIN__CLIENT_NAME", "desk")];
    let config = config(file, &variables, &["reply_timeout_ms=500"]).unwrap();
    let expected = "\
[engine]
shards = 1
cores = []
host = \"auto\"
idle = \"spin-then-park\"
spin_us = 50
nap_us = 100
ring_bytes = 65536                   # default 4194304; a.toml:2
subscriber_ring_bytes = 4194304
credit_messages = 16384
credit_bytes = 4194304

[endpoint.main]
url = \"redis://h:6379\"               # a.toml:4
username = \"bot\"                     # default \"\"; a.toml:4 (the url)
password = \"***\"                     # default \"\"; a.toml:4 (the url)
database = 3                         # default 0; a.toml:4 (the url)
client_name = \"desk\"                 # default \"ringwire\"; RINGWIRE_ENDPOINT__MAIN__CLIENT_NAME
connect_timeout_ms = 2000
reply_timeout_ms = 500               # default 2000; --set
ping_interval_ms = 1000
role_interval_ms = 1000
reconnect_min_ms = 10
reconnect_max_ms = 250
breaker_threshold = 5
breaker_open_ms = 500
max_reply_bytes = 16777216
";
    assert_eq!(config.to_toml(), expected);
}

#[test]
fn what_is_shown_can_be_read_again() {
    let check = |config: Config| {
        let text = config.to_toml();
        let again = Config::from_toml(&text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
        assert_eq!(values(&again.to_toml()), values(&text));
    };
    check(Config::new());
    check(Config::new().cores([3, 1]).idle(IdleStrategy::BusySpin).host(HostKind::Thread));
    check(Config::new().idle(IdleStrategy::SpinThenPark { spin: Duration::from_micros(7) }).host_driven());
    check(Config::new().idle(IdleStrategy::Moderate { nap: Duration::from_micros(250) }));
    let options = RedisOptions {
        username: Some("a \"quoted\" \\ \u{1f}\u{7f} ü".into()),
        password: Some("hunter2".into()),
        breaker_threshold: 0,
        reconnect_max: Duration::from_secs(2),
        ..RedisOptions::default()
    };
    let config = Config::new().redis_with("B", "redis://[::1]:7/5", options).unwrap();
    let config = config.redis("a-1", "unix:///run/a b.sock").unwrap();
    let config =
        config.route(Route::new("in.\"*\n")).route(Route::new("*").to("a-1").to("B").external_only());
    check(config.route(Route::new("x").to("B").when_down(WhenDown::Drop)));
    // A file's own name may hold anything.
    let named = ringwire::Settings::new().read_toml(MAIN, "a\nb\u{0}\u{85}.toml").unwrap();
    check(named.config().unwrap());
}

#[test]
fn secrets_are_never_shown() {
    for (variables, sets) in [
        (&[][..], &["url=redis://a:hunter2@h"][..]),
        (&[], &["password=hunter2"]),
        (&[], &["url=redis://h?password=hunter2"]),
        (&[("RINGWIRE_ENDPOINT__MAIN__PASSWORD", "hunter2")], &[]),
    ] {
        let config = config(MAIN, variables, sets).unwrap();
        assert_eq!(shown(&config, "endpoint.main.password"), "\"***\"");
        let all = format!("{config:?} {}", config.to_toml());
        assert!(!all.contains("hunter2"), "{all}");
    }
}

#[test]
fn the_builders_options_win_over_its_url() {
    let options = RedisOptions { database: 2, ..RedisOptions::default() };
    let config = Config::new().redis_with("main", "redis://:p@h/1?client_name=x", options).unwrap();
    assert_eq!(shown(&config, "endpoint.main.database"), "2");
    assert_eq!(shown(&config, "endpoint.main.client_name"), "\"x\"");
    assert_eq!(shown(&config, "endpoint.main.password"), "\"***\"");
}
