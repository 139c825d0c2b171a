//! Look-ups by a function of the test's own: no name service is asked.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use ringwire_core::{EndpointState, LinkError};
use ringwire_loopback::front::{self, RedisFront};
use ringwire_loopback::redis::Options;

use super::*;
use crate::{Config, Engine, Route, StartError};

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

/// The names that a hook was called with; as many hooks hold it as can still be called.
type Told = Arc<Mutex<Vec<String>>>;

/// A hook that notes each name, but first does what the test wants done.
fn noting(told: &Told, before: impl Fn() + Send + Sync + 'static) -> impl Fn(&str) + Send + Sync + 'static {
    let told = told.clone();
    move |name| {
        before();
        told.lock().unwrap().push(name.to_owned());
    }
}

/// Longer than an engine needs to find that it cannot start.
fn dawdle() {
    let until = Instant::now() + Duration::from_millis(100);
    while Instant::now() < until {
        thread::yield_now();
    }
}

#[test]
fn a_start_that_fails_leaves_no_thread_and_no_hook() {
    let (book, told) = (Arc::new(Book::default()), Told::default());
    let config = Config::new().redis("named", "redis://named:6379").unwrap();
    // No machine has that core.
    let config = config.cores([1_000]).on_thread_start(noting(&told, dawdle));
    let error = Engine::start_with(config, book.look_up()).unwrap_err();
    assert!(matches!(error, StartError::Host(_)), "{error}");
    assert_eq!((Arc::strong_count(&told), Arc::strong_count(&book)), (1, 1));
    assert_eq!(*told.lock().unwrap(), [CONTROL]);
}

#[test]
fn a_look_up_that_outlives_the_engine_holds_nothing_of_the_applications() {
    let (book, told) = (Arc::new(Book::default()), Told::default());
    let config = Config::new().redis("dead", "redis://dead:6379").unwrap();
    let config = config.on_thread_start(noting(&told, || ()));
    let engine = Engine::start_with(config, book.look_up()).unwrap();
    engine.connect();
    until("the look-up", || book.asked("dead") == 1);
    drop(engine);
    // The look-up is under way.
    assert!(Arc::strong_count(&book) > 1);
    assert_eq!(Arc::strong_count(&told), 1);
    assert!(told.lock().unwrap().contains(&"ringwire-dns-0".to_owned()));
    book.write("dead", &[]);
    until("the end of the thread", || Arc::strong_count(&book) == 1);
}

#[test]
fn behind_the_end_no_look_up_begins() {
    // What is ready at the same time comes in any order: some of these have the request first.
    for _ in 0..32 {
        let (book, told, is_let_go) =
            (Arc::new(Book::default()), Told::default(), Arc::<AtomicBool>::default());
        let held = {
            let is_let_go = is_let_go.clone();
            move || until("the test", || is_let_go.load(Ordering::Acquire))
        };
        let hook = ThreadStart::new(noting(&told, held));
        let (mut resolver, requests) = Resolver::start(book.look_up(), hook).unwrap();
        let (shard, connection) = (Weak::new(), ConnectionId::from_index(0));
        requests.send(Request { shard, connection, name: (Arc::from("late"), 1) }).unwrap();
        resolver.end = None;
        is_let_go.store(true, Ordering::Release);
        drop(resolver);
        assert_eq!((book.asked("late"), Arc::strong_count(&told), Arc::strong_count(&book)), (0, 1, 1));
        assert_eq!(*told.lock().unwrap(), [CONTROL]);
    }
}

#[test]
fn a_hook_that_runs_is_waited_for_and_is_the_last() {
    let (told, is_within) = (Told::default(), Arc::<AtomicBool>::default());
    let slow = {
        let is_within = is_within.clone();
        move || {
            is_within.store(true, Ordering::Release);
            dawdle();
        }
    };
    let hook = Revocable::new(ThreadStart::new(noting(&told, slow)));
    let announced = {
        let hook = hook.clone();
        thread::spawn(move || hook.announce("in time"))
    };
    until("the hook", || is_within.load(Ordering::Acquire));
    hook.revoke();
    assert_eq!(*told.lock().unwrap(), ["in time"]);
    hook.announce("late");
    announced.join().unwrap();
    assert_eq!(*told.lock().unwrap(), ["in time"]);
}
