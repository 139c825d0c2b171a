//! The producer while brokers are killed, frozen and started again: what it says of each message is true.
//!
//! ```text
//!   this thread   ── loads: 20,000 messages a second ──► brokers 1, 2, 3
//!        └── when the oldest message waits since ──► the storm's thread: kills, freezes and restarts them
//! ```
//!
//! *Delivered*: once in the log, at its offset. *Not sent*: never there. *Unknown*: there once at most. And the log
//! of a partition has the order in which its messages were published.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ringwire::{Channel, KafkaOptions, Message, Outcome, Report, monotonic_ns};
use ringwire_tests::patience::until;

use crate::application::Application;
use crate::client::Client;
use crate::judge::Stored;
use crate::line::lines;
use crate::server::{Kafka, KafkaOptions as ClusterOptions};

const NODES: [i32; 3] = [1, 2, 3];
/// By default a killed broker keeps its leaders for nine seconds.
const PROPERTIES: [(&str, &str); 3] = [
    ("broker.session.timeout.ms", "2000"),
    ("broker.heartbeat.interval.ms", "400"),
    ("min.insync.replicas", "2"),
];
/// With the newest version.
const KILLS: usize = 6;
/// With those before it: each kill takes some fifteen seconds.
const KILLS_BEFORE: usize = 2;
/// Channels of each load, and partitions of each channel's topic: a broker leads some of each.
const CHANNELS: u64 = 2;
const PARTITIONS: u64 = 3;
/// Of each load, every millisecond: 20,000 a second from all.
const MESSAGES_PER_MS: [u64; 3] = [10, 5, 5];
const NAMES: [&str; 3] = ["patient", "hasty", "forgetful"];
const PATIENT: usize = 0;
/// Shorter than a broker stands still, and than a leader is missed after a kill.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(1_000);
const SHORT_DELIVERY_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Longer than everything here.
const LONG_DELIVERY_TIMEOUT: Duration = Duration::from_secs(600);
/// Some ten seconds of a load: it goes on while a leader is missed.
const QUEUE_MESSAGES: u32 = 1 << 17;
/// The loads are looked after so often.
const TICK: Duration = Duration::from_millis(1);
const MILLISECOND_NS: u64 = 1_000_000;
/// What a load may catch up with after it was held up.
const BEHIND_MAX_MS: u64 = 100;

/// An application that publishes at its rate, and what it needs for that.
struct Load {
    application: Application,
    channels: Vec<Channel>,
    per_ms: u64,
    /// Up to here it has published what was due, in milliseconds of the monotonic clock.
    published_to_ms: u64,
    /// How many it has tried.
    tried: u64,
}

impl Load {
    fn start(kafka: &Kafka, number: usize) -> Self {
        let mut client = Client::connect(kafka.addr(1));
        let mut options = KafkaOptions {
            request_timeout: REQUEST_TIMEOUT,
            delivery_timeout: LONG_DELIVERY_TIMEOUT,
            queue_messages: QUEUE_MESSAGES,
            ..KafkaOptions::default()
        };
        match NAMES[number] {
            "hasty" => options.delivery_timeout = SHORT_DELIVERY_TIMEOUT,
            // More than one request under way may change places where it is not idempotent.
            "forgetful" => (options.enable_idempotence, options.max_in_flight) = (Some(false), 1),
            _ => {}
        }
        let application = Application::start(&kafka.addrs(), options);
        let topics = topics(number);
        for topic in &topics {
            client.create_replicated_topic(topic, PARTITIONS as i32, NODES.len() as i16, &[]);
        }
        let channels = topics.iter().map(|topic| application.channel(topic)).collect();
        let published_to_ms = monotonic_ns() / MILLISECOND_NS;
        Self { application, channels, per_ms: MESSAGES_PER_MS[number], published_to_ms, tried: 0 }
    }

    /// Publishes what is due. What finds no room is not a message.
    fn publish(&mut self) {
        let now_ms = monotonic_ns() / MILLISECOND_NS;
        let due_ms = (now_ms - self.published_to_ms).min(BEHIND_MAX_MS);
        self.published_to_ms = now_ms;
        for _ in 0..due_ms * self.per_ms {
            let (tag, mut payload) = (self.tried, [0; 16]);
            payload[..8].copy_from_slice(&(tag % CHANNELS).to_le_bytes());
            payload[8..].copy_from_slice(&tag.to_le_bytes());
            let partition = Some((tag / CHANNELS % PARTITIONS) as u32);
            let message = Message { payload: Some(&payload), tag, partition, ..Message::default() };
            self.application.try_put(&self.channels[(tag % CHANNELS) as usize], &message);
            self.tried += 1;
        }
        self.application.poll();
    }
}

fn topics(number: usize) -> Vec<String> {
    (0..CHANNELS).map(|channel| format!("{}-{channel}", NAMES[number])).collect()
}

/// What the storm sees of the loads, and they of it.
#[derive(Default)]
struct Seen {
    /// Since when the oldest message of the patient load waits.
    oldest_ns: AtomicU64,
    is_over: AtomicBool,
}

/// Ends the loads however the storm ends.
struct Over<'s>(&'s Seen);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

