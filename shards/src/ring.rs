//! The frame ring: variable-length byte frames from one writer to one reader, on `rtrb`.
//!
//! ```text
//!  storage: 32-byte words                       a frame never straddles the end:
//!  +--------------------+--------------------+-----+    +--------- ... ---------+-------+
//!  | head, frame, pad32 | head, frame, pad32 | ... |    | records               |padding|
//!  +--------------------+--------------------+-----+    +--------- ... ---------+-------+
//!  head of 16 bytes: bits 0..32 the frame's length in bytes, bits 32..64 FRAME or PADDING (the rest of the storage)
//!
//!  writer: try_claim(len) -> Claim (&mut [u8]) -> commit: one release store makes padding and frame visible
//!  reader: read(limit, handler): one acquire load, up to `limit` frames, one release store gives all back
//! ```
//!
//! The storage is written once when the ring is made. So its pages are present before the first frame (a
//! page fault on a pinned core costs more than a publish), and a claim can be lent as plain `&mut [u8]`.
//!
//! A claim that is not committed changes nothing: the next claim of the same length lends the same bytes,
//! contents included. A two-step claim through a C ABI can stand on that (claim, lend the pointer, forget
//! the claim; later claim the same length again and commit).

#![allow(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::slice;

use rtrb::chunks::WriteChunkUninit;
use rtrb::{Consumer, Producer, RingBuffer};
#[cfg(not(miri))]
use rustix::mm::{Advice, madvise};

use crate::batch::Batch;

/// The smallest ring in bytes: a quarter of it holds a record of two words.
pub const CAPACITY_MIN: usize = 256;

/// The largest ring in bytes: a length stays far below the 32 bits of its header, and writing the storage
/// once at creation stays under a second.
pub const CAPACITY_MAX: usize = 1 << 30;

/// The unit of the storage: every record begins on a word, so a frame stands 16 bytes behind a multiple of 32. What is 16
/// bytes into a frame is on a boundary of the widest stores that `memcpy` uses here: one that crosses the end of a page
/// costs some 50 ns.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
struct Word([u64; 4]);

/// Its size.
const WORD: usize = size_of::<Word>();

/// Bytes of a record before its frame. The second half of them is never written.
const HEADER: usize = 16;

/// What turns a frame's length into its record's words: the header, and the last word where it is not full.
const RECORD_EXTRA: usize = HEADER + WORD - 1;

/// The largest record's share of the ring. Padding is shorter than the record that causes it, so one claim
/// takes less than half of the ring, and every legal frame fits into an empty ring wherever it stands.
const RECORD_SHARE: usize = 4;

/// Marks a record that carries a frame.
const FRAME: u32 = u32::from_le_bytes(*b"FRAM");

/// Marks a record that fills the storage up to its end.
const PADDING: u32 = u32::from_le_bytes(*b"PADD");

const _: () = assert!(CAPACITY_MIN / RECORD_SHARE >= 2 * WORD);
const _: () = assert!(CAPACITY_MAX / RECORD_SHARE <= u32::MAX as usize);

/// Makes a ring of `capacity_bytes`, and writes its memory once.
///
/// Writer and reader may go to different threads; neither can be shared or cloned.
///
/// # Errors
///
/// [`CapacityError`] unless `capacity_bytes` is a power of two within [`CAPACITY_MIN`] and [`CAPACITY_MAX`].
pub fn frame_ring(capacity_bytes: usize) -> Result<(FrameWriter, FrameReader), CapacityError> {
    if !capacity_bytes.is_power_of_two() || !(CAPACITY_MIN..=CAPACITY_MAX).contains(&capacity_bytes) {
        return Err(CapacityError { bytes: capacity_bytes });
    }
    let words = capacity_bytes / WORD;
    let (mut producer, mut consumer) = RingBuffer::<Word>::new(words);
    if let Ok(mut all) = producer.write_chunk_uninit(words) {
        ask_for_huge_pages(all.as_mut_slices().0);
    }
    // Through the ring and back: afterwards every word is initialised, and both positions are at a
    // multiple of the capacity, which is word 0 of the storage.
    if let Ok(all) = producer.write_chunk(words) {
        all.commit_all();
    }
    if let Ok(all) = consumer.read_chunk(words) {
        all.commit_all();
    }
    assert_eq!(producer.slots(), words, "the ring was written and emptied");
    let frame_len_max = capacity_bytes / RECORD_SHARE - HEADER;
    Ok((FrameWriter { producer, words, frame_len_max, next: 0 }, FrameReader { consumer }))
}

