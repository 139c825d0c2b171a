//! RESP2 and RESP3, the protocols of Redis, Valkey and their relatives.
//!
//! ```text
//!   type byte   header          body                       token
//!   + - ( ,     text CRLF                                  Simple, Error, BigNumber, Double
//!   : # _       value CRLF                                 Integer, Boolean, Null
//!   $ ! =       length CRLF     length bytes, CRLF         Bulk, BulkError, Verbatim
//!   * ~ >       count CRLF      count elements             Array, Set, Push
//!   % |         count CRLF      count pairs of elements    Map, Attribute
//!   $?          CRLF            chunks ";length", ";0"     StreamedString, Chunk.., End
//!   *? ~? %?    CRLF            elements, ".CRLF"          Array(None).., End
//! ```
//!
//! Three layers, each usable alone:
//!
//! * [`Decoder`] pulls [`Token`]s out of bytes. It works on one top-level frame at a time: its `input`
//!   begins at the frame's first byte on every call and only ever grows, and it resumes where it stopped.
//! * [`FrameReader`] delivers whole [`Frame`]s: what a connection matches with its requests. Attributes
//!   are checked and skipped; a push inside another frame is delivered by itself.
//! * [`encode`] appends commands and replies to a `Vec<u8>`; [`CommandPrefix`] prepares the constant part
//!   of a command once.
//!
//! [`glob_match`] is the pattern matching of `PSUBSCRIBE`.
//!
//! Source: <https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md>, and what
//! Redis 7.0 does where it is silent.

mod decode;
pub mod encode;
mod error;
mod frame;
mod glob;
mod line;
mod token;

pub use decode::Decoder;
pub use encode::{CommandPrefix, ReplyEncoder, Version, command};
pub use error::{DecodeError, DecodeErrorKind};
pub use frame::{Frame, FrameReader, ITEMS_MAX, Tokens};
pub use glob::{GLOB_STARS_MAX, glob_match};
pub use token::{BULK_LEN_MAX, DEPTH_CAP, FRAME_LEN_MAX, LINE_LEN_MAX, Limits, Token};
