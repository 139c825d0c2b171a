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

use std::fmt;

use super::decode::{Decoder, Place};
use super::error::DecodeError;
use super::token::{Limits, Mark, Span, Token};

/// Elements of a frame that are noted by position: the longest push has 4 (`pmessage`), and 8 keep the reader
/// small.
pub const ITEMS_MAX: usize = 8;

/// Digits of the numbers that the short way takes: the lengths of nearly all messages.
const SHORT_DIGITS_MAX: usize = 6;

/// A type byte, a count of one digit (`ITEMS_MAX` has no more), CRLF.
const FLAT_HEADER_LEN: usize = 4;

/// A type byte, a digit, CRLF.
const DIGIT_REPLY_LEN: usize = 4;

const _: () = assert!(ITEMS_MAX < 10);

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
    /// The next byte is the first of a frame: [`Decoder::fresh`], where it is looked at for each of them.
    is_fresh: bool,
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
    fn note(&mut self, mark: Mark, place: Place) {
        if place.auxiliary {
            return;
        }
        match place.depth {
            0 => {
                self.head = mark;
                self.item_count = 0;
            }
            1 if !matches!(mark, Mark::End) => {
                if let Some(item) =
                    usize::try_from(self.item_count).ok().and_then(|at| self.items.get_mut(at))
                {
                    *item = mark;
                }
                self.item_count += 1;
            }
            _ => {}
        }
    }

    /// The short way for what nearly all frames are: a small integer, or a push or array of small integers and
    /// bulk strings, all there. Answers the frame's length. Whatever is not plainly that is left to the
    /// decoder, which reads it from its first byte: `None` says nothing about the input.
    #[inline]
    fn flat(&mut self, input: &[u8], limits: &Limits) -> Option<usize> {
        let len = match *input {
            [b':', ..] => {
                let (value, end) = short_number(input, 1)?;
                (self.head, self.item_count) = (Mark::Integer(value as i64), 0);
                end
            }
            [type_byte @ (b'>' | b'*'), digit, b'\r', b'\n', ..] if limits.depth_max > 0 => {
                let count = digit.wrapping_sub(b'0');
                let mut at = FLAT_HEADER_LEN;
                for item in self.items.get_mut(..usize::from(count))? {
                    (*item, at) = flat_item(input, at, limits)?;
                }
                let header = Some(u64::from(count));
                self.head = if type_byte == b'>' { Mark::Push(header) } else { Mark::Array(header) };
                self.item_count = u64::from(count);
                at
            }
            _ => return None,
        };
        (len <= limits.frame_len_max).then_some(len)
    }

    #[inline]
    fn frame<'a>(&'a self, bytes: &'a [u8], nested: bool) -> Frame<'a> {
        Frame { noted: self, bytes, nested }
    }
}

/// What comes of a look at the input: as little as goes back in registers.
enum Found {
    /// It is not complete.
    Nothing,
    /// A frame of this length.
    Whole { len: usize },
    /// A push inside another frame, from here to the decoder's position.
    Nested { start: usize },
    /// The decoder failed.
    Fault,
}

impl FrameReader {
    /// A reader in front of a frame.
    pub fn new(limits: Limits) -> Self {
        Self { decoder: Decoder::new(limits), is_fresh: true, outer: Noted::EMPTY, nested: Noted::EMPTY }
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
    // In line, and put together here from what comes in registers: a frame handed back through memory is waited for longer
    // than it takes to find it.
    #[inline(always)]
    pub fn next<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Frame<'a>>, DecodeError> {
        if self.is_fresh
            && let Some((reply, _)) = input.split_first_chunk()
            && let Some(value) = digit_reply(*reply)
        {
            (self.outer.head, self.outer.item_count) = (Mark::Integer(value), 0);
            return Ok(Some(self.outer.frame(reply, false)));
        }
        match self.find(input) {
            Found::Nothing => Ok(None),
            Found::Whole { len } => Ok(Some(self.outer.frame(&input[..len], false))),
            Found::Nested { start } => {
                Ok(Some(self.nested.frame(&input[start..self.decoder.position()], true)))
            }
            Found::Fault => self.fault(input),
        }
    }

    /// The next frame: the short way, or token by token from where the decoder stopped.
    #[inline(never)]
    fn find(&mut self, input: &[u8]) -> Found {
        if self.is_fresh
            && let Some(len) = self.outer.flat(input, self.decoder.limits())
        {
            return Found::Whole { len };
        }
        self.is_fresh = false;
        loop {
            match self.decoder.advance(input) {
                Ok(Some(mark)) => {
                    let place = self.decoder.place();
                    self.outer.note(mark, place);
                    if let Some(start) = place.push_start {
                        self.nested = walk(&input[start..self.decoder.position()]);
                        return Found::Nested { start };
                    }
                }
                Ok(None) => {
                    self.is_fresh = self.decoder.fresh();
                    return Found::Nothing;
                }
                Err(_) => return Found::Fault,
            }
            if let Some(len) = self.decoder.frame_len() {
                self.is_fresh = true;
                return Found::Whole { len };
            }
        }
    }

