//! `ringwire replay`: each line, byte for byte and in order.

use std::time::Duration;

use crate::process::{
    PATIENCE, QUOTES, Running, Scratch, command, executed, executed_on, journalling, longest, replay,
    ringwire, until,
};
use ringwire::{Config, Engine, Event};
use ringwire_loopback::front;
use ringwire_loopback::redis::Options;
use rustix::process::Signal;

#[test]
fn a_subscriber_gets_every_line_of_the_quotes_in_order() {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let engine = Engine::start(Config::new().redis("main", &server.url()).unwrap()).unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("fx.eurusd").unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let running = Running::start(command([
        "replay",
        QUOTES,
        "--channel",
        "fx.eurusd",
        "--redis",
        &server.url(),
        "--json",
    ]));
    let text = std::fs::read_to_string(QUOTES).unwrap();
    let mut expected = text.lines().skip(1);
    let mut received = 0;
    until("every line", || {
        subscriber.wait(Duration::from_millis(10));
        subscriber.poll(1_000, |delivery| match delivery.event {
            Event::Message { payload, .. } => {
                assert_eq!(Some(payload), expected.next().map(str::as_bytes), "message {received}");
                received += 1;
            }
            Event::Subscribed => {}
            other => panic!("{other:?}"),
        });
        received == 9_500
    });
    assert_eq!(expected.next(), None);
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let json = ended.json();
    assert_eq!((json["lines"].as_u64(), json["delivered"].as_u64()), (Some(9_500), Some(9_500)));
    let bytes: usize = text.lines().skip(1).map(str::len).sum();
    assert_eq!(json["bytes"].as_u64(), Some(bytes as u64));
    assert_eq!((&json["channel"], &json["file"]), (&"fx.eurusd".into(), &QUOTES.into()));
    let shown = ["p50", "p99", "p999", "max"].map(|name| json["latency_ns"][name].as_u64().unwrap());
    assert!(shown.is_sorted() && shown[3] > 0 && json["seconds"].as_f64().unwrap() > 0.0, "{ended:?}");
}

#[test]
fn bytes_are_bytes() {
    let server = journalling();
    let check = |text: &[u8], options: &[&str], expected: &[&[u8]]| {
        let file = Scratch::new(text);
        let ended = replay(file.text(), &server, options);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(executed(&server), expected, "{}", text.escape_ascii());
        assert_eq!(ended.count("lines"), expected.len() as u64);
        assert_eq!(ended.count("bytes"), expected.iter().map(|line| line.len() as u64).sum::<u64>());
    };
    check(b"", &[], &[]);
    check(b"header", &[], &[]);
    check(b"header\r\n", &[], &[]);
    check(b"header", &["--no-header"], &[b"header"]);
    check(b"h\na,b", &[], &[b"a,b"]);
    check(b"h\r\na,b\r\n\r\nc\r\n", &[], &[b"a,b", b"", b"c"]);
    let odd: [&[u8]; 4] = [b"\x00\xff\xfe\x1b", b"", b"*1\r", b"$-1"];
    check(b"h\n\x00\xff\xfe\x1b\n\n*1\r\r\n$-1", &[], &odd);
    check(b"\xef\xbb\xbfh\n\xef\xbb\xbf1\n", &[], &[b"\xef\xbb\xbf1"]);
    check(b"1\n2\n", &["--no-header", "--rate", "10000"], &[b"1", b"2"]);
}

