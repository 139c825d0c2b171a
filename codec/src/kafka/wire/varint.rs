//! Numbers of variable length: seven bits a byte, the lowest first; signed ones zigzag (0, -1, 1, -2 ..).

/// Bytes of the longest 32-bit number.
pub const VARINT_LEN_MAX: usize = 5;

/// Bytes of the longest 64-bit number.
pub const VARLONG_LEN_MAX: usize = 10;

/// Bytes that `value` takes.
#[inline]
pub const fn unsigned_len(value: u64) -> usize {
    // Each byte carries 7 bits; zero takes one byte too. `(bits * 9 + 64) / 64` is `ceil(bits / 7)` for 1..=64.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    (bits * 9 + 64) / 64
}

/// Bytes that `value` takes as a signed number.
#[inline]
pub const fn signed_len(value: i64) -> usize {
    unsigned_len(zigzag(value))
}

/// Signed to unsigned: small magnitudes become small numbers.
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The reverse of [`zigzag`].
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Writes `value` to the front of `into`, and answers how many bytes it took.
///
/// # Panics
///
/// If `into` is shorter than that.
#[inline]
pub fn write_unsigned(into: &mut [u8], mut value: u64) -> usize {
    // Most are of one byte or two.
    if value < 1 << 7 {
        into[0] = value as u8;
        return 1;
    }
    if value < 1 << 14 {
        into[..2].copy_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
        return 2;
    }
    let mut at = 0;
    while value >= 0x80 {
        into[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    into[at] = value as u8;
    at + 1
}

/// What stands at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Varint {
    /// A number, and the bytes that it takes.
    Value(u64, usize),
    /// The bytes end before the number does.
    Truncated,
    /// More bytes than the longest number has, or bits that do not fit into it.
    TooLong,
}

/// Reads a number of `bits` (32 or 64) from the front of `from`.
#[inline]
pub fn read_unsigned(from: &[u8], bits: u32) -> Varint {
    let mut value = 0_u64;
    let mut shift = 0;
    for (index, &byte) in from.iter().enumerate() {
        let part = u64::from(byte & 0x7f);
        // The last byte may only hold the bits that are left.
        if shift >= bits || (bits - shift < 7 && part >> (bits - shift) != 0) {
            return Varint::TooLong;
        }
        value |= part << shift;
        if byte < 0x80 {
            return Varint::Value(value, index + 1);
        }
        shift += 7;
    }
    if shift >= bits { Varint::TooLong } else { Varint::Truncated }
}
