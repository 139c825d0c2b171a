//! What is known of the cluster: brokers and their links, leaders, the producer's identity; and whom to ask.
//!
//! The first question goes to a bootstrap address. From then on brokers are asked where they advertise themselves,
//! unless none of them can be reached: then the bootstrap list is gone through again (KIP-899).

use ringwire_codec::kafka::{
    Api, ErrorCode, InitProducerIdRequest, List, MetadataRequest, MetadataRequestTopic, MetadataResponse,
    NO_UUID, RequestHeader, decode_response, encode_request,
};

use super::link::{Asked, Link, Part, Question};
use super::partition::{Batch, Identity, Partition};
use super::topic::Topic;
use super::{KafkaProducer, Slots};
use crate::backoff::Random;
use crate::outlet::{ConnectionId, Outlet};
use crate::report::{Outcome, Reason, broker_error_detail};
use crate::status::LinkError;
use crate::time::NEVER_NS;

/// Bytes of bootstrap addresses, and of a host that a broker advertises, that an error shows.
const SHOWN_MAX: usize = 200;
/// The jitter of a retry: its delay plus at most this part of it.
const JITTER_PART: u64 = 5;

/// A broker as metadata names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Broker {
    node: i32,
    host: String,
    port: u16,
    /// Its link, once something needed it.
    lane: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Cluster {
    brokers: Vec<Broker>,
    /// The bootstrap address that is tried next.
    next_bootstrap: usize,
    pub(super) identity: Option<Identity>,
    /// The epoch was raised beyond what it can count: a new id is asked for.
    is_identity_asked: bool,
    is_metadata_asked: bool,
    /// When metadata is asked for next, and the identity.
    metadata_at_ns: u64,
    identity_at_ns: u64,
    /// Questions in a row that did not help.
    pub(super) fruitless: u32,
    pub(super) has_held_to_release: bool,
    /// What is wrong with the cluster as a whole.
    pub(super) trouble: Option<LinkError>,
    pub(super) random: Random,
}

impl Cluster {
    pub(super) fn new(random: Random) -> Self {
        Self {
            brokers: Vec::new(),
            next_bootstrap: 0,
            identity: None,
            is_identity_asked: false,
            is_metadata_asked: false,
            metadata_at_ns: NEVER_NS,
            identity_at_ns: 0,
            fruitless: 0,
            has_held_to_release: false,
            trouble: None,
            random,
        }
    }

    /// Metadata is to be asked for at this time, or earlier if it was to be asked for earlier.
    pub(super) fn ask_at(&mut self, at_ns: u64) {
        self.metadata_at_ns = self.metadata_at_ns.min(at_ns);
    }

    /// When something is to be asked. While nobody can be asked, the connections say when to look again.
    pub(super) fn deadline_ns(&self, now_ns: u64, can_ask: bool) -> u64 {
        let is_overdue = self.metadata_at_ns <= now_ns && !can_ask;
        if self.is_metadata_asked || is_overdue { NEVER_NS } else { self.metadata_at_ns }
    }

    /// A broker that a hint names.
    pub(super) fn learn(&mut self, node: i32, host: &str, port: i32) {
        if let Ok(port) = u16::try_from(port)
            && !self.knows(node)
        {
            self.brokers.push(Broker { node, host: host.to_owned(), port, lane: None });
        }
    }

    /// The link of a broker, if it has one.
    #[inline]
    pub(super) fn lane_of(&self, node: i32) -> Option<usize> {
        self.brokers.iter().find(|broker| broker.node == node).and_then(|broker| broker.lane)
    }

    pub(super) fn knows(&self, node: i32) -> bool {
        self.brokers.iter().any(|broker| broker.node == node)
    }

    /// The questions that went over a link without an answer may be asked again.
    pub(super) fn unasked(&mut self, question: &Question) {
        match question {
            Question::Metadata => self.is_metadata_asked = false,
            Question::ProducerId => self.is_identity_asked = false,
            Question::Versions | Question::Produce(_) => {}
        }
    }
}

