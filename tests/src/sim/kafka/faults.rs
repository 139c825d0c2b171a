//! What can go wrong, and what a seed chooses of it.

use ringwire_codec::kafka::{Api, Appended, ErrorCode};

use super::network::Reach;
use super::scenario::{PARTITIONS_MAX, TopicPlan};
use crate::sim::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Connections are cut: of one broker, or all.
    Cut {
        broker: Option<i32>,
    },
    /// A broker stands still, as a stopped process does.
    Pause {
        broker: i32,
    },
    /// It executes, and does not answer.
    Hold {
        broker: i32,
    },
    /// It ends; its partitions move, or wait for it.
    Stop {
        broker: i32,
        moves: bool,
    },
    StopAll,
    /// It has started again, and metadata says who it leads, but not where it is.
    Fence {
        broker: i32,
    },
    /// Nobody can connect to it.
    Reach {
        broker: i32,
        reach: Reach,
    },
    Move {
        topic: usize,
        partition: i32,
        broker: i32,
    },
    /// A broker, or every one, stops hearing of moves, and a partition moves.
    Stale {
        broker: Option<i32>,
        topic: usize,
        partition: i32,
        to: i32,
    },
    Inject {
        api: Api,
        error: ErrorCode,
        count: u32,
        appended: bool,
    },
    Throttle {
        ms: i32,
    },
    /// The topic is deleted; at the end there is another of the same name.
    Delete {
        topic: usize,
        partitions: u32,
    },
    AddPartitions {
        topic: usize,
    },
    /// The leader of a partition executes and does not answer; at the end it forgets the producer, and its connections
    /// are cut.
    Forget {
        topic: usize,
        partition: i32,
    },
    Ban {
        topic: usize,
    },
    Advertise {
        broker: i32,
    },
    Nonsense {
        broker: i32,
        percent: u64,
    },
    /// Much is sent to a partition at once, and the first batch fails. After that the leader's connections end, behind
    /// an answer and before the next one.
    Curt {
        topic: usize,
        partition: i32,
        percent: u64,
        failure: Option<Failure>,
    },
    /// The same, but that the leader's answers are long in coming, one after the other.
    Stutter {
        topic: usize,
        partition: i32,
        gap_ns: u64,
        failure: Option<Failure>,
    },
}

/// An answer that is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) error: ErrorCode,
    /// The batch is in the log all the same.
    pub(super) appended: bool,
    /// How the next batch fails, which may be the same one again.
    pub(super) then: Option<ErrorCode>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) at_ns: u64,
    pub(super) lasts_ns: u64,
}

/// Codes that change what may be claimed: only some runs have them.
const PRODUCER_CODES: [ErrorCode; 3] = [
    ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
    ErrorCode::UNKNOWN_PRODUCER_ID,
    ErrorCode::INVALID_PRODUCER_EPOCH,
];
/// Codes that brokers answer to Produce most often.
const USUAL_CODES: [i16; 11] = [-1, 3, 6, 7, 10, 19, 20, 46, 56, 87, 100];
/// How a batch fails of which others are behind it: for good, or for now. If the answers to those are lost, nobody knows
/// of them.
const REFUSALS: [(i16, bool); 4] = [(10, false), (29, false), (87, false), (19, false)];
/// In the log all the same: then those behind it succeed, one after the other.
const DOUBTS: [(i16, bool); 3] = [(7, true), (20, true), (19, false)];

/// What [`choose_kind`] chooses from, and where the losses of state and the injected errors are in it.
const KINDS: u64 = 29;
const LOSSES: u64 = 17;
const INJECTIONS: u64 = 13;

