//! The network between the shard and the brokers: bytes arrive late, in pieces, or not at all; connections end anywhere.

use std::collections::{BTreeMap, VecDeque};

use ringwire_core::{ConnectionId, LinkError, MILLISECOND_NS};
use ringwire_loopback::kafka::{Cluster, ConnectionId as RemoteId};

use super::context::{Context, Event};
use super::ledger;
use super::scenario::Path;

/// What a broker's address does with a connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    #[default]
    Up,
    Refuses,
    Hangs,
    /// Accepts, and nothing more is heard.
    Mute,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    chunks: VecDeque<(u64, Vec<u8>)>,
    in_air: usize,
    /// Arrived, and not read by the receiver.
    arrived: Vec<u8>,
    ended: bool,
    /// When the last chunk arrives: streams do not overtake themselves.
    last_ns: u64,
    /// What is in the air, or comes after it, is lost.
    lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientEnd {
    Connecting,
    Open,
    Closed,
}

#[derive(Debug)]
struct Socket {
    broker: Option<i32>,
    client: ClientEnd,
    remote: Option<RemoteId>,
    news: Option<Result<(), LinkError>>,
    up: Pipe,
    down: Pipe,
    mute: bool,
    /// The connection ends behind the answer that is in the air: the broker speaks to nobody.
    is_cut: bool,
    /// `send` took less than was offered: the shard waits until there is room.
    blocked: bool,
}

/// The network's side of a broker.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) reach: Reach,
    /// It stands still: nothing is read.
    pub(super) paused: bool,
    /// Of a hundred answers, so many are replaced by nonsense.
    pub(super) nonsense: u64,
    /// Of a hundred answers, so many are the last ones of their connection, whatever was asked behind them.
    pub(super) curt: u64,
    /// So much time is between two answers on a connection, at least.
    pub(super) gap_ns: u64,
}

pub(super) struct Network {
    pub(super) cluster: Cluster,
    pub(super) hosts: BTreeMap<i32, Host>,
    sockets: Vec<Socket>,
    /// By connection: the client's present socket.
    current: Vec<Option<usize>>,
    by_remote: BTreeMap<RemoteId, usize>,
    path: Path,
    late_max_ns: u64,
}

impl Network {
    pub(super) fn new(
        cluster: Cluster,
        brokers: impl Iterator<Item = i32>,
        path: Path,
        late_max_ns: u64,
    ) -> Self {
        let hosts = brokers.map(|id| (id, Host::default())).collect();
        let (sockets, current, by_remote) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { cluster, hosts, sockets, current, by_remote, path, late_max_ns }
    }

    fn delay_ns(&self, ctx: &mut Context) -> u64 {
        ctx.random.between(self.path.delay_min_ns, self.path.delay_max_ns)
    }

    pub(super) fn socket_of(&self, connection: ConnectionId) -> Option<usize> {
        self.current.get(connection.index()).copied().flatten()
    }

    /// Sockets of a broker, or of all, that are open for the client.
    pub(super) fn open_sockets(&self, broker: Option<i32>) -> Vec<usize> {
        let fits = |index: &usize| {
            let socket = &self.sockets[*index];
            socket.client == ClientEnd::Open && (broker.is_none() || socket.broker == broker)
        };
        self.current.iter().flatten().copied().filter(fits).collect()
    }

    // What the shard does.

    pub(super) fn connect(&mut self, ctx: &mut Context, connection: ConnectionId, broker: Option<i32>) {
        let socket = self.sockets.len();
        self.sockets.push(Socket {
            broker,
            client: ClientEnd::Connecting,
            remote: None,
            news: None,
            up: Pipe::default(),
            down: Pipe::default(),
            mute: false,
            is_cut: false,
            blocked: false,
        });
        if self.current.len() <= connection.index() {
            self.current.resize(connection.index() + 1, None);
        }
        self.current[connection.index()] = Some(socket);
        ctx.coverage.lost_ways += u64::from(broker.is_none());
        let delay = self.delay_ns(ctx);
        ctx.after(delay, Event::Reach(socket));
    }

