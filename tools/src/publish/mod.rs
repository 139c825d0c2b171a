//! `ringwire publish`: one message, or each line of standard input, and what became of it.

mod summary;

use std::io::IsTerminal;
use std::time::Duration;

use ringwire::{Channel, monotonic_ns};

use crate::args::{Publish, Source};
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
    let stop = Stop::listen()?;
    let running = Running::start(configuration)?;
    summary.went_to(&running);
    let channel = running.engine.channel(&plan.channel).map_err(|error| error.to_string())?;
    let mut sender = Sender::open(&running, plan.timeout, &stop)?;
    running.wait_ready(plan.timeout, &stop)?;
    sender.start();
    let is_typed = plan.source == Source::Lines && std::io::stdin().is_terminal();
    if is_typed {
        complain("each line is a message; Ctrl-D ends");
    }
    // It would run into what is typed.
    let progress = (plan.progress && !is_typed).then(|| Progress::start(sender.live(), 0));
    let mut feed = Feed { sender, channel, read: 0 };
    let fed = match &plan.source {
        Source::Message(payload) => feed.message(payload),
        Source::Lines => feed.lines(&stop),
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

/// Messages on their way into the engine.
struct Feed<'a> {
    sender: Sender<'a>,
    channel: Channel,
    /// Messages that were given.
    read: u64,
}

impl Feed<'_> {
    fn message(&mut self, payload: &[u8]) -> Result<(), String> {
        self.read = 1;
        self.sender.send(&self.channel, payload, monotonic_ns()).map_err(|halt| match halt {
            Halt::Stopped => "stopped by a signal before the message was accepted".to_owned(),
            Halt::Refused(words) => words,
        })
    }

    /// Sends each line of standard input, to its end or to a signal.
    fn lines(&mut self, stop: &Stop) -> Result<(), String> {
        let input = Input::new(stop);
        let mut lines = Lines::new(input, self.sender.message_len_max(&self.channel)?);
        loop {
            if stop.is_asked() || lines.is_drained() && self.is_stopped_waiting(input) {
                return Ok(());
            }
            let number = lines.number() + 1;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                // In the middle of a line, which is no message then.
                Err(_) if stop.is_asked() => return Ok(()),
                Err(error) => return Err(format!("standard input: {error}")),
            };
            self.read += 1;
            self.sender.send(&self.channel, line, monotonic_ns()).map_err(|halt| match halt {
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
