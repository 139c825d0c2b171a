//! What befalls a cluster, and how its clients hear of it.

use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use ringwire_codec::kafka::{Api, ErrorCode};
use ringwire_loopback::kafka::{Cluster, ClusterOptions, Injection, TopicOptions};

use crate::client::{BY_NAME, Batch, Client, cluster, produce};
use crate::metadata;

fn hint(answer: &PartitionProduceResponse) -> (i32, i32) {
    (answer.current_leader.leader_id.0, answer.current_leader.leader_epoch)
}

#[test]
fn only_the_leader_takes_batches_and_others_name_it() {
    let mut cluster = cluster(3, ClusterOptions::default());
    assert_eq!(cluster.leader("t", 0), Some((1, 0)));
    assert!(cluster.move_leader("t", 0, 3));
    assert!(!cluster.move_leader("t", 0, 9) && !cluster.move_leader("t", 3, 1));
    for (broker, error) in [(1, 6), (2, 6), (3, 0)] {
        let mut client = Client::connect(&mut cluster, broker);
        for version in [9, 10] {
            let request = produce(-1, "t", 0, Some(Batch::PLAIN.encode()));
            let answer = client.ask(&mut cluster, version, &request);
            let partition = &answer.responses[0].partition_responses[0];
            assert_eq!(partition.error_code, error, "broker {broker}");
            let named: Vec<_> =
                answer.node_endpoints.iter().map(|it| (it.node_id.0, it.host.as_str(), it.port)).collect();
            if error == 0 || version < 10 {
                assert_eq!((hint(partition), named), ((-1, -1), vec![]));
            } else {
                assert_eq!((hint(partition), named), ((3, 1), vec![(3, "broker-3", 9003)]));
            }
        }
    }
    let records = cluster.records("t", 0, 0).expect("sound batches");
    assert!(records.iter().all(|record| record.leader_epoch == 1));
    let partition = &metadata::ask(&mut cluster, 2, &["t"]).topics[0].partitions[0];
    assert_eq!((partition.leader_id.0, partition.leader_epoch), (3, 1));
}

/// What a producer has sent is known to the next leader.
#[test]
fn sequences_move_with_the_leader() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let mut first = Client::connect(&mut cluster, 1);
    assert_eq!(first.produce(&mut cluster, 0, Batch::of(0, 0, 2).encode()).base_offset, 0);
    cluster.move_leader("t", 0, 2);
    let mut second = Client::connect(&mut cluster, 2);
    assert_eq!(second.produce(&mut cluster, 0, Batch::of(0, 0, 2).encode()).base_offset, 0);
    assert_eq!(second.produce(&mut cluster, 0, Batch::of(0, 2, 2).encode()).base_offset, 2);
}

#[test]
fn a_broker_that_stops_ends_its_connections_and_leaves_the_metadata() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let (mut one, mut two) = (Client::connect(&mut cluster, 1), Client::connect(&mut cluster, 2));
    cluster.stop_broker(2);
    two.take(&mut cluster);
    assert!(two.is_closed && !one.is_closed);
    let mut late = Client::connect(&mut cluster, 2);
    late.take(&mut cluster);
    assert!(late.is_closed, "nobody is accepted");
    let seen = |cluster: &mut Cluster, one: &mut Client| {
        let answer = one.ask(cluster, 13, &metadata::request(Some(&["t"])));
        let partition = answer.topics[0].partitions[1].clone();
        let offline = partition.offline_replicas.len();
        (answer.brokers.len(), partition.error_code, partition.leader_id.0, offline)
    };
    assert_eq!(seen(&mut cluster, &mut one), (1, 5, -1, 1));
    cluster.move_leader("t", 1, 1);
    assert_eq!(seen(&mut cluster, &mut one), (1, 0, 1, 1));
    cluster.start_broker(2);
    assert_eq!(seen(&mut cluster, &mut one), (2, 0, 1, 0));
    assert!(!Client::connect(&mut cluster, 2).is_closed);
    cluster.disconnect(1);
    one.take(&mut cluster);
    assert!(one.is_closed);
}

#[test]
fn a_broker_may_know_yesterday_s_leaders() {
    let mut cluster = cluster(2, ClusterOptions::default());
    cluster.freeze_metadata(2);
    cluster.move_leader("t", 0, 2);
    cluster.add_partitions("t", 1).expect("room");
    let leader = |cluster: &mut Cluster, broker| {
        let topic = metadata::ask(cluster, broker, &["t"]).topics.remove(0);
        let of = |at: usize| (topic.partitions[at].leader_id.0, topic.partitions[at].leader_epoch);
        (of(0), of(3))
    };
    assert_eq!(leader(&mut cluster, 1), ((2, 1), (2, 0)));
    assert_eq!(leader(&mut cluster, 2), ((1, 0), (2, 0)));
    cluster.thaw_metadata(2);
    assert_eq!(leader(&mut cluster, 2), ((2, 1), (2, 0)));
}

