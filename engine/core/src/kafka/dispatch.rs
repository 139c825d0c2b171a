//! Builds Produce requests: whenever a connection has room, from the partitions that wait in its list.
//!
//! With `linger.ms=0` a batch grows while the broker is busy: an open batch goes out at once if nothing is under way
//! on its connection, and otherwise when it is full, or when the broker has answered all that was under way before its
//! first record came. So a lone message is not held up, neither by a busy partition beside its own, and under load
//! batches are as large as the broker is slow.

use ringwire_codec::kafka::{
    Api, Compressors, ErrorCode, NO_UUID, OpenBatch, ProduceEncoder, ProduceRequest, RequestHeader,
    TOPIC_ID_VERSION,
};

use super::KafkaProducer;
use super::link::{Part, Question};
use super::partition::Sendable;
use super::settings::Acks;
use crate::outlet::Outlet;
use crate::report::Reason;
use crate::time::{MILLISECOND_NS, NEVER_NS};

/// Bytes that wait in a connection's output before nothing more is put there: what has not left us can still grow.
const OUTPUT_MAX: usize = 512 << 10;
/// Bytes of a request beside its batches: head, topic name and partition, at the most.
const REQUEST_HEAD_LEN: usize = 512;
/// Batches of one request: enough for every partition that a broker leads on a shard, in most clusters.
const PARTS_MAX: usize = 1_024;
/// Partitions that are looked at in one go.
const LOOKS_MAX: usize = 4_096;
/// Pieces of batches that are compressed in one poll before the batch is closed, about 60 µs each: the other connections of
/// the shard wait no longer.
#[derive(Debug)]
pub(super) struct Pieces {
    /// For a batch that may go.
    due: usize,
    /// For one that has still to wait: never at the cost of the others.
    ahead: usize,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { due: 1, ahead: 1 }
    }
}

/// What was found in a connection's list.
#[derive(Debug, Default)]
struct Found {
    parts: Vec<Part>,
    bytes: usize,
}

impl KafkaProducer {
    /// Sends what may be sent on one connection. Answers whether there is more at once.
    pub(super) fn dispatch(
        &mut self,
        now_ns: u64,
        lane: usize,
        pieces: &mut Pieces,
        outlet: &mut impl Outlet,
    ) -> bool {
        loop {
            let link = &self.links[lane];
            if link.pending.is_empty() || !link.is_ready() {
                return false;
            }
            let has_identity = !self.settings.idempotent || self.cluster.identity.is_some();
            if !has_identity || link.produces_asked >= self.settings.max_in_flight {
                return false;
            }
            if now_ns < link.muted_until_ns {
                self.wake_at_ns = self.wake_at_ns.min(link.muted_until_ns);
                return false;
            }
            if link.output().len() >= OUTPUT_MAX {
                return false;
            }
            let mut more = false;
            let found = self.collect(now_ns, lane, pieces, &mut more);
            if found.parts.is_empty() {
                self.spare_parts.push(found.parts);
                return more;
            }
            if let Err(Question::Produce(parts)) = self.request(now_ns, lane, found.parts) {
                // A name that the protocol cannot say.
                for part in parts {
                    let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
                    let Some(index) = partition.answered() else { continue };
                    partition.returned(index, false);
                    self.give_up(now_ns, part, index, Reason::TooLarge, ErrorCode::NONE, outlet);
                }
            }
        }
    }

    /// Takes partitions with a batch to send out of the list, for one request.
    fn collect(&mut self, now_ns: u64, lane: usize, pieces: &mut Pieces, more: &mut bool) -> Found {
        let mut found = Found { parts: self.spare_parts.pop().unwrap_or_default(), bytes: REQUEST_HEAD_LEN };
        // Nobody waits for an answer: then there is nothing to grow for.
        let is_free = self.links[lane].produces_asked == 0;
        for _ in 0..self.links[lane].pending.len().min(LOOKS_MAX) {
            if found.parts.len() >= PARTS_MAX {
                break;
            }
            let Some(part) = self.links[lane].pending.pop_front() else { break };
            match self.prepare(now_ns, lane, part, is_free, pieces) {
                Prepared::Nothing => self.unlist(part),
                Prepared::Elsewhere => {
                    self.unlist(part);
                    self.list(part);
                }
                Prepared::Later(at_ns) => {
                    self.wake_at_ns = self.wake_at_ns.min(at_ns);
                    *more |= at_ns <= now_ns;
                    self.links[lane].pending.push_back(part);
                }
                Prepared::Batch(index) => {
                    let partition = &self.topics[part.topic as usize].partitions[part.partition as usize];
                    let len = partition.queue.get(index).map_or(0, |batch| batch.frozen.bytes().len());
                    if !found.parts.is_empty() && found.bytes + len > self.settings.max_request_size {
                        self.links[lane].pending.push_front(part);
                        break;
                    }
                    found.bytes += len;
                    found.parts.push(part);
                    let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
                    partition.departs(index, lane as u16);
                    if partition.has_work() {
                        self.links[lane].pending.push_back(part);
                    } else {
                        partition.is_listed = false;
                    }
                }
            }
        }
        found
    }

