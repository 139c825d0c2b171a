//! Hosts that are hostile, that come and go, that fork, and that have libraries of their own.

use std::process::Command;

use crate::build::{Build, Linking, prefix, run};

const BOTH: [Linking; 2] = [Linking::Shared, Linking::Static];
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
