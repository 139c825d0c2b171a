//! Every refusal, word for word: one line that says what, where, and what would be accepted.

use std::time::Duration;

use ringwire::{Config, ConfigError, RedisOptions, Route};

use crate::{MAIN, TWO, config, read};

const USER: &str = "a.toml:3: endpoint.main.username: a user needs a password, here or in the url, as in \
                    redis://user:password@host";

const KAFKAS: &str =
    "a.toml:3: endpoint.main.linger.ms: no such setting; a Kafka has it, and this endpoint is a Redis";

/// The error's text; also that it is one line and that its parts are in it.
fn text(error: &ConfigError) -> String {
    let text = error.to_string();
    assert!(text.lines().count() == 1, "{text:?}");
    for part in [error.key(), error.found(), error.expected(), error.origin()] {
        assert!(text.contains(part), "{part:?} in {text:?}");
    }
    text
}

fn check_file(file: &str, expected: &str) {
    let error = config(file, &[], &[]).err().unwrap_or_else(|| panic!("{file:?} is accepted"));
    assert_eq!(text(&error), expected, "{file}");
}

fn check_main(lines: &str, expected: &str) {
    check_file(&[MAIN, lines].concat(), expected);
}

fn check_two(lines: &str, expected: &str) {
    check_file(&[TWO, lines].concat(), expected);
}

fn check(variables: &[(&str, &str)], sets: &[&str], expected: &str) {
    let error =
        config(TWO, variables, sets).err().unwrap_or_else(|| panic!("{variables:?} {sets:?} is accepted"));
    assert_eq!(text(&error), expected);
}

#[test]
fn unknown_names() {
    check_file("[engine]\nidel = 1", "a.toml:2: engine.idel: no such setting; did you mean `idle`?");
    check_file("[engine]\nxyzzy = 1", "a.toml:2: engine.xyzzy: no such setting");
    check_file("[engine]\nurl = 1", "a.toml:2: engine.url: no such setting; it belongs to [endpoint.NAME]");
    check_file("[engines]\nidle = 1", "a.toml:1: engines: no such section; did you mean `engine`?");
    check_file("idle = 1", "a.toml:1: idle: no such setting; it belongs to [engine]");
    check_file("db = 1", "a.toml:1: db: no such setting; it belongs to [endpoint.NAME]");
    check_file(
        "[foo.bar]",
        "a.toml:1: foo: no such section; expected [engine], [endpoint.NAME] or [[route]]",
    );
    check_main("linger.ms = 5", KAFKAS);
    check_main("'linger.ms' = 5", KAFKAS);
    check_main(
        "socket_timeout = 5",
        "a.toml:3: endpoint.main.socket_timeout: no such setting; here it is `reply_timeout_ms`, in milliseconds",
    );
    check_main("port = 1", "a.toml:3: endpoint.main.port: no such setting; here it is part of `url`");
    check_main(
        "pool_size = 1",
        "a.toml:3: endpoint.main.pool_size: no such setting; there is no pool: each shard has two connections of its own",
    );
    check_main(
        "pasword = 'hunter2'",
        "a.toml:3: endpoint.main.pasword: no such setting; did you mean `password`?",
    );
    check_two("chanels = 'a'", "a.toml:8: route.0.chanels: no such setting; did you mean `channels`?");
    check(
        &[("RINGWIRE_ENGINE_IDLE", "park")],
        &[],
        "environment: RINGWIRE_ENGINE_IDLE: no such setting; did you mean `RINGWIRE_ENGINE__IDLE`?",
    );
    check(
        &[("RINGWIRE_ENDPOINT__A_B__SOCKET_TIMEOUT", "1")],
        &[],
        "environment: RINGWIRE_ENDPOINT__A_B__SOCKET_TIMEOUT: no such setting; here it is `reply_timeout_ms`, in \
         milliseconds",
    );
    check(
        &[("RINGWIRE_ENDPOINT__A_B__URI", "1")],
        &[],
        "environment: RINGWIRE_ENDPOINT__A_B__URI: no such setting; did you mean `RINGWIRE_ENDPOINT__A_B__URL`?",
    );
    for (given, meant) in [
        ("RINGWIRE_IDEL", "RINGWIRE_ENGINE__IDLE"),
        ("RINGWIRE_REPLY_TIMEOUT_MS", "RINGWIRE_ENDPOINT__MAIN__REPLY_TIMEOUT_MS"),
        ("RINGWIRE_ROUTE__0__WHEN", "RINGWIRE_ROUTE__0__WHEN_DOWN"),
    ] {
        let expected = format!("environment: {given}: no such setting; did you mean `{meant}`?");
        check(&[(given, "")], &[], &expected);
    }
    check(&[("RINGWIRE_", "")], &[], "environment: RINGWIRE_: no such setting");
    check(&[], &["engine.idel=1"], "--set: engine.idel: no such setting; did you mean `engine.idle`?");
    check(&[], &["idle=1"], "--set: idle: no such setting; did you mean `engine.idle`?");
    check(
        &[],
        &["socket_timeout=1"],
        "--set: socket_timeout: no such setting; here it is `reply_timeout_ms`, in milliseconds",
    );
    check(
        &[],
        &["reply_timeout_ms=1"],
        "--set: reply_timeout_ms: expected endpoint.NAME.reply_timeout_ms: there are 2 endpoints",
    );
    check(
        &[],
        &["endpoint.mian.database=1"],
        "--set: endpoint.mian.url: missing; expected redis://, unix:// or kafka://; did you mean `main`?",
    );
    check(&[], &["a..b=1"], "--set: a..b: expected a setting's path, as in engine.idle or endpoint.main.url");
    check(&[], &["hunter2"], "--set: expected PATH=VALUE, as in engine.idle=park");
}

