//! What went over the wire, as the client saw it: what it asked and heard, and so what it could know.
//!
//! Requests are read when they are offered to a socket, answers when the shard has them. Neither looks into the core.

use std::collections::{BTreeMap, VecDeque};

use ringwire_codec::kafka::{
    Api, Appended, ErrorCode, Inflater, MetadataRequest, MetadataResponse, NO_UUID, PartitionProduceResponse,
    ProduceRequest, ReceivedRequest, RecordBatch, decode_response,
};
use ringwire_core::{ConnectionId, KafkaSettings, MILLISECOND_NS};

use super::context::Context;
use crate::sim::ledger::sender;

/// A topic by its index, and a partition of it.
type Part = (usize, i32);
/// Producer id and epoch.
type Identity = (i64, i16);
/// A batch, by its base sequence.
type Number = (Part, Identity, i32);

/// Bytes of a request that are not batches, at the most.
const HEAD_MAX: usize = 2 << 10;

/// A batch under way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    part: Part,
    identity: Identity,
    sequence: i32,
    /// Nothing else of its partition was under way.
    is_alone: bool,
}

#[derive(Debug)]
struct Asked {
    api: Api,
    version: i16,
    correlation_id: i32,
    /// Stream positions of its first byte, and behind its last.
    start: u64,
    end: u64,
    sent: Vec<Sent>,
    /// The messages in it, by publisher and sequence.
    messages: Vec<(usize, u64)>,
}

/// One connection.
#[derive(Debug, Default)]
struct Line {
    broker: Option<i32>,
    /// Bytes that `send` took, and that were looked at.
    taken: u64,
    seen: u64,
    asked: VecDeque<Asked>,
    heard: Vec<u8>,
    /// What came is no answer: nothing is read any more.
    is_lost: bool,
    muted_until_ns: u64,
    fresh: Vec<(Part, Leader)>,
    fresh_mute_ns: u64,
}

/// Who leads a partition, as far as the client can know. Two answers of one instant may both count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leader {
    epoch: i32,
    topic_id: [u8; 16],
    nodes: Vec<i32>,
}

/// A batch that was sent, and is not decided.
#[derive(Debug)]
struct Frozen {
    checksum: [u8; 4],
    len: usize,
    messages: Vec<(usize, u64)>,
    /// It may be in a log.
    is_ambiguous: bool,
}

#[derive(Debug, Default)]
pub(super) struct Wire {
    names: Vec<String>,
    settings: Option<KafkaSettings>,
    lines: Vec<Line>,
    ids: BTreeMap<[u8; 16], usize>,
    leaders: BTreeMap<Part, Leader>,
    flying: BTreeMap<Part, Vec<(usize, Sent)>>,
    /// Partitions that had an answer in this turn: what goes out now may have been made before that was read.
    landed: Vec<Part>,
    /// The last success of a partition: the broker, and under which identity.
    proven: BTreeMap<Part, (Option<i32>, Identity)>,
    frozen: BTreeMap<Number, Frozen>,
    /// By message: the batch that it was sent in last. Only with idempotence.
    numbers: BTreeMap<(usize, u64), Number>,
    inflater: Inflater,
    scratch: Vec<u8>,
    /// What connections told that have ended in this turn.
    last_words: Vec<(Part, Leader)>,
    epoch_max: i16,
}

impl Wire {
    pub(super) fn new(names: Vec<String>, settings: KafkaSettings) -> Self {
        Self { names, settings: Some(settings), ..Self::default() }
    }

    fn topic(&self, name: &str, id: [u8; 16]) -> Option<usize> {
        let named = self.names.iter().position(|it| it == name);
        named.or_else(|| self.ids.get(&id).copied())
    }
}

/// A connection is there.
pub(super) fn opened(ctx: &mut Context, connection: ConnectionId, broker: Option<i32>) {
    let lines = &mut ctx.wire.lines;
    if lines.len() <= connection.index() {
        lines.resize_with(connection.index() + 1, Line::default);
    }
    lines[connection.index()] = Line { broker, ..Line::default() };
}

