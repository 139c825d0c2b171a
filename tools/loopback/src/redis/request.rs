//! Requests, as Redis 7.0 reads them from a client.
//!
//! ```text
//! *3\r\n $7\r\nPUBLISH\r\n $2\r\nch\r\n $1\r\nx\r\n      an array of bulk strings, nothing else
//! PUBLISH ch "x y"\r\n                                   or an inline command, split like a shell's
//!
//!        0        cursor             input.len()
//! input  |--taken--|--not looked at--|                   offsets count from the command's first byte
//! spans    |__| |__|                                     one for each argument taken
//! ```
//!
//! A server's request grammar is narrower than RESP and odder: a count is an exact decimal without sign or
//! leading zero, the two bytes after a bulk are skipped whatever they are, a NUL hides the line end that
//! follows it, and every refusal has its own text. Clients meet exactly that on a real server, so it is
//! written out here rather than left to a general RESP decoder. The reader resumes where it stopped, and
//! reserves nothing from a declared count or length.

use std::fmt;

use super::number::parse_integer;

/// The longest inline command or length line: Redis' `PROTO_INLINE_MAX_SIZE`.
pub(super) const LINE_MAX: usize = 64 * 1024;

/// The most arguments a command may declare: Redis' `INT_MAX`. Memory is taken only as they arrive.
const ARGUMENTS_MAX: i64 = i32::MAX as i64;

/// Before it has authenticated, a client may send this many arguments of this many bytes (Redis' own limits).
const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_MAX: i64 = 16 * 1024;

/// What a call of [`RequestReader::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The rest of the command has not arrived.
    Incomplete,
    /// A blank line or an empty array: counts as a command without effect or reply.
    Empty,
    /// [`RequestReader::args`] has the command.
    Command,
}

/// Why a request cannot be read; the connection closes after this reply, as in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProtocolError {
    TooBigInline,
    TooBigMultibulkCount,
    InvalidMultibulkLength,
    UnauthenticatedMultibulkLength,
    TooBigBulkCount,
    ExpectedDollar(u8),
    InvalidBulkLength,
    UnauthenticatedBulkLength,
    UnbalancedQuotes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooBigInline => "ERR Protocol error: too big inline request",
            Self::TooBigMultibulkCount => "ERR Protocol error: too big mbulk count string",
            Self::InvalidMultibulkLength => "ERR Protocol error: invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => "ERR Protocol error: unauthenticated multibulk length",
            Self::TooBigBulkCount => "ERR Protocol error: too big bulk count string",
            Self::ExpectedDollar(_) => "ERR Protocol error: expected '$', got '",
            Self::InvalidBulkLength => "ERR Protocol error: invalid bulk length",
            Self::UnauthenticatedBulkLength => "ERR Protocol error: unauthenticated bulk length",
            Self::UnbalancedQuotes => "ERR Protocol error: unbalanced quotes in request",
        })
    }
}

impl ProtocolError {
    /// The reply's text. The byte that stood in place of `$` is quoted as it is, so this is not UTF-8.
    pub(super) fn text(self) -> Vec<u8> {
        let mut text = self.to_string().into_bytes();
        if let Self::ExpectedDollar(found) = self {
            text.extend_from_slice(&[found, b'\'']);
        }
        text
    }
}

/// What the reader must know about its client.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLimits {
    /// The longest argument, in bytes (Redis' `proto-max-bulk-len`).
    pub(super) bulk_max: usize,
    pub(super) authenticated: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// The arguments of one command; the first is its name.
#[derive(Clone, Copy)]
pub(super) struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    pub(super) fn len(self) -> usize {
        self.spans.len()
    }

    /// Argument `index`; empty where there is none, which an arity check has excluded before.
    pub(super) fn at(self, index: usize) -> &'a [u8] {
        match self.spans.get(index) {
            Some(span) => &self.bytes[span.start as usize..span.end as usize],
            None => &[],
        }
    }

    /// The arguments from `index` on.
    pub(super) fn from(self, index: usize) -> impl Iterator<Item = &'a [u8]> {
        (index..self.len()).map(move |at| self.at(at))
    }
}

