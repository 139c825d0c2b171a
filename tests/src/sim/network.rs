//! The network: byte streams between the shard's sockets and the peers, in virtual time.
//!
//! ```text
//!   shard                     Socket                              peer
//!   send ──► up:   window { chunks in the air ──► arrived } ──► server.receive
//!   recv ◄── down: window { arrived ◄── chunks in the air } ◄── server.output
//! ```
//!
//! What has been accepted by `send` goes on by itself: a client that has closed, or has seen its connection break,
//! knows nothing of what its last bytes still do at the server. They may arrive at once, much later, or never.

use std::collections::VecDeque;

use ringwire_core::{ConnectionId, LinkError, MILLISECOND_NS, Role};

use super::context::{Context, Event, Way};
use super::peer::{Peer, Reach};
use ringwire_loopback::redis::ClientId;

/// Bytes on their way. One without bytes is the end of the stream.
#[derive(Debug)]
struct Chunk {
    at_ns: u64,
    bytes: Vec<u8>,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    chunks: VecDeque<Chunk>,
    /// Bytes in the chunks.
    in_air: usize,
    /// Arrived, and not read by the receiver. Its consumed front is cut off when it is read.
    pub(crate) arrived: Vec<u8>,
    pub(crate) ended: bool,
    /// When the last chunk arrives: streams do not overtake themselves.
    last_ns: u64,
    /// What is in the air, or comes after it, is lost.
    lost: bool,
}

impl Pipe {
    pub(crate) fn room(&self, window: usize) -> usize {
        window.saturating_sub(self.in_air + self.arrived.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.arrived.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientEnd {
    Connecting,
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerEnd {
    /// In the backlog: the server has not accepted it yet.
    Waiting,
    Open(ClientId),
    Closed,
}

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) endpoint: usize,
    pub(crate) connection: ConnectionId,
    pub(crate) client: ClientEnd,
    pub(crate) server: ServerEnd,
    /// What the shard has not been told yet: the connect's result, or the end.
    news: Option<Result<(), LinkError>>,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    /// Nothing arrives, and nobody is told.
    pub(crate) frozen: bool,
    /// The server killed it to fence it off.
    pub(crate) killed: bool,
    /// The server had too many clients.
    pub(crate) refused: bool,
    /// What comes from the server is not what the server says.
    pub(crate) hostile: bool,
    /// `send` took less than was offered: the shard waits until there is room.
    blocked: bool,
    /// Bytes that `send` took, and since when there is a socket.
    pub(crate) sent: u64,
    pub(crate) since_ns: u64,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) sockets: Vec<Socket>,
    /// By connection: the client's present socket.
    current: Vec<Option<usize>>,
    pub(crate) peers: Vec<Peer>,
    /// How late bytes of a connection that the client has given up may still arrive.
    late_max_ns: u64,
}

impl Network {
    pub(crate) fn new(peers: Vec<Peer>, late_max_ns: u64) -> Self {
        let current = vec![None; peers.len() * 2];
        Self { sockets: Vec::new(), current, peers, late_max_ns }
    }

    pub(crate) fn socket_of(&self, connection: ConnectionId) -> Option<usize> {
        self.current[connection.index()]
    }

    /// Indexes of an endpoint's sockets that are open for both ends, of one role or both.
    pub(crate) fn open_sockets(&self, endpoint: usize, role: Option<Role>) -> Vec<usize> {
        let fits = |index: &usize| {
            let socket = &self.sockets[*index];
            socket.endpoint == endpoint
                && socket.client == ClientEnd::Open
                && role.is_none_or(|role| socket.connection.role() == role)
        };
        self.current.iter().flatten().copied().filter(fits).collect()
    }

    // What the shard does.

    pub(crate) fn connect(&mut self, ctx: &mut Context, connection: ConnectionId) {
        let endpoint = usize::from(connection.endpoint().0);
        let socket = self.sockets.len();
        self.sockets.push(Socket {
            endpoint,
            connection,
            client: ClientEnd::Connecting,
            server: ServerEnd::Waiting,
            news: None,
            up: Pipe::default(),
            down: Pipe::default(),
            frozen: false,
            killed: false,
            refused: false,
            hostile: self.peers[endpoint].lies,
            blocked: false,
            sent: 0,
            since_ns: ctx.now_ns,
        });
        self.current[connection.index()] = Some(socket);
        let delay = self.peers[endpoint].delay_ns(ctx);
        ctx.after(delay, Event::Connect { socket });
    }

    /// The client closes: what it sent goes on, is late, or is lost.
    pub(crate) fn close(&mut self, ctx: &mut Context, connection: ConnectionId) {
        let Some(index) = self.current[connection.index()].take() else { return };
        let socket = &mut self.sockets[index];
        socket.client = ClientEnd::Closed;
        socket.news = None;
        socket.down = Pipe { lost: true, ..Pipe::default() };
        self.leave(ctx, index);
    }

