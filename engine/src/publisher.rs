//! Publishing: one copy into a ring, no lock, no allocation, no system call while the shard is awake.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;
use ringwire_core::frame::{self, ANY_PARTITION, LABELLED_LEN, PLAIN_LEN};
use ringwire_core::{Frame, Headers};
use ringwire_shards::credit::Account;
use ringwire_shards::ring::{Claim as RingClaim, FrameWriter};
use ringwire_shards::wake::{Sleeper, Waker};

use crate::channel::{Channel, Toll};
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
    /// The place was lent by another publisher, or this one has published since.
    Stale,
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
            Self::Stale => f.write_str(
                "the lent place is another publisher's, or something was published since: lend again",
            ),
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

/// Bytes of a message: two numbers, which go from function to function in registers.
#[derive(Clone, Copy)]
struct Lens {
    /// In the ring before the payload.
    head: usize,
    payload: usize,
}

impl Lens {
    /// All of it in the ring.
    #[inline(always)]
    fn frame(self) -> usize {
        self.head + self.payload
    }

    /// What the head lacks to that of a message with a tag: the longest payload is the same with and without one.
    #[inline(always)]
    fn spare(self) -> usize {
        LABELLED_LEN.saturating_sub(self.head)
    }

    /// Whether no ring of this kind ever takes it.
    fn is_too_long(self, ring: &FrameWriter) -> bool {
        self.frame().saturating_add(self.spare()) > ring.frame_len_max()
    }

    /// Payload, key and headers: what is paid for.
    #[inline(always)]
    fn body(self) -> usize {
        self.frame() - frame::fixed_len(self.head)
    }
}

/// What is put into a ring. Two words at the most, so that it goes from function to function in registers: what has an
/// address is written to memory before it is known whether anybody wants it there.
trait Source: Copy {
    fn lens(self) -> Lens;

    /// Writes the frame into its place, for a channel's number and a sequence.
    fn encode(self, place: &mut [u8], channel: u32, sequence: u64);
}

/// A payload alone.
impl Source for &[u8] {
    #[inline(always)]
    fn lens(self) -> Lens {
        Lens { head: PLAIN_LEN, payload: self.len() }
    }

    #[inline(always)]
    fn encode(self, place: &mut [u8], channel: u32, sequence: u64) {
        frame::encode_plain(place, channel, sequence, self);
    }
}

impl Source for &Message<'_> {
    #[inline(always)]
    fn lens(self) -> Lens {
        Lens { head: self.frame(0, 0).head_len(), payload: self.payload.map_or(0, <[u8]>::len) }
    }

    #[inline(always)]
    fn encode(self, place: &mut [u8], channel: u32, sequence: u64) {
        self.frame(channel, sequence).encode(place);
    }
}

/// A payload of so many bytes that stands in its place already.
#[derive(Clone, Copy)]
struct Written(usize);

impl Source for Written {
    #[inline(always)]
    fn lens(self) -> Lens {
        Lens { head: PLAIN_LEN, payload: self.0 }
    }

    #[inline(always)]
    fn encode(self, place: &mut [u8], channel: u32, sequence: u64) {
        frame::encode_plain_head(place, channel, sequence);
    }
}

/// The way to one shard.
pub(crate) struct Lane {
    pub(crate) ring: FrameWriter,
    pub(crate) dues: Dues,
    pub(crate) shard: Arc<ShardShared>,
    /// The shard's, without the way there.
    pub(crate) waker: Waker,
}

