//! What the command prints, and how it ends. A reader that has closed its end of a pipe is no error.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use serde::Serialize;

/// It was tried and did not succeed.
pub(crate) const FAILED: u8 = 1;
/// The command line cannot be understood.
pub(crate) const USAGE: u8 = 2;

/// How a command went. The JSON object is what [`Serialize`] makes of it.
pub(crate) trait Summary: Serialize {
    /// The table, for a person; empty if it never began.
    fn table(&self) -> String;
    /// What went wrong, in a sentence; `None` if all went well.
    fn error(&self) -> Option<&str>;
}

/// Prints the summary, and the error if there is one; answers the exit code.
pub(crate) fn finish(summary: &impl Summary, json: bool) -> ExitCode {
    let text = if json {
        // Structs of numbers and texts, whose keys are texts: there is nothing that JSON cannot hold.
        serde_json::to_string(summary).unwrap_or_default() + "\n"
    } else {
        summary.table()
    };
    let printed = print(&text);
    if let Some(error) = summary.error() {
        complain(error);
    }
    if printed && summary.error().is_none() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Writes to standard output; answers whether the text was written or nobody wants it.
pub(crate) fn print(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => true,
        Err(error) => {
            complain(format_args!("cannot write to standard output: {error}"));
            false
        }
    }
}

/// Says what went wrong, or what is good to know, on standard error: `ringwire: …`.
pub(crate) fn complain(words: impl Display) {
    write_stderr(&format!("ringwire: {words}\n"));
}

/// Writes to standard error in one piece. There is nobody left to tell if that fails.
pub(crate) fn write_stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
