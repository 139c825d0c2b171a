//! What was wrong with bytes, or with a value that was to become bytes; and in which field.

use std::fmt;

/// Bytes that are not the message they should be, or a value that the message cannot carry.
///
/// After an error in reading, the connection is out of step or the peer is not Kafka: close it. After an error
/// in writing, what was appended so far is of no use: truncate it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// What was read or written, such as `Produce response`.
    pub message: &'static str,
    /// The version of it; -1 where there are no versions.
    pub version: i16,
    /// The field, as Kafka's protocol guide calls it.
    pub field: &'static str,
    /// Where the field begins, in bytes from where the reader or writer began.
    pub offset: usize,
    /// What was wrong.
    pub kind: WireErrorKind,
}

/// What was wrong; see [`WireError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// The bytes end inside the field.
    Truncated {
        /// Bytes that the field needs.
        wanted: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A length or count below zero, where it does not mean null.
    NegativeLength {
        /// The length.
        len: i32,
    },
    /// Null, where there must be a value.
    Null,
    /// More elements than the bytes that are left could hold.
    CountBeyondEnd {
        /// The declared count.
        count: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A number of variable length that does not end where its type does.
    VarintTooLong {
        /// Bytes that the longest valid one has.
        max: usize,
    },
    /// A string that is not UTF-8.
    NotUtf8,
    /// A tagged field whose size and content disagree.
    TagSize {
        /// The tag.
        tag: u32,
        /// The declared size in bytes.
        size: usize,
        /// Bytes that its content took.
        read: usize,
    },
    /// Bytes behind the last field.
    Trailing {
        /// How many.
        left: usize,
    },
    /// To be written: longer than the field's length can say.
    TooLong {
        /// Length in bytes, or count of elements.
        len: usize,
        /// The longest.
        max: usize,
    },
    /// To be written: a value that this version of the message has no field for.
    NotInThisVersion,
    /// A version that this library does not know.
    UnknownVersion {
        /// The oldest known.
        min: i16,
        /// The newest known.
        max: i16,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        if self.version >= 0 {
            write!(f, " v{}", self.version)?;
        }
        write!(f, ", field {} at byte {}: {}", self.field, self.offset, self.kind)
    }
}

impl fmt::Display for WireErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { wanted, left } => write!(f, "expected {wanted} more bytes, got {left}"),
            Self::NegativeLength { len } => write!(f, "expected a length of 0 or more, got {len}"),
            Self::Null => write!(f, "expected a value, got null"),
            Self::CountBeyondEnd { count, left } => {
                write!(f, "expected a count that fits into the {left} bytes left, got {count}")
            }
            Self::VarintTooLong { max } => {
                write!(f, "expected a number of {max} bytes at most, got a longer or larger one")
            }
            Self::NotUtf8 => write!(f, "expected UTF-8, got other bytes"),
            Self::TagSize { tag, size, read } => {
                write!(f, "expected tagged field {tag} to fill its {size} bytes, got {read}")
            }
            Self::Trailing { left } => write!(f, "expected the end, got {left} more bytes"),
            Self::TooLong { len, max } => write!(f, "expected {max} bytes or elements at most, got {len}"),
            Self::NotInThisVersion => {
                write!(
                    f,
                    "this version cannot carry the value: use a newer one, or leave the field as it is by default"
                )
            }
            Self::UnknownVersion { min, max } => write!(f, "expected a version from {min} to {max}"),
        }
    }
}

impl std::error::Error for WireError {}
