//! One connection to one broker: when to open it, its greeting, the questions under way, when to give it up.
//!
//! ```text
//!          want()          due()                connected()        versions known
//!  Idle ──────────► Waiting ───────► Connecting ──────────► Greeting ──────────► Ready
//!                      ▲                 │ refused, timeout    │ refused, timeout   │ closed, silent, nonsense
//!                      └─────────────────┴─────────────────────┴────────────────────┘  delay with full jitter
//! ```
//!
//! A broker answers in the order of the questions, so they are met by position, and the correlation id proves it.

use std::collections::VecDeque;

use ringwire_codec::kafka::wire::WireError;
use ringwire_codec::kafka::{
    Api, ApiVersion, ApiVersionsRequest, ApiVersionsResponse, ErrorCode, FrameReader, RESPONSE_LEN_MAX,
    RequestHeader, Versions, decode_response, encode_request,
};

use super::settings::{KafkaSettings, SOFTWARE_NAME};
use super::wire::{Apart, Piece, Wire};
use crate::backoff::{self, Random};
use crate::buffer::Input;
use crate::outlet::ConnectionId;
use crate::status::LinkError;
use crate::time::{MILLISECOND_NS, NEVER_NS, SECOND_NS};

/// A connection that was ready for so long was a success, whatever ended it.
const LASTING_NS: u64 = SECOND_NS;
/// Kafka 4 advertises Produce 0 to 2 for old librdkafkas' sake, and refuses them.
const PRODUCE_VERSION_MIN: i16 = 3;
/// APIs that the producer speaks.
const APIS: [Api; 4] = [Api::Produce, Api::Metadata, Api::ApiVersions, Api::InitProducerId];
/// How late a look at the clock may come before the lateness is our own stall, and no silence of the broker's.
const STALL_NS: u64 = SECOND_NS / 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Waiting { until_ns: u64 },
    Connecting { deadline_ns: u64 },
    Greeting { deadline_ns: u64 },
    Ready,
}

/// The part of a Produce request that went to one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) topic: u32,
    pub(super) partition: u32,
}

/// What was asked.
#[derive(Debug)]
pub(super) enum Question {
    Versions,
    Metadata,
    ProducerId,
    /// One batch for each of these, in the order of the request.
    Produce(Vec<Part>),
}

/// A question without an answer.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) version: i16,
    correlation_id: i32,
    /// Stream position behind its last byte.
    end: u64,
    since_ns: u64,
    /// A Produce request with acks=0 is done when it is sent.
    pub(super) is_answered: bool,
}

/// What a look at the clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Connect,
    GiveUp(LinkError),
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    /// Which broker it is; none where only a bootstrap address is known.
    pub(super) node: Option<i32>,
    pub(super) host: String,
    pub(super) port: u16,
    state: State,
    input: Input,
    pub(super) wire: Wire,
    pub(super) asked: VecDeque<Asked>,
    pub(super) produces_asked: usize,
    /// The version of each of [`APIS`] that both sides speak.
    versions: [Option<i16>; APIS.len()],
    next_correlation: i32,
    attempts: u32,
    pub(super) established: u64,
    pub(super) last_error: Option<LinkError>,
    gone: Option<LinkError>,
    /// The broker wants no Produce request before this (KIP-219).
    pub(super) muted_until_ns: u64,
    ready_ns: u64,
    last_received_ns: u64,
    looked_ns: u64,
    /// The last look came late and judged nobody.
    is_excused: bool,
    /// Partitions that it leads and that have something to send, each at most once.
    pub(super) pending: VecDeque<Part>,
}

