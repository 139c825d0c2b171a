//! Beside the Java producer: where it puts keys, and what its batches are to our reader.

use ringwire::KafkaOptions;
use ringwire_codec::kafka::{Codec, murmur2_partition};

use crate::application::Application;
use crate::line::lines;
use crate::records::{Owned, TIME, noise, of_segment, quotes};
use crate::server::Shared;

const KEYS: usize = 10_000;
/// No power of two, so that every bit of the hash counts.
const PARTITIONS: i32 = 13;
/// Keys have 0 to this many bytes: every number of words and of odd bytes is among them.
const KEY_LEN_MAX: usize = 40;
/// Of the quotes, for each codec.
const RECORDS: usize = 3000;

#[test]
fn keys_land_where_the_java_producer_puts_them() {
    let keys: Vec<Vec<u8>> = (0..KEYS)
        .map(|number| {
            let words = format!("fx.eurusd.{number}").into_bytes();
            if number % 2 == 0 { words } else { noise(number as u64, number / 2 % (KEY_LEN_MAX + 1)) }
        })
        .collect();
    assert!(keys.iter().any(Vec::is_empty), "the empty key is a key");
    let records: Vec<Owned> = keys.iter().map(|key| Owned::new(TIME, Some(key), Some(b"x"))).collect();
    for line in lines() {
        let shared = Shared::of(line);
        for topic in ["keys", "keys-of-ours"] {
            shared.client().create_topic(topic, PARTITIONS, &[]);
        }
        let sent = shared.judge(|judge| judge.produce("keys", Codec::Lz4, &records));
        assert_eq!(sent.len(), KEYS);
        for (key, (partition, _)) in keys.iter().zip(&sent) {
            assert_eq!(murmur2_partition(key, PARTITIONS as u32), *partition as u32, "{key:?}");
        }
        let used = |partition: i32| sent.iter().any(|it| it.0 == partition);
        assert!((0..PARTITIONS).all(used), "keys are everywhere");
        let mut ours = Application::start(&[shared.kafka.addr(1)], KafkaOptions::default());
        let channel = ours.channel("keys-of-ours");
        for record in &records {
            ours.put(&channel, record, None);
        }
        // Each partition's records came in the same order: the offsets are the same too.
        assert_eq!(ours.positions(), sent);
    }
}

#[test]
fn batches_of_the_java_producer_are_read() {
    let quotes = &quotes()[..RECORDS];
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        for codec in Codec::ALL {
            let topic = format!("java-{}", codec.name());
            client.create_topic(&topic, 1, &[]);
            shared.judge(|judge| judge.produce(&topic, codec, quotes));
            let segments = shared.kafka.segments(1, &topic, 0);
            let dumped = shared.judge(|judge| judge.dump(&segments[0]));
            assert!(dumped.iter().all(|batch| batch.codec == codec.name()), "{codec:?}");
            let found = of_segment(&segments[0]);
            assert!(found.iter().map(|it| it.0).eq(0..RECORDS as i64), "{codec:?}");
            let content = |record: &Owned| (record.key.clone(), record.value.clone());
            assert!(found.iter().map(|it| content(&it.1)).eq(quotes.iter().map(content)), "{codec:?}");
            // The timestamps are the producer's clock: those that the dump shows.
            let theirs = dumped.iter().flat_map(|batch| &batch.records).map(|record| record.timestamp);
            assert!(found.iter().map(|(_, record)| record.timestamp).eq(theirs), "{codec:?}");
        }
    }
}
