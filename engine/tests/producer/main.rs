//! The producer for Kafka, step by step, in virtual time against the loopback cluster: what its words say and what each
//! kind of trouble does to messages. That nothing is lost, doubled or out of order is the simulation's to show.

mod compressing;
mod corners;
mod found;
mod refused;
mod scene;
mod told;

use ringwire_codec::kafka::{Api, ErrorCode, Versions};
use ringwire_core::{
    Acks, Compression, EndpointState, Frame, Headers, KafkaSettings, LinkError, MILLISECOND_NS, Outcome,
    Partitioner, Reason, SECOND_NS,
};
use ringwire_loopback::kafka::{ClusterOptions, Injection, TopicOptions};
use scene::{Scene, Told, settings};

fn delivered(told: &[Told]) -> Vec<(u64, (i32, i64))> {
    told.iter()
        .map(|told| {
            assert_eq!((told.outcome, told.reason), (Outcome::Delivered, Reason::None), "{told:?}");
            (told.sequence, told.position)
        })
        .collect()
}

#[test]
fn a_record_arrives_as_it_was_given() {
    for compression in
        [Compression::None, Compression::Gzip(6), Compression::Snappy, Compression::Lz4, Compression::Zstd(1)]
    {
        let mut scene = Scene::new(KafkaSettings { compression, ..settings() }, ClusterOptions::default(), 1);
        let mut buffer = Vec::new();
        let list: [(&str, Option<&[u8]>); 3] = [("a", Some(b"1")), ("a", None), ("", Some(b""))];
        let headers = Headers::build(&list, &mut buffer);
        let many: Vec<(String, Option<&[u8]>)> =
            (0..40).map(|i| (format!("h{i}"), Some(&b"v"[..]))).collect();
        let many: Vec<(&str, Option<&[u8]>)> =
            many.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let mut more = Vec::new();
        let many_headers = Headers::build(&many, &mut more);
        let frames = [
            Frame { payload: Some(b"1.12120"), ..Frame::default() },
            Frame { payload: None, key: Some(b"k"), timestamp_ms: 1_700_000_000_001, ..Frame::default() },
            Frame { payload: Some(b""), key: Some(b""), headers, ..Frame::default() },
            Frame { payload: Some(b"x"), headers: many_headers, ..Frame::default() },
        ];
        for frame in &frames {
            scene.publish(frame);
        }
        scene.settle();
        let told = scene.take_told();
        let expected: Vec<_> = (0..4).map(|number| (number as u64, (0, number))).collect();
        assert_eq!(delivered(&told), expected, "{compression:?}");
        let records = scene.log("fx", 0);
        for (record, frame) in records.iter().zip(&frames) {
            assert_eq!(record.value.as_deref(), frame.payload);
            assert_eq!(record.key.as_deref(), frame.key);
            let expected = if frame.timestamp_ms == 0 { scene::WALL_MS } else { frame.timestamp_ms };
            assert_eq!(record.timestamp, expected);
            let headers: Vec<_> =
                frame.headers.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect();
            assert_eq!(record.headers, headers);
        }
        assert_eq!(records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}

#[test]
fn every_generation_of_brokers_is_spoken_to() {
    use ringwire_loopback::kafka::{kafka_2_1, kafka_3_9, kafka_4_1};
    for versions in [kafka_2_1(), kafka_3_9(), kafka_4_1()] {
        for topic_ids in [true, false] {
            let options =
                ClusterOptions { versions: versions.clone(), topic_ids, ..ClusterOptions::default() };
            let mut scene = Scene::new(settings(), options, 2);
            scene.publish_text(b"one");
            scene.settle();
            assert_eq!(delivered(&scene.take_told()), [(0, (0, 0))]);
        }
    }
}

#[test]
fn a_broker_without_a_version_in_common_is_named_a_failure() {
    let versions = vec![
        (Api::ApiVersions, Versions { min: 0, max: 4 }),
        (Api::Metadata, Versions { min: 0, max: 13 }),
        (Api::Produce, Versions { min: 14, max: 15 }),
    ];
    let mut scene = Scene::new(settings(), ClusterOptions { versions, ..ClusterOptions::default() }, 1);
    scene.run(SECOND_NS);
    let status = scene.status();
    assert_eq!(status.state, EndpointState::Failed);
    let words = status.last_error.expect("it says why").to_string();
    assert!(
        words.contains("no version of Produce in common: the broker speaks 14 to 15, we speak 3 to 13"),
        "{words}"
    );
}

#[test]
fn without_acknowledgements_all_is_unknown_and_with_the_leaders_alone_it_is_delivered() {
    for (acks, outcome) in [(Acks::None, Outcome::Unknown), (Acks::Leader, Outcome::Delivered)] {
        let settings = KafkaSettings { acks, idempotent: false, ..settings() };
        let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
        for _ in 0..3 {
            scene.publish_text(b"x");
            scene.settle();
        }
        let told = scene.take_told();
        assert!(told.len() == 3 && told.iter().all(|told| told.outcome == outcome), "{told:?}");
        let records = scene.log("fx", 0);
        assert!(records.len() == 3 && records.iter().all(|record| record.producer_id == -1));
    }
}

#[test]
fn what_no_partition_or_batch_takes_is_not_sent() {
    let cases: [(Partitioner, Frame<'_>, Reason); 3] = [
        (Partitioner::Murmur2, Frame { partition: 4, ..Frame::default() }, Reason::NoPartition),
        (Partitioner::Single(9), Frame::default(), Reason::NoPartition),
        (Partitioner::Murmur2, Frame { payload: Some(&[0; 2_000]), ..Frame::default() }, Reason::TooLarge),
    ];
    for (partitioner, frame, reason) in cases {
        let settings = KafkaSettings { partitioner, max_request_size: 1_000, ..settings() };
        let mut scene =
            Scene::new(settings, ClusterOptions { partitions: 4, ..ClusterOptions::default() }, 1);
        scene.publish(&frame);
        scene.publish(&Frame { partition: 3, payload: Some(b"fits"), ..Frame::default() });
        scene.settle();
        let mut told = scene.take_told();
        told.sort_by_key(|told| told.sequence);
        if matches!(reason, Reason::NoPartition | Reason::TooLarge) {
            assert_eq!((told[0].outcome, told[0].reason), (Outcome::NotSent, reason));
        }
        assert_eq!((told[1].outcome, told[1].position), (Outcome::Delivered, (3, 0)));
    }
}

#[test]
fn a_batch_that_is_too_large_goes_in_halves() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 1);
    scene
        .cluster()
        .create_topic("fx", 1, TopicOptions { message_bytes_max: Some(500), ..TopicOptions::default() })
        .unwrap();
    for _ in 0..20 {
        scene.publish_text(&[7; 100]);
    }
    scene.publish_text(&[8; 600]);
    scene.publish_text(b"after");
    scene.settle();
    let told = scene.take_told();
    let good: Vec<Told> = told.iter().filter(|told| told.sequence != 20).copied().collect();
    assert_eq!(delivered(&good).len(), 21);
    let bad = told.iter().find(|told| told.sequence == 20).expect("it has an outcome");
    assert_eq!(
        (bad.outcome, bad.reason, bad.error),
        (Outcome::NotSent, Reason::BrokerError, ErrorCode::MESSAGE_TOO_LARGE)
    );
    assert_eq!(scene.log("fx", 0).len(), 21);
}

#[test]
fn an_invalid_record_takes_no_innocent_ones_with_it() {
    let mut scene = Scene::new(settings(), ClusterOptions { deep: true, ..ClusterOptions::default() }, 1);
    scene
        .cluster()
        .create_topic("fx", 1, TopicOptions { compacted: true, ..TopicOptions::default() })
        .unwrap();
    for number in 0..10 {
        let key = (number % 4 != 1).then_some(&b"k"[..]);
        scene.publish(&Frame { key, payload: Some(b"x"), ..Frame::default() });
    }
    scene.settle();
    let told = scene.take_told();
    for told in &told {
        let expected = if told.sequence % 4 == 1 { Outcome::NotSent } else { Outcome::Delivered };
        assert_eq!(told.outcome, expected, "{told:?}");
    }
    assert_eq!((told.len(), scene.log("fx", 0).len()), (10, 7));
}

#[test]
fn an_answer_that_was_lost_makes_no_duplicate() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 1);
    scene.publish_text(b"0");
    scene.settle();
    scene.cluster().hold_answers(1);
    scene.publish_text(b"1");
    scene.run(10 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 2, "it is in the log, and nobody was told");
    scene.cluster().disconnect(1);
    scene.cluster().release_answers(1);
    scene.publish_text(b"2");
    scene.settle();
    assert_eq!(delivered(&scene.take_told()), [(0, (0, 0)), (1, (0, 1)), (2, (0, 2))]);
    assert_eq!(scene.log("fx", 0).len(), 3);
}

