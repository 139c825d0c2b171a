//! The shard's ends of the rings, and what the core asks to be done with them.

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crossbeam::utils::CachePadded;
use ringwire_core::channel::LEGS_MAX;
use ringwire_core::{
    Charge, ConnectionId, Delivery, EndpointId, EndpointState, Event, Frame, NotTaken, Outcome, Outlet,
    PublisherId, Reason, Report, Role, SubscriberId,
};
use ringwire_shards::credit::{Amount, Grantor};
use ringwire_shards::ring::{ClaimError, FrameReader, FrameWriter};
use ringwire_shards::slots::SlotWriter;
use ringwire_shards::wake::{Waker, publication_fence};

use crate::shared::ShardShared;
use crate::status::EndpointShared;

/// Where a shard that has ended leaves a publisher's ring: a frame may be committed after the shard's last look, and
/// the reports handle answers for it.
pub(crate) type Leftover = Arc<Mutex<Option<FrameReader>>>;

/// Wakes as any waker, and once more when it is dropped. In a port it stands behind the ring that it tells of, and so is
/// dropped after it: however the port goes, who is woken finds that ring ended.
pub(crate) struct LastBell(Waker);

impl From<Waker> for LastBell {
    fn from(waker: Waker) -> Self {
        Self(waker)
    }
}

impl Deref for LastBell {
    type Target = Waker;

    #[inline]
    fn deref(&self) -> &Waker {
        &self.0
    }
}

impl Drop for LastBell {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// One publisher, from this shard.
pub(crate) struct PublisherPort {
    pub(crate) id: u32,
    /// One for each endpoint, apart from what the publisher writes.
    pub(crate) grantors: Box<[CachePadded<Grantor>]>,
    /// None for a publisher without reports.
    pub(crate) reports: Option<SlotWriter<Report>>,
    /// Wakes who waits for reports.
    pub(crate) reports_waker: LastBell,
    /// Wakes who waits for credit.
    pub(crate) credit_waker: LastBell,
    pub(crate) leftover: Leftover,
    /// Something to publish since the last flush.
    pub(crate) is_dirty: bool,
}

impl PublisherPort {
    /// There was no slot for a report, and one is reserved for every outcome, unless nobody reads them: the publisher has
    /// found that its reports are gone.
    #[cold]
    fn reports_full(&mut self) {
        let gone = self.reports.take_if(|reports| reports.is_abandoned());
        debug_assert!(gone.is_some(), "a slot was reserved for every outcome");
    }
}

/// One subscriber, from this shard.
pub(crate) struct SubscriberPort {
    pub(crate) id: u32,
    pub(crate) ring: FrameWriter,
    pub(crate) waker: LastBell,
    pub(crate) is_dirty: bool,
}

/// Endpoints about which there is something to tell, each at most once.
pub(crate) struct Marks {
    is_marked: Box<[bool]>,
    marked: Vec<EndpointId>,
}

impl Marks {
    pub(crate) fn new(endpoints: usize) -> Self {
        Self { is_marked: vec![false; endpoints].into(), marked: Vec::with_capacity(endpoints) }
    }

    #[inline]
    pub(crate) fn mark(&mut self, endpoint: EndpointId) {
        let is_marked = &mut self.is_marked[usize::from(endpoint.0)];
        if !*is_marked {
            *is_marked = true;
            self.marked.push(endpoint);
        }
    }

    pub(crate) fn take(&mut self) -> Option<EndpointId> {
        let endpoint = self.marked.pop()?;
        self.is_marked[usize::from(endpoint.0)] = false;
        Some(endpoint)
    }
}

/// The frame that the core is taking, and which of its legs have had their outcome: what a panic would leave without
/// an answer.
#[derive(Clone, Copy)]
pub(crate) struct Underway {
    pub(crate) publisher: u32,
    pub(crate) channel: u32,
    sequence: u64,
    tag: u64,
    intended_ns: u64,
    pub(crate) body_len: usize,
    /// One bit for each leg.
    answered: u8,
}

const _: () = assert!(LEGS_MAX <= u8::BITS as usize);

impl Underway {
    /// No frame: no publisher has that number.
    const NONE: Self = Self {
        publisher: u32::MAX,
        channel: 0,
        sequence: 0,
        tag: 0,
        intended_ns: 0,
        body_len: 0,
        answered: 0,
    };

