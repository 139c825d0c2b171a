//! What a whole process does: its system calls, its allocations, its memory. `ringwire-probe` is that process.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::client::Client;
use crate::hosts::HOSTS;
use crate::patience::until;
use crate::server::Server;

/// What a process with one shard, one publisher with reports and one subscriber may hold, in KiB.
const RESIDENT_MAX_KIB: u64 = 16 << 10;

/// What a process with a hundred endpoints on two shards may hold, 400 connections in all.
const MANY_MAX_KIB: u64 = 256 << 10;

/// The host's reactor passes, and what glommio allocates for one and for the guard's timer beside it.
const PASS_MS: u64 = 10;
const ALLOCATIONS_PER_PASS: u64 = 16;

/// Runs a command, which has to end well, and answers its lines of `name value`.
fn run(command: &mut Command) -> HashMap<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn probe() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ringwire-probe"))
}

/// The system calls of the publishing thread between its two marks.
fn calls_while_publishing(idle: &str) -> Vec<String> {
    let server = Server::start();
    let file = std::env::temp_dir().join(format!("ringwire-trace-{}-{idle}", std::process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&file);
    strace.arg(env!("CARGO_BIN_EXE_ringwire-probe")).args(["quiet", &server.url(), idle]);
    run(&mut strace);
    let calls = between_marks(&file);
    let _ = fs::remove_file(&file);
    calls
}

/// `-f -o` writes a line for each call: the thread's number, then the call. One that another thread's line interrupts
/// has two: `<unfinished ...>` and `<... resumed>`.
fn between_marks(file: &Path) -> Vec<String> {
    let trace = fs::read_to_string(file).expect("strace has written its file");
    let lines: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    let begin = lines.iter().position(|(_, call)| call.contains("/ringwire-probe/begin"));
    let begin = begin.expect("the first mark is in the trace");
    let thread = lines[begin].0;
    let mine = lines[begin + 1..].iter().filter(|(number, _)| *number == thread);
    let mut calls: Vec<String> = mine.map(|(_, call)| call.trim().to_owned()).collect();
    let end = calls.iter().position(|call| call.contains("/ringwire-probe/end"));
    calls.truncate(end.expect("the second mark is in the trace"));
    // The end of the mark's own call, if another thread's line came between.
    calls.retain(|call| !(call.starts_with("<... access") || call.starts_with("<... faccessat")));
    calls
}

#[test]
fn publishing_to_a_shard_that_is_awake_makes_no_system_call() {
    assert_eq!(calls_while_publishing("busy-spin"), [""; 0]);
}

#[test]
fn a_shard_that_sleeps_is_rung_by_one_write() {
    let calls = calls_while_publishing("park");
    assert!(!calls.is_empty(), "without them the trace proves nothing");
    assert!(
        calls.iter().all(|call| call.starts_with("write(") || call.starts_with("<... write")),
        "{calls:?}"
    );
}

#[test]
fn nothing_is_allocated_in_the_steady_state() {
    let server = Server::start();
    for (host, idle) in [("thread", "spin-then-park"), ("thread", "busy-spin"), ("glommio", "spin-then-park")]
    {
        let lines = run(probe().args(["allocations", &server.url(), host, idle]));
        let number = |name: &str| lines[name].parse::<u64>().expect("it is a number");
        println!("{host}, {idle}: {lines:?}");
        assert!(number("before") > 0, "the counter counts");
        // glommio makes its timers anew in each pass of its reactor: by time, and not by message.
        let passes = number("steady_ms") / PASS_MS + 1;
        let allowed = if host == "glommio" { passes * ALLOCATIONS_PER_PASS } else { 0 };
        assert!(number("steady") <= allowed, "{host}, {idle}: {allowed} allowed, {lines:?}");
    }
}

#[test]
fn memory_stays_small() {
    let server = Server::start();
    let lines = run(probe().args(["memory", &server.url()]));
    println!("{lines:?}");
    let resident: u64 = lines["resident_kib"].parse().expect("it is a number");
    assert!(resident <= RESIDENT_MAX_KIB, "{resident} KiB are resident: {lines:?}");
}

#[test]
fn a_hundred_endpoints_ten_thousand_channels_and_a_thousand_subscriptions() {
    let servers = [Server::start(), Server::start(), Server::start()];
    let urls = servers.each_ref().map(Server::url);
    for host in HOSTS {
        let lines = run(probe().args(["many", &host.to_string()]).args(&urls));
        println!("{host}: {lines:?}");
        let number = |name: &str| lines[name].parse::<u64>().expect("it is a number");
        assert_eq!(number("subscriptions"), 1_000);
        // Three on each channel; nine channels of each hundred are heard twice, by their names and by a pattern.
        assert_eq!((number("delivered"), number("received")), (30_000, 32_700));
        assert_eq!(number("flushed"), 1);
        assert!(number("peak_kib") <= MANY_MAX_KIB, "{lines:?}");
        for server in &servers {
            let mut admin = Client::connect(server);
            until("all connections to be closed", || {
                !admin.ask(&["CLIENT", "LIST"]).contains(" name=ringwire ")
            });
        }
    }
}