/// Publishes into an engine. One thread at a time; make one for each publishing thread.
///
/// Publishing never blocks, locks or allocates; a refusal is an ordinary answer. Only
/// [`Publisher::wait_writable`] waits.
pub struct Publisher {
    /// No other publisher of the process has it.
    pub(crate) number: u64,
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
        self.put(channel, payload)
    }

    /// Publishes a message with a tag, an intended time, a key or headers.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    #[inline(always)]
    pub fn publish_message(&mut self, channel: &Channel, message: &Message<'_>) -> Result<u64, Refusal> {
        self.put(channel, message)
    }

    /// Neither frame nor message is handed on by address: the payload goes from its slice into the ring, and all else
    /// stays in registers.
    #[inline(always)]
    fn put(&mut self, channel: &Channel, source: impl Source) -> Result<u64, Refusal> {
        self.admitted(channel)?;
        let sequence = self.next_sequence;
        self.lanes[channel.shard].up(channel)?.put(channel, sequence, source)?;
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
        self.admitted(channel)?;
        let Self { lanes, next_sequence, .. } = self;
        let Lane { ring, dues, waker, .. } = lanes[channel.shard].up(channel)?;
        let mut claim = dues.claim(ring, channel, len)?;
        frame::encode_plain_head(&mut claim, channel.index, *next_sequence);
        Ok(Claim { claim, len, channel, dues, waker, next_sequence })
    }

    /// Lends the place of a payload of exactly `len` bytes, for languages whose claims cannot borrow: write it, then
    /// [`Publisher::publish_lent`], or [`Publisher::take_back`]. It holds old bytes: overwrite all of them.
    ///
    /// The message is paid for from here on: until it is handed back, [`Publisher::flush`] waits for it like for any other.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    #[inline]
    pub fn try_lend<'a>(&mut self, channel: &'a Channel, len: usize) -> Result<Lent<'a>, Refusal> {
        self.admitted(channel)?;
        let place = self.lanes[channel.shard].up(channel)?.lend(channel, len)?;
        Ok(Lent { channel, len, place, publisher: self.number, sequence: self.next_sequence })
    }

    /// Publishes what was written to a place that this publisher lent, and answers its sequence. Whatever it answers, a
    /// place of its own is lent no longer; another publisher's stays lent.
    ///
    /// # Errors
    /// [`Refusal::Closed`] and [`Refusal::Failed`]: the engine ended meanwhile. [`Refusal::Stale`]: the place is lent no
    /// longer, or by another publisher, or this one has published anything since. Nothing is published then.
    #[inline]
    pub fn publish_lent(&mut self, lent: &mut Lent<'_>) -> Result<u64, Refusal> {
        // Looked at where it lies: what was just written in words, and is moved in pairs of them, has to be waited for.
        let Lent { channel, len, sequence, .. } = *lent;
        let is_fresh = lent.publisher == self.number && sequence == self.next_sequence;
        if !is_fresh || !self.shared.admits(channel.pass) {
            return Err(self.not_published(lent, is_fresh));
        }
        lent.publisher = NOBODY;
        // Room only grows between two calls of ours: the same claim is there again, and has the same place.
        self.lanes[channel.shard].put_paid(channel, sequence, Written(len))?;
        self.next_sequence = sequence + 1;
        Ok(sequence)
    }

    #[cold]
    fn not_published(&mut self, lent: &mut Lent<'_>, is_fresh: bool) -> Refusal {
        self.take_back(lent);
        if is_fresh { self.not_admitted() } else { Refusal::Stale }
    }

    /// Takes a place back that this publisher lent: its message does not come about. Another publisher's stays lent.
    pub fn take_back(&mut self, lent: &mut Lent<'_>) {
        if lent.publisher == self.number {
            lent.publisher = NOBODY;
            self.lanes[lent.channel.shard].dues.untake(lent.channel, lent.len);
        }
    }

    /// Whether the engine takes messages, and this channel's.
    #[inline(always)]
    fn admitted(&self, channel: &Channel) -> Result<(), Refusal> {
        if self.shared.admits(channel.pass) { Ok(()) } else { Err(self.not_admitted()) }
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
        !is_polled && self.lanes[channel.shard].dues.have_unpolled()
    }

    /// Says to the shard for how much credit this publisher is to be woken.
    fn want(&mut self, channel: &Channel, len: usize) {
        if !self.shared.admits(channel.pass) {
            return;
        }
        let lane = &mut self.lanes[channel.shard];
        // What is longer is refused, and not waited for.
        let len = len.min(lane.ring.frame_len_max());
        for toll in &channel.rest.tolls {
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
    /// What a message that was refused is told: that it is too long comes before all that passes.
    #[cold]
    fn refused(&self, refusal: Refusal, lens: Lens) -> Refusal {
        if lens.is_too_long(&self.ring) { too_long(&self.ring, lens.head) } else { refusal }
    }

    /// Takes what a message costs, puts it into the ring, and tells the shard; or leaves everything as it was.
    #[inline(always)]
    fn put(&mut self, channel: &Channel, sequence: u64, source: impl Source) -> Result<(), Refusal> {
        self.ring.fetch();
        if let Err(refusal) = self.dues.try_take(channel, source.lens().body()) {
            return Err(self.refused(refusal, source.lens()));
        }
        self.put_paid(channel, sequence, source)
    }

    /// Puts a message that is paid for into the ring, and tells the shard; or gives back what it has paid.
    #[inline(always)]
    fn put_paid(&mut self, channel: &Channel, sequence: u64, source: impl Source) -> Result<(), Refusal> {
        let lens = source.lens();
        if let Some(mut claim) = self.ring.try_claim_ahead(lens.frame(), lens.spare()) {
            source.encode(&mut claim, channel.index, sequence);
            claim.commit();
        } else {
            self.put_anywhere(channel, sequence, source)?;
        }
        self.waker.notify();
        Ok(())
    }

    /// Takes what a message costs, and answers where its payload will be; or leaves everything as it was.
    #[inline(always)]
    fn lend(&mut self, channel: &Channel, len: usize) -> Result<*mut u8, Refusal> {
        self.ring.fetch();
        // Before the credit, which would count with any length.
        if len > self.ring.frame_len_max() - LABELLED_LEN {
            return Err(too_long(&self.ring, PLAIN_LEN));
        }
        self.dues.try_take(channel, len)?;
        if let Some(mut claim) = self.ring.try_claim_ahead(PLAIN_LEN + len, 0) {
            return Ok(claim[PLAIN_LEN..].as_mut_ptr());
        }
        self.lend_anywhere(channel, len)
    }

    /// Lends it behind padding, if that is what it takes.
    #[cold]
    #[inline(never)]
    fn lend_anywhere(&mut self, channel: &Channel, len: usize) -> Result<*mut u8, Refusal> {
        match self.ring.try_claim(PLAIN_LEN + len) {
            Ok(mut claim) => Ok(claim[PLAIN_LEN..].as_mut_ptr()),
            Err(_) => {
                self.dues.untake(channel, len);
                Err(Refusal::BackPressured)
            }
        }
    }

    /// Puts it behind padding, if that is what it takes.
    #[cold]
    #[inline(never)]
    fn put_anywhere(&mut self, channel: &Channel, sequence: u64, source: impl Source) -> Result<(), Refusal> {
        let lens = source.lens();
        if !lens.is_too_long(&self.ring)
            && let Ok(mut claim) = self.ring.try_claim(lens.frame())
        {
            source.encode(&mut claim, channel.index, sequence);
            claim.commit();
            return Ok(());
        }
        self.dues.untake(channel, lens.body());
        Err(self.refused(Refusal::BackPressured, lens))
    }

    /// The lane, unless each of the channel's endpoints refuses messages now.
    #[inline(always)]
    fn up(&mut self, channel: &Channel) -> Result<&mut Self, Refusal> {
        if channel.rejects && !self.is_any_up(channel) { Err(Refusal::NotConnected) } else { Ok(self) }
    }

    #[inline(always)]
    fn is_any_up(&self, channel: &Channel) -> bool {
        let endpoints = &self.shard.endpoints;
        let is_up = |toll: &Toll| endpoints[toll.endpoint].is_up.load(Ordering::Relaxed);
        channel.toll.as_ref().map_or_else(|| channel.rest.tolls.iter().any(is_up), is_up)
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

    /// Takes what a message needs on all its legs and in the report ring, or nothing.
    #[inline(always)]
    fn try_take(&mut self, channel: &Channel, len: usize) -> Result<(), Refusal> {
        // Most channels have one leg, which needs no loop.
        let Some(toll) = channel.toll else { return self.try_take_legs(channel, len) };
        let credit = &mut self.credits[toll.endpoint];
        let taken = credit.after(toll.of(len));
        if !credit.allows(taken) {
            return Err(Refusal::BackPressured);
        }
        if self.slots.as_mut().is_some_and(|slots| !slots.try_take_messages(channel.slots().messages)) {
            return Err(Refusal::ReportsFull);
        }
        credit.take_up_to(taken);
        Ok(())
    }

    #[inline(never)]
    fn try_take_legs(&mut self, channel: &Channel, len: usize) -> Result<(), Refusal> {
        self.fit(channel, len)?;
        self.take(channel, len);
        Ok(())
    }

    /// Room for a payload of `len` bytes behind its head, neither of them written, if it can be paid for: later.
    #[inline(always)]
    fn claim<'r>(
        &mut self,
        ring: &'r mut FrameWriter,
        channel: &Channel,
        len: usize,
    ) -> Result<RingClaim<'r>, Refusal> {
        // Before the credit, which would count with any length.
        if len > ring.frame_len_max() - LABELLED_LEN {
            return Err(too_long(ring, PLAIN_LEN));
        }
        self.fit(channel, len)?;
        ring.try_claim(PLAIN_LEN + len).map_err(|_| Refusal::BackPressured)
    }

    /// Whether there is what a message needs on all its legs and in the report ring. No two legs have one endpoint.
    #[inline]
    fn fit(&mut self, channel: &Channel, len: usize) -> Result<(), Refusal> {
        let mut fits = |toll: &Toll| self.credits[toll.endpoint].fits(toll.of(len));
        let all_fit = match &channel.toll {
            Some(toll) => fits(toll),
            None => channel.rest.tolls.iter().all(fits),
        };
        if !all_fit {
            return Err(Refusal::BackPressured);
        }
        if self.slots.as_mut().is_some_and(|slots| !slots.fits(channel.slots())) {
            return Err(Refusal::ReportsFull);
        }
        Ok(())
    }

    /// Takes what was found to [`fit`](Self::fit).
    #[inline]
    fn take(&mut self, channel: &Channel, len: usize) {
        match &channel.toll {
            Some(toll) => self.credits[toll.endpoint].take(toll.of(len)),
            None => channel.rest.tolls.iter().for_each(|toll| self.credits[toll.endpoint].take(toll.of(len))),
        }
        if let Some(slots) = &mut self.slots {
            slots.take(channel.slots());
        }
    }

    /// Undoes [`Dues::take`]: the message did not come about.
    #[cold]
    fn untake(&mut self, channel: &Channel, len: usize) {
        for toll in &channel.rest.tolls {
            self.credits[toll.endpoint].untake(toll.of(len));
        }
        if let Some(slots) = &mut self.slots {
            slots.untake(channel.slots());
        }
    }

    /// Whether there are reports that wait to be polled: they hold slots, and no credit any more.
    fn have_unpolled(&self) -> bool {
        let in_flight: u64 = self.credits.iter().map(|credit| credit.outstanding().messages).sum();
        self.slots.as_ref().is_some_and(|slots| slots.outstanding().messages > in_flight)
    }
}

