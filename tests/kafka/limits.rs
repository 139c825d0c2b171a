//! The producer where there is no room, no topic, or another one than before: every message still has its outcome,
//! and what is said of it is what the broker has.

use std::time::Duration;

use ringwire::{Compression, KafkaErrorCode, KafkaOptions, Message, Outcome, Partitioner, Reason};
use ringwire_tests::patience::until;

use crate::application::Application;
use crate::judge::Stored;
use crate::line::lines;
use crate::records::{Owned, TIME, noise};
use crate::server::Shared;

/// Messages of each test.
const MESSAGES: u64 = 2_000;
/// Room for so many of them; or for so many bytes, the least that is accepted, and messages of which some fifty fit.
const QUEUE_MESSAGES: u32 = 16;
const BUFFER_BYTES: u32 = 1_050_624;
const LARGE: usize = 20_000;
/// What the topic takes, and what is too much for it.
const MESSAGE_BYTES_MAX: &str = "20000";
const TOO_LONG: usize = 30_000;
/// Of so many messages the last one is refused.
const BAD_EVERY: u64 = 100;
/// It has no name among ours.
const TOPIC_AUTHORIZATION_FAILED: KafkaErrorCode = KafkaErrorCode(29);
/// For changes of a topic to be noticed, and for a topic to appear.
const SOON: Duration = Duration::from_millis(500);

/// Without compression and by the shortest times.
fn options() -> KafkaOptions {
    KafkaOptions {
        compression: Compression::None,
        metadata_max_age: SOON,
        topic_metadata_propagation: SOON,
        allow_auto_create_topics: false,
        ..KafkaOptions::default()
    }
}

fn start(shared: &Shared, options: KafkaOptions) -> Application {
    Application::start(&[shared.kafka.addr(1)], options)
}

/// Which messages the broker refuses: so many-th ones.
fn is_bad(number: u64) -> bool {
    number % BAD_EVERY == BAD_EVERY - 1
}

fn record(number: u64) -> Owned {
    Owned::new(TIME, None, Some(&number.to_le_bytes()))
}

fn too_long(number: u64) -> Owned {
    let filling = if is_bad(number) { noise(number, TOO_LONG) } else { Vec::new() };
    Owned::new(TIME, None, Some(&[&number.to_le_bytes()[..], &filling].concat()))
}

fn without_key(number: u64) -> Owned {
    let key = (!is_bad(number)).then_some(&b"key"[..]);
    Owned::new(TIME, key, Some(&number.to_le_bytes()))
}

fn number(stored: &Stored) -> u64 {
    let value = stored.record.value.as_deref().and_then(|value| value.first_chunk());
    u64::from_le_bytes(*value.expect("a number stands first"))
}

fn large(number: u64) -> Owned {
    Owned::new(TIME, None, Some(&[&number.to_le_bytes()[..], &[0; LARGE]].concat()))
}

