//! Runs what is planned: one child process for each run, and what it wrote turned into figures.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;

use super::RigError;
use super::plan::{CasePlan, Entrant, Plan, Scenario, thousands};
use super::progress::Progress;
use crate::child::{self, Finished};
use crate::client::{FAILED, Mode, Told, late_path, read_u64s, write_u64s};
use crate::contestants::BENCHMARK;
use crate::load::{Load, payloads};
use crate::machine::Cores;
use crate::noise::{Counters, Noise, hiccups};
use crate::probe::Probe;
use crate::random::Random;
use crate::results::{Case, Cell, Participant, Point, Quantiles, Results, Run, Timeline};
use crate::server::Server;
use crate::stats::{histogram, median};

/// A late generator makes a run invalid if its 99th percentile of lateness is more than this share of the latency's:
/// then most of the figure was over before the contestant had the message.
const LATE_SHARE_MAX: f64 = 0.5;
/// Lateness up to this is how long a sleeping thread takes to wake on a virtual machine, and nobody's fault.
const LATE_FREE_NS: f64 = 20_000.0;
/// For the cost of a call, lateness does not matter as long as calls are not bunched: ten messages at 100,000 a second.
const LATE_COST_MAX_NS: f64 = 100_000.0;
/// A contestant that takes so many times the schedule, and a pause of the machine on top, does not hold the rate; once
/// is enough to see that.
const HOLDS: f64 = 1.2;
const PAUSE_S: f64 = 0.1;
/// A run may take so many times its schedule, and this on top, before it is ended: a machine that does much else
/// keeps a program from its core for seconds.
const PATIENCE_FACTOR: f64 = 4.0;
const PATIENCE: Duration = Duration::from_secs(60);
/// A subscriber starts, connects and subscribes to 10,000 channels in less.
const READY: Duration = Duration::from_secs(60);
/// A slice of a time line is a millisecond, or longer where that makes more slices than this.
const SLICES_MAX: usize = 1_000;
/// Points of a percentile curve for each factor of ten in 1 / (1 - quantile).
const POINTS_PER_DECADE: u32 = 12;

/// One repetition's latencies, for the files that other tools read.
pub(crate) struct Interval {
    pub(crate) began: SystemTime,
    pub(crate) took: Duration,
    pub(crate) latencies: Histogram<u64>,
}

/// The latencies of one cell, by the ids of case and label.
pub(crate) struct Recorded {
    pub(crate) case: String,
    pub(crate) label: String,
    pub(crate) intervals: Vec<Interval>,
}

pub(super) struct Measure<'a> {
    plan: &'a Plan,
    cores: &'a Cores,
    server: &'a Server,
    probe: &'a Probe,
    folder: PathBuf,
    /// Payload and schedule files by what they hold.
    files: HashMap<String, PathBuf>,
    random: Random,
    order: usize,
    recorded: Vec<Recorded>,
}

/// What one run left behind.
struct Outcome {
    run: Run,
    told: Told,
    latencies: Vec<u64>,
    began: SystemTime,
}

