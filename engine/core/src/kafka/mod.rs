//! A Kafka endpoint on one shard: an idempotent producer over one connection for each broker.
//!
//! ```text
//!  publish ─► topic ─► partition: open batch ─► queue ─► link of its leader ─► answers ─► outcomes
//!                └─ held, while its partitions are not known
//! ```
//!
//! | File | What |
//! |---|---|
//! | `link.rs` | one connection: opening, greeting, questions and answers in order |
//! | `wire.rs` | what goes out on it, large batches from where they lie |
//! | `cluster.rs` | brokers and leaders, as metadata and hints tell of them; the producer's identity |
//! | `topic.rs`, `partition.rs` | batches, their sequence, what may be sent when |
//! | `dispatch.rs` | builds Produce requests |
//! | `answer.rs` | what became of each batch, and what follows from it |
//! | `partitioner.rs`, `pool.rs`, `settings.rs` | as they say |

mod answer;
mod cluster;
mod dispatch;
mod link;
mod partition;
mod partitioner;
mod pool;
pub mod settings;
mod topic;
mod wire;

use std::collections::HashMap;

use ringwire_codec::kafka::{Compressors, ErrorCode, PushError};

use self::cluster::Cluster;
use self::dispatch::Budget;
use self::link::{Due, Link, Part};
use self::partition::{Batch, Entry, Partition, SETBACK_FAILURES};
use self::pool::Pool;
use self::settings::{Acks, KafkaSettings};
use self::topic::{Held, Topic};
use self::wire::{Apart, Piece};
use crate::backoff::Random;
use crate::channel::Leg;
use crate::frame::Frame;
use crate::outlet::{ConnectionId, EndpointId, Outlet, PublisherId, Role};
use crate::report::{Outcome, Reason, broker_error_detail, last_error_detail};
use crate::settings::WhenDown;
use crate::status::{Counters, EndpointState, LaneStatus, LinkError};
use crate::time::{MILLISECOND_NS, NEVER_NS, Now};

/// Answers of one connection decoded in one poll.
const ANSWERS_PER_POLL: usize = 16;
/// How often what waits is looked through for what has waited too long.
const EXPIRE_EVERY_NS: u64 = 100 * MILLISECOND_NS;
/// A batch that cannot go out takes records for this part of `delivery.timeout.ms`, so that the timeout, which counts
/// from its first record, ends none of them by more than that too early.
const EXPIRY_PARTS: u64 = 8;
/// Messages that were held for a topic's partitions and are given to them in one poll.
const RELEASED_PER_POLL: usize = 256;
/// Takes numbers for the connections of brokers that become known.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) next: u16,
}

/// A message on its way to a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure<'a> {
    pub(crate) publisher: PublisherId,
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) leg: &'a Leg,
    pub(crate) leg_index: u8,
    /// Which of [`KafkaProducer::open_topic`]'s.
    pub(crate) topic: u32,
}

#[derive(Debug)]
pub(crate) struct KafkaProducer {
    endpoint: EndpointId,
    settings: KafkaSettings,
    links: Vec<Link>,
    cluster: Cluster,
    topics: Vec<Topic>,
    by_name: HashMap<String, u32>,
    /// By every id that a topic has had.
    by_id: HashMap<[u8; 16], u32>,
    compressors: Compressors,
    pool: Pool,
    /// Partitions with something to send whose leader is not known, or has no connection yet.
    homeless: Vec<Part>,
    /// Memory for an answer that is being read.
    scratch: Vec<u8>,
    /// Which partitions of a request an answer has named so far.
    is_told: Vec<bool>,
    /// Memory of requests' lists of partitions.
    spare_parts: Vec<Vec<Part>>,
    /// Batches of the request that is being written.
    apart: Vec<Apart>,
    /// Bytes that came and are not compressed yet; an estimate. And whether some of them are a piece that could be.
    appended: usize,
    is_behind: bool,
    /// Whose turn it is to be first.
    first_lane: usize,
    /// The last poll compressed something, which takes long.
    pub(crate) has_compressed: bool,
    /// Somebody needs the endpoint.
    is_wanted: bool,
    /// Open batches go out whatever `linger.ms` says.
    is_flushing: bool,
    /// When something has to be done by itself, as of the last poll.
    wake_at_ns: u64,
    expire_at_ns: u64,
    /// The state may be another than the one that was told.
    is_state_stale: bool,
    announced: EndpointState,
    announced_error: Option<LinkError>,
    since_ns: u64,
    was_connected: bool,
    /// Links that have got output since they were last named.
    pub(crate) writable: Vec<ConnectionId>,
    pub(crate) counters: Counters,
}

