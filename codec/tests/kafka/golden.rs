//! Bytes of each message, laid out by hand from the protocol guide.

use ringwire_codec::kafka::*;

/// Parts of a frame, one after another.
fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[track_caller]
fn check_request<'a, R: Request<'a>>(version: i16, request: &R, expected: &[&[u8]]) {
    let header = RequestHeader { version, correlation_id: 0x0102_0304, client_id: Some("me") };
    let mut out = Vec::new();
    encode_request(&mut out, &header, request).expect("it can be written");
    let expected = bytes(expected);
    let size = (expected.len() as i32).to_be_bytes();
    assert_eq!(out, bytes(&[&size, &expected]), "v{version}\n{out:02x?}");
}

#[track_caller]
fn check_response<'a, R>(version: i16, payload: &'a [u8], expected: &R::Response)
where
    R: Request<'a>,
    R::Response: PartialEq + std::fmt::Debug,
{
    let decoded = decode_response::<R>(version, payload).expect("it can be read");
    assert_eq!(decoded, *expected, "v{version}");
    let mut out = Vec::new();
    encode_response::<R>(&mut out, version, decoded_correlation_id(payload), expected)
        .expect("it can be written");
    assert_eq!(&out[4..], payload, "v{version}");
}

fn decoded_correlation_id(payload: &[u8]) -> i32 {
    i32::from_be_bytes(*payload.first_chunk().expect("four bytes"))
}

#[test]
fn api_versions() {
    let request = ApiVersionsRequest { client_software_name: "ab", client_software_version: "1" };
    let header_v0 = &[0, 18, 0, 0, 1, 2, 3, 4, 0, 2, b'm', b'e'];
    check_request(0, &request, &[header_v0]);
    let header_v4 = &[0, 18, 0, 4, 1, 2, 3, 4, 0, 2, b'm', b'e', 0];
    check_request(4, &request, &[header_v4, &[3, b'a', b'b'], &[2, b'1'], &[0]]);

    let api_keys = [ApiVersion { api_key: 0, min_version: 3, max_version: 13 }];
    let response =
        ApiVersionsResponse { api_keys: List::new(&api_keys), throttle_time_ms: 7, ..Default::default() };
    let payload = [0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 13, 0, 0, 0, 7];
    check_response::<ApiVersionsRequest<'_>>(1, &payload, &response);
    // Flexible body, but a header without tags. Tag 1, eight bytes: the epoch of the features.
    let response = ApiVersionsResponse { finalized_features_epoch: 5, ..response };
    let payload = [0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 3, 0, 13, 0, 0, 0, 0, 7, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5];
    check_response::<ApiVersionsRequest<'_>>(4, &payload, &response);
}

