//! The lines of a file, one after another, in bounded memory.
//!
//! ```text
//!  file ──► 256 KiB buffer ──► line (grows to the longest allowed line) ──► lent without its LF or CRLF
//! ```
//!
//! Bytes are bytes: NUL, other control characters and what is not UTF-8 pass unchanged. A lone CR is part of the
//! line. A last line without a line end is a line; after a last line end there is none.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

/// What is read at once: enough that system calls do not count beside the publishing.
const BUFFER_BYTES: usize = 256 << 10;
/// LF, or CR and LF.
const LINE_END_MAX: usize = 2;

/// Reads lines of at most `len_max` bytes, line ends not counted.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    len_max: usize,
    /// Lines that were begun.
    number: u64,
}

/// Why there is no next line, and which it would have been, from 1.
#[derive(Debug)]
pub(crate) enum LineError {
    TooLong { number: u64, len_max: usize },
    Read { number: u64, error: std::io::Error },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { number, len_max } => {
                write!(
                    f,
                    "line {number} is longer than {len_max} bytes, which is the longest that is sent; engine.ring_bytes raises that"
                )
            }
            Self::Read { number, error } => write!(f, "line {number} cannot be read: {error}"),
        }
    }
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R, len_max: usize) -> Self {
        let reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        Self { reader, line: Vec::new(), len_max, number: 0 }
    }

    /// The next line, without its line end; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LineError`]: do not read on after it.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, LineError> {
        self.line.clear();
        let limit = self.len_max + LINE_END_MAX;
        let read = self.reader.by_ref().take(limit as u64).read_until(b'\n', &mut self.line);
        let number = self.number + 1;
        if read.map_err(|error| LineError::Read { number, error })? == 0 {
            return Ok(None);
        }
        self.number = number;
        if let Some(line) = self.line.strip_suffix(b"\n") {
            let len = line.strip_suffix(b"\r").unwrap_or(line).len();
            self.line.truncate(len);
        }
        if self.line.len() > self.len_max {
            return Err(LineError::TooLong { number, len_max: self.len_max });
        }
        Ok(Some(&self.line))
    }

    /// From now on lines have at most `len_max` bytes.
    pub(crate) fn limit(&mut self, len_max: usize) {
        self.len_max = len_max;
    }

    /// Whether the next line has to be asked of the reader, at least in part, and may have to be waited for.
    pub(crate) fn is_drained(&self) -> bool {
        !self.reader.buffer().contains(&b'\n')
    }

    /// The number of the line that was lent last, from 1; 0 before the first.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let len = self.0.len().min(1).min(buffer.len());
            let (now, later) = self.0.split_at(len);
            buffer[..len].copy_from_slice(now);
            self.0 = later;
            Ok(len)
        }
    }

    fn all(reader: impl Read, len_max: usize) -> Vec<String> {
        let mut lines = Lines::new(reader, len_max);
        let mut got = Vec::new();
        loop {
            match lines.next() {
                Ok(Some(line)) => got.push(line.escape_ascii().to_string()),
                Ok(None) => return got,
                Err(error) => {
                    got.push(error.to_string());
                    return got;
                }
            }
        }
    }

    #[test]
    fn lines_come_as_they_stand_without_their_end() {
        let cases: [(&[u8], &[&str]); 12] = [
            (b"", &[]),
            (b"\n", &[""]),
            (b"\r\n", &[""]),
            (b"a", &["a"]),
            (b"a\n", &["a"]),
            (b"a\r\n", &["a"]),
            (b"a\nb", &["a", "b"]),
            (b"a\r\n\r\nb\r\n", &["a", "", "b"]),
            (b"a\rb\n", &["a\\rb"]),
            (b"a\r", &["a\\r"]),
            (b"a\r\r\n", &["a\\r"]),
            (b"\x00\xff\x1a\n\xc3\n", &["\\x00\\xff\\x1a", "\\xc3"]),
        ];
        for (text, expected) in cases {
            assert_eq!(all(text, 100), expected, "{}", text.escape_ascii());
            assert_eq!(all(Dripping(text), 100), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_longest_line_passes_and_one_byte_more_does_not() {
        let error =
            "line 2 is longer than 4 bytes, which is the longest that is sent; engine.ring_bytes raises that";
        let cases: [(&[u8], &[&str]); 8] = [
            (b"1234\n1234\r\n1234", &["1234", "1234", "1234"]),
            (b"x\n12345", &["x", error]),
            (b"x\n12345\n", &["x", error]),
            (b"x\n12345\r\n", &["x", error]),
            (b"x\n123456\n", &["x", error]),
            (b"x\n1234567890123456789012345678901234567890", &["x", error]),
            (b"x\n1234\r", &["x", error]),
            (b"x\n123\r", &["x", "123\\r"]),
        ];
        for (text, expected) in cases {
            assert_eq!(all(text, 4), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let mut lines = Lines::new(std::io::repeat(b'x'), 1_000);
        assert!(matches!(lines.next(), Err(LineError::TooLong { number: 1, .. })));
        assert!(lines.line.capacity() < 10_000);
    }
}
