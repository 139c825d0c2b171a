//! Delivery reports: one for each accepted (message, leg), through a ring from each shard.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use ringwire_core::{Frame, Outcome, Reason, Report};
use ringwire_shards::clock::monotonic_ns;
use ringwire_shards::credit::{Amount, Grantor};
use ringwire_shards::ring::FrameReader;
use ringwire_shards::slots::SlotReader;
use ringwire_shards::wake::{Sleeper, Waker};

use crate::ports::Leftover;
use crate::shared::Shared;

/// The reports of one shard.
pub(crate) struct ReportLane {
    pub(crate) ring: SlotReader<Report>,
    /// Frees the slots that were polled.
    pub(crate) slots: Grantor,
    /// What the shard left behind when it ended.
    pub(crate) leftover: Leftover,
    /// Reports for what was left behind that the last poll had no room for: those of one message at most.
    pub(crate) pending: VecDeque<Report>,
}

/// Which thread polled a publisher's reports last: a publisher that waits for a report slot on that thread would wait
/// for itself.
#[derive(Default)]
pub(crate) struct PolledBy(AtomicU64);

impl PolledBy {
    /// The calling thread polls.
    fn this_thread(&self) {
        self.0.store(thread_number(), Ordering::Relaxed);
    }

    /// Whether another thread than the calling one does.
    pub(crate) fn is_other_thread(&self) -> bool {
        let number = self.0.load(Ordering::Relaxed);
        number != 0 && number != thread_number()
    }
}

/// The calling thread's number within the process, from 1.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

/// The reports of one publisher. One thread at a time, which may be another than the publisher's.
///
/// A publisher whose reports are not polled is refused with [`crate::Refusal::ReportsFull`] when its slots are used
/// up; nothing is lost. When this is dropped it goes on without reports.
pub struct Reports {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lanes: Box<[ReportLane]>,
    pub(crate) sleeper: Sleeper,
    /// Wakes a publisher that waits for slots.
    pub(crate) slots_waker: Waker,
    pub(crate) polled_by: Arc<PolledBy>,
    /// The lane that the next poll begins with, so that no shard's reports wait for another's.
    pub(crate) first: usize,
}

impl Reports {
    /// Hands up to `limit` reports to `handler`, and answers how many. Never blocks.
    ///
    /// Reports of one channel come in the order in which their outcomes became known. One whose handler panics counts
    /// as polled.
    pub fn poll(&mut self, limit: usize, mut handler: impl FnMut(&Report)) -> usize {
        let count = self.lanes.len();
        let mut polled = 0;
        for offset in 0..count {
            let lane = &mut self.lanes[(self.first + offset) % count];
            let (slots, polled_by, slots_waker) = (&mut lane.slots, &self.polled_by, &self.slots_waker);
            let mut freed = Freed { slots, polled_by, slots_waker, count: 0 };
            let read = lane.ring.read(limit - polled, |report| {
                freed.count += 1;
                handler(report);
            });
            drop(freed);
            if read > 0 {
                polled += read;
            } else if polled < limit && lane.ring.is_abandoned() && lane.ring.is_empty() {
                polled += lane.poll_leftover(&self.shared, limit - polled, &mut handler);
            }
        }
        self.first = (self.first + 1) % count.max(1);
        polled
    }

    /// Waits until there is something to poll, or `timeout` has passed; answers whether there is. It ends early,
    /// with `false`, when nothing can come any more: every shard has ended.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        while self.arm() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) || self.is_ended() {
                self.sleeper.disarm();
                return !self.is_empty();
            }
            // A ring for credit alone, or a signal, wakes too early.
            self.sleeper.wait(left);
        }
        true
    }

    /// Whether every shard has ended: nothing comes any more but what can be polled now, and what the publisher
    /// still committed.
    pub fn is_ended(&self) -> bool {
        self.lanes.iter().all(|lane| lane.ring.is_abandoned())
    }

    /// Whether there is nothing to poll now.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| {
            let leftover = lane.leftover.lock().unwrap_or_else(PoisonError::into_inner);
            lane.ring.is_empty()
                && lane.pending.is_empty()
                && leftover.as_ref().is_none_or(FrameReader::is_empty)
        })
    }

    /// An eventfd for `epoll` and the like: readable when a shard rang. The shard rings only after
    /// [`Reports::arm`] has answered that there is nothing to poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.sleeper.fd()
    }

    /// Makes the descriptor readable until the next [`Reports::arm`], whether there is anything or not: for who waits on it
    /// before having polled.
    pub fn ring(&mut self) {
        self.sleeper.ring();
    }

    /// Asks to be rung when the next report comes. Answers `false`, and does not ask, if there is one already.
    ///
    /// The end rings once, and arming silences what rang before: look at [`Reports::is_ended`] after it.
    pub fn arm(&mut self) -> bool {
        self.sleeper.drain();
        self.sleeper.arm();
        let is_empty = self.is_empty();
        if !is_empty {
            self.sleeper.disarm();
        }
        is_empty
    }
}

/// Slots whose reports the handler was given. They are free when this is dropped, also by a panic of the handler: the ring
/// counts the report that it was looking at as read.
struct Freed<'a> {
    slots: &'a mut Grantor,
    polled_by: &'a PolledBy,
    slots_waker: &'a Waker,
    count: u64,
}

impl Drop for Freed<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.slots.give_back(Amount { messages: self.count, bytes: 0 });
            self.slots.publish();
            self.polled_by.this_thread();
            self.slots_waker.notify();
        }
    }
}

impl ReportLane {
    /// Answers for frames that were committed after the shard's last look: they were never sent.
    #[cold]
    fn poll_leftover(&mut self, shared: &Shared, limit: usize, handler: &mut impl FnMut(&Report)) -> usize {
        let mut leftover = self.leftover.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ring) = leftover.as_mut() else { return 0 };
        let mut polled = 0;
        loop {
            while polled < limit
                && let Some(report) = self.pending.pop_front()
            {
                handler(&report);
                polled += 1;
            }
            let pending = &mut self.pending;
            let has_read = polled < limit
                && ring.read(1, |bytes| {
                    let Ok(frame) = Frame::decode(bytes) else { return };
                    let registry = shared.registry();
                    let legs = registry.channels.get(frame.channel as usize).map_or(0, crate::Channel::legs);
                    pending.extend((0..legs).map(|leg| not_sent(&frame, leg as u8)));
                }) == 1;
            if !has_read {
                return polled;
            }
        }
    }
}

fn not_sent(frame: &Frame<'_>, leg: u8) -> Report {
    Report {
        sequence: frame.sequence,
        tag: frame.tag,
        intended_ns: frame.intended_ns,
        at_ns: monotonic_ns(),
        broker_timestamp_ms: 0,
        detail: [0; 16],
        channel: frame.channel,
        leg,
        outcome: Outcome::NotSent,
        reason: Reason::Shutdown,
        reserved: 0,
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        for ReportLane { ring, slots, .. } in std::mem::take(&mut self.lanes) {
            // In this order: a shard whose report finds no slot, because the publisher needs none any more, sees that
            // nobody reads.
            drop(ring);
            slots.waive();
        }
        self.slots_waker.notify();
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").field("shards", &self.lanes.len()).finish_non_exhaustive()
    }
}
