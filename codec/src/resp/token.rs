//! What a decoder yields, and how much of it.

/// Longest bulk string accepted by default, in bytes: far above the largest message that the engine
/// publishes (1 MiB), far below what one connection may cost in memory.
pub const BULK_LEN_MAX: usize = 16 << 20;

/// Longest text line (`+`, `-`, `(`, `,`) accepted by default, in bytes: servers send short status and error
/// texts, and error texts may quote a command's arguments.
pub const LINE_LEN_MAX: usize = 64 << 10;

/// Longest top-level frame accepted by default, in bytes: a batch of stream entries is large, but a
/// receive buffer must hold the whole frame.
pub const FRAME_LEN_MAX: usize = 64 << 20;

/// Most aggregates that may be open at once: the decoder's stack is an array of this size. `COMMAND DOCS`, the
/// deepest reply of Redis 7.0, reaches 12.
pub const DEPTH_CAP: usize = 64;

/// What a decoder accepts. A peer that exceeds a limit gets a [`DecodeError`](super::DecodeError).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest bulk string, bulk error, verbatim string or chunk, in bytes.
    pub bulk_len_max: usize,
    /// Longest text line, in bytes, without its type byte and CRLF.
    pub line_len_max: usize,
    /// Most aggregates (and streamed strings) open at once; values above [`DEPTH_CAP`] mean `DEPTH_CAP`.
    pub depth_max: usize,
    /// Longest top-level frame, in bytes, attributes and nested pushes included.
    pub frame_len_max: usize,
}

impl Limits {
    /// For bytes that have been checked once already.
    pub(super) const CHECKED: Self = Self {
        bulk_len_max: usize::MAX,
        line_len_max: usize::MAX,
        depth_max: DEPTH_CAP,
        frame_len_max: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bulk_len_max: BULK_LEN_MAX,
            line_len_max: LINE_LEN_MAX,
            depth_max: DEPTH_CAP,
            frame_len_max: FRAME_LEN_MAX,
        }
    }
}

/// One step of a frame: a scalar, the header of an aggregate, or a part of something streamed.
///
/// The elements of an aggregate follow its header as tokens of their own. A count of `None` means that the
/// aggregate is streamed: [`Token::End`] closes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// `+text`
    Simple(&'a [u8]),
    /// `-text`
    Error(&'a [u8]),
    /// `:number`
    Integer(i64),
    /// `,number`, `inf`, `-inf` and `nan` included
    Double(f64),
    /// `(digits`, with the sign if there was one
    BigNumber(&'a [u8]),
    /// `#t`, `#f`
    Boolean(bool),
    /// `_`, and RESP2's `$-1` and `*-1`, which some servers send under RESP3 too
    Null,
    /// `$length`
    Bulk(&'a [u8]),
    /// `!length`
    BulkError(&'a [u8]),
    /// `=length`
    Verbatim {
        /// Usually `txt` or `mkd`.
        format: [u8; 3],
        /// What follows the format and its colon.
        text: &'a [u8],
    },
    /// `*count` elements
    Array(Option<u64>),
    /// `~count` elements
    Set(Option<u64>),
    /// `%count` pairs: twice as many elements follow
    Map(Option<u64>),
    /// `|count` pairs about the value that follows them
    Attribute(Option<u64>),
    /// `>count` elements
    Push(Option<u64>),
    /// `$?`: a string in chunks
    StreamedString,
    /// `;length`: a part of a streamed string
    Chunk(&'a [u8]),
    /// `.` or `;0`: the end of what was streamed
    End,
}

impl<'a> Token<'a> {
    /// The bytes of a text-like scalar: simple and bulk strings and errors, big numbers, verbatim texts and
    /// chunks.
    #[inline]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Simple(bytes)
            | Self::Error(bytes)
            | Self::BigNumber(bytes)
            | Self::Bulk(bytes)
            | Self::BulkError(bytes)
            | Self::Chunk(bytes)
            | Self::Verbatim { text: bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The text of an error reply, simple or bulk.
    #[inline]
    pub fn error(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Error(text) | Self::BulkError(text) => Some(text),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn resolve(mark: Mark, input: &'a [u8]) -> Self {
        match mark {
            Mark::Simple(span) => Self::Simple(span.of(input)),
            Mark::Error(span) => Self::Error(span.of(input)),
            Mark::Integer(value) => Self::Integer(value),
            Mark::Double(value) => Self::Double(value),
            Mark::BigNumber(span) => Self::BigNumber(span.of(input)),
            Mark::Boolean(value) => Self::Boolean(value),
            Mark::Null => Self::Null,
            Mark::Bulk(span) => Self::Bulk(span.of(input)),
            Mark::BulkError(span) => Self::BulkError(span.of(input)),
            Mark::Verbatim(span) => match span.of(input) {
                [a, b, c, b':', text @ ..] => Self::Verbatim { format: [*a, *b, *c], text },
                // The decoder has checked the colon.
                text => Self::Bulk(text),
            },
            Mark::Array(count) => Self::Array(count),
            Mark::Set(count) => Self::Set(count),
            Mark::Map(count) => Self::Map(count),
            Mark::Attribute(count) => Self::Attribute(count),
            Mark::Push(count) => Self::Push(count),
            Mark::StreamedString => Self::StreamedString,
            Mark::Chunk(span) => Self::Chunk(span.of(input)),
            Mark::End => Self::End,
        }
    }
}

/// Where bytes lie, counted from the frame's first byte: it survives the buffer's moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    #[inline]
    fn of(self, input: &[u8]) -> &[u8] {
        // A span is made only from bytes that were there; a caller that hands in fewer later gets nothing.
        input.get(self.start..self.end).unwrap_or_default()
    }
}

/// A [`Token`] that names its bytes instead of borrowing them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    Simple(Span),
    Error(Span),
    Integer(i64),
    Double(f64),
    BigNumber(Span),
    Boolean(bool),
    Null,
    Bulk(Span),
    BulkError(Span),
    Verbatim(Span),
    Array(Option<u64>),
    Set(Option<u64>),
    Map(Option<u64>),
    Attribute(Option<u64>),
    Push(Option<u64>),
    StreamedString,
    Chunk(Span),
    End,
}