    /// What the shard has to be told about a connection that it opened. After an error the socket is gone.
    pub(crate) fn take_news(
        &mut self,
        ctx: &mut Context,
        connection: ConnectionId,
    ) -> Option<Result<(), LinkError>> {
        let index = self.current[connection.index()]?;
        let socket = &mut self.sockets[index];
        let ended = socket.down.ended && socket.down.arrived.is_empty();
        let readable = !socket.down.arrived.is_empty();
        let news = match &socket.news {
            Some(Err(_)) if readable => None,
            Some(_) => socket.news.take(),
            None if ended => Some(Err(LinkError::ClosedByPeer)),
            None => None,
        };
        if matches!(news, Some(Err(_))) {
            socket.client = ClientEnd::Closed;
            self.current[connection.index()] = None;
            self.leave(ctx, index);
        }
        news
    }

    /// Like `send`: takes a part, or nothing.
    pub(crate) fn send(&mut self, ctx: &mut Context, connection: ConnectionId, bytes: &[u8]) -> usize {
        let Some(index) = self.current[connection.index()] else { return 0 };
        let socket = &mut self.sockets[index];
        let peer = &self.peers[socket.endpoint];
        let mut n = bytes.len().min(socket.up.room(peer.path.window));
        if n > 1 && ctx.random.percent(5) {
            n = 1 + ctx.random.index(n);
        }
        socket.blocked = n < bytes.len();
        socket.sent += n as u64;
        put(ctx, peer, &mut socket.up, index, Way::ToServer, &bytes[..n]);
        n
    }

    /// Like `recv`: what has arrived, as far as it fits.
    pub(crate) fn receive(&mut self, ctx: &mut Context, connection: ConnectionId, space: &mut [u8]) -> usize {
        let Some(index) = self.current[connection.index()] else { return 0 };
        let arrived = &mut self.sockets[index].down.arrived;
        let n = arrived.len().min(space.len());
        space[..n].copy_from_slice(&arrived[..n]);
        arrived.drain(..n);
        if n > 0 {
            self.flush(ctx, index);
        }
        n
    }

    pub(crate) fn has_news(&self, connection: ConnectionId) -> bool {
        self.current[connection.index()].is_some_and(|index| {
            let socket = &self.sockets[index];
            socket.news.is_some() || socket.down.ended || !socket.down.arrived.is_empty()
        })
    }

    /// Whether `send` would take anything.
    pub(crate) fn has_room(&self, connection: ConnectionId) -> bool {
        self.current[connection.index()].is_some_and(|index| {
            let socket = &self.sockets[index];
            socket.up.room(self.peers[socket.endpoint].path.window) > 0
        })
    }

    /// Whether nothing is on its way on the connections that are open.
    pub(crate) fn is_calm(&self) -> bool {
        self.current.iter().flatten().all(|index| {
            let Socket { endpoint, server, up, down, .. } = &self.sockets[*index];
            let unsaid = match server {
                ServerEnd::Open(client) => !self.peers[*endpoint].server.output(*client).is_empty(),
                ServerEnd::Waiting | ServerEnd::Closed => false,
            };
            up.is_empty() && down.is_empty() && !unsaid
        })
    }

    // What happens by itself.

    /// The packet of a connect arrives.
    pub(crate) fn reach(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        let peer = &self.peers[socket.endpoint];
        let delay = peer.delay_ns(ctx);
        match peer.reach {
            Reach::Hangs => {}
            Reach::Refuses => {
                if socket.client == ClientEnd::Connecting {
                    socket.news = Some(Err(LinkError::Connect("connection refused".to_owned())));
                    socket.server = ServerEnd::Closed;
                    ctx.wake_shard(delay);
                }
            }
            Reach::Mute | Reach::Up => {
                socket.frozen = peer.reach == Reach::Mute;
                if socket.client == ClientEnd::Connecting {
                    socket.client = ClientEnd::Open;
                    socket.news = Some(Ok(()));
                    ctx.wake_shard(delay);
                }
                if peer.flaps {
                    let cut_ns = ctx.random.below(7 * peer.path.delay_max_ns);
                    ctx.after(cut_ns, Event::Cut { socket: index });
                }
                self.accept(ctx, index);
            }
        }
    }

    /// Chunks arrive, in order.
    pub(crate) fn arrive(&mut self, ctx: &mut Context, index: usize, way: Way) {
        let socket = &mut self.sockets[index];
        if socket.frozen {
            return;
        }
        let pipe = if way == Way::ToServer { &mut socket.up } else { &mut socket.down };
        let mut any = false;
        while pipe.chunks.front().is_some_and(|chunk| chunk.at_ns <= ctx.now_ns) {
            let Some(chunk) = pipe.chunks.pop_front() else { break };
            pipe.in_air -= chunk.bytes.len();
            any = true;
            if !pipe.lost {
                pipe.ended |= chunk.bytes.is_empty();
                pipe.arrived.extend_from_slice(&chunk.bytes);
            }
        }
        if !any {
            return;
        }
        match way {
            Way::ToClient => ctx.wake_shard(0),
            Way::ToServer => self.serve(ctx, index),
        }
    }

