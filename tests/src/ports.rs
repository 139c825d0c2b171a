//! Ports for servers that a test starts.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports are taken from below Linux' ephemeral range (32768 and up): a client that keeps trying a dead server's port
/// in that range can be given the very port as its own, and then connects to itself.
const PORTS_FROM: u16 = 20_000;
const PORTS: u16 = 12_000;

/// A loopback address that the engine under test does not look at: tests alone do. All of 127/8 is this machine.
pub const APART: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A port that nobody listens on now, on 127.0.0.1 or on [`APART`], and that nobody else in this process was given.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run side by side begin at different places.
    let begin = std::process::id().wrapping_mul(97) as u16;
    for _ in 0..PORTS {
        let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS_FROM + number % PORTS;
        if [Ipv4Addr::LOCALHOST, APART].iter().all(|ip| TcpListener::bind((*ip, port)).is_ok()) {
            return port;
        }
    }
    panic!("no loopback port is free from {PORTS_FROM} to {}", PORTS_FROM + PORTS);
}
