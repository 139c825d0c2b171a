//! Ringwire's producer: into one topic, each channel into the partition that its name gives.

use std::time::Duration;

use ringwire::{
    Channel, Config, Engine, HostShard, IdleStrategy, Message, Outcome, Publisher, Refusal, Reports, Route,
    monotonic_ns,
};

use super::{drive_until_ready, idle_words, not_ready, throughput};
use crate::client::pace::{Patience, sleep_until};
use crate::client::record::{Meter, Recorder};
use crate::client::{ClientArgs, PATIENCE_NS, Records, Told, Tuning};
use crate::kafka::{TOPIC, endpoint};
use crate::rig::RigError;

/// How long a wait lasts before it looks at its limits again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Messages to Kafka for each so many to Redis: 50,000/s beside 20,000.
const LOGGED: (usize, usize) = (5, 2);

struct Application {
    engine: Engine,
    channels: Vec<Channel>,
    publisher: Publisher,
    reports: Reports,
}

impl Application {
    fn start(args: &ClientArgs, config: Config) -> Result<Self, RigError> {
        let failed = |error| args.failed(error);
        let engine = Engine::start(config).map_err(|error| args.failed(error))?;
        let open = |index| engine.channel(args.channel(index)).map_err(failed);
        let channels = (0..args.channels.max(1)).map(open).collect::<Result<_, _>>()?;
        let (publisher, reports) = engine.publisher().map_err(failed)?;
        if !engine.wait_ready(Duration::from_nanos(PATIENCE_NS)) {
            return Err(not_ready(args, &engine));
        }
        Ok(Self { engine, channels, publisher, reports })
    }

    /// Publishes so many, and waits for credit whenever there is none, until each has its report. Answers how many
    /// were not delivered.
    fn flood(&mut self, args: &ClientArgs, records: &Records, messages: u64) -> Result<u64, RigError> {
        let Self { channels, publisher, reports, .. } = self;
        let (mut published, mut answered, mut failed, mut patience) = (0, 0, 0, Patience::new());
        while answered < messages {
            while published < messages {
                let channel = &channels[published as usize % channels.len()];
                match publisher.publish(channel, records.of(published as usize)) {
                    Ok(_) => published += 1,
                    Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                    Err(refusal) => return Err(args.failed(refusal)),
                }
            }
            let polled = reports
                .poll(usize::MAX, |report| failed += u64::from(report.outcome != Outcome::Delivered))
                as u64;
            answered += polled;
            // A broker answers for thousands of messages at once: reports wake it as seldom as credit would.
            if polled == 0 {
                reports.wait(LOOK_AGAIN);
            }
            if !patience.holds(answered, monotonic_ns()) {
                return Err(args.failed("no report for a minute"));
            }
        }
        Ok(failed)
    }
}

/// All channels into one topic.
fn config(args: &ClientArgs) -> Result<Config, RigError> {
    let config = endpoint(Config::new(), args.address, args.compression);
    let config = config.map_err(|error| args.failed(error))?;
    Ok(config.route(Route::new("*").to("kafka").topic(TOPIC)))
}

/// As fast as it goes.
pub(in crate::client) fn flood(args: &ClientArgs) -> Result<Told, RigError> {
    let idle = if args.tuning == Tuning::Throughput { throughput(args) } else { IdleStrategy::Park };
    let mut application = Application::start(args, config(args)?.idle(idle))?;
    let records = args.records()?;
    application.flood(args, &records, args.warmup)?;
    let mut meter = Meter::begin();
    let failed = application.flood(args, &records, args.messages)?;
    meter.touch(monotonic_ns());
    let hosted = format!("one shard on {}, {}", application.engine.hosted_by()[0], idle_words(idle));
    let settings = ["default settings", "one publisher, which waits for reports", &hosted];
    Ok(meter.told(args, &[&settings[..], &[&compression(args)]].concat(), failed))
}