    /// The client's system learns that the connection is broken.
    pub(crate) fn broken(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        if socket.client != ClientEnd::Open {
            return;
        }
        socket.down.lost = true;
        if ctx.random.percent(50) {
            // A reset throws away what was not read yet.
            socket.down.arrived.clear();
        }
        socket.news = Some(Err(LinkError::Socket("connection reset by peer".to_owned())));
        ctx.wake_shard(0);
    }

    /// The server's system learns that the client has gone, once everything has arrived.
    pub(crate) fn left(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        if socket.frozen || socket.server == ServerEnd::Closed {
            return;
        }
        let peer = &mut self.peers[socket.endpoint];
        if peer.paused || !socket.up.chunks.is_empty() {
            let at_ns = socket.up.last_ns.max(ctx.now_ns + MILLISECOND_NS);
            ctx.at(at_ns, Event::Left { socket: index });
            return;
        }
        if let ServerEnd::Open(client) = socket.server {
            peer.server.closed(client);
            peer.clients.remove(&client);
        }
        socket.server = ServerEnd::Closed;
    }

    /// A path is cut: the client is told soon, the server after it, and what is in the air has its own fate.
    pub(crate) fn cut(&mut self, ctx: &mut Context, index: usize) {
        let delay = self.peers[self.sockets[index].endpoint].delay_ns(ctx);
        ctx.after(delay, Event::Broken { socket: index });
        self.leave(ctx, index);
    }

    pub(crate) fn freeze(&mut self, ctx: &mut Context, index: usize, thaws_ns: Option<u64>) {
        self.sockets[index].frozen = true;
        if let Some(at_ns) = thaws_ns {
            ctx.at(at_ns, Event::Thaw { socket: index });
        }
    }

    pub(crate) fn thaw(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        if !std::mem::take(&mut socket.frozen) {
            return;
        }
        for (pipe, way) in [(&socket.up, Way::ToServer), (&socket.down, Way::ToClient)] {
            for chunk in &pipe.chunks {
                ctx.at(chunk.at_ns, Event::Arrive { socket: index, way });
            }
        }
        if socket.client == ClientEnd::Closed {
            ctx.after(MILLISECOND_NS, Event::Left { socket: index });
        }
        self.accept(ctx, index);
        self.serve(ctx, index);
    }

    /// Decides what becomes of the bytes that the client sent and will not see answered.
    fn leave(&mut self, ctx: &mut Context, index: usize) {
        let late_ns = ctx.random.magnitude(MILLISECOND_NS, self.late_max_ns);
        let socket = &mut self.sockets[index];
        match ctx.random.below(5) {
            0 | 1 => {}
            2 => socket.up.lost = true,
            _ => {
                // What is sent before the client knows comes behind that.
                socket.up.last_ns = socket.up.last_ns.max(ctx.now_ns + late_ns);
                for chunk in &mut socket.up.chunks {
                    chunk.at_ns = chunk.at_ns.max(ctx.now_ns + late_ns);
                    ctx.at(chunk.at_ns, Event::Arrive { socket: index, way: Way::ToServer });
                    socket.up.last_ns = socket.up.last_ns.max(chunk.at_ns);
                }
            }
        }
        let at_ns = socket.up.last_ns.max(ctx.now_ns) + late_ns;
        ctx.at(at_ns, Event::Left { socket: index });
    }

    /// The server has read: there is room again.
    pub(crate) fn made_room(&mut self, ctx: &mut Context, index: usize) {
        if std::mem::take(&mut self.sockets[index].blocked) {
            ctx.wake_shard(0);
        }
    }

    /// Everything that the client has sent has been executed, and all of it in whole commands as far as the
    /// network knows.
    pub(crate) fn is_up_empty(&self, index: usize) -> bool {
        let socket = &self.sockets[index];
        socket.up.is_empty() && !socket.frozen
    }
}

/// Sends bytes on their way, in one or more pieces. None are the end of the stream.
pub(crate) fn put(ctx: &mut Context, peer: &Peer, pipe: &mut Pipe, socket: usize, way: Way, bytes: &[u8]) {
    /// A send is torn into so many pieces at the most.
    const PIECES_MAX: usize = 24;
    let is_end = bytes.is_empty() && way == Way::ToClient;
    let pieces = match ctx.random.percent(peer.path.shreds) {
        true => PIECES_MAX,
        false => 1 + ctx.random.index(2),
    };
    let mut rest = bytes;
    for piece in (1..=pieces).rev() {
        let n = if piece == 1 {
            rest.len()
        } else {
            rest.len().min(1 + ctx.random.index(rest.len() / piece * 2 + 1))
        };
        if n == 0 && !(is_end && piece == 1) {
            continue;
        }
        let (head, tail) = rest.split_at(n);
        let at_ns = (ctx.now_ns + peer.delay_ns(ctx)).max(pipe.last_ns);
        pipe.last_ns = at_ns;
        pipe.in_air += n;
        pipe.chunks.push_back(Chunk { at_ns, bytes: head.to_vec() });
        ctx.at(at_ns, Event::Arrive { socket, way });
        rest = tail;
    }
}
