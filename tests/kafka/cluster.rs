//! Three brokers: leaders that move, hints about them, and what is still there when all were down.

use ringwire_codec::kafka::*;
use ringwire_tests::patience::until;

use crate::client::{Client, Produced, Target};
use crate::line::{Line, lines};
use crate::records::{Owned, TIME, batch};
use crate::server::{Kafka, KafkaOptions};

const NODES: [i32; 3] = [1, 2, 3];
/// By default a frozen broker keeps its leaders for nine seconds.
const PROPERTIES: [(&str, &str); 3] = [
    ("broker.session.timeout.ms", "3000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("min.insync.replicas", "2"),
];
const TOPIC: &str = "replicated";

/// One producer and one partition, wherever its leader is.
struct Run {
    kafka: Kafka,
    topic_id: [u8; 16],
    producer: Producer,
    expected: Vec<Owned>,
}

impl Run {
    fn start(line: Line) -> Self {
        let kafka = Kafka::start(line, &KafkaOptions { brokers: 3, properties: &PROPERTIES });
        let mut client = Client::connect(kafka.addr(1));
        let topic_id = client.create_replicated_topic(TOPIC, 1, 3, &[]);
        let producer = client.producer();
        Self { kafka, topic_id, producer, expected: Vec::new() }
    }

    /// Who leads, in the eyes of a node.
    fn leader(&self, seen_by: i32) -> LeaderHint {
        Client::connect(self.kafka.addr(seen_by)).leaders(TOPIC)[0]
    }

    /// Waits until the partition has another leader than this one, and answers which.
    fn other_leader(&self, seen_by: i32, than: i32) -> LeaderHint {
        let mut leader = self.leader(seen_by);
        until("another leader", || {
            leader = self.leader(seen_by);
            leader.leader_id > 0 && leader.leader_id != than
        });
        leader
    }

    fn put(&self, node: i32, version: i16, batch: &FrozenBatch) -> Produced {
        let mut client = Client::connect(self.kafka.addr(node));
        let target = Target { version, topic: TOPIC, topic_id: self.topic_id, partition: 0 };
        client.produce(&target, -1, batch.bytes()).expect("it is answered")
    }

    /// Appends the next batch to the log, once, by as many attempts as it takes.
    fn append(&mut self, leader: i32) {
        let number = self.expected.len();
        let values = (number..number + 10).map(|value| format!("value {value}"));
        let records: Vec<Owned> = values.map(|it| Owned::new(TIME, None, Some(it.as_bytes()))).collect();
        let batch = batch(&records, Compression::Lz4, self.producer);
        let version = Client::connect(self.kafka.addr(leader)).newest::<ProduceRequest<'_>>();
        until("the leader takes it", || {
            let error = self.put(leader, version, &batch).error_code;
            assert!(error == ErrorCode::NONE || error.info().retriable, "{error}");
            error == ErrorCode::NONE
        });
        self.producer.sequence = batch.next_sequence();
        self.expected.extend(records);
    }
}

#[test]
fn leaders_move_and_nothing_is_lost() {
    for line in lines() {
        let mut run = Run::start(line);
        let first = run.leader(1);
        run.append(first.leader_id);
        check_hints(&run, first);

        run.kafka.kill(first.leader_id);
        let witness = *NODES.iter().find(|node| **node != first.leader_id).expect("there are three");
        let second = run.other_leader(witness, first.leader_id);
        assert!(second.leader_epoch > first.leader_epoch);
        run.append(second.leader_id);
        run.kafka.restart(&[first.leader_id]);
        run.append(second.leader_id);

        run.kafka.freeze(second.leader_id);
        let third = run.other_leader(first.leader_id, second.leader_id);
        run.append(third.leader_id);
        run.kafka.thaw(second.leader_id);
        run.append(third.leader_id);

        for node in NODES {
            run.kafka.kill(node);
        }
        run.kafka.restart(&NODES);
        let leader = run.other_leader(1, -1);
        run.append(leader.leader_id);
        check_log(&mut run, leader.leader_id);
    }
}

/// A node that does not lead says who does (KIP-951).
fn check_hints(run: &Run, leader: LeaderHint) {
    let batch = batch(&[Owned::new(TIME, None, Some(b"x"))], Compression::None, Producer::NONE);
    let port = i32::from(run.kafka.addr(leader.leader_id).port());
    for node in NODES.into_iter().filter(|node| *node != leader.leader_id) {
        let versions = Client::connect(run.kafka.addr(node)).in_common(Api::Produce);
        for version in versions {
            let produced = run.put(node, version, &batch);
            assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NOT_LEADER_OR_FOLLOWER, -1));
            let (hint, endpoints) = if version >= LEADER_HINT_VERSION {
                (leader, vec![(leader.leader_id, port)])
            } else {
                (LeaderHint::UNKNOWN, vec![])
            };
            assert_eq!((produced.current_leader, produced.node_endpoints), (hint, endpoints), "{version}");
        }
    }
}

/// Every record once and in order, and the sequence without a gap.
fn check_log(run: &mut Run, leader: i32) {
    let mut judge = run.kafka.judge();
    let found = judge.read(TOPIC);
    assert!(found.iter().map(|stored| &stored.record).eq(&run.expected), "{found:?}");
    let segments = run.kafka.segments(leader, TOPIC, 0);
    let dumped: Vec<_> = segments.iter().flat_map(|segment| judge.dump(segment)).collect();
    let sequences = dumped.iter().flat_map(|batch| &batch.records).map(|record| record.sequence);
    assert!(sequences.eq(0..run.expected.len() as i64), "{dumped:?}");
}
