//! Channels and their legs: what was resolved once, when the channel was opened.

use ringwire_codec::resp::CommandPrefix;
use twox_hash::XxHash3_64;

use crate::outlet::EndpointId;
use crate::settings::WhenDown;

/// A channel has at most this many legs: a report names its leg in one byte, and a message is all or nothing over
/// its legs, so each further one makes refusals likelier.
pub const LEGS_MAX: usize = 4;

/// The longest channel name or pattern, in bytes: it must fit beside a payload in a subscriber's smallest ring.
pub const NAME_LEN_MAX: usize = 1 << 10;

/// What a record takes beside its body: its lengths and deltas in the batch, and what is kept to answer for it.
const KAFKA_OVERHEAD: u32 = 112;

/// The shard of a channel or pattern among `shards`: xxh3-64 of its name, modulo their number.
pub fn shard_of(name: &[u8], shards: usize) -> usize {
    (XxHash3_64::oneshot(name) % shards.max(1) as u64) as usize
}

/// Where a leg leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The subscribers in this process.
    Bus,
    /// `PUBLISH` on a Redis endpoint.
    RedisPublish(EndpointId),
    /// Records in a topic of a Kafka endpoint.
    KafkaTopic(EndpointId),
}

/// One (channel, endpoint), with what can be prepared for it.
#[derive(Clone, Debug)]
pub struct Leg {
    target: Target,
    /// `PUBLISH channel`, as bytes; empty for the bus.
    prefix: CommandPrefix,
    /// The topic; empty elsewhere.
    topic: Box<str>,
    /// xxh3 of the channel's name: where the records of a channel go that have no key.
    channel_hash: u32,
    /// What a message costs beside its payload.
    overhead: u32,
    /// What happens to messages while the endpoint is not connected.
    when_down: WhenDown,
}

impl Leg {
    /// The leg to the subscribers in this process.
    pub fn bus() -> Self {
        let prefix = CommandPrefix::new(&[], 0);
        let when_down = WhenDown::Reject;
        Self { target: Target::Bus, prefix, topic: "".into(), channel_hash: 0, overhead: 0, when_down }
    }

    /// The leg of `channel` to a Redis endpoint, by `PUBLISH`.
    pub fn redis_publish(endpoint: EndpointId, channel: &[u8], when_down: WhenDown) -> Self {
        let prefix = CommandPrefix::new(&[b"PUBLISH", channel], 1);
        // `$<20 digits>\r\n` and the closing `\r\n` at the most.
        let overhead = (prefix.encoded_len(0) + 24) as u32;
        let target = Target::RedisPublish(endpoint);
        Self { target, prefix, topic: "".into(), channel_hash: 0, overhead, when_down }
    }

    /// The leg of `channel` to a topic of a Kafka endpoint.
    pub fn kafka_topic(endpoint: EndpointId, channel: &[u8], topic: &str, when_down: WhenDown) -> Self {
        Self {
            target: Target::KafkaTopic(endpoint),
            prefix: CommandPrefix::new(&[], 0),
            topic: topic.into(),
            channel_hash: XxHash3_64::oneshot(channel) as u32,
            overhead: KAFKA_OVERHEAD,
            when_down,
        }
    }

    /// Where it leads.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The endpoint whose credit it takes; the bus takes none.
    pub fn endpoint(&self) -> Option<EndpointId> {
        match self.target {
            Target::Bus => None,
            Target::RedisPublish(endpoint) | Target::KafkaTopic(endpoint) => Some(endpoint),
        }
    }

    /// What happens to its messages while the endpoint is not connected.
    pub fn when_down(&self) -> WhenDown {
        self.when_down
    }

    /// Bytes that a message with such a body ([`crate::Frame::body_len`]) takes from the endpoint's credit: no less than it will occupy in
    /// the endpoint's queue. Publisher and core count alike.
    #[inline]
    pub fn cost(&self, body_len: usize) -> u32 {
        if self.overhead == 0 { 0 } else { self.overhead + body_len as u32 }
    }

    /// The topic that it leads to; empty if none.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    #[inline]
    pub(crate) fn channel_hash(&self) -> u32 {
        self.channel_hash
    }

    pub(crate) fn prefix(&self) -> &CommandPrefix {
        &self.prefix
    }
}

/// A channel as the core is told of it.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its index within the engine, dense from 0. Frames and reports name the channel by it.
    pub index: u32,
    /// Its name.
    pub name: Box<[u8]>,
    /// Its legs, at most [`LEGS_MAX`], in the order that reports name them.
    pub legs: Vec<Leg>,
}
