//! One record of a batch.
//!
//! ```text
//!   varint length | attributes 0 | varlong timestamp delta | varint offset delta
//!   | varint key length, key | varint value length, value      (-1: null)
//!   | varint header count | { varint key length, key | varint value length, value }..
//! ```

use std::fmt;

use crate::kafka::wire::varint::{signed_len, unsigned_len, write_unsigned, zigzag};
use crate::kafka::wire::{Reader, WireError, WireErrorKind};

/// The shortest record: a byte for each of length, attributes, two deltas, two nulls and no headers.
pub(super) const RECORD_LEN_MIN: usize = 7;

/// Attributes of a record: none are defined.
const ATTRIBUTES_LEN: usize = 1;

/// A header of a record. Keys may repeat, and their order matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 by agreement; nobody checks it.
    pub key: &'a [u8],
    /// Its value, or null.
    pub value: Option<&'a [u8]>,
}

/// A record, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The payload, or null: a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// The headers of a record: a slice of the caller's, or bytes of a record that was read and checked.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    source: Source<'a>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Items(&'a [Header<'a>]),
    Wire(Reader<'a>, u32),
}

impl<'a> Headers<'a> {
    /// Headers to be written.
    pub const fn new(items: &'a [Header<'a>]) -> Self {
        Self { source: Source::Items(items) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self.source {
            Source::Items(items) => items.len(),
            Source::Wire(_, count) => count as usize,
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Them in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let (items, mut wire) = match self.source {
            Source::Items(items) => (items, None),
            Source::Wire(reader, count) => (&[][..], Some((reader, count))),
        };
        let read = std::iter::from_fn(move || {
            let (reader, left) = wire.as_mut()?;
            *left = left.checked_sub(1)?;
            // These bytes were read before, without an error.
            header(reader).ok()
        });
        items.iter().copied().chain(read)
    }
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl PartialEq for Headers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers<'_> {}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What a length and its bytes take.
#[inline]
fn bytes_len(bytes: Option<&[u8]>) -> usize {
    match bytes {
        Some(bytes) => signed_len(bytes.len() as i64) + bytes.len(),
        None => signed_len(-1),
    }
}

impl Record<'_> {
    /// Bytes behind the length, for these deltas.
    #[inline]
    pub(super) fn body_len(&self, timestamp_delta: i64, offset_delta: u32) -> usize {
        let mut headers_len = signed_len(self.headers.len() as i64);
        if !self.headers.is_empty() {
            headers_len += self.headers_len();
        }
        ATTRIBUTES_LEN
            + signed_len(timestamp_delta)
            + signed_len(i64::from(offset_delta))
            + bytes_len(self.key)
            + bytes_len(self.value)
            + headers_len
    }

    fn headers_len(&self) -> usize {
        self.headers.iter().map(|header| bytes_len(Some(header.key)) + bytes_len(header.value)).sum()
    }

    /// Writes the record over `into`, which is as long as it. `body_len` is what [`body_len`](Self::body_len)
    /// answers for the same deltas.
    ///
    /// Each field goes straight to its place: one that is put together elsewhere first and then copied is read
    /// back before its bytes have left the processor's store buffer, and that stalls.
    #[inline]
    pub(super) fn write(&self, into: &mut [u8], body_len: usize, timestamp_delta: i64, offset_delta: u32) {
        let mut at = write_unsigned(into, zigzag(body_len as i64));
        into[at] = 0;
        at += ATTRIBUTES_LEN;
        at += write_unsigned(&mut into[at..], zigzag(timestamp_delta));
        at += write_unsigned(&mut into[at..], zigzag(i64::from(offset_delta)));
        at += write_bytes(&mut into[at..], self.key);
        at += write_bytes(&mut into[at..], self.value);
        if self.headers.is_empty() {
            into[at] = 0;
        } else {
            self.write_headers(&mut into[at..]);
        }
    }

    fn write_headers(&self, into: &mut [u8]) {
        let mut at = write_unsigned(into, zigzag(self.headers.len() as i64));
        for header in self.headers.iter() {
            at += write_bytes(&mut into[at..], Some(header.key));
            at += write_bytes(&mut into[at..], header.value);
        }
    }
}

/// Bytes behind a record that [`Small::write`] may write over: as many as stand before its key.
pub(super) const SMALL_SLACK: usize = 16;

/// Bits of a number that takes two bytes at the most.
const SMALL_BITS: u32 = 14;

/// Records of a batch whose numbers in it take two bytes at the most.
pub(super) const SMALL_RECORDS_MAX: u32 = 1 << (SMALL_BITS - 1);

/// Bytes of a record beside key and value, while each number takes two at the most.
const SMALL_HEAD_LEN: usize = 12;

/// A record without headers whose numbers, of one byte or two each, are put together in registers and stored at once.
#[derive(Clone, Copy)]
pub(super) struct Small<'a> {
    timestamp: Number,
    offset: Number,
    key_len: Number,
    value_len: Number,
    /// Its length without the number that says it, and that number.
    body_len: usize,
    body: Number,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Small<'a> {
    /// `None` if a number is larger. `timestamp` is the zigzag of the delta, `count` the offset delta.
    #[inline(always)]
    pub(super) fn new(
        timestamp: u64,
        count: u32,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
    ) -> Option<Self> {
        let offset = u64::from(count) << 1;
        let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        if (timestamp | offset | ((bytes + SMALL_HEAD_LEN) << 1) as u64) >> SMALL_BITS != 0 {
            return None;
        }
        let length = |bytes: Option<&[u8]>| bytes.map_or(zigzag(-1), |bytes| (bytes.len() << 1) as u64);
        let (timestamp, offset) = (Number::new(timestamp), Number::new(offset));
        let (key_len, value_len) = (Number::new(length(key)), Number::new(length(value)));
        // Attributes, and the count of headers.
        let body_len =
            ATTRIBUTES_LEN + timestamp.len() + offset.len() + key_len.len() + value_len.len() + bytes + 1;
        let body = Number::new((body_len << 1) as u64);
        Some(Self { timestamp, offset, key_len, value_len, body_len, body, key, value })
    }

    #[inline(always)]
    pub(super) fn framed_len(&self) -> usize {
        self.body.len() + self.body_len
    }

    /// Writes the record over `into`, which is longer than it by [`SMALL_SLACK`].
    #[inline(always)]
    pub(super) fn write(&self, into: &mut [u8]) {
        // Length, attributes (0) and the deltas: up to seven bytes.
        let at = self.body.len() + ATTRIBUTES_LEN;
        let head = self.body.bytes() | self.timestamp.bytes() << (8 * at);
        let at = at + self.timestamp.len();
        put_word(into, 0, head | self.offset.bytes() << (8 * at));
        let mut at = at + self.offset.len();
        if let Some(key) = self.key {
            put_word(into, at, self.key_len.bytes());
            at += self.key_len.len();
            into[at..at + key.len()].copy_from_slice(key);
            at += key.len();
            put_word(into, at, self.value_len.bytes());
        } else {
            // That there is no key takes one byte.
            put_word(into, at, self.key_len.bytes() | self.value_len.bytes() << 8);
            at += 1;
        }
        at += self.value_len.len();
        if let Some(value) = self.value {
            into[at..at + value.len()].copy_from_slice(value);
            at += value.len();
        }
        into[at] = 0;
    }
}

