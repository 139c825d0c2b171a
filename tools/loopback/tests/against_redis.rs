//! The same conversations with a real Redis, and random ones with both at once.
//!
//! These tests start `redis-server` (or `valkey-server`) from PATH themselves, on a free loopback port with a folder
//! of its own. With Redis 7.0, whose words the embedded server speaks, they want equal bytes. Other versions from 6.2
//! on differ in the texts of their errors, and in some commands: with those, errors are compared by their codes,
//! `HELLO` without the server's name and version, and what versions do differently is left out: lines of the
//! conversations (marked there), `HELLO`, `AUTH`, `CLIENT` and `SET` with options in random sessions, zero bytes in
//! inline commands, damaged sessions, and where messages to oneself stand among replies.

mod conversation;
mod tcp_world;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use conversation::text::without_version;
use conversation::{Conversation, Setup};
use ringwire_codec::resp::{FrameReader, Limits, Token, command};
use ringwire_loopback::redis::{Options, Server};
use tcp_world::{DEADLINE, Host, TcpWorld, ask};

/// Another process may take the free port before `redis-server` has it: then there is another one.
const START_ATTEMPTS: usize = 10;

struct RealRedis {
    process: Child,
    folder: PathBuf,
    addr: SocketAddr,
    password: Option<String>,
    version: Version,
    /// What occupies the server: a reload, or a script.
    occupation: Option<JoinHandle<String>>,
    /// Stays connected while nobody else can.
    control: Option<TcpStream>,
}

impl RealRedis {
    fn start(setup: &Setup) -> Self {
        let version = Version::on_path();
        for _ in 0..START_ATTEMPTS {
            if let Some(redis) = Self::try_start(setup, &version) {
                return redis;
            }
        }
        panic!("redis-server does not start on a loopback port");
    }

    fn try_start(setup: &Setup, version: &Version) -> Option<Self> {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ringwire-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be created");
        let port = {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
            free.local_addr().expect("it has an address").port()
        };
        let mut command = Command::new(version.program);
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(&folder);
        if version.at_least(7, 0) {
            // Before, everybody may debug.
            command.args(["--enable-debug-command", "yes"]);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().expect("redis-server can be started");
        let mut log = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            if log.read_line(&mut line).is_ok_and(|n| n == 0) {
                let _ = process.wait();
                let _ = std::fs::remove_dir_all(&folder);
                return None;
            }
        }
        // Nobody reads on; a log that cannot be written stops nothing in Redis.
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        for (name, password) in &setup.users {
            let rule = format!(">{password}");
            ask(addr, &[&["ACL", "SETUSER", name, "on", &rule, "~*", "&*", "+@all"]]);
        }
        if let Some(password) = &setup.password {
            ask(addr, &[&["CONFIG", "SET", "requirepass", password]]);
        }
        let password = setup.password.clone();
        let version = version.clone();
        Some(Self { process, folder, addr, password, version, occupation: None, control: None })
    }

    /// Stretches the loading of a data set until it is told to go on.
    fn begin_loading(&mut self) {
        let addr = self.addr;
        for setting in [
            &["DEBUG", "POPULATE", "2000"][..],
            &["CONFIG", "SET", "loading-process-events-interval-bytes", "1024"],
            &["CONFIG", "SET", "key-load-delay", "1000"],
        ] {
            assert_eq!(ask(addr, &[setting]), "OK", "{setting:?}");
        }
        self.occupation = Some(std::thread::spawn(move || ask(addr, &[&["DEBUG", "RELOAD"]])));
        self.wait_for_ping("LOADING");
    }

    /// Waits until `PING` is answered with this error.
    fn wait_for_ping(&self, code: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !ask(self.addr, &[&["PING"]]).starts_with(code) {
            assert!(Instant::now() < deadline, "PING is never answered with {code}");
        }
    }
}

/// Which server there is.
#[derive(Clone)]
struct Version {
    program: &'static str,
    major: u32,
    minor: u32,
}

impl Version {
    fn on_path() -> Self {
        const NEEDED: &str =
            "this test compares with a real Redis from 6.2 on, or Valkey: put its server on PATH";
        let found = ["redis-server", "valkey-server"].into_iter().find_map(|program| {
            let output = Command::new(program).arg("--version").output().ok()?;
            Some((program, String::from_utf8_lossy(&output.stdout).into_owned()))
        });
        let (program, text) = found.unwrap_or_else(|| panic!("{NEEDED}"));
        let numbers = text.split(" v=").nth(1).and_then(|rest| rest.split(' ').next());
        let mut numbers =
            numbers.into_iter().flat_map(|text| text.split('.')).map_while(|text| text.parse().ok());
        let version =
            Self { program, major: numbers.next().unwrap_or(0), minor: numbers.next().unwrap_or(0) };
        assert!(version.at_least(6, 2), "{NEEDED}; there is {text}");
        version
    }

    fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// Whether its words are those of the server here.
    fn is_7_0(&self) -> bool {
        (self.major, self.minor) == (7, 0)
    }
}

impl Host for RealRedis {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn is_redis_7_0(&self) -> bool {
        self.version.is_7_0()
    }

    fn set(&mut self, what: &str, to: &str) {
        let addr = self.addr;
        // Nobody listens on port 1: a replica whose link is down.
        const NOWHERE: &[&str] = &["REPLICAOF", "127.0.0.1", "1"];
        match (what, to) {
            ("role", "replica") => drop(ask(addr, &[NOWHERE])),
            ("role", "primary") => drop(ask(addr, &[&["REPLICAOF", "NO", "ONE"]])),
            ("masterdown", "yes") => {
                ask(addr, &[&["CONFIG", "SET", "replica-serve-stale-data", "no"], NOWHERE]);
            }
            ("masterdown", "no") => drop(ask(addr, &[&["REPLICAOF", "NO", "ONE"]])),
            ("loading", "yes") => self.begin_loading(),
            ("loading", "no") => {
                ask(addr, &[&["CONFIG", "SET", "key-load-delay", "0"]]);
                let reload = self.occupation.take().expect("it is loading");
                assert_eq!(reload.join().expect("DEBUG RELOAD is answered"), "OK");
            }
            ("busy", "yes") => {
                assert_eq!(ask(addr, &[&["CONFIG", "SET", "lua-time-limit", "1"]]), "OK");
                let script = move || ask(addr, &[&["EVAL", "while true do end", "0"]]);
                self.occupation = Some(std::thread::spawn(script));
                self.wait_for_ping("BUSY");
            }
            ("busy", "no") => {
                ask(addr, &[&["SCRIPT", "KILL"]]);
                let script = self.occupation.take().expect("a script runs");
                assert!(script.join().expect("the script ends").starts_with("ERR"));
            }
            ("misconf", "yes") => {
                // Its own folder: snapshots go nowhere.
                std::fs::remove_dir_all(&self.folder).expect("the server's folder can be removed");
                ask(addr, &[&["CONFIG", "SET", "save", "3600 1"], &["BGSAVE"]]);
                self.wait_for_ping("MISCONF");
            }
            ("misconf", "no") => {
                ask(addr, &[&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]]);
            }
            ("full", "yes") => {
                let mut control = TcpStream::connect(addr).expect("the server accepts");
                assert_eq!(tell(&mut control, &["CONFIG", "SET", "maxclients", "1"]), "+OK\r\n");
                self.control = Some(control);
            }
            ("full", "no") => {
                let mut control = self.control.take().expect("the server is full");
                assert_eq!(tell(&mut control, &["CONFIG", "SET", "maxclients", "10000"]), "+OK\r\n");
            }
            _ => panic!("what is {what} {to}?"),
        }
    }

    fn client_list(&mut self) -> String {
        match &self.password {
            Some(password) => ask(self.addr, &[&["AUTH", password], &["CLIENT", "LIST"]]),
            None => ask(self.addr, &[&["CLIENT", "LIST"]]),
        }
    }
}

