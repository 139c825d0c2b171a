//! Corners that the simulation does not come to, one scene for each.

use ringwire_core::{EndpointState, Frame, KafkaSettings, MILLISECOND_NS, Outcome, Reason, SECOND_NS};
use ringwire_loopback::kafka::{ClusterOptions, TopicOptions, kafka_3_9};

use crate::scene::{Scene, outcomes, settings, to_partition};

/// A record that fills a batch of 100 bytes.
fn large(partition: i32) -> Frame<'static> {
    Frame { payload: Some(&[7; 100]), partition, ..Frame::default() }
}

/// One broker, and a topic with both partitions there.
fn one_broker(settings: KafkaSettings, options: ClusterOptions) -> Scene {
    Scene::with_two_partitions(settings, options, 1)
}

#[test]
fn every_address_of_the_bootstrap_list_has_its_turn() {
    for len in 1..=6 {
        for good in 0..len {
            let host = |at| if at == good { "broker1".to_owned() } else { format!("nobody{at}") };
            let bootstrap_servers = (0..len).map(|at| (host(at), 9092)).collect();
            let settings = KafkaSettings { bootstrap_servers, ..settings() };
            let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
            // Nothing is to be sent, and nothing but the list says whom to ask.
            scene.settle();
            assert_eq!(scene.status().state, EndpointState::Connected, "{good} of {len}");
        }
    }
}

#[test]
fn a_busy_partition_does_not_hold_up_the_one_beside_it() {
    let settings = KafkaSettings { batch_size: 100, ..settings() };
    let mut scene = one_broker(settings, ClusterOptions::default());
    scene.drip();
    for _ in 0..100 {
        scene.publish(&large(0));
    }
    scene.run(3 * MILLISECOND_NS);
    scene.publish(&to_partition(1));
    // The five that were under way are answered, one in a millisecond, then the five behind them, and its own.
    scene.run(12 * MILLISECOND_NS);
    let told = scene.take_told();
    assert!(told.iter().any(|told| told.sequence == 102), "{told:?}");
    assert!(told.len() < 30, "the busy one is still busy: {}", told.len());
    scene.settle();
}

#[test]
fn a_leader_that_is_named_without_its_address_is_asked_for() {
    let mut scene = Scene::new(settings(), ClusterOptions::default(), 3);
    scene.cluster().create_topic("fx", 1, TopicOptions::default()).unwrap();
    scene.cluster().fence_broker(3);
    scene.publish(&to_partition(0));
    scene.settle();
    // The old leader knows who leads now, and not where that is.
    scene.cluster().move_leader("fx", 0, 3);
    scene.publish(&to_partition(0));
    scene.run(SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(0, Outcome::Delivered, Reason::None)]);
    scene.cluster().unfence_broker(3);
    scene.run(2 * SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(1, Outcome::Delivered, Reason::None)]);
}

#[test]
fn an_answer_that_names_a_partition_twice_is_none() {
    let mut scene =
        one_broker(settings(), ClusterOptions { versions: kafka_3_9(), ..ClusterOptions::default() });
    // Partition 1, no error, offset 1.
    let second: Vec<u8> = [&1_i32.to_be_bytes()[..], &0_i16.to_be_bytes(), &1_i64.to_be_bytes()].concat();
    scene.garble(Some(Box::new(move |answer| {
        if let Some(at) = answer.windows(second.len()).position(|bytes| bytes == second) {
            answer[at + 3] = 0;
        }
    })));
    (0..2).for_each(|partition| scene.publish(&to_partition(partition)));
    scene.run(MILLISECOND_NS);
    assert_eq!(scene.take_told(), [], "nobody knows what it says");
    let words = scene.status().last_error.expect("it says why").to_string();
    assert!(words.contains("an answer for partition 0 of topic \"fx\" came twice"), "{words}");
    scene.garble(None);
    scene.settle();
    let mut told = scene.take_told();
    told.sort_by_key(|told| told.sequence);
    assert_eq!(
        outcomes(&told),
        [(2, Outcome::Delivered, Reason::None), (3, Outcome::Delivered, Reason::None)]
    );
    assert_eq!([0, 1].map(|partition| scene.log("fx", partition).len()), [2, 2]);
}

#[test]
fn after_a_long_silence_one_batch_goes_alone() {
    let mut scene = one_broker(KafkaSettings { batch_size: 100, ..settings() }, ClusterOptions::default());
    let mut under_way = |pause_ns: u64| {
        scene.run(pause_ns);
        let before = scene.log("fx", 0).len();
        scene.cluster().hold_answers(1);
        (0..4).for_each(|_| scene.publish(&large(0)));
        scene.run(10 * MILLISECOND_NS);
        let under_way = scene.log("fx", 0).len() - before;
        scene.cluster().release_answers(1);
        scene.settle();
        under_way
    };
    assert_eq!(under_way(SECOND_NS), 3, "the last one waits for company");
    assert_eq!(under_way(100 * SECOND_NS), 1, "the broker may have forgotten us");
    assert_eq!(under_way(SECOND_NS), 3);
}

#[test]
fn what_was_held_for_its_topic_expires_by_the_time_at_which_it_was_taken() {
    let bootstrap_servers = vec![("broker2".to_owned(), 9092)];
    let settings = KafkaSettings { bootstrap_servers, delivery_timeout_ns: 8 * SECOND_NS, ..settings() };
    let mut scene = Scene::new(settings, ClusterOptions::default(), 2);
    scene.cluster().create_topic("fx", 1, TopicOptions::default()).unwrap();
    scene.cluster().stop_broker(1);
    scene.cluster().hold_answers(2);
    scene.publish(&to_partition(0));
    scene.run(5 * SECOND_NS);
    scene.publish(&to_partition(0));
    // Now the partitions are known, and their leader is not there.
    scene.cluster().release_answers(2);
    scene.run(4 * SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(0, Outcome::NotSent, Reason::Expired)]);
    scene.run(5 * SECOND_NS);
    assert_eq!(outcomes(&scene.take_told()), [(1, Outcome::NotSent, Reason::Expired)]);
}