#[test]
fn metadata() {
    let topics = [MetadataRequestTopic::named("t")];
    let request = MetadataRequest { topics: Some(List::new(&topics)), ..MetadataRequest::default() };
    let header_v4 = &[0, 3, 0, 4, 1, 2, 3, 4, 0, 2, b'm', b'e'];
    check_request(4, &request, &[header_v4, &[0, 0, 0, 1, 0, 1, b't', 1]]);
    let everything = MetadataRequest { topics: None, ..request };
    check_request(4, &everything, &[header_v4, &[0xff, 0xff, 0xff, 0xff, 1]]);
    let header_v12 = &[0, 3, 0, 12, 1, 2, 3, 4, 0, 2, b'm', b'e', 0];
    let topic_v12: &[u8] = &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, b't', 0];
    check_request(12, &request, &[header_v12, topic_v12, &[1, 0, 0]]);

    let brokers = [MetadataBroker { node_id: 1, host: "h", port: 9092, rack: None }];
    let partitions = [MetadataPartition {
        partition_index: 2,
        leader_id: 1,
        leader_epoch: 6,
        replica_nodes: List::new(&[1]),
        isr_nodes: List::new(&[1]),
        ..MetadataPartition::default()
    }];
    let topics = [MetadataTopic {
        name: Some("t"),
        topic_id: [9; 16],
        partitions: List::new(&partitions),
        ..MetadataTopic::default()
    }];
    let response = MetadataResponse {
        brokers: List::new(&brokers),
        cluster_id: Some("c"),
        controller_id: 1,
        topics: List::new(&topics),
        ..MetadataResponse::default()
    };
    let payload = bytes(&[
        &[0, 0, 0, 1, 0],                                  // correlation id, tags
        &[0, 0, 0, 0],                                     // throttle time
        &[2, 0, 0, 0, 1, 2, b'h', 0, 0, 0x23, 0x84, 0, 0], // one broker: id, host, port, no rack, tags
        &[2, b'c', 0, 0, 0, 1],                            // cluster, controller
        &[2, 0, 0, 2, b't'],                               // one topic: error, name
        &[9; 16],                                          // its id
        &[0],                                              // not internal
        &[2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 6],    // one partition: error, index, leader, epoch
        &[2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 0],             // replicas, in sync, offline, tags
        &[0x80, 0, 0, 0, 0],                               // operations, tags of the topic
        &[0, 0, 0],                                        // error, tags of the response
    ]);
    check_response::<MetadataRequest<'_>>(13, &payload, &response);
}

#[test]
fn init_producer_id() {
    let request = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..Default::default() };
    let header_v1 = &[0, 22, 0, 1, 1, 2, 3, 4, 0, 2, b'm', b'e'];
    check_request(1, &request, &[header_v1, &[0xff, 0xff, 0, 0, 0xea, 0x60]]);
    let again = InitProducerIdRequest { producer_id: 4000, producer_epoch: 3, ..request };
    let header_v5 = &[0, 22, 0, 5, 1, 2, 3, 4, 0, 2, b'm', b'e', 0];
    let body_v5: &[u8] = &[0, 0, 0, 0xea, 0x60, 0, 0, 0, 0, 0, 0, 0x0f, 0xa0, 0, 3, 0];
    check_request(5, &again, &[header_v5, body_v5]);

    let response = InitProducerIdResponse { producer_id: 4000, producer_epoch: 4, ..Default::default() };
    let payload = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0xa0, 0, 4, 0];
    check_response::<InitProducerIdRequest<'_>>(4, &payload, &response);
}

#[test]
fn produce() {
    let partitions = [PartitionProduceData { index: 2, records: Some(b"batch") }];
    let topics = [TopicProduceData { name: "t", topic_id: [9; 16], partition_data: List::new(&partitions) }];
    let request =
        ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 1000, topic_data: List::new(&topics) };
    let header_v3 = &[0, 0, 0, 3, 1, 2, 3, 4, 0, 2, b'm', b'e'];
    let head_v3 = &[0xff, 0xff, 0xff, 0xff, 0, 0, 0x03, 0xe8];
    let topic_v3 = &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5];
    check_request(3, &request, &[header_v3, head_v3, topic_v3, b"batch"]);
    let header_v13 = &[0, 0, 0, 13, 1, 2, 3, 4, 0, 2, b'm', b'e', 0];
    let head_v13 = &[0, 0xff, 0xff, 0, 0, 0x03, 0xe8];
    check_request(
        13,
        &request,
        &[header_v13, head_v13, &[2], &[9; 16], &[2, 0, 0, 0, 2, 6], b"batch", &[0, 0, 0]],
    );

    let errors = [RecordError { batch_index: 1, batch_index_error_message: None }];
    let partitions = [PartitionProduceResponse {
        index: 2,
        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: 0,
        record_errors: List::new(&errors),
        error_message: Some("e"),
        current_leader: LeaderHint { leader_id: 3, leader_epoch: 8 },
    }];
    let topics =
        [TopicProduceResponse { name: "t", topic_id: [0; 16], partition_responses: List::new(&partitions) }];
    let node_endpoints = [NodeEndpoint { node_id: 3, host: "h", port: 9092, rack: None }];
    let response = ProduceResponse {
        responses: List::new(&topics),
        throttle_time_ms: 0,
        node_endpoints: List::new(&node_endpoints),
    };
    let payload = bytes(&[
        &[0, 0, 0, 1, 0],                                            // correlation id, tags
        &[2, 2, b't', 2],                                            // one topic: name, one partition:
        &[0, 0, 0, 2, 0, 6],                                         // index, error
        &[0xff; 16],                                                 // base offset, append time
        &[0; 8],                                                     // log start offset
        &[2, 0, 0, 0, 1, 0, 0],                // one record error: index, no words, tags
        &[2, b'e'],                            // error in words
        &[1, 0, 9, 0, 0, 0, 3, 0, 0, 0, 8, 0], // tag 0 of 9 bytes: leader, epoch, tags
        &[0],                                  // tags of the topic
        &[0, 0, 0, 0],                         // throttle time
        &[1, 0, 13, 2, 0, 0, 0, 3, 2, b'h', 0, 0, 0x23, 0x84, 0, 0], // tag 0 of 13 bytes: one endpoint
    ]);
    check_response::<ProduceRequest<'_>>(12, &payload, &response);
}

