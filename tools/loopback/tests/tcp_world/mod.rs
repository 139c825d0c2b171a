//! Plays conversations to a server behind TCP.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::conversation::World;

/// How long to wait for what must come: far more than it ever takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) trait Host {
    fn addr(&self) -> SocketAddr;
    /// As [`World::is_redis_7_0`].
    fn is_redis_7_0(&self) -> bool {
        true
    }
    /// As [`World::set`].
    fn set(&mut self, what: &str, to: &str);
    /// The output of `CLIENT LIST`, asked for on a connection of its own.
    fn client_list(&mut self) -> String;
}

pub(crate) struct TcpWorld<H> {
    host: H,
    clients: BTreeMap<char, Connection>,
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    closed: bool,
    identity: Option<(String, String)>,
}

impl Connection {
    fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server accepts");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        Self { stream, received: Vec::new(), closed: false, identity: None }
    }

    /// Reads until `done`, closed, or the deadline.
    fn read_until(&mut self, done: &dyn Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(&self.received) && !self.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.stream.set_read_timeout(Some(left)).expect("a timeout can be set");
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(n) => self.received.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.closed = true,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("cannot read: {error}"),
            }
        }
    }
}

impl<H: Host> TcpWorld<H> {
    pub(crate) fn new(host: H) -> Self {
        Self { host, clients: BTreeMap::new() }
    }

    fn connection(&mut self, client: char) -> &mut Connection {
        let addr = self.host.addr();
        self.clients.entry(client).or_insert_with(|| Connection::open(addr))
    }
}

impl<H: Host> World for TcpWorld<H> {
    fn is_redis_7_0(&self) -> bool {
        self.host.is_redis_7_0()
    }

    fn set(&mut self, what: &str, to: &str) {
        self.host.set(what, to);
    }

    fn identity(&mut self, client: char) -> (String, String) {
        if let Some(identity) = &self.connection(client).identity {
            return identity.clone();
        }
        let addr = self.connection(client).stream.local_addr().expect("a connection has an address");
        // Accepting takes the server a moment.
        let deadline = Instant::now() + DEADLINE;
        let id = loop {
            let list = self.host.client_list();
            let line = list.lines().find(|line| line.contains(&format!(" addr={addr} ")));
            let id = line.and_then(|line| line.strip_prefix("id=")?.split(' ').next());
            if let Some(id) = id {
                break id.to_owned();
            }
            assert!(Instant::now() < deadline, "{addr} is not in the client list: {list}");
        };
        let identity = (id, addr.to_string());
        self.connection(client).identity = Some(identity.clone());
        identity
    }

    fn send(&mut self, client: char, bytes: &[u8]) {
        // A server that has hung up already resets the connection: what it said before is what counts.
        if let Err(error) = self.connection(client).stream.write_all(bytes) {
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
        }
    }

    fn received(&mut self, client: char, done: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
        let connection = self.connection(client);
        connection.read_until(done);
        std::mem::take(&mut connection.received)
    }

    fn closed(&mut self, client: char) -> bool {
        let connection = self.connection(client);
        connection.read_until(&|_| false);
        connection.closed
    }
}

/// Sends one command to a server and reads what it answers first, as text: for a test's own questions.
pub(crate) fn ask(addr: SocketAddr, commands: &[&[&str]]) -> String {
    let mut connection = Connection::open(addr);
    let mut bytes = Vec::new();
    for command in commands {
        let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
        ringwire_codec::resp::command(&mut bytes, &words);
    }
    connection.stream.write_all(&bytes).expect("the server reads");
    let mut answer = String::new();
    for _ in commands {
        answer = connection.answer();
    }
    answer
}

impl Connection {
    /// Takes one reply: the text of a line, or of a bulk string.
    fn answer(&mut self) -> String {
        self.read_until(&|received| one_reply(received).is_some());
        let (text, len) = one_reply(&self.received).expect("the server answers");
        self.received.drain(..len);
        text
    }
}

fn one_reply(received: &[u8]) -> Option<(String, usize)> {
    use ringwire_codec::resp::{Decoder, Limits, Token};
    let mut decoder = Decoder::new(Limits::default());
    let token = decoder.next(received).expect("the server speaks RESP")?;
    let text = match token {
        Token::Simple(text) | Token::Error(text) | Token::Bulk(text) => text,
        _ => &[],
    };
    Some((String::from_utf8_lossy(text).into_owned(), decoder.frame_len()?))
}