impl Drop for RealRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Asks on a connection that stays; the answer is one short line.
fn tell(stream: &mut TcpStream, words: &[&str]) -> String {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut bytes = Vec::new();
    command(&mut bytes, &words);
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    stream.write_all(&bytes).expect("the server reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("the server answers");
    line
}

#[test]
fn conversations_are_those_of_a_real_redis() {
    let version = Version::on_path();
    let differs = |conversation: &Conversation| {
        if conversation.name == "loading" && !version.at_least(7, 0) {
            println!("not compared: before 7.0 a small data set cannot be loaded slowly");
            return false;
        }
        let play = || conversation.play(&mut TcpWorld::new(RealRedis::start(&conversation.setup)));
        std::panic::catch_unwind(play).is_err()
    };
    let differ: Vec<_> = Conversation::all().into_iter().filter(differs).map(|it| it.name).collect();
    assert!(differ.is_empty(), "{differ:?} go otherwise");
}

/// The real server and the state machine, fed the same bytes.
struct Both {
    redis: RealRedis,
    server: Server,
}

impl Both {
    fn start() -> Self {
        let setup = Setup::default();
        Self { redis: RealRedis::start(&setup), server: Server::new(Options::default()) }
    }

    /// What each answers to a connection that sends `input` and then closes its half.
    fn answers(&mut self, input: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut stream = TcpStream::connect(self.redis.addr).expect("Redis accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        stream.write_all(input).expect("Redis reads");
        stream.shutdown(Shutdown::Write).expect("a connection can be half closed");
        let mut theirs = Vec::new();
        stream.read_to_end(&mut theirs).expect("Redis closes in its turn");

        let client = self.server.accept(0, "127.0.0.1:50000");
        self.server.receive(0, client, input);
        let mut ours = self.server.output(client).to_vec();
        self.server.closed(client);
        let is_7_0 = self.redis.version.is_7_0();
        if !is_7_0 {
            (theirs, ours) = (messages_apart(&theirs), messages_apart(&ours));
        }
        (mask_hello(&theirs, is_7_0), mask_hello(&ours, is_7_0))
    }

    fn compare(&mut self, input: &[u8], context: &str) {
        let (theirs, ours) = self.answers(input);
        let same = theirs.iter().zip(&ours).take_while(|(theirs, ours)| theirs == ours).count();
        assert!(
            theirs == ours,
            "{context}: after {same} equal bytes\nRedis {}\nhere  {}\ninput {}",
            theirs[same.saturating_sub(40)..].escape_ascii(),
            ours[same.saturating_sub(40)..].escape_ascii(),
            input.escape_ascii()
        );
    }
}

/// `HELLO` answers the client's id, which counts connections that the two do not share, and the version.
fn mask_hello(bytes: &[u8], is_7_0: bool) -> Vec<u8> {
    let id = mask(bytes, b"$2\r\nid\r\n:", |after| after.iter().take_while(|it| it.is_ascii_digit()).count());
    if is_7_0 {
        return id;
    }
    // `$5`, the text, and two line ends.
    let version = |after: &[u8]| after.splitn(3, |it| *it == b'\n').take(2).map(|line| line.len() + 1).sum();
    mask(&without_version(&id), b"$7\r\nversion\r\n", version)
}

/// Parts messages from replies: from 7.2 on messages to oneself stand behind the reply of the `PUBLISH`.
fn messages_apart(bytes: &[u8]) -> Vec<u8> {
    let (mut messages, mut others) = (Vec::new(), Vec::new());
    let mut reader = FrameReader::new(Limits::default());
    let mut rest = bytes;
    while let Ok(Some(frame)) = reader.next(rest) {
        let is_message = matches!(frame.item(0), Some(Token::Bulk(b"message" | b"pmessage")));
        let (frame, after) = rest.split_at(frame.len());
        if is_message { &mut messages } else { &mut others }.extend_from_slice(frame);
        rest = after;
    }
    [&messages, &others, rest].concat()
}

/// Cuts out what stands behind each marker.
fn mask(bytes: &[u8], marker: &[u8], len: impl Fn(&[u8]) -> usize) -> Vec<u8> {
    let mut masked = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(marker.len()).position(|window| window == marker) {
        let (before, after) = rest.split_at(at + marker.len());
        masked.extend_from_slice(before);
        rest = &after[len(after).min(after.len())..];
    }
    masked.extend_from_slice(rest);
    masked
}

/// A small generator of pseudo-random numbers (xorshift64*): a seed replays a failure.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Words that a command's arguments are made of. One channel and one pattern: where there are several, Redis'
/// order is its hash table's.
const WORDS: &[&str] =
    &["", "a", "k", "0", "1", "2", "3", "-1", "x y", "default", "AUTH", "SETNAME", "foo", "\r\n", "16", "\0"];

fn random_command(random: &mut Random) -> Vec<&'static str> {
    let mut words = match random.below(16) {
        0 => vec!["SUBSCRIBE", "a"],
        1 => vec!["PSUBSCRIBE", "a*"],
        2 => vec!["UNSUBSCRIBE"],
        3 => vec!["punsubscribe"],
        4 | 5 => vec!["PUBLISH", random.pick(WORDS), random.pick(WORDS)],
        6 => vec!["HELLO", random.pick(&["2", "3", "4", "x"])],
        7 => vec!["CLIENT", "REPLY", random.pick(&["ON", "ON", "OFF", "SKIP", "x"])],
        8 => vec!["CLIENT", random.pick(&["SETNAME", "GETNAME", "NO-EVICT", "FOO", "KILL"])],
        9 => vec!["PUBSUB", random.pick(&["CHANNELS", "NUMSUB", "NUMPAT", "FOO"])],
        10 => vec!["SET", random.pick(WORDS), random.pick(WORDS)],
        11 => vec![random.pick(&["GET", "DEL", "EXISTS", "ECHO", "SELECT"]), random.pick(WORDS)],
        12 => vec![random.pick(&["PING", "ROLE", "AUTH", "RESET", "NOSUCH"])],
        _ => vec![random.pick(&["PING", "ping", "GET", "ECHO", "SELECT", "PUBLISH"])],
    };
    if words[0] == "SET" {
        for _ in 0..random.below(4) {
            let option =
                random.pick(&["NX", "XX", "GET", "KEEPTTL", "EX 100", "px 100000", "EX 0", "EX x", "EX"]);
            words.extend(option.split(' '));
        }
    } else if random.below(3) == 0 && !words[0].ends_with("SUBSCRIBE") {
        words.extend((0..random.below(4)).map(|_| random.pick(WORDS)));
    }
    words
}

fn random_session(random: &mut Random, keep: fn(&[&str]) -> bool) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..1 + random.below(30) {
        let words = random_command(random);
        if keep(&words) {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            command(&mut input, &words);
        }
    }
    input
}

