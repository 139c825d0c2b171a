//! What is understood of command lines, and what is said of the others.

use super::values::CHANNEL_LEN_MAX;
use super::*;
use crate::columns::Column;
use crate::pace::{Rate, Speed};
use std::num::NonZeroU64;
use std::time::Duration;

fn parsed(line: &str) -> Result<Command, Unparsed> {
    parse(std::iter::once("ringwire").chain(line.split_whitespace()).map(OsString::from))
}

fn replay(options: &str) -> Replay {
    match parsed(&format!("replay f.csv {options}")) {
        Ok(Command::Replay(plan)) => plan,
        other => panic!("{options}: {other:?}"),
    }
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    definition().debug_assert();
}

#[test]
fn defaults() {
    let Ok(Command::Demo(demo)) = parsed("demo") else { panic!("no demo") };
    let expected = Demo {
        origin: Origin::default(),
        embedded_kafka: false,
        rate: Rate::new(20_000).unwrap(),
        messages: 200_000,
        file: None,
        json: false,
        progress: true,
    };
    assert_eq!(demo, expected);
    let expected = Replay {
        file: "f.csv".into(),
        target: Target::Channel("c".into()),
        origin: Origin::default(),
        pace: Pace::Max,
        has_header: true,
        timeout: Duration::from_secs(10),
        json: false,
        progress: true,
    };
    assert_eq!(replay("--channel c"), expected);
    let Ok(Command::Loopback(loopback)) = parsed("loopback") else { panic!("no loopback") };
    assert_eq!((loopback.redis.as_deref(), loopback.kafka), (Some("127.0.0.1:0"), None));
}

