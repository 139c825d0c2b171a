//! The books: every accepted message, its places in the logs, and what its publisher was told.
//!
//! Every append is looked at when it happens, so that the books keep what a deleted topic held. A message is *shaken*
//! if it was without an outcome while a broker knew nothing of the producer where it had known something: from then
//! until the first append of the producer there, a broker takes any sequence, and no client can keep order or prevent
//! a repetition.

use std::collections::BTreeSet;

use ringwire_core::{KafkaErrorCode, Outcome};
use ringwire_loopback::kafka::Cluster;

use super::context::Context;
use crate::sim::ledger::{payload, sender};

/// Where a record is: the incarnation counts how often the topic was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) incarnation: u32,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// An accepted message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) channel: usize,
    pub(super) topic: usize,
    pub(super) key: Option<u64>,
    /// The partition that it asks for, or -1.
    pub(super) partition: i32,
    pub(super) payload_len: usize,
    pub(super) cost: u32,
    /// When the core took it; `None` while it waits for the shard.
    pub(super) handed_ns: Option<u64>,
    pub(super) places: Vec<Place>,
    pub(super) outcome: Option<Outcome>,
    pub(super) shaken: bool,
    /// A request that holds it has left the client whole. Not kept where nobody answers requests.
    pub(super) has_left: bool,
}

/// A topic as the world has it.
#[derive(Debug)]
pub(super) struct TopicBook {
    pub(super) name: String,
    pub(super) is_compacted: bool,
    pub(super) message_bytes_max: Option<usize>,
    id: Option<[u8; 16]>,
    pub(super) incarnation: u32,
    /// By partition: the offset behind the last record seen.
    ends: Vec<i64>,
    /// By partition: the broker knows nothing of a producer that it knew.
    vacant: Vec<bool>,
    /// The fewest partitions that it ever had.
    pub(super) partitions_min: usize,
    pub(super) was_deleted: bool,
    /// A broker forgot the producer.
    pub(super) was_shaken: bool,
}

impl TopicBook {
    pub(super) fn new(
        name: &str,
        partitions: usize,
        is_compacted: bool,
        message_bytes_max: Option<usize>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            is_compacted,
            message_bytes_max,
            id: None,
            incarnation: 0,
            ends: Vec::new(),
            vacant: Vec::new(),
            partitions_min: partitions,
            was_deleted: false,
            was_shaken: false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    /// By publisher, then by sequence.
    pub(super) messages: Vec<Vec<Message>>,
    pub(super) topics: Vec<TopicBook>,
    /// By publisher: messages and bytes without an outcome, and of these, what the core holds.
    pub(super) accepted: Vec<(u64, u64)>,
    pub(super) handed: Vec<(u64, u64)>,
    /// Codes that brokers were made to answer.
    pub(super) injected: BTreeSet<i16>,
    /// Topics that were not allowed, or missing, at some time.
    pub(super) banned: bool,
    pub(super) missing: bool,
    /// *Unknown* was told of a batch though its producer lives, so that the next sequence may be a wrong one.
    pub(super) unsettled: bool,
}

impl Ledger {
    pub(super) fn new(publishers: usize, topics: Vec<TopicBook>) -> Self {
        Self {
            messages: vec![Vec::new(); publishers],
            topics,
            accepted: vec![(0, 0); publishers],
            handed: vec![(0, 0); publishers],
            injected: BTreeSet::new(),
            banned: false,
            missing: false,
            unsettled: false,
        }
    }

    pub(super) fn message(&mut self, publisher: u32, sequence: u64) -> Option<&mut Message> {
        self.messages.get_mut(publisher as usize)?.get_mut(sequence as usize)
    }

    pub(super) fn accept(&mut self, publisher: usize, message: Message) {
        add(&mut self.accepted[publisher], message.cost);
        self.messages[publisher].push(message);
    }

    pub(super) fn hand_over(&mut self, now_ns: u64, publisher: usize, sequence: u64) {
        let message = &mut self.messages[publisher][sequence as usize];
        message.handed_ns = Some(now_ns);
        let vacant = &self.topics[message.topic].vacant;
        message.shaken = match usize::try_from(message.partition) {
            Ok(partition) => vacant.get(partition).is_some_and(|vacant| *vacant),
            Err(_) => vacant.contains(&true),
        };
        add(&mut self.handed[publisher], message.cost);
    }

    /// Whether a topic was missing at some time, or brokers said so by this code.
    pub(super) fn misses(&self, code: KafkaErrorCode) -> bool {
        self.missing || self.was_injected(code)
    }

    /// Whether a broker may refuse a sequence though the producer did nothing wrong.
    pub(super) fn excuses_disorder(&self, topic: usize) -> bool {
        let lies = [
            KafkaErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            KafkaErrorCode::UNKNOWN_PRODUCER_ID,
            KafkaErrorCode::INVALID_PRODUCER_EPOCH,
        ];
        self.unsettled || self.topics[topic].was_shaken || lies.iter().any(|code| self.was_injected(*code))
    }

    /// What the core holds of all publishers: messages and bytes.
    pub(super) fn held(&self) -> (u64, u64) {
        self.handed.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
    }

    /// Messages that wait for their outcome.
    pub(super) fn undecided(&self) -> u64 {
        self.accepted.iter().map(|it| it.0).sum()
    }

