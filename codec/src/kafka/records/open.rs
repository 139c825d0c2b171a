//! The batch that a partition's records are written into.
//!
//! ```text
//!   plain    [ 61 bytes for the header | record | record | record ...        ]
//!                                      |<--- packed so far -->|<-- waiting -->|
//!   packed   [ 61 bytes for the header | piece | piece | piece ...   ]          with compression only
//! ```
//!
//! A record is copied once, into `plain`. With compression, [`OpenBatch::step`] compresses a piece of it at a time
//! into `packed`; `plain` stays whole until the end, so that a batch which compression would make longer goes out
//! as it is, and no batch is ever longer than its records were counted.

use std::fmt;

use super::compress::{Compression, Compressors, Packer};
use super::frozen::{FrozenBatch, Producer, Summary};
use super::layout::{Codec, HEADER_LEN};
use super::record::{Headers, Record, SMALL_RECORDS_MAX, SMALL_SLACK, Small, framed_len};
use crate::kafka::wire::varint::zigzag;

/// The most records in a batch: their number in it, and their sequence, count in 31 bits.
const RECORDS_CAP: u32 = i32::MAX as u32;

/// Room for records is made by so many bytes at a time: each is zeroed before it is written, which costs less the
/// more of them are zeroed at once, as long as they stay in the cache.
const ROOM_STEP: usize = 4096;

/// The most bytes in a batch: their number is 31 bits of an int32 that does not count the first 12.
const BYTES_CAP: usize = i32::MAX as usize;

/// When a batch is full. All are in bytes before compression, the batch's header included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// A batch takes records up to here (`batch.size`). A larger record gets a batch of its own.
    pub bytes: usize,
    /// No batch may be larger (`max.request.size`, or the topic's `max.message.bytes`).
    pub bytes_max: usize,
    /// A batch takes so many records.
    pub records: u32,
}

impl Default for BatchLimits {
    /// 1,000,000 bytes, below the 1,048,588 that a broker takes by default; no limit of records.
    fn default() -> Self {
        Self { bytes: 1_000_000, bytes_max: 1_000_000, records: RECORDS_CAP }
    }
}

/// Why a batch does not take a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// It is full or closed: freeze it, and push to the next one.
    Full,
    /// The record is larger than any batch may be.
    TooLarge {
        /// What a batch of this record alone would have, in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "the batch is full: freeze it and push to the next one"),
            Self::TooLarge { len, max } => {
                write!(
                    f,
                    "expected a record whose batch has {max} bytes at most, got {len}: raise max.request.size, or send less"
                )
            }
        }
    }
}

impl std::error::Error for PushError {}

/// A batch that still takes records. One for each partition, used again and again.
///
/// ```
/// use ringwire_codec::kafka::{BatchLimits, Compression, Compressors, OpenBatch, Producer, Record};
///
/// let mut compressors = Compressors::new(); // one for each shard
/// let mut batch = OpenBatch::new(BatchLimits::default(), Compression::Lz4);
/// batch.push(&Record { timestamp: 1_700_000_000_000, value: Some(b"1.12120"), ..Record::default() })?;
/// while batch.step(&mut compressors) {} // whenever there is time
/// let producer = Producer { id: 4000, epoch: 0, sequence: 17, transactional: false };
/// let frozen = batch.freeze(producer, &mut compressors, Vec::new());
/// assert_eq!((frozen.count(), frozen.last_sequence()), (1, 17));
/// # Ok::<(), ringwire_codec::kafka::PushError>(())
/// ```
#[derive(Debug)]
pub struct OpenBatch {
    limits: BatchLimits,
    compression: Compression,
    /// Room for the header, then the records up to `plain_len`, then room for more.
    plain: Vec<u8>,
    /// 0 while there are no records, then never shorter than the header.
    plain_end: usize,
    /// Records in `plain`.
    count: u32,
    /// The first record's.
    base_timestamp: i64,
    max_timestamp: i64,
    /// No more records.
    closed: bool,
    /// Small records may end here at the latest, without a further question; 0 where each has to be asked for.
    small_end: usize,
    /// With compression: room for the header, then what was compressed. Else empty.
    packed: Vec<u8>,
    /// Up to here `plain` was compressed.
    packed_to: usize,
    /// The compressed form is complete.
    packed_whole: bool,
    packer: Packer,
}

