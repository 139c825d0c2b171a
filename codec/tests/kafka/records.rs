//! Record batches: their layout, their limits, their life from open to split.

use ringwire_codec::kafka::*;

use crate::random::Random;

pub(crate) const COMPRESSIONS: [Compression; 6] = [
    Compression::None,
    Compression::Gzip(6),
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd(3),
    Compression::Zstd(-1),
];

/// Computes length and checksum of a batch anew.
pub(crate) fn reseal(batch: &mut [u8]) {
    if batch.len() >= 61 {
        let length = (batch.len() as i32 - 12).to_be_bytes();
        batch[8..12].copy_from_slice(&length);
        let crc = crc32c::crc32c(&batch[21..]).to_be_bytes();
        batch[17..21].copy_from_slice(&crc);
    }
}

/// A batch of `count` records that says its body is compressed with `codec`.
pub(crate) fn restamp(codec: Codec, count: i32, body: &[u8]) -> Vec<u8> {
    let mut batch = vec![0; 61];
    batch[16] = 2;
    batch[22] = codec as u8;
    batch[23..27].copy_from_slice(&count.saturating_sub(1).to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    batch.extend_from_slice(body);
    reseal(&mut batch);
    batch
}

pub(crate) fn value(value: &[u8]) -> Record<'_> {
    Record { timestamp: 1000, value: Some(value), ..Record::default() }
}

/// What a batch holds, with offsets.
pub(crate) fn read(batch: &[u8]) -> Result<Vec<(i64, i64, Vec<u8>)>, BatchError> {
    let (batch, _) = RecordBatch::read(batch)?;
    let mut scratch = Vec::new();
    let mut inflater = Inflater::default();
    let records = batch.records(&mut inflater, &mut scratch)?;
    let owned = |read: ReadRecord<'_>| {
        (read.offset, read.record.timestamp, read.record.value.unwrap_or_default().to_vec())
    };
    records.map(|read| read.map(owned)).collect()
}

/// Laid out by hand; the checksum was computed bit by bit elsewhere.
#[test]
fn golden() {
    let mut batch = OpenBatch::new(BatchLimits::default(), Compression::None);
    batch.push(&value(b"hi")).expect("room");
    let headers = [Header { key: b"h", value: None }];
    let record = Record { timestamp: 997, key: Some(b"k"), value: None, headers: Headers::new(&headers) };
    batch.push(&record).expect("room");
    let producer = Producer { id: 4000, epoch: 3, sequence: 17, transactional: false };
    let frozen = batch.freeze(producer, &mut Compressors::new(), Vec::new());
    let expected = [
        &[0, 0, 0, 0, 0, 0, 0, 0][..],               // base offset
        &[0, 0, 0, 69],                              // length behind these first twelve bytes
        &[0xff, 0xff, 0xff, 0xff, 2],                // leader epoch, magic
        &GOLDEN_CRC.to_be_bytes(),                   // checksum
        &[0, 0, 0, 0, 0, 1],                         // attributes, last offset delta
        &[0, 0, 0, 0, 0, 0, 0x03, 0xe8],             // base timestamp
        &[0, 0, 0, 0, 0, 0, 0x03, 0xe8],             // maximum timestamp
        &[0, 0, 0, 0, 0, 0, 0x0f, 0xa0, 0, 3],       // producer id, epoch
        &[0, 0, 0, 17, 0, 0, 0, 2],                  // base sequence, count
        &[0x10, 0, 0, 0, 1, 4, b'h', b'i', 0],       // length, attributes, deltas, no key, value, no headers
        &[0x14, 0, 5, 2, 2, b'k', 1, 2, 2, b'h', 1], // .. three milliseconds earlier, a key, no value, a header
    ]
    .concat();
    assert_eq!(frozen.bytes(), expected, "{:02x?}", frozen.bytes());
    assert_eq!((frozen.count(), frozen.last_sequence(), frozen.next_sequence()), (2, 18, 19));
    assert_eq!(read(frozen.bytes()), Ok(vec![(0, 1000, b"hi".to_vec()), (1, 997, vec![])]));
}

const GOLDEN_CRC: u32 = 0xb675_1178;

