//! From bytes to requests, and to those who answer them.

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, ApiVersionsRequest, CreateTopicsRequest, FetchRequest, FrameReader, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest, ReceivedRequest, Request, encode_response,
};

use super::connection::{Fate, Waiting};
use super::{Cluster, ConnectionId, REQUEST_LEN_MAX};

/// Nanoseconds in a millisecond.
const NS_PER_MS: u64 = 1_000_000;

const FRAMES: FrameReader = FrameReader::new(REQUEST_LEN_MAX);

/// A request, whom it reached, and when.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) broker: i32,
    /// Milliseconds since 1970.
    pub(super) now_ms: i64,
    /// It has not waited for as long as it may.
    pub(super) may_wait: bool,
    pub(super) received: ReceivedRequest<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn version(&self) -> i16 {
        self.received.header.version
    }

    pub(super) fn decode<R: Request<'a>>(&self) -> Result<R, WireError> {
        self.received.decode::<R>()
    }

    /// Appends the answer.
    pub(super) fn answer<'r, R: Request<'r>>(
        &self,
        out: &mut Vec<u8>,
        response: &R::Response,
    ) -> Result<After, WireError> {
        encode_response::<R>(out, self.version(), self.received.header.correlation_id, response)?;
        Ok(After::Next)
    }
}

/// What follows a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The next one; it was answered, or wants no answer.
    Next,
    /// The same one again, when a log has grown or so many milliseconds are over.
    Wait {
        /// Milliseconds.
        ms: u32,
    },
    /// The connection's end.
    Close,
}

impl Cluster {
    /// Executes the request that waits, if there is one, then the complete requests of `input` up to one that has
    /// to wait. Answers how much of the input they were.
    pub(super) fn execute_all(
        &mut self,
        now_ns: u64,
        id: ConnectionId,
        waiting: Option<Waiting>,
        input: &[u8],
    ) -> usize {
        let Some(connection) = self.connections.get_mut(id) else { return input.len() };
        let broker = connection.broker;
        let mut output = std::mem::take(&mut connection.output);
        let before = output.len();
        let (mut used, mut after) = (0, After::Next);
        if let Some(waiting) = waiting {
            let may_wait = now_ns < waiting.until_ns;
            after = self.execute(now_ns, broker, &waiting.payload, may_wait, &mut output);
            if matches!(after, After::Wait { .. }) {
                self.connections.wait(id, waiting);
            }
        }
        while after == After::Next {
            match FRAMES.next(&input[used..]) {
                Ok(Some(frame)) => {
                    used += frame.len();
                    after = self.execute(now_ns, broker, frame.payload(), true, &mut output);
                    if let After::Wait { ms } = after {
                        let until_ns = now_ns + u64::from(ms) * NS_PER_MS;
                        self.connections.wait(id, Waiting { until_ns, payload: frame.payload().to_vec() });
                    }
                }
                Ok(None) => break,
                Err(_) => after = After::Close,
            }
        }
        let is_ready = output.len() > before || after == After::Close;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.output = output;
            if after == After::Close {
                connection.fate = Fate::AfterOutput;
            }
            connection.enforce_output_limit();
        }
        if is_ready {
            self.connections.mark_ready(id);
        }
        used
    }

    /// A request that cannot be read ends the connection, as with a real broker.
    fn execute(
        &mut self,
        now_ns: u64,
        broker: i32,
        payload: &[u8],
        may_wait: bool,
        out: &mut Vec<u8>,
    ) -> After {
        let Ok(received) = ReceivedRequest::parse(payload) else { return After::Close };
        let now_ms = self.options.epoch_ms.saturating_add_unsigned(now_ns / NS_PER_MS);
        let call = Call { broker, now_ms, may_wait, received };
        self.dispatch(&call, out).unwrap_or(After::Close)
    }

    fn dispatch(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Result<After, WireError> {
        let Some(api) = Api::from_key(call.received.api_key) else { return Ok(After::Close) };
        if !self.speaks(api, call.version()) {
            return match api {
                Api::ApiVersions => self.refuse_api_versions(call, out),
                _ => Ok(After::Close),
            };
        }
        match api {
            Api::ApiVersions => self.api_versions(call, &call.decode::<ApiVersionsRequest<'_>>()?, out),
            Api::Metadata => self.metadata(call, &call.decode::<MetadataRequest<'_>>()?, out),
            Api::InitProducerId => {
                self.init_producer_id(call, &call.decode::<InitProducerIdRequest<'_>>()?, out)
            }
            Api::Produce => self.produce(call, &call.decode::<ProduceRequest<'_>>()?, out),
            Api::Fetch => self.fetch(call, &call.decode::<FetchRequest<'_>>()?, out),
            Api::ListOffsets => self.list_offsets(call, &call.decode::<ListOffsetsRequest<'_>>()?, out),
            Api::CreateTopics => self.create_topics(call, &call.decode::<CreateTopicsRequest<'_>>()?, out),
            _ => Ok(After::Close),
        }
    }

    fn speaks(&self, api: Api, version: i16) -> bool {
        let spoken = self.options.versions.iter().find(|(spoken, _)| *spoken == api);
        spoken.is_some_and(|(_, versions)| (versions.min..=versions.max).contains(&version))
    }
}
