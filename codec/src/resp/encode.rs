//! Commands for servers, replies for clients.
//!
//! ```text
//!   CommandPrefix::new(["PUBLISH", "quotes"], 1)        once, when a channel is opened:
//!       *3 $7 PUBLISH $6 quotes                         its bytes, prepared
//!   prefix.encode1(out, payload)                        per message:
//!       *3 $7 PUBLISH $6 quotes $128 ................   three copies, no formatting but of the length
//! ```
//!
//! Everything is appended to a `Vec<u8>`; nothing else is allocated.

use std::fmt::{self, Write as _};

/// Digits of the largest 64-bit number.
const DIGITS_MAX: usize = 20;

/// Type byte, digits, CRLF.
const HEADER_LEN_MAX: usize = 1 + DIGITS_MAX + 2;

const CRLF: [u8; 2] = *b"\r\n";

/// Appends a command: an array of bulk strings.
///
/// ```
/// let mut out = Vec::new();
/// ringwire_codec::resp::command(&mut out, &[b"GET", b"k"]);
/// assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
/// ```
pub fn command(out: &mut Vec<u8>, args: &[&[u8]]) {
    out.reserve(command_len(args));
    array(out, args.len() as u64);
    for arg in args {
        bulk(out, arg);
    }
}

/// Length in bytes of what [`command`] appends.
pub fn command_len(args: &[&[u8]]) -> usize {
    header_len(args.len() as u64) + args.iter().map(|arg| bulk_len(arg.len())).sum::<usize>()
}

/// A command whose first arguments never change, prepared once.
///
/// ```
/// use ringwire_codec::resp::CommandPrefix;
///
/// let publish = CommandPrefix::new(&[b"PUBLISH", b"quotes"], 1);
/// let mut out = Vec::with_capacity(publish.encoded_len(2));
/// publish.encode1(&mut out, b"hi");
/// assert_eq!(out, b"*3\r\n$7\r\nPUBLISH\r\n$6\r\nquotes\r\n$2\r\nhi\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandPrefix {
    /// The array's header and the fixed arguments.
    bytes: Box<[u8]>,
    /// Arguments that every command adds.
    trailing: usize,
}

impl CommandPrefix {
    /// Prepares a command of the `fixed` arguments, followed by `trailing` more of them.
    pub fn new(fixed: &[&[u8]], trailing: usize) -> Self {
        let mut bytes = Vec::new();
        array(&mut bytes, (fixed.len() + trailing) as u64);
        for arg in fixed {
            bulk(&mut bytes, arg);
        }
        Self { bytes: bytes.into_boxed_slice(), trailing }
    }

    /// Appends the command with its trailing arguments.
    ///
    /// # Panics
    ///
    /// If `last` does not hold as many arguments as [`new`](Self::new) was told: the bytes on the wire would
    /// be those of another command.
    pub fn encode(&self, out: &mut Vec<u8>, last: &[&[u8]]) {
        assert_eq!(last.len(), self.trailing, "a prepared command's trailing arguments");
        out.reserve(self.bytes.len() + last.iter().map(|arg| bulk_len(arg.len())).sum::<usize>());
        out.extend_from_slice(&self.bytes);
        for arg in last {
            bulk(out, arg);
        }
    }

    /// Appends the command with its only trailing argument.
    ///
    /// # Panics
    ///
    /// If [`new`](Self::new) was told another number of trailing arguments than 1.
    #[inline]
    pub fn encode1(&self, out: &mut Vec<u8>, last: &[u8]) {
        assert_eq!(self.trailing, 1, "a prepared command's trailing arguments");
        // An upper bound: the header's length is not known before it is written.
        out.reserve(self.bytes.len() + HEADER_LEN_MAX + last.len() + CRLF.len());
        out.extend_from_slice(&self.bytes);
        bulk(out, last);
    }

    /// Length in bytes of the command with one trailing argument of `last_len` bytes.
    #[inline]
    pub fn encoded_len(&self, last_len: usize) -> usize {
        self.bytes.len() + bulk_len(last_len)
    }

    /// The prepared bytes: the command without its trailing arguments. For commands whose trailing
    /// arguments are appended one by one, with [`bulk`] and [`bulk_integer`].
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Length in bytes of a bulk string of `len` bytes, with its header and trailer.
#[inline]
pub fn bulk_len(len: usize) -> usize {
    header_len(len as u64) + len + 2
}

/// Appends `$length`, the bytes, CRLF: a command's argument or a reply.
#[inline]
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    header(out, b'$', bytes.len() as u64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(&CRLF);
}

/// Appends a number as a bulk string: the form of numeric arguments.
pub fn bulk_integer(out: &mut Vec<u8>, value: i64) {
    let mut line = Line::new();
    line.integer(value);
    bulk(out, line.bytes());
}

/// Appends `+text`. CR and LF would break the framing: each becomes a space.
pub fn simple(out: &mut Vec<u8>, text: &[u8]) {
    text_line(out, b'+', text);
}

/// Appends `-text`, conventionally an upper-case code, a space and a message. CR and LF become spaces.
pub fn error(out: &mut Vec<u8>, text: &[u8]) {
    text_line(out, b'-', text);
}

/// Appends `:value`.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    let mut line = Line::new();
    line.push_crlf();
    line.integer(value);
    line.push(b':');
    out.extend_from_slice(line.bytes());
}