#[test]
fn what_fits_is_what_is_pushed() {
    let random = &mut Random::new(3);
    for seed in 0..2_000 {
        let limits = BatchLimits {
            bytes: 61 + random.below(200),
            bytes_max: 61 + random.below(300),
            records: random.below(6) as u32,
        };
        let bytes_max = limits.bytes_max;
        let mut batch = OpenBatch::new(limits, Compression::None);
        let mut compressors = Compressors::new();
        for _ in 0..8 {
            let key = random.bytes(80);
            let headers = [Header { key: &key, value: Some(&key) }; 2];
            let record = Record {
                timestamp: random.next() as i64 >> random.below(64),
                key: random.once_in(2).then_some(&key),
                value: random.once_in(2).then_some(&key),
                headers: Headers::new(&headers[..random.below(3)]),
            };
            let (fits, before) = (batch.fits(&record), batch.count());
            match batch.push(&record) {
                Ok(()) => assert!(fits && batch.count() == before + 1, "seed {seed}"),
                Err(PushError::Full) => {
                    assert!(!fits && before > 0);
                    let len = batch.plain_len();
                    let frozen = batch.freeze(Producer::NONE, &mut compressors, Vec::new());
                    assert_eq!((frozen.bytes().len(), frozen.plain_len()), (len, len), "seed {seed}");
                    let is_within = len <= limits.bytes.min(bytes_max) && before <= limits.records;
                    assert!(is_within || frozen.count() == 1, "seed {seed}");
                    assert!(batch.fits(&record), "an empty batch takes it");
                }
                Err(PushError::TooLarge { len, max }) => {
                    assert!(!fits && len > max && max == bytes_max, "seed {seed}");
                    let mut larger = OpenBatch::new(BatchLimits::default(), Compression::None);
                    larger.push(&record).expect("room");
                    assert_eq!(larger.plain_len(), len, "what it would have had");
                }
            }
            assert!(batch.plain_len() <= bytes_max.max(61), "seed {seed}");
        }
    }
}

#[test]
fn closed_is_full() {
    let mut batch = OpenBatch::new(BatchLimits::default(), Compression::Lz4);
    assert_eq!((batch.base_timestamp(), batch.is_empty(), batch.is_ready()), (None, true, false));
    batch.push(&value(b"x")).expect("room");
    batch.close();
    assert_eq!(batch.push(&value(b"x")), Err(PushError::Full));
    assert!(!batch.is_ready());
    let mut compressors = Compressors::new();
    assert!(!batch.step(&mut compressors), "one piece is all there is");
    assert!(batch.is_ready());
    assert_eq!(batch.freeze(Producer::NONE, &mut compressors, Vec::new()).count(), 1);
    assert_eq!((batch.is_empty(), batch.is_ready(), batch.base_timestamp()), (true, false, None));
    batch.push(&value(b"next")).expect("it is open again");
}

/// However compression was spread over the filling of the batch, the records come back.
#[test]
fn compressing_while_filling() {
    let mut compressors = Compressors::new();
    let mut inflater = Inflater::default();
    let mut spare = Vec::new();
    for seed in 0..40 {
        for compression in COMPRESSIONS {
            let random = &mut Random::new(seed);
            // Some batches of less than a piece, some of many.
            let wanted = [100, 4 << 10, 16 << 10, 32 << 10, 300_000][random.below(5)];
            let mut batch = OpenBatch::new(BatchLimits::default(), compression);
            let mut pushed = Vec::new();
            while batch.plain_len() < wanted {
                let len = 1 + random.below(400);
                let noise = random.once_in(4);
                let text =
                    (0..len).map(|at| if noise { random.next() as u8 } else { (at % 7) as u8 }).collect();
                let text: Vec<u8> = text;
                batch.push(&value(&text)).expect("room");
                pushed.push(text);
                if random.once_in(3) {
                    batch.step(&mut compressors);
                }
            }
            let sequence = random.next() as i32 & i32::MAX;
            let producer = Producer { id: 7, epoch: 1, sequence, transactional: seed % 2 == 0 };
            let plain_len = batch.plain_len();
            let frozen = batch.freeze(producer, &mut compressors, std::mem::take(&mut spare));
            assert!(frozen.bytes().len() <= plain_len, "never longer than it was");
            let (header, len) = RecordBatch::read(frozen.bytes()).expect("a batch");
            assert_eq!((len, header.check_produced()), (frozen.bytes().len(), Ok(())));
            assert_eq!((header.producer_id, header.base_sequence), (7, sequence));
            assert_eq!(header.is_transactional, producer.transactional);
            assert_eq!(header.next_offset(), i64::from(frozen.count()));
            let mut scratch = Vec::new();
            let records = header.records(&mut inflater, &mut scratch).expect("it decompresses");
            let read: Vec<_> =
                records.map(|read| read.expect("a record").record.value.expect("a value").to_vec()).collect();
            assert_eq!(read, pushed, "{compression:?}, seed {seed}");
            if plain_len > 50_000 {
                assert_eq!(header.codec, compression.codec(), "it is worth it");
            }
            spare = frozen.into_buffer();
        }
    }
}

