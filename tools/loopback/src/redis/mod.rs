//! A small Redis 7.0 as a state machine: bytes and time in, bytes out.
//!
//! ```text
//!  accept ------> Client { input -> RequestReader -> execute -> output }
//!  receive(bytes) ---------------------^              |  ^
//!                                PUBLISH to the clients subscribed
//!  next_ready -> output / sent -> wants_close -> closed
//! ```
//!
//! What it implements it does as Redis 7.0.15 does on the wire, oddities included; everything else is an
//! unknown command. It reads no clock and opens no socket: time is `now_ns`, an argument, in nanoseconds of
//! any monotonic clock. The same calls give the same bytes; where Redis' order is that of a hash table
//! (`PUBSUB CHANNELS`, `UNSUBSCRIBE` without arguments, the patterns that match) it is that of the names here.
//!
//! The contract: mutate (`accept`, `receive`, `sent`, `closed`), then drain [`Server::next_ready`]. For each
//! client it names, send [`Server::output`], tell [`Server::sent`], and once the output is empty close the
//! connection if [`Server::wants_close`], then tell [`Server::closed`]. A client whose output could only be
//! sent in part is not named again for that: its driver remembers to go on.
//!
//! ```
//! use ringwire_loopback::redis::{Options, Server};
//!
//! let mut server = Server::new(Options::default());
//! let client = server.accept(0, "127.0.0.1:50000");
//! server.receive(0, client, b"*1\r\n$4\r\nPI");
//! assert_eq!(server.next_ready(), None); // half a command
//! server.receive(1_000, client, b"NG\r\n");
//! assert_eq!(server.next_ready(), Some(client));
//! assert_eq!(server.output(client), b"+PONG\r\n");
//! server.sent(client, 7);
//! ```

mod client;
mod client_command;
mod command;
mod connection;
mod introspection;
mod journal;
mod keyspace;
mod number;
mod options;
mod pubsub;
mod reply;
mod request;

use std::collections::BTreeMap;

use client::{Clients, Fate, RETAINED_BYTES, Silence, Slot};
pub use journal::Executed;
use journal::Journal;
use keyspace::Keyspace;
pub use options::{Limits, Options, User};
use pubsub::Subscriptions;
use request::{Parsed, RequestLimits, RequestReader};

/// The Redis version that is answered for, in `HELLO` and `INFO`.
pub const REDIS_VERSION: &str = "7.0.15";

/// A connection's number, the one that `CLIENT ID` answers: 1, 2, 3... in the order of `accept`, starting
/// again with every [`Server`], as in a restarted process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// What a server is in its replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Takes writes.
    #[default]
    Primary,
    /// Refuses writes with `READONLY`; `PUBLISH` reaches only the clients here, and is *not* refused.
    Replica,
}

/// A Redis without its sockets; see the [module](self) for how to drive it.
///
/// `Send`, and used by one thread at a time. A new one allocates next to nothing.
pub struct Server {
    options: Options,
    clients: Clients,
    next_client: u64,
    subscriptions: Subscriptions,
    keyspace: Keyspace,
    role: Role,
    loading: bool,
    master_down: bool,
    busy: bool,
    misconf: bool,
    /// By the command's full name in lower case, as `publish` or `client|kill`: the error that it answers.
    injected: BTreeMap<String, String>,
    journal: Journal,
    /// Clients closed for their output; Redis frees them only when it is back in its event loop, so that until
    /// then they count as receivers.
    doomed: Vec<Slot>,
}

impl Server {
    /// A server without clients, keys or subscriptions.
    pub fn new(options: Options) -> Self {
        Self {
            options: options.clamped(),
            clients: Clients::default(),
            next_client: 1,
            subscriptions: Subscriptions::default(),
            keyspace: Keyspace::default(),
            role: Role::Primary,
            loading: false,
            master_down: false,
            busy: false,
            misconf: false,
            injected: BTreeMap::new(),
            journal: Journal::default(),
            doomed: Vec::new(),
        }
    }

    /// A connection has been accepted. `peer_addr` is what `CLIENT INFO` shows and `CLIENT KILL` compares:
    /// `ip:port`, or `path:0` for a Unix socket. Beyond `clients_max` the client is refused as in Redis: it
    /// has an error as output and wants to be closed.
    pub fn accept(&mut self, now_ns: u64, peer_addr: &str) -> ClientId {
        let id = ClientId(self.next_client);
        self.next_client += 1;
        let refused = self.clients.len() >= self.options.limits.clients_max;
        let slot = self.clients.insert(id, now_ns, peer_addr);
        self.clients.at_mut(slot).authenticated = self.options.password.is_none();
        if refused {
            self.clients.push(slot).error("ERR max number of clients reached");
            self.clients.at_mut(slot).close_after_output();
        }
        id
    }

    /// Executes every command that `bytes` completes, in order. What is left waits for its rest. The bytes of
    /// a client that is unknown or about to be closed are dropped.
    pub fn receive(&mut self, now_ns: u64, client: ClientId, bytes: &[u8]) {
        let Some(slot) = self.clients.slot(client) else { return };
        let state = self.clients.at_mut(slot);
        if state.fate != Fate::Open {
            return;
        }
        state.active_ns = now_ns;
        let mut reader = std::mem::take(&mut state.reader);
        let mut pending = std::mem::take(&mut state.pending);
        if pending.is_empty() {
            // The usual case: whole commands, executed where they lie.
            let used = self.execute_all(now_ns, slot, &mut reader, bytes);
            pending.extend_from_slice(&bytes[used..]);
        } else {
            pending.extend_from_slice(bytes);
            let used = self.execute_all(now_ns, slot, &mut reader, &pending);
            pending.drain(..used);
        }
        if pending.is_empty() && pending.capacity() > RETAINED_BYTES {
            pending.shrink_to(RETAINED_BYTES);
        }
        self.keep_input(slot, reader, pending);
        while let Some(slot) = self.doomed.pop() {
            self.unsubscribe_silently(slot);
        }
    }

