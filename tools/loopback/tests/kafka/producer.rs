//! Producer ids, epochs and sequences: what a partition takes, and what it knows already.

use kafka_protocol::messages::InitProducerIdRequest;
use kafka_protocol::protocol::StrBytes;
use ringwire_loopback::kafka::{ClusterOptions, TopicOptions};

use crate::client::{Batch, Client, TIME, cluster};

const NONE: i16 = 0;
const OUT_OF_ORDER: i16 = 45;
const INVALID_EPOCH: i16 = 47;

/// Epoch, sequence, count.
type Sent = (i16, i32, i32);

/// Error, base offset.
type Answered = (i16, i64);

/// Sends batches to one partition, and compares what is answered.
fn check(what: &str, batches: &[(Sent, Answered)]) {
    let mut cluster = cluster(1, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    for (at, &((epoch, sequence, count), expected)) in batches.iter().enumerate() {
        let answer = client.produce(&mut cluster, 0, Batch::of(epoch, sequence, count).encode());
        assert_eq!((answer.error_code, answer.base_offset), expected, "{what}, batch {at}");
    }
}

#[test]
fn sequences() {
    check("a chain", &[((0, 0, 3), (NONE, 0)), ((0, 3, 1), (NONE, 3)), ((0, 4, 2), (NONE, 4))]);
    check("any first sequence", &[((4, 500, 3), (NONE, 0)), ((4, 503, 1), (NONE, 3))]);
    check("a hole", &[((0, 0, 3), (NONE, 0)), ((0, 4, 1), (OUT_OF_ORDER, -1)), ((0, 3, 1), (NONE, 3))]);
    check("an overlap", &[((0, 0, 3), (NONE, 0)), ((0, 2, 2), (OUT_OF_ORDER, -1))]);
    check("half of a duplicate", &[((0, 0, 3), (NONE, 0)), ((0, 0, 2), (OUT_OF_ORDER, -1))]);
    let (max, before) = (i32::MAX, i32::MAX - 1);
    check("the end of the numbers", &[((0, before, 2), (NONE, 0)), ((0, 0, 1), (NONE, 2))]);
    check("across the end", &[((0, max, 3), (NONE, 0)), ((0, 2, 1), (NONE, 3)), ((0, max, 3), (NONE, 0))]);
}

#[test]
fn epochs() {
    check(
        "a new one begins at 0",
        &[((0, 7, 1), (NONE, 0)), ((1, 8, 1), (OUT_OF_ORDER, -1)), ((1, 0, 1), (NONE, 1))],
    );
    check(
        "an old one",
        &[((3, 0, 1), (NONE, 0)), ((2, 1, 1), (INVALID_EPOCH, -1)), ((2, 0, 1), (INVALID_EPOCH, -1))],
    );
    check("what the old one sent is no duplicate", &[((0, 0, 1), (NONE, 0)), ((1, 0, 1), (NONE, 1))]);
    check("it may skip some", &[((0, 0, 1), (NONE, 0)), ((9, 0, 1), (NONE, 1)), ((9, 1, 1), (NONE, 2))]);
}

#[test]
fn the_last_five_batches_are_known() {
    let mut batches: Vec<_> = (0..6).map(|at| ((0, at * 2, 2), (NONE, i64::from(at) * 2))).collect();
    let again: Vec<_> = batches[1..].to_vec();
    batches.extend(again);
    // The sixth from the end looks like one from nowhere.
    batches.push(((0, 0, 2), (OUT_OF_ORDER, -1)));
    batches.push(((0, 12, 1), (NONE, 12)));
    check("duplicates", &batches);
}

#[test]
fn a_duplicate_is_answered_with_its_own_time() {
    for log_append_time in [false, true] {
        let options = ClusterOptions { epoch_ms: 5_000, ..ClusterOptions::default() };
        let mut cluster = cluster(1, options);
        let topic = TopicOptions { log_append_time, ..TopicOptions::default() };
        cluster.create_topic("times", 1, topic).expect("a new topic");
        let mut client = Client::connect(&mut cluster, 1);
        let mut times = Vec::new();
        for _ in 0..2 {
            let answer = client.produce_to(&mut cluster, 3, "times", 0, Batch::of(0, 0, 3).encode());
            times.push((answer.error_code, answer.base_offset, answer.log_append_time_ms));
        }
        let expected = if log_append_time { [5_000, 5_000] } else { [-1, TIME + 2] };
        assert_eq!(times, expected.map(|time| (NONE, 0, time)));
    }
}

#[test]
fn each_partition_and_each_producer_has_sequences_of_its_own() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    for partition in 0..3 {
        for producer in [1, 2] {
            let batch = Batch { producer: (producer, 0), ..Batch::of(0, 0, 1) };
            let answer = client.produce(&mut cluster, partition, batch.encode());
            assert_eq!((answer.error_code, answer.base_offset), (NONE, producer - 1));
        }
    }
}

#[test]
fn a_forgotten_producer_may_begin_anywhere() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    assert_eq!(client.produce(&mut cluster, 0, Batch::of(5, 0, 1).encode()).error_code, NONE);
    assert!(cluster.forget_producers("t", 0));
    assert!(!cluster.forget_producers("t", 3) && !cluster.forget_producers("none", 0));
    assert_eq!(client.produce(&mut cluster, 0, Batch::of(4, 44, 1).encode()).error_code, NONE);
}

/// Their default is a transactional id without letters.
fn idempotent() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None)
}

#[test]
fn everyone_gets_an_identity_of_his_own() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let mut ids = Vec::new();
    for broker in [1, 2] {
        let mut client = Client::connect(&mut cluster, broker);
        for version in 0..=5 {
            let answer = client.ask(&mut cluster, version, &idempotent());
            assert_eq!((answer.error_code, answer.producer_epoch), (NONE, 0), "v{version}");
            ids.push(answer.producer_id.0);
        }
    }
    assert_eq!(ids, (0..12).collect::<Vec<_>>());

    let mut client = Client::connect(&mut cluster, 1);
    let known = idempotent().with_producer_id(3.into()).with_producer_epoch(1);
    let answer = client.ask(&mut cluster, 3, &known);
    assert_eq!((answer.error_code, answer.producer_id.0, answer.producer_epoch), (NONE, 12, 0));
    let half = idempotent().with_producer_id(3.into());
    assert_eq!(client.ask(&mut cluster, 3, &half).error_code, 42);
    let transactional = idempotent().with_transactional_id(Some(StrBytes::from_static_str("x").into()));
    assert_eq!(client.ask(&mut cluster, 3, &transactional).error_code, 53);
}
