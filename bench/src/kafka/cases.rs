//! What is compared with what, and under which load.

use std::net::SocketAddr;
use std::path::Path;

use super::Codec;
use super::goals::{ACK, ALONE, BESIDE, BESIDE_PLAIN, BESIDE_ZSTD, ENCODE};
use crate::client::{Batches, Mode, Tuning};
use crate::contestants::{self, Contestant};
use crate::goals::{FLOOR, OURS};
use crate::load::{Load, Shape};
use crate::results::Absent;
use crate::rig::{CasePlan, Entrant, thousands};

/// Bytes of a message: two quotes and a bit.
const BYTES: usize = 100;
/// Channels in turn, and so keys.
const CHANNELS: u32 = 8;
/// Messages of a flood before those that count, as a share of them: page faults of buffers that are touched for the first
/// time, and what the broker's compiler has not seen yet.
const WARMUP_SHARE: f64 = 0.25;
/// Messages a second of the acknowledgement, and how long they come before any counts, in seconds.
const RATE: u64 = 50_000;
const ACK_WARMUP_S: f64 = 1.0;
/// Ours with a shard that naps, beside the one that parks and is woken for each message.
const NAP_US: u64 = 200;
/// Messages a second on Redis beside Kafka's, and how long one run of them takes at most, in seconds: a p99 of 400 messages.
const BESIDE_RATE: u64 = 20_000;
const BESIDE_S: f64 = 2.0;
/// A difference of tails needs more rounds than a ratio of CPU times.
const BESIDE_ROUNDS_FACTOR: usize = 3;
/// Records of one run in memory: some 0.2 s without compression.
const ENCODED: u64 = 5_000_000;

/// As `bench/peers/install` calls them, and the lingers in milliseconds that they are tried with: no setting is best for
/// everybody.
const PEERS: [(&str, &[&str]); 4] = [
    ("librdkafka", &["0", "1", "5"]),
    ("franz-go", &["0", "1"]),
    ("kafka-clients", &["0", "5"]),
    ("confluent-kafka", &["1"]),
];

/// Who takes part, how much is sent, and how often.
pub(super) struct Cases {
    pub(super) able: Vec<Contestant>,
    /// Messages of a flood.
    pub(super) messages: u64,
    /// Length of an open loop.
    pub(super) seconds: f64,
    pub(super) rounds: usize,
}

/// Who can take part, and who is not installed.
pub(super) fn contestants(
    peers: Option<&Path>,
    own: &[String],
    wants: impl Fn(&str) -> bool,
) -> (Vec<Contestant>, Vec<Absent>) {
    let mut words = own.to_vec();
    words.push("client".to_owned());
    let ours = |name: &str| Contestant { name: name.to_owned(), words: words.clone(), is_foreign: false };
    let mut able: Vec<Contestant> = [OURS, FLOOR].into_iter().filter(|it| wants(it)).map(ours).collect();
    let mut absent = Vec::new();
    for (name, _) in PEERS.into_iter().filter(|(name, _)| wants(name)) {
        match contestants::installed(peers, name) {
            Some(program) => able.push(contestants::foreign(name, &program)),
            None => absent.push(Absent {
                name: name.to_owned(),
                why: format!("not installed: bench/peers/install {name}"),
            }),
        }
    }
    (able, absent)
}

/// The foreign ones.
pub(crate) fn peers() -> impl Iterator<Item = &'static str> {
    PEERS.into_iter().map(|(name, _)| name)
}

/// The names that can be asked for.
pub(super) fn names() -> Vec<&'static str> {
    [OURS, FLOOR].into_iter().chain(peers()).collect()
}

impl Cases {
    pub(super) fn has_ours(&self) -> bool {
        self.able.iter().any(|it| it.name == OURS)
    }

    fn load(rate: u64, messages: u64, warmup: u64) -> Load {
        Load { shape: Shape::Constant, rate, bytes: BYTES, channels: CHANNELS, messages, warmup }
    }

