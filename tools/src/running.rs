//! The engine of a command: connected to what the configuration names, or to the Redis that the command brings.

use std::fmt::Display;
use std::time::Duration;

use ringwire::{EndpointKind, EndpointState, Engine};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;

use crate::args::ENDPOINT;
use crate::configuration::{Configuration, Endpoint};
use crate::output::Failure;
use crate::stop::Stop;

/// How a Kafka is called, and the key of its address in JSON.
pub(crate) const KAFKA: &str = "kafka";
/// How the embedded Redis is shown.
const EMBEDDED: &str = "embedded";
/// How soon a wait for the connections notices a signal.
const LOOK_FOR_STOP_EVERY: Duration = Duration::from_millis(50);

/// An engine, and the embedded Redis if that is its endpoint.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    /// The servers, for the table; without passwords.
    pub(crate) shown: String,
    /// What kind of servers they are, in a word.
    pub(crate) label: &'static str,
    pub(crate) idle: String,
    pub(crate) cores: usize,
    /// Stops when it is dropped: after the engine, which is declared before it.
    front: Option<RedisFront>,
}

impl Running {
    /// Starts the engine; where no endpoint is configured, with the embedded Redis.
    ///
    /// # Errors
    /// What the system refused, in words.
    pub(crate) fn start_somewhere(configuration: Configuration) -> Result<Self, Failure> {
        if !configuration.endpoints.is_empty() {
            return Self::start(configuration);
        }
        let front = front::spawn("127.0.0.1:0", Options::default())
            .map_err(|error| format!("the embedded Redis cannot listen on 127.0.0.1: {error}"))?;
        let config = configuration.config.redis(ENDPOINT, &front.url());
        let config = config.map_err(|error| error.to_string())?;
        let running = Self::start(Configuration { config, ..configuration })?;
        Ok(Self { shown: EMBEDDED.to_owned(), front: Some(front), ..running })
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// What the system refused, in words.
    pub(crate) fn start(configuration: Configuration) -> Result<Self, Failure> {
        let shown = shown(&configuration.endpoints);
        let label = label(&configuration.endpoints);
        let engine = Engine::start(configuration.config).map_err(|error| error.to_string())?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { engine, shown, label, idle: configuration.idle, cores, front: None })
    }

    /// Whether messages go nowhere but to the Redis inside this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.front.is_some()
    }

    /// Waits until the channels and subscriptions that were opened have their connections.
    ///
    /// # Errors
    /// What the endpoint said last, in words.
    pub(crate) fn wait_ready(&self, timeout: Duration, stop: &Stop) -> Result<(), Failure> {
        let mut left = timeout;
        while !self.engine.wait_ready(left.min(LOOK_FOR_STOP_EVERY)) {
            if stop.is_asked() {
                return Err(Failure::from("stopped by a signal before there was a connection".to_owned()));
            }
            left = left.saturating_sub(LOOK_FOR_STOP_EVERY);
            if left.is_zero() || self.engine.failure().is_some() {
                return Err(Failure::from(self.not_connected(timeout)));
            }
        }
        Ok(())
    }

    /// That there was no connection in time, and why.
    pub(crate) fn not_connected(&self, timeout: Duration) -> String {
        let why = self.trouble().unwrap_or_else(|| "there was no answer yet".to_owned());
        let missing = self.engine.status().into_iter().find(|it| it.state() != EndpointState::Connected);
        let place = match missing {
            _ if self.is_embedded() => "the embedded Redis".to_owned(),
            Some(endpoint) => endpoint.address,
            None => self.shown.clone(),
        };
        format!("no connection to {place} within {} s: {why}", timeout.as_secs_f64())
    }

    /// What went wrong last, if something did: a shard's failure, or an endpoint's error.
    pub(crate) fn trouble(&self) -> Option<String> {
        let endpoint_error = || {
            self.engine.status().into_iter().find_map(|status| status.last_error().map(ToString::to_string))
        };
        self.engine.failure().map(|failure| format!("a shard failed: {failure}")).or_else(endpoint_error)
    }

    /// What hosts the shards, in words.
    pub(crate) fn hosted_by(&self) -> String {
        self.engine.hosted_by().join("; ")
    }

    /// The circumstances of a measurement, in one line.
    pub(crate) fn conditions(&self, pace: &impl Display) -> String {
        let Self { shown, label, idle, cores, .. } = self;
        format!("{label}: {shown}  shard: {}  idle: {idle}  rate: {pace}  cores: {cores}", self.hosted_by())
    }
}

fn label(endpoints: &[Endpoint]) -> &'static str {
    let all = |kind| endpoints.iter().all(|endpoint| endpoint.kind == kind);
    match endpoints {
        _ if all(EndpointKind::Redis) => "redis",
        _ if all(EndpointKind::Kafka) => KAFKA,
        _ => "endpoints",
    }
}

/// The addresses alone where they say it all.
fn shown(endpoints: &[Endpoint]) -> String {
    if let [endpoint] = endpoints {
        return endpoint.address.clone();
    }
    let named = endpoints.iter().map(|endpoint| format!("{} {}", endpoint.name, endpoint.address));
    named.collect::<Vec<_>>().join(", ")
}
