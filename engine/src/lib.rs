//! Ringwire hands messages to Redis through rings, without waiting for it, and says exactly what became of each.
//!
//! The application writes a message into a ring in tens of nanoseconds. Shards, each one thread with its own rings
//! and its own connections, route, encode and send it; outcomes and subscriptions come back through rings.
//!
//! ```no_run
//! use ringwire::{Config, Engine, Event};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::start(Config::new().redis("main", "redis://127.0.0.1:6379")?)?;
//! let quotes = engine.channel("fx.eurusd")?;
//! let (mut publisher, mut reports) = engine.publisher()?;
//! let mut subscriber = engine.subscriber()?;
//! subscriber.subscribe("fx.eurusd")?;
//! assert!(engine.wait_ready(Duration::from_secs(5)), "{:?}", engine.status());
//!
//! publisher.publish(&quotes, b"1.12120,1.12172")?;
//! while subscriber.wait(Duration::from_secs(1)) {
//!     subscriber.poll(64, |delivery| match delivery.event {
//!         Event::Message { payload, .. } => println!("{}", String::from_utf8_lossy(payload)),
//!         Event::Gap { reason, lost } => println!("messages are missing: {reason}, {lost} known"),
//!         Event::Subscribed | Event::Refused { .. } => {}
//!     });
//!     reports.poll(64, |report| println!("{} {}", report.sequence, report.outcome.name()));
//! }
//! engine.shutdown(Duration::from_secs(1));
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! * Each accepted (message, leg) has exactly one [`Outcome`]: *delivered*, *not sent* or *unknown*.
//! * Order is kept per channel, publisher and leg.
//! * A refusal ([`Refusal`]) is an ordinary answer: no destination has the message.
//! * A subscriber is told of a gap before the first message that follows it.
//! * Every queue of messages is bounded, by credit; a dead endpoint costs the others nothing.
//!
//! The library never prints, exits, panics into its host or installs a signal handler.
#![forbid(unsafe_code)]

pub mod admin;
mod channel;
pub mod config;
mod connection;
mod engine;
mod host_shard;
mod latency;
mod ports;
mod publisher;
mod reports;
mod resolver;
mod shard;
mod shared;
mod status;
mod subscriber;
mod thread_start;

pub use channel::Channel;
pub use config::{
    Config, ConfigError, EndpointKind, HostKind, IdleStrategy, KafkaOptions, RedisOptions, Route, Settings,
    WhenDown,
};
pub use engine::{Engine, OpenError, ShutdownReport, StartError};
pub use host_shard::{HostShard, Progress};
pub use publisher::{Claim, Lent, Message, Publisher, Refusal};
pub use reports::Reports;
pub use ringwire_core::{
    Acks, BackoffKind, BreakerState, Compression, Counters, CustomPartitioner, Delivery, EndpointState,
    Event, GapReason, Headers, KafkaErrorCode, LinkError, Outcome, Partitioner, PartitionerInput, Reason,
    Report, glob_match,
};
pub use ringwire_shards::clock::monotonic_ns;
#[doc(hidden)]
pub use ringwire_shards::signals::SignalsBlocked;
pub use status::{EndpointReport, Health, LaneReport, Latencies};
pub use subscriber::{Subscriber, SubscriptionId};

/// The README's example, compiled and run with the other documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
