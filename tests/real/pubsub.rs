//! Publishing and subscribing, with `redis-cli` at the other end.

use std::io::Read;
use std::process::{Child, Stdio};

use ringwire::{Event, GapReason, HostKind, Outcome, Refusal};

use crate::hosts::{main_at, on_both};
use crate::line::{CHANNEL, Line};
use crate::patience::{PATIENCE, until};
use crate::server::Server;

/// The longest payload: a quarter of the publisher's ring (1 MiB), and room for the frame's head.
const LARGE: usize = (1 << 20) - 1024;

fn payloads() -> Vec<Vec<u8>> {
    vec![
        b"1.12120,1.12172".to_vec(),
        Vec::new(),
        (0..=255).collect(),
        b"\r\n$-1\r\n*2\r\n".to_vec(),
        (0..LARGE).map(|index| (index * 31 + index / 251) as u8).collect(),
        b"the last".to_vec(),
    ]
}

struct Wire {
    server: Server,
    line: Line,
}

impl Wire {
    fn up(host: HostKind) -> Self {
        let server = Server::start();
        let line = Line::up(main_at(host, &server.url(), ""));
        Self { server, line }
    }

    /// What our subscriber receives, until it has `count` messages.
    fn receive(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut got = Vec::new();
        until("messages", || {
            self.line.subscriber.poll(usize::MAX, |delivery| match delivery.event {
                Event::Message { channel, payload } => {
                    assert_eq!(channel, CHANNEL.as_bytes());
                    got.push(payload.to_vec());
                }
                Event::Subscribed => {}
                other => panic!("{other:?}"),
            });
            got.len() >= count
        });
        got
    }
}

/// A `redis-cli SUBSCRIBE`, ended with its owner.
struct CliSubscriber(Child);

impl CliSubscriber {
    fn start(server: &Server) -> Self {
        let mut command = server.cli();
        command.args(["SUBSCRIBE", CHANNEL]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut subscriber = Self(command.spawn().expect("redis-cli starts"));
        subscriber.expect(format!("subscribe\n{CHANNEL}\n1\n").as_bytes());
        subscriber
    }

    /// Reads as many bytes as `expected` has, which have to be those.
    fn expect(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        let output = self.0.stdout.as_mut().expect("its output is piped");
        output.read_exact(&mut got).expect("redis-cli prints what it was sent");
        let differ = got.iter().zip(expected).position(|(got, expected)| got != expected);
        assert_eq!(differ, None, "redis-cli printed something else");
    }
}

impl Drop for CliSubscriber {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_redis_cli_sees_each_payload_in_order() {
    on_both(|host| {
        let mut wire = Wire::up(host);
        let mut cli = CliSubscriber::start(&wire.server);
        let payloads = payloads();
        for (number, payload) in (0..).zip(&payloads) {
            assert_eq!(wire.line.publish(payload), Ok(number));
        }
        for payload in &payloads {
            let printed = [b"message\n", CHANNEL.as_bytes(), b"\n", payload, b"\n"].concat();
            cli.expect(&printed);
        }
        let mut sequences = Vec::new();
        until("the reports", || {
            wire.line.reports.poll(usize::MAX, |report| {
                assert_eq!((report.outcome, report.receivers()), (Outcome::Delivered, 2), "redis-cli and we");
                sequences.push(report.sequence);
            });
            sequences.len() == payloads.len()
        });
        assert!(sequences.is_sorted());
        assert_eq!(wire.receive(payloads.len()), payloads);
        let report = wire.line.engine.shutdown(PATIENCE);
        assert!(report.flushed, "{report:?}");
    });
}

#[test]
fn what_a_redis_cli_publishes_arrives() {
    on_both(|host| {
        let mut wire = Wire::up(host);
        let payloads = payloads();
        for payload in &payloads {
            assert_eq!(wire.server.cli_with_input(&["PUBLISH", CHANNEL], payload), b"1");
        }
        assert_eq!(wire.receive(payloads.len()), payloads);
    });
}

#[test]
fn the_longest_payload_arrives_or_is_told_as_a_gap() {
    on_both(|host| {
        let mut wire = Wire::up(host);
        let max = match wire.line.publish(&vec![b'x'; 2 * LARGE]) {
            Err(Refusal::TooLong { max }) => max,
            other => panic!("{other:?}"),
        };
        assert!(max >= LARGE);
        let longest = vec![b'y'; max];
        assert_eq!(wire.line.publish(&longest), Ok(0));
        until("the report", || {
            wire.line.reports.poll(1, |report| {
                assert_eq!((report.outcome, report.receivers()), (Outcome::Delivered, 1));
            }) == 1
        });
        // A delivery has a longer head than a frame, so the same length may be too much for the subscriber's ring.
        let mut is_told = false;
        until("the message, or the gap", || {
            wire.line.subscriber.poll(usize::MAX, |delivery| match delivery.event {
                Event::Message { payload, .. } => is_told = payload == longest,
                Event::Gap { reason, lost } => is_told = (reason, lost) == (GapReason::TOO_LONG, 1),
                Event::Subscribed => {}
                Event::Refused { error } => panic!("{}", error.escape_ascii()),
            });
            is_told
        });
    });
}