#[test]
fn a_moved_leader_is_followed_with_and_without_a_hint() {
    for produce_max in [13, 9] {
        let mut versions = ringwire_loopback::kafka::kafka_4_1();
        versions
            .iter_mut()
            .filter(|(api, _)| *api == Api::Produce)
            .for_each(|(_, range)| range.max = produce_max);
        let mut scene = Scene::new(settings(), ClusterOptions { versions, ..ClusterOptions::default() }, 3);
        for round in 0..6_u64 {
            scene.publish_text(b"x");
            scene.settle();
            assert_eq!(delivered(&scene.take_told()), [(round, (0, round as i64))]);
            let (leader, _) = scene.cluster().leader("fx", 0).unwrap();
            scene.cluster().move_leader("fx", 0, leader % 3 + 1);
        }
    }
}

#[test]
fn a_topic_that_is_not_there_is_told_and_then_found() {
    let settings = KafkaSettings { topic_propagation_ns: SECOND_NS, auto_create_topics: false, ..settings() };
    let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
    scene.publish_text(b"early");
    scene.run(900 * MILLISECOND_NS);
    assert_eq!(scene.take_told(), [], "it may still come");
    scene.run(2 * SECOND_NS);
    let told = scene.take_told();
    assert_eq!(
        (told.len(), told[0].outcome, told[0].error),
        (1, Outcome::NotSent, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    );
    let error = scene.status().last_error;
    assert!(
        matches!(&error, Some(LinkError::Topic(words)) if words.starts_with("fx takes no messages: UNKNOWN_TOPIC")),
        "{error:?}"
    );
    scene.cluster().create_topic("fx", 2, TopicOptions::default()).unwrap();
    scene.run(2 * SECOND_NS);
    scene.publish_text(b"late");
    scene.settle();
    assert_eq!(delivered(&scene.take_told()).len(), 1);
    assert_eq!(scene.status().last_error, None);
}

#[test]
fn a_listener_that_cannot_be_reached_is_named() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 1);
    scene.cluster().advertise(1, "kafka.internal", 1);
    scene.publish_text(b"x");
    scene.run(SECOND_NS);
    let status = scene.status();
    assert_ne!(status.state, EndpointState::Connected);
    let words = status.last_error.expect("it says why").to_string();
    for part in ["broker 1", "kafka.internal:1", "advertised.listeners", "broker1:9092"] {
        assert!(words.contains(part), "{part} in {words}");
    }
    scene.cluster().advertise(1, "broker1", 9092);
    scene.settle();
    assert_eq!(delivered(&scene.take_told()).len(), 1);
}

