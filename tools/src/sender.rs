//! Messages on their way, each accounted for: what `publish` and `replay` have in common.
//!
//! ```text
//!  payload ─► publish ─┬─ accepted ─► ring ─► shard ─► server
//!                ▲     └─ refused: poll reports, wait, again ──┐
//!                └────────────────────────────────────────────┘
//!  the end ─► wait for the last outcomes ─► shutdown ─► accepted = delivered + not sent + unknown
//! ```

use std::sync::Arc;
use std::time::Duration;

use ringwire::{Channel, Message, Outcome, Publisher, Refusal, Reports, monotonic_ns};

use crate::endpoints::{self, Endpoint};
use crate::latency::Latency;
use crate::pace;
use crate::positions::{Partition, Positions};
use crate::progress::{Live, Reading};
use crate::running::Running;
use crate::stop::Stop;
use crate::table::grouped;
use crate::tally::{Tally, cause, refusal_cause};

/// A refusal is waited out in pieces, between which the reports are polled: their slots are a reason for refusals.
/// A millisecond of outcomes is a small part of what may be in flight, so that the shard never runs dry.
const REFUSAL_NAP: Duration = Duration::from_millis(1);
/// No sleep until a message is due is longer: reports are polled at any pace.
const PACE_NAP: Duration = Duration::from_millis(5);
/// How long one wait for the last outcomes takes at most, between two looks at the clock.
const OUTCOME_NAP: Duration = Duration::from_millis(10);
/// After a signal the last outcomes may take so long.
const PATIENCE_AFTER_STOP: Duration = Duration::from_secs(2);
/// Messages between two polls of the reports: far fewer than there are report slots (16,384).
const MESSAGES_PER_POLL: u64 = 256;
/// Time for the shutdown, when there is nothing left to wait for.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);
/// How often the progress is written.
const LIVE_EVERY_NS: u64 = 100_000_000;
/// No message is as long: asking for it makes the engine tell how long one may be.
const TOO_LONG: usize = usize::MAX;

/// Why a message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Somebody asked for the end while it was waited for.
    Stopped,
    /// In words.
    Refused(String),
}

/// Publishes, waits out refusals, and counts what became of each message.
pub(crate) struct Sender<'a> {
    running: &'a Running,
    stop: &'a Stop,
    publisher: Publisher,
    reports: Reports,
    timeout: Duration,
    /// Messages that were accepted; those with several destinations count once.
    messages: u64,
    /// Counts destinations: one for each leg of a message.
    tally: Tally,
    bytes: u64,
    receivers: u64,
    positions: Positions,
    latency: Latency,
    /// When something was last accepted or answered, or began to wait for that.
    progress_ns: u64,
    start_ns: u64,
    /// When the last outcome became known.
    last_ns: u64,
    /// Why the first message that was not delivered was not, in words.
    first_failure: Option<String>,
    live: Arc<Live>,
    live_due_ns: u64,
}

/// What became of everything that was sent.
pub(crate) struct Sent {
    pub(crate) messages: u64,
    pub(crate) tally: Tally,
    pub(crate) bytes: u64,
    pub(crate) receivers: u64,
    /// What became of it at each endpoint.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Where Kafka brokers put it.
    pub(crate) partitions: Vec<Partition>,
    pub(crate) latency: Latency,
    pub(crate) seconds: f64,
    /// No outcome came for the timeout.
    is_quiet: bool,
    timeout: Duration,
    /// What went wrong, in words: with the connection in the end, else with a message.
    cause: Option<String>,
    /// Messages that had no endpoint to go to.
    local: u64,
}