/// The client knows that a connection is gone.
pub(super) fn closed(ctx: &mut Context, connection: ConnectionId) {
    let Some(line) = ctx.wire.lines.get_mut(connection.index()) else { return };
    let line = std::mem::take(line);
    ctx.wire.last_words.extend(line.fresh);
    for asked in line.asked {
        let was_sent = asked.end <= line.taken;
        let is_cut = !was_sent && asked.start < line.taken && asked.api == Api::Produce;
        ctx.coverage.half_sent += u64::from(is_cut);
        for sent in asked.sent {
            land(&mut ctx.wire, connection.index(), &sent);
            let key = (sent.part, sent.identity, sent.sequence);
            if was_sent {
                ctx.wire.frozen.entry(key).and_modify(|it| it.is_ambiguous = true);
            } else if ctx.wire.frozen.get(&key).is_some_and(|it| !it.is_ambiguous) {
                ctx.wire.frozen.remove(&key);
            }
        }
    }
}

/// `send` took so many bytes.
pub(super) fn taken(ctx: &mut Context, connection: ConnectionId, n: usize) {
    let line = &mut ctx.wire.lines[connection.index()];
    line.taken += n as u64;
    for asked in line.asked.iter_mut().filter(|asked| asked.end <= line.taken) {
        for (publisher, sequence) in asked.messages.drain(..) {
            if let Some(message) = ctx.ledger.message(publisher as u32, sequence) {
                message.has_left = true;
            }
        }
    }
}

/// What the core wants to send on a connection: whole requests, of which some may have been seen.
pub(super) fn offered(ctx: &mut Context, connection: ConnectionId, output: &[u8]) {
    let mut wire = std::mem::take(&mut ctx.wire);
    let line = &mut wire.lines[connection.index()];
    let mut rest = &output[(line.seen.saturating_sub(line.taken) as usize).min(output.len())..];
    while let Some((len, body)) = rest.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let Some((payload, after)) = body.split_at_checked(len) else {
            ctx.judge.broken("a request is whole", format!("{connection:?}: {len} bytes"));
            break;
        };
        wire.lines[connection.index()].seen += 4 + len as u64;
        rest = after;
        asked(ctx, &mut wire, connection.index(), payload);
    }
    ctx.wire = wire;
}

fn asked(ctx: &mut Context, wire: &mut Wire, line: usize, payload: &[u8]) {
    let Ok(received) = ReceivedRequest::parse(payload) else {
        return ctx.judge.broken("a request can be read", format!("{payload:?}"));
    };
    let Some(api) = Api::from_key(received.api_key) else {
        return ctx.judge.broken("a request can be read", format!("api {}", received.api_key));
    };
    let (version, correlation_id) = (received.header.version, received.header.correlation_id);
    let end = wire.lines[line].seen;
    let start = end - 4 - payload.len() as u64;
    let mut asked =
        Asked { api, version, correlation_id, start, end, sent: Vec::new(), messages: Vec::new() };
    if api == Api::Produce {
        ctx.coverage.produces += 1;
        let Ok(request) = received.decode::<ProduceRequest<'_>>() else {
            return ctx.judge.broken("a request can be read", format!("{payload:?}"));
        };
        (asked.sent, asked.messages) = sends(ctx, wire, line, &request);
        limits(ctx, wire, line, payload.len(), asked.sent.len());
        if request.acks == 0 {
            // Nobody answers.
            return;
        }
    }
    wire.lines[line].asked.push_back(asked);
}

/// Who published what is in a batch.
fn messages(wire: &mut Wire, batch: &RecordBatch<'_>) -> Vec<(usize, u64)> {
    let Ok(records) = batch.records(&mut wire.inflater, &mut wire.scratch) else { return Vec::new() };
    records.flatten().filter_map(|read| sender(read.record.value?)).collect()
}

/// What a Produce request keeps to.
fn limits(ctx: &mut Context, wire: &Wire, line: usize, len: usize, parts: usize) {
    let Some(settings) = &wire.settings else { return };
    let line = &wire.lines[line];
    let under_way = line.asked.iter().filter(|asked| asked.api == Api::Produce).count();
    let words = || format!("{under_way} of {}", settings.max_in_flight);
    ctx.judge.require(
        under_way < settings.max_in_flight,
        "no more requests are under way than may be",
        words,
    );
    let fits = len <= settings.max_request_size + HEAD_MAX || parts == 1;
    let words = || format!("{len} bytes, {} at the most", settings.max_request_size);
    ctx.judge.require(fits, "a request is no larger than it may be", words);
    let (now_ns, until_ns) = (ctx.now_ns, line.muted_until_ns);
    ctx.judge.require(now_ns >= until_ns, "a broker's wish for a pause is kept", || {
        format!("broker {:?} until {until_ns}", line.broker)
    });
}

