//! The sockets of one shard: opening, sending, receiving and closing as the core asks.
//!
//! ```text
//!   active, one      moved bytes of late, and expects some: recv in each turn
//!   active, more  ─┐
//!   quiet          ├─ one epoll_wait for all of them: in each turn, or every LOOK_EVERY_NS
//!   opening        │    where there is one active connection, or none
//!   blocked       ─┘
//! ```
//!
//! So a turn costs what the active connections cost, however many quiet ones there are.
//!
//! A shard that does not wait takes the connection that it reads in each turn out of epoll's set: the kernel's work on what
//! arrives is then done sooner, and with it the read that waits for the socket's lock. It comes back before the shard
//! waits, and when it is not read in each turn any more.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam::channel::Sender;
use ringwire_core::{ConnectionId, Core, LinkError, MILLISECOND_NS, Now};
use ringwire_shards::net::{Address, Events, Interest, Options, Poller, Ready, Received, Socket, Transfer};

use crate::config::Location;
use crate::ports::Marks;
use crate::resolver::{Found, Name, Request};
use crate::shared::ShardShared;

mod addresses;

use addresses::Addresses;

/// A connection that moved bytes within this time, and expects some, is active. Replies take microseconds; after a
/// millisecond without any, 300 ns for a look at all is the better deal.
const ACTIVE_NS: u64 = MILLISECOND_NS;
/// So many active connections are read directly in each turn. A read that finds nothing was measured at 540 ns, and an
/// epoll_wait that does at 265 ns (Linux 6.18, two virtual cores): so one connection has its answer 0.1 µs sooner when
/// it is read without asking, and from two on asking is cheaper, and sooner.
const DIRECT_MAX: usize = 1;
/// A spinning shard asks epoll about the quiet connections no more often than this: a system call in each turn would
/// keep it from the rings for half of its time, and what comes unasked after a silence can wait so long.
const LOOK_EVERY_NS: u64 = 5_000;
/// How often a long list of active connections is rid of those that are quiet again: seldom beside the turns, and often
/// beside [`ACTIVE_NS`].
const RETIRE_EVERY_NS: u64 = ACTIVE_NS / 4;
/// A shard that has not waited for so long spins: as long beside the two system calls that it takes to leave epoll's set
/// and to come back.
const SPINNING_NS: u64 = MILLISECOND_NS;
/// Bytes that one read asks for; the core's buffer is usually smaller.
const RECEIVE_MAX: usize = 256 << 10;
/// Bytes that a turn receives on what epoll named, before the rings and the core have theirs again: about 0.2 ms. The
/// rest of what epoll named comes first in the next turn.
const RECEIVED_PER_TURN: usize = 1 << 20;
/// Bytes that one send hands to the kernel, 50 µs of copying; the rest follows in the next turns.
const SEND_MAX: usize = 256 << 10;
/// Pieces of one send: the batches of most requests, and what stands between them.
const PIECES_MAX: usize = 16;
/// Sends in one turn of what was too long for one: 0.2 ms. Who had none comes first in the next turn.
const RESUMED_PER_TURN: usize = 4;
/// Token of the shard's own eventfd among the pollers' tokens, which are connection numbers.
pub(crate) const SLEEPER_TOKEN: u64 = u64::MAX;

#[derive(Debug)]
enum State {
    Closed,
    /// Waits for the addresses of its host name.
    Resolving(Name),
    /// Tries an address; the others follow if it fails.
    Connecting {
        socket: Socket,
        others: VecDeque<Address>,
    },
    Open(Open),
}

#[derive(Debug)]
struct Open {
    socket: Socket,
    /// The socket's buffer is full: epoll tells when it is not.
    is_blocked: bool,
    /// Sending failed: what the server answered before that is still received, and then the connection is lost.
    broken: Option<io::Error>,
    /// Stands in the list of active connections.
    is_active: bool,
    /// Was quiet, and has sent in this turn: the answer cannot be here yet, so this turn need not read.
    has_just_begun: bool,
    /// Stands in the list of those with more to send.
    is_unfinished: bool,
    active_until_ns: u64,
    since_ns: u64,
    has_received: bool,
}

impl Open {
    #[inline]
    fn moved_bytes(&mut self, now: Now, id: ConnectionId, active: &mut Vec<ConnectionId>) {
        self.active_until_ns = now.mono_ns + ACTIVE_NS;
        if !self.is_active {
            self.is_active = true;
            active.push(id);
        }
    }
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    state: State,
    addresses: Addresses,
}

impl Connection {
    fn new(id: ConnectionId) -> Self {
        Self { id, state: State::Closed, addresses: Addresses::default() }
    }
}

