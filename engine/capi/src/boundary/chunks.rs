//! Where handles lie: memory that is never given back, and that a fork wipes.
//!
//! ```text
//!   chunk 0   [ shell | shell | shell | … ]   16,384 places of 64 bytes, mapped at once, present when touched
//!   chunk 1   [ … ]                            only where chunk 0 is full
//! ```
//!
//! A handle is the address of such a place. So any pointer can be told from a handle without following it, a freed
//! handle can be looked at, and in the child of a fork (`MADV_WIPEONFORK`) every place reads as zeros. The child's own
//! handles come from a chunk of its own: an old handle never becomes a new one there.

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
use rustix::process::getpid;

use crate::code::{Code, SYSTEM};
use crate::text::fail;

/// Bytes of a place: a cache line, so that no two handles share one.
pub(super) const PLACE_LEN: usize = 64;
/// Places of a chunk: channels are the most numerous handles, and most engines have fewer.
const PLACES: usize = 1 << 14;
const CHUNK_LEN: usize = PLACES * PLACE_LEN;
/// A million handles.
const CHUNKS_MAX: usize = 64;

/// Addresses of the chunks; 0 is none. They are never unmapped.
static CHUNKS: [AtomicUsize; CHUNKS_MAX] = [const { AtomicUsize::new(0) }; CHUNKS_MAX];

/// The first of them, or [`NOWHERE`]: most calls ask for no other.
static FIRST: AtomicUsize = AtomicUsize::new(NOWHERE);

/// Where no process has memory, and no program a pointer to by mistake.
const NOWHERE: usize = isize::MIN.cast_unsigned() + PLACE_LEN / 2;

/// Whether a place begins at this address.
#[inline(always)]
pub(super) fn is_place(address: usize) -> bool {
    is_in(FIRST.load(Ordering::Relaxed), address) || is_in_other(address)
}

/// Whether a place of the chunk that begins at `begin` does: what is left of the distance turns into its highest bits.
#[inline(always)]
fn is_in(begin: usize, address: usize) -> bool {
    address.wrapping_sub(begin).rotate_right(PLACE_LEN.trailing_zeros()) < PLACES
}

#[cold]
#[inline(never)]
fn is_in_other(address: usize) -> bool {
    let begins = CHUNKS.iter().map(|chunk| chunk.load(Ordering::Relaxed)).take_while(|begin| *begin != 0);
    begins.skip(1).any(|begin| is_in(begin, address))
}

/// Which places are free. Only opening and freeing a handle takes its lock.
struct Free {
    /// The process that it counts for: a child begins anew.
    process: u32,
    chunks: usize,
    /// Places of the last chunk that were given out at least once.
    used: usize,
    /// Places that were given back. The one that was given back first is given out first: a freed handle stays
    /// refused for long.
    given_back: VecDeque<usize>,
}

/// A lock that a fork cannot leave held: it names the process that holds it.
struct Locked {
    holder: AtomicU32,
    free: UnsafeCell<Free>,
}

// SAFETY: `free` is touched by the holder alone: see `Locked::with`.
unsafe impl Sync for Locked {}

static FREE: Locked = Locked {
    holder: AtomicU32::new(0),
    free: UnsafeCell::new(Free { process: 0, chunks: 0, used: PLACES, given_back: VecDeque::new() }),
};

impl Locked {
    fn with<T>(&self, work: impl FnOnce(&mut Free) -> T) -> T {
        let process = getpid().as_raw_nonzero().get().cast_unsigned();
        loop {
            let holder = self.holder.load(Ordering::Relaxed);
            // A holder of another process was another thread of our parent: it does not exist here.
            let is_free = holder != process;
            if is_free
                && self.holder.compare_exchange(holder, process, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                break;
            }
            std::thread::yield_now();
        }
        // SAFETY: the exchange above succeeded, so no other thread of this process is between here and the store
        // below; `work` does not call this function again.
        let free = unsafe { &mut *self.free.get() };
        if free.process != process {
            // Also where our parent was in the middle of a change: nothing of its list is kept or freed.
            std::mem::forget(std::mem::take(&mut free.given_back));
            let chunks = CHUNKS.iter().take_while(|chunk| chunk.load(Ordering::Relaxed) != 0).count();
            (free.process, free.chunks, free.used) = (process, chunks, PLACES);
        }
        let done = work(free);
        self.holder.store(0, Ordering::Release);
        done
    }
}

/// A place that nobody has.
pub(super) fn take() -> Result<NonNull<u8>, Code> {
    FREE.with(|free| {
        if free.used < PLACES {
            free.used += 1;
            return place(free.chunks - 1, free.used - 1);
        }
        // Full: what was given back goes first.
        if let Some(address) = free.given_back.pop_front() {
            return NonNull::new(std::ptr::with_exposed_provenance_mut(address)).ok_or(SYSTEM);
        }
        if free.chunks == CHUNKS_MAX {
            return Err(fail(SYSTEM, format_args!("a million handles are open: free some")));
        }
        let begin = map()?;
        CHUNKS[free.chunks].store(begin, Ordering::Relaxed);
        if free.chunks == 0 {
            FIRST.store(begin, Ordering::Relaxed);
        }
        (free.chunks, free.used) = (free.chunks + 1, 1);
        place(free.chunks - 1, 0)
    })
}

fn place(chunk: usize, index: usize) -> Result<NonNull<u8>, Code> {
    let address = CHUNKS[chunk].load(Ordering::Relaxed) + index * PLACE_LEN;
    NonNull::new(std::ptr::with_exposed_provenance_mut(address)).ok_or(SYSTEM)
}

/// Gives a place back.
pub(super) fn give_back(address: usize) {
    FREE.with(|free| free.given_back.push_back(address));
}

/// A new chunk of zeros.
fn map() -> Result<usize, Code> {
    let refused = |error: rustix::io::Errno| fail(SYSTEM, format_args!("no memory for handles: {error}"));
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: a new anonymous mapping touches nothing that exists.
    let begin = unsafe { mmap_anonymous(std::ptr::null_mut(), CHUNK_LEN, access, flags) }.map_err(refused)?;
    // Where the kernel cannot (before 4.14), a child's handles are not told: the header asks for no more than that.
    // SAFETY: the mapping is ours, and the advice changes what a child sees of it alone.
    let _ = unsafe { madvise(begin, CHUNK_LEN, Advice::LinuxWipeOnFork) };
    Ok(begin.expose_provenance())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_addresses_of_places_are_places() {
        let begin = 0x7F00_0000_0000;
        for place in [begin, begin + PLACE_LEN, begin + CHUNK_LEN - PLACE_LEN] {
            assert!(is_in(begin, place));
            for off in [1, 8, PLACE_LEN / 2, PLACE_LEN - 1] {
                assert!(!is_in(begin, place + off) && !is_in(begin, place - off), "{off}");
            }
        }
        for address in [0, 1, begin - PLACE_LEN, begin + CHUNK_LEN, begin << 1, usize::MAX, 1 << 63] {
            assert!(!is_in(begin, address), "{address:#x}");
            assert!(!is_in(NOWHERE, address), "{address:#x}");
        }
    }
}
