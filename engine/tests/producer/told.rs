//! What the status and the reports say of trouble that lasts: which topic, what the broker answers, what to do.

use ringwire_codec::kafka::{Api, ErrorCode};
use ringwire_core::{EndpointState, KafkaSettings, LinkError, MILLISECOND_NS, Outcome, Reason, SECOND_NS};
use ringwire_loopback::kafka::{ClusterOptions, Injection, TopicOptions};

use crate::scene::{Scene, settings, to_partition};

const NOT_ENOUGH_REPLICAS: ErrorCode = ErrorCode(19);

/// What the endpoint's error says.
fn words(scene: &Scene) -> String {
    scene.status().last_error.as_ref().map_or_else(String::new, LinkError::to_string)
}

#[test]
fn an_error_that_lasts_is_told_while_it_lasts_and_with_what_expires() {
    let settings = KafkaSettings { delivery_timeout_ns: 20 * SECOND_NS, ..settings() };
    for code in [NOT_ENOUGH_REPLICAS, ErrorCode(9_999)] {
        let mut scene = Scene::with_two_partitions(settings.clone(), ClusterOptions::default(), 1);
        assert_eq!(words(&scene), "");
        let lasting = Injection::new(Api::Produce, code, u32::MAX);
        scene.cluster().inject(Injection { partition: Some(1), ..lasting });
        (0..2).for_each(|partition| scene.publish(&to_partition(partition)));
        scene.run(10 * SECOND_NS);
        assert_eq!(scene.take_told().len(), 1, "the other partition's");
        for part in [
            "fx, partition 1 takes no messages now: ",
            code.info().name,
            &format!("({})", code.0),
            code.info().advice,
        ] {
            assert!(words(&scene).contains(part), "{} without {part}", words(&scene));
        }
        assert_eq!(scene.status().state, EndpointState::Connected);
        scene.run(30 * SECOND_NS);
        let told = scene.take_told();
        // What nobody knows of a broker's error is never given up by the clock.
        if code == NOT_ENOUGH_REPLICAS {
            assert_eq!((told[0].outcome, told[0].reason), (Outcome::NotSent, Reason::Expired));
        } else {
            assert!(told.is_empty(), "{told:?}");
            scene.expire();
        }
        let told = if told.is_empty() { scene.take_told() } else { told };
        assert_eq!((told.len(), told[0].error), (1, code), "{told:?}");
    }
}

#[test]
fn what_is_over_is_told_no_more() {
    let mut scene = Scene::with_two_partitions(settings(), ClusterOptions::default(), 1);
    scene.cluster().inject(Injection::new(Api::Produce, NOT_ENOUGH_REPLICAS, 5));
    scene.publish(&to_partition(0));
    scene.run(700 * MILLISECOND_NS);
    assert!(words(&scene).contains("NOT_ENOUGH_REPLICAS"), "{}", words(&scene));
    scene.settle();
    assert_eq!((words(&scene), scene.take_told().len()), (String::new(), 1));
}

#[test]
fn a_topic_that_is_missing_is_named_before_it_is_given_up() {
    let settings = KafkaSettings { auto_create_topics: false, ..settings() };
    let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
    scene.publish_text(b"x");
    scene.run(2 * SECOND_NS);
    assert!(
        words(&scene).starts_with("topic fx is waited for: UNKNOWN_TOPIC_OR_PARTITION (3); "),
        "{}",
        words(&scene)
    );
    assert_eq!((scene.status().state, scene.take_told().len()), (EndpointState::Connecting, 0));
    scene.expire();
    let told = scene.take_told();
    assert_eq!((told[0].reason, told[0].error), (Reason::Shutdown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn another_topic_that_is_missing_leaves_a_connected_endpoint_as_it_is() {
    let settings = KafkaSettings { auto_create_topics: false, ..settings() };
    let mut scene = Scene::with_two_partitions(settings, ClusterOptions::default(), 1);
    scene.open("gone");
    for _ in 0..20 {
        scene.run(SECOND_NS);
        assert_eq!(scene.status().state, EndpointState::Connected);
    }
    assert!(
        words(&scene).starts_with("topic gone is waited for: UNKNOWN_TOPIC_OR_PARTITION (3); "),
        "{}",
        words(&scene)
    );
}

/// Connected, and then without the broker that led the second of two partitions.
fn half_led() -> Scene {
    let mut scene = Scene::with_two_partitions(settings(), ClusterOptions::default(), 2);
    scene.cluster().stop_broker(2);
    scene.run(2 * SECOND_NS);
    scene
}

#[test]
fn a_partition_without_a_leader_is_named_and_leaves_the_other_as_it_is() {
    let mut scene = half_led();
    assert_eq!(scene.status().state, EndpointState::Connected);
    assert!(words(&scene).contains("fx, partition 1 has no leader now"), "{}", words(&scene));
    (0..2).for_each(|partition| scene.publish(&to_partition(partition)));
    scene.run(SECOND_NS);
    assert_eq!(scene.take_told().len(), 1, "the other partition's");
    assert!(scene.cluster().move_leader("fx", 1, 1));
    scene.settle();
    assert!(!words(&scene).contains("leader"), "{}", words(&scene));
    assert_eq!(scene.take_told().len(), 1);
}

#[test]
fn at_the_start_a_partition_without_a_leader_is_not_waited_for_where_another_has_one() {
    for (partitions, state) in [(2, EndpointState::Connected), (1, EndpointState::Connecting)] {
        let mut scene = Scene::new(settings(), ClusterOptions::default(), 2);
        scene.cluster().create_topic("fx", partitions, TopicOptions::default()).unwrap();
        let last = partitions - 1;
        if last == 0 {
            assert!(scene.cluster().move_leader("fx", 0, 2));
        }
        scene.cluster().stop_broker(2);
        scene.run(5 * SECOND_NS);
        assert_eq!(scene.status().state, state, "{}", words(&scene));
        assert!(
            words(&scene).contains(&format!("fx, partition {last} has no leader now")),
            "{}",
            words(&scene)
        );
    }
}

#[test]
fn when_nobody_can_be_asked_that_is_told_and_not_what_was_heard_before() {
    let mut scene = half_led();
    assert!(words(&scene).contains("fx, partition 1 has no leader now"), "{}", words(&scene));
    scene.cluster().stop_broker(1);
    (0..2).for_each(|partition| scene.publish(&to_partition(partition)));
    scene.run(2 * SECOND_NS);
    assert_eq!(scene.status().state, EndpointState::Reconnecting);
    assert!(!words(&scene).is_empty() && !words(&scene).contains("topic"), "{}", words(&scene));
}