#[test]
fn a_line_as_long_as_the_largest_message_passes_and_a_longer_one_is_named() {
    let longest = longest();
    let server = journalling();
    let mut text = b"h\nfirst\n".to_vec();
    text.resize(text.len() + longest, b'x');
    text.extend_from_slice(b"\r\nlast\n");
    let file = Scratch::new(&text);
    let ended = replay(file.text(), &server, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lens: Vec<usize> = executed(&server).iter().map(Vec::len).collect();
    assert_eq!(lens, [5, longest, 4]);

    text.insert(8, b'x');
    let file = Scratch::new(&text);
    let ended = replay(file.text(), &server, &[]);
    ended.failed(&format!("{}: line 3 is longer than {longest} bytes", file.text()));
    assert_eq!(
        (ended.count("lines"), ended.count("delivered")),
        (1, 1),
        "what came before it is accounted for"
    );
    assert_eq!(executed(&server), [b"first"]);
}

#[test]
fn more_lines_than_may_be_in_flight_are_sent_by_waiting() {
    let server = journalling();
    let lines: Vec<String> = (0..100_000).map(|number| number.to_string()).collect();
    let file = Scratch::new(lines.join("\n"));
    let ended = replay(file.text(), &server, &["--no-header"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.count("delivered"), 100_000);
    assert!(executed(&server).iter().map(Vec::as_slice).eq(lines.iter().map(String::as_bytes)));
}

#[test]
fn without_a_redis_it_says_where_the_messages_go() {
    let ended = ringwire(["replay", QUOTES, "--channel", "c"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.starts_with("ringwire: no --redis and no --kafka: "), "{ended:?}");
    for words in ["eurusd-quotes.csv on channel c", "9,500", "to the acknowledgement", "418,000"] {
        assert!(ended.stdout.contains(words), "{words}: {ended:?}");
    }
}

#[test]
fn a_column_names_the_channel_of_each_line() {
    let server = journalling();
    let file = Scratch::new("ts,symbol\n1,EURUSD\n2,\"GBPUSD\"\n3,EURUSD\n");
    let replay = |column: &[&str]| {
        let url = server.url();
        ringwire(["replay", file.text(), "--redis", &url, "--json"].iter().chain(column))
    };
    let ended = replay(&["--channel-column", "symbol", "--channel-prefix", "fx."]);
    assert_eq!((ended.code, ended.count("delivered"), ended.count("channels")), (Some(0), 3, 2), "{ended:?}");
    let expected: [(&[u8], &[u8]); 3] =
        [(b"fx.EURUSD", b"1,EURUSD"), (b"fx.GBPUSD", b"2,\"GBPUSD\""), (b"fx.EURUSD", b"3,EURUSD")];
    let found = executed_on(&server);
    assert_eq!(found.iter().map(|(channel, line)| (&**channel, &**line)).collect::<Vec<_>>(), expected);

    let ended = replay(&["--channel-column", "1"]);
    assert_eq!((ended.code, executed_on(&server)[0].0.as_slice()), (Some(0), &b"1"[..]), "{ended:?}");
    replay(&["--channel-column", "when"])
        .failed("there is no column `when`; the header line has: ts, symbol");
    replay(&["--channel-column", "3"]).failed("line 2: there is no column 3, where the channel should be");
    let file = Scratch::new("h,c\n1,a\n2,\n");
    let ended =
        ringwire(["replay", file.text(), "--redis", &server.url(), "--channel-column", "c", "--json"]);
    ended.failed("line 3: column 2, where the channel should be, is empty");
    assert_eq!((ended.count("lines"), ended.count("delivered")), (2, 1));
}

#[test]
fn too_many_channels_are_a_mistake() {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let lines: Vec<String> = (0..=65_536).map(|number| number.to_string()).collect();
    let file = Scratch::new(lines.join("\n"));
    let url = server.url();
    let ended =
        ringwire(["replay", file.text(), "--no-header", "--channel-column", "1", "--redis", &url, "--json"]);
    ended.failed("line 65537: column 1 has more than 65536 different values, now `65536`");
    assert_eq!(ended.count("delivered"), 65_536);
}

#[test]
fn a_signal_ends_it_with_a_true_account() {
    let server = journalling();
    let url = server.url();
    let arguments = ["replay", QUOTES, "--channel", "c", "--redis", &url, "--rate", "1000", "--json"];
    let running = Running::start(command(arguments));
    let mut count = 0;
    until("some messages", || {
        count += executed(&server).len();
        count > 100
    });
    running.signal(Signal::INT);
    let ended = running.end();
    ended.failed("stopped by a signal before line ");
    assert!(ended.count("delivered") < 9_500 && ended.count("delivered") == ended.count("accepted"));
}
