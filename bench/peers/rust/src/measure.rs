//! Clock, pacing, CPU and memory, and what is written at the end.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::Failure;
use crate::plan::Plan;

/// A program that hears nothing for so long has failed: the rig's bound.
const NO_PROGRESS_S: u64 = 60;
/// What stands in `--out` for a message without an answer.
pub(crate) const FAILED: u64 = u64::MAX;

pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has a monotonic clock");
    now.num_nanoseconds() as u64
}

/// Sleeps until `due_ns` on the monotonic clock.
pub(crate) fn sleep_until(due_ns: u64) {
    let due = nix::sys::time::TimeSpec::nanoseconds(due_ns as i64);
    while due_ns > now_ns() {
        // Interrupted: once more.
        let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &due);
    }
}

/// Messages sent, answered or received; the watchdog reads it.
pub(crate) static PROGRESS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn progress() {
    PROGRESS.fetch_add(1, Ordering::Relaxed);
}

/// Ends the process when nothing has happened for a minute.
pub(crate) fn start_watchdog() {
    std::thread::spawn(|| {
        let (mut seen, mut quiet_s) = (0, 0);
        while quiet_s < NO_PROGRESS_S {
            std::thread::sleep(Duration::from_secs(1));
            let progress = PROGRESS.load(Ordering::Relaxed);
            quiet_s = if progress == seen { quiet_s + 1 } else { 0 };
            seen = progress;
        }
        eprintln!("no progress for {NO_PROGRESS_S} s: gave up");
        std::process::exit(1);
    });
}

/// Where the measured part began.
pub(crate) struct Mark {
    at_ns: u64,
    cpu_ns: u64,
}

impl Mark {
    pub(crate) fn now() -> Self {
        Self { at_ns: now_ns(), cpu_ns: cpu_ns() }
    }

    /// What has passed since: nanoseconds, and nanoseconds of CPU.
    pub(crate) fn elapsed(&self) -> (u64, u64) {
        (now_ns() - self.at_ns, cpu_ns() - self.cpu_ns)
    }
}

fn cpu_ns() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as u64 * 1_000
}

/// The high-water mark of this program's own memory. `ru_maxrss` would begin with that of the process that forked it.
fn max_rss_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

pub(crate) fn write_words(path: &str, words: impl Iterator<Item = u64>) -> Result<(), Failure> {
    let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    fs::write(path, bytes).map_err(|error| format!("{path}: {error}").into())
}

/// The last line of a run. The texts are our own and need no escapes.
pub(crate) fn print_result(
    plan: &Plan,
    version: &str,
    settings: &[String],
    failed: usize,
    passed: (u64, u64),
) {
    let settings: Vec<String> = settings.iter().map(|setting| format!("\"{setting}\"")).collect();
    println!(
        "{{\"client\":\"{}\",\"version\":\"{version}\",\"settings\":[{}],\"messages\":{},\"failed\":{failed},\
         \"elapsed_ns\":{},\"cpu_ns\":{},\"max_rss_kib\":{}}}",
        plan.client,
        settings.join(","),
        plan.messages,
        passed.0,
        passed.1,
        max_rss_kib()
    );
}
