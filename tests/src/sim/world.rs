//! A run: everyone is set up as the scenario says, and then events happen until it is over.
//!
//! ```text
//!   start ──► faults, messages, subscriptions that come and go ──► quiet: faults end, nothing is published
//!                          │                                         └─► all settles ─► last messages ─► expire
//!                          └─► expire in the middle of it, then a while in which late bytes may still do harm
//! ```

use std::collections::VecDeque;

use ringwire_core::{BreakerState, EndpointId, EndpointState, MILLISECOND_NS, RedisSettings};
use ringwire_shards::credit::{Amount, credit};
use ringwire_shards::ring::{FrameReader, frame_ring};
use ringwire_shards::slots::slot_ring;

use super::breaker::Breaker;
use super::context::{Context, Event, START_NS};
use super::coverage::Coverage;
use super::faults::Kind;
use super::invariants;
use super::judge::{Judge, Violation};
use super::ledger::Ledger;
use super::network::Network;
use super::peer::{Peer, Reach};
use super::port::{Agreed, Outgoing, Port};
use super::publisher::{Publisher, ReportReader};
use super::random::Random;
use super::scenario::{Character, Ending, EndpointPlan, Scenario, SubscriberPlan};
use super::shard::{Control, Shard};
use super::subscriber::{Inbox, Subscriber};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) shard: Shard,
    pub(crate) publishers: Vec<Publisher>,
    pub(crate) subscribers: Vec<Subscriber>,
    /// By channel: what publishers know of it once it is open.
    pub(crate) opened: Vec<bool>,
    /// Nothing goes wrong any more, and nobody publishes or changes his mind.
    pub(crate) quiet: bool,
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::choose(&mut random, START_NS);
        let names = scenario.channels.iter().map(|channel| channel.name.clone()).collect();
        let liars = scenario.endpoints.iter().map(|it| it.character == Character::Hostile).collect();
        let ledger = Ledger::new(scenario.publishers.len(), liars, names);
        let mut ctx = Context::new(random, ledger, make_breakers(&scenario), Judge::new("", seed, trace));
        ctx.turn_delay_max_ns = scenario.turn_delay_max_ns;
        ctx.healthy_bound_ns = healthy_bound_ns(&scenario);
        ctx.judge.note(|| format!("{scenario:#?}"));
        let (publishers, outgoing, rings) = make_publishers(&scenario);
        let (subscribers, inboxes) = make_subscribers(&scenario);
        let peers = scenario.endpoints.iter().map(|plan| {
            let dead = [Reach::Refuses, Reach::Hangs, Reach::Mute];
            let reach = if plan.character == Character::Dead { ctx.random.pick(&dead) } else { Reach::Up };
            Peer::new(plan, reach, replica_max_ns(&scenario, plan))
        });
        let longest = scenario.endpoints.iter().map(|it| it.settings.reply_timeout_ns).max().unwrap_or(0);
        let network = Network::new(peers.collect(), longest * 3);
        let connections = scenario.endpoints.len() * 2;
        let port = Port {
            ctx,
            outgoing,
            inboxes,
            subscriptions: Vec::new(),
            wishes: VecDeque::new(),
            agreed: vec![Agreed::Nothing; connections],
            last_socket: vec![usize::MAX; connections],
            states: vec![EndpointState::Disconnected; connections],
            errors: vec![None; connections],
            since_ns: vec![0; connections],
            breakers: vec![BreakerState::Closed; scenario.endpoints.len()],
            before: vec![EndpointState::Disconnected; connections],
            closed: Vec::new(),
            changed: Vec::new(),
            ready_ns: vec![None; scenario.endpoints.len()],
            spotless: scenario.endpoints.iter().map(|it| it.character == Character::Spotless).collect(),
            bus_taken: 0,
            effects: 0,
            state_changes: 0,
        };
        let shard = Shard::new(&scenario, port, network, rings);
        let opened = vec![false; scenario.channels.len()];
        let mut world = Self { scenario, shard, publishers, subscribers, opened, quiet: false };
        world.plan();
        world
    }

    pub(crate) fn ctx(&mut self) -> &mut Context {
        &mut self.shard.port.ctx
    }

    /// Puts on the agenda what the scenario has.
    fn plan(&mut self) {
        let ctx = &mut self.shard.port.ctx;
        ctx.turn_by(START_NS);
        for publisher in 0..self.publishers.len() {
            ctx.at(START_NS, Event::Publish { publisher });
            ctx.at(START_NS, Event::ReadReports { publisher });
        }
        for (fault, plan) in self.scenario.faults.iter().enumerate() {
            ctx.at(plan.at_ns, Event::Fault { fault, begins: true });
            ctx.at(plan.at_ns + plan.lasts_ns, Event::Fault { fault, begins: false });
        }
        for subscriber in 0..self.subscribers.len() {
            let plan = self.subscribers[subscriber].plan.clone();
            ctx.at(START_NS + plan.churn_interval_ns, Event::Churn { subscriber });
            ctx.at(START_NS + plan.read_interval_ns, Event::ReadRing { subscriber });
        }
        for (endpoint, plan) in self.scenario.endpoints.iter().enumerate() {
            if plan.is_opened {
                self.shard.control.push_back(Control::OpenEndpoint(EndpointId(endpoint as u16)));
            }
        }
        self.open_channels();
        for subscriber in 0..self.subscribers.len() {
            for _ in 0..self.subscribers[subscriber].plan.first {
                self.subscribe(subscriber);
            }
        }
    }

    /// Runs to the end, and answers what was exercised, or the first invariant that did not hold.
    pub(crate) fn run(mut self) -> Result<Coverage, Violation> {
        match self.scenario.ending {
            Ending::Expire { at_ns } => {
                self.until(at_ns);
                self.expire();
                self.until(at_ns + self.scenario.tempo_ns * 30);
                self.judge_streams(false);
            }
            Ending::Quiet => {
                self.until(self.scenario.quiet_ns);
                self.heal();
                self.until(self.scenario.quiet_ns + self.detection_ns());
                self.settle("when the faults are over, everything settles");
                self.say_last_words();
                self.stay_quiet();
                self.judge_streams(true);
                self.expire();
            }
        }
        if !self.ctx().judge.is_over() {
            self.read_all();
            invariants::credits_come_back(&mut self.shard.port.ctx, &self.publishers);
            let Shard { port, network, core, .. } = &mut self.shard;
            invariants::order_is_kept(&mut port.ctx, core, network);
            invariants::core_sleeps(&mut self.shard.port.ctx, self.shard.wakes);
            invariants::lanes_are_quiet(&mut self.shard.port, &self.shard.network, &self.scenario);
        }
        let ctx = self.ctx();
        ctx.coverage.digest = ctx.judge.digest_so_far();
        match ctx.judge.verdict() {
            Some(violation) => Err(violation),
            None => Ok(ctx.coverage),
        }
    }

    /// Lets happen what happens until this time, or until the first violation.
    pub(crate) fn until(&mut self, until_ns: u64) {
        while !self.ctx().judge.is_over() {
            let Some(event) = self.ctx().next_event(until_ns) else { break };
            self.happen(event);
        }
        self.ctx().now_ns = until_ns;
    }

    pub(crate) fn happen(&mut self, event: Event) {
        let ctx = &mut self.shard.port.ctx;
        let network = &mut self.shard.network;
        match event {
            Event::Turn => {
                if ctx.turn_at_ns == Some(ctx.now_ns) && !self.shard.port.ctx.expired {
                    self.shard.turn(&self.publishers, &self.scenario);
                }
            }
            Event::Connect { socket } => network.reach(ctx, socket),
            Event::Arrive { socket, way } => network.arrive(ctx, socket, way),
            Event::Cut { socket } => network.cut(ctx, socket),
            Event::Broken { socket } => network.broken(ctx, socket),
            Event::Left { socket } => network.left(ctx, socket),
            Event::Thaw { socket } => network.thaw(ctx, socket),
            Event::Publish { publisher } => self.publish_some(publisher),
            Event::ReadReports { publisher } => self.read_reports(publisher),
            Event::ReadRing { subscriber } => self.read_ring(subscriber),
            Event::Churn { subscriber } => self.churn(subscriber),
            Event::Fault { fault, begins } => self.fault(fault, begins),
        }
    }
}

