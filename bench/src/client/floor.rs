//! The floor: one bare socket that moves the same bytes. What it costs is the machine's, the kernel's and the server's.

use ringwire::monotonic_ns;
use ringwire_codec::resp::{CommandPrefix, FrameReader, Limits, Token, encode};
use ringwire_shards::net::{Address, Options, Received, Socket, Transfer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::pace::Patience;
use super::record::{Arrivals, Meter, Recorder};
use super::{ClientArgs, Records, Told, Tuning};
use crate::rig::RigError;

/// Bytes that one receive takes: as the engine's.
const RECEIVE_BYTES: usize = 64 << 10;
/// How long a blocking wait lasts before it looks at its limits again.
const LOOK_AGAIN_NS: u64 = 100_000_000;

pub(super) fn connect(args: &ClientArgs) -> Result<Socket, RigError> {
    let failed = |error| args.failed(format_args!("connecting to {}: {error}", args.address));
    let socket = Socket::connect(&Address::Tcp(args.address), &Options::default()).map_err(failed)?;
    let mut patience = Patience::new();
    while !socket.finish_connect().map_err(failed)? {
        if !patience.holds(0, monotonic_ns()) {
            return Err(args.failed("the server did not accept the connection"));
        }
    }
    Ok(socket)
}

/// Reads away what nobody needs.
pub(super) fn discard(args: &ClientArgs, socket: &Socket) -> Result<(), RigError> {
    let mut nowhere = [0; 4_096];
    match socket.recv(&mut nowhere).map_err(|error| args.failed(error))? {
        Received::Closed => Err(args.failed("the server closed the connection")),
        Received::Data(_) | Received::Blocked => Ok(()),
    }
}

/// Waits for one of `wanted`, at most so long.
fn wait(args: &ClientArgs, socket: &Socket, wanted: PollFlags, ns: u64) -> Result<(), RigError> {
    let limit = Timespec { tv_sec: 0, tv_nsec: ns.min(LOOK_AGAIN_NS) as i64 };
    match poll(&mut [PollFd::new(socket, wanted)], Some(&limit)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(args.failed(error)),
    }
}

fn prefixes(args: &ClientArgs) -> Vec<CommandPrefix> {
    let prefix = |index| CommandPrefix::new(&[b"PUBLISH", args.channel(index).as_bytes()], 1);
    (0..args.channels.max(1)).map(prefix).collect()
}

/// A connection, and what is needed to put messages on it.
struct Bare<'a> {
    args: &'a ClientArgs,
    socket: Socket,
    prefixes: Vec<CommandPrefix>,
    records: Records,
    output: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
}

impl<'a> Bare<'a> {
    fn open(args: &'a ClientArgs) -> Result<Self, RigError> {
        Ok(Self {
            args,
            socket: connect(args)?,
            prefixes: prefixes(args),
            records: args.records()?,
            output: Vec::with_capacity(1 << 20),
            sent: 0,
            input: vec![0; RECEIVE_BYTES],
        })
    }

    #[inline]
    fn put(&mut self, message: usize) {
        self.prefixes[message % self.prefixes.len()].encode1(&mut self.output, self.records.of(message));
    }

    fn send(&mut self) -> Result<(), RigError> {
        if self.sent < self.output.len()
            && let Transfer::Done(count) =
                self.socket.send(&self.output[self.sent..]).map_err(|error| self.args.failed(error))?
        {
            self.sent += count;
            if self.sent == self.output.len() {
                self.output.clear();
                self.sent = 0;
            }
        }
        Ok(())
    }

    /// Replies that have arrived: whole lines, each of them an integer.
    fn replies(&mut self) -> Result<usize, RigError> {
        match self.socket.recv(&mut self.input).map_err(|error| self.args.failed(error))? {
            Received::Blocked => Ok(0),
            Received::Closed => Err(self.args.failed("the server closed the connection")),
            Received::Data(count) => {
                let bytes = &self.input[..count];
                if bytes.contains(&b'-') {
                    let told = String::from_utf8_lossy(bytes).into_owned();
                    return Err(self.args.failed(format_args!("the server answers {told}")));
                }
                Ok(bytes.iter().filter(|byte| **byte == b'\n').count())
            }
        }
    }

    fn flood(&mut self, messages: usize, window: usize) -> Result<(), RigError> {
        let (mut answered, mut patience) = (0, Patience::new());
        while answered < messages {
            let batch = window.min(messages - answered);
            (answered..answered + batch).for_each(|message| self.put(message));
            let end = answered + batch;
            while answered < end {
                self.send()?;
                self.wait(LOOK_AGAIN_NS)?;
                answered += self.replies()?.min(end - answered);
                if !patience.holds(answered as u64, monotonic_ns()) {
                    return Err(self.args.failed("no answer for a minute"));
                }
            }
        }
        Ok(())
    }

    /// Waits until there are replies, or room for what is not sent, or the time has passed.
    fn wait(&self, ns: u64) -> Result<(), RigError> {
        let wanted = if self.output.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        wait(self.args, &self.socket, wanted, ns)
    }
}

