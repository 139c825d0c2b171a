//! One blocking connection to a broker: one request after another.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use ringwire_codec::kafka::{
    Api, ApiVersionsRequest, ErrorCode, FrameReader, RESPONSE_LEN_MAX, Request, RequestHeader, Versions,
    decode_response, encode_request,
};

use super::error::AdminError;
use crate::config::one_line;

/// What brokers' logs and metrics call us.
const CLIENT_ID: &str = "ringwire-admin";
const SOFTWARE_NAME: &str = "ringwire";
/// What is read at once.
const READ_BYTES: usize = 16 << 10;
/// A socket's timeout may not be nothing.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

pub(super) struct Connection {
    stream: TcpStream,
    /// Host and port.
    broker: String,
    deadline: Instant,
    correlation_id: i32,
    /// What the broker speaks.
    offered: Vec<(i16, Versions)>,
}

impl Connection {
    /// Connects, and asks what the broker speaks.
    pub(super) fn open(host: &str, port: u16, deadline: Instant) -> Result<Self, AdminError> {
        let broker = one_line(&format!("{host}:{port}"));
        let unreachable =
            |error: io::Error| AdminError::Unreachable { broker: broker.clone(), why: error.to_string() };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let mut stream = None;
        let addresses: Vec<_> = (bare, port).to_socket_addrs().map_err(unreachable)?.collect();
        for (index, address) in addresses.iter().enumerate() {
            // One that does not answer leaves time for the others.
            let share = left(deadline) / (addresses.len() - index) as u32;
            match TcpStream::connect_timeout(address, share) {
                Ok(connected) => {
                    stream = Some(connected);
                    break;
                }
                Err(error) => last = error,
            }
        }
        let stream = stream.ok_or_else(|| unreachable(last))?;
        let mut connection = Self { stream, broker, deadline, correlation_id: 0, offered: Vec::new() };
        connection.greet()?;
        Ok(connection)
    }

    /// The same, with another deadline.
    pub(super) fn until(mut self, deadline: Instant) -> Self {
        self.deadline = deadline;
        self
    }

    fn greet(&mut self) -> Result<(), AdminError> {
        let request = ApiVersionsRequest {
            client_software_name: SOFTWARE_NAME,
            client_software_version: env!("CARGO_PKG_VERSION"),
        };
        let newest = Api::ApiVersions.versions().max;
        // A broker that does not know the newest version says so in version 0, which every one knows.
        for version in [newest, 0] {
            let payload = self.exchange(version, &request)?;
            let answer = self.read::<ApiVersionsRequest<'_>>(version, &payload)?;
            if answer.error_code == ErrorCode::UNSUPPORTED_VERSION && version != 0 {
                continue;
            }
            if answer.error_code != ErrorCode::NONE {
                return Err(self.refused("its versions", answer.error_code, None));
            }
            let offered = answer.api_keys.iter();
            self.offered = offered
                .map(|it| (it.api_key, Versions { min: it.min_version, max: it.max_version }))
                .collect();
            return Ok(());
        }
        Err(self.nonsense("it speaks no version of ApiVersions"))
    }

    /// Asks, in the newest version that both speak; answers that version and the answer's bytes.
    pub(super) fn ask<'a, R: Request<'a>>(&mut self, request: &R) -> Result<(i16, Vec<u8>), AdminError> {
        let offered =
            self.offered.iter().find(|(key, _)| *key == R::API.key()).map(|(_, versions)| *versions);
        let version = offered.and_then(|offered| R::API.choose(offered, i16::MAX));
        let version =
            version.ok_or_else(|| self.nonsense(&format!("no version of {} in common", R::API.name())))?;
        Ok((version, self.exchange(version, request)?))
    }

    fn exchange<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Result<Vec<u8>, AdminError> {
        self.correlation_id += 1;
        let header =
            RequestHeader { version, correlation_id: self.correlation_id, client_id: Some(CLIENT_ID) };
        let mut out = Vec::new();
        encode_request(&mut out, &header, request).map_err(|error| self.nonsense(&error.to_string()))?;
        self.transfer(&out)
    }

    /// Sends a request, and reads the answer.
    fn transfer(&mut self, out: &[u8]) -> Result<Vec<u8>, AdminError> {
        let unreachable = |broker: &str, error: io::Error| {
            let why = match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    "no answer within the timeout".to_owned()
                }
                _ => error.to_string(),
            };
            AdminError::Unreachable { broker: broker.to_owned(), why }
        };
        let sent = self
            .stream
            .set_write_timeout(Some(left(self.deadline)))
            .and_then(|()| self.stream.write_all(out));
        sent.map_err(|error| unreachable(&self.broker, error))?;
        let frames = FrameReader::new(RESPONSE_LEN_MAX);
        let mut received = Vec::new();
        let mut piece = [0; READ_BYTES];
        loop {
            match frames.next(&received) {
                Ok(Some(frame)) if frame.correlation_id() == self.correlation_id => {
                    return Ok(frame.payload().to_vec());
                }
                Ok(Some(_)) => return Err(self.nonsense("it answers another request")),
                Ok(None) => {}
                Err(error) => return Err(self.nonsense(&error.to_string())),
            }
            if Instant::now() >= self.deadline {
                return Err(unreachable(&self.broker, io::ErrorKind::TimedOut.into()));
            }
            let read = self.stream.set_read_timeout(Some(left(self.deadline)));
            match read.and_then(|()| self.stream.read(&mut piece)) {
                Ok(0) => return Err(unreachable(&self.broker, io::Error::other("it closed the connection"))),
                Ok(len) => received.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreachable(&self.broker, error)),
            }
        }
    }

    /// Reads an answer.
    pub(super) fn read<'a, R: Request<'a>>(
        &self,
        version: i16,
        payload: &'a [u8],
    ) -> Result<R::Response, AdminError> {
        decode_response::<R>(version, payload).map_err(|error| self.nonsense(&error.to_string()))
    }

    pub(super) fn nonsense(&self, why: &str) -> AdminError {
        AdminError::Protocol { broker: self.broker.clone(), why: one_line(why) }
    }

    pub(super) fn refused(&self, what: &str, code: ErrorCode, words: Option<&str>) -> AdminError {
        let words = one_line(words.unwrap_or_default());
        AdminError::Refused { broker: self.broker.clone(), what: one_line(what), code, words }
    }
}

/// The time until `deadline`, as a socket takes it.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(TIMEOUT_MIN)
}
