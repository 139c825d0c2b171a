//! The wake-up on real eventfds and real threads.

#![cfg(not(loom))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringwire_shards::net::{Events, Interest, Poller};
use ringwire_shards::wake::{Fence, Sleeper, Waker, publication_fence, sleeper};

/// Far more than any wake-up takes: a wait that lasts so long was lost.
const LOST: Duration = Duration::from_secs(20);

const ROUNDS: u64 = 20_000;

/// Waits until `counter` has reached `target`, and sleeps whenever it has not.
fn sleep_until(sleeper: &mut Sleeper, counter: &AtomicU64, target: u64) {
    while counter.load(Ordering::Acquire) < target {
        sleeper.drain();
        sleeper.arm();
        if counter.load(Ordering::Acquire) >= target {
            sleeper.disarm();
            return;
        }
        let begun = Instant::now();
        assert!(sleeper.wait(Some(LOST)) || begun.elapsed() < LOST, "the wake-up for {target} was lost");
    }
}

/// Two threads hand a number back and forth; each sleeps while it is the other's turn.
fn plays_ping_pong(kind: Fence, notify: fn(&Waker)) {
    let (mut ours, to_us) = sleeper(kind).unwrap();
    let (mut theirs, to_them) = sleeper(kind).unwrap();
    let counter = Arc::new(AtomicU64::new(0));
    let other = {
        let counter = counter.clone();
        thread::spawn(move || {
            for round in (1..ROUNDS).step_by(2) {
                sleep_until(&mut theirs, &counter, round);
                counter.store(round + 1, Ordering::Release);
                notify(&to_us);
            }
        })
    };
    for round in (0..ROUNDS).step_by(2) {
        sleep_until(&mut ours, &counter, round);
        counter.store(round + 1, Ordering::Release);
        notify(&to_them);
    }
    sleep_until(&mut ours, &counter, ROUNDS);
    other.join().unwrap();
}

#[test]
fn no_wakeup_is_lost_with_membarrier() {
    plays_ping_pong(Fence::Membarrier, Waker::notify);
}

#[test]
fn no_wakeup_is_lost_with_fences() {
    plays_ping_pong(Fence::Full, Waker::notify);
    plays_ping_pong(Fence::Full, |waker| {
        publication_fence();
        waker.notify_fenced();
    });
}

#[test]
fn several_wakers_wake_one_sleeper() {
    const WAKERS: usize = 3;
    let (mut sleeper, waker) = sleeper(Fence::Membarrier).unwrap();
    let counter = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..WAKERS)
        .map(|_| {
            let (waker, counter) = (waker.clone(), counter.clone());
            thread::spawn(move || {
                for _ in 0..ROUNDS {
                    counter.fetch_add(1, Ordering::Release);
                    waker.notify();
                }
            })
        })
        .collect();
    for target in (0..=ROUNDS * WAKERS as u64).step_by(7) {
        sleep_until(&mut sleeper, &counter, target);
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(counter.load(Ordering::Acquire), ROUNDS * WAKERS as u64);
}

#[test]
fn only_an_armed_sleeper_is_rung() {
    for kind in [Fence::Membarrier, Fence::Full] {
        let (mut sleeper, waker) = sleeper(kind).unwrap();
        assert!(kind == Fence::Membarrier || waker.costs_fence());
        waker.notify();
        assert!(!sleeper.wait(Some(Duration::ZERO)), "nobody slept");
        sleeper.arm();
        sleeper.disarm();
        waker.notify();
        assert!(!sleeper.wait(Some(Duration::ZERO)), "it had been disarmed");
        sleeper.arm();
        waker.notify();
        waker.notify();
        assert!(sleeper.wait(Some(LOST)));
        assert!(!sleeper.wait(Some(Duration::ZERO)), "one ring is one wake-up");
        waker.notify();
        assert!(!sleeper.wait(Some(Duration::ZERO)), "waiting disarms");
        waker.wake();
        assert!(sleeper.wait(None), "an unconditional wake rings whatever the flag says");
    }
}

#[test]
fn the_fd_can_be_polled_with_others() {
    let (mut sleeper, waker) = sleeper(Fence::Membarrier).unwrap();
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(4);
    poller.add(sleeper.fd(), 7, Interest::Read).unwrap();
    assert_eq!(poller.wait(Some(Duration::ZERO), &mut events).unwrap(), 0);
    sleeper.arm();
    waker.notify();
    assert_eq!(poller.wait(Some(LOST), &mut events).unwrap(), 1);
    assert!(events.iter().all(|ready| ready.token == 7 && ready.readable && !ready.writable));
    sleeper.drain();
    assert_eq!(poller.wait(Some(Duration::ZERO), &mut events).unwrap(), 0);
}
