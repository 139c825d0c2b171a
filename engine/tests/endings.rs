//! How an engine ends: every accepted message has its outcome, whoever goes first.

use std::time::{Duration, Instant};

use ringwire::{
    Config, Engine, Outcome, Progress, Publisher, Reason, Refusal, Report, Reports, Route, WhenDown,
};
use ringwire_loopback::{front, redis::Options};

mod support;

use support::on_both_hosts;

on_both_hosts! {
    dropping_an_engine_does_not_wait_for_a_longer_deadline,
    waiting_lasts_until_there_is_something_or_the_time_has_passed,
    who_waits_for_the_reports_of_a_publisher_that_is_gone_is_woken_by_the_end,
    absurd_lengths_are_refused_and_cost_nothing,
    a_process_that_only_subscribes_has_counters_too,
}

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn drained(reports: &mut Reports) -> Vec<Report> {
    let mut got = Vec::new();
    while reports.poll(usize::MAX, |report| got.push(*report)) > 0 {}
    got
}

fn buffered(config: Config) -> Config {
    let config = config.redis("a", "redis://127.0.0.1:9").unwrap().redis("b", "redis://127.0.0.1:9").unwrap();
    config.route(Route::new("*").to("a").to("b").when_down(WhenDown::Buffer))
}

#[test]
fn an_engine_that_is_dropped_answers_for_what_no_shard_has_seen_yet() {
    let engine = Engine::start(buffered(Config::new()).host_driven()).unwrap();
    let channel = engine.channel("x").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    for number in 0..3 {
        assert_eq!(publisher.publish(&channel, b"x"), Ok(number));
    }
    drop(engine);
    let got = drained(&mut reports);
    assert_eq!(got.len(), 6, "three messages, two legs");
    assert!(got.iter().all(|it| (it.outcome, it.reason) == (Outcome::NotSent, Reason::Shutdown)));
    assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::Closed));
}

#[test]
fn a_frame_that_is_committed_after_the_end_is_reported_within_the_limit() {
    let engine = Engine::start(buffered(Config::new()).shards(2).host_driven()).unwrap();
    let mut shards = [0, 1].map(|index| engine.take_shard(index).unwrap());
    let channel = engine.channel("x").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    shards.iter_mut().for_each(|shard| while shard.poll() == Progress::Worked {});
    let mut claim = publisher.try_claim(&channel, 1).unwrap();
    engine.begin_shutdown(Duration::ZERO);
    for shard in &mut shards {
        while shard.poll() != Progress::Finished {}
    }
    claim.copy_from_slice(b"x");
    claim.commit();
    drop(shards);
    let mut legs = Vec::new();
    for _ in 0..2 {
        assert_eq!(reports.poll(1, |report| legs.push(report.leg)), 1, "no more than the limit");
    }
    assert_eq!((legs, reports.poll(1, |_| ()), reports.is_empty()), (vec![0, 1], 0, true));
}

#[test]
fn what_was_lent_before_the_end_is_refused_after_it() {
    let engine = Engine::start(buffered(Config::new())).unwrap();
    let channel = engine.channel("x").unwrap();
    let (mut publisher, reports) = engine.publisher().unwrap();
    let mut lent = publisher.try_lend(&channel, 1).unwrap();
    drop(engine);
    assert_eq!(publisher.publish_lent(&mut lent), Err(Refusal::Closed));
    assert!(reports.is_empty(), "it was not accepted");
}

fn dropping_an_engine_does_not_wait_for_a_longer_deadline(config: Config) {
    let engine = Engine::start(buffered(config)).unwrap();
    let channel = engine.channel("x").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    publisher.publish(&channel, b"x").unwrap();
    engine.begin_shutdown(Duration::MAX);
    drop(engine);
    assert_eq!(drained(&mut reports).len(), 2);
    assert!(!reports.wait(Duration::MAX), "nothing can come any more, so nothing is waited for");
}

