//! `ringwire replay`: the lines of a file, each accounted for.
//!
//! ```text
//!  file ─► lines ─► due? ─► channel of the line ─► sender ─► summary
//! ```

mod channels;
mod summary;
mod timing;

use std::fs::File;

use ringwire::monotonic_ns;

use crate::args::{Pace, Replay};
use crate::columns::{self, Column};
use crate::configuration::{Configuration, FileHere};
use crate::lines::Lines;
use crate::output::{self, Failure};
use crate::progress::Progress;
use crate::running::Running;
use crate::sender::{Halt, Sender};
use crate::stamp::Stamps;
use crate::stop::Stop;
use channels::Channels;
pub(crate) use summary::ReplaySummary;
use timing::Timing;

/// The longest line before the engine has said how long a message may be: 1 MiB.
const FIRST_LINE_LEN_MAX: usize = 1 << 20;

/// Replays the file.
pub(crate) fn run(plan: &Replay) -> ReplaySummary {
    let file = plan.file.display().to_string();
    let mut summary = ReplaySummary { file, channel: plan.target.to_string(), ..ReplaySummary::default() };
    summary.error = try_run(plan, &mut summary).err();
    summary
}

fn try_run(plan: &Replay, summary: &mut ReplaySummary) -> Result<(), Failure> {
    let configuration = Configuration::load(&plan.origin, FileHere::Read)?;
    let named = |words: String| format!("{}: {words}", plan.file.display());
    let file = File::open(&plan.file).map_err(|error| named(error.to_string()))?;
    let file_bytes = file.metadata().map_or(0, |data| if data.is_file() { data.len() } else { 0 });
    let mut lines = Lines::new(file, FIRST_LINE_LEN_MAX);
    let Some(header) = read_header(plan, &mut lines).map_err(named)? else {
        output::complain(format_args!("{} is empty: there is nothing to send", plan.file.display()));
        return Ok(());
    };
    let timing = Timing::new(&plan.pace, &header).map_err(named)?;
    let stop = Stop::listen()?;
    let running = Running::start_somewhere(configuration)?;
    summary.went_to(&running);
    summary.hosted_by = running.hosted_by();
    summary.conditions = running.conditions(&plan.pace);
    let channels = Channels::new(&plan.target, &header, &running.engine).map_err(named)?;
    if running.is_embedded() {
        output::complain(
            "no --redis and no --kafka: the messages go to a small Redis inside this process, where nobody hears them",
        );
    }
    let sender = Sender::open(&running, plan.timeout, &stop)?;
    let mut run = Run { plan, running: &running, stop: &stop, sender, lines, timing, channels, read: 0 };
    run.limit_lines()?;
    let progress = plan.progress.then(|| Progress::start(run.sender.live(), file_bytes));
    let fed = run.feed();
    let sent = run.sender.finish();
    drop(progress);
    summary.lines = run.read;
    summary.backwards = run.timing.backwards();
    summary.channels = run.channels.count();
    summary.fill(&sent);
    match fed {
        Err(End::File(words)) => Err(named(words).into()),
        Err(End::Engine(words)) => Err(sent.with_cause(words).into()),
        Err(End::Unconnected(failure)) => Err(failure),
        Ok(()) => sent.shortfall(run.read, "lines").map_or(Ok(()), |words| Err(words.into())),
    }
}

/// The header line, empty where there is none by `--no-header`; nothing if the file is empty.
fn read_header(plan: &Replay, lines: &mut Lines<File>) -> Result<Option<Vec<u8>>, String> {
    if !plan.has_header {
        return Ok(Some(Vec::new()));
    }
    let header = lines.next().map_err(|error| error.to_string())?;
    let Some(header) = header else { return Ok(None) };
    let times = match &plan.pace {
        Pace::Recorded { column, .. } => column.index(header),
        Pace::Max | Pace::Rate(_) => Column::Index(0).index(header),
    };
    let looks_like_data =
        |index: usize| columns::field(header, index).is_some_and(|text| Stamps::default().read(text).is_ok());
    if times.is_some_and(looks_like_data) {
        output::complain(
            "the first line looks like data, but was taken for the header and is not sent; --no-header sends it",
        );
    }
    Ok(Some(header.to_vec()))
}

/// Why a replay ends before the end of the file.
enum End {
    /// Something in the file.
    File(String),
    /// The engine takes no more, or somebody asked for the end.
    Engine(String),
    /// There never was a connection.
    Unconnected(Failure),
}

/// A replay under way.
struct Run<'a> {
    plan: &'a Replay,
    running: &'a Running,
    stop: &'a Stop,
    sender: Sender<'a>,
    lines: Lines<File>,
    timing: Timing,
    channels: Channels,
    /// Lines that were read, the header not counted.
    read: u64,
}

impl Run<'_> {
    /// Lets lines be as long as messages, once there is a channel whose connection can be waited for.
    fn limit_lines(&mut self) -> Result<(), Failure> {
        if let Channels::Only(channel) = &self.channels {
            self.running.wait_ready(self.plan.timeout, self.stop)?;
            self.lines.limit(self.sender.message_len_max(channel)?);
        }
        Ok(())
    }

    /// Sends every line.
    fn feed(&mut self) -> Result<(), End> {
        let mut start_ns = self.sender.start();
        loop {
            let number = self.lines.number() + 1;
            let halted = |halt| match halt {
                Halt::Stopped => End::Engine(format!("stopped by a signal before line {number}")),
                Halt::Refused(words) => End::Engine(format!("stopped at line {number}: {words}")),
            };
            if self.stop.is_asked() {
                return Err(halted(Halt::Stopped));
            }
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(error) => return Err(End::File(error.to_string())),
            };
            let in_file = |words: String| End::File(format!("line {number}: {words}"));
            self.read += 1;
            let offset_ns = self.timing.offset_ns(self.read - 1, line).map_err(in_file)?;
            let is_first_of_column = self.read == 1 && self.channels.count() == 0;
            let channel = self.channels.of(line, &self.running.engine).map_err(in_file)?;
            let mut len_max = None;
            if is_first_of_column {
                // Until now there was nothing to connect for.
                self.running.wait_ready(self.plan.timeout, self.stop).map_err(End::Unconnected)?;
                len_max = Some(self.sender.message_len_max(channel).map_err(End::Engine)?);
                start_ns = self.sender.start();
            }
            let intended_ns = match offset_ns {
                Some(offset_ns) => {
                    self.sender.wait_until(start_ns.saturating_add(offset_ns)).map_err(halted)?
                }
                None => monotonic_ns(),
            };
            self.sender.send(channel, line, intended_ns).map_err(halted)?;
            if let Some(len_max) = len_max {
                self.lines.limit(len_max);
            }
        }
    }
}
