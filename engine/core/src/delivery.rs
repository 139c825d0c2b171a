//! The delivery: one event on its way from the core to a subscriber's ring.
//!
//! ```text
//!  0             4      5        8               16               24
//!  ├─────────────┼──────┼────────┼───────────────┼────────────────┼───────────────────┐
//!  │subscription │kind  │gap     │channel_len u32│ received_ns    │ lost u64          │ channel │ payload …
//!  └─────────────┴──────┴────────┴───────────────┴────────────────┴───────────────────┘
//! ```

/// Bytes of an encoded delivery before the channel's name.
pub const DELIVERY_HEAD_LEN: usize = 28;

/// Why messages may be missing before the next one of a subscription. Several may hold at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GapReason(u8);

impl GapReason {
    /// Nothing is missing.
    pub const NONE: Self = Self(0);
    /// The connection was lost and the subscription was made again: what was published meanwhile is missing.
    pub const RECONNECTED: Self = Self(1);
    /// The subscriber's ring was full: `lost` messages were dropped.
    pub const RING_FULL: Self = Self(2);
    /// A message was larger than the subscriber's ring takes: it is counted in `lost`.
    pub const TOO_LONG: Self = Self(4);
    /// The server ended the subscription by itself and it was made again.
    pub const UNSUBSCRIBED: Self = Self(8);

    /// Whether nothing is missing.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether `other`'s reasons are among these.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These reasons and `other`'s.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::fmt::Display for GapReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [
            (Self::RECONNECTED, "reconnected"),
            (Self::RING_FULL, "subscriber ring full"),
            (Self::TOO_LONG, "message too long for the subscriber ring"),
            (Self::UNSUBSCRIBED, "unsubscribed by the server"),
        ];
        let mut first = true;
        for (reason, name) in names {
            if self.contains(reason) {
                if !first {
                    f.write_str(", ")?;
                }
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("none") } else { Ok(()) }
    }
}

/// What a subscriber is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message that was published on a channel that the subscription matches.
    Message {
        /// The channel on which it was published (a pattern matches many).
        channel: &'a [u8],
        /// The message.
        payload: &'a [u8],
    },
    /// The subscription is in force for the first time: messages published from now on arrive.
    Subscribed,
    /// Messages may be missing between the last one before this and the next one after it.
    Gap {
        /// Why.
        reason: GapReason,
        /// How many are known to be missing; 0 where only the server could know.
        lost: u64,
    },
    /// The server refuses the subscription. It is asked again until it agrees or the subscription is dropped.
    Refused {
        /// The server's own words.
        error: &'a [u8],
    },
}

/// One event of one subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The subscription's number within its engine.
    pub subscription: u32,
    /// When the shard saw it, in monotonic nanoseconds (read once per duty cycle).
    pub received_ns: u64,
    /// What happened.
    pub event: Event<'a>,
}

const MESSAGE: u8 = 0;
const SUBSCRIBED: u8 = 1;
const GAP: u8 = 2;
const REFUSED: u8 = 3;

impl<'a> Delivery<'a> {
    fn parts(&self) -> (u8, GapReason, u64, &'a [u8], &'a [u8]) {
        match self.event {
            Event::Message { channel, payload } => (MESSAGE, GapReason::NONE, 0, channel, payload),
            Event::Subscribed => (SUBSCRIBED, GapReason::NONE, 0, &[], &[]),
            Event::Gap { reason, lost } => (GAP, reason, lost, &[], &[]),
            Event::Refused { error } => (REFUSED, GapReason::NONE, 0, &[], error),
        }
    }

    /// Bytes that [`Delivery::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        let (_, _, _, channel, payload) = self.parts();
        DELIVERY_HEAD_LEN + channel.len() + payload.len()
    }

    /// Writes the delivery into a claimed place of exactly [`Delivery::encoded_len`] bytes.
    ///
    /// # Panics
    /// If `place` is shorter than that.
    pub fn encode(&self, place: &mut [u8]) {
        let (kind, gap, lost, channel, payload) = self.parts();
        let (head, body) = place.split_at_mut(DELIVERY_HEAD_LEN);
        head[0..4].copy_from_slice(&self.subscription.to_le_bytes());
        head[4..8].copy_from_slice(&[kind, gap.0, 0, 0]);
        head[8..12].copy_from_slice(&(channel.len() as u32).to_le_bytes());
        head[12..20].copy_from_slice(&self.received_ns.to_le_bytes());
        head[20..28].copy_from_slice(&lost.to_le_bytes());
        let (name, rest) = body.split_at_mut(channel.len());
        name.copy_from_slice(channel);
        rest[..payload.len()].copy_from_slice(payload);
    }

    /// Reads a delivery as [`Delivery::encode`] wrote it; `None` if the bytes are not one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = bytes.split_first_chunk::<DELIVERY_HEAD_LEN>()?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let (channel, payload) = body.split_at_checked(word(8) as usize)?;
        let event = match head[4] {
            MESSAGE => Event::Message { channel, payload },
            SUBSCRIBED => Event::Subscribed,
            GAP => Event::Gap { reason: GapReason(head[5]), lost: long(20) },
            REFUSED => Event::Refused { error: payload },
            _ => return None,
        };
        Some(Self { subscription: word(0), received_ns: long(12), event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_comes_back_as_it_went() {
        let events = [
            Event::Message { channel: b"fx.eurusd", payload: b"1.1212" },
            Event::Message { channel: b"", payload: b"" },
            Event::Subscribed,
            Event::Gap { reason: GapReason::RECONNECTED.with(GapReason::RING_FULL), lost: u64::MAX },
            Event::Refused { error: b"NOPERM" },
        ];
        for event in events {
            let delivery = Delivery { subscription: 9, received_ns: 1 << 40, event };
            let mut bytes = vec![0; delivery.encoded_len()];
            delivery.encode(&mut bytes);
            assert_eq!(Delivery::decode(&bytes), Some(delivery));
            assert_eq!(Delivery::decode(&bytes[..DELIVERY_HEAD_LEN - 1]), None);
        }
        assert_eq!(
            GapReason::RECONNECTED.with(GapReason::TOO_LONG).to_string(),
            "reconnected, message too long for the subscriber ring"
        );
    }
}
