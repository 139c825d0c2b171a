//! `ringwire demo`: quotes out to a Redis and back, or into a Kafka, at a fixed rate, open loop.
//!
//! ```text
//!  this thread                                 shard                       Redis
//!  due? ─► publish ─► ring ──────────────────► PUBLISH ──────────────────► ┐
//!  ledger, latency ◄─ report ring ◄─────────── reply         ◄──────────── ┤
//!                  ◄─ subscriber's ring ◄───── message       ◄──────────── ┘
//!  sleep until the next is due
//! ```
//!
//! At a Kafka there is nothing to come back: a record ends with its acknowledgement.
//!
//! One thread publishes and polls: both ends of a latency are read by the shard, so that it does not matter when the
//! reports are looked at, and a further thread would compete with the shard and the server for few cores.

mod summary;

use std::sync::Arc;
use std::time::Duration;

use ringwire::{
    Channel, EndpointKind, Event, Message, Outcome, Publisher, Refusal, Reports, Subscriber, monotonic_ns,
};

use crate::args::Demo;
use crate::configuration::{Configuration, FileHere};
use crate::latency::Latency;
use crate::ledger::Ledger;
use crate::output::Failure;
use crate::pace::{self, Rate};
use crate::positions::Positions;
use crate::progress::{Live, Progress, Reading};
use crate::quotes::Quotes;
use crate::running::{KAFKA, Running};
use crate::stop::Stop;
use crate::tally::{Tally, cause, refusal_cause};
use summary::Back;
pub(crate) use summary::DemoSummary;

/// The topic of a Kafka, which is there after the demo: the next one shall not leave a further one.
const TOPIC: &str = "ringwire.demo.quotes";

/// Time for the connections and the subscription.
const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages that are published before the reports are polled: some microseconds, if the publisher is behind.
const PUBLISH_BATCH: usize = 64;
/// Reports and messages that are polled before the next message: so many more than are published that none pile up,
/// so few that the next message is not held up by more than some microseconds.
const POLL_BATCH: usize = 128;
/// No sleep is longer: reports are polled, and progress is written, at any rate.
const SLEEP_MAX: Duration = Duration::from_millis(1);
/// How long the end waits for outcomes and messages while none come. More than twice the reply timeout of 2 s after
/// which a silent connection is given up.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// Time for the shutdown once nothing comes any more.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the progress is written.
const LIVE_EVERY_NS: u64 = 100_000_000;
/// A publisher that is later than this at its 99th percentile has not held the rate.
const LATE_MAX_NS: u64 = 10_000_000;

/// Runs the demo.
pub(crate) fn run(plan: &Demo) -> DemoSummary {
    let (rate, messages) = (plan.rate.per_second(), plan.messages);
    let back = (!plan.embedded_kafka).then(Back::default);
    let mut summary = DemoSummary { rate, messages, back, ..DemoSummary::default() };
    summary.error = try_run(plan, &mut summary).err();
    summary
}

fn try_run(plan: &Demo, summary: &mut DemoSummary) -> Result<(), Failure> {
    let quotes = Quotes::load(plan.file.as_deref())?;
    let stop = Stop::listen()?;
    let running = if plan.embedded_kafka {
        Running::start_with_kafka(&plan.origin)?
    } else {
        Running::start_somewhere(Configuration::load(&plan.origin, FileHere::Ignored)?)?
    };
    summary.went_to(&running);
    summary.hosted_by = running.hosted_by();
    summary.idle.clone_from(&running.idle);
    summary.cores = running.cores;
    summary.conditions = running.conditions(&plan.rate);
    let mut run = Run::open(&running, &quotes, &stop, plan)?;
    if run.subscriber.is_none() {
        summary.back = None;
    }
    running
        .wait_ready(READY_TIMEOUT, &stop)
        .map_err(|failure| run.refused_subscription().unwrap_or(failure))?;
    run.start_ns = monotonic_ns();
    let progress = plan.progress.then(|| Progress::start(run.live.clone(), plan.messages));
    run.publish_all();
    summary.messages = run.next;
    let went_quiet = !run.wait_for_the_rest();
    let seconds = (monotonic_ns() - run.start_ns) as f64 / 1e9;
    let trouble = running.trouble();
    if went_quiet {
        running.engine.shutdown(SHUTDOWN_TIMEOUT);
        run.poll_everything();
    }
    drop(progress);
    summary.seconds = seconds;
    run.conclude(summary, trouble).map_err(Failure::from)
}

