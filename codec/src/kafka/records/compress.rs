//! Compressing a batch while it fills, a piece at a time.
//!
//! ```text
//!            piece      what stands on the wire
//!   lz4      32 KiB     frame header, { little-endian length, block }.., a length of 0    blocks are independent
//!   snappy   32 KiB     Java's stream header, { big-endian length, raw snappy }..
//!   zstd     16 KiB     one frame; flushed after each piece
//!   gzip      4 KiB     one member; not flushed
//! ```
//!
//! A piece is what one call compresses: some 60 µs, so that a large batch does not keep its neighbours waiting. A
//! batch that is closed before its first piece is full is compressed at once.

use flate2::{Compress, Compression as GzipLevel, FlushCompress, Status};
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

use super::layout::Codec;

/// Contexts of zstd (2.5 MiB each at level 3, of which a small batch touches less than a third) and of gzip (270 KiB) that
/// are kept while no batch uses them. More are made while more batches are compressed at a time.
const IDLE_CONTEXTS_MAX: usize = 16;

/// Half of what the frame's header announces (64 KiB): about 65 µs instead of 130, and 1 % longer.
const LZ4_BLOCK_LEN: usize = 32 << 10;
/// Java's block size: about 60 µs.
const SNAPPY_BLOCK_LEN: usize = 32 << 10;
/// About 55 µs at levels 1 and 3, and 1 % longer than twice of it. zstd alone would wait for 128 KiB.
const ZSTD_PIECE_LEN: usize = 16 << 10;
/// How far back zstd looks, as a power of two: as far as the largest batch of most brokers is long. A level from 10 on has
/// tables for far more, up to 600 MiB, which would be of no use.
const ZSTD_WINDOW_LOG: u32 = 20;
const ZSTD_TABLE_LOG_MAX: u32 = 21;
const ZSTD_TABLES_FROM: i32 = 10;
/// About 20 µs at level 1, 85 at level 6.
const GZIP_PIECE_LEN: usize = 4 << 10;

/// Magic; version 1, independent blocks, no checksums; blocks of 64 KiB; the checksum of these two bytes: the
/// second byte of their xxHash-32.
const LZ4_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
/// The bit of a block's length that says: stored as it is.
const LZ4_STORED: u32 = 1 << 31;
const LZ4_END: [u8; 4] = [0; 4];

/// Magic, version 1, readable since version 1.
pub(super) const SNAPPY_HEADER: [u8; 16] =
    [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];

/// The default window of deflate, as a power of two.
const GZIP_WINDOW_BITS: u8 = 15;
/// Room that is made whenever zstd or gzip has none left, in bytes.
const OUTPUT_STEP: usize = 16 << 10;

/// How a producer compresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With a level from 0 to 9, 6 being the usual one; a higher one counts as 9.
    Gzip(u8),
    /// Without levels.
    Snappy,
    /// Without levels.
    Lz4,
    /// With a level from 1 to 22, 3 being the usual one, or a negative one that is faster still; what is beyond
    /// counts as the nearest.
    Zstd(i8),
}

impl Compression {
    /// What a batch says about it.
    pub fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip(_) => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd(_) => Codec::Zstd,
        }
    }

    /// What one call compresses, in bytes: some 60 µs. Without compression there is no end of it.
    pub fn piece_len(self) -> usize {
        match self {
            Self::None => usize::MAX,
            Self::Gzip(_) => GZIP_PIECE_LEN,
            Self::Snappy => SNAPPY_BLOCK_LEN,
            Self::Lz4 => LZ4_BLOCK_LEN,
            Self::Zstd(_) => ZSTD_PIECE_LEN,
        }
    }
}

/// The tables and contexts that batches share: one for each shard.
pub struct Compressors {
    lz4: CompressTable,
    snappy: snap::raw::Encoder,
    /// A compressed block of lz4 or snappy, before its length is known. Empty until the first one.
    block: Vec<u8>,
    zstd: Vec<CCtx<'static>>,
    /// By level.
    gzip: Vec<(u8, Compress)>,
}

impl std::fmt::Debug for Compressors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let idle = (self.zstd.len(), self.gzip.len());
        f.debug_struct("Compressors").field("idle_zstd_and_gzip", &idle).finish_non_exhaustive()
    }
}