/// Looks at each batch of a request. Answers them, and their messages.
fn sends(
    ctx: &mut Context,
    wire: &mut Wire,
    line: usize,
    request: &ProduceRequest<'_>,
) -> (Vec<Sent>, Vec<(usize, u64)>) {
    let (mut all, mut all_messages) = (Vec::new(), Vec::new());
    for topic in &request.topic_data {
        let Some(index) = wire.topic(topic.name, topic.topic_id) else {
            ctx.judge.broken("a request names a topic", format!("{:?}", topic.name));
            continue;
        };
        for data in &topic.partition_data {
            let bytes = data.records.unwrap_or_default();
            let Ok((batch, _)) = RecordBatch::read(bytes) else {
                ctx.judge
                    .broken("a request has a batch for each partition", format!("{index}/{}", data.index));
                continue;
            };
            let part = (index, data.index);
            let identity = (batch.producer_id, batch.producer_epoch);
            let is_alone = wire.flying.get(&part).is_none_or(Vec::is_empty) && !wire.landed.contains(&part);
            let sent = Sent { part, identity, sequence: batch.base_sequence, is_alone };
            ctx.judge.note(|| {
                let (broker, count) = (wire.lines[line].broker, batch.count);
                format!("to {broker:?}: {sent:?}, {count} records")
            });
            ctx.coverage.epochs += u64::from(identity.1 > wire.epoch_max);
            wire.epoch_max = wire.epoch_max.max(identity.1);
            goes_to_its_leader(ctx, wire, line, &sent);
            if request.acks != 0 {
                goes_in_turn(ctx, wire, line, &sent);
                wire.flying.entry(part).or_default().push((line, sent));
            }
            let inside = messages(wire, &batch);
            all_messages.extend_from_slice(&inside);
            if identity.0 >= 0 {
                keeps_its_number(ctx, wire, &sent, &inside);
                is_what_it_was(ctx, wire, &sent, bytes, inside);
            }
            all.push(sent);
        }
    }
    (all, all_messages)
}

fn goes_to_its_leader(ctx: &mut Context, wire: &Wire, line: usize, sent: &Sent) {
    let Some(leader) = wire.leaders.get(&sent.part) else { return };
    let broker = wire.lines[line].broker;
    // Without ids a topic that was made anew is not told from the one before: epochs mean nothing then.
    let is_nameless = leader.topic_id == NO_UUID;
    // A leader that is down is named, or not, in the same epoch.
    let is_doubtful = is_nameless || leader.nodes.contains(&-1);
    let leads = |leader: &Leader| broker.is_some_and(|broker| leader.nodes.contains(&broker));
    // What came in this turn may have been read already.
    let mut fresh = wire.lines.iter().flat_map(|line| &line.fresh).chain(&wire.last_words);
    let is_fresh = fresh.any(|(part, it)| {
        *part == sent.part && leads(it) && (it.topic_id != leader.topic_id || it.epoch >= leader.epoch)
    });
    let is_known = is_doubtful || leads(leader) || is_fresh;
    let words = || format!("{sent:?} to {broker:?}, led by {leader:?}");
    ctx.judge.require(is_known, "a batch goes to the leader that is known", words);
}

fn goes_in_turn(ctx: &mut Context, wire: &Wire, line: usize, sent: &Sent) {
    let flying = wire.flying.get(&sent.part).map_or(&[][..], Vec::as_slice);
    if flying.is_empty() {
        return;
    }
    ctx.coverage.pipelined += 1;
    let is_idempotent = sent.identity.0 >= 0;
    let words = || format!("{sent:?}, and {flying:?}");
    ctx.judge.require(is_idempotent, "without idempotence one batch of a partition is under way", words);
    let is_here = flying.iter().all(|(other, _)| *other == line);
    ctx.judge.require(is_here, "nothing goes to a new leader before the old one has answered", words);
    let proof = (wire.lines[line].broker, sent.identity);
    let is_proven = wire.proven.get(&sent.part) == Some(&proof);
    ctx.judge.require(is_proven, "one batch is under way until the leader took one", words);
}

