//! Help, usage errors and closed pipes.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::process::{QUOTES, Running, command, ringwire};

#[test]
fn help_and_version_are_for_standard_output() {
    let ended = ringwire(["--version"]);
    assert_eq!((ended.code, ended.stdout.trim()), (Some(0), concat!("ringwire ", env!("CARGO_PKG_VERSION"))));
    for (arguments, words) in [
        (&["--help"][..], "Examples:"),
        (&["-h"], "demo"),
        (&["demo", "--help"], "duty cycle"),
        (&["replay", "--help"], "Nothing is ever sent twice"),
        (&["help", "replay"], "--time-column"),
        (&["publish", "--help"], "was accepted is flushed"),
        (&["subscribe", "--help"], "payload_base64"),
        (&["status", "--help"], "since_ms"),
        (&["config", "show", "--help"], "passwords are masked"),
        (&["loopback", "--help"], "bootstrap servers"),
    ] {
        let ended = ringwire(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ended.stdout.contains(words), "{ended:?}");
    }
}

#[test]
fn what_cannot_be_understood_ends_with_2() {
    for (arguments, words) in [
        (&[][..], "a command is needed"),
        (&["dance"], "unrecognized subcommand 'dance'"),
        (&["demo", "--rate", "0"], "--rate 0: expected 1 to"),
        (&["demo", "--redis", "redis://:hunter2@h:x"], "--redis: the port is a number"),
        (&["publish"], "CHANNEL"),
        (&["subscribe"], "PATTERN"),
        (&["subscribe", "c", "--count", "0"], "--count 0"),
        (&["status", "--redis", "redis://h", "--config", "x.toml"], "cannot be used with"),
        (&["loopback", "--redis", "x"], "--redis x: expected a port"),
        (&["completions", "tcsh"], "tcsh"),
        (&["replay"], "--channel"),
        (&["replay", "x.csv", "--channel", "c", "--speed", "fast"], "--speed fast: expected"),
        (&["replay", "x.csv", "--channel", "c", "--speed", "2", "--rate", "3"], "cannot be used with"),
    ] {
        let ended = ringwire(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.starts_with("ringwire: ") && ended.stderr.contains(words), "{ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for arguments in [
        &["--help"][..],
        &["demo", "--seconds", "1", "--rate", "100"],
        &["config", "reference"],
        &["config", "show"],
        &["completions", "bash"],
        &["man"],
        &["replay", QUOTES, "--channel", "c", "--json"],
    ] {
        let mut command = command(arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer);
        let ended = Running::start(command).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("standard output"), "{ended:?}");
    }
}

#[test]
fn nobody_has_to_hear_the_errors() {
    let mut command = command(["demo", "--file", "/nowhere"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stderr(writer).stdout(Stdio::null());
    assert_eq!(Running::start(command).end().code, Some(1));
}

#[test]
fn a_full_disk_is_an_error() {
    let mut command = command(["--version"]);
    command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let ended = Running::start(command).end();
    ended.failed("cannot write to standard output: No space left on device");
}

#[test]
fn without_an_endpoint_it_says_how_to_name_one() {
    for arguments in [&["publish", "c", "m"][..], &["subscribe", "c"], &["status"]] {
        ringwire(arguments)
            .turned_down("there is no endpoint: name a Redis with --redis URL, a Kafka with --kafka HOST:PORT, or configure one");
    }
}
