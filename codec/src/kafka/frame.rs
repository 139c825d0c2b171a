//! Requests and responses as a connection carries them.
//!
//! ```text
//!   request    int32 size | api key, version, correlation id, client id [, tags] | body
//!   response   int32 size | correlation id [, tags]                              | body
//! ```
//!
//! The tags come with the flexible versions. A client id is a string of the old form in every version.

use std::fmt;

use super::api::Api;
use super::wire::{Fields as _, Message, Reader, WireError, WireErrorKind, Writer};

/// The size in front of a frame, in bytes.
const SIZE_LEN: usize = 4;

/// The shortest frame holds a correlation id.
const PAYLOAD_LEN_MIN: usize = 4;

/// The longest response that is accepted by default, in bytes: a metadata response of 100,000 partitions has
/// some 10 MiB; a Fetch response is as long as the request allows.
pub const RESPONSE_LEN_MAX: usize = 64 << 20;

/// A request and what answers it.
pub trait Request<'a>: Message<'a> {
    /// Which one it is.
    const API: Api;
    /// For errors.
    const NAME: &'static str;
    /// For errors.
    const RESPONSE_NAME: &'static str;
    /// Its answer.
    type Response: Message<'a>;

    /// The version in which a response's body is written, judged by how it begins, where that is not the
    /// request's.
    fn response_version(version: i16, _body: &[u8]) -> i16 {
        version
    }
}

/// What stands in front of a request's body, apart from its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The version of the request and its response.
    pub version: i16,
    /// Comes back in the response. A broker answers in the order of the requests.
    pub correlation_id: i32,
    /// Who asks: for the broker's quotas and logs.
    pub client_id: Option<&'a str>,
}

/// A frame whose size is not known yet.
///
/// [`finish`](Self::finish) writes the size into its place; a frame that is dropped instead has to be cut off.
#[derive(Debug)]
#[must_use = "without its size a frame is not one"]
pub struct OpenFrame {
    start: usize,
}

impl OpenFrame {
    /// Begins a request at the end of `out`.
    ///
    /// # Errors
    ///
    /// A client id of more than 32,767 bytes, or an unknown version.
    pub fn request(out: &mut Vec<u8>, api: Api, header: &RequestHeader<'_>) -> Result<Self, WireError> {
        api.check_version(header.version)?;
        let frame = Self::begin(out);
        let mut writer = Writer::new("request header", -1, false, out);
        let RequestHeader { mut version, mut correlation_id, mut client_id } = *header;
        writer.int16("request_api_key", &mut api.key())?;
        writer.int16("request_api_version", &mut version)?;
        writer.int32("correlation_id", &mut correlation_id)?;
        writer.nullable_string("client_id", &mut client_id)?;
        if api.is_flexible(version) {
            Writer::new("request header", -1, true, out).no_tags()?;
        }
        Ok(frame)
    }

    /// Begins a response at the end of `out`.
    ///
    /// # Errors
    ///
    /// An unknown version.
    pub fn response(
        out: &mut Vec<u8>,
        api: Api,
        version: i16,
        correlation_id: i32,
    ) -> Result<Self, WireError> {
        api.check_version(version)?;
        let frame = Self::begin(out);
        out.extend_from_slice(&correlation_id.to_be_bytes());
        if api.response_header_is_flexible(version) {
            Writer::new("response header", -1, true, out).no_tags()?;
        }
        Ok(frame)
    }

    fn begin(out: &mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; SIZE_LEN]);
        Self { start }
    }

    /// Ends the frame where `out` ends.
    ///
    /// # Errors
    ///
    /// It is longer than its size can say.
    pub fn finish(self, out: &mut [u8]) -> Result<(), WireError> {
        self.finish_with(out, 0)
    }

    /// The same, with so many bytes more that are not in `out` and will be sent in between.
    ///
    /// # Errors
    ///
    /// As [`OpenFrame::finish`].
    pub fn finish_with(self, out: &mut [u8], apart: usize) -> Result<(), WireError> {
        let frame = &mut out[self.start..];
        let (size, payload) = frame.split_at_mut(SIZE_LEN);
        let len = payload.len() + apart;
        let Ok(len) = i32::try_from(len) else {
            let kind = WireErrorKind::TooLong { len, max: i32::MAX as usize };
            return Err(WireError { message: "frame", version: -1, field: "size", offset: 0, kind });
        };
        size.copy_from_slice(&len.to_be_bytes());
        Ok(())
    }
}

