//! ApiVersions: what is spoken here.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{Api, ApiVersion, ApiVersionsRequest, ApiVersionsResponse, ErrorCode, List};

use super::request::{After, Call};
use super::{Cluster, code};

/// From this version the client says who it is (KIP-511).
const CLIENT_VERSION: i16 = 3;

impl Cluster {
    pub(super) fn api_versions(
        &mut self,
        call: &Call<'_>,
        request: &ApiVersionsRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        let names = [request.client_software_name, request.client_software_version];
        let is_named = call.version() < CLIENT_VERSION || names.into_iter().all(is_software_name);
        let injected = self.injected(Api::ApiVersions).map(|injection| injection.error);
        let error_code = match injected {
            Some(error) => error,
            None if !is_named => code::INVALID_REQUEST,
            None => ErrorCode::NONE,
        };
        let spoken = if error_code == ErrorCode::NONE { self.spoken() } else { Vec::new() };
        let response = ApiVersionsResponse {
            error_code,
            api_keys: List::new(&spoken),
            throttle_time_ms: self.throttle_ms,
            ..ApiVersionsResponse::default()
        };
        call.answer::<ApiVersionsRequest<'_>>(out, &response)
    }

    /// In version 0, with the one line that the client needs to ask again.
    pub(super) fn refuse_api_versions(&self, call: &Call<'_>, out: &mut Vec<u8>) -> Result<After, WireError> {
        let mut spoken = self.spoken();
        spoken.retain(|line| line.api_key == Api::ApiVersions.key());
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: List::new(&spoken),
            ..ApiVersionsResponse::default()
        };
        let mut call = *call;
        call.received.header.version = 0;
        call.answer::<ApiVersionsRequest<'_>>(out, &response)
    }

    fn spoken(&self) -> Vec<ApiVersion> {
        let line = |&(api, versions): &(Api, ringwire_codec::kafka::Versions)| ApiVersion {
            api_key: api.key(),
            min_version: versions.min,
            max_version: versions.max,
        };
        self.options.versions.iter().map(line).collect()
    }
}

/// Letters and digits, with `.` and `-` between them.
fn is_software_name(name: &str) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let mut bytes = name.bytes();
    is_edge(name.bytes().next())
        && is_edge(name.bytes().next_back())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}
