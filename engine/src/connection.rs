//! The sockets of one shard: opening, sending, receiving and closing as the core asks.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam::channel::Sender;
use ringwire_core::{ConnectionId, Core, LinkError, MILLISECOND_NS, Now};
use ringwire_shards::net::{Address, Events, Interest, Options, Poller, Received, Socket, Transfer};

use crate::config::Location;
use crate::resolver::Request;
use crate::shared::ShardShared;

/// A connection that moved bytes within this time, and expects some, is read directly in each turn; the others share
/// one look at epoll. Replies take microseconds; after a millisecond without any, 300 ns for a look at all is the better deal.
const ACTIVE_NS: u64 = MILLISECOND_NS;
/// A spinning shard asks epoll no more often than this: a system call in each turn would keep it from the rings for
/// half of its time, and what comes unasked after a silence can wait so long.
const LOOK_EVERY_NS: u64 = 5_000;
/// Reads of one connection in one turn: four full buffers are enough to keep up with a server, and few enough for
/// the others to have their turn.
const READS_PER_TURN: usize = 4;
/// Bytes that one read asks for: more would only grow the buffer before the core has looked at it.
const RECEIVE_MAX: usize = 256 << 10;
/// Token of the shard's own eventfd among the pollers' tokens, which are connection numbers.
pub(crate) const SLEEPER_TOKEN: u64 = u64::MAX;

#[derive(Debug)]
enum State {
    Closed,
    /// Waits for the addresses of its host name.
    Resolving,
    /// Tries an address; the others follow if it fails.
    Connecting {
        socket: Socket,
        others: VecDeque<Address>,
    },
    Open {
        socket: Socket,
        is_blocked: bool,
        active_until_ns: u64,
    },
}

#[derive(Debug)]
struct Connection {
    state: State,
    /// A look-up is under way, perhaps for an attempt that was given up since.
    is_asked: bool,
    /// Which of a name's addresses is tried first: the next one after an attempt that nobody answered.
    first: usize,
}

/// All connections of one shard, by [`ConnectionId::index`].
pub(crate) struct Connections {
    list: Vec<Connection>,
    locations: Vec<Location>,
    poller: Poller,
    /// Taken while a look is under way.
    events: Option<Events>,
    resolver: Option<Sender<Request>>,
    shard: Weak<ShardShared>,
    /// When epoll is asked next while the shard does not wait.
    look_at_ns: u64,
    /// Endpoints that sent or received since the shard last described them.
    pub(crate) moved: Box<[bool]>,
    /// Connections that are open or opening: with none, epoll is not asked.
    alive: usize,
}

