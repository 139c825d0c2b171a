//! What the real server answers, in each protocol version, decoded whole and at every split point.

use std::io::{Read, Write};
use std::net::TcpStream;

use ringwire_codec::resp::{FrameReader, Limits};

use crate::patience::PATIENCE;
use crate::server::Server;

/// A connection whose answers are taken as bytes.
struct Bytes(TcpStream);

/// The answer to the `PING` behind each command.
const PONG: &[u8] = b"+PONG\r\n";

impl Bytes {
    fn connect(server: &Server, version: &str) -> (Self, Vec<u8>) {
        let stream = TcpStream::connect(server.addr()).expect("the server takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        let mut bytes = Self(stream);
        let hello = bytes.ask(&format!("HELLO {version}"));
        (bytes, hello)
    }

    /// All bytes that the server answers to an inline command.
    fn ask(&mut self, command: &str) -> Vec<u8> {
        self.0.write_all(format!("{command}\r\nPING\r\n").as_bytes()).expect("the server takes a command");
        let mut answer = Vec::new();
        while !answer.ends_with(PONG) {
            let mut piece = [0; 4096];
            let n = self.0.read(&mut piece).expect("the server answers");
            assert_ne!(n, 0, "the server closed the connection");
            answer.extend_from_slice(&piece[..n]);
        }
        answer.truncate(answer.len() - PONG.len());
        answer
    }
}

/// The frames of `bytes`, each in words; `cut` is where the second piece begins.
fn decode(bytes: &[u8], cut: usize) -> Vec<String> {
    let mut reader = FrameReader::new(Limits::default());
    let mut frames = Vec::new();
    let mut at = 0;
    for end in [cut, bytes.len()] {
        while let Some(frame) = reader.next(&bytes[at..end]).expect("the server speaks RESP") {
            let tokens: Vec<String> = frame.tokens().map(|token| format!("{token:?}")).collect();
            at += frame.len();
            frames.push(tokens.join(" "));
        }
    }
    assert_eq!(at, bytes.len(), "{} ends within a frame", bytes.escape_ascii());
    frames
}

fn check(what: &str, bytes: &[u8], expected: &[String]) {
    for cut in 0..=bytes.len() {
        let bytes_shown = bytes.escape_ascii();
        assert_eq!(decode(bytes, cut), expected, "{what}: {bytes_shown}, cut at {cut}");
    }
}

fn text(kind: &str, text: &str) -> String {
    format!("{kind}({:?})", text.as_bytes())
}

/// A type of `DEBUG PROTOCOL`, and the frames that RESP2 and RESP3 make of it; none where any will do that are the same
/// at every split point.
fn expectations() -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let both = |frame: String| (vec![frame.clone()], vec![frame]);
    let row = |name, (two, three)| (name, two, three);
    let each = |two: &str, three: &str| (vec![two.to_owned()], vec![three.to_owned()]);
    let numbers = "Integer(0) Integer(1) Integer(2)";
    let big = "1234567999999999999999999999999999999";
    let verbatim = "This is a verbatim\nstring";
    let verbatim3 = format!("Verbatim {{ format: {:?}, text: {:?} }}", b"txt", verbatim.as_bytes());
    let map2 = "Array(Some(6)) Integer(0) Integer(0) Integer(1) Integer(1) Integer(2) Integer(0)";
    let map3 = "Map(Some(3)) Integer(0) Boolean(false) Integer(1) Boolean(true) Integer(2) Boolean(false)";
    let push3 = format!("Push(Some(2)) {} Integer(42)", text("Bulk", "server-cpu-usage"));
    vec![
        row("string", both(text("Bulk", "Hello World"))),
        row("integer", both("Integer(12345)".to_owned())),
        row("double", (vec![text("Bulk", "3.141")], vec!["Double(3.141)".to_owned()])),
        row("bignum", (vec![text("Bulk", big)], vec![text("BigNumber", big)])),
        row("null", both("Null".to_owned())),
        row("array", both(format!("Array(Some(3)) {numbers}"))),
        row("set", each(&format!("Array(Some(3)) {numbers}"), &format!("Set(Some(3)) {numbers}"))),
        row("map", each(map2, map3)),
        // The attribute itself is checked and skipped.
        row("attrib", both(text("Bulk", "Some real reply following the attribute"))),
        // RESP2 has no pushes: what the server answers instead is not the same in all versions.
        row("push", (Vec::new(), vec![push3, text("Bulk", "Some real reply following the push reply")])),
        row("verbatim", (vec![text("Bulk", verbatim)], vec![verbatim3])),
        row("true", each("Integer(1)", "Boolean(true)")),
        row("false", each("Integer(0)", "Boolean(false)")),
    ]
}

#[test]
fn every_type_of_debug_protocol() {
    let server = Server::start();
    let (mut two, _) = Bytes::connect(&server, "2");
    let (mut three, _) = Bytes::connect(&server, "3");
    for (name, expected2, expected3) in expectations() {
        let command = format!("DEBUG PROTOCOL {name}");
        let bytes2 = two.ask(&command);
        let expected2 = if expected2.is_empty() { decode(&bytes2, 0) } else { expected2 };
        check(&format!("{name} in RESP2"), &bytes2, &expected2);
        check(&format!("{name} in RESP3"), &three.ask(&command), &expected3);
    }
    // The server lists the types that it knows when it is asked for another: none is missing above.
    let list = decode(&three.ask("DEBUG PROTOCOL none-such"), 0).remove(0);
    let known: Vec<&str> = expectations().iter().map(|row| row.0).collect();
    assert_eq!(list, text("Error", &error_with_types(&known)));
}

fn error_with_types(types: &[&str]) -> String {
    format!("ERR Wrong protocol type name. Please use one of the following: {}", types.join("|"))
}

#[test]
fn the_greeting() {
    let server = Server::start();
    let (_, two) = Bytes::connect(&server, "2");
    let (_, three) = Bytes::connect(&server, "3");
    for (bytes, head, proto) in [(two, "Array(Some(", "Integer(2)"), (three, "Map(Some(", "Integer(3)")] {
        let whole = decode(&bytes, 0);
        check("HELLO", &bytes, &whole);
        assert_eq!(whole.len(), 1);
        assert!(whole[0].starts_with(head), "{whole:?}");
        let pair = |name: &str, value: String| format!("{} {value}", text("Bulk", name));
        for expected in [pair("proto", proto.to_owned()), pair("role", text("Bulk", "master"))] {
            assert!(whole[0].contains(&expected), "{whole:?} holds {expected}");
        }
    }
}
