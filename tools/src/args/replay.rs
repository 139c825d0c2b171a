//! `ringwire replay`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::origin::{Origin, RawOrigin};
use super::values;
use crate::columns::Column;
use crate::help;
use crate::pace::{Rate, Speed};

#[derive(Args)]
pub(super) struct Raw {
    /// The file whose lines are sent
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// The channel to publish on
    #[arg(long, value_name = "NAME", required_unless_present = "channel_column")]
    channel: Option<String>,
    #[arg(long, value_name = "COLUMN", conflicts_with = "channel", help = help::CHANNEL_COLUMN)]
    channel_column: Option<String>,
    /// What goes before the text of --channel-column, as in `fx.`
    #[arg(long, value_name = "TEXT", requires = "channel_column", conflicts_with = "channel")]
    channel_prefix: Option<String>,
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
    /// Show no progress on a terminal
    #[arg(long)]
    no_progress: bool,
    #[command(flatten)]
    origin: RawOrigin,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Replay {
    pub(crate) file: PathBuf,
    pub(crate) target: Target,
    pub(crate) origin: Origin,
    pub(crate) pace: Pace,
    pub(crate) has_header: bool,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
    pub(crate) progress: bool,
}

/// The channel of each line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// The same for all.
    Channel(String),
    /// What stands in a column, behind a prefix.
    Column { column: Column, prefix: String },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(name) => f.write_str(name),
            Self::Column { column, prefix } => write!(f, "{prefix}(column {column})"),
        }
    }
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

impl Raw {
    pub(super) fn resolve(self) -> Result<Replay, String> {
        let pace = self.pace()?;
        let target = self.target()?;
        Ok(Replay {
            pace,
            target,
            timeout: values::timeout(self.timeout)?,
            origin: self.origin.resolve()?,
            file: self.file,
            has_header: !self.no_header,
            json: self.json,
            progress: !self.no_progress,
        })
    }

    fn target(&self) -> Result<Target, String> {
        if let Some(text) = &self.channel_column {
            let column = self.column("--channel-column", text)?;
            let prefix = self.channel_prefix.clone().unwrap_or_default();
            return Ok(Target::Column { column, prefix });
        }
        let name = self.channel.clone().unwrap_or_default();
        values::check_name("--channel", name.len())?;
        Ok(Target::Channel(name))
    }

    fn pace(&self) -> Result<Pace, String> {
        let speed = match (self.speed.as_str(), self.rate) {
            (_, Some(rate)) => return self.without_times(Pace::Rate(values::rate(rate)?)),
            ("max", None) => return self.without_times(Pace::Max),
            ("real", None) => Speed::REAL,
            (text, None) => text.parse().ok().and_then(Speed::new).ok_or_else(|| {
                format!("--speed {text}: expected `real`, `max`, or how many times faster, as in 10 or 0.5")
            })?,
        };
        let column = match self.time_column.as_deref() {
            None => Column::Index(0),
            Some(text) => self.column("--time-column", text)?,
        };
        Ok(Pace::Recorded { speed, column })
    }

    fn column(&self, argument: &str, text: &str) -> Result<Column, String> {
        match values::column(argument, text)? {
            Column::Name(name) if self.no_header => Err(format!(
                "{argument} {name}: with --no-header there are no names; expected a number from 1"
            )),
            column => Ok(column),
        }
    }

    fn without_times(&self, pace: Pace) -> Result<Pace, String> {
        match self.time_column {
            None => Ok(pace),
            Some(_) => Err("--time-column is of use only with --speed real or --speed N".to_owned()),
        }
    }
}
