//! The frame: one message on its way from a publisher's ring to the core.
//!
//! ```text
//!  0        4      5        8                16
//!  ├────────┼──────┼────────┼────────────────┤
//!  │channel │flags │reserved│ sequence       │
//!  ├────────┴──────┴────────┼────────────────┤                                     only with LABELLED:
//!  │ tag                    │ intended_ns    │
//!  ├─────────┬─────────┬────┴────────────────┼────────┬────────┐                   only with EXTENDED, which is LABELLED:
//!  │partition│ key_len │ timestamp_ms        │ headers│ count  │
//!  ├─────────┴─────────┴─────────────────────┴────────┴────────┤
//!  │ key │ headers │ payload …                                 │
//!  └───────────────────────────────────────────────────────────┘
//! ```
//!
//! All numbers are little-endian. A message that is only a payload pays for 16 bytes; the others are there only where
//! one of them is used. To the ring a frame is bytes of a known length, so the payload's length is not written down: it is
//! what remains. The ring aligns frames so that a plain one's payload begins on 32 bytes.

/// Bytes of a frame before the payload, where there is nothing but a payload.
pub const PLAIN_LEN: usize = 16;
/// The same with a tag or an intended time.
pub const LABELLED_LEN: usize = PLAIN_LEN + LABELS_LEN;
const LABELS_LEN: usize = 16;
/// The same with key, headers, partition or timestamp, of which key and headers follow.
const EXTENDED_LEN: usize = LABELLED_LEN + EXTENSION_LEN;
const EXTENSION_LEN: usize = 24;
/// `key_len` of a record without a key.
const NULL_KEY: u32 = u32::MAX;
/// `partition` of a message whose partition the endpoint's partitioner chooses.
pub const ANY_PARTITION: i32 = -1;

const EXTENDED: u8 = 1;
const NULL_PAYLOAD: u8 = 2;
const LABELLED: u8 = 4;

/// One message, borrowed from a ring or from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Index of the channel within its engine.
    pub channel: u32,
    /// Dense per publisher, from 0.
    pub sequence: u64,
    /// The user's own number; reports carry it back.
    pub tag: u64,
    /// When the message was meant to be sent, in monotonic nanoseconds; 0 where the user gave none.
    pub intended_ns: u64,
    /// Partition, or [`ANY_PARTITION`]. Endpoints without partitions ignore it.
    pub partition: i32,
    /// Milliseconds since 1970; 0 means: stamped when the shard drains the frame.
    pub timestamp_ms: i64,
    /// Record key. Redis pub/sub has none and ignores it.
    pub key: Option<&'a [u8]>,
    /// Record headers, in order. Redis pub/sub has none and ignores them.
    pub headers: Headers<'a>,
    /// The message itself. `None` is a tombstone where the endpoint knows such a thing, and empty elsewhere.
    pub payload: Option<&'a [u8]>,
}

impl Default for Frame<'_> {
    fn default() -> Self {
        Self {
            channel: 0,
            sequence: 0,
            tag: 0,
            intended_ns: 0,
            partition: ANY_PARTITION,
            timestamp_ms: 0,
            key: None,
            headers: Headers::default(),
            payload: None,
        }
    }
}

/// What is wrong with the bytes of a frame. Frames are written by this library alone, so this is a defect of ours
/// or a caller's stray write into a claimed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The frame ends before the parts that it announces.
    TooShort,
    /// The headers do not add up to their announced length.
    Headers,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooShort => "the frame ends before the parts it announces: a claimed frame was overwritten",
            Self::Headers => "the frame's headers do not add up to their announced length",
        })
    }
}

impl std::error::Error for FrameError {}

impl<'a> Frame<'a> {
    #[inline]
    fn is_extended(&self) -> bool {
        self.key.is_some()
            || self.headers.count != 0
            || self.partition != ANY_PARTITION
            || self.timestamp_ms != 0
    }