pub(super) fn choose(
    random: &mut Random,
    brokers: i32,
    topics: &[TopicPlan],
    tempo_ns: u64,
    start_ns: u64,
    quiet_ns: u64,
) -> Vec<Fault> {
    // A run has a few favourites, so that some have nothing but moves, or nothing but cuts.
    let mut favourites: Vec<u64> = (0..random.between(1, 5)).map(|_| random.below(KINDS)).collect();
    let loses_state = random.percent(25);
    if loses_state {
        favourites.extend([LOSSES, INJECTIONS]);
    }
    let tempos = (quiet_ns - start_ns) / tempo_ns;
    let count = random.magnitude(2, tempos.clamp(4, 60));
    let mut faults = Vec::new();
    for _ in 0..count {
        let favourite = random.pick(&favourites);
        let Some(kind) = choose_kind(random, favourite, brokers, topics, tempo_ns, loses_state) else {
            continue;
        };
        let at_ns = random.between(start_ns, quiet_ns - 1);
        let lasts_ns = random.magnitude(tempo_ns / 4, tempo_ns * 12);
        faults.push(Fault { kind, at_ns, lasts_ns });
        if matches!(kind, Kind::Stale { .. }) {
            // Who has lost a connection asks for leaders; after that there is something for them.
            let broker = Some(random.between(1, brokers as u64) as i32);
            let cut = |at_ns| Fault { kind: Kind::Cut { broker }, at_ns, lasts_ns: tempo_ns };
            faults.extend([cut(at_ns + lasts_ns / 2), cut(at_ns + lasts_ns * 3 / 4)]);
        }
    }
    faults
}

fn choose_kind(
    random: &mut Random,
    number: u64,
    brokers: i32,
    topics: &[TopicPlan],
    tempo_ns: u64,
    loses_state: bool,
) -> Option<Kind> {
    let broker = random.between(1, brokers as u64) as i32;
    let other = random.between(1, brokers as u64) as i32;
    let topic = random.index(topics.len());
    let partition = random.below(u64::from(topics[topic].partitions)) as i32;
    Some(match number {
        0 => Kind::Cut { broker: None },
        1 | 2 => Kind::Cut { broker: Some(broker) },
        3 => Kind::Pause { broker },
        4 => Kind::Hold { broker },
        5 | 6 => Kind::Stop { broker, moves: random.percent(70) },
        7 => Kind::StopAll,
        8 => Kind::Reach { broker, reach: random.pick(&[Reach::Refuses, Reach::Hangs, Reach::Mute]) },
        9 | 10 => Kind::Move { topic, partition, broker },
        11 | 12 => Kind::Stale { broker: random.percent(50).then_some(broker), topic, partition, to: other },
        INJECTIONS..=15 => choose_injection(random, loses_state)?,
        16 => Kind::Throttle { ms: random.between(1, tempo_ns / 500_000) as i32 },
        LOSSES if loses_state && random.percent(50) => Kind::Forget { topic, partition },
        LOSSES if loses_state => Kind::Delete { topic, partitions: random.between(1, PARTITIONS_MAX) as u32 },
        LOSSES | 18 => Kind::AddPartitions { topic },
        19 => Kind::Ban { topic },
        20 => Kind::Advertise { broker },
        21..=23 => Kind::Curt {
            topic,
            partition,
            percent: random.pick(&[30, 100]),
            failure: choose_failure(random, &REFUSALS),
        },
        24 | 25 => Kind::Stutter {
            topic,
            partition,
            gap_ns: random.magnitude(tempo_ns / 50, tempo_ns),
            failure: choose_failure(random, &DOUBTS),
        },
        26 | 27 => Kind::Fence { broker },
        _ => Kind::Nonsense { broker, percent: random.pick(&[2, 10, 50]) },
    })
}

fn choose_failure(random: &mut Random, choices: &[(i16, bool)]) -> Option<Failure> {
    let (code, appended) = random.pick(choices);
    let then = random.percent(40).then(|| ErrorCode(random.pick(&REFUSALS).0));
    random.percent(90).then_some(Failure { error: ErrorCode(code), appended, then })
}

fn choose_injection(random: &mut Random, loses_state: bool) -> Option<Kind> {
    let api = random.pick(&[Api::Produce, Api::Produce, Api::Produce, Api::Metadata, Api::InitProducerId]);
    let all: Vec<ErrorCode> = ErrorCode::all().filter(|code| *code != ErrorCode::NONE).collect();
    let usual = ErrorCode(random.pick(&USUAL_CODES));
    let lost = random.pick(&PRODUCER_CODES);
    let error = match random.below(10) {
        0..5 => usual,
        5 if loses_state => lost,
        _ => random.pick(&all),
    };
    if api == Api::Produce && PRODUCER_CODES.contains(&error) && !loses_state {
        return None;
    }
    let appended = match error.info().appended {
        Appended::No => false,
        Appended::Maybe => random.percent(50),
        Appended::Yes => true,
    };
    Some(Kind::Inject { api, error, count: random.magnitude(1, 12) as u32, appended })
}
