//! ApiVersions, and requests in versions that are not spoken.

use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use kafka_protocol::protocol::StrBytes;
use ringwire_codec::kafka::{Api, Versions};
use ringwire_loopback::kafka::{Cluster, ClusterOptions, kafka_2_1, kafka_3_9, kafka_4_1};

use crate::client::{BY_NAME, Batch, Client, cluster, decode, encode, produce};

fn ask(name: &'static str) -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str(name))
        .with_client_software_version(StrBytes::from_static_str("1.0"))
}

fn lines(answer: &ApiVersionsResponse) -> Vec<(i16, i16, i16)> {
    answer.api_keys.iter().map(|line| (line.api_key, line.min_version, line.max_version)).collect()
}

fn speaking(versions: Vec<(Api, Versions)>) -> Cluster {
    cluster(1, ClusterOptions { versions, ..ClusterOptions::default() })
}

#[test]
fn every_version_of_the_question_is_answered() {
    for versions in [kafka_4_1(), kafka_3_9(), kafka_2_1()] {
        let expected: Vec<_> = versions.iter().map(|(api, v)| (api.key(), v.min, v.max)).collect();
        let (_, own) = versions.iter().find(|(api, _)| *api == Api::ApiVersions).expect("it is spoken");
        let (min, max) = (own.min, own.max);
        let mut cluster = speaking(versions.clone());
        let mut client = Client::connect(&mut cluster, 1);
        for version in min..=max {
            let request = if version < 3 { ApiVersionsRequest::default() } else { ask("lib-rdkafka.2") };
            let answer = client.ask(&mut cluster, version, &request);
            assert_eq!((answer.error_code, lines(&answer)), (0, expected.clone()), "v{version}");
        }
        assert!(!client.is_closed);
    }
}

/// The client hears in version 0 what to ask in instead, and may go on.
#[test]
fn a_question_that_is_too_new_is_answered_in_version_0() {
    let mut cluster = speaking(kafka_2_1());
    let mut client = Client::connect(&mut cluster, 1);
    for version in [3, 4, 77] {
        let mut bytes = encode(version.min(4), 9, &ask("me"));
        bytes[6..8].copy_from_slice(&i16::to_be_bytes(version));
        client.send(&mut cluster, 0, &bytes);
        let answer = decode::<ApiVersionsRequest>(0, 9, &mut client.received).expect("an answer");
        assert_eq!((answer.error_code, lines(&answer)), (35, vec![(18, 0, 2)]), "v{version}");
    }
    assert!(!client.is_closed);
    assert_eq!(client.ask(&mut cluster, 2, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn a_client_without_a_proper_name_is_refused() {
    for (name, error) in [("", 42), ("-a", 42), ("a b", 42), ("a.", 42), ("é", 42), ("a-b.c", 0), ("7", 0)] {
        let mut cluster = speaking(kafka_4_1());
        let mut client = Client::connect(&mut cluster, 1);
        assert_eq!(client.ask(&mut cluster, 3, &ask(name)).error_code, error, "{name:?}");
    }
}

#[test]
fn a_request_in_another_version_ends_the_connection() {
    let check = |versions: &[(Api, Versions)], version, is_spoken: bool| {
        let mut cluster = speaking(versions.to_vec());
        let mut client = Client::connect(&mut cluster, 1);
        let mut bytes = encode(version, 1, &produce(1, "t", 0, Some(Batch::PLAIN.encode())));
        bytes[6..8].copy_from_slice(&version.to_be_bytes());
        client.send(&mut cluster, 0, &bytes);
        assert_eq!((client.is_closed, client.received.is_empty()), (!is_spoken, !is_spoken), "v{version}");
    };
    check(&kafka_4_1(), BY_NAME, true);
    check(&kafka_3_9(), 11, true);
    check(&kafka_3_9(), 12, false);
    check(&kafka_2_1(), 7, true);
    check(&kafka_2_1(), 8, false);
    check(&[(Api::Produce, Versions { min: 14, max: 20 })], BY_NAME, false);
    check(&[], BY_NAME, false);
}

/// Kafka 4 offers Produce from 0 and refuses what it offers.
#[test]
fn produce_before_version_3_ends_the_connection() {
    for version in 0..3 {
        let mut cluster = speaking(kafka_4_1());
        let mut client = Client::connect(&mut cluster, 1);
        let mut bytes = encode(3, 1, &produce(1, "t", 0, Some(Batch::PLAIN.encode())));
        bytes[6..8].copy_from_slice(&i16::to_be_bytes(version));
        client.send(&mut cluster, 0, &bytes);
        assert!(client.is_closed && client.received.is_empty(), "v{version}");
    }
}

/// What was answered before is still sent.
#[test]
fn an_unknown_request_ends_the_connection_behind_the_answers() {
    let mut cluster = speaking(kafka_4_1());
    let mut client = Client::connect(&mut cluster, 1);
    let mut unknown = encode(0, 2, &MetadataRequest::default());
    unknown[4..6].copy_from_slice(&999_i16.to_be_bytes());
    let bytes = [encode(0, 1, &ApiVersionsRequest::default()), unknown].concat();
    client.send(&mut cluster, 0, &bytes);
    assert!(client.is_closed);
    assert!(decode::<ApiVersionsRequest>(0, 1, &mut client.received).is_some());
    assert!(client.received.is_empty());
}