/// A batch that may be in a log is sent again as it was.
fn is_what_it_was(
    ctx: &mut Context,
    wire: &mut Wire,
    sent: &Sent,
    bytes: &[u8],
    messages: Vec<(usize, u64)>,
) {
    /// Where a batch has its checksum.
    const CRC_AT: usize = 17;
    let mut checksum = [0; 4];
    checksum.copy_from_slice(&bytes[CRC_AT..CRC_AT + 4]);
    let key = (sent.part, sent.identity, sent.sequence);
    let new = Frozen { checksum, len: bytes.len(), messages, is_ambiguous: false };
    let Some(before) = wire.frozen.get(&key) else {
        wire.frozen.insert(key, new);
        return;
    };
    ctx.coverage.resends += 1;
    let flying = wire.flying.get(&sent.part).map_or(&[][..], Vec::as_slice);
    // The last one is the batch itself.
    let others = &flying[..flying.len().saturating_sub(1)];
    let is_first = others.iter().all(|(_, other)| other.sequence.wrapping_sub(sent.sequence) < 0);
    let words = || format!("{sent:?}, and {others:?}");
    ctx.judge.require(is_first, "what failed goes again when all behind it is answered", words);
    let is_same = (before.checksum, before.len) == (new.checksum, new.len);
    ctx.judge.require(is_same, "what may be in the log is sent again as it was", || format!("{sent:?}"));
}

/// As long as an attempt may be in the log, its messages go under no other number of the same epoch: the log could take
/// both.
fn keeps_its_number(ctx: &mut Context, wire: &mut Wire, sent: &Sent, inside: &[(usize, u64)]) {
    let number = (sent.part, sent.identity, sent.sequence);
    for message in inside {
        let Some(before) = wire.numbers.insert(*message, number) else { continue };
        let before_it = wire.frozen.get(&before);
        let is_open = before_it.is_some_and(|it| it.is_ambiguous && it.messages.contains(message));
        let is_kept = before == number || before.1 != number.1 || !is_open;
        let words = || format!("{message:?} was sent as {before:?}, now {number:?}");
        ctx.judge.require(is_kept, "what may be in the log keeps its number", words);
    }
}

fn land(wire: &mut Wire, line: usize, sent: &Sent) {
    if let Some(flying) = wire.flying.get_mut(&sent.part)
        && let Some(at) = flying.iter().position(|(on, it)| *on == line && it.sequence == sent.sequence)
    {
        flying.remove(at);
    }
}

/// The shard has received bytes on a connection.
pub(super) fn heard(ctx: &mut Context, connection: ConnectionId, bytes: &[u8]) {
    let mut wire = std::mem::take(&mut ctx.wire);
    let index = connection.index();
    let mut heard = std::mem::take(&mut wire.lines[index].heard);
    heard.extend_from_slice(bytes);
    let mut used = 0;
    while !wire.lines[index].is_lost {
        let Some((len, body)) = heard[used..].split_first_chunk::<4>() else { break };
        let Some(payload) = body.get(..u32::from_be_bytes(*len) as usize) else { break };
        used += 4 + payload.len();
        let is_answer = answered(ctx, &mut wire, index, payload);
        wire.lines[index].is_lost = is_answer.is_none();
    }
    heard.drain(..used);
    wire.lines[index].heard = heard;
    ctx.wire = wire;
}

/// Reads an answer; none if it is no answer.
fn answered(ctx: &mut Context, wire: &mut Wire, line: usize, payload: &[u8]) -> Option<()> {
    let id = i32::from_be_bytes(*payload.first_chunk()?);
    let asked = wire.lines[line].asked.front().filter(|asked| asked.correlation_id == id)?;
    let version = asked.version;
    match asked.api {
        Api::Metadata => {
            let answer = decode_response::<MetadataRequest<'_>>(version, payload).ok()?;
            learn_metadata(ctx, wire, line, &answer);
            mute(ctx, wire, line, answer.throttle_time_ms);
        }
        Api::Produce => {
            let answer = decode_response::<ProduceRequest<'_>>(version, payload).ok()?;
            let told: usize = answer.responses.into_iter().map(|topic| topic.partition_responses.len()).sum();
            if told != asked.sent.len() {
                return None;
            }
            for topic in answer.responses {
                let index = wire.topic(topic.name, topic.topic_id)?;
                for told in topic.partition_responses {
                    produced(ctx, wire, line, (index, told.index), &told)?;
                }
            }
            mute(ctx, wire, line, answer.throttle_time_ms);
        }
        _ => {}
    }
    wire.lines[line].asked.pop_front();
    Some(())
}

fn mute(ctx: &mut Context, wire: &mut Wire, line: usize, throttle_time_ms: i32) {
    if throttle_time_ms > 0 {
        ctx.coverage.throttles += 1;
        wire.lines[line].fresh_mute_ns = ctx.now_ns + throttle_time_ms as u64 * MILLISECOND_NS;
    }
}

