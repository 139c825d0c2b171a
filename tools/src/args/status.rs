//! `ringwire status`.

use std::time::Duration;

use clap::Args;

use super::origin::{Origin, RawOrigin};
use super::values;

#[derive(Args)]
pub(super) struct Raw {
    /// How long to wait for the connections
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 5.0)]
    timeout: f64,
    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: RawOrigin,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Status {
    pub(crate) origin: Origin,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
}

impl Raw {
    pub(super) fn resolve(self) -> Result<Status, String> {
        Ok(Status {
            origin: self.origin.resolve()?,
            timeout: values::timeout(self.timeout)?,
            json: self.json,
        })
    }
}
