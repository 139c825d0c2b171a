//! The deterministic core of Ringwire: what one shard does with messages, bytes and time.
//!
//! It has no socket, no clock and no thread. A driver hands it all three, and two drivers do: the shard's duty cycle
//! over raw sockets, and the simulation over a seeded network in virtual time.
//!
//! # The contract
//!
//! ```text
//!   open_channel, subscribe, unsubscribe  ─┐              ┌─► Outlet::outcome   one per accepted (message, leg)
//!   publish(now, publisher, frame, outlet) ├──►  Core  ───┼─► Outlet::deliver   messages and gaps
//!   connected, disconnected                │              ├─► Outlet::connect, close, state
//!   space → received(now, connection, n)  ─┘              └─► output(connection) → sent(connection, n)
//!                       then: poll(now, outlet) until it answers false, or as often as the driver cares
//!                       then: for each take_writable(): send output(), or pieces(), say sent()
//!                       then: nothing happens before deadline_ns()
//! ```
//!
//! 1. Every call mutates; what follows from it is done in [`Core::poll`], a bounded amount at a time, through the
//!    [`Outlet`]. ([`Core::publish`] takes the outlet too: a frame is borrowed only while it runs.)
//! 2. Time only enters as [`Now`], read once per duty cycle, and never goes back.
//! 3. The driver owns the sockets: one per [`ConnectionId`]. It opens and closes them as the outlet says, and says
//!    [`Core::connected`] or [`Core::disconnected`] about nothing that the core has closed.
//! 4. A frame reaches the core only with credit (see [`channel::Leg::cost`]) and with a reserved report slot: so every
//!    queue in here is bounded by the sum of the credits, and no outcome ever waits for room.
//! 5. Nothing is allocated per message in the steady state; queues grow to what the load needs and stay there.
//!
//! # Example
//!
//! One message, its `PUBLISH` command, and the answer of a server that counts three receivers:
//!
//! ```
//! use ringwire_core::{
//!     Channel, Charge, ConnectionId, Core, Delivery, EndpointId, EndpointState, Frame, Leg, NotTaken, Now, Outcome,
//!     Outlet, PublisherId, RedisSettings, Report, Role, SubscriberId, WhenDown,
//! };
//!
//! #[derive(Default)]
//! struct Driver { reports: Vec<Report>, wants: Option<ConnectionId> }
//!
//! impl Outlet for Driver {
//!     fn outcome(&mut self, _: Charge, report: &Report) { self.reports.push(*report) }
//!     fn deliver(&mut self, _: SubscriberId, _: &Delivery<'_>) -> Result<(), NotTaken> { Ok(()) }
//!     fn connect(&mut self, connection: ConnectionId) { self.wants = Some(connection) }
//!     fn close(&mut self, _: ConnectionId) {}
//!     fn state(&mut self, _: EndpointId, _: Role, _: EndpointState) {}
//! }
//!
//! fn answer(core: &mut Core, now: Now, connection: ConnectionId, bytes: &[u8], driver: &mut Driver) {
//!     let n = core.output(connection).len();
//!     core.sent(connection, n);
//!     core.space(connection)[..bytes.len()].copy_from_slice(bytes);
//!     core.received(now, connection, bytes.len());
//!     while core.poll(now, driver) {}
//! }
//!
//! let (redis, now) = (EndpointId(0), Now { mono_ns: 1, wall_ns: 0 });
//! let (mut core, mut driver) = (Core::new(vec![RedisSettings::default()], 42), Driver::default());
//! let legs = vec![Leg::redis_publish(redis, b"fx.eurusd", WhenDown::Reject)];
//! core.open_channel(now, Channel { index: 0, name: (*b"fx.eurusd").into(), legs });
//! while core.poll(now, &mut driver) {}
//!
//! let connection = driver.wants.expect("a channel with a leg to Redis needs a connection");
//! core.connected(now, connection);
//! answer(&mut core, now, connection, b"%1\r\n+role\r\n+master\r\n", &mut driver);       // HELLO
//! answer(&mut core, now, connection, b"$19\r\nid=7 addr=[::1]:999\r\n", &mut driver); // CLIENT INFO
//!
//! let frame = Frame { channel: 0, payload: Some(b"1.1212"), ..Frame::default() };
//! core.publish(now, PublisherId(0), &frame, &mut driver);
//! assert_eq!(core.output(connection), b"*3\r\n$7\r\nPUBLISH\r\n$9\r\nfx.eurusd\r\n$6\r\n1.1212\r\n");
//! answer(&mut core, now, connection, b":3\r\n", &mut driver);
//! assert_eq!((driver.reports[0].outcome, driver.reports[0].receivers()), (Outcome::Delivered, 3));
//! ```
#![forbid(unsafe_code)]

mod backoff;
mod buffer;
pub mod channel;
mod core;
mod delivery;
pub mod frame;
pub mod kafka;
mod outlet;
mod redis;
mod report;
mod settings;
mod status;
mod subscription;
mod time;

pub use crate::core::{Core, EndpointStatus};
pub use channel::{Channel, Leg};
pub use delivery::{DELIVERY_HEAD_LEN, Delivery, Event, GapReason};
pub use frame::{Frame, Headers};
pub use kafka::settings::{
    Acks, BackoffKind, CustomPartitioner, IN_FLIGHT_MAX, KafkaSettings, Partitioner, PartitionerInput,
    RetryBackoff,
};
pub use outlet::{Charge, ConnectionId, EndpointId, NotTaken, Outlet, PublisherId, Role, SubscriberId};
pub use report::{Outcome, Reason, Report};
pub use ringwire_codec::kafka::{Compression, ErrorCode as KafkaErrorCode};
pub use ringwire_codec::resp::{Limits, glob_match};
pub use settings::{
    DEFAULT_BREAKER_OPEN_NS, DEFAULT_BREAKER_THRESHOLD, DEFAULT_CLIENT_NAME, DEFAULT_CONNECT_TIMEOUT_NS,
    DEFAULT_PING_INTERVAL_NS, DEFAULT_RECONNECT_MAX_NS, DEFAULT_RECONNECT_MIN_NS, DEFAULT_REPLY_TIMEOUT_NS,
    DEFAULT_ROLE_INTERVAL_NS, EndpointSettings, RedisSettings, WhenDown,
};
pub use status::{BreakerState, Counters, EndpointState, LaneStatus, LinkError};
pub use subscription::{Source, Subscription};
pub use time::{MILLISECOND_NS, NEVER_NS, Now, SECOND_NS};
