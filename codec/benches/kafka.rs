//! Record batches beside kafka-protocol, and each codec beside the compressor alone.
//!
//! ```text
//!   cargo bench -p ringwire-codec --bench kafka
//! ```
//!
//! An iteration fills one batch with records of 100 bytes of real quotes and freezes it in the memory of the one
//! before: copy, compression and checksum together. Throughput counts records.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use kafka_protocol::records as theirs;
use ringwire_codec::kafka::{
    BatchLimits, Compression, Compressors, Inflater, OpenBatch, Producer, Record, RecordBatch, crc32, murmur2,
};

/// Lines of quotes, joined and cut: what decides how well they compress.
const QUOTES: &[u8] = include_bytes!("../../bench/data/eurusd-quotes.csv");

/// Payload of a record in bytes.
const PAYLOAD_LEN: usize = 100;

/// A batch of 64 kB: what fills up while a broker answers, at half a million records a second.
const RECORDS: usize = 600;

/// A batch of the size that brokers take at most.
const RECORDS_LARGE: usize = 8_700;

const KEY: &[u8] = b"EURUSD.A";
const PRODUCER: Producer = Producer { id: 4000, epoch: 0, sequence: 0, transactional: false };

const COMPRESSIONS: [(&str, Compression); 5] = [
    ("lz4", Compression::Lz4),
    ("snappy", Compression::Snappy),
    ("zstd 1", Compression::Zstd(1)),
    ("zstd 3", Compression::Zstd(3)),
    ("gzip 1", Compression::Gzip(1)),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let payloads: Vec<&[u8]> = QUOTES.chunks_exact(PAYLOAD_LEN).cycle().take(RECORDS_LARGE).collect();
    plain(&mut criterion, &payloads);
    compressed(&mut criterion, &payloads[..RECORDS]);
    compressors_alone(&mut criterion, &payloads[..RECORDS]);
    pieces(&mut criterion, &payloads);
    reading(&mut criterion, &payloads[..RECORDS]);
    partitioners(&mut criterion);
    criterion.final_summary();
}

fn fill(batch: &mut OpenBatch, payloads: &[&[u8]], key: Option<&[u8]>) {
    for (timestamp, payload) in (1_700_000_000_000..).zip(payloads) {
        let record = Record { timestamp, key, value: Some(payload), ..Record::default() };
        batch.push(black_box(&record)).expect("room");
    }
}

fn plain(criterion: &mut Criterion, payloads: &[&[u8]]) {
    let mut group = criterion.benchmark_group("encode, no compression");
    let cases =
        [("600", RECORDS, None), ("600 with keys", RECORDS, Some(KEY)), ("8700", RECORDS_LARGE, None)];
    for (name, count, key) in cases {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("ringwire {name}"), |bencher| {
            let mut compressors = Compressors::new();
            let mut batch = OpenBatch::new(BatchLimits::default(), Compression::None);
            let mut spare = Vec::new();
            bencher.iter(|| {
                fill(&mut batch, &payloads[..count], key);
                let frozen = batch.freeze(PRODUCER, &mut compressors, std::mem::take(&mut spare));
                spare = black_box(frozen).into_buffer();
            });
        });
    }
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("kafka-protocol 600", |bencher| {
        let options = theirs::RecordEncodeOptions { version: 2, compression: theirs::Compression::None };
        let records: Vec<_> =
            (0..).zip(&payloads[..RECORDS]).map(|(index, payload)| their(index, payload)).collect();
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            theirs::RecordBatchEncoder::encode(&mut out, black_box(&records), &options).expect("a batch");
        });
    });
    group.finish();
}

fn their(index: i64, payload: &[u8]) -> theirs::Record {
    theirs::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: 4000,
        producer_epoch: 0,
        timestamp_type: theirs::TimestampType::Creation,
        offset: index,
        sequence: index as i32,
        timestamp: 1_700_000_000_000 + index,
        key: None,
        value: Some(payload.to_vec().into()),
        headers: Default::default(),
    }
}

