//! The library against a real `redis-server`: what only the real one can prove.
//!
//! ```text
//!   test thread ── starts, pauses, kills, restarts ──► redis-server (its own port and folder)
//!        │                                               ▲          │
//!        ├── engine under test ── publishes, subscribes ─┘          │
//!        ├── redis-cli and plain sockets ── judges ─────────────────┤
//!        └── monitor, journal: they saw what was executed ──────────┘
//! ```
//!
//! Each test has a server of its own, so they run side by side. `redis-server` and `redis-cli` 7.0 or later come from
//! `PATH`; nothing is skipped where they are missing: the tests fail and name them.

mod access;
mod addresses;
mod breaker;
mod client;
mod demote;
mod globs;
mod hosts;
mod journal;
mod kill;
mod lanes;
mod large;
mod late;
mod line;
mod load;
mod monitor;
mod neighbours;
mod nonsense;
mod pause;
mod probes;
mod protocol;
mod proxy;
mod pubsub;
mod server;
mod slow;
mod stall;
mod turned_away;
mod witness;

use ringwire_tests::patience;
