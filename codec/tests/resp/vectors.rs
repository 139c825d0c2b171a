//! Valid bytes and the tokens that they are, however they arrive.

use ringwire_codec::resp::{Limits, Token};

use crate::feed::{decode_every_way, same_tokens};
use Token::{
    Array, Attribute, BigNumber, Boolean, Bulk, BulkError, Chunk, Double, End, Error, Integer, Map, Null,
    Push, Set, Simple, StreamedString, Verbatim,
};

fn check(input: &[u8], expected: &[Token<'_>]) {
    let decoded = decode_every_way(input, Limits::default());
    let shown = input.escape_ascii();
    assert_eq!(decoded.error, None, "\"{shown}\"");
    assert!(same_tokens(&decoded.tokens, expected), "\"{shown}\": {:?}", decoded.tokens);
    assert_eq!(decoded.left, 0, "\"{shown}\"");
}

const TXT: [u8; 3] = *b"txt";

#[test]
fn scalars() {
    let table: &[(&[u8], Token<'_>)] = &[
        (b"+OK\r\n", Simple(b"OK")),
        (b"+\r\n", Simple(b"")),
        (b"+\xff\x00 \t:\r\n", Simple(b"\xff\x00 \t:")),
        (b"-ERR no such key\r\n", Error(b"ERR no such key")),
        (b":0\r\n", Integer(0)),
        (b":7\r\n", Integer(7)),
        (b":+7\r\n", Integer(7)),
        (b":-7\r\n", Integer(-7)),
        (b":+0\r\n", Integer(0)),
        (b":1000000\r\n", Integer(1_000_000)),
        (b":12345678\r\n", Integer(12_345_678)),
        (b":9223372036854775807\r\n", Integer(i64::MAX)),
        (b":-9223372036854775808\r\n", Integer(i64::MIN)),
        (b"$0\r\n\r\n", Bulk(b"")),
        (b"$5\r\na\r\nbc\r\n", Bulk(b"a\r\nbc")),
        (b"$-1\r\n", Null),
        (b"*-1\r\n", Null),
        (b"_\r\n", Null),
        (b"#t\r\n", Boolean(true)),
        (b"#f\r\n", Boolean(false)),
        (b",0\r\n", Double(0.0)),
        (b",-0\r\n", Double(-0.0)),
        (b",10\r\n", Double(10.0)),
        (b",+1.5\r\n", Double(1.5)),
        (b",0.10000000000000001\r\n", Double(0.1)),
        (b",1e+17\r\n", Double(1e17)),
        (b",1E5\r\n", Double(1e5)),
        (b",-2.5e-08\r\n", Double(-2.5e-8)),
        (b",1e999\r\n", Double(f64::INFINITY)),
        (b",inf\r\n", Double(f64::INFINITY)),
        (b",+inf\r\n", Double(f64::INFINITY)),
        (b",-inf\r\n", Double(f64::NEG_INFINITY)),
        (b",nan\r\n", Double(f64::NAN)),
        (b",-nan\r\n", Double(f64::NAN)),
        (b"(0\r\n", BigNumber(b"0")),
        (
            b"(-170141183460469231731687303715884105729\r\n",
            BigNumber(b"-170141183460469231731687303715884105729"),
        ),
        (b"(+99999999999999999999\r\n", BigNumber(b"+99999999999999999999")),
        (b"!0\r\n\r\n", BulkError(b"")),
        (b"!14\r\nERR two\r\nlines\r\n", BulkError(b"ERR two\r\nlines")),
        (b"=4\r\ntxt:\r\n", Verbatim { format: TXT, text: b"" }),
        (b"=10\r\nmkd:# head\r\n", Verbatim { format: *b"mkd", text: b"# head" }),
    ];
    for (input, expected) in table {
        check(input, &[*expected]);
    }
}

#[test]
fn aggregates() {
    check(b"*0\r\n", &[Array(Some(0))]);
    check(b"~0\r\n%0\r\n>0\r\n", &[Set(Some(0)), Map(Some(0)), Push(Some(0))]);
    check(b"*2\r\n:1\r\n$1\r\na\r\n", &[Array(Some(2)), Integer(1), Bulk(b"a")]);
    check(b"*3\r\n_\r\n$-1\r\n*-1\r\n", &[Array(Some(3)), Null, Null, Null]);
    check(b"~2\r\n+a\r\n+b\r\n", &[Set(Some(2)), Simple(b"a"), Simple(b"b")]);
    check(b"%1\r\n+k\r\n*1\r\n#t\r\n", &[Map(Some(1)), Simple(b"k"), Array(Some(1)), Boolean(true)]);
    check(b">2\r\n+invalidate\r\n_\r\n", &[Push(Some(2)), Simple(b"invalidate"), Null]);
    check(
        b"*2\r\n*2\r\n*0\r\n:1\r\n~1\r\n%1\r\n:2\r\n,3\r\n:4\r\n",
        &[
            Array(Some(2)),
            Array(Some(2)),
            Array(Some(0)),
            Integer(1),
            Set(Some(1)),
            Map(Some(1)),
            Integer(2),
            Double(3.0),
            Integer(4),
        ],
    );
}

#[test]
fn attributes() {
    check(b"|1\r\n+ttl\r\n:9\r\n+v\r\n", &[Attribute(Some(1)), Simple(b"ttl"), Integer(9), Simple(b"v")]);
    check(b"|0\r\n|0\r\n:1\r\n", &[Attribute(Some(0)), Attribute(Some(0)), Integer(1)]);
    check(b"*?\r\n|0\r\n*0\r\n.\r\n", &[Array(None), Attribute(Some(0)), Array(Some(0)), End]);
    check(
        b"*2\r\n:1\r\n|1\r\n+k\r\n|1\r\n:2\r\n:3\r\n:4\r\n:5\r\n",
        &[
            Array(Some(2)),
            Integer(1),
            Attribute(Some(1)),
            Simple(b"k"),
            Attribute(Some(1)),
            Integer(2),
            Integer(3),
            Integer(4),
            Integer(5),
        ],
    );
    check(
        b"*?\r\n|?\r\n+k\r\n+v\r\n.\r\n:1\r\n.\r\n",
        &[Array(None), Attribute(None), Simple(b"k"), Simple(b"v"), End, Integer(1), End],
    );
}

#[test]
fn streamed() {
    check(b"$?\r\n;0\r\n", &[StreamedString, End]);
    check(
        b"$?\r\n;3\r\nRin\r\n;5\r\ng\r\nwi\r\n;2\r\nre\r\n;0\r\n",
        &[StreamedString, Chunk(b"Rin"), Chunk(b"g\r\nwi"), Chunk(b"re"), End],
    );
    check(b"*?\r\n.\r\n~?\r\n.\r\n%?\r\n.\r\n", &[Array(None), End, Set(None), End, Map(None), End]);
    check(
        b"*?\r\n:1\r\n*2\r\n:2\r\n:3\r\n.\r\n:4\r\n",
        &[Array(None), Integer(1), Array(Some(2)), Integer(2), Integer(3), End, Integer(4)],
    );
    check(
        b"%?\r\n+k\r\n$?\r\n;1\r\nv\r\n;0\r\n+l\r\n~?\r\n:1\r\n.\r\n.\r\n",
        &[
            Map(None),
            Simple(b"k"),
            StreamedString,
            Chunk(b"v"),
            End,
            Simple(b"l"),
            Set(None),
            Integer(1),
            End,
            End,
        ],
    );
    check(b">?\r\n+a\r\n.\r\n", &[Push(None), Simple(b"a"), End]);
}

#[test]
fn pushes_inside_frames_are_not_elements() {
    check(
        b"*1\r\n>2\r\n+a\r\n>0\r\n+b\r\n:1\r\n:2\r\n",
        &[Array(Some(1)), Push(Some(2)), Simple(b"a"), Push(Some(0)), Simple(b"b"), Integer(1), Integer(2)],
    );
    check(
        b"|1\r\n>1\r\n+a\r\n+k\r\n+v\r\n_\r\n",
        &[Attribute(Some(1)), Push(Some(1)), Simple(b"a"), Simple(b"k"), Simple(b"v"), Null],
    );
}

/// Replies of a Redis 7.0.15 to `DEBUG PROTOCOL` and others, captured from its socket.
#[test]
#[expect(clippy::approx_constant, reason = "the number that DEBUG PROTOCOL double sends")]
fn what_redis_sends() {
    check(b",3.141\r\n", &[Double(3.141)]);
    check(
        b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n",
        &[Map(Some(3)), Integer(0), Boolean(false), Integer(1), Boolean(true), Integer(2), Boolean(false)],
    );
    check(
        b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n\
          $39\r\nSome real reply following the attribute\r\n",
        &[
            Attribute(Some(1)),
            Bulk(b"key-popularity"),
            Array(Some(2)),
            Bulk(b"key:123"),
            Integer(90),
            Bulk(b"Some real reply following the attribute"),
        ],
    );
    check(
        b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n",
        &[
            Push(Some(2)),
            Bulk(b"server-cpu-usage"),
            Integer(42),
            Bulk(b"Some real reply following the push reply"),
        ],
    );
    check(
        b"=29\r\ntxt:This is a verbatim\nstring\r\n",
        &[Verbatim { format: TXT, text: b"This is a verbatim\nstring" }],
    );
    check(
        b"(1234567999999999999999999999999999999\r\n",
        &[BigNumber(b"1234567999999999999999999999999999999")],
    );
    check(
        b"*2\r\n*2\r\n$1\r\nf\r\n,9.9999999999999995e-08\r\n*2\r\n$1\r\na\r\n,1.0000000000000001e+300\r\n",
        &[
            Array(Some(2)),
            Array(Some(2)),
            Bulk(b"f"),
            Double(1e-7),
            Array(Some(2)),
            Bulk(b"a"),
            Double(1e300),
        ],
    );
    check(
        b">3\r\n$7\r\nmessage\r\n$2\r\nc1\r\n$12\r\nhello\r\nworld\r\n\
          >4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nc1\r\n$12\r\nhello\r\nworld\r\n",
        &[
            Push(Some(3)),
            Bulk(b"message"),
            Bulk(b"c1"),
            Bulk(b"hello\r\nworld"),
            Push(Some(4)),
            Bulk(b"pmessage"),
            Bulk(b"c*"),
            Bulk(b"c1"),
            Bulk(b"hello\r\nworld"),
        ],
    );
    check(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n", &[Array(Some(2)), Bulk(b"pong"), Bulk(b"")]);
    check(
        b"%1\r\n$2\r\nst\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
        &[
            Map(Some(1)),
            Bulk(b"st"),
            Array(Some(1)),
            Array(Some(2)),
            Bulk(b"1-1"),
            Array(Some(2)),
            Bulk(b"a"),
            Bulk(b"1"),
        ],
    );
}