/// Asks for huge pages under the storage of a ring, before it is written for the first time, if one fits into it.
///
/// A ring is gone through from end to end, so that the processor has mostly forgotten where the next small page lies: in a
/// virtual machine that costs some 400 ns, for one message in 25. Where the kernel gives none (`/sys/kernel/mm/transparent_hugepage/enabled` says `never`), or the
/// storage does not begin on their boundary, which is the allocator's affair, it has fewer, or none.
pub fn ask_for_huge_pages<T>(storage: &mut [MaybeUninit<T>]) {
    /// Other systems' pages are larger, and the kernel refuses the request.
    const PAGE: usize = 4096;
    const HUGE_PAGE: usize = 2 << 20;
    let bytes = storage.as_mut_ptr_range();
    let begin = bytes.start.map_addr(|address| address.next_multiple_of(PAGE));
    let len = bytes.end.addr().saturating_sub(begin.addr()) / PAGE * PAGE;
    #[cfg(not(miri))]
    if len >= HUGE_PAGE {
        // SAFETY: the pages are the storage's, and the advice changes nothing but what they lie in.
        let _ = unsafe { madvise(begin.cast(), len, Advice::LinuxHugepage) };
    }
    #[cfg(miri)]
    let _ = (len, HUGE_PAGE);
}

/// The writing end of a frame ring. `Send`, not `Clone`: one thread writes.
#[derive(Debug)]
pub struct FrameWriter {
    producer: Producer<Word>,
    /// The storage's size in words, a power of two.
    words: usize,
    /// The longest frame in bytes.
    frame_len_max: usize,
    /// The address at which the next record most likely begins, behind the last one that was claimed: a hint, by which nobody
    /// reads or writes.
    next: usize,
}

impl FrameWriter {
    /// Claims room for a frame of exactly `len` bytes; zero is legal.
    ///
    /// The claim lends whatever bytes the storage held: overwrite all of them.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`] until the reader has made room, [`ClaimError::TooLong`] always for that length.
    #[inline(always)]
    pub fn try_claim(&mut self, len: usize) -> Result<Claim<'_>, ClaimError> {
        // SAFETY: `self`, borrowed once more. Where a claim comes of it, `self` is not touched again; else nothing is
        // left of it. (The compiler takes a borrow that one branch returns for one that lasts in the other as well.)
        let writer = unsafe { &mut *std::ptr::from_mut(self) };
        match writer.try_claim_ahead(len, 0) {
            Some(claim) => Ok(claim),
            None => self.try_claim_anywhere(len),
        }
    }

    /// [`try_claim`](Self::try_claim) for who is in a hurry: `None` for what is rare, and for what is refused. Ask
    /// `try_claim` then. `None` as well where a frame of `spare` bytes more would be too long.
    #[inline(always)]
    pub fn try_claim_ahead(&mut self, len: usize, spare: usize) -> Option<Claim<'_>> {
        if len + spare > self.frame_len_max {
            return None;
        }
        let record = record_words(len);
        let mut chunk = self.producer.write_chunk_uninit(record).ok()?;
        let words = chunk.as_mut_slices().0;
        if words.len() < record {
            // It would straddle the end.
            return None;
        }
        let begin = words.as_mut_ptr();
        self.next = begin.wrapping_add(record).addr();
        // SAFETY: `words` has the whole record.
        let frame = unsafe { begin_record(begin, FRAME, len) };
        Some(Claim { chunk, frame, len })
    }

    /// Asks for the lines of the next record, before it is known what it will be: the reader had them last, and what is
    /// loaded behind a store into a line that is not here may have to wait for it. Three lines: a record of 128 bytes with
    /// its heads. Nothing waits for this, and nothing comes of it where the storage ends there.
    #[inline(always)]
    pub fn fetch(&self) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a hint: it reads and writes nothing, and faults nowhere. (A processor that does not know it does nothing.)
        unsafe {
            std::arch::asm!(
                "prefetchw [{next}]",
                "prefetchw [{next} + 64]",
                "prefetchw [{next} + 128]",
                next = in(reg) self.next,
                options(nostack, preserves_flags, readonly)
            );
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = self.next;
    }

    #[cold]
    fn try_claim_anywhere(&mut self, len: usize) -> Result<Claim<'_>, ClaimError> {
        if len > self.frame_len_max {
            return Err(ClaimError::TooLong { len, max: self.frame_len_max });
        }
        let full = |_| ClaimError::Full;
        let record = record_words(len);
        let before_end = self.producer.write_chunk_uninit(record).map_err(full)?.as_mut_slices().0.len();
        let padding = if before_end < record { before_end } else { 0 };
        let mut chunk = self.producer.write_chunk_uninit(padding + record).map_err(full)?;
        let (before_end, from_start) = chunk.as_mut_slices();
        let words = if padding == 0 {
            before_end
        } else {
            // SAFETY: `padding` words stand there, which is one at least.
            unsafe { begin_record(before_end.as_mut_ptr(), PADDING, padding * WORD - HEADER) };
            from_start
        };
        assert_eq!(words.len(), record, "padding is shorter than the record that causes it");
        // SAFETY: `words` has the whole record.
        let frame = unsafe { begin_record(words.as_mut_ptr(), FRAME, len) };
        Ok(Claim { chunk, frame, len })
    }

    /// The longest frame that can ever be claimed, in bytes: a quarter of the ring less its header.
    #[must_use]
    pub fn frame_len_max(&self) -> usize {
        self.frame_len_max
    }

    /// The ring's size in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.words * WORD
    }

    /// Whether the reader is gone. Once true it stays true, and nothing that is written will be read.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.producer.is_abandoned()
    }
}

