//! One partition on this shard: the batch that grows, the batches that wait or are under way, and their sequence.
//!
//! ```text
//!   queue   │ 17..20 under way │ 20..24 under way │ 24..31 waits │    open: takes records
//!           └── front: the oldest without an outcome               └── frozen when it is full, or goes out
//! ```
//!
//! - A batch gets its sequence at its first attempt, and keeps it until it is decided, or certainly not in the log.
//! - Once an attempt may be in the log (*ambiguous*), it is sent again as it is until the broker says what became of it.
//! - After any failure the next batch goes alone, and nothing goes while others are under way: so nothing overtakes,
//!   and the broker still remembers what it may have appended (it keeps the last five).
//! - A new epoch begins at sequence 0, and only where nothing is under way and nothing is ambiguous.

use std::collections::VecDeque;

use ringwire_codec::kafka::{
    BatchError, Compression, Compressors, ErrorCode, FrozenBatch, Header, Headers, OpenBatch, Producer,
    PushError, Record,
};

use super::pool::Pool;
use crate::frame::Frame;
use crate::outlet::{Charge, EndpointId, PublisherId};
use crate::report::{Outcome, Reason, Report};
use crate::time::SECOND_NS;

/// Headers of one record that are handed on without an allocation.
const HEADERS_INLINE: usize = 16;

/// For so long after a success a broker surely knows the producer: far below any sensible `producer.id.expiration.ms`, a
/// day by default.
const KNOWN_NS: u64 = 60 * SECOND_NS;
/// Failures in a row that the status tells of.
pub(super) const SETBACK_FAILURES: u32 = 3;

/// What is needed to answer for a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) tag: u64,
    pub(super) intended_ns: u64,
    /// The record's timestamp.
    pub(super) timestamp_ms: i64,
    /// When the endpoint took it.
    pub(super) since_ns: u64,
    pub(super) channel: u32,
    pub(super) publisher: PublisherId,
    pub(super) cost: u32,
    pub(super) leg: u8,
}

impl Entry {
    #[inline]
    pub(super) fn report(&self, at_ns: u64, outcome: Outcome, reason: Reason, detail: [u8; 16]) -> Report {
        Report {
            sequence: self.sequence,
            tag: self.tag,
            intended_ns: self.intended_ns,
            at_ns,
            broker_timestamp_ms: 0,
            detail,
            channel: self.channel,
            leg: self.leg,
            outcome,
            reason,
            reserved: 0,
        }
    }

    #[inline]
    pub(super) fn charge(&self, endpoint: EndpointId) -> Charge {
        Charge {
            publisher: self.publisher,
            endpoint: Some(endpoint),
            bytes: self.cost,
            taken_ns: self.since_ns,
        }
    }
}

/// A batch that takes no more records.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) frozen: FrozenBatch,
    /// One for each record.
    pub(super) entries: Vec<Entry>,
    /// When its first record was taken.
    pub(super) since_ns: u64,
    pub(super) attempts: u32,
    /// It has its place in the sequence.
    pub(super) is_numbered: bool,
    pub(super) is_under_way: bool,
    /// Which of the partition's departures it was when it last left, from 1.
    pub(super) departure: u64,
    /// An attempt may be in the log.
    pub(super) is_ambiguous: bool,
    /// A number before its own will never come: the broker refuses it, whatever becomes of its attempts.
    pub(super) is_behind_gap: bool,
}

/// The producer's identity as the broker gave it, and as this shard raised its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sendable {
    /// Nothing is there.
    Nothing,
    /// Not before this; [`crate::time::NEVER_NS`]: an answer has to come first.
    Later(u64),
    /// The batch at this place of the queue.
    Queued(usize),
    /// The open batch.
    Open,
}

