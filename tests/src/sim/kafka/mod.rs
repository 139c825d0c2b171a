//! The simulation of the Kafka producer: the real core against the loopback cluster, over a seeded network in virtual
//! time.
//!
//! ```text
//!   Publisher ──► Shard { Core ◄─ Port } ──Network: delays, cuts, late bytes──► Cluster: brokers, logs
//!       ▲ credit ────┘        │  offered, heard                                     │ every append
//!       └── Ledger ◄── told   └──────► Wire: what was asked, known, answered        └──► Ledger
//! ```
//!
//! The ledger holds each message beside its places in the logs and its outcome, the wire what the producer could know
//! when it sent something. Neither shares code with the producer. Where the world itself takes a log away, or what a
//! broker remembers of the producer, the ledger says which messages that touches, and claims less of those alone.

mod context;
mod coverage;
mod faults;
mod ledger;
mod mishaps;
mod network;
mod port;
mod scenario;
mod shard;
mod truth;
mod wire;
mod world;

pub use coverage::KafkaCoverage as Coverage;

use super::judge::Violation;

/// Runs one seed, and answers what it exercised. With `trace` it prints what happens.
///
/// # Errors
///
/// The first invariant that did not hold; a panic is one of them.
pub fn run(seed: u64, trace: bool) -> Result<Coverage, Violation> {
    super::guarded(WORLD, seed, move || world::World::new(seed, trace).run())
}

/// The argument that selects this world.
const WORLD: &str = "--kafka ";
