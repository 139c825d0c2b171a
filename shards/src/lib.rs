//! What a Ringwire shard stands on: rings, credits, wake-up, idling, time, sockets and a thread.
//!
//! The crate knows bytes, counts and file descriptors. It knows nothing of Redis, of Kafka or of what is
//! in a frame.
//!
//! ```text
//!   application thread                        shard thread (host::spawn runs its Duty)
//!   ------------------                        ------------------------------------------------
//!   credit::Account   fits, take              clock::Clock        once per turn
//!   ring::FrameWriter try_claim, commit  ==>  ring::FrameReader   read up to N frames
//!   wake::Waker       notify             -->  wake::Sleeper       arm, look again, epoll, disarm
//!                                             net::Socket         send, recv   (net::Poller: readiness)
//!   slots::SlotReader read               <==  slots::SlotWriter   push, publish
//!   wake::Sleeper     wait               <--  wake::Waker         notify_fenced, one fence per batch
//!   credit::Account   (sees the limit)   <--  credit::Grantor     give_back, publish
//!                                             idle::Idle          spin or park
//! ```
//!
//! Nothing here allocates, takes a lock or makes a system call on the way of a message, except the system
//! calls that move bytes and the one that wakes a sleeper that really sleeps. `tests/allocations.rs` holds
//! the crate to the first.
//!
//! `unsafe` stands in [`ring`] alone.

#![deny(unsafe_code)]

pub mod credit;
pub mod sync;
pub mod wake;

#[cfg(not(loom))]
mod batch;
#[cfg(not(loom))]
pub mod clock;
#[cfg(not(loom))]
pub mod cores;
#[cfg(not(loom))]
pub mod host;
#[cfg(not(loom))]
pub mod idle;
#[cfg(not(loom))]
pub mod net;
#[cfg(all(test, not(loom)))]
mod random;
#[cfg(not(loom))]
pub mod ring;
#[cfg(not(loom))]
pub mod signals;
#[cfg(not(loom))]
pub mod slots;
