//! Look-ups by a function of the test's own: no name service is asked.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use ringwire_core::{EndpointState, LinkError};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;

use super::*;
use crate::{Config, Engine, Route};

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::yield_now();
    }
}

/// A name service: names without an entry have no answer, until they get one.
#[derive(Default)]
struct Book {
    entries: Mutex<HashMap<String, Vec<SocketAddr>>>,
    changed: Condvar,
    asked: Mutex<Vec<String>>,
}

impl Book {
    fn write(&self, host: &str, addresses: &[SocketAddr]) {
        self.entries.lock().unwrap().insert(host.to_owned(), addresses.to_vec());
        self.changed.notify_all();
    }

    fn asked(&self, host: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|it| *it == host).count()
    }

    fn look_up(self: &Arc<Self>) -> Arc<LookUp> {
        let book = self.clone();
        Arc::new(move |host, _| {
            book.asked.lock().unwrap().push(host.to_owned());
            let entries = book.entries.lock().unwrap();
            let waiting = |entries: &mut HashMap<String, _>| !entries.contains_key(host);
            let (entries, timeout) = book.changed.wait_timeout_while(entries, PATIENCE, waiting).unwrap();
            assert!(!timeout.timed_out(), "nobody wrote the entry of {host}");
            Ok(entries[host].clone())
        })
    }
}

fn engine(book: &Arc<Book>, hosts: &[&str]) -> Engine {
    let config = hosts
        .iter()
        .fold(Config::new(), |config, host| config.redis(host, &format!("redis://{host}:6379")).unwrap());
    let config = config.route(Route::new("*").to(hosts[0]));
    let engine = Engine::start_with(config, book.look_up()).unwrap();
    engine.connect();
    engine
}

fn server() -> (RedisFront, SocketAddr) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let address = server.addr().unwrap();
    (server, address)
}

fn is_up(engine: &Engine, endpoint: usize) -> bool {
    let status = &engine.status()[endpoint];
    [&status.publish, &status.subscribe].iter().all(|lane| lane.state == EndpointState::Connected)
}

#[test]
fn a_dead_name_holds_up_no_other_and_no_shutdown() {
    let book = Arc::new(Book::default());
    let (_server, address) = server();
    let engine = engine(&book, &["dead", "live"]);
    until("the dead name's look-up", || book.asked("dead") == 1);
    book.write("live", &[address]);
    until("the live endpoint", || is_up(&engine, 1));
    assert!(!is_up(&engine, 0));
    drop(engine);
    assert_eq!(book.asked("dead"), 1, "one look-up, for two connections and every attempt");
    // The stuck thread holds the function that the test lends, and nothing else; it ends when that does.
    assert!(Arc::strong_count(&book) > 1);
    book.write("dead", &[address]);
    until("the end of the threads", || Arc::strong_count(&book) == 1);
}

#[test]
fn a_dead_name_of_a_bootstrap_list_does_not_hold_up_the_others() {
    let book = Arc::new(Book::default());
    let server = front::spawn_kafka("127.0.0.1:0", front::KafkaOptions::default()).unwrap();
    book.write("live", server.addrs());
    let config = Config::new().kafka("kafka", "dead:9092,live:9092").unwrap();
    let engine = Engine::start_with(config.route(Route::new("*").to("kafka")), book.look_up()).unwrap();
    engine.connect();
    until("the cluster", || engine.status()[0].publish.state == EndpointState::Connected);
    book.write("dead", &[]);
}

#[test]
fn an_answer_that_is_later_than_the_attempt_serves_the_next_one() {
    let book = Arc::new(Book::default());
    let (_server, address) = server();
    let engine = engine(&book, &["slow"]);
    until("an attempt's end", || engine.status()[0].last_error() == Some(&LinkError::ConnectTimeout));
    book.write("slow", &[address]);
    until("the connection", || is_up(&engine, 0));
    assert_eq!(book.asked("slow"), 1);
}

#[test]
fn more_dead_names_than_threads_are_answered_in_the_end() {
    let book = Arc::new(Book::default());
    let (_server, address) = server();
    let hosts: Vec<String> = (0..LOOK_UPS_MAX + 3).map(|number| format!("host{number}")).collect();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let engine = engine(&book, &names);
    until("all threads", || book.asked.lock().unwrap().len() == LOOK_UPS_MAX);
    names.iter().for_each(|host| book.write(host, &[address]));
    until("the connections", || (0..names.len()).all(|endpoint| is_up(&engine, endpoint)));
}

#[test]
fn each_connect_looks_the_name_up_again() {
    let book = Arc::new(Book::default());
    let (first, address) = server();
    book.write("moving", &[address]);
    let engine = engine(&book, &["moving"]);
    until("the first server", || is_up(&engine, 0));
    let (_second, address) = server();
    book.write("moving", &[address]);
    first.stop();
    until("the second server", || engine.status()[0].counters.reconnects == 2 && is_up(&engine, 0));
}

/// A listener that takes no more connections: the kernel drops what knocks.
fn full() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let waiting = std::iter::from_fn(knock).take(10_000).collect();
    (listener, waiting, address)
}

#[test]
fn a_bad_first_address_does_not_hide_a_good_second_one() {
    let book = Arc::new(Book::default());
    let (_server, good) = server();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (_full, _waiting, black_hole) = full();
    book.write("closed", &[closed, good]);
    book.write("silent", &[silent.local_addr().unwrap(), good]);
    book.write("black-hole", &[black_hole, good]);
    book.write("all", &[black_hole, silent.local_addr().unwrap(), closed, good]);
    let engine = engine(&book, &["closed", "silent", "black-hole", "all"]);
    until("all of them", || (0..4).all(|endpoint| is_up(&engine, endpoint)));
}

#[test]
fn an_answer_without_an_address_says_so() {
    let book = Arc::new(Book::default());
    book.write("empty", &[]);
    let engine = engine(&book, &["empty"]);
    let wanted = LinkError::Connect("the name empty has no address".to_owned());
    until("the reason", || engine.status()[0].last_error() == Some(&wanted));
    let refusing: Arc<LookUp> = Arc::new(|_, _| Err(io::Error::other("not known")));
    let name = (Arc::from("x"), 1);
    assert_eq!(find(&*refusing, &name), Err("the name x cannot be looked up: not known".to_owned()));
}
