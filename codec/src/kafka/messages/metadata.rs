//! Metadata: brokers, topics, and who leads which partition.

use crate::kafka::wire::{Fields, List, Message, WireError};
use crate::kafka::{Api, ErrorCode, NO_UUID, Request};

/// The first version that can ask for a topic by its id alone.
pub const TOPIC_ID_LOOKUP_VERSION: i16 = 12;

/// What authorized operations are where nobody asked for them.
pub const OPERATIONS_UNKNOWN: i32 = i32::MIN;

/// Which topics?
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetadataRequest<'a> {
    /// The topics; `None`: every one. Version 0 has no `None`, and an empty list there means every one.
    pub topics: Option<List<'a, MetadataRequestTopic<'a>>>,
    /// Create those that do not exist, if the broker is set up for it. Before version 4 it is not said, and the
    /// broker does.
    pub allow_auto_topic_creation: bool,
    /// Versions 8 to 10.
    pub include_cluster_authorized_operations: bool,
    /// From version 8.
    pub include_topic_authorized_operations: bool,
}

impl Default for MetadataRequest<'_> {
    fn default() -> Self {
        Self {
            topics: Some(List::default()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
        }
    }
}

impl<'a> Message<'a> for MetadataRequest<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        if version >= 1 {
            f.nullable_list("topics", &mut self.topics)?;
        } else {
            self.fields_of_topics_v0(f)?;
        }
        if version >= 4 {
            f.boolean("allow_auto_topic_creation", &mut self.allow_auto_topic_creation)?;
        } else {
            f.absent("allow_auto_topic_creation", self.allow_auto_topic_creation)?;
        }
        let cluster = &mut self.include_cluster_authorized_operations;
        if (8..=10).contains(&version) {
            f.boolean("include_cluster_authorized_operations", cluster)?;
        } else {
            f.absent("include_cluster_authorized_operations", !*cluster)?;
        }
        let topics = &mut self.include_topic_authorized_operations;
        if version >= 8 {
            f.boolean("include_topic_authorized_operations", topics)?;
        } else {
            f.absent("include_topic_authorized_operations", !*topics)?;
        }
        f.no_tags()
    }
}

impl<'a> MetadataRequest<'a> {
    /// Version 0 says "every topic" by an empty list, and cannot say "none".
    fn fields_of_topics_v0<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.absent("topics", self.topics.is_none_or(|topics| !topics.is_empty()))?;
        let mut topics = self.topics.unwrap_or_default();
        f.list("topics", &mut topics)?;
        self.topics = Some(topics).filter(|topics| !topics.is_empty());
        Ok(())
    }
}

impl<'a> Request<'a> for MetadataRequest<'a> {
    const API: Api = Api::Metadata;
    const NAME: &'static str = "Metadata request";
    const RESPONSE_NAME: &'static str = "Metadata response";
    type Response = MetadataResponse<'a>;
}

/// A topic by name, or by id alone from [`TOPIC_ID_LOOKUP_VERSION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataRequestTopic<'a> {
    /// Its id; all zero where the name says it. From version 10.
    pub topic_id: [u8; 16],
    /// Its name; `None` where the id says it.
    pub name: Option<&'a str>,
}

impl<'a> MetadataRequestTopic<'a> {
    /// A topic by name.
    pub fn named(name: &'a str) -> Self {
        Self { topic_id: NO_UUID, name: Some(name) }
    }
}

impl Default for MetadataRequestTopic<'_> {
    fn default() -> Self {
        Self::named("")
    }
}

impl<'a> Message<'a> for MetadataRequestTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        if version < TOPIC_ID_LOOKUP_VERSION {
            // 10 and 11 have the fields, but brokers refuse what they say (KAFKA-10545).
            f.absent("topic_id", self.topic_id == NO_UUID)?;
            f.absent("name", self.name.is_some())?;
        }
        if version >= 10 {
            f.uuid("topic_id", &mut self.topic_id)?;
            f.nullable_string("name", &mut self.name)?;
        } else {
            let mut name = self.name.unwrap_or_default();
            f.string("name", &mut name)?;
            self.name = Some(name);
        }
        f.no_tags()
    }
}

/// The cluster as one broker sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetadataResponse<'a> {
    /// Milliseconds for which the broker wants no more requests. From version 3.
    pub throttle_time_ms: i32,
    /// The brokers that are alive.
    pub brokers: List<'a, MetadataBroker<'a>>,
    /// From version 2.
    pub cluster_id: Option<&'a str>,
    /// The controller's node; -1: unknown. From version 1.
    pub controller_id: i32,
    /// What was asked for.
    pub topics: List<'a, MetadataTopic<'a>>,
    /// Versions 8 to 10.
    pub cluster_authorized_operations: i32,
    /// REBOOTSTRAP_REQUIRED: go back to the bootstrap list (KIP-1102). From version 13.
    pub error_code: ErrorCode,
}

