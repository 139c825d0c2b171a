//! Every message in every version, both ways, against kafka-protocol: what it writes we read and write again byte
//! by byte, and it reads what we write.

use std::fmt::Debug;

use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{self as theirs, BrokerId, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, Request as TheirRequest, StrBytes};
use ringwire_codec::kafka as ours;
use ringwire_codec::kafka::{
    FrameReader, ReceivedRequest, Request, RequestHeader, decode_response, encode_request, encode_response,
};

use crate::random::Random;

/// Messages for each version: enough for lists of none, one and several, and for every null.
const ROUNDS: u64 = 50;
const FRAMES: FrameReader = FrameReader::new(1 << 20);
const CORRELATION_ID: i32 = 77;

pub(crate) fn text(random: &mut Random) -> StrBytes {
    let len = if random.once_in(20) { 200 } else { random.below(9) };
    StrBytes::from_string((0..len).map(|_| *random.pick(&['a', 'z', '-', 'é', '7'])).collect())
}

pub(crate) fn nullable<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
    if random.once_in(3) { None } else { Some(make(random)) }
}

pub(crate) fn several<T>(random: &mut Random, mut make: impl FnMut(&mut Random) -> T) -> Vec<T> {
    (0..random.below(4)).map(|_| make(random)).collect()
}

pub(crate) fn uuid<U: TryFrom<Vec<u8>, Error: Debug>>(random: &mut Random) -> U {
    let bytes: Vec<u8> = (0..16).map(|_| random.next() as u8).collect();
    bytes.try_into().expect("sixteen bytes")
}

pub(crate) fn number<N: TryFrom<i64, Error: Debug>>(random: &mut Random) -> N {
    let value = i64::from(random.next() as u16) - 0x8000;
    N::try_from(if random.once_in(3) { value } else { value & 0x7f }).expect("it has 16 bits")
}

fn nodes(random: &mut Random) -> Vec<BrokerId> {
    several(random, |random| BrokerId(number(random)))
}

/// A request of theirs in every version, read and written again by us.
///
/// `is_same` compares field by field, so that two fields of one type cannot change places unnoticed. It is a
/// function and not a closure where messages borrow.
pub(crate) fn check_request<T, R>(
    make: impl Fn(&mut Random, i16) -> T,
    is_same: impl for<'a> Fn(&T, &R::At<'a>),
) where
    T: TheirRequest + Encodable + Decodable + PartialEq + Debug,
    R: Family,
{
    for version in versions::<R>() {
        for seed in 0..ROUNDS {
            let their = make(&mut Random::new(seed), version);
            let at = format!("{} v{version}, seed {seed}: {their:?}", std::any::type_name::<T>());

            // Theirs, as a server would see it: the header first.
            let header = theirs::RequestHeader::default()
                .with_request_api_key(T::KEY)
                .with_request_api_version(version)
                .with_correlation_id(CORRELATION_ID)
                .with_client_id(Some(StrBytes::from_static_str("me")));
            let mut bytes = vec![0; 4];
            header.encode(&mut bytes, T::header_version(version)).expect("a valid header");
            their.encode(&mut bytes, version).unwrap_or_else(|error| panic!("{at}: {error}"));
            let size = (bytes.len() - 4) as i32;
            bytes[..4].copy_from_slice(&size.to_be_bytes());

            let frame = FRAMES.next(&bytes).expect("a frame").expect("a whole one");
            let received = ReceivedRequest::parse(frame.payload()).unwrap_or_else(|e| panic!("{at}: {e}"));
            let header = RequestHeader { version, correlation_id: CORRELATION_ID, client_id: Some("me") };
            assert_eq!((received.api_key, received.header), (T::KEY, header), "{at}");
            let our = received.decode::<R::At<'_>>().unwrap_or_else(|error| panic!("{at}: {error}"));
            is_same(&their, &our);
            let mut again = b"before".to_vec();
            encode_request(&mut again, &header, &our).unwrap_or_else(|error| panic!("{at}: {error}"));
            assert_eq!(again[6..], bytes[..], "{at}");
        }
    }
}

