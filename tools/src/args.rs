//! The command line, in two stages: what was written, then a plan that can be carried out.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::columns::Column;
use crate::help;
use crate::output;
use crate::pace::{Rate, Speed};
use crate::redis::{Destination, RedisUrl};

/// Longer demonstrations prove nothing more.
const DEMO_SECONDS_MAX: u64 = 3_600;
/// The demo keeps one byte for each message to account for it: 100 MB.
const DEMO_MESSAGES_MAX: u64 = 100_000_000;
/// The library's limit for names.
const CHANNEL_LEN_MAX: usize = 1_024;
/// A week: who wants to wait longer wants to wait for ever.
const TIMEOUT_SECONDS_MAX: f64 = 604_800.0;

#[derive(Parser)]
#[command(name = "ringwire", version, about = help::ABOUT, after_help = help::EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
struct RawCommand {
    #[command(subcommand)]
    subcommand: RawSubcommand,
}

#[derive(Subcommand)]
enum RawSubcommand {
    /// Real quotes out to a Redis and back, with latencies
    #[command(long_about = help::DEMO, after_help = help::DEMO_EXAMPLES)]
    Demo(RawDemo),
    /// Publish the lines of a file on a channel, and account for each
    #[command(long_about = help::REPLAY, after_help = help::REPLAY_EXAMPLES)]
    Replay(RawReplay),
}

#[derive(Args)]
struct RawDemo {
    #[arg(long, value_name = "URL", help = help::DEMO_REDIS)]
    redis: Option<String>,
    /// Messages a second
    #[arg(long, allow_negative_numbers = true, value_name = "MSG_PER_S", default_value_t = 20_000)]
    rate: u64,
    /// How long to publish
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Lines to send instead of the quotes, over and over; the first is taken for a header and not sent
    #[arg(long, value_name = "CSV")]
    file: Option<PathBuf>,
    /// End with one JSON object on standard output instead of the table; latencies are nanoseconds
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct RawReplay {
    /// The file whose lines are sent
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// The channel to publish on
    #[arg(long, value_name = "NAME")]
    channel: String,
    #[arg(long, value_name = "URL", help = help::REPLAY_REDIS)]
    redis: Option<String>,
    /// `max`: as fast as it is acknowledged; `real`: with the gaps between the recorded times; or a number:
    /// so many times faster than recorded (0.5 is half as fast)
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "real|N|max",
        default_value = "max",
        conflicts_with = "rate"
    )]
    speed: String,
    /// Publish evenly, so many messages a second
    #[arg(long, allow_negative_numbers = true, value_name = "MSG_PER_S")]
    rate: Option<u64>,
    #[arg(long, value_name = "COLUMN", help = help::TIME_COLUMN)]
    time_column: Option<String>,
    /// The file has no header: send its first line too
    #[arg(long)]
    no_header: bool,
    /// Give up after so many seconds in which nothing was accepted and no outcome came
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 10.0)]
    timeout: f64,
    /// End with one JSON object on standard output instead of the table; latencies are nanoseconds
    #[arg(long)]
    json: bool,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Demo(Demo),
    Replay(Replay),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Demo {
    pub(crate) destination: Destination,
    pub(crate) rate: Rate,
    pub(crate) messages: u64,
    /// `None` for the quotes that the command brings.
    pub(crate) file: Option<PathBuf>,
    pub(crate) json: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Replay {
    pub(crate) file: PathBuf,
    pub(crate) channel: String,
    pub(crate) destination: Destination,
    pub(crate) pace: Pace,
    pub(crate) has_header: bool,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
}

/// When the lines of a file are due.
#[derive(Debug, PartialEq)]
pub(crate) enum Pace {
    /// At once.
    Max,
    Rate(Rate),
    /// By the times in one column.
    Recorded {
        speed: Speed,
        column: Column,
    },
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Rate(rate) => rate.fmt(f),
            Self::Recorded { speed, .. } => speed.fmt(f),
        }
    }
}

/// A command line that is no plan: an error, or a call for help.
#[derive(Debug)]
pub(crate) enum Unparsed {
    /// `--help` or `--version`.
    Asked(String),
    /// It cannot be understood.
    Usage(String),
}

impl Unparsed {
    /// Prints it where it belongs, and answers the exit code.
    pub(crate) fn finish(self) -> ExitCode {
        match self {
            Self::Asked(text) if output::print(&text) => ExitCode::SUCCESS,
            Self::Asked(_) => ExitCode::from(output::FAILED),
            Self::Usage(words) => {
                output::complain(words.trim_end());
                ExitCode::from(output::USAGE)
            }
        }
    }
}

