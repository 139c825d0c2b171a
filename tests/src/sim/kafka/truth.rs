//! What must be true of outcomes.

use ringwire_codec::kafka::Appended;
use ringwire_core::{
    Acks, Charge, KafkaErrorCode, KafkaSettings, MILLISECOND_NS, Outcome, Reason, Report, WhenDown,
};

use super::context::Context;
use super::ledger::{self, Message, Place};
use super::port::Port;
use super::scenario::{LONG_NS, Scenario};

/// An outcome is told: it is the only one, and as far as can be seen now it is true.
pub(super) fn outcome(ctx: &mut Context, scenario: &Scenario, charge: Charge, report: &Report) {
    let (publisher, sequence) = (charge.publisher.0, report.sequence);
    ctx.judge.digest(sequence ^ (u64::from(report.outcome as u8) << 56));
    ctx.judge.note(|| {
        let (outcome, reason) = (report.outcome.name(), report.reason);
        let detail = match report.outcome {
            Outcome::Delivered => format!("{:?}", report.position()),
            _ => format!("{}", report.broker_error()),
        };
        format!("{publisher}.{sequence} is {outcome}, {reason:?} {detail}")
    });
    let Some(message) = ctx.ledger.message(publisher, sequence) else {
        return ctx.judge.broken("an outcome belongs to a message", format!("{publisher}.{sequence}"));
    };
    let first = message.outcome.is_none() && message.handed_ns.is_some();
    let agrees = message.cost == charge.bytes && Some(charge.taken_ns) == message.handed_ns;
    message.outcome = Some(report.outcome);
    let message = message.clone();
    let index = publisher as usize;
    let outstanding = ledger::subtract(&mut ctx.ledger.handed[index], message.cost)
        && ledger::subtract(&mut ctx.ledger.accepted[index], message.cost);
    let told = || format!("{publisher}.{sequence}: {report:?} {charge:?} {message:?}");
    ctx.judge.require(first, "each message has one outcome", told);
    ctx.judge.require(agrees && outstanding, "an outcome gives back what was taken", told);
    let is_agreed = report.channel as usize == message.channel && report.leg == 0 && report.tag == !sequence;
    ctx.judge.require(is_agreed, "a report is about its message", told);
    match report.outcome {
        Outcome::Delivered => delivered(ctx, scenario, &message, report, told),
        Outcome::NotSent => not_sent(ctx, scenario, &message, report, told),
        Outcome::Unknown => unknown(ctx, scenario, &message, report, told),
    }
}

fn delivered(
    ctx: &mut Context,
    scenario: &Scenario,
    message: &Message,
    report: &Report,
    told: impl Fn() -> String,
) {
    ctx.coverage.delivered += 1;
    ctx.coverage.delivered_without_place += u64::from(report.position().1 < 0);
    let (partition, offset) = report.position();
    let is_there = |place: &Place| place.partition == partition && (offset < 0 || place.offset == offset);
    let is_true = message.places.iter().any(is_there);
    ctx.judge.require(is_true, "what is delivered is in the log where it was told", &told);
    let is_acknowledged = scenario.settings.acks != Acks::None;
    ctx.judge.require(is_acknowledged, "nothing is delivered without an acknowledgement", told);
}

fn not_sent(
    ctx: &mut Context,
    scenario: &Scenario,
    message: &Message,
    report: &Report,
    told: impl Fn() -> String,
) {
    let coverage = &mut ctx.coverage;
    coverage.not_sent += 1;
    match report.reason {
        Reason::Expired => coverage.expired += 1,
        Reason::BrokerError => coverage.refused_by_broker += 1,
        Reason::NoPartition => coverage.no_partition += 1,
        Reason::NotConnected | Reason::Dropped => coverage.down += 1,
        _ => {}
    }
    let is_false = !message.places.is_empty() && !message.shaken;
    ctx.judge.require(!is_false, "what is not sent is not in the log", &told);
    let settings = &scenario.settings;
    let waited_ns = message.handed_ns.map_or(0, |since_ns| ctx.now_ns - since_ns);
    // The oldest record of a batch decides, and open batches are looked at ten times a second.
    let early_ns = settings.delivery_timeout_ns / 8 + 100 * MILLISECOND_NS;
    let book = &ctx.ledger.topics[message.topic];
    let when_down = scenario.channels[message.channel].when_down;
    let has_reason = match report.reason {
        Reason::Expired => waited_ns + early_ns >= settings.delivery_timeout_ns,
        Reason::NotConnected => when_down == WhenDown::Reject,
        Reason::Dropped => when_down == WhenDown::Drop,
        Reason::NoPartition => {
            message.partition >= book.partitions_min as i32 || message.partition < 0 && book.was_deleted
        }
        Reason::TooLarge => message.payload_len + OVERHEAD > settings.max_request_size,
        Reason::Shutdown => ctx.expired,
        Reason::BrokerError => refusal_is_due(ctx, scenario, message, report.broker_error()),
        _ => false,
    };
    ctx.coverage.too_large += u64::from(is_too_large(ctx, scenario, message));
    ctx.judge.require(has_reason, "what is not sent has its reason", told);
}

/// Bytes that a record takes beside its payload, batch and key included, at the most.
const OVERHEAD: usize = 200;

fn is_too_large(ctx: &Context, scenario: &Scenario, message: &Message) -> bool {
    let limit = ctx.ledger.topics[message.topic].message_bytes_max.unwrap_or(usize::MAX);
    message.payload_len + OVERHEAD > limit.min(scenario.settings.max_request_size)
}

