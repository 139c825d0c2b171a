//! The host's own noise around a run: stolen time, switches, gaps in a loop that does nothing else, and who else ran.
//!
//! The spinner that looks for gaps runs right before and right after a run on the client's core, not beside it: with as
//! many cores as parts it would take a core from one of them. What happens during the run is told by the kernel: the
//! time that the hypervisor took, and how long the contestant's main thread was ready and not running.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::machine::on_cores;

/// Shorter gaps are the clock's and the loop's own.
pub const GAP_MIN_NS: u64 = 10_000;
/// How long the spinner looks: long enough to meet a timer tick (4 ms) many times, short beside a run.
const LOOK: Duration = Duration::from_millis(20);
/// Who ran for less than this beside a run is not named: a tick of a timer, a message on a terminal.
const NAMED_MIN_NS: u64 = 1_000_000;
/// So many are named, the greatest first.
const NAMED_MAX: usize = 3;
/// /proc counts in hundredths of a second, whatever the kernel's own tick is.
const TICK_MS: u64 = 10;

/// Gaps of more than [`GAP_MIN_NS`] in an idle loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hiccups {
    /// How many.
    pub count: u64,
    /// The longest.
    pub longest_ns: u64,
    /// All of them together.
    pub lost_ns: u64,
}

/// What disturbed a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// In the 20 ms before the run, on the client's core.
    pub before: Hiccups,
    /// In the 20 ms after it.
    pub after: Hiccups,
    /// Time that the hypervisor gave to others during the run, all cores together, to 10 ms.
    pub steal_ms: u64,
    /// Context switches of the whole machine during the run.
    pub switches: u64,
    /// How long the contestant's main thread was ready and did not run.
    pub waited_ns: u64,
    /// Threads of others that ran meanwhile and were last seen on one of the contestant's cores, and for how long.
    #[serde(default)]
    pub taken_by: Vec<Taker>,
}

/// Somebody else's threads of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taker {
    /// As the kernel knows them.
    pub name: String,
    /// How long they ran, all together.
    pub ran_ns: u64,
}

/// Every thread that there is, and how long it has run so far.
pub(crate) struct Census(HashMap<String, u64>);

impl Census {
    pub(crate) fn take() -> Self {
        Self(threads().into_iter().map(|it| (it.id, it.ran_ns)).collect())
    }

    /// Who has run since then on one of `cores`. Those that came and went in between are not seen.
    pub(crate) fn since(&self, cores: &[usize]) -> Vec<Taker> {
        let own = format!("/proc/{}/", std::process::id());
        let others = threads().into_iter().filter(|it| cores.contains(&it.core) && !it.id.starts_with(&own));
        takers(others.map(|it| {
            let before = self.0.get(&it.id).copied().unwrap_or(0);
            Taker { ran_ns: it.ran_ns.saturating_sub(before), name: it.name }
        }))
    }
}

/// How long the threads of a process have run whose names begin with one of `names`: those that are there.
pub(crate) fn ran_ns(process: u32, names: &[&str]) -> u64 {
    let of_it = format!("/proc/{process}/");
    let wanted =
        |it: &Thread| it.id.starts_with(&of_it) && names.iter().any(|name| it.name.starts_with(name));
    threads().into_iter().filter(wanted).map(|it| it.ran_ns).sum()
}

/// By name, the greatest first, without those that hardly ran.
fn takers(all: impl Iterator<Item = Taker>) -> Vec<Taker> {
    let mut by_name: HashMap<String, u64> = HashMap::new();
    for Taker { name, ran_ns } in all {
        *by_name.entry(name).or_default() += ran_ns;
    }
    let named = by_name.into_iter().filter(|(_, ran_ns)| *ran_ns >= NAMED_MIN_NS);
    let mut takers: Vec<Taker> = named.map(|(name, ran_ns)| Taker { name, ran_ns }).collect();
    takers.sort_by(|one, other| other.ran_ns.cmp(&one.ran_ns).then_with(|| one.name.cmp(&other.name)));
    takers.truncate(NAMED_MAX);
    takers
}

struct Thread {
    /// Its folder in /proc.
    id: String,
    name: String,
    core: usize,
    ran_ns: u64,
}

