//! What became of each batch, and what follows from it.
//!
//! | The broker says | then the batch |
//! |---|---|
//! | no error, or that it has it already | is *delivered* |
//! | it is too large, and it may be split | goes again as two halves |
//! | some of its records are invalid | goes again without them; they are *not sent* |
//! | certainly not in the log, and it may pass | goes again, until `delivery.timeout.ms` or `retries` end it |
//! | certainly not in the log, for good | is *not sent* |
//! | perhaps in the log, or no answer at all | goes again as it is until that is decided; without idempotence it is *unknown* |

use ringwire_codec::kafka::{
    Appended, ErrorCode, PartitionProduceResponse, ProduceRequest, ProduceResponse, decode_response,
};

use super::link::{Asked, Part, Question};
use super::partition::{Batch, Entry};
use super::settings::Acks;
use super::{KafkaProducer, Slots, count};
use crate::outlet::{Charge, EndpointId, Outlet};
use crate::report::{Outcome, Reason, Report, broker_error_detail, last_error_detail, position_detail};
use crate::status::LinkError;

/// Offset of a batch of which the broker says only that it has it.
const OFFSET_UNKNOWN: i64 = -1;

/// Which of the asked partitions an answer names: a request has them in order.
fn part_of(parts: &[Part], topic: Option<u32>, index: i32) -> Option<usize> {
    let wanted = (topic?, u32::try_from(index).ok()?);
    parts.binary_search_by_key(&wanted, |part| (part.topic, part.partition)).ok()
}

impl KafkaProducer {
    /// An answer came.
    pub(super) fn answered(
        &mut self,
        now_ns: u64,
        lane: usize,
        asked: Asked,
        slots: &mut Slots,
        outlet: &mut impl Outlet,
    ) -> Result<(), LinkError> {
        let answered = match &asked.question {
            Question::Versions => {
                self.is_state_stale = true;
                self.writable.push(self.links[lane].connection);
                let greeted = self.links[lane].greet(now_ns, &self.settings, asked.version);
                let link = &self.links[lane];
                self.counters.reconnects += u64::from(link.is_ready() && link.established > 1);
                greeted
            }
            Question::Metadata => self.metadata_answered(now_ns, lane, &asked, slots, outlet),
            Question::ProducerId => self.identity_answered(now_ns, lane, &asked),
            Question::Produce(_) => self.produced(now_ns, lane, &asked, slots, outlet),
        };
        match answered {
            Ok(()) => {
                self.links[lane].consumed();
                if let Question::Produce(mut parts) = asked.question {
                    parts.clear();
                    self.spare_parts.push(parts);
                }
                Ok(())
            }
            Err(error) => {
                // What was asked had no answer that could be read: as if the connection had ended before it.
                self.links[lane].asked.push_front(asked);
                Err(error)
            }
        }
    }

    /// An answer's bytes, out of the receive buffer: while they are read, all the rest of us may change. The caller
    /// gives their place back as `scratch`.
    pub(super) fn take_payload(&mut self, lane: usize) -> Vec<u8> {
        let mut payload = std::mem::take(&mut self.scratch);
        payload.clear();
        payload.extend_from_slice(self.links[lane].payload());
        payload
    }

    /// Reads the answer to a Produce request.
    fn produced(
        &mut self,
        now_ns: u64,
        lane: usize,
        asked: &Asked,
        slots: &mut Slots,
        outlet: &mut impl Outlet,
    ) -> Result<(), LinkError> {
        let Question::Produce(parts) = &asked.question else { return Ok(()) };
        let payload = self.take_payload(lane);
        let result = self.read_produced(now_ns, lane, asked.version, parts, &payload, outlet);
        self.scratch = payload;
        let is_news = result?;
        if is_news {
            self.connect_leaders(now_ns, slots);
        }
        Ok(())
    }

    /// Answers whether leaders changed.
    fn read_produced(
        &mut self,
        now_ns: u64,
        lane: usize,
        version: i16,
        parts: &[Part],
        payload: &[u8],
        outlet: &mut impl Outlet,
    ) -> Result<bool, LinkError> {
        let protocol = |words: String| LinkError::Protocol(words.into());
        let answer = decode_response::<ProduceRequest<'_>>(version, payload)
            .map_err(|error| protocol(error.to_string()))?;
        self.check_produced(parts, &answer).map_err(protocol)?;
        self.links[lane].throttle(now_ns, answer.throttle_time_ms);
        let mut is_news = false;
        for topic in answer.responses {
            let number = self.topic_of(parts, topic.name, topic.topic_id);
            for told in topic.partition_responses {
                let Some(at) = part_of(parts, number, told.index) else { continue };
                is_news |= self.partition_answered(now_ns, parts[at], &told, &answer, outlet);
            }
        }
        self.links[lane].succeeded();
        Ok(is_news)
    }