/// The refusal of a payload that does not go into one frame with `head` bytes before it, or with those of labels.
#[cold]
fn too_long(ring: &FrameWriter, head: usize) -> Refusal {
    Refusal::TooLong { max: ring.frame_len_max().saturating_sub(head.max(LABELLED_LEN)) }
}

/// Room for one payload in the ring. Dropping it without a commit leaves no trace.
#[must_use = "a claim that is not committed is aborted"]
pub struct Claim<'a> {
    /// The head is written; the payload's place follows it.
    claim: RingClaim<'a>,
    len: usize,
    channel: &'a Channel,
    dues: &'a mut Dues,
    waker: &'a Waker,
    next_sequence: &'a mut u64,
}

impl Claim<'_> {
    /// Publishes what was written, and answers its sequence.
    #[inline]
    pub fn commit(self) -> u64 {
        let Self { claim, len, channel, dues, waker, next_sequence } = self;
        dues.take(channel, len);
        claim.commit();
        waker.notify();
        let sequence = *next_sequence;
        *next_sequence = sequence + 1;
        sequence
    }

    /// Gives the room back; the same as dropping the claim.
    pub fn abort(self) {}
}

/// The number of no publisher: a place that is lent no longer.
const NOBODY: u64 = u64::MAX;

/// The place of a payload in the ring, lent to nobody in particular, and paid for.
#[derive(Debug)]
#[must_use = "it is paid for: `Publisher::publish_lent` it, or `Publisher::take_back`"]
pub struct Lent<'a> {
    channel: &'a Channel,
    /// Who lent it.
    publisher: u64,
    len: usize,
    /// What was the next one then. Not beside who lent it: as in the publisher the two would be read as a pair, and what was
    /// written as a word, as that was by the last commit, cannot be forwarded to a pair.
    sequence: u64,
    place: *mut u8,
}

impl Lent<'_> {
    /// Where it begins. Nobody but this publisher reaches it until it publishes.
    pub fn place(&self) -> *mut u8 {
        self.place
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.claim[PLAIN_LEN..]
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.claim[PLAIN_LEN..]
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
