//! What a reader refuses: damaged batches, lying ones, and those that decompress without end.

use ringwire_codec::kafka::*;

use crate::records::{COMPRESSIONS, read, reseal, restamp, value};

/// A batch of two records, not compressed.
fn sample() -> Vec<u8> {
    let mut batch = OpenBatch::new(BatchLimits::default(), Compression::None);
    batch.push(&value(b"one")).expect("room");
    batch.push(&value(b"two")).expect("room");
    batch.freeze(Producer::NONE, &mut Compressors::new(), Vec::new()).bytes().to_vec()
}

/// The sample with some of its bytes replaced, and its length and checksum right.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = sample();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    reseal(&mut batch);
    batch
}

#[test]
fn damaged() {
    let batch = sample();
    for at in 12..batch.len() {
        let mut damaged = batch.clone();
        damaged[at] ^= 0x10;
        let refused = RecordBatch::read(&damaged).map(|_| ());
        match at {
            // The leader's epoch is the broker's to change, so no checksum covers it.
            12..16 => assert_eq!(refused, Ok(())),
            16 => assert_eq!(refused, Err(BatchError::UnknownMagic { magic: 0x12 })),
            _ => assert!(matches!(refused, Err(BatchError::Crc { .. })), "byte {at}: {refused:?}"),
        }
    }
    for len in 0..batch.len() {
        let wanted = if len < 61 { 61 } else { batch.len() };
        let cut = RecordBatch::read(&batch[..len]).map(|_| ());
        assert_eq!(cut, Err(BatchError::Truncated { wanted, left: len }));
    }
}

#[test]
fn lying_headers() {
    let check = |batch: &[u8], expected: BatchError| assert_eq!(read(batch), Err(expected), "{expected}");
    for length in [-1, 0, 48, i32::MIN] {
        let mut batch = sample();
        batch[8..12].copy_from_slice(&i32::to_be_bytes(length));
        check(&batch, BatchError::Length { length });
    }
    let mut batch = sample();
    batch[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    let wanted = i32::MAX as usize + 12;
    check(&batch, BatchError::Truncated { wanted, left: batch.len() });
    check(&changed(16, &[0]), BatchError::LegacyMagic { magic: 0 });
    check(&changed(16, &[1]), BatchError::LegacyMagic { magic: 1 });
    check(&changed(16, &[3]), BatchError::UnknownMagic { magic: 3 });
    for id in 5..8 {
        check(&changed(21, &[0, id]), BatchError::UnknownCodec { id: i16::from(id) });
    }
    // 20 bytes of records: two of seven bytes, not three.
    check(&changed(57, &[0xff, 0xff, 0xff, 0xff]), BatchError::Count { count: -1, len: 20 });
    check(&changed(57, &[0, 0, 0, 3]), BatchError::Count { count: 3, len: 20 });
    check(&changed(57, &i32::MAX.to_be_bytes()), BatchError::Count { count: i32::MAX, len: 20 });
    check(&changed(57, &[0, 0, 0, 1]), BatchError::Trailing { left: 10 });
    check(&changed(23, &[0, 0, 0, 0]), BatchError::Offset { index: 1, delta: 1 });
    // The second record's offset delta: 0 again.
    check(&changed(61 + 10 + 3, &[0]), BatchError::Offset { index: 1, delta: 0 });
}

#[test]
fn lying_records() {
    let check = |record: &[u8], field: &str| match read(&restamp(Codec::None, 1, record)) {
        Err(BatchError::Record { index: 0, error }) => assert_eq!(error.field, field, "{record:x?}: {error}"),
        other => panic!("{record:x?}: {other:?}"),
    };
    let long = [0x80; 11];
    check(&[&long[..], &[0; 9]].concat(), "length");
    check(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0], "length"); // -2^31
    check(&[0x7e, 0, 0, 0, 1, 1, 0], "length"); // 63 bytes, of which there are six
    check(&[0x00, 0, 0, 0, 1, 1, 0], "attributes"); // none at all
    check(&[&[0x18, 0][..], &long].concat(), "timestamp delta");
    check(&[&[0x18, 0, 0][..], &long].concat(), "offset delta");
    check(&[0x0c, 0, 0, 0, 3, 1, 0], "key"); // -2
    check(&[0x0c, 0, 0, 0, 0x7e, 1, 0], "key");
    check(&[0x0c, 0, 0, 0, 1, 3, 0], "value");
    check(&[0x0c, 0, 0, 0, 1, 4, 0], "value");
    check(&[0x0c, 0, 0, 0, 1, 1, 1], "header count"); // -1
    check(&[0x0c, 0, 0, 0, 1, 1, 2], "header count"); // one, and no bytes for it
    check(&[0x10, 0, 0, 0, 1, 1, 2, 1, 1], "header key"); // null
    check(&[0x10, 0, 0, 0, 1, 1, 2, 0, 3], "header value");
    check(&[0x0e, 0, 0, 0, 1, 1, 0, 0], "end"); // a byte behind the headers
    let timestamps = [0x20, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 1, 1, 0, 0];
    check(&timestamps, "end");
}