    /// Every part is answered exactly once, or the answer is none.
    fn check_produced(&mut self, parts: &[Part], answer: &ProduceResponse<'_>) -> Result<(), String> {
        self.is_told.clear();
        self.is_told.resize(parts.len(), false);
        for topic in answer.responses {
            let number = self.topic_of(parts, topic.name, topic.topic_id);
            for partition in topic.partition_responses {
                let at = part_of(parts, number, partition.index);
                let is_first = at.is_some_and(|at| !std::mem::replace(&mut self.is_told[at], true));
                if !is_first {
                    let trouble = if at.is_some() { "came twice" } else { "was not asked for" };
                    let (index, name) = (partition.index, topic.name);
                    return Err(format!("an answer for partition {index} of topic {name:?} {trouble}"));
                }
            }
        }
        let told = self.is_told.iter().filter(|is_told| **is_told).count();
        if told != parts.len() {
            return Err(format!("expected {} partitions in a Produce answer, got {told}", parts.len()));
        }
        Ok(())
    }

    /// Which topic an answer names, by its name or its id.
    fn topic_of(&self, parts: &[Part], name: &str, id: [u8; 16]) -> Option<u32> {
        let is_it = |number: u32| {
            let topic = &self.topics[number as usize];
            if name.is_empty() { topic.id == id || topic.former_id == id } else { topic.name == name }
        };
        // Mostly there is but one.
        if let Some(first) = parts.first().filter(|part| is_it(part.topic)) {
            return Some(first.topic);
        }
        let number = if name.is_empty() { self.by_id.get(&id) } else { self.by_name.get(name) };
        number.copied().filter(|number| is_it(*number))
    }