impl Drop for Measure<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl<'a> Measure<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        cores: &'a Cores,
        server: &'a Server,
        probe: &'a Probe,
    ) -> Result<Self, RigError> {
        let folder = std::env::temp_dir().join(format!("ringwire-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)
            .map_err(|error| RigError::system(&format!("making the folder {}", folder.display()), &error))?;
        Ok(Self {
            plan,
            cores,
            server,
            probe,
            folder,
            files: HashMap::new(),
            random: Random::new(plan.seed),
            order: 0,
            recorded: Vec::new(),
        })
    }

    pub(super) fn histograms(&self) -> &[Recorded] {
        &self.recorded
    }

    /// Everything that is planned, into `results`.
    pub(super) fn run(&mut self, results: &mut Results) -> Result<(), RigError> {
        let cores = self.cores.all.len();
        let plan = self.plan;
        let all: Vec<CasePlan> = plan.scenarios.iter().flat_map(|it| plan.cases(*it, &[], cores)).collect();
        let runs = all.iter().map(|case| case.rounds * case.entrants.len()).sum();
        let seconds = all.iter().map(CasePlan::estimate).sum();
        let mut progress = Progress::new(runs, seconds);
        progress.say(&format!(
            "{runs} runs, {}; server: {}; seed {}",
            super::progress::words(seconds),
            results.conditions.server,
            plan.seed
        ));
        for scenario in &plan.scenarios {
            if *scenario == Scenario::Allocations {
                let url = format!("redis://{}", self.server.address);
                results.facts.push(self.probe.allocations(&url, &self.cores.client));
                continue;
            }
            if *scenario == Scenario::Memory {
                let url = format!("redis://{}", self.server.address);
                results.facts.push(self.probe.memory(&url, &self.cores.all));
            }
            for case in plan.cases(*scenario, &results.cases, cores) {
                let measured = self.case(&case, results, &mut progress)?;
                results.cases.push(measured);
            }
        }
        progress.done();
        // In the order of the tables, and not of the shuffled runs.
        let place = |name: &str| plan.contestants.iter().position(|it| it.name == name);
        results.contestants.sort_by_key(|it| place(&it.name));
        Ok(())
    }

    fn case(
        &mut self,
        case: &CasePlan,
        results: &mut Results,
        progress: &mut Progress,
    ) -> Result<Case, RigError> {
        let second = self.second_server(case)?;
        // These need no server, and have the use of its core.
        let _paused = matches!(case.mode, Mode::Cost | Mode::Decode).then(|| self.server.pause());
        let mut entrants = case.entrants.clone();
        let mut cells: Vec<Cell> = entrants.iter().map(cell).collect();
        let mut latencies: Vec<Vec<(usize, Vec<u64>)>> = vec![Vec::new(); cells.len()];
        let mut intervals: Vec<Vec<Interval>> = cells.iter().map(|_| Vec::new()).collect();
        for round in 0..case.rounds {
            let mut order: Vec<usize> = (0..entrants.len()).collect();
            self.random.shuffle(&mut order);
            if case.id == "rates" {
                // From low to high, so that who cannot hold a rate is not asked for a higher one.
                order.sort_by_key(|at| entrants[*at].load.rate);
            }
            for at in order {
                let entrant = &entrants[at];
                let estimate = case.estimate_of(entrant);
                if cells[at].trouble.is_some() {
                    progress.ended(1, estimate);
                    continue;
                }
                progress.begins(&case.title, &entrant.label, round, case.rounds);
                let outcome = self.once(case, entrant, round, second.as_ref());
                progress.ended(1, estimate);
                match outcome {
                    Ok(outcome) => {
                        remember(results, case, entrant, &outcome.told);
                        let is_flood = entrant.load.rate == 0;
                        let wanted_s = if is_flood { self.plan.seconds } else { entrant.load.seconds() };
                        let took_s = outcome.run.elapsed_ns as f64 / 1e9;
                        let is_slow = took_s > wanted_s * HOLDS + PAUSE_S;
                        if !outcome.latencies.is_empty() {
                            intervals[at].push(interval(&outcome));
                            latencies[at].push((round, outcome.latencies));
                        }
                        cells[at].runs.push(outcome.run);
                        if is_slow && is_flood {
                            // A slow client floods with fewer messages from now on: the figure is per message.
                            let messages = entrants[at].load.messages as f64 * wanted_s / took_s;
                            entrants[at].load.messages = (messages as u64).max(1);
                        } else if is_slow && matches!(case.mode, Mode::Ack | Mode::Subscribe) {
                            let words = format!("does not hold {}/s", thousands(entrant.load.rate));
                            give_up(&mut cells, at, &words, case.id == "rates");
                        }
                    }
                    Err(error) => {
                        progress.say(&format!("{}, {error}", case.title));
                        give_up(&mut cells, at, &error.to_string(), false);
                    }
                }
            }
        }
        for (at, cell) in cells.iter_mut().enumerate() {
            summarise(cell, case, &latencies[at], &intervals[at], &self.plan.seed);
        }
        let labels = cells.iter().map(|it| it.label.clone());
        self.recorded.extend(
            labels.zip(intervals).filter(|(_, it)| !it.is_empty()).map(|(label, intervals)| Recorded {
                case: case.id.clone(),
                label,
                intervals,
            }),
        );
        Ok(Case {
            id: case.id.clone(),
            title: case.title.clone(),
            mode: case.mode,
            tuning: case.tuning,
            cells,
        })
    }

    /// Two shards would meet at one server: they get one each.
    fn second_server(&self, case: &CasePlan) -> Result<Option<Server>, RigError> {
        if case.entrants.iter().all(|it| it.shards == 1) {
            return Ok(None);
        }
        let core = self.cores.all.get(2).copied().unwrap_or_default();
        Server::start(false, &super::own_words()?, &[core], true).map(Some)
    }

    fn once(
        &mut self,
        case: &CasePlan,
        entrant: &Entrant,
        round: usize,
        second: Option<&Server>,
    ) -> Result<Outcome, RigError> {
        let (out, handed) = (self.folder.join("out"), self.folder.join("handed"));
        // Who hands the messages over: in a subscription that is the publisher.
        let late = late_path(if case.mode == Mode::Subscribe { &handed } else { &out });
        let _ = fs::remove_file(&out);
        let _ = fs::remove_file(&late);
        let schedule = self.schedule(&entrant.load, round)?;
        let command = self.command(case, entrant, &schedule, &out, second)?;
        let mut cores = self.cores.client.clone();
        if second.is_some() {
            // Two shards and two publishers; the second and the third core are the servers'.
            cores.extend(self.cores.all.iter().skip(3));
        }
        let nominal = entrant.load.seconds().max(self.plan.seconds) * (1.0 + PATIENCE_FACTOR);
        let within = PATIENCE + Duration::from_secs_f64(nominal);
        let mut noise = Noise { before: hiccups(&cores), ..Noise::default() };
        let (before, began) = (Counters::read(), SystemTime::now());
        let mut child = child::start(&entrant.label, command, &cores)?;
        if case.mode == Mode::Subscribe {
            child.wait_line(|line| line == "ready", READY)?;
            let source = self.source(entrant, &schedule, &handed)?;
            child::start("publisher", source, &self.cores.source)?.finish(within)?;
        }
        let finished = child.finish(within)?;
        (noise.steal_ms, noise.switches) = Counters::read().since(before);
        noise.waited_ns = finished.waited_ns;
        noise.after = hiccups(&cores);
        let told = told(entrant, &finished)?;
        let mut run = Run {
            round,
            order: self.order,
            messages: told.messages,
            failed: told.failed,
            elapsed_ns: told.elapsed_ns,
            cpu_ns: told.cpu_ns,
            life_cpu_ns: finished.cpu_ns,
            max_rss_kib: told.max_rss_kib,
            rss_kib: told.rss_kib,
            noise,
            ..Run::default()
        };
        self.order += 1;
        let mut latencies = Vec::new();
        if matches!(case.mode, Mode::Ack | Mode::Subscribe | Mode::Cost) {
            latencies = read_u64s(&out)?;
            if latencies.len() as u64 != entrant.load.messages {
                let words =
                    format!("it wrote {} latencies for {} messages", latencies.len(), entrant.load.messages);
                return Err(RigError::failed(&entrant.label, words));
            }
            let unit = if case.mode == Mode::Cost { 10.0 } else { 1.0 };
            run.failed = latencies.iter().filter(|it| **it == FAILED).count() as u64;
            run.latency = Some(quantiles(&latencies, unit));
            run.late_p99_ns = read_u64s(&late).ok().map(|late| quantiles(&late, 1.0).p99);
        }
        run.invalid = invalid(case.mode, &run).filter(|_| run.failed > 0 || !entrant.contestant.is_null());
        Ok(Outcome { run, told, latencies, began })
    }

    /// The contract's arguments, or those of `redis-benchmark`.
    fn command(
        &mut self,
        case: &CasePlan,
        entrant: &Entrant,
        schedule: &PathBuf,
        out: &PathBuf,
        second: Option<&Server>,
    ) -> Result<Command, RigError> {
        let payloads = self.payloads(entrant.load.bytes)?;
        let program = entrant.contestant.words.first().map_or("", String::as_str);
        let mut command = Command::new(program);
        let load = &entrant.load;
        if entrant.client == BENCHMARK {
            let record =
                fs::read(&payloads).map_err(|error| RigError::system("reading the payloads", &error))?;
            let payload = String::from_utf8_lossy(&record[..load.bytes]).into_owned();
            let (host, port) = (self.server.address.ip().to_string(), self.server.address.port().to_string());
            let (count, window) = (load.messages.to_string(), entrant.window.to_string());
            command.args(["-h", &host, "-p", &port, "-c", "1", "-P", &window, "-n", &count, "--csv"]);
            command.args(["PUBLISH", "rig.0", &payload]);
            return Ok(command);
        }
        command.args(&entrant.contestant.words[1..]);
        command.args(["--client", &entrant.client, "--address", &self.server.address.to_string()]);
        command.args(["--mode", case.mode.name(), "--tuning", case.tuning.name()]);
        let numbers = [
            ("--messages", load.messages),
            ("--warmup", load.warmup),
            ("--bytes", load.bytes as u64),
            ("--channels", u64::from(load.channels)),
            ("--window", u64::from(entrant.window)),
        ];
        for (name, value) in numbers {
            command.args([name, &value.to_string()]);
        }
        command.arg("--payloads").arg(&payloads);
        command.arg("--schedule").arg(schedule).arg("--out").arg(out);
        if case.mode == Mode::Cost {
            command.args(["--shard-core", &self.cores.server[0].to_string()]);
        }
        if !entrant.contestant.is_foreign {
            let extra = [
                ("--publishers", entrant.publishers),
                ("--connections", entrant.connections),
                ("--shards", entrant.shards),
            ];
            for (name, value) in extra {
                command.args([name, &value.to_string()]);
            }
            if let Some(second) = second {
                command.args(["--also", &second.address.to_string()]);
            }
        }
        Ok(command)
    }

    /// The publisher that a subscriber listens to.
    fn source(&mut self, entrant: &Entrant, schedule: &PathBuf, out: &PathBuf) -> Result<Command, RigError> {
        let own = super::own_words()?;
        let mut command = Command::new(&own[0]);
        let load = &entrant.load;
        command.args(&own[1..]).args(["client", "--client", "publisher", "--mode", "source"]);
        command.args(["--address", &self.server.address.to_string()]);
        command.args(["--messages", &load.messages.to_string(), "--warmup", &load.warmup.to_string()]);
        command.args(["--bytes", &load.bytes.to_string(), "--channels", &load.channels.to_string()]);
        command.arg("--payloads").arg(self.payloads(load.bytes)?).arg("--schedule").arg(schedule);
        command.arg("--out").arg(out);
        Ok(command)
    }

    fn payloads(&mut self, bytes: usize) -> Result<PathBuf, RigError> {
        let key = format!("payloads-{bytes}");
        self.file(&key, |path| {
            fs::write(path, payloads(bytes)).map_err(|error| RigError::system("writing the payloads", &error))
        })
    }

    /// The same for every contestant of a round, another one in the next.
    fn schedule(&mut self, load: &Load, round: usize) -> Result<PathBuf, RigError> {
        let count = (load.messages + load.warmup) as usize;
        let key = format!("schedule-{}-{}-{count}-{round}", load.shape.name(), load.rate);
        let seed = self.plan.seed.wrapping_add(round as u64);
        self.file(&key, |path| {
            // A flood has none.
            let due = if load.rate == 0 { Vec::new() } else { load.shape.schedule(load.rate, count, seed) };
            write_u64s(path, &due)
        })
    }

    fn file(
        &mut self,
        key: &str,
        write: impl FnOnce(&PathBuf) -> Result<(), RigError>,
    ) -> Result<PathBuf, RigError> {
        if let Some(path) = self.files.get(key) {
            return Ok(path.clone());
        }
        let path = self.folder.join(key);
        write(&path)?;
        self.files.insert(key.to_owned(), path.clone());
        Ok(path)
    }
}

fn cell(entrant: &Entrant) -> Cell {
    Cell {
        label: entrant.label.clone(),
        contestant: entrant.contestant.name.clone(),
        load: entrant.load.clone(),
        window: entrant.window,
        runs: Vec::new(),
        curve: Vec::new(),
        timeline: None,
        trouble: None,
    }
}

/// No further rounds for a cell; in a sweep none for the same contestant at higher rates either.
fn give_up(cells: &mut [Cell], at: usize, why: &str, higher_too: bool) {
    let (name, rate) = (cells[at].contestant.clone(), cells[at].load.rate);
    for (index, cell) in cells.iter_mut().enumerate() {
        if index == at
            || higher_too && cell.contestant == name && cell.load.rate > rate && cell.trouble.is_none()
        {
            cell.trouble = Some(why.to_owned());
        }
    }
}

/// How a contestant describes itself, once for each mode.
fn remember(results: &mut Results, case: &CasePlan, entrant: &Entrant, told: &Told) {
    // Parts of this program that are measured beside each other are no contestants.
    if entrant.client != entrant.contestant.name {
        return;
    }
    let settings = format!("{} ({}): {}", case.mode.name(), case.tuning.name(), told.settings.join("; "));
    let found = results.contestants.iter().position(|it| it.name == told.client);
    let at = found.unwrap_or_else(|| {
        let version = told.version.clone();
        results.contestants.push(Participant { name: told.client.clone(), version, settings: Vec::new() });
        results.contestants.len() - 1
    });
    let participant = &mut results.contestants[at];
    // The same mode under another load is told once.
    let begin = format!("{} ({})", case.mode.name(), case.tuning.name());
    if !participant.settings.iter().any(|it| it.starts_with(&begin)) {
        participant.settings.push(settings);
    }
}

/// The line of JSON, or what `redis-benchmark` prints instead.
fn told(entrant: &Entrant, finished: &Finished) -> Result<Told, RigError> {
    let line = finished.lines.iter().rev().find(|line| !line.trim().is_empty()).map_or("", String::as_str);
    if entrant.client == BENCHMARK {
        return benchmark(entrant, line, finished.cpu_ns);
    }
    let unreadable = |error| {
        RigError::failed(&entrant.label, format_args!("its last line is not the contract's: {error}"))
    };
    serde_json::from_str(line).map_err(unreadable)
}

/// `"PUBLISH rig.0 …","966183.57",…`: its own rate, and its whole life's CPU from outside.
fn benchmark(entrant: &Entrant, line: &str, cpu_ns: u64) -> Result<Told, RigError> {
    // Payloads hold commas: the rate is the first field behind the command's closing quote.
    let rate = line.split("\",\"").nth(1).and_then(|it| it.trim_matches('"').parse::<f64>().ok());
    let rate = rate.filter(|it| *it > 0.0);
    let rate = rate.ok_or_else(|| RigError::failed(BENCHMARK, format_args!("no rate in `{line}`")))?;
    Ok(Told {
        client: BENCHMARK.to_owned(),
        version: "of redis-tools".to_owned(),
        settings: vec![format!("-c 1 -P {}: one constant command, its replies counted", entrant.window)],
        messages: entrant.load.messages,
        failed: 0,
        elapsed_ns: (entrant.load.messages as f64 * 1e9 / rate) as u64,
        cpu_ns,
        max_rss_kib: 0,
        started_ns: 0,
        rss_kib: 0,
    })
}

fn filled(latencies: &[u64]) -> Histogram<u64> {
    let mut histogram = histogram();
    for latency in latencies.iter().filter(|it| **it != FAILED) {
        histogram.saturating_record((*latency).max(1));
    }
    histogram
}

/// In nanoseconds, of values of which `unit` make one.
pub(crate) fn quantiles(values: &[u64], unit: f64) -> Quantiles {
    let histogram = filled(values);
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / unit;
    Quantiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max() as f64 / unit,
    }
}

