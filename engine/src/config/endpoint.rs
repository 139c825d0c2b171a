//! One named endpoint, and which kind of server it is.

use std::fmt;

use super::kafka::Kafka;
use super::redis::Redis;

/// What kind of server an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointKind {
    /// A Redis: messages go out by `PUBLISH`, and subscriptions are heard there.
    Redis,
    /// A Kafka: messages become records of topics.
    Kafka,
}

impl EndpointKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Kafka => "Kafka",
        }
    }

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Redis => Self::Kafka,
            Self::Kafka => Self::Redis,
        }
    }
}

impl fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One named server.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) server: Server,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them, at the start")]
pub(crate) enum Server {
    Redis(Redis),
    Kafka(Kafka),
}

impl Endpoint {
    pub(crate) fn kind(&self) -> EndpointKind {
        match self.server {
            Server::Redis(_) => EndpointKind::Redis,
            Server::Kafka(_) => EndpointKind::Kafka,
        }
    }

    /// Where it is, for a status: the URL without user and password.
    pub(crate) fn address(&self) -> String {
        match &self.server {
            Server::Redis(redis) => redis.location.to_string(),
            Server::Kafka(kafka) => kafka.url(),
        }
    }
}
