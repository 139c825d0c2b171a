//! What is run: scenarios become cases, cases have entrants, and each entrant runs once in every round.

use std::net::SocketAddr;

use clap::ValueEnum;
use ringwire::config::DEFAULT_CREDIT_MESSAGES;

use super::{RigArgs, RigError};
use crate::client::{Mode, Tuning};
use crate::contestants::{BENCHMARK, C_CALLS, Contestant};
use crate::goals::{FLOOR, OURS, SHARD_CORES};
use crate::load::{Load, Shape};
use crate::results::{Case, Figure};

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Cost of `publish` beside a bare ring.
    Publish,
    /// From the due time to the acknowledgement.
    Ack,
    /// As fast as it goes.
    Flood,
    /// From the due time to the subscriber.
    Subscribe,
    /// Latency against offered rate.
    Rates,
    /// Poisson, bursts and the gaps of real quotes.
    Shapes,
    /// Messages of 16 bytes to 16 KiB.
    Sizes,
    /// Many channels, connections, publishers.
    Breadth,
    /// Resident memory.
    Memory,
    /// Allocations for each message.
    Allocations,
    /// RESP decoding beside redis-protocol.
    Decode,
    /// Two shards beside one.
    Shards,
}

/// Lengths of a run in seconds, and repetitions: `--quick`, the default, `--long`.
const QUICK: (f64, usize) = (0.25, 3);
const DEFAULT: (f64, usize) = (0.6, 5);
const LONG: (f64, usize) = (5.0, 10);
/// Repetitions of what a ratio of latencies or of nanoseconds is judged by, in the default plan: with five the verdict
/// moved from run to run.
const JUDGED_ROUNDS: usize = 15;
/// Where a tail is judged, runs are a third as long, and twice as many: a stall of the host takes milliseconds, and spoils
/// a short run here and there instead of the middle of a few long ones.
const TAIL_SHARE: f64 = 1.0 / 3.0;
const TAIL_ROUNDS: usize = 2 * JUDGED_ROUNDS;
/// Rates of the acknowledgement unless told otherwise, the promised one last; a quick look has that alone.
const RATES: [u64; 2] = [CALM_RATE, PROMISED_RATE];
/// What a quick look leaves out unless it is asked for.
const NOT_QUICK: [Scenario; 3] = [Scenario::Rates, Scenario::Shapes, Scenario::Sizes];
/// Of contestants and comparisons that no promise is judged by, or by a factor that leaves no doubt.
const OTHERS_ROUNDS: usize = 5;
/// How long runs are of comparisons under many loads, by which nothing is judged, as a share.
const WIDE_SHARE: f64 = 0.5;
/// Of the floods that are to show how little many channels and connections add: with the default credit ours takes more
/// than three times the planned rate, and in a tenth of a second the machine's moods were larger than what is looked for.
const BREADTH_SHARE: f64 = 3.5;
/// Messages before those that count, as a share of a run: caches, branches and connections are warm by then.
const WARMUP_SHARE: f64 = 0.2;
/// Fewer would not warm anything up.
const WARMUP_MIN: u64 = 2_000;
/// So many messages a second a flood is planned with; slow clients are given fewer once that is known.
const FLOOD_RATE: f64 = 500_000.0;
/// Outstanding commands in a flood: what `redis-benchmark -P` is usually given.
pub(super) const WINDOW: u32 = 100;
/// The same where a larger pipeline is compared.
const WINDOW_LARGE: u32 = 1_000;
/// Offered rates up to the knee.
const SWEEP: [u64; 5] = [20_000, 50_000, 100_000, 200_000, 400_000];
/// A rate that everybody holds, for shapes and sizes.
const CALM_RATE: u64 = 20_000;
/// The rate of the promises.
const PROMISED_RATE: u64 = 100_000;
/// Start, connection and end of a child, and the look for gaps before and after it.
const OVERHEAD_S: f64 = 0.25;
/// Frames of a decoding run: a hundredth of a second for the fastest.
const DECODED: u64 = 1_000_000;
/// As many a second, the slower ones and the faster ones together.
const DECODE_RATE: f64 = 5e6;
/// Messages out and back when memory is looked at.
const REMEMBERED: u64 = 200_000;

