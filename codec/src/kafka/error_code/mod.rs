//! What a broker answers when it does not simply do what it was asked.

mod advice;
mod table;

use std::fmt;

/// A number in a response; 0 is no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

/// Whether a batch is in the log of its partition, after a Produce answer with an error.
///
/// It speaks of the attempt that was answered. An earlier attempt of the same batch whose answer never came stays
/// as ambiguous as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is not, and never will be.
    No,
    /// Nobody knows: it has to be sent again, with the same producer id and sequence, until it is decided.
    Maybe,
    /// It is.
    Yes,
}

/// What is known of an [`ErrorCode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorInfo {
    /// The number.
    pub code: i16,
    /// Its name in Kafka's protocol guide.
    pub name: &'static str,
    /// Kafka's own word on whether the same request may succeed later.
    pub retriable: bool,
    /// After a Produce request. A code that Produce has no reason to answer counts as *maybe*.
    pub appended: Appended,
    /// What to do about it.
    pub advice: &'static str,
}

/// A code that is newer than the table, or none of Kafka's.
const UNKNOWN: ErrorInfo = ErrorInfo {
    code: i16::MIN,
    name: "unknown error code",
    retriable: false,
    appended: Appended::Maybe,
    advice: advice::UNKNOWN,
};

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
    /// The broker does not host the partition, or not yet.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The broker does not lead the partition.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// A batch beyond `max.message.bytes`.
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    /// A batch beyond `segment.bytes`.
    pub const RECORD_LIST_TOO_LARGE: Self = Self(18);
    /// The version of a request is not spoken.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The topic is there already.
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    /// A batch before this one is missing.
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: Self = Self(45);
    /// The batch is in the log since long ago.
    pub const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    /// A newer epoch of the producer is at work.
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    /// The broker knows nothing of the producer.
    pub const UNKNOWN_PRODUCER_ID: Self = Self(59);
    /// A record is invalid.
    pub const INVALID_RECORD: Self = Self(87);
    /// The broker knows no topic of that id, or not yet.
    pub const UNKNOWN_TOPIC_ID: Self = Self(100);
    /// Go back to the bootstrap list.
    pub const REBOOTSTRAP_REQUIRED: Self = Self(129);

    /// What is known of it. A code that is not in the table gets a line for all of those.
    pub fn info(self) -> &'static ErrorInfo {
        let index = i32::from(self.0) - i32::from(table::FIRST);
        usize::try_from(index).ok().and_then(|index| table::TABLE.get(index)).unwrap_or(&UNKNOWN)
    }

    /// Every code in the table.
    pub fn all() -> impl Iterator<Item = Self> {
        table::TABLE.iter().map(|info| Self(info.code))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.info().name, self.0)
    }
}
