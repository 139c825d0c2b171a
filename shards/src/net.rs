//! Non-blocking sockets and their readiness: what a shard moves bytes with.
//!
//! ```text
//!   Socket::connect --> Poller (writable) --> finish_connect: Ok(true)
//!                                                |
//!        +---------------------------------------+
//!        v
//!   send(bytes): Done(n) -> keep the offset   Blocked -> wait for writable
//!   recv(room):  Data(n) -> parse             Blocked -> wait for readable   Closed -> the peer is gone
//! ```
//!
//! A call never blocks, never raises SIGPIPE and never allocates. Nothing resolves a name here: that blocks.

mod address;
mod poller;
mod socket;

pub use address::Address;
pub use poller::{Events, Interest, Poller, Ready};
pub use socket::{Keepalive, Options, Received, Socket, Transfer};