/// A demo under way.
struct Run<'a> {
    quotes: &'a Quotes,
    stop: &'a Stop,
    rate: Rate,
    messages: u64,
    channel: Channel,
    publisher: Publisher,
    reports: Reports,
    /// `None` at a Kafka.
    subscriber: Option<Subscriber>,
    /// Of message 0, on the monotonic clock.
    start_ns: u64,
    next: u64,
    message: Vec<u8>,
    seen: Seen,
    live: Arc<Live>,
    live_due_ns: u64,
}

/// What came back.
struct Seen {
    tally: Tally,
    ledger: Ledger,
    positions: Positions,
    received: u64,
    gaps: u64,
    lost: u64,
    ack: Latency,
    back: Latency,
    late: Latency,
    /// Why the first message was refused, in words.
    first_refusal: Option<String>,
    /// Why the first accepted message that was not delivered was not, in words.
    first_failure: Option<String>,
    /// The server's words, if it refuses the subscription.
    subscription_error: Option<String>,
}

impl<'a> Run<'a> {
    fn open(running: &Running, quotes: &'a Quotes, stop: &'a Stop, plan: &Demo) -> Result<Self, String> {
        let words = |error: ringwire::OpenError| error.to_string();
        let name = match running.label {
            KAFKA => TOPIC.to_owned(),
            // A name that no other demo on the same Redis has.
            _ => format!("ringwire.demo.{}.{}", std::process::id(), monotonic_ns()),
        };
        let channel = running.engine.channel(&name).map_err(words)?;
        if channel.legs() != 1 {
            return Err(format!(
                "the channels ringwire.demo.* go to {} endpoints: the demo is for one; add a [[route]] for them",
                channel.legs()
            ));
        }
        let (publisher, reports) = running.engine.publisher().map_err(words)?;
        let mut subscriber = None;
        if channel.kind(0) != Some(EndpointKind::Kafka) {
            subscriber = Some(running.engine.subscriber().map_err(words)?);
        }
        if let Some(subscriber) = &mut subscriber {
            subscriber.subscribe(&name).map_err(words)?;
        }
        let mut seen = Seen {
            tally: Tally::default(),
            ledger: Ledger::new(plan.messages),
            positions: Positions::default(),
            received: 0,
            gaps: 0,
            lost: 0,
            ack: Latency::new(),
            back: Latency::new(),
            late: Latency::new(),
            first_refusal: None,
            first_failure: None,
            subscription_error: None,
        };
        seen.positions.uses(&channel);
        Ok(Self {
            quotes,
            stop,
            rate: plan.rate,
            messages: plan.messages,
            channel,
            publisher,
            reports,
            subscriber,
            start_ns: 0,
            next: 0,
            message: Vec::new(),
            seen,
            live: Arc::default(),
            live_due_ns: 0,
        })
    }

    /// The server's words, if it refuses the subscription.
    fn refused_subscription(&mut self) -> Option<Failure> {
        self.poll_everything();
        let words = self.seen.subscription_error.as_ref()?;
        Some(format!("the server refuses the subscription: {words}").into())
    }

    fn due_ns(&self, index: u64) -> u64 {
        self.start_ns + self.rate.offset_ns(index)
    }

    /// Publishes until every message was, or somebody asked for the end.
    fn publish_all(&mut self) {
        pace::sleep_precisely();
        while self.next < self.messages && !self.stop.is_asked() {
            self.publish_due();
            self.poll(POLL_BATCH);
            if self.next < self.messages {
                pace::sleep_until(self.due_ns(self.next), SLEEP_MAX);
            }
        }
    }

    /// Publishes what is due, a bounded number.
    fn publish_due(&mut self) {
        for _ in 0..PUBLISH_BATCH {
            let due_ns = self.due_ns(self.next);
            let now_ns = monotonic_ns();
            if self.next == self.messages || now_ns < due_ns {
                return;
            }
            self.quotes.message(self.next, &mut self.message);
            let message = Message {
                payload: Some(&self.message),
                tag: self.next,
                intended_ns: due_ns,
                ..Message::default()
            };
            self.seen.late.record(due_ns, now_ns);
            match self.publisher.publish_message(&self.channel, &message) {
                Ok(_) => self.seen.tally.accepted += 1,
                Err(refusal) => self.seen.refused(self.next, refusal),
            }
            self.next += 1;
        }
    }