impl Connections {
    pub(crate) fn new(
        locations: Vec<Location>,
        poller: Poller,
        resolver: Option<Sender<Request>>,
        shard: &Arc<ShardShared>,
    ) -> Self {
        let count = locations.len() * 2;
        let moved = vec![false; locations.len()].into();
        let closed = || Connection { state: State::Closed, is_asked: false, first: 0 };
        Self {
            list: std::iter::repeat_with(closed).take(count).collect(),
            locations,
            poller,
            events: Some(Events::with_capacity(count + 1)),
            resolver,
            shard: Arc::downgrade(shard),
            look_at_ns: 0,
            moved,
            alive: 0,
        }
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Begins to open a connection.
    pub(crate) fn open(&mut self, now: Now, id: ConnectionId, core: &mut Core) {
        let location = &self.locations[usize::from(id.endpoint().0)];
        let address = match location {
            Location::Address(ip, port) => Address::Tcp((*ip, *port).into()),
            Location::Path(path) => Address::Unix(path.clone()),
            Location::Name(host, port) => {
                let request = Request {
                    shard: self.shard.clone(),
                    connection: id.index(),
                    host: host.as_str().into(),
                    port: *port,
                };
                let connection = &mut self.list[id.index()];
                connection.state = State::Resolving;
                let asked = connection.is_asked
                    || self.resolver.as_ref().is_some_and(|resolver| resolver.send(request).is_ok());
                connection.is_asked = asked;
                if !asked {
                    self.fail(id, "there is no thread to look names up".to_owned(), core);
                }
                return;
            }
        };
        self.try_addresses(now, id, VecDeque::from([address]), core);
    }

    /// The resolver's answer.
    pub(crate) fn resolved(
        &mut self,
        now: Now,
        index: usize,
        addresses: Result<Vec<Address>, String>,
        core: &mut Core,
    ) {
        let connection = &mut self.list[index];
        connection.is_asked = false;
        if !matches!(connection.state, State::Resolving) {
            return;
        }
        let id = ConnectionId::from_index(index);
        let first = connection.first;
        match addresses {
            Ok(mut addresses) if !addresses.is_empty() => {
                let count = addresses.len();
                addresses.rotate_left(first % count);
                self.try_addresses(now, id, addresses.into(), core);
            }
            Ok(addresses) => self.try_addresses(now, id, addresses.into(), core),
            Err(reason) => self.fail(id, reason, core),
        }
    }

    fn try_addresses(&mut self, now: Now, id: ConnectionId, mut others: VecDeque<Address>, core: &mut Core) {
        let mut reason = String::new();
        while let Some(address) = others.pop_front() {
            match Socket::connect(&address, &Options::default()) {
                Ok(socket) => {
                    let added = self.poller.add(&socket, id.index() as u64, Interest::Write);
                    if let Err(error) = added {
                        reason = format!("{address}: {error}");
                        continue;
                    }
                    self.alive += 1;
                    self.list[id.index()].state = State::Connecting { socket, others };
                    // A Unix socket is connected at once.
                    self.connecting(now, id, core);
                    return;
                }
                Err(error) => reason = format!("{address}: {error}"),
            }
        }
        self.fail(id, reason, core);
    }

    fn fail(&mut self, id: ConnectionId, reason: String, core: &mut Core) {
        self.list[id.index()].state = State::Closed;
        core.disconnected(id, LinkError::Connect(reason));
    }

    /// Looks how a connect goes on.
    fn connecting(&mut self, now: Now, id: ConnectionId, core: &mut Core) {
        let State::Connecting { socket, .. } = &self.list[id.index()].state else { return };
        match socket.finish_connect() {
            Ok(false) => {}
            Ok(true) => {
                let registered = self.poller.modify(socket, id.index() as u64, Interest::Read);
                if let Err(error) = registered {
                    self.lost(id, &error, core);
                    return;
                }
                let state = std::mem::replace(&mut self.list[id.index()].state, State::Closed);
                if let State::Connecting { socket, .. } = state {
                    let active_until_ns = now.mono_ns + ACTIVE_NS;
                    self.list[id.index()].state = State::Open { socket, is_blocked: false, active_until_ns };
                    core.connected(now, id);
                }
            }
            Err(error) => {
                let state = std::mem::replace(&mut self.list[id.index()].state, State::Closed);
                if let State::Connecting { socket, others } = state {
                    self.discard(&socket);
                    if others.is_empty() {
                        core.disconnected(id, LinkError::Connect(self.at(id, &error)));
                    } else {
                        self.try_addresses(now, id, others, core);
                    }
                }
            }
        }
    }

    /// The endpoint's place in words, with what happened there.
    fn at(&self, id: ConnectionId, error: &io::Error) -> String {
        match &self.locations[usize::from(id.endpoint().0)] {
            Location::Address(ip, port) => format!("{}: {error}", std::net::SocketAddr::new(*ip, *port)),
            Location::Name(host, port) => format!("{host}:{port}: {error}"),
            Location::Path(path) => format!("{}: {error}", path.display()),
        }
    }

    fn discard(&mut self, socket: &Socket) {
        // Closing takes it out of the set too: the descriptor is not shared with anyone.
        let _ = self.poller.remove(socket);
        self.alive -= 1;
    }

    /// Closes a connection, or gives up opening it.
    pub(crate) fn close(&mut self, id: ConnectionId) {
        let connection = &mut self.list[id.index()];
        match std::mem::replace(&mut connection.state, State::Closed) {
            State::Connecting { socket, .. } => {
                // Nobody answered in time: the next attempt begins with the next address.
                connection.first = connection.first.wrapping_add(1);
                self.discard(&socket);
            }
            State::Open { socket, .. } => self.discard(&socket),
            State::Closed | State::Resolving => {}
        }
    }

    fn lost(&mut self, id: ConnectionId, error: &io::Error, core: &mut Core) {
        self.close(id);
        core.disconnected(id, LinkError::Socket(error.to_string()));
    }

    /// Sends what the core has for one connection: one `send`, unless the socket was found full.
    pub(crate) fn send(&mut self, now: Now, id: ConnectionId, core: &mut Core) {
        self.moved[usize::from(id.endpoint().0)] = true;
        let State::Open { socket, is_blocked, active_until_ns } = &mut self.list[id.index()].state else {
            return;
        };
        let output = core.output(id);
        if *is_blocked || output.is_empty() {
            return;
        }
        let len = output.len();
        match socket.send(output) {
            Ok(transfer) => {
                let sent = if let Transfer::Done(sent) = transfer { sent } else { 0 };
                *active_until_ns = now.mono_ns + ACTIVE_NS;
                core.sent(id, sent);
                if sent < len {
                    *is_blocked = true;
                    let registered = self.poller.modify(&*socket, id.index() as u64, Interest::ReadWrite);
                    if let Err(error) = registered {
                        self.lost(id, &error, core);
                    }
                }
            }
            Err(error) => {
                // What the server answered before that is still to be had.
                self.receive_from(now, id, core);
                if matches!(self.list[id.index()].state, State::Open { .. }) {
                    self.lost(id, &error, core);
                }
            }
        }
    }

    /// Receives on the connections that were active of late, and on the quiet ones that epoll names. Answers whether
    /// anything came.
    pub(crate) fn receive(&mut self, now: Now, core: &mut Core) -> bool {
        let mut came = false;
        let (mut active, mut open) = (0, 0);
        for index in 0..self.list.len() {
            if let State::Open { active_until_ns, .. } = self.list[index].state {
                open += 1;
                let id = ConnectionId::from_index(index);
                if now.mono_ns < active_until_ns && core.expects(id) {
                    active += 1;
                    came |= self.receive_from(now, id, core);
                }
            }
        }
        let is_due = now.mono_ns >= self.look_at_ns;
        if is_due && (open > active || self.alive > open || self.any_blocked()) {
            self.look_at_ns = now.mono_ns + LOOK_EVERY_NS;
            came |= self.look(now, core);
        }
        came
    }

    fn any_blocked(&self) -> bool {
        self.list.iter().any(|connection| matches!(connection.state, State::Open { is_blocked: true, .. }))
    }

    /// Asks epoll, and does what it says.
    fn look(&mut self, now: Now, core: &mut Core) -> bool {
        let Some(mut events) = self.events.take() else { return false };
        let found = self.poller.wait(Some(Duration::ZERO), &mut events).unwrap_or(0);
        let mut came = false;
        for event in events.iter().take(found).filter(|event| event.token != SLEEPER_TOKEN) {
            came = true;
            let id = ConnectionId::from_index(event.token as usize);
            match &mut self.list[id.index()].state {
                State::Connecting { .. } => self.connecting(now, id, core),
                State::Open { socket, is_blocked, .. } => {
                    if event.writable && *is_blocked {
                        *is_blocked = false;
                        let _ = self.poller.modify(&*socket, event.token, Interest::Read);
                        self.send(now, id, core);
                    }
                    if event.readable {
                        self.receive_from(now, id, core);
                    }
                }
                State::Closed | State::Resolving => {}
            }
        }
        self.events = Some(events);
        came
    }

    /// Waits until epoll has something to say, or `timeout` has passed. What it says is looked at in the next turn,
    /// which has a fresh reading of the clock.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) {
        // Whatever ends the wait is looked at at once.
        self.look_at_ns = 0;
        if let Some(events) = &mut self.events {
            // A failed wait is a short one: the next turn looks at everything.
            let _ = self.poller.wait(timeout, events);
        }
    }

    fn receive_from(&mut self, now: Now, id: ConnectionId, core: &mut Core) -> bool {
        let mut came = false;
        for _ in 0..READS_PER_TURN {
            let State::Open { socket, active_until_ns, .. } = &mut self.list[id.index()].state else { break };
            if core.is_behind(id) {
                return true;
            }
            let space = core.space(id);
            let room = space.len().min(RECEIVE_MAX);
            let space = &mut space[..room];
            match socket.recv(space) {
                Ok(Received::Data(n)) => {
                    came = true;
                    *active_until_ns = now.mono_ns + ACTIVE_NS;
                    core.received(now, id, n);
                    self.moved[usize::from(id.endpoint().0)] = true;
                    if n < room {
                        break;
                    }
                }
                Ok(Received::Blocked) => break,
                Ok(Received::Closed) => {
                    self.close(id);
                    core.disconnected(id, LinkError::ClosedByPeer);
                    return true;
                }
                Err(error) => {
                    self.lost(id, &error, core);
                    return true;
                }
            }
        }
        came
    }
}
