//! A read chunk that gives back what was consumed when it goes out of scope.

use std::cell::Cell;

use rtrb::Consumer;
use rtrb::chunks::ReadChunk;

/// Everything that a ring held when the batch began, and how much of it has been consumed since.
///
/// Dropping it publishes the consumer's position once. Because `Drop` does it, a handler that panics in
/// the middle of a batch leaves the ring where the handler stood, and not where the batch began.
pub(crate) struct Batch<'a, T: Copy> {
    /// `Some` until `Drop` takes it.
    chunk: Option<ReadChunk<'a, T>>,
    /// Elements consumed so far; never more than the chunk holds.
    consumed: Cell<usize>,
}

impl<'a, T: Copy> Batch<'a, T> {
    /// All that is readable now, or `None` if that is nothing.
    #[inline]
    pub(crate) fn begin(consumer: &'a mut Consumer<T>) -> Option<Self> {
        let readable = consumer.slots();
        if readable == 0 {
            return None;
        }
        let chunk = consumer.read_chunk(readable).ok()?;
        Some(Self { chunk: Some(chunk), consumed: Cell::new(0) })
    }

    /// The elements, in order: up to the end of the storage, then from its beginning.
    #[inline]
    pub(crate) fn parts(&self) -> [&[T]; 2] {
        self.chunk.as_ref().map_or([&[], &[]], |chunk| {
            let (first, second) = chunk.as_slices();
            [first, second]
        })
    }

    /// Counts `elements` more as consumed.
    #[inline]
    pub(crate) fn consume(&self, elements: usize) {
        self.consumed.set(self.consumed.get() + elements);
    }
}

impl<T: Copy> Drop for Batch<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let consumed = self.consumed.get();
        if let Some(chunk) = self.chunk.take()
            && consumed > 0
        {
            chunk.commit(consumed);
        }
    }
}
