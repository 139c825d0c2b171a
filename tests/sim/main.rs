//! The simulation over a fixed range of seeds. A failure prints its seed and the command that shows it again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ringwire_tests::sim::{self, Counts, Violation};

/// Seeds of the test run: some seconds' worth. `cargo run -p ringwire-tests --bin sim -- --seeds 10000` does more.
const SEEDS: u64 = 1_000;
/// Seeds of the Kafka world.
const KAFKA_SEEDS: u64 = 300;
/// Violations that are printed in full.
const SHOWN_MAX: usize = 5;

/// One seed of a world.
type Run<T> = fn(u64, bool) -> Result<T, Violation>;

fn run_all<T: Counts>(seeds: u64, run: Run<T>) -> (T, Vec<Violation>) {
    let next = AtomicU64::new(0);
    let found: Mutex<(T, Vec<Violation>)> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let result = run(seed, false);
                    let mut found = found.lock().expect("a run does not panic");
                    match result {
                        Ok(coverage) => found.0.add(&coverage),
                        Err(violation) => found.1.push(violation),
                    }
                }
            });
        }
    });
    found.into_inner().expect("a run does not panic")
}

fn check<T: Counts + std::fmt::Debug>(seeds: u64, run: Run<T>) {
    let (coverage, mut violations) = run_all(seeds, run);
    violations.sort_by_key(|violation| violation.seed);
    let count = violations.len();
    let words: String = violations.iter().take(SHOWN_MAX).map(|violation| format!("{violation}\n")).collect();
    assert!(violations.is_empty(), "{count} of {seeds} seeds break an invariant\n{words}");
    let missing: Vec<&str> =
        coverage.counts().into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "{seeds} seeds did not exercise {missing:?}");
    println!("{coverage:#?}");
}

#[test]
fn no_seed_breaks_an_invariant_and_everything_is_exercised() {
    check(SEEDS, sim::run);
}

#[test]
fn no_seed_of_kafka_breaks_an_invariant_and_everything_is_exercised() {
    check(KAFKA_SEEDS, sim::kafka::run);
}

#[test]
fn a_seed_does_the_same_again() {
    for seed in [1, 7, 42] {
        let first = sim::run(seed, false);
        assert_eq!(first, sim::run(seed, false), "seed {seed}");
        assert_ne!(first.map(|it| it.digest), sim::run(seed + 1, false).map(|it| it.digest));
        let first = sim::kafka::run(seed, false);
        assert_eq!(first, sim::kafka::run(seed, false), "seed {seed} of Kafka");
        assert_ne!(first.map(|it| it.digest), sim::kafka::run(seed + 1, false).map(|it| it.digest));
    }
}