impl KafkaProducer {
    pub(crate) fn new(endpoint: EndpointId, settings: KafkaSettings, seed: u64) -> Self {
        Self {
            endpoint,
            links: Vec::new(),
            cluster: Cluster::new(Random::new(seed)),
            scratch: Vec::new(),
            is_told: Vec::new(),
            topics: Vec::new(),
            by_name: HashMap::new(),
            by_id: HashMap::new(),
            compressors: Compressors::new(),
            pool: Pool::default(),
            homeless: Vec::new(),
            spare_parts: Vec::new(),
            apart: Vec::new(),
            appended: 0,
            is_behind: false,
            first_lane: 0,
            has_compressed: false,
            is_wanted: false,
            is_flushing: false,
            wake_at_ns: NEVER_NS,
            expire_at_ns: 0,
            is_state_stale: true,
            announced: EndpointState::Disconnected,
            announced_error: None,
            since_ns: 0,
            was_connected: false,
            writable: Vec::new(),
            counters: Counters::default(),
            settings,
        }
    }

    /// Somebody needs the endpoint.
    pub(crate) fn want(&mut self, now_ns: u64) {
        if !self.is_wanted {
            self.is_wanted = true;
            self.cluster.ask_at(now_ns);
        }
    }

    /// The number of a topic in use. A new one is looked up at once.
    pub(crate) fn open_topic(&mut self, now_ns: u64, name: &str) -> u32 {
        self.want(now_ns);
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.topics.len() as u32;
        self.topics.push(Topic::new(name, &self.settings));
        self.by_name.insert(name.to_owned(), index);
        self.cluster.ask_at(now_ns);
        self.is_state_stale = true;
        index
    }

    /// Takes one message: into the open batch of its partition, or gives it its outcome at once.
    ///
    /// Out of line: the loop that takes messages serves Redis as well, and keeps its registers.
    #[inline(never)]
    pub(crate) fn publish(&mut self, now: Now, departure: Departure<'_>, outlet: &mut impl Outlet) {
        let Departure { publisher, frame, leg, leg_index, topic } = departure;
        let cost = leg.cost(frame.body_len());
        self.counters.accepted += 1;
        self.counters.in_flight += 1;
        self.counters.in_flight_bytes += u64::from(cost);
        self.appended = self.appended.saturating_add(cost as usize);
        let timestamp_ms =
            if frame.timestamp_ms == 0 { now.wall_ns / MILLISECOND_NS as i64 } else { frame.timestamp_ms };
        // Made where it is needed, and written once.
        let entry = || Entry {
            sequence: frame.sequence,
            tag: frame.tag,
            intended_ns: frame.intended_ns,
            timestamp_ms,
            since_ns: now.mono_ns,
            channel: frame.channel,
            publisher,
            cost,
            leg: leg_index,
        };
        if self.announced != EndpointState::Connected && leg.when_down() != WhenDown::Buffer {
            let is_drop = leg.when_down() == WhenDown::Drop;
            let reason = if is_drop { Reason::Dropped } else { Reason::NotConnected };
            self.end(now.mono_ns, &entry(), Outcome::NotSent, reason, [0; 16], outlet);
            return;
        }
        if !self.topics[topic as usize].is_open() {
            self.hold(now.mono_ns, entry(), leg.channel_hash(), frame, topic, outlet);
            return;
        }
        let refused = self.append(now.mono_ns, timestamp_ms, entry, leg.channel_hash(), frame, topic);
        if let Err(reason) = refused {
            self.end(now.mono_ns, &entry(), Outcome::NotSent, reason, [0; 16], outlet);
        }
    }

