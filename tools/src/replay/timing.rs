//! When each line of a file is due: at once, evenly, or by the times in one of its columns.

use crate::args::Pace;
use crate::columns;
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
    /// Finds the column of the times in the header line, if they are asked for.
    pub(super) fn new(pace: &Pace, header: &[u8]) -> Result<Self, String> {
        Ok(match pace {
            Pace::Max => Self::AtOnce,
            Pace::Rate(rate) => Self::Evenly(*rate),
            Pace::Recorded { speed, column } => {
                let index = columns::find(column, header)?;
                Self::Recorded { playback: Playback::new(*speed), stamps: Stamps::default(), index }
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
