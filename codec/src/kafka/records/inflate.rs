//! Decompressing what a peer sent, into a buffer that never outgrows its limit.

use flate2::{Decompress, FlushDecompress, Status};
use lz4_flex::block::{DecompressError, decompress_into};
use zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective};

use super::compress::SNAPPY_HEADER;
use super::layout::Codec;
use super::read::BatchError;

/// What a batch may hold by default once it is decompressed, in bytes: many times the largest batch that
/// brokers take by default (1 MiB), yet not a burden when a peer means harm.
pub const INFLATED_LEN_MAX: usize = 64 << 20;

/// Room that is made at a time for the streams of zstd and gzip, in bytes.
const OUTPUT_STEP: usize = 64 << 10;

/// Snappy's densest element makes 64 bytes of 3: what claims more does not hold it.
const SNAPPY_RATIO_MAX: usize = 22;
/// LZ4 makes at most 255 bytes of one.
const LZ4_RATIO_MAX: usize = 255;

const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// In the flags of an LZ4 frame.
const LZ4_VERSION_MASK: u8 = 0b1100_0000;
const LZ4_VERSION: u8 = 0b0100_0000;
const LZ4_INDEPENDENT: u8 = 1 << 5;
const LZ4_BLOCK_CHECKSUM: u8 = 1 << 4;
const LZ4_CONTENT_SIZE: u8 = 1 << 3;
const LZ4_CONTENT_CHECKSUM: u8 = 1 << 2;
const LZ4_DICTIONARY: u8 = 1;
/// In a block's length: the block is stored as it is.
const LZ4_STORED: u32 = 1 << 31;
const LZ4_CHECKSUM_LEN: usize = 4;
/// By the block size's number, 4 to 7, in bytes.
const LZ4_BLOCK_LENS: [usize; 4] = [64 << 10, 256 << 10, 1 << 20, 4 << 20];

/// The magic of Java's snappy stream is half of its header; two version numbers follow.
const SNAPPY_MAGIC_LEN: usize = 8;

/// The default window of deflate, as a power of two.
const GZIP_WINDOW_BITS: u8 = 15;

/// The decompressors of one reader, and their limit.
pub struct Inflater {
    len_max: usize,
    zstd: Option<DCtx<'static>>,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("len_max", &self.len_max).finish_non_exhaustive()
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new(INFLATED_LEN_MAX)
    }
}

impl Inflater {
    /// Decompressors of batches whose records have `len_max` bytes at most.
    pub fn new(len_max: usize) -> Self {
        Self { len_max, zstd: None }
    }

    /// Decompresses `packed` into `out`, which it empties first.
    pub(super) fn inflate(
        &mut self,
        codec: Codec,
        packed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), BatchError> {
        out.clear();
        let inflated = match codec {
            Codec::None => {
                out.extend_from_slice(packed);
                Ok(())
            }
            Codec::Gzip => self.gzip(packed, out),
            Codec::Snappy => self.snappy(packed, out),
            Codec::Lz4 => self.lz4(packed, out),
            Codec::Zstd => self.zstd(packed, out),
        };
        inflated.map_err(|fault| match fault {
            Fault::TooLong => BatchError::InflatedTooLong { codec, max: self.len_max },
            Fault::Invalid(what) => BatchError::Codec { codec, what },
        })
    }

    /// How many of `len` bytes more `out` may still take.
    fn room(&self, out: &[u8], len: usize) -> usize {
        len.min(self.len_max - out.len().min(self.len_max))
    }

    fn gzip(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut rest = packed;
        // A file of several members is one stream, as Java's reader takes it.
        while !rest.is_empty() {
            rest = self.gzip_member(rest, out)?;
        }
        if packed.is_empty() { Err(Fault::Invalid("no gzip member")) } else { Ok(()) }
    }

