//! `ringwire publish`.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::origin::{Origin, RawOrigin};
use super::values;

#[derive(Args)]
pub(super) struct Raw {
    /// The channel to publish on
    channel: OsString,
    /// The message; `-`, or nothing where standard input is no terminal: each line of standard input is one
    #[arg(allow_negative_numbers = true)]
    payload: Option<OsString>,
    /// Give up after so many seconds in which nothing was accepted and no outcome came
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 10.0)]
    timeout: f64,
    /// Print one JSON object on standard output instead of the summary on standard error
    #[arg(long)]
    json: bool,
    /// Show no progress on a terminal
    #[arg(long)]
    no_progress: bool,
    #[command(flatten)]
    origin: RawOrigin,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Publish {
    pub(crate) channel: Vec<u8>,
    pub(crate) source: Source,
    /// What a record has beside its payload; with it a Kafka is needed.
    pub(crate) envelope: Option<Envelope>,
    pub(crate) origin: Origin,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
    pub(crate) progress: bool,
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Message(Vec<u8>),
    /// A record without a value.
    Null,
    /// Each line is one.
    Lines(ReadFrom),
    /// All of it is one.
    Whole(ReadFrom),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadFrom {
    Stdin,
    File(PathBuf),
}

/// What a record has beside its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) key: Option<Vec<u8>>,
    /// Separates key and payload; never empty.
    pub(crate) key_delimiter: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) partition: Option<u32>,
}

impl Raw {
    pub(super) fn resolve(self) -> Result<Publish, String> {
        let source = match self.payload {
            Some(text) if text != "-" => Source::Message(text.into_vec()),
            None if std::io::stdin().is_terminal() => {
                return Err(
                    "what shall be published? Expected a message, or - to type one on each line".to_owned()
                );
            }
            _ => Source::Lines(ReadFrom::Stdin),
        };
        values::check_name("CHANNEL", self.channel.len())?;
        Ok(Publish {
            channel: self.channel.into_vec(),
            source,
            envelope: None,
            origin: self.origin.resolve()?,
            timeout: values::timeout(self.timeout)?,
            json: self.json,
            progress: !self.no_progress,
        })
    }
}
