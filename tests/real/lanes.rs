//! `CLIENT KILL` of one of the two connections: it comes back, and costs the other nothing.

use ringwire::{Config, EndpointState, Engine, Event, Outcome};

use crate::client::Client;
use crate::patience::{PATIENCE, until};
use crate::server::Server;

#[test]
fn each_lane_comes_back_by_itself() {
    let server = Server::start();
    let config = Config::new().redis("main", &server.url()).expect("the url is one");
    let engine = Engine::start(config).expect("the engine starts");
    let channel = engine.channel("a").expect("a channel opens");
    let (mut publisher, mut reports) = engine.publisher().expect("a publisher opens");
    let mut subscriber = engine.subscriber().expect("a subscriber opens");
    subscriber.subscribe("a").expect("a subscription opens");
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let mut admin = Client::connect(&server);

    let mut told = Vec::new();
    let mut say = |payload: &str| {
        publisher.publish(&channel, payload.as_bytes()).expect("it is accepted");
        until("the outcome", || {
            reports
                .poll(1, |report| assert_eq!((report.outcome, report.receivers()), (Outcome::Delivered, 1)))
                == 1
        });
        until("the message", || {
            subscriber.poll(usize::MAX, |delivery| {
                told.push(match delivery.event {
                    Event::Message { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
                    Event::Gap { reason, lost } => format!("gap: {reason}, {lost}"),
                    Event::Subscribed => "subscribed".to_owned(),
                    Event::Refused { error } => panic!("{}", error.escape_ascii()),
                });
            });
            told.last().is_some_and(|last| last == payload)
        });
    };
    let mut kill = |kind: &str, reconnects: u64| {
        assert_eq!(admin.ask(&["CLIENT", "KILL", "TYPE", kind]), "1", "the server ends one connection");
        until("the reconnect", || engine.status()[0].counters.reconnects == reconnects);
        assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    };
    say("1");
    kill("normal", 1);
    say("2");
    kill("pubsub", 2);
    say("3");
    kill("pubsub", 3);
    kill("normal", 4);
    say("4");
    let gap = "gap: reconnected, 0";
    assert_eq!(told, ["subscribed", "1", "2", gap, "3", gap, "4"]);
    let status = &engine.status()[0];
    assert_eq!(
        (status.publish.state, status.subscribe.state),
        (EndpointState::Connected, EndpointState::Connected)
    );
    assert_eq!((status.counters.delivered, status.counters.unfenced), (4, 0));
}
