//! `ringwire publish` and `ringwire produce`: one message, or each line of what is read, and what became of it.

mod summary;

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use ringwire::{Channel, EndpointKind, Headers, Message, monotonic_ns};

use crate::args::{Envelope, Publish, ReadFrom, Source};
use crate::configuration::{Configuration, FileHere};
use crate::input::Input;
use crate::lines::Lines;
use crate::output::{Failure, complain};
use crate::progress::Progress;
use crate::running::Running;
use crate::sender::{Halt, Sender};
use crate::stop::{Stop, Woken};
pub(crate) use summary::PublishSummary;

/// How long standard input is waited for between two looks at the outcomes, while some are still to come.
const INPUT_NAP: Duration = Duration::from_millis(100);

/// Publishes what the plan says.
pub(crate) fn run(plan: &Publish) -> PublishSummary {
    let channel = String::from_utf8_lossy(&plan.channel).into_owned();
    let mut summary = PublishSummary { channel, ..PublishSummary::default() };
    summary.error = try_run(plan, &mut summary).err();
    summary
}

fn try_run(plan: &Publish, summary: &mut PublishSummary) -> Result<(), Failure> {
    let configuration = Configuration::load(&plan.origin, FileHere::Read)?.with_endpoint()?.quiet();
    let file = plan.source.file().map(open).transpose()?;
    let stop = Stop::listen()?;
    let running = Running::start(configuration)?;
    summary.went_to(&running);
    let channel = running.engine.channel(&plan.channel).map_err(|error| error.to_string())?;
    if plan.envelope.is_some() && !goes_to_kafka(&channel) {
        return Err(Failure::usage(format!(
            "no Kafka takes {}: name one with --kafka HOST:PORT, or lead it to one by a [[route]]",
            summary.channel
        )));
    }
    let mut sender = Sender::open(&running, plan.timeout, &stop)?;
    running.wait_ready(plan.timeout, &stop)?;
    sender.start();
    let is_typed = plan.source == Source::Lines(ReadFrom::Stdin) && std::io::stdin().is_terminal();
    if is_typed {
        complain("each line is a message; Ctrl-D ends");
    }
    // It would run into what is typed.
    let progress = (plan.progress && !is_typed).then(|| Progress::start(sender.live(), 0));
    let (none, mut buffer) = (Envelope::default(), Vec::new());
    let envelope = plan.envelope.as_ref().unwrap_or(&none);
    let mut feed = Feed { sender, channel, shape: Shape::new(envelope, &mut buffer), read: 0 };
    let input = Input::new(&stop);
    let fed = match (&plan.source, file) {
        (Source::Message(payload), _) => feed.message(Some(payload)),
        (Source::Null, _) => feed.message(None),
        (Source::Lines(from), Some(file)) => feed.lines(file, None, &from.shown(), &stop),
        (Source::Lines(from), None) => feed.lines(input, Some(input), &from.shown(), &stop),
        (Source::Whole(from), Some(file)) => feed.whole(file, &from.shown()),
        (Source::Whole(from), None) => feed.whole(input, &from.shown()),
    };
    let Feed { sender, read, .. } = feed;
    let sent = sender.finish();
    drop(progress);
    summary.fill(&sent, read);
    match fed {
        Err(words) => Err(sent.with_cause(words).into()),
        Ok(()) => sent.shortfall(read, "messages").map_or(Ok(()), |words| Err(words.into())),
    }
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn goes_to_kafka(channel: &Channel) -> bool {
    (0..channel.legs()).any(|leg| channel.kind(leg as u8) == Some(EndpointKind::Kafka))
}

impl Source {
    fn file(&self) -> Option<&Path> {
        match self {
            Self::Lines(ReadFrom::File(path)) | Self::Whole(ReadFrom::File(path)) => Some(path),
            _ => None,
        }
    }
}

impl ReadFrom {
    fn shown(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// What every message has, and how its key is found.
struct Shape<'a> {
    message: Message<'a>,
    key_delimiter: Option<&'a [u8]>,
}

impl<'a> Shape<'a> {
    /// The headers are kept in `buffer`.
    fn new(envelope: &'a Envelope, buffer: &'a mut Vec<u8>) -> Self {
        let headers: Vec<_> =
            envelope.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let message = Message {
            key: envelope.key.as_deref(),
            headers: Headers::build(&headers, buffer),
            partition: envelope.partition,
            ..Message::default()
        };
        Self { message, key_delimiter: envelope.key_delimiter.as_deref() }
    }

    /// # Errors
    /// There is no delimiter in `given`, in words.
    fn message<'m>(&self, given: Option<&'m [u8]>) -> Result<Message<'m>, String>
    where
        'a: 'm,
    {
        let whole = Message { payload: given, intended_ns: monotonic_ns(), ..self.message };
        let (Some(delimiter), Some(given)) = (self.key_delimiter, given) else { return Ok(whole) };
        let at = given
            .windows(delimiter.len())
            .position(|window| window == delimiter)
            .ok_or_else(|| format!("there is no `{}` behind a key", String::from_utf8_lossy(delimiter)))?;
        let (key, payload) = (&given[..at], &given[at + delimiter.len()..]);
        Ok(Message { key: Some(key), payload: Some(payload), ..whole })
    }
}

/// Messages on their way into the engine.
struct Feed<'a> {
    sender: Sender<'a>,
    channel: Channel,
    shape: Shape<'a>,
    /// Messages that were given.
    read: u64,
}