/// Appends a request. After an error `out` is as it was.
///
/// # Errors
///
/// What cannot be written in this version, or is longer than its field can say.
pub fn encode_request<'a, R: Request<'a>>(
    out: &mut Vec<u8>,
    header: &RequestHeader<'_>,
    request: &R,
) -> Result<(), WireError> {
    whole(out, |out| {
        let frame = OpenFrame::request(out, R::API, header)?;
        encode_body(R::NAME, R::API, header.version, out, *request)?;
        frame.finish(out)
    })
}

/// Appends a response: for servers. After an error `out` is as it was.
///
/// An ApiVersions response with UNSUPPORTED_VERSION is written in version 0, as clients expect it; to a request of
/// a version that this library does not know, `version` is 0 as well.
///
/// # Errors
///
/// As [`encode_request`].
pub fn encode_response<'a, R: Request<'a>>(
    out: &mut Vec<u8>,
    version: i16,
    correlation_id: i32,
    response: &R::Response,
) -> Result<(), WireError> {
    whole(out, |out| {
        let frame = OpenFrame::response(out, R::API, version, correlation_id)?;
        let body = out.len();
        encode_body(R::RESPONSE_NAME, R::API, version, out, *response)?;
        let expected = R::response_version(version, &out[body..]);
        if expected != version {
            out.truncate(body);
            encode_body(R::RESPONSE_NAME, R::API, expected, out, *response)?;
        }
        frame.finish(out)
    })
}

fn whole(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let start = out.len();
    write(out).inspect_err(|_| out.truncate(start))
}

fn encode_body<'a>(
    name: &'static str,
    api: Api,
    version: i16,
    out: &mut Vec<u8>,
    mut body: impl Message<'a>,
) -> Result<(), WireError> {
    body.fields(&mut Writer::new(name, version, api.is_flexible(version), out))
}

fn decode_body<'a, M: Message<'a>>(
    name: &'static str,
    api: Api,
    version: i16,
    body: &'a [u8],
) -> Result<M, WireError> {
    api.check_version(version)?;
    let mut reader = Reader::new(name, version, api.is_flexible(version), body);
    let mut message = M::default();
    message.fields(&mut reader)?;
    reader.finish()?;
    Ok(message)
}

/// Decodes the response to a request of `version` from a frame's payload, header and all.
///
/// Which request it answers is the caller's to know: by [`Frame::correlation_id`].
///
/// # Errors
///
/// The bytes are not that response: close the connection.
pub fn decode_response<'a, R: Request<'a>>(
    version: i16,
    payload: &'a [u8],
) -> Result<R::Response, WireError> {
    let mut header = Reader::new("response header", -1, R::API.response_header_is_flexible(version), payload);
    header.int32("correlation_id", &mut 0)?;
    header.no_tags()?;
    let body = header.rest();
    decode_body(R::RESPONSE_NAME, R::API, R::response_version(version, body), body)
}

/// A request as a server finds it in a frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedRequest<'a> {
    /// Its key, known or not.
    pub api_key: i16,
    /// The rest of its header.
    pub header: RequestHeader<'a>,
    /// What follows the header; of an unknown key or version it may begin with the header's tags.
    pub body: &'a [u8],
}

