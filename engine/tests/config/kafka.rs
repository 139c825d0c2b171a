//! A Kafka by Kafka's own names: what is taken, what is refused and how, what is shown.

use std::time::Duration;

use ringwire::{
    Acks, BackoffKind, Compression, Config, CustomPartitioner, Engine, KafkaOptions, OpenError, Partitioner,
    PartitionerInput, Route,
};

use crate::{MAIN, TWO, config, shown};

/// A file with one Kafka.
const LOG: &str = "[endpoint.log]\nurl = 'kafka://h:1,i'\n";

#[test]
fn an_endpoint_is_what_its_url_or_its_brokers_say() {
    let check = |file: &str, variables: &[(&str, &str)], sets: &[&str], expected: &str| {
        let config = config(file, variables, sets).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            shown(&config, "endpoint.log.bootstrap.servers"),
            expected,
            "{file} {variables:?} {sets:?}"
        );
    };
    let variable = [("RINGWIRE_ENDPOINT__LOG__BOOTSTRAP_SERVERS", "x:3,y")];
    check(LOG, &[], &[], "\"h:1,i:9092\"");
    check("[endpoint.log]\nbootstrap.servers = 'h'\n", &[], &[], "\"h:9092\"");
    check("[endpoint.log]\n'bootstrap.servers' = 'h'\n", &[], &[], "\"h:9092\"");
    // The later layer counts; in one layer both say the same.
    check(LOG, &variable, &[], "\"x:3,y:9092\"");
    check("", &variable, &[], "\"x:3,y:9092\"");
    check(LOG, &variable, &["url=kafka://z"], "\"z:9092\"");
    check(LOG, &[], &["bootstrap.servers=[::1]:5"], "\"[::1]:5\"");
    check(
        "[endpoint.log]\nurl = 'kafka://b,a'\nbootstrap.servers = 'a:9092,b'\n",
        &[],
        &[],
        "\"a:9092,b:9092\"",
    );
    // The last url decides what it is.
    check("[endpoint.log]\nurl = 'redis://a'\n", &[], &["url=kafka://b"], "\"b:9092\"");
    let config = config(LOG, &[], &["endpoint.log.url=redis://a"]).unwrap();
    assert_eq!(shown(&config, "endpoint.log.url"), "\"redis://a:6379\"");
}

#[test]
fn every_setting_is_taken() {
    let check = |assignment: &str, expected: &str| {
        let name = assignment.split('=').next().unwrap_or_default();
        let config = config(LOG, &[], &[assignment]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(shown(&config, &format!("endpoint.log.{name}")), expected, "{assignment}");
    };
    check("acks=1", "\"1\"");
    check("acks=-1", "\"all\"");
    check("enable.idempotence=false", "false");
    check("compression.type=zstd", "\"zstd\"");
    check("batch.size=1000", "1000");
    check("linger.ms=0.25", "0.25");
    check("linger.ms=5", "5");
    check("max.request.size=10000000", "10000000");
    check("delivery.timeout.ms=2147483647", "2147483647");
    check("request.timeout.ms=7", "7");
    check("retries=0", "0");
    check("retry.backoff.ms=7", "7");
    check("retry.backoff.max.ms=700", "700");
    check("retry.backoff.kind=linear", "\"linear\"");
    check("max.in.flight.requests.per.connection=1", "1");
    check("buffer.memory=2000000", "2000000");
    check("queue.buffering.max.messages=10", "10");
    check("topic.metadata.propagation.max.ms=0", "0");
    check("allow.auto.create.topics=false", "false");
    for partitioner in ["murmur2", "consistent", "channel-hash", "sticky", "round-robin", "single:7"] {
        check(&format!("partitioner={partitioner}"), &format!("\"{partitioner}\""));
    }
    check("metadata.max.age.ms=7", "7");
    check("reconnect.backoff.ms=7", "7");
    check("reconnect.backoff.max.ms=700", "700");
    check("socket.connection.setup.timeout.ms=7", "7");
    check("client.id=desk", "\"desk\"");
    check("topic.prefix=fx.", "\"fx.\"");
    // As a file has them: numbers are numbers, and some words look like one.
    let file =
        [LOG, "acks = 1\nlinger.ms = 0.5\ncompression.type = 'gzip'\ncompression.level = 9\n"].concat();
    let config = config(&file, &[], &[]).unwrap();
    for (name, value) in [("acks", "\"1\""), ("linger.ms", "0.5"), ("compression.level", "\"9\"")] {
        assert_eq!(shown(&config, &format!("endpoint.log.{name}")), value);
    }
}

#[test]
fn a_level_is_of_its_codec() {
    let check = |sets: &[&str], expected: Result<&str, &str>| {
        let found = config(LOG, &[], sets).map(|config| shown(&config, "endpoint.log.compression.level"));
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{sets:?}");
    };
    check(&["compression.type=zstd"], Ok("\"default\""));
    check(&["compression.level=-5", "compression.type=zstd"], Ok("\"-5\""));
    check(&["compression.type=gzip", "compression.level=1"], Ok("\"1\""));
    check(&["compression.type=lz4", "compression.level=default"], Ok("\"default\""));
    let wrong = |level: &str, expected: &str| {
        format!("--set: endpoint.log.compression.level = {level}: expected {expected}")
    };
    let gzip = wrong("10", "a level of gzip, from 0 to 9, or default");
    check(&["compression.type=gzip", "compression.level=10"], Err(&gzip));
    let lz4 = wrong("3", "default: snappy and lz4 have no levels here");
    check(&["compression.type=lz4", "compression.level=3"], Err(&lz4));
    let none = wrong("3", "compression.type gzip or zstd beside it: without one there is no level");
    check(&["compression.level=3"], Err(&none));
    check(
        &["compression.level=fast"],
        Err(&wrong("fast", "default or an integer: 0 to 9 for gzip, -22 to 22 for zstd")),
    );
}

#[test]
fn idempotence_follows_acks_unless_it_is_said() {
    let check = |sets: &[&str], expected: &str, has_note: bool| {
        let config = config(LOG, &[], sets).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            shown(&config, "endpoint.log.enable.idempotence").split_whitespace().next(),
            Some(expected)
        );
        let note = "# enable.idempotence is off because acks is";
        assert_eq!(config.to_toml().contains(note), has_note, "{sets:?}");
    };
    check(&[], "true", false);
    check(&["acks=1"], "false", true);
    check(&["acks=0"], "false", true);
    check(&["acks=1", "enable.idempotence=false"], "false", false);
    check(&["enable.idempotence=false"], "false", false);
}