    fn open_loop(rate: u64, seconds: f64, warmup_s: f64) -> Load {
        let count = |seconds: f64| ((rate as f64 * seconds) as u64).max(1);
        Self::load(rate, count(seconds), count(warmup_s))
    }

    /// One of them under one load: the client's own queue bounds what is outstanding.
    fn entrant(contestant: &Contestant, load: Load) -> Entrant {
        let client = match contestant.name.as_str() {
            OURS => "ringwire-kafka",
            FLOOR => "kafka-floor",
            name => name,
        };
        let window = u32::try_from(load.messages + load.warmup).unwrap_or(u32::MAX);
        let mut entrant = Entrant { window, ..Entrant::new(contestant, load) };
        client.clone_into(&mut entrant.client);
        entrant
    }

    fn case(&self, id: &str, title: String, mode: Mode, entrants: Vec<Entrant>) -> CasePlan {
        let tuning = if mode == Mode::Flood { Tuning::Throughput } else { Tuning::Latency };
        CasePlan { id: id.to_owned(), title, mode, tuning, rounds: self.rounds, entrants }
    }

    fn flood_of(&self, contestant: &Contestant, codec: Codec) -> Entrant {
        let warmup = (self.messages as f64 * WARMUP_SHARE) as u64;
        let mut entrant = Self::entrant(contestant, Self::load(0, self.messages, warmup.max(1)));
        entrant.extra.extend(["--compression", codec.name()].map(str::to_owned));
        entrant
    }

    /// Ours alone and once, which counts for nothing: the broker's code is compiled by it, and its requests are those that
    /// the floor copies.
    pub(super) fn heating(&self, codec: Codec) -> CasePlan {
        let ours = self.able.iter().filter(|it| it.name == OURS);
        let entrants = ours.map(|it| self.flood_of(it, codec)).collect();
        let title = format!("Flood that does not count, compression {}", codec.name());
        CasePlan { rounds: 1, ..self.case("heating", title, Mode::Flood, entrants) }
    }

    /// Ours alone at the rate of the open loops, which counts for nothing.
    pub(super) fn warming(&self, codec: Codec) -> CasePlan {
        let load = Self::open_loop(RATE, self.seconds, ACK_WARMUP_S);
        let ours = self.able.iter().filter(|it| it.name == OURS);
        let entrants = ours.map(|it| {
            let mut entrant = Self::entrant(it, load.clone());
            entrant.extra.extend(["--compression", codec.name()].map(str::to_owned));
            entrant
        });
        let title = format!("{}/s that do not count, compression {}", thousands(RATE), codec.name());
        CasePlan { rounds: 1, ..self.case("warming", title, Mode::Ack, entrants.collect()) }
    }

    /// Everybody, as fast as it goes; the floor with requests as ours had them.
    pub(super) fn flood(&self, codec: Codec, seen: Option<Batches>) -> CasePlan {
        let mut entrants: Vec<Entrant> = self.able.iter().map(|it| self.flood_of(it, codec)).collect();
        if let (Some(floor), Some(seen)) = (entrants.iter_mut().find(|it| it.label == FLOOR), seen) {
            let counts = [seen.records, seen.of_a_request].map(|it| (it.round() as u64).max(1).to_string());
            let names = ["--batch-records", "--request-batches"].map(str::to_owned);
            floor.extra.extend(names.into_iter().zip(counts).flat_map(|(name, count)| [name, count]));
        }
        let title = format!("Kafka flood, compression {}", codec.name());
        self.case(&super::goals::flood(codec), title, Mode::Flood, entrants)
    }

    /// From the due time to the application's knowledge.
    pub(super) fn ack(&self) -> CasePlan {
        let load = Self::open_loop(RATE, self.seconds, ACK_WARMUP_S);
        let mut entrants = Vec::new();
        for contestant in self.able.iter().filter(|it| it.name != FLOOR) {
            let entrant = Self::entrant(contestant, load.clone());
            let lingers = PEERS.into_iter().find(|(name, _)| *name == contestant.name);
            let Some((_, lingers)) = lingers else {
                entrants.push(entrant.clone());
                entrants.push(Entrant {
                    label: format!("{}, naps of {NAP_US} µs", contestant.name),
                    tuning: Some(Tuning::Throughput),
                    extra: vec!["--nap-us".to_owned(), NAP_US.to_string()],
                    ..entrant
                });
                continue;
            };
            entrants.extend(lingers.iter().map(|linger| Entrant {
                label: format!("{}, linger {linger} ms", contestant.name),
                extra: vec!["--linger".to_owned(), (*linger).to_owned()],
                ..entrant.clone()
            }));
        }
        let title = format!("Kafka, due time to acknowledgement at {}/s", thousands(RATE));
        self.case(ACK, title, Mode::Ack, entrants)
    }

