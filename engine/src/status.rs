//! How endpoints stand: what a shard tells of them, and what an application reads. Reading costs the shard nothing.
//!
//! ```text
//!   shard ── relaxed stores ──► EndpointShared (one for each shard) ──► EndpointReport, Health, Latencies
//!         ── try_lock, on a change of state ──┘
//! ```

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

use crossbeam::utils::CachePadded;
use hdrhistogram::Histogram;
use ringwire_core::{BreakerState, Counters, EndpointState, EndpointStatus, LaneStatus, LinkError};

use crate::config::EndpointKind;

use crate::latency::{LatencyCells, empty_histogram};

/// One endpoint on one shard, as the shard last described it. The shard alone writes.
#[derive(Debug, Default)]
pub(crate) struct EndpointShared {
    /// Whether the publish lane is ready. Publishers read it for each message: it has a line of its own, and is
    /// written only when that changes.
    pub(crate) is_up: CachePadded<AtomicBool>,
    /// What asks for attention: see [`Ailment`].
    ailment: AtomicU8,
    /// When the oldest message without an outcome was taken; 0 for none.
    oldest_ns: AtomicU64,
    counts: [AtomicU64; Counters::COUNT],
    /// From the taking of a message to its *delivered*.
    acknowledgement: LatencyCells,
    /// From the intended time of a message, where one was given, to its *delivered*.
    from_intended: LatencyCells,
    /// Tried, and never waited for, by the shard when a connection's state changes.
    lanes: Mutex<Lanes>,
}

#[derive(Debug)]
struct Lanes {
    publish: LaneStatus,
    subscribe: LaneStatus,
    breaker: BreakerState,
}

impl Default for Lanes {
    fn default() -> Self {
        let lane = LaneStatus { state: EndpointState::Disconnected, since_ns: 0, last_error: None };
        Self { publish: lane.clone(), subscribe: lane, breaker: BreakerState::Closed }
    }
}

/// What [`Health`] needs to know of an endpoint on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Ailment {
    None = 0,
    /// Something that is needed is not connected, or says that it is not well.
    Some = 1,
}

impl EndpointShared {
    /// Tells how the connections stand, as of one moment. Answers `false`, and tells nothing, while a reader copies:
    /// the shard never waits.
    pub(crate) fn set_status(&self, status: EndpointStatus) -> bool {
        let is_well = |lane: &LaneStatus| {
            lane.state == EndpointState::Disconnected
                || lane.state == EndpointState::Connected && lane.last_error.is_none()
        };
        let ailment = if is_well(&status.publish) && is_well(&status.subscribe) {
            Ailment::None
        } else {
            Ailment::Some
        };
        let mut lanes = match self.lanes.try_lock() {
            Ok(lanes) => lanes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        *lanes = Lanes { publish: status.publish, subscribe: status.subscribe, breaker: status.breaker };
        self.ailment.store(ailment as u8, Ordering::Relaxed);
        true
    }

    pub(crate) fn set_counters(&self, counters: &Counters, oldest_ns: Option<u64>) {
        self.oldest_ns.store(oldest_ns.unwrap_or(0), Ordering::Relaxed);
        for (cell, value) in self.counts.iter().zip(counters.values()) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters::from_values(std::array::from_fn(|index| self.counts[index].load(Ordering::Relaxed)))
    }

    /// A message was delivered.
    #[inline]
    pub(crate) fn delivered(&self, messages: u64, taken_ns: u64, intended_ns: u64, at_ns: u64) {
        self.acknowledgement.count(messages, at_ns.saturating_sub(taken_ns));
        if intended_ns != 0 {
            self.from_intended.count(messages, at_ns.saturating_sub(intended_ns));
        }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.ailment.load(Ordering::Relaxed) == Ailment::None as u8
    }

    /// Adds this shard's part to a report.
    pub(crate) fn add_to(&self, report: &mut EndpointReport, now_ns: u64) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        report.publish.merge(&lanes.publish, now_ns);
        report.subscribe.merge(&lanes.subscribe, now_ns);
        if lanes.breaker as u8 > report.breaker as u8 {
            report.breaker = lanes.breaker;
        }
        drop(lanes);
        let oldest_ns = self.oldest_ns.load(Ordering::Relaxed);
        if oldest_ns != 0 {
            let age = Duration::from_nanos(now_ns.saturating_sub(oldest_ns));
            report.oldest_unanswered = Some(report.oldest_unanswered.map_or(age, |other| other.max(age)));
        }
        report.counters = report.counters.plus(&self.counters());
    }

