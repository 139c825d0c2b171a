//! Publishing: one copy into a ring, no lock, no allocation, no system call while the shard is awake.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringwire_core::frame::PLAIN_LEN;
use ringwire_core::{Frame, Headers, WhenDown};
use ringwire_shards::credit::{Account, Amount};
use ringwire_shards::ring::{Claim as RingClaim, ClaimError, FrameWriter};
use ringwire_shards::wake::Sleeper;

use crate::channel::{Channel, Opened};
use crate::shared::{Phase, ShardShared, Shared};

/// Why a message was not accepted: no leg has it, and no report will come for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The ring, or the credit of one of the channel's endpoints, is used up: wait for outcomes
    /// ([`Publisher::wait_writable`]).
    BackPressured,
    /// As many reports as there are slots wait to be polled: poll [`crate::Reports`].
    ReportsFull,
    /// None of the channel's endpoints is connected, and its route rejects meanwhile.
    NotConnected,
    /// The message is longer than the ring or the credit can ever take.
    TooLong {
        /// The longest payload that this channel takes beside the key and headers that were given, in bytes.
        max: usize,
    },
    /// The engine was shut down.
    Closed,
    /// A shard failed: [`crate::Engine::failure`] says why. What it held is reported.
    Failed,
    /// The channel belongs to another engine.
    WrongEngine,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackPressured => {
                f.write_str("back-pressured: wait until outcomes have freed room or credit")
            }
            Self::ReportsFull => f.write_str("no report slot is free: poll the reports"),
            Self::NotConnected => {
                f.write_str("none of the channel's endpoints is connected; see the engine's status")
            }
            Self::TooLong { max } => {
                write!(
                    f,
                    "the message is too long: {max} bytes fit; engine.ring_bytes and credit_bytes raise that"
                )
            }
            Self::Closed => f.write_str("the engine was shut down"),
            Self::Failed => f.write_str("a shard of the engine failed; see Engine::failure"),
            Self::WrongEngine => f.write_str("the channel belongs to another engine"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A message with all that it may carry. Redis pub/sub sends the payload alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// The payload; `None` is empty on Redis.
    pub payload: Option<&'a [u8]>,
    /// Your own number: the reports carry it back.
    pub tag: u64,
    /// When it was meant to be sent, on [`crate::monotonic_ns`]'s clock: the reports carry it back; 0 for none.
    pub intended_ns: u64,
    /// The record's key.
    pub key: Option<&'a [u8]>,
    /// The record's headers.
    pub headers: Headers<'a>,
    /// The partition; `None` leaves it to the partitioner.
    pub partition: Option<u32>,
    /// Milliseconds since 1970; 0 means when the shard takes it.
    pub timestamp_ms: i64,
}

/// The way to one shard.
pub(crate) struct Lane {
    pub(crate) ring: FrameWriter,
    /// One for each endpoint.
    pub(crate) credits: Box<[Account]>,
    /// Report slots; none for a publisher without reports.
    pub(crate) slots: Option<Account>,
    pub(crate) shard: Arc<ShardShared>,
}

/// Publishes into an engine. One thread at a time; make one for each publishing thread.
///
/// No call blocks, locks or allocates; a refusal is an ordinary answer.
pub struct Publisher {
    pub(crate) shared: Arc<Shared>,
    /// One for each shard.
    pub(crate) lanes: Box<[Lane]>,
    pub(crate) next_sequence: u64,
    pub(crate) sleeper: Sleeper,
}

impl Publisher {
    /// Publishes `payload` on `channel`. Answers the message's sequence: dense for this publisher, from 0.
    ///
    /// # Errors
    /// A [`Refusal`]: then no destination has the message, and the sequence is not used up.
    #[inline]
    pub fn publish(&mut self, channel: &Channel, payload: &[u8]) -> Result<u64, Refusal> {
        self.publish_message(channel, &Message { payload: Some(payload), ..Message::default() })
    }

    /// Publishes a message with a tag, an intended time, a key or headers.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    #[inline]
    pub fn publish_message(&mut self, channel: &Channel, message: &Message<'_>) -> Result<u64, Refusal> {
        let payload = message.payload.unwrap_or_default();
        let mut claim = self.claim(channel, message, payload.len())?;
        claim.copy_from_slice(payload);
        Ok(claim.commit())
    }

    /// Claims room for a payload of exactly `len` bytes, to be written in place: then [`Claim::commit`], or
    /// [`Claim::abort`]. The room holds old bytes: overwrite all of it.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    #[inline]
    pub fn try_claim<'a>(&'a mut self, channel: &'a Channel, len: usize) -> Result<Claim<'a>, Refusal> {
        self.claim(channel, &Message { payload: Some(&[]), ..Message::default() }, len)
    }

