//! ListOffsets: where a partition begins and ends, and which offset has a time.

use crate::kafka::wire::{Fields, List, Message, WireError};
use crate::kafka::{Api, ErrorCode, Request};

/// Instead of a time: the end of the partition.
pub const LATEST: i64 = -1;

/// Instead of a time: the beginning of the partition.
pub const EARLIEST: i64 = -2;

/// The replica id of every client.
const CLIENT: i32 = -1;

/// Which offsets?
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListOffsetsRequest<'a> {
    /// The asking broker; -1: a client.
    pub replica_id: i32,
    /// 0: of everything, 1: of what is committed. From version 2.
    pub isolation_level: i8,
    /// The topics.
    pub topics: List<'a, ListOffsetsTopic<'a>>,
    /// Milliseconds that the broker may take for offsets in remote storage. From version 10.
    pub timeout_ms: i32,
}

impl Default for ListOffsetsRequest<'_> {
    fn default() -> Self {
        Self { replica_id: CLIENT, isolation_level: 0, topics: List::default(), timeout_ms: 0 }
    }
}

impl<'a> Message<'a> for ListOffsetsRequest<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("replica_id", &mut self.replica_id)?;
        if f.version() >= 2 {
            f.int8("isolation_level", &mut self.isolation_level)?;
        } else {
            f.absent("isolation_level", self.isolation_level == 0)?;
        }
        f.list("topics", &mut self.topics)?;
        if f.version() >= 10 {
            f.int32("timeout_ms", &mut self.timeout_ms)?;
        }
        f.no_tags()
    }
}

impl<'a> Request<'a> for ListOffsetsRequest<'a> {
    const API: Api = Api::ListOffsets;
    const NAME: &'static str = "ListOffsets request";
    const RESPONSE_NAME: &'static str = "ListOffsets response";
    type Response = ListOffsetsResponse<'a>;
}

/// A topic's partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ListOffsetsTopic<'a> {
    /// The topic.
    pub name: &'a str,
    /// Its partitions.
    pub partitions: List<'a, ListOffsetsPartition>,
}

impl<'a> Message<'a> for ListOffsetsTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.string("name", &mut self.name)?;
        f.list("partitions", &mut self.partitions)?;
        f.no_tags()
    }
}

/// A partition and a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartition {
    /// Its number in the topic.
    pub partition_index: i32,
    /// The leader epoch that the client knows, or -1. From version 4.
    pub current_leader_epoch: i32,
    /// Milliseconds since 1970, or [`LATEST`], [`EARLIEST`] and what newer versions add below them.
    pub timestamp: i64,
}

impl Default for ListOffsetsPartition {
    fn default() -> Self {
        Self { partition_index: 0, current_leader_epoch: -1, timestamp: LATEST }
    }
}

impl<'a> Message<'a> for ListOffsetsPartition {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("partition_index", &mut self.partition_index)?;
        if f.version() >= 4 {
            f.int32("current_leader_epoch", &mut self.current_leader_epoch)?;
        }
        f.int64("timestamp", &mut self.timestamp)?;
        f.no_tags()
    }
}

/// The offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ListOffsetsResponse<'a> {
    /// Milliseconds for which the broker wants no more requests. From version 2.
    pub throttle_time_ms: i32,
    /// The topics.
    pub topics: List<'a, ListedTopic<'a>>,
}

impl<'a> Message<'a> for ListOffsetsResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        if f.version() >= 2 {
            f.int32("throttle_time_ms", &mut self.throttle_time_ms)?;
        }
        f.list("topics", &mut self.topics)?;
        f.no_tags()
    }
}

/// A topic's offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ListedTopic<'a> {
    /// The topic.
    pub name: &'a str,
    /// Its partitions.
    pub partitions: List<'a, ListedPartition>,
}

impl<'a> Message<'a> for ListedTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.string("name", &mut self.name)?;
        f.list("partitions", &mut self.partitions)?;
        f.no_tags()
    }
}

/// A partition's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedPartition {
    /// Its number in the topic.
    pub partition_index: i32,
    /// Why there is none, or NONE.
    pub error_code: ErrorCode,
    /// The time of the record at the offset; -1: not asked for by time.
    pub timestamp: i64,
    /// The offset; -1: no record is that young.
    pub offset: i64,
    /// The leader epoch of the record; -1: unknown. From version 4.
    pub leader_epoch: i32,
}

impl Default for ListedPartition {
    fn default() -> Self {
        Self { partition_index: 0, error_code: ErrorCode::NONE, timestamp: -1, offset: -1, leader_epoch: -1 }
    }
}

impl<'a> Message<'a> for ListedPartition {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("partition_index", &mut self.partition_index)?;
        f.int16("error_code", &mut self.error_code.0)?;
        f.int64("timestamp", &mut self.timestamp)?;
        f.int64("offset", &mut self.offset)?;
        if f.version() >= 4 {
            f.int32("leader_epoch", &mut self.leader_epoch)?;
        }
        f.no_tags()
    }
}
