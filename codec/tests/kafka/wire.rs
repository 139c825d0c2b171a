//! Numbers of variable length.

use ringwire_codec::kafka::wire::varint::{
    Varint, read_unsigned, signed_len, unsigned_len, unzigzag, write_unsigned, zigzag,
};

use crate::random::Random;

/// Bytes on the wire and their value, by hand: seven bits a byte, the lowest first.
#[test]
fn golden() {
    let check = |value: i64, expected: &[u8]| {
        let mut bytes = [0; 10];
        let len = write_unsigned(&mut bytes, zigzag(value));
        assert_eq!(&bytes[..len], expected, "{value}");
        assert_eq!(read_unsigned(expected, 64), Varint::Value(zigzag(value), expected.len()));
        assert_eq!(unzigzag(zigzag(value)), value);
        assert_eq!(signed_len(value), expected.len());
    };
    check(0, &[0]);
    check(-1, &[1]);
    check(1, &[2]);
    check(63, &[0x7e]);
    check(-64, &[0x7f]);
    check(64, &[0x80, 0x01]);
    check(-65, &[0x81, 0x01]);
    check(8191, &[0xfe, 0x7f]);
    check(8192, &[0x80, 0x80, 0x01]);
    check(i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]);
    check(i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    check(i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    check(i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
}

#[test]
fn what_is_no_number() {
    let check = |bytes: &[u8], bits, expected| assert_eq!(read_unsigned(bytes, bits), expected, "{bytes:x?}");
    check(&[], 32, Varint::Truncated);
    check(&[0x80], 32, Varint::Truncated);
    check(&[0x80; 4], 32, Varint::Truncated);
    check(&[0x80; 5], 32, Varint::TooLong);
    check(&[0x80; 11], 64, Varint::TooLong);
    check(&[0x80; 9], 64, Varint::Truncated);
    // The fifth byte has room for four bits, the tenth for one.
    check(&[0xff, 0xff, 0xff, 0xff, 0x0f], 32, Varint::Value(u64::from(u32::MAX), 5));
    check(&[0xff, 0xff, 0xff, 0xff, 0x1f], 32, Varint::TooLong);
    check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 64, Varint::Value(u64::MAX, 10));
    check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], 64, Varint::TooLong);
    // Longer than it has to be, but a number: other writers do it.
    check(&[0x80, 0x00], 32, Varint::Value(0, 2));
}

#[test]
fn every_length() {
    let random = &mut Random::new(1);
    for bits in 0..64 {
        for value in [1 << bits, (1 << bits) - 1, random.next() >> bits] {
            let mut bytes = [0; 10];
            let len = write_unsigned(&mut bytes, value);
            assert_eq!(unsigned_len(value), len, "{value}");
            assert_eq!(read_unsigned(&bytes, 64), Varint::Value(value, len));
        }
    }
}
