//! What the command prints, and how it ends. A reader that has closed its end of a pipe is no error.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::event::PollFlags;
use rustix::io::Errno;
use serde::{Serialize, Serializer};

use crate::stop::{Stop, Woken};

/// It was tried and did not succeed.
const FAILED: u8 = 1;
/// The command line or the configuration cannot be.
const USAGE: u8 = 2;
/// What a pipe that `poll` calls writable takes without waiting: Linux' PIPE_BUF.
const PIECE_BYTES: usize = 4096;

/// What went wrong, in a sentence, and the exit code that it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    words: String,
    code: u8,
}

impl Failure {
    /// The command line or the configuration cannot be: nothing was tried.
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Self { words: words.into(), code: USAGE }
    }

    /// It failed, and standard error has been told why.
    pub(crate) const fn told() -> Self {
        Self { words: String::new(), code: FAILED }
    }
}

impl From<String> for Failure {
    /// It was tried and did not succeed.
    fn from(words: String) -> Self {
        Self { words, code: FAILED }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words)
    }
}

/// How a command went. The JSON object is what [`Serialize`] makes of it.
pub(crate) trait Summary: Serialize {
    /// Where the table for a person goes. The JSON object always goes to standard output.
    const TABLE: Stream = Stream::Out;
    /// The table, for a person; empty if it never began.
    fn table(&self) -> String;
    /// What went wrong; `None` if all went well.
    fn failure(&self) -> Option<&Failure>;
}

/// One of the standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Error,
}

/// Prints the summary, and the error if there is one; answers the exit code.
pub(crate) fn finish<S: Summary>(summary: &S, json: bool) -> ExitCode {
    let failure = summary.failure();
    let is_printed = if json {
        print_json(summary)
    } else if S::TABLE == Stream::Error {
        write_stderr(&summary.table());
        true
    } else {
        print(&summary.table())
    };
    // What could not be printed has been told.
    if is_printed || failure.is_some() { end(failure) } else { ExitCode::from(FAILED) }
}

/// Says what went wrong, if something did; answers the exit code.
pub(crate) fn end(failure: Option<&Failure>) -> ExitCode {
    let Some(Failure { words, code }) = failure else { return ExitCode::SUCCESS };
    if !words.is_empty() {
        complain(words);
    }
    ExitCode::from(*code)
}

/// Prints a text that is all that a command has to say; answers the exit code.
pub(crate) fn finish_with(text: &str) -> ExitCode {
    if print(text) { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Prints a value as one line of JSON; answers as [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> bool {
    // Structs of numbers and texts, whose keys are texts: there is nothing that JSON cannot hold.
    print(&(serde_json::to_string(value).unwrap_or_default() + "\n"))
}

/// Writes to standard output; answers whether the text was written or nobody wants it.
pub(crate) fn print(text: &str) -> bool {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => true,
        Err(error) => {
            complain(format_args!("{CANNOT_WRITE}: {error}"));
            false
        }
    }
}

const CANNOT_WRITE: &str = "cannot write to standard output";

/// Why nothing more can be written to standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// Nobody reads it any more.
    Gone,
    /// Somebody asked for the end while the reader stood still.
    Stopped,
    Failed(String),
}

/// Writes all of `bytes` to standard output, and waits for its reader, but not beyond a signal.
///
/// # Errors
/// [`Unwritten`]; some of the bytes may have been written.
pub(crate) fn write_stdout(bytes: &[u8], stop: &Stop) -> Result<(), Unwritten> {
    let stdout = io::stdout();
    for mut piece in bytes.chunks(PIECE_BYTES) {
        while !piece.is_empty() {
            match stop.wait_for(stdout.as_fd(), PollFlags::OUT, None) {
                Woken::Ready | Woken::Gone => {}
                Woken::TimedOut => continue,
                Woken::Stopped => return Err(Unwritten::Stopped),
            }
            match rustix::io::write(stdout.as_fd(), piece) {
                Ok(len) => piece = &piece[len..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(Errno::PIPE) => return Err(Unwritten::Gone),
                Err(error) => return Err(Unwritten::Failed(format!("{CANNOT_WRITE}: {error}"))),
            }
        }
    }
    Ok(())
}

/// Says what went wrong, or what is good to know, on standard error: `ringwire: …`.
pub(crate) fn complain(words: impl Display) {
    write_stderr(&format!("ringwire: {words}\n"));
}

/// Writes to standard error in one piece. There is nobody left to tell if that fails.
pub(crate) fn write_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