    /// Bytes of payload, key and headers: what the message costs beside its leg's overhead.
    #[inline]
    pub fn body_len(&self) -> usize {
        self.payload.map_or(0, <[u8]>::len) + self.key.map_or(0, <[u8]>::len) + self.headers.bytes.len()
    }

    /// Bytes that [`Frame::encode`] writes before the payload.
    #[inline]
    pub fn head_len(&self) -> usize {
        match self.parts() {
            0 => PLAIN_LEN,
            LABELLED => LABELLED_LEN,
            _ => EXTENDED_LEN + self.key.map_or(0, <[u8]>::len) + self.headers.bytes.len(),
        }
    }

    /// Bytes that [`Frame::encode`] writes.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        self.head_len() + self.payload.map_or(0, <[u8]>::len)
    }

    /// The flags of the parts that this frame has.
    #[inline]
    fn parts(&self) -> u8 {
        if self.is_extended() {
            EXTENDED | LABELLED
        } else if self.tag | self.intended_ns != 0 {
            LABELLED
        } else {
            0
        }
    }

    /// Writes the frame into a claimed place of exactly [`Frame::encoded_len`] bytes.
    ///
    /// # Panics
    /// If `place` is shorter than that.
    #[inline]
    pub fn encode(&self, place: &mut [u8]) {
        let parts = self.parts();
        let null = if self.payload.is_none() { NULL_PAYLOAD } else { 0 };
        let mut rest = encode_pair(place, first_word(self.channel, parts | null), self.sequence);
        if parts & LABELLED != 0 {
            rest = encode_pair(rest, self.tag, self.intended_ns);
        }
        if parts & EXTENDED != 0 {
            rest = self.encode_extension(rest);
        }
        if let Some(payload) = self.payload {
            copy(&mut rest[..payload.len()], payload);
        }
    }

    /// Out of line, and not rare: every keyed record has it.
    #[inline(never)]
    fn encode_extension<'p>(&self, place: &'p mut [u8]) -> &'p mut [u8] {
        let (fixed, rest) =
            place.split_first_chunk_mut::<EXTENSION_LEN>().expect("the claim is as long as encoded_len said");
        let key_len = self.key.map_or(NULL_KEY, |key| key.len() as u32);
        let first = u64::from(self.partition as u32) | u64::from(key_len) << 32;
        let last = u64::from(self.headers.bytes.len() as u32) | u64::from(self.headers.count) << 32;
        fixed[0..8].copy_from_slice(&first.to_le_bytes());
        fixed[8..16].copy_from_slice(&self.timestamp_ms.to_le_bytes());
        fixed[16..24].copy_from_slice(&last.to_le_bytes());
        let key = self.key.unwrap_or_default();
        let (place, rest) = rest.split_at_mut(key.len());
        place.copy_from_slice(key);
        if self.headers.bytes.is_empty() {
            return rest;
        }
        let (place, rest) = rest.split_at_mut(self.headers.bytes.len());
        place.copy_from_slice(self.headers.bytes);
        rest
    }

    /// Reads a frame as [`Frame::encode`] wrote it.
    ///
    /// What is rare is read apart from what every frame has: so that this stays in registers, and is not written
    /// to memory, copied and read back.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (plain, rest) = bytes.split_first_chunk::<PLAIN_LEN>().ok_or(FrameError::TooShort)?;
        let flags = plain[4];
        let (tag, intended_ns, rest) = if flags & LABELLED == 0 {
            (0, 0, rest)
        } else {
            let (labels, rest) = rest.split_first_chunk::<LABELS_LEN>().ok_or(FrameError::TooShort)?;
            (u64_at(labels, 0), u64_at(labels, 8), rest)
        };
        let Extension { numbers, timestamp_ms, key, headers, payload } =
            if flags & EXTENDED == 0 { Extension::none(rest) } else { Extension::decode(rest)? };
        Ok(Self {
            channel: u32::from_le_bytes([plain[0], plain[1], plain[2], plain[3]]),
            sequence: u64_at(plain, 8),
            tag,
            intended_ns,
            partition: numbers as u32 as i32,
            timestamp_ms,
            key,
            headers: Headers { bytes: headers, count: (numbers >> 32) as u32 },
            payload: (flags & NULL_PAYLOAD == 0).then_some(payload),
        })
    }
}

