//! A message of each kind with every field in use.

use ringwire_codec::kafka::wire::{List, WireError};
use ringwire_codec::kafka::*;

pub(crate) const CORRELATION_ID: i32 = 9;

/// Decodes a frame's payload and encodes what was found again, size and header included.
pub(crate) type Again = fn(i16, &[u8]) -> Result<Vec<u8>, WireError>;

pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) version: i16,
    /// A whole frame.
    pub(crate) bytes: Vec<u8>,
    pub(crate) again: Again,
}

fn request_again<R: for<'a> Family<'a>>(_: i16, payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let received = ReceivedRequest::parse(payload)?;
    let decoded = received.decode::<<R as Family<'_>>::Request>()?;
    let mut out = Vec::new();
    encode_request(&mut out, &received.header, &decoded).map(|()| out)
}

fn response_again<R: for<'a> Family<'a>>(version: i16, payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let decoded = decode_response::<<R as Family<'_>>::Request>(version, payload)?;
    let mut out = Vec::new();
    encode_response::<<R as Family<'_>>::Request>(&mut out, version, CORRELATION_ID, &decoded).map(|()| out)
}

pub(crate) trait Family<'a> {
    type Request: Request<'a>;
}

macro_rules! family {
    ($($name:ident),*) => {
        $(struct $name;
        impl<'a> Family<'a> for $name {
            type Request = ringwire_codec::kafka::$name<'a>;
        })*
    };
}

mod families {
    use super::Family;
    family!(ApiVersionsRequest, CreateTopicsRequest, FetchRequest, InitProducerIdRequest);
    family!(ListOffsetsRequest, MetadataRequest, ProduceRequest);

    pub(super) const PRODUCE: (super::Again, super::Again) = of::<ProduceRequest>();
    pub(super) const FETCH: (super::Again, super::Again) = of::<FetchRequest>();
    pub(super) const METADATA: (super::Again, super::Again) = of::<MetadataRequest>();
    pub(super) const API_VERSIONS: (super::Again, super::Again) = of::<ApiVersionsRequest>();
    pub(super) const CREATE_TOPICS: (super::Again, super::Again) = of::<CreateTopicsRequest>();
    pub(super) const INIT_PRODUCER_ID: (super::Again, super::Again) = of::<InitProducerIdRequest>();
    pub(super) const LIST_OFFSETS: (super::Again, super::Again) = of::<ListOffsetsRequest>();

    const fn of<R: for<'a> Family<'a>>() -> (super::Again, super::Again) {
        (super::request_again::<R>, super::response_again::<R>)
    }
}
use families as f;

struct Samples(Vec<Sample>);

impl Samples {
    /// Adds a request and its response in a version.
    fn add<'a, R: Request<'a>>(
        &mut self,
        version: i16,
        (request_again, response_again): (Again, Again),
        request: R,
        response: R::Response,
    ) {
        let header = RequestHeader { version, correlation_id: CORRELATION_ID, client_id: Some("me") };
        let mut bytes = Vec::new();
        encode_request(&mut bytes, &header, &request).expect("a request of that version");
        self.0.push(Sample { name: R::NAME, version, bytes, again: request_again });
        let mut bytes = Vec::new();
        encode_response::<R>(&mut bytes, version, CORRELATION_ID, &response).expect("a response");
        self.0.push(Sample { name: R::RESPONSE_NAME, version, bytes, again: response_again });
    }

    fn produce(&mut self, version: i16) {
        let partition_data = [PartitionProduceData { index: 1, records: Some(b"a batch") }];
        let topics = [TopicProduceData {
            name: "quotes",
            topic_id: [7; 16],
            partition_data: List::new(&partition_data),
        }];
        let request = ProduceRequest { topic_data: List::new(&topics), ..ProduceRequest::default() };
        let errors = [RecordError { batch_index: 3, batch_index_error_message: Some("too old") }];
        let partitions = [PartitionProduceResponse {
            error_code: ErrorCode::INVALID_RECORD,
            record_errors: List::new(&errors),
            error_message: Some("bad records"),
            current_leader: LeaderHint { leader_id: 4, leader_epoch: 5 },
            ..PartitionProduceResponse::default()
        }];
        let topics = [TopicProduceResponse {
            name: "quotes",
            topic_id: [7; 16],
            partition_responses: List::new(&partitions),
        }];
        let node_endpoints = [NodeEndpoint { node_id: 4, host: "host", port: 9092, rack: Some("a") }];
        let response = ProduceResponse {
            responses: List::new(&topics),
            throttle_time_ms: 12,
            node_endpoints: List::new(&node_endpoints),
        };
        self.add(version, f::PRODUCE, request, response);
    }