    /// Polls at most so many reports and so many messages; answers how many there were.
    fn poll(&mut self, limit: usize) -> usize {
        let Self { seen, quotes, rate, start_ns, .. } = self;
        let mut polled = self.reports.poll(limit, |report| {
            seen.tally.count(report.outcome);
            seen.ledger.outcome(report.tag, report.outcome);
            if report.outcome == Outcome::Delivered {
                seen.ack.record(report.intended_ns, report.at_ns);
                seen.positions.count(report);
            } else {
                seen.first_failure.get_or_insert_with(|| cause(report));
            }
        });
        let Some(subscriber) = &mut self.subscriber else {
            self.show();
            return polled;
        };
        polled += subscriber.poll(limit, |delivery| match delivery.event {
            Event::Message { payload, .. } => match quotes.index(payload) {
                Some(index) => {
                    seen.received += 1;
                    seen.ledger.received(index);
                    seen.back.record(*start_ns + rate.offset_ns(index), delivery.received_ns);
                }
                None => seen.ledger.nonsense += 1,
            },
            Event::Gap { lost, .. } => {
                seen.gaps += 1;
                seen.lost += lost;
                seen.ledger.gap();
            }
            Event::Refused { error } => {
                let words = || String::from_utf8_lossy(error).into_owned();
                seen.subscription_error.get_or_insert_with(words);
            }
            Event::Subscribed => {}
        });
        self.show();
        polled
    }

    /// Writes the progress, now and then.
    fn show(&mut self) {
        let now_ns = monotonic_ns();
        if now_ns < self.live_due_ns {
            return;
        }
        self.live_due_ns = now_ns + LIVE_EVERY_NS;
        let Seen { tally, received, ack, .. } = &self.seen;
        self.live.write(&Reading {
            accepted: tally.accepted,
            delivered: tally.delivered,
            lost: tally.not_sent + tally.unknown,
            received: self.subscriber.is_some().then_some(*received),
            ack_p99_ns: ack.p99_ns(),
            done: self.next,
        });
    }

    /// Waits until every outcome and every message is here; answers `false` if nothing came for a while.
    fn wait_for_the_rest(&mut self) -> bool {
        let mut quiet_from_ns = monotonic_ns();
        loop {
            if self.poll(usize::MAX) > 0 {
                quiet_from_ns = monotonic_ns();
            }
            let is_back = self.subscriber.is_none() || self.seen.ledger.is_caught_up();
            if self.seen.tally.outstanding() == 0 && is_back {
                return true;
            }
            if monotonic_ns() - quiet_from_ns > QUIET_MAX.as_nanos() as u64 {
                return false;
            }
            std::thread::sleep(SLEEP_MAX);
        }
    }

    fn poll_everything(&mut self) {
        while self.poll(usize::MAX) > 0 {}
    }

    /// Fills in the summary.
    ///
    /// # Errors
    /// What did not hold, in a sentence.
    fn conclude(self, summary: &mut DemoSummary, trouble: Option<String>) -> Result<(), String> {
        let seen = self.seen;
        summary.tally = seen.tally;
        if let Some(back) = &mut summary.back {
            let subscriber_ns = seen.back.percentiles();
            *back = Back { received: seen.received, gaps: seen.gaps, lost: seen.lost, subscriber_ns };
        }
        summary.partitions = seen.positions.into_partitions();
        summary.ack_ns = seen.ack.percentiles();
        summary.publisher_late_ns = seen.late.percentiles();
        summary.first_refusal.clone_from(&seen.first_refusal);
        summary.trouble.clone_from(&trouble);
        summary.first_failure.clone_from(&seen.first_failure);
        summary.rate_held = seen.late.p99_ns() <= LATE_MAX_NS;
        let nonsense = seen.ledger.nonsense;
        let audit = seen.ledger.audit();
        let because = || {
            let seen_causes = seen.first_failure.as_ref().or(seen.first_refusal.as_ref());
            let words = seen.subscription_error.as_ref().or(trouble.as_ref()).or(seen_causes);
            words.map_or_else(String::new, |words| format!(": {words}"))
        };
        let Tally { accepted, delivered, not_sent, unknown, .. } = seen.tally;
        if !seen.tally.adds_up() {
            return Err(format!(
                "{accepted} messages were accepted, but {delivered} delivered, {not_sent} not sent and {unknown} \
                 unknown are not as many{}",
                because()
            ));
        }
        if self.next == 0 {
            return Err("stopped by a signal before the first message".to_owned());
        }
        if accepted == 0 {
            return Err(format!("every message was refused{}", because()));
        }
        if audit.missing > 0 && self.subscriber.is_some() {
            return Err(format!(
                "{} messages were delivered to the server, but neither received nor told as a gap{}",
                audit.missing,
                because()
            ));
        }
        if audit.contradictions + nonsense > 0 {
            return Err(format!(
                "{} messages were received that should not have been, and {nonsense} messages or outcomes were \
                 changed, doubled, out of order or somebody else's",
                audit.contradictions
            ));
        }
        Ok(())
    }
}

impl Seen {
    #[cold]
    fn refused(&mut self, index: u64, refusal: Refusal) {
        self.tally.refused += 1;
        self.ledger.refused(index);
        self.first_refusal.get_or_insert_with(|| refusal_cause(refusal));
    }
}
