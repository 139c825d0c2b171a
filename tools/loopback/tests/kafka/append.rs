//! What becomes of a batch: in the log as it came, or refused for what is wrong with it.

use kafka_protocol::messages::TopicName;
use kafka_protocol::records::Compression;
use ringwire_loopback::kafka::{ClusterOptions, LoggedRecord, TopicOptions};

use crate::client::{BY_NAME, Batch, Client, TIME, cluster, produce};

pub(crate) const COMPRESSIONS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

#[test]
fn batches_of_every_codec_and_version_are_in_the_log() {
    let mut cluster = cluster(1, ClusterOptions { deep: true, ..ClusterOptions::default() });
    let mut client = Client::connect(&mut cluster, 1);
    let mut sequence = 0;
    for version in 3..=13 {
        let id = cluster.topic_id("t").expect("the topic");
        for compression in COMPRESSIONS {
            let batch = Batch { compression, keys: true, ..Batch::of(0, sequence, 100) };
            let mut request = produce(-1, "t", 0, Some(batch.encode()));
            if version == 13 {
                request.topic_data[0].name = TopicName::default();
                request.topic_data[0].topic_id = id.to_vec().try_into().expect("sixteen bytes");
            }
            let answer = client.ask(&mut cluster, version, &request);
            let topic = &answer.responses[0];
            let answer = &topic.partition_responses[0];
            if compression == Compression::Zstd && version < 7 {
                assert_eq!((answer.error_code, answer.base_offset), (76, -1), "v{version}");
                continue;
            }
            let at = format!("v{version}, {compression:?}");
            assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(sequence)), "{at}");
            assert_eq!(answer.log_start_offset, if version < 5 { -1 } else { 0 }, "{at}");
            sequence += 100;
        }
    }
    let records = cluster.records("t", 0, 0).expect("sound batches");
    assert_eq!(records.len(), sequence as usize);
    assert_eq!(cluster.offsets("t", 0), Some(0..i64::from(sequence)));
    for (at, record) in records.iter().enumerate() {
        let in_batch = at % 100;
        let expected = LoggedRecord {
            offset: at as i64,
            timestamp: TIME + in_batch as i64,
            key: (in_batch != 1).then(|| format!("k{in_batch}").into_bytes()),
            value: Some(format!("v{in_batch}").into_bytes()),
            headers: Vec::new(),
            producer_id: 7,
            producer_epoch: 0,
            sequence: at as i32,
            leader_epoch: 0,
        };
        assert_eq!(*record, expected);
    }
    assert_eq!(cluster.records("t", 0, 150).expect("sound batches")[0].offset, 150);
    assert_eq!(cluster.records("t", 9, 0), Ok(Vec::new()));
}

#[test]
fn what_is_wrong_with_a_batch_is_told() {
    let check = |what: &str, error: i16, spoil: &dyn Fn(&mut Vec<u8>)| {
        for deep in [false, true] {
            let mut cluster = cluster(1, ClusterOptions { deep, ..ClusterOptions::default() });
            let mut client = Client::connect(&mut cluster, 1);
            let mut bytes = Batch::of(0, 0, 2).encode();
            spoil(&mut bytes);
            let answer = client.produce(&mut cluster, 0, bytes);
            assert_eq!((answer.error_code, answer.base_offset), (error, -1), "{what}");
            assert_eq!(cluster.offsets("t", 0), Some(0..0), "{what}");
        }
    };
    check("a flipped bit", 2, &|bytes| *bytes.last_mut().expect("bytes") ^= 1);
    check("another format", 2, &|bytes| bytes[16] = 3);
    check("an old format", 87, &|bytes| bytes[16] = 1);
    check("cut off", 87, &|bytes| bytes.truncate(70));
    check("nothing", 87, &Vec::clear);
    check("two batches", 87, &|bytes| bytes.extend_from_within(..));
    check("an offset of its own", 87, &|bytes| bytes[7] = 1);
    check("a length that is none", 2, &|bytes| bytes[8..12].copy_from_slice(&[0xff; 4]));
    let transactional = Batch { transactional: true, ..Batch::of(0, 0, 2) }.encode();
    check("a transaction", 48, &|bytes| bytes.clone_from(&transactional));
    let no_epoch = Batch { producer: (7, -1), ..Batch::of(0, 0, 2) }.encode();
    check("no epoch", 87, &|bytes| bytes.clone_from(&no_epoch));
    let no_sequence = Batch { sequence: -1, ..Batch::of(0, 0, 2) }.encode();
    check("no sequence", 87, &|bytes| bytes.clone_from(&no_sequence));
}

