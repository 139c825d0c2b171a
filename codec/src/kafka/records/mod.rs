//! Record batches of format 2: the unit that producers send and brokers keep.
//!
//! ```text
//!    0  int64  base offset             27  int64  base timestamp
//!    8  int32  batch length from 12    35  int64  max timestamp
//!   12  int32  leader epoch            43  int64  producer id
//!   16  int8   magic 2                 51  int16  producer epoch
//!   17  uint32 CRC-32C from 21         53  int32  base sequence
//!   21  int16  attributes              57  int32  count of records
//!   23  int32  last offset delta       61  the records, compressed together or not
//! ```
//!
//! * [`OpenBatch`] takes records and compresses while it fills; [`FrozenBatch`] is what is sent.
//! * [`RecordBatch`], [`Batches`] and [`Inflater`] are the way back.

mod compress;
mod frozen;
mod inflate;
mod layout;
mod open;
mod read;
mod record;
mod stamp;

pub use compress::{Compression, Compressors};
pub use frozen::{FrozenBatch, Producer};
pub use inflate::{INFLATED_LEN_MAX, Inflater};
pub use layout::{Codec, next_sequence};
pub use open::{BatchLimits, OpenBatch, PushError};
pub use read::{BatchError, Batches, ReadRecord, RecordBatch, Records};
pub use record::{Header, Headers, Record};
pub use stamp::stamp;
