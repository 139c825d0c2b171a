//! What stands in a line: numbers of three kinds, and the line's end.
//!
//! Each check reads from the left and depends only on the bytes in front of it.

use super::error::{DecodeError, DecodeErrorKind};
use super::token::Span;

/// Digits of the largest 64-bit integer: one more cannot be one.
const DIGITS_MAX: usize = 19;

/// Why there is no token.
pub(super) enum Halt {
    /// The input must be this long first.
    Wait(usize),
    Fail(DecodeError),
}

#[cold]
pub(super) fn fail<T>(offset: usize, kind: DecodeErrorKind) -> Result<T, Halt> {
    Err(Halt::Fail(DecodeError { offset, kind }))
}

/// Where the CRLF at `at` ends.
#[inline]
pub(super) fn line_end(input: &[u8], at: usize) -> Result<usize, Halt> {
    match input.get(at..) {
        Some([b'\r', b'\n', ..]) => Ok(at + 2),
        Some([b'\r', got, ..]) => fail(at + 1, DecodeErrorKind::BareCarriageReturn { got: *got }),
        Some([b'\n', ..]) => fail(at, DecodeErrorKind::BareLineFeed),
        Some([got, ..]) if *got != b'\r' => fail(at, DecodeErrorKind::ExpectedLineEnd { got: *got }),
        _ => Err(Halt::Wait(input.len() + 1)),
    }
}

/// The number at `start`, and where its CRLF ends.
///
/// As Redis writes it: no zeros in front, no `-0`. `:` also takes a plus sign, by the specification.
#[inline]
pub(super) fn integer(input: &[u8], start: usize, plus: bool) -> Result<(i64, usize), Halt> {
    let (negative, first) = match input.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') if plus => (false, start + 1),
        _ => (false, start),
    };
    let mut magnitude = 0_u64;
    let mut at = first;
    let got = loop {
        let Some(&byte) = input.get(at) else {
            return Err(Halt::Wait(input.len() + 1));
        };
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break byte;
        }
        if at - first == DIGITS_MAX {
            return fail(first, DecodeErrorKind::NumberOutOfRange);
        }
        // 19 digits stay below u64::MAX.
        magnitude = magnitude * 10 + u64::from(digit);
        at += 1;
    };
    if at == first {
        return fail(at, DecodeErrorKind::ExpectedDigit { got });
    }
    if input[first] == b'0' && (negative || at - first > 1) {
        return fail(first, DecodeErrorKind::LeadingZero);
    }
    let value = if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
    match value {
        Some(value) => Ok((value, line_end(input, at)?)),
        None => fail(first, DecodeErrorKind::NumberOutOfRange),
    }
}

/// `[+-]digits[.digits][e[+-]digits]`, `[+-]inf`, `[+-]nan` (C libraries print a sign there too).
pub(super) fn double(text: &[u8]) -> Option<f64> {
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    match unsigned {
        b"inf" => return Some(if text[0] == b'-' { f64::NEG_INFINITY } else { f64::INFINITY }),
        b"nan" => return Some(f64::NAN),
        _ => {}
    }
    let rest = digits(unsigned)?;
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => digits(fraction)?,
        None => rest,
    };
    let rest = match rest {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => digits(exponent)?,
        _ => rest,
    };
    if !rest.is_empty() {
        return None;
    }
    // Beyond f64 this rounds to infinity: servers print long doubles in places.
    str::from_utf8(text).ok()?.parse().ok()
}

/// What follows one or more digits.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (len > 0).then(|| &text[len..])
}

/// One or more digits, after a sign or none.
pub(super) fn check_big_number(input: &[u8], span: Span) -> Result<(), Halt> {
    let text = &input[span.start..span.end];
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    match text[sign..].iter().position(|byte| !byte.is_ascii_digit()) {
        None if text.len() > sign => Ok(()),
        // Nothing but a sign: the CR stands where a digit should.
        None => fail(span.end, DecodeErrorKind::BadBigNumber { got: b'\r' }),
        Some(bad) => fail(span.start + sign + bad, DecodeErrorKind::BadBigNumber { got: text[sign + bad] }),
    }
}
