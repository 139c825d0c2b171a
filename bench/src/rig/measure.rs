//! Runs what is planned: one child process for each run, and what it wrote turned into figures.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;

use super::RigError;
use super::plan::{CasePlan, Entrant, thousands};
use super::progress::Progress;
use super::summary::{Interval, Recorded, filled, quantiles, summarise};
use crate::child::{self, Finished};
use crate::client::{FAILED, Mode, Told, late_path, read_u64s, write_u64s};
use crate::contestants::BENCHMARK;
use crate::folder::Folder;
use crate::load::{Load, payloads};
use crate::machine::Cores;
use crate::noise::{Census, Counters, Noise, Taker, hiccups};
use crate::random::Random;
use crate::results::{Case, Cell, Participant, Results, Run};
use crate::server::Server;
use crate::stats::histogram;

/// A late generator makes a run invalid if its 99th percentile of lateness is more than this share of the latency's:
/// then most of the figure was over before the contestant had the message.
const LATE_SHARE_MAX: f64 = 0.5;
/// Lateness up to this is how long a sleeping thread takes to wake on a virtual machine, and nobody's fault.
const LATE_FREE_NS: f64 = 20_000.0;
/// For the cost of a call, lateness does not matter as long as calls are not bunched: ten messages at 100,000 a second.
const LATE_COST_MAX_NS: f64 = 100_000.0;
/// What the hypervisor took from a run, as a share of it, before the run tells more of the host than of the contestant; and
/// what the kernel's ticks of 10 ms cannot tell from nothing.
pub(super) const STOLEN_SHARE_MAX: f64 = 0.05;
const STOLEN_FREE_MS: u64 = 20;
/// An invalid run is repeated so often at most, and so often in all rounds of one contestant: a machine that has much
/// else to do is not waited for, nor a contestant that is late by itself.
pub(super) const REPEATS_OF_A_RUN: u32 = 2;
pub(super) const REPEATS_OF_A_CELL: u32 = 6;
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

/// Measures cases, one after the other, against one server.
pub(crate) struct Measure<'a> {
    cores: &'a Cores,
    /// Where contestants send to, unless an entrant says otherwise.
    address: SocketAddr,
    /// What is paused for the cases that need no server.
    server: Option<&'a Server>,
    seed: u64,
    /// Of one run.
    seconds: f64,
    folder: Folder,
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
    /// How late each message was handed over, in nanoseconds.
    late: Vec<u64>,
    began: SystemTime,
}

/// What one contestant has done in a case so far.
struct Seat {
    entrant: Entrant,
    cell: Cell,
    /// With their rounds.
    latencies: Vec<(usize, Vec<u64>)>,
    intervals: Vec<Interval>,
    late: Histogram<u64>,
}

impl<'a> Measure<'a> {
    pub(crate) fn new(
        cores: &'a Cores,
        address: SocketAddr,
        server: Option<&'a Server>,
        seed: u64,
        seconds: f64,
    ) -> Result<Self, RigError> {
        Ok(Self {
            cores,
            address,
            server,
            seed,
            seconds,
            folder: Folder::temporary("run")?,
            files: HashMap::new(),
            random: Random::new(seed),
            order: 0,
            recorded: Vec::new(),
        })
    }

    pub(crate) fn histograms(&self) -> &[Recorded] {
        &self.recorded
    }

    /// Drops the latencies of a case that counts for nothing.
    pub(crate) fn forget(&mut self, case: &str) {
        self.recorded.retain(|it| it.case != case);
    }

