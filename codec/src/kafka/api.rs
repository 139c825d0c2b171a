//! Which messages there are, in which versions.

use super::wire::{WireError, WireErrorKind};

/// A range of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub min: i16,
    /// The newest.
    pub max: i16,
}

/// The messages that this library writes and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Api {
    /// Record batches to partitions.
    Produce,
    /// Record batches from partitions.
    Fetch,
    /// Offsets of partitions by time.
    ListOffsets,
    /// Brokers, topics, and who leads which partition.
    Metadata,
    /// What a broker speaks.
    ApiVersions,
    /// New topics.
    CreateTopics,
    /// The identity of an idempotent or transactional producer.
    InitProducerId,
}

/// One line of the table: key, name, known versions, the first flexible version.
type Line = (Api, i16, &'static str, Versions, i16);

/// From the floor that KIP-896 left to the newest that Kafka 4.1 offers by default.
const TABLE: [Line; 7] = [
    (Api::Produce, 0, "Produce", Versions { min: 3, max: 13 }, 9),
    (Api::Fetch, 1, "Fetch", Versions { min: 4, max: 17 }, 12),
    (Api::ListOffsets, 2, "ListOffsets", Versions { min: 1, max: 10 }, 6),
    (Api::Metadata, 3, "Metadata", Versions { min: 0, max: 13 }, 9),
    (Api::ApiVersions, 18, "ApiVersions", Versions { min: 0, max: 4 }, 3),
    (Api::CreateTopics, 19, "CreateTopics", Versions { min: 2, max: 7 }, 5),
    (Api::InitProducerId, 22, "InitProducerId", Versions { min: 0, max: 5 }, 2),
];

impl Api {
    /// Every one, by key.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.into_iter().map(|line| line.0)
    }

    /// The one of this key.
    pub fn from_key(key: i16) -> Option<Self> {
        TABLE.iter().find(|line| line.1 == key).map(|line| line.0)
    }

    fn line(self) -> &'static Line {
        // In the order of the enum, which a test holds it to.
        &TABLE[self as usize]
    }

    /// Its number on the wire.
    pub fn key(self) -> i16 {
        self.line().1
    }

    /// Its name in Kafka's protocol guide.
    pub fn name(self) -> &'static str {
        self.line().2
    }

    /// The versions that this library knows.
    pub fn versions(self) -> Versions {
        self.line().3
    }

    /// Whether lengths are compact and structures end in tagged fields (KIP-482).
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.line().4
    }

    /// Whether the header of its response ends in tagged fields. That of ApiVersions never does: a client
    /// reads it before it knows the broker (KIP-511).
    pub fn response_header_is_flexible(self, version: i16) -> bool {
        self != Self::ApiVersions && self.is_flexible(version)
    }

    /// The newest version, `at_most`, that a broker offers and this library knows.
    ///
    /// What a broker offers below our floor does not count: 4.0 offers Produce from 0 and refuses 0 to 2.
    pub fn choose(self, offered: Versions, at_most: i16) -> Option<i16> {
        let known = self.versions();
        let version = known.max.min(offered.max).min(at_most);
        (version >= known.min && version >= offered.min).then_some(version)
    }

    pub(super) fn check_version(self, version: i16) -> Result<(), WireError> {
        let Versions { min, max } = self.versions();
        if (min..=max).contains(&version) {
            return Ok(());
        }
        let kind = WireErrorKind::UnknownVersion { min, max };
        Err(WireError { message: self.name(), version, field: "version", offset: 0, kind })
    }
}
