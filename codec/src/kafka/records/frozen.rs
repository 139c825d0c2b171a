//! A batch as it goes onto the wire, again and again the same until it is decided.

use super::compress::{Compression, Compressors};
use super::inflate::Inflater;
use super::layout::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_LENGTH, COUNT, CRC, CRC_FROM, Codec,
    HEADER_LEN, LAST_OFFSET_DELTA, LEADER_EPOCH, LENGTH_FROM, MAGIC, MAGIC_AT, MAX_TIMESTAMP, PRODUCER_EPOCH,
    PRODUCER_ID, TRANSACTIONAL, next_sequence,
};
use super::open::{BatchLimits, OpenBatch};
use super::read::{BatchError, RecordBatch};
use crate::kafka::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};

/// What a producer writes where it does not know the leader's epoch: the broker fills it in.
const NO_LEADER_EPOCH: i32 = -1;

/// Whose batch it is, and where it stands in the sequence of its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// From InitProducerId.
    pub id: i64,
    /// From InitProducerId.
    pub epoch: i16,
    /// The first record's number in the partition, from 0; see [`next_sequence`].
    pub sequence: i32,
    /// Part of a transaction.
    pub transactional: bool,
}

impl Producer {
    /// Nobody: a batch without idempotence.
    pub const NONE: Self =
        Self { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH, sequence: -1, transactional: false };
}

/// What a header says about the records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) count: u32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    /// Before compression, header included.
    pub(super) plain_len: usize,
}

/// A record batch that does not change any more.
#[derive(Clone, Debug)]
pub struct FrozenBatch {
    /// The batch up to `len`, then what the buffer held before: zeroing it again for the next batch would cost as much
    /// as writing half of its records.
    buffer: Vec<u8>,
    len: usize,
    count: u32,
    plain_len: usize,
    producer: Producer,
}

impl PartialEq for FrozenBatch {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes() && self.plain_len == other.plain_len && self.producer == other.producer
    }
}

impl Eq for FrozenBatch {}

impl FrozenBatch {
    /// Fills the header in front of the records.
    ///
    /// The batch is the first `len` bytes of `buffer`.
    pub(super) fn seal(
        mut buffer: Vec<u8>,
        len: usize,
        codec: Codec,
        summary: Summary,
        producer: Producer,
    ) -> Self {
        let length = (len - LENGTH_FROM) as i32;
        let last_offset_delta = (summary.count - 1) as i32;
        let mut put = |at: usize, value: &[u8]| buffer[at..at + value.len()].copy_from_slice(value);
        // The broker gives the base offset.
        put(BASE_OFFSET, &[0; 8]);
        put(BATCH_LENGTH, &length.to_be_bytes());
        put(LEADER_EPOCH, &NO_LEADER_EPOCH.to_be_bytes());
        put(MAGIC_AT, &[MAGIC]);
        put(ATTRIBUTES, &codec.id().to_be_bytes());
        put(LAST_OFFSET_DELTA, &last_offset_delta.to_be_bytes());
        put(BASE_TIMESTAMP, &summary.base_timestamp.to_be_bytes());
        put(MAX_TIMESTAMP, &summary.max_timestamp.to_be_bytes());
        put(COUNT, &summary.count.to_be_bytes());
        let (count, plain_len) = (summary.count, summary.plain_len);
        let mut batch = Self { buffer, len, count, plain_len, producer };
        batch.renumber(producer);
        batch
    }

