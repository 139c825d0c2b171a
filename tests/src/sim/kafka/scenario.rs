//! What a seed decides before a run begins: who there is, how large, how fast, and what will go wrong.

use ringwire_codec::kafka::{Api, Versions};
use ringwire_core::{
    Acks, BackoffKind, Compression, KafkaSettings, MILLISECOND_NS, Partitioner, RetryBackoff, SECOND_NS,
    WhenDown,
};
use ringwire_loopback::kafka::{ClusterOptions, kafka_2_1, kafka_3_9, kafka_4_1};

use super::context::WALL_START_NS;
use super::faults::{self, Fault};
use crate::sim::random::Random;

/// The path to every broker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) delay_min_ns: u64,
    pub(super) delay_max_ns: u64,
    /// Bytes that fit between `send` and the broker.
    pub(super) window: usize,
    /// So many of a hundred sends arrive in small pieces.
    pub(super) shreds: u64,
}

#[derive(Clone, Debug)]
pub(super) struct TopicPlan {
    pub(super) name: String,
    pub(super) partitions: u32,
    pub(super) is_compacted: bool,
    pub(super) message_bytes_max: Option<usize>,
    pub(super) log_append_time: bool,
    /// It is there from the start.
    pub(super) exists: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ChannelPlan {
    pub(super) topic: usize,
    pub(super) when_down: WhenDown,
    /// Of a hundred messages, so many have a key, and so many name their partition.
    pub(super) keyed: u64,
    pub(super) explicit: u64,
}

#[derive(Clone, Debug)]
pub(super) struct PublisherPlan {
    pub(super) credit: (u64, u64),
    pub(super) payload_max: u64,
    pub(super) interval_ns: u64,
    pub(super) burst_max: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// The unit of the run's timers: a request timeout is some of them.
    pub(super) tempo_ns: u64,
    /// From here on nothing new goes wrong.
    pub(super) quiet_ns: u64,
    /// `expire` at this time, in the middle of it all.
    pub(super) expires_ns: Option<u64>,
    pub(super) brokers: i32,
    pub(super) options: ClusterOptions,
    pub(super) settings: KafkaSettings,
    pub(super) path: Path,
    pub(super) topics: Vec<TopicPlan>,
    pub(super) channels: Vec<ChannelPlan>,
    pub(super) publishers: Vec<PublisherPlan>,
    pub(super) faults: Vec<Fault>,
    pub(super) turn_delay_max_ns: u64,
    /// So many of a hundred turns call `poll` once only.
    pub(super) single_polls: u64,
    pub(super) core_seed: u64,
}

/// The host that a broker listens on.
pub(super) fn host(broker: i32) -> String {
    format!("broker-{broker}")
}

/// The port that all brokers listen on.
pub(super) const PORT: u16 = 9092;
/// A host where nobody listens.
pub(super) const NOWHERE: &str = "nowhere";
/// Partitions of a topic, at the most.
pub(super) const PARTITIONS_MAX: u64 = 6;
/// Longer than every run.
pub(super) const LONG_NS: u64 = 10_000 * SECOND_NS;

impl Scenario {
    pub(super) fn choose(random: &mut Random, start_ns: u64) -> Self {
        let tempo_ns = random.pick(&[10, 20, 50]) * MILLISECOND_NS;
        let lasts_ns = tempo_ns * random.magnitude(15, 200);
        let quiet_ns = start_ns + lasts_ns;
        let brokers = random.between(1, 4) as i32;
        let topics = choose_topics(random);
        let settings = choose_settings(random, tempo_ns, brokers);
        let options = choose_options(random, &settings);
        let delay_max_ns = random.magnitude(20_000, tempo_ns / 8);
        let path = Path {
            delay_min_ns: random.between(5_000, delay_max_ns),
            delay_max_ns,
            window: random.magnitude(512, 256 << 10) as usize,
            shreds: random.pick(&[0, 5, 40]),
        };
        let channels = choose_channels(random, topics.len());
        let faults = faults::choose(random, brokers, &topics, tempo_ns, start_ns, quiet_ns);
        let at_ns = start_ns + random.between(lasts_ns / 10, lasts_ns);
        Self {
            tempo_ns,
            quiet_ns,
            expires_ns: random.percent(25).then_some(at_ns),
            brokers,
            options,
            path,
            channels,
            publishers: choose_publishers(random, lasts_ns),
            topics,
            settings,
            faults,
            turn_delay_max_ns: random.pick(&[0, 5_000, 100_000, 1_000_000]),
            single_polls: random.pick(&[0, 20, 100]),
            core_seed: random.next(),
        }
    }