impl Default for Compressors {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressors {
    /// Compressors that were never used.
    pub fn new() -> Self {
        Self {
            // The small one, of 16 bits, would do for a block; it compresses 5 % less.
            lz4: CompressTable::large(),
            snappy: snap::raw::Encoder::new(),
            block: Vec::new(),
            zstd: Vec::new(),
            gzip: Vec::new(),
        }
    }

    fn zstd(&mut self, level: i8) -> Option<CCtx<'static>> {
        let mut context = self.zstd.pop().or_else(CCtx::try_create)?;
        let level = i32::from(level).clamp(zstd_safe::min_c_level(), zstd_safe::max_c_level());
        context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
        context.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG)).ok()?;
        if level >= ZSTD_TABLES_FROM {
            context.set_parameter(CParameter::HashLog(ZSTD_TABLE_LOG_MAX)).ok()?;
            context.set_parameter(CParameter::ChainLog(ZSTD_TABLE_LOG_MAX)).ok()?;
        }
        Some(context)
    }

    fn gzip(&mut self, level: u8) -> (u8, Compress) {
        match self.gzip.iter().position(|idle| idle.0 == level) {
            Some(index) => self.gzip.swap_remove(index),
            None => {
                let compression = GzipLevel::new(u32::from(level.min(9)));
                (level, Compress::new_gzip(compression, GZIP_WINDOW_BITS))
            }
        }
    }

    /// Takes the context of a stream back.
    fn put_back(&mut self, stream: Stream) {
        match stream {
            Stream::Zstd(mut context) => {
                let is_clean = context.reset(ResetDirective::SessionOnly).is_ok();
                if is_clean && self.zstd.len() < IDLE_CONTEXTS_MAX {
                    self.zstd.push(context);
                }
            }
            Stream::Gzip(level, mut context) => {
                context.reset();
                if self.gzip.len() < IDLE_CONTEXTS_MAX {
                    self.gzip.push((level, context));
                }
            }
            Stream::Blocks => {}
        }
    }

    /// Appends one block of lz4: stored where it does not get shorter.
    fn lz4_block(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.block.resize(self.block.len().max(get_maximum_output_size(LZ4_BLOCK_LEN)), 0);
        match compress_into_with_table(plain, &mut self.block, &mut self.lz4) {
            Ok(len) if len < plain.len() => {
                out.extend_from_slice(&(len as u32).to_le_bytes());
                out.extend_from_slice(&self.block[..len]);
            }
            _ => {
                out.extend_from_slice(&(plain.len() as u32 | LZ4_STORED).to_le_bytes());
                out.extend_from_slice(plain);
            }
        }
    }

    fn snappy_block(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let len_max = snap::raw::max_compress_len(SNAPPY_BLOCK_LEN);
        self.block.resize(self.block.len().max(len_max), 0);
        let len = self.snappy.compress(plain, &mut self.block).ok()?;
        out.extend_from_slice(&(len as u32).to_be_bytes());
        out.extend_from_slice(&self.block[..len]);
        Some(())
    }
}

/// What is kept from one piece of a batch to the next.
enum Stream {
    /// Nothing: every block stands alone.
    Blocks,
    Zstd(CCtx<'static>),
    Gzip(u8, Compress),
}

/// The compressed form of one batch, as far as it has come.
#[derive(Default)]
pub(super) struct Packer {
    /// Nothing was compressed yet: `None`.
    stream: Option<Stream>,
    /// A compressor failed, so the batch stays as it is.
    failed: bool,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begun = self.stream.is_some();
        f.debug_struct("Packer").field("begun", &begun).field("failed", &self.failed).finish()
    }
}

impl Packer {
    /// A compressor failed: what was appended is of no use.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Appends `plain` compressed to `out`; the last piece ends the stream.
    pub(super) fn pack(
        &mut self,
        compression: Compression,
        compressors: &mut Compressors,
        plain: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
    ) {
        if self.failed {
            return;
        }
        let packed = self.try_pack(compression, compressors, plain, is_last, out);
        self.failed = packed.is_none();
        if (is_last || self.failed)
            && let Some(stream) = self.stream.take()
        {
            compressors.put_back(stream);
        }
    }

