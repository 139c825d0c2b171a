//! Kafka by the command line, against the embedded cluster.

use ringwire_loopback::front::{self, KafkaFront, KafkaOptions, spawn_kafka};
use ringwire_loopback::kafka::ClusterOptions;
use ringwire_loopback::redis::Options;

use crate::process::{QUOTES, Scratch, journalling, ringwire};

pub(crate) fn cluster(partitions: u32) -> KafkaFront {
    let cluster = ClusterOptions { partitions, ..ClusterOptions::default() };
    spawn_kafka("127.0.0.1:0", KafkaOptions { cluster, ..KafkaOptions::default() }).unwrap()
}

#[test]
fn each_line_of_the_quotes_has_its_offset() {
    let kafka = cluster(1);
    let brokers = kafka.bootstrap();
    let arguments = ["replay", QUOTES, "--channel", "fx.eurusd", "--kafka", &brokers];
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let set = format!("compression.type={compression}");
        let topic = format!("topic.prefix={compression}.");
        let ended = ringwire(arguments.iter().chain(&["--json", "--set", &set, "--set", &topic]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let json = ended.json();
        assert_eq!(
            (&json["delivered"], &json["kafka"]),
            (&9_500.into(), &format!("kafka://{brokers}").into())
        );
        let expected = serde_json::json!([{
            "topic": format!("{compression}.fx.eurusd"),
            "partition": 0, "delivered": 9_500, "first_offset": 0, "last_offset": 9_499,
        }]);
        assert_eq!(json["partitions"], expected, "{ended:?}");
        assert!(json["latency_ns"]["p50"].as_u64().is_some_and(|p50| p50 > 0), "{ended:?}");
    }
    // The table of a person has the same.
    let ended = ringwire(arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let words: Vec<&str> = ended.stdout.split_whitespace().collect();
    let shown = words.join(" ");
    for words in ["kafka: kafka://", "delivered 9,500 not sent 0", "first offset", "fx.eurusd 0 9,500 0 9499"]
    {
        assert!(shown.contains(words), "{words}: {ended:?}");
    }
}

#[test]
fn one_message_says_where_it_is() {
    let kafka = cluster(1);
    for offset in 0..2 {
        let ended = ringwire(["publish", "orders", "x", "--kafka", &kafka.bootstrap()]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let place = format!("; topic orders, partition 0, offset {offset}");
        assert!(ended.stderr.contains("delivered to kafka://127.0.0.1:"), "{ended:?}");
        assert!(ended.stderr.trim_end().ends_with(&place), "{ended:?}");
    }
}

/// A demo of 2,000 records, whose first offset is `first`.
fn assert_demo(arguments: &[&str], place: &str, first: u64) {
    let ended = ringwire(["demo", "--seconds", "1", "--rate", "2000", "--json"].iter().chain(arguments));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let json = ended.json();
    assert_eq!(json["kafka"], place, "{ended:?}");
    let count = |key: &str| json[key].as_u64().unwrap();
    assert_eq!((count("delivered"), count("refused")), (2_000, 0), "{ended:?}");
    let expected = serde_json::json!([{
        "topic": "ringwire.demo.quotes",
        "partition": 0, "delivered": 2_000, "first_offset": first, "last_offset": first + 1_999,
    }]);
    assert_eq!(json["partitions"], expected, "{ended:?}");
    let shown = ["p50", "p99", "p999", "max"].map(|name| json["ack_ns"][name].as_u64().unwrap());
    assert!(shown.is_sorted() && shown[3] > 0, "{ended:?}");
    for absent in ["redis", "received", "gaps", "subscriber_ns"] {
        assert!(json[absent].is_null(), "{absent}: {ended:?}");
    }
}

#[test]
fn a_demo_goes_into_the_kafka_inside_it_or_into_another() {
    assert_demo(&["--kafka"], "embedded", 0);
    let kafka = cluster(1);
    let place = format!("kafka://{}", kafka.bootstrap());
    for first in [0, 2_000] {
        assert_demo(&["--kafka", &kafka.bootstrap()], &place, first);
    }
    let records = kafka.with(|cluster| cluster.records("ringwire.demo.quotes", 0, 0)).unwrap().unwrap();
    let numbers = records.iter().map(|it| it.value.as_deref().unwrap().rsplit(|&byte| byte == b',').next());
    let expected: Vec<String> = (0..2).flat_map(|_| 0..2_000).map(|number: u32| number.to_string()).collect();
    assert!(numbers.eq(expected.iter().map(|number| Some(number.as_bytes()))), "each quote in its order");
    // The table of a person, with a configuration file that names the Kafka.
    let file = Scratch::new(format!("[endpoint.log]\nurl = '{place}'\n"));
    let ended = ringwire(["demo", "--seconds", "1", "--rate", "500", "--config", file.text()]);
    let words: Vec<&str> = ended.stdout.split_whitespace().collect();
    let shown = words.join(" ");
    for words in
        ["kafka: kafka://", "delivered 500", "ringwire.demo.quotes 0 500 4000 4499", "acknowledgement"]
    {
        assert!(shown.contains(words), "{words}: {ended:?}");
    }
    assert!(!shown.contains("received") && !shown.contains("subscriber"), "{ended:?}");
    ringwire(["demo", "--kafka", "127.0.0.1:9"]).failed("no connection to kafka://127.0.0.1:9 within 5 s: ");
}

#[test]
fn a_redis_and_a_kafka_have_an_outcome_each() {
    let (redis, kafka) = (journalling(), cluster(1));
    let file = Scratch::new(format!(
        "[endpoint.main]\nurl = '{}'\n[endpoint.log]\nurl = 'kafka://{}'\nlinger.ms = 0.5\n\
         [[route]]\nchannels = '*'\nto = ['main', 'log']\ntopic = 'ticks'\n",
        redis.url(),
        kafka.bootstrap()
    ));
    let ended = ringwire(["publish", "a b", "x", "--config", file.text(), "--json"]);
    let json = ended.json();
    assert_eq!((&json["accepted"], &json["delivered"]), (&2.into(), &2.into()), "{ended:?}");
    assert_eq!((&json["partitions"][0]["topic"], &json["receivers"]), (&"ticks".into(), &0.into()));
    for (index, (name, kind)) in [("main", "redis"), ("log", "kafka")].into_iter().enumerate() {
        let it = &json["endpoints"][index];
        assert_eq!(
            (&it["name"], &it["kind"], &it["delivered"]),
            (&name.into(), &kind.into(), &1.into()),
            "{ended:?}"
        );
        assert!(it["latency_ns"]["p99"].as_u64() > Some(0), "{ended:?}");
    }
    let ended = ringwire(["status", "--config", file.text()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = ended.stdout.lines().find(|line| line.starts_with("log ")).unwrap_or_default();
    assert!(line.contains(" kafka://127.0.0.1:") && line.contains(" connected ("), "{ended:?}");
    assert!(!ended.stdout.contains("disconnected"), "{ended:?}");
    let ended = ringwire(["status", "--config", file.text(), "--json"]);
    assert!(ended.object()["endpoints"][1]["subscribe"].is_null(), "{ended:?}");
}

#[test]
fn what_cannot_be_is_said() {
    let kafka = cluster(1);
    let brokers = kafka.bootstrap();
    let bad = ringwire(["publish", "a b", "x", "--kafka", &brokers]);
    bad.failed("`a b` cannot be a topic of the Kafka `kafka`");
    ringwire(["subscribe", "orders", "--kafka", &brokers]).failed("subscribing there is not built yet");
    ringwire(["publish", "c", "x", "--kafka", &brokers, "--set", "acks=2"])
        .turned_down("expected all, -1, 1 or 0");
    let ended = ringwire(["publish", "c", "x", "--kafka", "h:0"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--kafka: a port is a number from 1 to 65535"), "{ended:?}");
    let shown = ringwire(["config", "show", "--kafka", &brokers, "--set", "acks=1"]);
    assert!(shown.stdout.contains("# enable.idempotence is off because acks is 1"), "{shown:?}");
}

#[test]
fn topics_are_made_listed_and_described() {
    let kafka = cluster(1);
    let brokers = kafka.bootstrap();
    let none = ringwire(["topics", "quotes", "--kafka", &brokers]);
    none.failed("topic quotes: ");
    assert!(none.stderr.contains("UNKNOWN_TOPIC_OR_PARTITION (3)"), "{none:?}");
    let create = ["create-topic", "quotes", "--partitions", "3", "--kafka", &brokers];
    let made = ringwire(create);
    assert_eq!((made.code, made.stdout.as_str()), (Some(0), "created topic quotes\n"), "{made:?}");
    let again = ringwire(create);
    again.failed("TOPIC_ALREADY_EXISTS (36)");
    let listed = ringwire(["topics", "--kafka", &brokers, "--json"]);
    assert_eq!(listed.object()["topics"][0]["name"], "quotes", "{listed:?}");
    let described = ringwire(["topics", "quotes", "--kafka", &brokers]);
    let lines: Vec<Vec<&str>> =
        described.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 4, "{described:?}");
    assert_eq!(lines[0], ["TOPIC", "PARTITION", "LEADER", "REPLICAS", "ISR"]);
    assert_eq!(lines[3], ["quotes", "2", "1", "1", "1"], "{described:?}");
    ringwire(["topics", "--kafka", "127.0.0.1:9", "--timeout", "1"]).failed("127.0.0.1:9 does not answer");
    let redis = ringwire(["topics", "--redis", "redis://127.0.0.1:9"]);
    redis.turned_down("no endpoint is a Kafka");
}

#[test]
fn a_topic_that_does_not_exist_is_named() {
    let kafka = cluster(1);
    let brokers = kafka.bootstrap();
    let no_new_ones = "allow.auto.create.topics=false";
    let there = ["--kafka", &brokers, "--set", no_new_ones, "--timeout", "2"];
    ringwire(["replay", QUOTES, "--channel", "no.such"].iter().chain(&there))
        .failed("was not ready within 2 s: topic no.such is waited for: UNKNOWN_TOPIC_OR_PARTITION (3)");
}

#[test]
fn a_kafka_that_is_down_does_not_keep_a_redis_from_its_messages() {
    let redis = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let config = Scratch::new(format!(
        "[endpoint.main]\nurl = \"{}\"\n[endpoint.log]\nurl = \"kafka://127.0.0.1:1\"\n[[route]]\nchannels = \"*\"\nto = \
         [\"main\", \"log\"]\n",
        redis.url()
    ));
    let ended = ringwire([
        "replay",
        QUOTES,
        "--channel",
        "fx",
        "--config",
        config.text(),
        "--timeout",
        "1",
        "--json",
    ]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!((ended.count("delivered"), ended.count("not_sent")), (9_500, 9_500), "{ended:?}");
    let endpoints = &ended.json()["endpoints"];
    let of = |index: usize, key: &str| endpoints[index][key].as_u64();
    assert_eq!((of(0, "delivered"), of(0, "not_sent")), (Some(9_500), Some(0)), "{ended:?}");
    assert_eq!((of(1, "delivered"), of(1, "not_sent")), (Some(0), Some(9_500)), "{ended:?}");
    assert!(ended.stderr.contains("no connection to kafka://127.0.0.1:1 within 1 s"), "{ended:?}");
    assert!(ended.stderr.contains("the others do not wait for it"), "{ended:?}");
}

/// Where a controller cannot be reached at the address that it advertises, the broker that answers hands the request on.
#[test]
fn a_topic_is_made_though_the_controller_says_it_is_elsewhere() {
    let kafka = cluster(1);
    kafka.with(|cluster| cluster.advertise(1, "127.0.0.1", 1)).unwrap();
    let ended = ringwire(["create-topic", "made", "--kafka", &kafka.bootstrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = ringwire(["topics", "made", "--kafka", &kafka.bootstrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