    fn gzip_member<'a>(&self, packed: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], Fault> {
        let mut stream = Decompress::new_gzip(GZIP_WINDOW_BITS);
        loop {
            // One byte beyond the limit shows that there is more.
            let room = self.room(out, OUTPUT_STEP).max(1);
            out.reserve(room);
            let rest = &packed[stream.total_in() as usize..];
            let before = (stream.total_in(), stream.total_out());
            let status = stream.decompress_vec(rest, out, FlushDecompress::None);
            let status = status.map_err(|_| Fault::Invalid("not a gzip stream"))?;
            if out.len() > self.len_max {
                return Err(Fault::TooLong);
            }
            if status == Status::StreamEnd {
                return Ok(&packed[stream.total_in() as usize..]);
            }
            if before == (stream.total_in(), stream.total_out()) {
                return Err(Fault::Invalid("the gzip stream has no end"));
            }
        }
    }

    fn zstd(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        const INVALID: Fault = Fault::Invalid("not a zstd stream");
        let len_max = self.len_max;
        let mut context = match self.zstd.take() {
            Some(context) => context,
            None => DCtx::try_create().ok_or(Fault::Invalid("no memory for zstd"))?,
        };
        context.reset(ResetDirective::SessionOnly).map_err(|_| INVALID)?;
        let mut input = InBuffer::around(packed);
        let mut wants_more = true;
        while wants_more || input.pos() < packed.len() {
            out.reserve(self.room(out, OUTPUT_STEP).max(1));
            let before = (input.pos(), out.len());
            let start = out.len();
            let hint = context.decompress_stream(&mut OutBuffer::around_pos(out, start), &mut input);
            wants_more = hint.map_err(|_| INVALID)? != 0;
            if out.len() > len_max {
                return Err(Fault::TooLong);
            }
            if before == (input.pos(), out.len()) {
                return Err(Fault::Invalid("the zstd stream has no end"));
            }
        }
        self.zstd = Some(context);
        Ok(())
    }

    fn snappy(&self, packed: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if packed.get(..SNAPPY_MAGIC_LEN) != Some(&SNAPPY_HEADER[..SNAPPY_MAGIC_LEN]) {
            return self.snappy_block(packed, out);
        }
        let Some(mut rest) = packed.get(SNAPPY_HEADER.len()..) else {
            return Err(Fault::Invalid("the header of the snappy stream is cut off"));
        };
        while !rest.is_empty() {
            let (len, behind) =
                rest.split_first_chunk().ok_or(Fault::Invalid("a snappy block's length is cut off"))?;
            let len = u32::from_be_bytes(*len) as usize;
            let (block, behind) =
                behind.split_at_checked(len).ok_or(Fault::Invalid("a snappy block is cut off"))?;
            self.snappy_block(block, out)?;
            rest = behind;
        }
        Ok(())
    }

    fn snappy_block(&self, block: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        const INVALID: Fault = Fault::Invalid("not a snappy block");
        let len = snap::raw::decompress_len(block).map_err(|_| INVALID)?;
        if len > block.len() * SNAPPY_RATIO_MAX {
            return Err(Fault::Invalid("a snappy block claims more than it can hold"));
        }
        if self.room(out, len) < len {
            return Err(Fault::TooLong);
        }
        let start = out.len();
        out.resize(start + len, 0);
        let read = snap::raw::Decoder::new().decompress(block, &mut out[start..]).map_err(|_| INVALID)?;
        if read == len { Ok(()) } else { Err(INVALID) }
    }

    fn lz4(&self, packed: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let (frame, mut rest) = Lz4Frame::read(packed)?;
        loop {
            let length = u32::from_le_bytes(*chunk(&mut rest)?);
            if length == 0 {
                break;
            }
            let len = (length & !LZ4_STORED) as usize;
            let (block, behind) = rest.split_at_checked(len).ok_or(LZ4_CUT_OFF)?;
            rest = behind;
            if frame.has_block_checksums {
                chunk::<LZ4_CHECKSUM_LEN>(&mut rest)?;
            }
            if length & LZ4_STORED != 0 {
                if self.room(out, len) < len {
                    return Err(Fault::TooLong);
                }
                out.extend_from_slice(block);
            } else {
                self.lz4_block(block, frame.block_len_max, out)?;
            }
        }
        if frame.has_content_checksum {
            chunk::<LZ4_CHECKSUM_LEN>(&mut rest)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(Fault::Invalid("bytes behind the end of the LZ4 frame")) }
    }

    fn lz4_block(&self, block: &[u8], block_len_max: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = out.len();
        let len_max = block_len_max.min(block.len().saturating_mul(LZ4_RATIO_MAX));
        let room = self.room(out, len_max);
        out.resize(start + room, 0);
        let len = decompress_into(block, &mut out[start..]).map_err(|error| match error {
            DecompressError::OutputTooSmall { .. } if room < len_max => Fault::TooLong,
            _ => Fault::Invalid("not an LZ4 block"),
        })?;
        out.truncate(start + len);
        Ok(())
    }
}

/// Before it is known which codec and limit it is about.
enum Fault {
    Invalid(&'static str),
    TooLong,
}

const LZ4_CUT_OFF: Fault = Fault::Invalid("the LZ4 frame is cut off");

fn chunk<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Fault> {
    let (chunk, behind) = rest.split_first_chunk().ok_or(LZ4_CUT_OFF)?;
    *rest = behind;
    Ok(chunk)
}

/// What an LZ4 frame's header says.
///
/// Its checksums are not looked at: the batch's own has covered these bytes.
struct Lz4Frame {
    block_len_max: usize,
    has_block_checksums: bool,
    has_content_checksum: bool,
}

impl Lz4Frame {
    fn read(packed: &[u8]) -> Result<(Self, &[u8]), Fault> {
        let mut rest = packed;
        if *chunk(&mut rest)? != LZ4_MAGIC {
            return Err(Fault::Invalid("not an LZ4 frame"));
        }
        let [flags, sizes] = *chunk(&mut rest)?;
        if flags & LZ4_VERSION_MASK != LZ4_VERSION {
            return Err(Fault::Invalid("an LZ4 frame of an unknown version"));
        }
        if flags & LZ4_INDEPENDENT == 0 {
            return Err(Fault::Invalid("an LZ4 frame with dependent blocks, which Kafka does not allow"));
        }
        if flags & LZ4_DICTIONARY != 0 {
            return Err(Fault::Invalid("an LZ4 frame with a dictionary, which Kafka does not allow"));
        }
        let size = usize::from(sizes >> 4 & 0b111).checked_sub(4);
        let Some(&block_len_max) = size.and_then(|size| LZ4_BLOCK_LENS.get(size)) else {
            return Err(Fault::Invalid("an LZ4 frame of an unknown block size"));
        };
        if flags & LZ4_CONTENT_SIZE != 0 {
            chunk::<8>(&mut rest)?;
        }
        chunk::<1>(&mut rest)?;
        let has_block_checksums = flags & LZ4_BLOCK_CHECKSUM != 0;
        let has_content_checksum = flags & LZ4_CONTENT_CHECKSUM != 0;
        Ok((Self { block_len_max, has_block_checksums, has_content_checksum }, rest))
    }
}
