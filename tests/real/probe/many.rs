//! A hundred endpoints, ten thousand channels and a thousand subscriptions in one engine.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ringwire::{Channel, Config, Engine, Event, Outcome, Refusal, Subscriber};

use crate::bench::PATIENCE;
use crate::memory::resident_kib;

const ENDPOINTS: usize = 100;
const CHANNELS_PER_ENDPOINT: usize = 100;
/// Channels with a subscription of their own; each endpoint has one for the pattern of all its channels besides.
const SUBSCRIBED_PER_ENDPOINT: usize = 9;
/// Each with a tenth of the subscriptions.
const SUBSCRIBERS: usize = 10;
/// Messages on each channel.
const ROUNDS: u32 = 3;
/// Both shards have connections to each endpoint.
const SHARDS: usize = 2;
const POLL_LIMIT: usize = 256;
/// For what is under way when the engine is shut down: nothing.
const FLUSH: Duration = Duration::from_secs(10);

/// A channel's number, and its name: `e07.c042`.
fn name(endpoint: usize, channel: usize) -> String {
    format!("e{endpoint:02}.c{channel:03}")
}

fn config(host: &str, urls: &[&str]) -> Config {
    let mut text = format!("[engine]\nhost = '{host}'\nshards = {SHARDS}\n");
    for (endpoint, url) in (0..ENDPOINTS).zip(urls.iter().cycle()) {
        text += &format!("[endpoint.e{endpoint:02}]\nurl = '{url}'\n");
    }
    for endpoint in 0..ENDPOINTS {
        text += &format!("[[route]]\nchannels = 'e{endpoint:02}.*'\nto = ['e{endpoint:02}']\n");
    }
    Config::from_toml(&text).expect("the configuration is one")
}

/// What each subscription has heard: of each channel, how many rounds.
struct Audience {
    subscriber: Subscriber,
    heard: HashMap<u32, HashMap<Vec<u8>, u32>>,
    /// All messages that are to come.
    expected: usize,
    received: usize,
}

impl Audience {
    fn open(engine: &Engine, endpoints: impl Iterator<Item = usize>) -> Self {
        let mut subscriber = engine.subscriber().expect("a subscriber opens");
        let mut heard = HashMap::new();
        let mut expected = 0;
        for endpoint in endpoints {
            for channel in 0..SUBSCRIBED_PER_ENDPOINT {
                let id = subscriber.subscribe(name(endpoint, channel)).expect("a subscription opens");
                heard.insert(id.0, HashMap::new());
                expected += ROUNDS as usize;
            }
            let place = format!("e{endpoint:02}");
            let id = subscriber.subscribe_pattern_at(&place, format!("{place}.*"));
            heard.insert(id.expect("a subscription opens").0, HashMap::new());
            expected += ROUNDS as usize * CHANNELS_PER_ENDPOINT;
        }
        Self { subscriber, heard, expected, received: 0 }
    }

    fn poll(&mut self) {
        let Self { subscriber, heard, received, .. } = self;
        subscriber.poll(POLL_LIMIT, |delivery| match delivery.event {
            Event::Message { channel, payload } => {
                let (named, round) = payload.split_at(payload.len() - size_of::<u32>());
                assert_eq!(named, channel, "it came by its own channel");
                let rounds = heard.get_mut(&delivery.subscription).expect("the subscription is open");
                let next = rounds.entry(channel.to_vec()).or_default();
                assert_eq!(round, next.to_le_bytes(), "once, and in order");
                *next += 1;
                *received += 1;
            }
            Event::Subscribed => {}
            Event::Gap { .. } | Event::Refused { .. } => panic!("{:?}", delivery.event),
        });
    }
}

pub(crate) fn run(host: &str, urls: &[&str]) {
    let begin = Instant::now();
    let engine = Engine::start(config(host, urls)).expect("the engine starts");
    let channels: Vec<(String, Channel)> = (0..ENDPOINTS * CHANNELS_PER_ENDPOINT)
        .map(|index| {
            let name = name(index % ENDPOINTS, index / ENDPOINTS);
            let channel = engine.channel(&name).expect("a channel opens");
            (name, channel)
        })
        .collect();
    let mut audiences: Vec<Audience> = (0..SUBSCRIBERS)
        .map(|index| Audience::open(&engine, (index..ENDPOINTS).step_by(SUBSCRIBERS)))
        .collect();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    println!("host {}", engine.hosted_by()[0]);
    println!("subscriptions {}", audiences.iter().map(|audience| audience.heard.len()).sum::<usize>());
    println!("ready_ms {}", begin.elapsed().as_millis());
    println!("ready_kib {}", resident_kib("VmRSS:"));
    exchange(&engine, &channels, &mut audiences);
    count(&engine, &audiences);
    let report = engine.shutdown(FLUSH);
    println!("flushed {}", u8::from(report.flushed));
    println!("peak_kib {}", resident_kib("VmHWM:"));
}

/// Publishes all rounds, until everything is delivered and heard.
fn exchange(engine: &Engine, channels: &[(String, Channel)], audiences: &mut [Audience]) {
    let begin = Instant::now();
    let (mut publisher, mut reports) = engine.publisher().expect("a publisher opens");
    let goal = channels.len() as u64 * u64::from(ROUNDS);
    let mut delivered = 0;
    while delivered < goal || audiences.iter().any(|audience| audience.received < audience.expected) {
        for _ in 0..POLL_LIMIT {
            let index = publisher.accepted();
            if index == goal {
                break;
            }
            let (name, channel) = &channels[(index % channels.len() as u64) as usize];
            let round = (index / channels.len() as u64) as u32;
            let payload = [name.as_bytes(), &round.to_le_bytes()].concat();
            match publisher.publish(channel, &payload) {
                Ok(_) => {}
                Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                Err(refusal) => panic!("{refusal}"),
            }
        }
        reports.poll(POLL_LIMIT, |report| {
            assert_eq!(report.outcome, Outcome::Delivered);
            delivered += 1;
        });
        audiences.iter_mut().for_each(Audience::poll);
        assert!(begin.elapsed() < PATIENCE, "{delivered} of {goal} delivered: {:?}", engine.status());
    }
    println!("exchange_ms {}", begin.elapsed().as_millis());
}

/// The counters add up to what was sent and heard, once the shards have told them.
fn count(engine: &Engine, audiences: &[Audience]) {
    let received: u64 = audiences.iter().map(|audience| audience.received as u64).sum();
    let counted = || engine.status().iter().map(|endpoint| endpoint.counters.received).sum::<u64>();
    let begin = Instant::now();
    while counted() < received {
        assert!(begin.elapsed() < PATIENCE, "{} counted of {received} received", counted());
        std::thread::yield_now();
    }
    let status = engine.status();
    assert_eq!(status.len(), ENDPOINTS);
    let each = (CHANNELS_PER_ENDPOINT * ROUNDS as usize) as u64;
    for endpoint in &status {
        let it = &endpoint.counters;
        assert_eq!((it.accepted, it.delivered, it.in_flight), (each, each, 0), "{endpoint:?}");
        assert_eq!((it.reconnects, it.dropped, it.errors), (0, 0, 0), "{endpoint:?}");
    }
    assert_eq!(counted(), received);
    println!("delivered {}", status.iter().map(|endpoint| endpoint.counters.delivered).sum::<u64>());
    println!("received {received}");
}