/// Why a run does not count.
fn invalid(mode: Mode, run: &Run) -> Option<String> {
    if run.failed > 0 {
        return Some(format!("{} of {} messages failed or never came", run.failed, run.messages));
    }
    let (late, latency) = (run.late_p99_ns?, run.latency?.p99);
    let allowed = match mode {
        Mode::Cost => LATE_COST_MAX_NS,
        _ => (latency * LATE_SHARE_MAX).max(LATE_FREE_NS),
    };
    (late > allowed).then(|| {
        format!("the generator was late: p99 {:.0} µs, allowed {:.0} µs", late / 1_000.0, allowed / 1_000.0)
    })
}

fn interval(outcome: &Outcome) -> Interval {
    Interval {
        began: outcome.began,
        took: Duration::from_nanos(outcome.run.elapsed_ns),
        latencies: filled(&outcome.latencies),
    }
}

/// The curve of all repetitions, and the time line of the middle one.
fn summarise(
    cell: &mut Cell,
    case: &CasePlan,
    latencies: &[(usize, Vec<u64>)],
    intervals: &[Interval],
    seed: &u64,
) {
    let mut pooled = histogram();
    for interval in intervals {
        // The bounds are the same: nothing can be out of them.
        let _ = pooled.add(&interval.latencies);
    }
    let unit = if case.mode == Mode::Cost { 10.0 } else { 1.0 };
    cell.curve = curve(&pooled, unit);
    if case.mode != Mode::Ack {
        return;
    }
    let p99 = |round: usize| {
        cell.runs.iter().find(|run| run.round == round).and_then(|run| run.latency).map(|it| it.p99)
    };
    let all: Vec<f64> = latencies.iter().filter_map(|(round, _)| p99(*round)).collect();
    let Some(middle) = median(&all) else { return };
    let distance = |round: usize| p99(round).map_or(f64::INFINITY, |it| (it - middle).abs());
    let nearest = latencies.iter().min_by(|one, other| distance(one.0).total_cmp(&distance(other.0)));
    if let Some((round, values)) = nearest {
        let count = (cell.load.messages + cell.load.warmup) as usize;
        let due = cell.load.shape.schedule(cell.load.rate, count, seed.wrapping_add(*round as u64));
        cell.timeline = Some(timeline(*round, &due[cell.load.warmup as usize..], values));
    }
}

