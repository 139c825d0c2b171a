//! Runs the simulation: `--seeds 10000`, or one seed with `--seed 1234 --trace`; of Kafka with `--kafka`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringwire_tests::sim::{self, Counts, Violation};

const USAGE: &str =
    "usage: sim [--kafka] [--seeds COUNT] [--from SEED] [--threads COUNT] | --seed SEED [--trace]";
/// How often it is said how far the run has come: a log of an hour stays readable.
const PROGRESS: Duration = Duration::from_secs(10);
/// How often it is looked whether the run is over.
const LOOK: Duration = Duration::from_millis(50);
/// Violations that are printed in full; the rest is counted.
const SHOWN_MAX: usize = 20;

struct Arguments {
    seeds: u64,
    from: u64,
    threads: usize,
    seed: Option<u64>,
    trace: bool,
    kafka: bool,
}

fn arguments() -> Result<Arguments, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parsed = Arguments { seeds: 1_000, from: 0, threads, seed: None, trace: false, kafka: false };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        if name == "--trace" {
            parsed.trace = true;
            continue;
        }
        if name == "--kafka" {
            parsed.kafka = true;
            continue;
        }
        let value = given.next().and_then(|text| text.parse::<u64>().ok());
        let value = value.ok_or_else(|| format!("{name} needs a number\n{USAGE}"))?;
        match name.as_str() {
            "--seeds" => parsed.seeds = value,
            "--from" => parsed.from = value,
            "--threads" => parsed.threads = (value as usize).max(1),
            "--seed" => parsed.seed = Some(value),
            _ => return Err(format!("unknown argument {name}\n{USAGE}")),
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::FAILURE;
        }
    };
    match arguments.kafka {
        true => simulate(&arguments, sim::kafka::run),
        false => simulate(&arguments, sim::run),
    }
}

/// One seed of a world.
type Run<T> = fn(u64, bool) -> Result<T, Violation>;

fn simulate<T: Counts>(arguments: &Arguments, run: Run<T>) -> ExitCode {
    match arguments.seed {
        Some(seed) => one(seed, arguments.trace, run),
        None => many(arguments, run),
    }
}

fn one<T: Counts>(seed: u64, trace: bool, run: Run<T>) -> ExitCode {
    match run(seed, trace) {
        Ok(coverage) => {
            print_coverage(&coverage);
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}

fn many<T: Counts>(arguments: &Arguments, run: Run<T>) -> ExitCode {
    let (next, broken) = (AtomicU64::new(arguments.from), AtomicU64::new(0));
    let end = arguments.from + arguments.seeds;
    let found: Mutex<(T, Vec<Violation>)> = Mutex::default();
    let started = Instant::now();
    // A panic is a violation: its own message would only stand between the lines.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let result = run(seed, false);
                    let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    match result {
                        Ok(coverage) => found.0.add(&coverage),
                        Err(violation) => {
                            // At once: the run may be stopped before its end.
                            eprintln!("{violation}");
                            broken.fetch_add(1, Ordering::Relaxed);
                            found.1.push(violation);
                        }
                    }
                }
            });
        }
        scope.spawn(|| progress(&next, &broken, arguments, started));
    });
    let (coverage, mut violations) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    print_coverage(&coverage);
    println!(
        "{} seeds from {} in {:.1} s, {} violations",
        arguments.seeds,
        arguments.from,
        started.elapsed().as_secs_f64(),
        violations.len()
    );
    violations.sort_by_key(|violation| violation.seed);
    for violation in violations.iter().take(SHOWN_MAX) {
        println!("{violation}");
    }
    let mut kinds = std::collections::BTreeMap::<&str, Vec<u64>>::new();
    for violation in &violations {
        kinds.entry(violation.invariant).or_default().push(violation.seed);
    }
    for (invariant, seeds) in &kinds {
        println!("{:>6} {invariant} (first: {})", seeds.len(), seeds[0]);
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says on stderr how far the run has come, a line at a time, until it is over.
fn progress(next: &AtomicU64, found: &AtomicU64, arguments: &Arguments, started: Instant) {
    let mut said = Duration::ZERO;
    loop {
        let begun = next.load(Ordering::Relaxed).saturating_sub(arguments.from).min(arguments.seeds);
        let (elapsed, found) = (started.elapsed(), found.load(Ordering::Relaxed));
        if elapsed >= said + PROGRESS {
            said = elapsed;
            eprintln!(
                "{begun} of {} seeds, {found} violations, {:.0} s",
                arguments.seeds,
                elapsed.as_secs_f64()
            );
        }
        if begun == arguments.seeds {
            break;
        }
        std::thread::sleep(LOOK);
    }
}

fn print_coverage(coverage: &impl Counts) {
    for (name, count) in coverage.counts() {
        println!("{count:>12} {name}");
    }
}
