//! Subscriptions: events in an array of C's, with their bytes beside them.
//!
//! ```text
//!   rings ──► copied out, the ring's room given back at once ──► bytes: channel, payload, channel, payload …
//!                                                                  ▲ rw_event points there until the next poll
//! ```
//!
//! The copy costs a few nanoseconds for a message; it is why an application that takes its time with a batch holds up no
//! ring, and loses nothing by it.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::AsRawFd;

use ringwire::{Delivery, Event, GapReason, Subscriber, SubscriptionId};

use crate::boundary::{Handle, In, Kind, Out, Slots};
use crate::code::{CLOSED, Code, INVALID, NOT_FOUND, OK, of_open};
use crate::engine::{duration, rw_engine};
use crate::reports::POLL_MAX;
use crate::text::fail;

/// Bytes after which a poll ends: they stay in a second-level cache until the application reads them.
const BYTES_MAX: usize = 256 << 10;
/// Events between two looks at the bytes. The largest message is a quarter of the ring, so there is an end to it.
const AT_A_TIME: usize = 16;
/// `RW_PATTERN`.
const PATTERN: u32 = 1;

/// A subscriber, and the bytes of its last poll.
#[allow(non_camel_case_types)]
pub(crate) struct rw_subscriber {
    subscriber: Subscriber,
    bytes: Vec<u8>,
    events: Vec<Copied>,
    /// Somebody waits on the descriptor: a poll that finds nothing asks to be rung.
    has_fd: bool,
}

impl Kind for rw_subscriber {
    const KIND: u32 = 6;
    const NAME: &'static str = "subscriber";
}

/// An event whose bytes were copied; where they lie is told when all are there.
struct Copied {
    kind: u32,
    subscription: u32,
    received_ns: u64,
    at: usize,
    channel_len: usize,
    payload_len: usize,
    gap: u32,
    lost: u64,
}

/// `rw_event`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct rw_event {
    pub(crate) kind: u32,
    pub(crate) subscription: u32,
    pub(crate) received_ns: u64,
    pub(crate) channel: In<c_void>,
    pub(crate) channel_len: usize,
    pub(crate) payload: In<c_void>,
    pub(crate) payload_len: usize,
    pub(crate) key: In<c_void>,
    pub(crate) key_len: usize,
    pub(crate) timestamp_ms: i64,
    pub(crate) offset: i64,
    pub(crate) partition: i32,
    pub(crate) gap: u32,
    pub(crate) lost: u64,
    pub(crate) reserved: [u64; 2],
}

impl Copied {
    fn of(delivery: &Delivery<'_>, bytes: &mut Vec<u8>) -> Self {
        let none: &[u8] = &[];
        let (kind, channel, payload, gap, lost) = match delivery.event {
            Event::Message { channel, payload } => (0, channel, payload, GapReason::NONE, 0),
            Event::Subscribed => (1, none, none, GapReason::NONE, 0),
            Event::Gap { reason, lost } => (2, none, none, reason, lost),
            Event::Refused { error } => (3, none, error, GapReason::NONE, 0),
        };
        let at = bytes.len();
        bytes.extend_from_slice(channel);
        bytes.extend_from_slice(payload);
        let (subscription, received_ns) = (delivery.subscription, delivery.received_ns);
        let (channel_len, payload_len) = (channel.len(), payload.len());
        Self { kind, subscription, received_ns, at, channel_len, payload_len, gap: bits(gap), lost }
    }

    fn event(&self, bytes: &[u8]) -> rw_event {
        let payload_at = self.at + self.channel_len;
        rw_event {
            kind: self.kind,
            subscription: self.subscription,
            received_ns: self.received_ns,
            channel: In::to(&bytes[self.at..payload_at]),
            channel_len: self.channel_len,
            payload: In::to(&bytes[payload_at..payload_at + self.payload_len]),
            payload_len: self.payload_len,
            key: In::NULL,
            key_len: 0,
            timestamp_ms: 0,
            offset: -1,
            partition: -1,
            gap: self.gap,
            lost: self.lost,
            reserved: [0; 2],
        }
    }
}

/// `RW_GAP_RECONNECTED` and the like.
fn bits(gap: GapReason) -> u32 {
    let reasons = [
        (GapReason::RECONNECTED, 1),
        (GapReason::RING_FULL, 2),
        (GapReason::TOO_LONG, 4),
        (GapReason::UNSUBSCRIBED, 8),
    ];
    reasons.into_iter().filter(|(reason, _)| gap.contains(*reason)).map(|(_, bit)| bit).sum()
}

