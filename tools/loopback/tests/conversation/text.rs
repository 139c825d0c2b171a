//! The text of a conversation: escapes, words, and what is expected with its gaps.

use std::fmt;

/// Bytes with gaps.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone)]
enum Piece {
    Literal(Vec<u8>),
    Number,
    Any,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, gap)) = rest.split_once('{') {
            pieces.push(Piece::Literal(unescape(literal)));
            let (gap, after) = gap.split_once('}').expect("a gap is closed");
            pieces.push(match gap {
                "n" => Piece::Number,
                "any" => Piece::Any,
                _ => panic!("what is {{{gap}}}?"),
            });
            rest = after;
        }
        pieces.push(Piece::Literal(unescape(rest)));
        Self { text: text.to_owned(), pieces }
    }

    /// Whether `bytes` are all of it.
    pub(crate) fn matches(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        let mut any = false;
        for piece in &self.pieces {
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
