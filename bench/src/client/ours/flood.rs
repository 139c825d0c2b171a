//! As fast as it goes: a shard's thread that naps, and publishers that wait for credit when it is used up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringwire::{Channel, Engine, IdleStrategy, Outcome, Publisher, Refusal, Reports, config, monotonic_ns};

use super::{OPENING, channels, connect, idle_words, not_ready, throughput};
use crate::client::pace::Patience;
use crate::client::record::Meter;
use crate::client::{ClientArgs, Records, Told};
use crate::rig::RigError;

/// With fewer outstanding there is nothing to do in a nap: the server answers them before it is over.
const NAP_WINDOW_MIN: u32 = 1_000;
/// How long a wait lasts before it looks at its limits again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(in crate::client) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let window = args.window.max(1);
    let idle = if window < NAP_WINDOW_MIN { IdleStrategy::Park } else { throughput(args) };
    let settings = super::config(args)?.idle(idle).credit(window, config::DEFAULT_CREDIT_BYTES);
    let engine = Engine::start(settings).map_err(|error| args.failed(error))?;
    let channels = channels(args, &engine)?;
    let count = args.publishers.max(1);
    let mut handles: Vec<(Publisher, Reports)> = (0..count)
        .map(|_| engine.publisher().map_err(|error| args.failed(error)))
        .collect::<Result<_, _>>()?;
    connect(args, &engine);
    if !engine.wait_ready(OPENING) {
        return Err(not_ready(args, &engine));
    }
    let records = args.records()?;
    let failed = AtomicU64::new(0);
    let mut flood = |messages: u64| -> Result<(), RigError> {
        let share =
            |index: usize| messages / count as u64 + u64::from((index as u64) < messages % count as u64);
        let failed = &failed;
        let (channels, records) = (&channels, &records);
        std::thread::scope(|scope| {
            let run = |(index, handle): (usize, &mut (Publisher, Reports))| {
                publish(args, handle, channels, records, share(index), failed)
            };
            if let [handle] = &mut handles[..] {
                // The usual case needs no further thread.
                return run((0, handle));
            }
            let threads: Vec<_> =
                handles.iter_mut().enumerate().map(|it| scope.spawn(move || run(it))).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => Err(args.failed("a publisher panicked")),
            })
        })
    };
    flood(args.warmup)?;
    failed.store(0, Ordering::Relaxed);
    let mut meter = Meter::begin();
    flood(args.messages)?;
    meter.touch(monotonic_ns());
    let hosted =
        format!("{} shard(s) on {}, {}", args.shards.max(1), engine.hosted_by()[0], idle_words(idle));
    let publishers = format!("{count} publisher(s), credit of {window} messages, waiting for it");
    Ok(meter.told(args, &[&hosted, &publishers], failed.load(Ordering::Relaxed)))
}

fn publish(
    args: &ClientArgs,
    (publisher, reports): &mut (Publisher, Reports),
    channels: &[Channel],
    records: &Records,
    messages: u64,
    failed: &AtomicU64,
) -> Result<(), RigError> {
    let (mut published, mut answered, mut patience) = (0, 0, Patience::new());
    while answered < messages {
        while published < messages {
            let channel = &channels[published as usize % channels.len()];
            match publisher.publish(channel, records.of(published as usize)) {
                Ok(_) => published += 1,
                Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                Err(refusal) => return Err(args.failed(refusal)),
            }
        }
        let polled = reports.poll(usize::MAX, |report| {
            if report.outcome != Outcome::Delivered {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        });
        answered += polled as u64;
        if polled == 0 {
            if published < messages {
                let channel = &channels[published as usize % channels.len()];
                let waited = publisher.wait_writable(channel, records.len, LOOK_AGAIN);
                waited.map_err(|refusal| args.failed(refusal))?;
            } else {
                reports.wait(LOOK_AGAIN);
            }
            if !patience.holds(answered, monotonic_ns()) {
                return Err(args.failed("no report for a minute"));
            }
        }
    }
    Ok(())
}
