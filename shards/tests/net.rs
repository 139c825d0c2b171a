//! Sockets and readiness over loopback TCP and Unix sockets.

#![cfg(not(loom))]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringwire_shards::net::{
    Address, Events, Interest, Keepalive, Options, Poller, Ready, Received, Socket, Transfer,
};
use rustix::fs::OFlags;
use rustix::io::FdFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};

/// Far more than anything on loopback takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A directory for the sockets of one test, removed with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ringwire-net-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The server's side of a connection, of either family.
trait Peer: Read + Write + Send {}
impl<T: Read + Write + Send> Peer for T {}

fn wait_for(socket: &Socket, interest: Interest) -> Ready {
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(1);
    poller.add(socket, 1, interest).unwrap();
    let until = Instant::now() + DEADLINE;
    loop {
        if poller.wait(Some(DEADLINE), &mut events).unwrap() > 0 {
            return events.iter().next().unwrap();
        }
        assert!(Instant::now() < until, "never ready for {interest:?}");
    }
}

/// Waits for the outcome of a connect.
fn connected(socket: &Socket) -> io::Result<()> {
    loop {
        if socket.finish_connect()? {
            return Ok(());
        }
        wait_for(socket, Interest::Write);
    }
}

type Pair = (Socket, Box<dyn Peer>);

fn tcp_pair() -> Pair {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    let socket = Socket::connect(&address, &Options::default()).unwrap();
    connected(&socket).unwrap();
    (socket, Box::new(listener.accept().unwrap().0))
}

fn unix_pair() -> Pair {
    let directory = Directory::new();
    let listener = UnixListener::bind(directory.socket()).unwrap();
    let socket = Socket::connect(&Address::Unix(directory.socket()), &Options::default()).unwrap();
    connected(&socket).unwrap();
    (socket, Box::new(listener.accept().unwrap().0))
}

/// Both families, connected.
const PAIRS: [fn() -> Pair; 2] = [tcp_pair, unix_pair];

#[test]
fn bytes_go_both_ways_and_the_end_is_seen() {
    for pair in PAIRS {
        let (socket, mut peer) = pair();
        let mut room = [0; 16];
        assert_eq!(socket.recv(&mut room).unwrap(), Received::Blocked);
        assert_eq!(socket.send(b"there").unwrap(), Transfer::Done(5));
        let mut seen = [0; 5];
        peer.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"there");
        peer.write_all(b"and back").unwrap();
        wait_for(&socket, Interest::Read);
        // Less room than bytes: the rest waits.
        assert_eq!(socket.recv(&mut room[..3]).unwrap(), Received::Data(3));
        assert_eq!(socket.recv(&mut room[3..]).unwrap(), Received::Data(5));
        assert_eq!(&room[..8], b"and back");
        assert_eq!(socket.recv(&mut room).unwrap(), Received::Blocked);
        drop(peer);
        let ready = wait_for(&socket, Interest::Read);
        assert!(ready.readable);
        assert_eq!(socket.recv(&mut room).unwrap(), Received::Closed);
        assert_eq!(socket.recv(&mut room).unwrap(), Received::Closed, "it stays closed");
    }
}

#[test]
fn a_partial_send_goes_on_where_it_stopped() {
    // More than a socket's buffers hold, and no multiple of anything.
    const BYTES: usize = 16 * 1024 * 1024 + 12_345;
    for pair in PAIRS {
        let (socket, mut peer) = pair();
        let sent: Vec<u8> = (0..BYTES).map(|at| ((at * 31) >> 7) as u8).collect();
        let mut offset = 0;
        // Nobody reads yet: the kernel must stop taking before all is sent.
        let blocked_at = loop {
            match socket.send(&sent[offset..]).unwrap() {
                Transfer::Done(count) => offset += count,
                Transfer::Blocked => break offset,
            }
        };
        assert!((1..BYTES).contains(&blocked_at), "blocked at {blocked_at}");
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        while offset < BYTES {
            match socket.send(&sent[offset..]).unwrap() {
                Transfer::Done(count) => offset += count,
                Transfer::Blocked => assert!(wait_for(&socket, Interest::Write).writable),
            }
        }
        drop(socket);
        assert!(reading.join().unwrap() == sent, "the peer received something else");
    }
}

#[test]
fn a_refused_connect_is_an_error() {
    // Bound, so that nobody else has the port, and not listening.
    let unlistened = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&unlistened, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = SocketAddr::try_from(rustix::net::getsockname(&unlistened).unwrap()).unwrap();
    let refused = Socket::connect(&Address::Tcp(address), &Options::default())
        .and_then(|socket| connected(&socket))
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let directory = Directory::new();
    let unix = Address::Unix(directory.socket());
    let check = |expected| {
        assert_eq!(Socket::connect(&unix, &Options::default()).unwrap_err().kind(), expected);
    };
    check(ErrorKind::NotFound);
    drop(UnixListener::bind(directory.socket()).unwrap());
    check(ErrorKind::ConnectionRefused);
    let long = Address::Unix(PathBuf::from("/x".repeat(200)));
    assert!(Socket::connect(&long, &Options::default()).is_err());
}

#[test]
fn a_full_backlog_is_an_error() {
    let directory = Directory::new();
    let listener: OwnedFd = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listener, &SocketAddrUnix::new(directory.socket()).unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = Address::Unix(directory.socket());
    let mut waiting = Vec::new();
    let error = loop {
        match Socket::connect(&address, &Options::default()) {
            Ok(socket) => waiting.push(socket),
            Err(error) => break error,
        }
        assert!(waiting.len() < 16, "a backlog of 0 takes so many");
    };
    assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
}