    /// Keeps a message until the topic's partitions are known.
    #[cold]
    fn hold(
        &mut self,
        now_ns: u64,
        entry: Entry,
        channel_hash: u32,
        frame: &Frame<'_>,
        topic: u32,
        outlet: &mut impl Outlet,
    ) {
        if let Some(code) = self.topics[topic as usize].refused {
            self.end(
                now_ns,
                &entry,
                Outcome::NotSent,
                Reason::BrokerError,
                broker_error_detail(code),
                outlet,
            );
            return;
        }
        let mut bytes = vec![0; frame.encoded_len()];
        frame.encode(&mut bytes);
        let held = Held { entry, channel_hash, frame: bytes.into() };
        self.topics[topic as usize].held.push_back(held);
    }

    /// Puts a message into the open batch of its partition, or answers why it can be in none.
    #[inline(always)]
    fn append(
        &mut self,
        now_ns: u64,
        timestamp_ms: i64,
        entry: impl FnOnce() -> Entry,
        channel_hash: u32,
        frame: &Frame<'_>,
        topic_index: u32,
    ) -> Result<(), Reason> {
        let topic = &mut self.topics[topic_index as usize];
        let context = partitioner::Context {
            topic: &topic.name,
            channel_hash,
            partitions: topic.count,
            batch_size: self.settings.batch_size,
        };
        let random = &mut self.cluster.random;
        let (chooser, partitions) = (&self.settings.partitioner, &topic.partitions);
        let is_led = |number: u32| partitions.get(number as usize).is_some_and(|it| it.leader >= 0);
        let number = partitioner::choose(chooser, &mut topic.memory, context, frame, random, is_led)
            .ok_or(Reason::NoPartition)?;
        let partition = topic.partitions.get_mut(number as usize).ok_or(Reason::NoPartition)?;
        let pushed = if frame.headers.is_empty() {
            partition.open.push_plain(timestamp_ms, frame.key, frame.payload)
        } else {
            Err(PushError::Full)
        };
        if pushed.is_err() {
            partition
                .push_slowly(timestamp_ms, frame, &mut self.compressors, &mut self.pool)
                .map_err(|_| Reason::TooLarge)?;
        }
        if partition.open_entries.is_empty() {
            partition.open_since_ns = now_ns;
        }
        partition.open_entries.push(entry());
        if !partition.is_listed {
            self.list(Part { topic: topic_index, partition: number });
        }
        Ok(())
    }

