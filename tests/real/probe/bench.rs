//! One shard, one publisher with reports and one subscriber, on one thread, against a real Redis.

use std::time::{Duration, Instant};

use ringwire::{Channel, Config, Engine, Event, Outcome, Publisher, Refusal, Reports, Subscriber};

/// Longer than anything here takes, on a slow machine, under strace.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
const CHANNEL: &str = "fx.eurusd";
/// A quote with its times, as a feed handler packs it.
pub(crate) const PAYLOAD: [u8; 128] = [0x2a; 128];
const POLL_LIMIT: usize = 256;

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) channel: Channel,
    pub(crate) publisher: Publisher,
    pub(crate) reports: Reports,
    subscriber: Subscriber,
    delivered: u64,
    received: u64,
}

impl Bench {
    pub(crate) fn up(url: &str, config: Config) -> Self {
        let config = config.redis("main", url).expect("the url is one");
        let engine = Engine::start(config).expect("the engine starts");
        let channel = engine.channel(CHANNEL).expect("a channel opens");
        let (publisher, reports) = engine.publisher().expect("a publisher opens");
        let mut subscriber = engine.subscriber().expect("a subscriber opens");
        subscriber.subscribe(CHANNEL).expect("a subscription opens");
        assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
        Self { engine, channel, publisher, reports, subscriber, delivered: 0, received: 0 }
    }

    /// Sends `count` messages round: each is reported as delivered, and comes back. Of these, `outstanding_max` at
    /// most are under way at a time.
    pub(crate) fn round(&mut self, count: u64, outstanding_max: u64) {
        let begin = Instant::now();
        let goal = self.received + count;
        while self.received < goal || self.delivered < goal {
            let settled = self.received.min(self.delivered);
            while self.publisher.accepted() < goal.min(settled + outstanding_max) {
                match self.publisher.publish(&self.channel, &PAYLOAD) {
                    Ok(_) => {}
                    Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                    Err(refusal) => panic!("{refusal}"),
                }
            }
            let (delivered, received) = (&mut self.delivered, &mut self.received);
            self.reports.poll(POLL_LIMIT, |report| {
                assert_eq!(report.outcome, Outcome::Delivered);
                *delivered += 1;
            });
            self.subscriber.poll(POLL_LIMIT, |delivery| match delivery.event {
                Event::Message { payload, .. } => {
                    assert_eq!(payload.len(), PAYLOAD.len());
                    *received += 1;
                }
                Event::Subscribed => {}
                Event::Gap { .. } | Event::Refused { .. } => panic!("{:?}", delivery.event),
            });
            assert!(begin.elapsed() < PATIENCE, "{delivered} delivered and {received} received of {goal}");
        }
    }
}