    #[inline]
    fn claim<'a>(
        &'a mut self,
        channel: &'a Channel,
        message: &Message<'_>,
        len: usize,
    ) -> Result<Claim<'a>, Refusal> {
        let opened = &*channel.opened;
        match self.shared.phase() {
            Phase::Running => {}
            Phase::Closed => return Err(Refusal::Closed),
            Phase::Failed => return Err(Refusal::Failed),
        }
        let Some(lane) = self.lanes.get_mut(opened.shard).filter(|_| channel.is_of(&self.shared)) else {
            return Err(Refusal::WrongEngine);
        };
        lane.admit(opened, len)?;
        let frame = Frame {
            channel: opened.index,
            sequence: self.next_sequence,
            tag: message.tag,
            intended_ns: message.intended_ns,
            partition: message.partition.map_or(ringwire_core::frame::ANY_PARTITION, |number| number as i32),
            timestamp_ms: message.timestamp_ms,
            key: message.key,
            headers: message.headers,
            payload: None,
        };
        let head = frame.head_len();
        let mut claim = match lane.ring.try_claim(head + len) {
            Ok(claim) => claim,
            Err(ClaimError::Full) => return Err(Refusal::BackPressured),
            Err(ClaimError::TooLong { max, .. }) => {
                return Err(Refusal::TooLong { max: max.saturating_sub(head) });
            }
        };
        frame.encode_head(&mut claim, message.payload.is_none());
        let Lane { credits, slots, shard, .. } = lane;
        Ok(Claim { claim, head, len, opened, credits, slots, shard, sequence: &mut self.next_sequence })
    }

    /// Waits until a message of `len` bytes would be accepted on `channel`, or `timeout` has passed; answers whether
    /// it would. It does not wait for what only others can mend: with a full report ring it returns `false` at once
    /// if `Reports` lives on this thread and is not polled.
    ///
    /// # Errors
    /// Every [`Refusal`] but [`Refusal::BackPressured`], [`Refusal::ReportsFull`] and [`Refusal::NotConnected`],
    /// which it waits out.
    pub fn wait_writable(
        &mut self,
        channel: &Channel,
        len: usize,
        timeout: Duration,
    ) -> Result<bool, Refusal> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            self.sleeper.drain();
            self.sleeper.arm();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let refusal = match self.try_claim(channel, len) {
                Ok(claim) => {
                    claim.abort();
                    self.sleeper.disarm();
                    return Ok(true);
                }
                Err(refusal) => refusal,
            };
            let is_passing =
                matches!(refusal, Refusal::BackPressured | Refusal::ReportsFull | Refusal::NotConnected);
            if !is_passing || left.is_some_and(|left| left.is_zero()) {
                self.sleeper.disarm();
                return if is_passing { Ok(false) } else { Err(refusal) };
            }
            // A full ring, a connection and a shutdown ring no bell of ours: look again now and then.
            let nap = left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN));
            self.sleeper.wait(Some(nap));
        }
    }

    /// The sequence that the next accepted message gets: as many were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.next_sequence
    }
}

/// How often a waiting publisher looks again for what nobody wakes it for.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

impl Lane {
    /// Whether all legs and the report ring have room; nothing is taken yet.
    #[inline]
    fn admit(&mut self, opened: &Opened, len: usize) -> Result<(), Refusal> {
        let Self { credits, slots, shard, ring } = self;
        let is_up =
            |endpoint: usize| shard.endpoints[endpoint].is_up.load(std::sync::atomic::Ordering::Relaxed);
        if opened.rejects
            && opened
                .legs
                .iter()
                .filter_map(ringwire_core::Leg::endpoint)
                .all(|endpoint| !is_up(endpoint.0.into()))
        {
            return Err(Refusal::NotConnected);
        }
        // Before the cost is computed, which counts in 32 bits.
        if len > ring.frame_len_max() - PLAIN_LEN {
            return Err(Refusal::TooLong { max: ring.frame_len_max() - PLAIN_LEN });
        }
        for leg in &opened.legs {
            let Some(endpoint) = leg.endpoint() else { continue };
            let account = &mut credits[usize::from(endpoint.0)];
            if !account.fits(Amount { messages: 1, bytes: u64::from(leg.cost(len)) }) {
                return Err(Refusal::BackPressured);
            }
        }
        let needed = Amount { messages: opened.legs.len() as u64, bytes: 0 };
        if slots.as_mut().is_some_and(|slots| !slots.fits(needed)) {
            return Err(Refusal::ReportsFull);
        }
        Ok(())
    }
}

/// Room for one payload in the ring. Dropping it without a commit leaves no trace.
#[must_use = "a claim that is not committed is aborted"]
pub struct Claim<'a> {
    claim: RingClaim<'a>,
    /// Bytes of the frame before the payload.
    head: usize,
    len: usize,
    opened: &'a Opened,
    credits: &'a mut [Account],
    slots: &'a mut Option<Account>,
    shard: &'a ShardShared,
    sequence: &'a mut u64,
}

impl Claim<'_> {
    /// Publishes what was written, and answers its sequence.
    #[inline]
    pub fn commit(self) -> u64 {
        for leg in &self.opened.legs {
            if let Some(endpoint) = leg.endpoint() {
                let amount = Amount { messages: 1, bytes: u64::from(leg.cost(self.len)) };
                self.credits[usize::from(endpoint.0)].take(amount);
            }
        }
        if let Some(slots) = self.slots {
            slots.take(Amount { messages: self.opened.legs.len() as u64, bytes: 0 });
        }
        let sequence = *self.sequence;
        *self.sequence += 1;
        self.claim.commit();
        self.shard.waker.notify();
        sequence
    }

    /// Gives the room back; the same as dropping the claim.
    pub fn abort(self) {}
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.claim[self.head..]
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.claim[self.head..]
    }
}

impl Opened {
    /// Whether every leg rejects while its endpoint is down.
    pub(crate) fn rejects(legs: &[ringwire_core::Leg]) -> bool {
        legs.iter().all(|leg| leg.endpoint().is_some() && leg.when_down() == WhenDown::Reject)
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("accepted", &self.next_sequence).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("len", &self.len).finish_non_exhaustive()
    }
}
