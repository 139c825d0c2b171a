//! Topics that change while thousands of messages a second go to them: what is said of each message is true.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ringwire::{Compression, KafkaOptions, Message, Outcome, Partitioner, Report, monotonic_ns};
use ringwire_tests::patience::{PATIENCE, until};

use crate::application::Application;
use crate::line::lines;
use crate::server::Shared;

/// Every millisecond.
const MESSAGES_PER_TICK: u64 = 5;
const TICK: Duration = Duration::from_millis(1);
/// So many messages are published before the change.
const BEFORE: u64 = 1_000;
/// Partitions and topics are looked up again.
const METADATA_AGE: Duration = Duration::from_millis(500);

#[test]
fn partitions_that_are_added_under_load_are_used() {
    for line in lines() {
        let shared = Shared::of(line);
        shared.client().create_topic("growing-busily", 1, &[]);
        let grow = || shared.judge(|judge| judge.grow("growing-busily", 3));
        let outcomes = under_load(shared, "growing-busily", grow, |report| report.position().0 == 2);
        let lost = outcomes.iter().find(|report| report.outcome != Outcome::Delivered);
        assert_eq!(lost, None, "nothing was in the way of any");
        let first_found = check(shared, "growing-busily", &outcomes);
        assert_eq!(first_found, 0);
    }
}

#[test]
fn a_topic_that_is_made_anew_under_load_is_used() {
    for line in lines() {
        let shared = Shared::of(line);
        shared.client().create_topic("anew-busily", 1, &[]);
        let make_anew = || {
            shared.judge(|judge| judge.delete("anew-busily"));
            until("the topic to be gone", || shared.client().leaders("anew-busily").is_empty());
            shared.client().create_topic("anew-busily", 1, &[]);
        };
        let outcomes = under_load(shared, "anew-busily", make_anew, |_| true);
        assert_eq!(outcomes[0].outcome, Outcome::Delivered, "to the first topic");
        let first_found = check(shared, "anew-busily", &outcomes);
        assert!(first_found > 0, "the first topic's messages went with it");
    }
}

/// Publishes until a message that was published after the change is delivered as `is_there` says. Answers what became
/// of each message, by its number, which is its payload.
fn under_load(
    shared: &Shared,
    topic: &str,
    change: impl FnOnce() + Send,
    is_there: impl Fn(&Report) -> bool,
) -> Vec<Report> {
    let options = KafkaOptions {
        compression: Compression::None,
        partitioner: Partitioner::RoundRobin,
        metadata_max_age: METADATA_AGE,
        allow_auto_create_topics: false,
        ..KafkaOptions::default()
    };
    let mut ours = Application::start(&[shared.kafka.addr(1)], options);
    let channel = ours.channel(topic);
    let (is_under_way, has_changed, mut changed_at) = (AtomicBool::new(false), AtomicBool::new(false), None);
    thread::scope(|scope| {
        scope.spawn(|| {
            until("the load to be under way", || is_under_way.load(Ordering::Acquire));
            change();
            has_changed.store(true, Ordering::Release);
        });
        let deadline_ns = monotonic_ns() + PATIENCE.as_nanos() as u64;
        let mut is_used = false;
        while !is_used {
            for _ in 0..MESSAGES_PER_TICK {
                let payload = ours.next_sequence().to_le_bytes();
                ours.try_put(&channel, &Message { payload: Some(&payload), ..Message::default() });
            }
            ours.poll();
            is_under_way.store(ours.next_sequence() >= BEFORE, Ordering::Release);
            if changed_at.is_none() && has_changed.load(Ordering::Acquire) {
                changed_at = Some(ours.next_sequence());
            }
            is_used = changed_at.is_some_and(|from| {
                let mut delivered = ours.reported(from).filter(|it| it.outcome == Outcome::Delivered);
                delivered.any(&is_there)
            });
            assert!(monotonic_ns() < deadline_ns, "{topic} is not used as it is now");
            thread::park_timeout(TICK);
        }
    });
    ours.outcomes()
}

/// Compares what was said with what is there; answers the lowest number that is. Messages below it may have been
/// delivered to a topic that is gone.
fn check(shared: &Shared, topic: &str, outcomes: &[Report]) -> u64 {
    let found = shared.judge(|judge| judge.read(topic));
    let mut places = HashMap::new();
    let mut last = HashMap::new();
    for stored in &found {
        let value = stored.record.value.as_deref().expect("each has a value");
        let number = u64::from_le_bytes(value.try_into().expect("it is a number"));
        let place = (stored.partition, stored.offset);
        assert_eq!(places.insert(number, place), None, "{number} is there twice");
        let before = last.insert(stored.partition, number);
        assert!(before.is_none_or(|before| before < number), "{number} at {place:?} comes after {before:?}");
    }
    let first_found = places.keys().copied().min().expect("something is there");
    for report in outcomes {
        let place = places.get(&report.sequence);
        match report.outcome {
            Outcome::Delivered if report.sequence < first_found => {}
            Outcome::Delivered => assert_eq!(place, Some(&report.position()), "{report:?}"),
            Outcome::NotSent => assert_eq!(place, None, "{report:?}"),
            Outcome::Unknown => {}
        }
    }
    first_found
}
