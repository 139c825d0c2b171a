//! The deterministic simulation: the real core, rings and credits against the loopback Redis, over a seeded network
//! in virtual time.
//!
//! ```text
//!   Publisher ──ring──► Shard { Core ◄─ Port } ──Network: delays, splits, windows, resets──► Peer { Server }
//!       ▲ reports, credits ──┘        └──ring──► Subscriber                                       │
//!       └───────────────── Ledger, invariants: what was accepted, executed, told ◄────────────────┘
//! ```
//!
//! A seed decides everything: who there is, how large and how fast it is, what goes wrong and when. One run is some
//! virtual seconds and some real milliseconds; the same seed does the same again.
//! The Kafka producer has a world of its own, in [`kafka`].

mod application;
mod breaker;
mod context;
mod coverage;
mod faults;
mod invariants;
mod judge;
pub mod kafka;
mod ledger;
mod mishaps;
mod network;
mod peer;
mod port;
mod publisher;
mod quiet;
mod random;
mod scenario;
mod shard;
mod streams;
mod subscriber;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use coverage::{Counts, Coverage};
pub use judge::Violation;

/// Runs one seed, and answers what it exercised. With `trace` it prints what happens.
///
/// # Errors
///
/// The first invariant that did not hold; a panic is one of them.
pub fn run(seed: u64, trace: bool) -> Result<Coverage, Violation> {
    guarded("", seed, || world::World::new(seed, trace).run())
}

/// Runs a world; a panic is a violation.
fn guarded<T>(
    world: &'static str,
    seed: u64,
    run: impl FnOnce() -> Result<T, Violation>,
) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let message = words.unwrap_or_else(|| "a panic without words".to_owned());
        Err(Violation { world, seed, at_ns: 0, invariant: "nothing panics", message })
    })
}