/// What of the bytes before a frame's payload is neither key nor headers.
#[inline(always)]
pub fn fixed_len(head_len: usize) -> usize {
    if head_len <= LABELLED_LEN { head_len } else { EXTENDED_LEN }
}

/// Writes a frame that is only a payload into a claimed place of [`PLAIN_LEN`] bytes more: what most messages are.
///
/// # Panics
/// If `place` is shorter than that.
#[inline(always)]
pub fn encode_plain(place: &mut [u8], channel: u32, sequence: u64, payload: &[u8]) {
    let rest = encode_plain_head(place, channel, sequence);
    copy(&mut rest[..payload.len()], payload);
}

/// Writes all of it but the payload, and answers where that belongs.
///
/// # Panics
/// If `place` is shorter than [`PLAIN_LEN`].
#[inline(always)]
pub fn encode_plain_head(place: &mut [u8], channel: u32, sequence: u64) -> &mut [u8] {
    encode_pair(place, first_word(channel, 0), sequence)
}

/// The channel below, the flags above it.
#[inline(always)]
fn first_word(channel: u32, flags: u8) -> u64 {
    u64::from(channel) | u64::from(flags) << 32
}

/// Writes two words, and answers what is behind them.
#[inline(always)]
fn encode_pair(place: &mut [u8], first: u64, second: u64) -> &mut [u8] {
    let (pair, rest) = place.split_first_chunk_mut::<16>().expect("the claim is as long as encoded_len said");
    pair[0..8].copy_from_slice(&first.to_le_bytes());
    pair[8..16].copy_from_slice(&second.to_le_bytes());
    rest
}

/// Copies into a place of the same length: what most messages are without a loop or a call.
#[inline(always)]
fn copy(place: &mut [u8], bytes: &[u8]) {
    match bytes.len() {
        65..=128 => copy_halves::<64>(place, bytes),
        33..=64 => copy_halves::<32>(place, bytes),
        17..=32 => copy_halves::<16>(place, bytes),
        _ => place.copy_from_slice(bytes),
    }
}

/// Copies from `HALF` bytes to twice as many: the first and the last, which overlap where they are fewer.
#[inline(always)]
fn copy_halves<const HALF: usize>(place: &mut [u8], bytes: &[u8]) {
    let second = bytes.len() - HALF;
    place[..HALF].copy_from_slice(&bytes[..HALF]);
    place[second..].copy_from_slice(&bytes[second..]);
}

