//! Whole frames, as a connection needs them: replies to be matched with requests, and pushes.
//!
//! ```text
//!   input   >3 $7 message $4 chan $128 ....   :1 :1 ...
//!           |- head: Push(3) -|- items 0, 1, 2 -|
//!   next()  Frame { head, items, len }          then the caller consumes len and calls again
//! ```
//!
//! The first [`ITEMS_MAX`] elements are noted by position, so that a push or a short reply is read without
//! walking it again and without allocating; longer and deeper replies are walked with [`Frame::tokens`].
//!
//! Attributes are checked and skipped at any depth. A push that a server writes in the middle of another
//! frame (redis#8935) is a frame of its own, delivered as soon as it is complete and before the one around
//! it; it is never an element, so replies stay aligned with requests.

use super::decode::{Decoder, Step};
use super::error::DecodeError;
use super::token::{Limits, Mark, Token};

/// Elements of a frame that are noted by position: the longest push has 4 (`pmessage`), and 8 keep the reader
/// small.
pub const ITEMS_MAX: usize = 8;

/// Reads frames out of a connection's bytes. One per connection; it never allocates.
///
/// ```
/// use ringwire_codec::resp::{FrameReader, Limits, Token};
///
/// let mut reader = FrameReader::new(Limits::default());
/// let mut input: &[u8] = b":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
/// let mut payloads = 0;
/// while let Some(frame) = reader.next(input)? {
///     if let (Token::Push(_), Some(Token::Bulk(payload))) = (frame.head(), frame.item(2)) {
///         assert_eq!(payload, b"hi");
///         payloads += 1;
///     }
///     input = &input[frame.len()..];
/// }
/// assert_eq!((payloads, input.len()), (1, 0));
/// # Ok::<(), ringwire_codec::resp::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameReader {
    decoder: Decoder,
    outer: Noted,
    /// For a nested push: `outer` goes on after it.
    nested: Noted,
}

/// What is remembered of a frame while it is being read.
#[derive(Clone, Debug)]
struct Noted {
    head: Mark,
    items: [Mark; ITEMS_MAX],
    item_count: u64,
}

impl Noted {
    const EMPTY: Self = Self { head: Mark::Null, items: [Mark::Null; ITEMS_MAX], item_count: 0 };

    #[inline]
    fn note(&mut self, step: &Step) {
        if step.auxiliary {
            return;
        }
        match step.depth {
            0 => {
                self.head = step.mark;
                self.item_count = 0;
            }
            1 if step.mark != Mark::End => {
                if let Some(item) =
                    usize::try_from(self.item_count).ok().and_then(|at| self.items.get_mut(at))
                {
                    *item = step.mark;
                }
                self.item_count += 1;
            }
            _ => {}
        }
    }

    fn frame<'a>(&'a self, bytes: &'a [u8], nested: bool) -> Frame<'a> {
        Frame {
            head: Token::resolve(self.head, bytes),
            items: &self.items,
            item_count: self.item_count,
            bytes,
            nested,
        }
    }
}

impl FrameReader {
    /// A reader in front of a frame.
    pub fn new(limits: Limits) -> Self {
        Self { decoder: Decoder::new(limits), outer: Noted::EMPTY, nested: Noted::EMPTY }
    }

    /// The next frame, or `None` if it is not complete yet.
    ///
    /// `input` holds the connection's unconsumed bytes; its first byte begins the current frame, and it holds
    /// at least what it held at the call before. After `Some` the caller consumes [`Frame::len`] bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not RESP, or exceed a limit: the connection is of no further use. The reader answers the
    /// same error until it is [`reset`](Self::reset).
    #[inline]
    pub fn next<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Frame<'a>>, DecodeError> {
        loop {
            let Some(step) = self.decoder.advance(input)? else {
                return Ok(None);
            };
            self.outer.note(&step);
            if let Some(start) = step.push_start {
                let bytes = &input[start..self.decoder.position()];
                self.nested = walk(bytes);
                return Ok(Some(self.nested.frame(bytes, true)));
            }
            if let Some(len) = self.decoder.frame_len() {
                return Ok(Some(self.outer.frame(&input[..len], false)));
            }
        }
    }

    /// Length in bytes that `input` must reach before another call can make progress on the current frame,
    /// counted from its first byte: a hint for sizing the receive buffer. A bulk's whole length counts as soon
    /// as its header is there; it is bounded by [`Limits::frame_len_max`].
    pub fn wanted(&self) -> usize {
        self.decoder.wanted()
    }

    /// Forgets the frame and any error: the next input begins a new frame. For a new connection.
    pub fn reset(&mut self) {
        self.decoder.reset();
    }
}

/// Notes a nested push from its own bytes: rare, so it is simply read again.
#[cold]
fn walk(bytes: &[u8]) -> Noted {
    let mut noted = Noted::EMPTY;
    let mut decoder = Decoder::new(Limits::CHECKED);
    // The bytes have been checked, so this ends with the frame and not with an error.
    while let Ok(Some(step)) = decoder.advance(bytes) {
        noted.note(&step);
        if decoder.frame_len().is_some() {
            break;
        }
    }
    noted
}

/// One reply or push, borrowed from the receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    head: Token<'a>,
    items: &'a [Mark; ITEMS_MAX],
    item_count: u64,
    bytes: &'a [u8],
    nested: bool,
}

impl<'a> Frame<'a> {
    /// The value of a scalar, or the header of an aggregate.
    #[inline]
    pub fn head(&self) -> Token<'a> {
        self.head
    }

    /// The element at `index`, below [`ITEMS_MAX`]; an aggregate's header stands for the whole element. In a
    /// map keys and values alternate; the parts of a streamed string are its chunks.
    #[inline]
    pub fn item(&self, index: usize) -> Option<Token<'a>> {
        if (index as u64) < self.item_count {
            self.items.get(index).map(|&mark| Token::resolve(mark, self.bytes))
        } else {
            None
        }
    }

    /// Elements of the frame, beyond [`ITEMS_MAX`] too; keys and values count one each. 0 for a scalar.
    #[inline]
    pub fn item_count(&self) -> u64 {
        self.item_count
    }

    /// Bytes that the caller consumes after this frame; 0 for a nested push, whose bytes lie inside a frame
    /// that is still to come.
    #[expect(clippy::len_without_is_empty, reason = "a nested push has no length, yet is not empty")]
    #[inline]
    pub fn len(&self) -> usize {
        if self.nested { 0 } else { self.bytes.len() }
    }

    /// A push from inside another frame.
    #[inline]
    pub fn nested(&self) -> bool {
        self.nested
    }

    /// The frame as it came, with attributes and nested pushes.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Walks the frame again from its head, at every depth, without attributes and nested pushes. For replies
    /// with more than [`ITEMS_MAX`] elements, such as that of `HELLO`.
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens { decoder: Decoder::new(Limits::CHECKED), bytes: self.bytes, done: false }
    }
}

/// The tokens of a [`Frame`], in order; see [`Frame::tokens`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    decoder: Decoder,
    bytes: &'a [u8],
    done: bool,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while !self.done {
            // The frame has been checked: only its end ends the walk.
            let step = self.decoder.advance(self.bytes).ok().flatten()?;
            self.done = self.decoder.frame_len().is_some();
            if !step.auxiliary {
                return Some(Token::resolve(step.mark, self.bytes));
            }
        }
        None
    }
}
