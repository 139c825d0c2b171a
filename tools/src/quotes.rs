//! The messages of the demo: lines of a file in memory, each with the number of the message as its last column.
//!
//! ```text
//!  1577916000065000000,EURUSD,1.121200,1.121720 , 173205
//!  └─────────── a line of the file ────────────┘ └ message 173205: the line is 173205 modulo the lines
//! ```

use std::io::{Read, Write};
use std::path::Path;

use crate::lines::Lines;

/// 9,500 recorded quotes of EUR/USD.
const EMBEDDED: &[u8] = include_bytes!("../../bench/data/eurusd-quotes.csv");
/// What is kept in memory of a file: a day of quotes, many times.
const FILE_BYTES_MAX: usize = 64 << 20;
/// What is kept of its lines: 32 MiB of their ends.
const LINES_MAX: usize = 4 << 20;
/// Far more than a quote.
const LINE_LEN_MAX: usize = 64 << 10;

/// Lines to send over and over. There is at least one.
pub(crate) struct Quotes {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`; the next begins there.
    ends: Vec<usize>,
}

impl Quotes {
    /// Reads `file`, or the quotes that the command brings.
    ///
    /// # Errors
    /// Why the file cannot be used, in words.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, String> {
        let Some(path) = file else { return Self::read(EMBEDDED) };
        let named = |words: String| format!("{}: {words}", path.display());
        let file = std::fs::File::open(path).map_err(|error| named(error.to_string()))?;
        Self::read(file).map_err(named)
    }

    fn read(reader: impl Read) -> Result<Self, String> {
        let mut lines = Lines::new(reader, LINE_LEN_MAX);
        let mut quotes = Self { bytes: Vec::new(), ends: Vec::new() };
        // The header.
        lines.next().map_err(|error| error.to_string())?;
        while let Some(line) = lines.next().map_err(|error| error.to_string())? {
            if quotes.bytes.len() + line.len() > FILE_BYTES_MAX || quotes.ends.len() == LINES_MAX {
                return Err(format!(
                    "the demo keeps the file in memory, and takes at most {FILE_BYTES_MAX} bytes and {LINES_MAX} lines"
                ));
            }
            quotes.bytes.extend_from_slice(line);
            quotes.ends.push(quotes.bytes.len());
        }
        if quotes.ends.is_empty() {
            return Err("there is no line after the header".to_owned());
        }
        Ok(quotes)
    }

    /// Writes message `index` into `message`, in place of what was there.
    pub(crate) fn message(&self, index: u64, message: &mut Vec<u8>) {
        message.clear();
        message.extend_from_slice(self.line(index));
        // A vector takes everything.
        let _ = write!(message, ",{index}");
    }

    /// The number of a message as it came back; `None` if it is not, byte for byte, one that this made.
    pub(crate) fn index(&self, message: &[u8]) -> Option<u64> {
        let comma = message.iter().rposition(|byte| *byte == b',')?;
        let (line, number) = (&message[..comma], &message[comma + 1..]);
        let is_canonical = number.first().is_some_and(|digit| *digit != b'0' || number.len() == 1);
        let index = std::str::from_utf8(number).ok()?.parse().ok()?;
        (is_canonical && number[0] != b'+' && line == self.line(index)).then_some(index)
    }

    fn line(&self, index: u64) -> &[u8] {
        let line = (index % self.ends.len() as u64) as usize;
        let start = line.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[line]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_and_its_number() {
        let quotes = Quotes::load(None).unwrap();
        assert_eq!(quotes.ends.len(), 9_500);
        let mut message = Vec::new();
        for index in [0, 1, 9_499, 9_500, 99_999_999] {
            quotes.message(index, &mut message);
            assert_eq!(quotes.index(&message), Some(index));
        }
        quotes.message(9_500, &mut message);
        assert_eq!(message, b"1577916000065000000,EURUSD,1.121200,1.121720,9500");
        for changed in [
            &b"1577916000065000000,EURUSD,1.121200,1.121720,9501"[..],
            b"1577916000065000000,EURUSD,1.121200,1.121720,+0",
            b"1577916000065000000,EURUSD,1.121200,1.121720,00",
            b"1577916000065000000,EURUSD,1.121200,1.121720,",
            b"1577916000065000000,EURUSD,1.121200,1.121721,0",
            b",0",
            b"0",
            b"",
            b"\xff,\xff",
        ] {
            assert_eq!(quotes.index(changed), None, "{}", changed.escape_ascii());
        }
    }

    #[test]
    fn a_file_without_lines_is_refused() {
        for text in [&b""[..], b"header", b"header\r\n"] {
            assert!(Quotes::read(text).is_err());
        }
        let quotes = Quotes::read(&b"header\n\na,b\r\n"[..]).unwrap();
        let mut message = Vec::new();
        let messages = [0, 1, 2].map(|index| {
            quotes.message(index, &mut message);
            String::from_utf8(message.clone()).unwrap()
        });
        assert_eq!(messages, [",0", "a,b,1", ",2"]);
        assert!(Quotes::read(std::io::repeat(b'\n')).is_err());
    }
}
