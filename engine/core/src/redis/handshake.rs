//! The greeting of a new connection: one command at a time on an idle pipe, since a failed pipelined `AUTH` can
//! leave replies misaligned.
//!
//! ```text
//! HELLO 3 [AUTH user password] [SETNAME name] ──► SELECT ──► ROLE? ──► CLIENT INFO ──► CLIENT KILL old ──► ready
//!   └ unknown ──► AUTH ──► CLIENT SETNAME ──────────┘  (RESP2)                          (PING, if the breaker asks)
//! ```
//!
//! `ROLE` stands in for what `HELLO` tells of the role. `CLIENT INFO` and `CLIENT KILL` fence the publish lane: what
//! the old connection left in the server's buffers must not execute after what the new one sends.

use ringwire_codec::resp::{self, Frame, Token};

use crate::outlet::Role;
use crate::settings::RedisSettings;
use crate::status::{LinkError, is_for_now};

/// Bytes of an id or an address that are kept, to be sent back: twice the longest path of a socket. With a longer one
/// the connection cannot be fenced.
const IDENTITY_LEN_MAX: usize = 256;

/// How a server knows one of our connections. Ids start again with the server: the address guards a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    id: Vec<u8>,
    address: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hello,
    Authenticate,
    SetName,
    Select,
    Role,
    Info,
    Kill,
    Probe,
    Done,
}

/// What the greeting has to do besides.
#[derive(Debug, Default)]
pub(crate) struct Task {
    /// The connection before this one, if it may have left commands behind: it is killed.
    pub(crate) predecessor: Option<Identity>,
    /// The breaker is half open: the connection is of no use unless `PING` is answered without an error.
    pub(crate) must_be_healthy: bool,
}

/// What the greeting found out.
#[derive(Debug)]
pub(crate) struct Handshake {
    step: Step,
    role: Role,
    resp3: bool,
    role_known: bool,
    /// This connection, for its successor to kill.
    pub(crate) identity: Option<Identity>,
    task: Task,
    /// The predecessor could not be killed.
    pub(crate) unfenced: bool,
}

impl Handshake {
    /// Begins the greeting: the first command goes to `out`.
    pub(crate) fn begin(role: Role, task: Task, settings: &RedisSettings, out: &mut Vec<u8>) -> Self {
        let mut args: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &settings.password {
            let user = settings.username.as_deref().unwrap_or("default");
            args.extend([b"AUTH", user.as_bytes(), password.as_bytes()]);
        }
        args.extend([b"SETNAME", settings.client_name.as_bytes()]);
        resp::command(out, &args);
        let (step, unfenced) = (Step::Hello, false);
        Self { step, role, resp3: false, role_known: false, identity: None, task, unfenced }
    }

    /// Takes the answer to the last command; the next one, if any, goes to `out`. Answers whether the greeting is
    /// finished.
    pub(crate) fn answer(
        &mut self,
        frame: &Frame<'_>,
        settings: &RedisSettings,
        out: &mut Vec<u8>,
    ) -> Result<bool, LinkError> {
        let head = frame.head();
        if matches!(head, Token::Push(_)) {
            return Ok(false);
        }
        let error = match head {
            Token::Error(text) | Token::BulkError(text) => Some(text),
            _ => None,
        };
        match (self.step, error) {
            (Step::Hello, Some(text)) => self.hello_refused(text)?,
            (Step::Hello, None) => self.hello(frame)?,
            (Step::Authenticate | Step::Select, Some(text)) => return Err(LinkError::from_reply(text)),
            // An old server asks for a password here, where `HELLO` did not.
            (_, Some(text)) if text.starts_with(b"NOAUTH") => return Err(LinkError::from_reply(text)),
            // What a server refuses for now it will answer later: a connection that cannot be fenced because a script
            // runs is not worth the order of messages.
            (Step::Role | Step::Info | Step::Kill, Some(text)) if is_for_now(text) => {
                return Err(LinkError::from_reply(text));
            }
            // A name is a courtesy, and an old server's user may lack the right to ask for its role.
            (Step::SetName | Step::Role | Step::Info, Some(_)) => {}
            (Step::Role, None) => check_role(frame.item(0))?,
            (Step::Info, None) => self.identity = identity(&head),
            (Step::Kill, Some(_)) => self.unfenced = true,
            (Step::Probe, Some(text)) => {
                if let Some(error) = LinkError::from_ping(text) {
                    return Err(error);
                }
            }
            (
                Step::Authenticate | Step::SetName | Step::Select | Step::Kill | Step::Probe | Step::Done,
                _,
            ) => {}
        }
        self.advance(settings, out);
        Ok(self.step == Step::Done)
    }

