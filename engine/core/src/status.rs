//! The state of an endpoint on one shard, its counters, and what went wrong with it last, in words.

use std::borrow::Cow;

/// Bytes of a server's words that are kept: Redis' own are shorter, and what a peer sends may be as long as a frame.
const WORDS_LEN_MAX: usize = 512;
/// What stands behind words that were cut.
const CUT: &str = "…";

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

/// One connection of an endpoint on this shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    /// Its state.
    pub state: EndpointState,
    /// Since when (monotonic nanoseconds); 0 if it was never needed.
    pub since_ns: u64,
    /// Why it is not connected, or what ails it though it is.
    pub last_error: Option<LinkError>,
}

impl LaneStatus {
    /// Of a connection that nobody has needed.
    pub(crate) const NEVER_NEEDED: Self =
        Self { state: EndpointState::Disconnected, since_ns: 0, last_error: None };
}

/// The breaker of an endpoint's publish lane on one shard. Error replies that are the server's own fault, and reply
/// timeouts, count against it; failed connects never do, since the reconnect delay handles those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BreakerState {
    /// Messages flow.
    #[default]
    Closed = 0,
    /// One probe decides: a success closes it, a failure opens it again.
    HalfOpen = 1,
    /// Too many failures in a row: the endpoint counts as down for a while, and each route's `when_down` holds.
    Open = 2,
}

impl BreakerState {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }

    /// The state with this number; anything unknown is `Closed`.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::HalfOpen,
            2 => Self::Open,
            _ => Self::Closed,
        }
    }
}

/// Why a connection was lost or could not be had, or what ails one that is there. The text tells what happened and what to do about it.
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
    /// The peer does not speak the protocol as it should.
    Protocol(Cow<'static, str>),
    /// The server wants a password, or another one.
    Authentication(String),
    /// The user may not do what is needed.
    Permission(String),
    /// The server is a replica: a `PUBLISH` there would be lost in silence.
    Replica,
    /// The server has as many clients as it takes.
    MaxClients(String),
    /// The server is loading its data set. `PUBLISH` works meanwhile; commands on data do not.
    Loading(String),
    /// The server is a replica that has lost its primary: what is published there does not reach it.
    MasterDown(String),
    /// The server answers a `PING` with another error.
    Unhealthy(String),
    /// So many failures in a row opened the breaker; the last one's words.
    BreakerOpen {
        /// Failures in a row.
        failures: u32,
        /// What the last one was.
        last: String,
    },
    /// The server refused a command of the handshake.
    Refused(String),
    /// A Kafka broker cannot be reached where it advertises itself.
    Advertised {
        /// The broker's number.
        node: i32,
        /// Where it says it is.
        address: String,
        /// The bootstrap addresses that told of it.
        bootstrap: String,
        /// What happened there.
        cause: String,
    },
    /// A topic takes no messages, and why.
    Topic(String),
}

impl LinkError {
    /// Whether the server was reached and turned us away.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Authentication(_)
                | Self::Permission(_)
                | Self::Replica
                | Self::MaxClients(_)
                | Self::Loading(_)
                | Self::MasterDown(_)
                | Self::Unhealthy(_)
                | Self::BreakerOpen { .. }
                | Self::Refused(_)
                | Self::Topic(_)
        )
    }

    /// A stable name for programs, as the JSON of a status shows it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect-timeout",
            Self::ClosedByPeer => "closed-by-peer",
            Self::Socket(_) => "socket",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::ReplyTimeout => "reply-timeout",
            Self::Protocol(_) => "protocol",
            Self::Authentication(_) => "authentication",
            Self::Permission(_) => "permission",
            Self::Replica => "replica",
            Self::MaxClients(_) => "max-clients",
            Self::Loading(_) => "loading",
            Self::MasterDown(_) => "master-down",
            Self::Unhealthy(_) => "unhealthy",
            Self::BreakerOpen { .. } => "breaker-open",
            Self::Refused(_) => "refused",
            Self::Advertised { .. } => "advertised-listener",
            Self::Topic(_) => "topic",
        }
    }

    /// What an error reply to a `PING` says of the server; nothing if it only says that the user may not ask.
    pub(crate) fn from_ping(text: &[u8]) -> Option<Self> {
        let words = words(text);
        match code(text) {
            b"NOPERM" => None,
            b"LOADING" => Some(Self::Loading(words)),
            b"MASTERDOWN" => Some(Self::MasterDown(words)),
            _ => Some(Self::Unhealthy(words)),
        }
    }

    /// The class of an error reply to a command of the handshake.
    pub(crate) fn from_reply(text: &[u8]) -> Self {
        let words = words(text);
        match code(text) {
            b"NOAUTH" | b"WRONGPASS" => Self::Authentication(words),
            b"NOPERM" => Self::Permission(words),
            b"LOADING" => Self::Loading(words),
            b"MASTERDOWN" => Self::MasterDown(words),
            _ if words.contains("max number of clients") => Self::MaxClients(words),
            _ if words.contains("invalid password") || words.contains("without any password") => {
                Self::Authentication(words)
            }
            _ => Self::Refused(words),
        }
    }
}

/// As much of a server's text as [`words`] looks at: a byte more than it keeps tells it that there is more.
pub(crate) fn beginning(text: &[u8]) -> &[u8] {
    &text[..text.len().min(WORDS_LEN_MAX + 1)]
}

/// A server's text as a person reads it, cut between two characters if it is long.
pub(crate) fn words(text: &[u8]) -> String {
    if text.len() <= WORDS_LEN_MAX {
        return String::from_utf8_lossy(text).into_owned();
    }
    // A character goes on for three bytes at most; what goes on for longer is none.
    let begins = |at: &usize| text[*at] & 0b1100_0000 != 0b1000_0000;
    let end = (WORDS_LEN_MAX - 3..=WORDS_LEN_MAX).rev().find(begins).unwrap_or(WORDS_LEN_MAX);
    format!("{}{CUT}", String::from_utf8_lossy(&text[..end]))
}