    pub(crate) fn is_answered(&self, leg: u8) -> bool {
        self.answered & 1 << leg != 0
    }

    /// The report of a leg that will never be sent.
    pub(crate) fn not_sent(&self, at_ns: u64, leg: u8) -> Report {
        Report {
            sequence: self.sequence,
            tag: self.tag,
            intended_ns: self.intended_ns,
            at_ns,
            broker_timestamp_ms: 0,
            detail: [0; 16],
            channel: self.channel,
            leg,
            outcome: Outcome::NotSent,
            reason: Reason::Shutdown,
            reserved: 0,
        }
    }
}

/// A message with this tag makes the core panic when it gives it an outcome, unless that is because of a shutdown.
#[cfg(test)]
pub(crate) const TRAP_TAG: u64 = 0x7EA9_7EA9;

/// All ports of one shard: what the core talks to.
pub(crate) struct Ports {
    pub(crate) shared: Arc<ShardShared>,
    /// By publisher and by subscriber number. Boxed: one costs a pointer on the shards that never hear of it.
    pub(crate) publishers: Vec<Option<Box<CachePadded<PublisherPort>>>>,
    pub(crate) subscribers: Vec<Option<Box<CachePadded<SubscriberPort>>>>,
    dirty_publishers: Vec<u32>,
    dirty_subscribers: Vec<u32>,
    /// Publishers and endpoints with credit to publish: a publisher has a grantor for each endpoint, and most of them
    /// are quiet.
    dirty_grants: Vec<(u32, EndpointId)>,
    underway: Underway,
    /// What the core wants of its connections, in order.
    pub(crate) asked: Vec<Asked>,
    /// Endpoints whose state changed.
    pub(crate) changed: Vec<EndpointId>,
    /// Endpoints with new outcomes, or that sent or received.
    pub(crate) touched: Marks,
    /// A subscription was confirmed, refused or interrupted.
    pub(crate) subscriptions_changed: bool,
}

/// What the core wants of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Connect(ConnectionId),
    Close(ConnectionId),
}

impl Ports {
    pub(crate) fn new(shared: Arc<ShardShared>) -> Self {
        let touched = Marks::new(shared.endpoints.len());
        Self {
            shared,
            publishers: Vec::new(),
            subscribers: Vec::new(),
            dirty_publishers: Vec::new(),
            dirty_subscribers: Vec::new(),
            dirty_grants: Vec::new(),
            underway: Underway::NONE,
            asked: Vec::new(),
            changed: Vec::new(),
            touched,
            subscriptions_changed: false,
        }
    }

    pub(crate) fn add_publisher(&mut self, port: Box<CachePadded<PublisherPort>>) {
        let index = port.id as usize;
        if self.publishers.len() <= index {
            self.publishers.resize_with(index + 1, || None);
        }
        // Room for all that can be dirty at once: a busy shard allocates nothing.
        let open = 1 + self.publishers.iter().flatten().count();
        self.dirty_publishers.reserve(open);
        self.dirty_grants.reserve(open * port.grantors.len());
        self.publishers[index] = Some(port);
    }

    pub(crate) fn add_subscriber(&mut self, port: Box<CachePadded<SubscriberPort>>) {
        let index = port.id as usize;
        if self.subscribers.len() <= index {
            self.subscribers.resize_with(index + 1, || None);
        }
        self.dirty_subscribers.reserve(1 + self.subscribers.iter().flatten().count());
        self.subscribers[index] = Some(port);
    }

    /// Lets go of a publisher whose ring is gone, once nobody wants its reports. Answers whether it is gone.
    pub(crate) fn forget_closed(&mut self, publisher: u32) -> bool {
        let Some(port) = self.publishers.get_mut(publisher as usize) else { return true };
        let is_wanted =
            port.as_ref().is_some_and(|it| it.reports.as_ref().is_some_and(|it| !it.is_abandoned()));
        if !is_wanted {
            *port = None;
        }
        !is_wanted
    }

    /// The core is about to take a frame.
    #[inline]
    pub(crate) fn begin(&mut self, publisher: u32, frame: &Frame<'_>) {
        self.underway = Underway {
            publisher,
            channel: frame.channel,
            sequence: frame.sequence,
            tag: frame.tag,
            intended_ns: frame.intended_ns,
            body_len: frame.body_len(),
            answered: 0,
        };
    }

