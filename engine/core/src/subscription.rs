//! Subscriptions, what each still has to be told, and the local bus.
//!
//! ```text
//!  message ──► notice pending? ──no──► ring ──full──► counted, gap pending
//!                 │yes                                     │
//!                 └──► notice into the ring first, or the message joins the gap
//! ```
//!
//! A notice (subscribed, gap, refused) that finds no room waits here and goes first at the next chance: so a gap
//! stands before the first message that follows it, however full the ring was, and each subscription waits with one
//! notice at most.

use std::collections::{BTreeMap, VecDeque};

use ringwire_codec::resp::glob_match;

use crate::delivery::{Delivery, Event, GapReason};
use crate::outlet::{EndpointId, NotTaken, Outlet, SubscriberId};
use crate::status::Counters;

/// Bytes of a refusal's text that a subscriber is told: Redis' own texts are shorter, and the ring is the messages'.
const REFUSAL_LEN_MAX: usize = 160;

/// Where a subscription's messages come from: one source, so that nobody hears an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// What publishers of this process publish on channels without another leg.
    Bus,
    /// `SUBSCRIBE` or `PSUBSCRIBE` on a Redis endpoint.
    Redis(EndpointId),
}

/// A subscription as the core is told of it.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its number within the engine; deliveries name it.
    pub id: u32,
    /// Whose ring its deliveries go to.
    pub subscriber: SubscriberId,
    /// Where its messages come from.
    pub source: Source,
    /// A channel's name, or a pattern.
    pub name: Box<[u8]>,
    /// Whether the name is a pattern, by Redis' glob rules.
    pub is_pattern: bool,
}

impl Subscription {
    /// Whether it matches a channel of the local bus.
    pub(crate) fn matches(&self, channel: &[u8]) -> bool {
        if self.is_pattern { glob_match(&self.name, channel) } else { *self.name == *channel }
    }
}

/// What a subscription has still to be told, in the order of the fields.
#[derive(Debug, Default)]
struct Notice {
    subscribed: bool,
    gap: GapReason,
    lost: u64,
    refused: Option<Box<[u8]>>,
}

impl Notice {
    fn is_empty(&self) -> bool {
        !self.subscribed && self.gap.is_none() && self.refused.is_none()
    }
}

#[derive(Debug)]
struct Entry {
    subscription: Subscription,
    notice: Notice,
    /// In its subscriber's queue of waiting notices: exactly while the notice is not empty.
    queued: bool,
    /// Was in force once: from then on, an interruption is a gap.
    was_active: bool,
}

/// Entries by subscription number: the engine numbers them densely, so a look-up per message is an index.
#[derive(Debug, Default)]
struct Table(Vec<Option<Entry>>);

impl Table {
    fn slot(&mut self, id: u32) -> &mut Option<Entry> {
        let index = id as usize;
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        &mut self.0[index]
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Entry> {
        self.0.get_mut(id as usize)?.as_mut()
    }
}

/// All subscriptions of one shard.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    entries: Table,
    /// Subscriptions with a notice, by subscriber.
    waiting: BTreeMap<SubscriberId, VecDeque<u32>>,
}

