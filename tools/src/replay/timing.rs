//! When each line of a file is due: at once, evenly, or by the times in one of its columns.

use std::fs::File;

use crate::args::{Pace, Replay};
use crate::columns::{self, Column};
use crate::lines::Lines;
use crate::output;
use crate::pace::{Playback, Rate};
use crate::stamp::Stamps;
use crate::table;

/// When each line is due.
pub(super) enum Timing {
    AtOnce,
    Evenly(Rate),
    Recorded { playback: Playback, stamps: Stamps, index: usize },
}

impl Timing {
    /// Reads the header, if the file has one, and finds the column of the times.
    pub(super) fn new(plan: &Replay, lines: &mut Lines<File>) -> Result<Self, String> {
        let header =
            if plan.has_header { lines.next().map_err(|error| error.to_string())? } else { Some(&b""[..]) };
        let Some(header) = header else {
            output::complain(format_args!("{} is empty: there is nothing to send", plan.file.display()));
            return Ok(Self::AtOnce);
        };
        let column = match &plan.pace {
            Pace::Recorded { column, .. } => column,
            Pace::Max | Pace::Rate(_) => &Column::Index(0),
        };
        let index = column.index(header).ok_or_else(|| {
            format!("there is no column {column}; the header line has: {}", columns::names(header))
        });
        let looks_like_data = |index: &usize| {
            columns::field(header, *index).is_some_and(|text| Stamps::default().read(text).is_ok())
        };
        if index.as_ref().is_ok_and(looks_like_data) {
            output::complain(
                "the first line looks like data, but was taken for the header and is not sent; --no-header sends it",
            );
        }
        Ok(match plan.pace {
            Pace::Max => Self::AtOnce,
            Pace::Rate(rate) => Self::Evenly(rate),
            Pace::Recorded { speed, .. } => {
                Self::Recorded { playback: Playback::new(speed), stamps: Stamps::default(), index: index? }
            }
        })
    }

    /// When message `number` (from 0), which is `line`, is due, in nanoseconds after the start; `None` is at once.
    pub(super) fn offset_ns(&mut self, number: u64, line: &[u8]) -> Result<Option<u64>, String> {
        match self {
            Self::AtOnce => Ok(None),
            Self::Evenly(rate) => Ok(Some(rate.offset_ns(number))),
            Self::Recorded { playback, stamps, index } => {
                let text = columns::field(line, *index)
                    .ok_or_else(|| format!("there is no column {}, where the time should be", *index + 1))?;
                let time_ns = stamps.read(text).map_err(|error| {
                    format!("the time `{}` in column {} {error}", table::excerpt(text), *index + 1)
                })?;
                Ok(Some(playback.offset_ns(time_ns)))
            }
        }
    }

    pub(super) fn backwards(&self) -> u64 {
        match self {
            Self::Recorded { playback, .. } => playback.backwards,
            Self::AtOnce | Self::Evenly(_) => 0,
        }
    }
}
