//! A Kafka cluster on TCP ports, one for each broker, all served by one thread.

use std::io;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Idle;
use super::handle::Handle;
use super::socket::Listener;
use crate::kafka::{Broker, Cluster, ClusterOptions};

/// Brokers of a cluster: more than any test has, and few enough for every one to have a listener.
const BROKERS_MAX: u32 = 1_000;

/// How a cluster is put on sockets.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// How many brokers: their numbers are 1, 2, 3... At most 1,000.
    pub brokers: u32,
    /// The cluster; its `epoch_ms` is replaced by the time of day.
    pub cluster: ClusterOptions,
    /// What the thread does when there is nothing to do.
    pub idle: Idle,
}

impl Default for KafkaOptions {
    /// One broker.
    fn default() -> Self {
        Self { brokers: 1, cluster: ClusterOptions::default(), idle: Idle::default() }
    }
}

/// The broker behind a listener.
pub(super) fn broker_id(listener: usize) -> i32 {
    listener as i32 + 1
}

/// A Kafka cluster on sockets; stops when it is dropped.
///
/// A broker that is [stopped](Cluster::stop_broker) keeps its port: who connects there is accepted, and sees the end
/// of the connection at once.
///
/// `Send` and `Sync`: any thread may ask for the addresses or use [`with`](Self::with).
pub struct KafkaFront {
    addrs: Vec<SocketAddr>,
    handle: Handle<Cluster>,
}

/// Serves a cluster on a TCP address such as `127.0.0.1:0`. With port 0 each broker gets a free port, else they get
/// this one and those behind it. They advertise the addresses that they listen on.
///
/// # Errors
///
/// No brokers or too many; an address cannot be resolved or bound; or the thread not be started.
pub fn spawn_kafka(listen: &str, options: KafkaOptions) -> io::Result<KafkaFront> {
    let KafkaOptions { brokers, mut cluster, idle } = options;
    let invalid = |words: &str| io::Error::new(io::ErrorKind::InvalidInput, words.to_owned());
    if !(1..=BROKERS_MAX).contains(&brokers) {
        return Err(invalid("expected 1 to 1,000 brokers"));
    }
    let (host, port) = listen.rsplit_once(':').ok_or_else(|| invalid("expected HOST:PORT"))?;
    let port: u16 = port.parse().map_err(|_| invalid("expected a port from 0 to 65535"))?;
    let (mut listeners, mut addrs) = (Vec::new(), Vec::new());
    for index in 0..brokers {
        let own = if port == 0 { Some(0) } else { port.checked_add(index as u16) };
        let own = own.ok_or_else(|| invalid("expected a first port that leaves one for each broker"))?;
        let (listener, addr) = Listener::tcp(&format!("{host}:{own}"))?;
        listeners.push(listener);
        addrs.push(addr);
    }
    let broker = |(index, addr): (usize, &SocketAddr)| Broker {
        id: broker_id(index),
        host: addr.ip().to_string(),
        port: addr.port(),
    };
    let brokers = addrs.iter().enumerate().map(broker).collect();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    cluster.epoch_ms = i64::try_from(since_1970.as_millis()).unwrap_or_default();
    let handle = Handle::start("ringwire-kafka", listeners, Cluster::new(brokers, cluster), idle)?;
    Ok(KafkaFront { addrs, handle })
}

impl KafkaFront {
    /// Where the brokers listen, in the order of their numbers.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// What clients are given: `127.0.0.1:9092,127.0.0.1:9093`.
    pub fn bootstrap(&self) -> String {
        let addrs: Vec<String> = self.addrs.iter().map(SocketAddr::to_string).collect();
        addrs.join(",")
    }

    /// Lets the front's thread call `f` with its cluster, between two requests, and waits for the result: to move a
    /// leader, inject an error or look into a log. What it gives clients to read is sent. `None` if the thread has
    /// died.
    pub fn with<R: Send + 'static>(&self, f: impl FnOnce(&mut Cluster) -> R + Send + 'static) -> Option<R> {
        self.handle.with(f)
    }

    /// Closes every connection and the listeners, and waits for the thread to end. Dropping does the same.
    pub fn stop(self) {}
}
