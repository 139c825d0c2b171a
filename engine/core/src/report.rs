//! What became of a message: one [`Report`] for each accepted (message, leg).
//!
//! ```text
//! accepted ──► delivered   the endpoint said that it executed the command
//!         ├──► not sent    it was not executed, and never will be
//!         └──► unknown     its last byte was handed to the network and no answer came
//! ```

/// What became of one (message, leg). There is exactly one for each that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// The endpoint answered that it executed the command. For `PUBLISH` the detail holds the receivers.
    Delivered = 0,
    /// The endpoint did not execute the command and never will.
    NotSent = 1,
    /// The command was handed to the network whole, and the answer never came: executed once, or not at all.
    Unknown = 2,
}

impl Outcome {
    /// The outcome's name, as reports and tables print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::NotSent => "not sent",
            Self::Unknown => "unknown",
        }
    }
}

/// Why an outcome is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Nothing went wrong.
    None = 0,
    /// The endpoint was not connected, and the route's `when_down` is `reject`.
    NotConnected = 1,
    /// The endpoint was not connected, and the route's `when_down` is `drop`.
    Dropped = 2,
    /// The connection was lost between the command's last byte and its answer, or before that byte.
    ConnectionLost = 3,
    /// The endpoint answered with an error; the report's detail holds its first 16 bytes.
    ServerError = 4,
    /// The shutdown deadline passed first.
    Shutdown = 5,
    /// The endpoint's breaker was open.
    BreakerOpen = 6,
    /// A Kafka broker answered with an error: [`Report::broker_error`] has it.
    BrokerError = 7,
    /// `delivery.timeout.ms` passed first.
    Expired = 8,
    /// The message is larger than `max.request.size` allows.
    TooLarge = 9,
    /// The partition that was asked for, or that the partitioner chose, is none of the topic's.
    NoPartition = 10,
    /// The broker no longer knows what this producer wrote: its topic was made anew, or its log was lost.
    StateLost = 11,
    /// The endpoint does not acknowledge (`acks=0`).
    NotAcknowledged = 12,
}

impl Reason {
    /// The reason in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::NotConnected => "the endpoint was not connected and its route rejects meanwhile",
            Self::Dropped => "the endpoint was not connected and its route drops meanwhile",
            Self::ConnectionLost => "the connection was lost",
            Self::ServerError => "the server answered with an error",
            Self::Shutdown => "the shutdown deadline passed",
            Self::BreakerOpen => "the endpoint's breaker was open, after too many failures in a row",
            Self::BrokerError => "the broker answered with an error",
            Self::Expired => "it could not be delivered within delivery.timeout.ms",
            Self::TooLarge => "it is larger than max.request.size or batch limits allow",
            Self::NoPartition => "the topic has no such partition",
            Self::StateLost => "the broker lost its record of what this producer wrote",
            Self::NotAcknowledged => "the endpoint does not acknowledge (acks=0)",
        }
    }
}

/// One outcome, as the publisher's report ring carries it: 64 bytes, one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Report {
    /// The sequence that `publish` answered: dense per publisher, from 0.
    pub sequence: u64,
    /// The user's tag, as it was given to `publish`.
    pub tag: u64,
    /// When the message was meant to be sent (the user's own figure; 0 where none was given).
    pub intended_ns: u64,
    /// When the shard learnt the outcome: monotonic nanoseconds, read once per duty cycle.
    pub at_ns: u64,
    /// The broker's timestamp in milliseconds since 1970; 0 where there is none (Redis pub/sub).
    pub broker_timestamp_ms: i64,
    /// Receivers of a `PUBLISH` (the first 8 bytes, little-endian), or the first bytes of the server's error.
    pub detail: [u8; 16],
    /// The channel's index within its engine.
    pub channel: u32,
    /// Which of the channel's legs this outcome belongs to.
    pub leg: u8,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Keeps the layout explicit; always 0.
    pub reserved: u8,
}

const _: () = assert!(size_of::<Report>() == 64);

impl Default for Report {
    /// What fills a report ring before its first report: no message at all.
    fn default() -> Self {
        Self {
            sequence: 0,
            tag: 0,
            intended_ns: 0,
            at_ns: 0,
            broker_timestamp_ms: 0,
            detail: [0; 16],
            channel: 0,
            leg: 0,
            outcome: Outcome::NotSent,
            reason: Reason::None,
            reserved: 0,
        }
    }
}

impl Report {
    /// How many subscriptions the server counted for a delivered `PUBLISH` on its own node (a channel and a
    /// pattern that both match count 2), or how many local subscriptions took the message.
    pub fn receivers(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.detail[..8]);
        u64::from_le_bytes(bytes)
    }

    /// Where a Kafka broker put a delivered message: partition and offset. The offset is -1 where the broker only
    /// says that it had the message already.
    pub fn position(&self) -> (i32, i64) {
        let mut partition = [0; 4];
        partition.copy_from_slice(&self.detail[..4]);
        let mut offset = [0; 8];
        offset.copy_from_slice(&self.detail[8..]);
        (i32::from_le_bytes(partition), i64::from_le_bytes(offset))
    }

    /// The error of a Kafka broker, where the reason is [`Reason::BrokerError`]. Where a message waited for too long
    /// ([`Reason::Expired`], [`Reason::Shutdown`]): what its broker answered last, or 0.
    pub fn broker_error(&self) -> ringwire_codec::kafka::ErrorCode {
        ringwire_codec::kafka::ErrorCode(i16::from_le_bytes([self.detail[0], self.detail[1]]))
    }

    /// The start of the server's error text, where the reason is [`Reason::ServerError`].
    pub fn error_text(&self) -> &[u8] {
        let len = self.detail.iter().position(|byte| *byte == 0).unwrap_or(self.detail.len());
        &self.detail[..len]
    }
}

/// The detail of a delivered `PUBLISH`.
pub(crate) fn receivers_detail(receivers: u64) -> [u8; 16] {
    let mut detail = [0; 16];
    detail[..8].copy_from_slice(&receivers.to_le_bytes());
    detail
}

/// The detail of a refusal by the server: as much of its text as fits.
pub(crate) fn error_detail(text: &[u8]) -> [u8; 16] {
    let mut detail = [0; 16];
    let len = text.len().min(detail.len());
    detail[..len].copy_from_slice(&text[..len]);
    detail
}

/// The detail of a record that a Kafka broker has appended.
#[inline]
pub(crate) fn position_detail(partition: u32, offset: i64) -> [u8; 16] {
    let mut detail = [0; 16];
    detail[..4].copy_from_slice(&partition.to_le_bytes());
    detail[8..].copy_from_slice(&offset.to_le_bytes());
    detail
}

/// The detail of what waited for too long: what the broker answered last.
pub(crate) fn last_error_detail(code: Option<ringwire_codec::kafka::ErrorCode>) -> [u8; 16] {
    code.map_or([0; 16], broker_error_detail)
}

/// The detail of an error of a Kafka broker.
pub(crate) fn broker_error_detail(code: ringwire_codec::kafka::ErrorCode) -> [u8; 16] {
    let mut detail = [0; 16];
    detail[..2].copy_from_slice(&code.0.to_le_bytes());
    detail
}
