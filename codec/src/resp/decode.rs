//! The pull decoder: one token per call, resumable after any byte.
//!
//! ```text
//!   input   [ frame's first byte ........ position ....... wanted ]
//!                done, never read again |  this token  |
//!   stack   root(1) > array(3 left) > map(streamed) > ...     at most DEPTH_CAP, an array
//! ```
//!
//! A token is yielded only when all its bytes are there, so nothing has to be kept but where it begins
//! (`position`), how far its line has been searched (`line_searched`), and how many bytes it needs
//! (`wanted`: below that the input is not even looked at). A number's line is at most 23 bytes;
//! it is read again rather than resumed.
//!
//! Every check depends only on the bytes in front of it, so the same bytes give the same tokens and the
//! same error however they were cut.

use super::error::{DecodeError, DecodeErrorKind};
use super::line::{Halt, check_big_number, double, fail, integer, line_end};
use super::token::{DEPTH_CAP, Limits, Mark, Span, Token};

/// The shortest element (`_` or `+` and CRLF): a count promises at least so many bytes each.
const ELEMENT_LEN_MIN: usize = 3;

/// A verbatim string holds at least three bytes of format and a colon.
const VERBATIM_LEN_MIN: usize = 4;

/// `Level::left` of a streamed aggregate. No count reaches it: counts are at most 2 * `i64::MAX`.
const STREAMED: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LevelKind {
    /// The stream itself: one value makes the frame complete.
    Root,
    /// Array, set, top-level push.
    Plain,
    Map,
    /// Not an element of its parent.
    Attribute,
    /// A push inside another frame: not an element of its parent.
    NestedPush,
    StreamedString,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// Elements still to come; only ever counted down, nothing is sized by it.
    left: u64,
    /// Where the aggregate's header begins.
    start: usize,
    kind: LevelKind,
    /// Streamed only: the number of elements so far is odd.
    odd: bool,
}

const ROOT: Level = Level { left: 1, start: 0, kind: LevelKind::Root, odd: false };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The last token completed the frame; `position` is its length.
    Complete,
    Failed(DecodeError),
}

/// Where the last token stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// 0: the frame's value. 1: an element of it.
    pub(super) depth: usize,
    /// Part of an attribute or of a nested push.
    pub(super) auxiliary: bool,
    /// It completed a nested push, which begins here.
    pub(super) push_start: Option<usize>,
}

/// An incremental decoder of RESP2 and RESP3; see the [module](super) for its contract.
///
/// It allocates nothing, ever. Use [`FrameReader`](super::FrameReader) unless the tokens themselves are
/// needed.
///
/// ```
/// use ringwire_codec::resp::{Decoder, Limits, Token};
///
/// let mut decoder = Decoder::new(Limits::default());
/// assert_eq!(decoder.next(b"*1\r\n:4")?, Some(Token::Array(Some(1))));
/// assert_eq!(decoder.next(b"*1\r\n:4")?, None); // more bytes, please
/// assert_eq!(decoder.next(b"*1\r\n:42\r\n")?, Some(Token::Integer(42)));
/// assert_eq!(decoder.frame_len(), Some(9)); // consume these, then go on with the next frame
/// # Ok::<(), ringwire_codec::resp::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Limits,
    state: State,
    /// Where the next token begins. Never beyond the longest input seen.
    position: usize,
    /// No CR or LF from `position` up to here. Below `position`: not searched yet.
    line_searched: usize,
    /// `input` must be this long before the next token can be complete.
    wanted: usize,
    /// Index of the innermost open level in `stack`.
    depth: usize,
    /// Depth of the outermost open attribute or nested push; 0: none.
    auxiliary: usize,
    /// An attribute has just ended: what it describes must follow.
    attribute_pending: bool,
    /// About the last token.
    place: Place,
    stack: [Level; DEPTH_CAP + 1],
}