    /// All rounds of one case: each entrant once in each of its rounds, in an order that is drawn anew.
    pub(crate) fn case(
        &mut self,
        case: &CasePlan,
        results: &mut Results,
        progress: &mut Progress,
    ) -> Result<Case, RigError> {
        let second = self.second_server(case)?;
        // These need no server, and have the use of its core.
        let needs_none = matches!(case.mode, Mode::Cost | Mode::Decode | Mode::Encode);
        let _paused = self.server.filter(|_| needs_none).map(Server::pause);
        let mut seats: Vec<Seat> = case.entrants.iter().map(Seat::new).collect();
        for round in 0..case.rounds {
            let mut order: Vec<usize> = (0..seats.len()).collect();
            self.random.shuffle(&mut order);
            if case.id == "rates" {
                // From low to high, so that who cannot hold a rate is not asked for a higher one.
                order.sort_by_key(|at| seats[*at].entrant.load.rate);
            }
            for at in order {
                if !seats[at].entrant.takes_part(round, case.rounds) {
                    continue;
                }
                let estimate = case.estimate_of(&seats[at].entrant);
                if seats[at].cell.trouble.is_none() {
                    progress.begins(&case.title, &seats[at].entrant.label, round, case.rounds);
                    match self.valid(case, &seats[at], round, second.as_ref()) {
                        Ok(outcome) => {
                            remember(results, case, &seats[at].entrant, &outcome.told);
                            if let Some(words) = seats[at].take(outcome, case, round, self.seconds) {
                                give_up(&mut seats, at, &words, case.id == "rates");
                            }
                        }
                        Err(error) => {
                            progress.say(&format!("{}, {error}", case.title));
                            give_up(&mut seats, at, &error.to_string(), false);
                        }
                    }
                }
                progress.ended(1, estimate);
            }
        }
        let mut cells = Vec::new();
        for mut seat in seats {
            summarise(&mut seat.cell, case.mode, &seat.latencies, &seat.intervals, &seat.late, self.seed);
            let Seat { cell, intervals, late, .. } = seat;
            if !intervals.is_empty() {
                let (case, label) = (case.id.clone(), cell.label.clone());
                self.recorded.push(Recorded { case, label, intervals, late });
            }
            cells.push(cell);
        }
        let (id, title) = (case.id.clone(), case.title.clone());
        Ok(Case { id, title, mode: case.mode, tuning: case.tuning, cells })
    }