/// What is to be run.
pub(super) struct Plan {
    pub(super) contestants: Vec<Contestant>,
    pub(super) seconds: f64,
    pub(super) repetitions: usize,
    /// Repetitions where a verdict hangs on it.
    pub(super) judged: usize,
    /// Of contestants and comparisons that no promise is judged by.
    pub(super) others: usize,
    /// Share of a run's length, and repetitions, where a tail is judged.
    pub(super) tail: (f64, usize),
    pub(super) seed: u64,
    pub(super) scenarios: Vec<Scenario>,
    is_quick: bool,
    clients: Vec<String>,
    rates: Vec<u64>,
    shape: Shape,
    bytes: usize,
    channels: u32,
    publishers: usize,
}

/// A comparison that is to be run.
#[derive(Clone, Debug)]
pub(crate) struct CasePlan {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) mode: Mode,
    pub(crate) tuning: Tuning,
    pub(crate) rounds: usize,
    pub(crate) entrants: Vec<Entrant>,
}

/// One contestant in it.
#[derive(Clone, Debug)]
pub(crate) struct Entrant {
    pub(crate) label: String,
    /// As `--client` names it.
    pub(crate) client: String,
    pub(crate) contestant: Contestant,
    pub(crate) load: Load,
    pub(crate) window: u32,
    pub(crate) publishers: usize,
    pub(crate) connections: usize,
    pub(crate) shards: usize,
    /// Of the case's rounds it takes part in so many, spread over all of them; `None`: in each.
    pub(crate) rounds: Option<usize>,
    /// What it is set up for, if that is not what the case's others are.
    pub(crate) tuning: Option<Tuning>,
    /// Where it sends to, if that is not the case's server.
    pub(crate) address: Option<SocketAddr>,
    /// Arguments beyond the contract's.
    pub(crate) extra: Vec<String>,
}

impl Entrant {
    /// One that takes part in every round, with nothing out of the ordinary.
    pub(crate) fn new(contestant: &Contestant, load: Load) -> Self {
        Self {
            label: contestant.name.clone(),
            client: contestant.name.clone(),
            contestant: contestant.clone(),
            load,
            window: WINDOW,
            publishers: 1,
            connections: 1,
            shards: 1,
            rounds: None,
            tuning: None,
            address: None,
            extra: Vec::new(),
        }
    }

    /// In how many of a case's `rounds` it takes part.
    fn rounds_of(&self, rounds: usize) -> usize {
        self.rounds.map_or(rounds, |own| own.min(rounds))
    }

    /// Whether it takes part in this round of so many.
    pub(crate) fn takes_part(&self, round: usize, rounds: usize) -> bool {
        let own = self.rounds_of(rounds);
        (round + 1) * own / rounds > round * own / rounds
    }
}

impl CasePlan {
    /// How long it will take, in seconds.
    pub(crate) fn estimate(&self) -> f64 {
        let all = |it: &Entrant| self.estimate_of(it) * it.rounds_of(self.rounds) as f64;
        self.entrants.iter().map(all).sum()
    }

    /// How many runs it has.
    pub(crate) fn runs(&self) -> usize {
        self.entrants.iter().map(|it| it.rounds_of(self.rounds)).sum()
    }

    /// How long one run of an entrant will take, in seconds.
    pub(crate) fn estimate_of(&self, entrant: &Entrant) -> f64 {
        let count = (entrant.load.messages + entrant.load.warmup) as f64;
        let rate = match (self.mode, entrant.load.rate) {
            (Mode::Decode, _) => DECODE_RATE,
            (_, 0) => FLOOD_RATE,
            (_, rate) => rate as f64,
        };
        count / rate + OVERHEAD_S
    }
}