fn waiting_lasts_until_there_is_something_or_the_time_has_passed(config: Config) {
    let engine = Engine::start(buffered(config).shards(2)).unwrap();
    let (_publisher, mut reports) = engine.publisher().unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    let timeout = Duration::from_millis(20);
    for wait in [&mut |timeout| reports.wait(timeout), &mut |timeout| subscriber.wait(timeout)]
        as [&mut dyn FnMut(Duration) -> bool; 2]
    {
        let begin = Instant::now();
        assert!(!wait(timeout));
        assert!(begin.elapsed() >= timeout, "it gave up early");
    }
}

fn who_waits_for_the_reports_of_a_publisher_that_is_gone_is_woken_by_the_end(config: Config) {
    let engine = Engine::start(buffered(config)).unwrap();
    let channel = engine.channel("x").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    publisher.publish(&channel, b"x").unwrap();
    drop(publisher);
    // Another publisher's message comes through the same shard later: by then it has let go of the first one's ring.
    let (mut other, _others_reports) = engine.publisher().unwrap();
    for number in 1..=10 {
        other.publish(&channel, b"x").unwrap();
        let deadline = Instant::now() + PATIENCE;
        while engine.status()[0].counters.accepted <= number {
            assert!(Instant::now() < deadline, "{:?}", engine.status());
            std::thread::yield_now();
        }
    }
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut got = 0;
        while reports.wait(Duration::MAX) {
            got += drained(&mut reports).len();
        }
        tell.send(got).unwrap();
    });
    assert!(!engine.shutdown(Duration::from_millis(20)).flushed);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(2), "one message, two legs");
}

#[test]
fn the_end_is_told_when_the_shard_has_finished_and_not_when_it_is_dropped() {
    let engine = Engine::start(buffered(Config::new()).host_driven()).unwrap();
    let mut shard = engine.take_shard(0).unwrap();
    let channel = engine.channel("x").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    publisher.publish(&channel, b"x").unwrap();
    drop(publisher);
    while shard.poll() == Progress::Worked {}
    assert!(!reports.is_ended(), "its message has no outcome yet");
    engine.begin_shutdown(Duration::ZERO);
    while shard.poll() != Progress::Finished {}
    assert!(reports.is_ended());
    assert_eq!(drained(&mut reports).len(), 2);
}

fn absurd_lengths_are_refused_and_cost_nothing(config: Config) {
    let engine = Engine::start(buffered(config)).unwrap();
    let channel = engine.channel("x").unwrap();
    let mut publisher = engine.publisher_without_reports().unwrap();
    for len in [usize::MAX, usize::MAX - 31, u32::MAX as usize, 1 << 20] {
        assert!(matches!(publisher.try_claim(&channel, len), Err(Refusal::TooLong { .. })), "{len}");
        assert!(matches!(publisher.wait_writable(&channel, len, PATIENCE), Err(Refusal::TooLong { .. })));
    }
    let whole_credit = ringwire::config::DEFAULT_CREDIT_MESSAGES;
    let accepted =
        |publisher: &mut Publisher| (0..whole_credit).all(|_| publisher.publish(&channel, b"").is_ok());
    assert!(accepted(&mut publisher), "no credit was lost");
    assert_eq!(publisher.publish(&channel, b""), Err(Refusal::BackPressured));
}

fn a_process_that_only_subscribes_has_counters_too(config: Config) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let engine = Engine::start(config.clone().redis("main", &server.url()).unwrap()).unwrap();
    let other = Engine::start(config.redis("main", &server.url()).unwrap()).unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("x").unwrap();
    let channel = other.channel("x").unwrap();
    let (mut publisher, _reports) = other.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE) && other.wait_ready(PATIENCE));
    for _ in 0..100 {
        publisher.publish(&channel, b"x").unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while engine.status()[0].counters.received < 100 {
        assert!(Instant::now() < deadline, "{:?}", engine.status());
        std::thread::yield_now();
    }
}

#[test]
fn no_debug_text_shows_a_password() {
    let config = Config::new().redis("main", "redis://user:hunter2@127.0.0.1").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