/// A batch that ends where a piece ends has nothing left for its last piece.
#[test]
fn whole_pieces() {
    let mut compressors = Compressors::new();
    for compression in COMPRESSIONS {
        for pieces in [4 << 10, 16 << 10, 32 << 10, 64 << 10] {
            let mut batch = OpenBatch::new(BatchLimits::default(), compression);
            batch.push(&value(&[1; 100])).expect("room");
            // Around a value: two lengths of two or three bytes each, and five bytes.
            let around = if pieces > 8 << 10 { 11 } else { 9 };
            let rest = vec![2; pieces + 61 - batch.plain_len() - around];
            batch.push(&value(&rest)).expect("room");
            assert_eq!(batch.plain_len(), 61 + pieces);
            while batch.step(&mut compressors) {}
            let frozen = batch.freeze(Producer::NONE, &mut compressors, Vec::new());
            let records = read(frozen.bytes()).expect("it can be read");
            assert_eq!((records.len(), &records[1].2), (2, &rest), "{compression:?}, {pieces} bytes");
        }
    }
}

/// What does not shrink goes out as it is.
#[test]
fn noise_is_not_compressed() {
    let noise = Random::new(5).bytes(70_000);
    for compression in COMPRESSIONS {
        let mut batch = OpenBatch::new(BatchLimits::default(), compression);
        for record in noise.chunks(1000) {
            batch.push(&value(record)).expect("room");
        }
        let plain_len = batch.plain_len();
        let frozen = batch.freeze(Producer::NONE, &mut Compressors::new(), Vec::new());
        assert_eq!(frozen.bytes().len(), plain_len, "{compression:?}");
        assert_eq!(RecordBatch::read(frozen.bytes()).expect("a batch").0.codec, Codec::None);
    }
}

/// Whatever the memory held before, the batch is the same.
#[test]
fn used_memory() {
    let mut compressors = Compressors::new();
    for compression in COMPRESSIONS {
        let mut batch = OpenBatch::new(BatchLimits::default(), compression);
        let mut fill = |spare: Vec<u8>| {
            (0..20).for_each(|_| batch.push(&value(&[7; 50])).expect("room"));
            batch.freeze(Producer::NONE, &mut compressors, spare)
        };
        let first = fill(vec![0xff; 5000]);
        for spare in [vec![0xff; 30], Vec::new(), vec![0xff; 700], first.clone().into_buffer()] {
            assert_eq!(fill(spare), first, "{compression:?}");
        }
    }
}

#[test]
fn renumbering() {
    let mut batch = OpenBatch::new(BatchLimits::default(), Compression::Gzip(1));
    (0..100).for_each(|_| batch.push(&value(&[7; 50])).expect("room"));
    let first = Producer { id: 1, epoch: 2, sequence: 30, transactional: true };
    let mut frozen = batch.freeze(first, &mut Compressors::new(), Vec::new());
    let original = frozen.clone();
    let second = Producer { id: 5, epoch: 3, sequence: 0, transactional: false };
    frozen.renumber(second);
    let (header, _) = RecordBatch::read(frozen.bytes()).expect("the checksum is right");
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (5, 3, 0));
    assert_eq!((header.is_transactional, header.codec), (false, Codec::Gzip));
    assert_eq!(frozen.producer(), second);
    assert_eq!(read(frozen.bytes()), read(original.bytes()));
    frozen.renumber(first);
    assert_eq!(frozen, original);
}

