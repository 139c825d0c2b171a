//! What a judge sees: the records in the logs.

use std::ops::Range;

use ringwire_codec::kafka::{BatchError, ReadRecord, RecordBatch, next_sequence};

use super::Cluster;
use super::log::Batch;

/// A record in a partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Its key, or null.
    pub key: Option<Vec<u8>>,
    /// Its payload, or null.
    pub value: Option<Vec<u8>>,
    /// Its headers in order.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Who sent it; -1: no idempotence.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Its number among the producer's records for the partition; -1 without idempotence.
    pub sequence: i32,
    /// The epoch of the leader that took it.
    pub leader_epoch: i32,
}

impl Cluster {
    /// From the first offset that a partition keeps to the one behind its last record; `None` if there is no such
    /// partition.
    pub fn offsets(&self, topic: &str, partition: i32) -> Option<Range<i64>> {
        Some(self.topics.by_name(topic)?.partition(partition)?.log.offsets())
    }

    /// How many partitions a topic has; `None` if there is no such topic.
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        Some(self.topics.by_name(topic)?.partitions.len())
    }

    /// A topic's id; `None` if there is no such topic.
    pub fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        Some(self.topics.by_name(topic)?.id)
    }

    /// The records of a partition from an offset on, in order, as far as they are kept. No such partition has none.
    ///
    /// # Errors
    ///
    /// A batch does not decompress, or a record is wrong in itself; without [`deep`](super::ClusterOptions::deep)
    /// nobody has looked before.
    pub fn records(
        &mut self,
        topic: &str,
        partition: i32,
        from: i64,
    ) -> Result<Vec<LoggedRecord>, BatchError> {
        let Self { topics, inflater, scratch, .. } = self;
        let found = topics.by_name(topic).and_then(|topic| topic.partition(partition));
        let Some(found) = found else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        for Batch { bytes, .. } in found.log.from(from) {
            let (batch, _) = RecordBatch::read(bytes)?;
            for read in batch.records(inflater, scratch)? {
                let read = read?;
                if read.offset >= from {
                    records.push(logged(&batch, &read));
                }
            }
        }
        Ok(records)
    }
}

fn logged(batch: &RecordBatch<'_>, read: &ReadRecord<'_>) -> LoggedRecord {
    let record = &read.record;
    let header = |header: ringwire_codec::kafka::Header<'_>| {
        (header.key.to_owned(), header.value.map(<[u8]>::to_owned))
    };
    LoggedRecord {
        offset: read.offset,
        timestamp: record.timestamp,
        key: record.key.map(<[u8]>::to_owned),
        value: record.value.map(<[u8]>::to_owned),
        headers: record.headers.iter().map(header).collect(),
        producer_id: batch.producer_id,
        producer_epoch: batch.producer_epoch,
        // An offset beyond the batch's first by less than its count.
        sequence: next_sequence(batch.base_sequence, (read.offset - batch.base_offset) as u32),
        leader_epoch: batch.leader_epoch,
    }
}
