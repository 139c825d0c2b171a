//! The embedded loopback servers: small, honest, and without I/O at their core.
//!
//! ```text
//!  simulation, virtual time --+
//!                             +--> redis::Server, kafka::Cluster   bytes + now -> bytes
//!  front: TCP, Unix, epoll ---+
//! ```
//!
//! [`redis`] is a state machine that answers as Redis 7.0 does for the commands that it has, [`kafka`] one that
//! answers as the brokers of Kafka 4.1 do for a producer; [`front`] puts them on sockets. They run the demo, the
//! simulation and the benchmarks' sink with nothing installed. They are no product: no persistence, no replication,
//! one thread.

#![forbid(unsafe_code)]

pub mod front;
pub mod kafka;
pub mod redis;