#[test]
fn an_advertised_address_may_lead_nowhere() {
    let mut cluster = cluster(2, ClusterOptions::default());
    cluster.advertise(2, "nowhere.invalid", 1);
    let brokers = metadata::ask(&mut cluster, 1, &["t"]).brokers;
    assert_eq!((brokers[1].host.as_str(), brokers[1].port), ("nowhere.invalid", 1));
}

#[test]
fn injected_errors_come_so_often_and_appended_or_not() {
    for (appended, end) in [(false, 2), (true, 6)] {
        let mut cluster = cluster(1, ClusterOptions::default());
        let mut client = Client::connect(&mut cluster, 1);
        let injection = Injection::new(Api::Produce, ErrorCode(7), 2);
        let (topic, partition) = (Some("t".to_owned()), Some(0));
        cluster.inject(Injection { appended, topic, partition, ..injection });
        for error in [7, 7, 0] {
            assert_eq!(client.produce(&mut cluster, 1, Batch::PLAIN.encode()).error_code, 0, "another");
            let answer = client.produce(&mut cluster, 0, Batch::PLAIN.encode());
            assert_eq!((answer.error_code, answer.base_offset >= 0), (error, error == 0));
        }
        assert_eq!(cluster.offsets("t", 0), Some(0..end));
    }
}

#[test]
fn an_appended_batch_under_an_error_is_a_duplicate_later() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    let injection = Injection::new(Api::Produce, ErrorCode(20), 1);
    cluster.inject(Injection { appended: true, ..injection });
    for (error, offset) in [(20, -1), (0, 0)] {
        let answer = client.produce(&mut cluster, 0, Batch::of(0, 0, 2).encode());
        assert_eq!((answer.error_code, answer.base_offset), (error, offset));
    }
    assert_eq!(cluster.offsets("t", 0), Some(0..2));
}

#[test]
fn injections_end_and_reach_other_requests() {
    let mut cluster = cluster(1, ClusterOptions::default());
    cluster.inject(Injection::new(Api::Metadata, ErrorCode(5), u32::MAX));
    assert_eq!(metadata::ask(&mut cluster, 1, &["t"]).topics[0].error_code, 5);
    cluster.clear_injections();
    assert_eq!(metadata::ask(&mut cluster, 1, &["t"]).topics[0].error_code, 0);
    cluster.inject(Injection::new(Api::Metadata, ErrorCode::REBOOTSTRAP_REQUIRED, 1));
    for error in [129, 0] {
        let answer = metadata::ask(&mut cluster, 1, &["t"]);
        assert_eq!((answer.error_code, answer.topics[0].error_code), (error, 0));
    }
}

#[test]
fn topics_that_are_not_there_or_forbidden() {
    let mut cluster = cluster(1, ClusterOptions::default());
    cluster.create_topic("secret", 1, TopicOptions::default()).expect("a new topic");
    assert!(cluster.set_authorized("secret", false) && !cluster.set_authorized("none", false));
    let mut client = Client::connect(&mut cluster, 1);
    for (topic, partition, error) in
        [("t", 0, 0), ("t", 3, 3), ("t", -1, 3), ("none", 0, 3), ("secret", 0, 29)]
    {
        let answer = client.produce_to(&mut cluster, BY_NAME, topic, partition, Batch::PLAIN.encode());
        assert_eq!(answer.error_code, error, "{topic} {partition}");
    }
    let mut by_unknown_id = produce(1, "", 0, Some(Batch::PLAIN.encode()));
    by_unknown_id.topic_data[0].topic_id = vec![9; 16].try_into().expect("sixteen bytes");
    let answer = client.ask(&mut cluster, 13, &by_unknown_id);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 100);
    assert_eq!(metadata::ask(&mut cluster, 1, &["secret"]).topics[0].error_code, 29);
    assert_eq!(client.ask(&mut cluster, 13, &metadata::request(None)).topics.len(), 1, "secret is not named");
}

#[test]
fn answers_can_be_held_back() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    cluster.hold_answers(1);
    let request = produce(1, "t", 0, Some(Batch::PLAIN.encode()));
    assert_eq!(client.try_ask(&mut cluster, 9, &request), None);
    assert_eq!(cluster.offsets("t", 0), Some(0..2), "it is executed");
    cluster.release_answers(1);
    client.take(&mut cluster);
    assert!(!client.received.is_empty() && !client.is_closed);
}

#[test]
fn a_throttled_client_is_told_in_every_answer() {
    let mut cluster = cluster(1, ClusterOptions::default());
    cluster.set_throttle_ms(70);
    let mut client = Client::connect(&mut cluster, 1);
    let answer = client.ask(&mut cluster, 9, &produce(1, "t", 0, Some(Batch::PLAIN.encode())));
    assert_eq!(answer.throttle_time_ms, 70);
    assert_eq!(metadata::ask(&mut cluster, 1, &["t"]).throttle_time_ms, 70);
}
