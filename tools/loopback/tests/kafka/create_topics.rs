//! CreateTopics: what is created, and what is refused.

use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest};
use kafka_protocol::protocol::StrBytes;
use ringwire_codec::kafka::{Api, ErrorCode};
use ringwire_loopback::kafka::{Cluster, ClusterOptions, Injection};

use crate::client::{BY_NAME, Batch, Client, cluster, name};

fn topic(topic: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

fn create(cluster: &mut Cluster, version: i16, topics: Vec<CreatableTopic>) -> Vec<i16> {
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(1000);
    let answer = Client::connect(cluster, 2).ask(cluster, version, &request);
    answer.topics.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn every_version_creates() {
    let mut cluster = cluster(2, ClusterOptions { partitions: 4, ..ClusterOptions::default() });
    for version in 2..=7 {
        let new = format!("new-{version}");
        let request = CreateTopicsRequest::default().with_topics(vec![topic(&new, 3, 2)]);
        let mut client = Client::connect(&mut cluster, 1);
        let answer = client.ask(&mut cluster, version, &request.clone().with_validate_only(true));
        assert_eq!((answer.topics[0].error_code, cluster.partition_count(&new)), (0, None), "only looked at");
        let answer = client.ask(&mut cluster, version, &request);
        let created = &answer.topics[0];
        assert_eq!((created.error_code, cluster.partition_count(&new)), (0, Some(3)), "v{version}");
        let id = cluster.topic_id(&new).expect("it is there");
        assert_eq!(*created.topic_id.as_bytes(), if version < 7 { [0; 16] } else { id });
        assert_eq!(created.num_partitions, if version < 5 { -1 } else { 3 });
    }
    assert_eq!(create(&mut cluster, 5, vec![topic("default", -1, -1)]), [0]);
    assert_eq!(cluster.partition_count("default"), Some(4));
}

#[test]
fn what_cannot_be_created_is_told() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let mut check = |new: CreatableTopic, error| {
        let what = format!("{new:?}");
        assert_eq!(create(&mut cluster, 7, vec![new]), [error], "{what}");
    };
    check(topic("t", 1, 1), 36);
    check(topic("a b", 1, 1), 17);
    check(topic("none", 0, 1), 37);
    check(topic("none", -2, 1), 37);
    check(topic("none", i32::MAX, 1), 37);
    check(topic("none", 1, 3), 38);
    check(topic("none", 1, 0), 38);
    check(topic("none", 1, -2), 38);
    assert_eq!(create(&mut cluster, 7, vec![topic("twice", 1, 1), topic("twice", 1, 1)]), [42, 42]);
    cluster.inject(Injection::new(Api::CreateTopics, ErrorCode(41), 1));
    assert_eq!(create(&mut cluster, 7, vec![topic("later", 1, 1)]), [41]);
    assert_eq!(create(&mut cluster, 7, vec![topic("later", 1, 1)]), [0]);
}

#[test]
fn the_request_may_say_who_leads() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let mut check = |new: &str, leaders: &[(i32, i32)], partitions, error| {
        let assignment = |&(partition, leader): &(i32, i32)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(partition)
                .with_broker_ids(vec![BrokerId(leader)])
        };
        let new_topic = topic(new, partitions, -1).with_assignments(leaders.iter().map(assignment).collect());
        assert_eq!(create(&mut cluster, 7, vec![new_topic]), [error], "{leaders:?}");
    };
    check("good", &[(1, 1), (0, 2)], -1, 0);
    check("bad", &[(0, 9)], -1, 39);
    check("bad", &[(0, 1), (2, 1)], -1, 39);
    check("bad", &[(0, 1), (0, 1)], -1, 39);
    check("bad", &[(-1, 1)], -1, 39);
    check("bad", &[(0, 1)], 1, 42);
    assert_eq!((cluster.leader("good", 0), cluster.leader("good", 1)), (Some((2, 0)), Some((1, 0))));
    assert_eq!(cluster.partition_count("bad"), None);
}

#[test]
fn settings_that_mean_something_here() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let mut check = |new: &str, setting: (&str, Option<&str>), created: i16, produced: i16| {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let config =
            CreatableTopicConfig::default().with_name(text(setting.0)).with_value(setting.1.map(text));
        let new_topic = topic(new, 1, 1).with_configs(vec![config]);
        assert_eq!(create(&mut cluster, 7, vec![new_topic]), [created], "{setting:?}");
        if created == 0 {
            let mut client = Client::connect(&mut cluster, 1);
            let answer = client.produce_to(&mut cluster, BY_NAME, new, 0, Batch::PLAIN.encode());
            assert_eq!((answer.error_code, answer.log_append_time_ms >= 0), (produced, new == "times"));
        }
    };
    check("small", ("max.message.bytes", Some("70")), 0, 10);
    check("times", ("message.timestamp.type", Some("LogAppendTime")), 0, 0);
    check("compacted", ("cleanup.policy", Some("delete, compact")), 0, 87);
    check("other", ("retention.ms", Some("1")), 0, 0);
    check("none", ("max.message.bytes", Some("many")), 40, 0);
    check("none", ("message.timestamp.type", Some("Never")), 40, 0);
    check("none", ("retention.ms", None), 40, 0);
}