    pub(super) fn was_injected(&self, code: KafkaErrorCode) -> bool {
        self.injected.contains(&code.0)
    }

    /// The brokers of a partition, or of a whole topic, forget the producer.
    pub(super) fn forgets(&mut self, topic: usize, partition: Option<usize>) {
        self.topics[topic].was_shaken = true;
        let vacant = &mut self.topics[topic].vacant;
        match partition {
            Some(partition) if partition < vacant.len() => vacant[partition] = true,
            Some(_) => return,
            None => vacant.fill(true),
        }
        for message in self.messages.iter_mut().flatten() {
            let elsewhere =
                partition.is_some_and(|it| message.partition >= 0 && message.partition != it as i32);
            if message.topic == topic
                && message.handed_ns.is_some()
                && message.outcome.is_none()
                && !elsewhere
            {
                message.shaken = true;
            }
        }
    }
}

fn add(sum: &mut (u64, u64), cost: u32) {
    sum.0 += 1;
    sum.1 += u64::from(cost);
}

/// Takes a message off a sum; false if it was not in it.
pub(super) fn subtract(sum: &mut (u64, u64), cost: u32) -> bool {
    let enough = sum.0 >= 1 && sum.1 >= u64::from(cost);
    *sum = (sum.0.saturating_sub(1), sum.1.saturating_sub(u64::from(cost)));
    enough
}

/// Books what the brokers have appended, and topics that came and went. `is_late`: the bytes came on a connection that
/// the client has given up.
pub(super) fn observe(ctx: &mut Context, cluster: &mut Cluster, is_late: bool) {
    for topic in 0..ctx.ledger.topics.len() {
        let name = ctx.ledger.topics[topic].name.clone();
        observe_life(ctx, cluster, topic, &name);
        for partition in 0..ctx.ledger.topics[topic].ends.len() {
            let from = ctx.ledger.topics[topic].ends[partition];
            let end = cluster.offsets(&name, partition as i32).map_or(0, |range| range.end);
            if end == from {
                continue;
            }
            let book = &mut ctx.ledger.topics[topic];
            book.ends[partition] = end;
            // A copy from a connection that was given up, and a broker that knows nothing of the one before: nobody can
            // tell it from a new message.
            let is_unknown_copy = std::mem::replace(&mut book.vacant[partition], false) && is_late;
            ctx.coverage.late_batches += u64::from(is_late);
            observe_records(ctx, cluster, topic, partition as i32, from, is_unknown_copy);
        }
    }
}

fn observe_life(ctx: &mut Context, cluster: &Cluster, topic: usize, name: &str) {
    let id = cluster.topic_id(name);
    let count = cluster.partition_count(name).unwrap_or(0);
    let book = &mut ctx.ledger.topics[topic];
    if id != book.id {
        let was_there = book.id.is_some();
        book.id = id;
        book.was_deleted |= was_there;
        if id.is_some() && book.was_deleted {
            book.incarnation += 1;
        }
        if id.is_some() {
            book.ends = vec![0; count];
            book.vacant = vec![book.was_deleted; count];
        } else {
            // What is not there has nothing new.
            book.ends.clear();
            book.vacant = vec![true; book.vacant.len()];
        }
        if book.was_deleted {
            ctx.ledger.forgets(topic, None);
        }
    }
    let book = &mut ctx.ledger.topics[topic];
    if id.is_some() {
        book.partitions_min = book.partitions_min.min(count);
        // A new partition knows nobody, and nobody has sent anything to it.
        book.ends.resize(count, 0);
        book.vacant.resize(count, false);
    }
}

fn observe_records(
    ctx: &mut Context,
    cluster: &mut Cluster,
    topic: usize,
    partition: i32,
    from: i64,
    is_unknown_copy: bool,
) {
    let name = ctx.ledger.topics[topic].name.clone();
    let incarnation = ctx.ledger.topics[topic].incarnation;
    let records = match cluster.records(&name, partition, from) {
        Ok(records) => records,
        Err(error) => return ctx.judge.broken("a log can be read", format!("{name}/{partition}: {error:?}")),
    };
    for record in records {
        let value = record.value.unwrap_or_default();
        let place = Place { incarnation, partition, offset: record.offset };
        let Some((publisher, sequence)) = sender(&value) else {
            ctx.judge.broken("a record belongs to a message", format!("{name} {place:?}: {value:?}"));
            continue;
        };
        ctx.judge.note(|| {
            let (epoch, number) = (record.producer_epoch, record.sequence);
            format!("{name} takes {publisher}.{sequence} at {place:?}, epoch {epoch} sequence {number}")
        });
        let Some(message) = ctx.ledger.message(publisher as u32, sequence) else {
            ctx.judge.broken("a record belongs to a message", format!("{name} {place:?}"));
            continue;
        };
        let key = message.key.map(|key| key.to_le_bytes().to_vec());
        let is_whole = message.topic == topic
            && value == payload(publisher, sequence, message.payload_len)
            && record.key == key
            && (message.partition < 0 || message.partition == partition)
            && message.handed_ns.is_some();
        message.shaken |= is_unknown_copy && !message.places.is_empty();
        message.places.push(place);
        ctx.judge.require(is_whole, "a record is what was published", || format!("{name} {place:?}"));
    }
}
