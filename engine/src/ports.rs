//! The shard's ends of the rings, and what the core asks to be done with them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crossbeam::utils::CachePadded;
use ringwire_core::{
    Charge, ConnectionId, Delivery, EndpointId, EndpointState, Event, NotTaken, Outcome, Outlet, Report,
    Role, SubscriberId,
};
use ringwire_shards::credit::{Amount, Grantor};
use ringwire_shards::ring::{ClaimError, FrameReader, FrameWriter};
use ringwire_shards::slots::SlotWriter;
use ringwire_shards::wake::{Waker, publication_fence};

use crate::shared::ShardShared;

/// Where a shard that has ended leaves a publisher's ring: a frame may be committed after the shard's last look, and
/// the reports handle answers for it.
pub(crate) type Leftover = Arc<Mutex<Option<FrameReader>>>;

/// One publisher, from this shard.
pub(crate) struct PublisherPort {
    pub(crate) id: u32,
    /// One for each endpoint, apart from what the publisher writes.
    pub(crate) grantors: Box<[CachePadded<Grantor>]>,
    /// None for a publisher without reports.
    pub(crate) reports: Option<SlotWriter<Report>>,
    /// Wakes who waits for reports.
    pub(crate) reports_waker: Waker,
    /// Wakes who waits for credit.
    pub(crate) credit_waker: Waker,
    pub(crate) leftover: Leftover,
    /// Something to publish since the last flush.
    pub(crate) is_dirty: bool,
}

/// One subscriber, from this shard.
pub(crate) struct SubscriberPort {
    pub(crate) id: u32,
    pub(crate) ring: FrameWriter,
    pub(crate) waker: Waker,
    pub(crate) is_dirty: bool,
}

/// All ports of one shard: what the core talks to.
pub(crate) struct Ports {
    pub(crate) shared: Arc<ShardShared>,
    /// By publisher and by subscriber number. Boxed: one costs a pointer on the shards that never hear of it.
    pub(crate) publishers: Vec<Option<Box<CachePadded<PublisherPort>>>>,
    pub(crate) subscribers: Vec<Option<Box<CachePadded<SubscriberPort>>>>,
    dirty_publishers: Vec<u32>,
    dirty_subscribers: Vec<u32>,
    /// What the core wants of its connections, in order.
    pub(crate) asked: Vec<Asked>,
    /// Endpoints whose state changed.
    pub(crate) changed: Vec<EndpointId>,
    /// Endpoints with new outcomes or messages; one flag each.
    pub(crate) touched: Box<[bool]>,
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
        let touched = vec![false; shared.endpoints.len()].into();
        Self {
            shared,
            publishers: Vec::new(),
            subscribers: Vec::new(),
            dirty_publishers: Vec::new(),
            dirty_subscribers: Vec::new(),
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
        self.publishers[index] = Some(port);
    }

    pub(crate) fn add_subscriber(&mut self, port: Box<CachePadded<SubscriberPort>>) {
        let index = port.id as usize;
        if self.subscribers.len() <= index {
            self.subscribers.resize_with(index + 1, || None);
        }
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
            for grantor in &mut port.grantors {
                grantor.publish();
            }
        }
        publication_fence();
        for index in self.dirty_publishers.drain(..) {
            let Some(port) = &mut self.publishers[index as usize] else { continue };
            port.is_dirty = false;
            port.reports_waker.notify_fenced();
            port.credit_waker.notify_fenced();
        }
        for index in self.dirty_subscribers.drain(..) {
            let Some(port) = &mut self.subscribers[index as usize] else { continue };
            port.is_dirty = false;
            port.waker.notify_fenced();
        }
    }
}

impl Outlet for Ports {
    #[inline]
    fn outcome(&mut self, charge: Charge, report: &Report) {
        let index = charge.publisher.0;
        if let Some(endpoint) = charge.endpoint {
            self.touched[usize::from(endpoint.0)] = true;
            if report.outcome == Outcome::Delivered {
                let shared = &self.shared.endpoints[usize::from(endpoint.0)];
                shared.delivered(charge.taken_ns, report.intended_ns, report.at_ns);
            }
        }
        let Some(Some(port)) = self.publishers.get_mut(index as usize) else { return };
        if let Some(endpoint) = charge.endpoint {
            let amount = Amount { messages: 1, bytes: u64::from(charge.bytes) };
            port.grantors[usize::from(endpoint.0)].give_back(amount);
        }
        if let Some(reports) = &mut port.reports {
            let pushed = reports.push(*report);
            debug_assert!(pushed.is_ok(), "a slot was reserved for every outcome");
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
        self.touched[usize::from(endpoint.0)] = true;
        self.changed.push(endpoint);
    }
}