/// A batch that holds far more than is accepted: an error, and no more memory than that.
#[test]
fn bombs() {
    const LEN_MAX: usize = 100_000;
    let zeros = vec![0; 5 << 20];
    let limits = BatchLimits { bytes: 64 << 20, bytes_max: 64 << 20, ..BatchLimits::default() };
    for compression in COMPRESSIONS.into_iter().filter(|it| *it != Compression::None) {
        let mut batch = OpenBatch::new(limits, compression);
        (0..8).for_each(|_| batch.push(&value(&zeros)).expect("room"));
        let bomb = batch.freeze(Producer::NONE, &mut Compressors::new(), Vec::new());
        let (bomb, _) = RecordBatch::read(bomb.bytes()).expect("a batch");
        let mut scratch = Vec::new();
        let refused = bomb.records(&mut Inflater::new(LEN_MAX), &mut scratch).map(|_| ());
        let codec = compression.codec();
        assert_eq!(refused, Err(BatchError::InflatedTooLong { codec, max: LEN_MAX }));
        assert!(scratch.capacity() <= 3 * LEN_MAX, "{codec:?}: {} bytes", scratch.capacity());
        let mut inflater = Inflater::new(41 << 20);
        let count = bomb.records(&mut inflater, &mut scratch).expect("enough room").flatten().count();
        assert_eq!(count, 8);
    }
}

/// The limit is exact in every codec.
#[test]
fn the_limit() {
    for compression in COMPRESSIONS.into_iter().filter(|it| *it != Compression::None) {
        for len in [100, 70_000, 200_000] {
            let mut batch = OpenBatch::new(BatchLimits::default(), compression);
            batch.push(&value(&vec![0; len])).expect("room");
            let inflated_len = batch.plain_len() - 61;
            let frozen = batch.freeze(Producer::NONE, &mut Compressors::new(), Vec::new());
            let (batch, _) = RecordBatch::read(frozen.bytes()).expect("a batch");
            assert_eq!(batch.codec, compression.codec());
            let mut scratch = Vec::new();
            let accepted =
                |max: usize, scratch: &mut Vec<u8>| batch.records(&mut Inflater::new(max), scratch).is_ok();
            assert!(accepted(inflated_len, &mut scratch), "{compression:?}, {len} bytes");
            assert!(!accepted(inflated_len - 1, &mut scratch), "{compression:?}, {len} bytes");
        }
    }
}