impl<'a> Sender<'a> {
    /// `timeout` is how long nothing may be accepted and no outcome come.
    pub(crate) fn open(running: &'a Running, timeout: Duration, stop: &'a Stop) -> Result<Self, String> {
        let (publisher, reports) = running.engine.publisher().map_err(|error| error.to_string())?;
        let now_ns = monotonic_ns();
        Ok(Self {
            running,
            stop,
            publisher,
            reports,
            timeout,
            messages: 0,
            tally: Tally::default(),
            bytes: 0,
            receivers: 0,
            positions: Positions::default(),
            latency: Latency::new(),
            progress_ns: now_ns,
            start_ns: now_ns,
            last_ns: now_ns,
            first_failure: None,
            live: Arc::default(),
            live_due_ns: 0,
        })
    }

    /// Begins: the clock runs from now on. Answers when that is.
    pub(crate) fn start(&mut self) -> u64 {
        pace::sleep_precisely();
        let now_ns = monotonic_ns();
        (self.start_ns, self.last_ns, self.progress_ns) = (now_ns, now_ns, now_ns);
        now_ns
    }

    /// What a progress line shows of it.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.clone()
    }

    /// How long a message on `channel` may be, in bytes.
    ///
    /// # Errors
    /// Why that cannot be known, in words: the connection went away again.
    pub(crate) fn message_len_max(&mut self, channel: &Channel) -> Result<usize, String> {
        match self.publisher.wait_writable(channel, TOO_LONG, self.timeout) {
            Err(Refusal::TooLong { max }) => Ok(max),
            Err(refusal) => Err(refusal_cause(refusal)),
            Ok(_) => Err(self.running.not_connected(self.timeout)),
        }
    }

    /// Waits until `due_ns`, and answers it.
    ///
    /// # Errors
    /// [`Halt::Stopped`].
    pub(crate) fn wait_until(&mut self, due_ns: u64) -> Result<u64, Halt> {
        while monotonic_ns() < due_ns {
            if self.stop.is_asked() {
                return Err(Halt::Stopped);
            }
            self.poll();
            pace::sleep_until(due_ns, PACE_NAP);
        }
        Ok(due_ns)
    }

    /// Publishes one message, and waits out refusals.
    ///
    /// # Errors
    /// [`Halt`]: it was not accepted.
    pub(crate) fn send(&mut self, channel: &Channel, payload: &[u8], intended_ns: u64) -> Result<(), Halt> {
        self.send_message(channel, &Message { payload: Some(payload), intended_ns, ..Message::default() })
    }

    /// The same of a message with all that it may carry.
    pub(crate) fn send_message(&mut self, channel: &Channel, message: &Message<'_>) -> Result<(), Halt> {
        let len = message.payload.map_or(0, <[u8]>::len);
        let mut was_refused = false;
        loop {
            let refusal = match self.publisher.publish_message(channel, message) {
                Ok(_) => {
                    self.accepted(channel, len);
                    return Ok(());
                }
                Err(refusal) => refusal,
            };
            if !matches!(refusal, Refusal::BackPressured | Refusal::ReportsFull | Refusal::NotConnected) {
                return Err(Halt::Refused(refusal.to_string()));
            }
            if !was_refused {
                was_refused = true;
                self.tally.refused += 1;
                // While messages are accepted there is progress: only now does a standstill begin.
                self.progress_ns = self.progress_ns.max(monotonic_ns());
            }
            self.wait_out(channel, len, refusal)?;
        }
    }

    fn accepted(&mut self, channel: &Channel, len: usize) {
        self.messages += 1;
        self.positions.uses(channel);
        self.tally.accepted += channel.legs() as u64;
        self.bytes += len as u64;
        if self.messages.is_multiple_of(MESSAGES_PER_POLL) {
            self.poll();
        }
    }

    #[cold]
    fn wait_out(&mut self, channel: &Channel, len: usize, refusal: Refusal) -> Result<(), Halt> {
        if self.stop.is_asked() {
            return Err(Halt::Stopped);
        }
        if self.poll() == 0 {
            let waited = self.publisher.wait_writable(channel, len, REFUSAL_NAP);
            waited.map_err(|refusal| Halt::Refused(refusal.to_string()))?;
        }
        if self.stands_still() {
            let seconds = self.timeout.as_secs_f64();
            let why = refusal_cause(refusal);
            return Err(Halt::Refused(format!(
                "nothing was accepted and no outcome came for {seconds} s, since {why}"
            )));
        }
        Ok(())
    }

    fn stands_still(&self) -> bool {
        u128::from(monotonic_ns().saturating_sub(self.progress_ns)) > self.patience().as_nanos()
    }

    /// How long nothing may happen: who has asked to stop waits no longer than it takes a server that answers.
    fn patience(&self) -> Duration {
        if self.stop.is_asked() { self.timeout.min(PATIENCE_AFTER_STOP) } else { self.timeout }
    }

    /// How many outcomes are still to come.
    pub(crate) fn outstanding(&self) -> u64 {
        self.tally.outstanding()
    }

    /// Polls every report that is there; answers how many.
    pub(crate) fn poll(&mut self) -> usize {
        let Self { tally, latency, last_ns, first_failure, receivers, positions, .. } = self;
        let polled = self.reports.poll(usize::MAX, |report| {
            tally.count(report.outcome);
            *last_ns = report.at_ns.max(*last_ns);
            if report.outcome == Outcome::Delivered {
                latency.record(report.intended_ns, report.at_ns);
                if !positions.count(report) {
                    *receivers += report.receivers();
                }
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
            // Each line had an end, too.
            let done = self.bytes + self.messages;
            self.live.write(&Reading { accepted, delivered, lost, done, ..Reading::default() });
        }
        polled
    }

    /// Waits for the outcomes of everything that was accepted, and ends the engine.
    pub(crate) fn finish(mut self) -> Sent {
        let (is_quiet, timeout) = (!self.wait_for_outcomes(), self.patience());
        let trouble = self.running.trouble();
        self.running.engine.shutdown(SHUTDOWN_TIMEOUT);
        self.poll();
        Sent {
            messages: self.messages,
            tally: self.tally,
            bytes: self.bytes,
            receivers: self.receivers,
            endpoints: endpoints::all(&self.running.engine),
            partitions: self.positions.into_partitions(),
            latency: self.latency,
            seconds: self.last_ns.saturating_sub(self.start_ns) as f64 / 1e9,
            is_quiet,
            timeout,
            cause: trouble.or(self.first_failure),
            local: self.running.engine.bus_counters().accepted,
        }
    }

    /// Answers `false` if no outcome came for the timeout.
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
}

impl Sent {
    /// What is missing of `messages` that should have been delivered, in a sentence; `noun` is what they are called.
    pub(crate) fn shortfall(&self, messages: u64, noun: &str) -> Option<String> {
        let Tally { accepted, delivered, not_sent, unknown, .. } = self.tally;
        if self.local > 0 {
            return Some(format!(
                "no route leads {} of the messages to an endpoint: they stayed in this process, where nobody hears \
                 them; add a [[route]] for their channel",
                grouped(self.local)
            ));
        }
        if self.messages == messages && delivered == accepted {
            return None;
        }
        let refused = messages.saturating_sub(self.messages);
        // Each destination counts: without several, these are the messages.
        let (missing, all) = (accepted.saturating_sub(delivered) + refused, accepted + refused);
        let noun = if self.messages == accepted { noun } else { "destinations" };
        let mut words = format!(
            "{} of {} {noun} were not delivered: {not_sent} not sent, {unknown} unknown",
            grouped(missing),
            grouped(all)
        );
        if self.is_quiet {
            words += &format!("; no outcome came for {} s", self.timeout.as_secs_f64());
        }
        Some(self.with_cause(words))
    }

    /// `words`, and what went wrong.
    pub(crate) fn with_cause(&self, words: String) -> String {
        match &self.cause {
            Some(cause) => format!("{words}: {cause}"),
            None => words,
        }
    }
}
