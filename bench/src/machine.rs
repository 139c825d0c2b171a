//! The machine of a run: its cores and who gets which, and what a reader has to know of it.

use std::fs;
use std::thread::JoinHandle;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// Conditions of a run, as every output shows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// When it began, UTC.
    pub date: String,
    /// The processor's name, and whether it is virtual.
    pub cpu: String,
    /// Kernel release and architecture.
    pub kernel: String,
    /// Who ran where.
    pub cores: String,
    /// The frequency governor, where the kernel tells.
    pub governor: String,
    /// Load average before the first run: above 0 somebody else was at work.
    pub load_before: String,
    /// The server, and how it was set up.
    pub server: String,
    /// Ringwire's version.
    pub version: String,
    /// The command that was given.
    pub command: String,
    /// Reproduces the order of the runs, the schedules and the intervals.
    pub seed: u64,
}

/// Which cores the parts of a run get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The contestant's.
    pub client: Vec<usize>,
    /// The server's.
    pub server: Vec<usize>,
    /// The publisher's that subscribers listen to.
    pub source: Vec<usize>,
    /// All that this process may use.
    pub all: Vec<usize>,
}

impl Cores {
    /// Distinct ones as far as there are some.
    pub fn divide(all: &[usize]) -> Self {
        let at = |index: usize| vec![all.get(index).or(all.last()).copied().unwrap_or(0)];
        Self { client: at(0), server: at(1), source: at(2), all: all.to_vec() }
    }

    /// Confines the calling thread, which is the rig's own and works between runs and a little beside them, to a core that
    /// is not the contestant's, where there is one. What it starts has cores of its own.
    pub(crate) fn keep_away(&self) {
        pin(&self.server);
    }

    /// In words.
    pub fn words(&self) -> String {
        let [client, server, source] = [&self.client, &self.server, &self.source].map(|cores| cores[0]);
        let total = self.all.len();
        match total {
            0 | 1 => format!(
                "one core alone: client, server and publisher take turns on core {client}, so every latency includes the \
                 others' time"
            ),
            2 => format!(
                "2 cores: client on {client}, server on {server}; the publisher of the subscribe runs shares the \
                 server's"
            ),
            _ => format!(
                "{total} cores: client on {client}, server on {server}, publisher of the subscribe runs on {source}"
            ),
        }
    }
}

/// The cores that this process may use, ascending.
pub fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Confines the calling thread, and what it starts from now on. Answers whether the kernel agreed.
pub(crate) fn pin(cores: &[usize]) -> bool {
    let mut set = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).is_ok()
}

/// Runs `work` on a thread that is confined to `cores`: processes that it starts inherit that.
pub(crate) fn on_cores<T: Send + 'static>(
    cores: &[usize],
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::Result<T> {
    let cores = cores.to_vec();
    let thread: JoinHandle<T> = std::thread::spawn(move || {
        pin(&cores);
        work()
    });
    thread.join()
}

impl Conditions {
    /// What can be read off the machine; the rest is for the rig to say.
    pub fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let info = text("/proc/cpuinfo");
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or("", |(_, value)| value.trim()).to_owned()
        };
        let virtual_words =
            if field("flags").split(' ').any(|flag| flag == "hypervisor") { ", virtual machine" } else { "" };
        let governor = text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        Self {
            date: date("%Y-%m-%d %H:%M:%S UTC"),
            cpu: format!("{}, {} MHz{virtual_words}", field("model name"), field("cpu MHz")),
            kernel: format!("Linux {}, {}", text("/proc/sys/kernel/osrelease"), std::env::consts::ARCH),
            governor: if governor.is_empty() { "not told by the kernel".into() } else { governor },
            load_before: text("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: command(),
            ..Self::default()
        }
    }
}

impl Conditions {
    /// Name and value of each, for a table.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("date", &self.date),
            ("processor", &self.cpu),
            ("kernel", &self.kernel),
            ("cores", &self.cores),
            ("governor", &self.governor),
            ("load before", &self.load_before),
            ("server", &self.server),
            ("ringwire", &self.version),
            ("command", &self.command),
        ];
        let mut lines: Vec<_> = texts.into_iter().map(|(name, value)| (name, value.clone())).collect();
        lines.push(("seed", self.seed.to_string()));
        lines
    }
}

/// Now, in UTC.
pub(crate) fn date(format: &str) -> String {
    jiff::fmt::strtime::format(format, jiff::Timestamp::now()).unwrap_or_default()
}

/// As it was given, without the place of the program.
fn command() -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(program) = words.first_mut()
        && let Some((_, name)) = program.rsplit_once('/')
    {
        *program = name.to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_divided_as_far_as_they_go() {
        let check = |all: &[usize], expected: [usize; 3], words: &str| {
            let cores = Cores::divide(all);
            assert_eq!([cores.client[0], cores.server[0], cores.source[0]], expected, "{all:?}");
            assert!(cores.words().contains(words), "{}", cores.words());
        };
        check(&[3], [3, 3, 3], "one core alone");
        check(&[0, 1], [0, 1, 1], "shares the server's");
        check(&[2, 4, 6, 8], [2, 4, 6], "4 cores");
    }

    #[test]
    fn the_machine_is_read() {
        let conditions = Conditions::read();
        assert!(conditions.date.ends_with("UTC") && conditions.kernel.contains("Linux"), "{conditions:?}");
        assert!(!conditions.cpu.is_empty() && !conditions.load_before.is_empty(), "{conditions:?}");
        let cores = allowed();
        assert!(!cores.is_empty());
        let seen = on_cores(&cores[..1], allowed).expect("reading it does not panic");
        assert_eq!(seen, cores[..1]);
    }
}
