//! Hosts that are hostile, that come and go, that fork, and that have libraries of their own.

use std::process::Command;

use crate::build::{Build, Linking, prefix, run};

const BOTH: [Linking; 2] = [Linking::Shared, Linking::Static];
/// Calls that allocate nothing.
const CALLS: &str = "10000000";
/// Starts and ends in a row.
const STARTS: &str = "200";

fn front() -> ringwire_loopback::front::RedisFront {
    ringwire_loopback::front::spawn("127.0.0.1:0", Default::default()).expect("a loopback port is free")
}

#[test]
fn everything_wrong_has_a_code() {
    for linking in BOTH {
        run(&mut Command::new(Build { linking, ..Build::PLAIN }.program("tests/capi/programs/hostile.c")));
    }
    let flags = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    run(&mut Command::new(Build { flags, ..Build::PLAIN }.program("tests/capi/programs/hostile.c")));
}

#[test]
fn an_exception_has_its_own_words() {
    for compiler in ["g++", "clang++"] {
        run(&mut Command::new(Build { compiler, ..Build::PLAIN }.program("tests/capi/programs/errors.cpp")));
    }
}

#[test]
fn engines_leave_no_thread_and_no_descriptor() {
    let front = front();
    for linking in BOTH {
        let program = Build { linking, ..Build::PLAIN }.program("tests/capi/programs/lifecycle.c");
        run(Command::new(&program).args([STARTS, "thread", &front.url()]));
        // glommio where it runs, and the local bus.
        run(Command::new(&program).args(["20", "auto"]));
    }
}

#[test]
fn a_host_that_loads_it_can_let_it_go() {
    let program = Build { linking: Linking::Loaded, libraries: &["-ldl"], ..Build::PLAIN }
        .program("tests/capi/programs/plugin.c");
    run(Command::new(program).arg(prefix().join("lib/libringwire.so")));
}

#[test]
fn it_lives_beside_its_like() {
    let front = front();
    let libraries = &["-lrdkafka", "-lhiredis", "-lcrypto", "-lzstd"];
    for linking in BOTH {
        let program =
            Build { linking, libraries, ..Build::PLAIN }.program("tests/capi/programs/neighbours.c");
        run(Command::new(program).arg(front.url()));
    }
}

#[test]
fn a_record_goes_to_kafka_with_all_that_it_carries() {
    for linking in BOTH {
        let kafka =
            ringwire_loopback::front::spawn_kafka("127.0.0.1:0", Default::default()).expect("a port is free");
        let program = Build { linking, ..Build::PLAIN }.program("tests/capi/programs/kafka.c");
        assert!(run(Command::new(program).arg(kafka.bootstrap())).contains("3 records"));
        let log = kafka.with(|cluster| cluster.records("fx.c", 0, 0).expect("the log can be read"));
        let log = log.expect("the front runs");
        let record = &log[0];
        assert_eq!(
            (record.key.as_deref(), record.value.as_deref()),
            (Some(&b"EURUSD"[..]), Some(&b"1.12120"[..]))
        );
        assert_eq!(record.headers, [(b"trace".to_vec(), Some(b"1".to_vec())), (b"trace".to_vec(), None)]);
        assert_eq!((record.timestamp, log[1].value.as_deref()), (1_700_000_000_001, None));
    }
}

/// The publishing thread, between its marks.
#[test]
fn publishing_allocates_nothing_and_asks_the_system_nothing() {
    let program = Build { linking: Linking::Static, ..Build::PLAIN }.program("tests/capi/programs/steady.c");
    let log = program.with_extension("strace");
    run(Command::new("strace").arg("-f").arg("-o").arg(&log).arg(&program).arg(CALLS));
    let log = std::fs::read_to_string(&log).expect("strace wrote its log");
    let place = |words: &str| log.lines().position(|line| line.contains(words)).expect("the mark is there");
    let (begin, end) = (place("steady begins"), place("steady ends"));
    let thread = log.lines().nth(begin).and_then(|line| line.split(' ').next()).expect("a line has a thread");
    let calls: Vec<&str> =
        log.lines().skip(begin + 1).take(end - begin - 1).filter(|line| line.starts_with(thread)).collect();
    assert!(calls.is_empty(), "{calls:?}");
}
