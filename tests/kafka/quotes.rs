//! Real quotes through every codec and level: read back by Java's consumer, by Kafka's own dump, and by us.

use ringwire_codec::kafka::*;

use crate::client::Target;
use crate::judge::{Dumped, Stored};
use crate::line::lines;
use crate::records::{COMPRESSIONS, Owned, batches, of_segment, quotes};
use crate::server::Shared;

/// Fastest and best.
const LEVELS: [Compression; 4] =
    [Compression::Gzip(1), Compression::Gzip(9), Compression::Zstd(-7), Compression::Zstd(19)];
/// Some ten batches for the file; more than one piece of every codec in each.
const BATCH_LEN_MAX: usize = 64 << 10;

#[test]
fn quotes_are_read_back_and_their_batches_are_valid() {
    let quotes = quotes();
    assert!(quotes.len() > 9000, "the file is whole");
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        let compressions: Vec<Compression> = COMPRESSIONS.into_iter().chain(LEVELS).collect();
        let topic_id = client.create_topic("quotes", compressions.len() as i32, &[]);
        let version = client.newest::<ProduceRequest<'_>>();
        for (partition, compression) in (0..).zip(&compressions) {
            let target = Target { version, topic: "quotes", topic_id, partition };
            let mut offset = 0;
            for batch in batches(&quotes, BATCH_LEN_MAX, *compression, client.producer()) {
                let produced = client.produce(&target, -1, batch.bytes()).expect("it is answered");
                assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, offset));
                offset += i64::from(batch.count());
            }
            assert_eq!(offset, quotes.len() as i64);
        }
        let found = shared.judge(|judge| judge.read("quotes"));
        assert_eq!(found.len(), quotes.len() * compressions.len());
        for (partition, compression) in (0..).zip(&compressions) {
            let found = found.iter().filter(|stored| stored.partition == partition);
            check_found(found, &quotes);
            let segments = shared.kafka.segments(1, "quotes", partition);
            assert_eq!(segments.len(), 1);
            check_dumped(&shared.judge(|judge| judge.dump(&segments[0])), *compression, &quotes);
            let ours = of_segment(&segments[0]);
            assert!(ours.iter().map(|it| it.0).eq(0..quotes.len() as i64), "{compression:?}");
            assert!(ours.iter().map(|it| &it.1).eq(&quotes), "{compression:?}");
        }
    }
}

fn check_found<'s>(found: impl Iterator<Item = &'s Stored>, quotes: &[Owned]) {
    let mut count = 0;
    for (at, (found, quote)) in found.zip(quotes).enumerate() {
        assert_eq!((found.offset, found.is_log_append_time, &found.record), (at as i64, false, quote));
        count += 1;
    }
    assert_eq!(count, quotes.len());
}

/// Batch after batch without a gap in offsets and sequences, and the records as they were.
fn check_dumped(batches: &[Dumped], compression: Compression, quotes: &[Owned]) {
    assert!(batches.len() > 5, "{compression:?}: {} batches", batches.len());
    let mut next = 0;
    for batch in batches {
        assert_eq!((batch.base_offset, batch.base_sequence), (next, next), "{compression:?}");
        next += batch.count;
        assert_eq!((batch.last_offset, batch.last_sequence), (next - 1, next - 1), "{compression:?}");
        assert_eq!(batch.codec, compression.codec().name());
        assert_eq!((batch.producer_id, batch.producer_epoch), (batches[0].producer_id, 0));
    }
    let records: Vec<_> = batches.iter().flat_map(|batch| &batch.records).collect();
    assert_eq!((records.len(), next), (quotes.len(), quotes.len() as i64), "{compression:?}");
    for (at, (record, quote)) in records.into_iter().zip(quotes).enumerate() {
        let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
        let expected = (at as i64, at as i64, quote.timestamp, len(&quote.key), len(&quote.value));
        let found = (record.offset, record.sequence, record.timestamp, record.key_len, record.value_len);
        assert_eq!(found, expected, "{compression:?}");
    }
}