    fn hello(&mut self, frame: &Frame<'_>) -> Result<(), LinkError> {
        if !matches!(frame.head(), Token::Map(_) | Token::Array(_)) {
            return Err(LinkError::Protocol("HELLO was answered with neither a map nor an error".into()));
        }
        self.resp3 = true;
        if let Some(role) = field(frame, b"role") {
            self.role_known = true;
            if self.role == Role::Publish {
                check_role(Some(Token::Bulk(role)))?;
            }
        }
        Ok(())
    }

    fn hello_refused(&mut self, text: &[u8]) -> Result<(), LinkError> {
        // Servers before Redis 6 do not know HELLO, and some in its likeness know it without version 3.
        if text.starts_with(b"NOPROTO") || text.starts_with(b"ERR unknown command") {
            return Ok(());
        }
        Err(LinkError::from_reply(text))
    }

    /// Goes to the next step that has something to ask, and asks it.
    fn advance(&mut self, settings: &RedisSettings, out: &mut Vec<u8>) {
        loop {
            self.step = match self.step {
                Step::Hello if self.resp3 => Step::Select,
                Step::Hello => Step::Authenticate,
                Step::Authenticate => Step::SetName,
                Step::SetName => Step::Select,
                Step::Select => Step::Role,
                Step::Role => Step::Info,
                Step::Info => Step::Kill,
                Step::Kill => Step::Probe,
                Step::Probe | Step::Done => Step::Done,
            };
            if self.ask(settings, out) || self.step == Step::Done {
                return;
            }
        }
    }

    fn ask(&mut self, settings: &RedisSettings, out: &mut Vec<u8>) -> bool {
        let publishes = self.role == Role::Publish;
        match self.step {
            Step::Authenticate => match (&settings.username, &settings.password) {
                (Some(user), Some(password)) => {
                    resp::command(out, &[b"AUTH", user.as_bytes(), password.as_bytes()]);
                }
                (None, Some(password)) => resp::command(out, &[b"AUTH", password.as_bytes()]),
                (_, None) => return false,
            },
            Step::SetName => resp::command(out, &[b"CLIENT", b"SETNAME", settings.client_name.as_bytes()]),
            Step::Select if publishes && settings.database != 0 => {
                resp::command(out, &[b"SELECT", settings.database.to_string().as_bytes()]);
            }
            Step::Role if publishes && !self.role_known => resp::command(out, &[b"ROLE"]),
            Step::Info if publishes => resp::command(out, &[b"CLIENT", b"INFO"]),
            Step::Probe if self.task.must_be_healthy => resp::command(out, &[b"PING"]),
            Step::Kill => match self.task.predecessor.take() {
                Some(old) => {
                    resp::command(out, &[b"CLIENT", b"KILL", b"ID", &old.id, b"ADDR", &old.address]);
                }
                None => return false,
            },
            _ => return false,
        }
        true
    }
}

/// A `ROLE` answer's first item, or `HELLO`'s role: only a primary will do.
pub(crate) fn check_role(role: Option<Token<'_>>) -> Result<(), LinkError> {
    match role {
        Some(Token::Bulk(b"slave" | b"replica") | Token::Simple(b"slave" | b"replica")) => {
            Err(LinkError::Replica)
        }
        _ => Ok(()),
    }
}

/// The value behind the first `name` in an answer of names and values.
fn field<'a>(frame: &Frame<'a>, name: &[u8]) -> Option<&'a [u8]> {
    let mut found = false;
    for token in frame.tokens() {
        match token {
            Token::Bulk(text) | Token::Simple(text) if found => return Some(text),
            Token::Bulk(text) | Token::Simple(text) => found = text == name,
            _ => found = false,
        }
    }
    None
}

/// `id=5 addr=127.0.0.1:50124 laddr=… name=…` of `CLIENT INFO`.
fn identity(head: &Token<'_>) -> Option<Identity> {
    let text = match head {
        Token::Bulk(text) | Token::Simple(text) | Token::Verbatim { text, .. } => *text,
        _ => return None,
    };
    let value = |name: &[u8]| {
        let mut words = text.split(u8::is_ascii_whitespace);
        let value = words.find_map(|word| word.strip_prefix(name))?;
        (value.len() <= IDENTITY_LEN_MAX).then(|| value.to_vec())
    };
    Some(Identity { id: value(b"id=")?, address: value(b"addr=")? })
}
