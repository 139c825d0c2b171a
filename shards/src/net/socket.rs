//! One stream socket, always non-blocking.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, getpeername, getsockname, recv, send, sendmsg, socket_with, sockopt,
};

use super::Address;

/// How a connection is set up. TCP_NODELAY is always on: the shard itself decides what goes into one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged before the kernel drops the connection;
    /// in whole milliseconds, rounded up. `None`: the kernel's retransmission limit, about 15 minutes.
    pub user_timeout: Option<Duration>,
    /// When the kernel probes a silent connection; `None`: never.
    pub keepalive: Option<Keepalive>,
}

/// TCP keepalive, in whole seconds, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes after which the connection is dropped.
    pub probes: u32,
}

impl Options {
    /// Long enough for a failover switch to relearn its ports, and still far from the kernel's 15 minutes.
    pub const USER_TIMEOUT: Duration = Duration::from_secs(30);
    /// Shorter than the idle limits of common firewalls and load balancers (60 s and more), and together
    /// with the probes a dead peer is noticed within [`Self::USER_TIMEOUT`].
    pub const KEEPALIVE: Keepalive =
        Keepalive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), probes: 3 };
}

impl Default for Options {
    fn default() -> Self {
        Self { user_timeout: Some(Self::USER_TIMEOUT), keepalive: Some(Self::KEEPALIVE) }
    }
}

/// What became of a [`Socket::send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// The kernel took so many bytes, perhaps not all of them.
    Done(usize),
    /// The kernel took nothing: wait until the socket is writable.
    Blocked,
}

/// What became of a [`Socket::recv`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, at least one.
    Data(usize),
    /// There is nothing now: wait until the socket is readable.
    Blocked,
    /// The peer has closed its side; nothing will follow.
    Closed,
}

/// A stream socket. Dropping it closes the connection. `Send`; a shard keeps its own to itself.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    is_tcp: bool,
}

impl Socket {
    /// Begins to connect, and does not wait: [`finish_connect`](Self::finish_connect) tells the outcome.
    /// `options` apply to TCP.
    ///
    /// # Errors
    ///
    /// What `socket(2)`, `setsockopt(2)` and `connect(2)` answer at once: a Unix socket without a listener, no
    /// route, too many open files, an option that the kernel does not accept. A Unix listener whose backlog
    /// is full is [`io::ErrorKind::ResourceBusy`].
    pub fn connect(address: &Address, options: &Options) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => Self::connect_tcp(*address, options),
            Address::Unix(path) => Self::connect_unix(path),
        }
    }

    fn connect_tcp(address: SocketAddr, options: &Options) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let fd = stream(family)?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        if let Some(timeout) = options.user_timeout {
            let timeout_ms = timeout.as_nanos().div_ceil(1_000_000);
            sockopt::set_tcp_user_timeout(&fd, u32::try_from(timeout_ms).unwrap_or(u32::MAX))?;
        }
        if let Some(keepalive) = options.keepalive {
            sockopt::set_tcp_keepidle(&fd, keepalive.idle)?;
            sockopt::set_tcp_keepintvl(&fd, keepalive.interval)?;
            sockopt::set_tcp_keepcnt(&fd, keepalive.probes)?;
            sockopt::set_socket_keepalive(&fd, true)?;
        }
        match connect(&fd, &address) {
            // Interrupted or not, the kernel goes on connecting.
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(Self { fd, is_tcp: true }),
            Err(error) => Err(error.into()),
        }
    }

    fn connect_unix(path: &Path) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path)?;
        let fd = stream(AddressFamily::UNIX)?;
        match retry_on_intr(|| connect(&fd, &address)) {
            Ok(()) => Ok(Self { fd, is_tcp: false }),
            // A Unix socket connects at once or not at all; there is nothing to wait for (connect(2)).
            Err(Errno::AGAIN) => {
                Err(io::Error::new(io::ErrorKind::ResourceBusy, "the listener's backlog is full: try again"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the connection stands: `false` while it is being made. Ask again when the socket is writable.
    ///
    /// # Errors
    ///
    /// Why it could not be made: refused, unreachable, timed out. A local port that was connected to itself (TCP's
    /// simultaneous open, when nobody listens and the kernel happens to choose the same port) is
    /// [`io::ErrorKind::ConnectionRefused`].
    pub fn finish_connect(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if retry_on_intr(|| poll(&mut fds, Some(&now)))? == 0 {
            return Ok(false);
        }
        sockopt::socket_error(&self.fd)??;
        if self.is_tcp {
            let peer = getpeername(&self.fd)?;
            if peer.as_ref() == Some(&getsockname(&self.fd)?) {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionRefused,
                    "nobody listens: the socket had connected to itself",
                ));
            }
        }
        Ok(true)
    }

    /// Sends what the kernel takes of `bytes` now.
    ///
    /// # Errors
    ///
    /// The connection is broken (a reset, a closed peer, a timeout); it stays so.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> io::Result<Transfer> {
        match retry_on_intr(|| send(&self.fd, bytes, SendFlags::NOSIGNAL)) {
            Ok(count) => Ok(Transfer::Done(count)),
            Err(Errno::AGAIN) => Ok(Transfer::Blocked),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what the kernel takes of `pieces` now, in order.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`].
    pub fn send_pieces(&self, pieces: &[IoSlice<'_>]) -> io::Result<Transfer> {
        let nothing_else = &mut SendAncillaryBuffer::default();
        match retry_on_intr(|| sendmsg(&self.fd, pieces, nothing_else, SendFlags::NOSIGNAL)) {
            Ok(count) => Ok(Transfer::Done(count)),
            Err(Errno::AGAIN) => Ok(Transfer::Blocked),
            Err(error) => Err(error.into()),
        }
    }

    /// Receives what there is now into `room`, which must not be empty.
    ///
    /// # Errors
    ///
    /// The connection is broken (a reset, a timeout); it stays so.
    #[inline]
    pub fn recv(&self, room: &mut [u8]) -> io::Result<Received> {
        debug_assert!(!room.is_empty(), "with no room, no data and the end look the same");
        match retry_on_intr(|| recv(&self.fd, &mut *room, RecvFlags::empty())) {
            Ok((0, _)) => Ok(Received::Closed),
            Ok((count, _)) => Ok(Received::Data(count)),
            Err(Errno::AGAIN) => Ok(Received::Blocked),
            Err(error) => Err(error.into()),
        }
    }

    /// This side's address as a server lists it: `127.0.0.1:40123`, `[::1]:40123`, or `unix` for a Unix
    /// socket, which has no name on this side.
    ///
    /// # Errors
    ///
    /// What `getsockname(2)` answers.
    pub fn local_addr(&self) -> io::Result<String> {
        if !self.is_tcp {
            return Ok("unix".to_owned());
        }
        Ok(SocketAddr::try_from(getsockname(&self.fd)?)?.to_string())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Not inherited by programs that the host starts, and never blocking.
fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(family, SocketType::STREAM, flags, None)?)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rustix::net::bind;

    use super::*;

    #[test]
    fn a_socket_that_is_connected_to_itself_is_refused() {
        let fd = stream(AddressFamily::INET).unwrap();
        bind(&fd, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let own = getsockname(&fd).unwrap();
        match connect(&fd, &own) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => panic!("{error}"),
        }
        let socket = Socket { fd, is_tcp: true };
        let error = loop {
            match socket.finish_connect() {
                Ok(false) => {}
                Ok(true) => panic!("it took itself for its peer"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
