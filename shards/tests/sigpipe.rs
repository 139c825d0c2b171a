//! A host that is not a Rust program leaves SIGPIPE at its default, which kills: sending to a peer that is
//! gone must not raise it. One test alone in its process, because the disposition is the process's.

#![cfg(not(loom))]

use std::io;
use std::os::unix::net::UnixListener;

use ringwire_shards::net::{Address, Options, Socket};

#[test]
fn sending_to_a_closed_peer_is_an_error_and_no_signal() {
    // SAFETY: it sets a disposition, and no handler; nothing else in this process depends on it.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    assert_ne!(before, libc::SIG_ERR);
    let directory = std::env::temp_dir().join(format!("ringwire-sigpipe-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let socket = Socket::connect(&Address::Unix(path), &Options::default()).unwrap();
    drop(listener.accept().unwrap());
    let error = socket.send(b"anyone?").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    std::fs::remove_dir_all(&directory).unwrap();
}
