//! `ringwire subscribe`.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use clap::Args;

use super::origin::{Origin, RawOrigin};
use super::values;
use crate::help;

/// What makes a name a pattern, by Redis' rules; a backslash takes the meaning from one of them.
const GLOB: &[u8] = b"*?[\\";

#[derive(Args)]
pub(super) struct Raw {
    /// Channels, or patterns with `*`, `?`, `[a-z]` and `\` as in Redis
    #[arg(value_name = "PATTERN", required = true)]
    patterns: Vec<OsString>,
    /// End after so many messages
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    count: Option<u64>,
    #[arg(long, value_name = "NAME", help = help::ENDPOINT)]
    endpoint: Option<String>,
    /// Give up if the subscriptions are not in force after so many seconds; later outages are waited out
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 10.0)]
    timeout: f64,
    /// Print each message as a JSON object on a line of its own
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: RawOrigin,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Subscribe {
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) count: Option<NonZeroU64>,
    pub(crate) endpoint: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
}

/// What is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) text: Vec<u8>,
    /// Otherwise it is the name of one channel.
    pub(crate) is_glob: bool,
}

impl Raw {
    pub(super) fn resolve(self) -> Result<Subscribe, String> {
        let mut patterns: Vec<Pattern> = Vec::new();
        for text in self.patterns {
            let text = text.into_vec();
            values::check_name("PATTERN", text.len())?;
            let is_glob = text.iter().any(|byte| GLOB.contains(byte));
            // Given twice, each message would be printed twice.
            if patterns.iter().all(|pattern| pattern.text != text) {
                patterns.push(Pattern { text, is_glob });
            }
        }
        let count = match self.count {
            Some(0) => return Err("--count 0: expected 1 or more".to_owned()),
            count => count.and_then(NonZeroU64::new),
        };
        Ok(Subscribe {
            patterns,
            count,
            endpoint: self.endpoint,
            origin: self.origin.resolve()?,
            timeout: values::timeout(self.timeout)?,
            json: self.json,
        })
    }
}