impl Default for MetadataResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: List::default(),
            cluster_id: None,
            controller_id: -1,
            topics: List::default(),
            cluster_authorized_operations: OPERATIONS_UNKNOWN,
            error_code: ErrorCode::NONE,
        }
    }
}

impl<'a> Message<'a> for MetadataResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        if version >= 3 {
            f.int32("throttle_time_ms", &mut self.throttle_time_ms)?;
        }
        f.list("brokers", &mut self.brokers)?;
        if version >= 2 {
            f.nullable_string("cluster_id", &mut self.cluster_id)?;
        }
        if version >= 1 {
            f.int32("controller_id", &mut self.controller_id)?;
        }
        f.list("topics", &mut self.topics)?;
        if (8..=10).contains(&version) {
            f.int32("cluster_authorized_operations", &mut self.cluster_authorized_operations)?;
        }
        if version >= 13 {
            f.int16("error_code", &mut self.error_code.0)?;
        }
        f.no_tags()
    }
}

/// A broker and its address, as it advertises it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataBroker<'a> {
    /// Its number in the cluster.
    pub node_id: i32,
    /// Name or address.
    pub host: &'a str,
    /// Port.
    pub port: i32,
    /// Where it stands. From version 1.
    pub rack: Option<&'a str>,
}

impl<'a> Message<'a> for MetadataBroker<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("node_id", &mut self.node_id)?;
        f.string("host", &mut self.host)?;
        f.int32("port", &mut self.port)?;
        if f.version() >= 1 {
            f.nullable_string("rack", &mut self.rack)?;
        }
        f.no_tags()
    }
}

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetadataTopic<'a> {
    /// Why there is no more about it, or NONE.
    pub error_code: ErrorCode,
    /// Its name; `None` only where an unknown id was asked for, from version 12.
    pub name: Option<&'a str>,
    /// Its id; all zero: unknown, or a broker without ids. From version 10.
    pub topic_id: [u8; 16],
    /// One of Kafka's own. From version 1.
    pub is_internal: bool,
    /// Its partitions.
    pub partitions: List<'a, MetadataPartition<'a>>,
    /// From version 8.
    pub topic_authorized_operations: i32,
}

impl Default for MetadataTopic<'_> {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            name: Some(""),
            topic_id: NO_UUID,
            is_internal: false,
            partitions: List::default(),
            topic_authorized_operations: OPERATIONS_UNKNOWN,
        }
    }
}

impl<'a> Message<'a> for MetadataTopic<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        let version = f.version();
        f.int16("error_code", &mut self.error_code.0)?;
        if version >= TOPIC_ID_LOOKUP_VERSION {
            f.nullable_string("name", &mut self.name)?;
        } else {
            f.absent("name", self.name.is_some())?;
            let mut name = self.name.unwrap_or_default();
            f.string("name", &mut name)?;
            self.name = Some(name);
        }
        if version >= 10 {
            f.uuid("topic_id", &mut self.topic_id)?;
        }
        if version >= 1 {
            f.boolean("is_internal", &mut self.is_internal)?;
        }
        f.list("partitions", &mut self.partitions)?;
        if version >= 8 {
            f.int32("topic_authorized_operations", &mut self.topic_authorized_operations)?;
        }
        f.no_tags()
    }
}

/// A partition and its leader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetadataPartition<'a> {
    /// Why it cannot be used now, or NONE.
    pub error_code: ErrorCode,
    /// Its number in the topic.
    pub partition_index: i32,
    /// The leader's node; -1: none.
    pub leader_id: i32,
    /// Grows with every change of the leader; -1: unknown. An older one than known is stale. From version 7.
    pub leader_epoch: i32,
    /// Every node with a replica.
    pub replica_nodes: List<'a, i32>,
    /// Those that keep up.
    pub isr_nodes: List<'a, i32>,
    /// Those that are down. From version 5.
    pub offline_replicas: List<'a, i32>,
}

impl Default for MetadataPartition<'_> {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            partition_index: 0,
            leader_id: -1,
            leader_epoch: -1,
            replica_nodes: List::default(),
            isr_nodes: List::default(),
            offline_replicas: List::default(),
        }
    }
}

impl<'a> Message<'a> for MetadataPartition<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int16("error_code", &mut self.error_code.0)?;
        f.int32("partition_index", &mut self.partition_index)?;
        f.int32("leader_id", &mut self.leader_id)?;
        if f.version() >= 7 {
            f.int32("leader_epoch", &mut self.leader_epoch)?;
        }
        f.list("replica_nodes", &mut self.replica_nodes)?;
        f.list("isr_nodes", &mut self.isr_nodes)?;
        if f.version() >= 5 {
            f.list("offline_replicas", &mut self.offline_replicas)?;
        }
        f.no_tags()
    }
}
