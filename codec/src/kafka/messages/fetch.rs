//! Fetch: record batches from partitions. What followers and Raft voters say by tagged fields is left out: it is
//! skipped when read.

use crate::kafka::messages::produce::{LeaderHint, NodeEndpoint};
use crate::kafka::wire::{Fields, List, Message, WireError};
use crate::kafka::{Api, ErrorCode, NO_UUID, Request};

/// The first version whose answers may be compressed with zstd (KIP-110).
pub const FETCH_ZSTD_VERSION: i16 = 10;

/// The first version with topic ids in place of names (KIP-516).
pub const FETCH_TOPIC_ID_VERSION: i16 = 13;

/// Instead of a session's epoch: no session.
pub const NO_SESSION_EPOCH: i32 = -1;

/// The first version with fetch sessions (KIP-227).
const SESSION_VERSION: i16 = 7;

/// The first version that checks the leader's epoch (KIP-320).
const LEADER_EPOCH_VERSION: i16 = 9;

/// The first version in which a consumer may be sent to a nearer replica (KIP-392).
const RACK_VERSION: i16 = 11;

/// The first flexible version.
const FLEXIBLE_VERSION: i16 = 12;

/// From this version on, who asks is a tagged field of followers.
const REPLICA_STATE_VERSION: i16 = 15;

/// The first version whose answers have the addresses of leaders (KIP-951).
const ENDPOINTS_VERSION: i16 = 16;

/// The replica id of every consumer.
const CONSUMER: i32 = -1;

/// The versions before [`FETCH_TOPIC_ID_VERSION`] name a topic; from it on its id does.
fn topic_fields<'a, F: Fields<'a>>(
    f: &mut F,
    topic: &mut &'a str,
    topic_id: &mut [u8; 16],
) -> Result<(), WireError> {
    if f.version() >= FETCH_TOPIC_ID_VERSION {
        f.uuid("topic_id", topic_id)
    } else {
        f.absent("topic_id", *topic_id == NO_UUID || !topic.is_empty())?;
        f.string("topic", topic)
    }
}

/// Read these partitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FetchRequest<'a> {
    /// The asking broker; -1: a consumer. Before version 15.
    pub replica_id: i32,
    /// Milliseconds that the broker may wait for `min_bytes`.
    pub max_wait_ms: i32,
    /// Bytes that are worth an answer before that.
    pub min_bytes: i32,
    /// Bytes of records at most; the first batch is answered whole, however long.
    pub max_bytes: i32,
    /// 0: everything, 1: what is committed.
    pub isolation_level: i8,
    /// 0: none, or a new one. From version 7.
    pub session_id: i32,
    /// [`NO_SESSION_EPOCH`]: no session. From version 7.
    pub session_epoch: i32,
    /// The topics.
    pub topics: List<'a, FetchTopic<'a>>,
    /// Those that leave the session. From version 7.
    pub forgotten_topics_data: List<'a, ForgottenTopic<'a>>,
    /// Where the consumer stands. From version 11.
    pub rack_id: &'a str,
}

impl Default for FetchRequest<'_> {
    fn default() -> Self {
        Self {
            replica_id: CONSUMER,
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: NO_SESSION_EPOCH,
            topics: List::default(),
            forgotten_topics_data: List::default(),
            rack_id: "",
        }
    }
}

impl<'a> Message<'a> for FetchRequest<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        if version < REPLICA_STATE_VERSION {
            f.int32("replica_id", &mut self.replica_id)?;
        } else {
            f.absent("replica_id", self.replica_id == CONSUMER)?;
        }
        f.int32("max_wait_ms", &mut self.max_wait_ms)?;
        f.int32("min_bytes", &mut self.min_bytes)?;
        f.int32("max_bytes", &mut self.max_bytes)?;
        f.int8("isolation_level", &mut self.isolation_level)?;
        if version >= SESSION_VERSION {
            f.int32("session_id", &mut self.session_id)?;
            f.int32("session_epoch", &mut self.session_epoch)?;
        } else {
            f.absent("session_id", self.session_id == 0)?;
            f.absent("session_epoch", self.session_epoch == NO_SESSION_EPOCH)?;
        }
        f.list("topics", &mut self.topics)?;
        if version >= SESSION_VERSION {
            f.list("forgotten_topics_data", &mut self.forgotten_topics_data)?;
        } else {
            f.absent("forgotten_topics_data", self.forgotten_topics_data.is_empty())?;
        }
        if version >= RACK_VERSION {
            f.string("rack_id", &mut self.rack_id)?;
        }
        f.no_tags()
    }
}

