//! One topic in use on this shard: its partitions, and messages that came before these were known.

use std::collections::VecDeque;

use ringwire_codec::kafka::{BatchLimits, Compression, ErrorCode, NO_UUID, OpenBatch};

use super::partition::{Entry, Partition};
use super::partitioner::Memory;
use super::settings::KafkaSettings;

/// A message that waits for the topic's partitions to be known.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) entry: Entry,
    pub(super) channel_hash: u32,
    /// The encoded frame. Only a topic that is being looked up holds any.
    pub(super) frame: Box<[u8]>,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    /// As the cluster numbers it, from Kafka 2.8 on.
    pub(super) id: [u8; 16],
    /// The id of the topic that had the name before: an answer about that one may still be on its way.
    pub(super) former_id: [u8; 16],
    pub(super) partitions: Vec<Partition>,
    /// Partitions that it has; a topic that was made anew may have fewer than before.
    pub(super) count: u32,
    pub(super) memory: Memory,
    pub(super) held: VecDeque<Held>,
    /// Since when the brokers do not know it, and what they say of it meanwhile.
    pub(super) missing: Option<(u64, ErrorCode)>,
    /// Why it takes no messages.
    pub(super) refused: Option<ErrorCode>,
    limits: BatchLimits,
    compression: Compression,
}

impl Topic {
    pub(super) fn new(name: &str, settings: &KafkaSettings) -> Self {
        let limits = BatchLimits {
            bytes: settings.batch_size,
            bytes_max: settings.max_request_size,
            ..BatchLimits::default()
        };
        Self {
            name: name.to_owned(),
            id: NO_UUID,
            former_id: NO_UUID,
            partitions: Vec::new(),
            count: 0,
            memory: Memory::default(),
            held: VecDeque::new(),
            missing: None,
            refused: None,
            limits,
            compression: settings.compression,
        }
    }

    /// Makes the topic have so many partitions; it never has fewer than before, as Kafka's topics do not shrink.
    pub(super) fn grow(&mut self, count: usize) {
        let (limits, compression) = (self.limits, self.compression);
        let more = count.saturating_sub(self.partitions.len());
        self.partitions.extend((0..more).map(|_| Partition::new(OpenBatch::new(limits, compression))));
    }

    /// When its oldest message without an outcome was taken.
    pub(super) fn oldest_ns(&self) -> Option<u64> {
        let held = self.held.front().map(|held| held.entry.since_ns);
        self.partitions.iter().filter_map(Partition::oldest_ns).chain(held).min()
    }

    /// What the brokers say of it while they do not know it.
    pub(super) fn missing_error(&self) -> Option<ErrorCode> {
        self.missing.map(|(_, code)| code)
    }

    /// The partitions that it has now.
    pub(super) fn present(&self) -> &[Partition] {
        &self.partitions[..self.count as usize]
    }

    /// Whether its partitions are known, and take messages.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.count > 0 && self.refused.is_none() && self.held.is_empty()
    }
}
