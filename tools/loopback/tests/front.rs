//! The front: the same conversations over TCP, and what needs real sockets.

mod conversation;
mod switch;
mod tcp_world;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use conversation::{Conversation, Setup};
use ringwire_codec::resp::{Frame, FrameReader, Limits, Token, command};
use ringwire_loopback::front::{Idle, RedisFront, spawn, spawn_idling, spawn_unix};
use ringwire_loopback::redis::{Options, Server, User};
use switch::switch;
use tcp_world::{DEADLINE, Host, TcpWorld, ask};

struct FrontHost {
    front: RedisFront,
    password: Option<String>,
}

impl FrontHost {
    fn start(setup: &Setup, idle: Idle) -> Self {
        let user =
            |(name, password): &(String, String)| User { name: name.clone(), password: password.clone() };
        let options = Options {
            password: setup.password.clone(),
            users: setup.users.iter().map(user).collect(),
            ..Options::default()
        };
        let front = spawn_idling("127.0.0.1:0", options, idle).expect("a front on loopback");
        Self { front, password: setup.password.clone() }
    }
}

impl Host for FrontHost {
    fn addr(&self) -> SocketAddr {
        self.front.addr().expect("a TCP front")
    }

    fn set(&mut self, what: &str, to: &str) {
        let (what, to) = (what.to_owned(), to.to_owned());
        let done = self.front.with(move |server| switch(server, &what, &to));
        assert!(done.is_some(), "the front's thread lives");
    }

    fn client_list(&mut self) -> String {
        match &self.password {
            Some(password) => ask(self.addr(), &[&["AUTH", password], &["CLIENT", "LIST"]]),
            None => ask(self.addr(), &[&["CLIENT", "LIST"]]),
        }
    }
}

#[test]
fn conversations_go_over_tcp_as_with_redis() {
    for idle in [Idle::Block, Idle::Spin] {
        for conversation in Conversation::all() {
            let host = FrontHost::start(&conversation.setup, idle);
            conversation.play(&mut TcpWorld::new(host));
        }
    }
}

/// A connection that takes whole frames.
struct Client<S> {
    stream: S,
    input: Vec<u8>,
}

impl Client<TcpStream> {
    fn connect(front: &RedisFront) -> Self {
        let stream = TcpStream::connect(front.addr().expect("a TCP front")).expect("the front accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        Self { stream, input: Vec::new() }
    }
}

impl<S: Read + Write> Client<S> {
    fn send(&mut self, words: &[&[u8]]) {
        let mut bytes = Vec::new();
        command(&mut bytes, words);
        self.stream.write_all(&bytes).expect("the front reads");
    }

    /// What `take` makes of the next frame; `None` once the front has hung up.
    fn next<R>(&mut self, take: impl FnOnce(&Frame<'_>) -> R) -> Option<R> {
        let mut reader = FrameReader::new(Limits::default());
        loop {
            if let Some(frame) = reader.next(&self.input).expect("the front speaks RESP") {
                let (taken, len) = (take(&frame), frame.len());
                self.input.drain(..len);
                return Some(taken);
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.input.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("cannot read: {error}"),
            }
        }
    }

    fn integer(&mut self, words: &[&[u8]]) -> Option<i64> {
        self.send(words);
        self.next(|frame| match frame.head() {
            Token::Integer(value) => value,
            other => panic!("an integer is expected, not {other:?}"),
        })
    }
}

const PUBLISHERS: u32 = 4;
const MESSAGES: u32 = 2000;

#[test]
fn publishers_at_once_reach_every_subscriber_in_their_order() {
    let front = spawn("127.0.0.1:0", Options::default()).expect("a front on loopback");
    let mut subscribers: Vec<_> = (0..3).map(|_| Client::connect(&front)).collect();
    for subscriber in &mut subscribers {
        subscriber.send(&[b"SUBSCRIBE", b"ch"]);
        subscriber.next(|_| ()).expect("the subscription is confirmed");
    }
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut client = Client::connect(&front);
            scope.spawn(move || {
                let mut pipeline = Vec::new();
                for message in 0..MESSAGES {
                    command(&mut pipeline, &[b"PUBLISH", b"ch", format!("{publisher} {message}").as_bytes()]);
                }
                client.stream.write_all(&pipeline).expect("the front reads");
                for _ in 0..MESSAGES {
                    let receivers = client.next(|frame| frame.head() == Token::Integer(3));
                    assert_eq!(receivers, Some(true));
                }
            });
        }
        for subscriber in &mut subscribers {
            scope.spawn(|| {
                let mut next = [0; PUBLISHERS as usize];
                for _ in 0..PUBLISHERS * MESSAGES {
                    let payload = subscriber.next(|frame| match frame.item(2) {
                        Some(Token::Bulk(payload)) => String::from_utf8_lossy(payload).into_owned(),
                        other => panic!("a message is expected, not {other:?}"),
                    });
                    let payload = payload.expect("the front stays");
                    let (publisher, message) = payload.split_once(' ').expect("two numbers");
                    let publisher: usize = publisher.parse().expect("a number");
                    assert_eq!(message.parse(), Ok(next[publisher]), "of publisher {publisher}");
                    next[publisher] += 1;
                }
            });
        }
    });
}

