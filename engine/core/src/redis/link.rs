//! One connection of an endpoint: when to open it, its greeting, when to give it up, when to try again.
//!
//! ```text
//!          want()          connect()           connected()         greeting done
//!  Idle ──────────► Waiting ───────► Connecting ──────────► Greeting ──────────► Ready
//!                      ▲                 │ refused, timeout    │ refused, timeout   │ closed, silent, nonsense
//!                      └─────────────────┴─────────────────────┴────────────────────┘  delay with full jitter
//! ```

use ringwire_codec::resp::FrameReader;

use super::handshake::{Handshake, Task};
use crate::backoff::{self, Random};
use crate::buffer::Input;
use crate::outlet::{ConnectionId, Outlet};
use crate::settings::RedisSettings;
use crate::status::{EndpointState, LaneStatus, LinkError};
use crate::time::{NEVER_NS, SECOND_NS};

/// A connection that was ready for so long was a success, whatever ended it.
const LASTING_NS: u64 = SECOND_NS;
/// A wrong password is mended by people: so many times the usual longest delay keeps it out of the server's log.
const TURNED_AWAY_FACTOR: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Waiting { until_ns: u64 },
    Connecting { deadline_ns: u64 },
    Greeting { deadline_ns: u64 },
    Ready,
}

/// What a look at the clock asks of the lane.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Open the connection.
    Connect,
    /// Give it up.
    GiveUp(LinkError),
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: ConnectionId,
    state: State,
    pub(crate) input: Input,
    pub(crate) reader: FrameReader,
    /// The greeting's commands, apart from the lane's: these go first and are never sent again.
    greeting: Vec<u8>,
    greeting_sent: usize,
    handshake: Option<Handshake>,
    /// Attempts since the last ready connection.
    attempts: u32,
    /// Connections that became ready.
    established: u64,
    announced: EndpointState,
    last_error: Option<LinkError>,
    /// The last error that was told.
    announced_error: Option<LinkError>,
    /// The breaker is another than the one that was told.
    is_breaker_changed: bool,
    /// The connection is there, and takes no messages: its breaker is about to close it.
    is_held: bool,
    /// The driver lost the connection: what came before that is decoded first.
    gone: Option<LinkError>,
    /// When the announced state began, and when the connection was ready last.
    since_ns: u64,
    ready_ns: u64,
    pub(crate) last_received_ns: u64,
}

