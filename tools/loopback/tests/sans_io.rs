//! The conversations with the state machine alone, with everything sent cut into pieces in many ways.

mod conversation;
mod switch;

use std::collections::BTreeMap;

use conversation::{Conversation, Setup, World};
use ringwire_loopback::redis::{ClientId, Options, Server, User};
use switch::switch;

/// How each send is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// In two, after so many bytes.
    After(usize),
    /// Into pieces of so many bytes.
    Every(usize),
}

struct InMemory {
    server: Server,
    cut: Cut,
    now_ns: u64,
    clients: BTreeMap<char, Connection>,
}

struct Connection {
    id: ClientId,
    addr: String,
    received: Vec<u8>,
    closed: bool,
}

impl InMemory {
    fn new(setup: &Setup, cut: Cut) -> Self {
        let options = Options {
            password: setup.password.clone(),
            users: setup
                .users
                .iter()
                .map(|(name, password)| User { name: name.clone(), password: password.clone() })
                .collect(),
            ..Options::default()
        };
        Self { server: Server::new(options), cut, now_ns: 0, clients: BTreeMap::new() }
    }

    fn connection(&mut self, client: char) -> &mut Connection {
        self.clients.entry(client).or_insert_with(|| {
            let addr = format!("127.0.0.1:{}", 50_000 + u32::from(client));
            let id = self.server.accept(self.now_ns, &addr);
            Connection { id, addr, received: Vec::new(), closed: false }
        })
    }

    /// What a driver does, with a socket that takes one byte at first.
    fn drain(&mut self) {
        while let Some(id) = self.server.next_ready() {
            let connection =
                self.clients.values_mut().find(|connection| connection.id == id).expect("a client of ours");
            for most in [1, usize::MAX] {
                let output = self.server.output(id);
                let n = output.len().min(most);
                connection.received.extend_from_slice(&output[..n]);
                self.server.sent(id, n);
            }
            assert_eq!(self.server.output(id), b"", "everything has been sent");
            if self.server.wants_close(id) {
                connection.closed = true;
                self.server.closed(id);
            }
        }
    }
}

impl World for InMemory {
    fn set(&mut self, what: &str, to: &str) {
        switch(&mut self.server, what, to);
    }

    fn identity(&mut self, client: char) -> (String, String) {
        let connection = self.connection(client);
        (connection.id.0.to_string(), connection.addr.clone())
    }

    fn send(&mut self, client: char, bytes: &[u8]) {
        let id = self.connection(client).id;
        let pieces: Vec<&[u8]> = match self.cut {
            Cut::After(at) => <[&[u8]; 2]>::from(bytes.split_at(at.min(bytes.len()))).to_vec(),
            Cut::Every(size) => bytes.chunks(size).collect(),
        };
        for piece in pieces {
            self.now_ns += 1000;
            self.server.receive(self.now_ns, id, piece);
            self.drain();
        }
    }

    fn received(&mut self, client: char, _: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
        std::mem::take(&mut self.connection(client).received)
    }

    fn closed(&mut self, client: char) -> bool {
        self.connection(client).closed
    }
}

/// Every send of every conversation is cut at each of its first so many bytes: longer than most of them.
const CUTS: usize = 100;

#[test]
fn conversations_go_as_with_redis_however_input_is_cut() {
    for conversation in Conversation::all() {
        let cuts = (0..CUTS).map(Cut::After).chain([1, 2, 3, 7, 64].map(Cut::Every));
        for cut in cuts {
            conversation.play(&mut InMemory::new(&conversation.setup, cut));
        }
    }
}