    /// Gives the batch another place in the sequence, and computes its checksum anew: after the epoch was raised.
    ///
    /// Only a batch of which no attempt can be in the log may be renumbered. The broker would take it for a
    /// new one.
    pub fn renumber(&mut self, producer: Producer) {
        let flag = if producer.transactional { TRANSACTIONAL } else { 0 };
        let attributes = i16::from_be_bytes([self.buffer[ATTRIBUTES], self.buffer[ATTRIBUTES + 1]]);
        let attributes = attributes & !TRANSACTIONAL | flag;
        let mut put = |at: usize, value: &[u8]| self.buffer[at..at + value.len()].copy_from_slice(value);
        put(ATTRIBUTES, &attributes.to_be_bytes());
        put(PRODUCER_ID, &producer.id.to_be_bytes());
        put(PRODUCER_EPOCH, &producer.epoch.to_be_bytes());
        put(BASE_SEQUENCE, &producer.sequence.to_be_bytes());
        let crc = crc32c::crc32c(&self.buffer[CRC_FROM..self.len]);
        self.buffer[CRC..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        self.producer = producer;
    }

    /// The whole batch, for a Produce request.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Records in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Its length in bytes before compression, with its header.
    pub fn plain_len(&self) -> usize {
        self.plain_len
    }

    /// Whose it is, with the sequence of its first record.
    pub fn producer(&self) -> Producer {
        self.producer
    }

    /// The sequence of its last record; -1 without idempotence.
    pub fn last_sequence(&self) -> i32 {
        next_sequence(self.producer.sequence, self.count - 1)
    }

    /// The sequence of the first record behind it; -1 without idempotence.
    pub fn next_sequence(&self) -> i32 {
        next_sequence(self.producer.sequence, self.count)
    }

    /// Its memory, for [`OpenBatch::freeze`] to use again: longer than the batch, whose bytes [`bytes`](Self::bytes) are.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Two batches of about half the bytes each, with consecutive parts of its sequence; `None` for one record.
    ///
    /// For MESSAGE_TOO_LARGE and RECORD_LIST_TOO_LARGE, and only if no attempt of the batch was ambiguous: the
    /// broker knows a duplicate by its exact first and last sequence. It is rare, so nothing is kept for it: the
    /// records are read from the frozen bytes and written again.
    ///
    /// # Errors
    ///
    /// The batch cannot be read. Nobody has changed it, so this is a fault of the memory or of ours.
    pub fn split(
        &self,
        compression: Compression,
        compressors: &mut Compressors,
    ) -> Result<Option<[Self; 2]>, BatchError> {
        if self.count < 2 {
            return Ok(None);
        }
        let (batch, _) = RecordBatch::read(self.bytes())?;
        let mut scratch = Vec::new();
        let mut inflater = Inflater::new(self.plain_len - HEADER_LEN);
        let limits = BatchLimits { bytes: usize::MAX, bytes_max: usize::MAX, records: u32::MAX };
        let mut halves = [OpenBatch::new(limits, compression), OpenBatch::new(limits, compression)];
        for record in batch.records(&mut inflater, &mut scratch)? {
            let record = record?.record;
            let [first, second] = &mut halves;
            // The second half has one record at least, and the first one too.
            let first_is_full = first.count() == self.count - 1 || first.plain_len() > self.plain_len / 2;
            let half = if first.is_empty() || !first_is_full { first } else { second };
            half.push(&record).map_err(|_| BatchError::Unsplittable)?;
        }
        let [mut first, mut second] = halves;
        let sequence = next_sequence(self.producer.sequence, first.count());
        let first = first.freeze(self.producer, compressors, Vec::new());
        let second = second.freeze(Producer { sequence, ..self.producer }, compressors, Vec::new());
        Ok(Some([first, second]))
    }

    /// The batch without some of its records, by their place in it; it belongs to nobody until it is renumbered.
    /// `None` if none of them is excluded, or none is left.
    ///
    /// For an answer that names the records at fault (KIP-467), and only if no attempt was ambiguous.
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn without(
        &self,
        is_excluded: impl Fn(u32) -> bool,
        compression: Compression,
        compressors: &mut Compressors,
    ) -> Result<Option<Self>, BatchError> {
        let (batch, _) = RecordBatch::read(self.bytes())?;
        let mut scratch = Vec::new();
        let mut inflater = Inflater::new(self.plain_len - HEADER_LEN);
        let limits = BatchLimits { bytes: usize::MAX, bytes_max: usize::MAX, records: u32::MAX };
        let mut rest = OpenBatch::new(limits, compression);
        for (number, record) in (0_u32..).zip(batch.records(&mut inflater, &mut scratch)?) {
            if !is_excluded(number) {
                rest.push(&record?.record).map_err(|_| BatchError::Unsplittable)?;
            }
        }
        let is_useful = (1..self.count).contains(&rest.count());
        Ok(is_useful.then(|| rest.freeze(Producer::NONE, compressors, Vec::new())))
    }
}
