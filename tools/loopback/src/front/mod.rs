//! A thin front that puts a [`redis::Server`] or a [`kafka::Cluster`](crate::kafka::Cluster) on sockets.
//!
//! ```text
//!  caller --with(closure), stop--> eventfd --+
//!  peers --connect--> listeners -------------+--> epoll --> read 64 KiB --> Service::receive
//!  peers --bytes----> connections -----------+                 Service::next_ready --> one send each
//! ```
//!
//! One thread per front, named `ringwire-redis` or `ringwire-kafka`, does all of it. It never waits for a peer: what a socket does
//! not take stays in the server's output buffer, which is bounded there.
//!
//! ```no_run
//! use ringwire_loopback::{front, redis};
//!
//! let front = front::spawn("127.0.0.1:0", redis::Options::default())?;
//! println!("listening on {}", front.url());
//! front.with(|server| server.set_loading(true));
//! # Ok::<(), std::io::Error>(())
//! ```

mod handle;
mod kafka;
mod reactor;
mod service;
mod socket;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::redis;
use handle::Handle;
pub use kafka::{KafkaFront, KafkaOptions, spawn_kafka};
use socket::Listener;

/// What the front does when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idle {
    /// Waits in epoll, and costs nothing.
    #[default]
    Block,
    /// Looks again at once, and occupies a core: for benchmarks, where the peer's latency is measured and not
    /// this thread's wake-up.
    Spin,
}

/// A Redis server on a socket; stops when it is dropped.
///
/// `Send` and `Sync`: any thread may ask for the address or use [`with`](Self::with).
pub struct RedisFront {
    address: Address,
    handle: Handle<redis::Server>,
}

/// Where a front listens.
#[derive(Clone, Debug)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => write!(f, "redis://{addr}"),
            Self::Unix(path) => write!(f, "redis+unix://{}", path.display()),
        }
    }
}

/// Serves on a TCP address such as `127.0.0.1:0` (port 0: a free one, see [`RedisFront::addr`]), waiting in
/// epoll when idle. `options.local_addr` is replaced by the real one.
///
/// # Errors
///
/// The address cannot be resolved or bound, or the thread not be started.
pub fn spawn(listen: &str, options: redis::Options) -> io::Result<RedisFront> {
    spawn_idling(listen, options, Idle::Block)
}

/// [`spawn`] with an idle strategy.
///
/// # Errors
///
/// As [`spawn`].
pub fn spawn_idling(listen: &str, mut options: redis::Options, idle: Idle) -> io::Result<RedisFront> {
    let (listener, addr) = Listener::tcp(listen)?;
    options.local_addr = addr.to_string();
    start(listener, Address::Tcp(addr), options, idle)
}

/// Serves on a Unix socket at `path`, which must not exist and is removed when the front stops.
///
/// # Errors
///
/// The path exists, is too long for a socket, or cannot be created; or the thread cannot be started.
pub fn spawn_unix(path: &Path, options: redis::Options, idle: Idle) -> io::Result<RedisFront> {
    let listener = Listener::unix(path)?;
    start(listener, Address::Unix(path.to_owned()), options, idle)
}

fn start(
    listener: Listener,
    address: Address,
    options: redis::Options,
    idle: Idle,
) -> io::Result<RedisFront> {
    let handle = Handle::start("ringwire-redis", vec![listener], redis::Server::new(options), idle)?;
    Ok(RedisFront { address, handle })
}

impl RedisFront {
    /// The TCP address; `None` on a Unix socket.
    pub fn addr(&self) -> Option<SocketAddr> {
        match self.address {
            Address::Tcp(addr) => Some(addr),
            Address::Unix(_) => None,
        }
    }

    /// `redis://127.0.0.1:6379`, or `redis+unix:///path/to/socket`.
    pub fn url(&self) -> String {
        self.address.to_string()
    }

    /// Lets the front's thread call `f` with its server, between two commands, and waits for the result: to
    /// change the role, inject an error or take the journal. What it gives clients to read is sent. `None` if
    /// the thread has died.
    pub fn with<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut redis::Server) -> R + Send + 'static,
    ) -> Option<R> {
        self.handle.with(f)
    }

    /// Closes every connection and the listener, and waits for the thread to end. Dropping does the same.
    pub fn stop(self) {}
}

impl Drop for RedisFront {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }
}