/// From the due time to the report: a thread that sleeps until the next message is due, and the shard's, which parks.
pub(in crate::client) fn ack(args: &ClientArgs) -> Result<Told, RigError> {
    let idle = if args.tuning == Tuning::Throughput { throughput(args) } else { IdleStrategy::Park };
    let mut application = Application::start(args, config(args)?.idle(idle))?;
    let records = args.records()?;
    let mut recorder = Recorder::start(args, args.due()?);
    let (total, mut published, mut answered) = (args.total(), 0, 0);
    let mut patience = Patience::new();
    let Application { engine, channels, publisher, reports } = &mut application;
    while answered < total {
        let mut now_ns = monotonic_ns();
        while let Some(due_ns) = recorder.due_ns(published).filter(|due_ns| *due_ns <= now_ns) {
            let message = Message {
                payload: Some(records.of(published)),
                tag: published as u64,
                intended_ns: due_ns,
                ..Message::default()
            };
            match publisher.publish_message(&channels[published % channels.len()], &message) {
                Ok(_) => recorder.handed(published, now_ns),
                // It is late from now on, and not left out.
                Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                Err(refusal) => return Err(args.failed(refusal)),
            }
            published += 1;
            now_ns = monotonic_ns();
        }
        // The report says when its shard knew the outcome: the application need not wake for each.
        answered += reports.poll(usize::MAX, |report| match report.outcome {
            Outcome::Delivered => recorder.answered(report.tag as usize, report.at_ns),
            _ => recorder.failed(report.tag as usize),
        });
        match recorder.due_ns(published) {
            Some(due_ns) => sleep_until(due_ns),
            None => {
                reports.wait(LOOK_AGAIN);
            }
        }
        if !patience.holds(answered as u64, monotonic_ns()) {
            return Err(args.failed("no report for a minute"));
        }
    }
    let hosted = format!("one shard on {}, {}", engine.hosted_by()[0], idle_words(idle));
    recorder.finish(
        args,
        &["default settings", &hosted, "the publisher sleeps for the due time", &compression(args)],
    )
}

/// A Redis leg and, where `--also` names a Kafka, a leg to it, on one shard that the publisher drives: what the Redis
/// leg's messages take, from the due time to the report.
pub(in crate::client) fn beside(args: &ClientArgs) -> Result<Told, RigError> {
    let failed = |error| args.failed(error);
    let mut config = Config::new().redis("redis", &args.url()).map_err(failed)?;
    if let Some(kafka) = args.also {
        config = endpoint(config, kafka, args.compression).map_err(failed)?;
        config = config.route(Route::new("rig.*").to("redis"));
        config = config.route(Route::new("log").to("kafka").topic(TOPIC));
    }
    let engine = Engine::start(config.host_driven()).map_err(|error| args.failed(error))?;
    let mut shards: Vec<HostShard> = engine.take_shard(0).into_iter().collect();
    let open = |name: &str| engine.channel(name).map_err(|error| args.failed(error));
    let (quotes, log) = (open("rig.0")?, open("log")?);
    let (mut publisher, mut reports) = engine.publisher().map_err(|error| args.failed(error))?;
    drive_until_ready(args, &engine, &mut shards)?;
    let records = args.records()?;
    let mut recorder = Recorder::start(args, args.due()?);
    let (total, mut published, mut answered) = (args.total(), 0, 0);
    let (mut logged, mut refused) = (0, 0_u64);
    let mut patience = Patience::new();
    while answered < total {
        let mut now_ns = monotonic_ns();
        while let Some(due_ns) = recorder.due_ns(published).filter(|due_ns| *due_ns <= now_ns) {
            let message = Message {
                payload: Some(records.of(published)),
                tag: published as u64,
                intended_ns: due_ns,
                ..Message::default()
            };
            match publisher.publish_message(&quotes, &message) {
                Ok(_) => recorder.handed(published, now_ns),
                Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                Err(refusal) => return Err(args.failed(refusal)),
            }
            published += 1;
            while args.also.is_some() && logged * LOGGED.1 < published * LOGGED.0 {
                let message =
                    Message { payload: Some(records.of(logged)), tag: u64::MAX, ..Message::default() };
                refused += u64::from(publisher.publish_message(&log, &message).is_err());
                logged += 1;
            }
            now_ns = monotonic_ns();
        }
        for shard in &mut shards {
            shard.poll();
        }
        now_ns = monotonic_ns();
        reports.poll(usize::MAX, |report| {
            if report.tag == u64::MAX {
                refused += u64::from(report.outcome != Outcome::Delivered);
                return;
            }
            answered += 1;
            match report.outcome {
                Outcome::Delivered => recorder.answered(report.tag as usize, now_ns),
                _ => recorder.failed(report.tag as usize),
            }
        });
        if !patience.holds(answered as u64, now_ns) {
            return Err(args.failed("no report for a minute"));
        }
    }
    let log = format!("messages to Kafka: {logged}, refused or not delivered: {refused}");
    recorder.finish(args, &["host-driven shard beside its publisher", "spins", &log])
}

fn compression(args: &ClientArgs) -> String {
    format!("compression {}", args.compression.name())
}
