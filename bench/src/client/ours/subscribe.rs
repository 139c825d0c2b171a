//! From the due time in a payload to the application's handler.

use std::time::Duration;

use ringwire::{Engine, Event, IdleStrategy, Subscriber, monotonic_ns};

use super::config;
use crate::client::pace::Patience;
use crate::client::record::Arrivals;
use crate::client::{ClientArgs, Told, Tuning};
use crate::rig::RigError;

/// How long a wait lasts before it looks at its limits again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// For latency the application's thread drives the shard and spins; for throughput a shard's thread parks, and the
/// application waits.
pub(in crate::client) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let spins = args.tuning == Tuning::Latency;
    let config = config(args)?;
    let config = if spins { config.host_driven() } else { config.idle(IdleStrategy::Park) };
    let engine = Engine::start(config).map_err(|error| args.failed(error))?;
    let mut shard = engine.take_shard(0);
    let mut subscriber = engine.subscriber().map_err(|error| args.failed(error))?;
    for index in 0..args.channels.max(1) {
        subscriber.subscribe(args.channel(index)).map_err(|error| args.failed(error))?;
    }
    let mut turn = |subscriber: &mut Subscriber| match &mut shard {
        Some(shard) => {
            shard.poll();
        }
        None => {
            subscriber.wait(LOOK_AGAIN);
        }
    };
    let (mut confirmed, mut patience) = (0, Patience::new());
    while confirmed < args.channels.max(1) {
        turn(&mut subscriber);
        subscriber.poll(usize::MAX, |delivery| confirmed += u32::from(delivery.event == Event::Subscribed));
        if !patience.holds(u64::from(confirmed), monotonic_ns()) {
            return Err(super::not_ready(args, &engine));
        }
    }
    println!("ready");
    let began_ns = monotonic_ns();
    let mut arrivals = Arrivals::new(args);
    let mut lost = 0;
    while !arrivals.is_complete() && !arrivals.is_silent(began_ns, monotonic_ns()) {
        turn(&mut subscriber);
        subscriber.poll(usize::MAX, |delivery| match delivery.event {
            Event::Message { payload, .. } => arrivals.arrived(payload, monotonic_ns()),
            Event::Gap { lost: missing, .. } => lost += missing,
            Event::Subscribed | Event::Refused { .. } => {}
        });
    }
    let way = if spins {
        "host-driven shard beside its subscriber, spins".to_owned()
    } else {
        format!("a shard on {}, idle: park; the subscriber waits", engine.hosted_by()[0])
    };
    let lost = format!("messages that a gap told of: {lost}");
    arrivals.finish(args, &[&way, &lost])
}