impl KafkaProducer {
    /// A delay before attempt number `attempt` (1: the first retry), with jitter.
    pub(super) fn retry_delay_ns(&mut self, attempt: u32) -> u64 {
        let delay_ns = self.settings.retry_backoff.delay_ns(attempt);
        delay_ns + self.cluster.random.up_to(delay_ns / JITTER_PART)
    }

    /// Asks what is to be asked, and opens the connections that are needed.
    pub(super) fn tend_cluster(&mut self, now_ns: u64, slots: &mut Slots, outlet: &mut impl Outlet) {
        if !self.is_wanted {
            return;
        }
        let is_due = now_ns >= self.cluster.metadata_at_ns && !self.cluster.is_metadata_asked;
        if is_due && !self.ask_metadata(now_ns) {
            self.seek_broker(now_ns, slots);
        }
        let lacks_identity = self.settings.idempotent && self.cluster.identity.is_none();
        if lacks_identity && !self.cluster.is_identity_asked {
            if now_ns < self.cluster.identity_at_ns {
                self.wake_at_ns = self.wake_at_ns.min(self.cluster.identity_at_ns);
            } else {
                self.ask_identity(now_ns);
            }
        }
        self.close_seed(outlet);
    }

    /// A ready connection, the least busy one.
    pub(super) fn ready_lane(&self) -> Option<usize> {
        let ready = self.links.iter().enumerate().filter(|(_, link)| link.is_ready());
        ready.min_by_key(|(_, link)| link.asked.len()).map(|(lane, _)| lane)
    }