    /// Whether the brokers' answers name invalid records.
    pub(super) fn names_records(&self) -> bool {
        /// Answers to Produce name records from this version on.
        const RECORD_ERRORS_VERSION: i16 = 8;
        let produce = self.options.versions.iter().find(|(api, _)| *api == Api::Produce);
        produce.is_some_and(|(_, Versions { max, .. })| *max >= RECORD_ERRORS_VERSION)
    }
}

fn choose_topics(random: &mut Random) -> Vec<TopicPlan> {
    let names = ["quotes", "trades", "orders"];
    let count = random.between(1, names.len() as u64) as usize;
    let topic = |name: &&str| TopicPlan {
        name: (*name).to_owned(),
        partitions: random.between(1, PARTITIONS_MAX) as u32,
        is_compacted: random.percent(15),
        message_bytes_max: random.percent(20).then(|| random.magnitude(300, 4_000) as usize),
        log_append_time: random.percent(20),
        exists: random.percent(85),
    };
    names[..count].iter().map(topic).collect()
}

fn choose_channels(random: &mut Random, topics: usize) -> Vec<ChannelPlan> {
    let channel = |_| ChannelPlan {
        topic: random.index(topics),
        when_down: random.pick(&[
            WhenDown::Buffer,
            WhenDown::Buffer,
            WhenDown::Buffer,
            WhenDown::Reject,
            WhenDown::Drop,
        ]),
        keyed: random.pick(&[0, 50, 100]),
        explicit: random.pick(&[0, 0, 30]),
    };
    (0..4).map(channel).collect()
}

fn choose_settings(random: &mut Random, tempo_ns: u64, brokers: i32) -> KafkaSettings {
    let acks = random.pick(&[Acks::All, Acks::All, Acks::All, Acks::All, Acks::Leader, Acks::None]);
    let mut bootstrap_servers = Vec::new();
    if random.percent(20) {
        bootstrap_servers.push((NOWHERE.to_owned(), PORT));
    }
    let first = random.between(1, brokers as u64) as i32;
    bootstrap_servers.extend((1..=brokers).filter(|it| *it >= first).map(|it| (host(it), PORT)));
    KafkaSettings {
        bootstrap_servers,
        acks,
        idempotent: acks == Acks::All && random.percent(85),
        compression: random.pick(&[
            Compression::None,
            Compression::None,
            Compression::Lz4,
            Compression::Snappy,
            Compression::Gzip(1),
            Compression::Zstd(1),
        ]),
        // Small ones make it so that several are under way.
        batch_size: match random.percent(50) {
            true => random.magnitude(100, 1_000) as usize,
            false => random.magnitude(100, 64 << 10) as usize,
        },
        linger_ns: random.pick(&[0, 0, tempo_ns / 10, tempo_ns]),
        max_request_size: random.magnitude(1_000, 1 << 20) as usize,
        max_in_flight: random.pick(&[1, 2, 3, 4, 5, 5, 5]),
        delivery_timeout_ns: if random.percent(45) { tempo_ns * random.between(2, 16) } else { LONG_NS },
        request_timeout_ns: tempo_ns * random.between(2, 6),
        retries: if random.percent(15) { random.below(4) as u32 } else { u32::MAX },
        retry_backoff: RetryBackoff {
            kind: random.pick(&[BackoffKind::Fixed, BackoffKind::Linear, BackoffKind::Exponential]),
            base_ns: random.magnitude(MILLISECOND_NS / 10, tempo_ns),
            max_ns: tempo_ns * 2,
        },
        partitioner: match random.below(7) {
            0 => Partitioner::Consistent,
            1 => Partitioner::ChannelHash,
            2 => Partitioner::Sticky,
            3 => Partitioner::RoundRobin,
            4 => Partitioner::Single(0),
            _ => Partitioner::Murmur2,
        },
        // A long one, as it is by default: then nobody but an error makes it look for leaders.
        metadata_max_age_ns: if random.percent(30) { LONG_NS } else { tempo_ns * random.magnitude(1, 100) },
        topic_propagation_ns: if random.percent(20) { tempo_ns * 5 } else { LONG_NS },
        auto_create_topics: random.percent(70),
        connect_timeout_ns: tempo_ns * random.between(2, 4),
        reconnect_min_ns: random.between(1, 10) * MILLISECOND_NS,
        reconnect_max_ns: random.between(10, 100) * MILLISECOND_NS,
        ..KafkaSettings::default()
    }
}

fn choose_options(random: &mut Random, settings: &KafkaSettings) -> ClusterOptions {
    let versions = [kafka_4_1(), kafka_4_1(), kafka_3_9(), kafka_2_1()];
    let chosen = random.index(versions.len());
    let topic_ids = chosen < versions.len() - 1;
    let partitions = random.between(1, PARTITIONS_MAX) as u32;
    ClusterOptions {
        auto_create: settings.auto_create_topics,
        // Without ids nobody can tell a topic that was made anew with fewer partitions from stale metadata.
        partitions: if topic_ids { partitions } else { PARTITIONS_MAX as u32 },
        topic_ids,
        versions: versions[chosen].clone(),
        deep: true,
        epoch_ms: WALL_START_NS / MILLISECOND_NS as i64,
        ..ClusterOptions::default()
    }
}

fn choose_publishers(random: &mut Random, lasts_ns: u64) -> Vec<PublisherPlan> {
    let count = random.between(1, 3);
    let messages = random.magnitude(60, 2_000);
    let publisher = |_| {
        let burst_max: u64 = random.pick(&[1, 5, 40]);
        PublisherPlan {
            credit: (random.magnitude(1, 400), random.magnitude(2 << 10, 64 << 10)),
            payload_max: random.pick(&[40, 200, 900]),
            interval_ns: (lasts_ns * count * burst_max.div_ceil(2) / messages).max(1_000),
            burst_max,
        }
    };
    (0..count).map(publisher).collect()
}
