//! Bytes that are cut off, or lie about themselves.

use ringwire_codec::kafka::wire::WireErrorKind::{self, *};
use ringwire_codec::kafka::*;

use crate::samples::samples;

/// However a message is cut off, it is an error, and never a shorter message.
#[test]
fn every_cut() {
    for sample in samples() {
        let payload = &sample.bytes[4..];
        assert_eq!((sample.again)(sample.version, payload).as_ref(), Ok(&sample.bytes), "{}", sample.name);
        for len in 0..payload.len() {
            let cut = (sample.again)(sample.version, &payload[..len]);
            assert!(cut.is_err(), "{} v{} cut to {len} bytes", sample.name, sample.version);
        }
        let longer = [payload, &[0]].concat();
        let trailing = (sample.again)(sample.version, &longer).expect_err("a byte too many");
        assert_eq!((trailing.field, trailing.kind), ("end", Trailing { left: 1 }), "{}", sample.name);
    }
}

/// However a frame arrives, it is the same frame, and nothing before it is whole.
#[test]
fn every_arrival() {
    let reader = FrameReader::new(RESPONSE_LEN_MAX);
    for sample in samples() {
        for len in 0..sample.bytes.len() {
            assert_eq!(reader.next(&sample.bytes[..len]), Ok(None), "{}", sample.name);
            let wanted = reader.wanted(&sample.bytes[..len]);
            assert_eq!(wanted, if len < 4 { 4 } else { sample.bytes.len() });
        }
        let two = [&sample.bytes[..], &sample.bytes].concat();
        let frame = reader.next(&two).expect("a frame").expect("a whole one");
        assert_eq!((frame.len(), frame.payload()), (sample.bytes.len(), &sample.bytes[4..]));
    }
}

#[test]
fn sizes() {
    let check = |size: i32, is_accepted: bool| {
        let input = [&size.to_be_bytes()[..], &[0; 12]].concat();
        assert_eq!(FrameReader::new(10).next(&input).is_ok(), is_accepted, "{size}");
    };
    check(-1, false);
    check(i32::MIN, false);
    check(0, false);
    check(3, false);
    check(4, true);
    check(10, true);
    check(11, false);
    check(i32::from_be_bytes(*b"HTTP"), false);
    let error = FrameReader::new(10).next(b"HTTP/1.1 400").expect_err("not Kafka");
    assert_eq!(
        error.to_string(),
        "expected a Kafka frame of 4 to 10 bytes, got a size of 1213486160 (bytes \"HTTP\"): \
         is this a plaintext Kafka port?"
    );
}

/// Decodes a body of Metadata v1 (old lengths) or v9 (compact ones) that begins with `bytes`.
fn metadata(version: i16, bytes: &[u8]) -> (&'static str, WireErrorKind) {
    let header: &[u8] = if version >= 9 { &[0, 0, 0, 0, 0] } else { &[0, 0, 0, 0] };
    let payload = [header, bytes].concat();
    let error = decode_response::<MetadataRequest<'_>>(version, &payload).expect_err("hostile bytes");
    assert!(error.to_string().starts_with("Metadata response v"), "{error}");
    (error.field, error.kind)
}

#[test]
fn counts_and_lengths() {
    let none = [0; 20];
    let with = |bytes: &[u8]| [bytes, &none].concat();
    let huge = CountBeyondEnd { count: i32::MAX as usize, left: 20 };
    assert_eq!(metadata(1, &with(&[0x7f, 0xff, 0xff, 0xff])), ("brokers", huge));
    assert_eq!(metadata(1, &with(&[0xff; 4])), ("brokers", Null));
    assert_eq!(metadata(1, &with(&[0xff, 0xff, 0xff, 0xfe])), ("brokers", NegativeLength { len: -2 }));
    // One broker: node, host .. From version 9 a throttle time comes first.
    let broker = [0, 0, 0, 1, 0, 0, 0, 1];
    let host = |bytes: &[u8]| metadata(1, &with(&[&broker[..], bytes].concat()));
    assert_eq!(host(&[0x80, 0x00]), ("host", NegativeLength { len: i32::from(i16::MIN) }));
    assert_eq!(host(&[0xff, 0xff]), ("host", Null));
    assert_eq!(host(&[0x7f, 0xff]), ("host", Truncated { wanted: 0x7fff, left: 20 }));
    assert_eq!(host(&[0, 2, 0xc3, 0x28]), ("host", NotUtf8));

    let compact = |bytes: &[u8]| metadata(9, &with(&[&[0, 0, 0, 0], bytes].concat()));
    assert_eq!(compact(&[0]), ("brokers", Null));
    let count = CountBeyondEnd { count: u32::MAX as usize - 1, left: 20 };
    assert_eq!(compact(&[0xff, 0xff, 0xff, 0xff, 0x0f]), ("brokers", count));
    assert_eq!(compact(&[0xff, 0xff, 0xff, 0xff, 0x10]), ("brokers", VarintTooLong { max: 5 }));
    assert_eq!(compact(&[0x80; 11]), ("brokers", VarintTooLong { max: 5 }));
}

