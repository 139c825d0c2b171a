//! Produce against kafka-protocol, and the two ways of writing it against each other.

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{self as theirs, BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use ringwire_codec::kafka as ours;
use ringwire_codec::kafka::{ProduceEncoder, RequestHeader, encode_request};

use crate::oracle::{
    Produce, check_request, check_response, nullable, number, same_list, several, text, uuid,
};
use crate::random::Random;

fn request(random: &mut Random, version: i16) -> theirs::ProduceRequest {
    let topic = |random: &mut Random| {
        let made = TopicProduceData::default().with_partition_data(several(random, |random| {
            PartitionProduceData::default()
                .with_index(number(random))
                .with_records(nullable(random, |random| random.bytes(40).into()))
        }));
        if version >= ours::TOPIC_ID_VERSION {
            made.with_topic_id(uuid(random))
        } else {
            made.with_name(TopicName(text(random)))
        }
    };
    theirs::ProduceRequest::default()
        .with_transactional_id(nullable(random, |random| text(random).into()))
        .with_acks(number(random))
        .with_timeout_ms(number(random))
        .with_topic_data(several(random, topic))
}

#[test]
fn produce_request() {
    check_request::<theirs::ProduceRequest, Produce>(request, |their, our| {
        assert_eq!(their.transactional_id.as_ref().map(|id| id.0.as_str()), our.transactional_id);
        assert_eq!((their.acks, their.timeout_ms), (our.acks, our.timeout_ms));
        same_list(&their.topic_data, &our.topic_data, |their, our| {
            assert_eq!(their.name.0.as_str(), our.name);
            assert_eq!(their.topic_id.as_bytes(), &our.topic_id);
            same_list(&their.partition_data, &our.partition_data, |their, our| {
                assert_eq!((their.index, their.records.as_deref()), (our.index, our.records));
            });
        });
    });
}

#[test]
fn produce_response() {
    let partition = |random: &mut Random, version| {
        let mut made = PartitionProduceResponse::default()
            .with_index(number(random))
            .with_error_code(number(random))
            .with_base_offset(number(random))
            .with_log_append_time_ms(number(random));
        if version >= 5 {
            made.log_start_offset = number(random);
        }
        if version >= ours::RECORD_ERRORS_VERSION {
            made.record_errors = several(random, |random| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(number(random))
                    .with_batch_index_error_message(nullable(random, text))
            });
            made.error_message = nullable(random, text);
        }
        if version >= ours::LEADER_HINT_VERSION && random.once_in(2) {
            made.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(number(random)))
                .with_leader_epoch(number(random));
        }
        made
    };
    let make = |random: &mut Random, version| {
        let mut made = theirs::ProduceResponse::default()
            .with_responses(several(random, |random| {
                let made = TopicProduceResponse::default()
                    .with_partition_responses(several(random, |random| partition(random, version)));
                if version >= ours::TOPIC_ID_VERSION {
                    made.with_topic_id(uuid(random))
                } else {
                    made.with_name(TopicName(text(random)))
                }
            }))
            .with_throttle_time_ms(number(random));
        if version >= ours::LEADER_HINT_VERSION {
            made.node_endpoints = several(random, |random| {
                NodeEndpoint::default()
                    .with_node_id(BrokerId(number(random)))
                    .with_host(text(random))
                    .with_port(number(random))
                    .with_rack(nullable(random, text))
            });
        }
        made
    };
    check_response::<theirs::ProduceRequest, Produce>(make, |their, our| {
        assert_eq!(their.throttle_time_ms, our.throttle_time_ms);
        same_list(&their.node_endpoints, &our.node_endpoints, |their, our| {
            assert_eq!((their.node_id.0, their.host.as_str(), their.port), (our.node_id, our.host, our.port));
            assert_eq!(their.rack.as_ref().map(StrBytes::as_str), our.rack);
        });
        same_list(&their.responses, &our.responses, |their, our| {
            assert_eq!(their.name.0.as_str(), our.name);
            assert_eq!(their.topic_id.as_bytes(), &our.topic_id);
            same_list(&their.partition_responses, &our.partition_responses, |their, our| {
                assert_eq!((their.index, their.error_code), (our.index, our.error_code.0));
                assert_eq!(their.base_offset, our.base_offset);
                assert_eq!(their.log_append_time_ms, our.log_append_time_ms);
                assert_eq!(their.log_start_offset, our.log_start_offset);
                assert_eq!(their.error_message.as_ref().map(StrBytes::as_str), our.error_message);
                let hint = (our.current_leader.leader_id, our.current_leader.leader_epoch);
                assert_eq!((their.current_leader.leader_id.0, their.current_leader.leader_epoch), hint);
                same_list(&their.record_errors, &our.record_errors, |their, our| {
                    assert_eq!(their.batch_index, our.batch_index);
                    let message = their.batch_index_error_message.as_ref().map(StrBytes::as_str);
                    assert_eq!(message, our.batch_index_error_message);
                });
            });
        });
    });
}

/// Piece by piece gives the same bytes as all at once; so do batches that are put between them afterwards.
#[test]
fn the_encoder() {
    let known = ours::Api::Produce.versions();
    let partitions = [0, 3].map(|index| ours::PartitionProduceData { index, records: Some(b"a batch") });
    let topic = |name, id, partitions| ours::TopicProduceData {
        name,
        topic_id: [id; 16],
        partition_data: ours::List::new(partitions),
    };
    let topics = [topic("quotes", 1, &partitions[..]), topic("trades", 2, &partitions[1..])];
    for version in known.min..=known.max {
        let header = RequestHeader { version, correlation_id: 5, client_id: None };
        for topics in [&topics[..0], &topics[..1], &topics] {
            let whole = ours::ProduceRequest {
                transactional_id: Some("t"),
                acks: -1,
                timeout_ms: 30_000,
                topic_data: ours::List::new(topics),
            };
            let mut at_once = Vec::new();
            encode_request(&mut at_once, &header, &whole).expect("it can be written");
            let mut pieces = Vec::new();
            let mut encoder =
                ProduceEncoder::begin(&mut pieces, &header, &whole, topics.len()).expect("it can be begun");
            for topic in topics {
                encoder.topic(topic.name, topic.topic_id, topic.partition_data.len()).expect("a topic");
                for partition in topic.partition_data {
                    encoder.partition(partition.index, partition.records.expect("a batch")).expect("a batch");
                }
            }
            encoder.finish().expect("it can be ended");
            assert_eq!(pieces, at_once, "v{version}, {} topics", topics.len());
            let (mut apart, mut places) = (b"before".to_vec(), Vec::new());
            let mut encoder =
                ProduceEncoder::begin(&mut apart, &header, &whole, topics.len()).expect("it can be begun");
            for topic in topics {
                encoder.topic(topic.name, topic.topic_id, topic.partition_data.len()).expect("a topic");
                for partition in topic.partition_data {
                    let batch = partition.records.expect("a batch");
                    places.push((
                        encoder.partition_apart(partition.index, batch.len()).expect("a batch"),
                        batch,
                    ));
                }
            }
            encoder.finish().expect("it can be ended");
            for (at, batch) in places.into_iter().rev() {
                apart.splice(at..at, batch.iter().copied());
            }
            assert_eq!(apart[b"before".len()..], at_once, "v{version}, {} topics", topics.len());
        }
    }
}
