//! `CLIENT KILL` of one of the two connections: it comes back, and costs the other nothing.

use ringwire::EndpointState;

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::line::{Line, settled};
use crate::patience::until;
use crate::server::Server;

/// The server's id of our connection with so many subscriptions.
fn id_of(admin: &mut Client, subscriptions: &str) -> String {
    let list = admin.ask(&["CLIENT", "LIST"]);
    let is_ours = |line: &&str| {
        let has = |field: &str| line.split(' ').any(|found| found == field);
        has("name=ringwire") && has(&format!("sub={subscriptions}"))
    };
    let ours: Vec<&str> = list.lines().filter(is_ours).collect();
    assert_eq!(ours.len(), 1, "one connection of each kind: {list}");
    let id = ours[0].split(' ').find_map(|field| field.strip_prefix("id="));
    id.expect("a client has an id").to_owned()
}

#[test]
fn each_lane_comes_back_by_itself() {
    on_both(|host| {
        let server = Server::start();
        let mut line = Line::up(main_at(host, &server.url(), ""));
        let mut admin = Client::connect(&server);
        let mut told = Vec::new();
        // What happens before each message: which connection is killed, by how many subscriptions it has.
        for (reconnects, killed) in
            [(0, None), (1, Some("0")), (2, Some("1")), (3, Some("1")), (4, Some("0"))]
        {
            if let Some(subscriptions) = killed {
                let id = id_of(&mut admin, subscriptions);
                assert_eq!(admin.ask(&["CLIENT", "KILL", "ID", &id]), "1", "the server ends one connection");
                until("the reconnect", || line.status().counters.reconnects == reconnects);
                line.await_ready();
            }
            let payload = reconnects.to_string();
            line.deliver(payload.as_bytes());
            told.extend(line.hear(&payload));
        }
        let gap = "gap: reconnected, 0";
        assert_eq!(told, ["subscribed", "0", "1", gap, "2", gap, "3", "4"]);
        let (status, counters) = (line.status(), settled(&line.engine));
        let connected = EndpointState::Connected;
        assert_eq!((status.publish.state, status.subscribe.state), (connected, connected));
        assert_eq!((counters.delivered, counters.unfenced), (5, 0));
    });
}
