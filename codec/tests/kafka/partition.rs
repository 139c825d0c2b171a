//! The partitioners against values that others published.

use ringwire_codec::kafka::{consistent_partition, crc32, murmur2, murmur2_partition};

/// From the tests of the Java client (`UtilsTest`), which holds its murmur2 to them.
#[test]
fn murmur2_of_the_java_client() {
    let check = |key: &str, expected: i32| assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key:?}");
    check("21", -973_932_308);
    check("foobar", -790_332_482);
    check("a-little-bit-long-string", -985_981_536);
    check("a-little-bit-longer-string", -1_486_304_829);
    check("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971);
    check("abc", 479_470_107);
}

/// From librdkafka's unit tests of its murmur2, whose values it took from the Java client.
#[test]
fn murmur2_of_librdkafka() {
    let check = |key: &str, expected: u32| {
        assert_eq!(murmur2(key.as_bytes()), expected, "{key:?}");
        assert_eq!(murmur2_partition(key.as_bytes(), 7), (expected & 0x7fff_ffff) % 7, "{key:?}");
    };
    check("kafka", 0xd067_cf64);
    check("giberish123456789", 0x8f55_2b0c);
    check("1234", 0x9fc9_7b14);
    check("234", 0xe7c0_09ca);
    check("34", 0x8739_30da);
    check("4", 0x5a4b_5ca1);
    check("PreAmbleWillBeRemoved,ThePrePartThatIs", 0x7842_4f1c);
    check("reAmbleWillBeRemoved,ThePrePartThatIs", 0x4a62_b377);
    check("eAmbleWillBeRemoved,ThePrePartThatIs", 0xe0e4_e09e);
    check("AmbleWillBeRemoved,ThePrePartThatIs", 0x62b8_b43f);
    check("", 0x106e_08d9);
}

/// The check value of every catalogue of CRCs, and zlib's for the empty string.
#[test]
fn crc32_of_zlib() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(crc32(b""), 0);
    assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    assert_eq!(consistent_partition(b"123456789", 10), 0xcbf4_3926 % 10);
    assert_eq!(consistent_partition(b"", 10), 0);
}

#[test]
fn one_partition_takes_every_key() {
    for key in [&b""[..], b"a", b"quotes.EURUSD"] {
        assert_eq!((murmur2_partition(key, 1), consistent_partition(key, 1)), (0, 0));
    }
}