    /// What the decoder says again, whatever the input is now.
    #[cold]
    fn fault<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Frame<'a>>, DecodeError> {
        self.decoder.advance(input).map(|_| None)
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
        self.is_fresh = true;
    }
}

/// What nearly every `PUBLISH` is answered: fewer than ten receivers. Its four bytes are within any
/// [`Limits::frame_len_max`] of use, and are not held against it.
#[inline]
fn digit_reply(reply: [u8; DIGIT_REPLY_LEN]) -> Option<i64> {
    const NONE: u32 = u32::from_le_bytes(*b":0\r\n");
    // Whatever differs in another byte than the digit's makes this large.
    let value = u32::from_le_bytes(reply).wrapping_sub(NONE).rotate_right(8);
    (value < 10).then_some(i64::from(value))
}

/// A bulk string or small integer that is all there, and where it ends.
#[inline]
fn flat_item(input: &[u8], at: usize, limits: &Limits) -> Option<(Mark, usize)> {
    let type_byte = *input.get(at)?;
    let (number, start) = short_number(input, at + 1)?;
    match type_byte {
        b'$' if number <= limits.bulk_len_max => {
            let end = start + number;
            (input.get(end..end + 2)? == b"\r\n").then_some((Mark::Bulk(Span { start, end }), end + 2))
        }
        b':' => Some((Mark::Integer(number as i64), start)),
        _ => None,
    }
}

/// A number of up to [`SHORT_DIGITS_MAX`] digits without sign, and where its CRLF ends.
#[inline]
fn short_number(input: &[u8], start: usize) -> Option<(usize, usize)> {
    let first = *input.get(start)?;
    if !first.is_ascii_digit() {
        return None;
    }
    let mut number = usize::from(first - b'0');
    for at in start + 1..=start + SHORT_DIGITS_MAX {
        match *input.get(at)? {
            b'\r' => return (*input.get(at + 1)? == b'\n').then_some((number, at + 2)),
            digit @ b'0'..=b'9' if number > 0 => number = number * 10 + usize::from(digit - b'0'),
            _ => return None,
        }
    }
    None
}

/// Notes a nested push from its own bytes: rare, so it is simply read again.
#[cold]
fn walk(bytes: &[u8]) -> Noted {
    let mut noted = Noted::EMPTY;
    let mut decoder = Decoder::new(Limits::CHECKED);
    // The bytes have been checked, so this ends with the frame and not with an error.
    while let Ok(Some(mark)) = decoder.advance(bytes) {
        noted.note(mark, decoder.place());
        if decoder.frame_len().is_some() {
            break;
        }
    }
    noted
}

/// One reply or push, borrowed from the receive buffer.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    noted: &'a Noted,
    bytes: &'a [u8],
    nested: bool,
}

impl<'a> Frame<'a> {
    /// The value of a scalar, or the header of an aggregate.
    #[inline]
    pub fn head(&self) -> Token<'a> {
        // Nearly every reply: told from the others without a jump by a table.
        if let Mark::Integer(value) = self.noted.head {
            return Token::Integer(value);
        }
        Token::resolve(self.noted.head, self.bytes)
    }

    /// The element at `index`, below [`ITEMS_MAX`]; an aggregate's header stands for the whole element. In a
    /// map keys and values alternate; the parts of a streamed string are its chunks.
    #[inline]
    pub fn item(&self, index: usize) -> Option<Token<'a>> {
        if (index as u64) < self.noted.item_count {
            self.noted.items.get(index).map(|&mark| Token::resolve(mark, self.bytes))
        } else {
            None
        }
    }

    /// Elements of the frame, beyond [`ITEMS_MAX`] too; keys and values count one each. 0 for a scalar.
    #[inline]
    pub fn item_count(&self) -> u64 {
        self.noted.item_count
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

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("bytes", &format_args!("\"{}\"", self.bytes.escape_ascii()))
            .field("nested", &self.nested)
            .finish()
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
            let mark = self.decoder.advance(self.bytes).ok().flatten()?;
            self.done = self.decoder.frame_len().is_some();
            if !self.decoder.place().auxiliary {
                return Some(Token::resolve(mark, self.bytes));
            }
        }
        None
    }
}