    fn ask_metadata(&mut self, now_ns: u64) -> bool {
        let Some(lane) = self.ready_lane() else { return false };
        let Some(version) = self.links[lane].version(Api::Metadata) else { return false };
        let topics: Vec<_> =
            self.topics.iter().map(|topic| MetadataRequestTopic::named(&topic.name)).collect();
        let request = MetadataRequest {
            topics: Some(List::new(&topics)),
            // Before version 4 it cannot be said, and the broker's own setting decides.
            allow_auto_topic_creation: self.settings.auto_create_topics || version < 4,
            ..MetadataRequest::default()
        };
        let write = |_: &Question, out: &mut Vec<u8>, header: &RequestHeader<'_>| {
            encode_request(out, header, &request)
        };
        let settings = &self.settings;
        let is_asked = self.links[lane].ask(now_ns, settings, Question::Metadata, version, write).is_ok();
        self.cluster.is_metadata_asked = is_asked;
        self.cluster.metadata_at_ns = NEVER_NS;
        self.writable.push(self.links[lane].connection);
        is_asked
    }

    fn ask_identity(&mut self, now_ns: u64) {
        let Some(lane) = self.ready_lane() else { return };
        let Some(version) = self.links[lane].version(Api::InitProducerId) else { return };
        let request = InitProducerIdRequest { transaction_timeout_ms: i32::MAX, ..Default::default() };
        let write = |_: &Question, out: &mut Vec<u8>, header: &RequestHeader<'_>| {
            encode_request(out, header, &request)
        };
        let settings = &self.settings;
        self.cluster.is_identity_asked =
            self.links[lane].ask(now_ns, settings, Question::ProducerId, version, write).is_ok();
        self.writable.push(self.links[lane].connection);
    }

    /// Nobody can be asked: sees to it that somebody can.
    fn seek_broker(&mut self, now_ns: u64, slots: &mut Slots) {
        // What is on its way comes first, unless it failed before.
        if self.links.iter().any(|link| !link.is_idle() && !link.is_failing()) {
            return;
        }
        // A known broker that nobody needed yet.
        let unused = self.cluster.brokers.iter().find(|broker| match broker.lane {
            Some(lane) => self.links[lane].is_idle(),
            None => true,
        });
        if let Some(node) = unused.map(|broker| broker.node) {
            self.need_broker(now_ns, node, slots);
        }
        self.open_seed(now_ns, slots);
    }

    /// Opens a connection to the next address of the bootstrap list.
    fn open_seed(&mut self, now_ns: u64, slots: &mut Slots) {
        let seed = self.links.iter().position(|link| link.node.is_none());
        // One that tries goes on to the next address by itself. None is taken from the list that nobody tries.
        if seed.is_some_and(|lane| !self.links[lane].is_idle()) {
            return;
        }
        let Some((host, port)) = self.next_bootstrap() else { return };
        let lane = match seed {
            Some(lane) => {
                self.links[lane].moved(&host, port);
                lane
            }
            None => self.add_link(None, &host, port, slots),
        };
        self.links[lane].want(now_ns);
    }

    fn next_bootstrap(&mut self) -> Option<(String, u16)> {
        let list = &self.settings.bootstrap_servers;
        let found = list.get(self.cluster.next_bootstrap % list.len().max(1)).cloned();
        self.cluster.next_bootstrap = self.cluster.next_bootstrap.wrapping_add(1);
        found
    }

    fn add_link(&mut self, node: Option<i32>, host: &str, port: u16, slots: &mut Slots) -> usize {
        // A link whose broker is gone is used again.
        let brokers = &self.cluster.brokers;
        let is_free = |lane: &usize| {
            let link = &self.links[*lane];
            link.is_idle() && link.node.is_some() && brokers.iter().all(|broker| broker.lane != Some(*lane))
        };
        if let Some(lane) = (0..self.links.len()).find(is_free) {
            let connection = self.links[lane].connection;
            self.links[lane] = Link::new(connection, node, host, port);
            return lane;
        }
        let lane = self.links.len();
        let connection = ConnectionId::of_broker(self.endpoint, lane as u16, slots);
        self.links.push(Link::new(connection, node, host, port));
        lane
    }

    /// Sees to it that there is a connection to a broker, if it is known.
    pub(super) fn need_broker(&mut self, now_ns: u64, node: i32, slots: &mut Slots) {
        let Some(index) = self.cluster.brokers.iter().position(|broker| broker.node == node) else { return };
        let broker = self.cluster.brokers[index].clone();
        let lane = match broker.lane {
            Some(lane) => lane,
            None => self.add_link(Some(node), &broker.host, broker.port, slots),
        };
        self.cluster.brokers[index].lane = Some(lane);
        self.links[lane].want(now_ns);
    }

    /// Closes the connection to a bootstrap address once there are brokers' own.
    fn close_seed(&mut self, outlet: &mut impl Outlet) {
        let Some(lane) = self.links.iter().position(|link| link.node.is_none()) else { return };
        let link = &self.links[lane];
        let is_replaced = self.links.iter().any(|other| other.node.is_some() && other.is_ready());
        if link.is_idle() || !is_replaced || link.expects() || link.is_gone() {
            return;
        }
        if self.links[lane].has_socket() {
            outlet.close(self.links[lane].connection);
        }
        self.links[lane].retire();
    }

    /// Reads the answer to [`Question::ProducerId`].
    pub(super) fn identity_answered(
        &mut self,
        now_ns: u64,
        lane: usize,
        asked: &Asked,
    ) -> Result<(), LinkError> {
        self.cluster.is_identity_asked = false;
        let answer = decode_response::<InitProducerIdRequest<'_>>(asked.version, self.links[lane].payload())
            .map_err(|error| LinkError::Protocol(error.to_string().into()))?;
        self.links[lane].throttle(now_ns, answer.throttle_time_ms);
        self.is_state_stale = true;
        if answer.error_code == ErrorCode::NONE {
            self.cluster.identity = Some(Identity { id: answer.producer_id, epoch: answer.producer_epoch });
            self.cluster.trouble = None;
            return Ok(());
        }
        let info = answer.error_code.info();
        if !info.retriable {
            let words = format!("no producer id: {} ({}); {}", info.name, answer.error_code.0, info.advice);
            self.cluster.trouble = Some(LinkError::Refused(words));
        }
        self.cluster.identity_at_ns = now_ns + self.retry_delay_ns(if info.retriable { 1 } else { u32::MAX });
        Ok(())
    }

    /// The identity is of no use to what waits: a newer epoch.
    pub(super) fn raise_epoch(&mut self, of: Identity) {
        // Only once for all partitions that find out about the same one.
        if self.cluster.identity != Some(of) {
            return;
        }
        self.cluster.identity = of.epoch.checked_add(1).map(|epoch| Identity { epoch, ..of });
    }

    /// Reads the answer to [`Question::Metadata`].
    pub(super) fn metadata_answered(
        &mut self,
        now_ns: u64,
        lane: usize,
        asked: &Asked,
        slots: &mut Slots,
        outlet: &mut impl Outlet,
    ) -> Result<(), LinkError> {
        self.cluster.is_metadata_asked = false;
        self.is_state_stale = true;
        let payload = self.take_payload(lane);
        let result = self.read_metadata(now_ns, lane, asked.version, &payload, slots, outlet);
        self.scratch = payload;
        result
    }

    fn read_metadata(
        &mut self,
        now_ns: u64,
        lane: usize,
        version: i16,
        payload: &[u8],
        slots: &mut Slots,
        outlet: &mut impl Outlet,
    ) -> Result<(), LinkError> {
        let answer = decode_response::<MetadataRequest<'_>>(version, payload)
            .map_err(|error| LinkError::Protocol(error.to_string().into()))?;
        self.links[lane].throttle(now_ns, answer.throttle_time_ms);
        if answer.error_code == ErrorCode::REBOOTSTRAP_REQUIRED {
            return Err(LinkError::Refused(answer.error_code.to_string()));
        }
        self.take_brokers(lane, &answer);
        let mut is_fruitful = true;
        for topic in answer.topics {
            let known = topic.name.and_then(|name| self.by_name.get(name).copied());
            let Some(index) = known else { continue };
            is_fruitful &= self.take_topic(now_ns, index, &topic, outlet);
        }
        self.connect_leaders(now_ns, slots);
        is_fruitful &= !self.waits_for_leader();
        // A topic that the answer does not name was opened after the question.
        let has_new = self.topics.iter().any(|topic| topic.count == 0 && topic.refused.is_none());
        self.cluster.fruitless = if is_fruitful { 0 } else { self.cluster.fruitless.saturating_add(1) };
        let delay_ns = if is_fruitful && !has_new {
            self.settings.metadata_max_age_ns
        } else {
            self.retry_delay_ns(self.cluster.fruitless)
        };
        self.cluster.ask_at(now_ns + delay_ns);
        Ok(())
    }

    fn take_brokers(&mut self, lane: usize, answer: &MetadataResponse<'_>) {
        if answer.brokers.is_empty() {
            return;
        }
        let mut brokers = Vec::with_capacity(answer.brokers.len().min(1 << 10));
        for told in answer.brokers {
            let known = self.cluster.brokers.iter().find(|broker| broker.node == told.node_id);
            // One that had left may have its link still.
            let linked = self.links.iter().position(|link| link.node == Some(told.node_id));
            let port = u16::try_from(told.port).unwrap_or(0);
            brokers.push(Broker {
                node: told.node_id,
                host: told.host.to_owned(),
                port,
                lane: known.and_then(|broker| broker.lane).or(linked),
            });
        }
        self.cluster.brokers = brokers;
        for index in 0..self.cluster.brokers.len() {
            let Broker { node, host, port, lane: own } = self.cluster.brokers[index].clone();
            match own {
                Some(own) => {
                    let link = &mut self.links[own];
                    if (link.host.as_str(), link.port) != (&host, port) {
                        // The next connect goes there; what is open may still be good.
                        link.moved(&host, port);
                    }
                }
                None => {
                    // The bootstrap address that was asked is this broker's own.
                    let link = &mut self.links[lane];
                    if link.node.is_none() && (link.host.as_str(), link.port) == (&host, port) {
                        link.node = Some(node);
                        self.cluster.brokers[index].lane = Some(lane);
                    }
                }
            }
        }
    }

    /// Takes what metadata says of a topic. Answers whether nothing is left to ask.
    fn take_topic(
        &mut self,
        now_ns: u64,
        index: u32,
        told: &ringwire_codec::kafka::MetadataTopic<'_>,
        outlet: &mut impl Outlet,
    ) -> bool {
        let patience_ns = self.settings.topic_propagation_ns;
        let topic = &mut self.topics[index as usize];
        match told.error_code {
            ErrorCode::NONE => {}
            code if code.info().retriable => {
                let since_ns = topic.missing.map_or(now_ns, |(since_ns, _)| since_ns);
                let missing = Some((since_ns, code));
                self.is_state_stale |= std::mem::replace(&mut topic.missing, missing) != missing;
                let is_over = now_ns.saturating_sub(since_ns) >= patience_ns;
                if is_over {
                    self.refuse_topic(now_ns, index, code, outlet);
                }
                return false;
            }
            code => {
                self.refuse_topic(now_ns, index, code, outlet);
                return false;
            }
        }
        if topic.missing.take().is_some() {
            self.is_state_stale = true;
            // That was of use, whatever is not known yet.
            self.cluster.fruitless = 0;
        }
        topic.refused = None;
        let is_another = topic.id != NO_UUID && told.topic_id != NO_UUID && topic.id != told.topic_id;
        if is_another {
            self.by_id.remove(&topic.former_id);
            topic.former_id = topic.id;
        }
        if topic.id != told.topic_id {
            topic.id = told.topic_id;
            if topic.id != NO_UUID {
                self.by_id.insert(topic.id, index);
            }
        }
        let count = told.partitions.len();
        topic.grow(count);
        topic.count = count as u32;
        self.cluster.has_held_to_release |= !topic.held.is_empty();
        // Without an id a topic that was made anew looks like the one before, and its epochs begin again: compared
        // with the old ones they would be taken for stale for ever.
        let has_id = told.topic_id != NO_UUID;
        let epoch_of = |epoch: i32| if has_id { epoch } else { -1 };
        let mut is_whole = count > 0;
        for told in told.partitions {
            let Ok(number) = u32::try_from(told.partition_index) else { continue };
            let part = Part { topic: index, partition: number };
            is_whole &= self.take_leader(part, told.leader_id, epoch_of(told.leader_epoch), is_another);
        }
        self.abandon_beyond(now_ns, index, count, is_another, outlet);
        is_whole
    }

    /// Takes what metadata or a hint says of a partition's leader, unless that is stale. Answers whether it has one that
    /// can be asked: one that has started again leads before it is among the brokers.
    pub(super) fn take_leader(&mut self, part: Part, leader: i32, epoch: i32, is_another: bool) -> bool {
        let Some(partition) = self.topics[part.topic as usize].partitions.get_mut(part.partition as usize)
        else {
            return true;
        };
        // An older epoch is an older truth: it would undo a move.
        if !is_another && epoch >= 0 && epoch < partition.leader_epoch {
            return self.cluster.knows(partition.leader);
        }
        let has_moved = partition.leader != leader || is_another;
        partition.leader_epoch = epoch;
        if has_moved {
            partition.leader = leader;
            partition.is_proven = false;
            if leader >= 0 {
                partition.not_before_ns = 0;
            }
            self.is_state_stale = true;
        }
        self.cluster.knows(leader)
    }

    /// Opens connections to all leaders, and lists what waited for one.
    pub(super) fn connect_leaders(&mut self, now_ns: u64, slots: &mut Slots) {
        for topic in 0..self.topics.len() {
            for number in 0..self.topics[topic].partitions.len() {
                let leader = self.topics[topic].partitions[number].leader;
                let is_there = self.cluster.lane_of(leader).is_some_and(|lane| !self.links[lane].is_idle());
                if leader >= 0 && !is_there {
                    self.need_broker(now_ns, leader, slots);
                }
            }
        }
        let mut waiting = std::mem::take(&mut self.homeless);
        // Nobody would take these out of the list of a connection that is not there.
        let down = self.links.iter_mut().filter(|link| !link.is_ready());
        down.for_each(|link| waiting.extend(link.pending.drain(..)));
        for part in waiting {
            self.topics[part.topic as usize].partitions[part.partition as usize].is_listed = false;
            self.list(part);
        }
    }

    /// Takes the leader that an answer names in place of the one that was asked (KIP-951). Answers whether it is another
    /// one, and whether that one can be asked: a broker may name one without saying where it is.
    pub(super) fn take_hint(&mut self, part: Part, leader: i32, epoch: i32) -> (bool, bool) {
        if leader < 0 {
            return (false, false);
        }
        let leader_of = |it: &Self| it.topics[part.topic as usize].partitions[part.partition as usize].leader;
        let before = leader_of(self);
        let can_be_asked = self.take_leader(part, leader, epoch, false);
        (leader_of(self) != before, can_be_asked)
    }

    /// Whether messages wait for a leader that cannot be reached: while it is tried, somebody else may become leader.
    fn waits_for_leader(&self) -> bool {
        let is_failing =
            |leader: i32| self.cluster.lane_of(leader).is_some_and(|lane| self.links[lane].is_failing());
        let mut partitions = self.topics.iter().flat_map(Topic::present);
        partitions.any(|partition| partition.has_work() && is_failing(partition.leader))
    }

    /// The cluster does not take messages for a topic: what waits for it is answered.
    fn refuse_topic(&mut self, now_ns: u64, index: u32, code: ErrorCode, outlet: &mut impl Outlet) {
        self.topics[index as usize].refused = Some(code);
        let detail = broker_error_detail(code);
        while let Some(held) = self.topics[index as usize].held.pop_front() {
            self.end(now_ns, &held.entry, Outcome::NotSent, Reason::BrokerError, detail, outlet);
        }
        for number in 0..self.topics[index as usize].partitions.len() {
            let part = Part { topic: index, partition: number as u32 };
            self.abandon(now_ns, part, Reason::BrokerError, code, outlet);
        }
    }

    /// A topic was made anew, now or before, with fewer partitions: what waits for the others is answered, also what
    /// was under way then.
    fn abandon_beyond(
        &mut self,
        now_ns: u64,
        index: u32,
        count: usize,
        is_another: bool,
        outlet: &mut impl Outlet,
    ) {
        for number in 0..self.topics[index as usize].partitions.len() {
            let partition = &mut self.topics[index as usize].partitions[number];
            partition.is_gone = number >= count && (is_another || partition.is_gone);
            if !partition.is_gone {
                continue;
            }
            partition.leader = -1;
            // Should it come again, its epochs begin again.
            partition.leader_epoch = -1;
            let part = Part { topic: index, partition: number as u32 };
            self.abandon(now_ns, part, Reason::NoPartition, ErrorCode::NONE, outlet);
        }
    }

    /// Ends all that waits for a partition and is not under way. What may be in the log stays until its broker says
    /// what became of it, unless that went with the topic.
    fn abandon(
        &mut self,
        now_ns: u64,
        part: Part,
        reason: Reason,
        code: ErrorCode,
        outlet: &mut impl Outlet,
    ) {
        let partition = &mut self.topics[part.topic as usize].partitions[part.partition as usize];
        partition.seal(&mut self.compressors, &mut self.pool);
        let gone = [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::UNKNOWN_TOPIC_ID];
        let is_gone = reason == Reason::NoPartition || gone.contains(&code);
        loop {
            let partition = &self.topics[part.topic as usize].partitions[part.partition as usize];
            let is_over = |batch: &Batch| !batch.is_under_way && (is_gone || !batch.is_ambiguous);
            let Some(index) = partition.queue.iter().position(is_over) else { break };
            self.give_up(now_ns, part, index, reason, code, outlet);
        }
    }

    /// A connection is gone, or could not be had.
    pub(super) fn link_down(&mut self, now_ns: u64, lane: usize, error: LinkError, outlet: &mut impl Outlet) {
        // A connection that was quiet is closed by the broker after a while: that is no news.
        let is_silent = error == LinkError::ClosedByPeer && self.links[lane].is_quiet();
        self.return_all(now_ns, lane, outlet);
        let error = self.in_context(lane, error);
        let random = &mut self.cluster.random;
        self.links[lane].down(now_ns, error, &self.settings, random);
        if is_silent {
            self.links[lane].last_error = None;
            self.links[lane].succeeded();
        } else {
            self.is_state_stale = true;
        }
        // Perhaps somebody else leads now.
        let delay_ns = self.retry_delay_ns(1);
        self.cluster.ask_at(now_ns + delay_ns);
        if self.links[lane].node.is_none() {
            // The next address of the list, at the time that the link waits for.
            if let Some((host, port)) = self.next_bootstrap() {
                let link = &mut self.links[lane];
                link.host = host;
                link.port = port;
            }
        } else if !self.cluster.knows(self.links[lane].node.unwrap_or(-1)) {
            // Its broker has left the cluster.
            self.links[lane].retire();
        }
        for part in std::mem::take(&mut self.links[lane].pending) {
            self.topics[part.topic as usize].partitions[part.partition as usize].is_listed = false;
            self.list(part);
        }
    }

    /// The error with what a reader needs to act: which broker, where it says it is, and how we came to ask there.
    fn in_context(&self, lane: usize, error: LinkError) -> LinkError {
        let link = &self.links[lane];
        let shown = link.host.floor_char_boundary(SHOWN_MAX);
        let address = format!("{}:{}", &link.host[..shown], link.port);
        let mut bootstrap: String = self
            .settings
            .bootstrap_servers
            .iter()
            .map(|(host, port)| format!("{host}:{port}"))
            .collect::<Vec<_>>()
            .join(",");
        bootstrap.truncate(bootstrap.floor_char_boundary(SHOWN_MAX));
        let is_connect = matches!(error, LinkError::Connect(_) | LinkError::ConnectTimeout);
        match (link.node, error) {
            (Some(node), error) if is_connect && link.established == 0 => {
                let cause = match error {
                    LinkError::Connect(words) => words,
                    _ => "no answer to the connect in time".to_owned(),
                };
                LinkError::Advertised { node, address, bootstrap, cause }
            }
            (_, error) => error,
        }
    }

    /// What is wrong, the most telling thing first. While nobody can be asked, what was heard before is old.
    pub(super) fn error(&self) -> Option<LinkError> {
        let is_cut_off = !self.links.iter().any(Link::is_ready);
        let unreachable = || self.link_error().filter(|_| is_cut_off);
        self.refusal().or_else(unreachable).or_else(|| self.setback()).or_else(|| self.link_error())
    }

    /// What the cluster does not do for us, or a topic.
    pub(super) fn refusal(&self) -> Option<LinkError> {
        let refused = |topic: &Topic| Some(topic_error(&topic.name, "takes no messages", topic.refused?, ""));
        self.cluster.trouble.clone().or_else(|| self.topics.iter().find_map(refused))
    }

    /// What is tried again and does not get better by itself.
    fn setback(&self) -> Option<LinkError> {
        self.topics.iter().find_map(|topic| {
            if let Some(code) = topic.missing_error() {
                return Some(topic_error(&topic.name, "is waited for", code, AGAIN));
            }
            let ails = |partition: &Partition| partition.has_setback() || partition.leader < 0;
            let number = topic.present().iter().position(ails)?;
            let (partition, name) =
                (&topic.partitions[number], format!("{}, partition {number}", topic.name));
            let code = partition.setback.filter(|_| partition.has_setback());
            Some(code.map_or_else(
                || LinkError::Topic(format!("{name} {NO_LEADER}")),
                |code| topic_error(&name, "takes no messages now", code, AGAIN),
            ))
        })
    }

    /// What became of a connection that is not there.
    pub(super) fn link_error(&self) -> Option<LinkError> {
        let failing = self.links.iter().filter(|link| !link.is_ready());
        let mut errors = failing.filter_map(|link| link.last_error.as_ref());
        errors.next().cloned()
    }
}

const NO_LEADER: &str = "has no leader now; its brokers are down, or about to elect one";
const AGAIN: &str = "; it is tried again by itself";

/// What a broker answers for a topic, or for one of its partitions, and what comes of it.
fn topic_error(name: &str, state: &str, code: ErrorCode, again: &str) -> LinkError {
    let info = code.info();
    LinkError::Topic(format!("{name} {state}: {} ({}); {}{again}", info.name, code.0, info.advice))
}
