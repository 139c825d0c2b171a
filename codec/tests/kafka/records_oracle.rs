//! Record batches both ways against kafka-protocol and its codecs: C lz4, the zstd crate, gzip and snappy.

use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as theirs;
use ringwire_codec::kafka::*;

use crate::random::Random;

/// Batches for each codec.
const ROUNDS: u64 = 60;

struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Mostly small and alike, sometimes large, sometimes noise: several blocks for each codec now and then.
fn records(random: &mut Random) -> Vec<Owned> {
    let bytes = |random: &mut Random| {
        let len = if random.once_in(30) { 20_000 } else { 120 };
        let noise = random.once_in(5);
        (0..random.below(len)).map(|at| if noise { random.next() as u8 } else { at as u8 & 7 }).collect()
    };
    let base = 1_700_000_000_000;
    let count = if random.once_in(4) { 400 } else { 10 };
    (0..1 + random.below(count))
        .map(|_| Owned {
            timestamp: base + i64::from(random.next() as i16),
            key: random.once_in(2).then(|| bytes(random)),
            value: (!random.once_in(9)).then(|| bytes(random)),
            // Their headers are a map: keys must differ.
            headers: (0..random.below(3))
                .map(|index| (format!("h{index}"), random.once_in(2).then(|| bytes(random))))
                .collect(),
        })
        .collect()
}

fn same(owned: &[Owned], their: &[theirs::Record], producer: Producer) {
    assert_eq!(owned.len(), their.len());
    for (index, (our, their)) in owned.iter().zip(their).enumerate() {
        assert_eq!((their.offset, their.timestamp), (index as i64, our.timestamp));
        assert_eq!((their.producer_id, their.producer_epoch), (producer.id, producer.epoch));
        assert_eq!(their.sequence, producer.sequence + index as i32);
        assert_eq!((their.transactional, their.control), (producer.transactional, false));
        assert_eq!(their.key.as_deref(), our.key.as_deref());
        assert_eq!(their.value.as_deref(), our.value.as_deref());
        let headers =
            their.headers.iter().map(|(key, value)| (key.to_string(), value.as_ref().map(|it| it.to_vec())));
        assert_eq!(headers.collect::<Vec<_>>(), our.headers);
    }
}

#[test]
fn they_read_what_we_write() {
    let mut compressors = Compressors::new();
    for compression in crate::records::COMPRESSIONS {
        let mut compressed = 0;
        for seed in 0..ROUNDS {
            let random = &mut Random::new(seed);
            let owned = records(random);
            let limits = BatchLimits { bytes: 1 << 30, bytes_max: 1 << 30, ..BatchLimits::default() };
            let mut batch = OpenBatch::new(limits, compression);
            for record in &owned {
                let headers: Vec<_> = record
                    .headers
                    .iter()
                    .map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() })
                    .collect();
                let (key, value) = (record.key.as_deref(), record.value.as_deref());
                let headers = Headers::new(&headers);
                batch.push(&Record { timestamp: record.timestamp, key, value, headers }).expect("room");
                batch.step(&mut compressors);
            }
            let producer = Producer { id: 9, epoch: 2, sequence: 100, transactional: seed % 2 == 0 };
            let frozen = batch.freeze(producer, &mut compressors, Vec::new());
            let codec = RecordBatch::read(frozen.bytes()).expect("a batch").0.codec;
            compressed += usize::from(codec == compression.codec());
            let mut rest = frozen.bytes();
            let their = theirs::RecordBatchDecoder::decode(&mut rest)
                .unwrap_or_else(|error| panic!("{compression:?}, seed {seed}: {error:#}"));
            assert!(rest.is_empty());
            assert_eq!(their.compression as i16, codec as i16);
            same(&owned, &their.records, producer);
        }
        assert!(compressed > ROUNDS as usize / 2, "{compression:?}: most batches shrink");
    }
}

#[test]
fn we_read_what_they_write() {
    let mut inflater = Inflater::default();
    let mut scratch = Vec::new();
    let compressions = [
        theirs::Compression::None,
        theirs::Compression::Gzip,
        theirs::Compression::Snappy,
        theirs::Compression::Lz4,
        theirs::Compression::Zstd,
    ];
    for compression in compressions {
        for seed in 0..ROUNDS {
            let random = &mut Random::new(seed);
            let owned = records(random);
            let base_offset = if random.once_in(2) { 0 } else { 1 << 40 };
            let their: Vec<_> = owned
                .iter()
                .enumerate()
                .map(|(index, record)| {
                    let mut headers: kafka_protocol::indexmap::IndexMap<_, _> = Default::default();
                    for (key, value) in &record.headers {
                        headers.insert(StrBytes::from_string(key.clone()), value.clone().map(Into::into));
                    }
                    theirs::Record {
                        transactional: false,
                        control: false,
                        delete_horizon: false,
                        partition_leader_epoch: 6,
                        producer_id: 9,
                        producer_epoch: 2,
                        timestamp_type: theirs::TimestampType::Creation,
                        offset: base_offset + index as i64,
                        sequence: 100 + index as i32,
                        timestamp: record.timestamp,
                        key: record.key.clone().map(Into::into),
                        value: record.value.clone().map(Into::into),
                        headers,
                    }
                })
                .collect();
            let mut bytes = Vec::new();
            let options = theirs::RecordEncodeOptions { version: 2, compression };
            theirs::RecordBatchEncoder::encode(&mut bytes, &their, &options).expect("they can write it");

            let (batch, len) = RecordBatch::read(&bytes).expect("a batch");
            let at = format!("{compression:?}, seed {seed}");
            assert_eq!(
                (len, batch.count as usize, batch.codec as i16),
                (bytes.len(), owned.len(), compression as i16)
            );
            assert_eq!((batch.leader_epoch, batch.base_sequence, batch.base_offset), (6, 100, base_offset));
            assert_eq!((batch.producer_id, batch.producer_epoch), (9, 2));
            let records =
                batch.records(&mut inflater, &mut scratch).unwrap_or_else(|error| panic!("{at}: {error}"));
            let mut count = 0;
            for ((our, read), index) in owned.iter().zip(records).zip(0..) {
                let ReadRecord { offset, record } = read.unwrap_or_else(|error| panic!("{at}: {error}"));
                assert_eq!((offset, record.timestamp), (base_offset + index, our.timestamp), "{at}");
                assert_eq!((record.key, record.value), (our.key.as_deref(), our.value.as_deref()), "{at}");
                let headers = record.headers.iter();
                let read: Vec<_> = headers.map(|header| (header.key, header.value)).collect();
                let expected = our.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref()));
                assert_eq!(read, expected.collect::<Vec<_>>(), "{at}");
                count += 1;
            }
            assert_eq!(count, owned.len());
        }
    }
}