    /// What became of one batch. Answers whether a leader changed.
    fn partition_answered(
        &mut self,
        now_ns: u64,
        part: Part,
        told: &PartitionProduceResponse<'_>,
        answer: &ProduceResponse<'_>,
        outlet: &mut impl Outlet,
    ) -> bool {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        let Some(index) = partition.answered() else { return false };
        let code = told.error_code;
        let appended = match (code, self.settings.acks) {
            // They come before the append; behind it only with replicas to wait for.
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::NOT_LEADER_OR_FOLLOWER, Acks::Leader) => {
                Appended::No
            }
            _ => code.info().appended,
        };
        if appended == Appended::Yes {
            let offset = if code == ErrorCode::NONE { told.base_offset } else { OFFSET_UNKNOWN };
            // A former leader's answer says nothing of the present one. What failed before this one goes alone: with
            // others behind it, the broker might forget that it has it.
            let is_leaders = self.cluster.lane_of(partition.leader) == Some(usize::from(partition.lane));
            if is_leaders && index == 0 {
                partition.is_proven = true;
                partition.proven_ns = now_ns;
            }
            self.is_state_stale |= partition.has_setback();
            partition.failures = 0;
            if let Some((batch, _)) = partition.take(index, true) {
                self.delivered(now_ns, part, batch, offset, told.log_append_time_ms, outlet);
            }
            self.relist(part);
            return false;
        }
        self.counters.errors += 1;
        let hint = told.current_leader;
        for node in answer.node_endpoints {
            self.cluster.learn(node.node_id, node.host, node.port);
        }
        let (is_news, can_be_asked) = self.take_hint(part, hint.leader_id, hint.leader_epoch);
        self.failed(now_ns, part, index, code, appended, told, outlet);
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        if is_news && can_be_asked {
            partition.not_before_ns = 0;
        } else if is_about_leaders(code) {
            let at_ns = partition.not_before_ns.max(now_ns);
            self.cluster.ask_at(at_ns);
        }
        self.relist(part);
        is_news
    }

    /// A batch was refused, or nobody knows.
    #[allow(clippy::too_many_arguments, reason = "the answer and where it belongs")]
    fn failed(
        &mut self,
        now_ns: u64,
        part: Part,
        index: usize,
        code: ErrorCode,
        appended: Appended,
        told: &PartitionProduceResponse<'_>,
        outlet: &mut impl Outlet,
    ) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        partition.returned(index, appended == Appended::Maybe);
        partition.failures = partition.failures.saturating_add(1);
        partition.setback = Some(code);
        self.is_state_stale |= partition.has_setback();
        let failures = partition.failures;
        let Some(batch) = partition.queue.get(index) else { return };
        let (is_ambiguous, attempts) = (batch.is_ambiguous, batch.attempts);
        let delay_ns = self.retry_delay_ns(failures);
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        partition.not_before_ns = now_ns + delay_ns;
        match code {
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
                if self.settings.idempotent =>
            {
                self.out_of_order(now_ns, part, index, outlet);
            }
            ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE if !is_ambiguous => {
                let (compression, pool) = (self.settings.compression, &mut self.pool);
                let is_split = partition.split(index, compression, &mut self.compressors, pool);
                match is_split {
                    Ok(true) => partition.not_before_ns = 0,
                    Ok(false) | Err(_) => self.refuse(now_ns, part, index, code, outlet),
                }
            }
            _ if appended == Appended::Maybe && !self.settings.idempotent => {
                self.give_up(now_ns, part, index, Reason::BrokerError, code, outlet);
            }
            _ if is_ambiguous && code.info().appended == Appended::Maybe => {}
            _ if !told.record_errors.is_empty() && !is_ambiguous => {
                self.weed(now_ns, part, index, code, told, outlet);
            }
            _ if code.info().retriable && (is_ambiguous || attempts <= self.settings.retries) => {}
            _ if code.info().retriable => {
                self.give_up(now_ns, part, index, Reason::BrokerError, code, outlet);
            }
            _ => self.refuse(now_ns, part, index, code, outlet),
        }
    }

    /// Ends a batch that the broker refused for good. That is an answer: what comes behind it has nothing to wait for.
    fn refuse(&mut self, now_ns: u64, part: Part, index: usize, code: ErrorCode, outlet: &mut impl Outlet) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        self.is_state_stale |= partition.has_setback();
        partition.failures = 0;
        partition.not_before_ns = 0;
        self.give_up(now_ns, part, index, Reason::BrokerError, code, outlet);
    }

    /// The broker expects another sequence than the batch's.
    fn out_of_order(&mut self, now_ns: u64, part: Part, index: usize, outlet: &mut impl Outlet) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        if !partition.is_expected(index) {
            // Something before it is missing: that goes first, and then this.
            partition.not_before_ns = now_ns.min(partition.not_before_ns);
            return;
        }
        // All before it was answered, so the broker has lost what it knew of us.
        let identity = partition.identity;
        let is_ambiguous = partition.queue.get(index).is_some_and(|batch| batch.is_ambiguous);
        partition.breaks_at(index);
        if is_ambiguous {
            self.give_up(now_ns, part, index, Reason::StateLost, ErrorCode::NONE, outlet);
        }
        if let Some(identity) = identity {
            self.raise_epoch(identity);
        }
    }

    /// The broker named the records at fault: the innocent ones go again.
    fn weed(
        &mut self,
        now_ns: u64,
        part: Part,
        index: usize,
        code: ErrorCode,
        told: &PartitionProduceResponse<'_>,
        outlet: &mut impl Outlet,
    ) {
        let mut guilty: Vec<u32> =
            told.record_errors.iter().filter_map(|error| u32::try_from(error.batch_index).ok()).collect();
        guilty.sort_unstable();
        let is_guilty = |number: u32| guilty.binary_search(&number).is_ok();
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        let Some(batch) = partition.queue.get(index) else { return };
        let compression = self.settings.compression;
        let rest = batch.frozen.without(is_guilty, compression, &mut self.compressors);
        // No record of ours was named, or all of them were.
        let Ok(Some(rest)) = rest else {
            self.refuse(now_ns, part, index, code, outlet);
            return;
        };
        let needs_epoch = partition.unnumber(index);
        let identity = partition.identity;
        partition.not_before_ns = 0;
        let Some(batch) = partition.queue.get_mut(index) else { return };
        let old = std::mem::replace(&mut batch.frozen, rest);
        let entries = std::mem::replace(&mut batch.entries, self.pool.entries());
        let detail = broker_error_detail(code);
        for (number, entry) in (0_u32..).zip(&entries) {
            if is_guilty(number) {
                count(&mut self.counters, entry, Outcome::NotSent);
                let report = entry.report(now_ns, Outcome::NotSent, Reason::BrokerError, detail);
                outlet.outcome(entry.charge(self.endpoint), &report);
            } else {
                batch.entries.push(*entry);
            }
        }
        self.pool.put_entries(entries);
        self.pool.put_buffer(old.into_buffer());
        if let Some(identity) = identity
            && needs_epoch
        {
            self.raise_epoch(identity);
        }
    }

    /// Ends a batch that waits: *unknown* if an attempt may be in the log, else *not sent*.
    pub(super) fn give_up(
        &mut self,
        now_ns: u64,
        part: Part,
        index: usize,
        reason: Reason,
        code: ErrorCode,
        outlet: &mut impl Outlet,
    ) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        let is_ambiguous = partition.queue.get(index).is_some_and(|batch| batch.is_ambiguous);
        let identity = partition.identity;
        let setback = partition.last_error();
        let Some((batch, needs_epoch)) = partition.take(index, is_ambiguous) else { return };
        let outcome = if is_ambiguous { Outcome::Unknown } else { Outcome::NotSent };
        let detail = match reason {
            Reason::BrokerError => broker_error_detail(code),
            Reason::Expired => last_error_detail(setback),
            _ => [0; 16],
        };
        for entry in &batch.entries {
            self.end(now_ns, entry, outcome, reason, detail, outlet);
        }
        self.recycle(batch);
        if let Some(identity) = identity
            && needs_epoch
        {
            self.raise_epoch(identity);
        }
    }

    fn delivered(
        &mut self,
        now_ns: u64,
        part: Part,
        batch: Batch,
        base_offset: i64,
        log_append_time_ms: i64,
        outlet: &mut impl Outlet,
    ) {
        let mut bytes = 0;
        let mut next_offset = base_offset;
        // Publishers that share a partition send in turns, each many at a time.
        for run in batch.entries.chunk_by(|one, other| one.publisher == other.publisher) {
            let offset_step = i64::from(base_offset >= 0);
            let mut answers = Answers {
                entries: run.iter(),
                endpoint: self.endpoint,
                now_ns,
                partition: part.partition,
                next_offset,
                offset_step,
                log_append_time_ms,
                bytes: 0,
            };
            outlet.outcomes(run[0].publisher, self.endpoint, &mut answers);
            bytes += answers.bytes;
            next_offset += offset_step * run.len() as i64;
        }
        let messages = batch.entries.len() as u64;
        self.counters.in_flight -= messages;
        self.counters.in_flight_bytes -= bytes;
        self.counters.delivered += messages;
        self.recycle(batch);
    }

    fn recycle(&mut self, batch: Batch) {
        self.pool.put_buffer(batch.frozen.into_buffer());
        self.pool.put_entries(batch.entries);
    }

    /// After an answer: what waits is to be looked at again.
    fn relist(&mut self, part: Part) {
        if self.topics[part.topic as usize].partitions[part.partition as usize].has_work() {
            self.list(part);
        }
    }

    /// A Produce request with acks=0 was sent whole: nobody will ever know more.
    pub(super) fn unacknowledged(&mut self, now_ns: u64, asked: Asked, outlet: &mut impl Outlet) {
        let Question::Produce(mut parts) = asked.question else { return };
        for part in &parts {
            let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
            let Some(index) = partition.answered() else { continue };
            let Some((batch, _)) = partition.take(index, true) else { continue };
            for entry in &batch.entries {
                self.end(now_ns, entry, Outcome::Unknown, Reason::NotAcknowledged, [0; 16], outlet);
            }
            self.recycle(batch);
        }
        parts.clear();
        self.spare_parts.push(parts);
    }

    /// The connection is gone: everything that was asked on it is to be asked again. A batch whose request was not
    /// sent whole is certainly not in the log.
    pub(super) fn return_all(&mut self, now_ns: u64, lane: usize, outlet: &mut impl Outlet) {
        while let Some(asked) = self.links[lane].asked.pop_front() {
            let was_sent = self.links[lane].was_sent(&asked);
            self.cluster.unasked(&asked.question);
            let Question::Produce(mut parts) = asked.question else { continue };
            for part in &parts {
                let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
                let Some(index) = partition.answered() else { continue };
                partition.returned(index, was_sent);
                if was_sent && !self.settings.idempotent {
                    self.give_up(now_ns, *part, index, Reason::ConnectionLost, ErrorCode::NONE, outlet);
                }
                self.relist(*part);
            }
            parts.clear();
            self.spare_parts.push(parts);
        }
    }
}

