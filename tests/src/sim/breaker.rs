//! The judge's own breaker for each endpoint, built from what the outside shows alone: the outcomes that are told, the
//! connections that come and go, and the bytes that are sent. The core's must be in the same state after every poll.
//!
//! ```text
//!   outcomes told ──────► Breaker { failures, state } ◄────── connects, closes
//!   bytes sent, messages executed ──► what may be let out in this state?
//! ```

use ringwire_core::{BreakerState, LinkError, Outcome, Reason, RedisSettings, Report};

use super::coverage::Coverage;
use super::judge::Judge;

const PUBLISH: &[u8] = b"*3\r\n$7\r\nPUBLISH\r\n";
/// `ROLE` and `PING`.
const PROBE: &[u8] = b"*1\r\n$4\r\n";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

const OPENS: &str = "a breaker opens after so many failures in a row, and then only";
const ONE: &str = "a half-open breaker lets out one message";

/// What one poll did to a publish lane.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    /// It was connected before.
    pub(crate) was_connected: bool,
    /// The core closed the connection.
    pub(crate) was_closed: bool,
    /// There is none now.
    pub(crate) is_gone: bool,
    pub(crate) error: Option<&'a LinkError>,
    pub(crate) state: BreakerState,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    endpoint: usize,
    threshold: u32,
    open_ns: u64,
    reply_timeout_ns: u64,
    /// Its server lies: then the core's word is taken.
    lies: bool,
    /// Its server turns connections away at times.
    pub(crate) refuses: bool,
    /// Its server becomes a replica at times, which is a reason to leave it in the middle of everything.
    pub(crate) is_left: bool,
    state: BreakerState,
    failures: u32,
    pub(crate) trips: u64,
    /// It opened on the failure of a half-open breaker's message.
    failed_again: bool,
    /// The last answer to a message, or when the connection was ready.
    last_answer_ns: u64,
    /// When the connection ended, and whether the network ended it.
    ended_ns: u64,
    was_lost: bool,
    /// Since when the core sees no connection, and has nothing to do.
    idle_since_ns: Option<u64>,
    /// Messages of the connection on trial that were begun, and executed, since the last answer.
    begun: usize,
    executed: usize,
    /// ... and whether it was asked for a sign of health.
    was_pinged: bool,
    /// The last bytes sent in this state: a command's beginning may be cut.
    tail: Vec<u8>,
}

