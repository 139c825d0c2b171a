//! `ringwire replay`: the lines of a file on a channel, each accounted for.
//!
//! ```text
//!  file ─► lines ─► due? ─► publish ─┬─ accepted ─► ring ─► shard ─► Redis
//!                              ▲     └─ refused: poll reports, wait, again ──┐
//!                              └────────────────────────────────────────────┘
//!  end of file ─► wait for the last outcomes ─► shutdown ─► accepted = delivered + not sent + unknown
//! ```

mod summary;
mod timing;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use ringwire::{Channel, Message, Outcome, Publisher, Refusal, Reports, monotonic_ns};

use crate::args::Replay;
use crate::latency::Latency;
use crate::lines::Lines;
use crate::output;
use crate::pace;
use crate::progress::{Live, Progress, Reading};
use crate::redis::{Destination, Running};
use crate::table;
use crate::tally::{Tally, cause, refusal_cause};
pub(crate) use summary::ReplaySummary;
use timing::Timing;

/// The longest message: 1 MiB.
const LINE_LEN_MAX: usize = 1 << 20;
/// Lines between two polls of the reports: far fewer than there are report slots (16,384).
const LINES_PER_POLL: u64 = 256;
/// A refusal is waited out in pieces, between which the reports are polled: their slots are a reason for refusals.
/// A millisecond of outcomes is a small part of what may be in flight, so that the shard never runs dry.
const REFUSAL_NAP: Duration = Duration::from_millis(1);
/// No sleep until a line is due is longer: reports are polled at any pace.
const PACE_NAP: Duration = Duration::from_millis(5);
/// How long one wait for the last outcomes takes at most, between two looks at the clock.
const OUTCOME_NAP: Duration = Duration::from_millis(10);
/// Time for the shutdown, when there is nothing left to wait for.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);
/// How often the progress is written.
const LIVE_EVERY_NS: u64 = 100_000_000;

/// Replays the file.
pub(crate) fn run(plan: &Replay) -> ReplaySummary {
    let file = plan.file.display().to_string();
    let mut summary = ReplaySummary { file, channel: plan.channel.clone(), ..ReplaySummary::default() };
    if let Err(error) = try_run(plan, &mut summary) {
        summary.error = Some(error);
    }
    summary
}

fn try_run(plan: &Replay, summary: &mut ReplaySummary) -> Result<(), String> {
    let named = |words: String| format!("{}: {words}", plan.file.display());
    let file = File::open(&plan.file).map_err(|error| named(error.to_string()))?;
    let mut lines = Lines::new(file, LINE_LEN_MAX);
    let mut timing = Timing::new(plan, &mut lines).map_err(named)?;
    let running = plan.destination.start()?;
    summary.redis.clone_from(&running.shown);
    summary.hosted_by = running.hosted_by();
    summary.conditions = running.conditions(&plan.pace);
    if plan.destination == Destination::Embedded {
        output::complain(
            "no --redis: the messages go to a small Redis inside this process, where nobody hears them",
        );
    }
    let mut run = Run::open(&running, plan)?;
    running.wait_ready(plan.timeout)?;
    let progress = Progress::start(run.live.clone());
    pace::sleep_precisely();
    let start_ns = monotonic_ns();
    run.progress_ns = start_ns;
    let fed = run.feed(&mut lines, &mut timing, start_ns);
    let is_quiet = !run.wait_for_outcomes();
    let trouble = running.trouble();
    running.engine.shutdown(SHUTDOWN_TIMEOUT);
    run.poll();
    drop(progress);
    summary.seconds = run.last_ns.saturating_sub(start_ns) as f64 / 1e9;
    summary.lines = run.lines;
    summary.tally = run.tally;
    summary.bytes = run.bytes;
    summary.backwards = timing.backwards();
    summary.latency_ns = run.latency.percentiles();
    match fed {
        Err(Stop::File(words)) => Err(named(words)),
        Err(Stop::Engine(words)) => Err(run.with_cause(words, trouble)),
        Ok(()) => run.shortfall(is_quiet).map_or(Ok(()), |words| Err(run.with_cause(words, trouble))),
    }
}

/// Why a replay ends before the end of the file.
enum Stop {
    /// Something in the file.
    File(String),
    /// The engine takes no more.
    Engine(String),
}

/// A replay under way.
struct Run {
    channel: Channel,
    publisher: Publisher,
    reports: Reports,
    timeout: Duration,
    /// Lines that were read, the header not counted.
    lines: u64,
    tally: Tally,
    bytes: u64,
    latency: Latency,
    /// When something was last accepted or answered, or began to wait for that.
    progress_ns: u64,
    /// When the last outcome became known.
    last_ns: u64,
    /// Why the first message that was not delivered was not, in words.
    first_failure: Option<String>,
    live: Arc<Live>,
    live_due_ns: u64,
}

impl Run {
    fn open(running: &Running, plan: &Replay) -> Result<Self, String> {
        let words = |error: ringwire::OpenError| error.to_string();
        let channel = running.engine.channel(&plan.channel).map_err(words)?;
        let (publisher, reports) = running.engine.publisher().map_err(words)?;
        Ok(Self {
            channel,
            publisher,
            reports,
            timeout: plan.timeout,
            lines: 0,
            tally: Tally::default(),
            bytes: 0,
            latency: Latency::new(),
            progress_ns: 0,
            last_ns: 0,
            first_failure: None,
            live: Arc::default(),
            live_due_ns: 0,
        })
    }

