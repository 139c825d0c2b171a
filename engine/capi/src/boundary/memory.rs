//! The process's `malloc`, as everywhere in Rust, but for where large memory begins: a ring of 4 MiB is a thousand small
//! pages, and a publisher that comes to one whose place the processor has forgotten waits some 400 ns for it. On the boundary
//! of huge pages it can lie in two of those: the ring asks for them itself. What grows beyond that size is copied where
//! `realloc` might have moved it.

use std::alloc::{GlobalAlloc, Layout, System};

/// The size of a huge page on x86-64, in bytes.
const HUGE_PAGE: usize = 2 << 20;

struct Aligned;

#[cfg_attr(not(test), global_allocator)]
static ALLOCATOR: Aligned = Aligned;

/// `layout`, on the boundary of huge pages where it is as long as one.
fn placed(layout: Layout) -> Layout {
    let align = if layout.size() >= HUGE_PAGE { HUGE_PAGE } else { 1 };
    layout.align_to(align).unwrap_or(layout)
}

// SAFETY: `System`'s, with layouts that are at least as aligned; what was allocated by one is given back by the same, since
// it depends on nothing but the layout.
unsafe impl GlobalAlloc for Aligned {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise: the size is not 0.
        unsafe { System.alloc(placed(layout)) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise: `alloc` gave `place` for this layout.
        unsafe { System.dealloc(place, placed(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(placed(layout)) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return std::ptr::null_mut() };
        if placed(layout).align() == placed(wanted).align() {
            // SAFETY: the caller's promise, and both are equally aligned.
            return unsafe { System.realloc(place, placed(layout), size) };
        }
        // SAFETY: as for `alloc`; what both have in common is copied before the old one is given back.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(place, new, layout.size().min(size));
                self.dealloc(place, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_memory_is_aligned_and_keeps_what_it_held_over_the_border() {
        let layout = |size: usize| Layout::from_size_align(size, 32).unwrap();
        let sizes = [100, HUGE_PAGE - 1, HUGE_PAGE, 3 * HUGE_PAGE, HUGE_PAGE, HUGE_PAGE - 1, 64];
        // SAFETY: each place is given back, or made anew, with the layout that it was last given for; the bytes that are
        // read were written or zeroed, and lie in it.
        unsafe {
            let mut place = ALLOCATOR.alloc(layout(sizes[0]));
            (0..64).for_each(|at| place.add(at).write(at as u8));
            for pair in sizes.windows(2) {
                place = ALLOCATOR.realloc(place, layout(pair[0]), pair[1]);
                assert!(pair[1] < HUGE_PAGE || place.addr().is_multiple_of(HUGE_PAGE), "{pair:?}");
                assert!((0..64).all(|at| *place.add(at) == at as u8), "{pair:?}");
            }
            ALLOCATOR.dealloc(place, layout(64));
            for size in [100, HUGE_PAGE] {
                let zeros = ALLOCATOR.alloc_zeroed(layout(size));
                assert!((0..size).all(|at| *zeros.add(at) == 0));
                ALLOCATOR.dealloc(zeros, layout(size));
            }
        }
    }
}
