//! An open channel: its name, its shard and its legs, resolved once.

use std::fmt;
use std::sync::Arc;

use ringwire_core::channel::Target;
use ringwire_core::{Leg, WhenDown};
use ringwire_shards::credit::Amount;

use crate::config::EndpointKind;

/// A channel of an engine. Cheap to clone; `Send + Sync`. Opened by [`crate::Engine::channel`].
///
/// All that a publisher of a channel with one leg looks at stands in it, and in one line: after a pause every line costs a
/// miss, and so does each with thousands of channels.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Channel {
    /// What its engine's [`crate::shared::Shared::admits`] wants to see.
    pub(crate) pass: u64,
    /// The only one of `tolls`, where there is one.
    pub(crate) toll: Option<Toll>,
    pub(crate) shard: usize,
    /// Report slots that a message takes: one for each leg.
    slots: u64,
    pub(crate) index: u32,
    /// Whether every leg refuses messages while its endpoint is not connected.
    pub(crate) rejects: bool,
    pub(crate) rest: Arc<Rest>,
}

const _: () = assert!(size_of::<Channel>() == 64);

/// What all clones of a channel share: looked at where it has several legs, or none, and off the publish path.
#[derive(Debug)]
pub(crate) struct Rest {
    /// What a message pays on each leg that has an endpoint.
    pub(crate) tolls: Box<[Toll]>,
    pub(crate) legs: Vec<Leg>,
    pub(crate) name: Box<[u8]>,
}

/// The credit that one leg asks of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Toll {
    pub(crate) endpoint: usize,
    /// Bytes beside the payload's.
    overhead: u32,
}

impl Toll {
    /// What a message with such a payload takes: as the core counts it ([`Leg::cost`]).
    #[inline]
    pub(crate) fn of(self, payload_len: usize) -> Amount {
        Amount { messages: 1, bytes: u64::from(self.overhead) + payload_len as u64 }
    }
}

impl Channel {
    pub(crate) fn new(pass: u64, index: u32, name: &[u8], shard: usize, legs: Vec<Leg>) -> Self {
        let tolls = legs.iter().filter_map(|leg| {
            let endpoint = usize::from(leg.endpoint()?.0);
            Some(Toll { endpoint, overhead: leg.cost(0) })
        });
        let tolls: Box<[Toll]> = tolls.collect();
        Self {
            pass,
            toll: if let [toll] = *tolls { Some(toll) } else { None },
            shard,
            slots: legs.len() as u64,
            index,
            rejects: legs.iter().all(|leg| leg.endpoint().is_some() && leg.when_down() == WhenDown::Reject),
            rest: Arc::new(Rest { tolls, legs, name: name.into() }),
        }
    }

    /// The report slots that a message takes.
    #[inline]
    pub(crate) fn slots(&self) -> Amount {
        Amount { messages: self.slots, bytes: 0 }
    }

    /// The channel's name.
    pub fn name(&self) -> &[u8] {
        &self.rest.name
    }

    /// Its index within the engine: [`crate::Report`] names the channel by it.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How many destinations each message has: so many reports come for it.
    pub fn legs(&self) -> usize {
        self.rest.legs.len()
    }

    /// What destination number `leg` is; none for the local bus, and where there is no such leg. Reports name the leg.
    pub fn kind(&self, leg: u8) -> Option<EndpointKind> {
        match self.rest.legs.get(usize::from(leg))?.target() {
            Target::Bus => None,
            Target::RedisPublish(_) => Some(EndpointKind::Redis),
            Target::KafkaTopic(_) => Some(EndpointKind::Kafka),
        }
    }

    /// The topic that destination number `leg` is, if it is one.
    pub fn topic(&self, leg: u8) -> Option<&str> {
        self.rest.legs.get(usize::from(leg)).map(Leg::topic).filter(|topic| !topic.is_empty())
    }

    /// The shard that carries it.
    pub fn shard(&self) -> usize {
        self.shard
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", String::from_utf8_lossy(self.name()))
    }
}
