//! Allocations for each message: counted by a program whose allocator counts, which the rig itself must not have.

use std::process::Command;
use std::time::Duration;

use crate::child;
use crate::goals::ALLOCATIONS;
use crate::results::Fact;
use crate::rig::RigError;

/// The tests' probe: it sends messages round, and counts.
const PROBE: &str = "ringwire-probe";
/// Messages that it counts over.
const MESSAGES: f64 = 50_000.0;
/// It takes a second or two.
const WITHIN: Duration = Duration::from_secs(60);

/// What the probe counted, or why it could not.
pub(crate) fn count(url: &str, cores: &[usize]) -> Fact {
    let found = run(url, cores);
    let (value, how) = match found {
        Ok(steady) => (
            Some(steady / MESSAGES),
            format!("{steady} in {MESSAGES} messages out and back, thread host, by {PROBE}"),
        ),
        Err(why) => (None, why),
    };
    Fact { name: ALLOCATIONS.to_owned(), value, unit: "for each message".to_owned(), how }
}

fn run(url: &str, cores: &[usize]) -> Result<f64, String> {
    let beside = std::env::current_exe().ok().map(|it| it.with_file_name(PROBE)).filter(|it| it.is_file());
    let program = beside.or_else(|| crate::server::on_path(PROBE)).ok_or_else(|| {
        format!("{PROBE} is not beside this program: cargo build --release -p ringwire-tests --bin {PROBE}")
    })?;
    let mut command = Command::new(program);
    command.args(["allocations", url, "thread", "park"]);
    let finished = child::start(PROBE, command, cores).and_then(|it| it.finish(WITHIN));
    let finished = finished.map_err(|error: RigError| error.to_string())?;
    let steady = finished.lines.iter().find_map(|line| line.strip_prefix("steady ")?.parse().ok());
    steady.ok_or_else(|| format!("{PROBE} told no count"))
}
