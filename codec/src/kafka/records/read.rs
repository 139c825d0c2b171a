//! Reading batches: for consumers, for servers, and for tests.

use std::fmt;

use super::inflate::Inflater;
use super::layout::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_LENGTH, CONTROL, COUNT, CRC, CRC_FROM,
    Codec, HEADER_LEN, LAST_OFFSET_DELTA, LEADER_EPOCH, LENGTH_FROM, LOG_APPEND_TIME, MAGIC, MAGIC_AT,
    MAX_TIMESTAMP, PRODUCER_EPOCH, PRODUCER_ID, TRANSACTIONAL, field,
};
use super::record::{RECORD_LEN_MIN, Record, parse};
use crate::kafka::wire::{Reader, WireError};

/// Bytes that are no record batch, or not one that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end inside the batch. At the end of a Fetch answer that is normal.
    Truncated {
        /// Bytes that the batch has, as far as is known.
        wanted: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// A message set of a format before version 2.
    LegacyMagic {
        /// Its format: 0 or 1.
        magic: u8,
    },
    /// A format that this library does not know.
    UnknownMagic {
        /// The format.
        magic: u8,
    },
    /// A length that no batch has.
    Length {
        /// What stands in the header.
        length: i32,
    },
    /// The checksum does not match the bytes.
    Crc {
        /// What stands in the header.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// A codec that this library does not know.
    UnknownCodec {
        /// Its number in the attributes.
        id: i16,
    },
    /// A count of records that is negative, or more than the bytes can hold.
    Count {
        /// The count.
        count: i32,
        /// Bytes of records there are.
        len: usize,
    },
    /// The records do not decompress.
    Codec {
        /// By which codec.
        codec: Codec,
        /// What is wrong.
        what: &'static str,
    },
    /// The records decompress to more than is accepted.
    InflatedTooLong {
        /// By which codec.
        codec: Codec,
        /// The limit in bytes.
        max: usize,
    },
    /// A record is wrong in itself.
    Record {
        /// Its place in the batch, from 0.
        index: u32,
        /// What is wrong.
        error: WireError,
    },
    /// The offsets of the records do not ascend within the batch.
    Offset {
        /// The record's place in the batch, from 0.
        index: u32,
        /// Its distance from the first offset.
        delta: i32,
    },
    /// Bytes behind the last record.
    Trailing {
        /// How many.
        left: usize,
    },
    /// A batch that no producer may send.
    NotProduced {
        /// Why not.
        why: &'static str,
    },
    /// A frozen batch whose records are not those that were pushed.
    Unsplittable,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { wanted, left } => {
                write!(f, "expected a record batch of {wanted} bytes, got {left}")
            }
            Self::LegacyMagic { magic } => write!(
                f,
                "expected record batches of format 2, got a message set of format {magic}: \
                 the topic was written before Kafka 0.11, or down-converted; consume it with a 3.x client"
            ),
            Self::UnknownMagic { magic } => {
                write!(f, "expected record batches of format 2, got format {magic}")
            }
            Self::Length { length } => write!(f, "expected the length of a record batch, got {length}"),
            Self::Crc { stored, computed } => write!(
                f,
                "expected a record batch with checksum {stored:08x}, got bytes with {computed:08x}: it was damaged"
            ),
            Self::UnknownCodec { id } => write!(f, "expected a codec from 0 to 4, got {id}"),
            Self::Count { count, len } => {
                write!(f, "expected as many records as {len} bytes can hold, got a count of {count}")
            }
            Self::Codec { codec, what } => {
                write!(f, "expected records compressed with {}: {what}", codec.name())
            }
            Self::InflatedTooLong { codec, max } => {
                write!(f, "expected {max} bytes of records at most, got more by {}", codec.name())
            }
            Self::Record { index, error } => write!(f, "record {index} of the batch: {error}"),
            Self::Offset { index, delta } => {
                write!(f, "record {index} of the batch: expected ascending offsets, got a delta of {delta}")
            }
            Self::Trailing { left } => {
                write!(f, "expected the end of the batch behind its last record, got {left} more bytes")
            }
            Self::NotProduced { why } => write!(f, "not a batch that a producer may send: {why}"),
            Self::Unsplittable => write!(f, "the batch does not hold the records that were pushed"),
        }
    }
}

