//! The peers: one loopback server for each endpoint, with what can go wrong in a server's process.

use std::collections::{BTreeMap, BTreeSet};

use ringwire_core::{RedisSettings, Role};
use ringwire_loopback::redis::{self, ClientId, Options, Server, User};

use super::context::{Context, Event, Way};
use super::invariants;
use super::network::{self, ClientEnd, Network, ServerEnd};
use super::scenario::{EndpointPlan, Path};

/// What a connect meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Up,
    Refuses,
    Hangs,
    /// It is accepted, and nobody ever answers.
    Mute,
}

pub(crate) struct Peer {
    pub(crate) server: Server,
    options: Options,
    /// The present process was started with another password.
    pub(crate) options_differ: bool,
    pub(crate) path: Path,
    pub(crate) reach: Reach,
    pub(crate) paused: bool,
    /// Since when its disk refuses snapshots, so that `PING` is answered with an error.
    misconf_since_ns: Option<u64>,
    refused_ping: bool,
    /// A script holds it up.
    busy: bool,
    pub(crate) lies: bool,
    /// New connections break soon.
    pub(crate) flaps: bool,
    /// Since when it is a replica, and how long a client may take to find out.
    replica_since_ns: Option<u64>,
    replica_max_ns: u64,
    /// Whether it ever refused what a connection needs to fence off its predecessor, or to find out the role.
    pub(crate) refused_fencing: bool,
    refused_role: bool,
    /// Commands that it answers with an error.
    refuses: BTreeSet<&'static str>,
    /// Instead of the path's own delays, up to this long.
    pub(crate) slow_ns: Option<u64>,
    /// The sockets of the server's clients.
    pub(crate) clients: BTreeMap<ClientId, usize>,
    next_port: u32,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("reach", &self.reach)
            .field("paused", &self.paused)
            .finish_non_exhaustive()
    }
}

/// The first port that the clients use.
const FIRST_PORT: u32 = 20_000;

impl Peer {
    pub(crate) fn new(plan: &EndpointPlan, reach: Reach, replica_max_ns: u64) -> Self {
        let RedisSettings { username, password, .. } = &plan.settings;
        let mut options = Options {
            resp3: plan.resp3,
            journal: true,
            output_buffer_max: plan.output_buffer_max,
            ..Options::default()
        };
        match (username, password) {
            (Some(name), Some(password)) => {
                options.password = Some("another".to_owned());
                options.users = vec![User { name: name.clone(), password: password.clone() }];
            }
            _ => options.password.clone_from(password),
        }
        Self {
            server: Server::new(options.clone()),
            options,
            options_differ: false,
            path: plan.path,
            reach,
            paused: false,
            misconf_since_ns: None,
            refused_ping: false,
            busy: false,
            lies: false,
            flaps: false,
            replica_since_ns: None,
            replica_max_ns,
            refused_fencing: false,
            refused_role: false,
            refuses: BTreeSet::new(),
            slow_ns: None,
            clients: BTreeMap::new(),
            next_port: FIRST_PORT,
        }
    }

    pub(crate) fn delay_ns(&self, ctx: &mut Context) -> u64 {
        match self.slow_ns {
            Some(slow_ns) => ctx.random.between(self.path.delay_min_ns, slow_ns),
            None => ctx.random.between(self.path.delay_min_ns, self.path.delay_max_ns),
        }
    }

    /// Whether it has been a replica since then at least, and says so.
    pub(crate) fn is_replica_since(&self, at_ns: u64) -> bool {
        !self.refused_role && self.replica_since_ns.is_some_and(|since_ns| since_ns <= at_ns)
    }

    /// From now on the server answers a command with an error, or does not any more.
    pub(crate) fn inject(&mut self, command: &'static str, error: Option<&str>) {
        self.server.inject_error(command, error);
        if error.is_some() {
            self.refused_fencing |= command.starts_with("client|");
            self.refused_role |= command == "role";
            self.refused_ping |= command == "ping";
            self.refuses.insert(command);
        } else {
            self.refuses.remove(command);
        }
    }

    pub(crate) fn set_misconf(&mut self, ctx: &Context, misconf: bool) {
        self.server.set_misconf(misconf);
        self.misconf_since_ns = misconf.then_some(ctx.now_ns);
    }

    /// Whether it has answered every `PING` since then with an error.
    pub(crate) fn is_unwell_since(&self, at_ns: u64) -> bool {
        !self.refused_ping && self.misconf_since_ns.is_some_and(|since_ns| since_ns <= at_ns)
    }