/// Appends RESP3's `_`.
pub fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"_\r\n");
}

/// Appends RESP2's null bulk string, `$-1`.
pub fn null_bulk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"$-1\r\n");
}

/// Appends RESP2's null array, `*-1`.
pub fn null_array(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*-1\r\n");
}

/// Appends `#t` or `#f`.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" });
}

/// Appends `,value`: the shortest decimal that reads back as the same number; `inf`, `-inf`, `nan`.
pub fn double(out: &mut Vec<u8>, value: f64) {
    out.push(b',');
    double_text(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `(digits`. Only for the digits of a number, with a sign or none: CR and LF become spaces,
/// anything else is the caller's.
pub fn big_number(out: &mut Vec<u8>, digits: &[u8]) {
    text_line(out, b'(', digits);
}

/// Appends `!length`: an error whose text may hold anything.
pub fn bulk_error(out: &mut Vec<u8>, text: &[u8]) {
    header(out, b'!', text.len() as u64);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends `=length`, a format such as `txt` or `mkd`, a colon, and the text.
pub fn verbatim(out: &mut Vec<u8>, format: [u8; 3], text: &[u8]) {
    header(out, b'=', text.len() as u64 + 4);
    out.extend_from_slice(&format);
    out.push(b':');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends the header of an array of `count` elements.
pub fn array(out: &mut Vec<u8>, count: u64) {
    header(out, b'*', count);
}

/// Appends the header of a set of `count` elements.
pub fn set(out: &mut Vec<u8>, count: u64) {
    header(out, b'~', count);
}

/// Appends the header of a map of `pairs` keys with their values.
pub fn map(out: &mut Vec<u8>, pairs: u64) {
    header(out, b'%', pairs);
}

/// Appends the header of an attribute of `pairs` keys with their values; what it describes comes after.
pub fn attribute(out: &mut Vec<u8>, pairs: u64) {
    header(out, b'|', pairs);
}

/// Appends the header of a push of `count` elements.
pub fn push(out: &mut Vec<u8>, count: u64) {
    header(out, b'>', count);
}

/// Appends the header of a streamed aggregate: `type_byte` is that of its counted form. [`end`] closes it.
pub fn streamed(out: &mut Vec<u8>, type_byte: u8) {
    out.extend_from_slice(&[type_byte, b'?', b'\r', b'\n']);
}

/// Appends one chunk of a streamed string ([`streamed`] with `$`). An empty chunk is its end.
pub fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    header(out, b';', bytes.len() as u64);
    if !bytes.is_empty() {
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the end of a streamed aggregate.
pub fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b".\r\n");
}

/// The protocol that a connection speaks, as `HELLO` switches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// What every connection begins with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// Replies in the version that the client chose: RESP3's types fall back to RESP2's as Redis does it.
///
/// What is the same in both (strings, errors, integers, arrays) is encoded by the functions of
/// [this module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyEncoder {
    /// The client's protocol.
    pub version: Version,
}

impl ReplyEncoder {
    fn resp3(self) -> bool {
        self.version == Version::Resp3
    }

    /// Null, or RESP2's null bulk string.
    pub fn null(self, out: &mut Vec<u8>) {
        if self.resp3() { null(out) } else { null_bulk(out) }
    }

    /// Null, or RESP2's null array: for commands that otherwise answer an array.
    pub fn null_array(self, out: &mut Vec<u8>) {
        if self.resp3() { null(out) } else { null_array(out) }
    }

    /// The header of a map, or of an array of twice as many elements.
    pub fn map(self, out: &mut Vec<u8>, pairs: u64) {
        if self.resp3() { map(out, pairs) } else { array(out, pairs * 2) }
    }

    /// The header of a set, or of an array.
    pub fn set(self, out: &mut Vec<u8>, count: u64) {
        if self.resp3() { set(out, count) } else { array(out, count) }
    }

    /// The header of a push, or of an array.
    pub fn push(self, out: &mut Vec<u8>, count: u64) {
        if self.resp3() { push(out, count) } else { array(out, count) }
    }

    /// A double, or its text as a bulk string.
    pub fn double(self, out: &mut Vec<u8>, value: f64) {
        if self.resp3() {
            double(out, value);
        } else {
            let mut text = DoubleText::new();
            text.write(value);
            bulk(out, text.bytes());
        }
    }

    /// A boolean, or the integer 1 or 0.
    pub fn boolean(self, out: &mut Vec<u8>, value: bool) {
        if self.resp3() { boolean(out, value) } else { integer(out, value.into()) }
    }

    /// A verbatim string, or its text as a bulk string.
    pub fn verbatim(self, out: &mut Vec<u8>, format: [u8; 3], text: &[u8]) {
        if self.resp3() { verbatim(out, format, text) } else { bulk(out, text) }
    }

    /// A big number, or its digits as a bulk string.
    pub fn big_number(self, out: &mut Vec<u8>, digits: &[u8]) {
        if self.resp3() { big_number(out, digits) } else { bulk(out, digits) }
    }
}

fn text_line(out: &mut Vec<u8>, type_byte: u8, text: &[u8]) {
    out.reserve(text.len() + 3);
    out.push(type_byte);
    out.extend(text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn header(out: &mut Vec<u8>, type_byte: u8, count: u64) {
    let Some(mut word) = usize::try_from(count).ok().and_then(|count| SHORT_HEADERS.get(count)).copied()
    else {
        return long_header(out, type_byte, count);
    };
    // A whole word is written, and what is of no use at its end given back: cheaper than a copy of unknown length.
    let end = out.len() + usize::from(word[7]);
    word[0] = type_byte;
    out.extend_from_slice(&word);
    out.truncate(end);
}

/// The headers of small counts, as they come again and again: room for the type byte, digits, CRLF, and in the last
/// byte how long that is.
static SHORT_HEADERS: [[u8; 8]; 1000] = {
    let mut headers = [[0; 8]; 1000];
    let mut count = 0;
    while count < headers.len() {
        let digits = if count < 10 {
            1
        } else if count < 100 {
            2
        } else {
            3
        };
        let header = &mut headers[count];
        let (mut at, mut rest) = (digits, count);
        while at > 0 {
            header[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            at -= 1;
        }
        header[digits + 1] = b'\r';
        header[digits + 2] = b'\n';
        header[7] = digits as u8 + 3;
        count += 1;
    }
    headers
};

fn long_header(out: &mut Vec<u8>, type_byte: u8, count: u64) {
    let mut line = Line::new();
    line.push_crlf();
    line.decimal(count);
    line.push(type_byte);
    out.extend_from_slice(line.bytes());
}

/// Length of a header line: type byte, digits, CRLF.
#[inline]
fn header_len(count: u64) -> usize {
    1 + count.checked_ilog10().map_or(1, |log| log as usize + 1) + 2
}

/// A short line, written from its end: digits come that way round.
struct Line {
    buffer: [u8; HEADER_LEN_MAX + 1],
    start: usize,
}

impl Line {
    #[inline]
    fn new() -> Self {
        Self { buffer: [0; HEADER_LEN_MAX + 1], start: HEADER_LEN_MAX + 1 }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.buffer[self.start] = byte;
    }

    #[inline]
    fn push_crlf(&mut self) {
        self.push(b'\n');
        self.push(b'\r');
    }

    #[inline]
    fn decimal(&mut self, mut value: u64) {
        loop {
            self.push(b'0' + (value % 10) as u8);
            value /= 10;
            if value == 0 {
                break;
            }
        }
    }

    #[inline]
    fn integer(&mut self, value: i64) {
        self.decimal(value.unsigned_abs());
        if value < 0 {
            self.push(b'-');
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

/// Longest text of a double: sign, 17 digits, a point, `e-308`; plain decimals are kept shorter than that.
const DOUBLE_LEN_MAX: usize = 32;

/// Plain decimals from here ...
const PLAIN_MIN: f64 = 1e-5;
/// ... to here; the exponent form beyond, as Redis' `%.17g` does it.
const PLAIN_MAX: f64 = 1e17;

/// A double's text, on the stack.
struct DoubleText {
    buffer: [u8; DOUBLE_LEN_MAX],
    len: usize,
}

impl DoubleText {
    fn new() -> Self {
        Self { buffer: [0; DOUBLE_LEN_MAX], len: 0 }
    }

    fn write(&mut self, value: f64) {
        let magnitude = value.abs();
        let written = if value.is_nan() {
            self.write_str("nan")
        } else if magnitude == 0.0 || magnitude.is_infinite() || (PLAIN_MIN..PLAIN_MAX).contains(&magnitude) {
            write!(self, "{value}")
        } else {
            write!(self, "{value:e}")
        };
        debug_assert!(written.is_ok(), "{value:e} in {DOUBLE_LEN_MAX} bytes");
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl fmt::Write for DoubleText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let target = self.buffer.get_mut(self.len..end).ok_or(fmt::Error)?;
        target.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn double_text(out: &mut Vec<u8>, value: f64) {
    let mut text = DoubleText::new();
    text.write(value);
    out.extend_from_slice(text.bytes());
}
