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
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

pub use coverage::{Counts, Coverage};
pub use judge::Violation;

/// Runs one seed, and answers what it exercised. With `trace` it prints what happens.
///
/// # Errors
///
/// The first invariant that did not hold; a panic is one of them.
pub fn run(seed: u64, trace: bool) -> Result<Coverage, Violation> {
    guarded("", seed, move || world::World::new(seed, trace).run())
}

/// Real seconds that a run may take; the longest takes two. A core that never comes back from a call cannot be stopped
/// by counting.
const PATIENCE_S: u32 = 60;

/// Runs a world; a panic is a violation, and so is a run that does not end.
fn guarded<T: Send + 'static>(
    world: &'static str,
    seed: u64,
    run: impl FnOnce() -> Result<T, Violation> + Send + 'static,
) -> Result<T, Violation> {
    let broken = |invariant, message| Err(Violation { world, seed, at_ns: 0, invariant, message });
    let (tell, told) = mpsc::channel();
    // What hangs stays behind until the process ends.
    std::thread::spawn(move || tell.send(catch_unwind(AssertUnwindSafe(run))));
    for _ in 0..PATIENCE_S {
        // Second by second: a process that was stopped meanwhile has lost one of them only.
        match told.recv_timeout(Duration::from_secs(1)) {
            Ok(Ok(verdict)) => return verdict,
            Ok(Err(panic)) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                return broken("nothing panics", words.unwrap_or_else(|| "a panic without words".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    broken("a call of the core returns", format!("the run is not over after {PATIENCE_S} s"))
}
