//! Produce: record batches to partitions, one batch for a partition and request.

use crate::kafka::frame::OpenFrame;
use crate::kafka::wire::{Fields, List, Message, WireError, Writer};
use crate::kafka::{Api, ErrorCode, NO_UUID, Request, RequestHeader};

/// The first version whose batches may be compressed with zstd (KIP-110).
pub const ZSTD_VERSION: i16 = 7;

/// The first version whose answers name the records at fault (KIP-467).
pub const RECORD_ERRORS_VERSION: i16 = 8;

/// The first version whose answers name the new leader (KIP-951).
pub const LEADER_HINT_VERSION: i16 = 10;

/// The first version with topic ids in place of names. While an id is unknown, use an older one.
pub const TOPIC_ID_VERSION: i16 = 13;

/// The versions before [`TOPIC_ID_VERSION`] name a topic; from it on its id does.
fn topic_fields<'a, F: Fields<'a>>(
    f: &mut F,
    name: &mut &'a str,
    topic_id: &mut [u8; 16],
) -> Result<(), WireError> {
    if f.version() >= TOPIC_ID_VERSION {
        f.uuid("topic_id", topic_id)
    } else {
        f.absent("topic_id", *topic_id == NO_UUID || !name.is_empty())?;
        f.string("name", name)
    }
}

/// Append these batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProduceRequest<'a> {
    /// `None`: no transaction.
    pub transactional_id: Option<&'a str>,
    /// -1: answer when every in-sync replica has it; 1: when the leader has; 0: never, not even with an error.
    pub acks: i16,
    /// Milliseconds that the leader may wait for the replicas.
    pub timeout_ms: i32,
    /// The topics.
    pub topic_data: List<'a, TopicProduceData<'a>>,
}

impl Default for ProduceRequest<'_> {
    fn default() -> Self {
        Self { transactional_id: None, acks: -1, timeout_ms: 0, topic_data: List::default() }
    }
}

impl<'a> ProduceRequest<'a> {
    fn head<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.nullable_string("transactional_id", &mut self.transactional_id)?;
        f.int16("acks", &mut self.acks)?;
        f.int32("timeout_ms", &mut self.timeout_ms)
    }
}

impl<'a> Message<'a> for ProduceRequest<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        self.head(f)?;
        f.list("topic_data", &mut self.topic_data)?;
        f.no_tags()
    }
}

impl<'a> Request<'a> for ProduceRequest<'a> {
    const API: Api = Api::Produce;
    const NAME: &'static str = "Produce request";
    const RESPONSE_NAME: &'static str = "Produce response";
    type Response = ProduceResponse<'a>;
}

/// A topic's batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TopicProduceData<'a> {
    /// The topic, before [`TOPIC_ID_VERSION`].
    pub name: &'a str,
    /// The topic, from then on.
    pub topic_id: [u8; 16],
    /// The partitions.
    pub partition_data: List<'a, PartitionProduceData<'a>>,
}

impl<'a> Message<'a> for TopicProduceData<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        topic_fields(f, &mut self.name, &mut self.topic_id)?;
        f.list("partition_data", &mut self.partition_data)?;
        f.no_tags()
    }
}

/// A partition's batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionProduceData<'a> {
    /// Its number in the topic.
    pub index: i32,
    /// One record batch.
    pub records: Option<&'a [u8]>,
}

impl<'a> Message<'a> for PartitionProduceData<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("index", &mut self.index)?;
        f.nullable_bytes("records", &mut self.records)?;
        f.no_tags()
    }
}

/// Writes a Produce request piece by piece, so that nobody has to collect its parts in lists.
///
/// ```
/// use ringwire_codec::kafka::{ProduceEncoder, ProduceRequest, RequestHeader};
///
/// let mut out = Vec::new();
/// let header = RequestHeader { version: 9, correlation_id: 1, client_id: Some("me") };
/// let acks_all = ProduceRequest { acks: -1, timeout_ms: 30_000, ..ProduceRequest::default() };
/// let mut request = ProduceEncoder::begin(&mut out, &header, &acks_all, 1)?;
/// request.topic("quotes", Default::default(), 2)?;
/// request.partition(0, b"a batch")?;
/// request.partition(3, b"another")?;
/// request.finish()?;
/// # Ok::<(), ringwire_codec::kafka::wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct ProduceEncoder<'v> {
    out: &'v mut Vec<u8>,
    frame: OpenFrame,
    version: i16,
    topics_left: usize,
    partitions_left: usize,
    /// Bytes of batches that are sent in between.
    apart: usize,
}