    /// Puts a partition into the list of the connection that it has to be sent on.
    fn list(&mut self, part: Part) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        if partition.is_listed {
            return;
        }
        partition.is_listed = true;
        match self.cluster.lane_of(partition.leader) {
            Some(lane) => self.links[lane].pending.push_back(part),
            None => self.homeless.push(part),
        }
    }

    /// The one outcome of a message.
    #[inline]
    fn end(
        &mut self,
        now_ns: u64,
        entry: &Entry,
        outcome: Outcome,
        reason: Reason,
        detail: [u8; 16],
        outlet: &mut impl Outlet,
    ) {
        count(&mut self.counters, entry, outcome);
        outlet.outcome(entry.charge(self.endpoint), &entry.report(now_ns, outcome, reason, detail));
    }

    /// Does what is due for one connection, and for the endpoint as a whole. Answers whether there is more at once.
    /// Compresses only if there is time for it.
    #[inline(never)]
    pub(crate) fn poll(
        &mut self,
        now: Now,
        lane: usize,
        has_time: bool,
        slots: &mut Slots,
        outlet: &mut impl Outlet,
    ) -> bool {
        let now_ns = now.mono_ns;
        let mut more = false;
        if lane < self.links.len() {
            more |= self.poll_link(now, lane, slots, outlet);
        }
        self.wake_at_ns = NEVER_NS;
        self.tend_cluster(now_ns, slots, outlet);
        for lane in 0..self.links.len() {
            match self.links[lane].due(now_ns, &self.settings) {
                Due::Nothing => {}
                Due::Connect => outlet.connect(self.links[lane].connection),
                Due::GiveUp(error) => {
                    outlet.close(self.links[lane].connection);
                    self.link_down(now_ns, lane, error, outlet);
                }
            }
        }
        if now_ns >= self.expire_at_ns {
            self.expire_at_ns = now_ns + EXPIRE_EVERY_NS;
            self.expire_old(now_ns, outlet);
        }
        more |= self.release_held(now_ns, outlet);
        let mut budget = Budget::new(self.settings.compression, has_time);
        for at in 0..self.links.len() {
            // Another one is first in each poll: one alone could use up all the time there is for compression.
            let lane = (self.first_lane + at) % self.links.len();
            more |= self.dispatch(now_ns, lane, &mut budget, outlet);
        }
        self.first_lane = self.first_lane.wrapping_add(1);
        if has_time {
            self.compress_ahead(&mut budget);
        }
        self.has_compressed = has_time && budget.is_begun();
        self.announce(now_ns, outlet);
        self.set_deadline(now_ns);
        more
    }

    /// Reads answers of one connection, and sees whether it is gone.
    fn poll_link(&mut self, now: Now, lane: usize, slots: &mut Slots, outlet: &mut impl Outlet) -> bool {
        let now_ns = now.mono_ns;
        let mut answered = 0;
        let error = loop {
            // Also behind an answer: what needs none may have waited for that.
            while let Some(asked) = self.links[lane].take_unanswerable() {
                self.unacknowledged(now_ns, asked, outlet);
            }
            if answered == ANSWERS_PER_POLL {
                return true;
            }
            match self.links[lane].next_answer() {
                Ok(Some(asked)) => {
                    answered += 1;
                    if let Err(error) = self.answered(now_ns, lane, asked, slots, outlet) {
                        break error;
                    }
                }
                Ok(None) => match self.links[lane].take_gone() {
                    Some(error) => {
                        self.link_down(now_ns, lane, error, outlet);
                        return true;
                    }
                    None => return false,
                },
                Err(error) => break error,
            }
        };
        if !self.links[lane].is_gone() {
            outlet.close(self.links[lane].connection);
        }
        self.link_down(now_ns, lane, error, outlet);
        true
    }

    /// Gives messages that were held to the partitions that are known now.
    fn release_held(&mut self, now_ns: u64, outlet: &mut impl Outlet) -> bool {
        if !self.cluster.has_held_to_release {
            return false;
        }
        let mut left = RELEASED_PER_POLL;
        for index in 0..self.topics.len() {
            while self.topics[index].count > 0
                && let Some(held) = self.topics[index].held.pop_front()
            {
                if let Ok(frame) = Frame::decode(&held.frame) {
                    let Held { entry, channel_hash, .. } = held;
                    let (timestamp_ms, topic) = (entry.timestamp_ms, index as u32);
                    self.part_ages(topic, entry.since_ns);
                    let refused = self.append(now_ns, timestamp_ms, || entry, channel_hash, &frame, topic);
                    if let Err(reason) = refused {
                        self.end(now_ns, &entry, Outcome::NotSent, reason, [0; 16], outlet);
                    }
                }
                left -= 1;
                if left == 0 {
                    return true;
                }
            }
        }
        self.cluster.has_held_to_release = false;
        false
    }

    /// Closes the batches of a topic that began long before a message that was held with theirs: a batch is given up as a
    /// whole, and by the age of its first message.
    fn part_ages(&mut self, topic: u32, since_ns: u64) {
        let limit_ns = self.settings.delivery_timeout_ns / EXPIRY_PARTS;
        for partition in &mut self.topics[topic as usize].partitions {
            if !partition.open.is_empty() && since_ns.saturating_sub(partition.open_taken_ns()) >= limit_ns {
                partition.seal(&mut self.compressors, &mut self.pool);
            }
        }
    }

    /// Ends what has waited too long and is certainly not in the log.
    fn expire_old(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        let patience_ns = self.settings.delivery_timeout_ns;
        let is_old = |since_ns: u64| now_ns.saturating_sub(since_ns) >= patience_ns;
        for topic in 0..self.topics.len() {
            let missing = last_error_detail(self.topics[topic].missing_error());
            while self.topics[topic].held.front().is_some_and(|held| is_old(held.entry.since_ns)) {
                let Some(held) = self.topics[topic].held.pop_front() else { break };
                self.end(now_ns, &held.entry, Outcome::NotSent, Reason::Expired, missing, outlet);
            }
            for number in 0..self.topics[topic].partitions.len() {
                let part = Part { topic: topic as u32, partition: number as u32 };
                self.expire_partition(now_ns, part, is_old, outlet);
            }
        }
    }

    fn expire_partition(
        &mut self,
        now_ns: u64,
        part: Part,
        is_old: impl Fn(u64) -> bool,
        outlet: &mut impl Outlet,
    ) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        // A batch is given up as a whole: what comes later than its first record shall not be long later.
        let age_ns = now_ns.saturating_sub(partition.open_taken_ns());
        if !partition.open.is_empty() && age_ns >= self.settings.delivery_timeout_ns / EXPIRY_PARTS {
            partition.seal(&mut self.compressors, &mut self.pool);
        }
        // From the front: what waits behind something ambiguous may not be judged before that.
        let mut index = 0;
        loop {
            let partition = &self.topics[part.topic as usize].partitions[part.partition as usize];
            let Some(batch) = partition.queue.get(index) else { break };
            if batch.is_ambiguous || batch.is_under_way {
                index += 1;
            } else if is_old(batch.since_ns) {
                self.give_up(now_ns, part, index, Reason::Expired, ErrorCode::NONE, outlet);
            } else {
                break;
            }
        }
    }

    fn set_deadline(&mut self, now_ns: u64) {
        let links = self.links.iter().map(|link| link.deadline_ns(&self.settings)).min().unwrap_or(NEVER_NS);
        let mut at_ns =
            self.wake_at_ns.min(links).min(self.cluster.deadline_ns(now_ns, self.ready_lane().is_some()));
        if self.counters.in_flight > 0 {
            at_ns = at_ns.min(self.expire_at_ns);
        }
        self.wake_at_ns = at_ns.max(now_ns);
    }

    pub(crate) fn deadline_ns(&self) -> u64 {
        self.wake_at_ns
    }

    fn public_state(&self) -> EndpointState {
        if !self.is_wanted {
            return EndpointState::Disconnected;
        }
        let has_identity = !self.settings.idempotent || self.cluster.identity.is_some();
        // The first time all are waited for, though not long for a partition that nobody leads while others are led.
        // Later, what nobody leads leaves the others as they are: it may be new, or gone.
        let may_lack = self.was_connected;
        let may_lack_some = may_lack || self.cluster.fruitless >= SETBACK_FAILURES;
        let is_led = |partition: &Partition| match self.cluster.lane_of(partition.leader) {
            Some(lane) => self.links[lane].is_ready(),
            None => may_lack_some && partition.leader < 0,
        };
        let are_led = self.topics.iter().all(|topic| {
            let partitions = topic.present();
            let is_any_led = || partitions.iter().any(|partition| partition.leader >= 0);
            // A topic that the cluster refuses is its own trouble.
            topic.refused.is_some() || (may_lack || is_any_led()) && partitions.iter().all(is_led)
        });
        let is_connected = has_identity && are_led && self.links.iter().any(Link::is_ready);
        match self.refusal().or_else(|| self.link_error()) {
            _ if is_connected => EndpointState::Connected,
            Some(error) if error.is_refusal() => EndpointState::Failed,
            _ if self.was_connected => EndpointState::Reconnecting,
            _ => EndpointState::Connecting,
        }
    }

    /// Tells the driver of a change of state, or of the last error, once.
    fn announce(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        if !std::mem::take(&mut self.is_state_stale) {
            return;
        }
        let state = self.public_state();
        let error = self.error();
        if state == self.announced && error == self.announced_error {
            return;
        }
        if state != self.announced {
            self.since_ns = now_ns;
        }
        self.was_connected |= state == EndpointState::Connected;
        self.announced = state;
        self.announced_error = error;
        outlet.state(self.endpoint, Role::Publish, state);
    }

    pub(crate) fn state(&self) -> EndpointState {
        self.announced
    }

    pub(crate) fn status(&self) -> LaneStatus {
        LaneStatus {
            state: self.announced,
            since_ns: self.since_ns,
            last_error: self.announced_error.clone(),
        }
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.counters.in_flight == 0
    }

    pub(crate) fn oldest_since_ns(&self) -> Option<u64> {
        if self.counters.in_flight == 0 {
            return None;
        }
        self.topics.iter().filter_map(Topic::oldest_ns).min()
    }

    /// What is in open batches goes out now, whatever `linger.ms` says; and what comes later too, if this is the end.
    pub(crate) fn flush(&mut self, is_end: bool) {
        self.is_flushing |= is_end;
        for topic in &mut self.topics {
            for partition in &mut topic.partitions {
                partition.is_urgent = !partition.open.is_empty();
            }
        }
    }

    /// The shutdown deadline passed: everything left gets its outcome now.
    pub(crate) fn expire(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        for lane in 0..self.links.len() {
            self.return_all(now_ns, lane, outlet);
        }
        for topic in 0..self.topics.len() {
            let missing = last_error_detail(self.topics[topic].missing_error());
            while let Some(held) = self.topics[topic].held.pop_front() {
                self.end(now_ns, &held.entry, Outcome::NotSent, Reason::Shutdown, missing, outlet);
            }
            for number in 0..self.topics[topic].partitions.len() {
                let partition = &mut self.topics[topic].partitions[number];
                partition.seal(&mut self.compressors, &mut self.pool);
                let setback = last_error_detail(partition.last_error());
                for batch in std::mem::take(&mut partition.queue) {
                    let outcome = if batch.is_ambiguous { Outcome::Unknown } else { Outcome::NotSent };
                    for entry in &batch.entries {
                        self.end(now_ns, entry, outcome, Reason::Shutdown, setback, outlet);
                    }
                }
            }
        }
        for link in &mut self.links {
            if link.has_socket() {
                outlet.close(link.connection);
            }
            link.retire();
        }
        self.is_wanted = false;
        self.is_state_stale = true;
        self.announce(now_ns, outlet);
    }

    pub(crate) fn connected(&mut self, now_ns: u64, lane: usize) {
        self.links[lane].connected(now_ns, &self.settings);
        self.writable.push(self.links[lane].connection);
    }

    pub(crate) fn disconnected(&mut self, lane: usize, error: LinkError) {
        self.links[lane].lost(error);
    }

    pub(crate) fn space(&mut self, lane: usize) -> &mut [u8] {
        self.links[lane].space()
    }

    pub(crate) fn is_behind(&self, lane: usize) -> bool {
        self.links[lane].is_behind()
    }

    pub(crate) fn expects(&self, lane: usize) -> bool {
        self.links.get(lane).is_some_and(Link::expects)
    }

    pub(crate) fn received(&mut self, now_ns: u64, lane: usize, n: usize) {
        self.links[lane].received(now_ns, n);
    }

    /// What may be sent on a connection; if that does not lie in one place, the first of its pieces.
    pub(crate) fn output(&self, lane: usize) -> &[u8] {
        if self.is_in_pieces(lane) {
            return self.pieces(lane).next().unwrap_or(&[]);
        }
        self.links.get(lane).map_or(&[], Link::output)
    }

    /// All that may be sent on a connection, up to a batch that is there no more.
    pub(crate) fn pieces(&self, lane: usize) -> impl Iterator<Item = &[u8]> {
        let pieces = self.links.get(lane).map(Link::pieces).into_iter().flatten();
        let bytes = pieces.map_while(|piece| match piece {
            Piece::Own(bytes) => Some(bytes),
            Piece::Batch(apart, from) => self.batch_under_way(&apart)?.frozen.bytes().get(from..),
        });
        bytes.filter(|bytes| !bytes.is_empty())
    }

    pub(crate) fn is_in_pieces(&self, lane: usize) -> bool {
        self.links.get(lane).is_some_and(|link| link.wire.is_in_pieces())
    }

    fn batch_under_way(&self, apart: &Apart) -> Option<&Batch> {
        let topic = self.topics.get(apart.part.topic as usize)?;
        let partition = topic.partitions.get(apart.part.partition as usize)?;
        partition.queue.iter().find(|batch| batch.is_under_way && batch.departure == apart.departure)
    }

    /// Answers whether something follows from it at once: without acknowledgements, sent is all there is.
    pub(crate) fn sent(&mut self, lane: usize, n: usize) -> bool {
        self.links[lane].wire.sent(n);
        self.settings.acks == Acks::None
    }

    /// Where a connection leads: what the bootstrap list says, or what the broker advertises.
    pub(crate) fn address(&self, lane: usize) -> (&str, u16) {
        let link = &self.links[lane];
        (&link.host, link.port)
    }
}

/// Counts an outcome.
#[inline]
fn count(counters: &mut Counters, entry: &Entry, outcome: Outcome) {
    counters.in_flight -= 1;
    counters.in_flight_bytes -= u64::from(entry.cost);
    match outcome {
        Outcome::Delivered => counters.delivered += 1,
        Outcome::NotSent => counters.not_sent += 1,
        Outcome::Unknown => counters.unknown += 1,
    }
}
