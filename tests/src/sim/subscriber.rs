//! The subscribers: their rings, what each subscription was told, and when they change their mind.
//!
//! ```text
//!   core ──deliver──► ring (real) ──read──► compared with `expected`
//!            └──► Told, in order, of each subscription: what the invariants look at
//! ```

use std::collections::VecDeque;

use ringwire_core::{Delivery, Event, GapReason, NotTaken, Source, Subscription, glob_match};
use ringwire_shards::ring::{ClaimError, FrameReader, FrameWriter};

use super::context::Context;
use super::scenario::SubscriberPlan;

/// One event that a subscription was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Subscribed { at_ns: u64, socket: usize },
    Message { position: Option<usize>, at_ns: u64, socket: usize },
    Gap { reason: GapReason, lost: u64 },
    Refused,
}

/// All about one subscription.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) subscription: Subscription,
    /// The core knows it.
    pub(crate) live: bool,
    pub(crate) told: Vec<Told>,
    /// Messages that its ring did not take, because it was full and because they were too long.
    pub(crate) full: u64,
    pub(crate) too_long: u64,
}

impl Record {
    pub(crate) fn matches(&self, channel: &[u8]) -> bool {
        let Subscription { name, is_pattern, .. } = &self.subscription;
        if *is_pattern { glob_match(name, channel) } else { **name == *channel }
    }

    /// The index of the journal that it listens to.
    pub(crate) fn journal(&self, bus: usize) -> usize {
        match self.subscription.source {
            Source::Bus => bus,
            Source::Redis(endpoint) => usize::from(endpoint.0),
        }
    }
}

/// The shard's end of a subscriber's ring.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) writer: FrameWriter,
    /// What the reader is going to find.
    expected: VecDeque<Vec<u8>>,
}

impl Inbox {
    pub(crate) fn new(writer: FrameWriter) -> Self {
        Self { writer, expected: VecDeque::new() }
    }

    pub(crate) fn put(&mut self, delivery: &Delivery<'_>) -> Result<(), NotTaken> {
        let mut claim = self.writer.try_claim(delivery.encoded_len()).map_err(|error| match error {
            ClaimError::Full => NotTaken::Full,
            ClaimError::TooLong { .. } => NotTaken::TooLong,
        })?;
        delivery.encode(&mut claim);
        self.expected.push_back(claim.to_vec());
        claim.commit();
        Ok(())
    }
}

/// The application's end.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) plan: SubscriberPlan,
    pub(crate) reader: FrameReader,
}

impl Subscriber {
    /// Reads some of its ring.
    pub(crate) fn read(&mut self, ctx: &mut Context, inbox: &mut Inbox, limit: usize) -> usize {
        self.reader.read(limit, |frame| {
            let expected = inbox.expected.pop_front();
            ctx.judge.require(expected.as_deref() == Some(frame), "a ring gives back what was put", || {
                format!("expected {expected:?}, read {frame:?}")
            });
            if Delivery::decode(frame).is_some_and(|it| matches!(it.event, Event::Message { .. })) {
                ctx.coverage.messages_read += 1;
            }
        })
    }
}