    /// The core has taken its frames.
    pub(crate) fn end(&mut self) {
        self.underway = Underway::NONE;
    }

    /// The frame that the core was taking when it panicked, if it was.
    pub(crate) fn take_underway(&mut self) -> Option<Underway> {
        let underway = std::mem::replace(&mut self.underway, Underway::NONE);
        (underway.publisher != Underway::NONE.publisher).then_some(underway)
    }

    /// Makes visible what this turn brought, then fences once and wakes whoever sleeps.
    pub(crate) fn flush(&mut self) {
        if self.dirty_publishers.is_empty() && self.dirty_subscribers.is_empty() {
            return;
        }
        for index in &self.dirty_publishers {
            let Some(port) = &mut self.publishers[*index as usize] else { continue };
            // Reports before credit: who finds credit finds the reports that gave it back.
            if let Some(reports) = &mut port.reports {
                reports.publish();
            }
        }
        for (publisher, endpoint) in &self.dirty_grants {
            let Some(port) = &mut self.publishers[*publisher as usize] else { continue };
            port.grantors[usize::from(endpoint.0)].publish();
        }
        publication_fence();
        for (publisher, endpoint) in self.dirty_grants.drain(..) {
            let Some(port) = &self.publishers[publisher as usize] else { continue };
            if port.grantors[usize::from(endpoint.0)].suffices() {
                port.credit_waker.notify_fenced();
            }
        }
        for index in self.dirty_publishers.drain(..) {
            let Some(port) = &mut self.publishers[index as usize] else { continue };
            port.is_dirty = false;
            port.reports_waker.notify_fenced();
        }
        for index in self.dirty_subscribers.drain(..) {
            let Some(port) = &mut self.subscribers[index as usize] else { continue };
            port.is_dirty = false;
            port.waker.notify_fenced();
        }
    }
}

/// Delivered messages with the same times: those of one turn of the shard have, and are counted at once.
#[derive(Default)]
struct Alike {
    /// Taken, intended, delivered, in monotonic nanoseconds.
    times_ns: [u64; 3],
    count: u64,
}

impl Alike {
    #[inline]
    fn delivered(&mut self, shared: &EndpointShared, times_ns: [u64; 3]) {
        // Word by word: read in pairs, what was just written in words has to be waited for (9 ns).
        let differ = |at: usize| self.times_ns[at] ^ times_ns[at];
        if differ(0) | differ(1) | differ(2) != 0 {
            self.tell(shared);
            self.times_ns = times_ns;
        }
        self.count += 1;
    }

    #[inline]
    fn tell(&mut self, shared: &EndpointShared) {
        let [taken_ns, intended_ns, at_ns] = self.times_ns;
        shared.delivered(std::mem::take(&mut self.count), taken_ns, intended_ns, at_ns);
    }
}

/// Reports on their way into their slots, counted as they pass. A type of its own rather than a closure: it is inlined
/// where the slots are written, on both sides of the ring's end, so that a report is written once.
struct Counted<'a, I> {
    outcomes: I,
    shared: &'a EndpointShared,
    /// Of the messages that passed.
    bytes: u64,
    alike: Alike,
}

impl<I: Iterator<Item = (Charge, Report)>> Counted<'_, I> {
    fn tell(&mut self) {
        self.alike.tell(self.shared);
    }

    /// Counts what nobody reads.
    #[inline(never)]
    fn pass(&mut self) {
        self.for_each(drop);
    }
}

impl<I: Iterator<Item = (Charge, Report)>> Iterator for Counted<'_, I> {
    type Item = Report;

    #[inline(always)]
    fn next(&mut self) -> Option<Report> {
        let (charge, report) = self.outcomes.next()?;
        #[cfg(test)]
        assert!(report.tag != TRAP_TAG || report.reason == Reason::Shutdown, "a trap");
        self.bytes += u64::from(charge.bytes);
        if report.outcome == Outcome::Delivered {
            self.alike.delivered(self.shared, [charge.taken_ns, report.intended_ns, report.at_ns]);
        }
        Some(report)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.outcomes.size_hint()
    }
}

impl<I: ExactSizeIterator<Item = (Charge, Report)>> ExactSizeIterator for Counted<'_, I> {}

