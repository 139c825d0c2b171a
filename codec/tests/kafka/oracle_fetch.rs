//! Fetch against kafka-protocol.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_protocol::messages::{self as theirs, BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use ringwire_codec::kafka as ours;

use crate::oracle::{Fetch, check_request, check_response, nullable, number, same_list, several, text, uuid};
use crate::random::Random;

fn partition(random: &mut Random, version: i16) -> FetchPartition {
    FetchPartition::default()
        .with_partition(number(random))
        .with_current_leader_epoch(if version >= 9 { number(random) } else { -1 })
        .with_fetch_offset(number(random))
        .with_last_fetched_epoch(if version >= 12 { number(random) } else { -1 })
        .with_log_start_offset(if version >= 5 { number(random) } else { -1 })
        .with_partition_max_bytes(number(random))
}

fn request(random: &mut Random, version: i16) -> theirs::FetchRequest {
    let topic = |random: &mut Random| {
        let made =
            FetchTopic::default().with_partitions(several(random, |random| partition(random, version)));
        match version {
            ours::FETCH_TOPIC_ID_VERSION.. => made.with_topic_id(uuid(random)),
            _ => made.with_topic(TopicName(text(random))),
        }
    };
    let forgotten = |random: &mut Random| {
        let made = ForgottenTopic::default().with_partitions(several(random, number));
        match version {
            ours::FETCH_TOPIC_ID_VERSION.. => made.with_topic_id(uuid(random)),
            _ => made.with_topic(TopicName(text(random))),
        }
    };
    let mut made = theirs::FetchRequest::default()
        .with_replica_id(BrokerId(if version < 15 { number(random) } else { -1 }))
        .with_max_wait_ms(number(random))
        .with_min_bytes(number(random))
        .with_max_bytes(number(random))
        .with_isolation_level(random.below(2) as i8)
        .with_topics(several(random, topic));
    if version >= 7 {
        made.session_id = number(random);
        made.session_epoch = number(random);
        made.forgotten_topics_data = several(random, forgotten);
    }
    if version >= 11 {
        made.rack_id = text(random);
    }
    made
}

#[test]
fn fetch_request() {
    check_request::<theirs::FetchRequest, Fetch>(request, |their, our| {
        assert_eq!(their.replica_id.0, our.replica_id);
        assert_eq!(
            (their.max_wait_ms, their.min_bytes, their.max_bytes, their.isolation_level),
            (our.max_wait_ms, our.min_bytes, our.max_bytes, our.isolation_level)
        );
        assert_eq!((their.session_id, their.session_epoch), (our.session_id, our.session_epoch));
        assert_eq!(their.rack_id.as_str(), our.rack_id);
        same_list(&their.topics, &our.topics, |their, our| {
            assert_eq!((their.topic.0.as_str(), their.topic_id.as_bytes()), (our.topic, &our.topic_id));
            same_list(&their.partitions, &our.partitions, |their, our| {
                let expected = ours::FetchPartition {
                    partition: their.partition,
                    current_leader_epoch: their.current_leader_epoch,
                    fetch_offset: their.fetch_offset,
                    last_fetched_epoch: their.last_fetched_epoch,
                    log_start_offset: their.log_start_offset,
                    partition_max_bytes: their.partition_max_bytes,
                };
                assert_eq!(*our, expected);
            });
        });
        same_list(&their.forgotten_topics_data, &our.forgotten_topics_data, |their, our| {
            assert_eq!((their.topic.0.as_str(), their.topic_id.as_bytes()), (our.topic, &our.topic_id));
            same_list(&their.partitions, &our.partitions, |their, our| assert_eq!(their, our));
        });
    });
}

fn fetched(random: &mut Random, version: i16) -> PartitionData {
    let mut made = PartitionData::default()
        .with_partition_index(number(random))
        .with_error_code(number(random))
        .with_high_watermark(number(random))
        .with_last_stable_offset(number(random))
        .with_log_start_offset(if version >= 5 { number(random) } else { -1 })
        .with_preferred_read_replica(BrokerId(if version >= 11 { number(random) } else { -1 }))
        .with_records(nullable(random, |random| random.bytes(40).into()));
    made.aborted_transactions = nullable(random, |random| {
        several(random, |random| {
            AbortedTransaction::default()
                .with_producer_id(number::<i64>(random).into())
                .with_first_offset(number(random))
        })
    });
    if version >= 12 && random.once_in(2) {
        made.diverging_epoch =
            EpochEndOffset::default().with_epoch(number(random)).with_end_offset(number(random));
    }
    if version >= 12 && random.once_in(2) {
        made.current_leader = LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(number(random)))
            .with_leader_epoch(number(random));
    }
    made
}

fn response(random: &mut Random, version: i16) -> theirs::FetchResponse {
    let topic = |random: &mut Random| {
        let made = FetchableTopicResponse::default()
            .with_partitions(several(random, |random| fetched(random, version)));
        match version {
            ours::FETCH_TOPIC_ID_VERSION.. => made.with_topic_id(uuid(random)),
            _ => made.with_topic(TopicName(text(random))),
        }
    };
    let mut made = theirs::FetchResponse::default()
        .with_throttle_time_ms(number(random))
        .with_responses(several(random, topic));
    if version >= 7 {
        made.error_code = number(random);
        made.session_id = number(random);
    }
    if version >= 16 {
        made.node_endpoints = several(random, |random| {
            NodeEndpoint::default()
                .with_node_id(BrokerId(number(random)))
                .with_host(text(random))
                .with_port(number(random))
                .with_rack(nullable(random, text))
        });
    }
    made
}

#[test]
fn fetch_response() {
    check_response::<theirs::FetchRequest, Fetch>(response, |their, our| {
        assert_eq!(
            (their.throttle_time_ms, their.error_code, their.session_id),
            (our.throttle_time_ms, our.error_code.0, our.session_id)
        );
        same_list(&their.node_endpoints, &our.node_endpoints, |their, our| {
            assert_eq!((their.node_id.0, their.host.as_str(), their.port), (our.node_id, our.host, our.port));
            assert_eq!(their.rack.as_ref().map(StrBytes::as_str), our.rack);
        });
        same_list(&their.responses, &our.responses, |their, our| {
            assert_eq!((their.topic.0.as_str(), their.topic_id.as_bytes()), (our.topic, &our.topic_id));
            same_list(&their.partitions, &our.partitions, same_partition);
        });
    });
}

fn same_partition(their: &PartitionData, our: &ours::FetchedPartition<'_>) {
    assert_eq!((their.partition_index, their.error_code), (our.partition_index, our.error_code.0));
    assert_eq!(
        (their.high_watermark, their.last_stable_offset, their.log_start_offset),
        (our.high_watermark, our.last_stable_offset, our.log_start_offset)
    );
    let (epoch, leader) = (&their.diverging_epoch, &their.current_leader);
    assert_eq!((epoch.epoch, epoch.end_offset), (our.diverging_epoch.epoch, our.diverging_epoch.end_offset));
    assert_eq!(
        (leader.leader_id.0, leader.leader_epoch),
        (our.current_leader.leader_id, our.current_leader.leader_epoch)
    );
    assert_eq!(their.preferred_read_replica.0, our.preferred_read_replica);
    assert_eq!(their.records.as_deref(), our.records);
    assert_eq!(their.aborted_transactions.is_some(), our.aborted_transactions.is_some());
    let their = their.aborted_transactions.clone().unwrap_or_default();
    same_list(&their, &our.aborted_transactions.unwrap_or_default(), |their, our| {
        assert_eq!((their.producer_id.0, their.first_offset), (our.producer_id, our.first_offset));
    });
}
