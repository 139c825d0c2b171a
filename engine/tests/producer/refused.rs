//! A broker that answers nonsense, or no: what it costs, and what is said of it.

use ringwire_codec::kafka::{Api, ErrorCode};
use ringwire_core::{Frame, KafkaSettings, MILLISECOND_NS, Outcome, Reason, SECOND_NS};
use ringwire_loopback::kafka::{ClusterOptions, Injection, TopicOptions};

use crate::scene::{Garble, Scene, Told, settings};

/// Messages to each of both partitions, which have a broker each.
const MESSAGES: u64 = 10;
/// An error that no Kafka has.
const UNHEARD_OF: ErrorCode = ErrorCode(9_999);

/// Two brokers that know the producer, and a partition at each.
fn scene() -> Scene {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 2);
    scene.cluster().create_topic("fx", 2, TopicOptions::default()).unwrap();
    publish(&mut scene, 1);
    scene.settle();
    assert!(scene.take_told().iter().all(|told| told.outcome == Outcome::Delivered));
    scene
}

fn publish(scene: &mut Scene, messages: u64) {
    for _ in 0..messages {
        for partition in 0..2 {
            scene.publish(&Frame { payload: Some(b"x"), partition, ..Frame::default() });
        }
    }
}

/// Each was delivered once, in order.
fn check_delivered(scene: &mut Scene, told: &[Told], messages: u64) {
    assert_eq!(told.len() as u64, 2 * messages, "{told:?}");
    for partition in 0..2 {
        let mine = told.iter().filter(|told| told.position.0 == partition);
        let places: Vec<(Outcome, i64)> = mine.map(|told| (told.outcome, told.position.1)).collect();
        let expected = (0..messages as i64).map(|number| (Outcome::Delivered, number + 1));
        assert!(places.iter().copied().eq(expected), "{partition}: {places:?}");
        assert_eq!(scene.log("fx", partition).len() as u64, messages + 1);
    }
}

/// Answers that are none end their connection with words that say so; what was under way goes again.
#[test]
fn nonsense_is_named_and_costs_nothing() {
    type Case = (&'static str, fn(&mut Vec<u8>), &'static str);
    let garbles: [Case; 5] = [
        ("garbage", |bytes| bytes.fill(0xff), "not the protocol"),
        ("a huge length", |bytes| bytes[..4].copy_from_slice(&i32::MAX.to_be_bytes()), "not the protocol"),
        ("half an answer", |bytes| halve(bytes), "not the protocol"),
        ("another correlation id", |bytes| bytes[7] ^= 0x55, "not the protocol"),
        (
            "an answer to nothing",
            |bytes| drop(bytes.splice(..0, [0, 0, 0, 4, 9, 9, 9, 9])),
            "not the protocol",
        ),
    ];
    for (name, garble, words) in garbles {
        let mut scene = scene();
        scene.garble(Some(Box::new(garble) as Garble));
        publish(&mut scene, MESSAGES);
        scene.run(SECOND_NS);
        let error = scene.status().last_error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(words), "{name}: {error}");
        assert!(scene.take_told().is_empty(), "{name}: nobody knows yet");
        scene.garble(None);
        scene.settle();
        let told = scene.take_told();
        check_delivered(&mut scene, &told, MESSAGES);
    }
}

/// Keeps the first half of an answer, as a whole one.
fn halve(bytes: &mut Vec<u8>) {
    let len = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let half = len / 2;
    bytes.truncate(4 + half);
    bytes[..4].copy_from_slice(&(half as u32).to_be_bytes());
}

#[test]
fn half_an_answer_and_the_end_is_no_answer() {
    let mut scene = scene();
    scene.garble(Some(Box::new(|bytes| bytes.truncate(bytes.len() / 2))));
    publish(&mut scene, MESSAGES);
    scene.run(10 * MILLISECOND_NS);
    scene.garble(None);
    for broker in 1..=2 {
        scene.cluster().disconnect(broker);
    }
    scene.settle();
    let told = scene.take_told();
    check_delivered(&mut scene, &told, MESSAGES);
}

/// What is refused is told by its code, and takes nothing along.
#[test]
fn a_refusal_is_told_and_takes_nothing_along() {
    let cases = [
        // Nobody can know what it means for the batch: it goes again until that is certain.
        (UNHEARD_OF, None),
        (ErrorCode(29), Some(ErrorCode(29))),
        (ErrorCode::INVALID_RECORD, Some(ErrorCode::INVALID_RECORD)),
    ];
    for (error, told_error) in cases {
        let mut scene = scene();
        let first = Injection { partition: Some(0), ..Injection::new(Api::Produce, error, 1) };
        scene.cluster().inject(first);
        publish(&mut scene, 1);
        scene.run(MILLISECOND_NS);
        publish(&mut scene, 1);
        scene.settle();
        let mut told = scene.take_told();
        told.sort_by_key(|told| told.sequence);
        let Some(code) = told_error else {
            check_delivered(&mut scene, &told, 2);
            continue;
        };
        let refused = told.remove(0);
        let expected = (Outcome::NotSent, Reason::BrokerError, code);
        assert_eq!((refused.outcome, refused.reason, refused.error), expected);
        assert!(told.iter().all(|told| told.outcome == Outcome::Delivered), "{told:?}");
        assert_eq!((scene.log("fx", 0).len(), scene.log("fx", 1).len()), (2, 3), "{error}");
    }
}

#[test]
fn a_forbidden_topic_is_named_until_it_is_allowed() {
    let mut scene = scene();
    scene.cluster().set_authorized("fx", false);
    publish(&mut scene, 1);
    scene.run(SECOND_NS);
    for told in scene.take_told() {
        assert_eq!((told.outcome, told.reason), (Outcome::NotSent, Reason::BrokerError), "{told:?}");
        assert_eq!(told.error, ErrorCode(29), "{told:?}");
    }
    scene.cluster().set_authorized("fx", true);
    publish(&mut scene, MESSAGES);
    scene.settle();
    let told = scene.take_told();
    check_delivered(&mut scene, &told, MESSAGES);
}

/// However many batches are refused for good: none of them makes the next one wait longer.
#[test]
fn refusals_do_not_slow_a_partition_down() {
    const BATCHES: usize = 50;
    let settings = KafkaSettings { batch_size: 100, ..settings() };
    let mut scene = Scene::new(settings, ClusterOptions { deep: true, ..ClusterOptions::default() }, 1);
    scene
        .cluster()
        .create_topic("fx", 1, TopicOptions { compacted: true, ..TopicOptions::default() })
        .unwrap();
    for _ in 0..BATCHES {
        scene.publish_text(&[7; 100]);
    }
    scene.run(100 * MILLISECOND_NS);
    let told = scene.take_told();
    assert_eq!(told.len(), BATCHES);
    assert!(told.iter().all(|told| told.error == ErrorCode::INVALID_RECORD), "{told:?}");
}