#[test]
fn values_that_cannot_be() {
    let words = "expected busy-spin, spin-then-park, park or moderate";
    check_file("[engine]\nidle = 'nap'", &format!("a.toml:2: engine.idle = \"nap\": {words}"));
    check_file(
        "[engine]\nidle = 'prak'",
        &format!("a.toml:2: engine.idle = \"prak\": {words}; did you mean `park`?"),
    );
    check_file("[engine]\nidle = 5", &format!("a.toml:2: engine.idle = 5: {words}"));
    check_file(
        "[engine]\nhost = 'tokio'",
        "a.toml:2: engine.host = \"tokio\": expected auto, glommio or thread",
    );
    let shards = "expected an integer from 1 to 256";
    for (given, shown, more) in [
        ("0", "0", ""),
        ("-1", "-1", ""),
        ("257", "257", ""),
        ("1.5", "1.5", ""),
        ("'5'", "\"5\"", ", without quotes"),
        ("true", "true", ""),
        ("[1]", "[1]", ""),
        ("{}", "(a table)", ""),
        ("{ a = 1 }", "(a table)", ""),
        ("99999999999999999999999", "99999999999999999999999", ""),
        ("0xffff_ffff_ffff_ffff_f", "0xfffffffffffffffff", ""),
        ("1979-05-27", "1979-05-27", ""),
        ("inf", "inf", ""),
    ] {
        let expected = format!("a.toml:2: engine.shards = {shown}: {shards}{more}");
        check_file(&format!("[engine]\nshards = {given}"), &expected);
    }
    check_file(
        "[engine]\ncores = [1, 1]",
        "a.toml:2: engine.cores = 1: expected each core once: two shards would share it",
    );
    for (given, shown) in
        [("[1, 'x']", "[1, \"x\"]"), ("[[1]]", "[[1]]"), ("3", "3"), ("[-1]", "[-1]"), ("[9999]", "[9999]")]
    {
        let expected = format!(
            "a.toml:2: engine.cores = {shown}: expected a list of at most 256 integers from 0 to 8191, as in [2, 3]"
        );
        check_file(&format!("[engine]\ncores = {given}"), &expected);
    }
    check_file(
        "[engine]\ncores = [1, 2]\nshards = 3",
        "a.toml:3: engine.shards = 3: expected 2, the number of engine.cores (a.toml:2), or an empty list of cores",
    );
    check_file(
        "[engine]\nring_bytes = 5",
        "a.toml:2: engine.ring_bytes = 5: expected a power of two from 16384 to 1073741824 (bytes)",
    );
    check_file(
        "[engine]\nring_bytes = 65537",
        "a.toml:2: engine.ring_bytes = 65537: expected a power of two from 16384 to 1073741824 (bytes)",
    );
    check_file(
        "[engine]\ncredit_messages = 4294967297",
        "a.toml:2: engine.credit_messages = 4294967297: expected an integer from 1 to 1048576 (messages)",
    );
    check_file(
        "[engine]\ncredit_bytes = 10000",
        "a.toml:2: engine.credit_bytes = 10000: expected at least 1050624: a quarter of engine.ring_bytes (4194304) and \
         2 KiB, so that the largest message fits",
    );
    check_main(
        "reply_timeout_ms = 0",
        "a.toml:3: endpoint.main.reply_timeout_ms = 0: expected an integer from 1 to 86400000 (ms)",
    );
    check_main(
        "reconnect_min_ms = 500",
        "a.toml:3: endpoint.main.reconnect_min_ms = 500: expected at most reconnect_max_ms (250)",
    );
    let name = "expected 1 to 64 printable ASCII characters without spaces";
    check_main("client_name = 'a b'", &format!("a.toml:3: endpoint.main.client_name = \"a b\": {name}"));
    check_main("client_name = 5", &format!("a.toml:3: endpoint.main.client_name = 5: {name}, in quotes"));
    check_main("password = 12345", "a.toml:3: endpoint.main.password = ***: expected a text, in quotes");
    check_main("username = 'bot'", USER);
    check(&[], &["endpoint.main.url=redis://hunter2@h"], &USER.replace("a.toml:3", "--set (the url)"));
    check(
        &[("RINGWIRE_ENGINE__SHARDS", "+5")],
        &[],
        "RINGWIRE_ENGINE__SHARDS: engine.shards = +5: expected an integer from 1 to 256",
    );
    check(
        &[("RINGWIRE_ENGINE__SHARDS", "")],
        &[],
        "RINGWIRE_ENGINE__SHARDS: engine.shards = (empty): expected an integer from 1 to 256",
    );
    check(&[], &["engine.idle=nap"], &format!("--set: engine.idle = nap: {words}"));
    check(&[], &["route.0.external_only=yes"], "--set: route.0.external_only = yes: expected true or false");
}

