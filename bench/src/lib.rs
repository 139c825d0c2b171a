//! Measures Ringwire beside the floor that the machine sets, and beside the other clients of Redis.
//!
//! [`rig::run`] is the whole of it: the command `ringwire bench`, and this package's own program.
//!
//! ```text
//!   load         when messages are due, what they carry          machine, noise   where it runs, what disturbs it
//!   contestants  who can take part                               child, server    the processes of a run
//!   client       ours, the floor and the rig's null, as programs that obey the contract of bench/peers
//!   rig          plans and runs                                  results, stats, goals   what was found
//!   report       terminal, HTML, .hgrm, .hdr, JSON               check            is the rig itself right?
//! ```

#![deny(unsafe_code)]

pub mod check;
mod child;
pub mod client;
mod contestants;
mod folder;
pub mod goals;
pub mod kafka;
pub mod load;
pub mod machine;
pub mod noise;
mod probe;
mod random;
pub mod report;
pub mod results;
pub mod rig;
mod server;
pub mod stats;
#[allow(unsafe_code, reason = "the time-stamp counter has no safe call")]
mod tsc;

/// The foreign clients that the rig knows, as `bench/peers/install` calls them.
pub fn peers() -> impl Iterator<Item = &'static str> {
    contestants::PEERS.into_iter().chain([contestants::C_CALLER]).chain(kafka::peers())
}
