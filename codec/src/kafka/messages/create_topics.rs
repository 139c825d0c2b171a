//! CreateTopics: for tests and for the command; it goes to the controller.

use crate::kafka::wire::{Fields, List, Message, WireError};
use crate::kafka::{Api, ErrorCode, NO_UUID, Request};

/// The broker's default, as a count of partitions or replicas. From version 4 of the request.
pub const BROKER_DEFAULT: i16 = -1;

/// Which topics?
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CreateTopicsRequest<'a> {
    /// The topics.
    pub topics: List<'a, NewTopic<'a>>,
    /// Milliseconds that the controller may take; -1: answer at once.
    pub timeout_ms: i32,
    /// Check, but create nothing.
    pub validate_only: bool,
}

impl<'a> Message<'a> for CreateTopicsRequest<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.list("topics", &mut self.topics)?;
        f.int32("timeout_ms", &mut self.timeout_ms)?;
        f.boolean("validate_only", &mut self.validate_only)?;
        f.no_tags()
    }
}

impl<'a> Request<'a> for CreateTopicsRequest<'a> {
    const API: Api = Api::CreateTopics;
    const NAME: &'static str = "CreateTopics request";
    const RESPONSE_NAME: &'static str = "CreateTopics response";
    type Response = CreateTopicsResponse<'a>;
}

/// A topic to be created.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NewTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many partitions; -1 with `assignments`, or for [`BROKER_DEFAULT`].
    pub num_partitions: i32,
    /// How many replicas; likewise.
    pub replication_factor: i16,
    /// Which nodes hold which partition; empty: the controller decides.
    pub assignments: List<'a, Assignment<'a>>,
    /// Settings.
    pub configs: List<'a, NewTopicConfig<'a>>,
}

impl<'a> Message<'a> for NewTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.string("name", &mut self.name)?;
        f.int32("num_partitions", &mut self.num_partitions)?;
        f.int16("replication_factor", &mut self.replication_factor)?;
        f.list("assignments", &mut self.assignments)?;
        f.list("configs", &mut self.configs)?;
        f.no_tags()
    }
}

/// Which nodes hold a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Assignment<'a> {
    /// The partition.
    pub partition_index: i32,
    /// The nodes; the first leads.
    pub broker_ids: List<'a, i32>,
}

impl<'a> Message<'a> for Assignment<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("partition_index", &mut self.partition_index)?;
        f.list("broker_ids", &mut self.broker_ids)?;
        f.no_tags()
    }
}

/// A setting such as `retention.ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewTopicConfig<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: Option<&'a str>,
}

impl<'a> Message<'a> for NewTopicConfig<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.string("name", &mut self.name)?;
        f.nullable_string("value", &mut self.value)?;
        f.no_tags()
    }
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CreateTopicsResponse<'a> {
    /// Milliseconds for which the broker wants no more requests.
    pub throttle_time_ms: i32,
    /// The topics.
    pub topics: List<'a, CreatedTopic<'a>>,
}

impl<'a> Message<'a> for CreateTopicsResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("throttle_time_ms", &mut self.throttle_time_ms)?;
        f.list("topics", &mut self.topics)?;
        f.no_tags()
    }
}

/// What became of a topic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CreatedTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its id. From version 7.
    pub topic_id: [u8; 16],
    /// Why it was not created, or NONE.
    pub error_code: ErrorCode,
    /// The same in words.
    pub error_message: Option<&'a str>,
    /// Why `configs` are not shown, or NONE. Tagged, from version 5.
    pub topic_config_error_code: ErrorCode,
    /// How many partitions it has; -1: not said. From version 5.
    pub num_partitions: i32,
    /// How many replicas; -1: not said. From version 5.
    pub replication_factor: i16,
    /// Its settings; `None`: not shown. From version 5.
    pub configs: Option<List<'a, CreatedTopicConfig<'a>>>,
}

impl Default for CreatedTopic<'_> {
    fn default() -> Self {
        Self {
            name: "",
            topic_id: NO_UUID,
            error_code: ErrorCode::NONE,
            error_message: None,
            topic_config_error_code: ErrorCode::NONE,
            num_partitions: -1,
            replication_factor: -1,
            configs: None,
        }
    }
}

impl<'a> Message<'a> for CreatedTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        f.string("name", &mut self.name)?;
        if version >= 7 {
            f.uuid("topic_id", &mut self.topic_id)?;
        }
        f.int16("error_code", &mut self.error_code.0)?;
        f.nullable_string("error_message", &mut self.error_message)?;
        if version >= 5 {
            f.int32("num_partitions", &mut self.num_partitions)?;
            f.int16("replication_factor", &mut self.replication_factor)?;
            f.nullable_list("configs", &mut self.configs)?;
        }
        let tags = [(0, self.topic_config_error_code != ErrorCode::NONE)];
        f.tags(&tags, |f, _| f.int16("topic_config_error_code", &mut self.topic_config_error_code.0))
    }
}

/// A setting of a topic that was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedTopicConfig<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value; `None`: sensitive or unset.
    pub value: Option<&'a str>,
    /// It cannot be changed.
    pub read_only: bool,
    /// Where it comes from; -1: not said.
    pub config_source: i8,
    /// Its value is secret.
    pub is_sensitive: bool,
}

impl Default for CreatedTopicConfig<'_> {
    fn default() -> Self {
        Self { name: "", value: None, read_only: false, config_source: -1, is_sensitive: false }
    }
}

impl<'a> Message<'a> for CreatedTopicConfig<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.string("name", &mut self.name)?;
        f.nullable_string("value", &mut self.value)?;
        f.boolean("read_only", &mut self.read_only)?;
        f.int8("config_source", &mut self.config_source)?;
        f.boolean("is_sensitive", &mut self.is_sensitive)?;
        f.no_tags()
    }
}