#[test]
fn sections_that_cannot_be() {
    check_file("engine = 5", "a.toml:1: engine: expected a table, written [engine]");
    check_file("[[engine]]", "a.toml:1: engine: expected a table, written [engine]");
    check_file("endpoint = 5", "a.toml:1: endpoint: expected tables, written [endpoint.NAME]");
    check_file(
        "[endpoint]\nmain = 'redis://h'",
        "a.toml:2: endpoint.main: expected a table, written [endpoint.main]",
    );
    check_file(
        "[endpoint.main]",
        "a.toml:1: endpoint.main.url: missing; expected redis://, unix:// or kafka://",
    );
    check_file(
        "[endpoint.'a.b']\nurl = 'redis://h'",
        "a.toml:1: endpoint.a.b: expected an endpoint's name of 1 to 64 letters, digits, - or _",
    );
    check_file(
        "[route]\nchannels = '*'",
        "a.toml:1: route: a route is written [[route]], with two brackets on each side",
    );
    check_file("route = 5", "a.toml:1: route: expected tables, written [[route]]");
    check_file(
        "route = [5]",
        "a.toml:1: route.0: expected route.NUMBER.SETTING, counted from 0, as in route.0.when_down",
    );
    check_main(
        "[[route]]\nchannels = 'a'",
        "a.toml:3: route.0.to: missing; expected a list of endpoints' names, as in [\"main\"]",
    );
    check_main(
        "[[route]]\nto = ['main']",
        "a.toml:3: route.0.channels: missing; expected a glob over channel names, as in \"fx.*\", of at most 1024 bytes",
    );
    let route = |lines: &str| format!("[[route]]\nchannels = 'a'\n{lines}");
    check_main(
        &route("to = 'main'"),
        "a.toml:5: route.0.to = \"main\": expected a list of endpoints' names, as in [\"main\"]",
    );
    check_main(
        &route("to = ['mian']"),
        "a.toml:5: route.0.to = mian: expected an endpoint that is configured: main; did you mean `main`?",
    );
    check_main(&route("to = ['main', 'main']"), "a.toml:5: route.0.to = main: expected each endpoint once");
    check_main(
        &route("to = []\nexternal_only = true"),
        "a.toml:5: route.0.to = []: expected an endpoint, because of external_only: an empty list is the local bus",
    );
    check_file(
        &route("to = ['main']"),
        "a.toml:3: route.0.to = main: no endpoint is configured; expected [endpoint.NAME]",
    );
    check_main(
        &route("to = ['main']\nwhen_down = 'x'"),
        "a.toml:6: route.0.when_down = \"x\": expected auto, reject, buffer or drop",
    );
    check_main(
        "[endpoint.b]\nurl = 'redis://h'",
        "route: missing; with several endpoints (main, b), [[route]] says which channels go where",
    );
    let gap = "routes are numbered from 0 without gaps; the next one is route.1";
    check(&[], &["route.7.to=main"], &format!("--set: route.7: {gap}"));
    check(
        &[],
        &["route.to=main"],
        "--set: route.to: expected route.NUMBER.SETTING, counted from 0, as in route.0.when_down",
    );
    let file = "[endpoint.a-b]\nurl = 'redis://h'\n[endpoint.a_b]\nurl = 'redis://h'\n";
    let error = config(file, &[("RINGWIRE_ENDPOINT__A_B__URL", "redis://h")], &[]).unwrap_err();
    let expected =
        "environment: RINGWIRE_ENDPOINT__A_B__URL: means both endpoints, `a-b` and `a_b`; rename one of them";
    assert_eq!(text(&error), expected);
}

