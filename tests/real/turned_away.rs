//! Servers that cannot be had, or not wholly: what is in the way is named, and found gone without a restart.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use ringwire::{EndpointState, Health, LinkError, Refusal};
use rustix::net::{AddressFamily, SocketType};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::line::Line;
use crate::patience::until;
use crate::proxy::Proxy;
use crate::server::{Server, free_port};

/// Clients that leave no room for the engine's two.
const FILLERS: usize = 2;
/// Keys whose loading is slowed down, and by how much each: together longer than any test waits.
const KEYS: &str = "5000";
const KEY_LOAD_DELAY_US: &str = "15000";
/// A server that loads looks at its clients after so many bytes; it takes no smaller number.
const LOOK_EVERY_BYTES: &str = "1024";
/// A connect that is not answered within this time will not be.
const UNANSWERED: Duration = Duration::from_millis(300);

#[test]
fn as_many_clients_as_the_server_takes() {
    on_both(|host| {
        let server = Server::start();
        let mut admin = Client::connect(&server);
        let fillers: Vec<Client> = (0..FILLERS)
            .map(|_| {
                let mut filler = Client::connect(&server);
                filler.ask(&["PING"]);
                filler
            })
            .collect();
        admin.order(&["CONFIG", "SET", "maxclients", &(FILLERS + 1).to_string()]);
        let mut line = Line::open(main_at(host, &server.url(), ""));
        line.await_publish(EndpointState::Failed, "takes no more clients");
        line.await_status("the same for subscriptions", |status| {
            matches!(status.subscribe.last_error, Some(LinkError::MaxClients(_)))
        });
        assert_eq!(line.engine.health(), Health::Degraded);
        assert_eq!(line.publish(b"x"), Err(Refusal::NotConnected));
        drop(fillers);
        line.await_ready();
        line.deliver(b"x");
        until("health", || line.engine.health() == Health::Healthy);
    });
}

#[test]
fn a_server_that_loads_its_data() {
    on_both(|host| {
        let mut server = Server::with(&["--rdbcompression", "no"]);
        let mut admin = Client::connect(&server);
        admin.order(&["DEBUG", "POPULATE", KEYS, "key", LOOK_EVERY_BYTES]);
        admin.order(&["SAVE"]);
        server.kill();
        let slowly = [
            "--key-load-delay",
            KEY_LOAD_DELAY_US,
            "--loading-process-events-interval-bytes",
            LOOK_EVERY_BYTES,
        ];
        server.restart_loading(&slowly);
        let mut admin = Client::connect(&server);
        assert!(admin.ask(&["PING"]).starts_with("-LOADING"));
        let mut line = Line::up(main_at(host, &server.url(), ""));
        line.deliver(b"while it loads");
        assert_eq!(line.hear("while it loads"), ["subscribed", "while it loads"]);
        line.await_publish(EndpointState::Connected, "is loading its data set");
        let is_loading = |error: &Option<LinkError>| matches!(error, Some(LinkError::Loading(_)));
        line.await_status("the same for subscriptions", |status| is_loading(&status.subscribe.last_error));
        assert_eq!(line.engine.health(), Health::Degraded);
        line.deliver(b"still");
        admin.order(&["CONFIG", "SET", "key-load-delay", "0"]);
        line.await_status("the end of it", |status| status.last_error().is_none());
        until("health", || line.engine.health() == Health::Healthy);
        line.deliver(b"again");
        assert_eq!(line.hear("again"), ["still", "again"], "through the same connections");
        assert_eq!(line.status().counters.reconnects, 0);
    });
}

#[test]
fn a_replica_that_has_lost_its_primary() {
    on_both(|host| {
        let nowhere = free_port().to_string();
        let server =
            Server::with(&["--replicaof", "127.0.0.1", &nowhere, "--replica-serve-stale-data", "no"]);
        let mut line = Line::open(main_at(host, &server.url(), ""));
        line.await_publish(EndpointState::Failed, "the server is a replica");
        let status = line.await_status("the subscriptions", |status| {
            matches!(status.subscribe.last_error, Some(LinkError::MasterDown(_)))
        });
        assert_eq!(status.subscribe.state, EndpointState::Connected);
        assert!(line.subscriber.wait(crate::patience::PATIENCE), "the subscription is in force even so");
        assert_eq!(line.engine.health(), Health::Degraded);
        assert_eq!(line.publish(b"x"), Err(Refusal::NotConnected));
        Client::connect(&server).order(&["REPLICAOF", "NO", "ONE"]);
        line.await_ready();
        line.deliver(b"x");
        assert_eq!(line.hear("x"), ["subscribed", "x"]);
        line.await_status("no error", |status| status.last_error().is_none());
    });
}

/// A listening socket that takes one connection and leaves every other one unanswered.
fn black_hole() -> TcpListener {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))).expect("it has a port");
    rustix::net::listen(&socket, 0).expect("it listens");
    socket.into()
}

#[test]
fn an_address_that_swallows_connects() {
    on_both(|host| {
        let server = Server::start();
        let hole = black_hole();
        let addr = hole.local_addr().expect("it has an address");
        let mut inside = Vec::new();
        until("the backlog to be full", || match TcpStream::connect_timeout(&addr, UNANSWERED) {
            Ok(stream) => {
                inside.push(stream);
                false
            }
            Err(_) => true,
        });
        let config = main_at(host, &format!("redis://{addr}"), "connect_timeout_ms = 200");
        let mut line = Line::open(config);
        let status = line.await_publish(EndpointState::Reconnecting, "no answer to the connect in time");
        assert_eq!(status.publish.last_error, Some(LinkError::ConnectTimeout));
        assert_eq!(line.publish(b"x"), Err(Refusal::NotConnected));
        // Somebody begins to accept.
        let _proxy = Proxy::on(hole, &server);
        line.await_ready();
        line.deliver(b"x");
    });
}
