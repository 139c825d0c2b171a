//! Channels: opened once, freed with their engine.

use std::ffi::{c_int, c_void};
use std::sync::PoisonError;

use ringwire::Channel;

use crate::boundary::{Handle, In, Kind, Out};
use crate::code::{Code, OK, of_open};
use crate::engine::rw_engine;

/// An open channel.
#[allow(non_camel_case_types)]
pub(crate) struct rw_channel(pub(crate) Channel);

impl Kind for rw_channel {
    const KIND: u32 = 3;
    const NAME: &'static str = "channel";
}

fn open(engine: &rw_engine, name: &[u8]) -> Result<Handle<rw_channel>, Code> {
    let channel = engine.engine.channel(name).map_err(|error| of_open(&error))?;
    let index = channel.index() as usize;
    let mut channels = engine.channels.lock().unwrap_or_else(PoisonError::into_inner);
    if channels.len() <= index {
        channels.resize(index + 1, None);
    }
    if let Some(opened) = channels[index] {
        return Ok(opened);
    }
    let opened = Handle::shared(rw_channel(channel))?;
    channels[index] = Some(opened);
    Ok(opened)
}

export! {
    fn rw_channel_open(
        engine: Handle<rw_engine>,
        name: In<c_void>,
        name_len: usize,
        channel: Out<Handle<rw_channel>>,
    ) {
        let engine = engine.get()?;
        channel.wanted("channel")?;
        channel.set(open(engine, name.bytes(name_len)?)?);
        Ok(OK)
    }

    fn rw_channel_index(channel: Handle<rw_channel>) {
        Ok(c_int::try_from(channel.get()?.0.index()).unwrap_or(c_int::MAX))
    }
}
