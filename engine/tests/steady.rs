//! A shard in the steady state allocates nothing, also when far more is under way than ever before.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringwire::{Channel, Config, Engine, Event, HostKind, Outcome, Publisher, Refusal, Reports, Subscriber};
use ringwire_loopback::front::KafkaOptions;
use ringwire_loopback::{front, redis::Options};

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rounds of 50,000 messages in which everything of a Kafka endpoint has had its largest size once.
const GROWN_WITHIN: usize = 20;

thread_local! {
    /// Set on the threads that are none of the engine's.
    static IS_FOREIGN: Cell<bool> = const { Cell::new(false) };
}

/// Allocations of all other threads: of the shard.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

fn count() {
    // A thread that is being torn down no longer counts.
    if !IS_FOREIGN.try_with(Cell::get).unwrap_or(true) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is the system allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Application {
    channel: Channel,
    publisher: Publisher,
    reports: Reports,
    /// Where the messages come back, if they do.
    subscriber: Option<Subscriber>,
    /// Drives the shard, where that is the application's to do.
    drive: Box<dyn FnMut()>,
}

impl Application {
    /// Publishes so many messages with so many outstanding at the most, until all are reported and received.
    fn round(&mut self, messages: u64, outstanding_max: u64) {
        let payload = [b'q'; 128];
        let deadline = Instant::now() + PATIENCE;
        let (mut published, mut answered, mut received) = (0, 0, 0);
        while answered < messages || received < messages {
            assert!(
                Instant::now() < deadline,
                "{published} published, {answered} answered, {received} received"
            );
            while published < messages && published - answered.min(received) < outstanding_max {
                match self.publisher.publish(&self.channel, &payload) {
                    Ok(_) => published += 1,
                    Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                    Err(refusal) => panic!("{refusal}"),
                }
            }
            (self.drive)();
            answered +=
                self.reports.poll(4_096, |report| assert_eq!(report.outcome, Outcome::Delivered)) as u64;
            let Some(subscriber) = &mut self.subscriber else {
                received = answered;
                continue;
            };
            subscriber.poll(4_096, |delivery| match delivery.event {
                Event::Message { .. } => received += 1,
                Event::Subscribed => {}
                other => panic!("{other:?}"),
            });
        }
    }
}

/// Warms up with few messages at a time; then there are many more. Answers how often the shard's thread, or whichever
/// drives it, has allocated for those.
fn allocations(config: Config, drives: bool, is_heard: bool) -> u64 {
    let engine = Engine::start(config).unwrap();
    let mut shard = engine.take_shard(0);
    assert_eq!(shard.is_some(), drives);
    let channel = engine.channel("fx.eurusd").unwrap();
    let (publisher, reports) = engine.publisher().unwrap();
    let subscriber = is_heard.then(|| {
        let mut subscriber = engine.subscriber().unwrap();
        subscriber.subscribe("fx.eurusd").unwrap();
        subscriber
    });
    let mut drive = move || {
        if let Some(shard) = &mut shard {
            shard.poll();
        }
    };
    let deadline = Instant::now() + PATIENCE;
    while !engine.is_ready() {
        assert!(Instant::now() < deadline, "{:?}", engine.status());
        drive();
    }
    let mut application = Application { channel, publisher, reports, subscriber, drive: Box::new(drive) };
    application.round(2_000, 100);
    // The memory of a Kafka's batches grows until it has held the largest ones, which the broker's pace decides.
    let rounds = if is_heard { 1 } else { GROWN_WITHIN };
    let mut allocated = 0;
    for _ in 0..rounds {
        let warm = ALLOCATIONS.load(Ordering::Relaxed);
        application.round(50_000, 10_000);
        allocated = ALLOCATIONS.load(Ordering::Relaxed) - warm;
        if allocated == 0 {
            break;
        }
    }
    allocated
}

fn redis(config: Config, drives: bool) -> u64 {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    server.with(|_| IS_FOREIGN.set(true));
    allocations(config.redis("main", &server.url()).unwrap(), drives, true)
}

fn kafka(config: Config, drives: bool) -> u64 {
    let server = front::spawn_kafka("127.0.0.1:0", KafkaOptions::default()).unwrap();
    server.with(|_| IS_FOREIGN.set(true));
    allocations(config.kafka("main", &server.bootstrap()).unwrap(), drives, false)
}

#[test]
fn a_steady_shard_allocates_nothing() {
    assert_eq!(redis(Config::new().host_driven(), true), 0, "Redis; application and shard on one thread");
    assert_eq!(kafka(Config::new().host_driven(), true), 0, "Kafka; application and shard on one thread");
    IS_FOREIGN.set(true);
    assert_eq!(redis(Config::new().host(HostKind::Thread), false), 0, "Redis; a thread of the shard's own");
    assert_eq!(kafka(Config::new().host(HostKind::Thread), false), 0, "Kafka; a thread of the shard's own");
}
