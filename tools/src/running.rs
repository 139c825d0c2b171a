//! The engine of a command: connected to what the configuration names, or to a server that the command brings.

use std::fmt::Display;
use std::time::Duration;

use ringwire::{EndpointKind, EndpointReport, EndpointState, Engine, LinkError};
use ringwire_loopback::front::{self, KafkaFront, KafkaOptions, RedisFront};
use ringwire_loopback::redis::Options;

use crate::args::{ENDPOINT, Origin};
use crate::configuration::{Configuration, Endpoint, FileHere};
use crate::output::{Failure, complain};
use crate::stop::Stop;

/// How a Kafka is called, and the key of its address in JSON.
pub(crate) const KAFKA: &str = "kafka";
/// How a server is shown that the command brings.
const EMBEDDED: &str = "embedded";
/// How soon a wait for the connections notices a signal.
const LOOK_FOR_STOP_EVERY: Duration = Duration::from_millis(50);

/// A server inside this process.
enum Embedded {
    Redis { _front: RedisFront },
    Kafka { _front: KafkaFront },
}

/// An engine, and the embedded server if that is its endpoint.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    /// The servers, for the table; without passwords.
    pub(crate) shown: String,
    /// What kind of servers they are, in a word.
    pub(crate) label: &'static str,
    pub(crate) idle: String,
    pub(crate) cores: usize,
    /// Stops when it is dropped: after the engine, which is declared before it.
    embedded: Option<Embedded>,
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
        Ok(running.embedding(Embedded::Redis { _front: front }))
    }

    /// Starts the engine with the embedded Kafka, and whatever else the environment and `origin` say.
    ///
    /// # Errors
    /// What the system or the configuration refused, in words.
    pub(crate) fn start_with_kafka(origin: &Origin) -> Result<Self, Failure> {
        let front = front::spawn_kafka("127.0.0.1:0", KafkaOptions::default())
            .map_err(|error| format!("the embedded Kafka cannot listen on 127.0.0.1: {error}"))?;
        let origin = Origin { kafka: Some(front.bootstrap()), ..origin.clone() };
        let running = Self::start(Configuration::load(&origin, FileHere::Ignored)?)?;
        Ok(running.embedding(Embedded::Kafka { _front: front }))
    }

    fn embedding(self, server: Embedded) -> Self {
        Self { shown: EMBEDDED.to_owned(), embedded: Some(server), ..self }
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
        Ok(Self { engine, shown, label, idle: configuration.idle, cores, embedded: None })
    }

    /// Whether messages go nowhere but to a server inside this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Waits until the channels and subscriptions that were opened have their connections; if some have none in time, that
    /// is said, and the others go on.
    ///
    /// # Errors
    /// None has one: what the endpoint said last, in words.
    pub(crate) fn wait_ready(&self, timeout: Duration, stop: &Stop) -> Result<(), Failure> {
        let mut left = timeout;
        while !self.engine.wait_ready(left.min(LOOK_FOR_STOP_EVERY)) {
            if stop.is_asked() {
                return Err(Failure::from("stopped by a signal before there was a connection".to_owned()));
            }
            left = left.saturating_sub(LOOK_FOR_STOP_EVERY);
            if self.engine.failure().is_some() {
                return Err(Failure::from(self.not_connected(timeout)));
            }
            if left.is_zero() {
                let states: Vec<_> = self.engine.status().iter().map(EndpointReport::state).collect();
                let (up, unused) = (EndpointState::Connected, EndpointState::Disconnected);
                let is_down = |state: &EndpointState| ![up, unused].contains(state);
                if !states.contains(&up) || !states.iter().any(is_down) {
                    return Err(Failure::from(self.not_connected(timeout)));
                }
                // A dead destination costs the others nothing.
                complain(format_args!("{}; the others do not wait for it", self.not_connected(timeout)));
                return Ok(());
            }
        }
        Ok(())
    }

    /// That there was no connection in time, and why.
    pub(crate) fn not_connected(&self, timeout: Duration) -> String {
        let why = self.trouble().unwrap_or_else(|| "there was no answer yet".to_owned());
        let missing = self.engine.status().into_iter().find(|it| it.state() != EndpointState::Connected);
        let place = match (&self.embedded, missing) {
            (Some(Embedded::Redis { .. }), _) => "the embedded Redis".to_owned(),
            (Some(Embedded::Kafka { .. }), _) => "the embedded Kafka".to_owned(),
            (None, Some(endpoint)) => endpoint.address,
            (None, None) => self.shown.clone(),
        };
        let has_topic_trouble = |it: &EndpointReport| matches!(it.last_error(), Some(LinkError::Topic(_)));
        if self.engine.status().iter().any(has_topic_trouble) {
            return format!("{place} was not ready within {} s: {why}", timeout.as_secs_f64());
        }
        format!("no connection to {place} within {} s: {why}", timeout.as_secs_f64())
    }

    /// What went wrong last, if something did: a shard's failure, or an endpoint's error.
    pub(crate) fn trouble(&self) -> Option<String> {
        let endpoints = self.engine.status();
        let words = |it: &EndpointReport| {
            let error = it.last_error()?;
            Some(if endpoints.len() > 1 { format!("{}: {error}", it.name) } else { error.to_string() })
        };
        let endpoint_error = || endpoints.iter().find_map(words);
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
