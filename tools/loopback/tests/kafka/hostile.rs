//! Bytes that are cut anywhere, lie about themselves, or are noise.

use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ringwire_loopback::kafka::ClusterOptions;

use crate::client::{Batch, Client, cluster, decode, encode, produce};
use crate::metadata;

/// Kafka's `socket.request.max.bytes`.
const REQUEST_LEN_MAX: i32 = 100 << 20;

#[test]
fn requests_may_be_cut_anywhere() {
    let requests = [
        encode(9, 1, &produce(-1, "t", 0, Some(Batch::of(0, 0, 2).encode()))),
        encode(12, 2, &metadata::request(Some(&["t", "none"]))),
        encode(4, 3, &InitProducerIdRequest::default()),
        encode(3, 4, &produce(-1, "t", 0, Some(Batch::of(0, 2, 2).encode()))),
    ]
    .concat();
    let answers = |cuts: &[usize]| {
        let mut cluster = cluster(1, ClusterOptions::default());
        let mut client = Client::connect(&mut cluster, 1);
        let mut from = 0;
        for &to in cuts.iter().chain([&requests.len()]) {
            client.send(&mut cluster, 0, &requests[from..to]);
            from = to;
        }
        assert!(!client.is_closed);
        assert_eq!(cluster.offsets("t", 0), Some(0..4));
        client.received
    };
    let mut whole = answers(&[]);
    for at in 0..requests.len() {
        assert_eq!(answers(&[at]), whole, "cut at {at}");
    }
    let single: Vec<_> = (0..requests.len()).collect();
    assert_eq!(answers(&single), whole, "byte by byte");
    let first = decode::<ProduceRequest>(9, 1, &mut whole).expect("the first answer is the first");
    assert_eq!(first.responses[0].partition_responses[0].base_offset, 0);
}

#[test]
fn sizes_that_no_request_has_end_the_connection() {
    for (size, ends) in [
        (-1, true),
        (0, true),
        (3, true),
        (i32::MIN, true),
        (REQUEST_LEN_MAX + 1, true),
        (REQUEST_LEN_MAX, false),
    ] {
        let mut cluster = cluster(1, ClusterOptions::default());
        let mut client = Client::connect(&mut cluster, 1);
        client.send(&mut cluster, 0, &size.to_be_bytes());
        assert_eq!((client.is_closed, client.received.len()), (ends, 0), "{size}");
    }
}

#[test]
fn a_request_that_cannot_be_read_ends_the_connection() {
    let sound = encode(9, 1, &produce(-1, "t", 0, Some(Batch::PLAIN.encode())));
    for len in 4..sound.len() - 4 {
        let mut cut = sound[..4 + len].to_vec();
        cut[..4].copy_from_slice(&(len as i32).to_be_bytes());
        let mut cluster = cluster(1, ClusterOptions::default());
        let mut client = Client::connect(&mut cluster, 1);
        client.send(&mut cluster, 0, &cut);
        assert!(client.is_closed && client.received.is_empty(), "cut to {len}");
        client.send(&mut cluster, 0, &sound);
        assert!(client.received.is_empty(), "it hears nothing more");
    }
}

/// No panic, and what is in the log can be read.
#[test]
fn mutations() {
    let sound = [
        encode(12, 1, &produce(-1, "t", 0, Some(Batch::of(0, 0, 2).encode()))),
        encode(12, 2, &metadata::request(Some(&["t"]))),
        encode(4, 3, &InitProducerIdRequest::default()),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..5_000 {
        let mut cluster = cluster(1, ClusterOptions { deep: round % 2 == 0, ..ClusterOptions::default() });
        let mut client = Client::connect(&mut cluster, 1);
        let mut bytes = sound[round % sound.len()].clone();
        for _ in 0..1 + random(3) {
            let at = 4 + random(bytes.len() - 4);
            bytes[at] = random(256) as u8;
        }
        client.send(&mut cluster, 0, &bytes);
        assert!(cluster.records("t", 0, 0).is_ok(), "round {round}: {bytes:02x?}");
    }
}
