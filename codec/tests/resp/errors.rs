//! Bytes that are not RESP: which error, where, however they arrive.

use ringwire_codec::resp::DecodeErrorKind::{self, *};
use ringwire_codec::resp::{DecodeError, Decoder, FrameReader, Limits, Token};

use crate::feed::decode_every_way;

fn check(table: &[(&[u8], usize, DecodeErrorKind)]) {
    for &(input, offset, kind) in table {
        let decoded = decode_every_way(input, Limits::default());
        assert_eq!(decoded.error, Some(DecodeError { offset, kind }), "\"{}\"", input.escape_ascii());
        assert!(decoded.frame_lens.is_empty(), "\"{}\"", input.escape_ascii());
        let mut reader = FrameReader::new(Limits::default());
        // Nested pushes may come before it.
        let mut results = std::iter::repeat_with(|| reader.next(input).map(|_| ())).take(input.len());
        let from_frames = results.find(Result::is_err);
        assert_eq!(from_frames, Some(Err(DecodeError { offset, kind })), "\"{}\"", input.escape_ascii());
    }
}

#[test]
fn type_bytes() {
    check(&[
        (b"\r\n", 0, UnknownType { got: b'\r' }),
        (b"\n", 0, UnknownType { got: b'\n' }),
        (b"PING\r\n", 0, UnknownType { got: b'P' }),
        (b"HTTP/1.1 400", 0, UnknownType { got: b'H' }),
        (b"\x15\x03\x01", 0, UnknownType { got: 0x15 }),
        (b"*2\r\n:1\r\n\r\n", 8, UnknownType { got: b'\r' }),
        (b"*1\r\n1\r\n", 4, UnknownType { got: b'1' }),
        (b"*1\r\n?", 4, UnknownType { got: b'?' }),
    ]);
}

#[test]
fn line_ends() {
    check(&[
        (b"+OK\n", 3, BareLineFeed),
        (b"-ERR\n\r\n", 4, BareLineFeed),
        (b":1\n", 2, BareLineFeed),
        (b"$1\na\r\n", 2, BareLineFeed),
        (b"*1\n", 2, BareLineFeed),
        (b"_\n", 1, BareLineFeed),
        (b"+a\rb\r\n", 3, BareCarriageReturn { got: b'b' }),
        (b":1\r:", 3, BareCarriageReturn { got: b':' }),
        (b"#t\rx", 3, BareCarriageReturn { got: b'x' }),
        (b"+a\r\r\n", 3, BareCarriageReturn { got: b'\r' }),
        (b":1 \r\n", 2, ExpectedLineEnd { got: b' ' }),
        (b":12a\r\n", 3, ExpectedLineEnd { got: b'a' }),
        (b":1.5\r\n", 2, ExpectedLineEnd { got: b'.' }),
        (b"$3x\r\n", 2, ExpectedLineEnd { got: b'x' }),
        (b"_x\r\n", 1, ExpectedLineEnd { got: b'x' }),
        (b"_:\r\n", 1, ExpectedLineEnd { got: b':' }),
        (b"#true\r\n", 2, ExpectedLineEnd { got: b'r' }),
        (b"*?1\r\n", 2, ExpectedLineEnd { got: b'1' }),
        (b"$?1\r\n", 2, ExpectedLineEnd { got: b'1' }),
        (b"*?\r\n.x", 5, ExpectedLineEnd { got: b'x' }),
    ]);
}

#[test]
fn numbers() {
    check(&[
        (b":\r\n", 1, ExpectedDigit { got: b'\r' }),
        (b":-\r\n", 2, ExpectedDigit { got: b'\r' }),
        (b":+\r\n", 2, ExpectedDigit { got: b'\r' }),
        (b":+-1\r\n", 2, ExpectedDigit { got: b'-' }),
        (b": 1\r\n", 1, ExpectedDigit { got: b' ' }),
        (b":a\r\n", 1, ExpectedDigit { got: b'a' }),
        (b":\n", 1, ExpectedDigit { got: b'\n' }),
        (b"$\r\n", 1, ExpectedDigit { got: b'\r' }),
        (b"$+1\r\na\r\n", 1, ExpectedDigit { got: b'+' }),
        (b"*+1\r\n", 1, ExpectedDigit { got: b'+' }),
        (b"!?\r\n", 1, ExpectedDigit { got: b'?' }),
        (b"=?\r\n", 1, ExpectedDigit { got: b'?' }),
        (b":01\r\n", 1, LeadingZero),
        (b":00\r\n", 1, LeadingZero),
        (b":-0\r\n", 2, LeadingZero),
        (b":-01\r\n", 2, LeadingZero),
        (b":+01\r\n", 2, LeadingZero),
        (b"$01\r\na\r\n", 1, LeadingZero),
        (b"*01\r\n", 1, LeadingZero),
        (b":9223372036854775808\r\n", 1, NumberOutOfRange),
        (b":-9223372036854775809\r\n", 2, NumberOutOfRange),
        (b":10000000000000000000", 1, NumberOutOfRange),
        (b":18446744073709551617\r\n", 1, NumberOutOfRange),
        (b"$99999999999999999999\r\n", 1, NumberOutOfRange),
    ]);
}

