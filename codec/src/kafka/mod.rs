//! Apache Kafka: what an idempotent producer says and hears, and its record batches.
//!
//! ```text
//!   frame.rs       size, header, body; splits what arrives into frames
//!   api.rs         which messages in which versions (KIP-896's floor to Kafka 4.1)
//!   messages/      the messages; each is described once, for both directions
//!   wire/          the primitive types, and how a description is read and written
//!   records/       record batches: the writer, its compression, the reader
//!   error_code/    every error code: may it be retried, was the batch appended, what to do
//!   partition.rs   which partition a key belongs to
//! ```
//!
//! A client encodes with [`encode_request`] and decodes with [`FrameReader`] and [`decode_response`]; a server
//! goes the other way with [`ReceivedRequest`] and [`encode_response`]. Messages borrow: a decoded one lives as
//! long as the bytes it was read from, and its lists decode while they are iterated.
//!
//! ```
//! use ringwire_codec::kafka::*;
//!
//! // The client asks ..
//! let mut out = Vec::new();
//! let header = RequestHeader { version: 4, correlation_id: 1, client_id: Some("me") };
//! let ask = ApiVersionsRequest { client_software_name: "ringwire", client_software_version: "0.1" };
//! encode_request(&mut out, &header, &ask)?;
//!
//! // .. the server hears and answers ..
//! let frames = FrameReader::new(RESPONSE_LEN_MAX);
//! let frame = frames.next(&out)?.expect("it is whole");
//! let received = ReceivedRequest::parse(frame.payload())?;
//! assert_eq!(received.decode::<ApiVersionsRequest>()?, ask);
//! let produce = [ApiVersion { api_key: Api::Produce.key(), min_version: 0, max_version: 12 }];
//! let answer = ApiVersionsResponse { api_keys: List::new(&produce), ..Default::default() };
//! let mut back = Vec::new();
//! encode_response::<ApiVersionsRequest>(&mut back, 4, received.header.correlation_id, &answer)?;
//!
//! // .. and the client chooses a version.
//! let frame = frames.next(&back)?.expect("it is whole");
//! let heard = decode_response::<ApiVersionsRequest>(header.version, frame.payload())?;
//! let offered = heard.api_keys.iter().find(|offered| offered.api_key == Api::Produce.key()).expect("it is there");
//! let offered = Versions { min: offered.min_version, max: offered.max_version };
//! assert_eq!(Api::Produce.choose(offered, i16::MAX), Some(12));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Source: <https://kafka.apache.org/protocol>, the KIPs that are named, and what brokers do where those are
//! silent.

mod api;
mod error_code;
mod frame;
mod messages;
mod partition;
mod records;
pub mod wire;

pub use api::{Api, Versions};
pub use error_code::{Appended, ErrorCode, ErrorInfo};
pub use frame::{
    Frame, FrameError, FrameReader, OpenFrame, RESPONSE_LEN_MAX, ReceivedRequest, Request, RequestHeader,
    decode_response, encode_request, encode_response,
};
pub use messages::*;
pub use partition::{consistent_partition, crc32, murmur2, murmur2_partition};
pub use records::*;
pub use wire::List;

/// A topic id that means none.
pub const NO_UUID: [u8; 16] = [0; 16];

/// A producer id that means none.
pub const NO_PRODUCER_ID: i64 = -1;

/// A producer epoch that means none.
pub const NO_PRODUCER_EPOCH: i16 = -1;
