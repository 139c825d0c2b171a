//! The examples, by both compilers, in both languages, linked both ways, against the embedded Redis and a real one.

use std::process::Command;

use crate::build::{Build, Linking, Running, root, run};
use crate::server::Server;

/// Enough for every ring to be lapped.
const MESSAGES: u32 = 30_000;
const RATE: u32 = 20_000;

/// The three programs, by one build.
struct Programs {
    publisher: std::path::PathBuf,
    subscriber: std::path::PathBuf,
    embedded: std::path::PathBuf,
}

impl Programs {
    fn build(build: &Build<'_>) -> Self {
        let is_cpp = build.compiler.ends_with("++");
        let program = |name: &str| {
            let source =
                if is_cpp { format!("examples/cpp/{name}.cpp") } else { format!("examples/c/{name}.c") };
            build.program(&source)
        };
        Self {
            publisher: program("tick_publisher"),
            subscriber: program("subscriber"),
            embedded: program("embedded_shard"),
        }
    }

    /// Publishes to a subscriber that polls or waits, then runs the embedded shard; `before` goes before each program.
    fn run(&self, before: &[String], url: &str, way: &str, messages: u32, rate: u32) {
        let command = |program: &std::path::Path| match before {
            [] => Command::new(program),
            [tool, arguments @ ..] => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(program);
                command
            }
        };
        let count = messages.to_string();
        let mut subscriber = command(&self.subscriber);
        subscriber.args([url, "fx.*", &count, way]);
        let mut subscriber = Running::start(subscriber);
        subscriber.wait_for("subscribed");
        let mut publisher = command(&self.publisher);
        publisher.arg(url).arg(root().join("bench/data/eurusd-quotes.csv")).args([&count, &rate.to_string()]);
        let said = run(&mut publisher);
        assert!(said.contains(&all_delivered(messages)), "{said}");
        let said = subscriber.finish();
        assert!(said.contains(&format!("received {count} messages")) && said.contains(" 0 gaps"), "{said}");
        let said = run(command(&self.embedded).args([url, &count]));
        assert!(said.contains(&format!("delivered {count}, received {count}")), "{said}");
    }
}

pub(crate) fn all_delivered(messages: u32) -> String {
    format!("delivered {messages}, not sent 0, unknown 0")
}

#[test]
fn ticks_go_to_a_kafka_too() {
    let kafka =
        ringwire_loopback::front::spawn_kafka("127.0.0.1:0", Default::default()).expect("a port is free");
    for (compiler, linking) in [("gcc", Linking::Static), ("g++", Linking::Shared)] {
        let programs = Programs::build(&Build { compiler, linking, flags: &[], libraries: &[] });
        let mut publisher = Command::new(&programs.publisher);
        publisher.arg(kafka.bootstrap()).arg(root().join("bench/data/eurusd-quotes.csv"));
        let said = run(publisher.args([&MESSAGES.to_string(), "0"]));
        assert!(said.contains(&all_delivered(MESSAGES)), "{said}");
    }
}

fn loopback() -> ringwire_loopback::front::RedisFront {
    ringwire_loopback::front::spawn("127.0.0.1:0", Default::default()).expect("a loopback port is free")
}

#[test]
fn they_run_however_they_are_built() {
    let front = loopback();
    for compiler in ["gcc", "clang", "g++", "clang++"] {
        for (linking, way) in [(Linking::Shared, "poll"), (Linking::Static, "epoll")] {
            let programs = Programs::build(&Build { compiler, linking, flags: &[], libraries: &[] });
            programs.run(&[], &front.url(), way, MESSAGES, 0);
        }
    }
}

#[test]
fn they_run_against_a_real_redis() {
    let server = Server::start();
    for compiler in ["gcc", "g++"] {
        let programs = Programs::build(&Build { compiler, ..Build::PLAIN });
        for way in ["poll", "epoll"] {
            programs.run(&[], &server.url(), way, MESSAGES, RATE);
        }
    }
}

#[test]
fn the_address_sanitizer_finds_nothing() {
    let front = loopback();
    let flags = &SANITIZE;
    for (compiler, linking) in [("gcc", Linking::Shared), ("g++", Linking::Static)] {
        let programs = Programs::build(&Build { compiler, linking, flags, libraries: &[] });
        programs.run(&[], &front.url(), "epoll", MESSAGES, RATE);
    }
}

/// Goes before a program, so that Valgrind looks for errors and leaks. One thread runs at a time under it: a shard that
/// spins would starve the others without turns.
pub(crate) fn valgrind() -> [String; 8] {
    let known = format!("--suppressions={}", root().join("tests/capi/valgrind.supp").display());
    [
        "valgrind",
        &known,
        "--quiet",
        "--fair-sched=yes",
        "--error-exitcode=9",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
        "--errors-for-leak-kinds=definite,indirect,possible",
    ]
    .map(str::to_owned)
}

/// Goes to the compiler, so that the program looks for errors itself.
pub(crate) const SANITIZE: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

#[test]
fn valgrind_finds_no_error_and_no_leak() {
    let front = loopback();
    for compiler in ["gcc", "g++"] {
        let programs = Programs::build(&Build { compiler, ..Build::PLAIN });
        programs.run(&valgrind(), &front.url(), "epoll", 2_000, 1_000);
    }
}