impl std::error::Error for BatchError {}

/// A batch whose header and checksum are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordBatch<'a> {
    /// The offset of its first record when it was written; compaction may have removed that record since.
    pub base_offset: i64,
    /// The epoch of the leader that took it; -1 from a producer.
    pub leader_epoch: i32,
    /// How its records are compressed.
    pub codec: Codec,
    /// The time of every record is `max_timestamp`: when the broker appended them.
    pub is_log_append_time: bool,
    /// Part of a transaction.
    pub is_transactional: bool,
    /// A marker from a coordinator, not for applications. Its offset counts.
    pub is_control: bool,
    /// The last offset is this far from the first. The next batch begins behind it.
    pub last_offset_delta: i32,
    /// The timestamp of the first record.
    pub base_timestamp: i64,
    /// The largest timestamp.
    pub max_timestamp: i64,
    /// Who sent it; -1: no idempotence.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The sequence of the first record.
    pub base_sequence: i32,
    /// Records in it; after compaction fewer than there are offsets.
    pub count: u32,
    records: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// Reads the batch that `bytes` begin with, and answers its length too.
    ///
    /// # Errors
    ///
    /// The bytes are no batch, or only the beginning of one.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, usize), BatchError> {
        let left = bytes.len();
        // Older formats have their number at the same place.
        match bytes.get(MAGIC_AT) {
            None | Some(&MAGIC) => {}
            Some(&magic @ (0 | 1)) => return Err(BatchError::LegacyMagic { magic }),
            Some(&magic) => return Err(BatchError::UnknownMagic { magic }),
        }
        let Some((header, _)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(BatchError::Truncated { wanted: HEADER_LEN, left });
        };
        let length = i32::from_be_bytes(field(header, BATCH_LENGTH));
        let len = usize::try_from(length).unwrap_or(0) + LENGTH_FROM;
        if len < HEADER_LEN {
            return Err(BatchError::Length { length });
        }
        let Some(bytes) = bytes.get(..len) else {
            return Err(BatchError::Truncated { wanted: len, left });
        };
        let (stored, computed) = (u32::from_be_bytes(field(header, CRC)), crc32c::crc32c(&bytes[CRC_FROM..]));
        if stored != computed {
            return Err(BatchError::Crc { stored, computed });
        }
        Ok((Self::of(header, &bytes[HEADER_LEN..])?, len))
    }

    fn of(header: &[u8; HEADER_LEN], records: &'a [u8]) -> Result<Self, BatchError> {
        let attributes = i16::from_be_bytes(field(header, ATTRIBUTES));
        let codec = Codec::of(attributes).map_err(|id| BatchError::UnknownCodec { id })?;
        let count = i32::from_be_bytes(field(header, COUNT));
        let Ok(unsigned) = u32::try_from(count) else {
            return Err(BatchError::Count { count, len: records.len() });
        };
        Ok(Self {
            base_offset: i64::from_be_bytes(field(header, BASE_OFFSET)),
            leader_epoch: i32::from_be_bytes(field(header, LEADER_EPOCH)),
            codec,
            is_log_append_time: attributes & LOG_APPEND_TIME != 0,
            is_transactional: attributes & TRANSACTIONAL != 0,
            is_control: attributes & CONTROL != 0,
            last_offset_delta: i32::from_be_bytes(field(header, LAST_OFFSET_DELTA)),
            base_timestamp: i64::from_be_bytes(field(header, BASE_TIMESTAMP)),
            max_timestamp: i64::from_be_bytes(field(header, MAX_TIMESTAMP)),
            producer_id: i64::from_be_bytes(field(header, PRODUCER_ID)),
            producer_epoch: i16::from_be_bytes(field(header, PRODUCER_EPOCH)),
            base_sequence: i32::from_be_bytes(field(header, BASE_SEQUENCE)),
            count: unsigned,
            records,
        })
    }

    /// The offset of the first record behind the batch: what to fetch next.
    pub fn next_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta)).wrapping_add(1)
    }

    /// The batch is one that a producer may send: a server asks before it appends.
    ///
    /// # Errors
    ///
    /// It is not, as a broker judges it.
    pub fn check_produced(&self) -> Result<(), BatchError> {
        let refuse = |why| Err(BatchError::NotProduced { why });
        match self {
            Self { count: 0, .. } => refuse("it has no records"),
            Self { last_offset_delta, count, .. }
                if i64::from(*last_offset_delta) != i64::from(*count) - 1 =>
            {
                refuse("its last offset delta is not its count of records less one")
            }
            Self { is_control: true, .. } => refuse("it is a control batch"),
            Self { producer_id, producer_epoch, base_sequence, .. }
                if *producer_id >= 0 && (*producer_epoch < 0 || *base_sequence < 0) =>
            {
                refuse("it has a producer id without an epoch or a sequence")
            }
            Self { is_transactional: true, producer_id, .. } if *producer_id < 0 => {
                refuse("it is transactional without a producer id")
            }
            _ => Ok(()),
        }
    }

    /// The records. Compressed ones are decompressed into `scratch`, which they borrow.
    ///
    /// # Errors
    ///
    /// They do not decompress, or to more than the inflater accepts, or are fewer than the header says.
    pub fn records<'s>(
        &self,
        inflater: &mut Inflater,
        scratch: &'s mut Vec<u8>,
    ) -> Result<Records<'s>, BatchError>
    where
        'a: 's,
    {
        let bytes = if self.codec == Codec::None {
            self.records
        } else {
            inflater.inflate(self.codec, self.records, scratch)?;
            scratch
        };
        if self.count as usize > bytes.len() / RECORD_LEN_MIN {
            return Err(BatchError::Count { count: self.count as i32, len: bytes.len() });
        }
        let left = self.count;
        let fixed_timestamp = self.is_log_append_time.then_some(self.max_timestamp);
        Ok(Records {
            reader: Reader::new("record", -1, false, bytes),
            base_offset: self.base_offset,
            base_timestamp: self.base_timestamp,
            fixed_timestamp,
            last_offset_delta: self.last_offset_delta,
            previous_delta: -1,
            index: 0,
            left,
            ended: false,
        })
    }
}

