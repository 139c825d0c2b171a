//! The channel of each line: one for all, or by what stands in a column.

use std::collections::HashMap;

use ringwire::{Channel, Engine};

use crate::args::Target;
use crate::columns;
use crate::table;

/// Channels that one replay opens: far more than there are instruments. A column of numbers or times is a mistake that
/// would cost memory here and on the shard.
const CHANNELS_MAX: usize = 65_536;

/// The channels of the lines.
pub(super) enum Channels {
    Only(Channel),
    Column(ByColumn),
}

/// Opens channels as lines ask for them.
pub(super) struct ByColumn {
    index: usize,
    prefix: String,
    /// Of the last line.
    name: Vec<u8>,
    open: HashMap<Box<[u8]>, Channel>,
}

impl Channels {
    /// # Errors
    /// The header line has no such column, or the engine's words.
    pub(super) fn new(target: &Target, header: &[u8], engine: &Engine) -> Result<Self, String> {
        match target {
            Target::Channel(name) => engine.channel(name).map(Self::Only).map_err(|error| error.to_string()),
            Target::Column { column, prefix } => {
                let index = columns::find(column, header)?;
                let prefix = prefix.clone();
                Ok(Self::Column(ByColumn { index, prefix, name: Vec::new(), open: HashMap::new() }))
            }
        }
    }

    /// The channel of `line`.
    ///
    /// # Errors
    /// The line names none, in words.
    pub(super) fn of(&mut self, line: &[u8], engine: &Engine) -> Result<&Channel, String> {
        match self {
            Self::Only(channel) => Ok(channel),
            Self::Column(by_column) => by_column.of(line, engine),
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Only(_) => 1,
            Self::Column(ByColumn { open, .. }) => open.len(),
        }
    }
}

impl ByColumn {
    fn of(&mut self, line: &[u8], engine: &Engine) -> Result<&Channel, String> {
        let Self { index, prefix, name, open } = self;
        let column = *index + 1;
        let text = columns::field(line, *index)
            .ok_or_else(|| format!("there is no column {column}, where the channel should be"))?;
        if text.is_empty() {
            return Err(format!("column {column}, where the channel should be, is empty"));
        }
        name.clear();
        name.extend_from_slice(prefix.as_bytes());
        name.extend_from_slice(text);
        if !open.contains_key(name.as_slice()) {
            if open.len() == CHANNELS_MAX {
                return Err(format!(
                    "column {column} has more than {CHANNELS_MAX} different values, now `{}`: does it hold channels?",
                    table::excerpt(text)
                ));
            }
            let channel = engine.channel(&*name).map_err(|error| error.to_string())?;
            open.insert(name.as_slice().into(), channel);
        }
        Ok(&open[name.as_slice()])
    }
}
