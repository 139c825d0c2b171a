//! Wire formats of Ringwire: bytes in, frames out, and back.
//!
//! ```text
//!   receive buffer --&[u8]--> decoder --borrowed frames--> core
//!   core --arguments--> encoder --appends to--> &mut Vec<u8> (the connection's output)
//! ```
//!
//! Nothing here reads a clock, opens a socket, starts a thread or waits. Buffers belong to the caller;
//! a decoder keeps its position and resumes where it stopped. What a peer sends is either a frame or an
//! error value, never a panic, and no memory is reserved for a size that a peer merely declares.
//!
//! * [`kafka`]: the Kafka protocol of an idempotent producer, record batches and their compression.
//! * [`resp`]: the Redis serialization protocol, RESP2 and RESP3.

#![forbid(unsafe_code)]

pub mod kafka;
pub mod resp;
