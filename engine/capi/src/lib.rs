//! Ringwire's C ABI. `include/ringwire.h` is its documentation; this crate is its implementation.
//!
//! ```text
//!   C program ──► export! { fn rw_… }     catches panics, answers a code      (boundary/export.rs)
//!                   │  In, Out            what C points at, looked at first   (boundary/pointer.rs)
//!                   │  Handle             freed, foreign, forked, threads     (boundary/handle.rs)
//!                   ▼
//!                 ringwire: Engine, Publisher, Reports, Subscriber, HostShard
//! ```
//!
//! `unsafe` stands in `boundary/` alone, and in `claim.rs`, which holds a claim between two calls. A C caller's promises
//! (`ringwire.h`) are what it rests on: pointers are NULL or lead to what the header says, for as long as the call lasts.
#![deny(unsafe_code)]

#[macro_use]
mod boundary;

mod channel;
mod claim;
mod code;
mod config;
mod engine;
mod free;
mod log;
mod message;
mod publisher;
mod reports;
mod shard;
mod status;
mod subscriber;
mod text;
mod version;

/// A library with a standard library of its own says nothing of a panic: it is caught, and told as a code. Within a Rust
/// program the panic hook is that program's.
fn silence() {
    #[cfg(feature = "capi")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    }
}

#[cfg(test)]
mod abi;
#[cfg(test)]
mod tests;
