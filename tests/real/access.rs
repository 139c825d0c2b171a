//! Passwords, permissions and roles: what turns us away is named, and found mended without a restart.

use ringwire::{EndpointReport, EndpointState, Engine, HostKind, Outcome, Reason, Refusal, Subscriber};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::line::{in_words, settled};
use crate::patience::{PATIENCE, until};
use crate::server::{Server, free_port};

/// An engine at `url` that needs both of its connections; the subscriber has to be kept.
fn engine(host: HostKind, url: &str) -> (Engine, Subscriber) {
    let engine = Engine::start(main_at(host, url, "")).expect("the engine starts");
    engine.channel("fx.a").expect("a channel opens");
    let mut subscriber = engine.subscriber().expect("a subscriber opens");
    subscriber.subscribe("fx.a").expect("a subscription opens");
    (engine, subscriber)
}

fn main_of(engine: &Engine) -> EndpointReport {
    engine.status().remove(0)
}

/// Waits until the publish lane has been turned away, with all of `parts` in the error.
fn await_failed(engine: &Engine, parts: &[&str]) {
    let mut status = main_of(engine);
    until("the server to turn us away", || {
        status = main_of(engine);
        status.publish.state == EndpointState::Failed
    });
    let error = status.last_error().expect("a failure comes with its reason").to_string();
    assert!(parts.iter().all(|part| error.contains(part)), "{error:?} holds {parts:?}");
}

#[test]
fn passwords() {
    on_both(|host| {
        let server = Server::with(&["--requirepass", "secret"]);
        let mut admin = Client::connect(&server);
        admin.order(&["AUTH", "secret"]);
        admin.order(&["ACL", "SETUSER", "trader", "on", ">pass@word", "~*", "&*", "+@all"]);
        let place = format!("127.0.0.1:{}", server.port());
        let (right, _keep_right) = engine(host, &format!("redis://:secret@{place}"));
        let (user, _keep_user) = engine(host, &format!("redis://trader:pass%40word@{place}"));
        let (wrong, _keep_wrong) = engine(host, &format!("redis://:mistaken@{place}"));
        let (none, _keep_none) = engine(host, &format!("redis://{place}"));
        assert!(right.wait_ready(PATIENCE), "{:?}", right.status());
        assert!(user.wait_ready(PATIENCE), "{:?}", user.status());
        for (engine, word) in [(&wrong, "WRONGPASS"), (&none, "NOAUTH")] {
            await_failed(engine, &["authentication failed", word, "set the user and password"]);
            until("the same for subscriptions", || main_of(engine).subscribe.state == EndpointState::Failed);
        }
        admin.order(&["CONFIG", "SET", "requirepass", "mistaken"]);
        assert!(wrong.wait_ready(PATIENCE), "{:?}", wrong.status());
        assert!(!none.is_ready());
        admin.order(&["CONFIG", "SET", "requirepass", ""]);
        assert!(none.wait_ready(PATIENCE), "{:?}", none.status());
        assert_eq!(main_of(&none).last_error(), None);
    });
}

#[test]
fn channel_permissions() {
    on_both(|host| {
        let server = Server::start();
        let mut admin = Client::connect(&server);
        admin.order(&["ACL", "SETUSER", "trader", "on", ">pw", "~*", "resetchannels", "&fx.*", "+@all"]);
        let (engine, mut subscriber) =
            engine(host, &format!("redis://trader:pw@127.0.0.1:{}", server.port()));
        let forbidden = subscriber.subscribe("eq.b").expect("a subscription opens");
        let mut told: Vec<(u32, String)> = Vec::new();
        let mut await_told = |count: usize| {
            until("events", || {
                subscriber.poll(usize::MAX, |delivery| {
                    told.push((delivery.subscription, in_words(&delivery.event)));
                });
                told.len() >= count
            });
            std::mem::take(&mut told)
        };
        let first = await_told(2);
        let (refused, subscribed): (Vec<_>, Vec<_>) = first.into_iter().partition(|it| it.0 == forbidden.0);
        assert_eq!(subscribed.len(), 1);
        assert_eq!(subscribed[0].1, "subscribed");
        assert!(
            refused[0].1.starts_with("refused: NOPERM") && refused[0].1.contains("channel"),
            "{refused:?}"
        );
        assert!(!engine.is_ready(), "a subscription is not in force");

        let (mut publisher, mut reports) = engine.publisher().expect("a publisher opens");
        let channels = ["eq.b", "fx.a"].map(|name| engine.channel(name).expect("a channel opens"));
        until("the connection", || main_of(&engine).publish.state == EndpointState::Connected);
        for channel in &channels {
            publisher.publish(channel, b"tick").expect("it is accepted");
        }
        let mut outcomes = Vec::new();
        until("the outcomes", || {
            reports.poll(2, |report| outcomes.push(*report));
            outcomes.len() == 2
        });
        assert_eq!((outcomes[0].outcome, outcomes[0].reason), (Outcome::NotSent, Reason::ServerError));
        assert!(
            outcomes[0].error_text().starts_with(b"NOPERM "),
            "{}",
            outcomes[0].error_text().escape_ascii()
        );
        assert_eq!((outcomes[1].outcome, outcomes[1].receivers()), (Outcome::Delivered, 1));
        assert_eq!(settled(&engine).errors, 1);
        assert_eq!(await_told(1)[0].1, "tick", "the other subscription goes on");

        // Once it is allowed, it comes into force without our doing.
        admin.order(&["ACL", "SETUSER", "trader", "&eq.*"]);
        assert_eq!(await_told(1), [(forbidden.0, "subscribed".to_owned())]);
        assert!(engine.wait_ready(PATIENCE));
    });
}

#[test]
fn replicas() {
    on_both(|host| {
        // Nobody listens where its primary should be.
        let nowhere = free_port().to_string();
        let server = Server::with(&["--replicaof", "127.0.0.1", &nowhere]);
        let mut admin = Client::connect(&server);
        let (engine, _subscriber) = engine(host, &server.url());
        await_failed(&engine, &["replica", "point the endpoint at the primary"]);
        let channel = engine.channel("fx.a").expect("a channel opens");
        let (mut publisher, mut reports) = engine.publisher().expect("a publisher opens");
        assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::NotConnected));
        admin.order(&["REPLICAOF", "NO", "ONE"]);
        assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
        publisher.publish(&channel, b"x").expect("it is accepted");
        until("the outcome", || {
            reports.poll(1, |report| assert_eq!(report.outcome, Outcome::Delivered)) == 1
        });
        // A primary that is demoted under an open connection still answers PUBLISH as if nothing had happened.
        admin.order(&["REPLICAOF", "127.0.0.1", &nowhere]);
        await_failed(&engine, &["replica"]);
        assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::NotConnected));
    });
}
