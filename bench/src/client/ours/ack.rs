//! From the due time to the report: the publisher's thread drives the shard, and spins.

use ringwire::{Engine, Message, Outcome, Publisher, Refusal, Reports, monotonic_ns};

use super::{channels, config, connect, drive_until_ready};
use crate::client::pace::Patience;
use crate::client::record::Recorder;
use crate::client::{ClientArgs, Told};
use crate::rig::RigError;

pub(in crate::client) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let engine = Engine::start(config(args)?.host_driven()).map_err(|error| args.failed(error))?;
    let mut shards = Vec::new();
    for index in 0..args.shards.max(1) {
        shards.push(engine.take_shard(index).ok_or_else(|| args.failed("a host-driven shard is missing"))?);
    }
    let channels = channels(args, &engine)?;
    let mut handles: Vec<(Publisher, Reports)> = (0..args.publishers.max(1))
        .map(|_| engine.publisher().map_err(|error| args.failed(error)))
        .collect::<Result<_, _>>()?;
    connect(args, &engine);
    drive_until_ready(args, &engine, &mut shards)?;
    let records = args.records()?;
    let (total, mut published, mut answered) = (args.total(), 0, 0);
    let (mut patience, count) = (Patience::new(), handles.len());
    let mut recorder = Recorder::start(args, args.due()?);
    while answered < total {
        let mut now_ns = monotonic_ns();
        while let Some(due_ns) = recorder.due_ns(published).filter(|due_ns| *due_ns <= now_ns) {
            let message = Message {
                payload: Some(records.of(published)),
                tag: published as u64,
                intended_ns: due_ns,
                ..Message::default()
            };
            let channel = &channels[published % channels.len()];
            match handles[published % count].0.publish_message(channel, &message) {
                Ok(_) => recorder.handed(published, now_ns),
                // It is late from now on, and not left out.
                Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                Err(refusal) => return Err(args.failed(refusal)),
            }
            published += 1;
            now_ns = monotonic_ns();
        }
        for shard in &mut shards {
            shard.poll();
        }
        if answered < published {
            now_ns = monotonic_ns();
            for (_, reports) in &mut handles {
                answered += reports.poll(usize::MAX, |report| match report.outcome {
                    Outcome::Delivered => recorder.answered(report.tag as usize, now_ns),
                    _ => recorder.failed(report.tag as usize),
                });
            }
            if !patience.holds(answered as u64, now_ns) {
                return Err(args.failed("no report for a minute"));
            }
        } else {
            patience = Patience::new();
        }
    }
    let publishers = format!("publishers: {count}");
    recorder.finish(args, &["host-driven shard beside its publisher", "spins", &publishers])
}
