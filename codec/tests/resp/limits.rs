//! What a peer may ask for, and where it ends.

use ringwire_codec::resp::DecodeErrorKind::*;
use ringwire_codec::resp::{DEPTH_CAP, DecodeError, DecodeErrorKind, FRAME_LEN_MAX, Limits};

use crate::feed::{decode_every_way, decode_whole, frames};

fn check(input: &[u8], limits: Limits, expected: Option<(usize, DecodeErrorKind)>) {
    let error = expected.map(|(offset, kind)| DecodeError { offset, kind });
    assert_eq!(decode_every_way(input, limits).error, error, "\"{}\"", input.escape_ascii());
    // The short way of the frame reader keeps to the same limits.
    assert_eq!(frames(input, limits, [].into_iter()).1, error, "\"{}\"", input.escape_ascii());
}

#[test]
fn bulk_lengths() {
    let limits = Limits { bulk_len_max: 4, ..Limits::default() };
    check(b"$4\r\nabcd\r\n", limits, None);
    check(b"$5\r\n", limits, Some((0, BulkTooLong { len: 5, max: 4 })));
    check(b"*2\r\n$4\r\nabcd\r\n$5\r\nabcde\r\n", limits, Some((14, BulkTooLong { len: 5, max: 4 })));
    check(b"!5\r\n", limits, Some((0, BulkTooLong { len: 5, max: 4 })));
    check(b"=5\r\n", limits, Some((0, BulkTooLong { len: 5, max: 4 })));
    check(b"$?\r\n;5\r\n", limits, Some((4, BulkTooLong { len: 5, max: 4 })));
    let max = Limits::default().bulk_len_max;
    check(
        b"$9223372036854775807\r\n",
        Limits::default(),
        Some((0, BulkTooLong { len: i64::MAX as u64, max })),
    );
}

#[test]
fn line_lengths() {
    let limits = Limits { line_len_max: 3, ..Limits::default() };
    check(b"+abc\r\n", limits, None);
    check(b"+abcd\r\n", limits, Some((0, LineTooLong { max: 3 })));
    check(b"+abcd", limits, Some((0, LineTooLong { max: 3 })));
    check(b"*1\r\n-abcdefgh\r\n", limits, Some((4, LineTooLong { max: 3 })));
    check(b"(1234\r\n", limits, Some((0, LineTooLong { max: 3 })));
    check(b",1.50\r\n", limits, Some((0, LineTooLong { max: 3 })));
    // The lines of numbers have their own, natural limit.
    check(b":123456789\r\n", limits, None);
}

#[test]
fn frame_lengths() {
    let limits = Limits { frame_len_max: 12, ..Limits::default() };
    let too_long = FrameTooLong { max: 12 };
    check(b"*2\r\n:1\r\n:2\r\n", limits, None);
    check(b"*2\r\n:1\r\n:22\r\n", limits, Some((8, too_long)));
    check(b"*2\r\n:1\r\n+22\r\n", limits, Some((8, too_long)));
    check(b"*1\r\n$3\r\nabc\r\n", limits, Some((4, too_long)));
    check(b"$6\r\nabcdef\r\n", limits, None);
    check(b"$7\r\n", limits, Some((0, too_long)));
    check(b"*4\r\n", limits, None);
    check(b"*5\r\n", limits, Some((0, CountTooLarge { count: 5, frame_len_max: 12 })));
    check(b"%2\r\n", limits, None);
    check(b"%3\r\n", limits, Some((0, CountTooLarge { count: 3, frame_len_max: 12 })));
    // Attributes and nested pushes count: they lie in the buffer too.
    check(b"|1\r\n:1\r\n:2\r\n:3\r\n", limits, Some((12, too_long)));
    check(b"*1\r\n>1\r\n:1\r\n:2\r\n", limits, Some((12, too_long)));
}

#[test]
fn declared_counts() {
    let too_large = |count| Some((0, CountTooLarge { count, frame_len_max: FRAME_LEN_MAX }));
    for type_byte in *b"*~%|>" {
        let input = |count: u64| format!("{}{count}\r\n", char::from(type_byte)).into_bytes();
        check(&input(u32::MAX.into()), Limits::default(), too_large(u32::MAX.into()));
        check(&input(i64::MAX as u64), Limits::default(), too_large(i64::MAX as u64));
    }
    // With no limit at all the doubled count of a map still cannot overflow into something small.
    let limits = Limits { bulk_len_max: usize::MAX, frame_len_max: usize::MAX, ..Limits::default() };
    let huge = CountTooLarge { count: i64::MAX as u64, frame_len_max: usize::MAX };
    check(b"%9223372036854775807\r\n", limits, Some((0, huge)));
    check(b"*4294967295\r\n", limits, None);
}

#[test]
fn lengths_that_no_address_space_holds() {
    let limits = Limits {
        bulk_len_max: usize::MAX,
        line_len_max: usize::MAX,
        depth_max: usize::MAX,
        frame_len_max: usize::MAX,
    };
    check(b"+ok\r\n", limits, None);
    let mut decoder = ringwire_codec::resp::Decoder::new(limits);
    assert_eq!(decoder.next(b"$9223372036854775807\r\nabc"), Ok(None));
    assert_eq!(decoder.wanted() as u64, 22 + i64::MAX as u64 + 2);
}

/// `depth` aggregates around a value.
fn nested(header: &[u8], depth: usize) -> Vec<u8> {
    [header.repeat(depth), b":1\r\n".to_vec()].concat()
}

#[test]
fn depth() {
    let limits = Limits { depth_max: 3, ..Limits::default() };
    let too_deep = Some((12, TooDeep { max: 3 }));
    for header in [&b"*1\r\n"[..], b"~1\r\n", b"*?\r\n", b">1\r\n", b"%1\r\n"] {
        check(&nested(header, 4), limits, too_deep);
    }
    check(&nested(b"*1\r\n", 3), limits, None);
    check(b"*1\r\n*1\r\n*1\r\n$?\r\n", limits, too_deep);
    check(b"*1\r\n*1\r\n*1\r\n|1\r\n", limits, too_deep);
    // Attributes nest like anything else.
    check(&b"|1\r\n".repeat(4), limits, too_deep);
    check(b"*0\r\n", Limits { depth_max: 0, ..limits }, Some((0, TooDeep { max: 0 })));
    check(b"*1\r\n:1\r\n", Limits { depth_max: 0, ..limits }, Some((0, TooDeep { max: 0 })));
    check(b":1\r\n", Limits { depth_max: 0, ..limits }, None);
}

#[test]
fn the_depth_cap_holds_whatever_the_limit() {
    let limits = Limits { depth_max: usize::MAX, ..Limits::default() };
    let deep = nested(b"*1\r\n", DEPTH_CAP);
    assert_eq!(decode_whole(&deep, limits).frame_lens, [deep.len()]);
    for levels in [DEPTH_CAP + 1, 100_000] {
        let deeper = nested(b"*1\r\n", levels);
        let kind = TooDeep { max: DEPTH_CAP };
        assert_eq!(decode_whole(&deeper, limits).error, Some(DecodeError { offset: 4 * DEPTH_CAP, kind }));
    }
}