    /// What is to be sent to the client; empty for an unknown one.
    pub fn output(&self, client: ClientId) -> &[u8] {
        self.clients.by_id(client).map_or(&[], |client| client.output.unsent())
    }

    /// The first `n` bytes of the output have been sent.
    pub fn sent(&mut self, client: ClientId, n: usize) {
        if let Some(slot) = self.clients.slot(client) {
            self.clients.sent(slot, n);
        }
    }

    /// Whether the connection is to be closed as soon as the output is empty: after `QUIT` or a protocol error
    /// that is when the reply is out; a killed client's or slow consumer's output is empty at once. True for
    /// an unknown client.
    pub fn wants_close(&self, client: ClientId) -> bool {
        self.clients.by_id(client).is_none_or(client::Client::wants_close)
    }

    /// The connection is gone: its subscriptions end, what it sent and was not executed never is.
    pub fn closed(&mut self, client: ClientId) {
        if let Some(slot) = self.clients.slot(client) {
            self.unsubscribe_silently(slot);
            self.clients.remove(slot);
        }
    }

    /// A client that has got output or wants to be closed since it was last named, the longest waiting first.
    pub fn next_ready(&mut self) -> Option<ClientId> {
        self.clients.next_ready()
    }

    /// Promotes or demotes the server. Clients stay connected, as in Redis.
    pub fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    /// Begins or ends loading: most commands answer `LOADING`, `PUBLISH` and the subscriptions do not.
    pub fn set_loading(&mut self, loading: bool) {
        self.loading = loading;
    }

    /// Cuts a replica off from its primary, or joins them again, with Redis' `replica-serve-stale-data no`: the
    /// commands that loading refuses answer `MASTERDOWN`. Nothing happens on a primary.
    pub fn set_master_down(&mut self, down: bool) {
        self.master_down = down;
    }

    /// Begins or ends a script that takes too long: all but `HELLO`, `AUTH`, `RESET` and `QUIT` answer `BUSY`,
    /// `PUBLISH` among them.
    pub fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// From now on the disk refuses snapshots, or does not any more: writes and `PING` answer `MISCONF`.
    pub fn set_misconf(&mut self, misconf: bool) {
        self.misconf = misconf;
    }

    /// Changes [`Limits::clients_max`]. Who is connected stays, as after Redis' `CONFIG SET maxclients`.
    pub fn set_clients_max(&mut self, clients_max: usize) {
        self.options.limits.clients_max = clients_max;
    }

    /// From now on every `command` (its full name, `publish` or `client|kill`) is answered with `-error` and
    /// not executed; `None` ends that. The text begins with the error's code: `MISCONF Redis is ...`.
    pub fn inject_error(&mut self, command: &str, error: Option<&str>) {
        let command = command.to_ascii_lowercase();
        match error {
            Some(error) => drop(self.injected.insert(command, error.to_owned())),
            None => drop(self.injected.remove(&command)),
        }
    }

    /// The `PUBLISH`es executed since the last call, in order; only with [`Options::journal`].
    pub fn take_executed(&mut self) -> Vec<Executed> {
        self.journal.take()
    }

    /// Executes the complete commands of `input` and answers how much of it they were.
    fn execute_all(&mut self, now_ns: u64, slot: Slot, reader: &mut RequestReader, input: &[u8]) -> usize {
        let mut start = 0;
        while start < input.len() {
            let client = self.clients.at(slot);
            if client.fate != Fate::Open {
                return input.len();
            }
            let limits =
                RequestLimits { bulk_max: self.options.limits.bulk_max, authenticated: client.authenticated };
            let command = &input[start..];
            match reader.next(command, limits) {
                Ok(Parsed::Incomplete) => break,
                Ok(Parsed::Empty) => {}
                Ok(Parsed::Command) => self.execute(now_ns, slot, reader.args(command)),
                Err(error) => {
                    self.clients.reply(slot).error_bytes(&error.text());
                    self.clients.at_mut(slot).close_after_output();
                    return input.len();
                }
            }
            start += reader.finish();
            self.after_command(now_ns, slot);
        }
        start
    }

    /// Moves `CLIENT REPLY SKIP` on by one command, and looks at what the client has not taken.
    fn after_command(&mut self, now_ns: u64, slot: Slot) {
        let client = self.clients.at_mut(slot);
        client.silence = match client.silence {
            Silence::SkipNext => Silence::Skip,
            Silence::Skip | Silence::None => Silence::None,
            Silence::Off => Silence::Off,
        };
        self.courier(now_ns).enforce_output_limit(slot);
    }

    /// Closes a client at once: `CLIENT KILL`, or Redis' answer to a browser.
    fn kill(&mut self, slot: Slot) {
        self.clients.at_mut(slot).close_now();
        self.clients.mark_ready(slot);
        self.unsubscribe_silently(slot);
    }

    /// Puts a client's input back, unless it is not going to be read any more.
    fn keep_input(&mut self, slot: Slot, reader: RequestReader, pending: Vec<u8>) {
        let client = self.clients.at_mut(slot);
        if client.fate != Fate::Open {
            return;
        }
        if pending.len() > self.options.limits.input_max {
            // Redis' client-query-buffer-limit: no reply.
            return self.kill(slot);
        }
        client.reader = reader;
        client.pending = pending;
    }
}
