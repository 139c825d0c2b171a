//! A small Kafka cluster as a state machine: bytes and time in, bytes out.
//!
//! ```text
//!  accept(broker) --> Connection { input -> requests -> answers -> output }
//!  receive(bytes) ------------------^          |
//!       Metadata: who leads what   Produce, Fetch: the leader's log of the partition
//!  next_ready -> output / sent -> wants_close -> closed
//! ```
//!
//! What it implements it does as Kafka 4.1 does on the wire, or as an older one whose
//! [versions](ClusterOptions::versions) it is given: every batch is checked by its checksum, header, producer epoch
//! and sequence before it is appended, and a repetition is answered with the offset of the original. There are no
//! replicas, groups or transactions. It reads no clock and opens no socket: time is `now_ns`, an argument, in
//! nanoseconds of any monotonic clock. The same calls give the same bytes.
//!
//! The contract is that of [`redis::Server`](crate::redis::Server): mutate (`accept`, `receive`, `sent`, `closed`,
//! `tick`, or the methods of the world's hand), then drain [`Cluster::next_ready`]. For each connection that it
//! names, send [`Cluster::output`], tell [`Cluster::sent`], and once the output is empty close the connection if
//! [`Cluster::wants_close`], then tell [`Cluster::closed`].
//!
//! ```
//! use ringwire_codec::kafka::{ApiVersionsRequest, RequestHeader, decode_response, encode_request};
//! use ringwire_loopback::kafka::{Broker, Cluster, ClusterOptions};
//!
//! let brokers = vec![Broker { id: 1, host: "127.0.0.1".into(), port: 9092 }];
//! let mut cluster = Cluster::new(brokers, ClusterOptions::default());
//! let connection = cluster.accept(0, 1);
//! let mut request = Vec::new();
//! let header = RequestHeader { version: 3, correlation_id: 7, client_id: None };
//! encode_request(&mut request, &header, &ApiVersionsRequest {
//!     client_software_name: "me",
//!     client_software_version: "1",
//! })?;
//! cluster.receive(0, connection, &request);
//! assert_eq!(cluster.next_ready(), Some(connection));
//! let answer = decode_response::<ApiVersionsRequest>(3, &cluster.output(connection)[4..])?;
//! assert!(!answer.api_keys.is_empty());
//! # Ok::<(), ringwire_codec::kafka::wire::WireError>(())
//! ```

mod api_versions;
mod append;
mod code;
mod connection;
mod create_topics;
mod fault;
mod fetch;
mod init_producer_id;
mod judge;
mod leader;
mod list_offsets;
mod log;
mod metadata;
mod options;
mod produce;
mod producer;
mod request;
mod topic;

use std::fmt;

use ringwire_codec::kafka::{Inflater, NodeEndpoint};

use connection::{Connections, Fate};
pub use fault::Injection;
pub use judge::LoggedRecord;
pub use options::{Broker, ClusterOptions, TopicOptions, kafka_2_1, kafka_3_9, kafka_4_1};
use options::{CONNECTIONS_MAX, PARTITIONS_MAX, REQUEST_LEN_MAX};
use topic::{Partition, Topic, Topics, is_topic_name};

/// A connection's number: 1, 2, 3... in the order of `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Why a topic or its partitions could not be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// No name for a topic: letters, digits, `.`, `_` and `-`, at most 249.
    Name,
    /// It is there already.
    Exists,
    /// There is no such topic.
    Unknown,
    /// No partitions, or more than the cluster holds.
    Partitions,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "expected a topic's name of letters, digits, '.', '_' and '-', 249 at most",
            Self::Exists => "the topic exists: delete it first, or choose another name",
            Self::Unknown => "there is no such topic: create it first",
            Self::Partitions => "expected 1 partition at least, and 100,000 in the whole cluster at most",
        })
    }
}

impl std::error::Error for TopicError {}

/// A broker and what has become of it.
#[derive(Debug)]
struct Node {
    broker: Broker,
    is_running: bool,
    /// Its answers stay where they are.
    is_held: bool,
    /// It leads what it led, and no metadata answer lists it.
    is_fenced: bool,
    /// It answers metadata requests by this, and not by what is.
    stale: Option<fault::StaleView>,
}

