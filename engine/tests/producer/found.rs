//! What the simulation has found in the producer, one scene for each.

use ringwire_codec::kafka::{Api, ErrorCode};
use ringwire_core::{Acks, EndpointState, Frame, KafkaSettings, MILLISECOND_NS, Outcome, Reason, SECOND_NS};
use ringwire_loopback::kafka::{ClusterOptions, Injection, TopicOptions};

use crate::scene::{Scene, outcomes, settings, to_partition};

/// Metadata is asked for so often.
const SOON_NS: u64 = 100 * MILLISECOND_NS;

/// Two brokers, and a topic with a partition at each of them.
fn two_brokers(settings: KafkaSettings) -> Scene {
    Scene::with_two_partitions(settings, ClusterOptions::default(), 2)
}

#[test]
fn a_pause_counts_whatever_asked_for_it() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 1);
    scene.cluster().create_topic("fx", 1, TopicOptions::default()).unwrap();
    // Nothing but the greeting, metadata and the producer's id is answered with it.
    scene.cluster().set_throttle_ms(500);
    scene.publish_text(b"x");
    scene.run(400 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 0);
    scene.run(200 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 1);
}

#[test]
fn what_may_be_in_the_log_of_a_forbidden_topic_waits_for_its_answer() {
    let mut scene = two_brokers(settings());
    scene.cluster().hold_answers(2);
    scene.publish(&to_partition(1));
    scene.run(10 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 1).len(), 2, "it is in the log, and nobody was told");
    scene.cluster().set_authorized("fx", false);
    scene.cluster().stop_broker(2);
    scene.cluster().release_answers(2);
    // The other broker says that the topic is forbidden.
    scene.run(SECOND_NS);
    assert_eq!(scene.take_told(), []);
    scene.cluster().set_authorized("fx", true);
    scene.cluster().start_broker(2);
    scene.settle();
    assert_eq!(outcomes(&scene.take_told()), [(2, Outcome::Delivered, Reason::None)]);
    assert_eq!(scene.log("fx", 1).len(), 2);
}

#[test]
fn a_message_does_not_expire_with_one_that_came_long_before_it() {
    let settings = KafkaSettings { delivery_timeout_ns: 8 * SECOND_NS, ..settings() };
    let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
    scene.publish_text(b"0");
    scene.settle();
    scene.take_told();
    scene.cluster().stop_broker(1);
    scene.run(10 * MILLISECOND_NS);
    scene.publish_text(b"early");
    scene.run(7 * SECOND_NS);
    scene.publish_text(b"late");
    scene.run(2 * SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(1, Outcome::NotSent, Reason::Expired)]);
    scene.cluster().start_broker(1);
    scene.settle();
    assert_eq!(outcomes(&scene.take_told()), [(2, Outcome::Delivered, Reason::None)]);
}

#[test]
fn an_answer_about_the_topic_before_this_one_is_an_answer() {
    let mut scene = two_brokers(KafkaSettings { metadata_max_age_ns: SOON_NS, ..settings() });
    scene.cluster().hold_answers(1);
    scene.publish(&to_partition(0));
    scene.run(10 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 2, "it is in the log, and nobody was told");
    scene.cluster().delete_topic("fx");
    scene.cluster().create_topic("fx", 2, TopicOptions::default()).unwrap();
    // The other broker tells of the new topic, which has another id.
    scene.run(3 * SOON_NS);
    scene.cluster().release_answers(1);
    scene.settle();
    let told = scene.take_told();
    assert_eq!(outcomes(&told), [(2, Outcome::Delivered, Reason::None)]);
    assert_eq!((told[0].position, scene.status().last_error), ((0, 1), None));
    assert_eq!(scene.log("fx", 0).len(), 0, "it was not sent again");
}

#[test]
fn what_was_under_way_to_a_partition_that_is_no_more_is_answered_for() {
    let mut scene = two_brokers(KafkaSettings { metadata_max_age_ns: SOON_NS, ..settings() });
    scene.cluster().hold_answers(2);
    scene.publish(&to_partition(1));
    scene.run(10 * MILLISECOND_NS);
    scene.cluster().delete_topic("fx");
    scene.cluster().create_topic("fx", 1, TopicOptions::default()).unwrap();
    // While it is known that there is one partition, the batch for the other is still under way.
    scene.run(3 * SOON_NS);
    assert_eq!(scene.take_told(), []);
    scene.cluster().disconnect(2);
    scene.cluster().release_answers(2);
    scene.settle();
    assert_eq!(outcomes(&scene.take_told()), [(2, Outcome::Unknown, Reason::NoPartition)]);
}

#[test]
fn a_partition_that_was_gone_with_its_topic_comes_again() {
    let mut scene = two_brokers(KafkaSettings { metadata_max_age_ns: SOON_NS, ..settings() });
    // Its leader's epoch is above the one that the new partition begins with.
    scene.cluster().move_leader("fx", 1, 1);
    scene.run(3 * SOON_NS);
    scene.cluster().delete_topic("fx");
    scene.cluster().create_topic("fx", 1, TopicOptions::default()).unwrap();
    scene.run(3 * SOON_NS);
    scene.cluster().add_partitions("fx", 2).unwrap();
    scene.run(3 * SOON_NS);
    scene.publish(&to_partition(1));
    scene.settle();
    assert_eq!(outcomes(&scene.take_told()), [(2, Outcome::Delivered, Reason::None)]);
}

