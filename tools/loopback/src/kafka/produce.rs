//! Produce: batches into the logs of the partitions that the broker leads.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, ErrorCode, LeaderHint, List, NodeEndpoint, PartitionProduceData, PartitionProduceResponse,
    ProduceRequest, ProduceResponse, TOPIC_ID_VERSION, TopicProduceData, TopicProduceResponse,
};

use super::append::{Judge, Place, Refusal};
use super::request::{After, Call};
use super::{Cluster, code};

/// No answer, not even with an error.
const ACKS_NONE: i16 = 0;

/// What became of a batch.
struct Outcome {
    index: i32,
    refusal: Refusal,
    place: Place,
    log_start_offset: i64,
    leader: LeaderHint,
}

impl Cluster {
    pub(super) fn produce(
        &mut self,
        call: &Call<'_>,
        request: &ProduceRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        let mut topics = Vec::with_capacity(request.topic_data.len());
        for topic in &request.topic_data {
            topics.push((topic, self.produce_topic(call, request.acks, &topic)));
        }
        if request.acks == ACKS_NONE {
            // Nobody hears of an error but by the end of the connection.
            let outcomes = topics.iter().flat_map(|(_, outcomes)| outcomes);
            let mut errors = outcomes.map(|outcome| outcome.refusal.error);
            let is_done = errors.all(|error| error == ErrorCode::NONE);
            return Ok(if is_done { After::Next } else { After::Close });
        }
        let partitions: Vec<Vec<_>> =
            topics.iter().map(|(_, outcomes)| outcomes.iter().map(respond).collect()).collect();
        let mut responses = Vec::with_capacity(topics.len());
        for ((topic, _), partitions) in topics.iter().zip(&partitions) {
            let (name, topic_id) = (topic.name, topic.topic_id);
            responses.push(TopicProduceResponse {
                name,
                topic_id,
                partition_responses: List::new(partitions),
            });
        }
        let leaders = topics.iter().flat_map(|(_, outcomes)| outcomes).map(|outcome| outcome.leader);
        let node_endpoints = self.endpoints(leaders);
        let response = ProduceResponse {
            responses: List::new(&responses),
            throttle_time_ms: self.throttle_ms,
            node_endpoints: List::new(&node_endpoints),
        };
        call.answer::<ProduceRequest<'_>>(out, &response)
    }

    fn produce_topic(&mut self, call: &Call<'_>, acks: i16, data: &TopicProduceData<'_>) -> Vec<Outcome> {
        let known = if call.version() >= TOPIC_ID_VERSION {
            self.name_by_id(&data.topic_id)
        } else {
            Ok(data.name.to_owned())
        };
        let mut outcomes = Vec::with_capacity(data.partition_data.len());
        for partition in &data.partition_data {
            outcomes.push(match &known {
                Ok(name) => self.produce_partition(call, acks, name, &partition),
                Err(error) => Outcome::refused(partition.index, Refusal::from(*error)),
            });
        }
        outcomes
    }

    fn produce_partition(
        &mut self,
        call: &Call<'_>,
        acks: i16,
        name: &str,
        data: &PartitionProduceData<'_>,
    ) -> Outcome {
        let index = data.index;
        let injection = self.injected_into(Api::Produce, name, index);
        if let Some(injection) = &injection
            && !injection.appended
        {
            return self.injected_outcome(name, index, injection.error);
        }
        let Some(topic) = self.topics.by_name_mut(name) else {
            return Outcome::refused(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
        };
        if !topic.authorized {
            return Outcome::refused(index, code::TOPIC_AUTHORIZATION_FAILED.into());
        }
        let options = topic.options;
        let Some(partition) = topic.partition_mut(index) else {
            return Outcome::refused(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
        };
        if !(-1..=1).contains(&acks) {
            return Outcome::refused(index, code::INVALID_REQUIRED_ACKS.into());
        }
        let known = partition.leadership;
        if known.leader != call.broker {
            let leader = LeaderHint { leader_id: known.leader, leader_epoch: known.epoch };
            return Outcome { leader, ..Outcome::refused(index, ErrorCode::NOT_LEADER_OR_FOLLOWER.into()) };
        }
        let mut judge = Judge {
            cluster: &self.options,
            topic: &options,
            inflater: &mut self.inflater,
            scratch: &mut self.scratch,
            version: call.version(),
            now_ms: call.now_ms,
        };
        let appended = judge.append(partition, data.records.unwrap_or_default());
        self.has_grown |= appended.is_ok();
        let log_start_offset = partition.log.offsets().start;
        match (appended, injection) {
            (Ok(_), Some(injection)) => self.injected_outcome(name, index, injection.error),
            (Ok(place), None) => {
                Outcome { place, log_start_offset, ..Outcome::refused(index, Refusal::default()) }
            }
            (Err(refusal), _) => Outcome { log_start_offset, ..Outcome::refused(index, refusal) },
        }
    }

    /// An injected error; one about leadership says who leads.
    fn injected_outcome(&self, name: &str, index: i32, error: ErrorCode) -> Outcome {
        let mut outcome = Outcome::refused(index, error.into());
        let known = self.topics.by_name(name).and_then(|topic| topic.partition(index));
        if let Some(known) = known
            && error == ErrorCode::NOT_LEADER_OR_FOLLOWER
        {
            let known = known.leadership;
            outcome.leader = LeaderHint { leader_id: known.leader, leader_epoch: known.epoch };
        }
        outcome
    }

    /// The addresses of those that are named as leaders, each once.
    pub(super) fn endpoints(&self, leaders: impl Iterator<Item = LeaderHint>) -> Vec<NodeEndpoint<'_>> {
        let mut ids: Vec<i32> = leaders.map(|leader| leader.leader_id).filter(|&id| id >= 0).collect();
        ids.sort_unstable();
        ids.dedup();
        // A leader that is not there, or has not caught up, is named without its address.
        let alive =
            ids.into_iter().filter_map(|id| self.node(id)).filter(|it| it.is_running && !it.is_fenced);
        alive.map(super::Node::endpoint).collect()
    }
}

impl Outcome {
    fn refused(index: i32, refusal: Refusal) -> Self {
        let place = Place { base_offset: -1, log_append_time: -1 };
        Self { index, refusal, place, log_start_offset: -1, leader: LeaderHint::UNKNOWN }
    }
}

fn respond(outcome: &Outcome) -> PartitionProduceResponse<'_> {
    PartitionProduceResponse {
        index: outcome.index,
        error_code: outcome.refusal.error,
        base_offset: outcome.place.base_offset,
        log_append_time_ms: outcome.place.log_append_time,
        log_start_offset: outcome.log_start_offset,
        record_errors: List::new(&outcome.refusal.records),
        error_message: outcome.refusal.message,
        current_leader: outcome.leader,
    }
}
