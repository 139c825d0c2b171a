//! The two kinds of listener, and what they have in common: non-blocking connections with a name.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) enum Listener {
    Tcp(TcpListener),
    /// With the address that Redis shows for its clients.
    Unix(UnixListener, String),
}

impl Listener {
    pub(super) fn tcp(listen: &str) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok((Self::Tcp(listener), addr))
    }

    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(listener, format!("{}:0", std::path::absolute(path)?.display())))
    }

    /// The next connection that waits, ready for use, and its peer's address.
    pub(super) fn accept(&self) -> io::Result<(OwnedFd, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Ok((stream.into(), peer.to_string()))
            }
            Self::Unix(listener, addr) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok((stream.into(), addr.clone()))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}
