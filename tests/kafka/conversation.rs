//! The cold messages: what a broker speaks, its topics, producer ids and offsets, in every version.

use ringwire_codec::kafka::*;

use crate::client::{Client, TIMEOUT_MS};
use crate::line::lines;
use crate::server::Shared;

/// Where the version stands in a request, behind size and key.
const VERSION_AT: usize = 6;

/// A frame that the encoder would not write, in which `version` stands.
fn with_version<'a, R: Request<'a>>(request: &R, written_as: i16, id: i32, version: i16) -> Vec<u8> {
    let header = RequestHeader { version: written_as, correlation_id: id, client_id: None };
    let mut frame = Vec::new();
    encode_request(&mut frame, &header, request).expect("a request");
    frame[VERSION_AT..VERSION_AT + 2].copy_from_slice(&version.to_be_bytes());
    frame
}

#[test]
fn a_version_that_is_too_new_is_answered_in_version_0() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let (written_as, version) = (4, 99);
        let request = ApiVersionsRequest { client_software_name: "x", client_software_version: "1" };
        let frame = with_version(&request, written_as, 1000, version);
        let answer = client.try_ask_raw(written_as, 1000, &frame).expect("the broker answers");
        let versions = answer.read::<ApiVersionsRequest<'_>>();
        assert_eq!(versions.error_code, ErrorCode::UNSUPPORTED_VERSION);
        let own = versions.api_keys.iter().find(|it| it.api_key == Api::ApiVersions.key());
        let own = own.expect("it says which versions of ApiVersions it speaks");
        let offered = Versions { min: own.min_version, max: own.max_version };
        assert_eq!(Api::ApiVersions.choose(offered, i16::MAX), Some(4));
        // The connection is as good as before.
        client.ask(4, &request);
    }
}

#[test]
fn every_version_of_api_versions_says_the_same() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let mut seen = Vec::new();
        for version in client.in_common(Api::ApiVersions) {
            let (name, number) = if version >= 3 { ("ringwire-tests", "0.1") } else { ("", "") };
            let request = ApiVersionsRequest { client_software_name: name, client_software_version: number };
            let answer = client.ask(version, &request);
            let versions = answer.read::<ApiVersionsRequest<'_>>();
            assert_eq!(versions.error_code, ErrorCode::NONE);
            for api in Api::all() {
                let offered =
                    versions.api_keys.iter().find(|it| it.api_key == api.key()).expect("it is offered");
                assert_eq!((offered.min_version, offered.max_version), {
                    let Versions { min, max } = client.offered(api);
                    (min, max)
                });
                // Each has a version in common.
                assert!(client.in_common(api).next().is_some(), "{} {version}", api.name());
            }
            let has_features = versions.finalized_features.iter().any(|it| it.name == "metadata.version");
            assert_eq!(has_features, version >= 3, "{version}");
            seen.push(version);
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn topics_are_made_and_described_in_every_version() {
    for line in lines() {
        let shared = Shared::of(line);
        let mut client = shared.client();
        let mut names = Vec::new();
        for version in client.in_common(Api::CreateTopics) {
            let name = format!("made-{version}");
            create(&mut client, version, &name);
            names.push(name);
        }
        assert_eq!(names.len(), 6, "2 to 7");
        // Each has a leader before it is described.
        for name in &names {
            ringwire_tests::patience::until("the leaders", || {
                let leaders = client.leaders(name);
                leaders.len() == 3 && leaders.iter().all(|leader| leader.leader_id == 1)
            });
        }
        let port = i32::from(shared.kafka.addr(1).port());
        let mut ids = Vec::new();
        for version in client.in_common(Api::Metadata) {
            let topics: Vec<MetadataRequestTopic<'_>> =
                names.iter().map(|name| MetadataRequestTopic::named(name)).collect();
            let request =
                MetadataRequest { topics: Some((&topics[..]).into()), ..MetadataRequest::default() };
            let answer = client.ask(version, &request);
            let metadata = answer.read::<MetadataRequest<'_>>();
            let brokers: Vec<_> = metadata.brokers.iter().map(|it| (it.node_id, it.host, it.port)).collect();
            assert_eq!(brokers, [(1, "127.0.0.1", port)], "{version}");
            assert_eq!(metadata.controller_id, if version >= 1 { 1 } else { -1 });
            let mut described: Vec<&str> = metadata.topics.iter().filter_map(|it| it.name).collect();
            described.sort_unstable();
            assert_eq!(described, names, "{version}");
            for topic in metadata.topics {
                check_topic(version, &topic);
                if version >= 10 {
                    ids.push(topic.topic_id);
                }
            }
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), ids.contains(&NO_UUID)), (names.len(), false), "each has one id");
        find_by_id(&mut client, &ids);
    }
}

