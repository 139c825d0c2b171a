//! Nothing on a message's way allocates: a counting allocator looks on.

#![cfg(not(loom))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use ringwire_shards::clock::Clock;
use ringwire_shards::credit::{Amount, credit};
use ringwire_shards::idle::{Idle, IdleStrategy};
use ringwire_shards::net::{Address, Events, Interest, Options, Poller, Received, Socket, Transfer};
use ringwire_shards::ring::{ClaimError, frame_ring};
use ringwire_shards::slots::slot_ring;
use ringwire_shards::wake::{Fence, sleeper};

thread_local! {
    /// Allocations of this thread: those of the test harness's other threads do not count.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is being torn down no longer counts.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is the system allocator's; the counter is plain thread-local data and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates on this thread.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const ROUNDS: usize = 1_000;

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
}

#[test]
fn a_frames_way_allocates_nothing() {
    let (mut writer, mut reader) = frame_ring(4096).unwrap();
    let (mut account, mut grantor) = credit(Amount { messages: 64, bytes: 64 << 10 });
    let mut frames = 0;
    let allocated = allocations(|| {
        for round in 0..ROUNDS {
            let len = round % (writer.frame_len_max() + 2);
            let amount = Amount { messages: 1, bytes: len as u64 };
            if account.fits(amount) {
                match writer.try_claim(len) {
                    Ok(mut claim) => {
                        claim.fill(round as u8);
                        if round % 7 == 0 {
                            claim.abort();
                        } else {
                            claim.commit();
                            account.take(amount);
                        }
                    }
                    Err(ClaimError::Full | ClaimError::TooLong { .. }) => {}
                }
            }
            if round % 3 == 0 {
                frames += reader.read(64, |frame| {
                    grantor.give_back(Amount { messages: 1, bytes: frame.len() as u64 });
                });
                grantor.publish();
            }
        }
    });
    assert_eq!(allocated, 0);
    assert!(frames > ROUNDS / 2, "{frames} frames came through");
}

#[test]
fn a_reports_way_allocates_nothing() {
    let (mut writer, mut reader) = slot_ring::<[u64; 8]>(128);
    let mut records = 0;
    let allocated = allocations(|| {
        for round in 0..ROUNDS {
            for _ in 0..round % 100 {
                writer.push([round as u64; 8]).unwrap();
            }
            writer.publish();
            records += reader.read(usize::MAX, |_| {});
        }
    });
    assert_eq!(allocated, 0);
    assert!(records > ROUNDS);
}

#[test]
fn waking_and_idling_allocate_nothing() {
    let mut clock = Clock::new();
    for kind in [Fence::Membarrier, Fence::Full] {
        let (mut sleeper, waker) = sleeper(kind).unwrap();
        let mut idle = Idle::new(IdleStrategy::default());
        let allocated = allocations(|| {
            for round in 0..ROUNDS {
                waker.notify();
                idle.decide(clock.now().mono_ns, round % 2 == 0);
                sleeper.drain();
                sleeper.arm();
                waker.notify();
                assert!(sleeper.wait(Some(Duration::from_secs(20))));
                drop(waker.clone());
            }
        });
        assert_eq!(allocated, 0, "{kind:?}");
    }
}

#[test]
fn bytes_on_a_socket_allocate_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = Socket::connect(&Address::Tcp(listener.local_addr().unwrap()), &Options::default()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(8);
    poller.add(&socket, 0, Interest::Read).unwrap();
    let mut room = [0; 64];
    let allocated = allocations(|| {
        while !socket.finish_connect().unwrap() {}
        for _ in 0..ROUNDS {
            assert_eq!(socket.send(b"ping").unwrap(), Transfer::Done(4));
            peer.read_exact(&mut room[..4]).unwrap();
            peer.write_all(b"pong").unwrap();
            assert_eq!(poller.wait(None, &mut events).unwrap(), 1);
            assert!(events.iter().all(|ready| ready.readable));
            assert_eq!(socket.recv(&mut room).unwrap(), Received::Data(4));
            assert_eq!(socket.recv(&mut room).unwrap(), Received::Blocked);
        }
    });
    assert_eq!(allocated, 0);
}
