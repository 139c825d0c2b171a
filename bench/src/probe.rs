//! What only a process of its own can tell: allocations, counted by an allocator that the rig itself must not have, and
//! the memory of a program that holds the engine and nothing else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child;
use crate::goals::{ALLOCATIONS, KAFKA_MEMORY, KAFKA_PEAK, MEMORY};
use crate::results::Fact;
use crate::rig::RigError;

/// A program that is measured: its name, the package that it belongs to, and where its source is in a checkout.
struct Program {
    name: &'static str,
    package: &'static str,
    source: &'static str,
}

/// The tests' probe: it sends messages round a Redis, and counts.
const REDIS: Program =
    Program { name: "ringwire-probe", package: "ringwire-tests", source: "tests/real/probe/main.rs" };
/// The rig's own: it sends messages to a Kafka.
const KAFKA: Program = Program {
    name: "ringwire-kafka-probe",
    package: "ringwire-bench",
    source: "bench/src/bin/kafka_probe.rs",
};
/// Messages that it counts allocations over, and those after which it looks at its memory.
const COUNTED: f64 = 50_000.0;
const REMEMBERED: &str = "1,000,000";
/// It takes some seconds.
const WITHIN: Duration = Duration::from_secs(120);
/// Building it takes a minute where everything that it needs was built with this program.
const BUILT_WITHIN: Duration = Duration::from_secs(900);
const KIB_PER_MIB: f64 = 1_024.0;

/// A probe's program, or why there is none.
pub(crate) struct Probe {
    name: &'static str,
    found: Result<PathBuf, String>,
}

impl Probe {
    /// The one for a Redis. Without cores it is not wanted.
    pub(crate) fn of_redis(cores: Option<&[usize]>) -> Self {
        Self::prepare(&REDIS, cores)
    }

    /// The one for a Kafka.
    pub(crate) fn of_kafka(cores: Option<&[usize]>) -> Self {
        Self::prepare(&KAFKA, cores)
    }

    /// Finds it beside this program or on PATH; in a checkout, has cargo build it first, which is quick where it was
    /// built before.
    fn prepare(program: &Program, cores: Option<&[usize]>) -> Self {
        let &Program { name, package, source } = program;
        let Some(cores) = cores else { return Self { name, found: Err("it was not asked for".to_owned()) } };
        let own = std::env::current_exe().ok();
        let beside = own.as_deref().map(|it| it.with_file_name(name));
        let built =
            own.as_deref().and_then(|own| checkout(own, source)).map(|place| build(program, &place, cores));
        let found = beside.filter(|it| it.is_file()).or_else(|| crate::server::on_path(name));
        let found = found.ok_or_else(|| {
            let why = built.and_then(Result::err).unwrap_or_else(|| "this is no checkout".to_owned());
            format!(
                "{name} is not beside this program, and cannot be built ({why}): cargo build --release -p {package} \
                 --bin {name}"
            )
        });
        Self { name, found }
    }

    /// Allocations for each message.
    pub(crate) fn allocations(&self, url: &str, cores: &[usize]) -> Fact {
        let found = self.run(&["allocations", url, "thread", "park"], "steady", cores);
        let words =
            |count| format!("{count} in {COUNTED} messages out and back, thread host, by {}", self.name);
        fact(ALLOCATIONS, "for each message", found, |count| count / COUNTED, words)
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self, url: &str, cores: &[usize]) -> Fact {
        let found = self.run(&["memory", url], "resident_kib", cores);
        let words = |kib| {
            format!(
                "{kib} KiB after {REMEMBERED} messages of 128 B out and back, system's allocator, by {}",
                self.name
            )
        };
        fact(MEMORY, "MiB", found, |kib| (kib / KIB_PER_MIB * 10.0).round() / 10.0, words)
    }

    /// Resident memory after messages at 50,000 a second to a Kafka, in MiB; and the peak of a flood.
    pub(crate) fn kafka(&self, address: SocketAddr, topic: &str, cores: &[usize]) -> [Fact; 2] {
        let address = address.to_string();
        let ways = [
            (KAFKA_MEMORY, "paced", "resident_kib", "after 250,000 messages at 50,000/s"),
            (KAFKA_PEAK, "flood", "peak_kib", "at most in a flood of 2,000,000 messages"),
        ];
        ways.map(|(name, mode, field, when)| {
            let found = self.run(&[mode, &address, topic], field, cores);
            let words =
                |kib| format!("{kib} KiB {when} of 100 B with keys, system's allocator, by {}", self.name);
            fact(name, "MiB", found, |kib| (kib / KIB_PER_MIB * 10.0).round() / 10.0, words)
        })
    }

    /// Runs it, and answers the number that it tells under `name`.
    fn run(&self, arguments: &[&str], name: &str, cores: &[usize]) -> Result<f64, String> {
        let mut command = Command::new(self.found.as_ref()?);
        command.args(arguments);
        let finished = child::start(self.name, command, cores).and_then(|it| it.finish(WITHIN));
        let finished = finished.map_err(|error: RigError| error.to_string())?;
        let told = |line: &String| line.strip_prefix(name)?.trim().parse().ok();
        finished.lines.iter().find_map(told).ok_or_else(|| format!("{} told no {name}", self.name))
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
fn checkout(own: &Path, source: &str) -> Option<Checkout> {
    let profile = own.parent()?;
    let target = profile.parent()?;
    let here = std::env::current_dir().unwrap_or_default();
    let root = own.ancestors().chain(here.ancestors()).find(|it| it.join(source).is_file())?;
    Some(Checkout {
        root: root.to_path_buf(),
        target: target.to_path_buf(),
        is_release: profile.file_name()? == "release",
    })
}

fn build(program: &Program, place: &Checkout, cores: &[usize]) -> Result<(), String> {
    // Where cargo runs this program it says which cargo that is.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&place.root).args([
        "build",
        "--quiet",
        "-p",
        program.package,
        "--bin",
        program.name,
        "--target-dir",
    ]);
    command.arg(&place.target).args(place.is_release.then_some("--release"));
    let finished = child::start("cargo", command, cores).and_then(|it| it.finish(BUILT_WITHIN));
    finished.map(drop).map_err(|error| error.to_string())
}
