//! Log lines: what has changed at the endpoints, to the application's callback or to nobody.

use std::cell::Cell;
use std::ffi::{CString, c_int};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ringwire::{BreakerState, EndpointReport, EndpointState, Engine, Health, LaneReport, SignalsBlocked};

use crate::boundary::{Callback, guarded};
use crate::code::OK;
use crate::config::{call_thread_start, rw_log, rw_thread_start};
use crate::text::cut;

const INFO: c_int = 1;
const WARNING: c_int = 2;
const ERROR: c_int = 3;

/// How often the endpoints are looked at: as soon as a person notices anything.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bytes of a line: an endpoint's name and address and a server's words, each as long as it is kept, and some of ours.
const LINE_LEN_MAX: usize = 2048;
/// What stands behind a line that was cut.
const CUT: &str = "…";
/// The thread that looks.
const THREAD: &str = "ringwire-log";

std::thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Runs a callback of the application's. It may call back; what would wait for this very thread is refused.
pub(crate) fn in_callback(call: impl FnOnce()) {
    let before = IN_CALLBACK.replace(true);
    call();
    IN_CALLBACK.set(before);
}

/// Whether this thread is in a callback.
pub(crate) fn is_in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Where lines go.
#[derive(Clone, Copy)]
pub(crate) struct Log(Callback<rw_log>);

impl Log {
    pub(crate) fn new(callback: Callback<rw_log>) -> Self {
        Self(callback)
    }

    fn line(&self, level: c_int, words: &str) {
        // A zero byte is a control character too: there is none left.
        let line = CString::new(one_line(words)).unwrap_or_default();
        in_callback(|| (self.0.function)(self.0.user, level, line.as_ptr()));
    }
}

/// Words as one line of a log. A server's may be anything: what would end the line, or steer a terminal, is blank.
fn one_line(words: &str) -> String {
    let is_blank = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    let line: String = words.chars().map(|letter| if is_blank(letter) { ' ' } else { letter }).collect();
    if line.len() <= LINE_LEN_MAX {
        return line;
    }
    cut(&line, LINE_LEN_MAX - CUT.len()).to_owned() + CUT
}

/// What was last told of each endpoint.
pub(crate) struct Watch {
    engine: Arc<Engine>,
    log: Log,
    told: Vec<Told>,
    health: Health,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    publish: EndpointState,
    subscribe: EndpointState,
    breaker: BreakerState,
    reconnects: u64,
}

impl Told {
    const NOTHING: Self = Self {
        publish: EndpointState::Disconnected,
        subscribe: EndpointState::Disconnected,
        breaker: BreakerState::Closed,
        reconnects: 0,
    };
}

impl Watch {
    pub(crate) fn new(engine: Arc<Engine>, log: Log) -> Self {
        Self { engine, log, told: Vec::new(), health: Health::Healthy }
    }

    /// Tells what has changed since the last look.
    pub(crate) fn look(&mut self) {
        let endpoints = self.engine.status();
        self.told.resize(endpoints.len(), Told::NOTHING);
        for (index, endpoint) in endpoints.iter().enumerate() {
            let before = self.told[index];
            self.told[index] = self.endpoint(endpoint, before);
        }
        let health = self.engine.health();
        if health != self.health && matches!(health, Health::Failed) {
            let why = self.engine.failure().unwrap_or_default();
            self.log.line(ERROR, &format!("the engine failed: {why}"));
        }
        self.health = health;
    }

    fn endpoint(&self, endpoint: &EndpointReport, before: Told) -> Told {
        let now = Told {
            publish: endpoint.publish.state,
            subscribe: endpoint.subscribe.state,
            breaker: endpoint.breaker,
            reconnects: endpoint.counters.reconnects,
        };
        let is_seen = (now.publish, now.subscribe) != (before.publish, before.subscribe);
        if now.reconnects > before.reconnects && !is_seen {
            // Lost and there again between two looks.
            let (name, address) = (&endpoint.name, &endpoint.address);
            self.log
                .line(WARNING, &format!("{name} ({address}): the connection was lost, and is there again"));
        }
        self.lane(endpoint, "publishing", &endpoint.publish, before.publish);
        self.lane(endpoint, "subscriptions", &endpoint.subscribe, before.subscribe);
        if now.breaker != before.breaker {
            let level = if now.breaker == BreakerState::Closed { INFO } else { WARNING };
            self.log.line(level, &format!("{}: the breaker is {}", endpoint.name, now.breaker.name()));
        }
        now
    }

    fn lane(&self, endpoint: &EndpointReport, role: &str, lane: &LaneReport, before: EndpointState) {
        if lane.state == before {
            return;
        }
        let level = match lane.state {
            EndpointState::Disconnected | EndpointState::Connecting | EndpointState::Connected => INFO,
            EndpointState::Reconnecting => WARNING,
            EndpointState::Failed => ERROR,
        };
        let why = lane.last_error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        let (name, address, state) = (&endpoint.name, &endpoint.address, lane.state.name());
        self.log.line(level, &format!("{name} ({address}), {role}: {state}{why}"));
    }
}

/// A watch on a thread of its own. Dropping it ends the thread.
pub(crate) struct Watching {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    pub(crate) fn start(
        mut watch: Watch,
        thread_start: Option<Callback<rw_thread_start>>,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let body = move || {
            if let Some(callback) = thread_start {
                call_thread_start(callback, THREAD);
            }
            loop {
                let is_over = stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout);
                // The last lines too. A panic of ours ends the line, not the application.
                guarded(|| {
                    watch.look();
                    Ok(OK)
                });
                if is_over {
                    return;
                }
            }
        };
        let _until_it_is_started = SignalsBlocked::now();
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(body)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_stays_on_one_line() {
        for (words, line) in [
            ("main (a:1), publishing: connected", "main (a:1), publishing: connected"),
            ("ERR no\r\n2026-01-01 all is well", "ERR no  2026-01-01 all is well"),
            ("a\0b\tc\u{1b}[2Jd\u{7f}e", "a b c [2Jd e"),
            ("a\u{85}b\u{9b}c\u{2028}d\u{2029}e", "a b c d e"),
            ("Größe, 価格", "Größe, 価格"),
        ] {
            assert_eq!(one_line(words), line);
        }
        let fits = "x".repeat(LINE_LEN_MAX);
        assert_eq!(one_line(&fits), fits);
        for shift in 0..3 {
            let line = one_line(&("x".repeat(shift) + &"価".repeat(LINE_LEN_MAX)));
            assert!(line.ends_with("価…") && (LINE_LEN_MAX - 2..=LINE_LEN_MAX).contains(&line.len()));
        }
    }
}
