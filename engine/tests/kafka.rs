//! The library and a Kafka of the loopback servers, over sockets: routes to both kinds, flushing, and what a dead Kafka
//! costs a Redis.

use std::time::{Duration, Instant};

use ringwire::{Config, Engine, KafkaOptions, Outcome, Report, Reports, Route};
use ringwire_loopback::{front, redis};

/// No step of these tests takes longer, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

fn kafka() -> front::KafkaFront {
    front::spawn_kafka("127.0.0.1:0", front::KafkaOptions::default()).expect("a loopback Kafka starts")
}

fn collect(reports: &mut Reports, count: usize) -> Vec<Report> {
    let mut all = Vec::new();
    let end = Instant::now() + PATIENCE;
    while all.len() < count {
        assert!(Instant::now() < end, "{} of {count} reports came", all.len());
        reports.poll(usize::MAX, |report| all.push(*report));
        if all.len() < count {
            reports.wait(Duration::from_millis(100));
        }
    }
    all
}

#[test]
fn a_channel_goes_to_redis_and_kafka_with_an_outcome_for_each() {
    let (kafka, redis) = (kafka(), front::spawn("127.0.0.1:0", redis::Options::default()).unwrap());
    let config = Config::new().redis("r", &redis.url()).unwrap().kafka("k", &kafka.bootstrap()).unwrap();
    let engine = Engine::start(config.route(Route::new("fx.*").to("r").to("k"))).unwrap();
    let channel = engine.channel("fx.eurusd").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    for number in 0..100_u8 {
        publisher.publish(&channel, &[number]).unwrap();
    }
    let reports = collect(&mut reports, 200);
    assert!(reports.iter().all(|report| report.outcome == Outcome::Delivered));
    let offsets: Vec<_> =
        reports.iter().filter(|report| report.leg == 1).map(|report| report.position().1).collect();
    assert_eq!(offsets, (0..100).collect::<Vec<_>>());
    let log = kafka.with(|cluster| cluster.records("fx.eurusd", 0, 0).unwrap()).unwrap();
    let values: Vec<_> = log.iter().filter_map(|record| record.value.as_deref()?.first().copied()).collect();
    assert_eq!(values, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_dead_kafka_costs_a_redis_nothing() {
    let (kafka, redis) = (kafka(), front::spawn("127.0.0.1:0", redis::Options::default()).unwrap());
    let config = Config::new().redis("r", &redis.url()).unwrap().kafka("k", &kafka.bootstrap()).unwrap();
    let config = config.route(Route::new("fx.*").to("r").to("k")).route(Route::new("*").to("r"));
    let engine = Engine::start(config).unwrap();
    let (both, one) = (engine.channel("fx.eurusd").unwrap(), engine.channel("other").unwrap());
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    kafka.stop();
    for _ in 0..100 {
        publisher.publish(&both, b"x").unwrap();
        publisher.publish(&one, b"y").unwrap();
    }
    // Each message's leg to the Redis, and nothing else.
    let told = collect(&mut reports, 200);
    assert!(told.iter().all(|report| report.outcome == Outcome::Delivered && report.leg == 0));
    assert!(!publisher.flush(Duration::from_millis(10)), "the Kafka's messages wait for it");
    let report = engine.shutdown(Duration::ZERO);
    assert!(!report.flushed, "{report:?}");
    let told = collect(&mut reports, 100);
    assert!(told.iter().all(|report| report.outcome != Outcome::Delivered && report.leg == 1));
}

#[test]
fn a_publisher_whose_reports_are_dropped_has_its_credit_back_all_the_same() {
    let kafka = kafka();
    let options = KafkaOptions { queue_messages: 100, ..KafkaOptions::default() };
    let config = Config::new().kafka_with("k", &kafka.bootstrap(), options).unwrap();
    let engine = Engine::start(config.credit(100, 2 << 20)).unwrap();
    let channel = engine.channel("fx.eurusd").unwrap();
    let (mut publisher, reports) = engine.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    drop(reports);
    for number in 0..1_000 {
        assert_eq!(publisher.wait_writable(&channel, 1, PATIENCE), Ok(true), "{number}");
        assert_eq!(publisher.publish(&channel, b"x"), Ok(number));
    }
    assert!(publisher.flush(PATIENCE));
    assert!(engine.shutdown(PATIENCE).flushed && engine.failure().is_none());
    assert_eq!(engine.status()[0].counters.delivered, 1_000);
}

#[test]
fn a_flush_does_not_wait_for_company() {
    let kafka = kafka();
    let options = KafkaOptions { linger: 2 * PATIENCE, ..KafkaOptions::default() };
    let engine = Engine::start(Config::new().kafka_with("k", &kafka.bootstrap(), options).unwrap()).unwrap();
    let channel = engine.channel("fx.eurusd").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    assert!(publisher.flush(Duration::ZERO), "there is nothing to flush");
    for _ in 0..3 {
        publisher.publish(&channel, b"x").unwrap();
        assert!(publisher.flush(PATIENCE));
        assert_eq!(collect(&mut reports, 1)[0].outcome, Outcome::Delivered);
    }
    publisher.publish(&channel, b"y").unwrap();
    assert!(engine.shutdown(PATIENCE).flushed, "a shutdown does not wait either");
}
