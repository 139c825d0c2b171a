//! What a seed decides before a run begins: who there is, how large, how fast, and what will go wrong.

use ringwire_core::{EndpointId, Leg, Limits, MILLISECOND_NS, RedisSettings, SECOND_NS, WhenDown};
use ringwire_shards::credit::Amount;

use super::faults::{self, Fault};
use super::random::Random;

/// How an endpoint behaves in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Character {
    /// Nothing ever goes wrong: then nothing may be lost, whatever happens to the others.
    Spotless,
    /// Faults until the quiet end.
    Faulty,
    /// Never there; each connect is refused, hangs or is accepted by something that never says a word.
    Dead,
    /// Like `Faulty`, and some of its connections lie: no claim on truth then, but on everything else.
    Hostile,
}

/// The path to an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) delay_min_ns: u64,
    pub(crate) delay_max_ns: u64,
    /// Bytes that fit between `send` at one end and `recv` at the other.
    pub(crate) window: usize,
    /// So many of a hundred sends arrive in tiny pieces.
    pub(crate) shreds: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct EndpointPlan {
    pub(crate) character: Character,
    pub(crate) settings: RedisSettings,
    pub(crate) resp3: bool,
    /// Both its lanes are asked for, whoever needs them.
    pub(crate) is_opened: bool,
    pub(crate) path: Path,
    /// Unsent bytes at which the server closes a subscriber.
    pub(crate) output_buffer_max: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct ChannelPlan {
    pub(crate) name: Box<[u8]>,
    pub(crate) legs: Vec<Leg>,
    /// Virtual time at which it is opened.
    pub(crate) opens_ns: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct PublisherPlan {
    /// Report slots; none: counters only.
    pub(crate) reports: Option<u64>,
    pub(crate) credit: Amount,
    pub(crate) ring_bytes: usize,
    pub(crate) payload_max: usize,
    pub(crate) interval_ns: u64,
    pub(crate) burst_max: u64,
    pub(crate) report_interval_ns: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct SubscriberPlan {
    pub(crate) ring_bytes: usize,
    pub(crate) read_interval_ns: u64,
    pub(crate) read_max: u64,
    /// Subscriptions made before the first message.
    pub(crate) first: u64,
    pub(crate) churn_interval_ns: u64,
}

/// How the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Faults stop, everything drains, and a last message to each channel arrives everywhere.
    Quiet,
    /// `expire` at this time, in the middle of it all.
    Expire { at_ns: u64 },
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// The unit of the run's timers: a reply timeout is some of them.
    pub(crate) tempo_ns: u64,
    /// From here on nothing new goes wrong.
    pub(crate) quiet_ns: u64,
    pub(crate) ending: Ending,
    pub(crate) endpoints: Vec<EndpointPlan>,
    pub(crate) channels: Vec<ChannelPlan>,
    pub(crate) publishers: Vec<PublisherPlan>,
    pub(crate) subscribers: Vec<SubscriberPlan>,
    pub(crate) faults: Vec<Fault>,
    /// The shard takes at most this long to notice that something arrived.
    pub(crate) turn_delay_max_ns: u64,
    /// So many of a thousand turns are late by more than a reply timeout.
    pub(crate) stalls: u64,
    /// So many of a hundred turns call `poll` once only.
    pub(crate) single_polls: u64,
    pub(crate) core_seed: u64,
}

/// The smallest window: the messages of a burst to many subscriptions pass it within the core's patience.
const WINDOW_MIN: u64 = 256;
/// Names of channels: enough for patterns to match some, all and none.
const CHANNEL_NAMES: [&[u8]; 6] = [b"fx.eurusd", b"fx.usdjpy", b"eq.aapl", b"eq.msft", b"a", b"fx.[x]"];
/// What subscribers ask for, beside the channels' names.
pub(crate) const PATTERNS: [&[u8]; 7] = [b"*", b"fx.*", b"eq.????", b"?", b"fx.\\[x\\]", b"[a-z]", b"none.*"];
/// A refused subscription is asked for again after this (the core's own constant).
pub(crate) const REFUSED_RETRY_NS: u64 = 5 * SECOND_NS;
/// Subscriptions per run: churn stops there.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 160;

impl Scenario {
    pub(crate) fn choose(random: &mut Random, start_ns: u64) -> Self {
        let tempo_ns = random.pick(&[10, 20, 50, 200]) * MILLISECOND_NS;
        // Many short runs find more than few long ones; some long ones find what takes its time.
        let lasts_ns = tempo_ns * random.magnitude(15, 240);
        let quiet_ns = start_ns + lasts_ns;
        let turn_delay_max_ns = random.pick(&[0, 5_000, 100_000, 1_000_000]);
        let endpoints = choose_endpoints(random, tempo_ns);
        let channels = choose_channels(random, endpoints.len(), start_ns, lasts_ns);
        let publishers = choose_publishers(random, lasts_ns);
        let mut faults = Vec::new();
        for (index, plan) in endpoints.iter().enumerate() {
            if matches!(plan.character, Character::Faulty | Character::Hostile) {
                let hostile = plan.character == Character::Hostile;
                faults.extend(faults::choose(random, index, hostile, tempo_ns, start_ns, quiet_ns));
            }
        }
        let expires = random.percent(33);
        let at_ns = start_ns + random.between(lasts_ns / 10, lasts_ns);
        Self {
            tempo_ns,
            quiet_ns,
            ending: if expires { Ending::Expire { at_ns } } else { Ending::Quiet },
            channels,
            publishers,
            subscribers: choose_subscribers(random, lasts_ns),
            endpoints,
            faults,
            turn_delay_max_ns,
            stalls: random.pick(&[0, 0, 0, 2]),
            single_polls: random.pick(&[0, 20, 100]),
            core_seed: random.next(),
        }
    }
}

fn choose_endpoints(random: &mut Random, tempo_ns: u64) -> Vec<EndpointPlan> {
    let count = random.between(1, 3);
    let mut endpoints = Vec::new();
    for index in 0..count {
        let character = match random.below(20) {
            0..4 => Character::Spotless,
            // A run with nothing but a dead endpoint would show little.
            4..8 if index > 0 => Character::Dead,
            8..10 => Character::Hostile,
            _ => Character::Faulty,
        };
        let username = random.percent(20).then(|| "trader".to_owned());
        let password = (username.is_some() || random.percent(30)).then(|| "secret".to_owned());
        let resp3 = random.percent(75);
        let settings = RedisSettings {
            // Before Redis 6 there are no users.
            username: username.filter(|_| resp3),
            password,
            database: random.pick(&[0, 0, 3]),
            connect_timeout_ns: tempo_ns * random.between(2, 4),
            reply_timeout_ns: tempo_ns * random.between(2, 6),
            ping_interval_ns: tempo_ns * random.between(1, 3),
            role_interval_ns: tempo_ns * random.between(1, 4),
            reconnect_min_ns: random.between(1, 10) * MILLISECOND_NS,
            reconnect_max_ns: random.between(10, 250) * MILLISECOND_NS,
            breaker_threshold: random.pick(&[0, 1, 2, 3, 5, 8]),
            breaker_open_ns: random.magnitude(tempo_ns / 4, tempo_ns * 8),
            limits: Limits::default(),
            ..RedisSettings::default()
        };
        let spotless = character == Character::Spotless;
        // With long delays more is in the air when a connection breaks.
        let delay_max_ns =
            if random.percent(50) { tempo_ns / 12 } else { random.magnitude(20_000, tempo_ns / 12) };
        let path = Path {
            delay_min_ns: random.between(5_000, delay_max_ns),
            delay_max_ns,
            window: if spotless { 64 << 10 } else { random.magnitude(WINDOW_MIN, 64 << 10) as usize },
            shreds: random.pick(&[0, 5, 40]),
        };
        let output_buffer_max = if spotless { 32 << 20 } else { random.pick(&[16 << 10, 32 << 20]) };
        let is_opened = random.percent(10);
        endpoints.push(EndpointPlan { character, settings, resp3, is_opened, path, output_buffer_max });
    }
    endpoints
}

fn choose_channels(random: &mut Random, endpoints: usize, start_ns: u64, lasts_ns: u64) -> Vec<ChannelPlan> {
    let count = random.between(2, CHANNEL_NAMES.len() as u64) as usize;
    let policy = random.pick(&[None, Some(WhenDown::Reject), Some(WhenDown::Buffer), Some(WhenDown::Drop)]);
    let mut channels = Vec::new();
    for name in &CHANNEL_NAMES[..count] {
        let wanted = random.index(endpoints + 1);
        let mut free: Vec<usize> = (0..endpoints).collect();
        let mut legs = Vec::new();
        for _ in 0..wanted {
            let endpoint = free.swap_remove(random.index(free.len()));
            let any = random.pick(&[WhenDown::Reject, WhenDown::Buffer, WhenDown::Drop]);
            legs.push(Leg::redis_publish(EndpointId(endpoint as u16), name, policy.unwrap_or(any)));
        }
        if legs.is_empty() {
            legs.push(Leg::bus());
        }
        let late = if random.percent(20) { random.below(lasts_ns / 2) } else { 0 };
        channels.push(ChannelPlan { name: (*name).into(), legs, opens_ns: start_ns + late });
    }
    channels
}

fn choose_publishers(random: &mut Random, lasts_ns: u64) -> Vec<PublisherPlan> {
    let count = random.between(1, 3);
    let messages = random.magnitude(60, 6_000);
    let mut publishers = Vec::new();
    for _ in 0..count {
        let ring_bytes = random.pick(&[4 << 10, 16 << 10, 64 << 10]);
        let payload_max = random.pick(&[40, 200, 900]);
        let burst_max: u64 = random.pick(&[1, 5, 40]);
        let interval_ns = (lasts_ns * count * burst_max.div_ceil(2) / messages).max(1_000);
        publishers.push(PublisherPlan {
            reports: random.percent(70).then(|| random.magnitude(4, 1_000)),
            credit: Amount { messages: random.magnitude(1, 500), bytes: random.magnitude(1 << 10, 64 << 10) },
            ring_bytes,
            payload_max,
            interval_ns,
            burst_max,
            report_interval_ns: interval_ns * random.pick(&[1, 3, 40]),
        });
    }
    publishers
}

fn choose_subscribers(random: &mut Random, lasts_ns: u64) -> Vec<SubscriberPlan> {
    let mut subscribers = Vec::new();
    for _ in 0..random.between(1, 3) {
        subscribers.push(SubscriberPlan {
            ring_bytes: random.pick(&[1 << 10, 4 << 10, 64 << 10]),
            read_interval_ns: lasts_ns / random.magnitude(10, 2_000),
            read_max: random.pick(&[3, 50, 1_000]),
            first: random.below(6),
            churn_interval_ns: lasts_ns / random.between(2, 40),
        });
    }
    subscribers
}