#[test]
fn a_reset_is_an_error_on_both_ways() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let socket = Socket::connect(&Address::Tcp(listener.local_addr().unwrap()), &Options::default()).unwrap();
    connected(&socket).unwrap();
    let peer = listener.accept().unwrap().0;
    // Closing with a linger of zero resets.
    sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    let ready = wait_for(&socket, Interest::Read);
    assert!(ready.readable && ready.writable, "a broken socket is ready for both: {ready:?}");
    assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(socket.send(b"late").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn the_local_address_is_what_the_server_sees() {
    for host in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))] {
        // A machine without IPv6 has nothing to check.
        let Ok(listener) = TcpListener::bind(host) else { continue };
        let address = Address::Tcp(listener.local_addr().unwrap());
        let socket = Socket::connect(&address, &Options::default()).unwrap();
        connected(&socket).unwrap();
        assert_eq!(socket.local_addr().unwrap(), listener.accept().unwrap().1.to_string());
    }
    assert_eq!(unix_pair().0.local_addr().unwrap(), "unix");
}

#[test]
fn options_reach_the_kernel() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    let options = Options {
        user_timeout: Some(Duration::from_micros(1_234_500)),
        keepalive: Some(Keepalive {
            idle: Duration::from_millis(6_500),
            interval: Duration::from_secs(3),
            probes: 4,
        }),
    };
    let socket = Socket::connect(&address, &options).unwrap();
    assert!(sockopt::tcp_nodelay(&socket).unwrap());
    assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 1_235, "milliseconds, rounded up");
    assert!(sockopt::socket_keepalive(&socket).unwrap());
    assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), Duration::from_secs(7), "seconds, rounded up");
    assert_eq!(sockopt::tcp_keepintvl(&socket).unwrap(), Duration::from_secs(3));
    assert_eq!(sockopt::tcp_keepcnt(&socket).unwrap(), 4);
    assert!(rustix::io::fcntl_getfd(&socket).unwrap().contains(FdFlags::CLOEXEC));
    assert!(rustix::fs::fcntl_getfl(&socket).unwrap().contains(OFlags::NONBLOCK));

    let plain = Options { user_timeout: None, keepalive: None };
    let socket = Socket::connect(&address, &plain).unwrap();
    assert!(sockopt::tcp_nodelay(&socket).unwrap());
    assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 0);
    assert!(!sockopt::socket_keepalive(&socket).unwrap());
    // What the kernel does not accept is an error, not a default.
    let zero = Keepalive { idle: Duration::ZERO, ..Options::KEEPALIVE };
    let error = Socket::connect(&address, &Options { keepalive: Some(zero), ..options }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_poller_tells_who_is_ready_for_what() {
    let (first, mut first_peer) = tcp_pair();
    let (second, _second_peer) = unix_pair();
    let poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut wait = |timeout| {
        poller.wait(Some(timeout), &mut events).unwrap();
        let mut ready: Vec<_> = events.iter().map(|it| (it.token, it.readable, it.writable)).collect();
        ready.sort_unstable();
        ready
    };
    poller.add(&first, 1, Interest::Read).unwrap();
    poller.add(&second, 2, Interest::Read).unwrap();
    assert_eq!(wait(Duration::ZERO), []);
    // Finer than epoll's milliseconds, and a whole number of them: both end.
    assert_eq!(wait(Duration::from_nanos(1_500)), []);
    assert_eq!(wait(Duration::from_millis(1)), []);
    poller.modify(&second, 3, Interest::ReadWrite).unwrap();
    assert_eq!(wait(DEADLINE), [(3, false, true)]);
    first_peer.write_all(b"x").unwrap();
    wait_for(&first, Interest::Read);
    assert_eq!(wait(DEADLINE), [(1, true, false), (3, false, true)]);
    // Level-triggered: it was not read.
    assert_eq!(wait(DEADLINE + Duration::from_nanos(1)), [(1, true, false), (3, false, true)]);
    poller.modify(&first, 1, Interest::Write).unwrap();
    poller.remove(&second).unwrap();
    assert_eq!(wait(DEADLINE), [(1, false, true)]);
    poller.remove(&first).unwrap();
    assert_eq!(wait(Duration::ZERO), []);
    assert!(poller.remove(&first).is_err());
    assert!(poller.modify(&first, 1, Interest::Read).is_err());
}

#[test]
fn more_ready_than_there_is_room_come_in_turn() {
    let pairs: Vec<_> = (0..5).map(|_| unix_pair()).collect();
    let poller = Poller::new().unwrap();
    for (token, (socket, _)) in pairs.iter().enumerate() {
        poller.add(socket.as_fd(), token as u64, Interest::Write).unwrap();
    }
    let mut events = Events::with_capacity(2);
    let mut seen = [false; 5];
    let until = Instant::now() + DEADLINE;
    while seen.contains(&false) {
        assert!(Instant::now() < until, "some starve: {seen:?}");
        assert!(poller.wait(None, &mut events).unwrap() <= 2);
        for ready in events.iter() {
            seen[ready.token as usize] = true;
        }
    }
}

#[test]
fn addresses_print_as_they_are_written() {
    let check = |address: Address, expected| assert_eq!(address.to_string(), expected);
    check(Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 6379))), "127.0.0.1:6379");
    check(Address::Tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, 6379))), "[::1]:6379");
    check(Address::Unix(PathBuf::from("/run/redis.sock")), "unix:/run/redis.sock");
}

/// A shard is made on one thread and may run on another, with all that it owns.
#[test]
fn what_a_shard_owns_is_send() {
    fn is_send<T: Send>() {}
    is_send::<(Socket, Poller, Events)>();
}
