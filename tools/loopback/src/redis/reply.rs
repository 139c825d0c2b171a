//! Writes one client's replies in the protocol version that it speaks.

use ringwire_codec::resp::{ReplyEncoder, Version, encode};

/// Appends to a client's output, or to nowhere for a client that is not to be answered.
pub(super) struct Reply<'a> {
    out: Option<&'a mut Vec<u8>>,
    encoder: ReplyEncoder,
}

impl<'a> Reply<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, resp3: bool) -> Self {
        let version = if resp3 { Version::Resp3 } else { Version::Resp2 };
        Self { out: Some(out), encoder: ReplyEncoder { version } }
    }

    pub(super) fn silenced() -> Self {
        Self { out: None, encoder: ReplyEncoder::default() }
    }

    pub(super) fn ok(&mut self) {
        self.simple("OK");
    }

    pub(super) fn simple(&mut self, text: &str) {
        if let Some(out) = &mut self.out {
            encode::simple(out, text.as_bytes());
        }
    }

    pub(super) fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// An error that quotes what the client sent.
    pub(super) fn error_bytes(&mut self, text: &[u8]) {
        if let Some(out) = &mut self.out {
            encode::error(out, text);
        }
    }

    /// A count.
    pub(super) fn integer(&mut self, value: u64) {
        self.number(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A number that may be negative.
    pub(super) fn number(&mut self, value: i64) {
        if let Some(out) = &mut self.out {
            encode::integer(out, value);
        }
    }

    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        if let Some(out) = &mut self.out {
            encode::bulk(out, bytes);
        }
    }

    pub(super) fn null(&mut self) {
        if let Some(out) = &mut self.out {
            self.encoder.null(out);
        }
    }

    pub(super) fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// A long text: a verbatim string in RESP3.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(out) = &mut self.out {
            self.encoder.verbatim(out, *b"txt", text.as_bytes());
        }
    }

    pub(super) fn array(&mut self, count: usize) {
        if let Some(out) = &mut self.out {
            encode::array(out, count as u64);
        }
    }

    pub(super) fn map(&mut self, pairs: usize) {
        if let Some(out) = &mut self.out {
            self.encoder.map(out, pairs as u64);
        }
    }

    pub(super) fn push(&mut self, count: usize) {
        if let Some(out) = &mut self.out {
            self.encoder.push(out, count as u64);
        }
    }

    /// A push of `count` elements whose encoded elements are `body`.
    pub(super) fn push_encoded(&mut self, count: usize, body: &[u8]) {
        if let Some(out) = &mut self.out {
            self.encoder.push(out, count as u64);
            out.extend_from_slice(body);
        }
    }
}
