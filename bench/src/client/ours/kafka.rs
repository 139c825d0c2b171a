//! Ringwire's producer: into one topic, each message with its channel's name as its key, which gives the partition.
//!
//! ```text
//!   flood   one thread publishes and polls                  the shard's thread naps
//!   ack     one thread publishes, drives the shard, waits in it for the due time or an answer, polls reports; tuned
//!           for little work: one thread publishes, the shard's naps, one waits for reports
//!   beside  one thread publishes and drives the shard
//! ```

use std::time::Duration;

use ringwire::{
    Channel, Config, Engine, HostShard, IdleStrategy, Message, Outcome, Publisher, Refusal, Report, Reports,
    Route, monotonic_ns,
};

use super::{drive_until_ready, idle_words, not_ready, throughput};
use crate::client::pace::{Patience, sleep_until};
use crate::client::record::{Meter, Recorder};
use crate::client::{Batches, ClientArgs, PATIENCE_NS, Records, Told, Tuning};
use crate::kafka::{TOPIC, endpoint};
use crate::rig::RigError;

/// How long a wait lasts before it looks at its limits again.
const LOOK_AGAIN: Duration = Duration::from_nanos(LOOK_AGAIN_NS);
const LOOK_AGAIN_NS: u64 = 100_000_000;

/// Messages to Kafka for each so many to Redis: 50,000/s beside 20,000.
const LOGGED: (usize, usize) = (5, 2);

/// In place of the time of an answer: the message failed.
const NOT_DELIVERED: u64 = u64::MAX;

struct Application {
    engine: Engine,
    channels: Vec<Channel>,
    /// The channels' names.
    keys: Vec<String>,
    publisher: Publisher,
    reports: Reports,
}

impl Application {
    fn start(args: &ClientArgs, config: Config) -> Result<Self, RigError> {
        let failed = |error| args.failed(error);
        let engine = Engine::start(config).map_err(|error| args.failed(error))?;
        let keys: Vec<String> = (0..args.channels.max(1)).map(|index| args.channel(index)).collect();
        let channels =
            keys.iter().map(|name| engine.channel(name).map_err(failed)).collect::<Result<_, _>>()?;
        let (publisher, reports) = engine.publisher().map_err(failed)?;
        if !engine.wait_ready(Duration::from_nanos(PATIENCE_NS)) {
            return Err(not_ready(args, &engine));
        }
        Ok(Self { engine, channels, keys, publisher, reports })
    }

