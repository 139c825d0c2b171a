//! Fetch and ListOffsets: what was produced is read again, at once or when it is there.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest};
use kafka_protocol::records::RecordBatchDecoder;
use ringwire_loopback::kafka::{Cluster, ClusterOptions};

use crate::append::COMPRESSIONS;
use crate::client::{Batch, Client, TIME, cluster, decode, encode, name, produce};

/// The newest version that names its topics.
const BY_NAME: i16 = 12;

/// Of the topic `t`, by name.
fn request(partition: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name("t")).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

fn only(response: &FetchResponse) -> &PartitionData {
    assert_eq!((response.error_code, response.session_id), (0, 0));
    assert_eq!((response.responses.len(), response.responses[0].partitions.len()), (1, 1));
    &response.responses[0].partitions[0]
}

/// The offsets and values of the records.
fn values(partition: &PartitionData) -> Vec<(i64, String)> {
    let mut bytes = partition.records.clone().unwrap_or_default();
    let sets = RecordBatchDecoder::decode_all(&mut bytes).expect("whole batches");
    let records = sets.into_iter().flat_map(|set| set.records);
    let value = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("letters");
    records.map(|record| (record.offset, value(&record.value.expect("a value")))).collect()
}

#[test]
fn every_version_reads_every_codec() {
    for version in 4..=17 {
        let mut cluster = cluster(1, ClusterOptions::default());
        let mut client = Client::connect(&mut cluster, 1);
        for compression in COMPRESSIONS {
            let batch = Batch { compression, ..Batch::PLAIN };
            assert_eq!(client.produce(&mut cluster, 0, batch.encode()).error_code, 0);
        }
        for from in [0, 3, 9, 10] {
            let mut request = request(0, from);
            if version >= 13 {
                let id = cluster.topic_id("t").expect("the topic");
                request.topics[0].topic = name("");
                request.topics[0].topic_id = id.to_vec().try_into().expect("sixteen bytes");
            }
            if version < 7 {
                request.session_epoch = -1;
            }
            let answer = client.ask(&mut cluster, version, &request);
            let partition = only(&answer);
            assert_eq!((partition.error_code, partition.high_watermark), (0, 10), "v{version}");
            assert_eq!(partition.log_start_offset, if version < 5 { -1 } else { 0 });
            // A batch comes whole.
            let expected: Vec<_> = (from / 2 * 2..10).map(|at| (at, format!("v{}", at % 2))).collect();
            assert_eq!(values(partition), expected, "v{version} from {from}");
        }
    }
}