/// All connections of one shard, by [`ConnectionId::index`].
pub(crate) struct Connections {
    list: Vec<Connection>,
    locations: Vec<Location>,
    poller: Poller,
    /// What epoll named last; taken while it is handled.
    events: Option<Events>,
    /// Which of them is handled next.
    next_event: usize,
    resolver: Option<Sender<Request>>,
    shard: Weak<ShardShared>,
    /// When epoll is asked next about quiet connections while the shard does not wait.
    look_at_ns: u64,
    /// When a long list of active connections is looked through next.
    retire_at_ns: u64,
    /// Endpoints that sent or received since the shard last described them.
    pub(crate) moved: Marks,
    /// Open connections that moved bytes of late; each at most once.
    active: Vec<ConnectionId>,
    /// The open connection that is not in epoll's set: it is active, and read in each turn.
    unwatched: Option<ConnectionId>,
    /// Since when the shard has not waited; 0: as of the next turn.
    spins_since_ns: u64,
    /// Connections with more to send than one send takes, in the order of their turns.
    unfinished: VecDeque<ConnectionId>,
    /// How many connections are open, how many of these are blocked, and how many are connecting.
    open: usize,
    blocked: usize,
    opening: usize,
}

/// One `send` of what does not lie in one place, and how many bytes it was asked for.
#[inline(never)]
fn send_pieces<'a>(socket: &Socket, pieces: impl Iterator<Item = &'a [u8]>) -> (io::Result<Transfer>, usize) {
    let mut slices = [IoSlice::new(&[]); PIECES_MAX];
    let (mut count, mut len) = (0, 0);
    for (slice, piece) in slices.iter_mut().zip(pieces) {
        let piece = &piece[..piece.len().min(SEND_MAX - len)];
        *slice = IoSlice::new(piece);
        (count, len) = (count + 1, len + piece.len());
        if len == SEND_MAX {
            break;
        }
    }
    (socket.send_pieces(&slices[..count]), len)
}

