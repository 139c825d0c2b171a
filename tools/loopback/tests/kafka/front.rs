//! The cluster on sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, MetadataRequest, ProduceRequest};
use kafka_protocol::protocol::{Encodable, Request};
use ringwire_loopback::front::{Idle, KafkaFront, KafkaOptions, spawn_kafka};
use ringwire_loopback::kafka::{ClusterOptions, TopicOptions};

use crate::client::{Batch, decode, encode, name, produce};
use crate::metadata;

/// How long a test waits for what has to come.
const DEADLINE: Duration = Duration::from_secs(20);

fn front(brokers: u32, idle: Idle) -> KafkaFront {
    let options =
        KafkaOptions { brokers, idle, cluster: ClusterOptions { deep: true, ..Default::default() } };
    let front = spawn_kafka("127.0.0.1:0", options).expect("a front on loopback");
    let created = front.with(|cluster| cluster.create_topic("t", 3, TopicOptions::default()));
    assert_eq!(created, Some(Ok(())));
    front
}

struct Socket {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Socket {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the front accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        Self { stream, received: Vec::new() }
    }

    fn send<R: Request + Encodable>(&mut self, version: i16, correlation_id: i32, request: &R) {
        let bytes = encode(version, correlation_id, request);
        self.stream.write_all(&bytes).expect("the front reads");
    }

    /// The next answer; `None` at the end of the connection.
    fn next<R: Request>(&mut self, version: i16, correlation_id: i32) -> Option<R::Response> {
        loop {
            if let Some(answer) = decode::<R>(version, correlation_id, &mut self.received) {
                return Some(answer);
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.received.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("cannot read: {error}"),
            }
        }
    }
}

#[test]
fn every_broker_serves_at_its_own_address() {
    for idle in [Idle::Block, Idle::Spin] {
        let front = front(3, idle);
        let bootstrap: Vec<_> = front.addrs().iter().map(SocketAddr::to_string).collect();
        assert_eq!(front.bootstrap(), bootstrap.join(","));
        let mut first = Socket::connect(front.addrs()[0]);
        first.send(12, 1, &metadata::request(Some(&["t"])));
        let seen = first.next::<MetadataRequest>(12, 1).expect("an answer");
        let address = |broker: &kafka_protocol::messages::metadata_response::MetadataResponseBroker| {
            format!("{}:{}", broker.host, broker.port)
        };
        assert_eq!(seen.brokers.iter().map(address).collect::<Vec<_>>(), bootstrap);
        for partition in &seen.topics[0].partitions {
            let leader = partition.leader_id.0;
            let mut socket = Socket::connect(front.addrs()[leader as usize - 1]);
            for correlation_id in 1..=100 {
                let batch = Batch::of(0, (correlation_id - 1) * 2, 2).encode();
                socket.send(9, correlation_id, &produce(-1, "t", partition.partition_index, Some(batch)));
            }
            for correlation_id in 1..=100 {
                let answer = socket.next::<ProduceRequest>(9, correlation_id).expect("an answer");
                let answer = &answer.responses[0].partition_responses[0];
                let offset = i64::from(correlation_id - 1) * 2;
                assert_eq!((answer.error_code, answer.base_offset), (0, offset));
            }
        }
        let index = |index| front.with(move |cluster| cluster.offsets("t", index)).flatten();
        assert_eq!((0..3).map(index).collect::<Vec<_>>(), vec![Some(0..200); 3]);
    }
}

/// With nothing happening, the thread wakes for what waits.
#[test]
fn a_fetch_that_finds_nothing_is_answered_when_its_time_is_over() {
    for idle in [Idle::Block, Idle::Spin] {
        let front = front(1, idle);
        let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic(name("t")).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_wait_ms(20)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let mut socket = Socket::connect(front.addrs()[0]);
        socket.send(12, 1, &request);
        let answer = socket.next::<FetchRequest>(12, 1).expect("an answer");
        let partition = &answer.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 0));
    }
}

#[test]
fn the_world_s_hand_reaches_a_running_cluster() {
    let front = front(2, Idle::Block);
    let mut sockets: Vec<_> = front.addrs().iter().map(|&addr| Socket::connect(addr)).collect();
    for socket in &mut sockets {
        socket.send(12, 1, &metadata::request(None));
        assert_eq!(socket.next::<MetadataRequest>(12, 1).expect("an answer").brokers.len(), 2);
    }
    front.with(|cluster| cluster.hold_answers(1)).expect("the thread lives");
    sockets[0].send(9, 2, &produce(-1, "t", 0, Some(Batch::PLAIN.encode())));
    front.with(|cluster| cluster.stop_broker(2)).expect("the thread lives");
    assert!(sockets[1].next::<MetadataRequest>(12, 2).is_none(), "its connections end");
    assert!(Socket::connect(front.addrs()[1]).next::<MetadataRequest>(12, 1).is_none(), "and new ones too");
    front.with(|cluster| cluster.release_answers(1)).expect("the thread lives");
    let answer = sockets[0].next::<ProduceRequest>(9, 2).expect("an answer");
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    drop(front);
    assert!(sockets[0].next::<ProduceRequest>(9, 3).is_none(), "dropping closes the connections");
}

#[test]
fn what_cannot_be_served_is_told() {
    let check = |listen: &str, brokers, words: &str| {
        let spawned = spawn_kafka(listen, KafkaOptions { brokers, ..KafkaOptions::default() });
        let error = spawned.err().expect("an error").to_string();
        assert!(error.contains(words), "{listen}: {error}");
    };
    check("127.0.0.1:0", 0, "brokers");
    check("127.0.0.1:0", 1_001, "brokers");
    check("127.0.0.1", 1, "HOST:PORT");
    check("127.0.0.1:x", 1, "port");
    check("127.0.0.1:65535", 3, "");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    check(&taken.local_addr().expect("an address").to_string(), 1, "in use");
}
