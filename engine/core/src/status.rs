//! The state of an endpoint on one shard, its counters, and what went wrong with it last, in words.

use std::borrow::Cow;

/// The state of one connection of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndpointState {
    /// Nobody has needed it yet.
    #[default]
    Disconnected = 0,
    /// The first attempt is on its way.
    Connecting = 1,
    /// Ready for messages.
    Connected = 2,
    /// It was lost, or could not be had yet: the next attempt is on its way or waits for its time.
    Reconnecting = 3,
    /// The last attempt reached the server and was turned away (wrong password, no permission, wrong kind of
    /// server). It is still tried again, since such things are mended on the server; the error says what to do.
    Failed = 4,
}

impl EndpointState {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Failed => "failed",
        }
    }

    /// The state with this number; anything unknown is `Disconnected`.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Connecting,
            2 => Self::Connected,
            3 => Self::Reconnecting,
            4 => Self::Failed,
            _ => Self::Disconnected,
        }
    }
}

/// Why a connection was lost or could not be had. The text tells what happened and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// The address could not be resolved or reached; the driver's words.
    Connect(String),
    /// No answer to the connect within the timeout.
    ConnectTimeout,
    /// The peer closed the connection.
    ClosedByPeer,
    /// The socket failed; the driver's words.
    Socket(String),
    /// The handshake was not finished within the timeout.
    HandshakeTimeout,
    /// The oldest command has waited longer than the reply timeout.
    ReplyTimeout,
    /// The peer does not speak RESP as it should.
    Protocol(Cow<'static, str>),
    /// The server wants a password, or another one.
    Authentication(String),
    /// The user may not do what is needed.
    Permission(String),
    /// The server is a replica: a `PUBLISH` there would be lost in silence.
    Replica,
    /// The server refused a command of the handshake.
    Refused(String),
}

impl LinkError {
    /// Whether the server was reached and turned us away.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Authentication(_) | Self::Permission(_) | Self::Replica | Self::Refused(_))
    }

    /// The class of an error reply to a command of the handshake.
    pub(crate) fn from_reply(text: &[u8]) -> Self {
        let words = String::from_utf8_lossy(text).into_owned();
        match text.split(|byte| *byte == b' ').next().unwrap_or_default() {
            b"NOAUTH" | b"WRONGPASS" => Self::Authentication(words),
            b"NOPERM" => Self::Permission(words),
            _ if words.contains("invalid password") || words.contains("without any password") => {
                Self::Authentication(words)
            }
            _ => Self::Refused(words),
        }
    }
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect(words) => write!(f, "cannot connect: {words}; check the address, and that the server is up"),
            Self::ConnectTimeout => {
                f.write_str("no answer to the connect in time; check the address, routes and firewalls")
            }
            Self::ClosedByPeer => f.write_str("the server closed the connection; its log says why"),
            Self::Socket(words) => write!(f, "the connection failed: {words}"),
            Self::HandshakeTimeout => {
                f.write_str("connected, but the greeting was not answered in time; is it a Redis, and does it run?")
            }
            Self::ReplyTimeout => f.write_str(
                "no answer within the reply timeout: the server or the network stands still; what was sent is unknown",
            ),
            Self::Protocol(words) => write!(f, "not the protocol of a Redis server: {words}; check the port"),
            Self::Authentication(words) => {
                write!(f, "authentication failed ({words}); set the user and password in the endpoint's url")
            }
            Self::Permission(words) => {
                write!(f, "no permission ({words}); grant it to the user with ACL SETUSER on the server")
            }
            Self::Replica => f.write_str(
                "the server is a replica, where a PUBLISH would be lost in silence; point the endpoint at the primary",
            ),
            Self::Refused(words) => write!(f, "the server refused the connection: {words}"),
        }
    }
}

impl std::error::Error for LinkError {}

/// What one endpoint's connections on this shard have done since the start. All counts only grow, but for
/// `in_flight`, `in_flight_bytes` and `buffered_bytes`, which are the present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that a leg to this endpoint took from a ring.
    pub accepted: u64,
    /// Outcomes *delivered*.
    pub delivered: u64,
    /// Outcomes *not sent*.
    pub not_sent: u64,
    /// Outcomes *unknown*.
    pub unknown: u64,
    /// Messages without an outcome yet.
    pub in_flight: u64,
    /// Bytes charged for them.
    pub in_flight_bytes: u64,
    /// Connections that were established after the first, both roles together.
    pub reconnects: u64,
    /// Old connections with unanswered commands that the new one could not kill (no permission, or the server
    /// has no `CLIENT KILL` or `CLIENT INFO`): what was left in them may execute late.
    pub unfenced: u64,
    /// Messages that subscriptions received from this endpoint.
    pub received: u64,
    /// Messages that no subscriber ring had room for.
    pub dropped: u64,
    /// Error replies to messages.
    pub errors: u64,
}

impl Counters {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            delivered: self.delivered + other.delivered,
            not_sent: self.not_sent + other.not_sent,
            unknown: self.unknown + other.unknown,
            in_flight: self.in_flight + other.in_flight,
            in_flight_bytes: self.in_flight_bytes + other.in_flight_bytes,
            reconnects: self.reconnects + other.reconnects,
            unfenced: self.unfenced + other.unfenced,
            received: self.received + other.received,
            dropped: self.dropped + other.dropped,
            errors: self.errors + other.errors,
        }
    }
}