/// Likewise for a response.
pub(crate) fn check_response<T, R>(
    make: impl Fn(&mut Random, i16) -> T::Response,
    is_same: impl for<'a> Fn(&T::Response, &<R::At<'a> as Request<'a>>::Response),
) where
    T: TheirRequest,
    T::Response: PartialEq + Debug,
    R: Family,
{
    use kafka_protocol::protocol::HeaderVersion as _;
    for version in versions::<R>() {
        for seed in 0..ROUNDS {
            let their = make(&mut Random::new(seed), version);
            let at = format!("{} v{version}, seed {seed}: {their:?}", std::any::type_name::<T>());
            let mut bytes = vec![0; 4];
            let header = theirs::ResponseHeader::default().with_correlation_id(CORRELATION_ID);
            header.encode(&mut bytes, T::Response::header_version(version)).expect("a valid header");
            their.encode(&mut bytes, version).unwrap_or_else(|error| panic!("{at}: {error}"));
            let size = (bytes.len() - 4) as i32;
            bytes[..4].copy_from_slice(&size.to_be_bytes());

            let frame = FRAMES.next(&bytes).expect("a frame").expect("a whole one");
            assert_eq!(frame.correlation_id(), CORRELATION_ID);
            let our = decode_response::<R::At<'_>>(version, frame.payload())
                .unwrap_or_else(|error| panic!("{at}: {error}"));
            is_same(&their, &our);
            let mut again = Vec::new();
            encode_response::<R::At<'_>>(&mut again, version, CORRELATION_ID, &our)
                .unwrap_or_else(|error| panic!("{at}: {error}"));
            // The order of tagged fields and what is left out as default is the same, so the bytes are.
            assert_eq!(again, bytes, "{at}");
        }
    }
}

/// A request type over all lifetimes.
pub(crate) trait Family {
    type At<'a>: Request<'a>;
}

macro_rules! family {
    ($name:ident, $type:ident) => {
        pub(crate) struct $name;
        impl Family for $name {
            type At<'a> = ours::$type<'a>;
        }
    };
}

family!(ApiVersions, ApiVersionsRequest);
family!(Metadata, MetadataRequest);
family!(InitProducerId, InitProducerIdRequest);
family!(CreateTopics, CreateTopicsRequest);
family!(ListOffsets, ListOffsetsRequest);
family!(Produce, ProduceRequest);
family!(Fetch, FetchRequest);

fn versions<R: Family>() -> std::ops::RangeInclusive<i16> {
    let known = R::At::<'static>::API.versions();
    known.min..=known.max
}

/// Both lists have the same length, and each pair of elements passes.
pub(crate) fn same_list<'a, T, U: ours::wire::Message<'a>>(
    theirs: &[T],
    ours: &ours::List<'a, U>,
    same: impl Fn(&T, &U),
) {
    assert_eq!(theirs.len(), ours.len());
    theirs.iter().zip(ours.iter()).for_each(|(their, our)| same(their, &our));
}

fn same_nodes(theirs: &[BrokerId], ours: &ours::List<'_, i32>) {
    same_list(theirs, ours, |their, our| assert_eq!(their.0, *our));
}

#[test]
fn api_versions_request() {
    check_request::<theirs::ApiVersionsRequest, ApiVersions>(
        |random, version| match version {
            0..=2 => theirs::ApiVersionsRequest::default(),
            _ => theirs::ApiVersionsRequest::default()
                .with_client_software_name(text(random))
                .with_client_software_version(text(random)),
        },
        |their, our| {
            assert_eq!(their.client_software_name.as_str(), our.client_software_name);
            assert_eq!(their.client_software_version.as_str(), our.client_software_version);
        },
    );
}

