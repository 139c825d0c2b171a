//! The publisher of the examples against real brokers, in both languages, linked both ways, and under both
//! checkers.

use std::process::Command;

use crate::brokers::line::{Line, lines};
use crate::brokers::server::{Kafka, KafkaOptions};
use crate::build::{Build, Linking, root, run};
use crate::examples::{SANITIZE, all_delivered, valgrind};

/// Where the example publishes.
const TOPIC: &str = "fx.eurusd";
/// What it publishes, a line at a time, again and again.
const QUOTES: &str = "bench/data/eurusd-quotes.csv";
/// The file three times, and more.
const MESSAGES: usize = 30_000;
/// What Valgrind does in some seconds.
const MESSAGES_OF_VALGRIND: usize = 2_000;

/// A broker, its judge, and what was published to it so far.
struct Broker {
    kafka: Kafka,
    quotes: Vec<String>,
    published: usize,
}

impl Broker {
    fn start(line: Line) -> Self {
        // One partition: then the order of the log is that of the publisher.
        let properties = [("num.partitions", "1"), ("offsets.topic.num.partitions", "1")];
        let kafka = Kafka::start(line, &KafkaOptions { brokers: 1, properties: &properties });
        let file = std::fs::read_to_string(root().join(QUOTES)).expect("the quotes can be read");
        Self { kafka, quotes: file.lines().map(str::to_owned).collect(), published: 0 }
    }

    /// Publishes by a program, with `before` before it.
    fn publish(&mut self, before: &[String], build: &Build<'_>, messages: usize) {
        let is_cpp = build.compiler.ends_with("++");
        let source = if is_cpp { "examples/cpp/tick_publisher.cpp" } else { "examples/c/tick_publisher.c" };
        let program = build.program(source);
        let mut command = match before {
            [] => Command::new(&program),
            [checker, arguments @ ..] => {
                let mut command = Command::new(checker);
                command.args(arguments).arg(&program);
                command
            }
        };
        command.arg(format!("kafka://{}", self.kafka.addr(1))).arg(root().join(QUOTES));
        let said = run(command.args([&messages.to_string(), "0"]));
        assert!(said.contains(&all_delivered(messages as u32)), "{said}");
        self.published += messages;
    }

    /// What was published by this program is what is in the log behind all else, in order.
    fn check(&self, from: usize) {
        let found = self.kafka.judge().read(TOPIC);
        assert_eq!(found.len(), self.published);
        for (at, stored) in found.iter().skip(from).enumerate() {
            let expected = self.quotes[at % self.quotes.len()].as_bytes();
            assert_eq!((stored.partition, stored.record.value.as_deref()), (0, Some(expected)), "{at}");
        }
    }
}

#[test]
fn ticks_go_to_real_brokers_however_the_publisher_is_built() {
    for line in lines() {
        let mut broker = Broker::start(line);
        for compiler in ["gcc", "clang", "g++", "clang++"] {
            for linking in [Linking::Shared, Linking::Static] {
                let from = broker.published;
                broker.publish(&[], &Build { compiler, linking, ..Build::PLAIN }, MESSAGES);
                broker.check(from);
            }
        }
    }
}

#[test]
fn the_address_sanitizer_finds_nothing_with_a_real_broker() {
    let mut broker = Broker::start(newest());
    for (compiler, linking) in [("gcc", Linking::Static), ("g++", Linking::Shared)] {
        let from = broker.published;
        broker.publish(&[], &Build { compiler, linking, flags: &SANITIZE, libraries: &[] }, MESSAGES);
        broker.check(from);
    }
}

#[test]
fn valgrind_finds_nothing_with_a_real_broker() {
    let mut broker = Broker::start(newest());
    for compiler in ["gcc", "g++"] {
        let from = broker.published;
        broker.publish(&valgrind(), &Build { compiler, ..Build::PLAIN }, MESSAGES_OF_VALGRIND);
        broker.check(from);
    }
}

fn newest() -> Line {
    lines().pop().expect("there is a version to test with")
}
