//! `ringwire produce`.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::Args;

use super::origin::RawOrigin;
use super::publish::{Envelope, Publish, ReadFrom, Source};
use super::values;

/// Kafka counts partitions with signed numbers.
const PARTITION_MAX: i64 = i32::MAX as i64;

#[derive(Args)]
pub(super) struct Raw {
    /// The topic; with a configuration that has routes or topic.prefix, the channel
    topic: OsString,
    /// The record's value; `-`, or nothing where standard input is no terminal: each line of standard input is one
    #[arg(allow_negative_numbers = true, conflicts_with_all = ["file", "whole", "null"])]
    record: Option<OsString>,
    /// The key of every record
    #[arg(short, long, allow_negative_numbers = true, conflicts_with = "key_delimiter")]
    key: Option<OsString>,
    /// What separates the key from the value, in each line: the first that stands there counts
    #[arg(long, value_name = "C", conflicts_with = "whole")]
    key_delimiter: Option<OsString>,
    /// A header of every record, without = one whose value is null; may be repeated, names too
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    headers: Vec<OsString>,
    /// The partition; without it the partitioner decides
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(0..=PARTITION_MAX))]
    partition: Option<u32>,
    /// Each line of this file is a record; `-` is standard input
    #[arg(short, long, value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// The whole of the file, or of standard input, is one record, as it stands
    #[arg(long)]
    whole: bool,
    /// One record whose value is null: it deletes its key from a compacted topic
    #[arg(long, conflicts_with_all = ["file", "whole", "key_delimiter"])]
    null: bool,
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

impl Raw {
    pub(super) fn resolve(self) -> Result<Publish, String> {
        values::check_name("TOPIC", self.topic.len())?;
        let source = self.source()?;
        if self.key_delimiter.as_ref().is_some_and(|it| it.is_empty()) {
            return Err(
                "--key-delimiter is empty: expected a character or more, as in --key-delimiter :".to_owned()
            );
        }
        let envelope = Envelope {
            key: self.key.map(OsString::into_vec),
            key_delimiter: self.key_delimiter.map(OsString::into_vec),
            headers: self.headers.iter().map(|text| header(text.as_bytes())).collect::<Result<_, _>>()?,
            partition: self.partition,
        };
        Ok(Publish {
            channel: self.topic.into_vec(),
            source,
            envelope: Some(envelope),
            origin: self.origin.resolve()?,
            timeout: values::timeout(self.timeout)?,
            json: self.json,
            progress: !self.no_progress,
        })
    }

    fn source(&self) -> Result<Source, String> {
        if self.null {
            return Ok(Source::Null);
        }
        let from = match (&self.record, &self.file) {
            (Some(record), _) if record != "-" => return Ok(Source::Message(record.as_bytes().to_vec())),
            (_, Some(file)) if file.as_os_str() != "-" => ReadFrom::File(file.clone()),
            (None, None) if std::io::stdin().is_terminal() => {
                return Err(
                    "what shall be produced? Expected a record, -f FILE, or - to type one on each line"
                        .to_owned(),
                );
            }
            _ => ReadFrom::Stdin,
        };
        Ok(if self.whole { Source::Whole(from) } else { Source::Lines(from) })
    }
}

/// A name and its value, which is null without `=`.
fn header(text: &[u8]) -> Result<(String, Option<Vec<u8>>), String> {
    let mut parts = text.splitn(2, |&byte| byte == b'=');
    let name = parts.next().and_then(|name| str::from_utf8(name).ok()).filter(|name| !name.is_empty());
    let name = name.ok_or("-H: expected NAME=VALUE, or NAME alone for a null value; the name is UTF-8")?;
    Ok((name.to_owned(), parts.next().map(<[u8]>::to_vec)))
}