#[test]
fn api_versions_response() {
    let make = |random: &mut Random, version| {
        let mut made = theirs::ApiVersionsResponse::default()
            // Not UNSUPPORTED_VERSION, which changes the version of the body.
            .with_error_code(number::<i16>(random) & !35)
            .with_api_keys(several(random, |random| {
                ApiVersion::default()
                    .with_api_key(number(random))
                    .with_min_version(number(random))
                    .with_max_version(number(random))
            }));
        if version >= 1 {
            made.throttle_time_ms = number(random);
        }
        if version >= 3 {
            made.supported_features = several(random, |random| {
                SupportedFeatureKey::default()
                    .with_name(text(random))
                    .with_min_version(number(random))
                    .with_max_version(number(random))
            });
            made.finalized_features_epoch = if random.once_in(2) { -1 } else { number(random) };
            made.finalized_features = several(random, |random| {
                FinalizedFeatureKey::default()
                    .with_name(text(random))
                    .with_max_version_level(number(random))
                    .with_min_version_level(number(random))
            });
            made.zk_migration_ready = random.once_in(2);
        }
        made
    };
    check_response::<theirs::ApiVersionsRequest, ApiVersions>(make, |their, our| {
        assert_eq!(their.error_code, our.error_code.0);
        assert_eq!(their.throttle_time_ms, our.throttle_time_ms);
        assert_eq!(their.finalized_features_epoch, our.finalized_features_epoch);
        assert_eq!(their.zk_migration_ready, our.zk_migration_ready);
        same_list(&their.api_keys, &our.api_keys, |their, our| {
            let fields = (our.api_key, our.min_version, our.max_version);
            assert_eq!((their.api_key, their.min_version, their.max_version), fields);
        });
        same_list(&their.supported_features, &our.supported_features, |their, our| {
            let fields = (our.name, our.min_version, our.max_version);
            assert_eq!((their.name.as_str(), their.min_version, their.max_version), fields);
        });
        same_list(&their.finalized_features, &our.finalized_features, |their, our| {
            let fields = (our.name, our.min_version_level, our.max_version_level);
            assert_eq!((their.name.as_str(), their.min_version_level, their.max_version_level), fields);
        });
    });
}

#[test]
fn metadata_request() {
    let make = |random: &mut Random, version| {
        let topic = |random: &mut Random| {
            let named = MetadataRequestTopic::default().with_name(Some(TopicName(text(random))));
            if version >= ours::TOPIC_ID_LOOKUP_VERSION && random.once_in(2) {
                MetadataRequestTopic::default().with_topic_id(uuid(random)).with_name(None)
            } else {
                named
            }
        };
        let mut topics = nullable(random, |random| several(random, topic));
        if version == 0 {
            // An empty list is all there is for "every topic".
            topics = Some(topics.unwrap_or_default());
        }
        let mut made = theirs::MetadataRequest::default().with_topics(topics);
        if version >= 4 {
            made.allow_auto_topic_creation = random.once_in(2);
        }
        if (8..=10).contains(&version) {
            made.include_cluster_authorized_operations = random.once_in(2);
        }
        if version >= 8 {
            made.include_topic_authorized_operations = random.once_in(2);
        }
        made
    };
    check_request::<theirs::MetadataRequest, Metadata>(make, |their, our| {
        assert_eq!(their.allow_auto_topic_creation, our.allow_auto_topic_creation);
        assert_eq!(their.include_cluster_authorized_operations, our.include_cluster_authorized_operations);
        assert_eq!(their.include_topic_authorized_operations, our.include_topic_authorized_operations);
        match (&their.topics, &our.topics) {
            (Some(theirs), None) => assert!(theirs.is_empty()),
            (None, None) => {}
            (their, our) => {
                let (their, our) = (their.as_ref().expect("topics"), our.as_ref().expect("topics"));
                same_list(their, our, |their, our| {
                    assert_eq!(their.topic_id.as_bytes(), &our.topic_id);
                    assert_eq!(their.name.as_ref().map(|name| name.0.as_str()), our.name);
                });
            }
        }
    });
}

