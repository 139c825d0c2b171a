//! The slot ring: fixed-size records (reports) from one writer to one reader, on `rtrb`.
//!
//! ```text
//!   writer: push, push, push ... into a small stage        publish: one copy, one release store
//!   reader: read(limit, handler): one acquire load, up to `limit` records, one release store
//! ```
//!
//! The stage exists so that a batch of records costs the reader's core one cache-line transfer of the
//! position, and the writer one fence for the wake-up, however many records it has.

use std::error::Error;
use std::fmt;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::batch::Batch;
use crate::ring::ask_for_huge_pages;

/// How many records are staged before they are published unasked: 64 records of 64 bytes are 4 KiB, which
/// stays in the first-level cache between the push and the copy.
pub const STAGED_MAX: usize = 64;

/// Makes a ring of `capacity` records, and writes its memory once so that its pages are present.
///
/// Writer and reader may go to different threads; neither can be shared or cloned. A capacity of 0 is
/// legal, and is always full.
#[must_use]
pub fn slot_ring<T: Copy + Default + Send>(capacity: usize) -> (SlotWriter<T>, SlotReader<T>) {
    let (mut producer, mut consumer) = RingBuffer::new(capacity);
    if let Ok(mut all) = producer.write_chunk_uninit(capacity) {
        ask_for_huge_pages(all.as_mut_slices().0);
    }
    if let Ok(all) = producer.write_chunk(capacity) {
        all.commit_all();
    }
    if let Ok(all) = consumer.read_chunk(capacity) {
        all.commit_all();
    }
    let staged = Vec::with_capacity(STAGED_MAX);
    (SlotWriter { producer, staged }, SlotReader { consumer })
}

/// The writing end of a slot ring. `Send`, not `Clone`: one thread writes.
#[derive(Debug)]
pub struct SlotWriter<T: Copy> {
    producer: Producer<T>,
    /// Pushed, not yet published. Fewer than [`STAGED_MAX`] between calls, and never more than the ring has
    /// free slots: `push` made sure, and only the reader changes that number, upwards.
    staged: Vec<T>,
}

impl<T: Copy> SlotWriter<T> {
    /// Stages one record; the reader sees it after [`SlotWriter::publish`], at the latest after
    /// [`STAGED_MAX`] records.
    ///
    /// # Errors
    ///
    /// [`Full`] if the ring has no slot left. A writer that pushes only what was reserved never sees it.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), Full> {
        let needed = self.staged.len() + 1;
        if self.producer.cached_slots() < needed && self.producer.slots() < needed {
            return Err(Full);
        }
        self.staged.push(value);
        if needed == STAGED_MAX {
            self.publish();
        }
        Ok(())
    }

    /// Writes many records straight into the ring, behind all that was pushed; the reader sees them at once, and is
    /// still to be woken.
    ///
    /// # Errors
    ///
    /// [`Full`] if the ring has fewer slots left: then it takes none of them.
    #[inline]
    pub fn push_all(&mut self, values: impl ExactSizeIterator<Item = T>) -> Result<(), Full> {
        self.publish();
        let chunk = self.producer.write_chunk_uninit(values.len()).map_err(|_| Full)?;
        chunk.fill_from_iter(values);
        Ok(())
    }

    /// Makes all that was pushed visible, in order, and returns how many records the call published.
    #[inline]
    pub fn publish(&mut self) -> usize {
        let count = self.staged.len();
        if count > 0 {
            let published = self.producer.push_entire_slice(&self.staged);
            debug_assert!(published.is_ok(), "push looked for room");
            self.staged.clear();
        }
        count
    }

    /// The ring's size in records.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.producer.buffer().capacity()
    }

    /// Whether the reader is gone. Once true it stays true.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.producer.is_abandoned()
    }
}

impl<T: Copy> Drop for SlotWriter<T> {
    /// Publishes what was staged: the reader finds it before it finds the ring abandoned.
    fn drop(&mut self) {
        self.publish();
    }
}

/// The reading end of a slot ring. `Send`, not `Clone`: one thread reads.
#[derive(Debug)]
pub struct SlotReader<T: Copy> {
    consumer: Consumer<T>,
}

impl<T: Copy> SlotReader<T> {
    /// Hands up to `limit` records to `handler`, oldest first, and returns how many those were.
    ///
    /// Their slots go back to the writer once, when the batch ends. If `handler` panics, the record that it
    /// was looking at counts as read.
    #[inline]
    pub fn read(&mut self, limit: usize, mut handler: impl FnMut(&T)) -> usize {
        let Some(batch) = Batch::begin(&mut self.consumer) else {
            return 0;
        };
        let mut records = 0;
        for part in batch.parts() {
            for record in &part[..part.len().min(limit - records)] {
                batch.consume(1);
                handler(record);
            }
            records += part.len().min(limit - records);
        }
        records
    }

    /// Whether there is nothing to read now.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.consumer.is_empty()
    }

    /// Whether the writer is gone. Once true it stays true; read once more after seeing it.
    #[inline]
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.consumer.is_abandoned()
    }
}

/// The ring has no slot left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the ring has no slot left: a record was pushed that was not reserved")
    }
}

impl Error for Full {}

#[cfg(test)]
mod tests;
