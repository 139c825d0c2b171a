//! `ringwire status`: connects to every endpoint, and says how each stands.

use std::time::Duration;

use ringwire::{EndpointKind, EndpointReport, EndpointState, Health, LaneReport};
use serde::Serialize;

use crate::args::Status;
use crate::configuration::{Configuration, FileHere};
use crate::output::{Failure, Summary};
use crate::running::Running;
use crate::stop::Stop;
use crate::table;

/// What stands in a column that means nothing for an endpoint.
const NONE: &str = "-";

/// How the endpoints stand.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StatusSummary {
    /// Whether every endpoint is connected and well.
    well: bool,
    /// The engine's own word for it; nothing if it never ran.
    health: Option<&'static str>,
    /// The configuration file, if one was read.
    file: Option<String>,
    endpoints: Vec<Endpoint>,
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    name: String,
    address: String,
    well: bool,
    publish: Lane,
    /// A Kafka has neither.
    subscribe: Option<Lane>,
    breaker: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Lane {
    state: &'static str,
    #[serde(skip)]
    since: Duration,
    since_ms: u64,
    error: Option<Error>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Error {
    /// A name for programs.
    code: &'static str,
    text: String,
}

/// Connects, waits, and looks.
pub(crate) fn run(plan: &Status) -> StatusSummary {
    let mut summary = StatusSummary::default();
    summary.error = try_run(plan, &mut summary).err();
    summary
}

fn try_run(plan: &Status, summary: &mut StatusSummary) -> Result<(), Failure> {
    let configuration = Configuration::load(&plan.origin, FileHere::Read)?;
    summary.file = configuration.file.as_ref().map(|file| file.display().to_string());
    let configuration = configuration.with_endpoint()?.quiet();
    let stop = Stop::listen()?;
    let running = Running::start(configuration)?;
    running.engine.connect();
    // What is not connected by then stands in the table.
    let is_connected = running.wait_ready(plan.timeout, &stop).is_ok();
    let health = running.engine.health();
    summary.health = Some(health.name());
    summary.endpoints = running.engine.status().into_iter().map(Endpoint::new).collect();
    summary.well =
        is_connected && health == Health::Healthy && summary.endpoints.iter().all(|endpoint| endpoint.well);
    if summary.well {
        return Ok(());
    }
    if let Some(failure) = running.engine.failure() {
        return Err(format!("a shard failed: {failure}").into());
    }
    let unwell = summary.endpoints.iter().filter(|it| !it.well).map(|it| it.name.as_str());
    Err(format!("not connected, or not well: {}", unwell.collect::<Vec<_>>().join(", ")).into())
}

impl Endpoint {
    fn new(report: EndpointReport) -> Self {
        let is_well = |lane: &LaneReport| lane.state == EndpointState::Connected && lane.last_error.is_none();
        let is_redis = report.kind == EndpointKind::Redis;
        Self {
            well: is_well(&report.publish) && (!is_redis || is_well(&report.subscribe)),
            publish: Lane::new(&report.publish),
            subscribe: is_redis.then(|| Lane::new(&report.subscribe)),
            breaker: is_redis.then(|| report.breaker.name()),
            name: report.name,
            address: report.address,
        }
    }

    /// What is wrong, each thing once.
    fn errors(&self) -> Vec<&str> {
        let texts = [Some(&self.publish), self.subscribe.as_ref()].map(|lane| lane?.error.as_ref());
        let mut texts: Vec<&str> = texts.into_iter().flatten().map(|error| error.text.as_str()).collect();
        texts.dedup();
        texts
    }
}

impl Lane {
    fn new(report: &LaneReport) -> Self {
        Self {
            state: report.state.name(),
            since: report.since,
            since_ms: u64::try_from(report.since.as_millis()).unwrap_or(u64::MAX),
            error: report
                .last_error
                .as_ref()
                .map(|error| Error { code: error.code(), text: error.to_string() }),
        }
    }

    fn cell(&self) -> String {
        let since_ns = u64::try_from(self.since.as_nanos()).unwrap_or(u64::MAX);
        format!("{} ({})", self.state, table::duration(since_ns))
    }
}

impl Summary for StatusSummary {
    fn table(&self) -> String {
        if self.endpoints.is_empty() {
            return String::new();
        }
        let mut text = String::new();
        if let Some(file) = &self.file {
            text += &format!("configuration: {file}\n");
        }
        let titles = ["ENDPOINT", "ADDRESS", "PUBLISH", "SUBSCRIBE", "BREAKER"].map(str::to_owned);
        let cells = |it: &Endpoint| {
            let subscribe = it.subscribe.as_ref().map_or_else(|| NONE.to_owned(), Lane::cell);
            let breaker = it.breaker.unwrap_or(NONE).to_owned();
            [it.name.clone(), it.address.clone(), it.publish.cell(), subscribe, breaker]
        };
        let rows: Vec<_> = std::iter::once(titles).chain(self.endpoints.iter().map(cells)).collect();
        let mut lines = table::columns(&rows).into_iter();
        text += &lines.next().unwrap_or_default();
        for (endpoint, line) in self.endpoints.iter().zip(lines) {
            text += &line;
            for error in endpoint.errors() {
                text += &format!("  {error}\n");
            }
        }
        text
    }

    fn failure(&self) -> Option<&Failure> {
        self.error.as_ref()
    }
}
