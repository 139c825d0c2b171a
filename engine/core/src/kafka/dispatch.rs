//! Builds Produce requests: whenever a connection has room, from the partitions that wait in its list.
//!
//! With `linger.ms=0` a batch grows while the broker is busy: an open batch goes out at once if nothing is under way
//! on its connection, and otherwise when it is full, or when the broker has answered all that was under way before its
//! first record came. So a lone message is not held up, neither by a busy partition beside its own, and under load
//! batches are as large as the broker is slow.
//!
//! Compression takes longer than all the rest, so a poll has a [`Budget`] of it: what is due is closed batch by batch,
//! poll by poll, and its request goes when all of it is, or enough; batches that grow are compressed ahead, when nothing is
//! due or when so much comes that they would be full before.

use ringwire_codec::kafka::{
    Api, Compression, ErrorCode, NO_UUID, ProduceEncoder, ProduceRequest, RequestHeader, TOPIC_ID_VERSION,
};

use super::KafkaProducer;
use super::link::{Part, Question};
use super::partition::{Partition, Sendable};
use super::settings::Acks;
use super::wire::Apart;
use crate::outlet::Outlet;
use crate::report::Reason;
use crate::time::{MILLISECOND_NS, NEVER_NS};

/// Bytes that wait in a connection's output before nothing more is put there: what has not left us can still grow.
const OUTPUT_MAX: usize = 512 << 10;
/// A batch of so many bytes is sent from where it lies: to copy less costs less than the `send` that it takes. Where batches
/// are small, this part of the largest.
const APART_MIN: usize = 16 << 10;
const APART_PART: usize = 16;
/// Bytes of a request beside its batches: head, topic name and partition, at the most.
const REQUEST_HEAD_LEN: usize = 512;
/// Batches of one request: enough for every partition that a broker leads on a shard, in most clusters.
const PARTS_MAX: usize = 1_024;
/// Partitions that are looked at in one go.
const LOOKS_MAX: usize = 4_096;
/// What beginning and ending a compressed batch costs, as a part of a piece: some 5 µs.
const BATCH_PARTS: usize = 8;
/// So many batches that are ready do not wait for the others that are due, unless they would take the last request that
/// may be under way: what came next would wait for an answer.
const TOGETHER_MAX: usize = 8;
/// Pieces of batches that grow, which are compressed in one poll where messages come faster than one in each.
const AHEAD_MAX: usize = 4;

/// What is due may take so much compression in one poll, in bytes before it: a piece of a batch (some 60 µs), so that the
/// shard's other connections wait no longer.
#[derive(Debug)]
pub(super) struct Budget {
    piece_len: usize,
    left: usize,
    is_begun: bool,
}

impl Budget {
    /// `has_time`: nobody else has compressed anything in this poll.
    pub(super) fn new(compression: Compression, has_time: bool) -> Self {
        let piece_len = compression.piece_len();
        Self { piece_len, left: if has_time { piece_len } else { 0 }, is_begun: !has_time }
    }

    /// Whether there is time for a batch of which so much is left to compress. The first is never too much.
    fn takes_batch(&mut self, len: usize) -> bool {
        self.takes(len + self.piece_len / BATCH_PARTS, len)
    }

    /// Whether there is time for a whole piece. Small batches that are due in each poll do not keep it away.
    fn takes_piece(&mut self) -> bool {
        self.takes(self.piece_len, self.piece_len / 2)
    }

    /// Takes `len`, or what there is of it, if `needed` is there.
    fn takes(&mut self, len: usize, needed: usize) -> bool {
        if self.is_begun && needed > self.left {
            return false;
        }
        self.is_begun = true;
        self.left = self.left.saturating_sub(len);
        true
    }