#[derive(Debug)]
pub(super) struct Partition {
    /// The broker that leads it; -1: none is known.
    pub(super) leader: i32,
    pub(super) leader_epoch: i32,
    pub(super) open: OpenBatch,
    pub(super) open_entries: Vec<Entry>,
    pub(super) open_since_ns: u64,
    /// The open batch does not wait for company.
    pub(super) is_urgent: bool,
    pub(super) queue: VecDeque<Batch>,
    /// Batches of the queue that are under way, all on the connection of `lane`.
    pub(super) under_way: usize,
    departures: u64,
    pub(super) lane: u16,
    /// The identity that its sequence counts in, and the sequence of the next batch.
    pub(super) identity: Option<Identity>,
    pub(super) next_sequence: i32,
    /// A batch succeeded since the leader, the identity or our luck changed: more than one may be under way.
    pub(super) is_proven: bool,
    /// When one did last.
    pub(super) proven_ns: u64,
    /// A number of the sequence is missing for good: what follows has to wait for a new epoch.
    pub(super) has_gap: bool,
    pub(super) not_before_ns: u64,
    /// Failures in a row.
    pub(super) failures: u32,
    /// What the last one was.
    pub(super) setback: Option<ErrorCode>,
    /// Stands in some list of partitions with something to send.
    pub(super) is_listed: bool,
    /// The topic was made anew, and has no partition of this number.
    pub(super) is_gone: bool,
}

