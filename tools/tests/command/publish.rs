//! `ringwire publish`.

use std::io::{ErrorKind, Write};
use std::sync::mpsc::channel;

use crate::process::{
    Ended, NOBODY, Running, Scratch, command, executed, executed_on, journalling, longest, ringwire, until,
};
use ringwire_loopback::front::RedisFront;
use rustix::io::ioctl_fionread;
use rustix::process::Signal;

fn publish(server: &RedisFront, arguments: &[&str]) -> Ended {
    let url = server.url();
    ringwire(["publish", "c", "--redis", &url, "--json"].iter().chain(arguments))
}

/// A publisher of lines, and its standard input.
fn fed(server: &RedisFront, options: &[&str]) -> (Running, std::process::ChildStdin) {
    let url = server.url();
    Running::start_fed(command(["publish", "c", "--redis", &url, "--json"].iter().chain(options)))
}

fn publish_lines(server: &RedisFront, lines: &[u8]) -> Ended {
    let (running, mut stdin) = fed(server, &[]);
    stdin.write_all(lines).unwrap();
    drop(stdin);
    running.end()
}

#[test]
fn one_message_is_delivered_as_it_was_given() {
    let server = journalling();
    for payload in ["", "hello", "-1", "a\nb", "ärger"] {
        let ended = publish(&server, &[payload]);
        assert_eq!((ended.code, ended.count("delivered")), (Some(0), 1), "{ended:?}");
        assert_eq!((ended.count("messages"), ended.count("receivers")), (1, 0), "{ended:?}");
        assert_eq!(executed_on(&server), [(b"c".to_vec(), payload.as_bytes().to_vec())]);
    }
    let ended = ringwire(["publish", "c", "m", "--redis", &server.url()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stderr.contains("delivered to redis://") && ended.stderr.contains("nobody was subscribed"));
}

#[test]
fn each_line_of_standard_input_is_a_message() {
    let server = journalling();
    let check = |text: &[u8], expected: &[&[u8]]| {
        let ended = publish_lines(&server, text);
        assert_eq!(ended.code, Some(0), "{}: {ended:?}", text.escape_ascii());
        assert_eq!(executed(&server), expected, "{}", text.escape_ascii());
        assert_eq!(ended.count("messages"), expected.len() as u64);
        let shown = &ended.json()["latency_ns"];
        assert_eq!(shown["p50"].is_null(), expected.is_empty(), "{ended:?}");
    };
    check(b"", &[]);
    check(b"a\nb\r\n\nlast", &[b"a", b"b", b"", b"last"]);
    check(b"\x00\xff\xfe\x1b\n*1\r\r\n$-1\n", &[b"\x00\xff\xfe\x1b", b"*1\r", b"$-1"]);
    let lines: Vec<String> = (0..50_000).map(|number| number.to_string()).collect();
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    check(&lines.join(&b'\n'), &lines);
}

#[test]
fn the_summary_is_for_a_person_without_json() {
    let server = journalling();
    let (running, mut stdin) = Running::start_fed(command(["publish", "c", "-", "--redis", &server.url()]));
    stdin.write_all(b"a\nb\n").unwrap();
    drop(stdin);
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    for words in ["2 messages on channel c", "accepted", "delivered", "not sent", "unknown", "receivers"] {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
}

#[test]
fn the_longest_line_passes_and_a_longer_one_is_named() {
    let server = journalling();
    let longest = longest();
    let mut text = vec![b'x'; longest];
    text.extend_from_slice(b"\nlast");
    let ended = publish_lines(&server, &text);
    assert_eq!((ended.code, ended.count("delivered")), (Some(0), 2), "{ended:?}");
    let mut text = b"first\n".to_vec();
    text.resize(text.len() + longest + 1, b'x');
    let ended = publish_lines(&server, &text);
    ended.failed(&format!("standard input: line 2 is longer than {longest} bytes"));
    assert_eq!((ended.count("messages"), ended.count("delivered")), (1, 1), "what came before it counts");
}

/// 64 MiB without a line end: it is not read to its end.
#[test]
fn a_line_without_end_is_not_kept() {
    const LINE_BYTES: usize = 64 << 20;
    const PIECE: &[u8] = &[b'x'; 64 << 10];
    let server = journalling();
    let (running, mut stdin) = fed(&server, &[]);
    let mut written = 0;
    while written < LINE_BYTES {
        match stdin.write_all(PIECE) {
            Ok(()) => written += PIECE.len(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                break;
            }
        }
    }
    drop(stdin);
    running.end().failed("line 1 is longer than ");
    assert!(written < 4 << 20, "it stopped reading after {written} bytes");
}

#[test]
fn a_signal_ends_the_reading_and_everything_is_counted() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = journalling();
        let (running, mut stdin) = fed(&server, &[]);
        stdin.write_all(b"a\nb\nhalf a line").unwrap();
        let mut found = Vec::new();
        until("both lines", || {
            found.extend(executed(&server));
            found.len() == 2
        });
        running.signal(signal);
        let ended = running.end();
        assert_eq!(
            (ended.code, ended.count("delivered"), ended.count("messages")),
            (Some(0), 2, 2),
            "{ended:?}"
        );
        assert!(executed(&server).is_empty(), "half a line is no message");
    }
}