#[test]
fn what_cannot_be() {
    let check = |file: &str, sets: &[&str], expected: &str| {
        let error = config(file, &[], sets).expect_err(expected).to_string();
        assert_eq!(error, expected, "{sets:?}");
    };
    let check_log =
        |assignment: &str, expected: &str| check(LOG, &[assignment], &format!("--set: {expected}"));
    check(
        LOG,
        &["acks=1", "enable.idempotence=true"],
        "--set: endpoint.log.acks = 1: expected all: enable.idempotence = true needs every in-sync replica's word",
    );
    let flight = "endpoint.log.max.in.flight.requests.per.connection";
    check_log(
        "max.in.flight.requests.per.connection=6",
        &format!("{flight} = 6: expected an integer from 1 to 5 (requests)"),
    );
    check_log("acks=2", "endpoint.log.acks = 2: expected all, -1, 1 or 0");
    check_log(
        "compression.type=zst",
        "endpoint.log.compression.type = zst: expected none, gzip, snappy, lz4 or zstd; \
               did you mean `zstd`?",
    );
    let linger = "expected a number from 0 to 2147483647, with up to three decimals (ms)";
    for bad in ["0.0005", "-1", "x", "1.", ".5", "2147483648", "1e3"] {
        check_log(&format!("linger.ms={bad}"), &format!("endpoint.log.linger.ms = {bad}: {linger}"));
    }
    let partitioner = "expected murmur2, consistent, channel-hash, sticky, round-robin or single:N; a function of your \
                       own is set in code";
    for bad in ["custom", "single:", "single:-1", "single:2147483648", "random"] {
        check_log(&format!("partitioner={bad}"), &format!("endpoint.log.partitioner = {bad}: {partitioner}"));
    }
    check_log(
        "batch.size=2000000",
        "endpoint.log.batch.size = 2000000: expected at most max.request.size (1048576)",
    );
    check_log(
        "retry.backoff.ms=2000",
        "endpoint.log.retry.backoff.ms = 2000: expected at most \
               retry.backoff.max.ms (1000)",
    );
    check_log(
        "linger.ms=120001",
        "endpoint.log.linger.ms = 120001: expected at most delivery.timeout.ms (120000)",
    );
    check_log(
        "buffer.memory=100000",
        "endpoint.log.buffer.memory = 100000: expected at least 1050624: a quarter of engine.ring_bytes (4194304) and \
         2 KiB, so that the largest message fits",
    );
    check_log(
        "topic.prefix=a/b",
        "endpoint.log.topic.prefix = a/b: expected at most 248 letters, digits, ., _ or -",
    );
    check_log(
        "bootstrap.servers=",
        "endpoint.log.bootstrap.servers = (empty): expected host[:port][,host[:port]…], as \
               in 10.0.0.5:9092,10.0.0.6:9092",
    );
    check(
        "[endpoint.log]\nurl = 'kafka://user:hunter2@h'\n",
        &[],
        "a.toml:2: endpoint.log.url = kafka://…: expected no user and password: SASL is not built yet",
    );
    check(
        "[endpoint.log]\nurl = 'kafka://a'\nbootstrap.servers = 'b'\n",
        &[],
        "a.toml:3: endpoint.log.bootstrap.servers = \"b\": expected the brokers of endpoint.log.url (a.toml:2), or only one of \
         the two settings",
    );
    check(
        "[endpoint.log]\nurl = 'kafka://h:0'\n",
        &[],
        "a.toml:2: endpoint.log.url = kafka://h:0: a port is a number from 1 to 65535",
    );
}

