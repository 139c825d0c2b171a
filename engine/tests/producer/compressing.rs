//! Compression takes longer than all the rest: how little of it stands between two turns of the other connections.

use ringwire_core::{Compression, Frame, KafkaSettings, MILLISECOND_NS, Outcome};
use ringwire_loopback::kafka::{ClusterOptions, TopicOptions};

use crate::scene::{Scene, to_partition};

/// Text of about ten thousand bytes a partition, in records of a hundred: more than half of a piece of zstd's.
const RECORDS: usize = 100;

fn settings() -> KafkaSettings {
    KafkaSettings { compression: Compression::Zstd(3), ..crate::scene::settings() }
}

fn zstd(partitions: u32) -> Scene {
    with(settings(), partitions)
}

fn with(settings: KafkaSettings, partitions: u32) -> Scene {
    let mut scene = Scene::new(settings, ClusterOptions::default(), 1);
    scene.cluster().create_topic("fx", partitions, TopicOptions::default()).unwrap();
    (0..partitions as i32).for_each(|partition| scene.publish(&to_partition(partition)));
    scene.settle();
    assert_eq!(scene.take_told().len(), partitions as usize);
    scene
}

fn publish(scene: &mut Scene, partition: i32, records: usize) {
    for number in 0..records {
        let text = format!("EURUSD,1.1{number:04},1.1{:04};{:>80}", number + 1, number * number);
        scene.publish(&Frame { payload: Some(text.as_bytes()), partition, ..Frame::default() });
    }
}

#[test]
fn what_is_due_is_compressed_poll_by_poll_and_goes_together() {
    let mut scene = zstd(6);
    (0..6).for_each(|partition| publish(&mut scene, partition, RECORDS));
    let (polls, requests) = scene.poll_until_output();
    assert!((6..=7).contains(&polls), "one batch in each poll: {polls}");
    assert_eq!(requests, 1);
    scene.settle();
    assert_eq!(scene.take_told().len(), 6 * RECORDS);
}

#[test]
fn small_batches_are_compressed_in_one_poll() {
    let mut scene = zstd(6);
    (0..6).for_each(|partition| publish(&mut scene, partition, 3));
    assert_eq!(scene.poll_until_output(), (1, 1));
    scene.settle();
}

#[test]
fn what_is_ready_does_not_wait_for_all_that_is_due() {
    let mut scene = zstd(40);
    (0..40).for_each(|partition| publish(&mut scene, partition, RECORDS));
    let (polls, _) = scene.poll_until_output();
    assert!(polls < 10, "{polls}");
    scene.settle();
    assert_eq!(scene.take_told().len(), 40 * RECORDS);
}

#[test]
fn a_small_batch_does_not_wait_for_a_large_one() {
    let mut scene = zstd(2);
    publish(&mut scene, 0, 40 * RECORDS);
    publish(&mut scene, 1, 1);
    let (polls, _) = scene.poll_until_output();
    assert!(polls < 3, "{polls}");
    scene.run(2 * MILLISECOND_NS);
    let told = scene.take_told();
    assert!(told.iter().all(|told| told.outcome == Outcome::Delivered) && told.len() > RECORDS, "{told:?}");
    scene.settle();
}

#[test]
fn what_may_go_in_one_request_alone_goes_in_one() {
    let mut scene = with(KafkaSettings { max_in_flight: 1, ..settings() }, 20);
    (0..20).for_each(|partition| publish(&mut scene, partition, RECORDS));
    let (polls, requests) = scene.poll_until_output();
    assert!(polls >= 20 && requests == 1, "{requests} after {polls}");
    scene.run(MILLISECOND_NS);
    assert_eq!(scene.take_told().len(), 20 * RECORDS, "delivered by the first answer");
}

#[test]
fn brokers_share_the_time_that_there_is() {
    let mut scene = Scene::with_two_partitions(settings(), ClusterOptions::default(), 2);
    (0..2).for_each(|partition| publish(&mut scene, partition, RECORDS));
    assert_eq!(scene.poll_until_output(), (1, 1), "the other one's batch comes with the next poll");
    scene.settle();
    assert_eq!(scene.take_told().len(), 2 * RECORDS);
}