impl<'a> Request<'a> for FetchRequest<'a> {
    const API: Api = Api::Fetch;
    const NAME: &'static str = "Fetch request";
    const RESPONSE_NAME: &'static str = "Fetch response";
    type Response = FetchResponse<'a>;
}

/// A topic's partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FetchTopic<'a> {
    /// The topic, before [`FETCH_TOPIC_ID_VERSION`].
    pub topic: &'a str,
    /// The topic, from then on.
    pub topic_id: [u8; 16],
    /// Its partitions.
    pub partitions: List<'a, FetchPartition>,
}

impl<'a> Message<'a> for FetchTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        topic_fields(f, &mut self.topic, &mut self.topic_id)?;
        f.list("partitions", &mut self.partitions)?;
        f.no_tags()
    }
}

/// A partition and where to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// Its number in the topic.
    pub partition: i32,
    /// The leader epoch that the client knows, or -1. From version 9.
    pub current_leader_epoch: i32,
    /// The offset of the first record that is wanted.
    pub fetch_offset: i64,
    /// The leader epoch of the record before it, or -1. From version 12.
    pub last_fetched_epoch: i32,
    /// Of a follower: where its log begins. From version 5.
    pub log_start_offset: i64,
    /// Bytes of records at most; see [`FetchRequest::max_bytes`].
    pub partition_max_bytes: i32,
}

impl Default for FetchPartition {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: i32::MAX,
        }
    }
}

impl<'a> Message<'a> for FetchPartition {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        f.int32("partition", &mut self.partition)?;
        if version >= LEADER_EPOCH_VERSION {
            f.int32("current_leader_epoch", &mut self.current_leader_epoch)?;
        }
        f.int64("fetch_offset", &mut self.fetch_offset)?;
        if version >= FLEXIBLE_VERSION {
            f.int32("last_fetched_epoch", &mut self.last_fetched_epoch)?;
        }
        if version >= 5 {
            f.int64("log_start_offset", &mut self.log_start_offset)?;
        }
        f.int32("partition_max_bytes", &mut self.partition_max_bytes)?;
        f.no_tags()
    }
}

/// Partitions that leave a session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForgottenTopic<'a> {
    /// The topic, before [`FETCH_TOPIC_ID_VERSION`].
    pub topic: &'a str,
    /// The topic, from then on.
    pub topic_id: [u8; 16],
    /// Its partitions.
    pub partitions: List<'a, i32>,
}

impl<'a> Message<'a> for ForgottenTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        topic_fields(f, &mut self.topic, &mut self.topic_id)?;
        f.list("partitions", &mut self.partitions)?;
        f.no_tags()
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FetchResponse<'a> {
    /// Milliseconds for which the broker wants no more requests.
    pub throttle_time_ms: i32,
    /// About the session, or NONE. From version 7.
    pub error_code: ErrorCode,
    /// The session; 0: none. From version 7.
    pub session_id: i32,
    /// The topics.
    pub responses: List<'a, FetchedTopic<'a>>,
    /// Addresses of the leaders that are named. Tagged, from version 16.
    pub node_endpoints: List<'a, NodeEndpoint<'a>>,
}

