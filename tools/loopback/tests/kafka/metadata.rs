//! Metadata: brokers, topics by name and id, and those that are not there.

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};
use ringwire_loopback::kafka::{Cluster, ClusterOptions, TopicError, TopicOptions};

use crate::client::{Client, cluster, name};

/// For topics by name; `None`: every one.
pub(crate) fn request(names: Option<&[&str]>) -> MetadataRequest {
    let topic = |&topic: &&str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default().with_topics(names.map(|names| names.iter().map(topic).collect()))
}

pub(crate) fn ask(cluster: &mut Cluster, broker: i32, names: &[&str]) -> MetadataResponse {
    Client::connect(cluster, broker).ask(cluster, 13, &request(Some(names)))
}

fn id_of(topic: &MetadataResponseTopic) -> [u8; 16] {
    *topic.topic_id.as_bytes()
}

#[test]
fn every_version_shows_the_cluster() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let id = cluster.topic_id("t").expect("the topic");
    for version in 0..=13 {
        let mut client = Client::connect(&mut cluster, 2);
        let answer = client.ask(&mut cluster, version, &request(Some(&["t"])));
        let brokers: Vec<_> =
            answer.brokers.iter().map(|it| (it.node_id.0, it.host.as_str(), it.port)).collect();
        assert_eq!(brokers, [(1, "broker-1", 9001), (2, "broker-2", 9002)], "v{version}");
        assert_eq!(answer.controller_id.0, if version < 1 { -1 } else { 1 });
        assert_eq!(answer.cluster_id.is_some(), version >= 2);
        let topic = &answer.topics[0];
        assert_eq!((topic.error_code, topic.name.as_ref()), (0, Some(&name("t"))));
        assert_eq!(id_of(topic), if version < 10 { [0; 16] } else { id }, "v{version}");
        let partition = |partition: &MetadataResponsePartition| {
            assert_eq!(partition.replica_nodes, [BrokerId(1), BrokerId(2)]);
            assert_eq!((partition.error_code, partition.isr_nodes.len()), (0, 2));
            (partition.partition_index, partition.leader_id.0, partition.leader_epoch)
        };
        let epoch = if version < 7 { -1 } else { 0 };
        let partitions: Vec<_> = topic.partitions.iter().map(partition).collect();
        assert_eq!(partitions, [(0, 1, epoch), (1, 2, epoch), (2, 1, epoch)], "v{version}");
    }
}

#[test]
fn every_topic_or_none() {
    let mut cluster = cluster(1, ClusterOptions::default());
    cluster.create_topic("u", 1, TopicOptions::default()).expect("a new topic");
    let mut check = |version, names: Option<&[&str]>, expected: &[&str]| {
        let mut client = Client::connect(&mut cluster, 1);
        let answer = client.ask(&mut cluster, version, &request(names));
        let names: Vec<_> = answer.topics.iter().map(|topic| topic.name.clone().expect("a name")).collect();
        assert_eq!(names, expected.iter().map(|topic| name(topic)).collect::<Vec<_>>(), "v{version}");
    };
    check(0, Some(&[]), &["t", "u"]);
    check(1, Some(&[]), &[]);
    for version in [1, 9, 13] {
        check(version, None, &["t", "u"]);
        check(version, Some(&["u"]), &["u"]);
    }
}

/// As with a real broker, the first answer says that the topic is not there; the next one shows it.
#[test]
fn a_missing_topic_is_created_if_both_sides_allow_it() {
    for (auto_create, allowed, is_created) in [(true, true, true), (true, false, false), (false, true, false)]
    {
        let options = ClusterOptions { auto_create, partitions: 4, ..ClusterOptions::default() };
        let mut cluster = cluster(1, options);
        let mut client = Client::connect(&mut cluster, 1);
        let request = request(Some(&["new"])).with_allow_auto_topic_creation(allowed);
        assert_eq!(client.ask(&mut cluster, 9, &request).topics[0].error_code, 3);
        let topic = &client.ask(&mut cluster, 9, &request).topics[0];
        let seen = (topic.error_code, topic.partitions.len());
        assert_eq!(seen, if is_created { (0, 4) } else { (3, 0) });
        assert_eq!(cluster.partition_count("new"), is_created.then_some(4));
    }
}

#[test]
fn topics_by_id() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let by_id = |id: [u8; 16]| {
        let id = id.to_vec().try_into().expect("sixteen bytes");
        let topic = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
        MetadataRequest::default().with_topics(Some(vec![topic]))
    };
    let mut client = Client::connect(&mut cluster, 1);
    let id = cluster.topic_id("t").expect("the topic");
    for (id, error, expected) in [(id, 0, Some("t")), ([9; 16], 100, None)] {
        let topic = &client.ask(&mut cluster, 12, &by_id(id)).topics[0];
        assert_eq!((topic.error_code, &topic.name), (error, &expected.map(name)));
        assert_eq!(id_of(topic), id);
    }
    assert!(cluster.delete_topic("t") && !cluster.delete_topic("t"));
    cluster.create_topic("t", 1, TopicOptions::default()).expect("a new topic");
    assert_ne!(cluster.topic_id("t"), Some(id), "it is another topic");
    assert_eq!(client.ask(&mut cluster, 12, &by_id(id)).topics[0].error_code, 100);
}

#[test]
fn topics_without_ids() {
    let mut cluster = cluster(1, ClusterOptions { topic_ids: false, ..ClusterOptions::default() });
    assert_eq!(id_of(&ask(&mut cluster, 1, &["t"]).topics[0]), [0; 16]);
}

#[test]
fn names_that_no_topic_may_have() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let long = "x".repeat(250);
    for bad in ["", ".", "..", "a b", "é", "a/b", &long] {
        assert_eq!(ask(&mut cluster, 1, &[bad]).topics[0].error_code, 17, "{bad:?}");
        assert_eq!(cluster.create_topic(bad, 1, TopicOptions::default()), Err(TopicError::Name));
    }
    assert_eq!(cluster.create_topic(&long[1..], 1, TopicOptions::default()), Ok(()));
    assert_eq!(cluster.create_topic("t", 1, TopicOptions::default()), Err(TopicError::Exists));
    assert_eq!(cluster.create_topic("none", 0, TopicOptions::default()), Err(TopicError::Partitions));
    assert_eq!(cluster.create_topic("many", u32::MAX, TopicOptions::default()), Err(TopicError::Partitions));
    assert_eq!(cluster.add_partitions("nobody", 1), Err(TopicError::Unknown));
}