impl Plan {
    pub(super) fn new(args: &RigArgs, contestants: Vec<Contestant>) -> Result<Self, RigError> {
        let (seconds, repetitions) = match (args.quick, args.long) {
            (true, _) => QUICK,
            (_, true) => LONG,
            _ => DEFAULT,
        };
        let seconds = args.seconds.unwrap_or(seconds);
        let is_default = !args.quick && !args.long && args.repetitions.is_none();
        let repetitions = args.repetitions.map_or(repetitions, |it| it as usize);
        let others = if args.repetitions.is_some() { repetitions } else { OTHERS_ROUNDS };
        if !(0.01..=600.0).contains(&seconds) {
            let value = seconds.to_string();
            return Err(RigError::Option {
                name: "--seconds".into(),
                value,
                accepted: "0.01 to 600 seconds".into(),
            });
        }
        if let Some(unknown) = args.clients.iter().find(|it| !contestants.iter().any(|one| one.name == **it))
        {
            let there: Vec<&str> = contestants.iter().map(|it| it.name.as_str()).collect();
            let accepted = format!("there are {}; bench/peers/install gets more", there.join(", "));
            return Err(RigError::Option { name: "--clients".into(), value: unknown.clone(), accepted });
        }
        let is_wanted = |it: &Scenario| match &args.only[..] {
            [] => !args.quick || !NOT_QUICK.contains(it),
            only => only.contains(it),
        };
        let rates = match &args.rates[..] {
            [] if args.quick => vec![PROMISED_RATE],
            [] => RATES.into(),
            rates => rates.into(),
        };
        Ok(Self {
            contestants,
            seconds,
            repetitions,
            others: others.min(repetitions),
            judged: if is_default { JUDGED_ROUNDS } else { repetitions },
            tail: if is_default { (TAIL_SHARE, TAIL_ROUNDS) } else { (1.0, repetitions) },
            seed: args.seed.unwrap_or_else(draw_seed),
            scenarios: Scenario::value_variants().iter().copied().filter(is_wanted).collect(),
            is_quick: args.quick,
            clients: args.clients.clone(),
            rates,
            shape: args.schedule,
            bytes: args.bytes as usize,
            channels: args.channels,
            publishers: args.publishers as usize,
        })
    }

    /// Whether the probe is to be run.
    pub(super) fn needs_probe(&self) -> bool {
        let by_probe = [Scenario::Allocations, Scenario::Memory];
        self.wants(OURS) && self.scenarios.iter().any(|it| by_probe.contains(it))
    }

