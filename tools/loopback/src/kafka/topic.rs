//! Topics, their partitions, and who leads them.

use std::collections::BTreeMap;

use super::TopicOptions;
use super::log::Log;
use super::producer::Producers;

/// Kafka's own limit.
const NAME_LEN_MAX: usize = 249;

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leadership {
    pub(super) leader: i32,
    /// Grows with every change.
    pub(super) epoch: i32,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) leadership: Leadership,
    pub(super) log: Log,
    pub(super) producers: Producers,
}

impl Partition {
    pub(super) fn new(leader: i32) -> Self {
        Self {
            leadership: Leadership { leader, epoch: 0 },
            log: Log::default(),
            producers: Producers::default(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: [u8; 16],
    pub(super) options: TopicOptions,
    /// False: every request about it is refused.
    pub(super) authorized: bool,
    pub(super) partitions: Vec<Partition>,
}

impl Topic {
    pub(super) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(super) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }
}

/// The topics of a cluster.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: BTreeMap<[u8; 16], String>,
    /// Topics that were ever created: an id is never used again.
    created: u64,
}

impl Topics {
    pub(super) fn by_name(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(super) fn by_name_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(super) fn name_of(&self, id: &[u8; 16]) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_name.iter().map(|(name, topic)| (name.as_str(), topic))
    }

    pub(super) fn partition_count(&self) -> usize {
        self.by_name.values().map(|topic| topic.partitions.len()).sum()
    }

    /// Adds a topic under a name that is not taken.
    pub(super) fn insert(&mut self, name: &str, options: TopicOptions, partitions: Vec<Partition>) {
        self.created += 1;
        let id = id_of(self.created);
        self.names.insert(id, name.to_owned());
        self.by_name.insert(name.to_owned(), Topic { id, options, authorized: true, partitions });
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        let removed = self.by_name.remove(name);
        removed.is_some_and(|topic| self.names.remove(&topic.id).is_some())
    }
}

/// A UUID that looks like a random one (version 4), and is the same in every run.
fn id_of(serial: u64) -> [u8; 16] {
    /// Spreads the serial number over the upper half: the golden ratio in 64 bits.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let upper = serial.wrapping_mul(SPREAD) & !0xf000 | 0x4000;
    let lower = serial & !(0b11 << 62) | 0b10 << 62;
    let mut id = [0; 16];
    id[..8].copy_from_slice(&upper.to_be_bytes());
    id[8..].copy_from_slice(&lower.to_be_bytes());
    id
}

/// Whether a topic may be called this.
pub(super) fn is_topic_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name != "."
        && name != ".."
        && name.len() <= NAME_LEN_MAX
        && name.bytes().all(is_allowed)
}
