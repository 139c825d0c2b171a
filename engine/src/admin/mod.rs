//! Questions to a Kafka cluster that are not in anybody's hot path: which topics there are, and to make one.
//!
//! ```text
//!   bootstrap list ─► first broker that answers ─► ApiVersions ─► Metadata ─┬─► topics
//!                                                                          └─► controller ─► CreateTopics
//! ```
//!
//! Each call blocks, opens connections of its own, closes them, and ends within its timeout but for the look-up of a
//! name, which the system bounds. It needs no [`crate::Engine`].

mod connection;
mod error;

use std::time::{Duration, Instant};

use ringwire_codec::kafka::{
    CreateTopicsRequest, ErrorCode, List, MetadataRequest, MetadataRequestTopic, MetadataResponse,
    MetadataTopic, NewTopicConfig,
};

use crate::config::{Config, ConfigError};
use connection::Connection;
pub use error::AdminError;

/// Longer than a broker takes for any of this, unless it is in trouble.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a cluster.
#[derive(Clone, Debug)]
pub struct Admin {
    brokers: Vec<(String, u16)>,
    timeout: Duration,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// One of Kafka's own.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number in the topic.
    pub number: i32,
    /// The broker that leads it, if there is one.
    pub leader: Option<i32>,
    /// Every broker with a replica.
    pub replicas: Vec<i32>,
    /// Those that keep up.
    pub isr: Vec<i32>,
}

/// A topic to be made. What is `None` is left to the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: Option<i32>,
    /// How many replicas of each.
    pub replication_factor: Option<i16>,
    /// Settings such as `retention.ms`, with their values.
    pub configs: Vec<(String, String)>,
}

impl Admin {
    /// Asks the cluster that these brokers belong to: `host[:port][,host[:port]…]`.
    ///
    /// # Errors
    /// [`ConfigError`] if the list is none.
    pub fn new(bootstrap: &str) -> Result<Self, ConfigError> {
        Self::of(&Config::new().kafka("kafka", bootstrap)?, None)
    }

    /// Asks the Kafka of this name in a configuration, or without a name the only one.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such Kafka, or several.
    pub fn of(config: &Config, endpoint: Option<&str>) -> Result<Self, ConfigError> {
        Ok(Self { brokers: config.brokers_of(endpoint)?, timeout: DEFAULT_TIMEOUT })
    }

    /// The time that each call may take: [`DEFAULT_TIMEOUT`] unless it is set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Every topic, by name.
    ///
    /// # Errors
    /// [`AdminError`]: no broker answers as it should.
    pub fn topics(&self) -> Result<Vec<Topic>, AdminError> {
        let mut connection = self.connect(self.deadline())?;
        let request =
            MetadataRequest { topics: None, allow_auto_topic_creation: false, ..MetadataRequest::default() };
        let (version, payload) = connection.ask(&request)?;
        let answer: MetadataResponse<'_> = connection.read::<MetadataRequest<'_>>(version, &payload)?;
        let mut topics: Vec<Topic> = answer.topics.iter().map(topic).collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(topics)
    }

    /// The topic of this name. It is not created by asking for it.
    ///
    /// # Errors
    /// As [`Admin::topics`]; also if there is no such topic.
    pub fn topic(&self, name: &str) -> Result<Topic, AdminError> {
        let mut connection = self.connect(self.deadline())?;
        let names = [MetadataRequestTopic::named(name)];
        let topics = Some(List::new(&names));
        let request =
            MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
        let (version, payload) = connection.ask(&request)?;
        let answer: MetadataResponse<'_> = connection.read::<MetadataRequest<'_>>(version, &payload)?;
        match answer.topics.iter().next() {
            Some(found) if found.error_code == ErrorCode::NONE => Ok(topic(found)),
            Some(found) => Err(connection.refused(&format!("topic {name}"), found.error_code, None)),
            None => {
                Err(connection.refused(&format!("topic {name}"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None))
            }
        }
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// As [`Admin::topics`]; also what the controller answers.
    pub fn create_topic(&self, new: &NewTopic) -> Result<(), AdminError> {
        let deadline = self.deadline();
        let mut connection = self.controller(deadline)?;
        let configs: Vec<NewTopicConfig<'_>> =
            new.configs.iter().map(|(name, value)| NewTopicConfig { name, value: Some(value) }).collect();
        let topics = [ringwire_codec::kafka::NewTopic {
            name: &new.name,
            num_partitions: new.partitions.unwrap_or(i32::from(ringwire_codec::kafka::BROKER_DEFAULT)),
            replication_factor: new.replication_factor.unwrap_or(ringwire_codec::kafka::BROKER_DEFAULT),
            assignments: List::default(),
            configs: List::new(&configs),
        }];
        let left = deadline.saturating_duration_since(Instant::now());
        let request = CreateTopicsRequest {
            topics: List::new(&topics),
            timeout_ms: i32::try_from(left.as_millis()).unwrap_or(i32::MAX),
            validate_only: false,
        };
        let (version, payload) = connection.ask(&request)?;
        let answer = connection.read::<CreateTopicsRequest<'_>>(version, &payload)?;
        match answer.topics.iter().next() {
            Some(created) if created.error_code == ErrorCode::NONE => Ok(()),
            Some(created) => {
                let what = format!("topic {}", new.name);
                Err(connection.refused(&what, created.error_code, created.error_message))
            }
            None => Err(connection.nonsense("it does not say what became of the topic")),
        }
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.timeout).unwrap_or(now + DEFAULT_TIMEOUT)
    }

    /// A connection to the first broker that answers.
    fn connect(&self, deadline: Instant) -> Result<Connection, AdminError> {
        let mut last = None;
        for (index, (host, port)) in self.brokers.iter().enumerate() {
            // One that does not answer leaves time for the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / (self.brokers.len() - index) as u32;
            match Connection::open(host, *port, Instant::now() + share) {
                Ok(connection) => return Ok(connection.until(deadline)),
                Err(error) => last = Some(error),
            }
        }
        // The list is never empty.
        Err(last.unwrap_or_else(|| AdminError::Unreachable {
            broker: String::new(),
            why: "no broker".to_owned(),
        }))
    }

    /// A connection to the broker that makes topics.
    fn controller(&self, deadline: Instant) -> Result<Connection, AdminError> {
        let mut connection = self.connect(deadline)?;
        let (version, payload) = connection.ask(&MetadataRequest::default())?;
        let answer = connection.read::<MetadataRequest<'_>>(version, &payload)?;
        let controller = answer.brokers.iter().find(|broker| broker.node_id == answer.controller_id);
        let Some(controller) = controller else { return Ok(connection) };
        let Ok(port) = u16::try_from(controller.port) else {
            return Err(connection.nonsense("the controller's port is none"));
        };
        // Half of the time: if it cannot be reached where it says it is, the broker that answered hands the request on, as each
        // does from Kafka 3.3 on without ZooKeeper.
        let half = deadline.saturating_duration_since(Instant::now()) / 2;
        match Connection::open(controller.host, port, Instant::now() + half) {
            Ok(controller) => Ok(controller.until(deadline)),
            Err(_) => Ok(connection),
        }
    }
}

fn topic(found: MetadataTopic<'_>) -> Topic {
    let mut partitions: Vec<Partition> = found
        .partitions
        .iter()
        .map(|it| Partition {
            number: it.partition_index,
            leader: Some(it.leader_id).filter(|leader| *leader >= 0),
            replicas: it.replica_nodes.iter().collect(),
            isr: it.isr_nodes.iter().collect(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.number);
    Topic { name: found.name.unwrap_or_default().to_owned(), is_internal: found.is_internal, partitions }
}
