//! InitProducerId: the identity of an idempotent producer, and of a transactional one.

use crate::kafka::wire::{Fields, Message, WireError};
use crate::kafka::{Api, ErrorCode, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Request};

/// Who am I? To any broker without a transactional id, to its coordinator with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitProducerIdRequest<'a> {
    /// `None`: idempotent only.
    pub transactional_id: Option<&'a str>,
    /// Milliseconds after which the coordinator aborts an open transaction. Of no meaning without one.
    pub transaction_timeout_ms: i32,
    /// The identity whose epoch is to be raised (KIP-360), or [`NO_PRODUCER_ID`]: a new one. From version 3.
    pub producer_id: i64,
    /// Its present epoch. From version 3.
    pub producer_epoch: i16,
}

impl Default for InitProducerIdRequest<'_> {
    fn default() -> Self {
        Self {
            transactional_id: None,
            transaction_timeout_ms: 0,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
        }
    }
}

impl<'a> Message<'a> for InitProducerIdRequest<'a> {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.nullable_string("transactional_id", &mut self.transactional_id)?;
        f.int32("transaction_timeout_ms", &mut self.transaction_timeout_ms)?;
        if f.version() >= 3 {
            f.int64("producer_id", &mut self.producer_id)?;
            f.int16("producer_epoch", &mut self.producer_epoch)?;
        } else {
            f.absent("producer_id", self.producer_id == NO_PRODUCER_ID)?;
            f.absent("producer_epoch", self.producer_epoch == NO_PRODUCER_EPOCH)?;
        }
        f.no_tags()
    }
}

impl<'a> Request<'a> for InitProducerIdRequest<'a> {
    const API: Api = Api::InitProducerId;
    const NAME: &'static str = "InitProducerId request";
    const RESPONSE_NAME: &'static str = "InitProducerId response";
    type Response = InitProducerIdResponse;
}

/// The identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitProducerIdResponse {
    /// Milliseconds for which the broker wants no more requests.
    pub throttle_time_ms: i32,
    /// Why there is none, or NONE.
    pub error_code: ErrorCode,
    /// The producer's id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

impl Default for InitProducerIdResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
        }
    }
}

impl<'a> Message<'a> for InitProducerIdResponse {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("throttle_time_ms", &mut self.throttle_time_ms)?;
        f.int16("error_code", &mut self.error_code.0)?;
        f.int64("producer_id", &mut self.producer_id)?;
        f.int16("producer_epoch", &mut self.producer_epoch)?;
        f.no_tags()
    }
}