#[test]
fn create_topics() {
    let topics = [NewTopic { name: "t", num_partitions: 3, replication_factor: 1, ..NewTopic::default() }];
    let request = CreateTopicsRequest { topics: List::new(&topics), timeout_ms: 1000, validate_only: false };
    let header_v2 = &[0, 19, 0, 2, 1, 2, 3, 4, 0, 2, b'm', b'e'];
    let topic_v2 = &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    check_request(2, &request, &[header_v2, topic_v2, &[0, 0, 0x03, 0xe8, 0]]);
    let header_v7 = &[0, 19, 0, 7, 1, 2, 3, 4, 0, 2, b'm', b'e', 0];
    let topic_v7 = &[2, 2, b't', 0, 0, 0, 3, 0, 1, 1, 1, 0];
    check_request(7, &request, &[header_v7, topic_v7, &[0, 0, 0x03, 0xe8, 0, 0]]);

    let topics = [CreatedTopic {
        name: "t",
        error_code: ErrorCode::TOPIC_ALREADY_EXISTS,
        error_message: None,
        ..CreatedTopic::default()
    }];
    let response = CreateTopicsResponse { throttle_time_ms: 0, topics: List::new(&topics) };
    let payload = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 36, 0xff, 0xff];
    check_response::<CreateTopicsRequest<'_>>(4, &payload, &response);
    let payload = bytes(&[
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 2, b't'], // header, throttle time, one topic: name
        &[0; 16],                                 // its id
        &[0, 36, 0],                              // error, no words
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], // partitions, replicas, no settings
        &[0, 0],                                  // tags of the topic and of the response
    ]);
    check_response::<CreateTopicsRequest<'_>>(7, &payload, &response);
}

#[test]
fn list_offsets() {
    let partitions =
        [ListOffsetsPartition { partition_index: 2, current_leader_epoch: 6, timestamp: EARLIEST }];
    let topics = [ListOffsetsTopic { name: "t", partitions: List::new(&partitions) }];
    let request = ListOffsetsRequest { topics: List::new(&topics), ..ListOffsetsRequest::default() };
    let header_v1 = &[0, 2, 0, 1, 1, 2, 3, 4, 0, 2, b'm', b'e'];
    let minus_one = &[0xff, 0xff, 0xff, 0xff];
    let minus_two = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe];
    let topic_v1 = &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2];
    check_request(1, &request, &[header_v1, minus_one, topic_v1, minus_two]);
    let header_v10 = &[0, 2, 0, 10, 1, 2, 3, 4, 0, 2, b'm', b'e', 0];
    let topic_v10 = &[0, 2, 2, b't', 2, 0, 0, 0, 2, 0, 0, 0, 6];
    check_request(10, &request, &[header_v10, minus_one, topic_v10, minus_two, &[0, 0, 0, 0, 0, 0, 0]]);

    let partitions = [ListedPartition { partition_index: 2, offset: 17, ..ListedPartition::default() }];
    let topics = [ListedTopic { name: "t", partitions: List::new(&partitions) }];
    let response = ListOffsetsResponse { throttle_time_ms: 0, topics: List::new(&topics) };
    let payload = bytes(&[
        &[0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0],
        &[0xff; 8],
        &[0, 0, 0, 0, 0, 0, 0, 17],
    ]);
    check_response::<ListOffsetsRequest<'_>>(1, &payload, &response);
}

