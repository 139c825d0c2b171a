//! Every version of Produce with every codec and every acks, read back byte for byte.

use ringwire_codec::kafka::*;

use crate::client::{Client, Target};
use crate::judge::Stored;
use crate::line::lines;
use crate::records::{COMPRESSIONS, Owned, batch, samples};
use crate::server::Shared;

const ACKS: [i16; 3] = [-1, 1, 0];
/// What a broker answers to zstd before [`ZSTD_VERSION`].
const UNSUPPORTED_COMPRESSION_TYPE: ErrorCode = ErrorCode(76);
/// Batches to each partition.
const ROUNDS: u64 = 2;

#[test]
fn every_version_codec_and_acks_is_read_back() {
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        let versions: Vec<i16> = client.in_common(Api::Produce).collect();
        let newest = if line.version.starts_with("3.") { 11 } else { 13 };
        assert!(versions.iter().copied().eq(3..=newest), "{versions:?}");
        for version in versions {
            let topic = format!("produce-{version}");
            let partitions = (COMPRESSIONS.len() * ACKS.len()) as i32;
            let topic_id = client.create_topic(&topic, partitions, &[]);
            let expected = fill(&mut client, Target { version, topic: &topic, topic_id, partition: 0 });
            let found = shared.judge(|judge| judge.read(&topic));
            assert_eq!(found.len(), expected.len(), "{version}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found, expected, "{version}");
            }
        }
    }
}

/// A partition for each codec and acks, with [`ROUNDS`] batches in it; what must be there afterwards.
fn fill(client: &mut Client, mut target: Target<'_>) -> Vec<Stored> {
    let mut expected = Vec::new();
    for compression in COMPRESSIONS {
        for acks in ACKS {
            let may = compression.codec() != Codec::Zstd || target.version >= ZSTD_VERSION;
            // Idempotence needs acks=all.
            let mut producer = if acks == -1 { client.producer() } else { Producer::NONE };
            let mut offset = 0;
            for round in 0..ROUNDS {
                let records = samples(round);
                let batch = batch(&records, compression, producer);
                let produced = client.produce(&target, acks, batch.bytes());
                if !may {
                    let error = produced.map(|produced| produced.error_code);
                    assert!(error.is_none_or(|error| error == UNSUPPORTED_COMPRESSION_TYPE), "{error:?}");
                    // Without acks the broker ends the connection to say so.
                    break;
                }
                if let Some(produced) = produced {
                    assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, offset));
                    assert_eq!(produced.log_append_time_ms, -1);
                    assert_eq!(produced.log_start_offset, if target.version >= 5 { 0 } else { -1 });
                }
                producer.sequence = batch.next_sequence();
                expected.extend(stored(target.partition, offset, records));
                offset += i64::from(batch.count());
            }
            if may {
                assert_eq!(client.end_of(target.topic, target.partition), offset);
            } else if acks == 0 {
                client.reconnect();
            }
            target.partition += 1;
        }
    }
    expected
}

fn stored(partition: i32, from: i64, records: Vec<Owned>) -> impl Iterator<Item = Stored> {
    let placed = (from..).zip(records);
    placed.map(move |(offset, record)| Stored { partition, offset, is_log_append_time: false, record })
}
