//! Engines: start, state, shutdown.

use std::ffi::{c_char, c_int};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringwire::{Engine, Health};

use crate::boundary::{Handle, In, Kind, Out};
use crate::channel::rw_channel;
use crate::code::{Code, OK, SYSTEM, WRONG_THREAD, of_start};
use crate::config::rw_config;
use crate::log::{Watch, Watching, is_in_callback};
use crate::text::fail;

/// A running engine.
#[allow(non_camel_case_types)]
pub(crate) struct rw_engine {
    /// Ends before the engine does.
    watching: Mutex<Option<Watching>>,
    /// The same of a host-driven engine, looked after by the application.
    watch: Mutex<Option<Watch>>,
    /// By their numbers: opening a channel again gives the same handle.
    pub(crate) channels: Mutex<Vec<Option<Handle<rw_channel>>>>,
    pub(crate) engine: Arc<Engine>,
    is_host_driven: bool,
}

impl Kind for rw_engine {
    const KIND: u32 = 2;
    const NAME: &'static str = "engine";
}

impl Drop for rw_engine {
    fn drop(&mut self) {
        *self.watching.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let channels = self.channels.get_mut().unwrap_or_else(PoisonError::into_inner);
        for channel in channels.drain(..).flatten() {
            // In the child of a fork it is gone already. A claim that is under way looks at it once more.
            if let Ok(channel) = channel.take() {
                self.engine.keep(channel);
            }
        }
    }
}

/// `rw_shutdown_report`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct rw_shutdown_report {
    pub(crate) flushed: u32,
    pub(crate) reserved: u32,
    pub(crate) delivered: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
}

/// A length of time as C gives it.
pub(crate) fn duration(ns: u64) -> Duration {
    if ns == u64::MAX { Duration::MAX } else { Duration::from_nanos(ns) }
}

fn start(config: &rw_config) -> Result<rw_engine, Code> {
    // A start may wait for a callback, which may use the configuration: it is not held meanwhile.
    let (config, log, thread_start, is_host_driven) = {
        let draft = config.draft();
        (draft.config()?, draft.log, draft.thread_start(), draft.is_host_driven)
    };
    let engine = Arc::new(Engine::start(config).map_err(|error| of_start(&error))?);
    let mut watch = log.map(|log| Watch::new(engine.clone(), log));
    let watching =
        match watch.take_if(|_| !is_host_driven) {
            Some(watch) => Some(Watching::start(watch, thread_start).map_err(|error| {
                fail(SYSTEM, format_args!("no thread for log lines (ulimit -u): {error}"))
            })?),
            None => None,
        };
    Ok(rw_engine {
        watching: watching.into(),
        watch: watch.into(),
        channels: Mutex::default(),
        engine,
        is_host_driven,
    })
}

fn shutdown(engine: &rw_engine, deadline_ns: u64) -> Result<rw_shutdown_report, Code> {
    if is_in_callback() {
        return Err(WRONG_THREAD);
    }
    if engine.is_host_driven {
        engine.engine.begin_shutdown(duration(deadline_ns));
        return Ok(rw_shutdown_report::default());
    }
    let report = engine.engine.shutdown(duration(deadline_ns));
    // It tells of the end, and ends.
    *engine.watching.lock().unwrap_or_else(PoisonError::into_inner) = None;
    Ok(rw_shutdown_report {
        flushed: u32::from(report.flushed),
        reserved: 0,
        delivered: report.delivered,
        not_sent: report.not_sent,
        unknown: report.unknown,
    })
}

export! {
    fn rw_engine_start(config: Handle<rw_config>, engine: Out<Handle<rw_engine>>) {
        let config = config.get()?;
        engine.wanted("engine")?;
        engine.set(Handle::shared(start(config)?)?);
        Ok(OK)
    }

    fn rw_engine_wait_ready(engine: Handle<rw_engine>, timeout_ns: u64) {
        Ok(c_int::from(engine.get()?.engine.wait_ready(duration(timeout_ns))))
    }

    fn rw_engine_health(engine: Handle<rw_engine>) {
        let engine = &engine.get()?.engine;
        Ok(match engine.health() {
            Health::Healthy => 0,
            Health::Degraded => 1,
            Health::Closed => 2,
            Health::Failed => {
                let why = engine.failure().unwrap_or_default();
                fail(crate::code::FAILED, format_args!("{why}"));
                3
            }
        })
    }

    fn rw_engine_shutdown(engine: Handle<rw_engine>, deadline_ns: u64, report: Out<rw_shutdown_report>) {
        report.set(shutdown(engine.get()?, deadline_ns)?);
        Ok(OK)
    }

    fn rw_engine_control(engine: Handle<rw_engine>) {
        let engine = engine.get()?;
        // This very call may be the one that calls back.
        if is_in_callback() {
            return Err(WRONG_THREAD);
        }
        if let Some(watch) = &mut *engine.watch.lock().unwrap_or_else(PoisonError::into_inner) {
            watch.look();
        }
        Ok(OK)
    }

    fn rw_engine_status(
        engine: Handle<rw_engine>,
        array: Out<crate::status::rw_endpoint_status>,
        capacity: usize,
    ) {
        let engine = engine.get()?;
        let mut slots = array.slots(capacity, "array")?;
        crate::status::write(&engine.engine, &mut slots)
    }

    fn rw_engine_counters(
        engine: Handle<rw_engine>,
        endpoint: In<c_char>,
        counters: Out<crate::status::rw_counters>,
    ) {
        let engine = engine.get()?;
        counters.wanted("counters")?;
        let endpoint = if endpoint.is_null() { None } else { Some(endpoint.text("endpoint")?) };
        counters.set(crate::status::counters(&engine.engine, endpoint)?);
        Ok(OK)
    }

    fn rw_engine_latency(
        engine: Handle<rw_engine>,
        endpoint: In<c_char>,
        acknowledgement: Out<crate::status::rw_latency>,
        from_intended: Out<crate::status::rw_latency>,
    ) {
        let engine = engine.get()?;
        let latencies = crate::status::latencies(&engine.engine, endpoint.text("endpoint")?)?;
        acknowledgement.set((&latencies.acknowledgement).into());
        from_intended.set((&latencies.from_intended).into());
        Ok(OK)
    }
}