    /// Something was compressed.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
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
        budget: &mut Budget,
        outlet: &mut impl Outlet,
    ) -> bool {
        let compresses = self.settings.compression != Compression::None;
        let mut more = false;
        loop {
            let link = &self.links[lane];
            if link.pending.is_empty() || !link.is_ready() {
                return more;
            }
            let has_identity = !self.settings.idempotent || self.cluster.identity.is_some();
            if !has_identity || link.produces_asked >= self.settings.max_in_flight {
                return more;
            }
            if now_ns < link.muted_until_ns {
                self.wake_at_ns = self.wake_at_ns.min(link.muted_until_ns);
                return more;
            }
            if link.wire.waiting() >= OUTPUT_MAX {
                return more;
            }
            // Nobody waits for an answer: then there is nothing to grow for.
            let is_free = link.produces_asked == 0;
            if compresses && !self.close_due(now_ns, lane, is_free, budget) {
                return true;
            }
            let found = self.collect(now_ns, lane, is_free, budget, &mut more);
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

    /// Closes what is due on a connection and small enough to be compressed at once, as far as there is time for it.
    /// Answers whether a request may be built: it waits for all that is due, or for enough of it.
    fn close_due(&mut self, now_ns: u64, lane: usize, is_free: bool, budget: &mut Budget) -> bool {
        let (mut ready, mut is_late) = (0, false);
        let is_last = self.links[lane].produces_asked + 1 >= self.settings.max_in_flight;
        for at in 0..self.links[lane].pending.len().min(LOOKS_MAX) {
            let part = self.links[lane].pending[at];
            match self.look(now_ns, lane, part, is_free) {
                Look::Queued(_) => ready += 1,
                Look::Open => {
                    let partition = self.partition(part);
                    if partition.open.has_piece() {
                        // Piece by piece, and nobody waits for it.
                        continue;
                    }
                    if budget.takes_batch(partition.open.waiting_len()) {
                        self.close_open(part);
                        ready += 1;
                    } else {
                        is_late = true;
                    }
                }
                Look::Nothing | Look::Elsewhere | Look::Later(_) => {}
            }
            if ready >= TOGETHER_MAX && !is_last {
                return true;
            }
        }
        !is_late
    }

    /// Compresses batches that still grow: a piece, if nothing was due; or as much as has come, so that what waits does
    /// not grow until a batch is full, and all of it is compressed at once. Looks for them only where enough has come.
    pub(super) fn compress_ahead(&mut self, budget: &mut Budget) {
        if self.appended < budget.piece_len && !self.is_behind {
            return;
        }
        let mut pieces = (self.appended / budget.piece_len).min(AHEAD_MAX).max(usize::from(!budget.is_begun));
        self.is_behind = true;
        for lane in 0..self.links.len() {
            for at in 0..self.links[lane].pending.len().min(LOOKS_MAX) {
                let part = self.links[lane].pending[at];
                while self.partition(part).open.has_piece() {
                    if pieces == 0 {
                        return;
                    }
                    pieces -= 1;
                    budget.is_begun = true;
                    self.compress_piece(part);
                }
            }
        }
        (self.appended, self.is_behind) = (0, false);
    }

    fn partition(&mut self, part: Part) -> &mut Partition {
        &mut self.topics[part.topic as usize].partitions[part.partition as usize]
    }

    fn close_open(&mut self, part: Part) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        self.appended = self.appended.saturating_sub(partition.open.waiting_len());
        partition.seal(&mut self.compressors, &mut self.pool);
    }

    fn compress_piece(&mut self, part: Part) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        partition.open.step(&mut self.compressors);
        self.appended = self.appended.saturating_sub(self.settings.compression.piece_len());
    }

    /// Takes partitions with a batch to send out of the list, for one request.
    fn collect(
        &mut self,
        now_ns: u64,
        lane: usize,
        is_free: bool,
        budget: &mut Budget,
        more: &mut bool,
    ) -> Found {
        let mut found = Found { parts: self.spare_parts.pop().unwrap_or_default(), bytes: REQUEST_HEAD_LEN };
        for _ in 0..self.links[lane].pending.len().min(LOOKS_MAX) {
            if found.parts.len() >= PARTS_MAX {
                break;
            }
            let Some(part) = self.links[lane].pending.pop_front() else { break };
            let index = match self.look(now_ns, lane, part, is_free) {
                Look::Nothing => {
                    self.unlist(part);
                    continue;
                }
                Look::Elsewhere => {
                    self.unlist(part);
                    self.list(part);
                    // That connection may have had its turn.
                    *more = true;
                    continue;
                }
                Look::Later(at_ns) => {
                    self.wake_at_ns = self.wake_at_ns.min(at_ns);
                    *more |= at_ns <= now_ns;
                    self.links[lane].pending.push_back(part);
                    continue;
                }
                Look::Queued(index) => index,
                Look::Open if self.settings.compression == Compression::None => {
                    self.close_open(part);
                    self.partition(part).queue.len() - 1
                }
                Look::Open => {
                    if self.partition(part).open.has_piece() && budget.takes_piece() {
                        self.compress_piece(part);
                    }
                    *more = true;
                    self.links[lane].pending.push_back(part);
                    continue;
                }
            };
            let partition = self.partition(part);
            let len = partition.queue.get(index).map_or(0, |batch| batch.frozen.bytes().len());
            if !found.parts.is_empty() && found.bytes + len > self.settings.max_request_size {
                self.links[lane].pending.push_front(part);
                break;
            }
            found.bytes += len;
            found.parts.push(part);
            self.partition(part).departs(index, lane as u16);
        }
        // Behind those that had to wait.
        for part in &found.parts {
            let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
            if partition.has_work() {
                self.links[lane].pending.push_back(*part);
            } else {
                partition.is_listed = false;
            }
        }
        found
    }

    fn unlist(&mut self, part: Part) {
        self.partition(part).is_listed = false;
    }

    /// Looks whether a partition has a batch to send.
    fn look(&mut self, now_ns: u64, lane: usize, part: Part, is_free: bool) -> Look {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        if self.cluster.lane_of(partition.leader) != Some(lane) {
            return Look::Elsewhere;
        }
        if self.settings.idempotent {
            let Some(wanted) = self.cluster.identity else { return Look::Later(NEVER_NS) };
            if partition.has_work() && !partition.adopt(wanted) {
                return Look::Later(NEVER_NS);
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
            Sendable::Nothing => Look::Nothing,
            Sendable::Later(at_ns) => Look::Later(at_ns),
            Sendable::Queued(index) => Look::Queued(index),
            Sendable::Open => {
                let due_ns = partition.open_since_ns.saturating_add(self.settings.linger_ns);
                let is_due = now_ns >= due_ns || self.is_flushing || partition.is_urgent;
                if is_due { Look::Open } else { Look::Later(due_ns) }
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
        let (topics, apart) = (&self.topics, &mut self.apart);
        let apart_min = APART_MIN.min(self.settings.batch_size / APART_PART);
        apart.clear();
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
                    let (index, len) = (part.partition as i32, bytes.len());
                    if let Some(batch) = batch.filter(|_| len >= apart_min) {
                        let (at, departure) = (request.partition_apart(index, len)? as u64, batch.departure);
                        apart.push(Apart { at, part: *part, departure, len });
                    } else {
                        request.partition(index, bytes)?;
                    }
                }
            }
            request.finish()
        };
        let asked = self.links[lane].ask(now_ns, &self.settings, Question::Produce(parts), version, write);
        if asked.is_ok() {
            self.links[lane].put_apart(self.apart.drain(..));
        }
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

/// What a look at a partition found.
enum Look {
    Nothing,
    /// Another connection's.
    Elsewhere,
    Later(u64),
    /// The batch at this place of the queue.
    Queued(usize),
    /// The open batch is due.
    Open,
}