#[test]
fn tags() {
    // InitProducerId v2: four fields, then tags.
    let decode = |tags: &[u8]| {
        let payload = [&[0; 4 + 1 + 4 + 2 + 8 + 2], tags].concat();
        decode_response::<InitProducerIdRequest<'_>>(2, &payload).map(|_| ()).map_err(|error| error.kind)
    };
    assert_eq!(decode(&[0]), Ok(()));
    assert_eq!(decode(&[1, 9, 3, b'a', b'b', b'c']), Ok(()), "an unknown tag is skipped");
    assert_eq!(decode(&[2, 9, 0, 10, 1, 0]), Ok(()));
    assert_eq!(decode(&[1, 9, 3, b'a']), Err(Truncated { wanted: 3, left: 1 }));
    assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Err(Truncated { wanted: 1, left: 0 }));
    assert_eq!(
        decode(&[1, 9, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        Err(Truncated { wanted: u32::MAX as usize, left: 0 })
    );

    // ApiVersions v3: tag 1 is a finalized features epoch of eight bytes.
    let decode = |tags: &[u8]| {
        let payload = [&[0; 4][..], &[0, 0, 1, 0, 0, 0, 0], tags].concat();
        decode_response::<ApiVersionsRequest<'_>>(3, &payload)
            .map(|response| response.finalized_features_epoch)
            .map_err(|error| error.kind)
    };
    assert_eq!(decode(&[1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(5));
    assert_eq!(decode(&[1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0]), Err(TagSize { tag: 1, size: 9, read: 8 }));
    assert_eq!(decode(&[1, 1, 7, 0, 0, 0, 0, 0, 0, 0]), Err(Truncated { wanted: 8, left: 7 }));
}

#[test]
fn what_a_version_cannot_carry() {
    let mut out = b"before".to_vec();
    let mut check = |version, request: &MetadataRequest<'_>, field: Option<&str>| {
        let header = RequestHeader { version, correlation_id: 1, client_id: None };
        let refused = encode_request(&mut out, &header, request).err();
        assert_eq!(refused.map(|error| error.field), field, "v{version}: {request:?}");
        if refused.is_some() {
            assert_eq!(out, b"before", "nothing is left behind");
        }
        out.truncate(6);
    };
    let by_id = [MetadataRequestTopic { topic_id: [1; 16], name: None }];
    let by_id = MetadataRequest { topics: Some(List::new(&by_id)), ..MetadataRequest::default() };
    check(12, &by_id, None);
    check(11, &by_id, Some("topic_id"));
    check(9, &by_id, Some("topic_id"));
    let quietly = MetadataRequest { allow_auto_topic_creation: false, ..MetadataRequest::default() };
    check(4, &quietly, None);
    check(3, &quietly, Some("allow_auto_topic_creation"));
    let none = MetadataRequest::default();
    check(1, &none, None);
    check(0, &none, Some("topics"));
    check(0, &MetadataRequest { topics: None, ..none }, None);
    check(14, &none, Some("version"));
    check(-1, &none, Some("version"));
    let long = "x".repeat(32_768);
    let long = [MetadataRequestTopic::named(&long)];
    let long = MetadataRequest { topics: Some(List::new(&long)), ..none };
    check(8, &long, Some("name"));
    check(13, &long, Some("name"));
}
