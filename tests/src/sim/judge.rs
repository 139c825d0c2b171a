//! The judge: keeps the first violation, the trace and a digest of the run.

use super::random::mix;

/// An invariant that did not hold. Its text has all that is needed to see it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The world's name, as an argument of the simulation's command; none for Redis.
    pub world: &'static str,
    /// The run's seed.
    pub seed: u64,
    /// Virtual time, in nanoseconds.
    pub at_ns: u64,
    /// The name of the invariant.
    pub invariant: &'static str,
    /// What was expected, and what was found.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { world, seed, at_ns, invariant, message } = self;
        let (seconds, nanos) = (at_ns / 1_000_000_000, at_ns % 1_000_000_000);
        write!(
            f,
            "seed {seed} at {seconds}.{nanos:09}s: {invariant}: {message}\n  again with: cargo run -p ringwire-tests --bin sim -- {world}--seed {seed} --trace"
        )
    }
}

impl std::error::Error for Violation {}

#[derive(Debug)]
pub(crate) struct Judge {
    world: &'static str,
    pub(crate) seed: u64,
    pub(crate) at_ns: u64,
    trace: bool,
    digest: u64,
    violation: Option<Violation>,
}

impl Judge {
    pub(crate) fn new(world: &'static str, seed: u64, trace: bool) -> Self {
        Self { world, seed, at_ns: 0, trace, digest: seed, violation: None }
    }

    /// Records that `invariant` was broken, unless one was before.
    #[cold]
    pub(crate) fn broken(&mut self, invariant: &'static str, message: String) {
        self.note(|| format!("VIOLATION {invariant}: {message}"));
        let (world, seed, at_ns) = (self.world, self.seed, self.at_ns);
        self.violation.get_or_insert(Violation { world, seed, at_ns, invariant, message });
    }

    /// Records a violation unless `holds`.
    #[inline]
    pub(crate) fn require(&mut self, holds: bool, invariant: &'static str, message: impl FnOnce() -> String) {
        if !holds {
            self.broken(invariant, message());
        }
    }

    /// A line of the trace.
    #[inline]
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>14.6} ms  {}", self.at_ns as f64 / 1e6, line());
        }
    }

    /// Two runs with the same digest did the same.
    pub(crate) fn digest(&mut self, word: u64) {
        self.digest = mix(self.digest ^ word);
    }

    pub(crate) fn digest_so_far(&self) -> u64 {
        self.digest
    }

    pub(crate) fn is_over(&self) -> bool {
        self.violation.is_some()
    }

    pub(crate) fn verdict(&mut self) -> Option<Violation> {
        self.violation.take()
    }
}
