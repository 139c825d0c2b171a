//! `ringwire subscribe`.

use std::process::Stdio;

use crate::process::{Ended, NOBODY, Running, Scratch, command, ringwire, until};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;
use rustix::process::Signal;
use serde_json::{Value, json};

fn server() -> RedisFront {
    front::spawn("127.0.0.1:0", Options::default()).unwrap()
}

/// A subscriber whose subscriptions are in force.
fn subscribed(server: &RedisFront, arguments: &[&str]) -> Running {
    let url = server.url();
    let running = Running::start(command(["subscribe", "--redis", &url].iter().chain(arguments)));
    until("the subscription", || running.stderr().contains("ringwire: subscribed to "));
    running
}

fn publish(server: &RedisFront, channel: &str, payload: &str) {
    let ended = ringwire(["publish", channel, payload, "--redis", &server.url()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn lines(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn messages_come_one_a_line_as_they_are_published() {
    let server = server();
    let running = subscribed(&server, &["fx.*", "log"]);
    publish(&server, "fx.eurusd", "1.12120,1.12172");
    // It is there while the command runs on.
    until("the first line", || running.stdout() == "fx.eurusd 1.12120,1.12172\n");
    publish(&server, "log", "two\nlines");
    publish(&server, "other", "nobody");
    publish(&server, "log", "");
    until("three lines", || running.stdout().lines().count() == 3);
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "fx.eurusd 1.12120,1.12172\nlog two\\nlines\nlog \n");
    assert!(ended.stderr.contains("subscribed to fx.*, log at redis://127.0.0.1:"), "{ended:?}");
    assert!(ended.stderr.ends_with("ringwire: 3 messages received, 0 gaps\n"), "{ended:?}");
}

#[test]
fn json_loses_nothing() {
    let server = server();
    let running = subscribed(&server, &["c", "f?", "--json", "--count", "3"]);
    publish(&server, "c", "a\tb");
    publish(&server, "fx", "ü");
    let file = Scratch::new(b"\xff\x00\n");
    let arguments = ["replay", file.text(), "--no-header", "--channel", "c", "--redis", &server.url()];
    assert_eq!(ringwire(arguments).code, Some(0));
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut found = lines(&ended);
    let times: Vec<u64> = found.iter_mut().map(|line| line["received_ns"].take().as_u64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 1_500_000_000_000_000_000, "nanoseconds since 1970: {times:?}");
    assert_eq!(
        found,
        [
            json!({"channel": "c", "payload": "a\tb", "received_ns": null}),
            json!({"channel": "fx", "pattern": "f?", "payload": "ü", "received_ns": null}),
            json!({"channel": "c", "payload_base64": "/wA=", "received_ns": null}),
        ]
    );
}

#[test]
fn a_count_ends_it_with_no_message_more() {
    let server = server();
    let running = subscribed(&server, &["c", "--count", "1000"]);
    let numbers: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let file = Scratch::new(numbers.join("\n"));
    let arguments = ["replay", file.text(), "--no-header", "--channel", "c", "--redis", &server.url()];
    assert_eq!(ringwire(arguments).code, Some(0));
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let expected: Vec<String> = numbers.iter().take(1_000).map(|number| format!("c {number}")).collect();
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_gap_is_told_before_the_next_message() {
    let server = server();
    let address = server.addr().unwrap().to_string();
    let running = subscribed(&server, &["c", "--json"]);
    publish(&server, "c", "before");
    until("the first line", || running.stdout().lines().count() == 1);
    server.stop();
    let server = front::spawn(&address, Options::default()).unwrap();
    until("the gap", || {
        publish(&server, "c", "after");
        running.stdout().lines().count() > 2
    });
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let found = lines(&ended);
    assert_eq!(found[0]["payload"], "before");
    let gap = &found[1]["gap"];
    assert_eq!(
        (&gap["reason"], &gap["lost"], &gap["pattern"]),
        (&json!("reconnected"), &json!(0), &json!("c"))
    );
    assert_eq!(found[2]["payload"], "after");
    assert!(ended.stderr.contains("gap in c: messages may be missing here (reconnected)"), "{ended:?}");
    assert!(ended.stderr.contains(", 1 gap\n"), "{ended:?}");
}

#[test]
fn a_reader_that_has_gone_ends_it_even_when_nothing_comes() {
    let server = server();
    let (reader, writer) = std::io::pipe().unwrap();
    let url = server.url();
    let mut command = command(["subscribe", "c", "--redis", &url]);
    command.stdout(writer);
    let running = Running::start(command);
    until("the subscription", || running.stderr().contains("ringwire: subscribed to "));
    drop(reader);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.ends_with("0 messages received, 0 gaps\n"), "{ended:?}");
}

/// The reader stands still: the pipe and the ring fill, and a signal still ends it.
#[test]
fn a_reader_that_stands_still_does_not_hold_the_end_up() {
    let server = server();
    let (_reader, writer) = std::io::pipe().unwrap();
    let url = server.url();
    let mut command = command(["subscribe", "c", "--redis", &url]);
    command.stdout(writer).stderr(Stdio::piped());
    let running = Running::start(command);
    until("the subscription", || running.stderr().contains("ringwire: subscribed to "));
    let file = Scratch::new(format!("{}\n", "x".repeat(100_000)).repeat(20));
    let arguments = ["replay", file.text(), "--no-header", "--channel", "c", "--redis", &server.url()];
    assert_eq!(ringwire(arguments).code, Some(0));
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains(" received, "), "{ended:?}");
}

#[test]
fn what_cannot_be_subscribed_to_is_told_in_words() {
    let ended = ringwire(["subscribe", "c", "--redis", NOBODY, "--timeout", "1"]);
    ended.failed("no connection to redis://127.0.0.1:9 within 1 s: cannot connect: ");
    let server = server();
    server.with(|server| server.inject_error("subscribe", Some("NOPERM no channel for you"))).unwrap();
    let ended = ringwire(["subscribe", "c", "--redis", &server.url(), "--timeout", "1"]);
    ended.failed("the server refuses the subscription: NOPERM no channel for you");
    assert!(ended.stderr.contains("refuses the subscription to c: NOPERM"), "{ended:?}");
}

#[test]
fn with_several_endpoints_one_is_named() {
    let (one, other) = (server(), server());
    let file = Scratch::new(format!(
        "[endpoint.one]\nurl = '{}'\n[endpoint.other]\nurl = '{}'\n[[route]]\nchannels = '*'\nto = ['one']\n",
        one.url(),
        other.url()
    ));
    ringwire(["subscribe", "c", "--config", file.text()])
        .turned_down("say where to listen with --endpoint; expected one of one, other");
    ringwire(["subscribe", "c", "--config", file.text(), "--endpoint", "third"])
        .turned_down("--endpoint third: there is none of that name; expected one of one, other");
    let arguments = ["subscribe", "c", "--config", file.text(), "--endpoint", "other", "--count", "1"];
    let running = Running::start(command(arguments));
    until("the subscription", || running.stderr().contains("ringwire: subscribed to "));
    publish(&other, "c", "here");
    assert_eq!(running.end().stdout, "c here\n");
}

#[test]
fn a_channel_that_no_route_takes_out_is_an_error() {
    let server = server();
    let file = Scratch::new(format!(
        "[endpoint.one]\nurl = '{}'\n[[route]]\nchannels = 'fx.*'\nto = ['one']\n",
        server.url()
    ));
    let ended = ringwire(["subscribe", "log", "--config", file.text()]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("no route leads these channels to an endpoint"), "{ended:?}");
}

#[test]
fn a_full_disk_is_an_error() {
    let server = server();
    let url = server.url();
    let mut command = command(["subscribe", "c", "--redis", &url]);
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let running = Running::start(command);
    until("the subscription", || running.stderr().contains("ringwire: subscribed to "));
    publish(&server, "c", "m");
    running.end().failed("cannot write to standard output: No space left on device");
}
