//! Scripted conversations, played to a server over whatever connects to it.
//!
//! ```text
//! == name                     a new conversation, with a fresh server (optional in a file with one only)
//! # ...                       a comment
//! @password pw                set the server up: password, user NAME PASSWORD,
//! @role replica                or while it runs: role primary|replica, and with yes|no: loading, busy (a script),
//!                             masterdown (a replica without its primary), misconf (no disk), full (of clients)
//! a> SET key "x\r\n\0\xff"    client a sends a command, as an array of bulk strings
//! a>> *1\r\n$4\r\nPI          client a sends bytes
//! a< +OK\r\n                  what client a has received since the last such line, and nothing else
//! a!                          client a's connection has been closed
//! 7.0 a> ...                  any line of these with something that other versions do differently: played to Redis
//!                             7.0 and its like only
//! ```
//!
//! Clients connect when they are first mentioned. `{id:a}` and `{addr:a}` in what is sent stand for client a's
//! id and address; in what is received `{n}` stands for a number, and `{any}` for what comes before the text
//! that follows it. The bytes expected are Redis 7.0.15's own.

pub(crate) mod text;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use text::Pattern;
use text::{unescape, words};

/// A server that a conversation is played to, and the clients that are connected to it.
pub(crate) trait World {
    /// Whether the server speaks in the very words of Redis 7.0. Else only the codes of its errors are compared, and
    /// lines about what versions do differently are left out.
    fn is_redis_7_0(&self) -> bool {
        true
    }
    /// Changes the running server, by a line with `@`.
    fn set(&mut self, what: &str, to: &str);
    /// The client's id and address, as the server knows them.
    fn identity(&mut self, client: char) -> (String, String);
    fn send(&mut self, client: char, bytes: &[u8]);
    /// Waits until what the client has received is `done`, or nothing more is to be expected, and takes it.
    fn received(&mut self, client: char, done: &dyn Fn(&[u8]) -> bool) -> Vec<u8>;
    /// Waits until the client's connection is closed. False: it stays open.
    fn closed(&mut self, client: char) -> bool;
}

/// How a server is set up before anybody connects.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) password: Option<String>,
    pub(crate) users: Vec<(String, String)>,
}

#[derive(Clone)]
enum Step {
    Set(String, String),
    SendWords(char, String),
    SendBytes(char, String),
    Receive(char, Pattern),
    Closed(char),
}

#[derive(Clone)]
struct Line {
    /// Its number.
    at: usize,
    /// Redis 7.0's own.
    only_7_0: bool,
    step: Step,
}

/// One conversation of a file.
#[derive(Clone)]
pub(crate) struct Conversation {
    pub(crate) name: String,
    pub(crate) setup: Setup,
    steps: Vec<Line>,
}

impl Conversation {
    /// All conversations in `tests/conversations`, in the order of the files' names.
    pub(crate) fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations");
        let mut paths: Vec<_> = std::fs::read_dir(&folder)
            .expect("tests/conversations can be listed")
            .map(|entry| entry.expect("tests/conversations can be listed").path())
            .collect();
        paths.sort();
        let all: Vec<_> = paths.iter().flat_map(|path| Self::of_file(path)).collect();
        assert!(all.len() > 30, "{} conversations are fewer than there were", all.len());
        all
    }

    fn of_file(path: &Path) -> Vec<Self> {
        let text = std::fs::read_to_string(path).expect("a conversation can be read");
        let file = path.file_stem().expect("a file has a name").to_string_lossy();
        let mut conversations: Vec<Self> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let title = line.strip_prefix("== ");
            if conversations.is_empty() || title.is_some() {
                let name = title.map_or_else(|| file.to_string(), |title| format!("{file}: {title}"));
                conversations.push(Self { name, setup: Setup::default(), steps: Vec::new() });
            }
            let current = conversations.last_mut().expect("one has just been pushed");
            if title.is_none() && !line.is_empty() && !line.starts_with('#') {
                current.add(at + 1, line);
            }
        }
        conversations
    }

    fn add(&mut self, at: usize, line: &str) {
        if let Some(setting) = line.strip_prefix('@') {
            match setting.split(' ').collect::<Vec<_>>()[..] {
                ["password", password] => self.setup.password = Some(password.into()),
                ["user", name, password] => self.setup.users.push((name.into(), password.into())),
                [what, to] => {
                    let step = Step::Set(what.into(), to.into());
                    self.steps.push(Line { at, only_7_0: false, step });
                }
                _ => panic!("line {at}: what is {line:?}?"),
            }
            return;
        }
        let (only_7_0, line) = line.strip_prefix("7.0 ").map_or((false, line), |line| (true, line));
        let mut rest = line.chars();
        let client = rest.next().expect("empty lines are skipped");
        let rest = rest.as_str();
        let step = if let Some(bytes) = rest.strip_prefix(">> ") {
            Step::SendBytes(client, bytes.into())
        } else if let Some(words) = rest.strip_prefix("> ") {
            Step::SendWords(client, words.into())
        } else if let Some(pattern) = rest.strip_prefix("< ") {
            Step::Receive(client, Pattern::parse(pattern))
        } else {
            assert_eq!(rest, "!", "line {at}: what is {line:?}?");
            Step::Closed(client)
        };
        self.steps.push(Line { at, only_7_0, step });
    }

    /// Plays the conversation and panics where the server's part differs.
    pub(crate) fn play(&self, world: &mut dyn World) {
        let exactly = world.is_redis_7_0();
        // Whether the last thing checked about a client was that it has nothing more to say.
        let mut open: BTreeMap<char, bool> = BTreeMap::new();
        for Line { at, only_7_0, step } in &self.steps {
            if *only_7_0 && !exactly {
                continue;
            }
            let context = format!("{}, line {at}", self.name);
            match step {
                Step::Set(what, to) => world.set(what, to),
                Step::SendBytes(client, text) => {
                    let bytes = unescape(&substitute(world, text));
                    world.send(*client, &bytes);
                    open.entry(*client).or_insert(true);
                }
                Step::SendWords(client, text) => {
                    let words = words(&substitute(world, text));
                    world.send(*client, &array_of_bulks(&words));
                    open.entry(*client).or_insert(true);
                }
                Step::Receive(client, pattern) => {
                    let fits = |received: &[u8]| pattern.matches(received, exactly);
                    let received = world.received(*client, &fits);
                    let text = received.escape_ascii();
                    assert!(fits(&received), "{context}: expected {pattern}\nreceived {text}");
                }
                Step::Closed(client) => {
                    assert!(world.closed(*client), "{context}: {client} is still open");
                    open.insert(*client, false);
                }
            }
        }
        for client in open.keys() {
            let rest = world.received(*client, &|_| true);
            let text = rest.escape_ascii();
            assert!(rest.is_empty(), "{}: at its end {client} has also received {text}", self.name);
        }
    }
}

fn array_of_bulks(words: &[Vec<u8>]) -> Vec<u8> {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let mut bytes = Vec::new();
    ringwire_codec::resp::command(&mut bytes, &words);
    bytes
}

/// Replaces `{id:a}` and `{addr:a}`.
fn substitute(world: &mut dyn World, text: &str) -> String {
    let mut text = text.to_owned();
    for client in 'a'..='z' {
        for (name, is_id) in [("id", true), ("addr", false)] {
            let placeholder = format!("{{{name}:{client}}}");
            if text.contains(&placeholder) {
                let (id, addr) = world.identity(client);
                text = text.replace(&placeholder, if is_id { &id } else { &addr });
            }
        }
    }
    text
}
