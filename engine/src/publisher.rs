//! Publishing: one copy into a ring, no lock, no allocation, no system call while the shard is awake.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;
use ringwire_core::frame::{ANY_PARTITION, PLAIN_LEN};
use ringwire_core::{Frame, Headers};
use ringwire_shards::credit::{Account, Amount};
use ringwire_shards::ring::{Claim as RingClaim, ClaimError, FrameWriter};
use ringwire_shards::wake::Sleeper;

use crate::channel::{Channel, Opened, Toll};
use crate::reports::PolledBy;
use crate::shared::{Command, Phase, ShardShared, Shared};

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
    /// The partition, below 2^31; `None` leaves it to the partitioner.
    pub partition: Option<u32>,
    /// Milliseconds since 1970; 0 means when the shard takes it.
    pub timestamp_ms: i64,
}

impl<'a> Message<'a> {
    #[inline]
    fn frame(&self, channel: u32, sequence: u64) -> Frame<'a> {
        Frame {
            channel,
            sequence,
            tag: self.tag,
            intended_ns: self.intended_ns,
            partition: self.partition.map_or(ANY_PARTITION, |number| number as i32),
            timestamp_ms: self.timestamp_ms,
            key: self.key,
            headers: self.headers,
            payload: self.payload,
        }
    }
}

/// The way to one shard.
pub(crate) struct Lane {
    pub(crate) ring: FrameWriter,
    pub(crate) dues: Dues,
    pub(crate) shard: Arc<ShardShared>,
}

/// Publishes into an engine. One thread at a time; make one for each publishing thread.
///
/// Publishing never blocks, locks or allocates; a refusal is an ordinary answer. Only
/// [`Publisher::wait_writable`] waits.
pub struct Publisher {
    pub(crate) shared: Arc<Shared>,
    /// One for each shard, apart from what other threads write.
    pub(crate) lanes: Box<[CachePadded<Lane>]>,
    pub(crate) next_sequence: u64,
    pub(crate) sleeper: Sleeper,
    pub(crate) polled_by: Arc<PolledBy>,
}

impl Publisher {
    /// Publishes `payload` on `channel`. Answers the message's sequence: dense for this publisher, from 0.
    ///
    /// # Errors
    /// A [`Refusal`]: then no destination has the message, and the sequence is not used up.
    #[inline(always)]
    pub fn publish(&mut self, channel: &Channel, payload: &[u8]) -> Result<u64, Refusal> {
        self.publish_message(channel, &Message { payload: Some(payload), ..Message::default() })
    }

    /// Publishes a message with a tag, an intended time, a key or headers.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    #[inline(always)]
    pub fn publish_message(&mut self, channel: &Channel, message: &Message<'_>) -> Result<u64, Refusal> {
        let opened = &*channel.opened;
        let payload = message.payload.unwrap_or_default();
        let sequence = self.next_sequence;
        let frame = message.frame(opened.index, sequence);
        let body_len = frame.body_len();
        let lane = self.lane(opened)?;
        lane.take(opened, body_len)?;
        let head = frame.head_len();
        match lane.ring.try_claim(head + payload.len()) {
            Ok(mut claim) => {
                frame.encode(&mut claim);
                claim.commit();
            }
            Err(error) => {
                lane.dues.untake(opened, body_len);
                return Err(refusal(error, head));
            }
        }
        lane.shard.waker.notify();
        self.next_sequence = sequence + 1;
        Ok(sequence)
    }

    /// Claims room for a payload of exactly `len` bytes, to be written in place: then [`Claim::commit`], or
    /// [`Claim::abort`]. The room holds old bytes: overwrite all of it.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    #[inline]
    pub fn try_claim<'a>(&'a mut self, channel: &'a Channel, len: usize) -> Result<Claim<'a>, Refusal> {
        let opened = &*channel.opened;
        let sequence = self.next_sequence;
        self.lane(opened)?.take(opened, len)?;
        let frame = Message::default().frame(opened.index, sequence);
        let Self { lanes, next_sequence, .. } = self;
        let Lane { ring, dues, shard } = &mut *lanes[opened.shard];
        match ring.try_claim(PLAIN_LEN + len) {
            Ok(mut claim) => {
                frame.encode_head(&mut claim, false);
                Ok(Claim { claim: Some(claim), len, opened, dues, shard, next_sequence })
            }
            Err(error) => {
                dues.untake(opened, len);
                Err(refusal(error, PLAIN_LEN))
            }
        }
    }

