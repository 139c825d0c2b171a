//! The ways to a server: address, name, Unix socket, database; and none.

use ringwire::{EndpointState, Engine, HostKind, Outcome, Refusal};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::patience::{PATIENCE, until};
use crate::server::Server;

fn start(host: HostKind, url: &str) -> Engine {
    Engine::start(main_at(host, url, "")).expect("the engine starts")
}

/// One message by `url`.
fn deliver(host: HostKind, url: &str) -> Engine {
    let engine = start(host, url);
    let channel = engine.channel("a").expect("a channel opens");
    let (mut publisher, mut reports) = engine.publisher().expect("a publisher opens");
    assert!(engine.wait_ready(PATIENCE), "{url}: {:?}", engine.status());
    publisher.publish(&channel, b"x").expect("it is accepted");
    until("the outcome", || {
        reports.poll(1, |report| assert_eq!(report.outcome, Outcome::Delivered, "{url}")) == 1
    });
    engine
}

#[test]
fn every_kind_of_url() {
    on_both(|host| {
        let server = Server::start();
        let port = server.port();
        let mut admin = Client::connect(&server);
        let socket = server.socket();
        let socket = socket.to_str().expect("a path of plain letters");
        let cases = [
            (format!("redis://127.0.0.1:{port}"), "addr=127.0.0.1:", "db=0"),
            (format!("redis://localhost:{port}"), "addr=127.0.0.1:", "db=0"),
            (format!("redis://127.0.0.1:{port}/3"), "addr=127.0.0.1:", "db=3"),
            (format!("unix://{socket}"), "addr=", "db=0"),
            (format!("unix://{socket}?db=5"), "addr=", "db=5"),
        ];
        for (url, addr, db) in cases {
            let engine = deliver(host, &url);
            let list = admin.ask(&["CLIENT", "LIST"]);
            let mine: Vec<&str> = list.lines().filter(|line| line.contains(" name=ringwire ")).collect();
            assert_eq!(mine.len(), 1, "{url}: one connection, for publishing: {list}");
            let is_unix = mine[0].contains(&format!("addr={socket}:0"));
            assert!(mine[0].contains(addr) && mine[0].contains(&format!(" {db} ")), "{url}: {mine:?}");
            assert_eq!(is_unix, url.starts_with("unix"), "{url}: {mine:?}");
            drop(engine);
            until("the connection to be closed", || {
                !admin.ask(&["CLIENT", "LIST"]).contains(" name=ringwire ")
            });
        }
    });
}

#[test]
fn a_database_that_there_is_not() {
    on_both(|host| {
        let server = Server::start();
        let engine = start(host, &format!("{}/999", server.url()));
        engine.channel("a").expect("a channel opens");
        let mut error = String::new();
        until("the server to turn us away", || {
            let status = engine.status().remove(0);
            error = status.last_error().map(ToString::to_string).unwrap_or_default();
            status.publish.state == EndpointState::Failed && !error.is_empty()
        });
        assert!(error.contains("refused") && error.contains("DB index is out of range"), "{error}");
    });
}

#[test]
fn nobody_there_until_somebody_is() {
    on_both(|host| {
        let mut server = Server::start();
        server.kill();
        let by_name = format!("redis://localhost:{}", server.port());
        let by_path = format!("unix://{}", server.socket().display());
        let cases = [
            (server.url(), format!("127.0.0.1:{}", server.port())),
            (by_name, format!("{}", server.port())),
            (by_path, server.socket().display().to_string()),
        ];
        let engines = cases.map(|(url, place)| {
            let engine = start(host, &url);
            let channel = engine.channel("a").expect("a channel opens");
            let mut error = String::new();
            until("the first failure", || {
                let status = engine.status().remove(0);
                error = status.last_error().map(ToString::to_string).unwrap_or_default();
                status.publish.state == EndpointState::Reconnecting && !error.is_empty()
            });
            assert!(error.contains("cannot connect") && error.contains(&place), "{url}: {error}");
            let (mut publisher, _reports) = engine.publisher().expect("a publisher opens");
            assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::NotConnected), "{url}");
            engine
        });
        server.restart();
        for engine in engines {
            assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
            assert_eq!(engine.status()[0].last_error(), None);
        }
    });
}