/// The server stands still in the middle of a command, and the flush has a minute.
#[test]
fn a_second_signal_ends_it_at_once() {
    let server = journalling();
    let patience = ["--timeout", "60", "--set", "reply_timeout_ms=60000"];
    let (mut running, mut stdin) = fed(&server, &patience);
    stdin.write_all(b"a\n").unwrap();
    until("the first line", || !executed(&server).is_empty());
    let ((hold, is_held), (release, held)) = (channel::<()>(), channel::<()>());
    std::thread::scope(|scope| {
        scope.spawn(|| server.with(move |_| hold.send(()).is_ok() && held.recv().is_ok()));
        is_held.recv().unwrap();
        stdin.write_all(b"b\n").unwrap();
        until("the line is read", || ioctl_fionread(&stdin).unwrap() == 0);
        until("the end", || {
            running.signal(Signal::INT);
            running.is_over()
        });
        drop(release);
    });
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{ended:?}");
}

#[test]
fn a_redis_that_is_not_there_or_says_no_is_told_in_words() {
    let ended = ringwire(["publish", "c", "m", "--redis", NOBODY, "--timeout", "1", "--json"]);
    ended.failed("no connection to redis://127.0.0.1:9 within 1 s: cannot connect: ");
    assert_eq!(ended.count("messages"), 0);
    let server = journalling();
    server.with(|server| server.inject_error("publish", Some("NOPERM this channel"))).unwrap();
    let ended = publish(&server, &["m"]);
    ended.failed("1 of 1 messages were not delivered: 1 not sent, 0 unknown: the server answered `NOPERM");
    assert_eq!(ended.count("not_sent"), 1);
}

#[test]
fn a_route_may_lead_to_several_endpoints_or_to_none() {
    let (one, other) = (journalling(), journalling());
    let file = Scratch::new(format!(
        "[endpoint.one]\nurl = '{}'\n[endpoint.other]\nurl = '{}'\n[[route]]\nchannels = 'both'\nto = ['one', 'other']\n",
        one.url(),
        other.url()
    ));
    let ended = ringwire(["publish", "both", "m", "--config", file.text(), "--json"]);
    assert_eq!((ended.code, ended.count("messages"), ended.count("delivered")), (Some(0), 1, 2), "{ended:?}");
    assert_eq!((executed(&one).len(), executed(&other).len()), (1, 1));
    let ended = ringwire(["publish", "nowhere", "m", "--config", file.text(), "--json"]);
    ended.failed("no route leads 1 of the messages to an endpoint");
}