    /// The way to a channel's shard, while the engine takes messages.
    #[inline]
    fn lane(&mut self, opened: &Opened) -> Result<&mut Lane, Refusal> {
        if self.shared.admits(opened.pass) {
            Ok(&mut self.lanes[opened.shard])
        } else {
            Err(self.not_admitted())
        }
    }

    #[cold]
    fn not_admitted(&self) -> Refusal {
        match self.shared.phase() {
            Phase::Running => Refusal::WrongEngine,
            Phase::Closed => Refusal::Closed,
            Phase::Failed => Refusal::Failed,
        }
    }

    /// Waits until a message of `len` bytes would be accepted on `channel`, or `timeout` has passed; answers whether
    /// it would. Where the credit was used up, it is woken when half of it is free, or within a millisecond of what it
    /// waits for: so a publisher that is faster than its server is woken for many messages at once.
    ///
    /// Where reports that wait to be polled hold every slot, it answers `false` at once, unless another thread polled
    /// them last: on this one nobody would make room meanwhile. Poll them, and go on.
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
            self.want(channel, len);
            self.sleeper.arm();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let refusal = self.try_claim(channel, len).map(Claim::abort).err();
            let Some(refusal) = refusal else {
                self.sleeper.disarm();
                return Ok(true);
            };
            let is_passing =
                matches!(refusal, Refusal::BackPressured | Refusal::ReportsFull | Refusal::NotConnected);
            let is_own = refusal == Refusal::ReportsFull && self.waits_for_itself(channel);
            if !is_passing || is_own || left.is_some_and(|left| left.is_zero()) {
                self.sleeper.disarm();
                return if is_passing { Ok(false) } else { Err(refusal) };
            }
            // A full ring, a connection and a shutdown ring no bell of ours: look again now and then.
            let nap = left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN));
            self.sleeper.wait(Some(nap));
        }
    }

    /// Waits until every message that was accepted has had its outcome at its endpoints, or `timeout` has passed;
    /// answers whether they have. What waits for company (`linger.ms`) is sent at once. Reports stay to be polled.
    pub fn flush(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            self.sleeper.drain();
            self.sleeper.arm();
            let waiting = self.lanes.iter().filter(|lane| !lane.dues.is_settled());
            // Told again each time: what it was told before a ring was drained did not count for what was in there.
            let waiting = waiting.map(|lane| lane.shard.command(Command::Flush)).count();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if waiting == 0
                || left.is_some_and(|left| left.is_zero())
                || self.shared.phase() != Phase::Running
            {
                self.sleeper.disarm();
                return waiting == 0;
            }
            self.sleeper.wait(Some(left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN))));
        }
    }

    /// Whether reports wait that nobody but this thread polls.
    fn waits_for_itself(&mut self, channel: &Channel) -> bool {
        let is_polled = self.polled_by.is_other_thread();
        !is_polled && self.lane(&channel.opened).is_ok_and(|lane| lane.dues.have_unpolled())
    }

    /// Says to the shard for how much credit this publisher is to be woken.
    fn want(&mut self, channel: &Channel, len: usize) {
        let opened = &*channel.opened;
        let Ok(lane) = self.lane(opened) else { return };
        // What is longer is refused, and not waited for.
        let len = len.min(lane.ring.frame_len_max());
        for toll in &opened.tolls {
            lane.dues.credits[toll.endpoint].want(toll.of(len));
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
    /// Takes what a message needs on all its legs and in the report ring, or nothing.
    #[inline(always)]
    fn take(&mut self, opened: &Opened, len: usize) -> Result<(), Refusal> {
        if opened.rejects && !self.is_any_up(opened) {
            return Err(Refusal::NotConnected);
        }
        // First of all: what follows counts with it.
        let max = self.ring.frame_len_max() - PLAIN_LEN;
        if len > max {
            return Err(Refusal::TooLong { max });
        }
        self.dues.try_take(opened, len)
    }

    #[inline(always)]
    fn is_any_up(&self, opened: &Opened) -> bool {
        let endpoints = &self.shard.endpoints;
        let is_up = |toll: &Toll| endpoints[toll.endpoint].is_up.load(Ordering::Relaxed);
        opened.toll.as_ref().map_or_else(|| opened.tolls.iter().any(is_up), is_up)
    }
}

/// What a message pays to one shard: credit for each leg, and a report slot for each.
pub(crate) struct Dues {
    /// One for each endpoint. Each has lines of its own: the shard writes to what the allocator put beside them.
    pub(crate) credits: Box<[CachePadded<Account>]>,
    /// Report slots; none for a publisher without reports.
    pub(crate) slots: Option<Account>,
}

impl Dues {
    /// Whether everything that was taken from the endpoints' credit has come back.
    fn is_settled(&self) -> bool {
        self.credits.iter().all(|credit| credit.outstanding().messages == 0)
    }

    #[inline(always)]
    fn try_take(&mut self, opened: &Opened, len: usize) -> Result<(), Refusal> {
        // Most channels have one leg, which needs no loop.
        let Some(toll) = opened.toll else { return self.try_take_legs(opened, len) };
        if !self.credits[toll.endpoint].try_take(toll.of(len)) {
            return Err(Refusal::BackPressured);
        }
        self.try_take_slots(opened, len)
    }

    #[inline(never)]
    fn try_take_legs(&mut self, opened: &Opened, len: usize) -> Result<(), Refusal> {
        for (paid, toll) in opened.tolls.iter().enumerate() {
            if !self.credits[toll.endpoint].try_take(toll.of(len)) {
                self.untake_legs(&opened.tolls[..paid], len);
                return Err(Refusal::BackPressured);
            }
        }
        self.try_take_slots(opened, len)
    }

    #[inline(always)]
    fn try_take_slots(&mut self, opened: &Opened, len: usize) -> Result<(), Refusal> {
        if let Some(slots) = &mut self.slots
            && !slots.try_take_messages(opened.slots)
        {
            self.untake_legs(&opened.tolls, len);
            return Err(Refusal::ReportsFull);
        }
        Ok(())
    }

    /// Whether there are reports that wait to be polled: they hold slots, and no credit any more.
    fn have_unpolled(&self) -> bool {
        let in_flight: u64 = self.credits.iter().map(|credit| credit.outstanding().messages).sum();
        self.slots.as_ref().is_some_and(|slots| slots.outstanding().messages > in_flight)
    }

    #[cold]
    fn untake_legs(&mut self, tolls: &[Toll], len: usize) {
        for toll in tolls {
            self.credits[toll.endpoint].untake(toll.of(len));
        }
    }

    /// Undoes [`Dues::try_take`]: the message did not come about.
    #[cold]
    fn untake(&mut self, opened: &Opened, len: usize) {
        self.untake_legs(&opened.tolls, len);
        if let Some(slots) = &mut self.slots {
            slots.untake(Amount { messages: opened.slots, bytes: 0 });
        }
    }
}

#[cold]
fn refusal(error: ClaimError, head: usize) -> Refusal {
    match error {
        ClaimError::Full => Refusal::BackPressured,
        ClaimError::TooLong { max, .. } => Refusal::TooLong { max: max.saturating_sub(head) },
    }
}

/// Room for one payload in the ring. Dropping it without a commit leaves no trace; forgetting it
/// ([`std::mem::forget`]) loses its credit for good.
#[must_use = "a claim that is not committed is aborted"]
pub struct Claim<'a> {
    /// The head is written; the payload's place follows it. None once committed.
    claim: Option<RingClaim<'a>>,
    len: usize,
    opened: &'a Opened,
    dues: &'a mut Dues,
    shard: &'a ShardShared,
    next_sequence: &'a mut u64,
}

impl Claim<'_> {
    /// Publishes what was written, and answers its sequence.
    #[inline]
    pub fn commit(mut self) -> u64 {
        if let Some(claim) = self.claim.take() {
            claim.commit();
        }
        self.shard.waker.notify();
        let sequence = *self.next_sequence;
        *self.next_sequence = sequence + 1;
        sequence
    }

    /// Gives the room back; the same as dropping the claim.
    pub fn abort(self) {}
}

impl Drop for Claim<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.claim.is_some() {
            self.dues.untake(self.opened, self.len);
        }
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.claim.as_deref().map_or(&[], |claim| &claim[PLAIN_LEN..])
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.claim.as_deref_mut().map_or(&mut [], |claim| &mut claim[PLAIN_LEN..])
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
