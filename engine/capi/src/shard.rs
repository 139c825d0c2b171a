//! Shards that the application drives.

use std::ffi::c_int;
use std::os::fd::AsRawFd;

use ringwire::{HostShard, Progress};

use crate::boundary::{Handle, Kind, Out};
use crate::code::{CLOSED, Code, NOT_FOUND, OK};
use crate::engine::rw_engine;
use crate::text::fail;

/// A shard that was taken.
#[allow(non_camel_case_types)]
pub(crate) struct rw_shard {
    shard: HostShard,
    /// Somebody waits on the descriptor: a poll that finds nothing asks to be rung.
    has_fd: bool,
    is_armed: bool,
}

impl Kind for rw_shard {
    const KIND: u32 = 7;
    const NAME: &'static str = "shard";
}

impl rw_shard {
    fn poll(&mut self) -> Result<c_int, Code> {
        if self.is_armed {
            self.shard.disarm();
            self.is_armed = false;
        }
        match self.shard.poll() {
            Progress::Worked => Ok(1),
            Progress::Finished => Err(CLOSED),
            Progress::Idle if !self.has_fd => Ok(0),
            Progress::Idle => {
                self.is_armed = self.shard.arm();
                Ok(c_int::from(!self.is_armed))
            }
        }
    }
}

export! {
    fn rw_shard_take(engine: Handle<rw_engine>, index: u32, shard: Out<Handle<rw_shard>>) {
        let engine = engine.get()?;
        shard.wanted("shard")?;
        let Some(taken) = engine.engine.take_shard(index as usize) else {
            return Err(fail(NOT_FOUND, format_args!("there is no shard {index} to be taken")));
        };
        shard.set(Handle::exclusive(rw_shard { shard: taken, has_fd: false, is_armed: false })?);
        Ok(OK)
    }

    fn rw_shard_poll(shard: Handle<rw_shard>) {
        let mut shard = shard;
        shard.lease()?.poll()
    }

    fn rw_shard_next_deadline(shard: Handle<rw_shard>, deadline_ns: Out<u64>) {
        let mut shard = shard;
        deadline_ns.wanted("deadline_ns")?;
        deadline_ns.set(shard.lease()?.shard.next_deadline_ns().unwrap_or(u64::MAX));
        Ok(OK)
    }

    fn rw_shard_fd(shard: Handle<rw_shard>) {
        let mut shard = shard;
        let mut shard = shard.lease()?;
        if !std::mem::replace(&mut shard.has_fd, true) {
            // As rw_reports_fd.
            shard.shard.ring();
        }
        Ok(shard.shard.fd().as_raw_fd())
    }
}
