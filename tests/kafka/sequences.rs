//! What a broker makes of producer ids, epochs and sequences.

use std::fs;

use ringwire_codec::kafka::*;

use crate::client::{Client, Target};
use crate::line::lines;
use crate::records::{Owned, TIME, batch, noise};
use crate::server::Shared;

/// The broker remembers so many batches of a producer.
const REMEMBERED: i32 = 5;
const TOO_LARGE_FROM: usize = 20_000;

fn records(count: i64) -> Vec<Owned> {
    (0..count).map(|at| Owned::new(TIME + at, None, Some(format!("record {at}").as_bytes()))).collect()
}

fn at(sequence: i32, producer: Producer) -> Producer {
    Producer { sequence, ..producer }
}

/// Appends a batch of three, and returns error and offset.
#[track_caller]
fn put(client: &mut Client, target: &Target<'_>, producer: Producer) -> (ErrorCode, i64) {
    let batch = batch(&records(3), Compression::None, producer);
    let produced = client.produce(target, -1, batch.bytes()).expect("it is answered");
    (produced.error_code, produced.base_offset)
}

#[test]
fn a_duplicate_is_known_and_a_gap_is_refused() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let topic_id = client.create_topic("sequences", 1, &[]);
        let version = client.newest::<ProduceRequest<'_>>();
        let target = Target { version, topic: "sequences", topic_id, partition: 0 };
        let producer = client.producer();
        for number in 0..=REMEMBERED {
            let offset = i64::from(3 * number);
            assert_eq!(put(&mut client, &target, at(3 * number, producer)), (ErrorCode::NONE, offset));
            // Again the same, and it is not there twice.
            assert_eq!(put(&mut client, &target, at(3 * number, producer)), (ErrorCode::NONE, offset));
        }
        // Sequence and offset are the same number here.
        let next = 3 * (REMEMBERED + 1);
        let oldest = put(&mut client, &target, at(3, producer));
        assert_eq!(oldest, (ErrorCode::NONE, 3), "the oldest that it remembers");
        let forgotten = put(&mut client, &target, producer).0;
        assert!(
            [ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::DUPLICATE_SEQUENCE_NUMBER]
                .contains(&forgotten),
            "{forgotten}"
        );
        let (gap, _) = put(&mut client, &target, at(next + 1, producer));
        assert_eq!(gap, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(client.end_of("sequences", 0), i64::from(next));
        epochs(&mut client, &target, at(next, producer));
    }
}

/// A higher epoch begins at 0, ends the one before, and takes what was renumbered.
fn epochs(client: &mut Client, target: &Target<'_>, producer: Producer) {
    let end = i64::from(producer.sequence);
    let raised = Producer { epoch: producer.epoch + 1, ..producer };
    assert_eq!(put(client, target, raised).0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let mut refused = batch(&records(3), Compression::Zstd(3), raised);
    refused.renumber(at(0, raised));
    let produced = client.produce(target, -1, refused.bytes()).expect("it is answered");
    assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, end));
    assert_eq!(put(client, target, producer).0, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(put(client, target, at(3, raised)), (ErrorCode::NONE, end + 3));
}

#[test]
fn sequences_wrap_to_0() {
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        let topic_id = client.create_topic("wrap", 1, &[]);
        let version = client.newest::<ProduceRequest<'_>>();
        let target = Target { version, topic: "wrap", topic_id, partition: 0 };
        // Of a producer that it does not know the broker takes any sequence as the first.
        let mut producer = at(i32::MAX - 3, client.producer());
        let mut expected = Vec::new();
        for (count, end) in [(3, i32::MAX), (3, 2), (2, 4)] {
            let batch = batch(&records(count), Compression::Lz4, producer);
            let produced = client.produce(&target, -1, batch.bytes()).expect("it is answered");
            assert_eq!((produced.error_code, batch.next_sequence()), (ErrorCode::NONE, end));
            expected.push((i64::from(producer.sequence), i64::from(batch.last_sequence())));
            producer.sequence = batch.next_sequence();
        }
        let dumped = shared.judge(|judge| judge.dump(&shared.kafka.segments(1, "wrap", 0)[0]));
        let found: Vec<_> = dumped.iter().map(|batch| (batch.base_sequence, batch.last_sequence)).collect();
        assert_eq!(found, expected);
        let sequences = dumped.iter().flat_map(|batch| &batch.records).map(|record| record.sequence);
        let max = i64::from(i32::MAX);
        assert_eq!(sequences.collect::<Vec<_>>(), [max - 3, max - 2, max - 1, max, 0, 1, 2, 3]);
    }
}

/// The judge would not have let a bad checksum pass.
#[test]
fn damage_in_the_log_is_noticed() {
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        let topic_id = client.create_topic("judged", 1, &[]);
        let version = client.newest::<ProduceRequest<'_>>();
        let target = Target { version, topic: "judged", topic_id, partition: 0 };
        let producer = client.producer();
        assert_eq!(put(&mut client, &target, producer).0, ErrorCode::NONE);
        assert_eq!(put(&mut client, &target, at(3, producer)).0, ErrorCode::NONE);
        let segment = shared.kafka.segments(1, "judged", 0).remove(0);
        assert_eq!(shared.judge(|judge| judge.dump(&segment)).len(), 2);
        // The last byte of the last value; one behind it says that there are no headers.
        let mut bytes = fs::read(&segment).expect("a segment can be read");
        let damaged = bytes.len() - 2;
        bytes[damaged] ^= 1;
        let folder = shared.kafka.scratch("damaged");
        let copy = folder.join(segment.file_name().expect("it has a name"));
        fs::write(&copy, bytes).expect("a temporary file can be written");
        let found = shared.judge(|judge| judge.inspect(&copy));
        assert_eq!(found.iter().map(|batch| batch.is_valid).collect::<Vec<_>>(), [true, false]);
    }
}

#[test]
fn a_batch_that_is_too_large_is_taken_in_parts() {
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        let limit = TOO_LARGE_FROM.to_string();
        let topic_id = client.create_topic("split", 1, &[("max.message.bytes", &limit)]);
        let version = client.newest::<ProduceRequest<'_>>();
        let target = Target { version, topic: "split", topic_id, partition: 0 };
        let records: Vec<Owned> =
            (0..150).map(|at| Owned::new(TIME, None, Some(&noise(at, 100 + 5 * at as usize)))).collect();
        let (compression, mut compressors) = (Compression::Lz4, Compressors::new());
        let mut waiting = vec![batch(&records, compression, client.producer())];
        let mut parts = 0;
        while let Some(batch) = waiting.pop() {
            let produced = client.produce(&target, -1, batch.bytes()).expect("it is answered");
            if batch.bytes().len() <= TOO_LARGE_FROM {
                assert_eq!(produced.error_code, ErrorCode::NONE);
                parts += 1;
                continue;
            }
            assert_eq!(produced.error_code, ErrorCode::MESSAGE_TOO_LARGE);
            let [first, second] =
                batch.split(compression, &mut compressors).expect("it is whole").expect("it can");
            waiting.extend([second, first]);
        }
        let dumped = shared.judge(|judge| judge.dump(&shared.kafka.segments(1, "split", 0)[0]));
        assert_eq!(dumped.len(), parts);
        let sequences = dumped.iter().flat_map(|batch| &batch.records).map(|record| record.sequence);
        assert!(sequences.eq(0..records.len() as i64), "no gap");
        let found = shared.judge(|judge| judge.read("split"));
        assert!(found.iter().map(|stored| &stored.record).eq(&records), "in order");
    }
}
