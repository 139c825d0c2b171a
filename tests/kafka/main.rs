//! The Kafka codec and the producer against real brokers, with Kafka's own clients and tools as judges.
//!
//! ```text
//!   test thread ── starts, freezes, kills, restarts ──► Kafka brokers (own ports and folders)
//!        ├── client: the codec under test over a plain socket ──► │ │
//!        ├── application: the library under test ─────────────────► │ │
//!        └── judge: a JVM with the Java clients ◄─────────────────┘ │
//!                   and DumpLogSegments ◄──── log segments ─────────┘
//! ```
//!
//! Brokers start slowly: the tests share one for each version of Kafka, each test with topics of its own; those that
//! kill and freeze have a cluster of three to themselves. The jars come by `tests/kafka/fetch`; nothing is skipped
//! where they or Java are missing: the tests fail and say so.

mod application;
mod changes;
mod client;
mod cluster;
mod conversation;
mod delivered;
mod java;
mod judge;
mod limits;
mod line;
mod offsets;
mod produce;
mod quotes;
mod records;
mod refused;
mod sequences;
mod server;
mod storm;
