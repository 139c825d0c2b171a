//! What a server executed, in its order: the record of a plain subscriber connection of its own.

use std::io::Write;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

use ringwire_codec::resp::{self, Frame, Token};

use crate::client::{Client, words};
use crate::load::number;
use crate::server::Server;

/// A message of a [`crate::load::Load`] as the server gave it to its subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) channel: String,
    pub(crate) number: u64,
}

pub(crate) struct Journal {
    stream: TcpStream,
    thread: JoinHandle<Vec<Seen>>,
}

impl Journal {
    /// Subscribes to `channels`; it is in force when this answers.
    pub(crate) fn open(server: &Server, channels: &[&str]) -> Self {
        let mut client = Client::connect(server);
        let names = channels.iter().map(|channel| channel.as_bytes());
        client.send(&[&b"SUBSCRIBE"[..]].into_iter().chain(names).collect::<Vec<_>>());
        // One command: its confirmations come together, before any message.
        for _ in channels {
            let words = client.next(words).expect("the server answers");
            assert!(words.starts_with("subscribe"), "{words}");
        }
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

enum Entry {
    Message(Seen),
    Pong,
}

fn record(client: &mut Client) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(entry) = client.next(entry) {
        match entry {
            Entry::Message(message) => seen.push(message),
            Entry::Pong => break,
        }
    }
    client.close();
    seen
}

fn entry(frame: &Frame<'_>) -> Entry {
    let item = |index| frame.item(index).as_ref().and_then(Token::bytes).unwrap_or_default();
    match item(0) {
        b"message" => Entry::Message(Seen {
            channel: String::from_utf8_lossy(item(1)).into_owned(),
            number: number(item(2)),
        }),
        b"pong" => Entry::Pong,
        other => panic!("a subscriber was sent {}", other.escape_ascii()),
    }
}
