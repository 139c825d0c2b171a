//! Error codes that brokers answer and the codec has no constants for.

use ringwire_codec::kafka::ErrorCode;

pub(super) const OFFSET_OUT_OF_RANGE: ErrorCode = ErrorCode(1);
pub(super) const CORRUPT_MESSAGE: ErrorCode = ErrorCode(2);
pub(super) const LEADER_NOT_AVAILABLE: ErrorCode = ErrorCode(5);
pub(super) const INVALID_TOPIC: ErrorCode = ErrorCode(17);
pub(super) const INVALID_REQUIRED_ACKS: ErrorCode = ErrorCode(21);
pub(super) const TOPIC_AUTHORIZATION_FAILED: ErrorCode = ErrorCode(29);
pub(super) const INVALID_PARTITIONS: ErrorCode = ErrorCode(37);
pub(super) const INVALID_REPLICATION_FACTOR: ErrorCode = ErrorCode(38);
pub(super) const INVALID_REPLICA_ASSIGNMENT: ErrorCode = ErrorCode(39);
pub(super) const INVALID_CONFIG: ErrorCode = ErrorCode(40);
pub(super) const INVALID_REQUEST: ErrorCode = ErrorCode(42);
pub(super) const INVALID_TXN_STATE: ErrorCode = ErrorCode(48);
pub(super) const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ErrorCode = ErrorCode(53);
pub(super) const FETCH_SESSION_ID_NOT_FOUND: ErrorCode = ErrorCode(70);
pub(super) const FENCED_LEADER_EPOCH: ErrorCode = ErrorCode(74);
pub(super) const UNKNOWN_LEADER_EPOCH: ErrorCode = ErrorCode(75);
pub(super) const UNSUPPORTED_COMPRESSION_TYPE: ErrorCode = ErrorCode(76);
