//! How endpoints are, as C reads it.

use std::ffi::{c_char, c_int};
use std::time::Duration;

use hdrhistogram::Histogram;
use ringwire::{Counters, EndpointReport, Engine, Latencies};

use crate::boundary::Slots;
use crate::code::{Code, NOT_FOUND};
use crate::text::{array, fail};

/// `rw_counters`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct rw_counters {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
    pub(crate) in_flight: u64,
    pub(crate) in_flight_bytes: u64,
    pub(crate) reconnects: u64,
    pub(crate) unfenced: u64,
    pub(crate) received: u64,
    pub(crate) dropped: u64,
    pub(crate) errors: u64,
    pub(crate) breaker_trips: u64,
}

impl From<&Counters> for rw_counters {
    fn from(counters: &Counters) -> Self {
        Self {
            accepted: counters.accepted,
            delivered: counters.delivered,
            not_sent: counters.not_sent,
            unknown: counters.unknown,
            in_flight: counters.in_flight,
            in_flight_bytes: counters.in_flight_bytes,
            reconnects: counters.reconnects,
            unfenced: counters.unfenced,
            received: counters.received,
            dropped: counters.dropped,
            errors: counters.errors,
            breaker_trips: counters.breaker_trips,
        }
    }
}

/// `rw_endpoint_status`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct rw_endpoint_status {
    pub(crate) name: [c_char; 72],
    pub(crate) address: [c_char; 256],
    pub(crate) error: [c_char; 512],
    pub(crate) publish: u32,
    pub(crate) subscribe: u32,
    pub(crate) breaker: u32,
    pub(crate) reserved: u32,
    pub(crate) publish_since_ns: u64,
    pub(crate) subscribe_since_ns: u64,
    pub(crate) oldest_ns: u64,
    pub(crate) counters: rw_counters,
}

impl From<&EndpointReport> for rw_endpoint_status {
    fn from(report: &EndpointReport) -> Self {
        let error = report.last_error().map_or_else(String::new, ToString::to_string);
        Self {
            name: array(&report.name),
            address: array(&report.address),
            error: array(&error),
            publish: report.publish.state as u32,
            subscribe: report.subscribe.state as u32,
            breaker: report.breaker as u32,
            reserved: 0,
            publish_since_ns: ns(report.publish.since),
            subscribe_since_ns: ns(report.subscribe.since),
            oldest_ns: report.oldest_unanswered.map_or(0, |age| ns(age).max(1)),
            counters: (&report.counters).into(),
        }
    }
}

/// `rw_latency`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct rw_latency {
    pub(crate) count: u64,
    pub(crate) mean_ns: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
}

impl From<&Histogram<u64>> for rw_latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            count: histogram.len(),
            mean_ns: histogram.mean() as u64,
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes as many endpoints as there is room for, and answers how many there are.
pub(crate) fn write(engine: &Engine, slots: &mut Slots<'_, rw_endpoint_status>) -> Result<c_int, Code> {
    let endpoints = engine.status();
    for endpoint in endpoints.iter().take(slots.left()) {
        slots.push(endpoint.into());
    }
    Ok(c_int::try_from(endpoints.len()).unwrap_or(c_int::MAX))
}

/// The counts of one endpoint, or of the bus.
pub(crate) fn counters(engine: &Engine, endpoint: Option<&str>) -> Result<rw_counters, Code> {
    let Some(name) = endpoint else { return Ok((&engine.bus_counters()).into()) };
    let endpoints = engine.status();
    let found = endpoints.iter().find(|endpoint| endpoint.name == name);
    found.map(|endpoint| (&endpoint.counters).into()).ok_or_else(|| unknown(name))
}

/// The latencies of one endpoint.
pub(crate) fn latencies(engine: &Engine, endpoint: &str) -> Result<Latencies, Code> {
    engine.latencies(endpoint).ok_or_else(|| unknown(endpoint))
}

fn unknown(name: &str) -> Code {
    fail(NOT_FOUND, format_args!("no endpoint is called `{name}`"))
}
