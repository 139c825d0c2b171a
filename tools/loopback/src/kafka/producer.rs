//! What a partition remembers of a producer, and what it checks by that: as Kafka's `ProducerStateEntry` and
//! `ProducerAppendInfo` do for producers without transactions.

use std::collections::{BTreeMap, VecDeque};

use ringwire_codec::kafka::{ErrorCode, RecordBatch, next_sequence};

use super::options::PRODUCERS_MAX;

/// Batches that are remembered: as many as a producer may have in flight. A repetition of one of them is answered
/// with its offset.
const BATCHES_KEPT: usize = 5;

/// A batch in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    first_sequence: i32,
    last_sequence: i32,
    /// Where its first record is.
    pub(super) base_offset: i64,
    /// Its largest timestamp: what a repetition gets as the time of append.
    pub(super) timestamp: i64,
}

#[derive(Debug, Default)]
struct Entry {
    epoch: i16,
    /// The youngest last; at least one.
    batches: VecDeque<Known>,
}

impl Entry {
    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |known| known.last_sequence)
    }
}

/// The producers that a partition knows.
#[derive(Debug, Default)]
pub(super) struct Producers(BTreeMap<i64, Entry>);

/// What a batch is, by its producer and sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The next one.
    New,
    /// Here already.
    Duplicate(Known),
}

/// The sequence of a batch's last record.
fn last_sequence(batch: &RecordBatch<'_>) -> i32 {
    next_sequence(batch.base_sequence, batch.count - 1)
}

impl Producers {
    /// Whether the batch may follow what the partition has of its producer. A batch without a producer always may,
    /// and the first of one that is not known may have any sequence.
    pub(super) fn check(&self, batch: &RecordBatch<'_>) -> Result<Turn, ErrorCode> {
        let Some(entry) = self.0.get(&batch.producer_id) else { return Ok(Turn::New) };
        let (epoch, first, last) = (batch.producer_epoch, batch.base_sequence, last_sequence(batch));
        if epoch == entry.epoch {
            let is_same = |known: &&Known| (known.first_sequence, known.last_sequence) == (first, last);
            if let Some(known) = entry.batches.iter().find(is_same) {
                return Ok(Turn::Duplicate(*known));
            }
        }
        if epoch < entry.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let expected = if epoch == entry.epoch { next_sequence(entry.last_sequence(), 1) } else { 0 };
        if first == expected { Ok(Turn::New) } else { Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) }
    }

    /// The batch is in the log.
    pub(super) fn appended(&mut self, batch: &RecordBatch<'_>, base_offset: i64, timestamp: i64) {
        if batch.producer_id < 0 {
            return;
        }
        if self.0.len() >= PRODUCERS_MAX && !self.0.contains_key(&batch.producer_id) {
            self.forget_idlest();
        }
        let entry = self.0.entry(batch.producer_id).or_default();
        if entry.epoch != batch.producer_epoch {
            entry.epoch = batch.producer_epoch;
            entry.batches.clear();
        }
        if entry.batches.len() == BATCHES_KEPT {
            entry.batches.pop_front();
        }
        let (first_sequence, last_sequence) = (batch.base_sequence, last_sequence(batch));
        entry.batches.push_back(Known { first_sequence, last_sequence, base_offset, timestamp });
    }

    /// The one that has been silent for longest.
    fn forget_idlest(&mut self) {
        let last_offset = |entry: &Entry| entry.batches.back().map(|known| known.base_offset);
        let idlest = self.0.iter().min_by_key(|(_, entry)| last_offset(entry)).map(|(&id, _)| id);
        if let Some(id) = idlest {
            self.0.remove(&id);
        }
    }

    /// Forgets every producer.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