/// How long a message to an endpoint without faults may take: its turn behind all credits through the window, some
/// round trips, and the shard's own stalls.
fn healthy_bound_ns(scenario: &Scenario) -> u64 {
    let credit: u64 = scenario.publishers.iter().map(|it| it.credit.bytes).sum();
    let paths = scenario.endpoints.iter().filter(|it| it.character == Character::Spotless);
    let slowest = paths.map(|it| {
        let round_trip_ns = 2 * it.path.delay_max_ns + 4 * scenario.turn_delay_max_ns;
        (credit / it.path.window as u64 + 10) * round_trip_ns
    });
    let longest = scenario.endpoints.iter().map(|it| it.settings.reply_timeout_ns).max().unwrap_or(0);
    let stalls_ns = if scenario.stalls > 0 { 8 * longest } else { 0 };
    slowest.max().unwrap_or(0) + stalls_ns + 20 * MILLISECOND_NS
}

/// How long messages may go to a server that has become a replica: the interval of `ROLE` and a look at the clocks,
/// its turn behind all credits through the window, and the timeout of an answer that does not arrive.
fn replica_max_ns(scenario: &Scenario, plan: &EndpointPlan) -> u64 {
    if scenario.stalls > 0 {
        return u64::MAX;
    }
    let credit: u64 = scenario.publishers.iter().map(|it| it.credit.bytes).sum();
    let round_trip_ns = 2 * plan.path.delay_max_ns + 4 * scenario.turn_delay_max_ns;
    let RedisSettings { role_interval_ns, reply_timeout_ns, .. } = plan.settings;
    2 * role_interval_ns + reply_timeout_ns * 3 / 2 + (credit / plan.path.window as u64 + 4) * round_trip_ns
}