    /// A Redis leg alone, beside a Kafka leg on its shard, and beside one that compresses.
    pub(super) fn beside_redis(&self, redis: SocketAddr, kafka: SocketAddr) -> CasePlan {
        let seconds = self.seconds.min(BESIDE_S);
        let load = Self::open_loop(BESIDE_RATE, seconds, seconds * WARMUP_SHARE);
        let with = |codec: Codec| {
            ["--also", &kafka.to_string(), "--compression", codec.name()].map(str::to_owned).to_vec()
        };
        let variants =
            [(ALONE, Vec::new()), (BESIDE_PLAIN, with(Codec::None)), (BESIDE_ZSTD, with(Codec::Zstd))];
        let ours = self.able.iter().find(|it| it.name == OURS);
        let entrants = variants.into_iter().filter_map(|(label, extra)| {
            Some(Entrant {
                label: label.to_owned(),
                client: "ringwire-beside".to_owned(),
                address: Some(redis),
                extra,
                ..Self::entrant(ours?, load.clone())
            })
        });
        let title = format!(
            "A Redis leg at {}/s on a shard with Kafka at {}/s",
            thousands(BESIDE_RATE),
            thousands(RATE)
        );
        let case = self.case(BESIDE, title, Mode::Ack, entrants.collect());
        CasePlan { rounds: self.rounds * BESIDE_ROUNDS_FACTOR, ..case }
    }

    /// Batches in memory, on one core.
    pub(super) fn encode(&self, codecs: &[Codec]) -> CasePlan {
        let load = Self::load(0, ENCODED, ENCODED / 10);
        let ours = self.able.iter().find(|it| it.name == OURS);
        let entrants = codecs.iter().filter_map(|codec| {
            let mut entrant = Self::entrant(ours?, load.clone());
            entrant.label = super::goals::encoded(*codec);
            entrant.extra = vec!["--compression".to_owned(), codec.name().to_owned()];
            Some(entrant)
        });
        let title = format!("Kafka batches in memory, records of {BYTES} B with keys");
        self.case(ENCODE, title, Mode::Encode, entrants.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases() -> Cases {
        let named = |name: &str| Contestant { name: name.into(), words: Vec::new(), is_foreign: false };
        let able = ["ringwire", "floor", "librdkafka"].map(named).into();
        Cases { able, messages: 4_000, seconds: 0.1, rounds: 2 }
    }

    #[test]
    fn the_floor_copies_what_ours_sent() {
        let seen = Some(Batches { records: 312.4, of_a_request: 3.6 });
        let case = cases().flood(Codec::Lz4, seen);
        let extra = |label: &str| {
            let entrant = case.entrants.iter().find(|it| it.label == label).expect("it takes part");
            entrant.extra.join(" ")
        };
        assert_eq!(extra("floor"), "--compression lz4 --batch-records 312 --request-batches 4");
        assert_eq!(extra("librdkafka"), "--compression lz4");
    }

    #[test]
    fn a_peer_acknowledges_with_each_linger_and_the_floor_does_not() {
        let case = cases().ack();
        let labels: Vec<&str> = case.entrants.iter().map(|it| it.label.as_str()).collect();
        let peers = ["0", "1", "5"].map(|linger| format!("librdkafka, linger {linger} ms"));
        assert_eq!(labels[..2], ["ringwire", "ringwire, naps of 200 µs"]);
        assert_eq!(labels[2..], peers.each_ref().map(String::as_str));
    }
}