impl Node {
    fn endpoint(&self) -> NodeEndpoint<'_> {
        let Broker { id, host, port } = &self.broker;
        NodeEndpoint { node_id: *id, host, port: i32::from(*port), rack: None }
    }
}

/// A Kafka cluster without its sockets; see the [module](self) for how to drive it.
///
/// `Send`, and used by one thread at a time.
pub struct Cluster {
    options: ClusterOptions,
    nodes: Vec<Node>,
    topics: Topics,
    connections: Connections,
    next_producer_id: i64,
    injections: Vec<Injection>,
    throttle_ms: i32,
    inflater: Inflater,
    /// What batches decompress into.
    scratch: Vec<u8>,
    /// A log has, or its leader moved: those who wait for records look again.
    has_grown: bool,
}

impl Cluster {
    /// A cluster of these brokers, all running, without topics.
    pub fn new(brokers: Vec<Broker>, options: ClusterOptions) -> Self {
        let node = |broker| Node { broker, is_running: true, is_held: false, is_fenced: false, stale: None };
        Self {
            options,
            nodes: brokers.into_iter().map(node).collect(),
            topics: Topics::default(),
            connections: Connections::default(),
            next_producer_id: 0,
            injections: Vec::new(),
            throttle_ms: 0,
            inflater: Inflater::default(),
            scratch: Vec::new(),
            has_grown: false,
        }
    }

    /// A broker has accepted a connection. If it is not running, or holds too many, the connection wants to be
    /// closed at once.
    pub fn accept(&mut self, _now_ns: u64, broker: i32) -> ConnectionId {
        let is_refused = self.connections.len() >= CONNECTIONS_MAX || !self.is_running(broker);
        let id = self.connections.insert(broker);
        if is_refused {
            self.end(id);
        }
        id
    }

    /// Executes every request that `bytes` completes, in order. What is left waits for its rest. The bytes of a
    /// connection that is unknown or about to be closed are dropped.
    pub fn receive(&mut self, now_ns: u64, id: ConnectionId, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.fate != Fate::Open {
            return;
        }
        if connection.waiting.is_some() {
            connection.input.extend_from_slice(bytes);
            if connection.input.len() > REQUEST_LEN_MAX {
                self.end(id);
            }
            return;
        }
        let mut input = std::mem::take(&mut connection.input);
        if input.is_empty() {
            // The usual case: whole requests, executed where they lie.
            let used = self.execute_all(now_ns, id, None, bytes);
            input.extend_from_slice(&bytes[used..]);
        } else {
            input.extend_from_slice(bytes);
            let used = self.execute_all(now_ns, id, None, &input);
            input.drain(..used);
        }
        self.keep_input(id, input);
        self.serve_waiting(now_ns);
    }

    /// The time at which [`tick`](Self::tick) has something to do: a Fetch request has waited for long enough.
    pub fn next_deadline(&self) -> Option<u64> {
        self.connections.next_deadline()
    }

    /// Answers what has waited for long enough.
    pub fn tick(&mut self, now_ns: u64) {
        for id in self.connections.waiting() {
            let waiting = self.connections.get(id).and_then(|connection| connection.waiting.as_ref());
            if waiting.is_some_and(|waiting| waiting.until_ns <= now_ns) {
                self.resume(now_ns, id);
            }
        }
        self.serve_waiting(now_ns);
    }

    /// What is to be sent to the peer; empty for an unknown one, and while its broker is held.
    pub fn output(&self, id: ConnectionId) -> &[u8] {
        let Some(connection) = self.connections.get(id) else { return &[] };
        let is_held = self.node(connection.broker).is_some_and(|node| node.is_held);
        if is_held { &[] } else { connection.unsent() }
    }