#[test]
fn metadata_response() {
    let partition = |random: &mut Random, version| {
        MetadataResponsePartition::default()
            .with_error_code(number(random))
            .with_partition_index(number(random))
            .with_leader_id(BrokerId(number(random)))
            .with_leader_epoch(if version >= 7 { number(random) } else { -1 })
            .with_replica_nodes(nodes(random))
            .with_isr_nodes(nodes(random))
            .with_offline_replicas(if version >= 5 { nodes(random) } else { vec![] })
    };
    let topic = |random: &mut Random, version| {
        let mut made = MetadataResponseTopic::default()
            .with_error_code(number(random))
            .with_name(Some(TopicName(text(random))))
            .with_partitions(several(random, |random| partition(random, version)));
        if version >= 1 {
            made.is_internal = random.once_in(2);
        }
        if version >= 8 {
            made.topic_authorized_operations = number(random);
        }
        if version >= 10 {
            made.topic_id = uuid(random);
        }
        if version >= 12 && random.once_in(3) {
            made.name = None;
        }
        made
    };
    let make = |random: &mut Random, version| {
        let mut made = theirs::MetadataResponse::default()
            .with_brokers(several(random, |random| {
                MetadataResponseBroker::default()
                    .with_node_id(BrokerId(number(random)))
                    .with_host(text(random))
                    .with_port(number(random))
                    .with_rack(if version >= 1 { nullable(random, text) } else { None })
            }))
            .with_topics(several(random, |random| topic(random, version)));
        if version >= 1 {
            made.controller_id = BrokerId(number(random));
        }
        if version >= 2 {
            made.cluster_id = nullable(random, text);
        }
        if version >= 3 {
            made.throttle_time_ms = number(random);
        }
        if (8..=10).contains(&version) {
            made.cluster_authorized_operations = number(random);
        }
        if version >= 13 {
            made.error_code = number(random);
        }
        made
    };
    check_response::<theirs::MetadataRequest, Metadata>(make, |their, our| {
        assert_eq!(their.throttle_time_ms, our.throttle_time_ms);
        assert_eq!(their.cluster_id.as_ref().map(StrBytes::as_str), our.cluster_id);
        assert_eq!(their.controller_id.0, our.controller_id);
        assert_eq!(their.cluster_authorized_operations, our.cluster_authorized_operations);
        assert_eq!(their.error_code, our.error_code.0);
        same_list(&their.brokers, &our.brokers, |their, our| {
            assert_eq!((their.node_id.0, their.host.as_str(), their.port), (our.node_id, our.host, our.port));
            assert_eq!(their.rack.as_ref().map(StrBytes::as_str), our.rack);
        });
        same_list(&their.topics, &our.topics, |their, our| {
            assert_eq!(their.error_code, our.error_code.0);
            assert_eq!(their.name.as_ref().map(|name| name.0.as_str()), our.name);
            assert_eq!(their.topic_id.as_bytes(), &our.topic_id);
            assert_eq!(their.is_internal, our.is_internal);
            assert_eq!(their.topic_authorized_operations, our.topic_authorized_operations);
            same_list(&their.partitions, &our.partitions, |their, our| {
                assert_eq!(
                    (their.error_code, their.partition_index),
                    (our.error_code.0, our.partition_index)
                );
                assert_eq!((their.leader_id.0, their.leader_epoch), (our.leader_id, our.leader_epoch));
                same_nodes(&their.replica_nodes, &our.replica_nodes);
                same_nodes(&their.isr_nodes, &our.isr_nodes);
                same_nodes(&their.offline_replicas, &our.offline_replicas);
            });
        });
    });
}