#[test]
fn an_answer_is_as_long_as_is_wanted_but_for_its_first_batch() {
    let batch = Batch { count: 10, ..Batch::PLAIN }.encode();
    let len = batch.len() as i32;
    let mut cluster = cluster(1, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    for _ in 0..4 {
        client.produce(&mut cluster, 0, batch.clone());
    }
    let mut check = |max_bytes, partition_max_bytes, batches: usize| {
        let mut request = request(0, 0).with_max_bytes(max_bytes);
        request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes;
        let answer = client.ask(&mut cluster, BY_NAME, &request);
        assert_eq!(values(only(&answer)).len(), batches * 10, "{max_bytes}, {partition_max_bytes}");
    };
    check(i32::MAX, i32::MAX, 4);
    check(2 * len, i32::MAX, 2);
    check(i32::MAX, 3 * len, 3);
    check(2 * len - 1, i32::MAX, 1);
    check(1, 1, 1);
    check(0, -1, 1);
}

#[test]
fn what_cannot_be_read_is_told() {
    let mut cluster = cluster(2, ClusterOptions { retention_bytes: 300, ..ClusterOptions::default() });
    let mut client = Client::connect(&mut cluster, 1);
    for _ in 0..10 {
        client.produce(&mut cluster, 0, Batch::PLAIN.encode());
    }
    let start = cluster.offsets("t", 0).expect("the partition").start;
    assert!(start > 0);
    cluster.move_leader("t", 2, 2);
    let mut check = |partition, offset, epoch, error| {
        let mut request = request(partition, offset);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let answer = client.ask(&mut cluster, BY_NAME, &request);
        assert_eq!(only(&answer).error_code, error, "{partition} at {offset}, epoch {epoch}");
        only(&answer).current_leader.leader_id.0
    };
    check(0, start, 0, 0);
    check(0, start - 1, -1, 1);
    check(0, 21, -1, 1);
    check(0, -1, -1, 1);
    check(0, 20, 1, 75);
    check(9, 0, -1, 3);
    assert_eq!(check(2, 0, -1, 6), 2, "the leader is named");
    assert_eq!(check(2, 0, 0, 74), -1);
    let mut of_session = request(0, 0);
    of_session.session_id = 5;
    of_session.session_epoch = 1;
    assert_eq!(client.ask(&mut cluster, BY_NAME, &of_session).error_code, 70);
}

/// A request waits for records, and those behind it wait for it.
#[test]
fn a_request_waits_for_records_or_for_its_time() {
    for comes_a_batch in [true, false] {
        let mut cluster = cluster(1, ClusterOptions::default());
        let (mut reader, mut writer) = (Client::connect(&mut cluster, 1), Client::connect(&mut cluster, 1));
        let patient = request(0, 0).with_max_wait_ms(5).with_min_bytes(1);
        let bytes = [encode(BY_NAME, 1, &patient), encode(BY_NAME, 2, &request(1, 0))].concat();
        reader.send(&mut cluster, 1_000, &bytes);
        assert_eq!((reader.received.len(), cluster.next_deadline()), (0, Some(5_001_000)));
        cluster.tick(5_000_999);
        reader.take(&mut cluster);
        assert!(reader.received.is_empty());
        if comes_a_batch {
            assert_eq!(writer.produce(&mut cluster, 1, Batch::PLAIN.encode()).error_code, 0);
            let bytes = encode(9, 1, &produce(0, "t", 0, Some(Batch::PLAIN.encode())));
            cluster.receive(2_000, writer.id, &bytes);
        } else {
            cluster.tick(5_001_000);
        }
        assert_eq!(cluster.next_deadline(), None);
        reader.take(&mut cluster);
        let waited = decode::<FetchRequest>(BY_NAME, 1, &mut reader.received).expect("an answer");
        assert_eq!(values(only(&waited)).len(), if comes_a_batch { 2 } else { 0 });
        assert!(decode::<FetchRequest>(BY_NAME, 2, &mut reader.received).is_some());
    }
}

#[test]
fn one_that_waits_may_go() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    let patient = request(0, 0).with_max_wait_ms(i32::MAX).with_min_bytes(1);
    client.send(&mut cluster, 0, &encode(BY_NAME, 1, &patient));
    assert_eq!(cluster.next_deadline(), Some(60_000_000_000), "nobody waits for ever");
    cluster.closed(client.id);
    assert_eq!(cluster.next_deadline(), None);
}

fn list(cluster: &mut Cluster, version: i16, partition: i32, time: i64) -> (i16, i64, i64) {
    let mut client = Client::connect(cluster, 1);
    let partition = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(time);
    let topic = ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let answer = client.ask(cluster, version, &request);
    let found = &answer.topics[0].partitions[0];
    assert_eq!(found.leader_epoch, if version < 4 || found.offset < 0 { -1 } else { 0 });
    (found.error_code, found.timestamp, found.offset)
}

#[test]
fn offsets_by_place_and_time() {
    let mut cluster = cluster(2, ClusterOptions::default());
    let mut client = Client::connect(&mut cluster, 1);
    for compression in COMPRESSIONS {
        let batch = Batch { count: 10, compression, ..Batch::PLAIN };
        client.produce(&mut cluster, 0, batch.encode());
    }
    for version in 1..=10 {
        assert_eq!(list(&mut cluster, version, 0, -1), (0, -1, 50), "v{version}");
        assert_eq!(list(&mut cluster, version, 0, -2), (0, -1, 0), "v{version}");
        assert_eq!(list(&mut cluster, version, 0, 0), (0, TIME, 0), "v{version}");
        assert_eq!(list(&mut cluster, version, 0, TIME + 7), (0, TIME + 7, 7), "v{version}");
        assert_eq!(list(&mut cluster, version, 0, TIME + 10), (0, -1, -1), "v{version}");
        assert_eq!(list(&mut cluster, version, 1, 0), (6, -1, -1), "led by another");
        assert_eq!(list(&mut cluster, version, 2, 0), (0, -1, -1), "an empty partition");
        assert_eq!(list(&mut cluster, version, 9, 0), (3, -1, -1));
    }
    assert_eq!(list(&mut cluster, 7, 0, -3), (0, TIME + 9, 9));
    assert_eq!(list(&mut cluster, 8, 0, -4), (0, -1, 0));
}
