//! The engine's own subscriber under load: every message and every gap that it was told, by subscription.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringwire::{Engine, Event, GapReason, Subscriber, SubscriptionId};

use crate::client::Client;
use crate::journal::Seen;
use crate::load::number;
use crate::patience::{PATIENCE, until};
use crate::server::Server;

/// Payload behind the last message of a channel.
const END: &[u8] = b"end";
/// Longest wait for something to poll; it only bounds how soon a failure is noticed.
const TICK: Duration = Duration::from_millis(10);
const POLL_LIMIT: usize = 256;

/// What one subscription was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) channel: &'static str,
    subscription: SubscriptionId,
    /// Messages before the first gap, between gaps, and behind the last one.
    pub(crate) parts: Vec<Vec<Seen>>,
    pub(crate) gaps: Vec<GapReason>,
    is_subscribed: bool,
    has_ended: bool,
}

pub(crate) struct Witness {
    channels: &'static [&'static str],
    count: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Told>>,
}

impl Witness {
    /// Subscribes to `channels`; it is in force once the engine is ready.
    pub(crate) fn start(engine: &Engine, channels: &'static [&'static str]) -> Self {
        let mut subscriber = engine.subscriber().expect("a subscriber opens");
        let mut told = Vec::new();
        for channel in channels {
            told.push(Told {
                channel,
                subscription: subscriber.subscribe(channel).expect("a subscription opens"),
                parts: vec![Vec::new()],
                gaps: Vec::new(),
                is_subscribed: false,
                has_ended: false,
            });
        }
        let count = Arc::new(AtomicU64::new(0));
        let thread = thread::spawn({
            let count = count.clone();
            move || listen(&mut subscriber, told, &count)
        });
        Self { channels, count, thread }
    }

    /// Waits until it has received `count` more messages.
    pub(crate) fn await_messages(&self, count: u64) {
        let goal = self.count.load(Ordering::Relaxed) + count;
        until("messages to arrive", || {
            assert!(!self.thread.is_finished(), "the witness has found something wrong");
            self.count.load(Ordering::Relaxed) >= goal
        });
    }

    /// Ends behind everything that `server` has executed so far, and answers what was told.
    pub(crate) fn finish(self, server: &Server) -> Vec<Told> {
        let mut client = Client::connect(server);
        for channel in self.channels {
            client.send(&[b"PUBLISH", channel.as_bytes(), END]);
            assert!(client.next(|frame| frame.head().error().is_none()).expect("the server answers"));
        }
        self.thread.join().expect("the witness ends")
    }
}

fn listen(subscriber: &mut Subscriber, mut told: Vec<Told>, count: &AtomicU64) -> Vec<Told> {
    let mut heard_at = Instant::now();
    while !told.iter().all(|told| told.has_ended) {
        assert!(heard_at.elapsed() < PATIENCE, "waited in vain for the next message");
        subscriber.wait(TICK);
        subscriber.poll(POLL_LIMIT, |delivery| {
            let told = told.iter_mut().find(|told| told.subscription.0 == delivery.subscription);
            let told = told.expect("the subscription is open");
            if let Event::Message { .. } = delivery.event {
                count.fetch_add(1, Ordering::Relaxed);
            }
            told.hear(&delivery.event);
            heard_at = Instant::now();
        });
    }
    told
}

impl Told {
    fn hear(&mut self, event: &Event<'_>) {
        match *event {
            Event::Subscribed => {
                assert!(!self.is_subscribed, "a subscription comes into force for the first time once");
                self.is_subscribed = true;
            }
            Event::Gap { reason, lost } => {
                assert_eq!(lost, 0, "the ring had room: {reason}");
                self.gaps.push(reason);
                self.parts.push(Vec::new());
            }
            Event::Message { channel, payload } => {
                assert!(self.is_subscribed && channel == self.channel.as_bytes());
                if payload == END {
                    self.has_ended = true;
                } else {
                    let seen = Seen { channel: self.channel.to_owned(), number: number(payload) };
                    self.parts.last_mut().expect("there is a first part").push(seen);
                }
            }
            Event::Refused { error } => panic!("refused: {}", error.escape_ascii()),
        }
    }
}