/// An unsigned varint of one byte or two.
#[derive(Clone, Copy)]
struct Number {
    value: u64,
    /// 1 where it takes two bytes, else 0.
    second: u64,
}

impl Number {
    #[inline(always)]
    fn new(value: u64) -> Self {
        Self { value, second: u64::from(value > 0x7f) }
    }

    #[inline(always)]
    fn len(self) -> usize {
        1 + self.second as usize
    }

    /// As it stands in a record, lowest byte first: seven bits, and a mark where seven more follow.
    #[inline(always)]
    fn bytes(self) -> u64 {
        // What does not fit into seven bits moves up by one.
        self.value + (self.value & !0x7f) + (self.second << 7)
    }
}

#[inline(always)]
fn put_word(into: &mut [u8], at: usize, word: u64) {
    into[at..at + 8].copy_from_slice(&word.to_le_bytes());
}

/// Writes a length and its bytes, or null, and answers how many bytes that took.
#[inline]
fn write_bytes(into: &mut [u8], bytes: Option<&[u8]>) -> usize {
    let Some(bytes) = bytes else { return write_unsigned(into, zigzag(-1)) };
    let at = write_unsigned(into, zigzag(bytes.len() as i64));
    into[at..at + bytes.len()].copy_from_slice(bytes);
    at + bytes.len()
}

/// Bytes that a record of `body_len` takes with its length in front.
#[inline]
pub(super) fn framed_len(body_len: usize) -> usize {
    unsigned_len(zigzag(body_len as i64)) + body_len
}

/// A record and its deltas, as they stand in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parsed<'a> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Headers<'a>,
}

/// Reads the record that `reader` stands at.
pub(super) fn parse<'a>(reader: &mut Reader<'a>) -> Result<Parsed<'a>, WireError> {
    let start = *reader;
    let len = reader.varint("length")?;
    let Ok(len) = usize::try_from(len) else {
        return Err(start.error("length", WireErrorKind::NegativeLength { len }));
    };
    let mut body = Reader::new("record", -1, false, reader.take("length", len)?);
    body.take("attributes", ATTRIBUTES_LEN)?;
    let timestamp_delta = body.varlong("timestamp delta")?;
    let offset_delta = body.varint("offset delta")?;
    let key = nullable(&mut body, "key")?;
    let value = nullable(&mut body, "value")?;
    let at_count = body;
    let count = body.varint("header count")?;
    let left = body.rest().len();
    let headers = match u32::try_from(count) {
        // Two bytes at least for each.
        Ok(count) if count as usize <= left / 2 => Headers { source: Source::Wire(body, count) },
        Ok(count) => {
            let kind = WireErrorKind::CountBeyondEnd { count: count as usize, left };
            return Err(at_count.error("header count", kind));
        }
        Err(_) => return Err(at_count.error("header count", WireErrorKind::NegativeLength { len: count })),
    };
    for _ in 0..count {
        header(&mut body)?;
    }
    body.finish()?;
    Ok(Parsed { timestamp_delta, offset_delta, key, value, headers })
}

fn header<'a>(reader: &mut Reader<'a>) -> Result<Header<'a>, WireError> {
    let start = *reader;
    let key = nullable(reader, "header key")?;
    let key = key.ok_or_else(|| start.error("header key", WireErrorKind::Null))?;
    Ok(Header { key, value: nullable(reader, "header value")? })
}

fn nullable<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<Option<&'a [u8]>, WireError> {
    let start = *reader;
    match reader.varint(field)? {
        -1 => Ok(None),
        len if len < 0 => Err(start.error(field, WireErrorKind::NegativeLength { len })),
        len => reader.take(field, len as usize).map(Some),
    }
}
