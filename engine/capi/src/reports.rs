//! Reports, copied into an array of C's.

use std::ffi::c_int;
use std::os::fd::AsRawFd;

use ringwire::{Report, Reports};

use crate::boundary::{Handle, Kind, Out};
use crate::code::{CLOSED, Code};
use crate::engine::duration;

/// The most that one poll hands over, however long the array: an answer is an int, and a call ends soon.
pub(crate) const POLL_MAX: usize = 1 << 16;

/// The reports of one publisher.
#[allow(non_camel_case_types)]
pub(crate) struct rw_reports {
    reports: Reports,
    /// Somebody waits on the descriptor: a poll that finds nothing asks to be rung.
    has_fd: bool,
}

impl Kind for rw_reports {
    const KIND: u32 = 5;
    const NAME: &'static str = "reports";
}

/// `rw_report`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct rw_report {
    pub(crate) sequence: u64,
    pub(crate) tag: u64,
    pub(crate) intended_ns: u64,
    pub(crate) at_ns: u64,
    pub(crate) broker_timestamp_ms: i64,
    /// A union in C: receivers, record or error.
    pub(crate) detail: [u64; 2],
    pub(crate) channel: u32,
    pub(crate) leg: u8,
    pub(crate) outcome: u8,
    pub(crate) reason: u8,
    pub(crate) reserved: u8,
}

impl From<&Report> for rw_report {
    #[inline]
    fn from(report: &Report) -> Self {
        let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| report.detail[at + byte]));
        Self {
            sequence: report.sequence,
            tag: report.tag,
            intended_ns: report.intended_ns,
            at_ns: report.at_ns,
            broker_timestamp_ms: report.broker_timestamp_ms,
            detail: [half(0), half(8)],
            channel: report.channel,
            leg: report.leg,
            outcome: report.outcome as u8,
            reason: report.reason as u8,
            reserved: 0,
        }
    }
}

impl rw_reports {
    pub(crate) fn new(reports: Reports) -> Self {
        Self { reports, has_fd: false }
    }

    fn poll(&mut self, array: &Out<rw_report>, capacity: usize) -> Result<c_int, Code> {
        let mut slots = array.slots(capacity, "array")?;
        loop {
            // Looked at first: what comes before the end is found after it.
            let is_ended = self.reports.is_ended();
            let polled = self.reports.poll(slots.left().min(POLL_MAX), |report| slots.push(report.into()));
            if polled > 0 || capacity == 0 {
                return Ok(c_int::try_from(polled).unwrap_or(c_int::MAX));
            }
            if is_ended {
                return Err(CLOSED);
            }
            // The end rings once. Where that was meanwhile, arming has silenced it, and nobody rings again.
            if !self.has_fd || self.reports.arm() && !self.reports.is_ended() {
                return Ok(0);
            }
        }
    }

    fn wait(&mut self, timeout_ns: u64) -> Result<c_int, Code> {
        if self.reports.wait(duration(timeout_ns)) {
            Ok(1)
        } else if self.reports.is_ended() && self.reports.is_empty() {
            Err(CLOSED)
        } else {
            if self.has_fd {
                // What this waited for rings nobody any more.
                self.reports.ring();
            }
            Ok(0)
        }
    }
}

export! {
    fn rw_reports_poll(reports: Handle<rw_reports>, array: Out<rw_report>, capacity: usize) {
        let mut reports = reports;
        reports.lease()?.poll(&array, capacity)
    }

    fn rw_reports_wait(reports: Handle<rw_reports>, timeout_ns: u64) {
        let mut reports = reports;
        reports.lease()?.wait(timeout_ns)
    }

    fn rw_reports_fd(reports: Handle<rw_reports>) {
        let mut reports = reports;
        let mut reports = reports.lease()?;
        if !std::mem::replace(&mut reports.has_fd, true) {
            // Who waits on it first finds out what came before.
            reports.reports.ring();
        }
        Ok(reports.reports.fd().as_raw_fd())
    }
}
