//! A network between the engine and its server that can hold bytes back, and deliver them when nobody expects them
//! any more; or put words into the server's mouth.
//!
//! ```text
//!   engine ── connection 0 ──► held in memory ───╮ release
//!      ╰──── connection 1 ─────────────────────► server     the upstream of 0 stays open all the while
//! ```

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use crate::patience::PATIENCE;
use crate::server::Server;

const PIECE_LEN: usize = 64 << 10;
/// What the engine's messages begin with; it is sent in one piece while nothing else is under way.
const PUBLISH: &[u8] = b"PUBLISH";

/// What the network says in the server's name: once, on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Forgery {
    /// On a new connection, before anything else.
    Greeting(&'static [u8]),
    /// Instead of the answer to the first `PUBLISH`; then it ends the connection.
    Answer(&'static [u8]),
    /// Behind the answer to the first `PUBLISH`; then it ends the connection.
    Extra(&'static [u8]),
}

#[derive(Default)]
struct State {
    /// Not told yet.
    forgery: Option<Forgery>,
    /// It was told, and what connects now is kept waiting.
    is_exposed: bool,
    /// Connections that have carried a `PUBLISH` since there was a forgery.
    published: HashSet<u64>,
    accepted: u64,
    /// Connections either side of which is still open.
    open: HashSet<u64>,
    /// What these connections send is held back.
    held_below: u64,
    held_bytes: usize,
    is_released: bool,
    is_closing: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the proxy panics")
    }
}

pub(crate) struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    pub(crate) fn before(server: &Server) -> Self {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free"), server)
    }

    /// As [`Proxy::before`], where somebody listens already.
    pub(crate) fn on(listener: TcpListener, server: &Server) -> Self {
        let addr = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared::default());
        let accepting = thread::spawn({
            let (shared, server) = (shared.clone(), server.addr());
            move || accept(&listener, server, &shared)
        });
        Self { addr, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Tells `forgery` at its first opportunity, and keeps waiting who connects after that.
    pub(crate) fn forge(&self, forgery: Forgery) {
        self.shared.state().forgery = Some(forgery);
    }

    /// Lets in who was kept waiting.
    pub(crate) fn be_honest(&self) {
        self.shared.state().is_exposed = false;
        self.shared.changed.notify_all();
    }

    /// From now on, what the connections of this moment send stays here. New ones pass.
    pub(crate) fn hold(&self) {
        let mut state = self.shared.state();
        state.held_below = state.accepted;
    }

    /// Delivers what was held back, and waits until the server has dealt with it. The engine has to have closed
    /// those connections. Answers how many bytes they were.
    pub(crate) fn release(&self) -> usize {
        let mut state = self.shared.state();
        state.is_released = true;
        self.shared.changed.notify_all();
        let is_under_way = |state: &mut State| state.open.iter().any(|id| *id < state.held_below);
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, is_under_way)
            .expect("no thread of the proxy panics");
        assert!(!waited.timed_out(), "the connections that were held back do not end");
        state.held_bytes
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        (state.is_closing, state.is_released) = (true, true);
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the accepting thread, which then looks at `is_closing`.
        let _ = TcpStream::connect(self.addr);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let is_kept_waiting = |state: &mut State| state.is_exposed && !state.is_closing;
        let state = shared.changed.wait_while(shared.state(), is_kept_waiting);
        let mut state = state.expect("no thread of the proxy panics");
        if state.is_closing {
            return;
        }
        let (Ok(client), Ok(upstream)) = (client, TcpStream::connect(server)) else { continue };
        let id = state.accepted;
        state.accepted += 1;
        state.open.insert(id);
        drop(state);
        let twice = |stream: &TcpStream| stream.try_clone().expect("a socket can be had twice");
        let (client_in, upstream_out) = (twice(&client), twice(&upstream));
        let shared = shared.clone();
        thread::spawn(move || {
            let up = thread::spawn({
                let shared = shared.clone();
                move || pump_up(id, client_in, upstream_out, &shared)
            });
            pump_down(id, upstream, client, &shared);
            let _ = up.join();
            shared.state().open.remove(&id);
            shared.changed.notify_all();
        });
    }
}

/// From the engine to the server, or into memory.
fn pump_up(id: u64, mut client: TcpStream, mut upstream: TcpStream, shared: &Shared) {
    let mut piece = vec![0; PIECE_LEN];
    let mut held = Vec::new();
    loop {
        // A connection that is reset has ended as well.
        let n = client.read(&mut piece).unwrap_or(0);
        if n == 0 {
            break;
        }
        let mut state = shared.state();
        if state.forgery.is_some() && piece[..n].windows(PUBLISH.len()).any(|window| window == PUBLISH) {
            state.published.insert(id);
        }
        if id < state.held_below {
            held.extend_from_slice(&piece[..n]);
            state.held_bytes += n;
        } else {
            drop(state);
            if upstream.write_all(&piece[..n]).is_err() {
                break;
            }
        }
    }
    let state = shared.state();
    let is_held = |state: &mut State| id < state.held_below && !state.is_released;
    drop(shared.changed.wait_while(state, is_held));
    // Both fail if the server has closed the connection: then there is nobody to deliver to.
    let _ = upstream.write_all(&held);
    let _ = upstream.shutdown(Shutdown::Write);
}

/// From the server to the engine, for as long as the server speaks: the engine may be gone.
fn pump_down(id: u64, mut upstream: TcpStream, mut client: TcpStream, shared: &Shared) {
    let mut piece = vec![0; PIECE_LEN];
    if let Some(Forgery::Greeting(text)) = forgery_of(id, shared) {
        let _ = client.write_all(text);
    }
    while let Ok(n) = upstream.read(&mut piece)
        && n > 0
    {
        let forged = match forgery_of(id, shared) {
            Some(Forgery::Answer(text)) => text.to_vec(),
            Some(Forgery::Extra(text)) => [&piece[..n], text].concat(),
            Some(Forgery::Greeting(_)) | None => {
                let _ = client.write_all(&piece[..n]);
                continue;
            }
        };
        let _ = client.write_all(&forged);
        break;
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// What is to be told on a connection now, if anything is: taken by who asks.
fn forgery_of(id: u64, shared: &Shared) -> Option<Forgery> {
    let mut state = shared.state();
    let is_due = match state.forgery {
        Some(Forgery::Greeting(_)) => true,
        Some(Forgery::Answer(_) | Forgery::Extra(_)) => state.published.contains(&id),
        None => false,
    };
    state.is_exposed |= is_due;
    if is_due { state.forgery.take() } else { None }
}