/// The first word of an error reply, which is its class.
fn code(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// Whether an error reply says that the server is held up, whoever asks and whatever for.
pub(crate) fn is_for_now(text: &[u8]) -> bool {
    matches!(code(text), b"BUSY" | b"LOADING" | b"MASTERDOWN")
}

/// Whether an error reply to a message says that the server cannot serve for now. The others are the message's own
/// fault (its channel, its type), and say nothing about the next one.
pub(crate) fn is_servers_fault(text: &[u8]) -> bool {
    !matches!(code(text), b"NOPERM" | b"WRONGTYPE" | b"CROSSSLOT" | b"MOVED" | b"ASK")
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
                f.write_str("connected, but the greeting was not answered in time; is it the right kind of server, and does it run?")
            }
            Self::ReplyTimeout => f.write_str(
                "no answer within the reply timeout: the server or the network stands still; what was sent is unknown",
            ),
            Self::Protocol(words) => write!(f, "not the protocol that was expected: {words}; check the port"),
            Self::Authentication(words) => {
                write!(f, "authentication failed ({words}); set the user and password in the endpoint's url")
            }
            Self::Permission(words) => {
                write!(f, "no permission ({words}); grant it to the user with ACL SETUSER on the server")
            }
            Self::Replica => f.write_str(
                "the server is a replica, where a PUBLISH would be lost in silence; point the endpoint at the primary",
            ),
            Self::MaxClients(words) => {
                write!(f, "the server takes no more clients ({words}); raise its maxclients, or close other clients")
            }
            Self::Loading(words) => {
                write!(f, "the server is loading its data set ({words}); it is ready by itself when that is done")
            }
            Self::MasterDown(words) => write!(
                f,
                "the server is a replica without its primary ({words}); bring its replication link up, or point the \
                 endpoint elsewhere"
            ),
            Self::Unhealthy(words) => write!(f, "the server answers PING with an error: {words}"),
            Self::BreakerOpen { failures, last } => write!(
                f,
                "the breaker opened after {failures} failures in a row, the last one: {last}; it is tried again by \
                 itself"
            ),
            Self::Refused(words) => write!(f, "the server refused the connection: {words}"),
            Self::Advertised { node, address, bootstrap, cause } => write!(
                f,
                "broker {node} cannot be reached at {address}, where it advertises itself ({cause}), though \
                 {bootstrap} answered; set the broker's advertised.listeners to an address that is reachable from \
                 here"
            ),
            Self::Topic(words) => write!(f, "topic {words}"),
        }
    }
}

impl std::error::Error for LinkError {}

/// What one endpoint's connections on this shard have done since the start. All counts only grow, but for
/// `in_flight` and `in_flight_bytes`, which are the present.
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
    /// How often the breaker opened.
    pub breaker_trips: u64,
}

impl Counters {
    /// How many counts there are.
    pub const COUNT: usize = 12;

    /// The counts' names, in the order of [`Counters::values`].
    pub const NAMES: [&str; Self::COUNT] = [
        "accepted",
        "delivered",
        "not_sent",
        "unknown",
        "in_flight",
        "in_flight_bytes",
        "reconnects",
        "unfenced",
        "received",
        "dropped",
        "errors",
        "breaker_trips",
    ];

    /// The counts, in the order of [`Counters::NAMES`].
    pub fn values(&self) -> [u64; Self::COUNT] {
        [
            self.accepted,
            self.delivered,
            self.not_sent,
            self.unknown,
            self.in_flight,
            self.in_flight_bytes,
            self.reconnects,
            self.unfenced,
            self.received,
            self.dropped,
            self.errors,
            self.breaker_trips,
        ]
    }

    /// The counts from their values.
    pub fn from_values(values: [u64; Self::COUNT]) -> Self {
        let [
            accepted,
            delivered,
            not_sent,
            unknown,
            in_flight,
            in_flight_bytes,
            reconnects,
            unfenced,
            received,
            dropped,
            errors,
            breaker_trips,
        ] = values;
        Self {
            accepted,
            delivered,
            not_sent,
            unknown,
            in_flight,
            in_flight_bytes,
            reconnects,
            unfenced,
            received,
            dropped,
            errors,
            breaker_trips,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let (one, other) = (self.values(), other.values());
        Self::from_values(std::array::from_fn(|index| one[index] + other[index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_are_kept_up_to_a_length() {
        for (text, expected) in [
            ("ERR no".to_owned(), "ERR no".to_owned()),
            ("x".repeat(WORDS_LEN_MAX), "x".repeat(WORDS_LEN_MAX)),
            ("x".repeat(16 << 20), "x".repeat(WORDS_LEN_MAX) + CUT),
            ("é".repeat(WORDS_LEN_MAX), "é".repeat(WORDS_LEN_MAX / 2) + CUT),
            (
                "x".to_owned() + &"é".repeat(WORDS_LEN_MAX),
                "x".to_owned() + &"é".repeat(WORDS_LEN_MAX / 2 - 1) + CUT,
            ),
            ("x".to_owned() + &"🦀".repeat(200), "x".to_owned() + &"🦀".repeat(WORDS_LEN_MAX / 4 - 1) + CUT),
        ] {
            let text = text.as_bytes();
            assert_eq!((words(text), words(beginning(text))), (expected.clone(), expected));
        }
        // What is no UTF-8 is cut too, and takes up to three times as much.
        let nonsense = words(&[0x80; 4096]);
        assert_eq!(nonsense, "\u{fffd}".repeat(WORDS_LEN_MAX) + CUT);
    }
}