#[test]
fn text_that_is_no_toml() {
    check_file("[engine", "a.toml:1:8: not TOML: unclosed table, expected `]`");
    check_file("idle = park", "a.toml:1:8: a text is written in quotes, as in idle = \"park\"");
    check_file("[engine]\nidle = 'park", "a.toml:2:13: not TOML: invalid literal string, expected `'`");
    check_file(
        "[engine]\nidle = 'park'\nidle = 'park'",
        "a.toml:3:1: `idle` is given twice; expected each key and table once",
    );
    check_file(
        "[endpoint.main]\nurl = 'redis://h'\n[endpoint.main]\n",
        "a.toml:3:11: `main` is given twice; expected each key and table once",
    );
    check_main("[endpoint.main.url]", "a.toml:3:16: `url` is given twice; expected each key and table once");
    let error = Config::from_toml("[engine]\nidle = 'nap'").unwrap_err();
    assert_eq!((error.origin(), error.key(), error.found()), ("line 2", "engine.idle", "\"nap\""));
}

#[test]
fn urls_that_cannot_be() {
    let check = |url: &str, found: &str, expected: &str| {
        let error = config("", &[], &[&format!("endpoint.main.url={url}")]).unwrap_err();
        assert_eq!(text(&error), format!("--set: endpoint.main.url = {found}: {expected}"), "{url}");
    };
    let scheme = "expected redis://[user:password@]host[:port][/database], unix:///path/to.sock or kafka://host:port[,host:port…]";
    let host = "the host is a name or an address";
    let port = "the port is a number from 1 to 65535";
    check("", "(the url)", scheme);
    check("hunter2", "(the url)", scheme);
    check("127.0.0.1:6379", "(the url)", scheme);
    check("redis:/:hunter2@h", "(the url)", scheme);
    check("http://h", "http://h", scheme);
    let tls = "rediss:// (TLS) is not built yet; expected redis:// or unix://";
    check("rediss://a:hunter2@h", "rediss://a:***@h", tls);
    check("redis://h:0", "redis://…", port);
    check("redis://:hunter2@h:x", "redis://:***@h:x", port);
    check("redis://:hunter2", "redis://…", port);
    check("redis://bot:hunter2", "redis://…", port);
    check("redis://:%zz@h", "redis://:***@h", "a % is written %25, and stands before two hexadecimal digits");
    check("redis://:hun/ter2@a b", "redis://:***@a b", host);
    check("redis://:hun?ter2@h", "redis://…", "a ? before the host is written %3F, and an @ behind it %40");
    check("redis://:a@hun?ter2@h", "redis://…", "a ? before the host is written %3F, and an @ behind it %40");
    check("redis://::1", "redis://…", "an IPv6 address stands in [brackets]");
    check("redis://[::1", "redis://[::1", "an IPv6 address stands in [brackets]");
    check("redis://[x]:1", "redis://[x]:1", "what stands in brackets is not an IPv6 address");
    check("redis://h/x", "redis://h/x", "its database: expected an integer from 0 to 65535");
    check("redis://h/99999999", "redis://h/99999999", "its database: expected an integer from 0 to 65535");
    check("unix://run/x", "unix://run/x", "a socket's path is absolute, as in unix:///run/redis.sock");
    let known = "a url takes db, client_name, socket_timeout, connect_timeout and others";
    check("redis://h?x=hunter2", "redis://h", &format!("unknown option `x`; {known}"));
    check("redis://h?hun:ter2=1", "redis://…", &format!("unknown option; {known}"));
    check("redis://h?db", "redis://h", "an option is written name=value, as in ?db=1");
    check(
        "redis://h?pool_size=5",
        "redis://h",
        "`pool_size` cannot be set: there is no pool: each shard has two connections of its own",
    );
    check("redis://h?protocol=4", "redis://h", "`protocol`: expected 2 or 3");
    check("redis://h?host=x", "redis://h", "`host` stands before the ?, as in redis://host:port");
    check(
        "redis://h?timeout=5",
        "redis://h",
        "`timeout`: clients differ in its unit: write it, as in timeout=2s",
    );
    let time = "expected seconds, as in 1.5, or a time with units, as in 500ms or 1m30s";
    for bad in ["-1", "5x", "x", "", ".", "1s5", "1e3", "nan"] {
        check(&format!("redis://h?socket_timeout={bad}"), "redis://h", &format!("`socket_timeout`: {time}"));
    }
    check(
        "redis://h?socket_timeout=0",
        "redis://h",
        "its reply_timeout_ms: expected an integer from 1 to 86400000 (ms)",
    );
}

