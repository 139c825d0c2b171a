//! From the intended send time to the acknowledgement: ring, shard, socket, server and back to the report ring.

use hdrhistogram::Histogram;
use ringwire::{Channel, Config, Engine, HostShard, Message, Outcome, Publisher, Reports, monotonic_ns};

use crate::bare;
use crate::rounds::{Plan, Series, histogram, pin, table};
use crate::server::Server;

const CHANNEL: &str = "fx.eurusd";

pub(crate) fn run(plan: &Plan, real: bool) -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(real)?;
    pin(0);
    let engine =
        Engine::start(Config::new().redis("main", &format!("redis://{}", server.address))?.host_driven())?;
    let mut shard = engine.take_shard(0).ok_or("a host-driven engine has its first shard")?;
    let channel = engine.channel(CHANNEL)?;
    let (mut publisher, mut reports) = engine.publisher()?;
    while !engine.is_ready() {
        shard.poll();
    }
    let (mut ours, mut floor) = (Series::default(), Series::default());
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        floor.add(&bare::round(plan, server.address, CHANNEL.as_bytes())?, 1_000.0);
        ours.add(&ring(plan, &mut shard, &mut publisher, &mut reports, &channel)?, 1_000.0);
    }
    println!(
        "to the acknowledgement, {}, {} bytes, {} a second, {} messages a round, {} rounds; client on core 0 \
         (host-driven shard beside its publisher), server on core 1",
        if real { "real Redis" } else { "embedded loopback" },
        plan.bytes,
        plan.rate,
        plan.messages,
        plan.rounds
    );
    table("µs", ("ring to report", &ours), ("bare spinning socket", &floor));
    Ok(())
}

fn ring(
    plan: &Plan,
    shard: &mut HostShard,
    publisher: &mut Publisher,
    reports: &mut Reports,
    channel: &Channel,
) -> Result<Histogram<u64>, Box<dyn std::error::Error>> {
    let payload = vec![b'q'; plan.bytes];
    let mut times = histogram();
    let (mut published, mut answered, mut other) = (0, 0, 0_u64);
    let start = monotonic_ns();
    while answered < plan.messages {
        let now = monotonic_ns();
        while published < plan.messages && start + plan.due_ns(published) <= now {
            let intended_ns = start + plan.due_ns(published);
            let message = Message { payload: Some(&payload), intended_ns, ..Message::default() };
            if publisher.publish_message(channel, &message).is_err() {
                break;
            }
            published += 1;
        }
        shard.poll();
        if answered < published {
            let polled_ns = monotonic_ns();
            reports.poll(usize::MAX, |report| {
                times.saturating_record((polled_ns - report.intended_ns).max(1));
                other += u64::from(report.outcome != Outcome::Delivered);
                answered += 1;
            });
        }
    }
    if other > 0 {
        return Err(format!("{other} messages were not delivered: the figures would be false").into());
    }
    Ok(times)
}
