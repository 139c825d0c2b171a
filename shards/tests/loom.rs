//! The wake-up handshake and the credits under loom: every interleaving within the bound, stale reads included.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p ringwire-shards --release --test loom
//! ```
//!
//! A ring is an atomic position here, stored with Release and loaded with Acquire, as `rtrb` does it. The
//! eventfd is a counter with a condition variable; a lost wake-up is a deadlock, which loom reports.
//! `membarrier` is modelled as a SeqCst fence on both sides: loom knows nothing stronger. So the models check
//! that both sides have a fence where one is needed; that the system call stands in for the waker's half is the
//! kernel's promise.
//!
//! The models marked `should_panic` leave out one step of the protocol. They prove that the others would
//! notice.

#![cfg(loom)]

use std::time::Duration;

use loom::thread;
use ringwire_shards::credit::{Amount, credit};
use ringwire_shards::sync::{Arc, AtomicU64, AtomicUsize, Ordering};
use ringwire_shards::wake::{Fence, Sleeper, Waker, publication_fence, sleeper};

/// Bugs of two-flag protocols need one or two preemptions (Musuvathi and Qadeer, PLDI 2007); one more is margin.
const PREEMPTIONS: usize = 3;

/// A model that explodes ends here instead of hanging, and counts as failed.
const LONGEST: Duration = Duration::from_secs(30);

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    let begun = std::time::Instant::now();
    builder.max_duration = Some(LONGEST);
    builder.check(model);
    assert!(begun.elapsed() < LONGEST, "not every interleaving was explored");
}

/// A ring's published position.
#[derive(Clone)]
struct Ring(Arc<AtomicUsize>);

impl Ring {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    fn publish(&self, position: usize) {
        self.0.store(position, Ordering::Release);
    }