/// Reads the command line; the first of `arguments` is the program's name.
///
/// # Errors
/// [`Unparsed`], to be [finished](Unparsed::finish).
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Unparsed> {
    let raw = RawCommand::try_parse_from(arguments).map_err(|error| {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Unparsed::Asked(text),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Unparsed::Usage(format!("a command is needed\n\n{text}"))
            }
            _ => Unparsed::Usage(text.strip_prefix("error: ").unwrap_or(&text).to_owned()),
        }
    })?;
    let resolved = match raw.subcommand {
        RawSubcommand::Demo(raw) => raw.resolve().map(Command::Demo),
        RawSubcommand::Replay(raw) => raw.resolve().map(Command::Replay),
    };
    resolved.map_err(|words| Unparsed::Usage(format!("{words}\n\nFor more information, try '--help'.")))
}

impl RawDemo {
    fn resolve(self) -> Result<Demo, String> {
        let rate = resolve_rate(self.rate)?;
        if !(1..=DEMO_SECONDS_MAX).contains(&self.seconds) {
            return Err(format!("--seconds {}: expected 1 to {DEMO_SECONDS_MAX}", self.seconds));
        }
        let messages = rate.per_second() * self.seconds;
        if messages > DEMO_MESSAGES_MAX {
            return Err(format!(
                "--rate {} for --seconds {} makes {messages} messages: expected at most {DEMO_MESSAGES_MAX}",
                self.rate, self.seconds
            ));
        }
        let destination = resolve_redis(self.redis)?;
        Ok(Demo { destination, rate, messages, file: self.file, json: self.json })
    }
}

impl RawReplay {
    fn resolve(self) -> Result<Replay, String> {
        if !(1..=CHANNEL_LEN_MAX).contains(&self.channel.len()) {
            let len = self.channel.len();
            return Err(format!("--channel has {len} bytes: expected 1 to {CHANNEL_LEN_MAX}"));
        }
        if !(self.timeout > 0.0 && self.timeout <= TIMEOUT_SECONDS_MAX) {
            return Err(format!(
                "--timeout {}: expected seconds, more than 0 and at most a week",
                self.timeout
            ));
        }
        let pace = self.pace()?;
        Ok(Replay {
            pace,
            destination: resolve_redis(self.redis)?,
            timeout: Duration::from_secs_f64(self.timeout),
            file: self.file,
            channel: self.channel,
            has_header: !self.no_header,
            json: self.json,
        })
    }

    fn pace(&self) -> Result<Pace, String> {
        let speed = match (self.speed.as_str(), self.rate) {
            (_, Some(rate)) => return self.without_times(Pace::Rate(resolve_rate(rate)?)),
            ("max", None) => return self.without_times(Pace::Max),
            ("real", None) => Speed::REAL,
            (text, None) => text.parse().ok().and_then(Speed::new).ok_or_else(|| {
                format!("--speed {text}: expected `real`, `max`, or how many times faster, as in 10 or 0.5")
            })?,
        };
        let column = match self.time_column.as_deref() {
            None => Column::Index(0),
            Some(text) => resolve_column(text)?,
        };
        match column {
            Column::Name(name) if self.no_header => Err(format!(
                "--time-column {name}: with --no-header there are no names; expected a number from 1"
            )),
            column => Ok(Pace::Recorded { speed, column }),
        }
    }

    fn without_times(&self, pace: Pace) -> Result<Pace, String> {
        match self.time_column {
            None => Ok(pace),
            Some(_) => Err("--time-column is of use only with --speed real or --speed N".to_owned()),
        }
    }
}

fn resolve_rate(rate: u64) -> Result<Rate, String> {
    Rate::new(rate).ok_or_else(|| format!("--rate {rate}: expected 1 to {} messages a second", Rate::MAX))
}

fn resolve_redis(url: Option<String>) -> Result<Destination, String> {
    let Some(url) = url else { return Ok(Destination::Embedded) };
    RedisUrl::new(url).map(Destination::Url).map_err(|words| format!("--redis: {words}"))
}