impl<'a> Message<'a> for FetchResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("throttle_time_ms", &mut self.throttle_time_ms)?;
        if f.version() >= SESSION_VERSION {
            f.int16("error_code", &mut self.error_code.0)?;
            f.int32("session_id", &mut self.session_id)?;
        }
        f.list("responses", &mut self.responses)?;
        if f.version() < ENDPOINTS_VERSION {
            return f.no_tags();
        }
        let tags = [(0, !self.node_endpoints.is_empty())];
        f.tags(&tags, |f, _| f.list("node_endpoints", &mut self.node_endpoints))
    }
}

/// What was read of a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FetchedTopic<'a> {
    /// The topic, before [`FETCH_TOPIC_ID_VERSION`].
    pub topic: &'a str,
    /// The topic, from then on.
    pub topic_id: [u8; 16],
    /// Its partitions.
    pub partitions: List<'a, FetchedPartition<'a>>,
}

impl<'a> Message<'a> for FetchedTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        topic_fields(f, &mut self.topic, &mut self.topic_id)?;
        f.list("partitions", &mut self.partitions)?;
        f.no_tags()
    }
}

/// What was read of a partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FetchedPartition<'a> {
    /// Its number in the topic.
    pub partition_index: i32,
    /// Why there is nothing, or NONE.
    pub error_code: ErrorCode,
    /// The offset behind the last record that every in-sync replica has; -1: unknown.
    pub high_watermark: i64,
    /// The offset behind the last record of no open transaction; -1: unknown.
    pub last_stable_offset: i64,
    /// Where the partition begins; -1: unknown. From version 5.
    pub log_start_offset: i64,
    /// Where the logs of asker and leader part. Tagged, from version 12.
    pub diverging_epoch: EpochEnd,
    /// Who leads now, where the error is that this broker does not. Tagged, from version 12.
    pub current_leader: LeaderHint,
    /// Transactions whose records are to be skipped; `None`: everything was asked for.
    pub aborted_transactions: Option<List<'a, AbortedTransaction>>,
    /// A nearer replica to ask; -1: none. From version 11.
    pub preferred_read_replica: i32,
    /// Whole batches but for the last, which may be cut off; see [`Batches`](crate::kafka::Batches). The first may
    /// begin before the offset that was asked for.
    pub records: Option<&'a [u8]>,
}

impl Default for FetchedPartition<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEnd::default(),
            current_leader: LeaderHint::UNKNOWN,
            aborted_transactions: None,
            preferred_read_replica: -1,
            records: None,
        }
    }
}

impl<'a> Message<'a> for FetchedPartition<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        f.int32("partition_index", &mut self.partition_index)?;
        f.int16("error_code", &mut self.error_code.0)?;
        f.int64("high_watermark", &mut self.high_watermark)?;
        f.int64("last_stable_offset", &mut self.last_stable_offset)?;
        if version >= 5 {
            f.int64("log_start_offset", &mut self.log_start_offset)?;
        }
        f.nullable_list("aborted_transactions", &mut self.aborted_transactions)?;
        if version >= RACK_VERSION {
            f.int32("preferred_read_replica", &mut self.preferred_read_replica)?;
        }
        f.nullable_bytes("records", &mut self.records)?;
        let tags = [
            (0, self.diverging_epoch != EpochEnd::default()),
            (1, self.current_leader != LeaderHint::UNKNOWN),
        ];
        f.tags(&tags, |f, tag| match tag {
            0 => self.diverging_epoch.fields(f),
            _ => self.current_leader.fields(f),
        })
    }
}

/// An epoch and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch; -1: none.
    pub epoch: i32,
    /// The offset behind its last record; -1: none.
    pub end_offset: i64,
}

impl Default for EpochEnd {
    fn default() -> Self {
        Self { epoch: -1, end_offset: -1 }
    }
}

impl<'a> Message<'a> for EpochEnd {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("epoch", &mut self.epoch)?;
        f.int64("end_offset", &mut self.end_offset)?;
        f.no_tags()
    }
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: i64,
    /// The offset of its first record.
    pub first_offset: i64,
}

impl<'a> Message<'a> for AbortedTransaction {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int64("producer_id", &mut self.producer_id)?;
        f.int64("first_offset", &mut self.first_offset)?;
        f.no_tags()
    }
}