    /// Runs one contestant, and again while its generator was late or its time stolen and nothing failed, within the
    /// bounds.
    fn valid(
        &mut self,
        case: &CasePlan,
        seat: &Seat,
        round: usize,
        second: Option<&Server>,
    ) -> Result<Outcome, RigError> {
        let before: u32 = seat.cell.runs.iter().map(|run| run.repeated).sum();
        let mut repeated = 0;
        loop {
            let mut outcome = self.once(case, &seat.entrant, round, second)?;
            outcome.run.repeated = repeated;
            let may = repeated < REPEATS_OF_A_RUN && before + repeated < REPEATS_OF_A_CELL;
            // One that does not hold the rate is late for a reason that a repetition would not change.
            let is_slow = is_slow(&outcome.run, seat.entrant.load.seconds());
            let is_spoilt = outcome.run.invalid.is_some() && outcome.run.failed == 0;
            if !is_spoilt || !may || is_slow {
                return Ok(outcome);
            }
            repeated += 1;
        }
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
        let nominal = entrant.load.seconds().max(self.seconds) * (1.0 + PATIENCE_FACTOR);
        let within = PATIENCE + Duration::from_secs_f64(nominal);
        let mut noise = Noise { before: hiccups(&cores), ..Noise::default() };
        let census = Census::take();
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
        noise.taken_by = census.since(&cores);
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
            flat_out_ns: told.flat_out_ns,
            batches: told.batches,
            noise,
            ..Run::default()
        };
        self.order += 1;
        let (mut latencies, mut handed_late) = (Vec::new(), Vec::new());
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
            if let Ok(found) = read_u64s(&late) {
                run.late = Some(quantiles(&found, 1.0));
                handed_late = found;
            }
        }
        run.invalid = invalid(case.mode, &run).filter(|_| run.failed > 0 || !entrant.contestant.is_null());
        Ok(Outcome { run, told, latencies, late: handed_late, began })
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
            let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
            let (count, window) = (load.messages.to_string(), entrant.window.to_string());
            command.args(["-h", &host, "-p", &port, "-c", "1", "-P", &window, "-n", &count, "--csv"]);
            command.args(["PUBLISH", "rig.0", &payload]);
            return Ok(command);
        }
        command.args(&entrant.contestant.words[1..]);
        let address = entrant.address.unwrap_or(self.address);
        command.args(["--client", &entrant.client, "--address", &address.to_string()]);
        command.args(["--mode", case.mode.name(), "--tuning", entrant.tuning.unwrap_or(case.tuning).name()]);
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
        command.args(&entrant.extra);
        Ok(command)
    }

    /// The publisher that a subscriber listens to.
    fn source(&mut self, entrant: &Entrant, schedule: &PathBuf, out: &PathBuf) -> Result<Command, RigError> {
        let own = super::own_words()?;
        let mut command = Command::new(&own[0]);
        let load = &entrant.load;
        command.args(&own[1..]).args(["client", "--client", "publisher", "--mode", "source"]);
        command.args(["--address", &self.address.to_string()]);
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
        let seed = self.seed.wrapping_add(round as u64);
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

impl Seat {
    fn new(entrant: &Entrant) -> Self {
        let cell = Cell {
            label: entrant.label.clone(),
            contestant: entrant.contestant.name.clone(),
            load: entrant.load.clone(),
            window: entrant.window,
            runs: Vec::new(),
            curve: Vec::new(),
            late_curve: Vec::new(),
            timeline: None,
            trouble: None,
        };
        Self {
            entrant: entrant.clone(),
            cell,
            latencies: Vec::new(),
            intervals: Vec::new(),
            late: histogram(),
        }
    }

    /// Keeps what a run left behind. Answers why there are to be no more of them, if so.
    fn take(&mut self, outcome: Outcome, case: &CasePlan, round: usize, seconds: f64) -> Option<String> {
        let load = &mut self.entrant.load;
        let is_flood = load.rate == 0;
        let wanted_s = if is_flood { seconds } else { load.seconds() };
        let took_s = outcome.run.elapsed_ns as f64 / 1e9;
        let is_slow = is_slow(&outcome.run, wanted_s);
        if !outcome.latencies.is_empty() {
            self.intervals.push(Interval {
                began: outcome.began,
                took: Duration::from_nanos(outcome.run.elapsed_ns),
                latencies: filled(&outcome.latencies),
            });
            self.latencies.push((round, outcome.latencies));
        }
        outcome.late.iter().for_each(|late| self.late.saturating_record((*late).max(1)));
        self.cell.runs.push(outcome.run);
        if is_slow && is_flood {
            // A slow client floods with fewer messages from now on: the figure is per message.
            load.messages = ((load.messages as f64 * wanted_s / took_s) as u64).max(1);
        }
        let holds = !is_slow || is_flood || !matches!(case.mode, Mode::Ack | Mode::Subscribe);
        (!holds).then(|| format!("does not hold {}/s", thousands(load.rate)))
    }
}

/// Whether a run took longer than a contestant does that keeps up, and by no fault of the host.
fn is_slow(run: &Run, wanted_s: f64) -> bool {
    run.elapsed_ns as f64 / 1e9 > wanted_s * HOLDS + PAUSE_S && stolen(run).is_none()
}

/// No further rounds for a contestant; in a sweep none at higher rates either.
fn give_up(seats: &mut [Seat], at: usize, why: &str, higher_too: bool) {
    let (name, rate) = (seats[at].cell.contestant.clone(), seats[at].cell.load.rate);
    for (index, Seat { cell, .. }) in seats.iter_mut().enumerate() {
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
    if ![&entrant.client, &entrant.label].contains(&&entrant.contestant.name) {
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
        ..Told::default()
    })
}

/// That the host took too much of it, in words.
fn stolen(run: &Run) -> Option<String> {
    let ran_ms = run.elapsed_ns as f64 / 1e6;
    let steal_ms = run.noise.steal_ms;
    let is_much = steal_ms > STOLEN_FREE_MS && steal_ms as f64 > ran_ms * STOLEN_SHARE_MAX;
    is_much.then(|| format!("the host was busy: it gave {steal_ms} ms of {ran_ms:.0} ms to others"))
}

/// Why a run does not count.
fn invalid(mode: Mode, run: &Run) -> Option<String> {
    if run.failed > 0 {
        return Some(format!("{} of {} messages failed or never came", run.failed, run.messages));
    }
    if let Some(words) = stolen(run) {
        return Some(words);
    }
    let (late, latency) = (run.late?.p99, run.latency?.p99);
    let allowed = match mode {
        Mode::Cost => LATE_COST_MAX_NS,
        _ => (latency * LATE_SHARE_MAX).max(LATE_FREE_NS),
    };
    (late > allowed).then(|| {
        let (late_us, allowed_us) = (late / 1_000.0, allowed / 1_000.0);
        let mut words = format!("the generator was late: p99 {late_us:.0} µs, allowed {allowed_us:.0} µs");
        let shown = |it: &Taker| format!("{} {:.0} ms", it.name, it.ran_ns as f64 / 1e6);
        let others: Vec<String> = run.noise.taken_by.iter().map(shown).collect();
        if !others.is_empty() {
            words += &format!(" (its core was also used by {})", others.join(", "));
        }
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    #[test]
    fn a_run_that_the_host_robbed_is_invalid_and_not_slow() {
        let check = |ran_ms: u64, steal_ms: u64, is_robbed: bool| {
            let noise = Noise { steal_ms, ..Noise::default() };
            let run = Run { elapsed_ns: ran_ms * 1_000_000, noise, ..Run::default() };
            let why = invalid(Mode::Ack, &run);
            assert_eq!(why.is_some(), is_robbed, "{steal_ms} of {ran_ms} ms: {why:?}");
            // It took more than twice the time that it was to take.
            assert_eq!(is_slow(&run, ran_ms as f64 / 2_500.0), !is_robbed);
        };
        check(4_000, 0, false);
        check(4_000, 200, false);
        check(4_000, 210, true);
        check(200, 20, false);
        check(200, 30, true);
    }
}
