//! InitProducerId: a new identity for everyone who asks.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, ErrorCode, InitProducerIdRequest, InitProducerIdResponse, NO_PRODUCER_EPOCH, NO_PRODUCER_ID,
};

use super::request::{After, Call};
use super::{Cluster, code};

impl Cluster {
    /// Without a transactional id a broker gives a new id, whatever the present one is. There are no transactions
    /// here: nobody is authorized for any.
    pub(super) fn init_producer_id(
        &mut self,
        call: &Call<'_>,
        request: &InitProducerIdRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<After, WireError> {
        let is_half =
            (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_PRODUCER_EPOCH);
        let error_code = match self.injected(Api::InitProducerId) {
            Some(injection) => injection.error,
            None if request.transactional_id.is_some() => code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            None if is_half => code::INVALID_REQUEST,
            None => ErrorCode::NONE,
        };
        let mut response = InitProducerIdResponse {
            throttle_time_ms: self.throttle_ms,
            error_code,
            ..InitProducerIdResponse::default()
        };
        if error_code == ErrorCode::NONE {
            response.producer_id = self.next_producer_id;
            response.producer_epoch = 0;
            self.next_producer_id += 1;
        }
        call.answer::<InitProducerIdRequest<'_>>(out, &response)
    }
}