impl Feed<'_> {
    fn message(&mut self, payload: Option<&[u8]>) -> Result<(), String> {
        self.read = 1;
        let message = self.shape.message(payload)?;
        self.sender.send_message(&self.channel, &message).map_err(|halt| match halt {
            Halt::Stopped => "stopped by a signal before the message was accepted".to_owned(),
            Halt::Refused(words) => words,
        })
    }

    /// Sends all of `reader`, which is called `name`, as one message.
    fn whole(&mut self, reader: impl Read, name: &str) -> Result<(), String> {
        let len_max = self.sender.message_len_max(&self.channel)?;
        let mut bytes = Vec::new();
        // One more byte shows that there is too much.
        let read = reader.take(len_max as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("{name}: {error}"))?;
        if bytes.len() > len_max {
            return Err(format!(
                "{name} is longer than {len_max} bytes, which is the longest that is sent; engine.ring_bytes raises that"
            ));
        }
        self.message(Some(&bytes))
    }

    /// Sends each line of `reader`, which is called `name`, to its end or to a signal; `input` is what may have to be
    /// waited for.
    fn lines(
        &mut self,
        reader: impl Read,
        input: Option<Input<'_>>,
        name: &str,
        stop: &Stop,
    ) -> Result<(), String> {
        let mut lines = Lines::new(reader, self.sender.message_len_max(&self.channel)?);
        loop {
            if input.is_none() && stop.is_asked() {
                // A file has an end, which was not reached.
                return Err(format!("{name}: stopped by a signal before line {}", lines.number() + 1));
            }
            let must_wait = input.filter(|_| lines.is_drained());
            if stop.is_asked() || must_wait.is_some_and(|input| self.is_stopped_waiting(input)) {
                return Ok(());
            }
            let number = lines.number() + 1;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                // In the middle of a line, which is no message then.
                Err(_) if stop.is_asked() => return Ok(()),
                Err(error) => return Err(format!("{name}: {error}")),
            };
            self.read += 1;
            let message = self.shape.message(Some(line));
            let message = message.map_err(|words| format!("{name}: stopped at line {number}: {words}"))?;
            self.sender.send_message(&self.channel, &message).map_err(|halt| match halt {
                Halt::Stopped => format!("stopped by a signal before line {number} was accepted"),
                Halt::Refused(words) => format!("stopped at line {number}: {words}"),
            })?;
        }
    }

    /// Waits until there is input; answers `true` if a signal came first.
    fn is_stopped_waiting(&mut self, input: Input<'_>) -> bool {
        loop {
            self.sender.poll();
            let nap = (self.sender.outstanding() > 0).then_some(INPUT_NAP);
            match input.wait(nap) {
                Woken::Ready | Woken::Gone => return false,
                Woken::Stopped => return true,
                Woken::TimedOut => {}
            }
        }
    }
}
