//! A network between the engine and its server that can hold bytes back, and deliver them when nobody expects them
//! any more.
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

#[derive(Default)]
struct State {
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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
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
        let mut state = shared.state();
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
            pump_down(upstream, client);
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
fn pump_down(mut upstream: TcpStream, mut client: TcpStream) {
    let mut piece = vec![0; PIECE_LEN];
    while let Ok(n) = upstream.read(&mut piece)
        && n > 0
    {
        let _ = client.write_all(&piece[..n]);
    }
    let _ = client.shutdown(Shutdown::Both);
}
