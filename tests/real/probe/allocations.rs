//! Allocations of the whole process while messages go round: the publisher's thread, the subscriber's, the shard's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ringwire::Config;

use crate::bench::Bench;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; the counter needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `System`, and the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the block came from `System`, and the caller's promises are passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Messages before the count begins, and as many while it runs.
const MESSAGES: u64 = 50_000;
/// Under way at a time. Buffers double until they hold the largest burst that they have met. So the warm-up consists of
/// bursts of this size, and the bursts stay below what a receive buffer begins with (64 KiB, at 174 bytes for a pushed
/// message): then it does not matter how long a shard is kept from its core.
const OUTSTANDING_MAX: u64 = 250;

pub(crate) fn run(url: &str, host: &str, idle: &str) {
    let host = host.parse().unwrap_or_else(|_| panic!("no host is called {host}"));
    let idle = idle.parse().unwrap_or_else(|_| panic!("no idle strategy is called {idle}"));
    let mut bench = Bench::up(url, Config::new().host(host).idle(idle));
    for _ in 0..MESSAGES / OUTSTANDING_MAX {
        bench.round(OUTSTANDING_MAX, OUTSTANDING_MAX);
    }
    let warm = ALLOCATIONS.load(Ordering::Relaxed);
    let begin = Instant::now();
    bench.round(MESSAGES, OUTSTANDING_MAX);
    let elapsed = begin.elapsed();
    let steady = ALLOCATIONS.load(Ordering::Relaxed);
    println!("host {}", bench.engine.hosted_by()[0]);
    println!("before {warm}");
    println!("steady {}", steady - warm);
    println!("steady_ms {}", elapsed.as_millis());
}