#[test]
fn a_batch_may_be_as_large_as_its_topic_allows() {
    let bytes = Batch::PLAIN.encode();
    for (limit, error) in [(bytes.len(), 0), (bytes.len() - 1, 10)] {
        let mut cluster = cluster(1, ClusterOptions::default());
        let options = TopicOptions { message_bytes_max: Some(limit), ..TopicOptions::default() };
        cluster.create_topic("small", 1, options).expect("a new topic");
        let mut client = Client::connect(&mut cluster, 1);
        assert_eq!(client.produce_to(&mut cluster, BY_NAME, "small", 0, bytes.clone()).error_code, error);
        assert_eq!(client.produce(&mut cluster, 0, bytes.clone()).error_code, 0);
    }
}

#[test]
fn a_compacted_topic_names_the_records_without_a_key() {
    let mut cluster = cluster(1, ClusterOptions::default());
    let options = TopicOptions { compacted: true, ..TopicOptions::default() };
    cluster.create_topic("compacted", 1, options).expect("a new topic");
    let mut client = Client::connect(&mut cluster, 1);
    for (count, at_fault) in [(1, vec![]), (3, vec![1])] {
        let batch = Batch { count, keys: true, compression: Compression::Lz4, ..Batch::PLAIN };
        for version in [7, 8] {
            let answer = client.produce_to(&mut cluster, version, "compacted", 0, batch.encode());
            assert_eq!(answer.error_code, if at_fault.is_empty() { 0 } else { 87 });
            let named: Vec<_> = answer.record_errors.iter().map(|error| error.batch_index).collect();
            assert_eq!(named, if version < 8 { vec![] } else { at_fault.clone() });
            assert_eq!(answer.error_message.is_some(), version >= 8 && !at_fault.is_empty());
        }
    }
}

#[test]
fn the_broker_s_time_stands_on_every_record_where_the_topic_says_so() {
    let mut cluster = cluster(1, ClusterOptions { epoch_ms: 1_000, ..ClusterOptions::default() });
    let options = TopicOptions { log_append_time: true, ..TopicOptions::default() };
    cluster.create_topic("times", 1, options).expect("a new topic");
    let mut client = Client::connect(&mut cluster, 1);
    let bytes = crate::client::encode(3, 1, &produce(1, "times", 0, Some(Batch::PLAIN.encode())));
    client.send(&mut cluster, 234_567_000, &bytes);
    let times: Vec<_> = cluster.records("times", 0, 0).expect("a sound batch");
    assert_eq!(times.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [1_234; 2]);
}

#[test]
fn nobody_hears_of_a_batch_with_acks_0() {
    for (partition, is_sound) in [(0, true), (9, false)] {
        let mut cluster = cluster(1, ClusterOptions::default());
        let mut client = Client::connect(&mut cluster, 1);
        let request = produce(0, "t", partition, Some(Batch::PLAIN.encode()));
        assert_eq!(client.try_ask(&mut cluster, 9, &request), None);
        assert_eq!(
            (client.is_closed, cluster.offsets("t", 0)),
            (!is_sound, Some(0..2 * i64::from(is_sound)))
        );
    }
    for (acks, error) in [(1, 0), (-1, 0), (2, 21), (-2, 21)] {
        let mut cluster = cluster(1, ClusterOptions::default());
        let mut client = Client::connect(&mut cluster, 1);
        let answer = client.ask(&mut cluster, 9, &produce(acks, "t", 0, Some(Batch::PLAIN.encode())));
        assert_eq!(answer.responses[0].partition_responses[0].error_code, error, "acks {acks}");
    }
}

#[test]
fn the_oldest_batches_go_first() {
    let batch = Batch { count: 100, ..Batch::PLAIN }.encode();
    for (retention_bytes, kept) in [(0, 0), (3 * batch.len() + 200, 3), (usize::MAX, 10)] {
        let mut cluster = cluster(1, ClusterOptions { retention_bytes, ..ClusterOptions::default() });
        let mut client = Client::connect(&mut cluster, 1);
        for at in 0..10 {
            let answer = client.produce(&mut cluster, 0, batch.clone());
            assert_eq!((answer.error_code, answer.base_offset), (0, at * 100));
        }
        assert_eq!(cluster.offsets("t", 0), Some(1_000 - kept * 100..1_000));
        let records = cluster.records("t", 0, 0).expect("sound batches");
        assert_eq!(records.len() as i64, kept * 100);
        assert_eq!(records.first().map(|record| record.offset), (kept > 0).then_some(1_000 - kept * 100));
    }
}