fn threads() -> Vec<Thread> {
    let folders = |path: &str| -> Vec<String> {
        let is_number = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
        let entries = fs::read_dir(path).into_iter().flatten();
        entries.filter_map(|it| it.ok()?.file_name().into_string().ok()).filter(is_number).collect()
    };
    let mut found = Vec::new();
    for process in folders("/proc") {
        for thread in folders(&format!("/proc/{process}/task")) {
            let id = format!("/proc/{process}/task/{thread}");
            let read = |file: &str| fs::read_to_string(format!("{id}/{file}")).unwrap_or_default();
            found.extend(thread_of(&read("stat"), &read("schedstat")).map(|(name, core, ran_ns)| Thread {
                id: id.clone(),
                name,
                core,
                ran_ns,
            }));
        }
    }
    found
}

/// Name, the core that it ran on last, and how long it has run.
fn thread_of(stat: &str, schedstat: &str) -> Option<(String, usize, u64)> {
    /// Behind the name, which may hold anything.
    const CORE: usize = 36;
    let (head, fields) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let core = fields.split_whitespace().nth(CORE)?.parse().ok()?;
    Some((name, core, schedstat.split_whitespace().next()?.parse().ok()?))
}

/// Looks for gaps on a core.
pub(crate) fn hiccups(cores: &[usize]) -> Hiccups {
    on_cores(cores, spin).unwrap_or_default()
}

fn spin() -> Hiccups {
    let mut found = Hiccups::default();
    let begin = Instant::now();
    let mut last = begin;
    while last - begin < LOOK {
        let now = Instant::now();
        let gap_ns = (now - last).as_nanos() as u64;
        if gap_ns > GAP_MIN_NS {
            found.count += 1;
            found.lost_ns += gap_ns;
            found.longest_ns = found.longest_ns.max(gap_ns);
        }
        last = now;
    }
    found
}

/// The machine's counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    steal_ticks: u64,
    switches: u64,
}

impl Counters {
    pub(crate) fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    fn parse(stat: &str) -> Self {
        // cpu  user nice system idle iowait irq softirq steal guest guest_nice
        const STEAL: usize = 8;
        let line = |name: &str| stat.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let number = |line: &str, at: usize| {
            line.split_whitespace().nth(at).and_then(|it| it.parse().ok()).unwrap_or(0)
        };
        Self { steal_ticks: number(line("cpu "), STEAL), switches: number(line("ctxt "), 1) }
    }

    /// What happened from `before` to now: stolen milliseconds, and switches.
    pub(crate) fn since(self, before: Self) -> (u64, u64) {
        let steal_ms = self.steal_ticks.saturating_sub(before.steal_ticks) * TICK_MS;
        (steal_ms, self.switches.saturating_sub(before.switches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_from_the_kernels_lines() {
        let text = "cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 9 9 9 9 9 9 9 9 9 9\nintr 5\nctxt 1234\n";
        let found = Counters::parse(text);
        assert_eq!(found, Counters { steal_ticks: 80, switches: 1234 });
        let later = Counters { steal_ticks: 83, switches: 1300 };
        assert_eq!(later.since(found), (30, 66));
        assert_eq!(Counters::parse(""), Counters::default());
        assert!(Counters::read().switches > 0);
    }

    #[test]
    fn who_ran_is_named_by_what_it_took() {
        let taker = |name: &str, ms: u64| Taker { name: name.into(), ran_ns: ms * NAMED_MIN_NS };
        let all = [taker("a", 1), taker("b", 5), taker("a", 7), taker("c", 0), taker("d", 2), taker("e", 3)];
        assert_eq!(takers(all.into_iter()), [taker("a", 8), taker("b", 5), taker("e", 3)]);
        let stat = "7 (a) b) R 1 1 1 0 -1 0 0 0 0 0 12 3 0 0 20 0 1 0 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 3 0 0";
        assert_eq!(thread_of(stat, "123 4 5"), Some(("a) b".to_owned(), 3, 123)));
        assert_eq!(thread_of("", ""), None);
    }

    #[test]
    fn gaps_add_up() {
        let found = spin();
        assert!(found.longest_ns <= found.lost_ns && (found.count == 0) == (found.lost_ns == 0), "{found:?}");
    }
}