/// Reads one command after another out of a client's input.
///
/// Input handed to [`next`](Self::next) always starts at the first byte of the command being read, and only
/// grows until the command is complete.
#[derive(Default)]
pub(super) struct RequestReader {
    /// Arguments taken so far: offsets into the input, or into `unquoted` for an inline command.
    spans: Vec<Span>,
    /// The arguments of an inline command without their quotes.
    unquoted: Vec<u8>,
    inline: bool,
    /// Bytes of the command taken so far.
    cursor: usize,
    /// There is no line end between `cursor` and here.
    scanned: usize,
    /// Arguments of the array that are missing; 0 before its header was read.
    args_left: u32,
    /// The length line of the next argument, once it was read.
    bulk_len: Option<usize>,
}

/// Spans kept for the next command: more than any command here needs, little for an idle client.
const RETAINED_SPANS: usize = 64;
/// Unquoted bytes kept for the next inline command.
const RETAINED_UNQUOTED: usize = 1024;

impl RequestReader {
    /// Reads on in `input`. After `Empty` and `Command` the caller takes [`finish`](Self::finish).
    pub(super) fn next(&mut self, input: &[u8], limits: RequestLimits) -> Result<Parsed, ProtocolError> {
        match input.first() {
            None => Ok(Parsed::Incomplete),
            Some(b'*') => self.next_array(input, limits),
            Some(_) => self.next_inline(input),
        }
    }