#[test]
fn names_of_others_are_told_the_right_ones() {
    let check = |file: &str, sets: &[&str], expected: &str| {
        let error = config(file, &[], sets).expect_err(expected).to_string();
        assert_eq!(error, expected, "{sets:?}");
    };
    let check_log = |name: &str, hint: &str| {
        let expected = format!("--set: endpoint.log.{name}: no such setting; {hint}");
        check(LOG, &[&format!("endpoint.log.{name}=1")], &expected);
    };
    check_log("queue.buffering.max.ms", "here it is `linger.ms`");
    check_log("message.max.bytes", "here it is `max.request.size`");
    check_log("queue.buffering.max.kbytes", "here it is `buffer.memory`, in bytes, not KiB");
    check_log("compression.codec", "here it is `compression.type`");
    check_log("sasl.username", "TLS and SASL are not built yet");
    check_log(
        "max.block.ms",
        "publishing never blocks: without credit it is refused, and `wait_writable` waits",
    );
    check_log("linger.mss", "did you mean `endpoint.log.linger.ms`?");
    check_log("reply_timeout_ms", "a Redis has it, and this endpoint is a Kafka");
    check(
        LOG,
        &["batch.num.messages=1"],
        "--set: batch.num.messages: no such setting; a batch ends by `batch.size`, and \
           the endpoint's credit bounds the messages",
    );
    check(MAIN, &["acks=1"], "--set: acks: it is a setting of a Kafka, and no endpoint is one");
    let variable =
        config(LOG, &[("RINGWIRE_ENDPOINT__LOG__MESSAGE_TIMEOUT_MS", "1")], &[]).expect_err("no such");
    assert_eq!(
        variable.to_string(),
        "environment: RINGWIRE_ENDPOINT__LOG__MESSAGE_TIMEOUT_MS: no such setting; here it is `delivery.timeout.ms`"
    );
}

#[test]
fn the_short_form_means_the_one_endpoint_that_has_it() {
    let both = [TWO, LOG].concat();
    let one = config(&both, &[], &["compression.type=lz4", "endpoint.main.database=1"]).unwrap();
    assert_eq!(shown(&one, "endpoint.log.compression.type"), "\"lz4\"");
    let two = [LOG, &LOG.replace("log", "log2"), "[[route]]\nchannels = '*'\nto = ['log']\n"].concat();
    let error = config(&two, &[], &["acks=1"]).expect_err("which one?").to_string();
    assert_eq!(error, "--set: acks: expected endpoint.NAME.acks: there are 2 endpoints");
}