    /// The first `n` bytes of the output have been sent.
    pub fn sent(&mut self, id: ConnectionId, n: usize) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.sent(n);
        }
    }

    /// Whether the connection is to be closed as soon as the output is empty. True for an unknown one.
    pub fn wants_close(&self, id: ConnectionId) -> bool {
        self.connections.get(id).is_none_or(connection::Connection::wants_close)
    }

    /// The connection is gone. What it sent and was not executed never is.
    pub fn closed(&mut self, id: ConnectionId) {
        self.connections.remove(id);
    }

    /// A connection that has got output or wants to be closed since it was last named, the longest waiting first.
    pub fn next_ready(&mut self) -> Option<ConnectionId> {
        self.connections.next_ready()
    }

    /// Creates a topic. Its partitions go to the running brokers in turn.
    ///
    /// # Errors
    ///
    /// A name that no topic may have or that is taken, no partitions or too many.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: u32,
        options: TopicOptions,
    ) -> Result<(), TopicError> {
        self.check_new(name, partitions)?;
        let partitions = (0..partitions).map(|index| Partition::new(self.leader_of_new(index))).collect();
        self.topics.insert(name, options, partitions);
        Ok(())
    }

    /// Adds partitions to a topic.
    ///
    /// # Errors
    ///
    /// There is no such topic, or no room.
    pub fn add_partitions(&mut self, name: &str, count: u32) -> Result<(), TopicError> {
        let present = self.topics.by_name(name).ok_or(TopicError::Unknown)?.partitions.len() as u32;
        self.check_room(count)?;
        let new: Vec<_> =
            (present..present + count).map(|index| Partition::new(self.leader_of_new(index))).collect();
        self.topics.by_name_mut(name).ok_or(TopicError::Unknown)?.partitions.extend(new);
        Ok(())
    }

    /// Deletes a topic and what was in it; false if there is none. Created again, it has another id.
    pub fn delete_topic(&mut self, name: &str) -> bool {
        self.topics.remove(name)
    }

    /// Whether a topic may be created so.
    fn check_new(&self, name: &str, partitions: u32) -> Result<(), TopicError> {
        if !is_topic_name(name) {
            return Err(TopicError::Name);
        }
        if self.topics.by_name(name).is_some() {
            return Err(TopicError::Exists);
        }
        self.check_room(partitions)
    }

    fn check_room(&self, partitions: u32) -> Result<(), TopicError> {
        let all = self.topics.partition_count().saturating_add(partitions as usize);
        if partitions == 0 || all > PARTITIONS_MAX { Err(TopicError::Partitions) } else { Ok(()) }
    }

    /// Partitions take the running brokers in turn; without one, the first broker.
    fn leader_of_new(&self, index: u32) -> i32 {
        let running: Vec<i32> = self.running().map(|node| node.broker.id).collect();
        match running.get(index as usize % running.len().max(1)) {
            Some(&id) => id,
            None => self.nodes.first().map_or(-1, |node| node.broker.id),
        }
    }

    fn node(&self, id: i32) -> Option<&Node> {
        self.nodes.iter().find(|node| node.broker.id == id)
    }

    fn node_mut(&mut self, id: i32) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.broker.id == id)
    }

    fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_running)
    }

    fn is_running(&self, id: i32) -> bool {
        self.node(id).is_some_and(|node| node.is_running)
    }

    /// Puts a connection's input back, unless it is not going to be read any more.
    fn keep_input(&mut self, id: ConnectionId, mut input: Vec<u8>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.fate == Fate::Open {
            input.shrink_to(options::RETAINED_LEN);
            connection.input = input;
        }
    }

    /// After a log has grown, those who wait look again. What one of them has sent meanwhile may let it grow more.
    fn serve_waiting(&mut self, now_ns: u64) {
        while std::mem::take(&mut self.has_grown) {
            for id in self.connections.waiting() {
                self.resume(now_ns, id);
            }
        }
    }

    /// Executes the request that waits, and then what came behind it.
    fn resume(&mut self, now_ns: u64, id: ConnectionId) {
        let Some(waiting) = self.connections.stop_waiting(id) else { return };
        let Some(connection) = self.connections.get_mut(id) else { return };
        let mut input = std::mem::take(&mut connection.input);
        let used = self.execute_all(now_ns, id, Some(waiting), &input);
        input.drain(..used);
        self.keep_input(id, input);
    }

    /// Closes a connection with what it has not been told.
    fn end(&mut self, id: ConnectionId) {
        self.connections.stop_waiting(id);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.end();
            self.connections.mark_ready(id);
        }
    }
}
