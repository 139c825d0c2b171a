//! Feeding a decoder in pieces, as a socket does.

use ringwire_codec::resp::{DecodeError, Decoder, Frame, FrameReader, Limits, Token};

/// What came out of some bytes.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    pub(crate) tokens: Vec<Token<'a>>,
    pub(crate) frame_lens: Vec<usize>,
    /// Bytes behind the last whole frame.
    pub(crate) left: usize,
    pub(crate) error: Option<DecodeError>,
}

impl PartialEq for Decoded<'_> {
    fn eq(&self, other: &Self) -> bool {
        same_tokens(&self.tokens, &other.tokens)
            && (&self.frame_lens, self.left, self.error) == (&other.frame_lens, other.left, other.error)
    }
}

/// Equality under which one NaN is as good as another.
pub(crate) fn same(left: &Token<'_>, right: &Token<'_>) -> bool {
    match (left, right) {
        (Token::Double(left), Token::Double(right)) => {
            left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
        }
        _ => left == right,
    }
}

pub(crate) fn same_tokens(left: &[Token<'_>], right: &[Token<'_>]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
}

/// Decodes `input`, of which only the bytes up to each of the `arrivals` in turn, then all, are there.
pub(crate) fn decode(input: &[u8], limits: Limits, arrivals: impl Iterator<Item = usize>) -> Decoded<'_> {
    let mut decoder = Decoder::new(limits);
    let mut decoded = Decoded { tokens: Vec::new(), frame_lens: Vec::new(), left: 0, error: None };
    let mut start = 0;
    for arrived in arrivals.chain([input.len()]) {
        loop {
            let available = &input[start..arrived];
            match decoder.next(available) {
                Ok(Some(token)) => decoded.tokens.push(token),
                Ok(None) => {
                    assert!(decoder.wanted() > available.len(), "waits for what is there");
                    break;
                }
                Err(error) => {
                    assert_eq!(decoder.next(input), Err(error), "an error stays");
                    decoded.error = Some(error);
                    return decoded;
                }
            }
            if let Some(len) = decoder.frame_len() {
                assert!(len <= available.len(), "consumes what is not there");
                decoded.frame_lens.push(len);
                start += len;
            }
        }
    }
    decoded.left = input.len() - start;
    decoded
}

pub(crate) fn decode_whole(input: &[u8], limits: Limits) -> Decoded<'_> {
    decode(input, limits, [].into_iter())
}

/// Decodes `input` whole, cut in two at every place, and byte by byte; it must always be the same.
pub(crate) fn decode_every_way<'a>(input: &'a [u8], limits: Limits) -> Decoded<'a> {
    let whole = decode_whole(input, limits);
    for cut in 0..input.len() {
        let halves = decode(input, limits, [cut].into_iter());
        assert_eq!(halves, whole, "\"{}\" cut at {cut}", input.escape_ascii());
    }
    assert_eq!(decode(input, limits, 0..input.len()), whole, "\"{}\" byte by byte", input.escape_ascii());
    whole
}

/// A frame with everything that it tells.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) head: Token<'a>,
    pub(crate) items: Vec<Token<'a>>,
    pub(crate) item_count: u64,
    pub(crate) nested: bool,
    pub(crate) len: usize,
    pub(crate) tokens: Vec<Token<'a>>,
    pub(crate) bytes: &'a [u8],
}

impl PartialEq for Seen<'_> {
    fn eq(&self, other: &Self) -> bool {
        same(&self.head, &other.head)
            && same_tokens(&self.items, &other.items)
            && same_tokens(&self.tokens, &other.tokens)
            && (self.item_count, self.nested, self.len, self.bytes)
                == (other.item_count, other.nested, other.len, other.bytes)
    }
}

/// Notes all of `frame`, which was read from `input`. It borrows its reader: the copy must not.
fn seen<'a>(frame: &Frame<'_>, input: &'a [u8]) -> Seen<'a> {
    let own = |token| owned(token, input);
    Seen {
        head: own(frame.head()),
        items: (0..).map_while(|index| frame.item(index)).map(own).collect(),
        item_count: frame.item_count(),
        nested: frame.nested(),
        len: frame.len(),
        tokens: frame.tokens().map(own).collect(),
        bytes: find(frame.bytes(), input),
    }
}

/// The same part of `input`, borrowed from it.
fn find<'a>(part: &[u8], input: &'a [u8]) -> &'a [u8] {
    if part.is_empty() {
        return &[];
    }
    let start = part.as_ptr().addr() - input.as_ptr().addr();
    &input[start..start + part.len()]
}

fn owned<'a>(token: Token<'_>, input: &'a [u8]) -> Token<'a> {
    match token {
        Token::Simple(text) => Token::Simple(find(text, input)),
        Token::Error(text) => Token::Error(find(text, input)),
        Token::BigNumber(digits) => Token::BigNumber(find(digits, input)),
        Token::Bulk(bytes) => Token::Bulk(find(bytes, input)),
        Token::BulkError(text) => Token::BulkError(find(text, input)),
        Token::Chunk(bytes) => Token::Chunk(find(bytes, input)),
        Token::Verbatim { format, text } => Token::Verbatim { format, text: find(text, input) },
        Token::Integer(value) => Token::Integer(value),
        Token::Double(value) => Token::Double(value),
        Token::Boolean(value) => Token::Boolean(value),
        Token::Null => Token::Null,
        Token::Array(count) => Token::Array(count),
        Token::Set(count) => Token::Set(count),
        Token::Map(count) => Token::Map(count),
        Token::Attribute(count) => Token::Attribute(count),
        Token::Push(count) => Token::Push(count),
        Token::StreamedString => Token::StreamedString,
        Token::End => Token::End,
    }
}

/// Reads frames from `input` as [`decode`] reads tokens.
pub(crate) fn frames<'a>(
    input: &'a [u8],
    limits: Limits,
    arrivals: impl Iterator<Item = usize>,
) -> (Vec<Seen<'a>>, Option<DecodeError>) {
    let mut reader = FrameReader::new(limits);
    let mut all = Vec::new();
    let mut start = 0;
    for arrived in arrivals.chain([input.len()]) {
        loop {
            let available = &input[start..arrived];
            match reader.next(available) {
                Ok(Some(frame)) => {
                    all.push(seen(&frame, input));
                    start += frame.len();
                }
                Ok(None) => {
                    assert!(reader.wanted() > available.len(), "waits for what is there");
                    break;
                }
                Err(error) => return (all, Some(error)),
            }
        }
    }
    (all, None)
}

/// Reads frames from `input` whole, cut in two at every place, and byte by byte.
pub(crate) fn frames_every_way(input: &[u8]) -> Vec<Seen<'_>> {
    let limits = Limits::default();
    let whole = frames(input, limits, [].into_iter());
    for cut in 0..input.len() {
        let halves = frames(input, limits, [cut].into_iter());
        assert_eq!(halves, whole, "\"{}\" cut at {cut}", input.escape_ascii());
    }
    assert_eq!(frames(input, limits, 0..input.len()), whole, "\"{}\" byte by byte", input.escape_ascii());
    assert_eq!(whole.1, None, "\"{}\"", input.escape_ascii());
    whole.0
}
