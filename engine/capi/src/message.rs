//! Messages as C describes them.

use std::ffi::{c_char, c_void};

use ringwire::{Headers, Message};

use crate::boundary::{Handle, In, LEN_MAX, utf8};
use crate::channel::rw_channel;
use crate::code::{Code, INVALID, TOO_LONG};
use crate::text::fail;

/// `rw_slice`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct rw_slice {
    pub(crate) data: In<c_void>,
    pub(crate) len: usize,
}

/// `rw_header`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct rw_header {
    pub(crate) name: In<c_char>,
    pub(crate) name_len: usize,
    pub(crate) value: In<c_void>,
    pub(crate) value_len: usize,
}

/// `rw_msg`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct rw_msg {
    pub(crate) size: u32,
    pub(crate) partition: i32,
    pub(crate) channel: Handle<rw_channel>,
    pub(crate) payload: In<c_void>,
    pub(crate) payload_len: usize,
    pub(crate) key: In<c_void>,
    pub(crate) key_len: usize,
    pub(crate) headers: In<rw_header>,
    pub(crate) header_count: usize,
    pub(crate) timestamp_ms: i64,
    pub(crate) intended_ns: u64,
    pub(crate) tag: u64,
}

/// Every program gives at least what a message needs: channel and payload.
const MSG_SIZE_MIN: usize = std::mem::offset_of!(rw_msg, key);
/// No version will be larger: a `size` above it was never set.
const MSG_SIZE_MAX: usize = 4096;
/// `RW_ANY_PARTITION`.
const ANY_PARTITION: i32 = -1;

impl rw_msg {
    const DEFAULT: Self = Self {
        size: 0,
        partition: ANY_PARTITION,
        channel: Handle::NULL,
        payload: In::NULL,
        payload_len: 0,
        key: In::NULL,
        key_len: 0,
        headers: In::NULL,
        header_count: 0,
        timestamp_ms: 0,
        intended_ns: 0,
        tag: 0,
    };

    /// The message, whatever version of it the program has.
    #[inline]
    pub(crate) fn read(message: In<Self>) -> Result<Self, Code> {
        match message.size("message")? {
            size if size == size_of::<Self>() => message.one("message").copied(),
            size => Self::read_other(message, size),
        }
    }

    #[cold]
    fn read_other(message: In<Self>, size: usize) -> Result<Self, Code> {
        if !(MSG_SIZE_MIN..=MSG_SIZE_MAX).contains(&size) {
            let words = format_args!("size = {size}: begin with RW_MSG_INIT ({} bytes)", size_of::<Self>());
            return Err(fail(INVALID, words));
        }
        if message.beyond(size).iter().any(|byte| *byte != 0) {
            return Err(fail(
                INVALID,
                format_args!("size = {size}: the message says more than this library knows"),
            ));
        }
        Ok(message.partly(size, Self::DEFAULT))
    }

    /// What ringwire takes; the headers are built in `buffer`.
    pub(crate) fn message<'a>(&'a self, headers: Headers<'a>) -> Result<Message<'a>, Code> {
        let partition = match self.partition {
            ANY_PARTITION => None,
            number => Some(
                u32::try_from(number)
                    .map_err(|_| fail(INVALID, format_args!("partition = {number}: expected -1 or more")))?,
            ),
        };
        Ok(Message {
            payload: self.payload.optional(self.payload_len)?,
            tag: self.tag,
            intended_ns: self.intended_ns,
            key: self.key.optional(self.key_len)?,
            headers,
            partition,
            timestamp_ms: self.timestamp_ms,
        })
    }
}

/// Room for headers, kept between messages.
#[derive(Default)]
pub(crate) struct HeaderRoom {
    bytes: Vec<u8>,
    list: Vec<(&'static str, Option<&'static [u8]>)>,
}

impl HeaderRoom {
    /// The headers as a frame carries them.
    pub(crate) fn build(&mut self, headers: &[rw_header]) -> Result<Headers<'_>, Code> {
        if headers.is_empty() {
            return Ok(Headers::default());
        }
        let mut list = recycled(std::mem::take(&mut self.list));
        let mut left = LEN_MAX;
        for header in headers {
            let name = utf8(header.name.bytes(header.name_len)?, "a header's name")?;
            let value = header.value.optional(header.value_len)?;
            let len = name.len() + value.map_or(0, <[u8]>::len);
            left = left
                .checked_sub(len)
                .ok_or_else(|| fail(TOO_LONG, format_args!("the headers are longer than any ring takes")))?;
            list.push((name, value));
        }
        let built = Headers::build(&list, &mut self.bytes);
        self.list = recycled(list);
        Ok(built)
    }
}

/// The same memory for another message's headers; nothing of the last ones stays.
fn recycled<'new>(mut list: Vec<(&str, Option<&[u8]>)>) -> Vec<(&'new str, Option<&'new [u8]>)> {
    list.clear();
    list.into_iter().map(|_| ("", None)).collect()
}