/// The outcomes of a batch that is in the log. A type of its own rather than a closure, so that it is inlined where the
/// reports are written.
struct Answers<'a> {
    entries: std::slice::Iter<'a, Entry>,
    endpoint: EndpointId,
    now_ns: u64,
    partition: u32,
    next_offset: i64,
    /// 0 where the broker told no offset.
    offset_step: i64,
    /// Negative where the records keep their own timestamps.
    log_append_time_ms: i64,
    /// What the messages cost.
    bytes: u64,
}

impl Iterator for Answers<'_> {
    type Item = (Charge, Report);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        let detail = position_detail(self.partition, self.next_offset);
        self.next_offset += self.offset_step;
        self.bytes += u64::from(entry.cost);
        let mut report = entry.report(self.now_ns, Outcome::Delivered, Reason::None, detail);
        report.broker_timestamp_ms =
            if self.log_append_time_ms >= 0 { self.log_append_time_ms } else { entry.timestamp_ms };
        Some((entry.charge(self.endpoint), report))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Answers<'_> {}

/// Whether an error says that somebody else may lead the partition, or that it is unknown there.
fn is_about_leaders(code: ErrorCode) -> bool {
    // UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REPLICA_NOT_AVAILABLE,
    // KAFKA_STORAGE_ERROR, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, UNKNOWN_TOPIC_ID.
    matches!(code.0, 3 | 5 | 6 | 9 | 56 | 74 | 75 | 100)
}