impl Breaker {
    pub(crate) fn new(endpoint: usize, settings: &RedisSettings, lies: bool) -> Self {
        Self {
            endpoint,
            threshold: settings.breaker_threshold,
            open_ns: settings.breaker_open_ns,
            reply_timeout_ns: settings.reply_timeout_ns,
            lies,
            refuses: false,
            is_left: false,
            state: BreakerState::Closed,
            failures: 0,
            trips: 0,
            failed_again: false,
            last_answer_ns: 0,
            ended_ns: 0,
            was_lost: false,
            idle_since_ns: None,
            begun: 0,
            executed: 0,
            was_pinged: false,
            tail: Vec::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == BreakerState::Open
    }

    pub(crate) fn is_half_open(&self) -> bool {
        self.state == BreakerState::HalfOpen && !self.lies
    }

    fn enter(&mut self, state: BreakerState) {
        self.state = state;
        self.idle_since_ns = None;
        (self.begun, self.executed, self.was_pinged) = (0, 0, false);
        self.tail.clear();
    }

    fn fail(&mut self, coverage: &mut Coverage) {
        if self.is_open() {
            return;
        }
        self.failures += 1;
        let was_half_open = self.state == BreakerState::HalfOpen;
        if was_half_open || (self.threshold > 0 && self.failures >= self.threshold) {
            self.trips += 1;
            coverage.breaker_trips += 1;
            coverage.breaker_trips_half_open += u64::from(was_half_open);
            self.failed_again = was_half_open;
            self.enter(BreakerState::Open);
        }
    }

    /// A message's outcome. Answers count; what is unknown has its excuse.
    pub(crate) fn told(&mut self, judge: &mut Judge, coverage: &mut Coverage, now_ns: u64, report: &Report) {
        if self.lies {
            return;
        }
        let endpoint = self.endpoint;
        let is_answer = report.outcome == Outcome::Delivered || report.reason == Reason::ServerError;
        if is_answer {
            self.last_answer_ns = now_ns;
            let again = self.is_open() && self.failed_again;
            judge
                .require(!again, ONE, || format!("endpoint {endpoint}: another one is answered: {report:?}"));
            coverage.drained_answers += u64::from(self.is_open());
            (self.begun, self.executed) = (self.begun.saturating_sub(1), 0);
        }
        match (report.outcome, report.reason) {
            (Outcome::Delivered, _) if !self.is_open() => {
                self.failures = 0;
                coverage.breaker_closes += u64::from(self.state == BreakerState::HalfOpen);
                self.enter(BreakerState::Closed);
            }
            (_, Reason::ServerError) if is_servers_fault(report) => self.fail(coverage),
            (Outcome::Unknown, Reason::ConnectionLost) if self.is_open() && !self.is_left => {
                let silent_ns = self.ended_ns.saturating_sub(self.last_answer_ns);
                judge.require(
                    self.was_lost || silent_ns >= self.reply_timeout_ns,
                    "an open breaker makes no outcome unknown",
                    || format!("endpoint {endpoint}, closed {silent_ns} ns after an answer: {report:?}"),
                );
            }
            _ => {}
        }
    }

    /// The lane is connected.
    pub(crate) fn connected(&mut self, judge: &mut Judge, now_ns: u64) {
        self.last_answer_ns = now_ns;
        let ok = self.was_pinged || !self.is_half_open();
        judge.require(ok, "a half-open breaker wants a sign of health", || {
            format!("endpoint {} is connected without", self.endpoint)
        });
    }

    /// The connection ended, by the network or by the core.
    pub(crate) fn ended(&mut self, now_ns: u64, was_lost: bool) {
        (self.ended_ns, self.was_lost) = (now_ns, was_lost);
    }

    /// The core opens a connection.
    pub(crate) fn connects(&mut self, judge: &mut Judge, coverage: &mut Coverage, now_ns: u64) {
        if self.state == BreakerState::Closed || self.lies {
            return;
        }
        if self.is_open() {
            let paused_ns = now_ns - self.ended_ns;
            judge.require(paused_ns >= self.open_ns, "an open breaker pauses", || {
                format!("endpoint {}: {paused_ns} ns, expected {} at least", self.endpoint, self.open_ns)
            });
            coverage.breaker_trials += 1;
        }
        self.enter(BreakerState::HalfOpen);
    }

    /// Bytes of commands were sent.
    pub(crate) fn sent(&mut self, judge: &mut Judge, bytes: &[u8]) {
        if self.state == BreakerState::Closed || self.lies {
            return;
        }
        let longest = PUBLISH.len() - 1;
        self.tail.extend_from_slice(bytes);
        let count = |what: &[u8]| self.tail.windows(what.len()).filter(|window| *window == what).count();
        let (messages, probes, pings) = (count(PUBLISH), count(PROBE), count(PING));
        let endpoint = self.endpoint;
        if self.is_open() {
            judge.require(messages + probes == 0, "an open breaker lets nothing begin", || {
                format!("endpoint {endpoint} sends {}", bytes.escape_ascii())
            });
        }
        self.begun += messages;
        self.was_pinged |= pings > 0;
        let begun = self.begun;
        judge.require(begun <= 1, ONE, || format!("endpoint {endpoint}: {begun} are begun"));
        // Nothing is counted twice: what is left is too short for one, or begins behind the last one.
        let counted = self.tail.windows(PUBLISH.len()).rposition(|window| window == PUBLISH);
        let from = counted.map_or(0, |at| at + PUBLISH.len()).max(self.tail.len().saturating_sub(longest));
        self.tail.drain(..from.min(self.tail.len()));
    }

    /// The server executed a message of the present connection.
    pub(crate) fn executed(&mut self, judge: &mut Judge) {
        if self.is_half_open() {
            self.executed += 1;
            let (endpoint, executed) = (self.endpoint, self.executed);
            judge.require(executed <= 1, ONE, || format!("endpoint {endpoint}: {executed} are executed"));
        }
    }

    /// The core was polled: what is seen from outside says whether it counts as it should.
    pub(crate) fn seen(
        &mut self,
        judge: &mut Judge,
        coverage: &mut Coverage,
        now_ns: u64,
        sight: &Sight<'_>,
    ) {
        let endpoint = self.endpoint;
        if self.lies {
            self.state = sight.state;
            return;
        }
        let is_open = matches!(sight.error, Some(LinkError::BreakerOpen { .. }));
        if sight.was_closed && sight.was_connected {
            // An open breaker hides why it opened.
            let timed_out = sight.error == Some(&LinkError::ReplyTimeout) || (is_open && !self.is_open());
            if timed_out {
                let silent_ns = now_ns - self.last_answer_ns;
                judge.require(silent_ns >= self.reply_timeout_ns, OPENS, || {
                    format!("endpoint {endpoint} is given up {silent_ns} ns after an answer: {sight:?}")
                });
                self.fail(coverage);
                coverage.breaker_trips_timeout += u64::from(self.is_open());
            }
        } else if sight.is_gone && is_open && self.state == BreakerState::HalfOpen {
            judge.require(self.refuses, OPENS, || {
                format!("endpoint {endpoint} refuses no greeting: {sight:?}")
            });
            coverage.breaker_trials_refused += 1;
            self.fail(coverage);
        }
        let same = self.state == sight.state;
        judge.require(same, OPENS, || {
            format!(
                "endpoint {endpoint}: expected {:?} after {} failures, {sight:?}",
                self.state, self.failures
            )
        });
        if let Some(LinkError::BreakerOpen { failures, .. }) = sight.error {
            judge.require(*failures == self.failures, OPENS, || {
                format!("endpoint {endpoint}: expected {} failures, told {failures}", self.failures)
            });
        }
    }

    /// The core has nothing to do: is it time to try again?
    pub(crate) fn idle(&mut self, judge: &mut Judge, now_ns: u64, is_gone: bool) {
        if !self.is_open() || !is_gone || self.lies {
            return;
        }
        let since_ns = *self.idle_since_ns.get_or_insert(now_ns);
        judge.require(now_ns < since_ns + self.open_ns, "an open breaker is tried again", || {
            format!("endpoint {} has had no connection since {since_ns}", self.endpoint)
        });
    }
}

/// The first word says whose fault an error is; a report has enough of it.
fn is_servers_fault(report: &Report) -> bool {
    const OWN: [&[u8]; 5] = [b"NOPERM", b"WRONGTYPE", b"CROSSSLOT", b"MOVED", b"ASK"];
    let code = report.error_text().split(|byte| *byte == b' ').next();
    code.is_none_or(|code| !OWN.contains(&code))
}
