//! Servers that are not there, go away, come back or say no.

use std::time::Duration;

use crate::process::{
    NOBODY, PATIENCE, QUOTES, Running, Scratch, command, journalling, replay, ringwire, until,
};
use ringwire::{Config, Engine, Event, Subscriber};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;

#[test]
fn a_redis_that_is_not_there_is_told_in_words() {
    let ended = ringwire(["replay", QUOTES, "--channel", "c", "--redis", NOBODY, "--timeout", "2", "--json"]);
    ended.failed("no connection to redis://127.0.0.1:9 within 2 s: cannot connect: ");
    assert_eq!(ended.count("accepted"), 0);
}

#[test]
fn a_wrong_password_is_told_in_words_and_not_shown() {
    let server =
        front::spawn("127.0.0.1:0", Options { password: Some("right".into()), ..Options::default() });
    let url = format!("redis://:hunter2@{}", server.as_ref().unwrap().addr().unwrap());
    let ended = ringwire(["replay", QUOTES, "--channel", "c", "--redis", &url, "--timeout", "3"]);
    ended.failed("authentication failed");
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{ended:?}");
}

#[test]
fn a_server_that_says_no_is_quoted() {
    let server = journalling();
    server.with(|server| server.inject_error("publish", Some("OOM command"))).unwrap();
    let file = Scratch::new("h\na\nb\n");
    let ended = replay(file.text(), &server, &[]);
    ended.failed("2 of 2 lines were not delivered: 2 not sent, 0 unknown: the server answered `OOM command`");
    assert_eq!(ended.count("not_sent"), 2);
}

/// A replay of all quotes at 5,000 a second, of which a subscriber here has seen some hundred.
fn under_way(server: &RedisFront, timeout: &str) -> Running {
    let engine = Engine::start(Config::new().redis("main", &server.url()).unwrap()).unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("c").unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let arguments =
        ["replay", QUOTES, "--channel", "c", "--redis", &server.url(), "--rate", "5000", "--json"];
    let running = Running::start(command(arguments.iter().chain(&["--timeout", timeout])));
    let mut received = 0;
    until("some messages", || {
        received += poll(&mut subscriber);
        received > 300
    });
    running
}

fn poll(subscriber: &mut Subscriber) -> usize {
    let mut messages = 0;
    subscriber.wait(Duration::from_millis(10));
    subscriber.poll(100, |delivery| messages += usize::from(matches!(delivery.event, Event::Message { .. })));
    messages
}

#[test]
fn it_goes_on_when_the_server_is_back() {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let address = server.addr().unwrap().to_string();
    let running = under_way(&server, "60");
    server.stop();
    let server = front::spawn(&address, Options { journal: true, ..Options::default() }).unwrap();
    let ended = running.end();
    let lines = ended.count("lines");
    assert_eq!((lines, ended.count("accepted")), (9_500, 9_500), "{ended:?}");
    assert_eq!(ended.code, Some(i32::from(ended.count("delivered") < lines)), "{ended:?}");
    let executed = crate::process::executed(&server);
    assert!(!executed.is_empty(), "the new server got the rest: {ended:?}");
    assert!(ended.count("delivered") >= executed.len() as u64, "{ended:?}");
    let text = std::fs::read_to_string(QUOTES).unwrap();
    let rest = text.lines().skip(1 + 9_500 - executed.len());
    assert!(executed.iter().map(Vec::as_slice).eq(rest.map(str::as_bytes)), "in order, none twice");
}

#[test]
fn a_server_that_stays_away_ends_it_with_true_counts() {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let running = under_way(&server, "3");
    server.stop();
    let ended = running.end();
    ended.failed("nothing was accepted and no outcome came for 3 s, since the server was not connected: ");
    assert!(ended.stderr.contains("stopped at line "), "{ended:?}");
    let (lines, delivered) = (ended.count("lines"), ended.count("delivered"));
    assert!(lines < 9_500 && delivered >= 300, "{ended:?}");
    assert_eq!(ended.count("accepted") + 1, lines, "the last line was refused: {ended:?}");
}