impl Decoder {
    /// A decoder in front of a frame.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: Limits { depth_max: limits.depth_max.min(DEPTH_CAP), ..limits },
            state: State::Open,
            position: 0,
            line_searched: 0,
            wanted: 1,
            depth: 0,
            auxiliary: 0,
            attribute_pending: false,
            place: Place { depth: 0, auxiliary: false, push_start: None },
            stack: [ROOT; DEPTH_CAP + 1],
        }
    }

    /// Yields the next token, or `None` if it is not complete yet.
    ///
    /// `input` begins at the current frame's first byte and holds at least what it held before. After the
    /// token that completes a frame ([`frame_len`](Self::frame_len) tells) the next call is about the next
    /// frame, so the caller drops the complete one from its buffer first.
    ///
    /// # Errors
    ///
    /// The bytes are not RESP, or exceed a limit. The decoder answers the same error until it is
    /// [`reset`](Self::reset).
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Option<Token<'a>>, DecodeError> {
        Ok(self.advance(input)?.map(|mark| Token::resolve(mark, input)))
    }

    /// Length in bytes of the frame that the last token completed; `None` inside a frame.
    pub fn frame_len(&self) -> Option<usize> {
        (self.state == State::Complete).then_some(self.position)
    }

    /// Length in bytes that `input` must reach before another call can make progress. It counts from the
    /// frame's first byte, and takes a bulk's length into account as soon as that is known.
    pub fn wanted(&self) -> usize {
        if self.state == State::Complete { 1 } else { self.wanted }
    }

    /// Aggregates (and streamed strings) that are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Forgets the frame and any error: the next input begins a new frame.
    pub fn reset(&mut self) {
        self.state = State::Open;
        self.position = 0;
        self.line_searched = 0;
        self.wanted = 1;
        self.depth = 0;
        self.auxiliary = 0;
        self.attribute_pending = false;
        self.stack[0] = ROOT;
    }

    /// The next call is the first about its frame.
    #[inline]
    pub(super) fn fresh(&self) -> bool {
        match self.state {
            // Every wait asks for more than one byte.
            State::Open => self.wanted == 1,
            State::Complete => true,
            State::Failed(_) => false,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where the next token begins, which is also the end of what has been decoded.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Where the last token stands.
    #[inline]
    pub(super) fn place(&self) -> Place {
        self.place
    }

    #[inline]
    pub(super) fn advance(&mut self, input: &[u8]) -> Result<Option<Mark>, DecodeError> {
        match self.state {
            State::Open => {}
            State::Complete => self.reset(),
            State::Failed(error) => return Err(error),
        }
        if input.len() < self.wanted {
            return Ok(None);
        }
        match self.token(input) {
            Ok(mark) => Ok(Some(mark)),
            Err(Halt::Wait(wanted)) => {
                self.wanted = wanted;
                Ok(None)
            }
            Err(Halt::Fail(error)) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    #[inline]
    fn token(&mut self, input: &[u8]) -> Result<Mark, Halt> {
        let at = self.position;
        let Some(&type_byte) = input.get(at) else {
            return Err(Halt::Wait(at + 1));
        };
        if self.stack[self.depth].kind == LevelKind::StreamedString && type_byte != b';' {
            return fail(at, DecodeErrorKind::ExpectedChunk { got: type_byte });
        }
        match type_byte {
            b'$' => self.bulk(input, b'$'),
            b':' => {
                let (value, end) = integer(input, at + 1, true)?;
                self.scalar(Mark::Integer(value), end)
            }
            b'+' | b'-' | b',' | b'(' => self.line(input, type_byte),
            b'*' | b'~' | b'%' | b'|' | b'>' => self.aggregate(input, type_byte),
            b'!' | b'=' => self.bulk(input, type_byte),
            b'_' => {
                let end = line_end(input, at + 1)?;
                self.scalar(Mark::Null, end)
            }
            b'#' => self.boolean(input),
            b';' => self.chunk(input),
            b'.' => self.end(input),
            got => fail(at, DecodeErrorKind::UnknownType { got }),
        }
    }

    fn boolean(&mut self, input: &[u8]) -> Result<Mark, Halt> {
        let at = self.position + 1;
        let value = match input.get(at) {
            Some(b't') => true,
            Some(b'f') => false,
            Some(&got) => return fail(at, DecodeErrorKind::BadBoolean { got }),
            None => return Err(Halt::Wait(at + 1)),
        };
        let end = line_end(input, at + 1)?;
        self.scalar(Mark::Boolean(value), end)
    }

    /// `$`, `!`, `=`: a length, that many bytes, CRLF.
    #[inline]
    fn bulk(&mut self, input: &[u8], type_byte: u8) -> Result<Mark, Halt> {
        let at = self.position;
        if type_byte == b'$' && input.get(at + 1) == Some(&b'?') {
            let end = line_end(input, at + 2)?;
            return self.open(Mark::StreamedString, LevelKind::StreamedString, None, end);
        }
        let (len, body) = integer(input, at + 1, false)?;
        if len == -1 && type_byte == b'$' {
            return self.scalar(Mark::Null, body);
        }
        let (span, end) = self.body(input, type_byte, len, body)?;
        let mark = match type_byte {
            b'$' => Mark::Bulk(span),
            b'!' => Mark::BulkError(span),
            _ => match input[span.start + 3] {
                b':' => Mark::Verbatim(span),
                got => return fail(span.start + 3, DecodeErrorKind::VerbatimFormat { got }),
            },
        };
        self.scalar(mark, end)
    }

    /// The `len` bytes from `start`, and where the CRLF behind them ends.
    #[inline]
    fn body(&self, input: &[u8], type_byte: u8, len: i64, start: usize) -> Result<(Span, usize), Halt> {
        let at = self.position;
        let Ok(declared) = u64::try_from(len) else {
            return fail(at + 1, DecodeErrorKind::NegativeLength { type_byte, len });
        };
        let max = self.limits.bulk_len_max;
        let len = match usize::try_from(declared) {
            Ok(len) if len <= max => len,
            _ => return fail(at, DecodeErrorKind::BulkTooLong { len: declared, max }),
        };
        if type_byte == b'=' && len < VERBATIM_LEN_MIN {
            return fail(at, DecodeErrorKind::VerbatimTooShort { len });
        }
        // With limits near usize::MAX the sum may not fit: no such frame can be held either.
        let total = start.checked_add(len).and_then(|end| end.checked_add(2));
        let total = match total {
            Some(total) if total <= self.limits.frame_len_max => total,
            _ => return self.frame_too_long(),
        };
        if input.len() < total {
            return Err(Halt::Wait(total));
        }
        let end = total - 2;
        match [input[end], input[end + 1]] {
            [b'\r', b'\n'] => Ok((Span { start, end }, total)),
            got => fail(end, DecodeErrorKind::BulkTrailer { len, got }),
        }
    }

    /// `+`, `-`, `,`, `(`: text up to CRLF.
    fn line(&mut self, input: &[u8], type_byte: u8) -> Result<Mark, Halt> {
        let start = self.position + 1;
        let from = self.line_searched.max(start);
        // The window holds the longest text and the CR behind it.
        let window_end = start.saturating_add(self.limits.line_len_max).saturating_add(1);
        let window = &input[from.min(input.len())..window_end.min(input.len())];
        let Some(found) = window.iter().position(|&byte| byte == b'\r' || byte == b'\n') else {
            if input.len() >= window_end {
                return fail(self.position, DecodeErrorKind::LineTooLong { max: self.limits.line_len_max });
            }
            self.line_searched = input.len();
            return Err(Halt::Wait(input.len() + 1));
        };
        let span = Span { start, end: from + found };
        self.line_searched = span.end;
        let end = line_end(input, span.end)?;
        let mark = match type_byte {
            b'+' => Mark::Simple(span),
            b'-' => Mark::Error(span),
            b',' => match double(&input[span.start..span.end]) {
                Some(value) => Mark::Double(value),
                None => return fail(start, DecodeErrorKind::BadDouble),
            },
            _ => {
                check_big_number(input, span)?;
                Mark::BigNumber(span)
            }
        };
        self.scalar(mark, end)
    }

    /// `*`, `~`, `%`, `|`, `>`: a count, or `?` for streamed.
    fn aggregate(&mut self, input: &[u8], type_byte: u8) -> Result<Mark, Halt> {
        let at = self.position;
        let (count, end) = if input.get(at + 1) == Some(&b'?') {
            (None, line_end(input, at + 2)?)
        } else {
            let (count, end) = integer(input, at + 1, false)?;
            if count == -1 && type_byte == b'*' {
                return self.scalar(Mark::Null, end);
            }
            match u64::try_from(count) {
                Ok(count) => (Some(count), end),
                Err(_) => return fail(at + 1, DecodeErrorKind::NegativeLength { type_byte, len: count }),
            }
        };
        let (mark, kind) = match type_byte {
            b'*' => (Mark::Array(count), LevelKind::Plain),
            b'~' => (Mark::Set(count), LevelKind::Plain),
            b'%' => (Mark::Map(count), LevelKind::Map),
            b'|' => (Mark::Attribute(count), LevelKind::Attribute),
            _ if self.depth > 0 => (Mark::Push(count), LevelKind::NestedPush),
            _ => (Mark::Push(count), LevelKind::Plain),
        };
        self.open(mark, kind, count, end)
    }

    /// `;length`: a part of a streamed string, or with 0 its end.
    fn chunk(&mut self, input: &[u8]) -> Result<Mark, Halt> {
        let at = self.position;
        if self.stack[self.depth].kind != LevelKind::StreamedString {
            return fail(at, DecodeErrorKind::ChunkOutsideString);
        }
        let (len, body) = integer(input, at + 1, false)?;
        if len == 0 {
            return self.close(body);
        }
        let (span, end) = self.body(input, b';', len, body)?;
        // A chunk is no element: the string is one when it ends.
        self.move_to(end)?;
        Ok(Mark::Chunk(span))
    }

    /// `.`: the end of a streamed aggregate.
    fn end(&mut self, input: &[u8]) -> Result<Mark, Halt> {
        let at = self.position;
        let level = self.stack[self.depth];
        if level.left != STREAMED {
            return fail(at, DecodeErrorKind::EndOutsideStream);
        }
        if self.attribute_pending {
            return fail(at, DecodeErrorKind::DanglingAttribute);
        }
        if level.odd && matches!(level.kind, LevelKind::Map | LevelKind::Attribute) {
            return fail(at, DecodeErrorKind::OddMap);
        }
        let end = line_end(input, at + 1)?;
        self.close(end)
    }

    /// A whole value at the current level.
    #[inline]
    fn scalar(&mut self, mark: Mark, end: usize) -> Result<Mark, Halt> {
        self.move_to(end)?;
        self.attribute_pending = false;
        self.element_done();
        Ok(mark)
    }

    /// The header of something whose parts follow; one without parts is closed at once.
    fn open(&mut self, mark: Mark, kind: LevelKind, count: Option<u64>, end: usize) -> Result<Mark, Halt> {
        let start = self.position;
        let left = self.elements(kind, count)?;
        if self.depth >= self.limits.depth_max {
            return fail(start, DecodeErrorKind::TooDeep { max: self.limits.depth_max });
        }
        self.move_to(end)?;
        self.depth += 1;
        self.stack[self.depth] = Level { left, start, kind, odd: false };
        if self.auxiliary == 0 && matches!(kind, LevelKind::Attribute | LevelKind::NestedPush) {
            self.auxiliary = self.depth;
            self.place.auxiliary = true;
        }
        self.attribute_pending = false;
        if left == 0 {
            self.leave();
        }
        Ok(mark)
    }

    /// How many elements a count announces.
    fn elements(&self, kind: LevelKind, count: Option<u64>) -> Result<u64, Halt> {
        let Some(count) = count else { return Ok(STREAMED) };
        let pairs = matches!(kind, LevelKind::Map | LevelKind::Attribute);
        let frame_len_max = self.limits.frame_len_max;
        match count.checked_mul(if pairs { 2 } else { 1 }) {
            Some(elements) if elements <= (frame_len_max / ELEMENT_LEN_MIN) as u64 => Ok(elements),
            _ => fail(self.position, DecodeErrorKind::CountTooLarge { count, frame_len_max }),
        }
    }

    /// The end of the streamed level that is open.
    fn close(&mut self, end: usize) -> Result<Mark, Halt> {
        self.move_to(end)?;
        self.leave();
        Ok(Mark::End)
    }

    /// Pops the innermost level, which is complete, and counts it where it counts.
    fn leave(&mut self) {
        let level = self.stack[self.depth];
        if self.auxiliary == self.depth {
            self.auxiliary = 0;
        }
        self.depth -= 1;
        match level.kind {
            LevelKind::Attribute => self.attribute_pending = true,
            LevelKind::NestedPush => self.place.push_start = Some(level.start),
            _ => self.element_done(),
        }
    }

    /// Counts one element of the current level, and leaves every level that this completes.
    #[inline]
    fn element_done(&mut self) {
        loop {
            let level = &mut self.stack[self.depth];
            if level.left == STREAMED {
                level.odd = !level.odd;
                return;
            }
            level.left -= 1;
            if level.left > 0 {
                return;
            }
            match level.kind {
                LevelKind::Root => {
                    self.state = State::Complete;
                    return;
                }
                LevelKind::Attribute | LevelKind::NestedPush => return self.leave(),
                // Within an attribute or nested push these lie deeper than `auxiliary`.
                LevelKind::Plain | LevelKind::Map | LevelKind::StreamedString => self.depth -= 1,
            }
        }
    }

    /// The token that begins at `position` ends at `end`: notes where it stands, and goes behind it.
    #[inline]
    fn move_to(&mut self, end: usize) -> Result<(), Halt> {
        if end > self.limits.frame_len_max {
            return self.frame_too_long();
        }
        self.place = Place { depth: self.depth, auxiliary: self.auxiliary > 0, push_start: None };
        self.position = end;
        self.wanted = end + 1;
        Ok(())
    }

    #[cold]
    fn frame_too_long<T>(&self) -> Result<T, Halt> {
        fail(self.position, DecodeErrorKind::FrameTooLong { max: self.limits.frame_len_max })
    }
}
