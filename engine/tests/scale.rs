//! Many endpoints on one shard, and large messages between small ones.

mod support;

use std::time::{Duration, Instant};

use ringwire::{Config, Engine, Event, HostKind, Outcome, Route, StartError};
use ringwire_loopback::{front, redis::Options};
use support::on_both_hosts;

on_both_hosts! {
    a_hundred_endpoints_share_a_shard,
    a_message_that_needs_many_sends_holds_up_no_other,
    a_core_that_is_not_there_is_named,
}

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);
const ENDPOINTS: usize = 100;

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

fn a_hundred_endpoints_share_a_shard(config: Config) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let config = (0..ENDPOINTS).fold(config, |config, number| {
        let name = format!("e{number}");
        let route = Route::new(format!("c{number}")).to(&name);
        config.redis(&name, &server.url()).unwrap().route(route)
    });
    let engine = Engine::start(config).unwrap();
    engine.connect();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let channels: Vec<_> = (0..ENDPOINTS).map(|it| engine.channel(format!("c{it}")).unwrap()).collect();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    // One is active, then few are, then many, and then one again.
    let mut published = 0;
    for active in [1, 5, 40, ENDPOINTS, 1] {
        for _ in 0..20 {
            for channel in &channels[..active] {
                publisher.publish(channel, b"x").unwrap();
                published += 1;
            }
            let mut answered = 0;
            until("the answers", || {
                answered += reports.poll(usize::MAX, |it| assert_eq!(it.outcome, Outcome::Delivered));
                answered == active
            });
        }
    }
    let delivered = || engine.status().iter().map(|endpoint| endpoint.counters.delivered).sum::<u64>();
    until("the counts", || delivered() == published);
}

fn a_message_that_needs_many_sends_holds_up_no_other(config: Config) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let config = config.redis("large", &server.url()).unwrap().redis("small", &server.url()).unwrap();
    let config = config.route(Route::new("large").to("large")).route(Route::new("small").to("small"));
    let engine = Engine::start(config).unwrap();
    let (large, small) = (engine.channel("large").unwrap(), engine.channel("small").unwrap());
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("large").unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let payload: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    let (mut answered, mut received) = (0, 0);
    for number in 0..20 {
        publisher.publish(&small, b"x").unwrap();
        assert_eq!(publisher.wait_writable(&large, payload.len(), PATIENCE), Ok(true));
        publisher.publish(&large, &payload).unwrap();
        until("the message", || {
            answered += reports.poll(usize::MAX, |it| assert_eq!(it.outcome, Outcome::Delivered));
            subscriber.poll(usize::MAX, |delivery| match delivery.event {
                Event::Message { payload: got, .. } => {
                    assert!(got == payload, "it came as it went");
                    received += 1;
                }
                Event::Subscribed => {}
                other => panic!("{other:?}"),
            });
            (answered, received) == (2 * (number + 1), number + 1)
        });
    }
}

fn a_core_that_is_not_there_is_named(config: Config) {
    let Err(StartError::Host(words)) = Engine::start(config.cores([1_000])) else {
        panic!("there are not so many cores");
    };
    assert!(words.starts_with("shard 0: core 1000 is not among the cores that this process may use: "));
    assert!(words.ends_with(|last: char| last.is_ascii_digit()), "it names those that are: {words}");
}

#[test]
fn the_host_that_was_asked_for_is_the_one_that_hosts() {
    for (host, words) in
        [(HostKind::Glommio, "glommio, not pinned"), (HostKind::Thread, "thread, not pinned")]
    {
        let engine = Engine::start(Config::new().host(host)).unwrap();
        assert_eq!(engine.hosted_by(), [words]);
    }
    let engine = Engine::start(Config::new()).unwrap();
    let words = &engine.hosted_by()[0];
    assert!(words.starts_with("glommio") || words.contains("glommio cannot run here"), "{words}");
}