/// Three partitions: two of which the controller places, or all three.
fn create(client: &mut Client, version: i16, name: &str) {
    let configs = [NewTopicConfig { name: "retention.ms", value: Some("-1") }];
    let assignments =
        [0, 1, 2].map(|partition_index| Assignment { partition_index, broker_ids: (&[1]).into() });
    let placed = NewTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments: (&assignments).into(),
        ..NewTopic::default()
    };
    let counted = NewTopic { num_partitions: 3, replication_factor: 1, ..NewTopic::default() };
    let topic = if version % 2 == 0 { placed } else { counted };
    let topics = [NewTopic { name, configs: (&configs).into(), ..topic }];
    for (validate_only, expected) in
        [(true, ErrorCode::NONE), (false, ErrorCode::NONE), (false, ErrorCode::TOPIC_ALREADY_EXISTS)]
    {
        let request = CreateTopicsRequest { topics: (&topics).into(), timeout_ms: TIMEOUT_MS, validate_only };
        let answer = client.ask(version, &request);
        let response = answer.read::<CreateTopicsRequest<'_>>();
        let created: Vec<CreatedTopic<'_>> = response.topics.iter().collect();
        assert_eq!((created.len(), created[0].name, created[0].error_code), (1, name, expected), "{version}");
        assert_eq!(created[0].error_message.is_some(), expected != ErrorCode::NONE, "{version}");
        if version >= 5 && expected == ErrorCode::NONE {
            assert_eq!((created[0].num_partitions, created[0].replication_factor), (3, 1));
            let configs = created[0].configs.expect("they are shown");
            let found = configs.iter().find(|config| config.name == "retention.ms").expect("it was set");
            assert_eq!(found.value, Some("-1"));
        }
    }
}

fn check_topic(version: i16, topic: &MetadataTopic<'_>) {
    assert_eq!((topic.error_code, topic.is_internal), (ErrorCode::NONE, false));
    let mut partitions: Vec<i32> = topic.partitions.iter().map(|it| it.partition_index).collect();
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 1, 2]);
    for partition in topic.partitions {
        assert_eq!((partition.error_code, partition.leader_id), (ErrorCode::NONE, 1));
        assert_eq!(partition.leader_epoch, if version >= 7 { 0 } else { -1 }, "{version}");
        let nodes = |list: List<'_, i32>| list.iter().collect::<Vec<i32>>();
        assert_eq!((nodes(partition.replica_nodes), nodes(partition.isr_nodes)), (vec![1], vec![1]));
        assert_eq!(nodes(partition.offline_replicas), []);
    }
}

/// From version 12 on a topic is found by its id alone.
fn find_by_id(client: &mut Client, ids: &[[u8; 16]]) {
    for version in client.in_common(Api::Metadata).filter(|version| *version >= TOPIC_ID_LOOKUP_VERSION) {
        let unknown = [7; 16];
        let asked = [ids[0], unknown].map(|topic_id| MetadataRequestTopic { topic_id, name: None });
        let request = MetadataRequest {
            topics: Some((&asked).into()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = client.ask(version, &request);
        let metadata = answer.read::<MetadataRequest<'_>>();
        let by_id =
            |id: [u8; 16]| metadata.topics.iter().find(|it| it.topic_id == id).expect("it was answered");
        assert!(by_id(ids[0]).name.is_some_and(|name| name.starts_with("made-")));
        assert_eq!((by_id(unknown).name, by_id(unknown).error_code), (None, ErrorCode::UNKNOWN_TOPIC_ID));
    }
}

#[test]
fn producer_ids_are_given_in_every_version() {
    for line in lines() {
        let mut client = Shared::of(line).client();
        let mut ids = Vec::new();
        for version in client.in_common(Api::InitProducerId) {
            let producer = client.producer_by(version);
            assert_eq!(producer.epoch, 0, "{version}");
            ids.push(producer.id);
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "each is new");
        assert!(count >= 6 && ids[0] >= 0, "{ids:?}");
    }
}
