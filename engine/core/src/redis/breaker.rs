//! The breaker of a publish lane: too many failures in a row, and the endpoint counts as down for a while.
//!
//! ```text
//!            threshold failures in a row                    pause over: connect, PING
//!  Closed ───────────────────────────────► Open ──────────────────────────────────────► HalfOpen
//!    ▲                                      ▲                                              │ one message
//!    │                                      └── PING or the message failed ────────────────┤
//!    └──────────────────────────────────────── the message was delivered ──────────────────┘
//! ```
//!
//! *Open* begins before the connection is closed: what was begun is sent, what was sent is answered, and only then
//! does the connection go, so that an opening breaker makes no outcome *unknown*. Failed connects do not count: the
//! reconnect delay handles those, and leaves a half-open breaker half open.

use crate::status::{BreakerState, LinkError};

#[derive(Debug)]
pub(crate) struct Breaker {
    threshold: u32,
    state: BreakerState,
    /// Failures since the last success.
    failures: u32,
    /// What the last of them was, in words, once there were too many.
    last: String,
    /// How often it opened.
    trips: u64,
}

impl Breaker {
    /// A closed breaker that opens after `threshold` failures in a row; never, if that is 0.
    pub(crate) fn new(threshold: u32) -> Self {
        Self { threshold, state: BreakerState::Closed, failures: 0, last: String::new(), trips: 0 }
    }

    #[inline]
    pub(crate) fn state(&self) -> BreakerState {
        self.state
    }

    /// Whether the next failure opens it: then its words are wanted.
    pub(crate) fn is_on_the_brink(&self) -> bool {
        match self.state {
            BreakerState::Closed => self.threshold > 0 && self.failures + 1 >= self.threshold,
            BreakerState::HalfOpen => true,
            BreakerState::Open => false,
        }
    }

    /// A message was delivered. What an open breaker still waits for decides nothing. Answers whether that closed the
    /// breaker.
    #[inline]
    pub(crate) fn succeeded(&mut self) -> bool {
        if self.state == BreakerState::Open {
            return false;
        }
        self.failures = 0;
        std::mem::replace(&mut self.state, BreakerState::Closed) == BreakerState::HalfOpen
    }

    /// A message failed by the server's fault, or was not answered in time. Answers whether that opened the breaker.
    pub(crate) fn failed(&mut self, words: impl FnOnce() -> String) -> bool {
        if self.state == BreakerState::Open {
            return false;
        }
        let opens = self.is_on_the_brink();
        self.failures = self.failures.saturating_add(1);
        if opens {
            self.state = BreakerState::Open;
            self.trips += 1;
            self.last = words();
        }
        opens
    }

    /// The greeting of a half-open breaker's connection was turned away.
    pub(crate) fn probe_failed(&mut self, words: impl FnOnce() -> String) {
        if self.state == BreakerState::HalfOpen {
            self.failed(words);
        }
    }

    pub(crate) fn trips(&self) -> u64 {
        self.trips
    }

    /// Why the endpoint is down while the breaker is open.
    pub(crate) fn error(&self) -> LinkError {
        LinkError::BreakerOpen { failures: self.failures, last: self.last.clone() }
    }

    /// The next connection is opened: behind a pause it is on trial. Answers whether it is from now on.
    pub(crate) fn tried_again(&mut self) -> bool {
        let was_open = self.state == BreakerState::Open;
        if was_open {
            self.state = BreakerState::HalfOpen;
        }
        was_open
    }
}