impl Link {
    pub(crate) fn new(connection: ConnectionId, settings: &RedisSettings) -> Self {
        Self {
            connection,
            state: State::Idle,
            input: Input::default(),
            reader: FrameReader::new(settings.limits),
            greeting: Vec::new(),
            greeting_sent: 0,
            handshake: None,
            attempts: 0,
            established: 0,
            announced: EndpointState::Disconnected,
            last_error: None,
            announced_error: None,
            is_breaker_changed: false,
            is_held: false,
            gone: None,
            since_ns: 0,
            ready_ns: 0,
            last_received_ns: 0,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether the driver has a socket for it, open or opening.
    pub(crate) fn has_socket(&self) -> bool {
        !self.is_gone() && !matches!(self.state, State::Idle | State::Waiting { .. })
    }

    /// Whether somebody needs the connection.
    pub(crate) fn is_wanted(&self) -> bool {
        self.state != State::Idle
    }

    pub(crate) fn is_greeting(&self) -> bool {
        matches!(self.state, State::Greeting { .. })
    }

    pub(crate) fn reconnects(&self) -> u64 {
        self.established.saturating_sub(1)
    }

    /// Somebody needs the connection.
    pub(crate) fn want(&mut self, now_ns: u64) {
        if self.state == State::Idle {
            self.state = State::Waiting { until_ns: now_ns };
        }
    }

    pub(crate) fn deadline_ns(&self) -> u64 {
        match self.state {
            State::Waiting { until_ns } => until_ns,
            State::Connecting { deadline_ns } | State::Greeting { deadline_ns } => deadline_ns,
            State::Idle | State::Ready => NEVER_NS,
        }
    }

    /// What the time asks for. `Connect` moves to `Connecting`; after `GiveUp` the caller calls [`Link::down`].
    pub(crate) fn due(&mut self, now_ns: u64, settings: &RedisSettings) -> Due {
        match self.state {
            State::Waiting { until_ns } if now_ns >= until_ns => {
                self.state = State::Connecting { deadline_ns: now_ns + settings.connect_timeout_ns };
                Due::Connect
            }
            State::Connecting { deadline_ns } if now_ns >= deadline_ns => {
                Due::GiveUp(LinkError::ConnectTimeout)
            }
            State::Greeting { deadline_ns } if now_ns >= deadline_ns => {
                Due::GiveUp(LinkError::HandshakeTimeout)
            }
            _ => Due::Nothing,
        }
    }

    /// The driver opened the connection: the greeting begins.
    pub(crate) fn connected(&mut self, now_ns: u64, task: Task, settings: &RedisSettings) {
        if !matches!(self.state, State::Connecting { .. }) || self.is_gone() {
            return;
        }
        self.state = State::Greeting { deadline_ns: now_ns + settings.connect_timeout_ns };
        self.input.clear();
        self.reader.reset();
        self.greeting.clear();
        self.greeting_sent = 0;
        self.last_received_ns = now_ns;
        let role = self.connection.role();
        self.handshake = Some(Handshake::begin(role, task, settings, &mut self.greeting));
    }

    /// Reads answers to the greeting until it is finished (then the handshake's findings) or no whole one is left.
    pub(crate) fn greet(
        &mut self,
        now_ns: u64,
        settings: &RedisSettings,
    ) -> Result<Option<Handshake>, LinkError> {
        loop {
            let Some(handshake) = &mut self.handshake else { return Ok(None) };
            let frame = match self.reader.next(self.input.unconsumed()) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(error) => return Err(LinkError::Protocol(error.to_string().into())),
            };
            let finished = handshake.answer(&frame, settings, &mut self.greeting)?;
            let len = frame.len();
            self.input.consume(len);
            if finished {
                self.state = State::Ready;
                self.established += 1;
                self.last_error = None;
                self.ready_ns = now_ns;
                return Ok(self.handshake.take());
            }
        }
    }

    /// What of the greeting is still to be sent.
    pub(crate) fn greeting(&self) -> &[u8] {
        &self.greeting[self.greeting_sent..]
    }

    pub(crate) fn greeting_sent(&mut self, n: usize) {
        self.greeting_sent += n;
        assert!(self.greeting_sent <= self.greeting.len(), "the driver reports more bytes than it was lent");
    }

    /// The driver lost the connection, or could not open it.
    pub(crate) fn lost(&mut self, error: LinkError) {
        if self.state != State::Idle {
            self.gone = Some(error);
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// Why the connection is gone, once everything that came over it is decoded.
    pub(crate) fn take_gone(&mut self) -> Option<LinkError> {
        self.gone.take()
    }

    /// What a probe of a ready connection found: that something ails the server, or that nothing does any more.
    pub(crate) fn examined(&mut self, ailment: Option<LinkError>) {
        if !self.is_held {
            self.last_error = ailment;
        }
    }

    /// The breaker changed while the connection did not: that is to be told as well.
    pub(crate) fn tell_again(&mut self) {
        self.is_breaker_changed = true;
    }

    /// The breaker opens: the connection counts as failed until it is closed.
    pub(crate) fn hold(&mut self, error: LinkError) {
        self.is_held = true;
        self.last_error = Some(error);
    }

    /// The connection is gone, or could not be had: wait, then try again; for `pause_ns` if that is given, else for
    /// the usual delay with full jitter.
    pub(crate) fn down(
        &mut self,
        now_ns: u64,
        error: LinkError,
        pause_ns: Option<u64>,
        settings: &RedisSettings,
        random: &mut Random,
    ) {
        // A server that greets and then closes is no better than one that refuses: only a connection that lasted
        // begins the count anew.
        if self.is_ready() && now_ns.saturating_sub(self.ready_ns) >= LASTING_NS {
            self.attempts = 0;
        }
        let max_ns = match error {
            LinkError::Authentication(_) | LinkError::Permission(_) => {
                settings.reconnect_max_ns.saturating_mul(TURNED_AWAY_FACTOR)
            }
            _ => settings.reconnect_max_ns,
        };
        let delay = backoff::delay_ns(random, self.attempts, settings.reconnect_min_ns, max_ns);
        self.attempts = self.attempts.saturating_add(1);
        self.state = State::Waiting { until_ns: now_ns + pause_ns.unwrap_or(delay) };
        self.is_held = false;
        self.last_error = Some(error);
        self.gone = None;
        self.handshake = None;
        self.greeting.clear();
        self.greeting_sent = 0;
        self.input.clear();
        self.reader.reset();
    }

    /// Never to be opened again.
    pub(crate) fn retire(&mut self) {
        self.state = State::Idle;
    }

    fn public_state(&self) -> EndpointState {
        match (self.state, &self.last_error) {
            (State::Idle, _) => EndpointState::Disconnected,
            (State::Ready, _) if self.is_held => EndpointState::Failed,
            (State::Ready, _) => EndpointState::Connected,
            (_, Some(error)) if error.is_refusal() => EndpointState::Failed,
            (_, None) if self.established == 0 => EndpointState::Connecting,
            _ => EndpointState::Reconnecting,
        }
    }

    /// Tells the driver of a change of state, of the last error or of the breaker, once.
    pub(crate) fn announce(&mut self, now_ns: u64, outlet: &mut impl Outlet) {
        let state = self.public_state();
        if state != self.announced {
            self.announced = state;
            self.since_ns = now_ns;
        } else if self.last_error == self.announced_error && !self.is_breaker_changed {
            return;
        }
        self.announced_error.clone_from(&self.last_error);
        self.is_breaker_changed = false;
        outlet.state(self.connection.endpoint(), self.connection.role(), state);
    }

    pub(crate) fn state(&self) -> EndpointState {
        self.announced
    }

    pub(crate) fn status(&self) -> LaneStatus {
        LaneStatus { state: self.announced, since_ns: self.since_ns, last_error: self.last_error.clone() }
    }
}
