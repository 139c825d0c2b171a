//! Answers that a Redis never gives: the connection is given up, and no outcome is told that is not true.

use ringwire::{EndpointState, Outcome, Refusal};

use crate::hosts::{main_at, on_both};
use crate::journal::Journal;
use crate::line::{CHANNEL, Line};
use crate::load::numbered;
use crate::proxy::{Forgery, Proxy};
use crate::server::Server;

/// The next greeting is not given up before the test has looked.
const LINES: &str = "connect_timeout_ms = 60000";

#[test]
fn instead_of_an_answer_or_behind_it() {
    on_both(|host| {
        let server = Server::start();
        let (delivered, unknown) = (Outcome::Delivered, Outcome::Unknown);
        let not_redis = "not the protocol that was expected";
        for (forgery, outcome, word) in [
            (Forgery::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), unknown, not_redis),
            (Forgery::Answer(b"+OK\r\n"), unknown, not_redis),
            (Forgery::Answer(b":-1\r\n"), unknown, not_redis),
            (Forgery::Answer(b"$99999999999\r\n"), unknown, not_redis),
            (Forgery::Answer(b"*4294967295\r\n"), unknown, not_redis),
            (Forgery::Answer(b":"), unknown, "closed the connection"),
            (Forgery::Answer(b":1\r"), unknown, "closed the connection"),
            (Forgery::Answer(b""), unknown, "closed the connection"),
            (Forgery::Extra(b":1\r\n"), delivered, not_redis),
            (Forgery::Extra(b"$1\r\n"), delivered, "closed the connection"),
        ] {
            let proxy = Proxy::before(&server);
            let journal = Journal::open(&server, &[CHANNEL]);
            let mut line = Line::up(main_at(host, &proxy.url(), LINES));
            proxy.forge(forgery);
            line.publish(&numbered(0)).expect("it is accepted");
            assert_eq!(line.outcome().outcome, outcome, "{forgery:?}");
            line.await_publish(EndpointState::Reconnecting, word);
            assert_eq!(line.publish(&numbered(9)), Err(Refusal::NotConnected));
            proxy.be_honest();
            line.await_ready();
            line.deliver(&numbered(1));
            let numbers: Vec<u64> = journal.close().iter().map(|seen| seen.number).collect();
            assert_eq!(numbers, [0, 1], "{forgery:?}: executed once");
            assert_eq!(line.status().counters.unfenced, 0);
        }
    });
}

#[test]
fn instead_of_the_greeting() {
    on_both(|host| {
        let server = Server::start();
        for (text, word) in [
            (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "check the port"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "check the port"),
            (b"+OK\r\n", "HELLO was answered with neither a map nor an error"),
            (b"-ERR go away\r\n", "go away"),
        ] {
            let proxy = Proxy::before(&server);
            proxy.forge(Forgery::Greeting(text));
            let mut line = Line::open(main_at(host, &proxy.url(), LINES));
            line.await_status("the nonsense to be named", |status| {
                let errors = [&status.publish.last_error, &status.subscribe.last_error];
                errors.into_iter().flatten().any(|error| error.to_string().contains(word))
            });
            proxy.be_honest();
            line.await_ready();
            line.deliver(b"x");
        }
    });
}