    /// The client closes: what it sent goes on, is late, or is lost.
    pub(super) fn close(&mut self, ctx: &mut Context, connection: ConnectionId) {
        let Some(index) = self.socket_of(connection) else { return };
        self.current[connection.index()] = None;
        let socket = &mut self.sockets[index];
        socket.client = ClientEnd::Closed;
        socket.news = None;
        socket.down = Pipe { lost: true, ..Pipe::default() };
        self.leave(ctx, index);
    }

    /// What the shard has to be told about a connection. After an error the socket is gone.
    pub(super) fn take_news(
        &mut self,
        ctx: &mut Context,
        connection: ConnectionId,
    ) -> Option<Result<(), LinkError>> {
        let index = self.socket_of(connection)?;
        let socket = &mut self.sockets[index];
        let readable = !socket.down.arrived.is_empty();
        let news = match &socket.news {
            Some(Err(_)) if readable => None,
            Some(_) => socket.news.take(),
            None if socket.down.ended && !readable => Some(Err(LinkError::ClosedByPeer)),
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
    pub(super) fn send(&mut self, ctx: &mut Context, connection: ConnectionId, bytes: &[u8]) -> usize {
        let Some(index) = self.socket_of(connection) else { return 0 };
        let pipe = &self.sockets[index].up;
        let room = self.path.window.saturating_sub(pipe.in_air + pipe.arrived.len());
        let mut n = bytes.len().min(room);
        if n > 1 && ctx.random.percent(8) {
            n = 1 + ctx.random.index(n);
        }
        self.sockets[index].blocked = n < bytes.len();
        if n > 0 {
            self.put(ctx, index, true, &bytes[..n]);
        }
        n
    }

    /// Like `recv`: what has arrived, as far as it fits.
    pub(super) fn receive(&mut self, connection: ConnectionId, space: &mut [u8]) -> usize {
        let Some(index) = self.socket_of(connection) else { return 0 };
        let arrived = &mut self.sockets[index].down.arrived;
        let n = arrived.len().min(space.len());
        space[..n].copy_from_slice(&arrived[..n]);
        arrived.drain(..n);
        n
    }

    pub(super) fn has_news(&self, connection: ConnectionId) -> bool {
        self.socket_of(connection).is_some_and(|index| {
            let socket = &self.sockets[index];
            socket.news.is_some() || socket.down.ended || !socket.down.arrived.is_empty()
        })
    }

    pub(super) fn has_room(&self, connection: ConnectionId) -> bool {
        self.socket_of(connection).is_some_and(|index| {
            let pipe = &self.sockets[index].up;
            self.path.window > pipe.in_air + pipe.arrived.len()
        })
    }

    // What happens by itself.

    /// The packet of a connect arrives.
    pub(super) fn reach(&mut self, ctx: &mut Context, index: usize) {
        let delay = self.delay_ns(ctx);
        let socket = &mut self.sockets[index];
        let host = socket.broker.and_then(|id| self.hosts.get(&id));
        let reach = host.map_or(Reach::Refuses, |host| host.reach);
        if socket.client != ClientEnd::Connecting || reach == Reach::Hangs {
            return;
        }
        ctx.wake_shard(delay);
        let (Some(broker), true) = (socket.broker, reach != Reach::Refuses) else {
            ctx.coverage.refused_connects += 1;
            socket.news = Some(Err(LinkError::Connect("connection refused".to_owned())));
            return;
        };
        ctx.coverage.connections += 1;
        socket.client = ClientEnd::Open;
        socket.news = Some(Ok(()));
        socket.mute = reach == Reach::Mute;
        if !socket.mute {
            let remote = self.cluster.accept(ctx.now_ns, broker);
            socket.remote = Some(remote);
            self.by_remote.insert(remote, index);
        }
        self.pump(ctx);
    }

    /// Chunks arrive at the broker, in order.
    pub(super) fn up(&mut self, ctx: &mut Context, index: usize) {
        arrive(&mut self.sockets[index].up, ctx.now_ns);
        self.serve(ctx, index);
    }

    /// The broker reads what has arrived, and answers.
    fn serve(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        let paused = socket.broker.and_then(|id| self.hosts.get(&id)).is_some_and(|host| host.paused);
        if paused || socket.mute || socket.up.arrived.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut socket.up.arrived);
        if std::mem::take(&mut socket.blocked) {
            ctx.wake_shard(0);
        }
        let is_late = socket.client == ClientEnd::Closed;
        if let Some(remote) = socket.remote {
            self.cluster.receive(ctx.now_ns, remote, &bytes);
            ledger::observe(ctx, &mut self.cluster, is_late);
        } else if socket.client == ClientEnd::Open && !socket.down.ended {
            ctx.after(MILLISECOND_NS, Event::Broken(index));
        }
        self.pump(ctx);
    }

    /// Sends what the brokers have to say.
    pub(super) fn pump(&mut self, ctx: &mut Context) {
        while let Some(remote) = self.cluster.next_ready() {
            if let Some(index) = self.by_remote.get(&remote).copied() {
                self.flush(ctx, index, remote);
            }
        }
    }

    fn flush(&mut self, ctx: &mut Context, index: usize, remote: RemoteId) {
        let host = self.sockets[index].broker.and_then(|id| self.hosts.get(&id));
        let (paused, nonsense, curt) =
            host.map_or((false, 0, 0), |host| (host.paused, host.nonsense, host.curt));
        if !paused {
            let mut bytes = self.cluster.output(remote).to_vec();
            self.cluster.sent(remote, bytes.len());
            if !bytes.is_empty() && !self.sockets[index].is_cut {
                let is_last = ctx.random.percent(curt);
                if is_last {
                    bytes.truncate(first_answer_len(&bytes));
                }
                if ctx.random.percent(nonsense) {
                    ctx.coverage.nonsense += 1;
                    garble(ctx, &mut bytes);
                }
                self.put(ctx, index, false, &bytes);
                if is_last {
                    self.cut_behind(ctx, index);
                }
            }
        }
        if self.cluster.wants_close(remote) {
            self.cluster.closed(remote);
            self.by_remote.remove(&remote);
            self.sockets[index].remote = None;
            self.put(ctx, index, false, b"");
        }
    }

    /// Chunks arrive at the client.
    pub(super) fn down(&mut self, ctx: &mut Context, index: usize) {
        if arrive(&mut self.sockets[index].down, ctx.now_ns) {
            ctx.wake_shard(0);
        }
    }

    pub(super) fn broken(&mut self, ctx: &mut Context, index: usize) {
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

    /// The broker's system learns that the client has gone, once everything has arrived and was read.
    pub(super) fn left(&mut self, ctx: &mut Context, index: usize) {
        let socket = &mut self.sockets[index];
        if !socket.up.chunks.is_empty() || !socket.up.arrived.is_empty() && !socket.mute {
            let at_ns = socket.up.last_ns.max(ctx.now_ns + MILLISECOND_NS);
            return ctx.at(at_ns, Event::Left(index));
        }
        if let Some(remote) = socket.remote.take() {
            self.cluster.closed(remote);
            self.by_remote.remove(&remote);
        }
    }

    /// A path is cut: the client is told soon, the broker after it, and what is in the air has its own fate.
    pub(super) fn cut(&mut self, ctx: &mut Context, index: usize) {
        let delay = self.delay_ns(ctx);
        ctx.coverage.cuts += 1;
        ctx.after(delay, Event::Broken(index));
        self.leave(ctx, index);
    }

    /// A path is cut behind the answer that is in the air: the client reads that, and no other.
    fn cut_behind(&mut self, ctx: &mut Context, index: usize) {
        ctx.coverage.curt_ends += 1;
        self.sockets[index].is_cut = true;
        let at_ns = self.sockets[index].down.last_ns + 1;
        ctx.at(at_ns, Event::Broken(index));
        self.leave(ctx, index);
    }

    /// Decides what becomes of the bytes that the client sent and will not see answered.
    fn leave(&mut self, ctx: &mut Context, index: usize) {
        let late_ns = ctx.random.magnitude(MILLISECOND_NS, self.late_max_ns);
        let socket = &mut self.sockets[index];
        match ctx.random.below(4) {
            0 => {}
            1 => socket.up.lost = true,
            _ => {
                let from_ns = ctx.now_ns + late_ns;
                socket.up.last_ns = socket.up.last_ns.max(from_ns);
                for (at_ns, _) in &mut socket.up.chunks {
                    *at_ns = (*at_ns).max(from_ns);
                    ctx.at(*at_ns, Event::Up(index));
                }
            }
        }
        let at_ns = socket.up.last_ns.max(ctx.now_ns) + late_ns;
        ctx.at(at_ns, Event::Left(index));
    }

    /// A broker that stood still wakes up, and finds everything that came meanwhile: sockets in any order.
    pub(super) fn resume(&mut self, ctx: &mut Context, broker: i32) {
        if let Some(host) = self.hosts.get_mut(&broker) {
            host.paused = false;
        }
        let mut mine: Vec<usize> =
            (0..self.sockets.len()).filter(|it| self.sockets[*it].remote.is_some()).collect();
        mine.retain(|index| self.sockets[*index].broker == Some(broker));
        while !mine.is_empty() {
            let index = mine.swap_remove(ctx.random.index(mine.len()));
            self.serve(ctx, index);
            if let Some(remote) = self.sockets[index].remote {
                self.flush(ctx, index, remote);
            }
        }
    }

    /// Sends bytes on their way, in one or more pieces. None are the end of the stream.
    fn put(&mut self, ctx: &mut Context, index: usize, is_up: bool, bytes: &[u8]) {
        let pieces = if ctx.random.percent(self.path.shreds) { 8 } else { 1 + ctx.random.index(2) };
        let mut rest = bytes;
        for piece in (1..=pieces).rev() {
            let n = if piece == 1 { rest.len() } else { ctx.random.index(rest.len() + 1) };
            if n == 0 && !(bytes.is_empty() && piece == 1) {
                continue;
            }
            let (head, tail) = rest.split_at(n);
            let delay = self.delay_ns(ctx);
            let socket = &mut self.sockets[index];
            let host = socket.broker.and_then(|id| self.hosts.get(&id));
            let gap_ns = host.map_or(0, |host| if is_up { 0 } else { host.gap_ns });
            let pipe = if is_up { &mut socket.up } else { &mut socket.down };
            let at_ns = (ctx.now_ns + delay).max(pipe.last_ns + gap_ns);
            pipe.last_ns = at_ns;
            pipe.in_air += n;
            pipe.chunks.push_back((at_ns, head.to_vec()));
            ctx.at(at_ns, if is_up { Event::Up(index) } else { Event::Down(index) });
            rest = tail;
        }
    }
}

/// Moves what is due out of the air. Answers whether anything was.
fn arrive(pipe: &mut Pipe, now_ns: u64) -> bool {
    let mut any = false;
    while pipe.chunks.front().is_some_and(|(at_ns, _)| *at_ns <= now_ns) {
        let Some((_, bytes)) = pipe.chunks.pop_front() else { break };
        pipe.in_air -= bytes.len();
        any = true;
        if !pipe.lost {
            pipe.ended |= bytes.is_empty();
            pipe.arrived.extend_from_slice(&bytes);
        }
    }
    any
}

/// How long the first of some whole answers is.
fn first_answer_len(bytes: &[u8]) -> usize {
    let len = bytes.first_chunk::<4>().map_or(0, |len| u32::from_be_bytes(*len) as usize);
    (4 + len).min(bytes.len())
}

/// Makes something of an answer that no broker says. What it becomes cannot be taken for another true answer.
fn garble(ctx: &mut Context, bytes: &mut Vec<u8>) {
    /// Where a frame's correlation id ends.
    const HEAD: usize = 8;
    match ctx.random.below(6) {
        // Another correlation id.
        0 => bytes[6] ^= 0x5a,
        // A length that no answer has.
        1 => bytes[..4].copy_from_slice(&i32::MAX.to_be_bytes()),
        2 => bytes[..4].copy_from_slice(&(-7_i32).to_be_bytes()),
        // An answer to nothing.
        3 => bytes.splice(..0, [0, 0, 0, 4, 0x7f, 1, 2, 3]).for_each(drop),
        // The right frame around nonsense.
        4 => bytes[HEAD..].fill(0xff),
        // It ends in the middle of itself.
        _ => {
            let body = ctx.random.index(3).min(bytes.len() - HEAD);
            bytes.truncate(HEAD + body);
            let len = (bytes.len() - 4) as u32;
            bytes[..4].copy_from_slice(&len.to_be_bytes());
        }
    }
}