    /// The arguments of the command that `next` has just found in `input`.
    pub(super) fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        Args { bytes: if self.inline { &self.unquoted } else { input }, spans: &self.spans }
    }

    /// Forgets the command and answers its length in the input.
    pub(super) fn finish(&mut self) -> usize {
        let length = self.cursor;
        self.cursor = 0;
        self.scanned = 0;
        self.inline = false;
        self.spans.clear();
        self.unquoted.clear();
        if self.spans.capacity() > RETAINED_SPANS {
            self.spans.shrink_to(RETAINED_SPANS);
        }
        if self.unquoted.capacity() > RETAINED_UNQUOTED {
            self.unquoted.shrink_to(RETAINED_UNQUOTED);
        }
        length
    }

    fn next_array(&mut self, input: &[u8], limits: RequestLimits) -> Result<Parsed, ProtocolError> {
        if self.args_left == 0 {
            let Some(line) = self.length_line(input, ProtocolError::TooBigMultibulkCount)? else {
                return Ok(Parsed::Incomplete);
            };
            let count = parse_integer(&input[1..line])
                .filter(|count| *count <= ARGUMENTS_MAX)
                .ok_or(ProtocolError::InvalidMultibulkLength)?;
            if count > UNAUTHENTICATED_ARGUMENTS_MAX && !limits.authenticated {
                return Err(ProtocolError::UnauthenticatedMultibulkLength);
            }
            self.cursor = line + 2;
            if count <= 0 {
                return Ok(Parsed::Empty);
            }
            self.args_left = count as u32;
        }
        while self.args_left > 0 {
            let len = match self.bulk_len {
                Some(len) => len,
                None => match self.bulk_length(input, limits)? {
                    Some(len) => len,
                    None => return Ok(Parsed::Incomplete),
                },
            };
            let end = self.cursor + len;
            if input.len() < end + 2 {
                self.bulk_len = Some(len);
                return Ok(Parsed::Incomplete);
            }
            self.spans.push(Span { start: self.cursor as u32, end: end as u32 });
            self.bulk_len = None;
            self.cursor = end + 2;
            self.args_left -= 1;
        }
        Ok(Parsed::Command)
    }

    /// Reads the length line of the next argument.
    fn bulk_length(&mut self, input: &[u8], limits: RequestLimits) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self.length_line(input, ProtocolError::TooBigBulkCount)? else {
            return Ok(None);
        };
        if input[self.cursor] != b'$' {
            return Err(ProtocolError::ExpectedDollar(input[self.cursor]));
        }
        let len = parse_integer(&input[self.cursor + 1..line])
            .filter(|len| *len >= 0 && *len <= limits.bulk_max as i64)
            .ok_or(ProtocolError::InvalidBulkLength)?;
        if len > UNAUTHENTICATED_BULK_MAX && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        self.cursor = line + 2;
        Ok(Some(len as usize))
    }

    /// Where the line at `cursor` ends (its CR), once the byte after the CR is there as well.
    fn length_line(&mut self, input: &[u8], too_big: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        let end = self.line_end(input, b'\r', too_big)?;
        Ok(end.filter(|end| end + 1 < input.len()))
    }

    /// Finds `stop` from `cursor` on. A NUL before it hides it: Redis looks for line ends with `strchr`.
    fn line_end(
        &mut self,
        input: &[u8],
        stop: u8,
        too_big: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let from = self.scanned.max(self.cursor);
        let found = input[from..].iter().position(|byte| *byte == stop || *byte == 0).map(|at| from + at);
        self.scanned = found.unwrap_or(input.len());
        match found.filter(|at| input[*at] == stop) {
            Some(at) if at - self.cursor <= LINE_MAX => Ok(Some(at)),
            None if input.len() - self.cursor <= LINE_MAX => Ok(None),
            _ => Err(too_big),
        }
    }

    fn next_inline(&mut self, input: &[u8]) -> Result<Parsed, ProtocolError> {
        let Some(newline) = self.line_end(input, b'\n', ProtocolError::TooBigInline)? else {
            return Ok(Parsed::Incomplete);
        };
        let line = &input[..newline];
        self.inline = true;
        self.cursor = newline + 1;
        self.split(line.strip_suffix(b"\r").unwrap_or(line))?;
        Ok(if self.spans.is_empty() { Parsed::Empty } else { Parsed::Command })
    }

    /// Splits an inline command at white space; quotes group, and double quotes take escapes.
    fn split(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        let mut at = 0;
        loop {
            at += line[at..].iter().take_while(|byte| is_space(**byte)).count();
            if at == line.len() {
                return Ok(());
            }
            let start = self.unquoted.len() as u32;
            while let Some(&byte) = line.get(at) {
                at += 1;
                match byte {
                    b' ' | b'\n' | b'\r' | b'\t' => break,
                    b'"' | b'\'' => {
                        at = self.quoted(line, at, byte)?;
                        break;
                    }
                    _ => self.unquoted.push(byte),
                }
            }
            self.spans.push(Span { start, end: self.unquoted.len() as u32 });
        }
    }

    /// Takes what stands between quotes from `at` on, and answers where the text after them goes on.
    fn quoted(&mut self, line: &[u8], mut at: usize, quote: u8) -> Result<usize, ProtocolError> {
        loop {
            let rest = &line[at..];
            at += match rest {
                [] => return Err(ProtocolError::UnbalancedQuotes),
                [byte] if *byte == quote => return Ok(at + 1),
                [byte, next, ..] if *byte == quote => {
                    return if is_space(*next) { Ok(at + 1) } else { Err(ProtocolError::UnbalancedQuotes) };
                }
                [b'\\', b'\'', ..] if quote == b'\'' => {
                    self.unquoted.push(b'\'');
                    2
                }
                [b'\\', b'x', high, low, ..]
                    if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    self.unquoted.push(hex(*high) << 4 | hex(*low));
                    4
                }
                [b'\\', escaped, ..] if quote == b'"' => {
                    self.unquoted.push(unescape(*escaped));
                    2
                }
                [byte, ..] => {
                    self.unquoted.push(*byte);
                    1
                }
            };
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