    /// A script begins to hold the server up, or ends.
    pub(crate) fn set_busy(&mut self, ctx: &Context, busy: bool) {
        self.busy = busy;
        self.server.set_busy(busy);
        // Meanwhile nobody could ask for its role.
        self.replica_since_ns = self.replica_since_ns.map(|_| ctx.now_ns);
    }

    /// A new process: ids start again, nothing is known of before.
    fn begin_again(&mut self, other_password: bool) {
        let mut options = self.options.clone();
        self.options_differ = other_password;
        if other_password {
            options.password = Some("changed".to_owned());
            options.users.clear();
        }
        self.server = Server::new(options);
        self.clients.clear();
        self.refuses.clear();
        self.misconf_since_ns = None;
        self.busy = false;
        self.replica_since_ns = None;
    }
}

impl Network {
    /// The server takes a connection out of the backlog.
    pub(crate) fn accept(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        let endpoint = socket.endpoint;
        let peer = &mut self.peers[endpoint];
        if socket.server != ServerEnd::Waiting || peer.paused || peer.reach == Reach::Mute {
            return;
        }
        peer.next_port += 1;
        let client = peer.server.accept(ctx.now_ns, &format!("10.0.0.1:{}", peer.next_port));
        peer.clients.insert(client, index);
        socket.server = ServerEnd::Open(client);
        if peer.server.wants_close(client) || !peer.server.output(client).is_empty() {
            // It has as many clients as it takes.
            socket.refused = true;
            return self.pump(ctx, endpoint);
        }
        if !peer.options.resp3 && socket.client == ClientEnd::Open {
            ctx.coverage.resp2_greetings += 1;
        }
    }

    /// The server reads what has arrived on a socket, and answers.
    pub(crate) fn serve(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        let endpoint = socket.endpoint;
        let peer = &mut self.peers[endpoint];
        if peer.paused || socket.up.arrived.is_empty() || socket.server == ServerEnd::Waiting {
            return;
        }
        let bytes = std::mem::take(&mut socket.up.arrived);
        match socket.server {
            ServerEnd::Open(client) => {
                peer.server.receive(ctx.now_ns, client, &bytes);
                let fencing = bytes.windows(KILL.len()).filter(|window| *window == KILL).count();
                ctx.coverage.fencing_kills += fencing as u64;
                let orphan = socket.client == ClientEnd::Closed;
                let tells = !orphan && !peer.refused_role && peer.slow_ns.is_none();
                let replica_ns = peer.replica_since_ns.filter(|_| tells);
                let in_time = replica_ns.is_none_or(|since_ns| ctx.now_ns - since_ns <= peer.replica_max_ns);
                for executed in peer.server.take_executed() {
                    if !orphan {
                        ctx.breakers[endpoint].executed(&mut ctx.judge);
                    }
                    invariants::replicas_are_left(ctx, endpoint, in_time);
                    invariants::execution_belongs_to_a_message(ctx, endpoint, &executed, orphan);
                }
            }
            ServerEnd::Closed if socket.killed => ctx.coverage.fenced_bytes += bytes.len() as u64,
            // A socket whose process has gone.
            ServerEnd::Closed | ServerEnd::Waiting => {}
        }
        self.made_room(ctx, index);
        self.pump(ctx, endpoint);
    }

    /// Sends what the server has to say, to whomever.
    pub(crate) fn pump(&mut self, ctx: &mut Context, endpoint: usize) {
        while let Some(client) = self.peers[endpoint].server.next_ready() {
            if let Some(index) = self.peers[endpoint].clients.get(&client).copied() {
                self.flush(ctx, index);
            }
        }
    }

    /// Sends what the server has to say on one socket, as far as the window has room.
    pub(crate) fn flush(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        let ServerEnd::Open(client) = socket.server else { return };
        let peer = &mut self.peers[socket.endpoint];
        if peer.paused {
            return;
        }
        let output = peer.server.output(client);
        let n = output.len().min(socket.down.room(peer.path.window));
        let mut bytes = output[..n].to_vec();
        peer.server.sent(client, n);
        let hangs_up = n > 0 && socket.hostile && peer.lies && lie(ctx, &mut bytes);
        if !bytes.is_empty() {
            network::put(ctx, peer, &mut socket.down, index, Way::ToClient, &bytes);
        }
        let done = peer.server.wants_close(client) && peer.server.output(client).is_empty();
        if !done && !hangs_up {
            return;
        }
        if done && !socket.refused && socket.connection.role() == Role::Publish {
            socket.killed = true;
            ctx.coverage.fencing_hits += 1;
            ctx.judge.note(|| format!("socket {index} was killed by its successor"));
        }
        peer.server.closed(client);
        peer.clients.remove(&client);
        socket.server = ServerEnd::Closed;
        network::put(ctx, peer, &mut socket.down, index, Way::ToClient, b"");
    }