fn learn_metadata(ctx: &mut Context, wire: &mut Wire, line: usize, answer: &MetadataResponse<'_>) {
    for topic in answer.topics {
        let Some(index) = topic.name.and_then(|name| wire.topic(name, NO_UUID)) else { continue };
        if topic.error_code != ErrorCode::NONE {
            continue;
        }
        wire.ids.insert(topic.topic_id, index);
        for told in topic.partitions {
            let part = (index, told.partition_index);
            let known = wire.leaders.get(&part);
            let is_stale =
                known.is_some_and(|it| it.topic_id == topic.topic_id && told.leader_epoch < it.epoch);
            ctx.coverage.stale_answers += u64::from(is_stale && told.leader_epoch >= 0);
            let leader =
                Leader { epoch: told.leader_epoch, topic_id: topic.topic_id, nodes: vec![told.leader_id] };
            wire.lines[line].fresh.push((part, leader));
        }
    }
}

/// What a broker says of one batch; none if it was not asked.
fn produced(
    ctx: &mut Context,
    wire: &mut Wire,
    line: usize,
    part: Part,
    told: &PartitionProduceResponse<'_>,
) -> Option<()> {
    let asked = wire.lines[line].asked.front()?;
    let sent = *asked.sent.iter().find(|sent| sent.part == part)?;
    land(wire, line, &sent);
    wire.landed.push(part);
    let broker = wire.lines[line].broker;
    let key = (part, sent.identity, sent.sequence);
    let code = told.error_code;
    ctx.judge.note(|| format!("from {broker:?}: {sent:?} is answered {code}"));
    match code.info().appended {
        Appended::Yes => {
            wire.frozen.remove(&key);
            wire.proven.insert(part, (broker, sent.identity));
        }
        Appended::Maybe => {
            wire.frozen.entry(key).and_modify(|it| it.is_ambiguous = true);
        }
        Appended::No => {
            if wire.frozen.get(&key).is_some_and(|it| !it.is_ambiguous) {
                wire.frozen.remove(&key);
            }
        }
    }
    let coverage = &mut ctx.coverage;
    match code {
        ErrorCode::NONE => {}
        ErrorCode::NOT_LEADER_OR_FOLLOWER => coverage.not_leader += 1,
        ErrorCode::MESSAGE_TOO_LARGE => coverage.batches_too_large += 1,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::INVALID_PRODUCER_EPOCH => {
            coverage.out_of_order += 1;
            let is_excused = !sent.is_alone || ctx.ledger.excuses_disorder(part.0);
            ctx.judge.require(is_excused, "a batch alone is in its sequence", || format!("{sent:?}: {code}"));
        }
        _ => coverage.other_errors += 1,
    }
    coverage_of_records(ctx, told);
    let hint = told.current_leader;
    if hint.leader_id >= 0 {
        ctx.coverage.hints += 1;
        let topic_id = wire.leaders.get(&part).map_or(NO_UUID, |it| it.topic_id);
        let leader = Leader { epoch: hint.leader_epoch, topic_id, nodes: vec![hint.leader_id] };
        wire.lines[line].fresh.push((part, leader));
    }
    Some(())
}

fn coverage_of_records(ctx: &mut Context, told: &PartitionProduceResponse<'_>) {
    ctx.coverage.record_errors += u64::from(!told.record_errors.is_empty());
}

/// The core has read all that it heard: from now on it knows that.
pub(super) fn turn_over(ctx: &mut Context) {
    let wire = &mut ctx.wire;
    let mut fresh = std::mem::take(&mut wire.last_words);
    wire.landed.clear();
    for line in &mut wire.lines {
        fresh.append(&mut line.fresh);
        line.muted_until_ns = line.muted_until_ns.max(std::mem::take(&mut line.fresh_mute_ns));
    }
    let mut merged = BTreeMap::<Part, Leader>::new();
    for (part, leader) in fresh {
        match merged.get_mut(&part) {
            Some(other) if other.topic_id == leader.topic_id && other.epoch == leader.epoch => {
                other.nodes.extend(leader.nodes);
            }
            Some(other) if other.topic_id == leader.topic_id && other.epoch > leader.epoch => {}
            Some(other) if other.topic_id == leader.topic_id => *other = leader,
            // Which of two topics is the newer one, nobody can tell from here.
            Some(other) => other.nodes.extend(leader.nodes),
            None => {
                merged.insert(part, leader);
            }
        }
    }
    for (part, leader) in merged {
        let known = wire.leaders.get(&part);
        let is_stale = known.is_some_and(|it| it.topic_id == leader.topic_id && leader.epoch < it.epoch);
        if !is_stale || leader.epoch < 0 {
            wire.leaders.insert(part, leader);
        }
    }
}