impl Link {
    pub(super) fn new(connection: ConnectionId, node: Option<i32>, host: &str, port: u16) -> Self {
        Self {
            connection,
            node,
            host: host.to_owned(),
            port,
            state: State::Idle,
            input: Input::default(),
            wire: Wire::default(),
            asked: VecDeque::new(),
            produces_asked: 0,
            versions: [None; APIS.len()],
            next_correlation: 0,
            attempts: 0,
            established: 0,
            last_error: None,
            gone: None,
            muted_until_ns: 0,
            ready_ns: 0,
            last_received_ns: 0,
            looked_ns: 0,
            is_excused: false,
            pending: VecDeque::new(),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state == State::Ready && self.gone.is_none()
    }

    /// Whether the driver has a socket for it, open or opening.
    pub(super) fn has_socket(&self) -> bool {
        self.gone.is_none() && !matches!(self.state, State::Idle | State::Waiting { .. })
    }

    /// Whether it is open, and nothing is asked on it.
    pub(super) fn is_quiet(&self) -> bool {
        self.state == State::Ready && self.asked.is_empty() && self.pending.is_empty()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether it failed since it was last ready, so that its broker counts as unreachable.
    pub(super) fn is_failing(&self) -> bool {
        self.attempts > 0 && !self.is_ready()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// Whether an answer is outstanding.
    pub(super) fn expects(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether all Produce requests that are under way were asked after this time: what waited then has waited for a whole
    /// round trip.
    pub(super) fn has_passed_over(&self, since_ns: u64) -> bool {
        let mut produces = self.asked.iter().filter(|asked| matches!(asked.question, Question::Produce(_)));
        produces.next().is_none_or(|oldest| oldest.since_ns >= since_ns)
    }

    /// Somebody needs the connection.
    pub(super) fn want(&mut self, now_ns: u64) {
        if self.state == State::Idle {
            self.state = State::Waiting { until_ns: now_ns };
        }
    }

    /// Nobody needs it any more. The caller has closed it.
    pub(super) fn retire(&mut self) {
        self.clear();
        self.state = State::Idle;
        self.gone = None;
        self.last_error = None;
    }

    /// Another address: what failed was the old one.
    pub(super) fn moved(&mut self, host: &str, port: u16) {
        host.clone_into(&mut self.host);
        self.port = port;
        self.attempts = 0;
        self.last_error = None;
    }

    fn clear(&mut self) {
        self.input.clear();
        self.wire.restart();
        self.produces_asked = 0;
        self.versions = [None; APIS.len()];
    }

    pub(super) fn version(&self, api: Api) -> Option<i16> {
        APIS.iter().position(|it| *it == api).and_then(|index| self.versions[index])
    }

    pub(super) fn deadline_ns(&self, settings: &KafkaSettings) -> u64 {
        match self.state {
            _ if self.gone.is_some() => 0,
            State::Waiting { until_ns } => until_ns,
            State::Connecting { deadline_ns } | State::Greeting { deadline_ns } => deadline_ns,
            State::Ready => self.patience_ends_ns(settings),
            State::Idle => NEVER_NS,
        }
    }

    /// When the oldest question has waited too long.
    fn patience_ends_ns(&self, settings: &KafkaSettings) -> u64 {
        let oldest = self.asked.iter().find(|asked| asked.is_answered || asked.end > self.wire.sent_to());
        oldest.map_or(NEVER_NS, |asked| {
            asked.since_ns.max(self.last_received_ns).saturating_add(settings.request_timeout_ns)
        })
    }

    /// What the time asks for. `Connect` moves to `Connecting`; after `GiveUp` the caller calls [`Link::down`].
    pub(super) fn due(&mut self, now_ns: u64, settings: &KafkaSettings) -> Due {
        let is_late = now_ns.saturating_sub(self.looked_ns) >= STALL_NS && self.state == State::Ready;
        let deadline_ns = self.deadline_ns(settings);
        self.looked_ns = now_ns;
        if now_ns < deadline_ns {
            self.is_excused = false;
            return Due::Nothing;
        }
        match self.state {
            _ if self.gone.is_some() => Due::Nothing,
            State::Waiting { .. } => {
                self.state = State::Connecting { deadline_ns: now_ns + settings.connect_timeout_ns };
                Due::Connect
            }
            State::Connecting { .. } => Due::GiveUp(LinkError::ConnectTimeout),
            State::Greeting { .. } => Due::GiveUp(LinkError::HandshakeTimeout),
            State::Ready => {
                // After a standstill of our own, what was answered meanwhile is read first.
                self.is_excused = is_late && !self.is_excused && now_ns - deadline_ns >= STALL_NS;
                if self.is_excused { Due::Nothing } else { Due::GiveUp(LinkError::ReplyTimeout) }
            }
            State::Idle => Due::Nothing,
        }
    }

    /// The driver opened the connection: ask what the broker speaks.
    pub(super) fn connected(&mut self, now_ns: u64, settings: &KafkaSettings) {
        if !matches!(self.state, State::Connecting { .. }) || self.gone.is_some() {
            return;
        }
        self.clear();
        self.asked.clear();
        self.state = State::Greeting { deadline_ns: now_ns + settings.connect_timeout_ns };
        self.last_received_ns = now_ns;
        self.muted_until_ns = 0;
        self.ask_versions(now_ns, settings, Api::ApiVersions.versions().max);
    }

    fn ask_versions(&mut self, now_ns: u64, settings: &KafkaSettings, version: i16) {
        let request = ApiVersionsRequest {
            client_software_name: SOFTWARE_NAME,
            client_software_version: env!("CARGO_PKG_VERSION"),
        };
        // Its words are ours, and short enough for any version.
        let _ = self.ask(now_ns, settings, Question::Versions, version, |_, out, header| {
            encode_request(out, header, &request)
        });
    }

    /// Appends a request to the output, and remembers that it was asked. A request that cannot be written leaves no
    /// trace, and is answered back.
    pub(super) fn ask(
        &mut self,
        now_ns: u64,
        settings: &KafkaSettings,
        question: Question,
        version: i16,
        write: impl FnOnce(&Question, &mut Vec<u8>, &RequestHeader<'_>) -> Result<(), WireError>,
    ) -> Result<(), Question> {
        let correlation_id = self.next_correlation;
        let header = RequestHeader { version, correlation_id, client_id: Some(&settings.client_id) };
        let out = self.wire.writer();
        let start = out.len();
        if write(&question, out, &header).is_err() {
            out.truncate(start);
            return Err(question);
        }
        self.next_correlation = correlation_id.wrapping_add(1) & i32::MAX;
        let is_produce = matches!(question, Question::Produce(_));
        self.produces_asked += usize::from(is_produce);
        let is_answered = !is_produce || settings.acks.number() != 0;
        let end = self.wire.end();
        self.asked.push_back(Asked { question, version, correlation_id, end, since_ns: now_ns, is_answered });
        Ok(())
    }

    pub(super) fn space(&mut self) -> &mut [u8] {
        let wanted = FrameReader::new(RESPONSE_LEN_MAX).wanted(self.input.unconsumed());
        self.input.space(wanted)
    }

    /// Whether the receive buffer is full of what is still to be decoded.
    pub(super) fn is_behind(&self) -> bool {
        let wanted = FrameReader::new(RESPONSE_LEN_MAX).wanted(self.input.unconsumed());
        self.input.is_full() && self.input.unconsumed().len() >= wanted
    }

    pub(super) fn received(&mut self, now_ns: u64, n: usize) {
        self.input.received(n);
        self.last_received_ns = now_ns;
    }

    /// What the driver may send now.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.may_send().then(|| self.wire.pieces()).into_iter().flatten()
    }

    /// The same, where no batch is apart.
    pub(super) fn output(&self) -> &[u8] {
        if self.may_send() { self.wire.own() } else { &[] }
    }

    fn may_send(&self) -> bool {
        self.gone.is_none() && matches!(self.state, State::Greeting { .. } | State::Ready)
    }

    /// Batches of the request that was asked last are sent from where they lie.
    pub(super) fn put_apart(&mut self, apart: impl Iterator<Item = Apart>) {
        self.wire.put_apart(apart);
        if let Some(asked) = self.asked.back_mut() {
            asked.end = self.wire.end();
        }
    }

    /// The driver lost the connection, or could not open it.
    pub(super) fn lost(&mut self, error: LinkError) {
        if self.state != State::Idle {
            self.gone = Some(error);
        }
    }

    pub(super) fn take_gone(&mut self) -> Option<LinkError> {
        self.gone.take()
    }

    /// The question whose answer is whole in the receive buffer: the caller decodes [`Link::payload`], and says
    /// [`Link::consumed`].
    pub(super) fn next_answer(&mut self) -> Result<Option<Asked>, LinkError> {
        let protocol = |words: String| LinkError::Protocol(words.into());
        let frame = match FrameReader::new(RESPONSE_LEN_MAX).next(self.input.unconsumed()) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(None),
            Err(error) => return Err(protocol(error.to_string())),
        };
        let id = frame.correlation_id();
        match self.asked.pop_front() {
            Some(asked)
                if asked.correlation_id == id && asked.end <= self.wire.sent_to() && asked.is_answered =>
            {
                self.produces_asked -= usize::from(matches!(asked.question, Question::Produce(_)));
                Ok(Some(asked))
            }
            Some(asked) => {
                let expected = asked.correlation_id;
                self.asked.push_front(asked);
                Err(protocol(format!("expected the answer to request {expected}, got one to {id}")))
            }
            None => Err(protocol(format!("an answer came to request {id}, which was not asked"))),
        }
    }

    /// The answer's bytes, while it is not consumed.
    pub(super) fn payload(&self) -> &[u8] {
        FrameReader::new(RESPONSE_LEN_MAX)
            .next(self.input.unconsumed())
            .ok()
            .flatten()
            .map_or(&[], |frame| frame.payload())
    }

    pub(super) fn consumed(&mut self) {
        let frame = FrameReader::new(RESPONSE_LEN_MAX).next(self.input.unconsumed());
        let len = frame.ok().flatten().map_or(0, |frame| frame.len());
        self.input.consume(len);
    }

    /// The oldest question, if it was sent whole and gets no answer.
    pub(super) fn take_unanswerable(&mut self) -> Option<Asked> {
        let sent_to = self.wire.sent_to();
        let is_done = self.asked.front().is_some_and(|asked| !asked.is_answered && asked.end <= sent_to);
        let asked = if is_done { self.asked.pop_front() } else { None };
        self.produces_asked -= usize::from(asked.is_some());
        asked
    }

    /// Reads the answer to [`Question::Versions`]: the connection is ready, or asks again in words that the broker
    /// understands.
    pub(super) fn greet(
        &mut self,
        now_ns: u64,
        settings: &KafkaSettings,
        version: i16,
    ) -> Result<(), LinkError> {
        let protocol = |error: WireError| LinkError::Protocol(error.to_string().into());
        let payload = FrameReader::new(RESPONSE_LEN_MAX).next(self.input.unconsumed()).ok().flatten();
        let payload = payload.map_or(&[][..], |frame| frame.payload());
        let answer = decode_response::<ApiVersionsRequest<'_>>(version, payload).map_err(protocol)?;
        if answer.error_code == ErrorCode::UNSUPPORTED_VERSION && version > 0 {
            let offered = offered(&answer, Api::ApiVersions);
            let next = offered.and_then(|offered| Api::ApiVersions.choose(offered, version - 1)).unwrap_or(0);
            self.ask_versions(now_ns, settings, next);
            return Ok(());
        }
        if answer.error_code != ErrorCode::NONE {
            return Err(LinkError::Refused(format!("ApiVersions was answered {}", answer.error_code)));
        }
        let mut versions = [None; APIS.len()];
        for (api, version) in APIS.iter().zip(&mut versions) {
            let Some(mut range) = offered(&answer, *api) else { continue };
            if *api == Api::Produce {
                range.min = range.min.max(PRODUCE_VERSION_MIN);
            }
            *version = api.choose(range, i16::MAX);
            if version.is_none() {
                let ours = api.versions();
                return Err(LinkError::Refused(format!(
                    "no version of {} in common: the broker speaks {} to {}, we speak {} to {}; use a broker of Kafka \
                     2.1 or newer",
                    api.name(),
                    range.min,
                    range.max,
                    ours.min,
                    ours.max
                )));
            }
        }
        self.versions = versions;
        for (api, needed) in
            [(Api::Produce, true), (Api::Metadata, true), (Api::InitProducerId, settings.idempotent)]
        {
            if needed && self.version(api).is_none() {
                let name = api.name();
                return Err(LinkError::Refused(format!(
                    "the broker does not speak {name}; is it a Kafka broker of 2.1 or newer?"
                )));
            }
        }
        self.state = State::Ready;
        self.established += 1;
        self.ready_ns = now_ns;
        self.looked_ns = now_ns;
        self.last_error = None;
        Ok(())
    }

    /// The connection is gone, or could not be had: wait, then try again. The caller takes [`Link::asked`] first.
    pub(super) fn down(
        &mut self,
        now_ns: u64,
        error: LinkError,
        settings: &KafkaSettings,
        random: &mut Random,
    ) {
        let lasted = self.state == State::Ready && now_ns.saturating_sub(self.ready_ns) >= LASTING_NS;
        if lasted {
            self.attempts = 0;
        }
        let delay_ns =
            backoff::delay_ns(random, self.attempts, settings.reconnect_min_ns, settings.reconnect_max_ns);
        self.attempts = self.attempts.saturating_add(1);
        self.clear();
        self.asked.clear();
        self.state = State::Waiting { until_ns: now_ns + delay_ns };
        self.gone = None;
        self.last_error = Some(error);
    }

    /// Whether all of a question's bytes were handed to the network, as far as this connection went.
    pub(super) fn was_sent(&self, asked: &Asked) -> bool {
        asked.end <= self.wire.sent_to()
    }

    /// The broker wants a pause of so many milliseconds, whatever it answers besides (KIP-219).
    pub(super) fn throttle(&mut self, now_ns: u64, ms: i32) {
        let pause_ns = u64::try_from(ms).unwrap_or(0) * MILLISECOND_NS;
        self.muted_until_ns = self.muted_until_ns.max(now_ns.saturating_add(pause_ns));
    }

    /// It answers as it should: the count of failures begins anew.
    pub(super) fn succeeded(&mut self) {
        self.attempts = 0;
    }
}

fn offered(answer: &ApiVersionsResponse<'_>, api: Api) -> Option<Versions> {
    let found = answer.api_keys.iter().find(|offered: &ApiVersion| offered.api_key == api.key())?;
    Some(Versions { min: found.min_version, max: found.max_version })
}