    fn fetch(&mut self, version: i16) {
        let partitions = [FetchPartition { fetch_offset: 17, ..FetchPartition::default() }];
        let topics = [FetchTopic { topic: "quotes", topic_id: [7; 16], partitions: List::new(&partitions) }];
        let forgotten =
            [ForgottenTopic { topic: "trades", topic_id: [8; 16], partitions: List::new(&[1, 2]) }];
        let mut request =
            FetchRequest { topics: List::new(&topics), rack_id: "a", ..FetchRequest::default() };
        if version >= 7 {
            request.forgotten_topics_data = List::new(&forgotten);
        }
        let aborted = [AbortedTransaction { producer_id: 4000, first_offset: 17 }];
        let partitions = [FetchedPartition {
            diverging_epoch: EpochEnd { epoch: 3, end_offset: 16 },
            current_leader: LeaderHint { leader_id: 4, leader_epoch: 5 },
            aborted_transactions: Some(List::new(&aborted)),
            records: Some(b"a batch"),
            ..FetchedPartition::default()
        }];
        let topics =
            [FetchedTopic { topic: "quotes", topic_id: [7; 16], partitions: List::new(&partitions) }];
        let node_endpoints = [NodeEndpoint { node_id: 4, host: "host", port: 9092, rack: Some("a") }];
        let response = FetchResponse {
            responses: List::new(&topics),
            node_endpoints: List::new(&node_endpoints),
            ..FetchResponse::default()
        };
        self.add(version, f::FETCH, request, response);
    }

    fn metadata(&mut self, version: i16) {
        let topics = [MetadataRequestTopic::named("quotes"), MetadataRequestTopic::named("trades")];
        let request = MetadataRequest { topics: Some(List::new(&topics)), ..MetadataRequest::default() };
        let brokers = [MetadataBroker { node_id: 1, host: "host", port: 9092, rack: Some("a") }];
        let partitions = [MetadataPartition {
            leader_id: 1,
            replica_nodes: List::new(&[1, 2]),
            isr_nodes: List::new(&[1]),
            offline_replicas: List::new(&[2]),
            ..MetadataPartition::default()
        }];
        let topics = [MetadataTopic {
            name: Some("quotes"),
            partitions: List::new(&partitions),
            ..MetadataTopic::default()
        }];
        let response = MetadataResponse {
            brokers: List::new(&brokers),
            cluster_id: Some("cluster"),
            topics: List::new(&topics),
            ..MetadataResponse::default()
        };
        self.add(version, f::METADATA, request, response);
    }

    fn api_versions(&mut self, version: i16) {
        let request = ApiVersionsRequest { client_software_name: "ringwire", client_software_version: "1" };
        let api_keys = [ApiVersion { api_key: 0, min_version: 0, max_version: 13 }; 3];
        let supported = [SupportedFeature { name: "metadata.version", min_version: 1, max_version: 20 }];
        let finalized =
            [FinalizedFeature { name: "metadata.version", max_version_level: 20, min_version_level: 1 }];
        let response = ApiVersionsResponse {
            api_keys: List::new(&api_keys),
            supported_features: List::new(&supported),
            finalized_features_epoch: 3,
            finalized_features: List::new(&finalized),
            zk_migration_ready: true,
            ..ApiVersionsResponse::default()
        };
        self.add(version, f::API_VERSIONS, request, response);
    }

    fn create_topics(&mut self, version: i16) {
        let assignments = [Assignment { partition_index: 0, broker_ids: List::new(&[1, 2]) }];
        let configs = [NewTopicConfig { name: "retention.ms", value: Some("1000") }];
        let topics = [NewTopic {
            name: "quotes",
            num_partitions: -1,
            replication_factor: -1,
            assignments: List::new(&assignments),
            configs: List::new(&configs),
        }];
        let request =
            CreateTopicsRequest { topics: List::new(&topics), timeout_ms: 500, validate_only: true };
        let configs = [CreatedTopicConfig { name: "retention.ms", ..CreatedTopicConfig::default() }];
        let topics = [CreatedTopic {
            name: "quotes",
            error_message: Some("it is there"),
            topic_config_error_code: ErrorCode(29),
            configs: Some(List::new(&configs)),
            ..CreatedTopic::default()
        }];
        let response = CreateTopicsResponse { throttle_time_ms: 0, topics: List::new(&topics) };
        self.add(version, f::CREATE_TOPICS, request, response);
    }

    fn init_producer_id(&mut self, version: i16) {
        let request = InitProducerIdRequest { transactional_id: Some("t"), ..Default::default() };
        let response = InitProducerIdResponse { producer_id: 4000, producer_epoch: 1, ..Default::default() };
        self.add(version, f::INIT_PRODUCER_ID, request, response);
    }

    fn list_offsets(&mut self, version: i16) {
        let partitions = [ListOffsetsPartition::default(); 2];
        let topics = [ListOffsetsTopic { name: "quotes", partitions: List::new(&partitions) }];
        let request = ListOffsetsRequest { topics: List::new(&topics), ..ListOffsetsRequest::default() };
        let partitions = [ListedPartition { offset: 17, ..ListedPartition::default() }];
        let topics = [ListedTopic { name: "quotes", partitions: List::new(&partitions) }];
        let response = ListOffsetsResponse { throttle_time_ms: 0, topics: List::new(&topics) };
        self.add(version, f::LIST_OFFSETS, request, response);
    }
}

/// Requests and responses of every message in every version.
pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = Samples(Vec::new());
    for api in Api::all() {
        for version in api.versions().min..=api.versions().max {
            match api {
                Api::Produce => samples.produce(version),
                Api::Fetch => samples.fetch(version),
                Api::ListOffsets => samples.list_offsets(version),
                Api::Metadata => samples.metadata(version),
                Api::ApiVersions => samples.api_versions(version),
                Api::CreateTopics => samples.create_topics(version),
                Api::InitProducerId => samples.init_producer_id(version),
                other => panic!("no sample of {other:?}"),
            }
        }
    }
    samples.0
}
