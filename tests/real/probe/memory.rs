//! Resident memory of a process with one shard, one publisher with reports and one subscriber, after a million
//! messages of 128 bytes.

use std::fs;

use ringwire::Config;

use crate::bench::Bench;

const MESSAGES: u64 = 1_000_000;
/// Enough to keep every part busy.
const OUTSTANDING_MAX: u64 = 1_000;

pub(crate) fn run(url: &str) {
    println!("start_kib {}", resident_kib("VmRSS:"));
    let mut bench = Bench::up(url, Config::new());
    println!("open_kib {}", resident_kib("VmRSS:"));
    bench.round(MESSAGES, OUTSTANDING_MAX);
    println!("resident_kib {}", resident_kib("VmRSS:"));
    println!("peak_kib {}", resident_kib("VmHWM:"));
}

/// A field of this process's status, in KiB.
pub(crate) fn resident_kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the status has the field");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number of kB")
}
