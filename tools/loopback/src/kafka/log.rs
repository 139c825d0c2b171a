//! A partition's log: whole batches in the order of their offsets.

use std::collections::VecDeque;
use std::ops::Range;

use ringwire_codec::kafka::stamp;

/// What the log counts for a batch beside its bytes.
const OVERHEAD: usize = size_of::<Batch>();

/// A batch as it came, with its offset and leader epoch in its header.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) next_offset: i64,
    pub(super) max_timestamp: i64,
    pub(super) bytes: Box<[u8]>,
}

/// What is to be appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewBatch<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) count: u32,
    pub(super) max_timestamp: i64,
    /// Milliseconds since 1970.
    pub(super) log_append_time: Option<i64>,
}

/// The batches that are kept, and where they are.
#[derive(Debug, Default)]
pub(super) struct Log {
    batches: VecDeque<Batch>,
    /// The offset of the first record that is kept, or would be.
    start: i64,
    /// The offset behind the last record.
    end: i64,
    /// Of `batches`, with their overhead.
    len: usize,
}

impl Log {
    /// From the first offset that is kept to the one behind the last record.
    pub(super) fn offsets(&self) -> Range<i64> {
        self.start..self.end
    }

    /// Appends a batch, drops the oldest beyond `retention` bytes, and answers the offset of its first record.
    pub(super) fn append(&mut self, new: &NewBatch<'_>, leader_epoch: i32, retention: usize) -> i64 {
        let base_offset = self.end;
        self.end += i64::from(new.count);
        let len = new.bytes.len() + OVERHEAD;
        if len > retention {
            self.batches.clear();
            self.len = 0;
            self.start = self.end;
            return base_offset;
        }
        let mut bytes: Box<[u8]> = new.bytes.into();
        stamp(&mut bytes, base_offset, leader_epoch, new.log_append_time);
        let max_timestamp = new.log_append_time.unwrap_or(new.max_timestamp);
        self.batches.push_back(Batch { next_offset: self.end, max_timestamp, bytes });
        self.len += len;
        while self.len > retention {
            self.drop_oldest();
        }
        base_offset
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.batches.pop_front() {
            self.len -= oldest.bytes.len() + OVERHEAD;
            self.start = oldest.next_offset;
        }
    }

    /// The batches from the one that holds `offset`.
    pub(super) fn from(&self, offset: i64) -> impl Iterator<Item = &Batch> {
        let at = self.batches.partition_point(|batch| batch.next_offset <= offset);
        self.batches.range(at..)
    }
}
