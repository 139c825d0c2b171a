//! What a server executed, from its own `MONITOR`: one line for each command of each connection, in the order of
//! execution.
//!
//! ```text
//!   +1700000000.123456 [0 127.0.0.1:50124] "PUBLISH" "fx.eurusd" "\x01\x00…ZZZ"
//! ```

use std::io::Write;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

use ringwire_codec::resp;

use crate::client::{Client, words_of};
use crate::journal::Seen;
use crate::load::number;
use crate::server::Server;

pub(crate) struct Monitor {
    stream: TcpStream,
    thread: JoinHandle<Vec<Seen>>,
}

impl Monitor {
    /// Begins the record; what is executed from now on is in it. It reaches a server that nobody else does yet.
    pub(crate) fn open(server: &Server) -> Self {
        let mut client = Client::connect_apart(server);
        client.order(&["MONITOR"]);
        let stream = client.stream();
        let thread = thread::spawn(move || record(&mut client));
        Self { stream, thread }
    }

    /// Ends the record behind everything that the server has executed so far, and answers it. If the server was
    /// killed: behind everything that it still wrote.
    pub(crate) fn close(mut self) -> Vec<Seen> {
        let mut out = Vec::new();
        resp::command(&mut out, &[b"PING"]);
        // A killed server takes nothing any more, and has ended the record already.
        let _ = self.stream.write_all(&out);
        self.thread.join().expect("the record is kept")
    }
}

fn record(client: &mut Client) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(line) = client.next(words_of) {
        if line == b"PONG" {
            break;
        }
        let args = arguments(&line);
        if let [command, channel, payload] = &args[..]
            && command.eq_ignore_ascii_case(b"PUBLISH")
        {
            seen.push(Seen {
                channel: String::from_utf8_lossy(channel).into_owned(),
                number: number(payload),
            });
        }
    }
    client.close();
    seen
}

/// The quoted arguments of a line, without their quotes and escapes.
fn arguments(line: &[u8]) -> Vec<Vec<u8>> {
    let mut args = Vec::new();
    let mut bytes = line.iter().copied();
    while bytes.by_ref().any(|byte| byte == b'"') {
        let mut arg = Vec::new();
        while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
            let byte = if byte == b'\\' { unescape(&mut bytes) } else { byte };
            arg.push(byte);
        }
        args.push(arg);
    }
    args
}

/// Behind the backslash.
fn unescape(bytes: &mut impl Iterator<Item = u8>) -> u8 {
    let digit = |bytes: &mut dyn Iterator<Item = u8>| {
        let digit = bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        digit.expect("two hexadecimal digits follow") as u8
    };
    match bytes.next() {
        Some(b'x') => digit(bytes) << 4 | digit(bytes),
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'a') => 0x07,
        Some(b'b') => 0x08,
        Some(other) => other,
        None => panic!("a line of MONITOR ends within an escape"),
    }
}

#[test]
fn a_line_of_monitor_is_taken_apart() {
    let line = br#"1.5 [0 127.0.0.1:1] "PUBLISH" "a\"b\\" "\x01\xff\n\r\t\a\bZ""#;
    let expected: [&[u8]; 3] = [b"PUBLISH", b"a\"b\\", b"\x01\xff\n\r\t\x07\x08Z"];
    assert_eq!(arguments(line), expected);
    assert_eq!(arguments(b"1.5 [0 127.0.0.1:1] \"PING\""), [b"PING"]);
}