    fn position(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// What a sleeping loop may get wrong.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    NoSecondLook,
    DrainsArmed,
}

/// The sleeper's loop, until every ring has reached `until`.
fn sleep_until(sleeper: &mut Sleeper, rings: &[Ring], until: usize, flaw: Flaw) {
    let done = || rings.iter().all(|ring| ring.position() == until);
    let seen = || rings.iter().map(Ring::position).sum::<usize>();
    loop {
        let before = seen();
        if done() {
            return;
        }
        sleeper.drain();
        sleeper.arm();
        if flaw == Flaw::DrainsArmed {
            sleeper.drain();
        }
        // The second look: anything new is work, and the loop goes on without waiting.
        if flaw != Flaw::NoSecondLook && seen() != before {
            sleeper.disarm();
            continue;
        }
        sleeper.wait();
    }
}

fn one_waker(kind: Fence, flaw: Flaw, notify: fn(&Waker)) {
    explore(move || {
        let ring = Ring::new();
        let (mut sleeper, waker) = sleeper(kind).unwrap();
        let publisher = {
            let ring = ring.clone();
            thread::spawn(move || {
                ring.publish(1);
                notify(&waker);
            })
        };
        sleep_until(&mut sleeper, &[ring], 1, flaw);
        publisher.join().unwrap();
    });
}

#[test]
fn a_membarrier_sleeper_misses_nothing() {
    one_waker(Fence::Membarrier, Flaw::None, Waker::notify);
}

#[test]
fn a_fenced_sleeper_misses_nothing() {
    one_waker(Fence::Full, Flaw::None, Waker::notify);
    one_waker(Fence::Full, Flaw::None, Waker::fence_and_notify);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_second_look_a_wakeup_is_lost() {
    one_waker(Fence::Full, Flaw::NoSecondLook, Waker::notify);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_wakers_fence_a_wakeup_is_lost() {
    one_waker(Fence::Full, Flaw::None, Waker::notify_fenced);
}

#[test]
fn an_unconditional_wake_needs_no_fence() {
    one_waker(Fence::Full, Flaw::None, Waker::wake);
}

/// Several messages: the sleeper arms more than once, and meets wakers that are late.
fn repeated(kind: Fence) {
    explore(move || {
        let ring = Ring::new();
        let (mut sleeper, waker) = sleeper(kind).unwrap();
        let publisher = {
            let ring = ring.clone();
            thread::spawn(move || {
                for position in 1..=2 {
                    ring.publish(position);
                    waker.notify();
                }
            })
        };
        sleep_until(&mut sleeper, &[ring], 2, Flaw::None);
        publisher.join().unwrap();
    });
}

#[test]
fn a_sleeper_that_arms_again_misses_nothing() {
    repeated(Fence::Membarrier);
    repeated(Fence::Full);
}

fn two_wakers(flaw: Flaw) {
    explore(move || {
        let rings = [Ring::new(), Ring::new()];
        let (mut sleeper, waker) = sleeper(Fence::Membarrier).unwrap();
        let publishers: Vec<_> = rings
            .iter()
            .map(|ring| {
                let (ring, waker) = (ring.clone(), waker.clone());
                thread::spawn(move || {
                    ring.publish(1);
                    waker.notify();
                })
            })
            .collect();
        sleep_until(&mut sleeper, &rings, 1, flaw);
        for publisher in publishers {
            publisher.join().unwrap();
        }
    });
}

#[test]
fn a_late_waker_takes_no_wakeup_away() {
    two_wakers(Flaw::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn draining_after_arming_loses_a_wakeup() {
    two_wakers(Flaw::DrainsArmed);
}

#[test]
fn one_fence_serves_a_batch_for_two_sleepers() {
    explore(|| {
        let rings = [Ring::new(), Ring::new()];
        let (mut first, first_waker) = sleeper(Fence::Full).unwrap();
        let (mut second, second_waker) = sleeper(Fence::Full).unwrap();
        let shard = {
            let rings = rings.clone();
            thread::spawn(move || {
                rings[0].publish(1);
                rings[1].publish(1);
                publication_fence();
                first_waker.notify_fenced();
                second_waker.notify_fenced();
            })
        };
        let other = {
            let ring = rings[1].clone();
            thread::spawn(move || sleep_until(&mut second, &[ring], 1, Flaw::None))
        };
        sleep_until(&mut first, &rings[..1], 1, Flaw::None);
        other.join().unwrap();
        shard.join().unwrap();
    });
}

/// A publisher that waits for half of its credit sleeps on the shard's `publish`, which rings for the half alone.
#[test]
fn a_publisher_that_waits_for_credit_is_woken() {
    explore(|| {
        let one = Amount { messages: 1, bytes: 8 };
        let (mut account, mut grantor) = credit(one.plus(one).plus(one).plus(one));
        let (mut sleeper, waker) = sleeper(Fence::Full).unwrap();
        (0..4).for_each(|_| account.take(one));
        let shard = thread::spawn(move || {
            for _ in 0..2 {
                grantor.give_back(one);
                assert!(grantor.publish());
                publication_fence();
                if grantor.suffices() {
                    waker.notify_fenced();
                }
            }
        });
        while !account.fits(one) {
            sleeper.drain();
            account.want(one);
            sleeper.arm();
            if account.fits(one) {
                sleeper.disarm();
                break;
            }
            sleeper.wait();
        }
        account.take(one);
        shard.join().unwrap();
        assert_eq!(account.outstanding(), one.plus(one).plus(one));
    });
}

/// The credit is never exceeded, and what the shard did before it gave the credit back is visible to who
/// finds the credit: here the ring's head, stored and loaded Relaxed, so that only the limit can order it.
#[test]
fn credit_is_never_exceeded_and_orders_the_ring_behind_it() {
    // One message at a time, by either limit.
    one_message_at_a_time(Amount { messages: 2, bytes: 10 });
    one_message_at_a_time(Amount { messages: 1, bytes: 20 });
}

fn one_message_at_a_time(capacity: Amount) {
    const MESSAGES: u64 = 3;
    let one = Amount { messages: 1, bytes: 10 };
    explore(move || {
        let (mut account, mut grantor) = credit(capacity);
        let tail = Arc::new(AtomicU64::new(0));
        let head = Arc::new(AtomicU64::new(0));
        let shard = {
            let (tail, head) = (tail.clone(), head.clone());
            thread::spawn(move || {
                for position in 1..=MESSAGES {
                    while tail.load(Ordering::Acquire) < position {
                        thread::yield_now();
                    }
                    head.store(position, Ordering::Relaxed);
                    grantor.give_back(one);
                    assert!(grantor.publish());
                }
                grantor
            })
        };
        for position in 1..=MESSAGES {
            while !account.fits(one) {
                thread::yield_now();
            }
            account.take(one);
            let in_ring = position - head.load(Ordering::Relaxed);
            assert!(in_ring <= 1, "{in_ring} messages in a ring for one");
            assert!(account.outstanding().within(account.capacity()));
            tail.store(position, Ordering::Release);
        }
        let grantor = shard.join().unwrap();
        assert_eq!(account.taken(), grantor.returned());
        assert_eq!(account.outstanding(), Amount::default());
    });
}
