//! What became of messages at each endpoint, as the engine counted it.

use ringwire::{Counters, EndpointKind, EndpointReport, Engine};
use serde::Serialize;

use crate::latency::Percentiles;
use crate::running::KAFKA;
use crate::table::{self, grouped};

/// One endpoint that took messages.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) address: String,
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
    /// From the intended time to the acknowledgement, of what was delivered.
    pub(crate) latency_ns: Percentiles,
}

/// Those that took messages, in the order of the configuration.
pub(crate) fn all(engine: &Engine) -> Vec<Endpoint> {
    let of = |status: EndpointReport| {
        let Counters { accepted, delivered, not_sent, unknown, .. } = status.counters;
        let latencies = engine.latencies(&status.name);
        Endpoint {
            kind: if status.kind == EndpointKind::Kafka { KAFKA } else { "redis" },
            accepted,
            delivered,
            not_sent,
            unknown,
            latency_ns: latencies.map_or_else(Percentiles::default, |it| Percentiles::of(&it.from_intended)),
            name: status.name,
            address: status.address,
        }
    };
    engine.status().into_iter().map(of).filter(|it| it.accepted > 0).collect()
}

/// A line for each; empty where one has it all.
pub(crate) fn table(endpoints: &[Endpoint]) -> String {
    if endpoints.len() < 2 {
        return String::new();
    }
    let titles = ["endpoint", "", "accepted", "delivered", "not sent", "unknown", "p50", "p99"];
    let row = |it: &Endpoint| {
        let [accepted, delivered, not_sent, unknown] =
            [it.accepted, it.delivered, it.not_sent, it.unknown].map(grouped);
        let [p50, p99] = [it.latency_ns.p50, it.latency_ns.p99].map(table::latency);
        [it.name.clone(), it.kind.to_owned(), accepted, delivered, not_sent, unknown, p50, p99]
    };
    let rows: Vec<_> = std::iter::once(titles.map(str::to_owned)).chain(endpoints.iter().map(row)).collect();
    let lines = table::columns(&rows).into_iter().map(|line| format!("  {line}"));
    std::iter::once("\n".to_owned()).chain(lines).collect()
}
