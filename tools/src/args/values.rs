//! Values that several commands take, and what they may be.

use std::time::Duration;

use crate::columns::Column;
use crate::pace::Rate;

/// The library's limit for the names of channels and patterns.
pub(super) const CHANNEL_LEN_MAX: usize = 1_024;
/// A week: who wants to wait longer wants to wait for ever.
const TIMEOUT_SECONDS_MAX: f64 = 604_800.0;

pub(super) fn rate(rate: u64) -> Result<Rate, String> {
    Rate::new(rate).ok_or_else(|| format!("--rate {rate}: expected 1 to {} messages a second", Rate::MAX))
}

pub(super) fn timeout(seconds: f64) -> Result<Duration, String> {
    if seconds > 0.0 && seconds <= TIMEOUT_SECONDS_MAX {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(format!("--timeout {seconds}: expected seconds, more than 0 and at most a week"))
}

/// `argument` is how the user calls it.
pub(super) fn check_name(argument: &str, len: usize) -> Result<(), String> {
    if (1..=CHANNEL_LEN_MAX).contains(&len) {
        return Ok(());
    }
    Err(format!("{argument} has {len} bytes: expected 1 to {CHANNEL_LEN_MAX}"))
}

/// Digits alone are a number from 1.
pub(super) fn column(argument: &str, text: &str) -> Result<Column, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Column::Name(text.trim().to_owned()));
    }
    let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    number.map(Column::Index).ok_or_else(|| format!("{argument} {text}: columns are counted from 1"))
}
