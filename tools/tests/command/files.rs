//! Files that are not as they should be.

use std::process::{Command, Stdio};

use crate::process::{Running, Scratch, executed, journalling, longest, replay, ringwire};

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let server = journalling();
    replay("/nowhere/x.csv", &server, &[]).failed("/nowhere/x.csv: No such file or directory");
    let ended = replay("/", &server, &[]);
    ended.failed("/: line 1 cannot be read: Is a directory");
    assert_eq!((ended.count("lines"), ended.count("accepted")), (0, 0));
}

#[test]
fn an_empty_file_is_no_error_and_is_said() {
    let server = journalling();
    let file = Scratch::new("");
    for options in [&[][..], &["--speed", "real", "--time-column", "ts"], &["--no-header", "--rate", "5"]] {
        let ended = replay(file.text(), &server, options);
        assert_eq!((ended.code, ended.count("lines")), (Some(0), 0), "{ended:?}");
        assert!(ended.json()["latency_ns"]["p50"].is_null());
    }
    assert!(replay(file.text(), &server, &[]).stderr.contains("is empty: there is nothing to send"));
}

#[test]
fn a_header_that_looks_like_data_is_warned_of() {
    let server = journalling();
    let file = Scratch::new("1577916000065000000,EURUSD\n1577916010447000000,EURUSD\n");
    let ended = replay(file.text(), &server, &[]);
    assert_eq!((ended.code, ended.count("delivered")), (Some(0), 1), "{ended:?}");
    assert!(ended.stderr.contains("the first line looks like data") && ended.stderr.contains("--no-header"));
    let ended = replay(file.text(), &server, &["--no-header"]);
    assert_eq!((ended.count("delivered"), ended.stderr.as_str()), (2, ""));
}

/// A line of 5 GiB, in a process that may have 4 GB of addresses.
#[test]
fn a_line_that_does_not_fit_memory_is_named() {
    let server = journalling();
    let file = Scratch::new("h\nfirst\n");
    std::fs::OpenOptions::new().write(true).open(file.path()).unwrap().set_len(5 << 30).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ringwire")]);
    command.args(["replay", file.text(), "--channel", "c", "--redis", &server.url(), "--json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = Running::start(command).end();
    ended.failed(&format!("line 3 is longer than {} bytes", longest()));
    assert_eq!(ended.count("delivered"), 1);
    assert_eq!(executed(&server), [b"first"]);
}

/// A header, and the demo's lines, without an end.
#[test]
fn no_line_is_read_beyond_its_limit() {
    let server = journalling();
    let file = Scratch::new("h");
    std::fs::OpenOptions::new().write(true).open(file.path()).unwrap().set_len(1 << 30).unwrap();
    replay(file.text(), &server, &[]).failed("line 1 is longer than 1048576 bytes");
    ringwire(["demo", "--file", file.text()]).failed("line 1 is longer than 65536 bytes");
    let file = Scratch::new("h\n");
    std::fs::OpenOptions::new().write(true).open(file.path()).unwrap().set_len(1 << 30).unwrap();
    let options = ["replay", file.text(), "--channel-column", "1", "--redis", &server.url(), "--json"];
    ringwire(options).failed("line 2 is longer than 1048576 bytes");
    assert!(executed(&server).is_empty());
}