    /// Publishes so many, and waits for reports whenever there is no credit, until each has its own, which `seen` is
    /// shown. Answers how many were not delivered.
    fn flood(
        &mut self,
        args: &ClientArgs,
        records: &Records,
        messages: u64,
        mut seen: impl FnMut(&Report),
    ) -> Result<u64, RigError> {
        let Self { channels, keys, publisher, reports, .. } = self;
        let (mut published, mut answered, mut failed, mut patience) = (0, 0, 0, Patience::new());
        while answered < messages {
            while published < messages {
                let index = published as usize % channels.len();
                let message = keyed(&keys[index], records.of(published as usize));
                match publisher.publish_message(&channels[index], &message) {
                    Ok(_) => published += 1,
                    Err(Refusal::BackPressured | Refusal::ReportsFull) => break,
                    Err(refusal) => return Err(args.failed(refusal)),
                }
            }
            let polled = reports.poll(usize::MAX, |report| {
                failed += u64::from(report.outcome != Outcome::Delivered);
                seen(report);
            }) as u64;
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

    fn hosted(&self, idle: IdleStrategy) -> String {
        format!("one shard on {}, {}", self.engine.hosted_by()[0], idle_words(idle))
    }
}

fn keyed<'a>(key: &'a str, payload: &'a [u8]) -> Message<'a> {
    Message { key: Some(key.as_bytes()), payload: Some(payload), ..Message::default() }
}

/// All channels into one topic.
fn config(args: &ClientArgs, idle: IdleStrategy) -> Result<Config, RigError> {
    let config = endpoint(Config::new(), args.address, args.compression);
    let config = config.map_err(|error| args.failed(error))?;
    Ok(config.route(Route::new("*").to("kafka").topic(TOPIC)).idle(idle))
}

fn idle(args: &ClientArgs) -> IdleStrategy {
    if args.tuning == Tuning::Throughput { throughput(args) } else { IdleStrategy::Park }
}

/// What requests held, as reports tell it. An answer reports its batches in the order of their partitions, and within
/// one turn of the shard's loop: so a batch begins where the partition or the turn is another one, and a request where
/// the turn is, or the partition is not a higher one.
#[derive(Debug, Default)]
struct Shape {
    last: Option<(u64, i32)>,
    records: u64,
    batches: u64,
    requests: u64,
}

impl Shape {
    fn see(&mut self, at_ns: u64, partition: i32) {
        self.records += 1;
        if self.last == Some((at_ns, partition)) {
            return;
        }
        self.batches += 1;
        let goes_on = self.last.is_some_and(|(turn_ns, before)| turn_ns == at_ns && before < partition);
        self.requests += u64::from(!goes_on);
        self.last = Some((at_ns, partition));
    }

    fn batches(&self) -> Option<Batches> {
        (self.requests > 0).then(|| Batches {
            records: self.records as f64 / self.batches as f64,
            of_a_request: self.batches as f64 / self.requests as f64,
        })
    }
}

/// As fast as it goes. What its requests hold is looked at in the warm-up, where it costs nothing that counts.
pub(in crate::client) fn flood(args: &ClientArgs) -> Result<Told, RigError> {
    let idle = idle(args);
    let mut application = Application::start(args, config(args, idle)?)?;
    let records = args.records()?;
    let mut shape = Shape::default();
    application.flood(args, &records, args.warmup, |report| shape.see(report.at_ns, report.position().0))?;
    let mut meter = Meter::begin();
    let failed = application.flood(args, &records, args.messages, |_| ())?;
    meter.touch(monotonic_ns());
    let settings = [
        "default settings",
        "one publisher, which waits for reports",
        &application.hosted(idle),
        &compression(args),
    ];
    Ok(Told { batches: shape.batches(), ..meter.told(args, &settings, failed) })
}

/// From the due time to the report in the application's hands. Tuned for latency by one thread, as where there are fewer
/// cores than threads: it publishes what is due, drives the shard, and waits in it for the next due time or an answer.
pub(in crate::client) fn ack(args: &ClientArgs) -> Result<Told, RigError> {
    if args.tuning == Tuning::Throughput {
        return ack_by_threads(args);
    }
    let idle = IdleStrategy::Park;
    let engine = Engine::start(config(args, idle)?.host_driven()).map_err(|error| args.failed(error))?;
    let mut shards: Vec<HostShard> = engine.take_shard(0).into_iter().collect();
    let keys: Vec<String> = (0..args.channels.max(1)).map(|index| args.channel(index)).collect();
    let open = |name: &String| engine.channel(name).map_err(|error| args.failed(error));
    let channels = keys.iter().map(open).collect::<Result<Vec<Channel>, _>>()?;
    let (mut publisher, mut reports) = engine.publisher().map_err(|error| args.failed(error))?;
    drive_until_ready(args, &engine, &mut shards)?;
    let records = args.records()?;
    let mut recorder = Recorder::start(args, args.due()?);
    let (total, mut published, mut answered, mut patience) = (args.total(), 0, 0, Patience::new());
    while answered < total {
        let mut now_ns = monotonic_ns();
        while let Some(due_ns) = recorder.due_ns(published).filter(|due_ns| *due_ns <= now_ns) {
            let index = published % channels.len();
            let message = Message {
                tag: published as u64,
                intended_ns: due_ns,
                ..keyed(&keys[index], records.of(published))
            };
            match publisher.publish_message(&channels[index], &message) {
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
        now_ns = monotonic_ns();
        answered += reports.poll(usize::MAX, |report| match report.outcome {
            Outcome::Delivered => recorder.answered(report.tag as usize, now_ns),
            _ => recorder.failed(report.tag as usize),
        });
        let left_ns =
            recorder.due_ns(published).map_or(LOOK_AGAIN_NS, |due_ns| due_ns.saturating_sub(now_ns));
        if left_ns > 0 && answered < total {
            shards.iter_mut().for_each(|shard| shard.wait(Duration::from_nanos(left_ns)));
        }
        if !patience.holds(answered as u64, now_ns) {
            return Err(args.failed("no report for a minute"));
        }
    }
    let threads = "host-driven shard beside its publisher, which waits in it for the due time";
    recorder.finish(args, &["default settings", threads, idle_words(idle).as_str(), &compression(args)])
}

/// The same with a thread that sleeps until the next message is due, the shard's, which naps, and one that waits for
/// reports as those of the other clients wait for theirs.
fn ack_by_threads(args: &ClientArgs) -> Result<Told, RigError> {
    let idle = idle(args);
    let mut application = Application::start(args, config(args, idle)?)?;
    let hosted = application.hosted(idle);
    let records = args.records()?;
    let mut recorder = Recorder::start(args, args.due()?);
    let Application { channels, keys, publisher, reports, .. } = &mut application;
    let answered_at = std::thread::scope(|scope| -> Result<Vec<u64>, RigError> {
        let waiting = scope.spawn(|| wait_for_reports(args, reports));
        let mut published = 0;
        while let Some(due_ns) = recorder.due_ns(published) {
            sleep_until(due_ns);
            let now_ns = monotonic_ns();
            let index = published % channels.len();
            let message = Message {
                tag: published as u64,
                intended_ns: due_ns,
                ..keyed(&keys[index], records.of(published))
            };
            recorder.handed(published, now_ns);
            match publisher.publish_message(&channels[index], &message) {
                Ok(_) => published += 1,
                // It is late from now on, and not left out.
                Err(Refusal::BackPressured | Refusal::ReportsFull) if !waiting.is_finished() => {
                    let waited = publisher.wait_writable(&channels[index], records.len, LOOK_AGAIN);
                    waited.map_err(|refusal| args.failed(refusal))?;
                }
                Err(refusal) => return Err(args.failed(refusal)),
            }
        }
        waiting.join().map_err(|_| args.failed("the thread that waits for reports panicked"))?
    })?;
    for (index, at_ns) in answered_at.into_iter().enumerate() {
        match at_ns {
            NOT_DELIVERED => recorder.failed(index),
            at_ns => recorder.answered(index, at_ns),
        }
    }
    let (compression, threads) = (compression(args), "one thread publishes, one waits for reports");
    recorder.finish(args, &["default settings", &hosted, threads, "timer slack 1 ns", &compression])
}

/// When the application heard of each message, on CLOCK_MONOTONIC.
fn wait_for_reports(args: &ClientArgs, reports: &mut Reports) -> Result<Vec<u64>, RigError> {
    let mut times = vec![0; args.total()];
    let (mut answered, mut patience) = (0, Patience::new());
    while answered < times.len() {
        answered += reports.poll(usize::MAX, |report| {
            let is_delivered = report.outcome == Outcome::Delivered;
            if let Some(at_ns) = times.get_mut(report.tag as usize) {
                *at_ns = if is_delivered { monotonic_ns() } else { NOT_DELIVERED };
            }
        });
        reports.wait(LOOK_AGAIN);
        if !patience.holds(answered as u64, monotonic_ns()) {
            return Err(args.failed("no report for a minute"));
        }
    }
    Ok(times)
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
    let keys: Vec<String> = (0..args.channels.max(1)).map(|index| args.channel(index)).collect();
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
                let key = &keys[logged % keys.len()];
                let message = Message { tag: u64::MAX, ..keyed(key, records.of(logged)) };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports as (turn, partition, how many), and records of a batch and batches of a request that they show.
    #[track_caller]
    fn check(reports: &[(u64, i32, usize)], expected: Option<(f64, f64)>) {
        let mut shape = Shape::default();
        for &(turn_ns, partition, count) in reports {
            (0..count).for_each(|_| shape.see(turn_ns, partition));
        }
        assert_eq!(shape.batches().map(|it| (it.records, it.of_a_request)), expected, "{reports:?}");
    }

    #[test]
    fn what_requests_held_is_seen_in_the_reports() {
        check(&[], None);
        check(&[(1, 0, 10), (1, 1, 10), (1, 2, 10), (1, 3, 10)], Some((10.0, 4.0)));
        check(&[(1, 2, 30), (2, 2, 10)], Some((20.0, 1.0)));
        check(&[(1, 0, 4), (1, 2, 4), (1, 0, 4), (1, 2, 4)], Some((4.0, 2.0)));
    }
}