impl<'a> ReceivedRequest<'a> {
    /// Takes the header off a frame's payload.
    ///
    /// # Errors
    ///
    /// The bytes are no request.
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new("request header", -1, false, payload);
        let mut api_key = 0;
        let mut header = RequestHeader { version: 0, correlation_id: 0, client_id: None };
        reader.int16("request_api_key", &mut api_key)?;
        reader.int16("request_api_version", &mut header.version)?;
        reader.int32("correlation_id", &mut header.correlation_id)?;
        reader.nullable_string("client_id", &mut header.client_id)?;
        let mut body = reader.rest();
        if Api::from_key(api_key).is_some_and(|api| api.is_flexible(header.version)) {
            let mut tags = Reader::new("request header", -1, true, body);
            tags.no_tags()?;
            body = tags.rest();
        }
        Ok(Self { api_key, header, body })
    }

    /// Decodes the body as `R`, which must be the request of `api_key`.
    ///
    /// # Errors
    ///
    /// The bytes are not that request, or its version is unknown.
    pub fn decode<R: Request<'a>>(&self) -> Result<R, WireError> {
        decode_body(R::NAME, R::API, self.header.version, self.body)
    }
}

/// One frame without its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What follows the size.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The first four bytes: in a response, whose request it answers.
    pub fn correlation_id(&self) -> i32 {
        // The splitter lets no shorter frame through.
        self.payload.first_chunk().map_or(0, |bytes| i32::from_be_bytes(*bytes))
    }

    /// Bytes that the frame takes of the input, its size included.
    #[allow(clippy::len_without_is_empty, reason = "no frame is empty")]
    pub fn len(&self) -> usize {
        SIZE_LEN + self.payload.len()
    }
}

/// A size in front of a frame that no frame of ours has: the peer does not speak Kafka (a TLS alert, an HTTP
/// answer), or answers more than was allowed. Close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError {
    /// The declared size in bytes.
    pub size: i32,
    /// The limit in bytes.
    pub max: usize,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, max } = self;
        write!(f, "expected a Kafka frame of {PAYLOAD_LEN_MIN} to {max} bytes, got a size of {size}")?;
        write!(f, " (bytes \"{}\"): is this a plaintext Kafka port?", size.to_be_bytes().escape_ascii())
    }
}

impl std::error::Error for FrameError {}

/// Splits what a connection receives into frames.
///
/// ```
/// use ringwire_codec::kafka::FrameReader;
///
/// let reader = FrameReader::new(1024);
/// let input = [0, 0, 0, 5, 0, 0, 0, 7, 42];
/// assert_eq!(reader.next(&input[..8])?, None); // more bytes, please
/// assert_eq!(reader.wanted(&input[..8]), 9);
/// let frame = reader.next(&input)?.expect("it is complete");
/// assert_eq!((frame.correlation_id(), frame.payload(), frame.len()), (7, &input[4..], 9));
/// # Ok::<(), ringwire_codec::kafka::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FrameReader {
    payload_len_max: usize,
}

impl FrameReader {
    /// A reader of frames whose payload has `payload_len_max` bytes at most.
    pub const fn new(payload_len_max: usize) -> Self {
        Self { payload_len_max }
    }

    /// The frame that `input` begins with, or `None` while it is not complete. The caller drops
    /// [`Frame::len`] bytes before the next call.
    ///
    /// # Errors
    ///
    /// The size is impossible or beyond the limit; it is found out from the first four bytes.
    pub fn next<'a>(&self, input: &'a [u8]) -> Result<Option<Frame<'a>>, FrameError> {
        let Some((size, rest)) = input.split_first_chunk::<SIZE_LEN>() else { return Ok(None) };
        let size = i32::from_be_bytes(*size);
        let len = usize::try_from(size).unwrap_or(0);
        if !(PAYLOAD_LEN_MIN..=self.payload_len_max).contains(&len) {
            return Err(FrameError { size, max: self.payload_len_max });
        }
        Ok(rest.get(..len).map(|payload| Frame { payload }))
    }

    /// Bytes that `input` must have before [`next`](Self::next) can answer a frame. After an error, the bytes of
    /// a size.
    pub fn wanted(&self, input: &[u8]) -> usize {
        let size = input.first_chunk().map_or(0, |size| i32::from_be_bytes(*size));
        SIZE_LEN + usize::try_from(size).unwrap_or(0).min(self.payload_len_max)
    }
}
