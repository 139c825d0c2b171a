//! What a run writes down for each message, and its line at the end.

use std::io::Write;
use std::path::{Path, PathBuf};

use ringwire::monotonic_ns;

use super::pace::process_cpu_ns;
use super::{ClientArgs, Told};
use crate::rig::RigError;

/// In place of a latency: the message failed.
pub(crate) const FAILED: u64 = u64::MAX;

/// Where the lateness of each message is written: beside `out`.
pub(crate) fn late_path(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".late");
    name.into()
}

/// Reads a file of little-endian numbers.
pub(crate) fn read_u64s(path: &Path) -> Result<Vec<u64>, RigError> {
    let bytes = super::read(path)?;
    Ok(bytes.chunks_exact(8).map(|it| u64::from_le_bytes(it.try_into().unwrap_or_default())).collect())
}

/// Writes a file of little-endian numbers.
pub(crate) fn write_u64s(path: &Path, numbers: &[u64]) -> Result<(), RigError> {
    let failed = |error: std::io::Error| RigError::system(&format!("writing {}", path.display()), &error);
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    numbers.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())).map_err(failed)?;
    file.flush().map_err(failed)
}

/// The times of an open loop.
pub(super) struct Recorder {
    due: Vec<u64>,
    warmup: usize,
    latencies: Vec<u64>,
    late: Vec<u64>,
    start_ns: u64,
    meter: Meter,
    failed: u64,
}

/// Time and CPU from the first counted message on.
pub(super) struct Meter {
    begin_ns: u64,
    begin_cpu_ns: u64,
    last_ns: u64,
}

impl Meter {
    pub(super) fn begin() -> Self {
        let now_ns = monotonic_ns();
        Self { begin_ns: now_ns, begin_cpu_ns: process_cpu_ns(), last_ns: now_ns }
    }

    /// An answer was known at `now_ns`.
    #[inline]
    pub(super) fn touch(&mut self, now_ns: u64) {
        self.last_ns = self.last_ns.max(now_ns);
    }

    pub(super) fn told(&self, args: &ClientArgs, settings: &[&str], failed: u64) -> Told {
        Told {
            client: args.client.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: settings.iter().map(|&it| it.to_owned()).collect(),
            messages: args.messages,
            failed,
            elapsed_ns: self.last_ns.saturating_sub(self.begin_ns),
            cpu_ns: process_cpu_ns().saturating_sub(self.begin_cpu_ns),
            max_rss_kib: memory_kib("VmHWM:"),
            ..Told::default()
        }
    }
}

impl Recorder {
    /// The schedule begins now.
    pub(super) fn start(args: &ClientArgs, due: Vec<u64>) -> Self {
        let (total, messages) = (args.total(), args.messages as usize);
        Self {
            warmup: args.warmup as usize,
            due: due[..total].to_vec(),
            latencies: vec![FAILED; messages],
            late: vec![0; messages],
            meter: Meter::begin(),
            start_ns: monotonic_ns(),
            failed: 0,
        }
    }

    /// When message `index` is due, on CLOCK_MONOTONIC; `None` behind the last one.
    #[inline]
    pub(super) fn due_ns(&self, index: usize) -> Option<u64> {
        self.due.get(index).map(|due| self.start_ns + due)
    }

    /// Message `index` is about to be given to the client at `now_ns`.
    #[inline]
    pub(super) fn handed(&mut self, index: usize, now_ns: u64) {
        match index.checked_sub(self.warmup) {
            Some(counted) => {
                if counted == 0 {
                    self.meter = Meter::begin();
                }
                self.late[counted] = now_ns.saturating_sub(self.start_ns + self.due[index]);
            }
            None => self.meter.touch(now_ns),
        }
    }

    /// The answer to message `index` was known at `now_ns`.
    #[inline]
    pub(super) fn answered(&mut self, index: usize, now_ns: u64) {
        if let Some(counted) = index.checked_sub(self.warmup) {
            self.latencies[counted] = now_ns.saturating_sub(self.start_ns + self.due[index]);
            self.meter.touch(now_ns);
        }
    }

    /// Message `index` failed: its place says so already.
    pub(super) fn failed(&mut self, index: usize) {
        self.failed += u64::from(index >= self.warmup);
    }

    /// Writes the files, and answers the line.
    pub(super) fn finish(self, args: &ClientArgs, settings: &[&str]) -> Result<Told, RigError> {
        let told = self.meter.told(args, settings, self.failed);
        let out = args.out.as_ref().ok_or_else(|| args.failed("--out is missing"))?;
        write_u64s(out, &self.latencies)?;
        write_u64s(&late_path(out), &self.late)?;
        Ok(Told { started_ns: self.start_ns, ..told })
    }
}

/// The times of a subscriber: what arrived, in its order.
pub(super) struct Arrivals {
    warmup: usize,
    total: usize,
    seen: usize,
    latencies: Vec<u64>,
    meter: Meter,
    last_ns: u64,
}

impl Arrivals {
    pub(super) fn new(args: &ClientArgs) -> Self {
        Self {
            warmup: args.warmup as usize,
            total: args.total(),
            seen: 0,
            latencies: Vec::with_capacity(args.messages as usize),
            meter: Meter::begin(),
            last_ns: 0,
        }
    }

    /// A message reached the application at `now_ns`.
    #[inline]
    pub(super) fn arrived(&mut self, payload: &[u8], now_ns: u64) {
        if self.seen == self.warmup {
            self.meter = Meter::begin();
        }
        if self.seen >= self.warmup {
            let latency = due_in(payload).map_or(FAILED, |due_ns| now_ns.saturating_sub(due_ns));
            self.latencies.push(latency);
            self.meter.touch(now_ns);
        }
        self.seen += 1;
        self.last_ns = now_ns;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.seen >= self.total
    }

    /// Nothing more comes: the last message, or the beginning at `began_ns`, is too long ago.
    pub(super) fn is_silent(&self, began_ns: u64, now_ns: u64) -> bool {
        let (since_ns, limit_ns) = match self.last_ns {
            0 => (began_ns, super::PATIENCE_NS),
            last_ns => (last_ns, super::SILENCE_NS),
        };
        now_ns.saturating_sub(since_ns) > limit_ns
    }

    pub(super) fn finish(mut self, args: &ClientArgs, settings: &[&str]) -> Result<Told, RigError> {
        self.latencies.resize(args.messages as usize, FAILED);
        let failed = self.latencies.iter().filter(|it| **it == FAILED).count() as u64;
        let told = self.meter.told(args, settings, failed);
        write_u64s(args.out.as_ref().ok_or_else(|| args.failed("--out is missing"))?, &self.latencies)?;
        Ok(told)
    }
}

/// Hexadecimal digits of the due time at the beginning of a payload.
pub(super) const DUE_DIGITS: usize = 16;

/// The due time that a payload begins with.
#[inline]
fn due_in(payload: &[u8]) -> Option<u64> {
    let digits = payload.get(..DUE_DIGITS)?;
    digits.iter().try_fold(0_u64, |value, digit| Some(value << 4 | u64::from((*digit as char).to_digit(16)?)))
}

/// A line of this process' status, in KiB; 0 where the kernel does not tell.
pub(super) fn memory_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_is_read_from_its_payload() {
        let check = |payload: &[u8], expected: Option<u64>| assert_eq!(due_in(payload), expected);
        check(b"00000000000000ff,rest", Some(255));
        check(b"ffffffffffffffff", Some(u64::MAX));
        check(b"00000000000000f", None);
        check(b"0000000000000 ff", None);
    }
}