#[test]
fn fetch() {
    let partition = FetchPartition { partition: 2, fetch_offset: 17, ..FetchPartition::default() };
    let partition = [FetchPartition { partition_max_bytes: 256, ..partition }];
    let topics = [FetchTopic { topic: "t", partitions: List::new(&partition), ..FetchTopic::default() }];
    let request = FetchRequest { max_wait_ms: 500, min_bytes: 1, max_bytes: 1024, ..FetchRequest::default() };
    let header_v4 = &[0, 1, 0, 4, 1, 2, 3, 4, 0, 2, b'm', b'e'];
    let minus_one = &[0xff, 0xff, 0xff, 0xff];
    let limits = &[0, 0, 0x01, 0xf4, 0, 0, 0, 1, 0, 0, 4, 0, 0]; // time, bytes at least and at most, isolation
    let topic_v4 = &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2];
    let place_v4 = &[0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1, 0];
    let named = FetchRequest { topics: List::new(&topics), ..request };
    check_request(4, &named, &[header_v4, minus_one, limits, topic_v4, place_v4]);

    let topics = [FetchTopic { topic: "", topic_id: [7; 16], ..topics[0] }];
    let numbered = FetchRequest { topics: List::new(&topics), ..request };
    let header_v17 = &[0, 1, 0, 17, 1, 2, 3, 4, 0, 2, b'm', b'e', 0];
    let session = &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]; // none
    let place_v17 = &[2, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 17];
    let follower = &[0xff; 12]; // last fetched epoch, start of the log
    let end_v17 = &[0, 0, 1, 0, 0, 0, 1, 1, 0]; // bytes at most, tags, nothing forgotten, no rack, tags
    check_request(
        17,
        &numbered,
        &[header_v17, limits, session, &[2], &[7; 16], place_v17, follower, end_v17],
    );

    let partition = FetchedPartition {
        partition_index: 2,
        high_watermark: 18,
        last_stable_offset: 18,
        records: Some(b"xyz"),
        ..FetchedPartition::default()
    };
    let offset = &[0, 0, 0, 0, 0, 0, 0, 18];
    let partitions = [partition];
    let topics = [FetchedTopic { topic: "t", partitions: List::new(&partitions), ..FetchedTopic::default() }];
    let response = FetchResponse { responses: List::new(&topics), ..FetchResponse::default() };
    let payload = bytes(&[
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0],
        offset,
        offset,
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, b'x', b'y', b'z'], // no list of aborted transactions
    ]);
    check_response::<FetchRequest<'_>>(4, &payload, &response);
    let topics = [FetchedTopic { topic: "", topic_id: [7; 16], ..topics[0] }];
    let response = FetchResponse { responses: List::new(&topics), ..FetchResponse::default() };
    let payload = bytes(&[
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], // header, throttle time, error, session, one topic
        &[7; 16],
        &[2, 0, 0, 0, 2, 0, 0],
        offset,
        offset,
        &[0xff; 8], // the log's start
        &[0, 0xff, 0xff, 0xff, 0xff, 4, b'x', b'y', b'z', 0, 0, 0],
    ]);
    check_response::<FetchRequest<'_>>(17, &payload, &response);
}
