//! From the due time in a payload to the application's handler.

use std::time::Duration;

use ringwire::{Engine, Event, IdleStrategy, monotonic_ns};

use super::{config, idle_words, throughput};
use crate::client::pace::Patience;
use crate::client::record::Arrivals;
use crate::client::{ClientArgs, Told, Tuning};
use crate::rig::RigError;

/// How long a wait lasts before it looks at its limits again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The application's thread drives the shard: for latency it spins, for throughput it naps between turns.
pub(in crate::client) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let spins = args.tuning == Tuning::Latency;
    let config = config(args)?;
    let idle = if spins { IdleStrategy::BusySpin } else { throughput(args) };
    let engine = Engine::start(config.idle(idle).host_driven()).map_err(|error| args.failed(error))?;
    let mut shard = engine.take_shard(0).ok_or_else(|| args.failed("a host-driven shard is missing"))?;
    let mut subscriber = engine.subscriber().map_err(|error| args.failed(error))?;
    for index in 0..args.channels.max(1) {
        subscriber.subscribe(args.channel(index)).map_err(|error| args.failed(error))?;
    }
    let (mut confirmed, mut patience) = (0, Patience::new());
    while confirmed < args.channels.max(1) {
        shard.poll();
        subscriber.poll(usize::MAX, |delivery| confirmed += u32::from(delivery.event == Event::Subscribed));
        shard.wait(LOOK_AGAIN);
        if !patience.holds(u64::from(confirmed), monotonic_ns()) {
            return Err(super::not_ready(args, &engine));
        }
    }
    println!("ready");
    let began_ns = monotonic_ns();
    let mut arrivals = Arrivals::new(args);
    let mut lost = 0;
    while !arrivals.is_complete() && !arrivals.is_silent(began_ns, monotonic_ns()) {
        shard.poll();
        subscriber.poll(usize::MAX, |delivery| match delivery.event {
            Event::Message { payload, .. } => arrivals.arrived(payload, monotonic_ns()),
            Event::Gap { lost: missing, .. } => lost += missing,
            Event::Subscribed | Event::Refused { .. } => {}
        });
        shard.wait(LOOK_AGAIN);
    }
    let way = format!("host-driven shard beside its subscriber, {}", idle_words(idle));
    let lost = format!("messages that a gap told of: {lost}");
    arrivals.finish(args, &[&way, &lost])
}
