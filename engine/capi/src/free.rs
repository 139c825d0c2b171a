//! The end of every handle.

use crate::boundary::{Any, Kind};
use crate::channel::rw_channel;
use crate::code::{Code, INVALID, OK, WRONG_THREAD};
use crate::config::rw_config;
use crate::engine::rw_engine;
use crate::log::is_in_callback;
use crate::publisher::rw_publisher;
use crate::reports::rw_reports;
use crate::shard::rw_shard;
use crate::subscriber::rw_subscriber;
use crate::text::fail;

type Free = fn(&Any) -> Result<bool, Code>;

/// Frees a handle if it is of this kind; answers whether it was.
fn freed<T: Kind>(handle: &Any) -> Result<bool, Code> {
    match handle.of::<T>() {
        Some(handle) => handle.take().map(|value| {
            drop(value);
            true
        }),
        None => Ok(false),
    }
}

export! {
    fn rw_free(handle: Any) {
        if handle.is_null() {
            return Ok(OK);
        }
        if handle.of::<rw_channel>().is_some() {
            return Err(fail(INVALID, format_args!("a channel goes with its engine: it is not freed")));
        }
        if handle.of::<rw_engine>().is_some() && is_in_callback() {
            return Err(WRONG_THREAD);
        }
        let kinds = [
            freed::<rw_config> as Free,
            freed::<rw_engine>,
            freed::<rw_publisher>,
            freed::<rw_reports>,
            freed::<rw_subscriber>,
            freed::<rw_shard>,
        ];
        for free in kinds {
            if free(&handle)? {
                return Ok(OK);
            }
        }
        Err(handle.refused())
    }
}