#[test]
fn a_kafka_without_a_name_is_the_demos_own() {
    let demo = |line: &str| match parsed(line) {
        Ok(Command::Demo(plan)) => (plan.embedded_kafka, plan.origin.kafka),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(demo("demo --kafka"), (true, None));
    assert_eq!(demo("demo --kafka --json"), (true, None));
    assert_eq!(demo("demo --kafka h:1,i:2"), (false, Some("h:1,i:2".into())));
    assert_eq!(demo("demo"), (false, None));
}

#[test]
fn paces() {
    let pace = |options: &str| replay(&format!("--channel c {options}")).pace;
    let recorded = |times, column| Pace::Recorded { speed: Speed::new(times).unwrap(), column };
    assert_eq!(pace("--speed max"), Pace::Max);
    assert_eq!(pace("--rate 7"), Pace::Rate(Rate::new(7).unwrap()));
    assert_eq!(pace("--speed real"), recorded(1.0, Column::Index(0)));
    assert_eq!(pace("--speed 0.5 --time-column 3"), recorded(0.5, Column::Index(2)));
    assert_eq!(pace("--speed 1e3 --time-column ts"), recorded(1_000.0, Column::Name("ts".into())));
    assert_eq!(pace("--speed real --time-column 2 --no-header"), recorded(1.0, Column::Index(1)));
}

#[test]
fn channels_of_a_replay() {
    let column = |column, prefix: &str| Target::Column { column, prefix: prefix.into() };
    assert_eq!(replay("--channel-column 2").target, column(Column::Index(1), ""));
    assert_eq!(
        replay("--channel-column symbol --channel-prefix fx.").target,
        column(Column::Name("symbol".into()), "fx.")
    );
}

#[test]
fn a_message_or_lines() {
    let source = |line: &str| match parsed(line) {
        Ok(Command::Publish(plan)) => plan.source,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(source("publish c -"), Source::Lines(ReadFrom::Stdin));
    assert_eq!(source("publish c hello"), Source::Message(b"hello".to_vec()));
    assert_eq!(source("publish c -1.5"), Source::Message(b"-1.5".to_vec()));
    assert_eq!(source("publish c --json -- --json"), Source::Message(b"--json".to_vec()));
}

#[test]
fn a_record_and_what_is_around_it() {
    let produce = |line: &str| match parsed(line) {
        Ok(Command::Publish(plan)) => (plan.source, plan.envelope.unwrap_or_default()),
        other => panic!("{line}: {other:?}"),
    };
    let (source, envelope) = produce("produce t r -k k -H a=b=c -H a= -H n -p 3");
    assert_eq!(source, Source::Message(b"r".to_vec()));
    let header = |name: &str, value: Option<&str>| (name.to_owned(), value.map(|it| it.as_bytes().to_vec()));
    let headers = vec![header("a", Some("b=c")), header("a", Some("")), header("n", None)];
    let expected = Envelope { key: Some(b"k".to_vec()), key_delimiter: None, headers, partition: Some(3) };
    assert_eq!(envelope, expected);
    let file = || ReadFrom::File("f".into());
    assert_eq!(produce("produce t -f f --key-delimiter ::").0, Source::Lines(file()));
    assert_eq!(produce("produce t -f f --whole").0, Source::Whole(file()));
    assert_eq!(produce("produce t -f -").0, Source::Lines(ReadFrom::Stdin));
    assert_eq!(produce("produce t - --key-delimiter :").0, Source::Lines(ReadFrom::Stdin));
    assert_eq!(produce("produce t --null -k k").0, Source::Null);
}

#[test]
fn a_name_with_glob_characters_is_a_pattern() {
    let Ok(Command::Subscribe(plan)) = parsed(r"subscribe fx.* log h[ae]llo a?b a\*b log --count 3") else {
        panic!("no subscribe")
    };
    let found: Vec<_> =
        plan.patterns.iter().map(|it| (str::from_utf8(&it.text).unwrap(), it.is_glob)).collect();
    assert_eq!(
        found,
        [("fx.*", true), ("log", false), ("h[ae]llo", true), ("a?b", true), (r"a\*b", true)],
        "none twice"
    );
    assert_eq!(plan.count, NonZeroU64::new(3));
}

#[test]
fn settings_come_from_a_url_or_a_file() {
    let origin = |line: &str| match parsed(line) {
        Ok(Command::Status(plan)) => plan.origin,
        Ok(Command::Config(plan)) => plan.origin,
        other => panic!("{line}: {other:?}"),
    };
    let file = |path: &str| Origin { file: Some(path.into()), ..Origin::default() };
    assert_eq!(origin("status"), Origin::default());
    assert_eq!(origin("status --config a.toml"), file("a.toml"));
    assert_eq!(origin("config check a.toml"), file("a.toml"));
    assert_eq!(origin("config show --config a.toml"), file("a.toml"));
    assert_eq!(origin("status --set a=b --set c=d=e").assignments, ["a=b", "c=d=e"]);
    assert!(origin("status --redis redis://h").redis.is_some());
}

#[test]
fn where_the_loopback_listens() {
    for (text, address) in [
        ("6390", "127.0.0.1:6390"),
        ("127.0.0.2:0", "127.0.0.2:0"),
        ("[::1]:7", "[::1]:7"),
        ("localhost:7", "localhost:7"),
    ] {
        let Ok(Command::Loopback(plan)) = parsed(&format!("loopback --redis {text}")) else {
            panic!("{text}")
        };
        assert_eq!(plan.redis.as_deref(), Some(address));
        let line = format!("loopback --kafka {text} --brokers 3 --partitions 4");
        let Ok(Command::Loopback(plan)) = parsed(&line) else { panic!("{text}") };
        let kafka = KafkaPlan { address: address.to_owned(), brokers: 3, partitions: 4 };
        assert_eq!((plan.redis, plan.kafka), (None, Some(kafka)));
    }
    let Ok(Command::Loopback(both)) = parsed("loopback --kafka 0 --redis 0") else { panic!("both") };
    assert!(both.redis.is_some() && both.kafka.is_some());
}

#[test]
fn what_cannot_be_is_named() {
    let long = format!("replay f --channel {}", "x".repeat(CHANNEL_LEN_MAX + 1));
    for (line, words) in [
        ("", "a command is needed"),
        ("dance", "unrecognized subcommand"),
        ("demo --rate 0", "--rate 0: expected 1 to 10000000"),
        ("demo --rate -1", "invalid value '-1' for '--rate"),
        ("demo --rate x", "--rate"),
        ("demo --seconds 0", "--seconds 0: expected 1 to 3600"),
        ("demo --seconds 3601", "--seconds"),
        ("demo --rate 1000000 --seconds 101", "at most 100000000"),
        ("demo --redis http://x", "--redis: expected redis://"),
        ("demo --redis rediss://x", "--redis: rediss:// (TLS)"),
        ("demo --redis redis://:hunter2@h:x", "--redis: the port is a number"),
        ("demo extra", "extra"),
        ("demo --kafka h:0", "--kafka: a port is a number"),
        ("demo --kafka --redis redis://h", "cannot be used with"),
        ("replay f --channel c --kafka", "--kafka"),
        ("replay f", "--channel"),
        ("replay --channel c", "FILE.csv"),
        ("replay f --channel=", "--channel has 0 bytes"),
        (&long, "--channel has 1025 bytes"),
        ("replay f --channel c --speed fast", "--speed fast: expected `real`"),
        ("replay f --channel c --speed 0", "--speed 0"),
        ("replay f --channel c --speed -1", "--speed -1"),
        ("replay f --channel c --speed nan", "--speed nan"),
        ("replay f --channel c --speed 2 --rate 3", "cannot be used with"),
        ("replay f --channel c --rate 0", "--rate 0"),
        ("replay f --channel c --time-column x", "of use only with"),
        ("replay f --channel c --rate 1 --time-column x", "of use only with"),
        ("replay f --channel c --speed real --time-column 0", "counted from 1"),
        ("replay f --channel c --speed real --time-column x --no-header", "there are no names"),
        ("replay f --channel c --timeout 0", "--timeout 0"),
        ("replay f --channel c --timeout nan", "--timeout NaN"),
        ("replay f --channel c --timeout 1e99", "at most a week"),
        ("replay f --channel c --channel-column 2", "cannot be used with"),
        ("replay f --channel c --channel-prefix x", "cannot be used with"),
        ("replay f --channel-prefix x", "--channel"),
        ("replay f --channel-column 0", "--channel-column 0: columns are counted from 1"),
        ("replay f --channel-column x --no-header", "there are no names"),
        ("publish", "CHANNEL"),
        ("publish c m extra", "extra"),
        ("publish c --mistyped", "--mistyped"),
        ("publish c m --timeout -1", "--timeout -1"),
        ("produce", "TOPIC"),
        ("produce t r -f f", "cannot be used with"),
        ("produce t r --null", "cannot be used with"),
        ("produce t -k a --key-delimiter :", "cannot be used with"),
        ("produce t --whole --key-delimiter :", "cannot be used with"),
        ("produce t r --key-delimiter=", "--key-delimiter is empty"),
        ("produce t r -H =x", "-H: expected NAME=VALUE"),
        ("produce t r -p 2147483648", "--partition"),
        ("subscribe", "PATTERN"),
        ("subscribe a --count 0", "--count 0: expected 1 or more"),
        ("subscribe a --count -1", "--count"),
        ("status --config a --redis redis://h", "cannot be used with"),
        ("status --set hunter2", "--set: expected PATH=VALUE"),
        ("status --timeout 0", "--timeout 0"),
        ("config", "a command is needed"),
        ("config check a --config b", "cannot be used with"),
        ("config show a --redis redis://h", "cannot be used with"),
        ("loopback --redis 65536", "--redis 65536: expected a port"),
        ("loopback --redis x:", "expected a port"),
        ("loopback --redis :1", "HOST:PORT"),
        ("loopback --kafka x", "--kafka x: expected a port"),
        ("loopback --kafka 0 --brokers 0", "--brokers"),
        ("loopback --brokers 2", "--kafka"),
        ("completions tcsh", "tcsh"),
        ("man extra", "extra"),
    ] {
        match parsed(line) {
            Err(Unparsed::Usage(text)) => {
                assert!(text.contains(words) && !text.contains("hunter2"), "{line}: {text}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    for line in ["--help", "--version", "demo --help", "replay -h", "help", "help config check"] {
        assert!(matches!(parsed(line), Err(Unparsed::Asked(_))), "{line}");
    }
}

#[test]
fn every_command_has_examples() {
    fn check(command: &clap::Command) {
        let name = command.get_name();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty(), "{name} says what it does");
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let count =
            examples.lines().filter(|line| line.starts_with("  ") && line.contains("ringwire ")).count();
        assert!(count >= 2, "{name} has two examples: {examples}");
        // The rig's own parts stand among the examples of `bench`.
        if name != "bench" {
            command.get_subcommands().for_each(check);
        }
    }
    check(&definition());
}

#[test]
fn the_longest_channel_is_the_librarys() {
    let engine = ringwire::Engine::start(ringwire::Config::new()).unwrap();
    assert!(engine.channel(vec![b'x'; CHANNEL_LEN_MAX]).is_ok());
    assert!(engine.channel(vec![b'x'; CHANNEL_LEN_MAX + 1]).is_err());
}
