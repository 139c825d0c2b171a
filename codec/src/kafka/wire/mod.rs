//! The primitive types of the protocol, and the description of structures made of them.
//!
//! ```text
//!   int8 .. int64, uuid       big-endian, as they are
//!                             old versions            flexible versions
//!   string                    int16 length, UTF-8     varint length + 1, UTF-8     null: -1, or 0
//!   bytes, records            int32 length            varint length + 1
//!   array                     int32 count             varint count + 1
//!   end of a structure        nothing                 varint count, (tag, size, content)..
//! ```

mod error;
mod fields;
mod reader;
pub mod varint;
mod writer;

pub use error::{WireError, WireErrorKind};
pub use fields::{Fields, Iter, List, Message};
pub use reader::Reader;
pub use writer::Writer;