/// What an extended frame has beside its payload.
struct Extension<'a> {
    /// The partition, and above it how many headers there are. One word, since they are read as one: two that were written
    /// apart are not forwarded to that, and it waits until they have left the core (7 ns).
    numbers: u64,
    timestamp_ms: i64,
    key: Option<&'a [u8]>,
    headers: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Extension<'a> {
    #[inline]
    fn none(payload: &'a [u8]) -> Self {
        Self { numbers: u64::from(ANY_PARTITION as u32), timestamp_ms: 0, key: None, headers: &[], payload }
    }

    #[inline(never)]
    fn decode(rest: &'a [u8]) -> Result<Self, FrameError> {
        let (fixed, rest) = rest.split_first_chunk::<EXTENSION_LEN>().ok_or(FrameError::TooShort)?;
        let word = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let key_len = if word(4) == NULL_KEY { 0 } else { word(4) as usize };
        let (key, rest) = rest.split_at_checked(key_len).ok_or(FrameError::TooShort)?;
        let (headers, payload) = rest.split_at_checked(word(16) as usize).ok_or(FrameError::TooShort)?;
        if (Headers { bytes: headers, count: word(20) }).iter().count() != word(20) as usize {
            return Err(FrameError::Headers);
        }
        Ok(Self {
            numbers: u64::from(word(0)) | u64::from(word(20)) << 32,
            timestamp_ms: u64_at(fixed, 8) as i64,
            key: (word(4) != NULL_KEY).then_some(key),
            headers,
            payload,
        })
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Record headers as a frame carries them: `u32 key length, i32 value length (-1: null), key, value` each.
/// Duplicate keys are legal, order is kept, values may be null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> Headers<'a> {
    /// Writes `headers` into `buffer` (which is cleared first) and lends them from there.
    pub fn build<'h>(headers: &[(&'h str, Option<&'h [u8]>)], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        for (key, value) in headers {
            buffer.extend_from_slice(&(key.len() as u32).to_le_bytes());
            buffer.extend_from_slice(&value.map_or(-1, |value| value.len() as i32).to_le_bytes());
            buffer.extend_from_slice(key.as_bytes());
            buffer.extend_from_slice(value.unwrap_or_default());
        }
        Self { bytes: buffer, count: headers.len() as u32 }
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (lengths, tail) = rest.split_first_chunk::<8>()?;
            let key_len = u32::from_le_bytes([lengths[0], lengths[1], lengths[2], lengths[3]]) as usize;
            let value_len = i32::from_le_bytes([lengths[4], lengths[5], lengths[6], lengths[7]]);
            let (key, tail) = tail.split_at_checked(key_len)?;
            let (value, tail) = tail.split_at_checked(value_len.max(0) as usize)?;
            rest = tail;
            Some((key, (value_len >= 0).then_some(value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_frame_comes_back_as_it_went() {
        let mut buffer = Vec::new();
        let list: [(&str, Option<&[u8]>); 3] = [("a", Some(b"1")), ("a", None), ("trace", Some(b""))];
        let headers = Headers::build(&list, &mut buffer);
        let plain = Frame {
            channel: 7,
            sequence: 1,
            tag: u64::MAX,
            intended_ns: 5,
            payload: Some(b"bid"),
            ..Frame::default()
        };
        let bare = Frame { tag: 0, intended_ns: 0, ..plain };
        let cases = [
            plain,
            bare,
            Frame { tag: 0, ..plain },
            Frame { intended_ns: 0, ..plain },
            Frame { payload: None, ..bare },
            Frame { key: Some(b"EURUSD"), ..bare },
            Frame { payload: None, ..plain },
            Frame { payload: Some(b""), ..plain },
            Frame { key: Some(b""), ..plain },
            Frame { key: Some(b"EURUSD"), payload: None, ..plain },
            Frame { partition: 3, ..plain },
            Frame { timestamp_ms: -1, ..plain },
            Frame { headers, ..plain },
            Frame { headers, key: Some(b"k"), partition: 0, timestamp_ms: 1, ..plain },
        ];
        for frame in cases {
            let mut bytes = vec![0xAA; frame.encoded_len()];
            assert_eq!(bytes.len(), fixed_len(frame.head_len()) + frame.body_len());
            frame.encode(&mut bytes);
            assert_eq!(Frame::decode(&bytes), Ok(frame));
            for cut in 0..frame.head_len() {
                assert!(Frame::decode(&bytes[..cut]).is_err(), "{cut} bytes of {frame:?}");
            }
        }
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [(&b"a"[..], Some(&b"1"[..])), (b"a", None), (b"trace", Some(b""))]
        );
    }

    /// By every way in which a payload is copied: in halves, at once, and by a call.
    #[test]
    fn a_plain_frame_is_one_without_all_else() {
        let bytes: Vec<u8> = (0..=255).cycle().take(300).collect();
        for len in 0..bytes.len() {
            let payload = &bytes[..len];
            let frame = Frame { channel: 7, sequence: 1 << 40, payload: Some(payload), ..Frame::default() };
            let mut expected = vec![0xAA; frame.encoded_len()];
            frame.encode(&mut expected);
            let mut place = vec![0xBB; PLAIN_LEN + len];
            encode_plain(&mut place, 7, 1 << 40, payload);
            assert_eq!(place, expected, "{len} bytes");
            assert_eq!(Frame::decode(&place), Ok(frame), "{len} bytes");
        }
    }
}
