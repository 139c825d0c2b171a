//! CreateTopics: by any broker, as those that have a controller behind them do it.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, CreateTopicsRequest, CreateTopicsResponse, CreatedTopic, ErrorCode, List, NewTopic, NewTopicConfig,
};

use super::request::{After, Call};
use super::{Cluster, Partition, TopicError, TopicOptions, code};

/// What the request does not say.
const DEFAULT: i32 = -1;

impl Cluster {
    pub(super) fn create_topics(
        &mut self,
        call: &Call<'_>,
        request: &CreateTopicsRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        let injected = self.injected(Api::CreateTopics).map(|injection| injection.error);
        let mut topics = Vec::with_capacity(request.topics.len());
        for new in &request.topics {
            let created = match injected {
                Some(error) => Err(error),
                None if request.topics.iter().filter(|other| other.name == new.name).count() > 1 => {
                    Err(code::INVALID_REQUEST)
                }
                None => self.create_new(&new, request.validate_only),
            };
            topics.push(match created {
                Ok(partitions) => CreatedTopic {
                    name: new.name,
                    topic_id: self.topic_id(new.name).filter(|_| self.options.topic_ids).unwrap_or_default(),
                    num_partitions: partitions as i32,
                    replication_factor: self.nodes.len() as i16,
                    configs: Some(List::default()),
                    ..CreatedTopic::default()
                },
                Err(error_code) => CreatedTopic {
                    name: new.name,
                    error_code,
                    error_message: Some(error_code.info().advice),
                    ..CreatedTopic::default()
                },
            });
        }
        let response =
            CreateTopicsResponse { throttle_time_ms: self.throttle_ms, topics: List::new(&topics) };
        call.answer::<CreateTopicsRequest<'_>>(out, &response)
    }

    /// Answers how many partitions it has.
    fn create_new(&mut self, new: &NewTopic<'_>, validate_only: bool) -> Result<u32, ErrorCode> {
        let options = options_of(new)?;
        let leaders = self.assigned_leaders(new)?;
        let partitions = match &leaders {
            Some(leaders) => leaders.len() as u32,
            None if new.num_partitions == DEFAULT => self.options.partitions.max(1),
            None => u32::try_from(new.num_partitions).map_err(|_| code::INVALID_PARTITIONS)?,
        };
        let is_replicated = (1..=self.nodes.len()).contains(&(new.replication_factor as usize));
        if i32::from(new.replication_factor) != DEFAULT && !is_replicated {
            return Err(code::INVALID_REPLICATION_FACTOR);
        }
        self.check_new(new.name, partitions).map_err(error_of)?;
        if validate_only {
            return Ok(partitions);
        }
        self.create_topic(new.name, partitions, options).map_err(error_of)?;
        if let (Some(leaders), Some(topic)) = (leaders, self.topics.by_name_mut(new.name)) {
            topic.partitions = leaders.into_iter().map(Partition::new).collect();
        }
        Ok(partitions)
    }

    /// The leaders that the request names, by partition; `None` if it names none.
    fn assigned_leaders(&self, new: &NewTopic<'_>) -> Result<Option<Vec<i32>>, ErrorCode> {
        if new.assignments.is_empty() {
            return Ok(None);
        }
        if new.num_partitions != DEFAULT || i32::from(new.replication_factor) != DEFAULT {
            return Err(code::INVALID_REQUEST);
        }
        let mut leaders = vec![None; new.assignments.len()];
        for assignment in &new.assignments {
            let place = usize::try_from(assignment.partition_index).ok().and_then(|at| leaders.get_mut(at));
            let leader = assignment.broker_ids.iter().next().filter(|&id| self.node(id).is_some());
            *place.filter(|_| leader.is_some()).ok_or(code::INVALID_REPLICA_ASSIGNMENT)? = leader;
        }
        let leaders: Option<Vec<i32>> = leaders.into_iter().collect();
        leaders.map(Some).ok_or(code::INVALID_REPLICA_ASSIGNMENT)
    }
}

fn error_of(error: TopicError) -> ErrorCode {
    match error {
        TopicError::Name => code::INVALID_TOPIC,
        TopicError::Exists => ErrorCode::TOPIC_ALREADY_EXISTS,
        TopicError::Unknown => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        TopicError::Partitions => code::INVALID_PARTITIONS,
    }
}

/// The settings that mean something here; others are taken and have no effect.
fn options_of(new: &NewTopic<'_>) -> Result<TopicOptions, ErrorCode> {
    let mut options = TopicOptions::default();
    for NewTopicConfig { name, value } in &new.configs {
        let value = value.ok_or(code::INVALID_CONFIG)?;
        match name {
            "max.message.bytes" => {
                options.message_bytes_max = Some(value.parse().map_err(|_| code::INVALID_CONFIG)?);
            }
            "message.timestamp.type" => {
                options.log_append_time = match value {
                    "LogAppendTime" => true,
                    "CreateTime" => false,
                    _ => return Err(code::INVALID_CONFIG),
                }
            }
            "cleanup.policy" => {
                options.compacted = value.split(',').any(|policy| policy.trim() == "compact");
            }
            _ => {}
        }
    }
    Ok(options)
}