fn compressed(criterion: &mut Criterion, payloads: &[&[u8]]) {
    let mut group = criterion.benchmark_group("encode, compressed");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, compression) in COMPRESSIONS {
        group.bench_function(name, |bencher| {
            let mut compressors = Compressors::new();
            let mut batch = OpenBatch::new(BatchLimits::default(), compression);
            let mut spare = Vec::new();
            bencher.iter(|| {
                fill(&mut batch, payloads, None);
                let frozen = batch.freeze(PRODUCER, &mut compressors, std::mem::take(&mut spare));
                spare = black_box(frozen).into_buffer();
            });
        });
    }
    group.finish();
}

/// The same records as bytes, by the compressor's own fastest call.
fn compressors_alone(criterion: &mut Criterion, payloads: &[&[u8]]) {
    let mut batch = OpenBatch::new(BatchLimits::default(), Compression::None);
    fill(&mut batch, payloads, None);
    let frozen = batch.freeze(PRODUCER, &mut Compressors::new(), Vec::new());
    let plain = &frozen.bytes()[61..];
    let mut out = vec![0; 2 * plain.len()];
    let mut group = criterion.benchmark_group("compressor alone");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("lz4_flex block", |bencher| {
        let mut table = lz4_flex::block::CompressTable::large();
        bencher.iter(|| {
            lz4_flex::block::compress_into_with_table(black_box(plain), &mut out, &mut table).expect("room")
        });
    });
    group.bench_function("snap", |bencher| {
        let mut encoder = snap::raw::Encoder::new();
        bencher.iter(|| encoder.compress(black_box(plain), &mut out).expect("room"));
    });
    for level in [1, 3] {
        group.bench_function(format!("zstd {level}"), |bencher| {
            let mut context = zstd_safe::CCtx::create();
            bencher.iter(|| context.compress(&mut out[..], black_box(plain), level).expect("room"));
        });
    }
    group.bench_function("crc32c", |bencher| bencher.iter(|| crc32c::crc32c(black_box(plain))));
    group.finish();
}

/// What one `step` takes on average, over a batch of a megabyte: how long its neighbours wait.
#[allow(clippy::disallowed_methods, reason = "the codec has no clock; what measures it does")]
fn pieces(criterion: &mut Criterion, payloads: &[&[u8]]) {
    let mut group = criterion.benchmark_group("compress a megabyte, by pieces");
    for (name, compression) in COMPRESSIONS {
        let mut compressors = Compressors::new();
        let mut batch = OpenBatch::new(BatchLimits::default(), compression);
        fill(&mut batch, payloads, None);
        batch.close();
        let mut steps = 1;
        while batch.step(&mut compressors) {
            steps += 1;
        }
        let mut spare = batch.freeze(PRODUCER, &mut compressors, Vec::new()).into_buffer();
        group.throughput(Throughput::Elements(steps));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..rounds {
                    fill(&mut batch, payloads, None);
                    batch.close();
                    let start = std::time::Instant::now();
                    while batch.step(&mut compressors) {}
                    spent += start.elapsed();
                    let frozen = batch.freeze(PRODUCER, &mut compressors, std::mem::take(&mut spare));
                    spare = frozen.into_buffer();
                }
                spent
            });
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion, payloads: &[&[u8]]) {
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, compression) in [("none", Compression::None)].into_iter().chain(COMPRESSIONS) {
        let mut batch = OpenBatch::new(BatchLimits::default(), compression);
        fill(&mut batch, payloads, None);
        let frozen = batch.freeze(PRODUCER, &mut Compressors::new(), Vec::new());
        let (mut inflater, mut scratch) = (Inflater::default(), Vec::new());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (batch, _) = RecordBatch::read(black_box(frozen.bytes())).expect("a batch");
                let records = batch.records(&mut inflater, &mut scratch).expect("records");
                records
                    .map(|read| read.expect("a record").record.value.expect("a value").len())
                    .sum::<usize>()
            });
        });
    }
    group.finish();
}

fn partitioners(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("partition a key of 8 bytes");
    group.bench_function("murmur2", |bencher| bencher.iter(|| murmur2(black_box(KEY))));
    group.bench_function("crc32", |bencher| bencher.iter(|| crc32(black_box(KEY))));
    group.finish();
}
