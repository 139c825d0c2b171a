//! The producer, by the library: what it says of each record is what the broker has, by every codec and acks.

use ringwire::{Acks, Compression, KafkaOptions, Outcome, Reason};
use ringwire_tests::patience::until;

use crate::application::Application;
use crate::judge::{Dumped, Stored};
use crate::line::lines;
use crate::records::{COMPRESSIONS, Owned, quotes, samples};
use crate::server::Shared;

/// Records go to them in turn.
const PARTITIONS: usize = 3;
/// Quotes of a batch that compression certainly makes shorter.
const MANY: i64 = 50;
/// In each partition, before the quotes: noise is among them.
const SAMPLES_MAX: i64 = 8;
const ACKS: [Acks; 2] = [Acks::Leader, Acks::None];

/// Everything that a record can have, and the quotes. A message's time 0 is the time at which it is sent: the sample
/// from the beginning of time is a millisecond younger.
fn records() -> Vec<Owned> {
    let mut records = samples(0);
    records.extend(quotes());
    for record in &mut records {
        record.timestamp = record.timestamp.max(1);
    }
    records
}

/// The same to every one of them: which goes where, and behind how many others.
fn places(count: usize) -> Vec<(i32, i64)> {
    (0..count).map(|at| ((at % PARTITIONS) as i32, (at / PARTITIONS) as i64)).collect()
}

fn send(shared: &Shared, topic: &str, records: &[Owned], options: KafkaOptions) -> Application {
    shared.client().create_topic(topic, PARTITIONS as i32, &[]);
    let mut application = Application::start(&[shared.kafka.addr(1)], options);
    let channel = application.channel(topic);
    for (at, record) in records.iter().enumerate() {
        application.put(&channel, record, Some((at % PARTITIONS) as u32));
    }
    application
}

#[test]
fn every_record_is_delivered_where_its_report_says() {
    let records = records();
    for line in lines() {
        let shared = Shared::of(line);
        for compression in COMPRESSIONS {
            let topic = format!("delivered-{}", compression.codec().name());
            let options = KafkaOptions { compression, ..KafkaOptions::default() };
            let mut application = send(shared, &topic, &records, options);
            assert!(application.positions().iter().eq(&places(records.len())), "{compression:?}");
            check_stored(&shared.judge(|judge| judge.read(&topic)), &records);
            for partition in 0..PARTITIONS {
                let count = places(records.len()).iter().filter(|it| it.0 == partition as i32).count();
                let segments = shared.kafka.segments(1, &topic, partition as i32);
                assert_eq!(segments.len(), 1);
                check_sequences(&shared.judge(|judge| judge.dump(&segments[0])), compression, count);
            }
        }
    }
}

/// Byte for byte, in order, and nothing else.
fn check_stored(found: &[Stored], records: &[Owned]) {
    let mut expected: Vec<_> = places(records.len()).into_iter().zip(records).collect();
    expected.sort_by_key(|it| it.0);
    assert_eq!(found.len(), expected.len());
    for (found, ((partition, offset), record)) in found.iter().zip(expected) {
        assert_eq!((found.partition, found.offset, &found.record), (partition, offset, record));
    }
}

/// From 0 without a gap, by one idempotent producer.
fn check_sequences(batches: &[Dumped], compression: Compression, count: usize) {
    let sequences = batches.iter().flat_map(|batch| &batch.records).map(|record| record.sequence);
    assert!(sequences.eq(0..count as i64), "{compression:?}");
    for batch in batches {
        assert_eq!((batch.producer_id, batch.producer_epoch), (batches[0].producer_id, 0));
        // What compression would make longer, such as noise, goes out as it is.
        let may_be_plain = batch.count < MANY || batch.base_offset < SAMPLES_MAX;
        let is_expected = batch.codec == compression.codec().name();
        assert!(
            is_expected || may_be_plain && batch.codec == "none",
            "{compression:?}: {} of {}",
            batch.codec,
            batch.count
        );
    }
    assert!(batches.iter().any(|batch| batch.count >= MANY), "quotes go out together");
    assert!(batches[0].producer_id >= 0, "it is idempotent");
}

#[test]
fn with_fewer_acknowledgements_everything_is_there_too() {
    let records = records();
    for line in lines() {
        let shared = Shared::of(line);
        for acks in ACKS {
            let topic = format!("acknowledged-{}", acks.number());
            let options = KafkaOptions { acks, compression: Compression::Lz4, ..KafkaOptions::default() };
            let mut application = send(shared, &topic, &records, options);
            if acks == Acks::Leader {
                assert!(application.positions().iter().eq(&places(records.len())));
            } else {
                let expected = (Outcome::Unknown, Reason::NotAcknowledged);
                let outcomes = application.outcomes();
                assert!(outcomes.iter().all(|report| (report.outcome, report.reason) == expected));
            }
            let mut client = shared.client();
            until("the broker to have them all", || {
                let ends = (0..PARTITIONS).map(|partition| client.end_of(&topic, partition as i32));
                ends.sum::<i64>() == records.len() as i64
            });
            check_stored(&shared.judge(|judge| judge.read(&topic)), &records);
        }
    }
}