#[test]
fn a_full_buffer_refuses_and_loses_nothing() {
    type Case = (&'static str, KafkaOptions, u64, fn(u64) -> Owned);
    let cases: [Case; 2] = [
        ("full", KafkaOptions { queue_messages: QUEUE_MESSAGES, ..options() }, MESSAGES, record),
        ("full.bytes", KafkaOptions { buffer_memory: BUFFER_BYTES, ..options() }, MESSAGES / 4, large),
    ];
    for line in lines() {
        let shared = Shared::of(line);
        for (topic, options, messages, record) in &cases {
            shared.client().create_topic(topic, 1, &[]);
            let mut ours = start(shared, options.clone());
            let channel = ours.channel(topic);
            for number in 0..*messages {
                ours.put(&channel, &record(number), None);
                let outstanding = ours.counters();
                assert!(outstanding.in_flight <= u64::from(options.queue_messages), "{outstanding:?}");
                assert!(outstanding.in_flight_bytes <= u64::from(options.buffer_memory), "{outstanding:?}");
            }
            assert!(ours.refused > 0, "{topic}: there was no room again and again");
            assert!(ours.positions().into_iter().eq((0..*messages as i64).map(|offset| (0, offset))));
            let found = shared.judge(|judge| judge.read(topic));
            assert!(found.iter().map(number).eq(0..*messages));
        }
    }
}

#[test]
fn a_message_that_the_broker_refuses_fails_alone() {
    type Case = (&'static str, (&'static str, &'static str), fn(u64) -> Owned, KafkaErrorCode);
    let cases: [Case; 2] = [
        ("large", ("max.message.bytes", MESSAGE_BYTES_MAX), too_long, KafkaErrorCode::MESSAGE_TOO_LARGE),
        ("keyless", ("cleanup.policy", "compact"), without_key, KafkaErrorCode::INVALID_RECORD),
    ];
    for line in lines() {
        let shared = Shared::of(line);
        for (topic, config, record, code) in cases {
            shared.client().create_topic(topic, 1, &[config]);
            let mut ours = start(shared, options());
            let channel = ours.channel(topic);
            for number in 0..MESSAGES {
                ours.put(&channel, &record(number), None);
            }
            let mut expected = Vec::new();
            for report in ours.outcomes() {
                if is_bad(report.sequence) {
                    assert_eq!((report.outcome, report.reason), (Outcome::NotSent, Reason::BrokerError));
                    assert_eq!(report.broker_error(), code);
                } else {
                    assert_eq!(report.outcome, Outcome::Delivered, "{report:?}");
                    assert_eq!(report.position(), (0, expected.len() as i64));
                    expected.push(record(report.sequence));
                }
            }
            let found = shared.judge(|judge| judge.read(topic));
            assert!(found.iter().map(|stored| &stored.record).eq(&expected), "{topic}");
        }
    }
}

#[test]
fn a_forbidden_topic_is_named_and_costs_others_nothing() {
    for line in lines() {
        let shared = Shared::of(line);
        let topics = ["forbidden", "allowed"];
        for topic in topics {
            shared.client().create_topic(topic, 1, &[]);
        }
        shared.judge(|judge| judge.forbid("forbidden"));
        let mut ours = start(shared, options());
        let channels = topics.map(|topic| ours.channel(topic));
        // The list reaches the broker by itself.
        until("the topic to be forbidden", || {
            ours.put(&channels[0], &record(0), None);
            ours.outcomes().last().expect("it has its outcome").outcome == Outcome::NotSent
        });
        let from = ours.next_sequence();
        for number in 0..MESSAGES {
            ours.put(&channels[(number % 2) as usize], &record(number), None);
        }
        for report in ours.outcomes().into_iter().skip(from as usize) {
            let is_allowed = (report.sequence - from) % 2 == 1;
            if is_allowed {
                assert_eq!(report.position(), (0, ((report.sequence - from) / 2) as i64), "{report:?}");
            }
            let expected = if is_allowed { Outcome::Delivered } else { Outcome::NotSent };
            let code = if is_allowed { KafkaErrorCode::NONE } else { TOPIC_AUTHORIZATION_FAILED };
            assert_eq!((report.outcome, report.broker_error()), (expected, code), "{report:?}");
        }
        shared.judge(|judge| judge.allow("forbidden"));
        put_until_delivered(&mut ours, "forbidden", |_| true);
    }
}

#[test]
fn a_topic_that_is_missing_is_said_and_used_when_it_is_there() {
    for line in lines() {
        let shared = Shared::of(line);
        let mut ours = start(shared, options());
        let channel = ours.channel("missing");
        ours.put(&channel, &record(0), None);
        let report = ours.outcomes()[0];
        assert_eq!((report.outcome, report.reason), (Outcome::NotSent, Reason::BrokerError));
        assert_eq!(report.broker_error(), KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert!(shared.client().leaders("missing").is_empty(), "it was not created");
        shared.client().create_topic("missing", 1, &[]);
        let sent = put_until_delivered(&mut ours, "missing", |_| true);
        check(shared, &mut ours, "missing", 0..=sent);
    }
}

#[test]
fn partitions_that_are_added_are_used() {
    for line in lines() {
        let shared = Shared::of(line);
        shared.client().create_topic("growing", 1, &[]);
        let mut ours = start(shared, KafkaOptions { partitioner: Partitioner::RoundRobin, ..options() });
        put_until_delivered(&mut ours, "growing", |position| position.0 == 0);
        shared.judge(|judge| judge.grow("growing", 3));
        put_until_delivered(&mut ours, "growing", |position| position.0 == 1);
        let sent = put_until_delivered(&mut ours, "growing", |position| position.0 == 2);
        ours.positions();
        check(shared, &mut ours, "growing", 0..=sent);
    }
}

#[test]
fn a_topic_that_is_made_anew_is_used() {
    for line in lines() {
        let shared = Shared::of(line);
        shared.client().create_topic("anew", 1, &[]);
        let mut ours = start(shared, options());
        let last = put_until_delivered(&mut ours, "anew", |position| position.1 == 9);
        shared.judge(|judge| judge.delete("anew"));
        until("the topic to be gone", || shared.client().leaders("anew").is_empty());
        shared.client().create_topic("anew", 1, &[]);
        // What is published from now on is in the new one, or nowhere.
        let sent = put_until_delivered(&mut ours, "anew", |position| position.1 == 9);
        check(shared, &mut ours, "anew", last + 1..=sent);
    }
}

/// Publishes one message after the other, until one is delivered at such a place; answers its number.
fn put_until_delivered(ours: &mut Application, topic: &str, is_there: impl Fn((i32, i64)) -> bool) -> u64 {
    let channel = ours.channel(topic);
    let mut number = 0;
    until("a message to be delivered there", || {
        let payload = ours.next_sequence().to_le_bytes();
        let message = Message { payload: Some(&payload), ..Message::default() };
        number = ours.try_put(&channel, &message).expect("there is room for one");
        let report = *ours.outcomes().last().expect("it has its outcome");
        report.outcome == Outcome::Delivered && is_there(report.position())
    });
    number
}

/// Of those with these numbers the delivered ones are where their reports say, and nothing else is there.
fn check(shared: &Shared, ours: &mut Application, topic: &str, numbers: std::ops::RangeInclusive<u64>) {
    let outcomes = ours.outcomes();
    let of_these = outcomes.iter().filter(|report| numbers.contains(&report.sequence));
    let delivered = of_these.filter(|report| {
        assert_ne!(report.outcome, Outcome::Unknown, "{report:?}");
        report.outcome == Outcome::Delivered
    });
    let mut expected: Vec<_> = delivered.map(|report| (report.position(), report.sequence)).collect();
    expected.sort_unstable();
    let found = shared.judge(|judge| judge.read(topic));
    let found: Vec<_> = found.iter().map(|it| ((it.partition, it.offset), number(it))).collect();
    assert_eq!(found, expected);
}