#[test]
fn lengths() {
    let negative = |type_byte, len| NegativeLength { type_byte, len };
    check(&[
        (b"$-2\r\n", 1, negative(b'$', -2)),
        (b"*-2\r\n", 1, negative(b'*', -2)),
        (b"!-1\r\n", 1, negative(b'!', -1)),
        (b"=-1\r\n", 1, negative(b'=', -1)),
        (b"%-1\r\n", 1, negative(b'%', -1)),
        (b"~-1\r\n", 1, negative(b'~', -1)),
        (b">-1\r\n", 1, negative(b'>', -1)),
        (b"|-1\r\n", 1, negative(b'|', -1)),
        (b"$-9223372036854775808\r\n", 1, negative(b'$', i64::MIN)),
        (b"$?\r\n;-1\r\n", 5, negative(b';', -1)),
        (b"$3\r\nabcd\r\n", 7, BulkTrailer { len: 3, got: *b"d\r" }),
        (b"$3\r\nab\r\n:1\r\n", 7, BulkTrailer { len: 3, got: *b"\n:" }),
        (b"$3\r\nabc\n\n", 7, BulkTrailer { len: 3, got: *b"\n\n" }),
        (b"$0\r\n:1\r\n", 4, BulkTrailer { len: 0, got: *b":1" }),
        (b"!2\r\nabcd", 6, BulkTrailer { len: 2, got: *b"cd" }),
        (b"=4\r\ntxt:ab", 8, BulkTrailer { len: 4, got: *b"ab" }),
        (b"$?\r\n;1\r\nabc", 9, BulkTrailer { len: 1, got: *b"bc" }),
        (b"*2\r\n$1\r\na\r\n$1\r\nabc", 16, BulkTrailer { len: 1, got: *b"bc" }),
    ]);
}

#[test]
fn other_scalars() {
    let doubles: [&[u8]; 17] = [
        b"",
        b"+",
        b"-",
        b".5",
        b"5.",
        b"1e",
        b"1e+",
        b"e5",
        b"1.5.2",
        b"0x10",
        b"1 ",
        b" 1",
        b"Inf",
        b"infinity",
        b"NaN",
        b"1,5",
        b"--1",
    ];
    for text in doubles {
        let input = [b",", text, b"\r\n"].concat();
        check(&[(&input, 1, BadDouble)]);
    }
    check(&[
        (b"#x\r\n", 1, BadBoolean { got: b'x' }),
        (b"#T\r\n", 1, BadBoolean { got: b'T' }),
        (b"#1\r\n", 1, BadBoolean { got: b'1' }),
        (b"#\r\n", 1, BadBoolean { got: b'\r' }),
        (b"(\r\n", 1, BadBigNumber { got: b'\r' }),
        (b"(-\r\n", 2, BadBigNumber { got: b'\r' }),
        (b"(12a4\r\n", 3, BadBigNumber { got: b'a' }),
        (b"(1-2\r\n", 2, BadBigNumber { got: b'-' }),
        (b"(1.0\r\n", 2, BadBigNumber { got: b'.' }),
        (b"=3\r\ntxt\r\n", 0, VerbatimTooShort { len: 3 }),
        (b"=0\r\n\r\n", 0, VerbatimTooShort { len: 0 }),
        (b"=8\r\nsome txt\r\n", 7, VerbatimFormat { got: b'e' }),
    ]);
}

#[test]
fn streams() {
    check(&[
        (b".\r\n", 0, EndOutsideStream),
        (b"*1\r\n.\r\n", 4, EndOutsideStream),
        (b"*?\r\n*1\r\n.\r\n", 8, EndOutsideStream),
        (b";0\r\n", 0, ChunkOutsideString),
        (b"*?\r\n;1\r\na\r\n", 4, ChunkOutsideString),
        (b"$?\r\n+a\r\n", 4, ExpectedChunk { got: b'+' }),
        (b"$?\r\n.\r\n", 4, ExpectedChunk { got: b'.' }),
        (b"$?\r\n>1\r\n", 4, ExpectedChunk { got: b'>' }),
        (b"%?\r\n+k\r\n.\r\n", 8, OddMap),
        (b"*?\r\n|?\r\n+k\r\n.\r\n", 12, OddMap),
        (b"*?\r\n|0\r\n.\r\n", 8, DanglingAttribute),
        (b"%?\r\n:1\r\n:2\r\n|1\r\n:3\r\n:4\r\n.\r\n", 24, DanglingAttribute),
    ]);
}

#[test]
fn an_error_stays_until_reset() {
    let mut decoder = Decoder::new(Limits::default());
    let error = decoder.next(b"*1\r\n:x").and_then(|_| decoder.next(b"*1\r\n:x")).unwrap_err();
    assert_eq!(decoder.next(b"*1\r\n:1\r\n"), Err(error));
    assert_eq!(decoder.frame_len(), None);
    decoder.reset();
    assert_eq!(decoder.next(b":1\r\n"), Ok(Some(Token::Integer(1))));

    let mut reader = FrameReader::new(Limits::default());
    let error = reader.next(b"*1\r\n:x").unwrap_err();
    assert_eq!(reader.next(b":1\r\n").unwrap_err(), error);
    reader.reset();
    assert_eq!(reader.next(b":1\r\n").unwrap().unwrap().head(), Token::Integer(1));
}

#[test]
fn errors_say_what_was_expected_and_what_came() {
    let text = |input: &[u8]| decode_every_way(input, Limits::default()).error.unwrap().to_string();
    assert_eq!(
        text(b"$3\r\nabcd\r\n"),
        r"not valid RESP at byte 7 of the frame: expected CRLF after a body of 3 bytes, got 'd' (0x64) '\r' (0x0d)"
    );
    assert_eq!(
        text(b"\r\n"),
        "not valid RESP at byte 0 of the frame: expected a type byte, got an empty line"
    );
    assert_eq!(
        text(b"$-2\r\n"),
        "not valid RESP at byte 1 of the frame: expected a length of 0 or more after '$' (0x24), got -2"
    );
}