#[test]
fn init_producer_id() {
    check_request::<theirs::InitProducerIdRequest, InitProducerId>(
        |random, version| {
            let made = theirs::InitProducerIdRequest::default()
                .with_transactional_id(nullable(random, |random| text(random).into()))
                .with_transaction_timeout_ms(number(random));
            if version < 3 {
                return made;
            }
            made.with_producer_id(number::<i64>(random).into()).with_producer_epoch(number(random))
        },
        |their, our| {
            assert_eq!(their.transactional_id.as_ref().map(|id| id.0.as_str()), our.transactional_id);
            assert_eq!(their.transaction_timeout_ms, our.transaction_timeout_ms);
            assert_eq!((their.producer_id.0, their.producer_epoch), (our.producer_id, our.producer_epoch));
        },
    );
    check_response::<theirs::InitProducerIdRequest, InitProducerId>(
        |random, _| {
            theirs::InitProducerIdResponse::default()
                .with_throttle_time_ms(number(random))
                .with_error_code(number(random))
                .with_producer_id(number::<i64>(random).into())
                .with_producer_epoch(number(random))
        },
        |their, our| {
            assert_eq!((their.throttle_time_ms, their.error_code), (our.throttle_time_ms, our.error_code.0));
            assert_eq!((their.producer_id.0, their.producer_epoch), (our.producer_id, our.producer_epoch));
        },
    );
}

#[test]
fn create_topics_request() {
    let topic = |random: &mut Random| {
        CreatableTopic::default()
            .with_name(TopicName(text(random)))
            .with_num_partitions(number(random))
            .with_replication_factor(number(random))
            .with_assignments(several(random, |random| {
                CreatableReplicaAssignment::default()
                    .with_partition_index(number(random))
                    .with_broker_ids(nodes(random))
            }))
            .with_configs(several(random, |random| {
                CreatableTopicConfig::default().with_name(text(random)).with_value(nullable(random, text))
            }))
    };
    check_request::<theirs::CreateTopicsRequest, CreateTopics>(
        |random, _| {
            theirs::CreateTopicsRequest::default()
                .with_topics(several(random, topic))
                .with_timeout_ms(number(random))
                .with_validate_only(random.once_in(2))
        },
        |their, our| {
            assert_eq!((their.timeout_ms, their.validate_only), (our.timeout_ms, our.validate_only));
            same_list(&their.topics, &our.topics, |their, our| {
                assert_eq!(their.name.0.as_str(), our.name);
                assert_eq!(their.num_partitions, our.num_partitions);
                assert_eq!(their.replication_factor, our.replication_factor);
                same_list(&their.assignments, &our.assignments, |their, our| {
                    assert_eq!(their.partition_index, our.partition_index);
                    same_nodes(&their.broker_ids, &our.broker_ids);
                });
                same_list(&their.configs, &our.configs, |their, our| {
                    assert_eq!(their.name.as_str(), our.name);
                    assert_eq!(their.value.as_ref().map(StrBytes::as_str), our.value);
                });
            });
        },
    );
}

#[test]
fn create_topics_response() {
    let config = |random: &mut Random| {
        CreatableTopicConfigs::default()
            .with_name(text(random))
            .with_value(nullable(random, text))
            .with_read_only(random.once_in(2))
            .with_config_source(number::<i16>(random) as i8)
            .with_is_sensitive(random.once_in(2))
    };
    let topic = |random: &mut Random, version| {
        let mut made = CreatableTopicResult::default()
            .with_name(TopicName(text(random)))
            .with_error_code(number(random))
            .with_error_message(nullable(random, text));
        if version >= 5 {
            made.num_partitions = number(random);
            made.replication_factor = number(random);
            made.configs = nullable(random, |random| several(random, config));
            made.topic_config_error_code = if random.once_in(2) { 0 } else { number(random) };
        } else {
            // Their default is an empty list; ours is what an older broker says: nothing.
            made.configs = None;
        }
        if version >= 7 {
            made.topic_id = uuid(random);
        }
        made
    };
    check_response::<theirs::CreateTopicsRequest, CreateTopics>(
        |random, version| {
            theirs::CreateTopicsResponse::default()
                .with_throttle_time_ms(number(random))
                .with_topics(several(random, |random| topic(random, version)))
        },
        |their, our| {
            assert_eq!(their.throttle_time_ms, our.throttle_time_ms);
            same_list(&their.topics, &our.topics, |their, our| {
                assert_eq!(their.name.0.as_str(), our.name);
                assert_eq!(their.topic_id.as_bytes(), &our.topic_id);
                assert_eq!(their.error_code, our.error_code.0);
                assert_eq!(their.error_message.as_ref().map(StrBytes::as_str), our.error_message);
                assert_eq!(their.topic_config_error_code, our.topic_config_error_code.0);
                assert_eq!(their.num_partitions, our.num_partitions);
                assert_eq!(their.replication_factor, our.replication_factor);
                assert_eq!(their.configs.is_some(), our.configs.is_some());
                let (their, our) =
                    (their.configs.clone().unwrap_or_default(), our.configs.unwrap_or_default());
                same_list(&their, &our, |their, our| {
                    assert_eq!(their.name.as_str(), our.name);
                    assert_eq!(their.value.as_ref().map(StrBytes::as_str), our.value);
                    let flags = (our.read_only, our.config_source, our.is_sensitive);
                    assert_eq!((their.read_only, their.config_source, their.is_sensitive), flags);
                });
            });
        },
    );
}

