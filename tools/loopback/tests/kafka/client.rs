//! A client that knows the protocol from kafka-protocol alone, and the batches that it sends.

use std::fmt::Debug;

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{ProduceRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use ringwire_loopback::kafka::{Broker, Cluster, ClusterOptions, ConnectionId, TopicOptions};

/// The time of the first record of every batch, in milliseconds since 1970.
pub(crate) const TIME: i64 = 1_700_000_000_000;

/// The newest version of Produce that names its topics.
pub(crate) const BY_NAME: i16 = 12;

/// A cluster of brokers 1 to `brokers`, and a topic `t` of three partitions, led by each in turn.
pub(crate) fn cluster(brokers: i32, options: ClusterOptions) -> Cluster {
    let broker = |id| Broker { id, host: format!("broker-{id}"), port: 9000 + id as u16 };
    let mut cluster = Cluster::new((1..=brokers).map(broker).collect(), options);
    cluster.create_topic("t", 3, TopicOptions::default()).expect("a new topic");
    cluster
}

/// A whole request, size included.
pub(crate) fn encode<R: Request + Encodable>(version: i16, correlation_id: i32, request: &R) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("them")));
    let mut bytes = vec![0; 4];
    header.encode(&mut bytes, R::header_version(version)).expect("a valid header");
    request.encode(&mut bytes, version).expect("a valid request");
    let size = (bytes.len() - 4) as i32;
    bytes[..4].copy_from_slice(&size.to_be_bytes());
    bytes
}

/// Takes the answer off the front of `bytes`; `None` while it is not whole.
pub(crate) fn decode<R: Request>(
    version: i16,
    correlation_id: i32,
    bytes: &mut Vec<u8>,
) -> Option<R::Response> {
    let size = i32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let mut payload = bytes.get(4..4 + size)?;
    let header =
        ResponseHeader::decode(&mut payload, R::Response::header_version(version)).expect("a header");
    assert_eq!(header.correlation_id, correlation_id);
    let response = R::Response::decode(&mut payload, version).expect("an answer");
    assert!(payload.is_empty(), "bytes behind the answer");
    bytes.drain(..4 + size);
    Some(response)
}

/// A connection to a broker.
pub(crate) struct Client {
    pub(crate) id: ConnectionId,
    pub(crate) received: Vec<u8>,
    pub(crate) is_closed: bool,
    asked: i32,
}

impl Client {
    pub(crate) fn connect(cluster: &mut Cluster, broker: i32) -> Self {
        let id = cluster.accept(0, broker);
        Self { id, received: Vec::new(), is_closed: false, asked: 0 }
    }

    /// Sends bytes, and takes what comes back.
    pub(crate) fn send(&mut self, cluster: &mut Cluster, now_ns: u64, bytes: &[u8]) {
        cluster.receive(now_ns, self.id, bytes);
        self.take(cluster);
    }

    /// What a driver does: everything that is ready is taken, in two pieces.
    pub(crate) fn take(&mut self, cluster: &mut Cluster) {
        while let Some(id) = cluster.next_ready() {
            for most in [1, usize::MAX] {
                let output = cluster.output(id);
                let n = output.len().min(most);
                if id == self.id {
                    self.received.extend_from_slice(&output[..n]);
                }
                cluster.sent(id, n);
            }
            if cluster.wants_close(id) {
                self.is_closed |= id == self.id;
                cluster.closed(id);
            }
        }
    }

    /// Asks, and answers what came back; `None` if nothing did.
    pub(crate) fn try_ask<R: Request + Encodable>(
        &mut self,
        cluster: &mut Cluster,
        version: i16,
        request: &R,
    ) -> Option<R::Response> {
        self.asked += 1;
        self.send(cluster, 0, &encode(version, self.asked, request));
        decode::<R>(version, self.asked, &mut self.received)
    }

    pub(crate) fn ask<R: Request + Encodable + Debug>(
        &mut self,
        cluster: &mut Cluster,
        version: i16,
        request: &R,
    ) -> R::Response {
        let answer = self.try_ask(cluster, version, request);
        answer.unwrap_or_else(|| panic!("no answer to version {version} of {request:?}"))
    }

    /// Sends a batch to a partition of the topic `t` with acks -1.
    pub(crate) fn produce(
        &mut self,
        cluster: &mut Cluster,
        partition: i32,
        records: Vec<u8>,
    ) -> PartitionProduceResponse {
        self.produce_to(cluster, BY_NAME, "t", partition, records)
    }

    pub(crate) fn produce_to(
        &mut self,
        cluster: &mut Cluster,
        version: i16,
        topic: &str,
        partition: i32,
        records: Vec<u8>,
    ) -> PartitionProduceResponse {
        let request = produce(-1, topic, partition, Some(records));
        let mut answer = self.ask(cluster, version, &request);
        assert_eq!(answer.responses.len(), 1);
        let mut topic = answer.responses.remove(0);
        assert_eq!(topic.partition_responses.len(), 1);
        topic.partition_responses.remove(0)
    }
}

/// A Produce request for one partition.
pub(crate) fn produce(acks: i16, topic: &str, partition: i32, records: Option<Vec<u8>>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records.map(Into::into));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(vec![topic])
}

pub(crate) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// A batch to be sent: `count` records `v0`, `v1`...
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// Id and epoch.
    pub(crate) producer: (i64, i16),
    /// Of the first record.
    pub(crate) sequence: i32,
    pub(crate) count: i32,
    pub(crate) compression: Compression,
    pub(crate) transactional: bool,
    /// Every record but the second has a key.
    pub(crate) keys: bool,
}

impl Batch {
    /// Without idempotence.
    pub(crate) const PLAIN: Self = Self {
        producer: (-1, -1),
        sequence: -1,
        count: 2,
        compression: Compression::None,
        transactional: false,
        keys: false,
    };

    /// Of producer 7.
    pub(crate) fn of(epoch: i16, sequence: i32, count: i32) -> Self {
        Self { producer: (7, epoch), sequence, count, ..Self::PLAIN }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let record = |index: i32| Record {
            transactional: self.transactional,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(index),
            // Theirs writes the first alone, and wants the others to count on from it, whatever it is.
            sequence: self.sequence.wrapping_add(index),
            timestamp: TIME + i64::from(index),
            key: (self.keys && index != 1).then(|| format!("k{index}").into_bytes().into()),
            value: Some(format!("v{index}").into_bytes().into()),
            headers: Default::default(),
        };
        let records: Vec<_> = (0..self.count).map(record).collect();
        let options = RecordEncodeOptions { version: 2, compression: self.compression };
        let mut bytes = Vec::new();
        RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("a batch");
        bytes
    }
}