/// Digits alone are a number from 1.
fn resolve_column(text: &str) -> Result<Column, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Column::Name(text.trim().to_owned()));
    }
    let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    number.map(Column::Index).ok_or_else(|| format!("--time-column {text}: columns are counted from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Unparsed> {
        parse(std::iter::once("ringwire").chain(line.split_whitespace()).map(OsString::from))
    }

    fn replay(options: &str) -> Replay {
        match parsed(&format!("replay f.csv --channel c {options}")) {
            Ok(Command::Replay(plan)) => plan,
            other => panic!("{options}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        use clap::CommandFactory;
        RawCommand::command().debug_assert();
    }

    #[test]
    fn defaults() {
        let Ok(Command::Demo(demo)) = parsed("demo") else { panic!("no demo") };
        let expected = Demo {
            destination: Destination::Embedded,
            rate: Rate::new(20_000).unwrap(),
            messages: 200_000,
            file: None,
            json: false,
        };
        assert_eq!(demo, expected);
        let expected = Replay {
            file: "f.csv".into(),
            channel: "c".into(),
            destination: Destination::Embedded,
            pace: Pace::Max,
            has_header: true,
            timeout: Duration::from_secs(10),
            json: false,
        };
        assert_eq!(replay(""), expected);
    }

    #[test]
    fn paces() {
        let recorded = |times, column| Pace::Recorded { speed: Speed::new(times).unwrap(), column };
        assert_eq!(replay("--speed max").pace, Pace::Max);
        assert_eq!(replay("--rate 7").pace, Pace::Rate(Rate::new(7).unwrap()));
        assert_eq!(replay("--speed real").pace, recorded(1.0, Column::Index(0)));
        assert_eq!(replay("--speed 0.5 --time-column 3").pace, recorded(0.5, Column::Index(2)));
        assert_eq!(replay("--speed 1e3 --time-column ts").pace, recorded(1_000.0, Column::Name("ts".into())));
        assert_eq!(replay("--speed real --time-column 2 --no-header").pace, recorded(1.0, Column::Index(1)));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let long = format!("replay f --channel {}", "x".repeat(CHANNEL_LEN_MAX + 1));
        for (line, words) in [
            ("", "a command is needed"),
            ("dance", "unrecognized subcommand"),
            ("demo --rate 0", "--rate 0: expected 1 to 10000000"),
            ("demo --rate -1", "invalid value '-1' for '--rate"),
            ("demo --rate x", "--rate"),
            ("demo --seconds 0", "--seconds 0: expected 1 to 3600"),
            ("demo --seconds 3601", "--seconds"),
            ("demo --rate 1000000 --seconds 101", "at most 100000000"),
            ("demo --redis http://x", "--redis: expected redis://"),
            ("demo --redis rediss://x", "--redis: rediss:// (TLS)"),
            ("demo --redis redis://:hunter2@h:x", "--redis: the port is a number"),
            ("demo extra", "extra"),
            ("replay f", "--channel"),
            ("replay --channel c", "FILE.csv"),
            ("replay f --channel=", "--channel has 0 bytes"),
            (&long, "--channel has 1025 bytes"),
            ("replay f --channel c --speed fast", "--speed fast: expected `real`"),
            ("replay f --channel c --speed 0", "--speed 0"),
            ("replay f --channel c --speed -1", "--speed -1"),
            ("replay f --channel c --speed nan", "--speed nan"),
            ("replay f --channel c --speed 2 --rate 3", "cannot be used with"),
            ("replay f --channel c --rate 0", "--rate 0"),
            ("replay f --channel c --time-column x", "of use only with"),
            ("replay f --channel c --rate 1 --time-column x", "of use only with"),
            ("replay f --channel c --speed real --time-column 0", "counted from 1"),
            ("replay f --channel c --speed real --time-column x --no-header", "there are no names"),
            ("replay f --channel c --timeout 0", "--timeout 0"),
            ("replay f --channel c --timeout nan", "--timeout NaN"),
            ("replay f --channel c --timeout 1e99", "at most a week"),
        ] {
            match parsed(line) {
                Err(Unparsed::Usage(text)) => {
                    assert!(text.contains(words) && !text.contains("hunter2"), "{line}: {text}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        for line in ["--help", "--version", "demo --help", "replay -h", "help"] {
            assert!(matches!(parsed(line), Err(Unparsed::Asked(_))), "{line}");
        }
    }

    #[test]
    fn the_longest_channel_is_the_librarys() {
        let engine = ringwire::Engine::start(ringwire::Config::new()).unwrap();
        assert!(engine.channel(vec![b'x'; CHANNEL_LEN_MAX]).is_ok());
        assert!(engine.channel(vec![b'x'; CHANNEL_LEN_MAX + 1]).is_err());
    }
}
