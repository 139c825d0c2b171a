//! What a broker refuses, how it says so, and what it changes.

use ringwire_codec::kafka::*;
use ringwire_tests::patience::until;

use crate::client::{Client, Target};
use crate::line::lines;
use crate::records::{Owned, TIME, batch};
use crate::server::Shared;

const CORRUPT_MESSAGE: ErrorCode = ErrorCode(2);
const INVALID_TIMESTAMP: ErrorCode = ErrorCode(32);
/// In the year 2100.
const FAR: i64 = 4_102_444_800_000;
/// Where the last byte of the checksum stands in a batch.
const CRC_END: usize = 20;

fn plain(count: i64) -> Vec<Owned> {
    (0..count).map(|at| Owned::new(TIME + at, Some(b"key"), Some(b"value"))).collect()
}

/// The versions from the first that says it in its own way.
fn versions(client: &Client, from: i16) -> impl Iterator<Item = i16> + use<> {
    client.in_common(Api::Produce).filter(move |version| *version >= from)
}

#[test]
fn versions_below_the_floor_are_refused() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let offered = client.offered(Api::Produce);
        assert_eq!(offered.min, 0, "it says that it takes them");
        assert_eq!(Api::Produce.choose(Versions { min: 0, max: 2 }, i16::MAX), None);
        let topic_id = client.create_topic("floor", 1, &[]);
        let batch = batch(&plain(1), Compression::None, Producer::NONE);
        let mut before = 0;
        for version in 0..=2 {
            let header = RequestHeader { version, correlation_id: 1, client_id: None };
            let known = Api::Produce.versions();
            let refused =
                encode_request(&mut Vec::new(), &header, &ProduceRequest::default()).map_err(|it| it.kind);
            assert_eq!(refused, Err(wire::WireErrorKind::UnknownVersion { min: known.min, max: known.max }));
            // 3.9 still takes what the encoder will not write; 4 ends the connection.
            let answer = client.produce_below_the_floor(version, "floor", batch.bytes());
            let is_old = line.version.starts_with("3.");
            assert_eq!(answer, is_old.then_some(ErrorCode::NONE), "{} v{version}", line.version);
            client = Shared::of(line).client();
            before += i64::from(is_old);
        }
        let target = Target { version: known_max(&client), topic: "floor", topic_id, partition: 0 };
        let produced = client.produce(&target, -1, batch.bytes()).expect("it is answered");
        assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, before));
    }
}

fn known_max(client: &Client) -> i16 {
    client.newest::<ProduceRequest<'_>>()
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let batch = batch(&plain(1), Compression::None, Producer::NONE);
        for version in client.in_common(Api::Produce) {
            let target = Target { version, topic: "nowhere", topic_id: [9; 16], partition: 0 };
            let produced = client.produce(&target, -1, batch.bytes()).expect("it is answered");
            let expected = if version >= TOPIC_ID_VERSION {
                ErrorCode::UNKNOWN_TOPIC_ID
            } else {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            };
            assert_eq!((produced.error_code, produced.base_offset), (expected, -1), "{version}");
        }
    }
}

#[test]
fn a_record_at_fault_is_named_and_the_others_are_not() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let topic_id = client.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
        let mut records = plain(5);
        records[1].key = None;
        records[3].key = None;
        let batch = batch(&records, Compression::None, Producer::NONE);
        for version in versions(&client, RECORD_ERRORS_VERSION) {
            let target = Target { version, topic: "compacted", topic_id, partition: 0 };
            let produced = client.produce(&target, -1, batch.bytes()).expect("it is answered");
            assert_eq!(produced.error_code, ErrorCode::INVALID_RECORD, "{version}");
            let at_fault: Vec<i32> = produced.record_errors.iter().map(|it| it.0).collect();
            assert_eq!(at_fault, [1, 3], "{version}");
            assert!(
                !produced.error_message.is_empty()
                    && produced.record_errors.iter().all(|it| !it.1.is_empty())
            );
        }
        assert_eq!(client.end_of("compacted", 0), 0, "none of the batch was taken");
    }
}

#[test]
fn a_damaged_batch_is_refused() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let topic_id = client.create_topic("damaged", 1, &[]);
        let target = Target { version: known_max(&client), topic: "damaged", topic_id, partition: 0 };
        let mut bytes = batch(&plain(1), Compression::None, Producer::NONE).bytes().to_vec();
        bytes[CRC_END] ^= 1;
        let produced = client.produce(&target, -1, &bytes).expect("it is answered");
        assert_eq!(produced.error_code, CORRUPT_MESSAGE);
        // The connection is as good as before.
        bytes[CRC_END] ^= 1;
        let produced = client.produce(&target, -1, &bytes).expect("it is answered");
        assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, 0));
    }
}

#[test]
fn a_time_far_ahead_is_refused_by_new_brokers() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let topic_id = client.create_topic("ahead", 1, &[]);
        let target = Target { version: known_max(&client), topic: "ahead", topic_id, partition: 0 };
        let mut records = plain(3);
        records[2].timestamp = FAR;
        let bytes = batch(&records, Compression::None, Producer::NONE).bytes().to_vec();
        let produced = client.produce(&target, -1, &bytes).expect("it is answered");
        if line.version.starts_with("3.") {
            assert_eq!(produced.error_code, ErrorCode::NONE);
        } else {
            assert_eq!(produced.error_code, INVALID_TIMESTAMP);
            assert_eq!(produced.record_errors.iter().map(|it| it.0).collect::<Vec<_>>(), [2]);
        }
    }
}

#[test]
fn the_brokers_time_replaces_that_of_every_record() {
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        let topic_id = client.create_topic("append-time", 1, &[("message.timestamp.type", "LogAppendTime")]);
        let mut times = Vec::new();
        let records = plain(3);
        let batch = batch(&records, Compression::Gzip(6), Producer::NONE);
        for version in client.in_common(Api::Produce) {
            let target = Target { version, topic: "append-time", topic_id, partition: 0 };
            let produced = client.produce(&target, -1, batch.bytes()).expect("it is answered");
            assert_eq!(produced.error_code, ErrorCode::NONE);
            assert!(produced.log_append_time_ms > TIME, "{version}: {}", produced.log_append_time_ms);
            times.extend([produced.log_append_time_ms; 3]);
        }
        let found = shared.judge(|judge| judge.read("append-time"));
        assert!(found.iter().all(|stored| stored.is_log_append_time));
        assert!(found.iter().map(|stored| stored.record.timestamp).eq(times.iter().copied()));
        let ours = crate::records::of_segment(&shared.kafka.segments(1, "append-time", 0)[0]);
        assert!(ours.iter().map(|it| it.1.timestamp).eq(times));
    }
}

#[test]
fn without_acks_an_error_ends_the_connection() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let topic_id = client.create_topic("silent", 1, &[]);
        let target = Target { version: known_max(&client), topic: "silent", topic_id, partition: 0 };
        let mut bytes = batch(&plain(1), Compression::None, Producer::NONE).bytes().to_vec();
        client.produce(&target, 0, &bytes);
        until("the record", || client.end_of("silent", 0) == 1);
        bytes[CRC_END] ^= 1;
        client.produce(&target, 0, &bytes);
        client.reconnect();
        assert_eq!(client.end_of("silent", 0), 1);
    }
}