    fn try_pack(
        &mut self,
        compression: Compression,
        compressors: &mut Compressors,
        plain: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        if self.stream.is_none() {
            self.stream = Some(begin(compression, compressors, out)?);
        }
        match self.stream.as_mut()? {
            Stream::Zstd(context) => zstd_piece(context, plain, is_last, out),
            Stream::Gzip(_, context) => gzip_piece(context, plain, is_last, out),
            Stream::Blocks if compression == Compression::Lz4 => {
                if !plain.is_empty() {
                    compressors.lz4_block(plain, out);
                }
                if is_last {
                    out.extend_from_slice(&LZ4_END);
                }
                Some(())
            }
            Stream::Blocks if plain.is_empty() => Some(()),
            Stream::Blocks => compressors.snappy_block(plain, out),
        }
    }
}

fn begin(compression: Compression, compressors: &mut Compressors, out: &mut Vec<u8>) -> Option<Stream> {
    Some(match compression {
        Compression::None => Stream::Blocks,
        Compression::Lz4 => {
            out.extend_from_slice(&LZ4_HEADER);
            Stream::Blocks
        }
        Compression::Snappy => {
            out.extend_from_slice(&SNAPPY_HEADER);
            Stream::Blocks
        }
        Compression::Zstd(level) => {
            let mut context = compressors.zstd(level)?;
            // Begun with nothing it does not know what is to come. Otherwise it would take memory for just as much, and
            // get other memory from the system whenever batches become larger or smaller: a millisecond each time.
            let (mut nothing, start) = (InBuffer::around(&[]), out.len());
            let mut into = OutBuffer::around_pos(out, start);
            context.compress_stream2(&mut into, &mut nothing, ZSTD_EndDirective::ZSTD_e_continue).ok()?;
            Stream::Zstd(context)
        }
        Compression::Gzip(level) => {
            let (level, context) = compressors.gzip(level);
            Stream::Gzip(level, context)
        }
    })
}

fn zstd_piece(context: &mut CCtx<'static>, plain: &[u8], is_last: bool, out: &mut Vec<u8>) -> Option<()> {
    let directive = if is_last { ZSTD_EndDirective::ZSTD_e_end } else { ZSTD_EndDirective::ZSTD_e_flush };
    let mut input = InBuffer::around(plain);
    // With room for all of it one call is enough.
    out.reserve(zstd_safe::compress_bound(plain.len()));
    loop {
        let start = out.len();
        let left =
            context.compress_stream2(&mut OutBuffer::around_pos(out, start), &mut input, directive).ok()?;
        if left == 0 {
            return Some(());
        }
        out.reserve(left.max(OUTPUT_STEP));
    }
}

fn gzip_piece(context: &mut Compress, plain: &[u8], is_last: bool, out: &mut Vec<u8>) -> Option<()> {
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::None };
    let mut rest = plain;
    loop {
        out.reserve(OUTPUT_STEP);
        let before = context.total_in();
        let status = context.compress_vec(rest, out, flush).ok()?;
        rest = rest.get((context.total_in() - before) as usize..)?;
        match status {
            Status::StreamEnd => return Some(()),
            _ if !is_last && rest.is_empty() => return Some(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_all_sizes_are_compressed_in_the_same_memory() {
        let text: Vec<u8> = (0..60_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let mut compressors = Compressors::new();
        let mut out = Vec::new();
        let mut memory = Vec::new();
        // Small ones for long, so that it would give back what they do not need.
        for len in [60_000, 100].into_iter().chain([300; 300]).chain([16_000, 200_000]) {
            let mut packer = Packer::default();
            let mut pieces = text[..len].chunks(ZSTD_PIECE_LEN).peekable();
            while let Some(piece) = pieces.next() {
                let is_last = pieces.peek().is_none();
                packer.pack(Compression::Zstd(3), &mut compressors, piece, is_last, &mut out);
            }
            assert!(!packer.failed());
            memory.push(compressors.zstd.iter().map(CCtx::sizeof).sum::<usize>());
        }
        assert!(memory.iter().all(|it| it == &memory[0]), "{memory:?}");
    }

    #[test]
    fn no_level_takes_memory_for_what_no_batch_is() {
        for (level, mib_max) in [(-5, 2), (1, 2), (3, 3), (9, 16), (10, 32), (19, 32), (22, 32)] {
            let mut compressors = Compressors::new();
            let (mut packer, mut out) = (Packer::default(), Vec::new());
            packer.pack(Compression::Zstd(level), &mut compressors, &[b'a'; 300], true, &mut out);
            let bytes = compressors.zstd[0].sizeof();
            assert!(!packer.failed() && bytes <= mib_max << 20, "level {level}: {bytes}");
        }
    }
}