impl Connections {
    pub(crate) fn new(
        locations: Vec<Location>,
        poller: Poller,
        resolver: Option<Sender<Request>>,
        shard: &Arc<ShardShared>,
    ) -> Self {
        let count = locations.len() * 2;
        Self {
            list: (0..count).map(|index| Connection::new(ConnectionId::from_index(index))).collect(),
            moved: Marks::new(locations.len()),
            locations,
            poller,
            events: Some(Events::with_capacity(count + 1)),
            next_event: 0,
            resolver,
            shard: Arc::downgrade(shard),
            look_at_ns: 0,
            retire_at_ns: 0,
            active: Vec::with_capacity(count),
            unwatched: None,
            spins_since_ns: 0,
            unfinished: VecDeque::with_capacity(count),
            open: 0,
            blocked: 0,
            opening: 0,
        }
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Begins to open a connection.
    pub(crate) fn open(&mut self, now: Now, id: ConnectionId, core: &mut Core) {
        self.make_place(id);
        let broker = core.address(id).map(|(host, port)| Location::of_broker(host, port));
        let location = broker.as_ref().unwrap_or(&self.locations[usize::from(id.endpoint().0)]);
        let address = match location {
            Location::Address(ip, port) => Address::Tcp((*ip, *port).into()),
            Location::Path(path) => Address::Unix(path.clone()),
            Location::Name(host, port) => {
                let name = (Arc::from(host.as_str()), *port);
                self.look_up(now, id, name, core);
                return;
            }
        };
        self.try_addresses(now, id, VecDeque::from([address]), core);
    }

    /// A broker that has become known has a connection that was not there before.
    fn make_place(&mut self, id: ConnectionId) {
        while self.list.len() <= id.index() {
            // Those in between come with brokers that are not connected yet.
            let between = ConnectionId::from_index(self.list.len());
            self.list.push(Connection::new(between));
        }
        self.list[id.index()].id = id;
    }

    fn look_up(&mut self, now: Now, id: ConnectionId, name: Name, core: &mut Core) {
        let Connection { state, addresses, .. } = &mut self.list[id.index()];
        *state = State::Resolving(name.clone());
        if let Some(found) = addresses.take_fresh(now.mono_ns, &name) {
            self.resolved(now, id, found, core);
        } else if !addresses.is_asked(&name) {
            let request = Request { shard: self.shard.clone(), connection: id, name: name.clone() };
            if self.resolver.as_ref().is_some_and(|resolver| resolver.send(request).is_ok()) {
                addresses.asks(name);
            } else {
                self.fail(id, "there is no thread to look names up".to_owned(), core);
            }
        }
    }

    /// The resolver's answer: of use where the connection still wants that name.
    pub(crate) fn answered(&mut self, now: Now, id: ConnectionId, name: Name, found: Found, core: &mut Core) {
        let Connection { state, addresses, .. } = &mut self.list[id.index()];
        addresses.answered(&name);
        if matches!(state, State::Resolving(wanted) if *wanted == name) {
            self.resolved(now, id, found, core);
        } else {
            addresses.keep(now.mono_ns, name, found);
        }
    }

    fn resolved(&mut self, now: Now, id: ConnectionId, found: Found, core: &mut Core) {
        match found {
            Ok(found) => {
                let order = self.list[id.index()].addresses.in_order(found);
                self.try_addresses(now, id, order, core);
            }
            Err(reason) => self.fail(id, reason, core),
        }
    }

    fn try_addresses(&mut self, now: Now, id: ConnectionId, mut others: VecDeque<Address>, core: &mut Core) {
        let mut reason = String::new();
        while let Some(address) = others.pop_front() {
            let begun = Socket::connect(&address, &Options::default()).and_then(|socket| {
                self.poller.add(&socket, id.index() as u64, Interest::Write)?;
                Ok(socket)
            });
            match begun {
                Ok(socket) => {
                    self.opening += 1;
                    let connection = &mut self.list[id.index()];
                    connection.addresses.tries(address);
                    connection.state = State::Connecting { socket, others };
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
        let connected = socket.finish_connect().and_then(|is_connected| {
            if is_connected {
                self.poller.modify(socket, id.index() as u64, Interest::Read)?;
            }
            Ok(is_connected)
        });
        if let Ok(false) = connected {
            return;
        }
        let connection = &mut self.list[id.index()];
        let State::Connecting { socket, others } = std::mem::replace(&mut connection.state, State::Closed)
        else {
            return;
        };
        self.opening -= 1;
        match connected {
            Ok(_) => {
                let now_ns = now.mono_ns;
                connection.state = State::Open(Open {
                    socket,
                    is_blocked: false,
                    broken: None,
                    is_active: true,
                    has_just_begun: false,
                    is_unfinished: false,
                    active_until_ns: now_ns + ACTIVE_NS,
                    since_ns: now_ns,
                    has_received: false,
                });
                self.open += 1;
                self.active.push(id);
                core.connected(now, id);
            }
            Err(error) => {
                self.discard(&socket);
                if others.is_empty() {
                    let reason = self.at(id, &error, core);
                    core.disconnected(id, LinkError::Connect(reason));
                } else {
                    self.try_addresses(now, id, others, core);
                }
            }
        }
    }

    /// The endpoint's place in words, with what happened there.
    fn at(&self, id: ConnectionId, error: &io::Error, core: &Core) -> String {
        if let Some((host, port)) = core.address(id) {
            return format!("{host}:{port}: {error}");
        }
        match &self.locations[usize::from(id.endpoint().0)] {
            Location::Address(ip, port) => format!("{}: {error}", std::net::SocketAddr::new(*ip, *port)),
            Location::Name(host, port) => format!("{host}:{port}: {error}"),
            Location::Path(path) => format!("{}: {error}", path.display()),
        }
    }

    fn discard(&self, socket: &Socket) {
        // Closing takes it out of the set too: the descriptor is not shared with anyone.
        let _ = self.poller.remove(socket);
    }

    /// Closes a connection, or gives up opening it.
    pub(crate) fn close(&mut self, now: Now, id: ConnectionId) {
        let connection = &mut self.list[id.index()];
        match std::mem::replace(&mut connection.state, State::Closed) {
            State::Connecting { socket, .. } => {
                connection.addresses.timed_out();
                self.opening -= 1;
                self.discard(&socket);
            }
            State::Open(open) => {
                let lasted_ns = if open.has_received { now.mono_ns.saturating_sub(open.since_ns) } else { 0 };
                connection.addresses.ended(lasted_ns);
                self.open -= 1;
                self.blocked -= usize::from(open.is_blocked);
                if open.is_active {
                    self.active.retain(|active| *active != id);
                }
                self.unwatched = self.unwatched.filter(|unwatched| *unwatched != id);
                self.discard(&open.socket);
            }
            State::Closed | State::Resolving(_) => {}
        }
    }

    fn lost(&mut self, now: Now, id: ConnectionId, error: &io::Error, core: &mut Core) {
        self.close(now, id);
        core.disconnected(id, LinkError::Socket(error.to_string()));
    }

    /// Whether something is left for the next turn that epoll does not tell of.
    pub(crate) fn has_rest(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Goes on with what was too long for one send. Answers whether there was anything.
    pub(crate) fn send_rest(&mut self, now: Now, core: &mut Core) -> bool {
        let waiting = self.unfinished.len().min(RESUMED_PER_TURN);
        for _ in 0..waiting {
            let Some(id) = self.unfinished.pop_front() else { break };
            if let State::Open(open) = &mut self.list[id.index()].state {
                open.is_unfinished = false;
            }
            self.send(now, id, core);
        }
        waiting > 0
    }

    /// Sends what the core has for one connection: one `send`, unless the socket was found full.
    pub(crate) fn send(&mut self, now: Now, id: ConnectionId, core: &mut Core) {
        // Also without a connection: there are more messages than before.
        self.moved.mark(id.endpoint());
        let State::Open(open) = &mut self.list[id.index()].state else { return };
        let output = core.output(id);
        if open.is_blocked || open.broken.is_some() || output.is_empty() {
            return;
        }
        let is_in_pieces = core.is_in_pieces(id);
        let may_be_cut = is_in_pieces || output.len() > SEND_MAX;
        let (result, len) = if is_in_pieces {
            send_pieces(&open.socket, core.pieces(id))
        } else {
            let output = &output[..output.len().min(SEND_MAX)];
            (open.socket.send(output), output.len())
        };
        match result {
            Ok(transfer) => {
                let sent = if let Transfer::Done(sent) = transfer { sent } else { 0 };
                open.has_just_begun = !open.is_active;
                open.moved_bytes(now, id, &mut self.active);
                core.sent(id, sent);
                if sent < len {
                    open.is_blocked = true;
                    self.blocked += 1;
                    let token = id.index() as u64;
                    let registered = if self.unwatched.take_if(|unwatched| *unwatched == id).is_some() {
                        self.poller.add(&open.socket, token, Interest::ReadWrite)
                    } else {
                        self.poller.modify(&open.socket, token, Interest::ReadWrite)
                    };
                    if let Err(error) = registered {
                        self.lost(now, id, &error, core);
                    }
                } else if may_be_cut && !open.is_unfinished && !core.output(id).is_empty() {
                    open.is_unfinished = true;
                    self.unfinished.push_back(id);
                }
            }
            Err(error) => {
                open.broken = Some(error);
                open.moved_bytes(now, id, &mut self.active);
            }
        }
    }

    /// Receives on the active connections, and on the quiet ones that epoll names. Answers whether anything came.
    pub(crate) fn receive(&mut self, now: Now, core: &mut Core) -> bool {
        if self.active.len() > DIRECT_MAX {
            self.watch(now, core);
            if now.mono_ns >= self.retire_at_ns {
                self.retire_at_ns = now.mono_ns + RETIRE_EVERY_NS;
                self.retire(now, core);
            }
            return self.look(now, core);
        }
        let is_due = now.mono_ns >= self.look_at_ns;
        let mut came = false;
        let mut at = 0;
        while let Some(id) = self.active.get(at).copied() {
            if !self.is_still_active(now, id, core) {
                self.active.swap_remove(at);
                self.watch(now, core);
                continue;
            }
            self.unwatch(now, id);
            if !self.has_just_begun(id) {
                came |= self.receive_from(now, id, core) > 0;
            }
            // If it was lost, another stands here now.
            at += usize::from(self.active.get(at) == Some(&id));
        }
        let has_others = self.open > self.active.len() || self.opening > 0 || self.blocked > 0;
        if self.has_events() || is_due && has_others {
            came |= self.look(now, core);
        }
        came
    }

    /// Takes the only active connection out of epoll's set, if the shard spins.
    #[inline]
    fn unwatch(&mut self, now: Now, id: ConnectionId) {
        if self.unwatched.is_some() {
            return;
        }
        if self.spins_since_ns == 0 {
            self.spins_since_ns = now.mono_ns;
        }
        if now.mono_ns - self.spins_since_ns >= SPINNING_NS {
            self.unwatch_now(id);
        }
    }

    #[cold]
    fn unwatch_now(&mut self, id: ConnectionId) {
        if let State::Open(open) = &self.list[id.index()].state
            && !open.is_blocked
            && self.poller.remove(&open.socket).is_ok()
        {
            self.unwatched = Some(id);
        }
    }

    /// Puts what was taken out of epoll's set back: before the shard waits, or asks epoll in each turn.
    #[inline]
    pub(crate) fn watch(&mut self, now: Now, core: &mut Core) {
        self.spins_since_ns = 0;
        if let Some(id) = self.unwatched.take() {
            self.watch_again(now, id, core);
        }
    }

    #[cold]
    fn watch_again(&mut self, now: Now, id: ConnectionId, core: &mut Core) {
        let State::Open(open) = &self.list[id.index()].state else { return };
        if let Err(error) = self.poller.add(&open.socket, id.index() as u64, Interest::Read) {
            self.lost(now, id, &error, core);
        }
    }

    /// Takes those out of the active connections that are quiet now.
    fn retire(&mut self, now: Now, core: &Core) {
        let mut active = std::mem::take(&mut self.active);
        active.retain(|id| self.is_still_active(now, *id, core));
        self.active = active;
    }

    #[inline]
    fn is_still_active(&mut self, now: Now, id: ConnectionId, core: &Core) -> bool {
        let State::Open(open) = &mut self.list[id.index()].state else { return false };
        open.is_active = now.mono_ns < open.active_until_ns && core.expects(id);
        open.is_active
    }

    /// Whether a read of this turn is in vain; the next turn's is not.
    #[inline]
    fn has_just_begun(&mut self, id: ConnectionId) -> bool {
        match &mut self.list[id.index()].state {
            State::Open(open) => std::mem::take(&mut open.has_just_begun),
            _ => true,
        }
    }

    fn has_events(&self) -> bool {
        self.events.as_ref().is_some_and(|events| events.get(self.next_event).is_some())
    }

    /// Asks epoll, and does what it says; if a turn had not enough time for what it said before, goes on with that.
    /// Answers whether there was anything.
    fn look(&mut self, now: Now, core: &mut Core) -> bool {
        self.look_at_ns = now.mono_ns + LOOK_EVERY_NS;
        let Some(mut events) = self.events.take() else { return false };
        if events.get(self.next_event).is_none() {
            self.next_event = 0;
            // A failed look is an empty one: the next one is soon.
            let _ = self.poller.wait(Some(Duration::ZERO), &mut events);
        }
        let mut came = false;
        let mut received = 0;
        while received < RECEIVED_PER_TURN
            && let Some(event) = events.get(self.next_event)
        {
            self.next_event += 1;
            if event.token != SLEEPER_TOKEN {
                came = true;
                received += self.happened(now, event, core);
            }
        }
        self.events = Some(events);
        came
    }

    /// Does what one event asks for. It may be older than the connection: then there is nothing to receive, and nothing
    /// happens. Answers how many bytes came.
    fn happened(&mut self, now: Now, event: Ready, core: &mut Core) -> usize {
        let Some(Connection { id, state, .. }) = self.list.get_mut(event.token as usize) else { return 0 };
        let id = *id;
        match state {
            State::Connecting { .. } => self.connecting(now, id, core),
            State::Open(open) => {
                if event.writable && open.is_blocked {
                    open.is_blocked = false;
                    self.blocked -= 1;
                    let _ = self.poller.modify(&open.socket, event.token, Interest::Read);
                    self.send(now, id, core);
                }
                if event.readable {
                    return self.receive_from(now, id, core);
                }
            }
            State::Closed | State::Resolving(_) => {}
        }
        0
    }

    /// Waits until epoll has something to say, or `timeout` has passed. What it says is done in the next turn, which
    /// has a fresh reading of the clock.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) {
        // Whatever ends the wait is looked at at once.
        self.look_at_ns = 0;
        self.next_event = 0;
        if let Some(events) = &mut self.events {
            // A failed wait is a short one: the next turn looks at everything.
            let _ = self.poller.wait(timeout, events);
        }
    }

    /// One read, unless the core has still to decode what the last ones brought: another turn follows at once.
    /// Answers how many bytes came; the end of a connection counts as one.
    fn receive_from(&mut self, now: Now, id: ConnectionId, core: &mut Core) -> usize {
        let State::Open(open) = &mut self.list[id.index()].state else { return 0 };
        if core.is_behind(id) {
            return 1;
        }
        let space = core.space(id);
        let room = space.len().min(RECEIVE_MAX);
        match open.socket.recv(&mut space[..room]) {
            Ok(Received::Data(n)) => {
                open.has_received = true;
                open.moved_bytes(now, id, &mut self.active);
                core.received(now, id, n);
                self.moved.mark(id.endpoint());
                n
            }
            Ok(Received::Blocked) => match open.broken.take() {
                None => 0,
                Some(error) => {
                    self.lost(now, id, &error, core);
                    1
                }
            },
            Ok(Received::Closed) => {
                self.close(now, id);
                core.disconnected(id, LinkError::ClosedByPeer);
                1
            }
            Err(error) => {
                self.lost(now, id, &error, core);
                1
            }
        }
    }
}
