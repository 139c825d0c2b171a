//! The world's hand: what befalls a cluster.

use std::collections::BTreeMap;

use ringwire_codec::kafka::{Api, ErrorCode};

use super::topic::Leadership;
use super::{Cluster, ConnectionId};

/// Who led which partitions when a broker stopped hearing of it, by topic.
pub(super) type StaleView = BTreeMap<[u8; 16], Vec<Leadership>>;

/// An error that is answered though nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// To which requests.
    pub api: Api,
    /// What is answered: for every partition of a Produce, Fetch or ListOffsets request one by one, for every topic
    /// of a Metadata or CreateTopics request, or for the request. REBOOTSTRAP_REQUIRED stands for the whole of a
    /// Metadata answer.
    pub error: ErrorCode,
    /// How many times: for Produce, Fetch and ListOffsets partitions count, for the others requests.
    pub count: u32,
    /// Of Produce: the batch is appended all the same, if nothing else is wrong with it.
    pub appended: bool,
    /// Only for this topic; of Produce, Fetch and ListOffsets.
    pub topic: Option<String>,
    /// Only for the partition of this number; likewise.
    pub partition: Option<i32>,
}

impl Injection {
    /// An error for the next `count` of `api`, wherever they go; nothing is appended.
    pub fn new(api: Api, error: ErrorCode, count: u32) -> Self {
        Self { api, error, count, appended: false, topic: None, partition: None }
    }
}

impl Cluster {
    /// Makes another broker the leader of a partition, in a new epoch. False if there is no such partition or
    /// broker.
    pub fn move_leader(&mut self, topic: &str, partition: i32, broker: i32) -> bool {
        if self.node(broker).is_none() {
            return false;
        }
        let found = self.topics.by_name_mut(topic).and_then(|topic| topic.partition_mut(partition));
        let Some(found) = found else { return false };
        let epoch = found.leadership.epoch + 1;
        found.leadership = Leadership { leader: broker, epoch };
        // Those who wait for its records hear of it.
        self.has_grown = true;
        true
    }

    /// The leader of a partition and its epoch; `None` if there is no such partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<(i32, i32)> {
        let known = self.topics.by_name(topic)?.partition(partition)?.leadership;
        Some((known.leader, known.epoch))
    }

    /// Stops a broker: its connections close with what they have not been told, and metadata answers omit it. What
    /// it leads has no leader until [`move_leader`](Self::move_leader).
    pub fn stop_broker(&mut self, broker: i32) {
        if let Some(node) = self.node_mut(broker) {
            node.is_running = false;
        }
        self.disconnect(broker);
    }

    /// Starts it again, with the logs that it had.
    pub fn start_broker(&mut self, broker: i32) {
        if let Some(node) = self.node_mut(broker) {
            node.is_running = true;
        }
    }

    /// Closes every connection of a broker with what they have not been told.
    pub fn disconnect(&mut self, broker: i32) {
        for id in self.connections.of(broker) {
            self.end(id);
        }
    }

    /// From now on the answers of a broker stay where they are. It goes on executing what it is sent.
    pub fn hold_answers(&mut self, broker: i32) {
        if let Some(node) = self.node_mut(broker) {
            node.is_held = true;
        }
    }

    /// Lets them go.
    pub fn release_answers(&mut self, broker: i32) {
        if let Some(node) = self.node_mut(broker) {
            node.is_held = false;
        }
        for id in self.connections.of(broker) {
            self.connections.mark_ready(id);
        }
    }

    /// From now on metadata answers omit a broker, and name it as the leader of what it leads: so they look between a
    /// broker's registration and the moment when it has caught up.
    pub fn fence_broker(&mut self, broker: i32) {
        if let Some(node) = self.node_mut(broker) {
            node.is_fenced = true;
        }
    }

    /// It has caught up.
    pub fn unfence_broker(&mut self, broker: i32) {
        if let Some(node) = self.node_mut(broker) {
            node.is_fenced = false;
        }
    }

    /// From now on a broker's metadata answers show the leaders of this moment, whoever leads later.
    pub fn freeze_metadata(&mut self, broker: i32) {
        let leaders = |topic: &super::Topic| topic.partitions.iter().map(|found| found.leadership).collect();
        let view = self.topics.iter().map(|(_, topic)| (topic.id, leaders(topic))).collect();
        if let Some(node) = self.node_mut(broker) {
            node.stale = Some(view);
        }
    }

    /// Lets it hear of what happened since.
    pub fn thaw_metadata(&mut self, broker: i32) {
        if let Some(node) = self.node_mut(broker) {
            node.stale = None;
        }
    }

    /// Changes the address that a broker advertises: to one where nobody listens, for example.
    pub fn advertise(&mut self, broker: i32, host: &str, port: u16) {
        if let Some(node) = self.node_mut(broker) {
            host.clone_into(&mut node.broker.host);
            node.broker.port = port;
        }
    }

    /// Answers an error though nothing is wrong. Injections for the same requests take turns in the order in which
    /// they were made.
    pub fn inject(&mut self, injection: Injection) {
        self.injections.push(injection);
    }

    /// Ends every injection.
    pub fn clear_injections(&mut self) {
        self.injections.clear();
    }

    /// Every answer wants no more requests for so many milliseconds.
    pub fn set_throttle_ms(&mut self, throttle_ms: i32) {
        self.throttle_ms = throttle_ms;
    }

    /// Allows or forbids a topic. False if there is none.
    pub fn set_authorized(&mut self, topic: &str, authorized: bool) -> bool {
        let found = self.topics.by_name_mut(topic);
        found.map(|topic| topic.authorized = authorized).is_some()
    }

    /// Makes a partition forget every producer, as time does. False if there is no such partition.
    pub fn forget_producers(&mut self, topic: &str, partition: i32) -> bool {
        let found = self.topics.by_name_mut(topic).and_then(|topic| topic.partition_mut(partition));
        found.map(|partition| partition.producers.clear()).is_some()
    }

    /// The connections that a broker has now, the oldest first.
    pub fn connections_of(&self, broker: i32) -> Vec<ConnectionId> {
        self.connections.of(broker)
    }

    /// The injection for a request that is about no topic, or about several.
    pub(super) fn injected(&mut self, api: Api) -> Option<Injection> {
        self.take_injection(|injection| injection.api == api && injection.topic.is_none())
    }

    /// The injection for a partition.
    pub(super) fn injected_into(&mut self, api: Api, topic: &str, partition: i32) -> Option<Injection> {
        self.take_injection(|injection| {
            injection.api == api
                && injection.topic.as_ref().is_none_or(|only| only == topic)
                && injection.partition.is_none_or(|only| only == partition)
        })
    }

    fn take_injection(&mut self, is_it: impl Fn(&Injection) -> bool) -> Option<Injection> {
        self.injections.retain(|injection| injection.count > 0);
        let found = self.injections.iter_mut().find(|injection| is_it(injection))?;
        found.count -= 1;
        Some(found.clone())
    }
}