fn curve(histogram: &Histogram<u64>, unit: f64) -> Vec<Point> {
    if histogram.is_empty() {
        return Vec::new();
    }
    // Beyond one message in all of them there is nothing more to see.
    let last = ((histogram.len() as f64).log10() * f64::from(POINTS_PER_DECADE)) as u32;
    let quantile = |step: u32| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_DECADE));
    let point = |quantile: f64| Point { quantile, ns: histogram.value_at_quantile(quantile) as f64 / unit };
    (0..=last).map(|step| point(quantile(step))).collect()
}

fn timeline(round: usize, due: &[u64], latencies: &[u64]) -> Timeline {
    const MS_NS: f64 = 1e6;
    let (Some(first), Some(last)) = (due.first(), due.last()) else {
        return Timeline { round, slice_ms: 1.0, worst_ns: Vec::new() };
    };
    let span_ms = (last - first) as f64 / MS_NS;
    let slice_ms = (span_ms / SLICES_MAX as f64).max(1.0);
    let mut worst_ns = vec![0; (span_ms / slice_ms) as usize + 1];
    for (due, latency) in due.iter().zip(latencies).filter(|(_, latency)| **latency != FAILED) {
        let slice = ((due - first) as f64 / MS_NS / slice_ms) as usize;
        if let Some(worst) = worst_ns.get_mut(slice) {
            *worst = (*latency).max(*worst);
        }
    }
    Timeline { round, slice_ms, worst_ns }
}
