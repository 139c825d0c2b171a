//! A server that a script keeps busy answers every message with `-BUSY`: the breaker opens, and closes by itself.

use ringwire::{BreakerState, EndpointState, Health, LinkError, Outcome, Reason, Refusal};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::journal::Journal;
use crate::line::{CHANNEL, Line, settled};
use crate::load::numbered;
use crate::patience::until;
use crate::server::Server;

/// Errors in a row that open the breaker unless the configuration says otherwise.
const THRESHOLD: u64 = 5;
/// Messages that wait for the breaker to close.
const BUFFERED: u64 = 500;
/// A script runs so long before the server answers others with `-BUSY`; the option's older name is known to all.
const BUSY_AFTER_MS: [&str; 2] = ["--lua-time-limit", "50"];

#[test]
fn a_busy_server_opens_the_breaker_of_a_route_that_rejects() {
    on_both(|host| {
        let server = Server::with(&BUSY_AFTER_MS);
        let journal = Journal::open(&server, &[CHANNEL]);
        let mut line = Line::up(main_at(host, &server.url(), ""));
        let mut busy = Busy::begin(&server, &mut line);
        assert_eq!(line.publish(&numbered(THRESHOLD)), Err(Refusal::NotConnected));
        assert_eq!(line.engine.health(), Health::Degraded);
        busy.end();
        // A half-open breaker takes a message, and that one's answer closes it.
        until("the first message", || line.publish(&numbered(THRESHOLD + 1)).is_ok());
        assert_eq!(line.outcome().outcome, Outcome::Delivered);
        recovered(&mut line);
        let numbers: Vec<u64> = journal.close().iter().map(|seen| seen.number).collect();
        assert_eq!(numbers, [THRESHOLD + 1]);
    });
}

#[test]
fn a_busy_server_opens_the_breaker_of_a_route_that_buffers() {
    on_both(|host| {
        let server = Server::with(&BUSY_AFTER_MS);
        let journal = Journal::open(&server, &[CHANNEL]);
        let route = "[[route]]\nchannels = '*'\nto = ['main']\nwhen_down = 'buffer'";
        let mut line = Line::up(main_at(host, &server.url(), route));
        let mut busy = Busy::begin(&server, &mut line);
        for number in 0..BUFFERED {
            line.publish(&numbered(number)).expect("it is buffered");
        }
        busy.end();
        for number in 0..BUFFERED {
            let report = line.outcome();
            assert_eq!(
                (report.outcome, report.sequence),
                (Outcome::Delivered, THRESHOLD + number),
                "{report:?}"
            );
        }
        recovered(&mut line);
        let numbers: Vec<u64> = journal.close().iter().map(|seen| seen.number).collect();
        assert!(numbers.into_iter().eq(0..BUFFERED), "each once, in order");
    });
}

/// A script that never ends.
struct Busy {
    script: Client,
    admin: Client,
}

impl Busy {
    /// Keeps the server busy until the breaker is open.
    fn begin(server: &Server, line: &mut Line) -> Self {
        let mut admin = Client::connect(server);
        let mut script = Client::connect(server);
        script.send(&[b"EVAL", b"while true do end", b"0"]);
        until("a busy server", || admin.ask(&["PING"]).starts_with("-BUSY"));
        for _ in 0..THRESHOLD {
            line.publish(&numbered(0)).expect("it is accepted");
            let report = line.outcome();
            assert_eq!((report.outcome, report.reason), (Outcome::NotSent, Reason::ServerError));
            assert!(report.error_text().starts_with(b"BUSY "), "{report:?}");
        }
        let status = line.await_status("the breaker to open", |status| {
            status.breaker == BreakerState::Open && status.publish.state == EndpointState::Failed
        });
        let Some(LinkError::BreakerOpen { failures, last }) = &status.publish.last_error else {
            panic!("{status:?}");
        };
        assert!(u64::from(*failures) >= THRESHOLD && last.contains("BUSY"), "{status:?}");
        assert_eq!(settled(&line.engine).errors, THRESHOLD);
        Self { script, admin }
    }

    fn end(&mut self) {
        self.admin.order(&["SCRIPT", "KILL"]);
        let words = self.script.next(crate::client::words).expect("the script's end is told");
        assert!(words.starts_with('-'), "{words}");
    }
}

fn recovered(line: &mut Line) {
    line.await_ready();
    line.await_status("the breaker to close", |status| status.breaker == BreakerState::Closed);
    line.await_status("no error", |status| status.last_error().is_none());
    until("health", || line.engine.health() == Health::Healthy);
    let counters = settled(&line.engine);
    assert_eq!((counters.unknown, counters.errors), (0, THRESHOLD));
    assert!(counters.breaker_trips >= 1, "{counters:?}");
}
