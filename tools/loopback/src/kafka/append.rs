//! What a leader checks before it appends a batch.
//!
//! ```text
//!   checksum, header --> size --> records, if the topic has a rule --> producer epoch, sequence --> log
//! ```

use ringwire_codec::kafka::{
    BatchError, Batches, Codec, ErrorCode, Inflater, RecordBatch, RecordError, ZSTD_VERSION,
};

use super::code;
use super::log::NewBatch;
use super::producer::Turn;
use super::topic::Partition;
use super::{ClusterOptions, TopicOptions};

/// Why a batch is not appended.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) error: ErrorCode,
    pub(super) message: Option<&'static str>,
    /// The records at fault.
    pub(super) records: Vec<RecordError<'static>>,
}

impl Refusal {
    pub(super) fn new(error: ErrorCode, message: &'static str) -> Self {
        Self { error, message: Some(message), records: Vec::new() }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Self {
        Self { error, ..Self::default() }
    }
}

/// Where a batch is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base_offset: i64,
    /// Milliseconds since 1970; -1: the producer's times stand.
    pub(super) log_append_time: i64,
}

/// What is needed to judge a batch, apart from its partition.
pub(super) struct Judge<'a> {
    pub(super) cluster: &'a ClusterOptions,
    pub(super) topic: &'a TopicOptions,
    pub(super) inflater: &'a mut Inflater,
    pub(super) scratch: &'a mut Vec<u8>,
    /// Of the Produce request.
    pub(super) version: i16,
    pub(super) now_ms: i64,
}

impl Judge<'_> {
    /// Appends what a producer sent for a partition, or finds it there already.
    pub(super) fn append(&mut self, partition: &mut Partition, records: &[u8]) -> Result<Place, Refusal> {
        let (batch, len) = self.only_batch(records)?;
        self.check(&batch, len)?;
        if let Turn::Duplicate(known) = partition.producers.check(&batch)? {
            return Ok(Place { base_offset: known.base_offset, log_append_time: known.timestamp });
        }
        let log_append_time = self.topic.log_append_time.then_some(self.now_ms);
        let new = NewBatch {
            bytes: &records[..len],
            count: batch.count,
            max_timestamp: batch.max_timestamp,
            log_append_time,
        };
        let retention = self.cluster.retention_bytes;
        let base_offset = partition.log.append(&new, partition.leadership.epoch, retention);
        partition.producers.appended(&batch, base_offset, log_append_time.unwrap_or(batch.max_timestamp));
        Ok(Place { base_offset, log_append_time: log_append_time.unwrap_or(-1) })
    }

    /// A request has one batch for a partition, from version 3. Less than another batch behind it is ignored.
    fn only_batch<'b>(&self, records: &'b [u8]) -> Result<(RecordBatch<'b>, usize), Refusal> {
        let (batch, len) = RecordBatch::read(records).map_err(refuse_bytes)?;
        match Batches::new(&records[len..]).next() {
            None => Ok((batch, len)),
            Some(_) => Err(Refusal::new(
                ErrorCode::INVALID_RECORD,
                "Produce requests from version 3 have one record batch for a partition",
            )),
        }
    }

    fn check(&mut self, batch: &RecordBatch<'_>, len: usize) -> Result<(), Refusal> {
        if batch.codec == Codec::Zstd && self.version < ZSTD_VERSION {
            return Err(Refusal::new(
                code::UNSUPPORTED_COMPRESSION_TYPE,
                "zstd may be used from version 7 of Produce requests",
            ));
        }
        if batch.base_offset != 0 {
            return Err(Refusal::new(ErrorCode::INVALID_RECORD, "the base offset of a new batch is 0"));
        }
        if len > self.topic.message_bytes_max.unwrap_or(self.cluster.message_bytes_max) {
            return Err(ErrorCode::MESSAGE_TOO_LARGE.into());
        }
        if let Err(BatchError::NotProduced { why }) = batch.check_produced() {
            return Err(Refusal::new(ErrorCode::INVALID_RECORD, why));
        }
        if batch.is_transactional {
            return Err(Refusal::new(code::INVALID_TXN_STATE, "there are no transactions here"));
        }
        if self.cluster.deep || self.topic.compacted { self.check_records(batch) } else { Ok(()) }
    }

    fn check_records(&mut self, batch: &RecordBatch<'_>) -> Result<(), Refusal> {
        let records = batch.records(self.inflater, self.scratch).map_err(refuse_bytes)?;
        let mut at_fault = Vec::new();
        for (index, read) in records.enumerate() {
            let record = read.map_err(refuse_bytes)?.record;
            if self.topic.compacted && record.key.is_none() {
                at_fault.push(RecordError {
                    batch_index: index as i32,
                    batch_index_error_message: Some("a compacted topic takes no record without a key"),
                });
            }
        }
        if at_fault.is_empty() {
            return Ok(());
        }
        let message = "one or more records have been rejected";
        Err(Refusal { records: at_fault, ..Refusal::new(ErrorCode::INVALID_RECORD, message) })
    }
}

/// What a broker calls bytes that are no batch.
fn refuse_bytes(error: BatchError) -> Refusal {
    match error {
        BatchError::UnknownMagic { .. }
        | BatchError::Length { .. }
        | BatchError::Crc { .. }
        | BatchError::Codec { .. } => code::CORRUPT_MESSAGE.into(),
        BatchError::UnknownCodec { .. } => code::UNSUPPORTED_COMPRESSION_TYPE.into(),
        BatchError::LegacyMagic { .. } => {
            Refusal::new(ErrorCode::INVALID_RECORD, "only record batches of format 2 are accepted")
        }
        BatchError::Truncated { .. } => {
            Refusal::new(ErrorCode::INVALID_RECORD, "a record batch is expected for every partition")
        }
        _ => ErrorCode::INVALID_RECORD.into(),
    }
}