impl<'v> ProduceEncoder<'v> {
    /// Begins a request of so many topics at the end of `out`. Of `head` everything but its topics is taken.
    ///
    /// # Errors
    ///
    /// An unknown version, or a text that is too long. After an error here or in another method, truncate
    /// `out` to its former length.
    pub fn begin(
        out: &'v mut Vec<u8>,
        header: &RequestHeader<'_>,
        head: &ProduceRequest<'_>,
        topics: usize,
    ) -> Result<Self, WireError> {
        let frame = OpenFrame::request(out, Api::Produce, header)?;
        let mut encoder =
            Self { out, frame, version: header.version, topics_left: topics, partitions_left: 0, apart: 0 };
        let mut writer = encoder.writer();
        let mut head = *head;
        head.head(&mut writer)?;
        writer.count("topic_data", Some(topics))?;
        Ok(encoder)
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer::new(ProduceRequest::NAME, self.version, Api::Produce.is_flexible(self.version), self.out)
    }

    /// Begins a topic of so many partitions, at least one.
    ///
    /// # Errors
    ///
    /// A name that is too long, or none where the version wants one.
    ///
    /// # Panics
    ///
    /// If the topic before is not complete, or there are more topics than were announced.
    pub fn topic(
        &mut self,
        mut name: &str,
        mut topic_id: [u8; 16],
        partitions: usize,
    ) -> Result<(), WireError> {
        assert_eq!(self.partitions_left, 0, "partitions of the topic before");
        assert!(partitions > 0, "a topic has a partition");
        self.topics_left = self.topics_left.checked_sub(1).expect("no more topics than announced");
        self.partitions_left = partitions;
        let mut writer = self.writer();
        topic_fields(&mut writer, &mut name, &mut topic_id)?;
        writer.count("partition_data", Some(partitions))
    }

    /// Appends a partition and its batch.
    ///
    /// # Errors
    ///
    /// A batch that is too long.
    ///
    /// # Panics
    ///
    /// If there are more partitions than were announced.
    pub fn partition(&mut self, index: i32, batch: &[u8]) -> Result<(), WireError> {
        self.count_partition();
        PartitionProduceData { index, records: Some(batch) }.fields(&mut self.writer())?;
        self.end_topic()
    }

    /// Appends a partition without its batch of `len` bytes, and answers where in `out` that belongs: the caller sends it
    /// from where it lies.
    ///
    /// # Errors
    ///
    /// As [`ProduceEncoder::partition`].
    ///
    /// # Panics
    ///
    /// As [`ProduceEncoder::partition`].
    pub fn partition_apart(&mut self, mut index: i32, len: usize) -> Result<usize, WireError> {
        self.count_partition();
        let mut writer = self.writer();
        writer.int32("index", &mut index)?;
        writer.count("records", Some(len))?;
        let at = self.out.len();
        self.apart += len;
        self.writer().no_tags()?;
        self.end_topic()?;
        Ok(at)
    }

    fn count_partition(&mut self) {
        self.partitions_left =
            self.partitions_left.checked_sub(1).expect("no more partitions than announced");
    }

    /// The last partition ends its topic.
    fn end_topic(&mut self) -> Result<(), WireError> {
        if self.partitions_left == 0 { self.writer().no_tags() } else { Ok(()) }
    }

    /// Ends the request.
    ///
    /// # Errors
    ///
    /// It is too long.
    ///
    /// # Panics
    ///
    /// If something that was announced is missing.
    pub fn finish(mut self) -> Result<(), WireError> {
        assert_eq!((self.topics_left, self.partitions_left), (0, 0), "topics and partitions left");
        self.writer().no_tags()?;
        self.frame.finish_with(self.out, self.apart)
    }
}

/// What became of the batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProduceResponse<'a> {
    /// The topics.
    pub responses: List<'a, TopicProduceResponse<'a>>,
    /// Milliseconds for which the broker wants no more requests: the client has to keep to it (KIP-219).
    pub throttle_time_ms: i32,
    /// Addresses of the leaders that are named. Tagged, from [`LEADER_HINT_VERSION`].
    pub node_endpoints: List<'a, NodeEndpoint<'a>>,
}