impl OpenBatch {
    /// An empty batch. It allocates nothing before its first record.
    pub fn new(limits: BatchLimits, compression: Compression) -> Self {
        let bytes_max = limits.bytes_max.min(BYTES_CAP);
        let (bytes, records) = (limits.bytes.min(bytes_max), limits.records.min(RECORDS_CAP));
        Self {
            limits: BatchLimits { bytes, bytes_max, records },
            compression,
            plain: Vec::new(),
            plain_end: 0,
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            closed: false,
            small_end: 0,
            packed: Vec::new(),
            packed_to: HEADER_LEN,
            packed_whole: false,
            packer: Packer::default(),
        }
    }

    /// Records in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its length in bytes before compression, with its header.
    pub fn plain_len(&self) -> usize {
        self.plain_end.max(HEADER_LEN)
    }

    /// The timestamp of its first record; `None` while it is empty.
    pub fn base_timestamp(&self) -> Option<i64> {
        (self.count > 0).then_some(self.base_timestamp)
    }

    /// Whether [`push`](Self::push) would take the record.
    pub fn fits(&self, record: &Record<'_>) -> bool {
        self.measure(record).is_ok()
    }

    /// Appends a record.
    ///
    /// # Errors
    ///
    /// The batch is full or closed, or the record is larger than any batch; the batch is as it was.
    #[inline]
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), PushError> {
        if record.headers.is_empty() {
            self.push_plain(record.timestamp, record.key, record.value)
        } else {
            self.push_any(record)
        }
    }

    /// Appends a record without headers.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    #[inline(always)]
    pub fn push_plain(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), PushError> {
        let delta = zigzag(timestamp.wrapping_sub(self.base_timestamp));
        if let Some(small) = Small::new(delta, self.count, key, value) {
            let (start, end) = (self.plain_end, self.plain_end + small.framed_len());
            if end <= self.small_end
                && let Some(into) = self.plain.get_mut(start..end + SMALL_SLACK)
            {
                small.write(into);
                self.plain_end = end;
                self.max_timestamp = self.max_timestamp.max(timestamp);
                self.count += 1;
                return Ok(());
            }
        }
        self.push_any(&Record { timestamp, key, value, headers: Headers::default() })
    }

    /// Up to where [`push_plain`](Self::push_plain) has nothing to ask: the batch is begun and not closed, it takes as
    /// many records as small ones can be, and there is room.
    fn look_for_room(&mut self) {
        let takes_any = self.count > 0 && !self.closed && self.limits.records > SMALL_RECORDS_MAX;
        let room = self.plain.len().saturating_sub(SMALL_SLACK);
        self.small_end = if takes_any { room.min(self.limits.bytes) } else { 0 };
    }

    #[inline(never)]
    fn push_any(&mut self, record: &Record<'_>) -> Result<(), PushError> {
        let (body_len, timestamp_delta) = self.measure(record)?;
        if self.count == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        let start = self.plain_len();
        let end = start + framed_len(body_len);
        if end + SMALL_SLACK > self.plain.len() {
            self.plain.resize((end + SMALL_SLACK).next_multiple_of(ROOM_STEP), 0);
        }
        record.write(&mut self.plain[start..end], body_len, timestamp_delta, self.count);
        self.plain_end = end;
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count += 1;
        self.look_for_room();
        Ok(())
    }

    /// Length of the record's body, and its timestamp's distance from the first one.
    #[inline]
    fn measure(&self, record: &Record<'_>) -> Result<(usize, i64), PushError> {
        let base = if self.count == 0 { record.timestamp } else { self.base_timestamp };
        // Wraps where Java's does: the reader adds it back the same way.
        let timestamp_delta = record.timestamp.wrapping_sub(base);
        let body_len = record.body_len(timestamp_delta, self.count);
        let len = self.plain_len() + framed_len(body_len);
        if len > self.limits.bytes || self.count >= self.limits.records || self.closed {
            self.judge(record)?;
        }
        Ok((body_len, timestamp_delta))
    }

    /// The record does not simply fit: an empty batch takes it all the same, if any batch may. There its deltas
    /// are zero, and it is shorter.
    #[cold]
    fn judge(&self, record: &Record<'_>) -> Result<(), PushError> {
        let (len, max) = (HEADER_LEN + framed_len(record.body_len(0, 0)), self.limits.bytes_max);
        if len > max {
            Err(PushError::TooLarge { len, max })
        } else if self.count > 0 || self.closed {
            Err(PushError::Full)
        } else {
            Ok(())
        }
    }

    /// No more records: [`step`](Self::step) may compress what is left.
    pub fn close(&mut self) {
        self.closed = true;
        self.small_end = 0;
    }

    /// Compresses a piece, if a piece is full or the batch is closed. Answers whether more is waiting.
    ///
    /// A piece takes some 60 µs (lz4, snappy, zstd at levels 1 to 3; higher levels take longer). Without
    /// compression there is never anything to do.
    pub fn step(&mut self, compressors: &mut Compressors) -> bool {
        if !self.has_piece() {
            return false;
        }
        self.pack_piece(compressors);
        self.has_piece()
    }

    /// Whether [`step`](Self::step) has a piece to compress.
    pub fn has_piece(&self) -> bool {
        let waiting = self.plain_end.saturating_sub(self.packed_to);
        self.compression != Compression::None
            && self.count > 0
            && !self.packed_whole
            && (self.closed || waiting >= self.compression.piece_len())
    }

    /// Bytes that are not compressed yet: what [`freeze`](Self::freeze) has still to do. 0 without compression.
    pub fn waiting_len(&self) -> usize {
        match self.compression {
            Compression::None => 0,
            _ => self.plain_end.saturating_sub(self.packed_to),
        }
    }

    fn pack_piece(&mut self, compressors: &mut Compressors) {
        if self.packed.is_empty() {
            self.packed.resize(HEADER_LEN, 0);
        }
        let end = self.plain_end.min(self.packed_to.saturating_add(self.compression.piece_len()));
        let is_last = self.closed && end == self.plain_end;
        let piece = &self.plain[self.packed_to..end];
        self.packer.pack(self.compression, compressors, piece, is_last, &mut self.packed);
        self.packed_to = end;
        self.packed_whole = is_last;
    }

    /// Everything was compressed (or nothing has to be): [`freeze`](Self::freeze) has but the checksum to do.
    pub fn is_ready(&self) -> bool {
        self.closed && (self.compression == Compression::None || self.packed_whole)
    }

    /// Closes the batch, compresses what is left of it, and gives it its place in the producer's sequence.
    ///
    /// The open batch is empty afterwards and takes records for the next one, into the memory of `spare`: a
    /// buffer that [`FrozenBatch::into_buffer`] gave back, or an empty one.
    ///
    /// # Panics
    ///
    /// If the batch has no records.
    pub fn freeze(
        &mut self,
        producer: Producer,
        compressors: &mut Compressors,
        spare: Vec<u8>,
    ) -> FrozenBatch {
        assert!(self.count > 0, "a batch to be sent has records");
        self.close();
        while self.step(compressors) {}
        let summary = Summary {
            count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            plain_len: self.plain_end,
        };
        let shrank = self.packed_whole && !self.packer.failed() && self.packed.len() < self.plain_end;
        let (buffer, len, codec) = if shrank {
            let len = self.packed.len();
            (std::mem::replace(&mut self.packed, spare), len, self.compression.codec())
        } else {
            (std::mem::replace(&mut self.plain, spare), self.plain_end, Codec::None)
        };
        // `plain` keeps its length: what it holds is written over.
        self.plain_end = 0;
        self.packed.clear();
        self.count = 0;
        self.closed = false;
        self.small_end = 0;
        self.packed_to = HEADER_LEN;
        self.packed_whole = false;
        self.packer = Packer::default();
        FrozenBatch::seal(buffer, len, codec, summary, producer)
    }
}
