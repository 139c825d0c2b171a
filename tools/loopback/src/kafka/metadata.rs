//! Metadata: brokers, topics, and who leads which partition.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, ErrorCode, List, MetadataBroker, MetadataPartition, MetadataRequest, MetadataRequestTopic,
    MetadataResponse, MetadataTopic, NO_UUID, TOPIC_ID_LOOKUP_VERSION,
};

use super::request::{After, Call};
use super::{Cluster, Node, Topic, TopicOptions, code, is_topic_name};

/// What is found out about a topic before its partitions are listed.
struct Answer<'a> {
    error_code: ErrorCode,
    name: Option<&'a str>,
    topic_id: [u8; 16],
    topic: Option<&'a Topic>,
}

impl<'a> Answer<'a> {
    fn refused(error_code: ErrorCode, name: Option<&'a str>, topic_id: [u8; 16]) -> Self {
        Self { error_code, name, topic_id, topic: None }
    }
}

/// Every broker has a replica of every partition.
struct Replicas {
    all: Vec<i32>,
    running: Vec<i32>,
    stopped: Vec<i32>,
}

impl Cluster {
    pub(super) fn metadata(
        &mut self,
        call: &Call<'_>,
        request: &MetadataRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        let injected = self.injected(Api::Metadata).map_or(ErrorCode::NONE, |injection| injection.error);
        let is_whole = injected == ErrorCode::REBOOTSTRAP_REQUIRED;
        let mut new = Vec::new();
        if self.options.auto_create && request.allow_auto_topic_creation {
            new = self.create_missing(request);
        }
        let mut answers = self.topics_asked_for(call.version(), request);
        for answer in &mut answers {
            if injected != ErrorCode::NONE && !is_whole {
                *answer = Answer::refused(injected, answer.name, answer.topic_id);
            } else if answer.name.is_some_and(|name| new.contains(&name)) {
                // A broker has only just asked the controller for it: the client asks again.
                *answer = Answer::refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, answer.name, NO_UUID);
            }
        }
        let replicas = self.replicas();
        let partitions: Vec<_> =
            answers.iter().map(|answer| self.partitions_seen(call, answer, &replicas)).collect();
        let answers = answers.iter().zip(&partitions);
        let topics: Vec<_> = answers.map(|(answer, partitions)| describe(answer, partitions)).collect();
        let listed = self.running().filter(|node| !node.is_fenced);
        let brokers: Vec<_> = listed.map(broker).collect();
        let response = MetadataResponse {
            throttle_time_ms: self.throttle_ms,
            brokers: List::new(&brokers),
            cluster_id: Some(&self.options.cluster_id),
            controller_id: replicas.running.first().copied().unwrap_or(-1),
            topics: List::new(&topics),
            error_code: if is_whole { injected } else { ErrorCode::NONE },
            ..MetadataResponse::default()
        };
        call.answer::<MetadataRequest<'_>>(out, &response)
    }

    /// Creates what does not exist, and answers what that was.
    fn create_missing<'a>(&mut self, request: &MetadataRequest<'a>) -> Vec<&'a str> {
        let names = request.topics.unwrap_or_default().iter().filter_map(|topic| topic.name);
        let partitions = self.options.partitions.max(1);
        names.filter(|name| self.create_topic(name, partitions, TopicOptions::default()).is_ok()).collect()
    }

    fn topics_asked_for<'a>(&'a self, version: i16, request: &MetadataRequest<'a>) -> Vec<Answer<'a>> {
        match request.topics {
            Some(topics) => topics.iter().map(|topic| self.find(version, &topic)).collect(),
            None => {
                let authorized = self.topics.iter().filter(|(_, topic)| topic.authorized);
                authorized.map(|(name, topic)| self.found(name, topic)).collect()
            }
        }
    }

    fn find<'a>(&'a self, version: i16, asked: &MetadataRequestTopic<'a>) -> Answer<'a> {
        let id = asked.topic_id;
        if id != NO_UUID || asked.name.is_none() {
            if version < TOPIC_ID_LOOKUP_VERSION {
                return Answer::refused(code::INVALID_REQUEST, Some(""), id);
            }
            let Some(name) = self.topics.name_of(&id) else {
                return Answer::refused(ErrorCode::UNKNOWN_TOPIC_ID, None, id);
            };
            return match self.topics.by_name(name) {
                Some(topic) if topic.authorized => self.found(name, topic),
                _ => Answer::refused(code::TOPIC_AUTHORIZATION_FAILED, None, id),
            };
        }
        let name = asked.name.unwrap_or_default();
        match self.topics.by_name(name) {
            Some(topic) if topic.authorized => self.found(name, topic),
            Some(_) => Answer::refused(code::TOPIC_AUTHORIZATION_FAILED, Some(name), NO_UUID),
            None if !is_topic_name(name) => Answer::refused(code::INVALID_TOPIC, Some(name), NO_UUID),
            None => Answer::refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Some(name), NO_UUID),
        }
    }

    fn found<'a>(&self, name: &'a str, topic: &'a Topic) -> Answer<'a> {
        let topic_id = if self.options.topic_ids { topic.id } else { NO_UUID };
        Answer { error_code: ErrorCode::NONE, name: Some(name), topic_id, topic: Some(topic) }
    }

    fn replicas(&self) -> Replicas {
        let ids = |wanted: &[bool]| {
            let nodes = self.nodes.iter().filter(|node| wanted.contains(&node.is_running));
            nodes.map(|node| node.broker.id).collect()
        };
        Replicas { all: ids(&[true, false]), running: ids(&[true]), stopped: ids(&[false]) }
    }

    /// The partitions as the asked broker knows them.
    fn partitions_seen<'r>(
        &self,
        call: &Call<'_>,
        answer: &Answer<'_>,
        replicas: &'r Replicas,
    ) -> Vec<MetadataPartition<'r>> {
        let stale = self.node(call.broker).and_then(|node| node.stale.as_ref());
        // Of a topic that was made anew it knew nothing.
        let stale = answer.topic.and_then(|topic| stale?.get(&topic.id));
        let partitions = answer.topic.map_or(&[][..], |topic| &topic.partitions);
        let describe = |(index, partition): (usize, &super::Partition)| {
            let known = stale.and_then(|known| known.get(index)).copied().unwrap_or(partition.leadership);
            let has_leader = self.is_running(known.leader);
            MetadataPartition {
                error_code: if has_leader { ErrorCode::NONE } else { code::LEADER_NOT_AVAILABLE },
                partition_index: index as i32,
                leader_id: if has_leader { known.leader } else { -1 },
                leader_epoch: known.epoch,
                replica_nodes: List::new(&replicas.all),
                isr_nodes: List::new(&replicas.running),
                offline_replicas: List::new(&replicas.stopped),
            }
        };
        partitions.iter().enumerate().map(describe).collect()
    }
}

fn describe<'a>(answer: &Answer<'a>, partitions: &'a [MetadataPartition<'a>]) -> MetadataTopic<'a> {
    MetadataTopic {
        error_code: answer.error_code,
        name: answer.name,
        topic_id: answer.topic_id,
        partitions: List::new(partitions),
        ..MetadataTopic::default()
    }
}

fn broker(node: &Node) -> MetadataBroker<'_> {
    let endpoint = node.endpoint();
    MetadataBroker { node_id: endpoint.node_id, host: endpoint.host, port: endpoint.port, rack: None }
}
