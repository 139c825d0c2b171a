//! What a peer did wrong, and where.

use std::fmt;

/// Bytes that are not RESP, or more than the [`Limits`](super::Limits) accept.
///
/// The stream cannot be read any further: nobody knows where the next frame begins. Close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Where the offending byte stands (for limits: where the offending token begins), in bytes from the
    /// first byte of the top-level frame.
    pub offset: usize,
    /// What was wrong.
    pub kind: DecodeErrorKind,
}

/// What was wrong; see [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// A frame begins with a byte that is no type.
    UnknownType {
        /// The byte.
        got: u8,
    },
    /// A line feed without its carriage return.
    BareLineFeed,
    /// A carriage return without its line feed.
    BareCarriageReturn {
        /// The byte in place of the line feed.
        got: u8,
    },
    /// A value was complete, but its line goes on.
    ExpectedLineEnd {
        /// The byte in place of the carriage return.
        got: u8,
    },
    /// A number without digits.
    ExpectedDigit {
        /// The byte in place of a digit.
        got: u8,
    },
    /// `01`, `-0`: no server writes these, so the stream is probably out of step.
    LeadingZero,
    /// A number beyond 64 bits, sign included.
    NumberOutOfRange,
    /// A negative length or count, other than the -1 of a RESP2 null.
    NegativeLength {
        /// The type byte of the frame.
        type_byte: u8,
        /// The length.
        len: i64,
    },
    /// The bytes after a bulk's body are not CRLF: the length and the body disagree.
    BulkTrailer {
        /// The declared length of the body in bytes.
        len: usize,
        /// What stands there.
        got: [u8; 2],
    },
    /// Neither `inf`, `-inf`, `nan` nor a decimal number.
    BadDouble,
    /// A big number with something other than digits.
    BadBigNumber {
        /// The byte in place of a digit.
        got: u8,
    },
    /// A boolean other than `t` and `f`.
    BadBoolean {
        /// The byte.
        got: u8,
    },
    /// A verbatim string too short for its format and colon.
    VerbatimTooShort {
        /// The declared length in bytes.
        len: usize,
    },
    /// A verbatim string without a colon after the three bytes of its format.
    VerbatimFormat {
        /// The byte in place of the colon.
        got: u8,
    },
    /// Something other than a chunk inside a streamed string.
    ExpectedChunk {
        /// The type byte.
        got: u8,
    },
    /// A chunk outside a streamed string.
    ChunkOutsideString,
    /// An end where nothing streamed is open.
    EndOutsideStream,
    /// A streamed map ends with a key that has no value.
    OddMap,
    /// A streamed aggregate ends after an attribute that describes nothing.
    DanglingAttribute,
    /// A bulk string longer than the limit.
    BulkTooLong {
        /// The declared length in bytes.
        len: u64,
        /// The limit.
        max: usize,
    },
    /// A text line longer than the limit.
    LineTooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// More elements than fit into the longest frame.
    CountTooLarge {
        /// The declared count.
        count: u64,
        /// The longest frame in bytes.
        frame_len_max: usize,
    },
    /// A frame longer than the limit.
    FrameTooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// More open aggregates than the limit.
    TooDeep {
        /// The limit.
        max: usize,
    },
}

/// A byte as a reader knows it.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' (0x{:02x})", self.0.escape_ascii(), self.0)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not valid RESP at byte {} of the frame: {}", self.offset, self.kind)
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownType { got: b'\r' | b'\n' } => write!(f, "expected a type byte, got an empty line"),
            Self::UnknownType { got } => write!(f, "expected a type byte, got {}", Shown(got)),
            Self::BareLineFeed => write!(f, "expected CRLF, got LF alone"),
            Self::BareCarriageReturn { got } => write!(f, "expected LF after CR, got {}", Shown(got)),
            Self::ExpectedLineEnd { got } => write!(f, "expected CRLF, got {}", Shown(got)),
            Self::ExpectedDigit { got } => write!(f, "expected a digit, got {}", Shown(got)),
            Self::LeadingZero => write!(f, "expected a plain decimal number, got a zero in front"),
            Self::NumberOutOfRange => write!(f, "expected a number of 64 bits, got a larger one"),
            Self::NegativeLength { type_byte, len } => {
                write!(f, "expected a length of 0 or more after {}, got {len}", Shown(type_byte))
            }
            Self::BulkTrailer { len, got: [a, b] } => {
                write!(f, "expected CRLF after a body of {len} bytes, got {} {}", Shown(a), Shown(b))
            }
            Self::BadDouble => write!(f, "expected a decimal number, inf or nan, got something else"),
            Self::BadBigNumber { got } => {
                write!(f, "expected only digits in a big number, got {}", Shown(got))
            }
            Self::BadBoolean { got } => write!(f, "expected the boolean t or f, got {}", Shown(got)),
            Self::VerbatimTooShort { len } => {
                write!(f, "expected a verbatim string of 4 bytes or more, got a length of {len}")
            }
            Self::VerbatimFormat { got } => {
                write!(f, "expected ':' after a verbatim string's format, got {}", Shown(got))
            }
            Self::ExpectedChunk { got } => {
                write!(f, "expected ';' inside a streamed string, got {}", Shown(got))
            }
            Self::ChunkOutsideString => write!(f, "expected a type byte, got ';' outside a streamed string"),
            Self::EndOutsideStream => write!(f, "expected a type byte, got '.' with nothing streamed to end"),
            Self::OddMap => write!(f, "expected a value for the last key of a streamed map, got its end"),
            Self::DanglingAttribute => write!(f, "expected a value after an attribute, got an end"),
            Self::BulkTooLong { len, max } => {
                write!(f, "expected a bulk of {max} bytes at most, got a length of {len}")
            }
            Self::LineTooLong { max } => {
                write!(f, "expected a line of {max} bytes at most, got no CRLF within them")
            }
            Self::CountTooLarge { count, frame_len_max } => {
                write!(
                    f,
                    "expected a frame of {frame_len_max} bytes at most, got a count of {count} elements"
                )
            }
            Self::FrameTooLong { max } => {
                write!(f, "expected a frame of {max} bytes at most, got a longer one")
            }
            Self::TooDeep { max } => write!(f, "expected {max} open aggregates at most, got one more"),
        }
    }
}

impl std::error::Error for DecodeError {}