    fn unlist(&mut self, part: Part) {
        self.topics[part.topic as usize].partitions[part.partition as usize].is_listed = false;
    }

    /// Looks whether a partition has a batch to send, and freezes it.
    fn prepare(
        &mut self,
        now_ns: u64,
        lane: usize,
        part: Part,
        is_free: bool,
        pieces: &mut Pieces,
    ) -> Prepared {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        if self.cluster.lane_of(partition.leader) != Some(lane) {
            return Prepared::Elsewhere;
        }
        if self.settings.idempotent {
            let Some(wanted) = self.cluster.identity else { return Prepared::Later(NEVER_NS) };
            if partition.has_work() && !partition.adopt(wanted) {
                return Prepared::Later(NEVER_NS);
            }
        }
        // Without idempotence nothing but the order of the requests keeps the order of the records.
        let limit = match self.settings.acks {
            Acks::None => usize::MAX,
            _ if self.settings.idempotent => self.settings.max_in_flight,
            _ => 1,
        };
        let takes_open =
            is_free || partition.under_way == 0 && self.links[lane].has_passed_over(partition.open_since_ns);
        match partition.sendable(now_ns, lane as u16, limit, takes_open) {
            Sendable::Nothing => Prepared::Nothing,
            Sendable::Later(at_ns) => {
                // The time until then is used.
                pack(&mut partition.open, &mut self.compressors, &mut pieces.ahead);
                Prepared::Later(at_ns)
            }
            Sendable::Queued(index) => Prepared::Batch(index),
            Sendable::Open => {
                let due_ns = partition.open_since_ns.saturating_add(self.settings.linger_ns);
                if now_ns < due_ns && !self.is_flushing && !partition.is_urgent {
                    return Prepared::Later(due_ns);
                }
                // The last piece is compressed by the freezing; what is before it, piece by piece.
                if pack(&mut partition.open, &mut self.compressors, &mut pieces.due) {
                    return Prepared::Later(now_ns);
                }
                partition.seal(&mut self.compressors, &mut self.pool);
                Prepared::Batch(partition.queue.len() - 1)
            }
        }
    }

    /// Writes one request for these partitions' batches, which have departed. Answers them back if it cannot be written.
    fn request(&mut self, now_ns: u64, lane: usize, mut parts: Vec<Part>) -> Result<(), Question> {
        // A topic's partitions stand together; the order among topics means nothing.
        parts.sort_unstable_by_key(|part| (part.topic, part.partition));
        let version = self.version_for(lane, &parts);
        let head = ProduceRequest {
            acks: self.settings.acks.number(),
            timeout_ms: i32::try_from(self.settings.request_timeout_ns / MILLISECOND_NS).unwrap_or(i32::MAX),
            ..ProduceRequest::default()
        };
        let topics = &self.topics;
        let write = |question: &Question, out: &mut Vec<u8>, header: &RequestHeader<'_>| {
            let Question::Produce(parts) = question else { return Ok(()) };
            let of_one_topic = |one: &Part, other: &Part| one.topic == other.topic;
            let mut request =
                ProduceEncoder::begin(out, header, &head, parts.chunk_by(of_one_topic).count())?;
            for parts in parts.chunk_by(of_one_topic) {
                let topic = &topics[parts[0].topic as usize];
                let id = if version >= TOPIC_ID_VERSION { topic.id } else { NO_UUID };
                request.topic(&topic.name, id, parts.len())?;
                for part in parts {
                    let partition = &topic.partitions[part.partition as usize];
                    let batch = partition.queue.iter().rfind(|batch| batch.is_under_way);
                    let bytes = batch.map_or(&[][..], |batch| batch.frozen.bytes());
                    request.partition(part.partition as i32, bytes)?;
                }
            }
            request.finish()
        };
        let asked = self.links[lane].ask(now_ns, &self.settings, Question::Produce(parts), version, write);
        self.writable.push(self.links[lane].connection);
        asked
    }

    /// The newest version that can say all of it.
    fn version_for(&self, lane: usize, parts: &[Part]) -> i16 {
        let version = self.links[lane].version(Api::Produce).unwrap_or(TOPIC_ID_VERSION - 1);
        let has_ids = parts.iter().all(|part| self.topics[part.topic as usize].id != NO_UUID);
        if has_ids { version } else { version.min(TOPIC_ID_VERSION - 1) }
    }
}

/// Compresses a piece of a batch that still grows, if there is one and time for it. Answers whether more is waiting.
fn pack(open: &mut OpenBatch, compressors: &mut Compressors, pieces: &mut usize) -> bool {
    if *pieces == 0 || !open.has_piece() {
        return open.has_piece();
    }
    *pieces -= 1;
    open.step(compressors)
}

/// What a look at a partition found.
enum Prepared {
    Nothing,
    /// Another connection's.
    Elsewhere,
    Later(u64),
    /// The batch at this place of the queue.
    Batch(usize),
}
