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
    /// Its number within the engine; deliveries name it. No other open subscription has it.
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

/// The place of an open subscription in its shard's table. Whoever keeps one lets go of it when the subscription ends: the
/// next one gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// Entries by place, so that a look-up per message is an index. There are as many places as subscriptions were ever open
/// at a time, whatever their numbers.
#[derive(Debug, Default)]
struct Table {
    entries: Vec<Option<Entry>>,
    free: Vec<Place>,
    /// Where each subscription is, by its number: for what comes from outside.
    places: BTreeMap<u32, Place>,
}

impl Table {
    fn insert(&mut self, entry: Entry) -> Place {
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            Place(self.entries.len() as u32 - 1)
        });
        let before = self.places.insert(entry.subscription.id, place);
        debug_assert!(before.is_none(), "a number is given to one subscription at a time");
        self.entries[place.0 as usize] = Some(entry);
        place
    }

    fn of_bus(&self) -> impl Iterator<Item = (Place, &Subscription)> {
        let entry = |place: Place| self.entries[place.0 as usize].as_ref();
        let all = self.places.values().filter_map(move |place| Some((*place, &entry(*place)?.subscription)));
        all.filter(|(_, it)| it.source == Source::Bus)
    }

    fn remove(&mut self, id: u32) -> Option<(Place, Entry)> {
        let place = self.places.remove(&id)?;
        let entry = self.entries[place.0 as usize].take()?;
        self.free.push(place);
        Some((place, entry))
    }

    fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.entries.get_mut(place.0 as usize)?.as_mut()
    }
}

/// All subscriptions of one shard.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    entries: Table,
    /// Subscriptions with a notice, by subscriber.
    waiting: BTreeMap<SubscriberId, VecDeque<Place>>,
}

/// One message for one subscription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) received_ns: u64,
    pub(crate) channel: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl Subscriptions {
    pub(crate) fn add(&mut self, subscription: Subscription) -> Place {
        let entry = Entry { subscription, notice: Notice::default(), queued: false, was_active: false };
        self.entries.insert(entry)
    }

    /// Ends one, if it is open. Nobody may keep its place after this.
    pub(crate) fn remove(&mut self, id: u32) -> Option<(Place, Subscription)> {
        let (place, entry) = self.entries.remove(id)?;
        if entry.queued {
            self.wait_no_longer(entry.subscription.subscriber, place);
        }
        Some((place, entry.subscription))
    }

    /// The bus' listeners, in the order of their numbers.
    pub(crate) fn of_bus(&self) -> impl Iterator<Item = (Place, &Subscription)> {
        self.entries.of_bus()
    }

    /// It is in force: for the first time, or again after an interruption.
    pub(crate) fn activated(&mut self, place: Place, interruption: GapReason) {
        let Some(entry) = self.entries.get_mut(place) else { return };
        entry.notice.refused = None;
        if entry.was_active {
            entry.notice.gap = entry.notice.gap.with(interruption);
        } else {
            entry.was_active = true;
            entry.notice.subscribed = true;
        }
        self.queue(place);
    }

    pub(crate) fn refused(&mut self, place: Place, error: &[u8]) {
        let Some(entry) = self.entries.get_mut(place) else { return };
        entry.notice.refused = Some(error[..error.len().min(REFUSAL_LEN_MAX)].into());
        self.queue(place);
    }

    fn queue(&mut self, place: Place) {
        let Some(entry) = self.entries.get_mut(place) else { return };
        if !entry.queued && !entry.notice.is_empty() {
            entry.queued = true;
            self.waiting.entry(entry.subscription.subscriber).or_default().push_back(place);
        }
    }

    /// Gives one message to one subscription, or counts it. Answers whether it was taken.
    pub(crate) fn deliver(
        &mut self,
        place: Place,
        arrival: Arrival<'_>,
        counters: &mut Counters,
        outlet: &mut impl Outlet,
    ) -> bool {
        // One that is not in force yet may share its name with one that has just been left: what the server sent
        // before it ended that one is not for the new one, whose messages begin behind `Subscribed`.
        let Some(entry) = self.entries.get_mut(place).filter(|entry| entry.was_active) else { return false };
        counters.received += 1;
        let Arrival { received_ns, channel, payload } = arrival;
        let event = Event::Message { channel, payload };
        let message = Delivery { subscription: entry.subscription.id, received_ns, event };
        let taken = match entry.tell(received_ns, outlet) {
            Ok(()) => outlet.deliver(entry.subscription.subscriber, &message),
            // The message stands behind a notice that found no room.
            Err(_) => Err(NotTaken::Full),
        };
        if entry.queued && entry.notice.is_empty() {
            self.unqueue(place);
        }
        let Err(reason) = taken else { return true };
        counters.dropped += 1;
        if let Some(entry) = self.entries.get_mut(place) {
            let reason = if reason == NotTaken::Full { GapReason::RING_FULL } else { GapReason::TOO_LONG };
            entry.notice.gap = entry.notice.gap.with(reason);
            entry.notice.lost += 1;
        }
        self.queue(place);
        false
    }

    fn unqueue(&mut self, place: Place) {
        let Some(entry) = self.entries.get_mut(place) else { return };
        entry.queued = false;
        let subscriber = entry.subscription.subscriber;
        self.wait_no_longer(subscriber, place);
    }

    fn wait_no_longer(&mut self, subscriber: SubscriberId, place: Place) {
        if let Some(queue) = self.waiting.get_mut(&subscriber) {
            queue.retain(|waiting| *waiting != place);
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
            while let Some(place) = queue.front() {
                let Some(entry) = entries.get_mut(*place) else {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(id: u32) -> Subscription {
        let name = Box::from(&b"x"[..]);
        Subscription { id, subscriber: SubscriberId(0), source: Source::Bus, name, is_pattern: false }
    }

    #[test]
    fn there_are_as_many_places_as_were_open_at_a_time() {
        let mut all = Subscriptions::default();
        for id in 0..3 {
            all.add(subscription(id));
        }
        // Each comes before the oldest goes: with numbers up to the last one there is.
        let numbers = (3..10_000).chain(u32::MAX - 10..=u32::MAX);
        let mut open: VecDeque<u32> = (0..3).collect();
        for id in numbers {
            let place = all.add(subscription(id));
            all.activated(place, GapReason::NONE);
            open.push_back(id);
            let oldest = open.pop_front().unwrap();
            assert_eq!(all.remove(oldest).map(|(_, it)| it.id), Some(oldest));
            assert!(all.remove(oldest).is_none(), "it has ended");
            let heard: Vec<u32> = all.of_bus().map(|(_, it)| it.id).collect();
            assert_eq!(open, heard, "in the order of their numbers");
        }
        assert_eq!((all.entries.entries.len(), all.entries.places.len()), (4, 3));
        open.into_iter().for_each(|id| assert!(all.remove(id).is_some()));
        assert!(!all.has_waiting() && all.of_bus().next().is_none());
    }
}