#[test]
fn what_is_said_of_each_message_is_true_in_a_storm() {
    let newest = lines().pop();
    for line in lines() {
        let kills = if Some(line) == newest { KILLS } else { KILLS_BEFORE };
        let mut kafka = Kafka::start(line, &ClusterOptions { brokers: 3, properties: &PROPERTIES });
        let mut loads: Vec<Load> = (0..NAMES.len()).map(|number| Load::start(&kafka, number)).collect();
        let seen = Seen::default();
        thread::scope(|scope| {
            scope.spawn(|| storm(&mut kafka, &seen, kills));
            while !seen.is_over.load(Ordering::Acquire) {
                loads.iter_mut().for_each(Load::publish);
                seen.oldest_ns.store(loads[PATIENT].application.oldest_ns(), Ordering::Release);
                thread::park_timeout(TICK);
            }
        });
        let mut judge = kafka.judge();
        for (number, mut load) in loads.into_iter().enumerate() {
            let outcomes = load.application.outcomes();
            let found: Vec<Vec<Stored>> = topics(number).iter().map(|topic| judge.read(topic)).collect();
            check(number, &outcomes, &found);
        }
    }
}

fn storm(kafka: &mut Kafka, seen: &Seen, kills: usize) {
    let _over = Over(seen);
    delivered_again(seen, "the start");
    for kill in 1..=kills {
        let leader = leader(kafka);
        kafka.kill(leader);
        delivered_again(seen, &format!("kill {kill}"));
        kafka.restart(&[leader]);
        all_in_sync(kafka);
    }
    let leader = leader(kafka);
    kafka.freeze(leader);
    delivered_again(seen, "the freeze of a leader");
    kafka.thaw(leader);
    all_in_sync(kafka);
    for node in NODES {
        kafka.kill(node);
    }
    kafka.restart(&NODES);
    delivered_again(seen, "the end of all, and their start");
}

/// Waits until everything that had been published before is delivered, and says how long that took.
fn delivered_again(seen: &Seen, after: &str) {
    let since_ns = monotonic_ns();
    until("messages to be delivered again", || seen.oldest_ns.load(Ordering::Acquire) > since_ns);
    println!("delivered again {} ms after {after}", (monotonic_ns() - since_ns) / MILLISECOND_NS);
}

/// Who leads the first partition.
fn leader(kafka: &Kafka) -> i32 {
    let mut leader = -1;
    until("a leader", || {
        let leaders = Client::connect(kafka.addr(1)).leaders(&topics(PATIENT)[0]);
        leader = leaders.first().map_or(-1, |hint| hint.leader_id);
        leader > 0
    });
    leader
}

/// Waits until every replica keeps up: the next kill leaves two again.
fn all_in_sync(kafka: &Kafka) {
    let mut client = Client::connect(kafka.addr(1));
    for topic in (0..NAMES.len()).flat_map(topics) {
        until("every replica to keep up", || {
            let in_sync = client.in_sync(&topic);
            in_sync.len() == PARTITIONS as usize && in_sync.iter().all(|count| *count == NODES.len())
        });
    }
}

/// Compares what was said with what is there.
fn check(number: usize, outcomes: &[Report], found: &[Vec<Stored>]) {
    let name = NAMES[number];
    // By the message's tag: where it is, and how often.
    let tags = outcomes.last().expect("it has published").tag as usize + 1;
    let mut places = vec![((-1, -1), 0); tags];
    for (channel, found) in (0..).zip(found) {
        let mut last: [Option<u64>; PARTITIONS as usize] = [None; PARTITIONS as usize];
        for Stored { partition, offset, record, .. } in found {
            let (of, tag) = content(record.value.as_deref().expect("each has a value"));
            let expected = (tag % CHANNELS, (tag / CHANNELS % PARTITIONS) as i32);
            assert_eq!((of, of, *partition), (channel, expected.0, expected.1), "{name}");
            let last = &mut last[*partition as usize];
            assert!(last.is_none_or(|last| last < tag), "{name}: {tag} at {offset} comes after {last:?}");
            *last = Some(tag);
            let place = &mut places[tag as usize];
            *place = ((*partition, *offset), place.1 + 1);
        }
    }
    let mut counts = [0; 3];
    for report in outcomes {
        let (place, times) = std::mem::take(&mut places[report.tag as usize]);
        let is_true = match report.outcome {
            // The offset is -1 where the broker only said that it had the message already.
            Outcome::Delivered => {
                let (partition, offset) = report.position();
                times == 1 && (partition, offset.max(-1)) == (place.0, if offset < 0 { -1 } else { place.1 })
            }
            Outcome::NotSent => times == 0,
            Outcome::Unknown => times <= 1,
        };
        assert!(is_true, "{name}: {report:?} is {times} times in the log, at {place:?}");
        counts[report.outcome as usize] += 1;
    }
    let [delivered, not_sent, unknown] = counts;
    println!("{name}: {delivered} delivered, {not_sent} not sent, {unknown} unknown");
    assert!(places.iter().all(|place| place.1 == 0), "{name}: what was refused is not there");
    match name {
        "patient" => assert_eq!((not_sent, unknown), (0, 0)),
        "hasty" => assert!(not_sent > 0, "some waited too long"),
        _ => assert!(unknown > 0, "some were under way when a broker was killed"),
    }
}

/// The channel's and the message's number.
fn content(value: &[u8]) -> (u64, u64) {
    let word = |from: usize| value[from..from + 8].try_into().map(u64::from_le_bytes);
    (word(0).expect("eight bytes"), word(8).expect("eight bytes"))
}
