//! Where what stands in a batch, and what its attributes mean.

/// Bytes in front of the records.
pub(super) const HEADER_LEN: usize = 61;

/// Bytes that `batchLength` does not count: the base offset and itself.
pub(super) const LENGTH_FROM: usize = 12;

/// The CRC covers everything from here to the end.
pub(super) const CRC_FROM: usize = ATTRIBUTES;

/// The format that every broker since 0.11 takes, and 4.0 alone.
pub(super) const MAGIC: u8 = 2;

pub(super) const BASE_OFFSET: usize = 0;
pub(super) const BATCH_LENGTH: usize = 8;
pub(super) const LEADER_EPOCH: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
pub(super) const CRC: usize = 17;
pub(super) const ATTRIBUTES: usize = 21;
pub(super) const LAST_OFFSET_DELTA: usize = 23;
pub(super) const BASE_TIMESTAMP: usize = 27;
pub(super) const MAX_TIMESTAMP: usize = 35;
pub(super) const PRODUCER_ID: usize = 43;
pub(super) const PRODUCER_EPOCH: usize = 51;
pub(super) const BASE_SEQUENCE: usize = 53;
pub(super) const COUNT: usize = 57;

/// Attributes: the codec.
pub(super) const CODEC_MASK: i16 = 0b111;
/// Attributes: the broker's time stands in the maximum timestamp, and is that of every record.
pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
/// Attributes: part of a transaction.
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
/// Attributes: the end of a transaction, from a coordinator.
pub(super) const CONTROL: i16 = 1 << 5;

/// A fixed number of bytes at a fixed place of a header.
#[inline]
pub(super) fn field<const N: usize>(header: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

/// The sequence `count` records behind `sequence`: it wraps from `i32::MAX` to 0, and -1 (none) stays.
///
/// ```
/// use ringwire_codec::kafka::next_sequence;
///
/// assert_eq!(next_sequence(5, 3), 8);
/// assert_eq!(next_sequence(i32::MAX, 1), 0);
/// assert_eq!(next_sequence(-1, 3), -1);
/// ```
pub fn next_sequence(sequence: i32, count: u32) -> i32 {
    if sequence < 0 { sequence } else { ((sequence as u32).wrapping_add(count) & i32::MAX as u32) as i32 }
}

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Blocks of snappy: those of Java's stream, or one raw one.
    Snappy,
    /// An LZ4 frame.
    Lz4,
    /// Zstandard; from Produce version 7 and Fetch version 10.
    Zstd,
}

impl Codec {
    /// Every one, by its number.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The one that attributes name.
    pub(super) fn of(attributes: i16) -> Result<Self, i16> {
        let id = attributes & CODEC_MASK;
        Self::ALL.get(id as usize).copied().ok_or(id)
    }

    /// Its number in the attributes.
    pub(super) fn id(self) -> i16 {
        self as i16
    }

    /// Its name in Kafka's settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}