#[test]
fn splitting() {
    let mut compressors = Compressors::new();
    let check = |lens: &[usize], sequence: i32, compression, compressors: &mut Compressors| {
        let mut batch = OpenBatch::new(BatchLimits::default(), compression);
        let headers = [Header { key: b"h", value: Some(b"v") }, Header { key: b"h", value: None }];
        for (index, &len) in lens.iter().enumerate() {
            let timestamp = 1000 - index as i64 * 300;
            let text = vec![index as u8; len];
            let record =
                Record { timestamp, key: Some(b"k"), value: Some(&text), headers: Headers::new(&headers) };
            batch.push(&record).expect("room");
        }
        let producer = Producer { id: 3, epoch: 1, sequence, transactional: false };
        let whole = batch.freeze(producer, compressors, Vec::new());
        let halves = whole.split(compression, compressors).expect("it can be read");
        let Some([first, second]) = halves else {
            assert_eq!(whole.count(), 1, "one record cannot be split");
            return;
        };
        assert!(whole.count() > 1 && first.count() > 0 && second.count() > 0);
        assert_eq!(first.count() + second.count(), whole.count());
        assert_eq!(first.producer(), producer);
        assert_eq!(second.producer().sequence, first.next_sequence());
        assert_eq!(second.last_sequence(), whole.last_sequence());
        let half = whole.plain_len() / 2 + 61 + lens.iter().max().expect("a record") + 40;
        assert!(first.plain_len() <= half && second.plain_len() <= half, "{lens:?}");
        let shift = i64::from(first.count());
        let mut both = read(first.bytes()).expect("it can be read");
        let second = read(second.bytes()).expect("it can be read");
        both.extend(second.into_iter().map(|(offset, time, text)| (offset + shift, time, text)));
        assert_eq!(Ok(both), read(whole.bytes()));
    };
    for compression in COMPRESSIONS {
        for sequence in [0, 17, i32::MAX, i32::MAX - 1, i32::MAX - 2] {
            check(&[10], sequence, compression, &mut compressors);
            check(&[10, 10], sequence, compression, &mut compressors);
            check(&[1000, 10, 10], sequence, compression, &mut compressors);
            check(&[10, 10, 1000], sequence, compression, &mut compressors);
            check(&[10, 1000, 10], sequence, compression, &mut compressors);
            check(&[300; 200], sequence, compression, &mut compressors);
        }
    }
}

#[test]
fn sequences_wrap() {
    let check = |sequence, count, expected| assert_eq!(next_sequence(sequence, count), expected);
    check(0, 1, 1);
    check(i32::MAX, 1, 0);
    check(i32::MAX - 1, 3, 1);
    check(i32::MAX, i32::MAX as u32, i32::MAX - 1);
    check(-1, 5, -1);
}

#[test]
fn several_batches() {
    let mut compressors = Compressors::new();
    let mut set = Vec::new();
    for compression in COMPRESSIONS {
        let mut batch = OpenBatch::new(BatchLimits::default(), compression);
        (0..10).for_each(|_| batch.push(&value(&[1; 100])).expect("room"));
        set.extend_from_slice(batch.freeze(Producer::NONE, &mut compressors, Vec::new()).bytes());
    }
    let ends: Vec<usize> = Batches::new(&set)
        .scan(0, |end, batch| {
            batch.expect("a batch");
            *end += RecordBatch::read(&set[*end..]).expect("a batch").1;
            Some(*end)
        })
        .collect();
    assert_eq!((ends.len(), ends.last()), (COMPRESSIONS.len(), Some(&set.len())));
    // Wherever a Fetch answer is cut off, the whole batches are found, and the rest is no error.
    for len in 0..=set.len() {
        let mut batches = Batches::new(&set[..len]);
        let whole = batches.by_ref().inspect(|batch| assert!(batch.is_ok())).count();
        let expected = ends.iter().filter(|&&end| end <= len).count();
        assert_eq!(whole, expected, "cut to {len} bytes");
        let rest = len - ends[..expected].last().unwrap_or(&0);
        assert_eq!(batches.rest().len(), rest, "cut to {len} bytes");
    }
}
