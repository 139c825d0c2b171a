//! Ends that no application can bring about: a defect of ours, where the core panics in the middle of a frame, and what
//! is opened in that very moment.

use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;
use ringwire_core::{EndpointState, Outcome, Reason, Report, WhenDown};
use ringwire_loopback::{front, redis::Options};
use ringwire_shards::host::HostKind;
use ringwire_shards::ring::frame_ring;
use ringwire_shards::wake::{Fence, sleeper};

use super::COMMANDS_PER_TURN;
use crate::ports::{SubscriberPort, TRAP_TAG};
use crate::shared::Command;
use crate::{Channel, Config, Engine, Health, Message, Progress, Publisher, Refusal, Reports, Route};

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn trap() -> Message<'static> {
    Message { payload: Some(b"x"), tag: TRAP_TAG, ..Message::default() }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// A channel with a leg that is up and one that is down, in this order.
fn config(live: &str, order: [&str; 2]) -> Config {
    let config = Config::new().redis("live", live).unwrap().redis("dead", "redis://127.0.0.1:9").unwrap();
    config.route(Route::new("*").to(order[0]).to(order[1]).when_down(WhenDown::Reject))
}

fn all(reports: &mut Reports, count: usize) -> Vec<Report> {
    let mut got = Vec::new();
    until("reports", || {
        reports.poll(usize::MAX, |report| got.push(*report));
        got.len() >= count
    });
    got.sort_by_key(|report| (report.sequence, report.leg));
    let keys: Vec<_> = got.iter().map(|report| (report.sequence, report.leg)).collect();
    let expected: Vec<_> = (0..count as u64).map(|index| (index / 2, (index % 2) as u8)).collect();
    assert_eq!(keys, expected, "one report for each message and leg");
    got
}

fn has_failed(engine: &Engine, publisher: &mut Publisher, channel: &Channel) {
    assert_eq!(publisher.publish(channel, b"x"), Err(Refusal::Failed));
    let failure = engine.failure().expect("the reason is there before the refusal");
    assert!(failure.contains("a trap"), "{failure}");
    assert_eq!(engine.health(), Health::Failed);
    assert!(engine.channel("other").is_err() && engine.publisher().is_err());
}

#[test]
fn each_leg_of_the_frame_under_way_has_one_outcome() {
    for order in [["live", "dead"], ["dead", "live"]] {
        let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
        let engine = Engine::start(config(&server.url(), order).host_driven()).unwrap();
        let mut shard = engine.take_shard(0).unwrap();
        let channel = engine.channel("x").unwrap();
        let (mut publisher, mut reports) = engine.publisher().unwrap();
        until("the live endpoint", || {
            shard.poll();
            engine.status()[0].publish.state == EndpointState::Connected
        });
        for _ in 0..3 {
            publisher.publish(&channel, b"x").unwrap();
        }
        publisher.publish_message(&channel, &trap()).unwrap();
        for _ in 0..2 {
            publisher.publish(&channel, b"x").unwrap();
        }
        assert_eq!(shard.poll(), Progress::Finished, "the panic does not come out");
        has_failed(&engine, &mut publisher, &channel);
        assert_eq!(shard.poll(), Progress::Finished);
        let got = all(&mut reports, 12);
        assert!(got.iter().all(|report| report.outcome == Outcome::NotSent), "nothing was sent: {got:?}");
        let reasons: Vec<_> = got.iter().map(|report| report.reason).collect();
        let dead = order.iter().position(|name| *name == "dead").unwrap();
        assert!(reasons[..6].iter().skip(dead).step_by(2).all(|reason| *reason == Reason::NotConnected));
        assert!(reasons[6..].iter().all(|reason| *reason == Reason::Shutdown), "{reasons:?}");
    }
}

#[test]
fn a_panic_ends_the_engine_on_every_host() {
    for host in [HostKind::Thread, HostKind::Glommio] {
        let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
        let engine = Engine::start(config(&server.url(), ["live", "dead"]).host(host)).unwrap();
        let channel = engine.channel("x").unwrap();
        let (mut publisher, mut reports) = engine.publisher().unwrap();
        until("the live endpoint", || engine.status()[0].publish.state == EndpointState::Connected);
        publisher.publish_message(&channel, &trap()).unwrap();
        let mut accepted = 1;
        until("the failure", || {
            let refusal = publisher.publish(&channel, b"x").err();
            // At that moment, and no later.
            let failure = engine.failure();
            accepted += usize::from(refusal.is_none());
            assert!(refusal != Some(Refusal::Failed) || failure.is_some());
            refusal == Some(Refusal::Failed)
        });
        has_failed(&engine, &mut publisher, &channel);
        let got = all(&mut reports, accepted * 2);
        assert!(got.iter().all(|report| report.outcome != Outcome::Delivered));
        assert!(!engine.shutdown(PATIENCE).flushed || accepted == 1);
    }
}

#[test]
fn a_subscriber_that_no_shard_has_seen_is_told_of_the_panic() {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let engine = Engine::start(config(&server.url(), ["live", "dead"]).host_driven()).unwrap();
    let mut shard = engine.take_shard(0).unwrap();
    let channel = engine.channel("x").unwrap();
    let (mut publisher, _reports) = engine.publisher().unwrap();
    until("the live endpoint", || {
        shard.poll();
        engine.status()[0].publish.state == EndpointState::Connected
    });
    // More than one turn carries out: the subscriber's command is in the queue when the core panics.
    for number in 0..COMMANDS_PER_TURN {
        engine.channel(format!("x.{number}")).unwrap();
    }
    let mut subscriber = engine.subscriber().unwrap();
    publisher.publish_message(&channel, &trap()).unwrap();
    assert_eq!(shard.poll(), Progress::Finished);
    assert!(subscriber.is_ended());
    assert!(subscriber.sleeper.wait(Some(PATIENCE)), "it was rung");
}

#[test]
fn what_is_opened_while_a_shard_ends_is_told_that_it_has_ended() {
    for is_dropped in [false, true] {
        let engine = Engine::start(config("redis://127.0.0.1:9", ["live", "dead"]).host_driven()).unwrap();
        let mut shard = engine.take_shard(0).unwrap();
        let shared = engine.subscriber().unwrap().shared.shards[0].clone();
        engine.begin_shutdown(Duration::ZERO);
        until("the end", || shard.poll() == Progress::Finished);
        let shard = (!is_dropped).then_some(shard);
        // As a thread does that looked at the engine's phase before, and goes on now.
        let (ring, reader) = frame_ring(1 << 12).unwrap();
        let (mut sleeper, waker) = sleeper(Fence::Full).unwrap();
        let port = SubscriberPort { id: 7, ring, waker: waker.into(), is_dirty: false };
        shared.command(Command::Subscriber(Box::new(CachePadded::new(port))));
        assert!(reader.is_abandoned());
        assert!(sleeper.wait(Some(PATIENCE)), "it was rung");
        drop(shard);
    }
}