impl Outlet for Ports {
    #[inline]
    fn outcome(&mut self, charge: Charge, report: &Report) {
        let index = charge.publisher.0;
        #[cfg(test)]
        assert!(report.tag != TRAP_TAG || report.reason == Reason::Shutdown, "a trap");
        if report.sequence == self.underway.sequence && index == self.underway.publisher {
            self.underway.answered |= 1 << report.leg;
        }
        if let Some(endpoint) = charge.endpoint {
            self.touched.mark(endpoint);
            if report.outcome == Outcome::Delivered {
                let shared = &self.shared.endpoints[usize::from(endpoint.0)];
                shared.delivered(1, charge.taken_ns, report.intended_ns, report.at_ns);
            }
        }
        let Some(Some(port)) = self.publishers.get_mut(index as usize) else { return };
        if let Some(endpoint) = charge.endpoint {
            let amount = Amount { messages: 1, bytes: u64::from(charge.bytes) };
            if port.grantors[usize::from(endpoint.0)].give_back(amount) {
                self.dirty_grants.push((index, endpoint));
            }
        }
        if let Some(reports) = &mut port.reports
            && reports.push(*report).is_err()
        {
            port.reports_full();
        }
        if !port.is_dirty {
            port.is_dirty = true;
            self.dirty_publishers.push(index);
        }
    }

    fn outcomes(
        &mut self,
        publisher: PublisherId,
        endpoint: EndpointId,
        outcomes: impl ExactSizeIterator<Item = (Charge, Report)>,
    ) {
        self.touched.mark(endpoint);
        let messages = outcomes.len() as u64;
        let shared = &self.shared.endpoints[usize::from(endpoint.0)];
        let mut counted = Counted { outcomes, shared, bytes: 0, alike: Alike::default() };
        let index = publisher.0;
        let port = self.publishers.get_mut(index as usize).and_then(Option::as_mut);
        let Some(port) = port else {
            counted.pass();
            return counted.tell();
        };
        match &mut port.reports {
            Some(writer) => {
                if writer.push_all(&mut counted).is_err() {
                    port.reports_full();
                    counted.pass();
                }
            }
            None => counted.pass(),
        }
        counted.tell();
        let amount = Amount { messages, bytes: counted.bytes };
        if port.grantors[usize::from(endpoint.0)].give_back(amount) {
            self.dirty_grants.push((index, endpoint));
        }
        if !port.is_dirty {
            port.is_dirty = true;
            self.dirty_publishers.push(index);
        }
    }

    #[inline]
    fn deliver(&mut self, subscriber: SubscriberId, delivery: &Delivery<'_>) -> Result<(), NotTaken> {
        // A subscriber that has gone takes everything.
        let Some(Some(port)) = self.subscribers.get_mut(subscriber.0 as usize) else { return Ok(()) };
        if let Event::Gap { .. } = delivery.event {
            // A gap is small and would squeeze in before the next message that does not fit, and so would the next
            // one. It waits until a quarter of the ring is free, and tells of all that was lost until then.
            let quarter = port.ring.frame_len_max();
            port.ring.try_claim(quarter).map_err(|_| NotTaken::Full)?.abort();
        }
        let mut claim = port.ring.try_claim(delivery.encoded_len()).map_err(|error| match error {
            ClaimError::Full => NotTaken::Full,
            ClaimError::TooLong { .. } => NotTaken::TooLong,
        })?;
        delivery.encode(&mut claim);
        claim.commit();
        self.subscriptions_changed |= !matches!(delivery.event, Event::Message { .. });
        if !port.is_dirty {
            port.is_dirty = true;
            self.dirty_subscribers.push(subscriber.0);
        }
        Ok(())
    }

    fn connect(&mut self, connection: ConnectionId) {
        self.asked.push(Asked::Connect(connection));
    }

    fn close(&mut self, connection: ConnectionId) {
        self.asked.push(Asked::Close(connection));
    }

    fn state(&mut self, endpoint: EndpointId, role: Role, state: EndpointState) {
        if role == Role::Publish {
            // At once, for the publishers; the status follows at the turn's end, with the reason.
            let is_up = state == EndpointState::Connected;
            self.shared.endpoints[usize::from(endpoint.0)].is_up.store(is_up, Ordering::Relaxed);
        }
        self.touched.mark(endpoint);
        self.changed.push(endpoint);
    }
}
