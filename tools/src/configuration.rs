//! The configuration that a command runs with: from a file, the environment and the command line.
//!
//! ```text
//!  --config FILE, else RINGWIRE_CONFIG, else ./ringwire.toml if it is there      --redis URL, --kafka HOST: none of them
//!      └──► then RINGWIRE_… of the environment ──► then --set ──► Config
//! ```

use std::path::{Path, PathBuf};

use ringwire::config::Settings;
use ringwire::{Config, EndpointKind, Engine, IdleStrategy};

use crate::args::{ENDPOINT, KAFKA_ENDPOINT, Origin};
use crate::output::Failure;

/// The variable that names a configuration file.
const FILE_VARIABLE: &str = "RINGWIRE_CONFIG";
/// The file that is read where none is named.
const FILE_HERE: &str = "ringwire.toml";
/// A publisher's ring, in bytes, where no file says otherwise. The largest message is a quarter of it, 2 MiB: lines
/// are longer than quotes.
const RING_BYTES: usize = 8 << 20;
/// Up to here a shard that spins takes the core from the publisher, the server or the subscriber that it waits for.
const FEW_CORES: usize = 2;

/// The settings of a command, and where they came from.
pub(crate) struct Configuration {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
    /// What a shard does that finds nothing to do.
    pub(crate) idle: String,
    /// The endpoints, in their order.
    pub(crate) endpoints: Vec<Endpoint>,
}

/// An endpoint of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    /// Without user and password.
    pub(crate) address: String,
    pub(crate) kind: EndpointKind,
}

/// Whether [`FILE_HERE`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileHere {
    Read,
    /// It would lead a lot of made-up messages to a server that nobody named.
    Ignored,
}

impl Configuration {
    /// Reads the settings that `origin` leads to.
    ///
    /// # Errors
    /// What cannot be read or cannot be, in a line.
    pub(crate) fn load(origin: &Origin, here: FileHere) -> Result<Self, Failure> {
        let file = file_of(origin, here);
        let config = read(origin, file.as_deref()).map_err(Failure::usage)?;
        let endpoints = endpoints(&config)?;
        Ok(Self { idle: idle_of(&config), config, file, endpoints })
    }

    /// The same, with what a tool beside the application changes: one shard that is not pinned and sleeps when there
    /// is nothing to do, whatever the application's are. It must not take a core from it.
    pub(crate) fn quiet(mut self) -> Self {
        self.config = self.config.shards(1).idle(idle());
        self
    }

    /// Fails if there is no endpoint to go to.
    pub(crate) fn with_endpoint(self) -> Result<Self, Failure> {
        if !self.endpoints.is_empty() {
            return Ok(self);
        }
        let file = self.file.as_ref().map_or_else(String::new, |file| format!(" in {}", file.display()));
        Err(Failure::usage(format!(
            "there is no endpoint{file}: name a Redis with --redis URL, a Kafka with --kafka HOST:PORT, or configure one in {FILE_HERE} or with \
             --config FILE"
        )))
    }
}

/// What a shard does that finds nothing to do, where nobody says.
fn idle() -> IdleStrategy {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores <= FEW_CORES { IdleStrategy::Park } else { IdleStrategy::default() }
}

/// The value of `engine.idle`.
fn idle_of(config: &Config) -> String {
    let settings = config.to_toml();
    let value = settings.lines().find_map(|line| line.strip_prefix("idle = \""));
    value.and_then(|value| value.split('"').next()).unwrap_or_default().to_owned()
}

fn file_of(origin: &Origin, here: FileHere) -> Option<PathBuf> {
    if origin.redis.is_some() || origin.kafka.is_some() {
        return None;
    }
    let named = || std::env::var_os(FILE_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let found = || {
        let path = PathBuf::from(FILE_HERE);
        (here == FileHere::Read && path.exists()).then_some(path)
    };
    origin.file.clone().or_else(named).or_else(found)
}

fn read(origin: &Origin, file: Option<&Path>) -> Result<Config, String> {
    let words = |error: ringwire::ConfigError| error.to_string();
    let mut settings = Settings::new();
    settings = match file {
        Some(path) => settings.read_file(path).map_err(words)?,
        None => {
            let defaults = format!("[engine]\nring_bytes = {RING_BYTES}\nidle = \"{}\"\n", idle());
            settings.read_toml(&defaults, "the command's own defaults").map_err(words)?
        }
    };
    settings = settings.read_environment(std::env::vars_os()).map_err(words)?;
    if let Some(url) = &origin.redis {
        let path = format!("endpoint.{ENDPOINT}.url");
        settings = settings.set(&path, url.text()).map_err(words)?;
    }
    if let Some(brokers) = &origin.kafka {
        let path = format!("endpoint.{KAFKA_ENDPOINT}.bootstrap.servers");
        settings = settings.set(&path, brokers).map_err(words)?;
    }
    for assignment in &origin.assignments {
        settings = settings.assign(assignment).map_err(words)?;
    }
    settings.config().map_err(words)
}

/// An engine that nobody drives starts nothing, and names its endpoints.
fn endpoints(config: &Config) -> Result<Vec<Endpoint>, Failure> {
    let engine = Engine::start(config.clone().host_driven()).map_err(|error| match error {
        ringwire::StartError::Config(_) => Failure::usage(error.to_string()),
        _ => Failure::from(error.to_string()),
    })?;
    let named = |report: ringwire::EndpointReport| {
        let ringwire::EndpointReport { name, address, kind, .. } = report;
        Endpoint { name, address, kind }
    };
    Ok(engine.status().into_iter().map(named).collect())
}
