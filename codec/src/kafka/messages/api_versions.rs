//! ApiVersions: the first request on every connection. Anything else is encoded by what it answers.

use crate::kafka::wire::{Fields, List, Message, WireError};
use crate::kafka::{Api, ErrorCode, Request};

/// What does the broker speak? Versions 0 to 2 have no body.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ApiVersionsRequest<'a> {
    /// The client's name (KIP-511): letters, digits, `.` and `-`. From version 3.
    pub client_software_name: &'a str,
    /// The client's version, in the same letters. From version 3.
    pub client_software_version: &'a str,
}

impl<'a> Message<'a> for ApiVersionsRequest<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        if f.version() >= 3 {
            f.string("client_software_name", &mut self.client_software_name)?;
            f.string("client_software_version", &mut self.client_software_version)?;
        }
        f.no_tags()
    }
}

impl<'a> Request<'a> for ApiVersionsRequest<'a> {
    const API: Api = Api::ApiVersions;
    const NAME: &'static str = "ApiVersions request";
    const RESPONSE_NAME: &'static str = "ApiVersions response";
    type Response = ApiVersionsResponse<'a>;

    /// A broker that does not know the request's version answers in version 0, and says so in its first field.
    fn response_version(version: i16, body: &[u8]) -> i16 {
        let error_code = body.first_chunk().map(|bytes| ErrorCode(i16::from_be_bytes(*bytes)));
        if error_code == Some(ErrorCode::UNSUPPORTED_VERSION) { 0 } else { version }
    }
}

/// What the broker speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApiVersionsResponse<'a> {
    /// UNSUPPORTED_VERSION: ask again in the version that `api_keys` gives for ApiVersions, else in version 0.
    pub error_code: ErrorCode,
    /// The messages and their versions.
    pub api_keys: List<'a, ApiVersion>,
    /// Milliseconds for which the broker wants no more requests. From version 1.
    pub throttle_time_ms: i32,
    /// Features that this broker could run. Tagged, from version 3.
    pub supported_features: List<'a, SupportedFeature<'a>>,
    /// Grows with every change of the finalized features; -1: unknown. Tagged, from version 3.
    pub finalized_features_epoch: i64,
    /// Features that the cluster runs. Tagged, from version 3.
    pub finalized_features: List<'a, FinalizedFeature<'a>>,
    /// A migration away from ZooKeeper is possible. Tagged, from version 3.
    pub zk_migration_ready: bool,
}

impl Default for ApiVersionsResponse<'_> {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            api_keys: List::default(),
            throttle_time_ms: 0,
            supported_features: List::default(),
            finalized_features_epoch: -1,
            finalized_features: List::default(),
            zk_migration_ready: false,
        }
    }
}

impl<'a> Message<'a> for ApiVersionsResponse<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int16("error_code", &mut self.error_code.0)?;
        f.list("api_keys", &mut self.api_keys)?;
        if f.version() >= 1 {
            f.int32("throttle_time_ms", &mut self.throttle_time_ms)?;
        }
        let tags = [
            (0, !self.supported_features.is_empty()),
            (1, self.finalized_features_epoch != -1),
            (2, !self.finalized_features.is_empty()),
            (3, self.zk_migration_ready),
        ];
        f.tags(&tags, |f, tag| match tag {
            0 => f.list("supported_features", &mut self.supported_features),
            1 => f.int64("finalized_features_epoch", &mut self.finalized_features_epoch),
            2 => f.list("finalized_features", &mut self.finalized_features),
            _ => f.boolean("zk_migration_ready", &mut self.zk_migration_ready),
        })
    }
}

/// One message and the versions in which the broker takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiVersion {
    /// Which message; see [`Api::from_key`].
    pub api_key: i16,
    /// The oldest version.
    pub min_version: i16,
    /// The newest version.
    pub max_version: i16,
}

impl<'a> Message<'a> for ApiVersion {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int16("api_key", &mut self.api_key)?;
        f.int16("min_version", &mut self.min_version)?;
        f.int16("max_version", &mut self.max_version)?;
        f.no_tags()
    }
}

/// A feature that a broker could run, such as `metadata.version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SupportedFeature<'a> {
    /// Its name.
    pub name: &'a str,
    /// The lowest level. A response before version 4 leaves out features whose lowest level is 0.
    pub min_version: i16,
    /// The highest level.
    pub max_version: i16,
}

impl<'a> Message<'a> for SupportedFeature<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.string("name", &mut self.name)?;
        f.int16("min_version", &mut self.min_version)?;
        f.int16("max_version", &mut self.max_version)?;
        f.no_tags()
    }
}

/// A feature that the cluster runs, such as `transaction.version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FinalizedFeature<'a> {
    /// Its name.
    pub name: &'a str,
    /// The highest level that the cluster runs.
    pub max_version_level: i16,
    /// The lowest one.
    pub min_version_level: i16,
}

impl<'a> Message<'a> for FinalizedFeature<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.string("name", &mut self.name)?;
        f.int16("max_version_level", &mut self.max_version_level)?;
        f.int16("min_version_level", &mut self.min_version_level)?;
        f.no_tags()
    }
}