/// A record and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRecord<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// The record.
    pub record: Record<'a>,
}

/// The records of a batch, decoded one by one. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Records<'s> {
    reader: Reader<'s>,
    base_offset: i64,
    base_timestamp: i64,
    fixed_timestamp: Option<i64>,
    last_offset_delta: i32,
    previous_delta: i32,
    index: u32,
    left: u32,
    ended: bool,
}

impl<'s> Records<'s> {
    fn read(&mut self) -> Result<ReadRecord<'s>, BatchError> {
        let index = self.index;
        let parsed = parse(&mut self.reader).map_err(|error| BatchError::Record { index, error })?;
        let delta = parsed.offset_delta;
        if delta <= self.previous_delta || delta > self.last_offset_delta {
            return Err(BatchError::Offset { index, delta });
        }
        self.previous_delta = delta;
        let timestamp = self.base_timestamp.wrapping_add(parsed.timestamp_delta);
        let record = Record {
            timestamp: self.fixed_timestamp.unwrap_or(timestamp),
            key: parsed.key,
            value: parsed.value,
            headers: parsed.headers,
        };
        Ok(ReadRecord { offset: self.base_offset.wrapping_add(i64::from(delta)), record })
    }
}

impl<'s> Iterator for Records<'s> {
    type Item = Result<ReadRecord<'s>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.left == 0 {
            self.ended = true;
            let left = self.reader.rest().len();
            return (left > 0).then_some(Err(BatchError::Trailing { left }));
        }
        self.left -= 1;
        let read = self.read();
        self.index += 1;
        self.ended = read.is_err();
        Some(read)
    }
}

/// The batches of a record set, as Produce requests and Fetch answers hold them.
///
/// A last batch that is cut off ends the iteration without an error: a Fetch answer may end anywhere.
/// [`rest`](Self::rest) shows what was left.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Batches<'a> {
    /// The batches in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, failed: false }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<RecordBatch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match RecordBatch::read(self.rest) {
            Ok((batch, len)) => {
                self.rest = &self.rest[len..];
                Some(Ok(batch))
            }
            Err(BatchError::Truncated { .. }) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}
