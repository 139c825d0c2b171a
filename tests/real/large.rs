//! A payload of 64 MiB: refused by the default limits, and carried whole where all the limits allow it.

use ringwire::Refusal;

use crate::client::Client;
use crate::hosts::{HOSTS, main_at};
use crate::line::Line;
use crate::patience::until;
use crate::server::Server;

const LEN: usize = 64 << 20;
/// The largest message is a quarter of a ring, and this one has a head: so its rings have 512 MiB.
const ROOM: &str = "reply_timeout_ms = 30000
[engine]
ring_bytes = 536870912
credit_bytes = 268435456
subscriber_ring_bytes = 536870912
";

/// One host after the other: each run takes more than a gibibyte.
#[test]
fn a_payload_of_64_mib() {
    let payload: Vec<u8> = (0..LEN).map(|index| (index * 31 + index / 251) as u8).collect();
    for host in HOSTS {
        let server = Server::start();
        let mut line = Line::up(main_at(host, &server.url(), ""));
        match line.publish(&payload) {
            Err(Refusal::TooLong { max }) => assert!(max < LEN && line.publish(&payload[..max]).is_ok()),
            other => panic!("{other:?}"),
        }
        drop(line);

        // As it comes, the server closes a subscriber that has to be sent more than 32 MiB.
        let limit = "pubsub 0 0 0";
        Client::connect(&server).order(&["CONFIG", "SET", "client-output-buffer-limit", limit]);
        let mut line = Line::up(main_at(host, &server.url(), ROOM));
        line.deliver(&payload);
        let mut is_whole = false;
        until("the payload", || {
            line.subscriber.poll(1, |delivery| match delivery.event {
                ringwire::Event::Message { payload: received, .. } => is_whole = received == payload,
                ringwire::Event::Subscribed => {}
                other => panic!("{other:?}"),
            });
            is_whole
        });
        line.deliver(b"and on");
        assert_eq!(line.hear("and on"), ["and on"]);
        assert_eq!(line.status().counters.reconnects, 0);
    }
}