/// One socket: what is due goes out in one send. It spins, or (tuned for throughput) waits for the due time or a reply.
pub(super) fn ack(args: &ClientArgs) -> Result<Told, RigError> {
    let mut bare = Bare::open(args)?;
    let (total, mut published, mut answered) = (args.total(), 0, 0);
    let mut patience = Patience::new();
    let spins = args.tuning == Tuning::Latency;
    let mut recorder = Recorder::start(args, args.due()?);
    while answered < total {
        let mut now_ns = monotonic_ns();
        if !spins {
            let due_ns = recorder.due_ns(published).unwrap_or(now_ns + LOOK_AGAIN_NS);
            bare.wait(due_ns.saturating_sub(now_ns).min(LOOK_AGAIN_NS))?;
            now_ns = monotonic_ns();
        }
        while recorder.due_ns(published).is_some_and(|due_ns| due_ns <= now_ns) {
            recorder.handed(published, now_ns);
            bare.put(published);
            published += 1;
            now_ns = monotonic_ns();
        }
        bare.send()?;
        if answered < published {
            let replies = bare.replies()?;
            now_ns = monotonic_ns();
            for _ in 0..replies.min(published - answered) {
                recorder.answered(answered, now_ns);
                answered += 1;
            }
            if !patience.holds(answered as u64, now_ns) {
                return Err(args.failed("no answer for a minute"));
            }
        } else {
            patience = Patience::new();
        }
    }
    let way = if spins { "spins for the due time and for answers" } else { "waits in ppoll" };
    recorder.finish(args, &["bare socket", way])
}

/// A window of commands in one send, then their replies.
pub(super) fn flood(args: &ClientArgs) -> Result<Told, RigError> {
    let mut bare = Bare::open(args)?;
    let window = args.window.max(1) as usize;
    bare.flood(args.warmup as usize, window)?;
    let mut meter = Meter::begin();
    bare.flood(args.messages as usize, window)?;
    meter.touch(monotonic_ns());
    let window = format!("{window} commands in one send, then their replies");
    Ok(meter.told(args, &["bare socket", &window, "waits in poll"], 0))
}

/// Reads what is pushed, and nothing else.
pub(super) fn subscribe(args: &ClientArgs) -> Result<Told, RigError> {
    let socket = connect(args)?;
    let names: Vec<String> = (0..args.channels.max(1)).map(|index| args.channel(index)).collect();
    let mut command: Vec<&[u8]> = vec![b"SUBSCRIBE"];
    command.extend(names.iter().map(String::as_bytes));
    let mut output = Vec::new();
    encode::command(&mut output, &command);
    let mut listener =
        Listener { args, socket, reader: FrameReader::new(Limits::default()), input: Vec::new(), len: 0 };
    let spins = args.tuning == Tuning::Latency;
    let mut confirmed = 0;
    let mut patience = Patience::new();
    while confirmed < names.len() {
        if let Transfer::Done(count) = listener.socket.send(&output).map_err(|error| args.failed(error))? {
            output.drain(..count);
        }
        listener.receive(false, |kind, _| confirmed += usize::from(kind == b"subscribe"))?;
        if !patience.holds(confirmed as u64, monotonic_ns()) {
            return Err(args.failed("the server confirmed no subscription for a minute"));
        }
    }
    println!("ready");
    let began_ns = monotonic_ns();
    let mut arrivals = Arrivals::new(args);
    while !arrivals.is_complete() && !arrivals.is_silent(began_ns, monotonic_ns()) {
        listener.receive(spins, |kind, payload| {
            if kind == b"message" {
                arrivals.arrived(payload, monotonic_ns());
            }
        })?;
    }
    arrivals.finish(args, &["bare socket", if spins { "spins for messages" } else { "waits in poll" }])
}

struct Listener<'a> {
    args: &'a ClientArgs,
    socket: Socket,
    reader: FrameReader,
    input: Vec<u8>,
    /// Bytes of `input` that hold something.
    len: usize,
}

impl Listener<'_> {
    /// Receives once, and hands over the kind and the last item of each frame.
    fn receive(&mut self, spins: bool, mut each: impl FnMut(&[u8], &[u8])) -> Result<(), RigError> {
        if !spins {
            wait(self.args, &self.socket, PollFlags::IN, LOOK_AGAIN_NS)?;
        }
        if self.input.len() < self.len + RECEIVE_BYTES {
            self.input.resize(self.len + RECEIVE_BYTES, 0);
        }
        match self.socket.recv(&mut self.input[self.len..]).map_err(|error| self.args.failed(error))? {
            Received::Blocked => return Ok(()),
            Received::Closed => return Err(self.args.failed("the server closed the connection")),
            Received::Data(count) => self.len += count,
        }
        let mut at = 0;
        while let Some(frame) =
            self.reader.next(&self.input[at..self.len]).map_err(|error| self.args.failed(error))?
        {
            if let (Some(Token::Bulk(kind)), Some(last)) = (frame.item(0), frame.item(2)) {
                each(kind, last.bytes().unwrap_or_default());
            }
            at += frame.len();
        }
        self.input.copy_within(at..self.len, 0);
        self.len -= at;
        Ok(())
    }
}