impl<'a> Message<'a> for ProduceResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.list("responses", &mut self.responses)?;
        f.int32("throttle_time_ms", &mut self.throttle_time_ms)?;
        if f.version() < LEADER_HINT_VERSION {
            return f.no_tags();
        }
        let tags = [(0, !self.node_endpoints.is_empty())];
        f.tags(&tags, |f, _| f.list("node_endpoints", &mut self.node_endpoints))
    }
}

/// What became of a topic's batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TopicProduceResponse<'a> {
    /// The topic, before [`TOPIC_ID_VERSION`].
    pub name: &'a str,
    /// The topic, from then on.
    pub topic_id: [u8; 16],
    /// The partitions.
    pub partition_responses: List<'a, PartitionProduceResponse<'a>>,
}

impl<'a> Message<'a> for TopicProduceResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        topic_fields(f, &mut self.name, &mut self.topic_id)?;
        f.list("partition_responses", &mut self.partition_responses)?;
        f.no_tags()
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartitionProduceResponse<'a> {
    /// The partition's number in the topic.
    pub index: i32,
    /// NONE, or why it was refused: see [`ErrorCode::info`].
    pub error_code: ErrorCode,
    /// The offset of its first record; -1: unknown.
    pub base_offset: i64,
    /// With LogAppendTime the broker's time in milliseconds since 1970; else -1.
    pub log_append_time_ms: i64,
    /// Where the partition begins; -1: unknown. From version 5.
    pub log_start_offset: i64,
    /// The records at fault, by their place in the batch: the others can be sent again. From
    /// [`RECORD_ERRORS_VERSION`].
    pub record_errors: List<'a, RecordError<'a>>,
    /// The error in words. From [`RECORD_ERRORS_VERSION`].
    pub error_message: Option<&'a str>,
    /// Who leads now, where the error is that this broker does not. Tagged, from [`LEADER_HINT_VERSION`].
    pub current_leader: LeaderHint,
}

impl Default for PartitionProduceResponse<'_> {
    fn default() -> Self {
        Self {
            index: 0,
            error_code: ErrorCode::NONE,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: List::default(),
            error_message: None,
            current_leader: LeaderHint::UNKNOWN,
        }
    }
}

impl<'a> Message<'a> for PartitionProduceResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        f.int32("index", &mut self.index)?;
        f.int16("error_code", &mut self.error_code.0)?;
        f.int64("base_offset", &mut self.base_offset)?;
        f.int64("log_append_time_ms", &mut self.log_append_time_ms)?;
        if version >= 5 {
            f.int64("log_start_offset", &mut self.log_start_offset)?;
        }
        if version >= RECORD_ERRORS_VERSION {
            f.list("record_errors", &mut self.record_errors)?;
            f.nullable_string("error_message", &mut self.error_message)?;
        }
        if version < LEADER_HINT_VERSION {
            return f.no_tags();
        }
        let tags = [(0, self.current_leader != LeaderHint::UNKNOWN)];
        f.tags(&tags, |f, _| self.current_leader.fields(f))
    }
}

/// A record at fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordError<'a> {
    /// Its place in the batch, from 0.
    pub batch_index: i32,
    /// What is wrong with it.
    pub batch_index_error_message: Option<&'a str>,
}

impl<'a> Message<'a> for RecordError<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("batch_index", &mut self.batch_index)?;
        f.nullable_string("batch_index_error_message", &mut self.batch_index_error_message)?;
        f.no_tags()
    }
}

/// Who leads a partition. A hint with an older epoch than one that is known is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderHint {
    /// The leader's node; -1: unknown.
    pub leader_id: i32,
    /// Its epoch; -1: unknown.
    pub leader_epoch: i32,
}

impl LeaderHint {
    /// No hint.
    pub const UNKNOWN: Self = Self { leader_id: -1, leader_epoch: -1 };
}

impl Default for LeaderHint {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl<'a> Message<'a> for LeaderHint {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("leader_id", &mut self.leader_id)?;
        f.int32("leader_epoch", &mut self.leader_epoch)?;
        f.no_tags()
    }
}

/// A broker's address, to go with a [`LeaderHint`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeEndpoint<'a> {
    /// Its number in the cluster.
    pub node_id: i32,
    /// Name or address.
    pub host: &'a str,
    /// Port.
    pub port: i32,
    /// Where it stands.
    pub rack: Option<&'a str>,
}

impl<'a> Message<'a> for NodeEndpoint<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("node_id", &mut self.node_id)?;
        f.string("host", &mut self.host)?;
        f.int32("port", &mut self.port)?;
        f.nullable_string("rack", &mut self.rack)?;
        f.no_tags()
    }
}