    /// Whether a contestant was asked for.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.clients.is_empty() || self.clients.iter().any(|it| it == name)
    }

    /// The comparisons of a scenario, given those before it, on so many cores.
    pub(super) fn cases(&self, scenario: Scenario, done: &[Case], cores: usize) -> Vec<CasePlan> {
        let mut cases = match scenario {
            Scenario::Publish if cores > 1 => vec![self.publish()],
            Scenario::Publish | Scenario::Allocations => Vec::new(),
            Scenario::Ack => self.rates.iter().map(|rate| self.ack(*rate)).collect(),
            Scenario::Flood if self.is_quick => vec![self.flood_usual()],
            Scenario::Flood => vec![self.flood_usual(), self.flood_large()],
            Scenario::Subscribe => {
                vec![self.subscribe(Tuning::Latency), self.subscribe(Tuning::Throughput)]
            }
            Scenario::Rates => vec![self.sweep(done)],
            Scenario::Shapes => vec![self.shapes()],
            Scenario::Sizes => vec![self.sizes()],
            Scenario::Breadth => vec![self.breadth()],
            Scenario::Memory => vec![self.memory()],
            Scenario::Decode => vec![self.decode()],
            Scenario::Shards if cores >= SHARD_CORES => vec![self.shards()],
            Scenario::Shards => Vec::new(),
        };
        for case in &mut cases {
            case.entrants.retain(|it| self.wants(&it.contestant.name));
        }
        cases.retain(|case| !case.entrants.is_empty());
        cases
    }

    /// Of as many messages as `share` of a run's length holds at `rate`; 0 for a flood.
    fn load(&self, rate: u64, share: f64) -> Load {
        let per_s = if rate == 0 { FLOOD_RATE } else { rate as f64 };
        let messages = ((per_s * self.seconds * share) as u64).max(WARMUP_MIN);
        Load {
            shape: self.shape,
            rate,
            bytes: self.bytes,
            channels: self.channels,
            messages,
            warmup: ((messages as f64 * WARMUP_SHARE) as u64).max(WARMUP_MIN),
        }
    }

    fn entrant(&self, contestant: &Contestant, load: Load) -> Entrant {
        let publishers = if contestant.name == OURS { self.publishers } else { 1 };
        Entrant { publishers, ..Entrant::new(contestant, load) }
    }

    fn everybody(&self, mode: Mode, load: &Load) -> Vec<Entrant> {
        let able = self.contestants.iter().filter(|it| it.can(mode));
        able.map(|it| self.entrant(it, load.clone())).collect()
    }

    fn named(&self, names: &[&str]) -> Vec<&Contestant> {
        names.iter().filter_map(|name| self.contestants.iter().find(|it| it.name == *name)).collect()
    }

    /// Ours under other names: parts of this program that are measured beside each other.
    fn parts(&self, names: &[&str], load: &Load) -> Vec<Entrant> {
        let Some(ours) = self.contestants.iter().find(|it| it.name == OURS) else { return Vec::new() };
        let part = |name: &&str| Entrant {
            label: (*name).to_owned(),
            client: (*name).to_owned(),
            ..self.entrant(ours, load.clone())
        };
        names.iter().map(part).collect()
    }

    fn case(&self, id: &str, title: String, mode: Mode, entrants: Vec<Entrant>) -> CasePlan {
        let tuning = match mode {
            Mode::Flood | Mode::Memory => Tuning::Throughput,
            _ => Tuning::Latency,
        };
        CasePlan { id: id.to_owned(), title, mode, tuning, rounds: self.repetitions, entrants }
    }

    /// More rounds for those of these names, and fewer for the others.
    fn judged(&self, mut case: CasePlan, labels: &[&str], rounds: usize) -> CasePlan {
        case.rounds = rounds;
        for entrant in case.entrants.iter_mut().filter(|it| !labels.contains(&it.label.as_str())) {
            entrant.rounds = Some(self.others);
        }
        case
    }

    fn publish(&self) -> CasePlan {
        let (share, rounds) = self.tail;
        let load = self.load(PROMISED_RATE, share);
        let title =
            format!("Cost of `publish`, {} B at {}/s, null endpoint", load.bytes, thousands(load.rate));
        let mut entrants = self.parts(&[OURS, "bare ring", "empty region"], &load);
        entrants.extend(self.named(&C_CALLS).into_iter().map(|it| self.entrant(it, load.clone())));
        let judged = [OURS, "bare ring", "C publish", "C claim"];
        self.judged(self.case("publish", title, Mode::Cost, entrants), &judged, rounds)
    }

    fn ack(&self, rate: u64) -> CasePlan {
        let (is_judged, title) =
            (rate == PROMISED_RATE, format!("Due time to acknowledgement at {}/s", thousands(rate)));
        let (share, rounds) = self.tail;
        let load = self.load(rate, if is_judged { share } else { 1.0 });
        let case = self.case(&format!("ack-{rate}"), title, Mode::Ack, self.everybody(Mode::Ack, &load));
        if is_judged {
            return self.judged(case, &[OURS, FLOOR], rounds);
        }
        CasePlan { rounds: self.others, ..case }
    }

    fn flood(&self, id: &str, window: u32, names: &[&str]) -> CasePlan {
        let load = self.load(0, 1.0);
        let mut entrants = self.everybody(Mode::Flood, &load);
        entrants.retain(|it| names.is_empty() || names.contains(&it.client.as_str()));
        entrants.iter_mut().for_each(|it| it.window = window);
        let title = format!("Flood, {} outstanding", thousands(u64::from(window)));
        self.case(id, title, Mode::Flood, entrants)
    }

    /// Everybody with the usual pipeline; ours with its own default instead, and with the usual one beside it.
    fn flood_usual(&self) -> CasePlan {
        let mut case = self.flood("flood", WINDOW, &[]);
        if let Some(at) = case.entrants.iter().position(|it| it.client == OURS) {
            let narrow = Entrant { label: format!("{OURS}, {WINDOW}"), ..case.entrants[at].clone() };
            case.entrants[at].window = DEFAULT_CREDIT_MESSAGES;
            case.entrants.insert(at + 1, narrow);
        }
        let default = thousands(u64::from(DEFAULT_CREDIT_MESSAGES));
        case.title = format!("Flood, {WINDOW} outstanding; {OURS} also with its default credit of {default}");
        self.judged(case, &[OURS, BENCHMARK, "redis-rs", "rueidis", "go-redis"], self.repetitions)
    }

    fn flood_large(&self) -> CasePlan {
        let case = self.flood("flood-large", WINDOW_LARGE, &[OURS, FLOOR, BENCHMARK, "redis-rs"]);
        CasePlan { rounds: self.others, ..case }
    }

    fn subscribe(&self, tuning: Tuning) -> CasePlan {
        // A tail is judged in the one, and CPU in the other.
        let (id, words, (share, rounds)) = match tuning {
            Tuning::Latency => ("subscribe", "tuned for latency", self.tail),
            Tuning::Throughput => ("subscribe-cpu", "tuned for little work", (1.0, self.repetitions)),
        };
        let load = self.load(PROMISED_RATE, share);
        let entrants = self.everybody(Mode::Subscribe, &load);
        let title = format!("Due time to subscriber at {}/s, {words}", thousands(load.rate));
        let case = self.case(id, title, Mode::Subscribe, entrants);
        let compared: &[&str] = match tuning {
            Tuning::Latency => &[OURS, FLOOR],
            Tuning::Throughput => &[OURS, "redis-rs", "rueidis"],
        };
        CasePlan { tuning, ..self.judged(case, compared, rounds) }
    }

    fn sweep(&self, done: &[Case]) -> CasePlan {
        let mut contestants = self.named(&[OURS, FLOOR]);
        contestants.extend(self.best_peer(done));
        let mut entrants = Vec::new();
        for rate in SWEEP {
            for contestant in &contestants {
                let entrant = self.entrant(contestant, self.load(rate, WIDE_SHARE));
                entrants.push(Entrant {
                    label: format!("{} at {}/s", contestant.name, thousands(rate)),
                    ..entrant
                });
            }
        }
        let case = self.case("rates", "Latency against offered rate".into(), Mode::Ack, entrants);
        CasePlan { rounds: self.others, ..case }
    }

    /// The foreign client with the lowest p99 at the highest rate that was measured; before that is known, any.
    pub(super) fn best_peer(&self, done: &[Case]) -> Option<&Contestant> {
        let foreign = |it: &&Contestant| it.is_foreign && it.can(Mode::Ack) && self.wants(&it.name);
        let Some(case) = done.iter().rfind(|case| case.id.starts_with("ack-")) else {
            return self.contestants.iter().find(foreign);
        };
        let p99 = |it: &&Contestant| {
            let cell = case.cells.iter().find(|cell| cell.label == it.name)?;
            cell.spread(Figure::P99).map(|spread| spread.median)
        };
        let measured = self.contestants.iter().filter(foreign).filter_map(|it| Some((p99(&it)?, it)));
        measured.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, it)| it)
    }

    fn varied(&self, id: &str, title: &str, variants: &[(String, Load)]) -> CasePlan {
        let mut entrants = Vec::new();
        for (words, load) in variants {
            for contestant in self.named(&[OURS, FLOOR]) {
                let entrant = self.entrant(contestant, load.clone());
                entrants.push(Entrant { label: format!("{}, {words}", contestant.name), ..entrant });
            }
        }
        let case = self.case(id, title.to_owned(), Mode::Ack, entrants);
        CasePlan { rounds: self.others, ..case }
    }

    fn shapes(&self) -> CasePlan {
        let of = |shape: Shape| (shape.name().to_owned(), Load { shape, ..self.load(CALM_RATE, WIDE_SHARE) });
        let title = format!("Shapes of load, {}/s on average", thousands(CALM_RATE));
        self.varied("shapes", &title, &[Shape::Poisson, Shape::Bursts, Shape::Ticks].map(of))
    }

    fn sizes(&self) -> CasePlan {
        let of = |bytes: usize| {
            (format!("{} B", thousands(bytes as u64)), Load { bytes, ..self.load(CALM_RATE, WIDE_SHARE) })
        };
        let title = format!("Sizes of messages, {}/s", thousands(CALM_RATE));
        self.varied("sizes", &title, &[16, 1_024, 16_384].map(of))
    }

    fn breadth(&self) -> CasePlan {
        let load = |channels| Load { channels, ..self.load(0, BREADTH_SHARE) };
        let mut entrants = self.parts(&[OURS; 6], &load(1));
        entrants.iter_mut().for_each(|it| it.window = DEFAULT_CREDIT_MESSAGES);
        let variants = [
            ("1 channel", 1, 1, 1),
            ("10,000 channels", 10_000, 1, 1),
            ("1 connection", self.channels, 1, 1),
            ("100 connections", self.channels, 100, 1),
            ("1 publisher", self.channels, 1, 1),
            ("4 publishers", self.channels, 1, 4),
        ];
        let vary =
            |(entrant, (label, channels, connections, publishers)): (Entrant, (&str, u32, usize, usize))| {
                Entrant { label: label.to_owned(), load: load(channels), connections, publishers, ..entrant }
            };
        let entrants = entrants.into_iter().zip(variants).map(vary).collect();
        let title =
            "Ringwire's cost with many channels, connections (all but one quiet), publishers".to_owned();
        self.case("breadth", title, Mode::Flood, entrants)
    }

    fn memory(&self) -> CasePlan {
        let load = Load { messages: REMEMBERED, warmup: 0, ..self.load(0, 1.0) };
        let title = "Memory with one shard, a publisher with reports and a subscriber".to_owned();
        let case = self.case("memory", title, Mode::Memory, self.parts(&[OURS], &load));
        CasePlan { rounds: self.others, ..case }
    }

    fn decode(&self) -> CasePlan {
        let load = Load { messages: DECODED, warmup: 0, ..self.load(0, 1.0) };
        let mut entrants = Vec::new();
        for what in ["replies", "messages"] {
            let names = [OURS, "redis-protocol", "hiredis"].map(|name| format!("{name} {what}"));
            let [ours, redis_protocol, hiredis] = &names;
            entrants.extend(self.parts(&[ours, redis_protocol], &load));
            entrants.extend(self.named(&["hiredis"]).into_iter().map(|it| Entrant {
                label: hiredis.clone(),
                client: hiredis.clone(),
                ..self.entrant(it, load.clone())
            }));
        }
        let title = "RESP decoding: integer replies, and pushed messages of 128 B".to_owned();
        CasePlan { rounds: self.judged, ..self.case("decode", title, Mode::Decode, entrants) }
    }

    fn shards(&self) -> CasePlan {
        let entrants = self.parts(&[OURS; 2], &self.load(0, 1.0));
        let vary = |(entrant, shards): (Entrant, usize)| {
            let plural = if shards == 1 { "" } else { "s" };
            Entrant {
                label: format!("{shards} shard{plural}"),
                shards,
                publishers: shards,
                window: DEFAULT_CREDIT_MESSAGES,
                ..entrant
            }
        };
        let entrants = entrants.into_iter().zip([1, 2]).map(vary).collect();
        self.case("shards", "One shard and two, each on a core".into(), Mode::Flood, entrants)
    }
}

/// A seed that differs from run to run: it is printed.
pub(crate) fn draw_seed() -> u64 {
    ringwire::monotonic_ns() ^ u64::from(std::process::id()) << 32
}

/// 100,000 and not 100000.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
