//! The books: every accepted message, what the servers executed, what the publishers were told.
//!
//! ```text
//!   accept ──► Message { legs: [LegRecord] } ◄── executed (the server's journal)
//!                                            ◄── outcome  (the core's report)
//! ```
//!
//! The books know more than anyone in the system: both ends of every wire. The invariants compare them.

use std::collections::BTreeMap;

use ringwire_core::{Outcome, PublisherId, WhenDown};
use ringwire_shards::credit::Amount;

use super::random::mix;

/// One leg of an accepted message.
#[derive(Clone, Debug)]
pub(crate) struct LegRecord {
    /// The endpoint's index; `None` is the bus.
    pub(crate) endpoint: Option<usize>,
    pub(crate) cost: u32,
    pub(crate) when_down: WhenDown,
    /// How often a server executed it, the receivers that it counted, and its place in the endpoint's journal.
    pub(crate) executed: u32,
    pub(crate) receivers: u64,
    pub(crate) position: usize,
    pub(crate) outcome: Option<Outcome>,
    /// The endpoint's publish lane was not connected when the message was handed to the core.
    pub(crate) waited: bool,
    /// How often the endpoint's breaker had opened then.
    pub(crate) trips: u64,
}

/// An accepted message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) channel: u32,
    pub(crate) payload_len: usize,
    pub(crate) tag: u64,
    pub(crate) intended_ns: u64,
    /// When the core took it; `None` while it is in the ring.
    pub(crate) handed_ns: Option<u64>,
    pub(crate) legs: Vec<LegRecord>,
}

/// A `PUBLISH` that a server executed, or a message on the bus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution {
    pub(crate) at_ns: u64,
    pub(crate) channel: u32,
}

/// Messages and bytes that a publisher has outstanding at an endpoint, and of these, what the core holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outstanding {
    pub(crate) accepted: Amount,
    pub(crate) handed: Amount,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    /// By publisher, then by sequence.
    pub(crate) messages: Vec<Vec<Message>>,
    /// By endpoint; the bus comes last.
    pub(crate) journals: Vec<Vec<Execution>>,
    /// By publisher, then by endpoint.
    pub(crate) outstanding: Vec<Vec<Outstanding>>,
    /// Names of the channels.
    pub(crate) channels: Vec<Box<[u8]>>,
    /// By endpoint: whether its servers lie at times.
    pub(crate) liars: Vec<bool>,
    /// The last sequence that an endpoint executed, by (endpoint, channel, publisher).
    pub(crate) last_executed: BTreeMap<(usize, u32, usize), u64>,
    /// The last sequence that was told as *delivered*, likewise.
    pub(crate) last_delivered: BTreeMap<(usize, u32, usize), u64>,
    /// By endpoint: the first message that was executed out of order, in words.
    pub(crate) disorder: Vec<Option<String>>,
}

impl Ledger {
    pub(crate) fn new(publishers: usize, liars: Vec<bool>, channels: Vec<Box<[u8]>>) -> Self {
        let endpoints = liars.len();
        Self {
            liars,
            last_executed: BTreeMap::new(),
            last_delivered: BTreeMap::new(),
            disorder: vec![None; endpoints],
            messages: vec![Vec::new(); publishers],
            journals: vec![Vec::new(); endpoints + 1],
            outstanding: vec![vec![Outstanding::default(); endpoints]; publishers],
            channels,
        }
    }

    pub(crate) fn bus(&self) -> usize {
        self.journals.len() - 1
    }

    /// Whether the servers behind a journal lie at times.
    pub(crate) fn lies(&self, journal: usize) -> bool {
        self.liars.get(journal).is_some_and(|liar| *liar)
    }

    pub(crate) fn message(&mut self, publisher: PublisherId, sequence: u64) -> Option<&mut Message> {
        self.messages.get_mut(publisher.0 as usize)?.get_mut(sequence as usize)
    }

    /// Books an accepted message.
    pub(crate) fn accept(&mut self, publisher: usize, message: Message) {
        for leg in &message.legs {
            if let Some(endpoint) = leg.endpoint {
                let outstanding = &mut self.outstanding[publisher][endpoint];
                outstanding.accepted = outstanding.accepted.plus(one(leg.cost));
            }
        }
        self.messages[publisher].push(message);
    }

    /// The core takes a message. `lanes` says of each endpoint whether its publish lane is not connected, and how often
    /// its breaker has opened.
    pub(crate) fn hand_over(
        &mut self,
        now_ns: u64,
        publisher: PublisherId,
        sequence: u64,
        lanes: &[(bool, u64)],
    ) {
        let outstanding = &mut self.outstanding[publisher.0 as usize];
        let message = &mut self.messages[publisher.0 as usize][sequence as usize];
        message.handed_ns = Some(now_ns);
        for leg in &mut message.legs {
            if let Some(endpoint) = leg.endpoint {
                (leg.waited, leg.trips) = lanes[endpoint];
                outstanding[endpoint].handed = outstanding[endpoint].handed.plus(one(leg.cost));
            }
        }
    }

    /// Takes a leg off the outstanding ones.
    pub(crate) fn give_back(&mut self, publisher: PublisherId, endpoint: usize, cost: u32) {
        let outstanding = &mut self.outstanding[publisher.0 as usize][endpoint];
        outstanding.accepted = outstanding.accepted.minus(one(cost));
        outstanding.handed = outstanding.handed.minus(one(cost));
    }

    /// What all publishers have outstanding at an endpoint.
    pub(crate) fn outstanding_at(&self, endpoint: usize) -> Outstanding {
        let mut sum = Outstanding::default();
        for publisher in &self.outstanding {
            sum.accepted = sum.accepted.plus(publisher[endpoint].accepted);
            sum.handed = sum.handed.plus(publisher[endpoint].handed);
        }
        sum
    }

    /// Legs that wait for their outcome.
    pub(crate) fn undecided(&self) -> usize {
        let legs = self.messages.iter().flatten().flat_map(|message| &message.legs);
        legs.filter(|leg| leg.outcome.is_none()).count()
    }
}

pub(crate) fn one(bytes: u32) -> Amount {
    Amount { messages: 1, bytes: u64::from(bytes) }
}

/// Bytes of a payload before its filler: who sent it.
pub(crate) const PAYLOAD_HEAD: usize = 12;

/// The payload of a message: its sender and number, then bytes that follow from both. They look like pieces of
/// the protocol, so that a decoder that has lost its place goes wrong soon.
pub(crate) fn payload(publisher: usize, sequence: u64, len: usize) -> Vec<u8> {
    const FILLER: &[u8] = b"\r\n*3$+:-_>%#,(~=|0123456789 PUBLISH";
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(&(publisher as u32).to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    let seed = mix(sequence ^ ((publisher as u64) << 32)) as usize % FILLER.len();
    bytes.extend(FILLER.iter().cycle().skip(seed).take(len.saturating_sub(PAYLOAD_HEAD)));
    bytes
}

/// Who sent a payload: publisher and sequence.
pub(crate) fn sender(payload: &[u8]) -> Option<(usize, u64)> {
    let (publisher, rest) = payload.split_first_chunk::<4>()?;
    let (sequence, _) = rest.split_first_chunk::<8>()?;
    Some((u32::from_le_bytes(*publisher) as usize, u64::from_le_bytes(*sequence)))
}
