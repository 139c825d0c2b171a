//! Golden bytes beside each encoder, and the way back.

use ringwire_codec::resp::{CommandPrefix, Limits, ReplyEncoder, Token, Version, command, encode};

use crate::feed::decode_whole;

/// What `encode` appends to a buffer that already holds something.
fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"held ".to_vec();
    encode(&mut out);
    assert_eq!(&out[..5], b"held ");
    out[5..].escape_ascii().to_string()
}

#[test]
fn commands() {
    let golden = r"*3\r\n$7\r\nPUBLISH\r\n$3\r\nfx.\r\n$0\r\n\r\n";
    assert_eq!(encoded(|out| command(out, &[b"PUBLISH", b"fx.", b""])), golden);
    assert_eq!(encode::command_len(&[b"PUBLISH", b"fx.", b""]), 4 + 13 + 9 + 6);
    assert_eq!(encoded(|out| command(out, &[])), r"*0\r\n");
    assert_eq!(encoded(|out| command(out, &[b"a\r\n\xff"])), r"*1\r\n$4\r\na\r\n\xff\r\n");
}

#[test]
fn prepared_commands_are_the_plain_ones() {
    let fixed: [&[u8]; 3] = [b"XADD", b"stream", b"*"];
    for len in [0, 1, 9, 10, 99, 100, 999, 1000, 65_535, 1_000_000] {
        let payload = vec![b'x'; len];
        let mut plain = Vec::new();
        command(&mut plain, &[b"XADD", b"stream", b"*", &payload]);
        let prefix = CommandPrefix::new(&fixed, 1);
        let mut one = Vec::new();
        prefix.encode1(&mut one, &payload);
        let mut many = Vec::new();
        prefix.encode(&mut many, &[&payload]);
        assert!(plain == one && plain == many, "{len}");
        assert_eq!(prefix.encoded_len(len), plain.len());
        assert_eq!(encode::command_len(&[b"XADD", b"stream", b"*", &payload]), plain.len());
        assert_eq!(encode::bulk_len(len), plain.len() - prefix.bytes().len());

        let pair = CommandPrefix::new(&fixed[..2], 2);
        let mut two = Vec::new();
        pair.encode(&mut two, &[b"*", &payload]);
        assert!(plain == two, "{len}");
    }
    let ping = CommandPrefix::new(&[b"PING"], 0);
    assert_eq!(encoded(|out| ping.encode(out, &[])), r"*1\r\n$4\r\nPING\r\n");
    let mut parts = CommandPrefix::new(&[b"SET", b"k"], 1).bytes().to_vec();
    encode::bulk_integer(&mut parts, -12);
    assert_eq!(parts, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n-12\r\n");
}

#[test]
#[should_panic(expected = "trailing arguments")]
fn a_prepared_command_refuses_another_number_of_arguments() {
    CommandPrefix::new(&[b"PUBLISH"], 2).encode(&mut Vec::new(), &[b"channel"]);
}

#[test]
fn replies() {
    let table: [(String, &str); 27] = [
        (encoded(|out| encode::simple(out, b"OK")), r"+OK\r\n"),
        (encoded(|out| encode::simple(out, b"a\r\nb")), r"+a  b\r\n"),
        (encoded(|out| encode::error(out, b"ERR no\nsuch")), r"-ERR no such\r\n"),
        (encoded(|out| encode::integer(out, 0)), r":0\r\n"),
        (encoded(|out| encode::integer(out, -10)), r":-10\r\n"),
        (encoded(|out| encode::integer(out, i64::MAX)), r":9223372036854775807\r\n"),
        (encoded(|out| encode::integer(out, i64::MIN)), r":-9223372036854775808\r\n"),
        (encoded(|out| encode::bulk(out, b"a\rb")), r"$3\r\na\rb\r\n"),
        (encoded(|out| encode::bulk_integer(out, i64::MIN)), r"$20\r\n-9223372036854775808\r\n"),
        (encoded(encode::null), r"_\r\n"),
        (encoded(encode::null_bulk), r"$-1\r\n"),
        (encoded(encode::null_array), r"*-1\r\n"),
        (encoded(|out| encode::boolean(out, true)), r"#t\r\n"),
        (encoded(|out| encode::boolean(out, false)), r"#f\r\n"),
        (encoded(|out| encode::big_number(out, b"-12")), r"(-12\r\n"),
        (encoded(|out| encode::bulk_error(out, b"ERR\n")), r"!4\r\nERR\n\r\n"),
        (encoded(|out| encode::verbatim(out, *b"txt", b"hi")), r"=6\r\ntxt:hi\r\n"),
        (encoded(|out| encode::array(out, 2)), r"*2\r\n"),
        (encoded(|out| encode::set(out, 0)), r"~0\r\n"),
        (encoded(|out| encode::map(out, 10)), r"%10\r\n"),
        (encoded(|out| encode::attribute(out, 1)), r"|1\r\n"),
        (encoded(|out| encode::push(out, u64::MAX)), r">18446744073709551615\r\n"),
        (encoded(|out| encode::streamed(out, b'*')), r"*?\r\n"),
        (encoded(|out| encode::streamed(out, b'$')), r"$?\r\n"),
        (encoded(|out| encode::chunk(out, b"ab")), r";2\r\nab\r\n"),
        (encoded(|out| encode::chunk(out, b"")), r";0\r\n"),
        (encoded(encode::end), r".\r\n"),
    ];
    for (got, expected) in table {
        assert_eq!(got, expected);
    }
}

#[test]
fn lengths_are_decimal_whatever_their_number_of_digits() {
    for len in (0..=1_100).chain([9_999, 10_000, 10_001, 99_999, 100_000]) {
        let payload = "x".repeat(len);
        let mut out = b"before".to_vec();
        encode::bulk(&mut out, payload.as_bytes());
        assert_eq!(String::from_utf8(out), Ok(format!("before${len}\r\n{payload}\r\n")));
        assert_eq!(encoded(|out| encode::array(out, len as u64)), format!(r"*{len}\r\n"));
    }
}

#[test]
fn doubles_are_short_and_read_back() {
    let table = [
        (0.0, r",0\r\n"),
        (-0.0, r",-0\r\n"),
        (3.0, r",3\r\n"),
        (-1.25, r",-1.25\r\n"),
        (0.1, r",0.1\r\n"),
        (1e-5, r",0.00001\r\n"),
        (1e-7, r",1e-7\r\n"),
        (99_999_999_999_999_984.0, r",99999999999999980\r\n"),
        (1e17, r",1e17\r\n"),
        (f64::MAX, r",1.7976931348623157e308\r\n"),
        (-f64::MIN_POSITIVE, r",-2.2250738585072014e-308\r\n"),
        (5e-324, r",5e-324\r\n"),
        (-0.000_012_345_678_901_234_567, r",-0.000012345678901234568\r\n"),
        (f64::INFINITY, r",inf\r\n"),
        (f64::NEG_INFINITY, r",-inf\r\n"),
        (f64::NAN, r",nan\r\n"),
    ];
    for (value, expected) in table {
        let mut out = Vec::new();
        encode::double(&mut out, value);
        assert_eq!(out.escape_ascii().to_string(), expected);
        let [Token::Double(back)] = decode_whole(&out, Limits::default()).tokens[..] else {
            panic!("{expected}")
        };
        assert!(back.to_bits() == value.to_bits() || value.is_nan(), "{expected}");
    }
}

#[test]
fn replies_follow_the_clients_version() {
    type Reply = fn(ReplyEncoder, &mut Vec<u8>);
    let table: [(Reply, &str, &str); 11] = [
        (|reply, out| reply.null(out), r"$-1\r\n", r"_\r\n"),
        (|reply, out| reply.null_array(out), r"*-1\r\n", r"_\r\n"),
        (|reply, out| reply.map(out, 7), r"*14\r\n", r"%7\r\n"),
        (|reply, out| reply.set(out, 7), r"*7\r\n", r"~7\r\n"),
        (|reply, out| reply.push(out, 3), r"*3\r\n", r">3\r\n"),
        (|reply, out| reply.double(out, 2.125), r"$5\r\n2.125\r\n", r",2.125\r\n"),
        (|reply, out| reply.double(out, f64::NEG_INFINITY), r"$4\r\n-inf\r\n", r",-inf\r\n"),
        (|reply, out| reply.boolean(out, true), r":1\r\n", r"#t\r\n"),
        (|reply, out| reply.boolean(out, false), r":0\r\n", r"#f\r\n"),
        (|reply, out| reply.verbatim(out, *b"txt", b"a"), r"$1\r\na\r\n", r"=5\r\ntxt:a\r\n"),
        (|reply, out| reply.big_number(out, b"12"), r"$2\r\n12\r\n", r"(12\r\n"),
    ];
    for (reply, resp2, resp3) in table {
        assert_eq!(encoded(|out| reply(ReplyEncoder::default(), out)), resp2);
        assert_eq!(encoded(|out| reply(ReplyEncoder { version: Version::Resp3 }, out)), resp3);
    }
}