fn make_breakers(scenario: &Scenario) -> Vec<Breaker> {
    let plans = scenario.endpoints.iter().enumerate();
    let mut breakers: Vec<_> = plans
        .map(|(index, plan)| Breaker::new(index, &plan.settings, plan.character == Character::Hostile))
        .collect();
    for fault in &scenario.faults {
        let breaker = &mut breakers[fault.endpoint];
        breaker.refuses |= fault.kind.refuses();
        breaker.is_left |= matches!(fault.kind, Kind::Demote | Kind::MasterDown);
    }
    breakers
}

/// The ends of the publishers' rings and credits: the publishers', the shard's, and its rings.
type Shards = (Vec<Publisher>, Vec<Outgoing>, Vec<FrameReader>);

fn make_publishers(scenario: &Scenario) -> Shards {
    let (mut publishers, mut outgoing, mut rings) = (Vec::new(), Vec::new(), Vec::new());
    for (index, plan) in scenario.publishers.iter().enumerate() {
        let (writer, reader) = frame_ring(plan.ring_bytes).expect("the scenario's rings are powers of two");
        let pairs = scenario.endpoints.iter().map(|_| credit(plan.credit));
        let (accounts, grantors) = pairs.unzip();
        let (mut report_reader, mut report_writer) = (None, None);
        if let Some(slots) = plan.reports {
            let (writer, reader) = slot_ring(slots as usize);
            let (slots, slots_back) = credit(Amount { messages: slots, bytes: 0 });
            report_reader = Some(ReportReader { reader, slots, slots_back });
            report_writer = Some(writer);
        }
        publishers.push(Publisher {
            index,
            plan: plan.clone(),
            ring: writer,
            accounts,
            reports: report_reader,
        });
        outgoing.push(Outgoing { grantors, reports: report_writer, told: VecDeque::new() });
        rings.push(reader);
    }
    (publishers, outgoing, rings)
}

fn make_subscribers(scenario: &Scenario) -> (Vec<Subscriber>, Vec<Inbox>) {
    let make = |plan: &SubscriberPlan| {
        let (writer, reader) = frame_ring(plan.ring_bytes).expect("the scenario's rings are powers of two");
        (Subscriber { plan: plan.clone(), reader }, Inbox::new(writer))
    };
    scenario.subscribers.iter().map(make).unzip()
}