#[test]
fn a_slow_consumer_is_closed_and_others_go_on() {
    let options = Options { output_buffer_max: 256 * 1024, ..Options::default() };
    let front = spawn("127.0.0.1:0", options).expect("a front on loopback");
    let (mut publisher, mut slow) = (Client::connect(&front), Client::connect(&front));
    slow.send(&[b"SUBSCRIBE", b"ch"]);
    slow.next(|_| ()).expect("the subscription is confirmed");
    let payload = vec![b'x'; 64 * 1024];
    let deadline = Instant::now() + DEADLINE;
    // The kernel's buffers take some megabytes before the server's own begin to fill.
    while publisher.integer(&[b"PUBLISH", b"ch", &payload]) == Some(1) {
        assert!(Instant::now() < deadline, "nobody closes the slow consumer");
    }
    assert_eq!(publisher.integer(&[b"PUBLISH", b"ch", b"x"]), Some(0));
    // It gets what the kernel had, and then the end.
    while slow.next(|_| ()).is_some() {
        assert!(Instant::now() < deadline, "the slow consumer reads for ever");
    }
}

#[test]
fn a_long_reply_arrives_whole_at_a_slow_reader() {
    let front = spawn("127.0.0.1:0", Options::default()).expect("a front on loopback");
    let mut client = Client::connect(&front);
    let value: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    client.send(&[b"SET", b"k", &value]);
    client.send(&[b"GET", b"k"]);
    // Another client is served while the first one's socket is full.
    let mut other = Client::connect(&front);
    assert_eq!(other.integer(&[b"EXISTS", b"nothing"]), Some(0));
    assert_eq!(client.next(|frame| frame.head() == Token::Simple(b"OK")), Some(true));
    let header = format!("${}\r\n", value.len()).into_bytes();
    let mut reply = std::mem::take(&mut client.input);
    let rest = header.len() + value.len() + 2 - reply.len();
    (&client.stream).take(rest as u64).read_to_end(&mut reply).expect("the front writes");
    assert!(reply == [&header[..], &value, b"\r\n"].concat(), "the reply is not the value");
}

/// Checked by the compiler: tests share a front between threads.
#[test]
fn a_front_may_be_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    let front = spawn("127.0.0.1:0", Options::default()).expect("a front on loopback");
    shared(&front);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(front.with(|_| ()).is_some()));
        }
    });
}

#[test]
fn a_unix_socket_serves_and_is_removed() {
    let path = std::env::temp_dir().join(format!("ringwire-front-{}.sock", std::process::id()));
    let front = spawn_unix(&path, Options::default(), Idle::Block).expect("a front on a Unix socket");
    assert_eq!(front.url(), format!("redis+unix://{}", path.display()));
    assert_eq!(front.addr(), None);
    assert!(spawn_unix(&path, Options::default(), Idle::Block).is_err(), "the path is taken");
    let stream = UnixStream::connect(&path).expect("the front accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    let mut client = Client { stream, input: Vec::new() };
    client.send(&[b"CLIENT", b"INFO"]);
    let addr = format!(" addr={}:0 laddr={0}:0 ", path.display());
    let shown = client.next(|frame| match frame.head() {
        Token::Bulk(line) => String::from_utf8_lossy(line).contains(&addr),
        other => panic!("a line is expected, not {other:?}"),
    });
    assert_eq!(shown, Some(true));
    front.stop();
    assert!(!path.exists(), "the socket is removed");
    assert_eq!(client.next(|_| ()), None, "the connection is closed");
}

#[test]
fn the_world_s_hand_reaches_a_running_server() {
    let options = Options { journal: true, ..Options::default() };
    let front = spawn("127.0.0.1:0", options).expect("a front on loopback");
    assert_eq!(front.url(), format!("redis://{}", front.addr().expect("a TCP front")));
    let mut client = Client::connect(&front);
    assert_eq!(client.integer(&[b"PUBLISH", b"ch", b"x"]), Some(0));
    let executed = front.with(Server::take_executed).expect("the front's thread lives");
    assert_eq!(executed.len(), 1);
    let answer = front.with(|server| {
        server.inject_error("publish", Some("NOPERM by the test"));
        "done"
    });
    assert_eq!(answer, Some("done"));
    client.send(&[b"PUBLISH", b"ch", b"x"]);
    assert_eq!(client.next(|frame| frame.head() == Token::Error(b"NOPERM by the test")), Some(true));
    drop(front);
    assert_eq!(client.next(|_| ()), None, "dropping closes the connections");
}
