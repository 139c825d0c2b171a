//! Bad and odd input that brought other clients down, one test per case; each names its precedent.

use ringwire_codec::resp::DecodeErrorKind::*;
use ringwire_codec::resp::{DEPTH_CAP, DecodeError, Decoder, FrameReader, Limits, Token};

use crate::feed::{decode_every_way, decode_whole, frames_every_way};

/// hiredis#1357. That nothing is allocated is measured in `tests/allocations.rs`.
#[test]
fn huge_counts_without_data() {
    // Too many for the frame's limit: refused at once. Without that limit: waits for the elements.
    let unlimited = Limits { frame_len_max: usize::MAX, ..Limits::default() };
    for input in [&b"*4294967295\r\n"[..], b"%4294967295\r\n", b"~4294967295\r\n", b">4294967295\r\n"] {
        let error = decode_every_way(input, Limits::default()).error.expect("refused");
        assert!(matches!(error.kind, CountTooLarge { count: 4_294_967_295, .. }), "{error}");
        assert_eq!(decode_every_way(input, unlimited).error, None);
        assert_eq!(decode_every_way(input, unlimited).tokens.len(), 1);
    }
}

/// CVE-2021-32765, hiredis#1371, hiredis#1358.
#[test]
fn counts_and_lengths_that_overflow() {
    let unlimited = Limits { bulk_len_max: usize::MAX, frame_len_max: usize::MAX, ..Limits::default() };
    // Twice this count is 2 modulo 2^64.
    let error = decode_every_way(b"%9223372036854775809\r\n", unlimited).error.expect("refused");
    assert_eq!(error.kind, NumberOutOfRange);
    let error = decode_every_way(b"%9223372036854775807\r\n:1\r\n", unlimited).error.expect("refused");
    assert!(matches!(error.kind, CountTooLarge { .. }), "{error}");
    // Length + 2 is 1 modulo 2^64.
    let error = decode_every_way(b"$18446744073709551615\r\na", unlimited).error.expect("refused");
    assert_eq!(error.kind, NumberOutOfRange);
    let error = decode_every_way(b"$9223372036854775807\r\na", Limits::default()).error.expect("refused");
    assert!(matches!(error.kind, BulkTooLong { .. }), "{error}");
}

/// hiredis#1336 to #1340: recursion, also that of freeing.
#[test]
fn deep_nesting() {
    let input = b"*1\r\n".repeat(1_000_000);
    let error = decode_whole(&input, Limits::default()).error.expect("refused");
    assert_eq!(error, DecodeError { offset: 4 * DEPTH_CAP, kind: TooDeep { max: DEPTH_CAP } });
}

/// hiredis' own tests.
#[test]
fn negative_lengths_and_old_nulls() {
    for input in [&b"$-2\r\n"[..], b"*-2\r\n", b"!-1\r\n"] {
        let error = decode_every_way(input, Limits::default()).error.expect("refused");
        assert!(matches!(error.kind, NegativeLength { .. }), "{error}");
    }
    let decoded = decode_every_way(b">2\r\n$-1\r\n*-1\r\n", Limits::default());
    assert_eq!(decoded.tokens, [Token::Push(Some(2)), Token::Null, Token::Null]);
}

/// ioredis#2127.
#[test]
fn a_null_split_from_its_line_end() {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.next(b"_"), Ok(None));
    assert_eq!(decoder.next(b"_\r"), Ok(None));
    assert_eq!(decoder.next(b"_\r\n"), Ok(Some(Token::Null)));
}

/// redis#8935; rueidis has the same rule.
#[test]
fn a_push_inside_an_array() {
    let frames = frames_every_way(b"*2\r\n+a\r\n>1\r\n+invalidate\r\n+b\r\n:1\r\n");
    let order: Vec<_> = frames.iter().map(|frame| (frame.head, frame.nested)).collect();
    let expected = [(Token::Push(Some(1)), true), (Token::Array(Some(2)), false), (Token::Integer(1), false)];
    assert_eq!(order, expected);
}

/// redis-protocol skips two bytes unchecked.
#[test]
fn a_bulk_whose_trailer_is_not_crlf() {
    for trailer in [&b"\r\r"[..], b"\n\r", b"\n\n", b"ab", b"\r:", b"+\n"] {
        let input = [b"*2\r\n$3\r\nabc", trailer, b":1\r\n"].concat();
        let error = decode_every_way(&input, Limits::default()).error.expect("refused");
        assert_eq!((error.offset, error.kind), (11, BulkTrailer { len: 3, got: [trailer[0], trailer[1]] }));
        assert_eq!(FrameReader::new(Limits::default()).next(&input).unwrap_err(), error);
    }
}

/// sage#87. What has been read is not looked at again: here it changes behind the decoder's back.
#[test]
fn resumes_where_it_stopped() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = b"*3\r\n:1\r\n+abcdef".to_vec();
    assert_eq!(decoder.next(&buffer), Ok(Some(Token::Array(Some(3)))));
    assert_eq!(decoder.next(&buffer), Ok(Some(Token::Integer(1))));
    assert_eq!(decoder.next(&buffer), Ok(None));
    // Tokens that are done, and the half line behind its type byte: a second search would stop at these.
    buffer[..8].fill(b'\n');
    buffer[9..].fill(b'\n');
    buffer.extend_from_slice(b"gh\r");
    assert_eq!(decoder.next(&buffer), Ok(None));
    buffer[15..].fill(b'\n');
    buffer[17] = b'\r';
    buffer.extend_from_slice(b"\n");
    assert_eq!(decoder.next(&buffer), Ok(Some(Token::Simple(b"\n\n\n\n\n\n\n\n"))));
    // Inside a half bulk nothing is looked at until it is complete, not even its header.
    buffer.extend_from_slice(b"$5\r\nab");
    assert_eq!(decoder.next(&buffer), Ok(None));
    assert_eq!(decoder.wanted(), buffer.len() + 5);
    let header = buffer.len() - 6;
    buffer[header..].fill(b'?');
    buffer.extend_from_slice(b"cde\r");
    assert_eq!(decoder.next(&buffer), Ok(None));
    buffer[header..header + 4].copy_from_slice(b"$5\r\n");
    buffer.extend_from_slice(b"\n");
    assert_eq!(decoder.next(&buffer), Ok(Some(Token::Bulk(b"??cde"))));
    assert_eq!(decoder.frame_len(), Some(buffer.len()));
}

/// The same for frames, whose short way looks at a frame once at most.
#[test]
fn frames_resume_where_they_stopped() {
    let mut reader = FrameReader::new(Limits::default());
    let mut buffer = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\nab".to_vec();
    assert!(reader.next(&buffer).unwrap().is_none());
    let message = buffer.len() - 6;
    buffer[..message].fill(b'\n');
    buffer.extend_from_slice(b"c\r\n");
    let frame = reader.next(&buffer).unwrap().unwrap();
    assert_eq!(frame.head(), Token::Push(Some(3)));
    assert_eq!(frame.item(2), Some(Token::Bulk(b"abc")));
}