#[test]
fn list_offsets_request() {
    let topic = |random: &mut Random, version| {
        ListOffsetsTopic::default().with_name(TopicName(text(random))).with_partitions(several(
            random,
            |random| {
                ListOffsetsPartition::default()
                    .with_partition_index(number(random))
                    .with_current_leader_epoch(if version >= 4 { number(random) } else { -1 })
                    .with_timestamp(number(random))
            },
        ))
    };
    check_request::<theirs::ListOffsetsRequest, ListOffsets>(
        |random, version| {
            theirs::ListOffsetsRequest::default()
                .with_replica_id(BrokerId(number(random)))
                .with_isolation_level(if version >= 2 { random.below(2) as i8 } else { 0 })
                .with_topics(several(random, |random| topic(random, version)))
                .with_timeout_ms(if version >= 10 { number(random) } else { 0 })
        },
        |their, our| {
            assert_eq!((their.replica_id.0, their.isolation_level), (our.replica_id, our.isolation_level));
            assert_eq!(their.timeout_ms, our.timeout_ms);
            same_list(&their.topics, &our.topics, |their, our| {
                assert_eq!(their.name.0.as_str(), our.name);
                same_list(&their.partitions, &our.partitions, |their, our| {
                    let fields = (our.partition_index, our.current_leader_epoch, our.timestamp);
                    let their = (their.partition_index, their.current_leader_epoch, their.timestamp);
                    assert_eq!(their, fields);
                });
            });
        },
    );
}

#[test]
fn list_offsets_response() {
    let topic = |random: &mut Random, version| {
        ListOffsetsTopicResponse::default().with_name(TopicName(text(random))).with_partitions(several(
            random,
            |random| {
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(number(random))
                    .with_error_code(number(random))
                    .with_timestamp(number(random))
                    .with_offset(number(random))
                    .with_leader_epoch(if version >= 4 { number(random) } else { -1 })
            },
        ))
    };
    check_response::<theirs::ListOffsetsRequest, ListOffsets>(
        |random, version| {
            theirs::ListOffsetsResponse::default()
                .with_throttle_time_ms(if version >= 2 { number(random) } else { 0 })
                .with_topics(several(random, |random| topic(random, version)))
        },
        |their, our| {
            assert_eq!(their.throttle_time_ms, our.throttle_time_ms);
            same_list(&their.topics, &our.topics, |their, our| {
                assert_eq!(their.name.0.as_str(), our.name);
                same_list(&their.partitions, &our.partitions, |their, our| {
                    assert_eq!(
                        (their.partition_index, their.error_code),
                        (our.partition_index, our.error_code.0)
                    );
                    let fields = (our.timestamp, our.offset, our.leader_epoch);
                    assert_eq!((their.timestamp, their.offset, their.leader_epoch), fields);
                });
            });
        },
    );
}