#[test]
fn what_is_surely_not_in_the_log_expires_and_what_may_be_does_not() {
    for (appended, error) in [(false, ErrorCode(19)), (true, ErrorCode(7))] {
        let settings = KafkaSettings { delivery_timeout_ns: SECOND_NS, ..settings() };
        let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
        scene.settle();
        // NOT_ENOUGH_REPLICAS comes before the append, REQUEST_TIMED_OUT may come after it.
        scene.cluster().inject(Injection { appended, ..Injection::new(Api::Produce, error, u32::MAX) });
        scene.publish_text(b"x");
        scene.run(3 * SECOND_NS);
        let told = scene.take_told();
        if appended {
            assert_eq!(told, []);
        } else {
            assert_eq!((told.len(), told[0].outcome, told[0].reason), (1, Outcome::NotSent, Reason::Expired));
        }
        scene.cluster().clear_injections();
        scene.publish_text(b"y");
        scene.settle();
        let told = scene.take_told();
        assert_eq!(delivered(&told).len(), 1 + usize::from(appended));
        assert_eq!(scene.log("fx", 0).len(), delivered(&told).len());
    }
}

#[test]
fn a_throttled_connection_is_silent_for_so_long() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 1);
    scene.publish_text(b"0");
    scene.settle();
    scene.cluster().set_throttle_ms(500);
    scene.publish_text(b"1");
    scene.settle();
    scene.publish_text(b"2");
    scene.run(400 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 2);
    scene.run(200 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 3);
}

#[test]
fn at_the_shutdown_deadline_the_truth_is_told() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 1);
    scene.publish_text(b"0");
    scene.settle();
    scene.cluster().hold_answers(1);
    scene.publish_text(b"1");
    scene.run(10 * MILLISECOND_NS);
    scene.publish_text(b"2");
    scene.run(10 * MILLISECOND_NS);
    scene.expire();
    let told: Vec<_> = scene.take_told().iter().map(|told| told.outcome).collect();
    assert_eq!(told, [Outcome::Delivered, Outcome::Unknown, Outcome::NotSent]);
}

#[test]
fn a_broker_that_comes_and_goes_takes_no_more_connections_each_time() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 3);
    scene.publish_text(b"x");
    scene.settle();
    for _ in 0..20 {
        scene.cluster().move_leader("fx", 0, 2);
        scene.cluster().stop_broker(1);
        scene.publish_text(b"x");
        scene.settle();
        scene.run(SECOND_NS);
        scene.cluster().start_broker(1);
        scene.cluster().move_leader("fx", 0, 1);
        scene.publish_text(b"x");
        scene.settle();
    }
    assert_eq!(delivered(&scene.take_told()).len(), 41);
    // A bootstrap address, and three brokers.
    assert!(scene.connections() <= 4, "{} connections", scene.connections());
}
