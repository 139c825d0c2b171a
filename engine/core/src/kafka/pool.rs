//! Memory of finished batches, for the next ones: so that a steady state allocates nothing.

use super::partition::Entry;

/// Batches whose memory is kept: what the default credit fills, twice. Memory that is given back and asked for again is
/// zeroed by the kernel each time.
const KEPT_MAX: usize = 64;
/// Buffers beyond this length are not kept: they came from a single large record.
const KEPT_LEN_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Pool {
    buffers: Vec<Vec<u8>>,
    entries: Vec<Vec<Entry>>,
}

impl Pool {
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    pub(super) fn put_buffer(&mut self, buffer: Vec<u8>) {
        if self.buffers.len() < KEPT_MAX && buffer.capacity() <= KEPT_LEN_MAX {
            self.buffers.push(buffer);
        }
    }

    pub(super) fn entries(&mut self) -> Vec<Entry> {
        self.entries.pop().unwrap_or_default()
    }

    pub(super) fn put_entries(&mut self, mut entries: Vec<Entry>) {
        if self.entries.len() < KEPT_MAX && entries.capacity() * size_of::<Entry>() <= KEPT_LEN_MAX {
            entries.clear();
            self.entries.push(entries);
        }
    }
}
