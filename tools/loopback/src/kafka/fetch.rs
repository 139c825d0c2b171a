//! Fetch: batches out of the logs, at once or when there are enough.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, ErrorCode, FETCH_TOPIC_ID_VERSION, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
    FetchedPartition, FetchedTopic, LeaderHint, List,
};

use super::leader::Elsewhere;
use super::request::{After, Call};
use super::{Cluster, code};

/// Records in an answer, in bytes: Kafka's `fetch.max.bytes`.
const ANSWER_LEN_MAX: usize = 55 << 20;

/// The longest wait, in milliseconds: a peer that asks for more keeps its request here for as long.
const WAIT_MS_MAX: i32 = 60_000;

/// What was read of a partition.
struct Read {
    index: i32,
    error: ErrorCode,
    leader: LeaderHint,
    /// -1: unknown.
    start: i64,
    /// -1: unknown.
    end: i64,
    records: Vec<u8>,
}

impl Cluster {
    pub(super) fn fetch(
        &mut self,
        call: &Call<'_>,
        request: &FetchRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        if request.session_id != 0 || request.session_epoch > 0 {
            // There are no sessions: a client that wants one is answered without.
            let error_code = code::FETCH_SESSION_ID_NOT_FOUND;
            let response = FetchResponse { error_code, ..FetchResponse::default() };
            return call.answer::<FetchRequest<'_>>(out, &response);
        }
        let mut room = ANSWER_LEN_MAX.min(usize::try_from(request.max_bytes).unwrap_or(0));
        let mut read_len = 0;
        let mut topics: Vec<(FetchTopic<'_>, Vec<Read>)> = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let name = if call.version() >= FETCH_TOPIC_ID_VERSION {
                self.name_by_id(&topic.topic_id)
            } else {
                Ok(topic.topic.to_owned())
            };
            let mut reads = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let read = self.fetch_partition(call, &name, &partition, room, read_len == 0);
                room = room.saturating_sub(read.records.len());
                read_len += read.records.len();
                reads.push(read);
            }
            topics.push((topic, reads));
        }
        let mut reads = topics.iter().flat_map(|(_, reads)| reads);
        let is_sound = reads.all(|read| read.error == ErrorCode::NONE);
        let is_little = read_len < usize::try_from(request.min_bytes).unwrap_or(0);
        if is_little && is_sound && request.max_wait_ms > 0 && call.may_wait && !topics.is_empty() {
            return Ok(After::Wait { ms: request.max_wait_ms.min(WAIT_MS_MAX) as u32 });
        }
        self.answer_fetch(call, &topics, out)
    }

    fn answer_fetch(
        &self,
        call: &Call<'_>,
        topics: &[(FetchTopic<'_>, Vec<Read>)],
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        let partitions: Vec<Vec<_>> =
            topics.iter().map(|(_, reads)| reads.iter().map(respond).collect()).collect();
        let mut responses = Vec::with_capacity(topics.len());
        for ((topic, _), partitions) in topics.iter().zip(&partitions) {
            let (topic, topic_id) = (topic.topic, topic.topic_id);
            responses.push(FetchedTopic { topic, topic_id, partitions: List::new(partitions) });
        }
        let node_endpoints =
            self.endpoints(topics.iter().flat_map(|(_, reads)| reads).map(|read| read.leader));
        let response = FetchResponse {
            throttle_time_ms: self.throttle_ms,
            responses: List::new(&responses),
            node_endpoints: List::new(&node_endpoints),
            ..FetchResponse::default()
        };
        call.answer::<FetchRequest<'_>>(out, &response)
    }

    /// Whole batches, as many as there is room for. The first of an answer is read however long it is.
    fn fetch_partition(
        &mut self,
        call: &Call<'_>,
        name: &Result<String, ErrorCode>,
        asked: &FetchPartition,
        room: usize,
        is_first: bool,
    ) -> Read {
        let index = asked.partition;
        let name = match name {
            Ok(name) => name,
            Err(error) => return Read::refused(index, (*error).into()),
        };
        if let Some(injection) = self.injected_into(Api::Fetch, name, index) {
            return Read::refused(index, injection.error.into());
        }
        let partition = match self.led(call.broker, name, index, asked.current_leader_epoch) {
            Ok(partition) => partition,
            Err(elsewhere) => return Read::refused(index, elsewhere),
        };
        let offsets = partition.log.offsets();
        if asked.fetch_offset < offsets.start || asked.fetch_offset > offsets.end {
            return Read::refused(index, code::OFFSET_OUT_OF_RANGE.into());
        }
        let room = room.min(usize::try_from(asked.partition_max_bytes).unwrap_or(0));
        let mut records = Vec::new();
        for batch in partition.log.from(asked.fetch_offset) {
            let is_too_much = records.len() + batch.bytes.len() > room;
            if is_too_much && !(is_first && records.is_empty()) {
                break;
            }
            records.extend_from_slice(&batch.bytes);
        }
        Read {
            start: offsets.start,
            end: offsets.end,
            records,
            ..Read::refused(index, ErrorCode::NONE.into())
        }
    }
}

impl Read {
    fn refused(index: i32, elsewhere: Elsewhere) -> Self {
        let Elsewhere { error, leader } = elsewhere;
        Self { index, error, leader, start: -1, end: -1, records: Vec::new() }
    }
}

fn respond(read: &Read) -> FetchedPartition<'_> {
    FetchedPartition {
        partition_index: read.index,
        error_code: read.error,
        high_watermark: read.end,
        last_stable_offset: read.end,
        log_start_offset: read.start,
        current_leader: read.leader,
        records: Some(&read.records),
        ..FetchedPartition::default()
    }
}