#[test]
fn lying_compression() {
    let check = |codec: Codec, body: &[u8], expected: &str| {
        let refused = read(&restamp(codec, 1, body)).expect_err("it is no valid stream");
        assert!(matches!(refused, BatchError::Codec { .. }), "{refused:?}");
        let text = refused.to_string();
        let wanted = format!("expected records compressed with {}: {expected}", codec.name());
        assert_eq!(text, wanted, "{body:x?}");
    };
    check(Codec::Gzip, b"", "no gzip member");
    check(Codec::Gzip, b"not gzip", "not a gzip stream");
    check(Codec::Gzip, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], "the gzip stream has no end");
    check(Codec::Zstd, b"", "the zstd stream has no end");
    check(Codec::Zstd, b"not zstd", "not a zstd stream");
    check(Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd], "the zstd stream has no end");
    // One segment of 2^40 bytes.
    let giant = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0];
    check(Codec::Zstd, &giant, "not a zstd stream");
    check(Codec::Snappy, b"", "not a snappy block");
    check(Codec::Snappy, &[0xff; 6], "not a snappy block");
    // 2^32 - 1 bytes, out of ten.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0];
    check(Codec::Snappy, &claim, "a snappy block claims more than it can hold");
    check(Codec::Snappy, b"\x82SNAPPY\0", "the header of the snappy stream is cut off");
    let stream = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
    check(Codec::Snappy, &[&stream[..], &[0, 0]].concat(), "a snappy block's length is cut off");
    check(Codec::Snappy, &[&stream[..], &[0, 0, 0, 9, 1]].concat(), "a snappy block is cut off");
    check(Codec::Snappy, &[&stream[..], &[0xff; 4]].concat(), "a snappy block is cut off");
    let lz4 = |flags, sizes, rest: &[u8]| [&[4, 0x22, 0x4d, 0x18, flags, sizes, 0x82], rest].concat();
    check(Codec::Lz4, b"", "the LZ4 frame is cut off");
    check(Codec::Lz4, b"not lz4", "not an LZ4 frame");
    check(Codec::Lz4, &lz4(0x60, 0x40, &[]), "the LZ4 frame is cut off");
    check(Codec::Lz4, &lz4(0x60, 0x40, &[0xff; 4]), "the LZ4 frame is cut off");
    check(Codec::Lz4, &lz4(0x60, 0x30, &[0; 4]), "an LZ4 frame of an unknown block size");
    check(Codec::Lz4, &lz4(0xa0, 0x40, &[0; 4]), "an LZ4 frame of an unknown version");
    let dependent = "an LZ4 frame with dependent blocks, which Kafka does not allow";
    check(Codec::Lz4, &lz4(0x40, 0x40, &[0; 4]), dependent);
    let dictionary = "an LZ4 frame with a dictionary, which Kafka does not allow";
    check(Codec::Lz4, &lz4(0x61, 0x40, &[0; 4]), dictionary);
    check(Codec::Lz4, &lz4(0x60, 0x40, &[0, 0, 0, 0, 1]), "bytes behind the end of the LZ4 frame");
    check(Codec::Lz4, &lz4(0x60, 0x40, &[2, 0, 0, 0, 0xff, 0xff]), "not an LZ4 block");
    // With checksums of blocks and content and a content size, which Java does not write but may: no records.
    let frame = lz4(0x7c, 0x70, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(read(&restamp(Codec::Lz4, 1, &frame)), Err(BatchError::Count { count: 1, len: 0 }));
}

#[test]
fn what_is_read_but_not_produced() {
    let why = |batch: &[u8]| match RecordBatch::read(batch).expect("a batch").0.check_produced() {
        Err(BatchError::NotProduced { why }) => why,
        other => panic!("{other:?}"),
    };
    assert!(RecordBatch::read(&sample()).expect("a batch").0.check_produced().is_ok());
    assert_eq!(why(&changed(57, &[0, 0, 0, 0])), "it has no records");
    assert_eq!(
        why(&changed(23, &[0, 0, 0, 5])),
        "its last offset delta is not its count of records less one"
    );
    assert_eq!(why(&changed(21, &[0, 0x20])), "it is a control batch");
    assert_eq!(why(&changed(21, &[0, 0x10])), "it is transactional without a producer id");
    assert_eq!(why(&changed(43, &[0; 8])), "it has a producer id without an epoch or a sequence");
    // After compaction a batch has fewer records than offsets, or none; the next offset is the same.
    let compacted = changed(23, &[0, 0, 0, 9]);
    assert_eq!(read(&compacted).expect("records").len(), 2);
    assert_eq!(RecordBatch::read(&compacted).expect("a batch").0.next_offset(), 10);
    assert_eq!(read(&restamp(Codec::None, 0, &[])), Ok(vec![]));
    // The broker's time is that of every record.
    let mut appended = changed(21, &[0, 0x08]);
    appended[35..43].copy_from_slice(&5000_i64.to_be_bytes());
    reseal(&mut appended);
    assert!(RecordBatch::read(&appended).expect("a batch").0.is_log_append_time);
    assert!(read(&appended).expect("records").iter().all(|(_, timestamp, _)| *timestamp == 5000));
}