/// The words of the record of a frame of `len` bytes.
#[inline]
fn record_words(len: usize) -> usize {
    (len + RECORD_EXTRA) / WORD
}

/// Writes a record's header, and answers where its frame begins.
///
/// # Safety
/// At `begin` stand the [`record_words`] of a frame of `len` bytes.
#[inline(always)]
unsafe fn begin_record(begin: *mut MaybeUninit<Word>, marker: u32, len: usize) -> *mut u8 {
    // SAFETY: the header is the first half of the first word, on the boundary of a u64; the frame begins in the second.
    unsafe {
        begin.cast::<u64>().write(u64::from(marker) << 32 | len as u64);
        begin.cast::<u8>().add(HEADER)
    }
}

/// Room for one frame, lent as bytes. Dropping it without [`Claim::commit`] leaves no trace in the ring.
#[must_use = "a claim that is not committed is aborted"]
pub struct Claim<'a> {
    /// The claimed words: padding, if any, and the record. Their headers are written.
    chunk: WriteChunkUninit<'a, Word>,
    /// The record's first byte after its header: `len` initialised bytes that only this claim can reach.
    frame: *mut u8,
    /// The frame's length in bytes.
    len: usize,
}

impl Claim<'_> {
    /// Makes the frame visible to the reader, after every frame committed before it.
    #[inline]
    pub fn commit(self) {
        // SAFETY: every word of the chunk is initialised: `frame_ring` wrote the whole storage, and words
        // are only ever overwritten.
        unsafe { self.chunk.commit_all() };
    }

    /// Gives the room back; the same as dropping the claim.
    #[inline]
    pub fn abort(self) {}
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `frame` points at the record's words after its header, which hold at least `len` bytes
        // inside the storage, all initialised by `frame_ring`. The chunk borrows the producer exclusively,
        // and the reader reaches no words that were not committed.
        unsafe { slice::from_raw_parts(self.frame, self.len) }
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`, and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.frame, self.len) }
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("len", &self.len).finish_non_exhaustive()
    }
}

/// The reading end of a frame ring. `Send`, not `Clone`: one thread reads.
#[derive(Debug)]
pub struct FrameReader {
    consumer: Consumer<Word>,
}

impl FrameReader {
    /// Hands up to `limit` frames to `handler`, oldest first, and returns how many those were.
    ///
    /// Frames stand 16 bytes behind a multiple of 32. Their room goes back to the writer once, when the batch ends. If
    /// `handler` panics, the batch ends there: the frame that it was looking at counts as read, like those
    /// before it, and the next call begins with the frame after it.
    #[inline]
    pub fn read(&mut self, limit: usize, mut handler: impl FnMut(&[u8])) -> usize {
        let Some(batch) = Batch::begin(&mut self.consumer) else {
            return 0;
        };
        let mut frames = 0;
        for words in batch.parts() {
            let mut rest = words;
            while frames < limit
                && let Some(head) = rest.first()
            {
                let (len, is_frame) = parse(head);
                let (record, next) = rest.split_at(record_words(len));
                rest = next;
                batch.consume(record.len());
                if is_frame {
                    frames += 1;
                    // SAFETY: `record` is initialised memory of at least `HEADER + len` bytes, borrowed for as long as
                    // the slice is; any byte is a valid `u8`.
                    handler(unsafe { slice::from_raw_parts(record.as_ptr().cast::<u8>().add(HEADER), len) });
                }
            }
        }
        frames
    }

    /// Whether there is nothing to read now.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.consumer.is_empty()
    }

    /// Whether the writer is gone. Once true it stays true; read once more after seeing it, because
    /// frames may have been committed in between.
    #[inline]
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.consumer.is_abandoned()
    }
}

/// The length in bytes, and whether it is a frame's. Any other header would mean that this module wrote nonsense: the
/// lengths are then caught by the bounds of the slices.
#[inline]
fn parse(head: &Word) -> (usize, bool) {
    let header = head.0[0];
    debug_assert!(matches!((header >> 32) as u32, FRAME | PADDING), "no header: {header:#x}");
    ((header & u64::from(u32::MAX)) as usize, (header >> 32) as u32 == FRAME)
}

/// A ring cannot be that large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacityError {
    /// What was asked for, in bytes.
    pub bytes: usize,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a ring of {} bytes: its size must be a power of two from {CAPACITY_MIN} to {CAPACITY_MAX} bytes",
            self.bytes
        )
    }
}

impl Error for CapacityError {}

/// Why a frame could not be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimError {
    /// There is no room until the reader has read; try again later.
    Full,
    /// The frame is longer than the ring allows, now and always.
    TooLong {
        /// What was asked for, in bytes.
        len: usize,
        /// What is possible, in bytes.
        max: usize,
    },
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "the ring is full: try again when its reader has made room"),
            Self::TooLong { len, max } => {
                write!(
                    f,
                    "a frame of {len} bytes: this ring takes at most {max} (a quarter of it); make it larger"
                )
            }
        }
    }
}

impl Error for ClaimError {}

#[cfg(test)]
mod tests;
