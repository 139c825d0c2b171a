//! `ringwire demo`.

use crate::process::{Ended, NOBODY, Running, Scratch, command, executed, journalling, ringwire, until};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;

fn assert_whole(ended: &Ended, messages: u64) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let json = ended.json();
    let count = |key: &str| json[key].as_u64().unwrap();
    assert_eq!(count("messages"), messages);
    assert_eq!(count("accepted") + count("refused"), messages, "{ended:?}");
    assert!(count("accepted") > 0 && count("not_sent") == 0 && count("unknown") == 0, "{ended:?}");
    assert_eq!(count("received") + count("lost"), count("delivered"), "{ended:?}");
    for key in ["ack_ns", "subscriber_ns"] {
        let shown = ["p50", "p99", "p999", "max"].map(|name| json[key][name].as_u64().unwrap());
        assert!(shown.is_sorted() && shown[3] > 0, "{ended:?}");
    }
}

#[test]
fn every_quote_goes_out_and_comes_back() {
    let ended = ringwire(["demo", "--seconds", "1", "--json"]);
    assert_whole(&ended, 20_000);
    let json = ended.json();
    assert_eq!(json["rate"], 20_000);
    assert_eq!(json["redis"], "embedded");
    assert!(json["seconds"].as_f64().unwrap() > 0.9, "the last message is due 50 µs before the end");
    assert!(json["cores"].as_u64().unwrap() > 0 && json["hosted_by"].as_str().unwrap().contains("pinned"));
}

#[test]
fn the_table_tells_it_to_a_person() {
    let server =
        front::spawn("127.0.0.1:0", Options { password: Some("hunter2".into()), ..Options::default() });
    let server = server.unwrap();
    let url = format!("redis://:hunter2@{}", server.addr().unwrap());
    let lines = Scratch::new("header\na,b\nc,d");
    let ended =
        ringwire(["demo", "--seconds", "1", "--rate", "500", "--redis", &url, "--file", lines.text()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let shown = format!("redis: redis://{}  shard: ", server.addr().unwrap());
    for words in ["500 messages in ", &shown, "rate: 500/s", "idle: ", "to the subscriber", "p99.9"] {
        assert!(ended.stdout.contains(words), "{words}: {ended:?}");
    }
    for name in ["accepted", "refused", "delivered", "not sent", "unknown", "received", "gaps"] {
        assert!(ended.stdout.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {ended:?}");
    }
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{ended:?}");
}

#[test]
fn a_redis_that_is_not_there_is_told_in_words() {
    let ended = ringwire(["demo", "--redis", NOBODY, "--json"]);
    ended.failed("no connection to redis://127.0.0.1:9 within 5 s: cannot connect: ");
    assert_eq!(ended.count("accepted"), 0);
    assert_eq!(ringwire(["demo", "--redis", NOBODY]).stdout, "", "there is nothing for a table");
}

#[test]
fn a_subscription_that_is_refused_is_told_in_words() {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    server.with(|server| server.inject_error("subscribe", Some("NOPERM no channel for you"))).unwrap();
    ringwire(["demo", "--redis", &server.url()])
        .failed("the server refuses the subscription: NOPERM no channel for you");
}

#[test]
fn a_server_that_refuses_to_publish_is_no_failure_of_the_count() {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    server.with(|server| server.inject_error("publish", Some("OOM"))).unwrap();
    let ended = ringwire(["demo", "--seconds", "1", "--rate", "1000", "--redis", &server.url(), "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!((ended.count("not_sent"), ended.count("received")), (ended.count("accepted"), 0));
    assert!(ended.json()["ack_ns"]["p50"].is_null(), "there is no latency of what was not delivered");
}

#[test]
fn bad_files_are_named() {
    let empty = Scratch::new("only a header\n");
    ringwire(["demo", "--file", empty.text()]).failed("there is no line after the header");
    ringwire(["demo", "--file", "/nowhere/quotes.csv"]).failed("/nowhere/quotes.csv: No such file");
    ringwire(["demo", "--file", "/"]).failed("/: line 1 cannot be read: Is a directory");
}

/// A demo of 4,000 messages, some of which `server` has executed.
fn under_way(server: &RedisFront) -> Running {
    let arguments = ["demo", "--seconds", "2", "--rate", "2000", "--redis", &server.url(), "--json"];
    let running = Running::start(command(arguments));
    let mut count = 0;
    until("some messages", || {
        count += executed(server).len();
        count > 100
    });
    running
}

#[test]
fn a_server_that_comes_back_leaves_a_gap_and_true_counts() {
    let server = journalling();
    let address = server.addr().unwrap().to_string();
    let running = under_way(&server);
    server.stop();
    let _server = front::spawn(&address, Options::default()).unwrap();
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.count("accepted") + ended.count("refused"), 4_000, "{ended:?}");
    assert!(ended.count("delivered") > 100 && ended.count("gaps") > 0, "{ended:?}");
}

#[test]
fn a_server_that_stays_away_is_told_with_true_counts() {
    let server = journalling();
    let running = under_way(&server);
    server.stop();
    let ended = running.end();
    // What was delivered, but had not come back, is missing without a gap: then it is no success.
    assert!(ended.code == Some(0) || ended.stderr.contains("neither received nor told"), "{ended:?}");
    let (accepted, refused) = (ended.count("accepted"), ended.count("refused"));
    assert_eq!(accepted + refused, 4_000, "{ended:?}");
    assert!(refused > 0 && ended.count("delivered") > 100, "{ended:?}");
    assert!(ended.json()["trouble"].as_str().unwrap().contains("connect"), "{ended:?}");
}
