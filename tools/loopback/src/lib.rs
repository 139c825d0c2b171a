//! The embedded loopback servers: small, honest, and without I/O at their core.
//!
//! ```text
//!  simulation, virtual time --+
//!                             +--> redis::Server   bytes + now -> bytes
//!  front: TCP, Unix, epoll ---+
//! ```
//!
//! [`redis`] is a state machine that answers as Redis 7.0 does for the commands that it has; [`front`] puts it
//! on a socket. It runs the demo, the simulation and the benchmarks' sink with nothing installed. It is not a
//! product: no persistence, no replication, no cluster, one thread.

#![forbid(unsafe_code)]

pub mod front;
pub mod redis;