#[test]
fn what_the_builder_sets_is_shown_and_can_be_read_again() {
    let options = KafkaOptions {
        acks: Acks::Leader,
        compression: Compression::Zstd(-7),
        linger: Duration::from_micros(1_500),
        partitioner: Partitioner::Single(3),
        retry_backoff_kind: BackoffKind::Fixed,
        topic_prefix: "fx.".to_owned(),
        ..KafkaOptions::default()
    };
    let built = Config::new().kafka_with("log", "h:1,[::1]", options).unwrap();
    let text = built.to_toml();
    let again = Config::from_toml(&text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
    for name in [
        "bootstrap.servers",
        "acks",
        "enable.idempotence",
        "compression.type",
        "compression.level",
        "linger.ms",
        "partitioner",
        "retry.backoff.kind",
        "topic.prefix",
    ] {
        let path = format!("endpoint.log.{name}");
        assert_eq!(shown(&again, &path), shown(&built, &path));
    }
    assert_eq!(shown(&built, "endpoint.log.linger.ms"), "1.5");
    let refused =
        |options: KafkaOptions| Config::new().kafka_with("log", "h", options).err().map(|it| it.to_string());
    let zero = refused(KafkaOptions { max_in_flight: 0, ..KafkaOptions::default() });
    let flight = "endpoint.log.max.in.flight.requests.per.connection";
    assert_eq!(zero, Some(format!("{flight} = 0: expected an integer from 1 to 5 (requests)")));
    let acks =
        refused(KafkaOptions { acks: Acks::None, enable_idempotence: Some(true), ..KafkaOptions::default() });
    assert!(acks.is_some_and(|it| it.starts_with("endpoint.log.acks = 0: expected all")));
    let error = Config::new().kafka("log", "user:hunter2@h").expect_err("SASL").to_string();
    assert!(error.starts_with("endpoint.log.bootstrap.servers = ") && !error.contains("hunter2"), "{error}");
    let own = CustomPartitioner::new(|input: &PartitionerInput<'_>| i64::from(input.partitions) - 1);
    let options = KafkaOptions { partitioner: Partitioner::Custom(own), ..KafkaOptions::default() };
    let own = Config::new().kafka_with("log", "h", options).unwrap();
    assert_eq!(shown(&own, "endpoint.log.partitioner"), "\"custom\"");
}

#[test]
fn a_routes_topic_needs_a_kafka() {
    let route =
        |to: &str, topic: &str| format!("[[route]]\nchannels = '*'\nto = ['{to}']\ntopic = '{topic}'\n");
    let check = |route: &str, expected: &str| {
        let error = config(&[MAIN, LOG, route].concat(), &[], &[]).expect_err(expected).to_string();
        assert_eq!(error, expected);
    };
    check(
        &route("main", "t"),
        "a.toml:8: route.0.topic = t: expected a Kafka in `to` beside it: no other endpoint has topics",
    );
    let legal = "expected a topic's name: 1 to 249 letters, digits, ., _ or -, and neither . nor ..";
    for topic in ["a b", "..", "a/b"] {
        check(&route("log", topic), &format!("a.toml:8: route.0.topic = \"{topic}\": {legal}"));
    }
    assert!(config(&[MAIN, LOG, &route("log", "t")].concat(), &[], &[]).is_ok());
}

#[test]
fn channels_and_subscriptions_find_their_kafka_or_say_why_not() {
    // Nobody listens there, and nobody has to.
    let config =
        Config::new().redis("main", "redis://127.0.0.1:1").unwrap().kafka("log", "127.0.0.1:1").unwrap();
    let config = config
        .route(Route::new("both.*").to("log").to("main"))
        .route(Route::new("named *").to("log").topic("orders"))
        .route(Route::new("*").to("log"));
    let engine = Engine::start(config).unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    assert!(engine.channel("fx.eurusd").is_ok_and(|channel| channel.legs() == 1));
    assert!(engine.channel("both.x").is_ok_and(|channel| channel.legs() == 2));
    assert!(engine.channel("named by its route").is_ok());
    let long = "x".repeat(250);
    for bad in ["a b", "..", "ü", &long] {
        let error = engine.channel(bad).expect_err(bad);
        assert!(matches!(&error, OpenError::BadTopic { endpoint, .. } if endpoint == "log"), "{error}");
        assert!(error.to_string().contains("cannot be a topic of the Kafka `log`"), "{error}");
    }
    // Heard at its Redis, wherever that stands among its legs; never in silence.
    assert!(subscriber.subscribe("both.x").is_ok() && subscriber.subscribe_pattern("both.*").is_ok());
    let not_heard = OpenError::NotHeard { endpoint: "log".to_owned() };
    assert_eq!(subscriber.subscribe("fx.eurusd"), Err(not_heard.clone()));
    assert_eq!(subscriber.subscribe_at("log", "both.x"), Err(not_heard.clone()));
    assert_eq!(subscriber.subscribe_pattern_at("log", "*"), Err(not_heard.clone()));
    let alone = Engine::start(Config::new().kafka("log", "127.0.0.1:1").unwrap()).unwrap();
    let mut subscriber = alone.subscriber().unwrap();
    assert_eq!(subscriber.subscribe_pattern("*"), Err(not_heard));
    let status = alone.status();
    assert_eq!((status[0].kind.name(), status[0].address.as_str()), ("Kafka", "kafka://127.0.0.1:1"));
}

#[test]
fn a_kafkas_credit_is_its_own() {
    let options = KafkaOptions { queue_messages: 3, ..KafkaOptions::default() };
    let config = Config::new().credit(1, 2 << 20).kafka_with("log", "127.0.0.1:1", options).unwrap();
    let engine = Engine::start(config).unwrap();
    let channel = engine.channel("t").unwrap();
    let (mut publisher, _reports) = engine.publisher().unwrap();
    let accepted = (0..5).filter(|_| publisher.publish(&channel, b"x").is_ok()).count();
    assert_eq!(accepted, 3);
    // There are report slots for the largest credit.
    let options = KafkaOptions { queue_messages: 30, ..KafkaOptions::default() };
    let config = Config::new().credit(1, 2 << 20).kafka_with("log", "127.0.0.1:1", options).unwrap();
    let engine = Engine::start(config).unwrap();
    let channel = engine.channel("t").unwrap();
    let (mut publisher, _reports) = engine.publisher().unwrap();
    assert_eq!((0..40).filter(|_| publisher.publish(&channel, b"x").is_ok()).count(), 30);
}
