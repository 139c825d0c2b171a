//! Records that tests write: small ones with everything that a record can have, and real quotes.

use std::fs;
use std::path::Path;

use ringwire_codec::kafka::{
    BatchLimits, Batches, Compression, Compressors, FrozenBatch, Header, Headers, INFLATED_LEN_MAX, Inflater,
    OpenBatch, Producer, Record,
};

/// Every codec, at its usual level.
pub(crate) const COMPRESSIONS: [Compression; 5] =
    [Compression::None, Compression::Gzip(6), Compression::Snappy, Compression::Lz4, Compression::Zstd(3)];

/// Milliseconds since 1970: the first of January 2020, when the quotes begin.
pub(crate) const TIME: i64 = 1_577_836_800_000;

/// Larger than every piece that is compressed at once.
const LARGE_LEN: usize = 100_000;
/// The same for bytes that do not compress.
const NOISE_LEN: usize = 50_000;

/// A record of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Owned {
    pub(crate) fn new(timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let owned = |bytes: &[u8]| bytes.to_vec();
        Self { timestamp, key: key.map(owned), value: value.map(owned), headers: Vec::new() }
    }

    fn with(mut self, headers: &[(&str, Option<&[u8]>)]) -> Self {
        let owned = headers.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.map(<[u8]>::to_vec)));
        self.headers = owned.collect();
        self
    }

    pub(crate) fn of(record: &Record<'_>) -> Self {
        let headers = record.headers.iter();
        Self {
            headers: headers.map(|it| (it.key.to_vec(), it.value.map(<[u8]>::to_vec))).collect(),
            ..Self::new(record.timestamp, record.key, record.value)
        }
    }

    /// Calls `with` with what the codec takes.
    pub(crate) fn lend<T>(&self, with: impl FnOnce(&Record<'_>) -> T) -> T {
        let headers = self.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() });
        let headers: Vec<Header<'_>> = headers.collect();
        with(&Record {
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: Headers::new(&headers),
        })
    }
}

/// Everything that a record can have and lack. No two batches that are made with different numbers are the same.
pub(crate) fn samples(number: u64) -> Vec<Owned> {
    let name = format!("batch {number}");
    let noise = noise(number, NOISE_LEN);
    let large: Vec<u8> = name.bytes().cycle().take(LARGE_LEN).collect();
    let mut samples = vec![
        Owned::new(TIME, None, Some(name.as_bytes())),
        Owned::new(TIME, Some(b""), Some(b"")),
        Owned::new(TIME + 1, Some(b"tombstone"), None),
        Owned::new(TIME + 1, None, None),
        Owned::new(TIME + 86_400_000, Some(&[0, 10, 13, 255]), Some("\u{20ac}\n\0".as_bytes())),
        // Out of order, down to the beginning of time.
        Owned::new(TIME - 1, Some(b"back"), Some(b"1")),
        Owned::new(0, Some(b"back"), Some(b"2")),
        Owned::new(TIME, Some(b"large"), Some(&large)),
        Owned::new(TIME, Some(&noise), Some(&noise)),
    ];
    let with_headers = || Owned::new(TIME, None, Some(b"headers"));
    samples.extend([
        with_headers().with(&[("one", Some(b"1"))]),
        with_headers().with(&[
            ("twice", Some(b"1")),
            ("twice", Some(b"2")),
            ("twice", Some(b"1")),
            ("other", Some(b"")),
            ("twice", None),
        ]),
        with_headers().with(&[("", Some(b"no name")), ("\u{e4}\u{20ac}", Some(&[0, 255])), ("null", None)]),
        with_headers().with(&[("large", Some(&noise))]),
    ]);
    samples
}

/// Bytes that do not compress, the same for the same seed: SplitMix64.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// The quotes of the repository: the symbol is the key, the line the value, its time the timestamp.
pub(crate) fn quotes() -> Vec<Owned> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/data/eurusd-quotes.csv");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().skip(1);
    let quotes = lines.map(|line| {
        let (time_ns, rest) = line.split_once(',').expect("a quote has a time");
        let symbol = rest.split(',').next().unwrap_or_default();
        let time_ns: i64 = time_ns.parse().expect("a time is a number");
        Owned::new(time_ns / 1_000_000, Some(symbol.as_bytes()), Some(line.as_bytes()))
    });
    quotes.collect()
}

/// The records that the batches of a log segment hold, each with its offset.
pub(crate) fn of_segment(path: &Path) -> Vec<(i64, Owned)> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut inflater = Inflater::new(INFLATED_LEN_MAX);
    let mut scratch = Vec::new();
    let mut found = Vec::new();
    let mut batches = Batches::new(&bytes);
    for batch in batches.by_ref() {
        let batch = batch.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let records = batch.records(&mut inflater, &mut scratch).unwrap_or_else(|error| panic!("{error}"));
        for record in records {
            let record = record.unwrap_or_else(|error| panic!("{error}"));
            found.push((record.offset, Owned::of(&record.record)));
        }
    }
    assert!(batches.rest().is_empty(), "{} is read to its end", path.display());
    found
}

/// All of them in one batch, however large.
pub(crate) fn batch(records: &[Owned], compression: Compression, producer: Producer) -> FrozenBatch {
    let mut batches = batches(records, usize::MAX, compression, producer);
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

/// Them in batches of so many bytes at most, before compression; the sequence goes on from one to the next.
pub(crate) fn batches(
    records: &[Owned],
    bytes: usize,
    compression: Compression,
    mut producer: Producer,
) -> Vec<FrozenBatch> {
    let limits = BatchLimits { bytes, bytes_max: usize::MAX, records: u32::MAX };
    let mut compressors = Compressors::new();
    let mut open = OpenBatch::new(limits, compression);
    let mut frozen: Vec<FrozenBatch> = Vec::new();
    for record in records {
        record.lend(|record| {
            if !open.fits(record) {
                let batch = open.freeze(producer, &mut compressors, Vec::new());
                producer.sequence = batch.next_sequence();
                frozen.push(batch);
            }
            open.push(record).expect("an empty batch takes any record");
        });
        // As a shard does it, whenever there is time.
        open.step(&mut compressors);
    }
    if !open.is_empty() {
        frozen.push(open.freeze(producer, &mut compressors, Vec::new()));
    }
    frozen
}