#[test]
fn what_needs_no_answer_ends_behind_one_that_came() {
    let settings =
        KafkaSettings { acks: Acks::None, idempotent: false, metadata_max_age_ns: SOON_NS, ..settings() };
    let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
    scene.settle();
    // The question for metadata waits for its answer, and the message stands behind it.
    scene.cluster().hold_answers(1);
    scene.run(2 * SOON_NS);
    scene.publish_text(b"x");
    scene.run(10 * MILLISECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 1);
    scene.cluster().release_answers(1);
    scene.run(MILLISECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(0, Outcome::Unknown, Reason::NotAcknowledged)]);
}

#[test]
fn a_topic_without_an_id_may_be_made_anew() {
    let options = ClusterOptions { topic_ids: false, ..ClusterOptions::default() };
    let mut scene = Scene::new(settings(), options, 2);
    scene.cluster().create_topic("fx", 1, TopicOptions::default()).unwrap();
    for leader in [2, 1, 2] {
        scene.cluster().move_leader("fx", 0, leader);
    }
    scene.publish_text(b"x");
    scene.settle();
    scene.cluster().delete_topic("fx");
    scene.cluster().create_topic("fx", 1, TopicOptions::default()).unwrap();
    assert_eq!(scene.cluster().leader("fx", 0), Some((1, 0)), "another leader, and a younger epoch");
    scene.publish_text(b"y");
    scene.settle();
    assert!(scene.take_told().iter().all(|told| told.outcome == Outcome::Delivered));
    assert_eq!(scene.log("fx", 0).len(), 1);
}

#[test]
fn a_former_leaders_success_says_nothing_of_the_present_one() {
    let mut scene =
        two_brokers(KafkaSettings { metadata_max_age_ns: SOON_NS, batch_size: 100, ..settings() });
    scene.cluster().hold_answers(1);
    scene.publish(&to_partition(0));
    scene.run(10 * MILLISECOND_NS);
    scene.cluster().move_leader("fx", 0, 2);
    // The other broker tells of the move before the first one answers.
    scene.run(3 * SOON_NS);
    scene.cluster().release_answers(1);
    scene.cluster().hold_answers(2);
    for _ in 0..3 {
        scene.publish(&Frame { payload: Some(&[7; 100]), partition: 0, ..Frame::default() });
    }
    scene.run(10 * MILLISECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(2, Outcome::Delivered, Reason::None)]);
    assert_eq!(scene.log("fx", 0).len(), 3, "one batch is under way until the new leader took one");
    scene.cluster().release_answers(2);
    scene.settle();
    assert_eq!(scene.take_told().len(), 3);
}

#[test]
fn what_failed_goes_alone_though_what_followed_it_succeeded() {
    let mut scene = two_brokers(KafkaSettings { batch_size: 100, ..settings() });
    let large = Frame { payload: Some(&[7; 100]), partition: 0, ..Frame::default() };
    // NOT_ENOUGH_REPLICAS_AFTER_APPEND: nobody knows.
    let doubt = Injection::new(Api::Produce, ErrorCode(20), 1);
    scene.cluster().inject(Injection { appended: true, partition: Some(0), ..doubt });
    for _ in 0..5 {
        scene.publish(&large);
    }
    scene.run(MILLISECOND_NS);
    assert_eq!((scene.take_told().len(), scene.log("fx", 0).len()), (3, 5), "the last one waits for company");
    scene.cluster().hold_answers(1);
    scene.publish(&large);
    scene.publish(&large);
    scene.run(SECOND_NS);
    assert_eq!(scene.log("fx", 0).len(), 5, "nothing goes behind the first one's second attempt");
    scene.cluster().release_answers(1);
    scene.settle();
    assert!(scene.take_told().iter().all(|told| told.outcome == Outcome::Delivered));
    assert_eq!(scene.log("fx", 0).len(), 8);
}

#[test]
fn a_leader_that_is_not_yet_among_the_brokers_is_asked_for_again() {
    let mut scene = two_brokers(settings());
    scene.cluster().stop_broker(2);
    scene.publish(&to_partition(1));
    scene.run(SECOND_NS);
    scene.cluster().fence_broker(2);
    scene.cluster().start_broker(2);
    scene.run(2 * SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), []);
    assert_eq!(scene.status().state, EndpointState::Reconnecting);
    scene.cluster().unfence_broker(2);
    scene.run(2 * SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(2, Outcome::Delivered, Reason::None)]);
}

#[test]
fn what_waits_for_a_silent_broker_goes_to_the_new_leader_at_once() {
    let mut scene = two_brokers(settings());
    // It takes connections, and does not greet.
    scene.cluster().hold_answers(2);
    scene.cluster().disconnect(2);
    scene.publish(&to_partition(1));
    scene.run(SECOND_NS / 2);
    scene.cluster().move_leader("fx", 1, 1);
    scene.run(SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(2, Outcome::Delivered, Reason::None)]);
}