impl rw_subscriber {
    fn poll(&mut self, array: &Out<rw_event>, capacity: usize) -> Result<c_int, Code> {
        let mut slots = array.slots(capacity, "array")?;
        loop {
            // Looked at first: what comes before the end is found after it.
            let is_ended = self.subscriber.is_ended();
            self.fill(slots.left().min(POLL_MAX));
            if !self.events.is_empty() || capacity == 0 {
                return Ok(self.hand_over(&mut slots));
            }
            if is_ended {
                return Err(CLOSED);
            }
            // The end rings once. Where that was meanwhile, arming has silenced it, and nobody rings again.
            if !self.has_fd || self.subscriber.arm() && !self.subscriber.is_ended() {
                return Ok(0);
            }
        }
    }

    /// Copies what there is, up to so many events.
    fn fill(&mut self, limit: usize) {
        let Self { subscriber, bytes, events, .. } = self;
        bytes.clear();
        events.clear();
        while events.len() < limit && bytes.len() < BYTES_MAX {
            let left = (limit - events.len()).min(AT_A_TIME);
            if subscriber.poll(left, |delivery| events.push(Copied::of(delivery, bytes))) == 0 {
                return;
            }
        }
    }

    fn hand_over(&mut self, slots: &mut Slots<'_, rw_event>) -> c_int {
        for event in &self.events {
            slots.push(event.event(&self.bytes));
        }
        c_int::try_from(self.events.len()).unwrap_or(c_int::MAX)
    }

    fn wait(&mut self, timeout_ns: u64) -> Result<c_int, Code> {
        if self.subscriber.wait(duration(timeout_ns)) {
            Ok(1)
        } else if self.subscriber.is_ended() && self.subscriber.is_empty() {
            Err(CLOSED)
        } else {
            if self.has_fd {
                // As rw_reports_wait.
                self.subscriber.ring();
            }
            Ok(0)
        }
    }

    fn subscribe(&mut self, endpoint: Option<&str>, name: &[u8], flags: u32) -> Result<u32, Code> {
        if flags & !PATTERN != 0 {
            return Err(fail(INVALID, format_args!("flags = {flags:#x}: expected 0 or RW_PATTERN")));
        }
        let subscriber = &mut self.subscriber;
        let opened = match (endpoint, flags & PATTERN != 0) {
            (None, false) => subscriber.subscribe(name),
            (None, true) => subscriber.subscribe_pattern(name),
            (Some(endpoint), false) => subscriber.subscribe_at(endpoint, name),
            (Some(endpoint), true) => subscriber.subscribe_pattern_at(endpoint, name),
        };
        opened.map(|id| id.0).map_err(|error| of_open(&error))
    }
}

export! {
    fn rw_subscriber_open(engine: Handle<rw_engine>, subscriber: Out<Handle<rw_subscriber>>) {
        let engine = engine.get()?;
        subscriber.wanted("subscriber")?;
        let opened = engine.engine.subscriber().map_err(|error| of_open(&error))?;
        let (bytes, events) = (Vec::new(), Vec::new());
        let opened = rw_subscriber { subscriber: opened, bytes, events, has_fd: false };
        subscriber.set(Handle::exclusive(opened)?);
        Ok(OK)
    }

    fn rw_subscribe(
        subscriber: Handle<rw_subscriber>,
        endpoint: In<c_char>,
        name: In<c_void>,
        name_len: usize,
        flags: u32,
        subscription: Out<u32>,
    ) {
        let mut subscriber = subscriber;
        let mut subscriber = subscriber.lease()?;
        let endpoint = if endpoint.is_null() { None } else { Some(endpoint.text("endpoint")?) };
        subscription.set(subscriber.subscribe(endpoint, name.bytes(name_len)?, flags)?);
        Ok(OK)
    }

    fn rw_unsubscribe(subscriber: Handle<rw_subscriber>, subscription: u32) {
        let mut subscriber = subscriber;
        if subscriber.lease()?.subscriber.unsubscribe(SubscriptionId(subscription)) {
            Ok(OK)
        } else {
            Err(fail(NOT_FOUND, format_args!("no subscription of this subscriber has the number {subscription}")))
        }
    }

    fn rw_poll(subscriber: Handle<rw_subscriber>, array: Out<rw_event>, capacity: usize) {
        let mut subscriber = subscriber;
        subscriber.lease()?.poll(&array, capacity)
    }

    fn rw_wait(subscriber: Handle<rw_subscriber>, timeout_ns: u64) {
        let mut subscriber = subscriber;
        subscriber.lease()?.wait(timeout_ns)
    }

    fn rw_subscriber_fd(subscriber: Handle<rw_subscriber>) {
        let mut subscriber = subscriber;
        let mut subscriber = subscriber.lease()?;
        if !std::mem::replace(&mut subscriber.has_fd, true) {
            // As rw_reports_fd.
            subscriber.subscriber.ring();
        }
        Ok(subscriber.subscriber.fd().as_raw_fd())
    }
}
