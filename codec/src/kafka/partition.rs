//! Which partition a key belongs to, as other clients decide it: so that they agree.

/// The seed of Java's murmur2.
const MURMUR2_SEED: u32 = 0x9747_b28c;
/// The constants of murmur2 itself.
const MURMUR2_MULTIPLIER: u32 = 0x5bd1_e995;
const MURMUR2_SHIFT: u32 = 24;

/// The polynomial of zlib's CRC-32, reflected.
const CRC32_POLYNOMIAL: u32 = 0xedb8_8320;

/// By byte; keys are short, so that eight tables would gain nothing.
const CRC32_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { CRC32_POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The 32-bit murmur2 of the Java client.
pub fn murmur2(key: &[u8]) -> u32 {
    let mut hash = MURMUR2_SEED ^ key.len() as u32;
    let (words, tail) = key.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MURMUR2_MULTIPLIER);
        mixed ^= mixed >> MURMUR2_SHIFT;
        hash = hash.wrapping_mul(MURMUR2_MULTIPLIER) ^ mixed.wrapping_mul(MURMUR2_MULTIPLIER);
    }
    if !tail.is_empty() {
        let tail = tail.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        hash = (hash ^ tail).wrapping_mul(MURMUR2_MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MURMUR2_MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The CRC-32 of zlib, which librdkafka partitions by.
pub fn crc32(key: &[u8]) -> u32 {
    !key.iter().fold(!0, |crc, &byte| (crc >> 8) ^ CRC32_TABLE[usize::from(crc as u8 ^ byte)])
}

/// The partition of a key as the Java client chooses it (`murmur2`): the sign of the hash is dropped.
///
/// # Panics
///
/// If there are no partitions.
pub fn murmur2_partition(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & i32::MAX as u32) % partitions
}

/// The partition of a key as librdkafka's `consistent` chooses it. Its default, `consistent_random`, differs for
/// empty and missing keys alone.
///
/// # Panics
///
/// If there are no partitions.
pub fn consistent_partition(key: &[u8], partitions: u32) -> u32 {
    crc32(key) % partitions
}
