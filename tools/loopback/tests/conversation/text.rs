//! The text of a conversation: escapes, words, and what is expected with its gaps.

use std::fmt;

use ringwire_codec::resp::{FrameReader, Limits};

/// Bytes with gaps.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: String,
    pieces: Vec<Piece>,
    /// The same as far as versions agree.
    agreed: Vec<Piece>,
}

#[derive(Clone)]
enum Piece {
    Literal(Vec<u8>),
    Number,
    Any,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Self {
        let pieces = Piece::parse_all(text);
        let agreed = pieces.iter().map(|piece| match piece {
            Piece::Literal(literal) => Piece::Literal(without_version(literal)),
            gap => gap.clone(),
        });
        Self { text: text.to_owned(), agreed: agreed.collect(), pieces }
    }

    /// Whether `bytes` are all of it; unless `exactly`, as far as versions agree.
    pub(crate) fn matches(&self, bytes: &[u8], exactly: bool) -> bool {
        if exactly { matches(&self.pieces, bytes) } else { matches(&self.agreed, &without_version(bytes)) }
    }
}

impl Piece {
    fn parse_all(text: &str) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, gap)) = rest.split_once('{') {
            pieces.push(Self::Literal(unescape(literal)));
            let (gap, after) = gap.split_once('}').expect("a gap is closed");
            pieces.push(match gap {
                "n" => Self::Number,
                "any" => Self::Any,
                _ => panic!("what is {{{gap}}}?"),
            });
            rest = after;
        }
        pieces.push(Self::Literal(unescape(rest)));
        pieces
    }
}

fn matches(pieces: &[Piece], bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut any = false;
    for piece in pieces {
        match piece {
            Piece::Any => any = true,
            Piece::Number => {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if digits == 0 {
                    return false;
                }
                rest = &rest[digits..];
            }
            Piece::Literal(literal) => {
                let at = if std::mem::take(&mut any) {
                    rest.windows(literal.len()).position(|window| window == literal)
                } else {
                    rest.starts_with(literal).then_some(0)
                };
                let Some(at) = at else { return false };
                rest = &rest[at + literal.len()..];
            }
        }
    }
    rest.is_empty()
}

/// What versions agree on: errors end behind their codes, and `HELLO` names neither the server nor its modules.
pub(crate) fn without_version(bytes: &[u8]) -> Vec<u8> {
    const MODULES: &[u8] = b"$7\r\nmodules\r\n";
    const VALKEY: &[u8] = b"$6\r\nserver\r\n$6\r\nvalkey\r\n";
    let mut kept = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let len = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let line = &rest[..len];
        let code = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        if let Some(list) = rest.strip_prefix(MODULES) {
            kept.extend_from_slice(&[MODULES, b"*0\r\n"].concat());
            rest = &list[value_len(list)..];
        } else if let Some(after) = rest.strip_prefix(VALKEY) {
            kept.extend_from_slice(b"$6\r\nserver\r\n$5\r\nredis\r\n");
            rest = after;
        } else if line.starts_with(b"-") && line.ends_with(b"\r\n") && code.len() < line.len() {
            kept.extend_from_slice(&[code, b"\r\n"].concat());
            rest = &rest[len..];
        } else {
            kept.extend_from_slice(line);
            rest = &rest[len..];
        }
    }
    kept
}

/// The length of the value that `bytes` begin with, or of all of them if it is not whole.
fn value_len(bytes: &[u8]) -> usize {
    let mut reader = FrameReader::new(Limits::default());
    reader.next(bytes).ok().flatten().map_or(bytes.len(), |frame| frame.len())
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads `\r \n \t \0 \xHH \\ \"`.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (escape, after) = rest.split_first().expect("an escape has a letter");
        rest = after;
        bytes.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' | b'"' => *escape,
            b'x' => {
                let (digits, after) = rest.split_at(2);
                rest = after;
                let digits = std::str::from_utf8(digits).expect("hexadecimal digits");
                u8::from_str_radix(digits, 16).expect("hexadecimal digits")
            }
            _ => panic!("what is \\{}?", escape.escape_ascii()),
        });
    }
    bytes
}

/// Splits at spaces; a word may stand in double quotes. Both forms take escapes.
pub(crate) fn words(text: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = closing_quote(quoted);
            words.push(unescape(&quoted[..end]));
            rest = quoted[end + 1..].trim_start_matches(' ');
        } else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(unescape(word));
            rest = after;
        }
    }
    words
}

fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    panic!("{text:?} has no closing quote");
}
