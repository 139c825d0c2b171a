//! `ringwire produce`, against the embedded cluster.

use std::io::Write;

use ringwire_loopback::front::KafkaFront;
use ringwire_loopback::kafka::LoggedRecord;
use rustix::process::Signal;

use crate::kafka::cluster;
use crate::process::{Ended, Running, Scratch, command, journalling, ringwire, until};

/// Key, value and headers of a record.
type Logged = (Option<&'static str>, Option<&'static str>, &'static [(&'static str, Option<&'static str>)]);

fn produce(kafka: &KafkaFront, options: &[&str], stdin: &[u8]) -> Ended {
    let brokers = kafka.bootstrap();
    let arguments = ["produce", "t", "--kafka", &brokers, "--json"];
    let (running, mut input) = Running::start_fed(command(arguments.iter().chain(options)));
    // Who reads nothing of it may have ended.
    let _ = input.write_all(stdin);
    drop(input);
    running.end()
}

fn records(kafka: &KafkaFront, partition: i32) -> Vec<LoggedRecord> {
    kafka.with(move |cluster| cluster.records("t", partition, 0)).unwrap().unwrap()
}

#[test]
fn records_are_as_they_were_asked_for() {
    let check = |options: &[&str], stdin: &[u8], expected: &[Logged]| {
        let kafka = cluster(1);
        let ended = produce(&kafka, options, stdin);
        assert_eq!((ended.code, ended.count("delivered")), (Some(0), expected.len() as u64), "{ended:?}");
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|it| String::from_utf8(it.clone()).unwrap());
        let records = records(&kafka, 0);
        assert_eq!(records.len(), expected.len(), "{options:?}");
        for (found, (key, value, headers)) in records.iter().zip(expected) {
            let found_headers: Vec<_> = found
                .headers
                .iter()
                .map(|(name, value)| (str::from_utf8(name).unwrap(), text(value)))
                .collect();
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, value.map(str::to_owned))).collect();
            assert_eq!(
                (text(&found.key).as_deref(), text(&found.value).as_deref()),
                (*key, *value),
                "{options:?}"
            );
            assert_eq!(found_headers, headers, "{options:?}");
        }
        let last = expected.len() as i64 - 1;
        let place = &ended.json()["partitions"][0];
        assert_eq!((&place["topic"], &place["last_offset"]), (&"t".into(), &last.into()), "{ended:?}");
    };
    let file = Scratch::new("a:1\r\nb:2:3\n:\n");
    check(&["one"], b"", &[(None, Some("one"), &[])]);
    check(&["", "-k", "k"], b"", &[(Some("k"), Some(""), &[])]);
    check(&["--null", "-k", "k"], b"", &[(Some("k"), None, &[])]);
    let headers: &[_] = &[("a", Some("x=y")), ("b", None), ("a", Some(""))];
    check(&["v", "-H", "a=x=y", "-H", "b", "-H", "a="], b"", &[(None, Some("v"), headers)]);
    check(&[], b"x\n\ny", &[(None, Some("x"), &[]), (None, Some(""), &[]), (None, Some("y"), &[])]);
    check(&["-f", "-", "-k", "k"], b"x\ny\n", &[(Some("k"), Some("x"), &[]), (Some("k"), Some("y"), &[])]);
    check(
        &["-f", file.text(), "--key-delimiter", ":"],
        b"",
        &[(Some("a"), Some("1"), &[]), (Some("b"), Some("2:3"), &[]), (Some(""), Some(""), &[])],
    );
    check(&["--key-delimiter", "::"], b"a:b::c\n", &[(Some("a:b"), Some("c"), &[])]);
    check(&["k=v", "--key-delimiter", "="], b"", &[(Some("k"), Some("v"), &[])]);
    check(&["--whole", "-f", file.text()], b"", &[(None, Some("a:1\r\nb:2:3\n:\n"), &[])]);
    check(&["--whole"], b"x\ny\n", &[(None, Some("x\ny\n"), &[])]);
}

#[test]
fn a_record_goes_to_the_partition_that_is_named() {
    let kafka = cluster(3);
    for partition in [2, 0, 2] {
        let ended = produce(&kafka, &["x", "-p", &partition.to_string()], b"");
        assert_eq!(ended.json()["partitions"][0]["partition"], partition, "{ended:?}");
    }
    assert_eq!([0, 1, 2].map(|partition| records(&kafka, partition).len()), [1, 0, 2]);
    let brokers = kafka.bootstrap();
    let ended = ringwire(["produce", "t", "x", "-p", "1", "--kafka", &brokers]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.trim_end().ends_with("; topic t, partition 1, offset 0"), "{ended:?}");
    let ended = produce(&kafka, &["x", "-p", "3"], b"");
    ended.failed("1 of 1 messages were not delivered: 1 not sent, 0 unknown");
}

#[test]
fn what_cannot_be_produced_is_said() {
    let kafka = cluster(1);
    let ended = produce(&kafka, &["--key-delimiter", ":"], b"a:1\nb\nc:3\n");
    ended.failed("standard input: stopped at line 2: there is no `:` behind a key");
    assert_eq!((ended.count("messages"), ended.count("delivered")), (2, 1), "what came before it counts");
    produce(&kafka, &["-f", "/nowhere"], b"").failed("/nowhere: No such file");
    produce(&kafka, &["-f", "/"], b"").failed("/: line 1 cannot be read: Is a directory");
    let long = vec![b'x'; 4 << 20];
    produce(&kafka, &["--whole"], &long).failed("standard input is longer than ");
    let redis = journalling();
    let ended = ringwire(["produce", "t", "x", "--redis", &redis.url()]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("no Kafka takes t: name one with --kafka HOST:PORT"), "{ended:?}");
    ringwire(["produce", "t", "x", "--kafka", "127.0.0.1:9", "--timeout", "1"])
        .failed("no connection to kafka://127.0.0.1:9 within 1 s: ");
}

#[test]
fn a_signal_ends_the_reading_and_everything_is_counted() {
    let kafka = cluster(1);
    let brokers = kafka.bootstrap();
    let (running, mut input) = Running::start_fed(command(["produce", "t", "--kafka", &brokers, "--json"]));
    input.write_all(b"a\nb\nhalf a line").unwrap();
    until("both records", || records(&kafka, 0).len() == 2);
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!((ended.code, ended.count("delivered"), ended.count("messages")), (Some(0), 2, 2), "{ended:?}");
}
