//! A run: everyone is set up as the scenario says, and then events happen until it is over.
//!
//! ```text
//!   start ──► faults, messages ──► quiet: faults end ──► all settles ──► last messages ──► expire, late bytes, the end
//!                   └─► expire in the middle of it ────────────────────────────────────────────┘
//! ```

use ringwire_core::{Channel, Core, EndpointId, EndpointState, Leg, Outcome, frame};
use ringwire_loopback::kafka::{Broker, Cluster};

use super::context::{Context, Event, START_NS};
use super::coverage::KafkaCoverage;
use super::ledger::{self, Ledger, Message, TopicBook};
use super::mishaps::create;
use super::network::Network;
use super::port::Port;
use super::scenario::{ChannelPlan, PARTITIONS_MAX, PORT, Scenario, host};
use super::shard::Shard;
use super::truth;
use super::wire::Wire;
use crate::sim::judge::{Judge, Violation};
use crate::sim::ledger::PAYLOAD_HEAD;
use crate::sim::random::Random;

pub(super) struct World {
    pub(super) shard: Shard,
    legs: Vec<Leg>,
    /// Nothing goes wrong any more.
    pub(super) is_quiet: bool,
}

/// Keys that messages have.
const KEYS: u64 = 5;

impl World {
    pub(super) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::choose(&mut random, START_NS);
        let brokers: Vec<Broker> =
            (1..=scenario.brokers).map(|id| Broker { id, host: host(id), port: PORT }).collect();
        let mut cluster = Cluster::new(brokers, scenario.options.clone());
        let books = scenario.topics.iter().map(|plan| {
            if plan.exists {
                create(&mut cluster, plan);
            }
            // What the brokers make by themselves is as their options say.
            let (compacted, bytes_max) = (plan.is_compacted, plan.message_bytes_max);
            let partitions = plan.partitions.min(scenario.options.partitions);
            TopicBook::new(&plan.name, partitions as usize, compacted, bytes_max)
        });
        let mut ledger = Ledger::new(scenario.publishers.len(), books.collect());
        ledger.missing = scenario.topics.iter().any(|plan| !plan.exists);
        let names = scenario.topics.iter().map(|plan| plan.name.clone()).collect();
        let wire = Wire::new(names, scenario.settings.clone());
        let judge = Judge::new(super::WORLD, seed, trace);
        let ctx = Context::new(random, judge, ledger, wire, scenario.turn_delay_max_ns);
        ctx.judge.note(|| format!("{scenario:#?}"));
        let late_max_ns = scenario.settings.request_timeout_ns * 3;
        let network = Network::new(cluster, 1..=scenario.brokers, scenario.path, late_max_ns);
        let core = Core::new(vec![scenario.settings.clone()], scenario.core_seed);
        let legs = legs(&scenario);
        let port = Port {
            ctx,
            scenario,
            wishes: Vec::new(),
            connections: Vec::new(),
            agreed: Vec::new(),
            state: EndpointState::Disconnected,
            effects: 0,
        };
        let mut world = Self { shard: Shard::new(core, port, network), legs, is_quiet: false };
        world.plan();
        world
    }

    pub(super) fn ctx(&mut self) -> &mut Context {
        &mut self.shard.port.ctx
    }

    /// Opens the channels, and puts on the agenda what the scenario has.
    fn plan(&mut self) {
        let Shard { port: Port { ctx, scenario, .. }, network, core, .. } = &mut self.shard;
        ledger::observe(ctx, &mut network.cluster, false);
        for (index, leg) in self.legs.iter().enumerate() {
            let name = channel_name(index).into_bytes().into();
            core.open_channel(ctx.now(), Channel { index: index as u32, name, legs: vec![leg.clone()] });
        }
        ctx.turn_by(START_NS);
        for publisher in 0..scenario.publishers.len() {
            ctx.at(START_NS, Event::Publish(publisher));
        }
        for (index, fault) in scenario.faults.iter().enumerate() {
            ctx.at(fault.at_ns, Event::FaultBegins(index));
            ctx.at(fault.at_ns + fault.lasts_ns, Event::FaultEnds(index));
        }
    }

    /// Runs to the end, and answers what was exercised, or the first invariant that did not hold.
    pub(super) fn run(mut self) -> Result<KafkaCoverage, Violation> {
        let scenario = &self.shard.port.scenario;
        let late_ns = scenario.settings.request_timeout_ns * 8;
        let end_ns = match scenario.expires_ns {
            Some(at_ns) => {
                self.until(at_ns);
                at_ns
            }
            None => {
                let quiet_ns = scenario.quiet_ns;
                self.until(quiet_ns);
                self.heal();
                let settled_ns = self.settle(quiet_ns + self.detection_ns());
                self.say_last_words(settled_ns)
            }
        };
        if !self.ctx().judge.is_over() {
            self.shard.expire();
            self.until(end_ns + late_ns);
            truth::at_the_end(self.ctx());
        }
        let ctx = self.ctx();
        ctx.coverage.digest = ctx.judge.digest_so_far();
        match ctx.judge.verdict() {
            Some(violation) => Err(violation),
            None => Ok(ctx.coverage),
        }
    }

    /// Lets happen what happens until this time, or until the first violation.
    fn until(&mut self, until_ns: u64) {
        while !self.ctx().judge.is_over() {
            let Some(event) = self.ctx().next_event(until_ns) else { break };
            self.happen(event);
        }
        self.ctx().now_ns = until_ns;
    }

    fn happen(&mut self, event: Event) {
        let Shard { port: Port { ctx, .. }, network, .. } = &mut self.shard;
        match event {
            Event::Turn => {
                if ctx.turn_at_ns == Some(ctx.now_ns) && !ctx.expired {
                    self.shard.turn();
                }
            }
            Event::Reach(socket) => network.reach(ctx, socket),
            Event::Up(socket) => network.up(ctx, socket),
            Event::Down(socket) => network.down(ctx, socket),
            Event::Broken(socket) => network.broken(ctx, socket),
            Event::Left(socket) => network.left(ctx, socket),
            Event::Publish(publisher) => self.publish_some(publisher),
            Event::FaultBegins(fault) => self.fault(fault, true),
            Event::FaultEnds(fault) => self.fault(fault, false),
        }
    }

    fn publish_some(&mut self, publisher: usize) {
        let Port { ctx, scenario, .. } = &mut self.shard.port;
        if self.is_quiet || ctx.expired {
            return;
        }
        let plan = &scenario.publishers[publisher];
        let count = ctx.random.between(1, plan.burst_max);
        let pause_ns = ctx.random.between(plan.interval_ns / 2, plan.interval_ns * 3 / 2);
        ctx.after(pause_ns, Event::Publish(publisher));
        for _ in 0..count {
            let channel = self.shard.port.ctx.random.index(self.legs.len());
            self.publish(publisher, channel, None);
        }
    }

    /// Every publisher has something to say, to a partition of a topic or to all.
    pub(super) fn publish_burst(&mut self, part: Option<(usize, i32)>) {
        let of_topic = |channel: &ChannelPlan| part.is_none_or(|(topic, _)| channel.topic == topic);
        let channels = &self.shard.port.scenario.channels;
        let channels: Vec<usize> = (0..channels.len()).filter(|it| of_topic(&channels[*it])).collect();
        let publishers = if channels.is_empty() { 0 } else { self.shard.port.scenario.publishers.len() };
        for publisher in 0..publishers {
            for _ in 0..self.ctx().random.between(1, 20) {
                let channel = self.ctx().random.pick(&channels);
                self.publish(publisher, channel, part.map(|it| it.1));
            }
        }
    }

    /// Publishes one message, unless there is no credit for it. Answers its sequence.
    fn publish(&mut self, publisher: usize, channel: usize, partition: Option<i32>) -> Option<u64> {
        let Port { ctx, scenario, .. } = &mut self.shard.port;
        let (plan, of_channel) = (&scenario.publishers[publisher], &scenario.channels[channel]);
        let payload_len = ctx.random.between(PAYLOAD_HEAD as u64, plan.payload_max) as usize;
        let key = ctx.random.percent(of_channel.keyed).then(|| ctx.random.below(KEYS));
        let chosen = match ctx.random.percent(of_channel.explicit) && !self.is_quiet {
            true => ctx.random.below(PARTITIONS_MAX) as i32,
            false => frame::ANY_PARTITION,
        };
        let partition = partition.unwrap_or(chosen);
        let cost = self.legs[channel].cost(payload_len + key.map_or(0, |_| size_of::<u64>()));
        let (messages, bytes) = ctx.ledger.accepted[publisher];
        if messages >= plan.credit.0 || bytes + u64::from(cost) > plan.credit.1 {
            ctx.coverage.back_pressured += 1;
            return None;
        }
        ctx.coverage.accepted += 1;
        let sequence = ctx.ledger.messages[publisher].len() as u64;
        let topic = of_channel.topic;
        ctx.ledger.accept(
            publisher,
            Message {
                channel,
                topic,
                key,
                partition,
                payload_len,
                cost,
                handed_ns: None,
                places: Vec::new(),
                outcome: None,
                shaken: false,
                has_left: false,
            },
        );
        self.shard.ring.push_back((publisher, sequence));
        ctx.wake_shard(0);
        Some(sequence)
    }

    /// How long the producer may take to find out what the world is like now.
    fn detection_ns(&self) -> u64 {
        let settings = &self.shard.port.scenario.settings;
        let backoff_ns = settings.retry_backoff.max_ns.max(settings.retry_backoff.base_ns);
        let link_ns = settings.connect_timeout_ns * 2 + settings.reconnect_max_ns;
        settings.request_timeout_ns * 2 + link_ns * 4 + backoff_ns * 6 + settings.linger_ns
    }

    /// How long so many messages may take, one after the other, with retries in between.
    fn work_ns(&self, messages: u64) -> u64 {
        let Port { scenario, .. } = &self.shard.port;
        let round_ns =
            scenario.path.delay_max_ns * 4 + scenario.turn_delay_max_ns * 4 + scenario.settings.linger_ns;
        let window = scenario.path.window as u64;
        let bytes: u64 = self.shard.port.ctx.ledger.accepted.iter().map(|it| it.1).sum();
        (messages + bytes / window + 10) * round_ns * 4
    }

    /// Everything that is under way gets its outcome, in bounded time. Answers when that was.
    fn settle(&mut self, from_ns: u64) -> u64 {
        let mut at_ns = from_ns;
        let undecided = self.ctx().ledger.undecided();
        let limit_ns = from_ns + self.work_ns(undecided);
        let step_ns = self.shard.port.scenario.tempo_ns;
        self.until(at_ns);
        while self.ctx().ledger.undecided() > 0 && at_ns < limit_ns && !self.ctx().judge.is_over() {
            at_ns += step_ns;
            self.until(at_ns);
        }
        let left = self.ctx().ledger.undecided();
        self.ctx().judge.require(left == 0, "when the faults are over, everything settles", || {
            format!("{left} of {undecided} messages have no outcome")
        });
        at_ns
    }

    /// A last message to each channel is delivered. Answers when that was.
    ///
    /// What the client knows of the cluster may still be what it was before the faults were over: then a first message
    /// meets a partition that is gone, or, without idempotence, a former leader. From that the client learns, and the
    /// next one is delivered.
    fn say_last_words(&mut self, from_ns: u64) -> u64 {
        let is_idempotent = self.shard.port.scenario.settings.idempotent;
        let mut channels: Vec<usize> = (0..self.legs.len()).collect();
        let mut at_ns = from_ns;
        for may_learn in [true, false] {
            let mut words = Vec::new();
            for channel in channels.drain(..) {
                words.extend(self.publish(0, channel, None).map(|sequence| (channel, sequence)));
            }
            if words.is_empty() {
                break;
            }
            at_ns = self.settle(at_ns + self.detection_ns());
            for (channel, sequence) in words {
                let message = self.shard.port.ctx.ledger.messages[0][sequence as usize].clone();
                let can_be_delivered = truth::can_be_delivered(&self.shard.port, &message);
                let told = match message.outcome {
                    Some(Outcome::Delivered) => true,
                    outcome => !can_be_delivered && outcome.is_some(),
                };
                let is_anew = self.ctx().ledger.topics[message.topic].incarnation > 0;
                let is_lesson = message.outcome == Some(Outcome::NotSent) && is_anew
                    || message.outcome == Some(Outcome::Unknown) && !is_idempotent;
                if !told && may_learn && is_lesson {
                    channels.push(channel);
                    continue;
                }
                self.ctx().judge.require(told, "when the faults are over, everything is delivered", || {
                    format!("0.{sequence} for channel {channel}: {message:?}")
                });
            }
        }
        at_ns
    }
}

fn legs(scenario: &Scenario) -> Vec<Leg> {
    let leg = |(index, channel): (usize, &ChannelPlan)| {
        let topic = &scenario.topics[channel.topic].name;
        Leg::kafka_topic(EndpointId(0), channel_name(index).as_bytes(), topic, channel.when_down)
    };
    scenario.channels.iter().enumerate().map(leg).collect()
}

fn channel_name(index: usize) -> String {
    format!("channel-{index}")
}
