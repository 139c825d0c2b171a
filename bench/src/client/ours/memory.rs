//! Resident memory with one shard, a publisher with reports and a subscriber, while messages go out and back.

use std::time::Duration;

use ringwire::{Engine, Event, Outcome, Refusal, monotonic_ns};

use super::{OPENING, config, not_ready};
use crate::client::record::{Meter, memory_kib};
use crate::client::{ClientArgs, SILENCE_NS, Told};
use crate::rig::RigError;

/// How long a wait lasts before it looks at its limits again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(in crate::client) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let engine = Engine::start(config(args)?).map_err(|error| args.failed(error))?;
    let failed = |error| args.failed(error);
    let channel = engine.channel(args.channel(0)).map_err(failed)?;
    let (mut publisher, mut reports) = engine.publisher().map_err(failed)?;
    let mut subscriber = engine.subscriber().map_err(failed)?;
    subscriber.subscribe(args.channel(0)).map_err(failed)?;
    if !engine.wait_ready(OPENING) {
        return Err(not_ready(args, &engine));
    }
    let records = args.records()?;
    let (mut published, mut answered, mut received, mut undelivered) = (0, 0, 0, 0);
    let (mut lost, mut meter) = (0, Meter::begin());
    let (mut seen, mut since_ns) = (0, monotonic_ns());
    while answered < args.messages || received < args.messages {
        // Both ways keep up: the figure is not that of a queue.
        while published < args.messages.min(received.min(answered) + u64::from(args.window)) {
            match publisher.publish(&channel, records.of(published as usize)) {
                Ok(_) => published += 1,
                Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                Err(refusal) => return Err(args.failed(refusal)),
            }
        }
        // For whichever is behind: the two come over connections of their own.
        if answered < received {
            reports.wait(LOOK_AGAIN);
        } else {
            subscriber.wait(LOOK_AGAIN);
        }
        answered += reports
            .poll(usize::MAX, |report| undelivered += u64::from(report.outcome != Outcome::Delivered))
            as u64;
        subscriber.poll(usize::MAX, |delivery| match delivery.event {
            Event::Message { .. } => received += 1,
            Event::Gap { lost: missing, .. } => (received, lost) = (received + missing, lost + missing),
            Event::Subscribed | Event::Refused { .. } => {}
        });
        let now_ns = monotonic_ns();
        if answered + received != seen {
            (seen, since_ns) = (answered + received, now_ns);
        } else if now_ns - since_ns > SILENCE_NS {
            return Err(args.failed(format_args!(
                "silence: {published} published, {answered} answered, {received} received, {lost} lost in gaps; {:?}",
                engine.status()
            )));
        }
    }
    meter.touch(monotonic_ns());
    let hosted =
        format!("one shard on {}, one publisher with reports, one subscriber", engine.hosted_by()[0]);
    Ok(Told { rss_kib: memory_kib("VmRSS:"), ..meter.told(args, &[&hosted], undelivered + lost) })
}