    pub(crate) fn pause(&mut self, endpoint: usize) {
        self.peers[endpoint].paused = true;
    }

    /// The server wakes up, and finds everything that came meanwhile: sockets in any order.
    pub(crate) fn resume(&mut self, ctx: &mut Context, endpoint: usize) {
        self.peers[endpoint].paused = false;
        let mut mine: Vec<usize> =
            (0..self.sockets.len()).filter(|index| self.sockets[*index].endpoint == endpoint).collect();
        mine.retain(|index| self.sockets[*index].server != ServerEnd::Closed);
        while !mine.is_empty() {
            let index = mine.swap_remove(ctx.random.index(mine.len()));
            if self.sockets[index].client != ClientEnd::Connecting && !self.sockets[index].frozen {
                self.accept(ctx, index);
            }
            self.serve(ctx, index);
            self.flush(ctx, index);
        }
    }

    /// The process ends, and another takes its place: its clients are told, and what it had not read is lost.
    pub(crate) fn restart(&mut self, ctx: &mut Context, endpoint: usize, other_password: bool) {
        self.peers[endpoint].begin_again(other_password);
        for index in 0..self.sockets.len() {
            let socket = &mut self.sockets[index];
            if socket.endpoint != endpoint || socket.server == ServerEnd::Closed {
                continue;
            }
            if socket.server == ServerEnd::Waiting && socket.client == ClientEnd::Connecting {
                continue;
            }
            socket.server = ServerEnd::Closed;
            socket.up.arrived.clear();
            if !socket.frozen {
                let delay = self.peers[endpoint].delay_ns(ctx);
                ctx.after(delay, Event::Broken { socket: index });
            }
        }
    }

    pub(crate) fn set_role(&mut self, ctx: &mut Context, endpoint: usize, role: redis::Role) {
        let peer = &mut self.peers[endpoint];
        peer.server.set_role(role);
        peer.replica_since_ns = (role == redis::Role::Replica).then_some(ctx.now_ns);
    }

    /// The server ends a subscription of its own accord, as if the client had asked for it. Answers whether it
    /// could: only between two commands.
    pub(crate) fn end_subscription(
        &mut self,
        ctx: &mut Context,
        endpoint: usize,
        name: &[u8],
        is_pattern: bool,
    ) -> bool {
        let Some(index) = self.open_sockets(endpoint, Some(Role::Subscribe)).first().copied() else {
            return false;
        };
        let ServerEnd::Open(client) = self.sockets[index].server else { return false };
        let refuses = self.peers[endpoint].refuses.iter().any(|command| command.ends_with("unsubscribe"));
        let busy = self.peers[endpoint].busy;
        if !self.is_up_empty(index) || self.peers[endpoint].paused || busy || refuses {
            return false;
        }
        let command: &[u8] = if is_pattern { b"PUNSUBSCRIBE" } else { b"UNSUBSCRIBE" };
        let mut bytes = Vec::new();
        ringwire_codec::resp::command(&mut bytes, &[command, name]);
        self.peers[endpoint].server.receive(ctx.now_ns, client, &bytes);
        self.pump(ctx, endpoint);
        true
    }
}

const KILL: &[u8] = b"$4\r\nKILL\r\n";

/// Makes something else of what the server says. Answers whether the connection ends after it.
fn lie(ctx: &mut Context, bytes: &mut Vec<u8>) -> bool {
    const EXTRA: [&[u8]; 13] = [
        b":1\r\n",
        b"+PONG\r\n",
        b"-ERR no\r\n",
        b"_\r\n",
        b"$-1\r\n",
        b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n",
        b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
        b">2\r\n$7\r\nmessage\r\n$1\r\na\r\n",
        b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\nlie\r\n",
        b"*1000000000\r\n",
        b"$99999999999999\r\n",
        b"%2\r\n+role\r\n+slave\r\n+id\r\n:4\r\n",
        b">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$3\r\nlie\r\n",
    ];
    match ctx.random.below(40) {
        0 => {
            let at = ctx.random.index(bytes.len());
            bytes[at] = ctx.random.next() as u8;
        }
        1 => {
            let at = ctx.random.index(bytes.len() + 1);
            let garbage: Vec<u8> = (0..ctx.random.between(1, 40)).map(|_| ctx.random.next() as u8).collect();
            bytes.splice(at..at, garbage);
        }
        2..5 => bytes.extend_from_slice(ctx.random.pick(&EXTRA)),
        5 => {
            bytes.truncate(ctx.random.index(bytes.len()));
            return true;
        }
        6 => bytes.clear(),
        _ => {}
    }
    false
}