/// One message for one subscription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) received_ns: u64,
    pub(crate) channel: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl Subscriptions {
    pub(crate) fn add(&mut self, subscription: Subscription) {
        let id = subscription.id;
        let entry = Entry { subscription, notice: Notice::default(), queued: false, was_active: false };
        *self.entries.slot(id) = Some(entry);
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Subscription> {
        let entry = self.entries.0.get_mut(id as usize)?.take()?;
        if entry.queued {
            let subscriber = entry.subscription.subscriber;
            if let Some(queue) = self.waiting.get_mut(&subscriber) {
                queue.retain(|waiting| *waiting != id);
                if queue.is_empty() {
                    self.waiting.remove(&subscriber);
                }
            }
        }
        Some(entry.subscription)
    }

    pub(crate) fn of_bus(&self) -> impl Iterator<Item = &Subscription> {
        self.entries.0.iter().flatten().map(|entry| &entry.subscription).filter(|it| it.source == Source::Bus)
    }

    /// It is in force: for the first time, or again after an interruption.
    pub(crate) fn activated(&mut self, id: u32, interruption: GapReason) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.notice.refused = None;
        if entry.was_active {
            entry.notice.gap = entry.notice.gap.with(interruption);
        } else {
            entry.was_active = true;
            entry.notice.subscribed = true;
        }
        self.queue(id);
    }

    pub(crate) fn refused(&mut self, id: u32, error: &[u8]) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.notice.refused = Some(error[..error.len().min(REFUSAL_LEN_MAX)].into());
        self.queue(id);
    }

    fn queue(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if !entry.queued && !entry.notice.is_empty() {
            entry.queued = true;
            self.waiting.entry(entry.subscription.subscriber).or_default().push_back(id);
        }
    }

    /// Gives one message to one subscription, or counts it. Answers whether it was taken.
    pub(crate) fn deliver(
        &mut self,
        id: u32,
        arrival: Arrival<'_>,
        counters: &mut Counters,
        outlet: &mut impl Outlet,
    ) -> bool {
        // One that is not in force yet may share its name with one that has just been left: what the server sent
        // before it ended that one is not for the new one, whose messages begin behind `Subscribed`.
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.was_active) else { return false };
        counters.received += 1;
        let Arrival { received_ns, channel, payload } = arrival;
        let message = Delivery { subscription: id, received_ns, event: Event::Message { channel, payload } };
        let taken = match entry.tell(received_ns, outlet) {
            Ok(()) => outlet.deliver(entry.subscription.subscriber, &message),
            // The message stands behind a notice that found no room.
            Err(_) => Err(NotTaken::Full),
        };
        if entry.queued && entry.notice.is_empty() {
            self.unqueue(id);
        }
        let Err(reason) = taken else { return true };
        counters.dropped += 1;
        if let Some(entry) = self.entries.get_mut(id) {
            let reason = if reason == NotTaken::Full { GapReason::RING_FULL } else { GapReason::TOO_LONG };
            entry.notice.gap = entry.notice.gap.with(reason);
            entry.notice.lost += 1;
        }
        self.queue(id);
        false
    }

    fn unqueue(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.queued = false;
        let subscriber = entry.subscription.subscriber;
        if let Some(queue) = self.waiting.get_mut(&subscriber) {
            queue.retain(|waiting| *waiting != id);
            if queue.is_empty() {
                self.waiting.remove(&subscriber);
            }
        }
    }

    /// Tells what waits, as far as the rings have room. A ring without room is asked once.
    pub(crate) fn tell_waiting(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        if self.waiting.is_empty() {
            return;
        }
        let entries = &mut self.entries;
        self.waiting.retain(|_, queue| {
            while let Some(id) = queue.front() {
                let Some(entry) = entries.get_mut(*id) else {
                    queue.pop_front();
                    continue;
                };
                if entry.tell(now_ns, outlet).is_err() {
                    return true;
                }
                entry.queued = false;
                queue.pop_front();
            }
            false
        });
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl Entry {
    /// Puts the notice into the ring, part by part; what was put is forgotten.
    fn tell(&mut self, received_ns: u64, outlet: &mut impl Outlet) -> Result<(), NotTaken> {
        if self.notice.is_empty() {
            return Ok(());
        }
        let (subscriber, id) = (self.subscription.subscriber, self.subscription.id);
        let mut put =
            |event| match outlet.deliver(subscriber, &Delivery { subscription: id, received_ns, event }) {
                // A ring that is too small for it will always be: nothing else may wait for that.
                Err(NotTaken::TooLong) => Ok(()),
                taken => taken,
            };
        if self.notice.subscribed {
            put(Event::Subscribed)?;
            self.notice.subscribed = false;
        }
        if !self.notice.gap.is_none() {
            put(Event::Gap { reason: self.notice.gap, lost: self.notice.lost })?;
            self.notice.gap = GapReason::NONE;
            self.notice.lost = 0;
        }
        if let Some(error) = &self.notice.refused {
            put(Event::Refused { error })?;
            self.notice.refused = None;
        }
        Ok(())
    }
}