/// Whether a broker had reason to refuse a message for good, by this code.
fn refusal_is_due(ctx: &Context, scenario: &Scenario, message: &Message, code: KafkaErrorCode) -> bool {
    let settings = &scenario.settings;
    let info = code.info();
    let book = &ctx.ledger.topics[message.topic];
    let names_records = scenario.names_records();
    // Who comes later than others, waits less.
    let is_missing = settings.topic_propagation_ns < LONG_NS && ctx.ledger.misses(code);
    match code {
        _ if ctx.ledger.was_injected(code) => {
            // What may pass is tried again, as often as the settings say.
            !info.retriable || settings.retries < u32::MAX || is_missing || !settings.idempotent
        }
        KafkaErrorCode::MESSAGE_TOO_LARGE => is_too_large(ctx, scenario, message),
        KafkaErrorCode::INVALID_RECORD => book.is_compacted && (message.key.is_none() || !names_records),
        _ if info.retriable => settings.retries < u32::MAX || is_missing,
        KafkaErrorCode(TOPIC_AUTHORIZATION_FAILED) => ctx.ledger.banned,
        KafkaErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER => !settings.idempotent,
        _ => false,
    }
}

/// Whether a broker says by this that there is no such topic.
fn is_gone(code: KafkaErrorCode) -> bool {
    matches!(code, KafkaErrorCode::UNKNOWN_TOPIC_OR_PARTITION | KafkaErrorCode::UNKNOWN_TOPIC_ID)
}

const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

fn unknown(
    ctx: &mut Context,
    scenario: &Scenario,
    message: &Message,
    report: &Report,
    told: impl Fn() -> String,
) {
    ctx.coverage.unknown += 1;
    ctx.coverage.state_lost += u64::from(report.reason == Reason::StateLost);
    let KafkaSettings { acks, idempotent, .. } = scenario.settings;
    let code = report.broker_error();
    let is_final = !code.info().retriable && code.info().appended == Appended::No;
    let has_reason = match report.reason {
        Reason::Shutdown => ctx.expired,
        Reason::NotAcknowledged => acks == Acks::None,
        Reason::ConnectionLost => !idempotent,
        Reason::NoPartition => ctx.ledger.topics[message.topic].was_deleted,
        // What the broker remembers of the producer goes with its topic.
        Reason::BrokerError => !idempotent || is_final || is_gone(code) && ctx.ledger.misses(code),
        Reason::StateLost => idempotent && (message.shaken || ctx.ledger.excuses_disorder(message.topic)),
        _ => false,
    };
    ctx.ledger.unsettled |= idempotent;
    ctx.judge.require(has_reason, "what is unknown has its reason", &told);
    let can_be_there = acks == Acks::None || message.has_left;
    ctx.judge.require(can_be_there, "what has not left the client is not unknown", told);
}

/// At the end, when nothing is under way any more: the logs hold what was told.
pub(super) fn at_the_end(ctx: &mut Context) {
    for publisher in 0..ctx.ledger.messages.len() {
        for (sequence, message) in ctx.ledger.messages[publisher].iter().enumerate() {
            let told = || format!("{publisher}.{sequence}: {message:?}");
            let copies = message.places.len();
            let judge = &mut ctx.judge;
            judge.require(message.outcome.is_some(), "each message has an outcome in the end", told);
            ctx.coverage.shaken += u64::from(message.shaken);
            ctx.coverage.shaken_twice += u64::from(message.shaken && copies > 1);
            ctx.coverage.unknown_appended +=
                u64::from(message.outcome == Some(Outcome::Unknown) && copies > 0);
            if message.shaken {
                continue;
            }
            match message.outcome {
                Some(Outcome::Delivered) => {
                    judge.require(copies == 1, "what is delivered is in the log exactly once", told);
                }
                Some(Outcome::NotSent) => {
                    judge.require(copies == 0, "what is not sent never gets into the log", told);
                }
                _ => judge.require(copies <= 1, "what is unknown is in the log at most once", told),
            }
        }
        order(ctx, publisher);
    }
    for (publisher, left) in ctx.ledger.accepted.iter().enumerate() {
        let words = || format!("publisher {publisher} has {left:?} outstanding");
        ctx.judge.require(*left == (0, 0), "all credit comes back", words);
    }
}

/// Delivered messages of a publisher and channel stand in each log in the order in which they were published.
fn order(ctx: &mut Context, publisher: usize) {
    let mut last = std::collections::BTreeMap::<(usize, u32, i32), (i64, usize)>::new();
    for (sequence, message) in ctx.ledger.messages[publisher].iter().enumerate() {
        if message.outcome != Some(Outcome::Delivered) || message.shaken {
            continue;
        }
        let Some(place) = message.places.first() else { continue };
        let line = (message.channel, place.incarnation, place.partition);
        let before = last.insert(line, (place.offset, sequence));
        if let Some((offset, earlier)) = before.filter(|(offset, _)| *offset > place.offset) {
            let words =
                format!("{publisher}.{earlier} at {offset} before {publisher}.{sequence} at {place:?}");
            return ctx.judge.broken("order is kept", words);
        }
    }
}

/// Whether nothing about a message stands against its delivery, in a world where nothing goes wrong.
pub(super) fn can_be_delivered(port: &Port, message: &Message) -> bool {
    let settings = &port.scenario.settings;
    let book = &port.ctx.ledger.topics[message.topic];
    let acknowledges = settings.acks != Acks::None;
    // One invalid record takes its batch along where answers do not name it, and there may be company.
    let is_valid = !book.is_compacted || message.key.is_some() && port.scenario.names_records();
    // With old metadata the first message may go to a leader of old, or into a partition that is no more.
    let is_lasting = settings.retries == u32::MAX && !book.was_deleted;
    let is_informed = settings.metadata_max_age_ns < LONG_NS || is_lasting;
    acknowledges && is_valid && is_informed && !is_too_large(&port.ctx, &port.scenario, message)
}