impl Partition {
    pub(super) fn new(open: OpenBatch) -> Self {
        Self {
            leader: -1,
            leader_epoch: -1,
            open,
            open_entries: Vec::new(),
            open_since_ns: 0,
            is_urgent: false,
            queue: VecDeque::new(),
            under_way: 0,
            departures: 0,
            lane: 0,
            identity: None,
            next_sequence: 0,
            is_proven: false,
            proven_ns: 0,
            has_gap: false,
            not_before_ns: 0,
            setback: None,
            failures: 0,
            is_listed: false,
            is_gone: false,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.open.is_empty() || self.queue.len() > self.under_way
    }

    /// When its oldest message without an outcome was taken.
    pub(super) fn oldest_ns(&self) -> Option<u64> {
        let queued = self.queue.front().and_then(|batch| batch.entries.first());
        queued.or(self.open_entries.first()).map(|entry| entry.since_ns)
    }

    /// When the first message of the open batch was taken: it may have been held before it came here.
    pub(super) fn open_taken_ns(&self) -> u64 {
        self.open_entries.first().map_or(self.open_since_ns, |entry| entry.since_ns)
    }

    /// Closes the open batch and puts it into the queue.
    pub(super) fn seal(&mut self, compressors: &mut Compressors, pool: &mut Pool) {
        if self.open.is_empty() {
            return;
        }
        let producer = self.expected();
        let since_ns = self.open_taken_ns();
        self.is_urgent = false;
        let frozen = self.open.freeze(producer, compressors, pool.buffer());
        let entries = std::mem::replace(&mut self.open_entries, pool.entries());
        self.queue.push_back(Batch {
            frozen,
            entries,
            since_ns,
            attempts: 0,
            is_numbered: false,
            is_under_way: false,
            departure: 0,
            is_ambiguous: false,
            is_behind_gap: false,
        });
    }

    /// The number that the next batch will most likely have: then its checksum is computed once.
    fn expected(&self) -> Producer {
        let Some(identity) = self.identity else { return Producer::NONE };
        let last = self.queue.back().map(|batch| &batch.frozen);
        let sequence = match last.filter(|last| last.producer().id == identity.id) {
            Some(last) => last.next_sequence(),
            None => self.next_sequence,
        };
        Producer { id: identity.id, epoch: identity.epoch, sequence, transactional: false }
    }

    /// What may be sent now. `limit` batches may be under way; `identity` is the producer's, if it needs one.
    pub(super) fn sendable(&mut self, now_ns: u64, lane: u16, limit: usize, takes_open: bool) -> Sendable {
        const WAIT: Sendable = Sendable::Later(crate::time::NEVER_NS);
        if !self.has_work() {
            return Sendable::Nothing;
        }
        if self.not_before_ns > now_ns {
            return Sendable::Later(self.not_before_ns);
        }
        if self.under_way > 0 {
            // A broker forgets a producer that is silent for long, and then takes any batch for its first.
            let is_known = self.is_proven && now_ns.saturating_sub(self.proven_ns) < KNOWN_NS;
            let has_room = is_known && self.lane == lane && self.under_way < limit;
            if !has_room {
                return WAIT;
            }
        }
        match self.queue.iter().position(|batch| !batch.is_under_way) {
            // What failed goes again only after what followed it is answered.
            Some(index) if index < self.under_way => WAIT,
            Some(index) => Sendable::Queued(index),
            None if takes_open => Sendable::Open,
            None => WAIT,
        }
    }

    /// Takes over a new identity, if that is due and safe. Answers whether the partition may send under `wanted`.
    pub(super) fn adopt(&mut self, wanted: Identity) -> bool {
        if self.identity == Some(wanted) && !self.has_gap {
            return true;
        }
        if self.under_way > 0 {
            return false;
        }
        if self.queue.iter().any(|batch| batch.is_ambiguous) {
            // These go first, under the identity that they have.
            return true;
        }
        if self.identity == Some(wanted) {
            // A gap, and no newer epoch yet.
            return false;
        }
        self.identity = Some(wanted);
        self.next_sequence = 0;
        self.is_proven = false;
        self.has_gap = false;
        for batch in &mut self.queue {
            batch.is_numbered = false;
            batch.is_behind_gap = false;
        }
        true
    }

    /// Gives a batch its place in the sequence, unless it has one, and counts an attempt.
    pub(super) fn departs(&mut self, index: usize, lane: u16) {
        let sequence = self.next_sequence;
        let producer = self.identity.map(|Identity { id, epoch }| Producer {
            id,
            epoch,
            sequence,
            transactional: false,
        });
        let Some(batch) = self.queue.get_mut(index) else { return };
        if let Some(producer) = producer
            && !batch.is_numbered
        {
            if batch.frozen.producer() != producer {
                batch.frozen.renumber(producer);
            }
            batch.is_numbered = true;
            self.next_sequence = batch.frozen.next_sequence();
        }
        batch.attempts += 1;
        batch.is_under_way = true;
        self.departures += 1;
        batch.departure = self.departures;
        self.under_way += 1;
        self.lane = lane;
    }

    /// What the broker answered last, if that was an error.
    pub(super) fn last_error(&self) -> Option<ErrorCode> {
        self.setback.filter(|_| self.failures > 0)
    }

    /// Whether it failed again and again: what fails once is told by nobody.
    pub(super) fn has_setback(&self) -> bool {
        self.failures >= SETBACK_FAILURES && self.setback.is_some()
    }

    /// The place of the oldest batch under way: the next answer is about it.
    pub(super) fn answered(&self) -> Option<usize> {
        self.queue.iter().position(|batch| batch.is_under_way)
    }

    /// The batch's attempt is over, and it stays in the queue.
    pub(super) fn returned(&mut self, index: usize, is_ambiguous: bool) {
        if let Some(batch) = self.queue.get_mut(index)
            && batch.is_under_way
        {
            batch.is_under_way = false;
            batch.is_ambiguous |= is_ambiguous && !batch.is_behind_gap;
            self.under_way -= 1;
            self.is_proven = false;
        }
    }

    /// Takes a batch out of the queue. `is_in_log`: its numbers are used up, or may be. If not, and others behind it
    /// were sent, their numbers stay unreachable, and a new epoch is needed: answers that.
    pub(super) fn take(&mut self, index: usize, is_in_log: bool) -> Option<(Batch, bool)> {
        let batch = self.queue.remove(index)?;
        self.under_way -= usize::from(batch.is_under_way);
        let mut needs_epoch = false;
        if !is_in_log && batch.is_numbered && self.identity.is_some() {
            needs_epoch = self.unnumber_from(index, batch.frozen.producer().sequence);
        }
        Some((batch, needs_epoch))
    }

    /// The batch there is certainly not in the log and is about to change its records: it gives its number back.
    /// Answers whether that needs a new epoch.
    pub(super) fn unnumber(&mut self, index: usize) -> bool {
        let Some(batch) = self.queue.get_mut(index) else { return false };
        if !batch.is_numbered {
            return false;
        }
        batch.is_numbered = false;
        let sequence = batch.frozen.producer().sequence;
        self.unnumber_from(index + 1, sequence)
    }

    /// The numbers from `sequence` on are free again, unless a batch at `index` or behind has tried its own.
    fn unnumber_from(&mut self, index: usize, sequence: i32) -> bool {
        let have_tried = self.queue.iter().skip(index).any(|batch| batch.is_numbered && batch.attempts > 0);
        if have_tried {
            // A broker that has state refuses what follows a gap: so it is not in the log either.
            self.has_gap = true;
            for batch in self.queue.iter_mut().skip(index) {
                batch.is_ambiguous = false;
                batch.is_behind_gap = true;
            }
        } else {
            self.queue.iter_mut().skip(index).for_each(|batch| batch.is_numbered = false);
            self.next_sequence = sequence;
        }
        have_tried
    }

    /// The broker expects another sequence than that of the batch at `index`, which is the oldest: what is behind it
    /// is refused too, and all go on in a new epoch. What is behind an ambiguous batch stays as ambiguous as it is.
    pub(super) fn breaks_at(&mut self, index: usize) {
        self.has_gap = true;
        if self.queue.get(index).is_some_and(|batch| batch.is_ambiguous) {
            return;
        }
        for batch in self.queue.iter_mut().skip(index) {
            batch.is_ambiguous = false;
            batch.is_behind_gap = true;
        }
    }

    /// Appends a record that the open batch does not simply take: it has headers, or the batch is full and makes room
    /// for the next one.
    #[inline(never)]
    pub(super) fn push_slowly(
        &mut self,
        timestamp: i64,
        frame: &Frame<'_>,
        compressors: &mut Compressors,
        pool: &mut Pool,
    ) -> Result<(), PushError> {
        let mut few = [Header { key: b"", value: None }; HEADERS_INLINE];
        let many: Vec<Header<'_>>;
        let headers = frame.headers.iter().map(|(key, value)| Header { key, value });
        let list = if frame.headers.len() <= HEADERS_INLINE {
            for (place, header) in few.iter_mut().zip(headers) {
                *place = header;
            }
            &few[..frame.headers.len()]
        } else {
            many = headers.collect();
            &many
        };
        let record = Record { timestamp, key: frame.key, value: frame.payload, headers: Headers::new(list) };
        match self.open.push(&record) {
            Err(PushError::Full) => {
                self.seal(compressors, pool);
                self.open.push(&record)
            }
            pushed => pushed,
        }
    }

    /// Replaces a batch by two halves of it, in its place and sequence.
    pub(super) fn split(
        &mut self,
        index: usize,
        compression: Compression,
        compressors: &mut Compressors,
        pool: &mut Pool,
    ) -> Result<bool, BatchError> {
        let Some(batch) = self.queue.get(index) else { return Ok(false) };
        let Some([first, second]) = batch.frozen.split(compression, compressors)? else { return Ok(false) };
        let Some(mut batch) = self.queue.remove(index) else { return Ok(false) };
        let behind = batch.entries.split_off((first.count() as usize).min(batch.entries.len()));
        let half = |frozen, entries| Batch {
            frozen,
            entries,
            since_ns: batch.since_ns,
            attempts: batch.attempts,
            is_numbered: batch.is_numbered,
            is_under_way: false,
            departure: 0,
            is_ambiguous: false,
            is_behind_gap: false,
        };
        self.queue.insert(index, half(second, behind));
        self.queue.insert(index, half(first, batch.entries));
        pool.put_buffer(batch.frozen.into_buffer());
        Ok(true)
    }

    /// Whether the sequence of a batch is the one that a broker expects after all that was answered.
    pub(super) fn is_expected(&self, index: usize) -> bool {
        index == 0 && self.queue.front().is_some_and(|batch| !batch.is_behind_gap)
    }
}
