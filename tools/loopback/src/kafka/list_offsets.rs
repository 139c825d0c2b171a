//! ListOffsets: where a partition begins and ends, and where a time is in it.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, BatchError, EARLIEST, ErrorCode, Inflater, LATEST, List, ListOffsetsPartition, ListOffsetsRequest,
    ListOffsetsResponse, ListedPartition, ListedTopic, RecordBatch,
};

use super::Cluster;
use super::code;
use super::log::Log;
use super::request::{After, Call};

/// Instead of a time: the record with the largest timestamp (KIP-734), from version 7.
const MAX_TIMESTAMP: i64 = -3;

/// Instead of a time: where what is on this disk begins (KIP-405), from version 8. Here that is everything.
const EARLIEST_LOCAL: i64 = -4;

/// A record, or a place between records.
#[derive(Clone, Copy)]
struct Spot {
    /// -1: none, or not asked for.
    timestamp: i64,
    /// -1: there is no such record.
    offset: i64,
}

impl Cluster {
    pub(super) fn list_offsets(
        &mut self,
        call: &Call<'_>,
        request: &ListOffsetsRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        let mut listed: Vec<(&str, Vec<ListedPartition>)> = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let partitions = topic.partitions.iter();
            let found = partitions.map(|asked| self.list_partition(call, topic.name, &asked));
            listed.push((topic.name, found.collect()));
        }
        let mut topics = Vec::with_capacity(listed.len());
        for (name, partitions) in &listed {
            topics.push(ListedTopic { name, partitions: List::new(partitions) });
        }
        let response = ListOffsetsResponse { throttle_time_ms: self.throttle_ms, topics: List::new(&topics) };
        call.answer::<ListOffsetsRequest<'_>>(out, &response)
    }

    fn list_partition(
        &mut self,
        call: &Call<'_>,
        name: &str,
        asked: &ListOffsetsPartition,
    ) -> ListedPartition {
        let partition_index = asked.partition_index;
        let refused =
            |error_code| ListedPartition { partition_index, error_code, ..ListedPartition::default() };
        if let Some(injection) = self.injected_into(Api::ListOffsets, name, partition_index) {
            return refused(injection.error);
        }
        // Reading records needs what they decompress into.
        let (mut inflater, mut scratch) =
            (std::mem::take(&mut self.inflater), std::mem::take(&mut self.scratch));
        let found = self.led(call.broker, name, partition_index, asked.current_leader_epoch);
        let listed = match found {
            Err(elsewhere) => refused(elsewhere.error),
            Ok(partition) => match find(&partition.log, asked.timestamp, &mut inflater, &mut scratch) {
                Ok(Spot { timestamp, offset }) => {
                    let leader_epoch = if offset < 0 { -1 } else { partition.leadership.epoch };
                    ListedPartition {
                        partition_index,
                        error_code: ErrorCode::NONE,
                        timestamp,
                        offset,
                        leader_epoch,
                    }
                }
                Err(_) => refused(code::CORRUPT_MESSAGE),
            },
        };
        (self.inflater, self.scratch) = (inflater, scratch);
        listed
    }
}

fn find(log: &Log, time: i64, inflater: &mut Inflater, scratch: &mut Vec<u8>) -> Result<Spot, BatchError> {
    let offsets = log.offsets();
    match time {
        LATEST => Ok(Spot { timestamp: -1, offset: offsets.end }),
        EARLIEST | EARLIEST_LOCAL => Ok(Spot { timestamp: -1, offset: offsets.start }),
        MAX_TIMESTAMP => {
            let youngest = log.from(offsets.start).map(|batch| batch.max_timestamp).max();
            youngest.map_or(Ok(Spot { timestamp: -1, offset: -1 }), |time| {
                first_from(log, time, inflater, scratch)
            })
        }
        _ => first_from(log, time, inflater, scratch),
    }
}

/// The first record that is not older.
fn first_from(
    log: &Log,
    time: i64,
    inflater: &mut Inflater,
    scratch: &mut Vec<u8>,
) -> Result<Spot, BatchError> {
    let mut young = log.from(log.offsets().start).filter(|batch| batch.max_timestamp >= time);
    if let Some(stored) = young.next() {
        let (batch, _) = RecordBatch::read(&stored.bytes)?;
        for read in batch.records(inflater, scratch)? {
            let read = read?;
            if read.record.timestamp >= time {
                return Ok(Spot { timestamp: read.record.timestamp, offset: read.offset });
            }
        }
    }
    Ok(Spot { timestamp: -1, offset: -1 })
}