    pub(crate) fn add_latencies(&self, latencies: &mut Latencies) {
        self.acknowledgement.add_to(&mut latencies.acknowledgement);
        self.from_intended.add_to(&mut latencies.from_intended);
    }
}

/// One role's connections to an endpoint, all shards together: the worst of those that are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneReport {
    /// The state.
    pub state: EndpointState,
    /// How long it has been in this state; zero if it was never needed.
    pub since: Duration,
    /// Why it is not connected, or what ails the server though it is.
    pub last_error: Option<LinkError>,
}

impl LaneReport {
    const UNUSED: Self = Self { state: EndpointState::Disconnected, since: Duration::ZERO, last_error: None };

    fn merge(&mut self, lane: &LaneStatus, now_ns: u64) {
        let ails = lane.last_error.is_some() && self.last_error.is_none();
        if rank(lane.state) > rank(self.state) || rank(lane.state) == rank(self.state) && ails {
            let since_ns = if lane.since_ns == 0 { now_ns } else { lane.since_ns };
            self.state = lane.state;
            self.since = Duration::from_nanos(now_ns.saturating_sub(since_ns));
            self.last_error.clone_from(&lane.last_error);
        }
    }
}

/// How much attention a state asks for.
fn rank(state: EndpointState) -> u8 {
    match state {
        EndpointState::Disconnected => 0,
        EndpointState::Connected => 1,
        EndpointState::Connecting => 2,
        EndpointState::Reconnecting => 3,
        EndpointState::Failed => 4,
    }
}

/// One endpoint, all shards together, as of the moment of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointReport {
    /// Its name in the configuration.
    pub name: String,
    /// What it is.
    pub kind: EndpointKind,
    /// Where it is: the URL without user and password; of a Kafka, the brokers that were configured.
    pub address: String,
    /// The connections for publishing.
    pub publish: LaneReport,
    /// The connections for subscriptions; a Kafka has none.
    pub subscribe: LaneReport,
    /// The breaker of the connections for publishing: the worst of them.
    pub breaker: BreakerState,
    /// How long the oldest message without an outcome has been waiting, if there is one.
    pub oldest_unanswered: Option<Duration>,
    /// Counts since the start.
    pub counters: Counters,
}

impl EndpointReport {
    pub(crate) fn new(name: &str, kind: EndpointKind, address: String) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            address,
            publish: LaneReport::UNUSED,
            subscribe: LaneReport::UNUSED,
            breaker: BreakerState::Closed,
            oldest_unanswered: None,
            counters: Counters::default(),
        }
    }

    /// The state of the two roles that asks for more attention.
    pub fn state(&self) -> EndpointState {
        self.worse().state
    }

    /// What went wrong last, where something is not connected, or what ails the server though it is.
    pub fn last_error(&self) -> Option<&LinkError> {
        let LaneReport { last_error, .. } = self.worse();
        last_error.as_ref().or(self.publish.last_error.as_ref()).or(self.subscribe.last_error.as_ref())
    }

    fn worse(&self) -> &LaneReport {
        if rank(self.subscribe.state) > rank(self.publish.state) { &self.subscribe } else { &self.publish }
    }
}

/// Whether an engine is well: [`crate::Engine::health`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// It runs, and every connection that somebody needs is there and well.
    Healthy,
    /// It runs, and an endpoint is not connected, or says that something ails it: [`crate::Engine::status`] says what.
    Degraded,
    /// It was shut down.
    Closed,
    /// A shard of it failed: [`crate::Engine::failure`] says why.
    Failed,
}

impl Health {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an endpoint's *delivered* messages took since the start, all shards together, in nanoseconds: right within
/// 1 %, and up to 18 minutes.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// From the shard's taking of a message out of the ring to its answer.
    pub acknowledgement: Histogram<u64>,
    /// From a message's intended time to its answer; only those that were given one.
    pub from_intended: Histogram<u64>,
}

impl Latencies {
    pub(crate) fn empty() -> Self {
        Self { acknowledgement: empty_histogram(), from_intended: empty_histogram() }
    }
}