    /// Sends every line.
    fn feed(&mut self, lines: &mut Lines<File>, timing: &mut Timing, start_ns: u64) -> Result<(), Stop> {
        loop {
            let number = lines.number() + 1;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(error) => return Err(Stop::File(error.to_string())),
            };
            self.lines += 1;
            let offset_ns = timing
                .offset_ns(self.lines - 1, line)
                .map_err(|words| Stop::File(format!("line {number}: {words}")))?;
            let intended_ns = match offset_ns {
                Some(offset_ns) => self.wait_until(start_ns.saturating_add(offset_ns)),
                None => monotonic_ns(),
            };
            self.send(line, intended_ns)
                .map_err(|words| Stop::Engine(format!("stopped at line {number}: {words}")))?;
            if self.lines.is_multiple_of(LINES_PER_POLL) {
                self.poll();
            }
        }
    }

    /// Waits until `due_ns`, and answers it.
    fn wait_until(&mut self, due_ns: u64) -> u64 {
        while monotonic_ns() < due_ns {
            self.poll();
            pace::sleep_until(due_ns, PACE_NAP);
        }
        due_ns
    }

    /// Publishes one line, and waits out refusals.
    ///
    /// # Errors
    /// Why it was not accepted, in words.
    fn send(&mut self, line: &[u8], intended_ns: u64) -> Result<(), String> {
        let message = Message { payload: Some(line), intended_ns, ..Message::default() };
        let mut was_refused = false;
        loop {
            let refusal = match self.publisher.publish_message(&self.channel, &message) {
                Ok(_) => {
                    self.tally.accepted += 1;
                    self.bytes += line.len() as u64;
                    return Ok(());
                }
                Err(refusal) => refusal,
            };
            if !matches!(refusal, Refusal::BackPressured | Refusal::ReportsFull | Refusal::NotConnected) {
                return Err(refusal.to_string());
            }
            if !was_refused {
                was_refused = true;
                self.tally.refused += 1;
                // While lines are accepted there is progress: only now does a standstill begin.
                self.progress_ns = self.progress_ns.max(monotonic_ns());
            }
            if self.poll() == 0 {
                let len = line.len();
                self.publisher
                    .wait_writable(&self.channel, len, REFUSAL_NAP)
                    .map_err(|refusal| refusal.to_string())?;
            }
            if self.stands_still() {
                let seconds = self.timeout.as_secs_f64();
                let why = refusal_cause(refusal);
                return Err(format!("nothing was accepted and no outcome came for {seconds} s, since {why}"));
            }
        }
    }

    fn stands_still(&self) -> bool {
        u128::from(monotonic_ns().saturating_sub(self.progress_ns)) > self.timeout.as_nanos()
    }

    /// Polls every report that is there; answers how many.
    fn poll(&mut self) -> usize {
        let Self { tally, latency, last_ns, first_failure, .. } = self;
        let polled = self.reports.poll(usize::MAX, |report| {
            tally.count(report.outcome);
            *last_ns = report.at_ns.max(*last_ns);
            if report.outcome == Outcome::Delivered {
                latency.record(report.intended_ns, report.at_ns);
            } else {
                first_failure.get_or_insert_with(|| cause(report));
            }
        });
        let now_ns = monotonic_ns();
        if polled > 0 {
            self.progress_ns = now_ns;
        }
        if now_ns >= self.live_due_ns {
            self.live_due_ns = now_ns + LIVE_EVERY_NS;
            let Tally { accepted, delivered, not_sent, unknown, .. } = self.tally;
            let lost = not_sent + unknown;
            self.live.write(&Reading { accepted, delivered, lost, received: None, ack_p99_ns: 0 });
        }
        polled
    }

    /// Waits for the outcomes of everything that was accepted; answers `false` if none came for the timeout.
    fn wait_for_outcomes(&mut self) -> bool {
        self.progress_ns = monotonic_ns();
        loop {
            self.poll();
            if self.tally.outstanding() == 0 {
                return true;
            }
            if self.stands_still() {
                return false;
            }
            self.reports.wait(OUTCOME_NAP);
        }
    }

    /// What is missing at the end of the file, in a sentence.
    fn shortfall(&self, is_quiet: bool) -> Option<String> {
        let Tally { delivered, not_sent, unknown, .. } = self.tally;
        if delivered == self.lines && self.tally.adds_up() {
            return None;
        }
        let lines = table::grouped(self.lines);
        let missing = table::grouped(self.lines.saturating_sub(delivered));
        let mut words =
            format!("{missing} of {lines} lines were not delivered: {not_sent} not sent, {unknown} unknown");
        if is_quiet {
            words += &format!("; no outcome came for {} s", self.timeout.as_secs_f64());
        }
        Some(words)
    }

    fn with_cause(&self, words: String, trouble: Option<String>) -> String {
        match trouble.or_else(|| self.first_failure.clone()) {
            Some(cause) => format!("{words}: {cause}"),
            None => words,
        }
    }
}
