//! What only a process of its own can tell: allocations, counted by an allocator that the rig itself must not have, and
//! the memory of a program that holds the engine and nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child;
use crate::goals::{ALLOCATIONS, MEMORY};
use crate::results::Fact;
use crate::rig::RigError;

/// The tests' probe: it sends messages round, and counts.
const PROBE: &str = "ringwire-probe";
/// The package that it belongs to, and where that is in a checkout.
const PACKAGE: &str = "ringwire-tests";
const SOURCE: &str = "tests/real/probe/main.rs";
/// Messages that it counts allocations over, and those after which it looks at its memory.
const COUNTED: f64 = 50_000.0;
const REMEMBERED: &str = "1,000,000";
/// It takes some seconds.
const WITHIN: Duration = Duration::from_secs(120);
/// Building it takes a minute where everything that it needs was built with this program.
const BUILT_WITHIN: Duration = Duration::from_secs(900);
const KIB_PER_MIB: f64 = 1_024.0;

/// The probe's program, or why there is none.
pub(crate) struct Probe(Result<PathBuf, String>);

impl Probe {
    /// Finds it beside this program or on PATH; in a checkout, has cargo build it first, which is quick where it was
    /// built before. Without cores it is not wanted.
    pub(crate) fn prepare(cores: Option<&[usize]>) -> Self {
        let Some(cores) = cores else { return Self(Err("it was not asked for".to_owned())) };
        let own = std::env::current_exe().ok();
        let beside = own.as_deref().map(|it| it.with_file_name(PROBE));
        let built = own.as_deref().and_then(checkout).map(|place| build(&place, cores));
        let found = beside.filter(|it| it.is_file()).or_else(|| crate::server::on_path(PROBE));
        Self(found.ok_or_else(|| {
            let why = built.and_then(Result::err).unwrap_or_else(|| "this is no checkout".to_owned());
            format!(
                "{PROBE} is not beside this program, and cannot be built ({why}): cargo build --release -p {PACKAGE} \
                 --bin {PROBE}"
            )
        }))
    }

    /// Allocations for each message.
    pub(crate) fn allocations(&self, url: &str, cores: &[usize]) -> Fact {
        let found = self.run(&["allocations", url, "thread", "park"], "steady", cores);
        let words = |count| format!("{count} in {COUNTED} messages out and back, thread host, by {PROBE}");
        fact(ALLOCATIONS, "for each message", found, |count| count / COUNTED, words)
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self, url: &str, cores: &[usize]) -> Fact {
        let found = self.run(&["memory", url], "resident_kib", cores);
        let words = |kib| {
            format!(
                "{kib} KiB after {REMEMBERED} messages of 128 B out and back, system's allocator, by {PROBE}"
            )
        };
        fact(MEMORY, "MiB", found, |kib| (kib / KIB_PER_MIB * 10.0).round() / 10.0, words)
    }

    /// Runs it, and answers the number that it tells under `name`.
    fn run(&self, arguments: &[&str], name: &str, cores: &[usize]) -> Result<f64, String> {
        let mut command = Command::new(self.0.as_ref()?);
        command.args(arguments);
        let finished = child::start(PROBE, command, cores).and_then(|it| it.finish(WITHIN));
        let finished = finished.map_err(|error: RigError| error.to_string())?;
        let told = |line: &String| line.strip_prefix(name)?.trim().parse().ok();
        finished.lines.iter().find_map(told).ok_or_else(|| format!("{PROBE} told no {name}"))
    }
}

fn fact(
    name: &str,
    unit: &str,
    found: Result<f64, String>,
    value: impl Fn(f64) -> f64,
    words: impl Fn(f64) -> String,
) -> Fact {
    let (value, how) = match found {
        Ok(found) => (Some(value(found)), words(found)),
        Err(why) => (None, why),
    };
    Fact { name: name.to_owned(), value, unit: unit.to_owned(), how }
}

/// A checkout, and this program's own folder and profile within its target folder.
struct Checkout {
    root: PathBuf,
    target: PathBuf,
    is_release: bool,
}

/// Where this program was built, if its sources are still there: at `TARGET/PROFILE/PROGRAM`, with the checkout above
/// it or where the command is given.
fn checkout(own: &Path) -> Option<Checkout> {
    let profile = own.parent()?;
    let target = profile.parent()?;
    let here = std::env::current_dir().unwrap_or_default();
    let root = own.ancestors().chain(here.ancestors()).find(|it| it.join(SOURCE).is_file())?;
    Some(Checkout {
        root: root.to_path_buf(),
        target: target.to_path_buf(),
        is_release: profile.file_name()? == "release",
    })
}

fn build(place: &Checkout, cores: &[usize]) -> Result<(), String> {
    // Where cargo runs this program it says which cargo that is.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&place.root).args([
        "build",
        "--quiet",
        "-p",
        PACKAGE,
        "--bin",
        PROBE,
        "--target-dir",
    ]);
    command.arg(&place.target).args(place.is_release.then_some("--release"));
    let finished = child::start("cargo", command, cores).and_then(|it| it.finish(BUILT_WITHIN));
    finished.map(drop).map_err(|error| error.to_string())
}
