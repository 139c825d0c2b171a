//! Versions and error codes.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use ringwire_codec::kafka::*;

#[test]
fn the_table_of_messages() {
    for api in Api::all() {
        let their = ApiKey::try_from(api.key()).expect("a key of theirs");
        assert_eq!((Api::from_key(api.key()), format!("{their:?}")), (Some(api), api.name().to_owned()));
        for version in api.versions().min..=api.versions().max {
            assert_eq!(
                api.is_flexible(version),
                their.request_header_version(version) == 2,
                "{api:?} v{version}"
            );
            let response = their.response_header_version(version) == 1;
            assert_eq!(api.response_header_is_flexible(version), response, "{api:?} v{version}");
        }
    }
    assert_eq!(Api::from_key(4), None);
}

#[test]
fn choosing_a_version() {
    let check = |api: Api, (min, max), at_most, expected| {
        assert_eq!(api.choose(Versions { min, max }, at_most), expected, "{api:?} {min} to {max}, {at_most}");
    };
    check(Api::Produce, (0, 13), i16::MAX, Some(13));
    check(Api::Produce, (0, 20), i16::MAX, Some(13));
    check(Api::Produce, (0, 8), i16::MAX, Some(8));
    check(Api::Produce, (0, 13), TOPIC_ID_VERSION - 1, Some(12));
    check(Api::Produce, (0, 3), i16::MAX, Some(3));
    check(Api::Produce, (0, 2), i16::MAX, None);
    check(Api::Produce, (14, 20), i16::MAX, None);
    check(Api::Produce, (13, 20), 12, None);
    check(Api::Metadata, (0, 0), i16::MAX, Some(0));
}

/// A broker that does not know the version of the question answers in version 0, whatever was asked.
#[test]
fn an_unknown_version_of_api_versions() {
    let answer = [0, 0, 0, 9, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3];
    for version in 0..=4 {
        let heard = decode_response::<ApiVersionsRequest<'_>>(version, &answer).expect("version 0");
        assert_eq!(heard.error_code, ErrorCode::UNSUPPORTED_VERSION);
        let known: Vec<_> = heard.api_keys.iter().collect();
        assert_eq!(known, [ApiVersion { api_key: 18, min_version: 0, max_version: 3 }]);
        let mut again = Vec::new();
        encode_response::<ApiVersionsRequest<'_>>(&mut again, version, 9, &heard).expect("version 0");
        assert_eq!(again[4..], answer, "asked in version {version}");
    }
}

/// A server finds the header of a request that it does not know.
#[test]
fn requests_of_unknown_keys_and_versions() {
    let payload = [0, 99, 0, 7, 0, 0, 0, 5, 0, 1, b'x', 1, 2, 3];
    let received = ReceivedRequest::parse(&payload).expect("a header");
    let header = RequestHeader { version: 7, correlation_id: 5, client_id: Some("x") };
    assert_eq!(received, ReceivedRequest { api_key: 99, header, body: &[1, 2, 3] });
    // A version beyond ours of a known key still ends its header in tags.
    let payload = [0, 18, 0, 9, 0, 0, 0, 5, 0xff, 0xff, 0, 2, b'r', 2, b'1', 0];
    let received = ReceivedRequest::parse(&payload).expect("a header");
    assert_eq!((received.header.version, received.body), (9, &[2, b'r', 2, b'1', 0][..]));
    let refused = received.decode::<ApiVersionsRequest<'_>>().expect_err("an unknown version");
    assert_eq!(
        refused.to_string(),
        "ApiVersions v9, field version at byte 0: expected a version from 0 to 4"
    );
}

#[test]
fn error_codes_are_those_of_kafka() {
    for code in ErrorCode::all().filter(|code| *code != ErrorCode::NONE) {
        let info = code.info();
        let their = ResponseError::try_from_code(code.0).expect("an error");
        let their_name = their.to_string().to_uppercase();
        assert_eq!((info.code, info.name.replace('_', "")), (code.0, their_name), "{code}");
        assert_eq!(info.retriable, their.is_retriable(), "{code}");
        assert!(!info.advice.is_empty(), "{code}");
    }
    assert_eq!(ErrorCode::all().count(), 135);
    assert_eq!(ErrorCode::NOT_LEADER_OR_FOLLOWER.to_string(), "NOT_LEADER_OR_FOLLOWER (6)");
}

/// What a broker may answer after the local append, or for no known reason, leaves a batch undecided.
#[test]
fn appended_or_not() {
    for undecided in [-1, 3, 6, 7, 20, 56, 13, 134, 999, i16::MIN, i16::MAX] {
        assert_eq!(ErrorCode(undecided).info().appended, Appended::Maybe, "{undecided}");
    }
    for refused in [2, 10, 18, 19, 29, 32, 45, 47, 59, 76, 87] {
        assert_eq!(ErrorCode(refused).info().appended, Appended::No, "{refused}");
    }
    for there in [ErrorCode::NONE, ErrorCode::DUPLICATE_SEQUENCE_NUMBER] {
        assert_eq!(there.info().appended, Appended::Yes, "{there}");
    }
    assert!(!ErrorCode(999).info().retriable);
}
