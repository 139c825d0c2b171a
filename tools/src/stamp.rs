//! Times as files write them, as nanoseconds since 1970 UTC.
//!
//! A number counts seconds, milliseconds, microseconds or nanoseconds since 1970, and may have a fraction. Which of
//! them is told by the first number of the file that is not 0: what would lie after the year 5138 in one unit is
//! taken for the next finer one. Anything else is a date and time of ISO 8601 or RFC 3339: `2020-01-01T22:00:00.065Z`,
//! with a blank for the `T` or with an offset; without one it is UTC.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// 1e11 seconds after 1970 is the year 5138; 1e11 milliseconds is 1973. Real times are far from both.
const NEXT_UNIT_FROM: u64 = 100_000_000_000;
const NS_PER_SECOND: u64 = 1_000_000_000;
/// Digits of a fraction that a nanosecond can show, for the coarsest unit.
const FRACTION_DIGITS: usize = 9;

/// The unit of times that are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    fn guess(number: u64) -> Self {
        match number {
            number if number < NEXT_UNIT_FROM => Self::Seconds,
            number if number < NEXT_UNIT_FROM * 1_000 => Self::Milliseconds,
            number if number < NEXT_UNIT_FROM * 1_000_000 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }

    fn ns(self) -> u64 {
        match self {
            Self::Seconds => NS_PER_SECOND,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }
}

/// Reads the times of one file.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    unit: Option<Unit>,
}

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StampError {
    Empty,
    /// Beyond what 64 bits of nanoseconds hold: about 1677 to 2262.
    OutOfRange,
    NotATime,
}

impl fmt::Display for StampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::OutOfRange => "lies outside the years 1678 to 2261",
            Self::NotATime => {
                "is neither a number of seconds, milliseconds, microseconds or nanoseconds since 1970 nor a date and \
                 time as in 2020-01-01T22:00:00.065Z"
            }
        })
    }
}

impl Stamps {
    /// Nanoseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`StampError`] if the text is no time.
    pub(crate) fn read(&mut self, text: &[u8]) -> Result<i64, StampError> {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(StampError::Empty);
        }
        match Number::parse(text) {
            Some(number) => self.number(&number?),
            None => date_and_time(text),
        }
    }

    fn number(&mut self, number: &Number) -> Result<i64, StampError> {
        if self.unit.is_none() && number.whole != 0 {
            self.unit = Some(Unit::guess(number.whole));
        }
        let unit_ns = self.unit.unwrap_or(Unit::Seconds).ns();
        let fraction_ns = number.billionths * unit_ns / NS_PER_SECOND;
        let ns = i128::from(number.whole) * i128::from(unit_ns) + i128::from(fraction_ns);
        let ns = if number.is_negative { -ns } else { ns };
        i64::try_from(ns).map_err(|_| StampError::OutOfRange)
    }
}

/// A decimal number: `-12.5`.
struct Number {
    is_negative: bool,
    whole: u64,
    /// The fraction, in billionths of the unit; what is finer is cut off.
    billionths: u64,
}

impl Number {
    /// `None` if the text is not a number at all.
    fn parse(text: &[u8]) -> Option<Result<Self, StampError>> {
        let (is_negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        let point = digits.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits, &b""[..]),
        };
        let is_number = !whole.is_empty()
            && whole.iter().chain(fraction).all(u8::is_ascii_digit)
            && (point.is_none() || !fraction.is_empty());
        if !is_number {
            return None;
        }
        let digit = |byte: &u8| u64::from(byte - b'0');
        let accumulate = |sum: u64, byte: &u8| sum.checked_mul(10)?.checked_add(digit(byte));
        let Some(whole) = whole.iter().try_fold(0, accumulate) else {
            return Some(Err(StampError::OutOfRange));
        };
        let padded = fraction.iter().chain(std::iter::repeat(&b'0')).take(FRACTION_DIGITS);
        let billionths = padded.fold(0, |sum, byte| sum * 10 + digit(byte));
        Some(Ok(Self { is_negative, whole, billionths }))
    }
}

fn date_and_time(text: &[u8]) -> Result<i64, StampError> {
    let text = std::str::from_utf8(text).map_err(|_| StampError::NotATime)?;
    let timestamp = match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp,
        Err(_) => {
            let local: DateTime = text.parse().map_err(|_| StampError::NotATime)?;
            TimeZone::UTC.to_timestamp(local).map_err(|_| StampError::OutOfRange)?
        }
    };
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| StampError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2020-01-01 22:00:00.065 UTC.
    const THEN_NS: i64 = 1_577_916_000_065_000_000;

    fn read(text: &str) -> Result<i64, StampError> {
        Stamps::default().read(text.as_bytes())
    }

    #[test]
    fn every_way_to_write_one_time() {
        for text in [
            "1577916000065000000",
            "1577916000065000",
            "1577916000065",
            "1577916000.065",
            "1577916000065.0",
            "+1577916000.0650000000009",
            "2020-01-01T22:00:00.065Z",
            "2020-01-01t22:00:00.065z",
            "2020-01-01 22:00:00.065Z",
            "2020-01-01 22:00:00.065",
            "2020-01-01T22:00:00.065000000",
            "2020-01-01T23:30:00.065+01:30",
            "2020-01-01 17:00:00.065-0500",
            " 20200101T220000.065Z ",
        ] {
            assert_eq!(read(text), Ok(THEN_NS), "{text}");
        }
    }

    #[test]
    fn other_times() {
        let day_ns = 86_400_000_000_000;
        for (text, expected) in [
            ("0", 0),
            ("-1.5", -1_500_000_000),
            ("1970-01-02", day_ns),
            ("1970-01-02T00:00", day_ns),
            ("1969-12-31T00:00:00Z", -day_ns),
            ("99999999999", i64::MAX),
        ] {
            match (read(text), expected) {
                (Err(StampError::OutOfRange), i64::MAX) => {}
                (got, expected) => assert_eq!(got, Ok(expected), "{text}"),
            }
        }
    }

    #[test]
    fn the_first_number_that_is_not_0_tells_the_unit() {
        let mut stamps = Stamps::default();
        let expected = [("0", 0), ("1577916000065", THEN_NS), ("12", 12_000_000), ("0.5", 500_000)];
        for (text, ns) in expected {
            assert_eq!(stamps.read(text.as_bytes()), Ok(ns), "{text}");
        }
        for (number, unit) in [
            (1, Unit::Seconds),
            (99_999_999_999, Unit::Seconds),
            (100_000_000_000, Unit::Milliseconds),
            (100_000_000_000_000, Unit::Microseconds),
            (100_000_000_000_000_000, Unit::Nanoseconds),
            (u64::MAX, Unit::Nanoseconds),
        ] {
            assert_eq!(Unit::guess(number), unit, "{number}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for (text, error) in [
            ("", StampError::Empty),
            ("  ", StampError::Empty),
            ("x", StampError::NotATime),
            ("-", StampError::NotATime),
            (".5", StampError::NotATime),
            ("5.", StampError::NotATime),
            ("1e9", StampError::NotATime),
            ("1,5", StampError::NotATime),
            ("2020-13-01T00:00:00Z", StampError::NotATime),
            ("2020-01-01T25:00:00Z", StampError::NotATime),
            ("22:00:00", StampError::NotATime),
            ("9999-01-01T00:00:00Z", StampError::OutOfRange),
            ("99999999999999999999999", StampError::OutOfRange),
            ("18446744073709551615", StampError::OutOfRange),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
        assert_eq!(Stamps::default().read(b"\xff\xfe"), Err(StampError::NotATime));
    }
}