#[test]
fn the_builder_is_checked_by_the_same_table() {
    let with = |change: fn(&mut RedisOptions)| {
        let mut options = RedisOptions::default();
        change(&mut options);
        Config::new().redis_with("main", "redis://h", options).map(|_| ()).map_err(|error| text(&error))
    };
    let check =
        |change: fn(&mut RedisOptions), expected: &str| assert_eq!(with(change), Err(expected.to_owned()));
    let day = "expected an integer from 1 to 86400000 (ms)";
    check(|it| it.reply_timeout = Duration::ZERO, &format!("endpoint.main.reply_timeout_ms = 0ns: {day}"));
    check(
        |it| it.reply_timeout = Duration::from_micros(1500),
        &format!("endpoint.main.reply_timeout_ms = 1.5ms: {day}"),
    );
    check(
        |it| it.breaker_open = Duration::MAX,
        &format!("endpoint.main.breaker_open_ms = {:?}: {day}", Duration::MAX),
    );
    check(|it| it.database = 1 << 16, "endpoint.main.database = 65536: expected an integer from 0 to 65535");
    check(
        |it| it.client_name.clear(),
        "endpoint.main.client_name = \"\": expected 1 to 64 printable ASCII characters without spaces",
    );
    check(
        |it| it.reconnect_min = Duration::from_secs(1),
        "endpoint.main.reconnect_min_ms = 1000: expected at most reconnect_max_ms (250)",
    );
    assert_eq!(with(|it| it.breaker_threshold = 0), Ok(()));
    assert!(
        !format!("{:?}", RedisOptions { password: Some("hunter2".into()), ..Default::default() })
            .contains("hunter2")
    );

    let name = |name: &str| {
        let config = Config::new().redis("taken", "redis://h").unwrap();
        text(&config.redis(name, "redis://h").unwrap_err())
    };
    assert_eq!(name("taken"), "endpoint = taken: expected a name that no other endpoint has");
    assert_eq!(name("a b"), "endpoint = a b: expected an endpoint's name of 1 to 64 letters, digits, - or _");
    assert!(Route::new("a").external_only() != Route::new("a"));
}

#[test]
fn all_problems_are_listed_in_order() {
    let file = "[engine]\nidle = 'nap'\nshards = 0\n[endpoint.main]\nurl = 'h'\nfoo = 1\n";
    let settings = read(file, &[("RINGWIRE_FOO", "")], &["engine.idle=x"]).unwrap();
    let places: Vec<String> =
        settings.problems().iter().map(|it| format!("{} {}", it.origin(), it.key())).collect();
    let expected = [
        "a.toml:2 engine.idle",
        "a.toml:3 engine.shards",
        "a.toml:5 endpoint.main.url",
        "a.toml:6 endpoint.main.foo",
        "environment RINGWIRE_FOO",
        "--set engine.idle",
    ];
    assert_eq!(places, expected);
    assert_eq!(settings.config().err(), settings.problems().into_iter().next());
    assert!(read(MAIN, &[], &[]).unwrap().problems().is_empty());
}
