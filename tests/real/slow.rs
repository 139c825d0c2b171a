//! A subscriber that does not poll: its ring is all the memory that it costs, and it is told what it missed.

use ringwire::{Event, GapReason, HostKind, Outcome};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::line::{CHANNEL, Line};
use crate::load::{number, numbered};
use crate::patience::until;
use crate::server::Server;

/// Many times what the slow subscriber's ring holds.
const MESSAGES: u64 = 20_000;
/// Under way at a time: less than the quick subscriber's ring holds.
const OUTSTANDING_MAX: u64 = 100;
const ENGINE: &str = "[engine]\nsubscriber_ring_bytes = 65536";

#[test]
fn who_does_not_poll_is_told_what_was_dropped() {
    on_both(ignore);
}

fn ignore(host: HostKind) {
    let server = Server::start();
    let mut line = Line::open(main_at(host, &server.url(), ENGINE));
    let mut slow = line.engine.subscriber().expect("a subscriber opens");
    slow.subscribe(CHANNEL).expect("a subscription opens");
    line.await_ready();
    let (mut heard, mut delivered) = (0, 0);
    until("the quick subscriber to hear everything", || {
        while line.publisher.accepted() < MESSAGES.min(heard.min(delivered) + OUTSTANDING_MAX) {
            let number = line.publisher.accepted();
            line.publish(&numbered(number)).expect("it is accepted");
        }
        line.reports.poll(usize::MAX, |report| {
            assert_eq!(report.outcome, Outcome::Delivered);
            delivered += 1;
        });
        line.subscriber.poll(usize::MAX, |delivery| match delivery.event {
            Event::Message { payload, .. } => {
                assert_eq!(number(payload), heard);
                heard += 1;
            }
            Event::Subscribed => {}
            other => panic!("the quick subscriber was told {other:?}"),
        });
        (heard, delivered) == (MESSAGES, MESSAGES)
    });
    // We went on reading for it: nothing waits on the server.
    let list = Client::connect(&server).ask(&["CLIENT", "LIST"]);
    let ours: Vec<&str> = list.lines().filter(|line| line.contains(" name=ringwire ")).collect();
    assert!(ours.iter().all(|line| line.contains(" omem=0 ")), "{list}");

    let (mut kept, mut lost) = (0, 0);
    until("the gap", || {
        slow.poll(usize::MAX, |delivery| match delivery.event {
            Event::Message { payload, .. } => {
                assert_eq!((number(payload), lost), (kept, 0));
                kept += 1;
            }
            Event::Gap { reason, lost: count } => {
                assert_eq!((reason, lost), (GapReason::RING_FULL, 0));
                lost = count;
            }
            Event::Subscribed => assert_eq!(kept, 0),
            Event::Refused { error } => panic!("{}", error.escape_ascii()),
        });
        lost > 0
    });
    assert!(kept > 0);
    assert_eq!(kept + lost, MESSAGES);
    line.await_status("what was dropped to be counted", |status| status.counters.dropped == lost);
    line.deliver(&numbered(MESSAGES));
    let mut last = None;
    until("the next message", || {
        slow.poll(1, |delivery| match delivery.event {
            Event::Message { payload, .. } => last = Some(number(payload)),
            other => panic!("{other:?}"),
        }) == 1
    });
    assert_eq!(last, Some(MESSAGES), "behind the gap it goes on");
}