/// Whether all versions do the same for a command.
fn is_agreed(words: &[&str]) -> bool {
    match words[0] {
        "HELLO" | "CLIENT" | "AUTH" => false,
        "SET" => words.len() <= 3,
        _ => true,
    }
}

/// Sessions of each kind: a few seconds' worth.
const SESSIONS: u64 = 1500;

#[test]
fn random_sessions_get_the_bytes_of_a_real_redis() {
    let mut both = Both::start();
    let keep = if both.redis.version.is_7_0() { |_: &[&str]| true } else { is_agreed };
    for seed in 0..SESSIONS {
        let input = random_session(&mut Random::new(seed), keep);
        both.compare(&input, &format!("seed {seed}"));
    }
}

#[test]
fn damaged_sessions_get_the_bytes_of_a_real_redis() {
    let mut both = Both::start();
    if !both.redis.version.is_7_0() {
        println!("not compared: versions forgive different damages");
        return;
    }
    for seed in 0..SESSIONS {
        let random = &mut Random::new(seed);
        // Damage can make a second channel of the one, whose order in these answers is not Redis' to promise.
        let mut input = random_session(random, |words| {
            !words.starts_with(&["UNSUBSCRIBE"]) && !words.starts_with(&["PUBSUB", "CHANNELS"])
        });
        command(&mut input, &[b"PING"]);
        for _ in 0..1 + random.below(4) {
            let at = random.below(input.len());
            let byte =
                random.pick(&[b"\r", b"\n", b"\0", b"$", b"*", b"-", b"1", b"9", b" ", b"\"", b"x"])[0];
            match random.below(3) {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                _ => drop(input.remove(at)),
            }
        }
        both.compare(&input, &format!("seed {seed}"));
    }
}

#[test]
fn random_inline_commands_get_the_bytes_of_a_real_redis() {
    const PIECES: &[&str] = &[
        "PING", "ECHO", "GET", "a", " ", " ", "\t", "\r\n", "\n", "\r\n", "\"", "'", "\\", "\\x41", "\\n",
        "\\\"", "\x0b", "\x0c", "\\'", "\0", "*", "$", "1",
    ];
    let mut both = Both::start();
    for seed in 0..SESSIONS {
        let random = &mut Random::new(seed);
        let input: String = (0..1 + random.below(40)).map(|_| random.pick(PIECES)).collect();
        // Valkey ends a connection for it.
        if input.contains('\0') && !both.redis.version.is_7_0() {
            continue;
        }
        both.compare(input.as_bytes(), &format!("seed {seed}"));
    }
}

#[test]
fn random_patterns_match_as_in_a_real_redis() {
    const ALPHABET: &[u8] = b"aabc-[]^\\**?\x80\xff";
    let mut both = Both::start();
    for seed in 0..SESSIONS {
        let random = &mut Random::new(seed);
        let mut input = Vec::new();
        command(&mut input, &[b"HELLO", b"3"]);
        for _ in 0..20 {
            let mut text = |most| -> Vec<u8> {
                (0..random.below(most)).map(|_| ALPHABET[random.below(ALPHABET.len())]).collect()
            };
            let (pattern, channel) = (text(8), text(5));
            command(&mut input, &[b"PSUBSCRIBE", &pattern]);
            command(&mut input, &[b"PUBLISH", &channel, b"x"]);
            command(&mut input, &[b"PUNSUBSCRIBE", &pattern]);
        }
        both.compare(&input, &format!("seed {seed}"));
    }
}
