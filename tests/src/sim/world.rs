//! A run: everyone is set up as the scenario says, and then events happen until it is over.
//!
//! ```text
//!   start ──► faults, messages, subscriptions that come and go ──► quiet: faults end, nothing is published
//!                          │                                         └─► all settles ─► last messages ─► expire
//!                          └─► expire in the middle of it, then a while in which late bytes may still do harm
//! ```

use ringwire_core::{
    Channel, ConnectionId, EndpointId, EndpointState, Leg, MILLISECOND_NS, Role, Source, SubscriberId,
    Subscription,
};
use ringwire_loopback::redis;
use ringwire_shards::credit::{Amount, credit};
use ringwire_shards::ring::frame_ring;
use ringwire_shards::slots::slot_ring;

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
use super::scenario::{Character, Ending, PATTERNS, REFUSED_RETRY_NS, SUBSCRIPTIONS_MAX, Scenario};
use super::shard::{Control, Shard};
use super::streams;
use super::subscriber::{Inbox, Record, Subscriber};

#[derive(Debug)]
pub(crate) struct World {
    scenario: Scenario,
    shard: Shard,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    /// By channel: what publishers know of it once it is open.
    opened: Vec<bool>,
    quiet: bool,
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::choose(&mut random, START_NS);
        let names = scenario.channels.iter().map(|channel| channel.name.clone()).collect();
        let liars = scenario.endpoints.iter().map(|it| it.character == Character::Hostile).collect();
        let ledger = Ledger::new(scenario.publishers.len(), liars, names);
        let mut ctx = Context::new(random, ledger, Judge::new(seed, trace));
        ctx.turn_delay_max_ns = scenario.turn_delay_max_ns;
        ctx.healthy_bound_ns = healthy_bound_ns(&scenario);
        ctx.judge.note(|| format!("{scenario:#?}"));
        let (publishers, outgoing, rings) = make_publishers(&scenario);
        let (subscribers, inboxes) = make_subscribers(&scenario);
        let stalls_ns = if scenario.stalls > 0 { scenario.tempo_ns * 20 } else { 0 };
        let peers = scenario.endpoints.iter().map(|plan| {
            let dead = [Reach::Refuses, Reach::Hangs, Reach::Mute];
            let reach = if plan.character == Character::Dead { ctx.random.pick(&dead) } else { Reach::Up };
            // The interval, a look at the clocks, the answer's way at its slowest, and a standstill of the shard.
            let replica_max_ns = 2 * (plan.settings.role_interval_ns + plan.settings.reply_timeout_ns)
                + 8 * scenario.tempo_ns
                + stalls_ns;
            Peer::new(plan, reach, replica_max_ns)
        });
        let longest = scenario.endpoints.iter().map(|it| it.settings.reply_timeout_ns).max().unwrap_or(0);
        let network = Network::new(peers.collect(), longest * 3);
        let connections = scenario.endpoints.len() * 2;
        let port = Port {
            ctx,
            outgoing,
            inboxes,
            subscriptions: Vec::new(),
            wishes: std::collections::VecDeque::new(),
            agreed: vec![Agreed::Nothing; connections],
            last_socket: vec![usize::MAX; connections],
            states: vec![EndpointState::Disconnected; connections],
            changed: Vec::new(),
            ready_ns: vec![None; scenario.endpoints.len()],
            spotless: scenario.endpoints.iter().map(|it| it.character == Character::Spotless).collect(),
            bus_taken: 0,
            effects: 0,
        };
        let shard = Shard::new(&scenario, port, network, rings);
        let opened = vec![false; scenario.channels.len()];
        let mut world = Self { scenario, shard, publishers, subscribers, opened, quiet: false };
        world.plan();
        world
    }

    fn ctx(&mut self) -> &mut Context {
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
    fn until(&mut self, until_ns: u64) {
        while !self.ctx().judge.is_over() {
            let Some(event) = self.ctx().next_event(until_ns) else { break };
            self.happen(event);
        }
        self.ctx().now_ns = until_ns;
    }

    fn happen(&mut self, event: Event) {
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

    // What the application does.

    fn open_channels(&mut self) {
        let now_ns = self.ctx().now_ns;
        for (index, plan) in self.scenario.channels.iter().enumerate() {
            if !self.opened[index] && plan.opens_ns <= now_ns {
                self.opened[index] = true;
                let channel =
                    Channel { index: index as u32, name: plan.name.clone(), legs: plan.legs.clone() };
                self.shard.control.push_back(Control::Open(channel));
                self.shard.port.ctx.wake_shard(0);
            }
        }
    }

    fn publish_some(&mut self, publisher: usize) {
        if self.quiet || self.shard.port.ctx.expired {
            return;
        }
        self.open_channels();
        let burst = self.publishers[publisher].plan.burst_max;
        for _ in 0..self.ctx().random.between(1, burst) {
            let channel = self.shard.port.ctx.random.index(self.opened.len());
            if self.opened[channel] {
                self.publish(publisher, channel);
            }
        }
        let interval_ns = self.publishers[publisher].plan.interval_ns;
        let delay_ns = self.ctx().random.between(1, interval_ns * 2);
        self.ctx().after(delay_ns, Event::Publish { publisher });
    }

    fn publish(&mut self, publisher: usize, channel: usize) -> bool {
        let connected = self.shard.port.connected();
        let legs: &[Leg] = &self.scenario.channels[channel].legs;
        let ctx = &mut self.shard.port.ctx;
        let accepted = self.publishers[publisher].publish(ctx, channel as u32, legs, &connected);
        ctx.judge.note(|| format!("publisher {publisher} on channel {channel}: {accepted:?}"));
        if accepted.is_ok() {
            ctx.wake_shard(0);
        }
        accepted.is_ok()
    }

    fn read_reports(&mut self, publisher: usize) {
        let interval_ns = self.publishers[publisher].plan.report_interval_ns;
        let ctx = &mut self.shard.port.ctx;
        let limit = ctx.random.pick(&[1, 10, 1_000]);
        let told = &mut self.shard.port.outgoing[publisher].told;
        self.publishers[publisher].read_reports(ctx, told, limit);
        if !self.quiet {
            ctx.after(interval_ns, Event::ReadReports { publisher });
        }
    }

    fn read_ring(&mut self, subscriber: usize) {
        let Subscriber { plan, .. } = &self.subscribers[subscriber];
        let (interval_ns, most) = (plan.read_interval_ns, plan.read_max);
        let port = &mut self.shard.port;
        let limit = port.ctx.random.between(0, most) as usize;
        self.subscribers[subscriber].read(&mut port.ctx, &mut port.inboxes[subscriber], limit);
        if !self.quiet {
            port.ctx.after(interval_ns, Event::ReadRing { subscriber });
        }
    }

    /// Reads everything there is.
    fn read_all(&mut self) {
        let port = &mut self.shard.port;
        for (publisher, outgoing) in self.publishers.iter_mut().zip(&mut port.outgoing) {
            publisher.read_reports(&mut port.ctx, &mut outgoing.told, usize::MAX);
        }
        for (subscriber, inbox) in self.subscribers.iter_mut().zip(&mut port.inboxes) {
            subscriber.read(&mut port.ctx, inbox, usize::MAX);
        }
    }

    fn subscribe(&mut self, subscriber: usize) {
        if self.shard.port.subscriptions.len() == SUBSCRIPTIONS_MAX {
            return;
        }
        let ctx = &mut self.shard.port.ctx;
        let endpoints = self.scenario.endpoints.len();
        let source = match ctx.random.index(endpoints + 1) {
            0 if ctx.random.percent(50) => Source::Bus,
            0 => Source::Redis(EndpointId(0)),
            endpoint => Source::Redis(EndpointId(endpoint as u16 - 1)),
        };
        let is_pattern = ctx.random.percent(35);
        let name: Box<[u8]> = if is_pattern {
            ctx.random.pick(&PATTERNS).into()
        } else {
            let channel = ctx.random.index(self.scenario.channels.len());
            self.scenario.channels[channel].name.clone()
        };
        self.subscribe_to(subscriber, source, name, is_pattern);
    }

    fn subscribe_to(&mut self, subscriber: usize, source: Source, name: Box<[u8]>, is_pattern: bool) {
        let port = &mut self.shard.port;
        let id = port.subscriptions.len() as u32;
        let subscription =
            Subscription { id, subscriber: SubscriberId(subscriber as u32), source, name, is_pattern };
        port.ctx.judge.note(|| format!("wanted: {subscription:?}"));
        self.shard.control.push_back(Control::Subscribe(subscription.clone()));
        port.subscriptions.push(Record { subscription, live: false, told: Vec::new(), full: 0, too_long: 0 });
        port.ctx.wake_shard(0);
    }

    /// A subscriber changes its mind.
    fn churn(&mut self, subscriber: usize) {
        if self.quiet || self.shard.port.ctx.expired {
            return;
        }
        let interval_ns = self.subscribers[subscriber].plan.churn_interval_ns;
        let port = &mut self.shard.port;
        port.ctx.after(interval_ns, Event::Churn { subscriber });
        let own: Vec<u32> = port
            .subscriptions
            .iter()
            .filter(|it| it.live && it.subscription.subscriber.0 as usize == subscriber)
            .map(|it| it.subscription.id)
            .collect();
        match port.ctx.random.below(6) {
            0 | 1 => self.subscribe(subscriber),
            2 if !own.is_empty() => {
                let id = own[port.ctx.random.index(own.len())];
                self.unsubscribe(id);
            }
            3 | 4 if !own.is_empty() => {
                // Quickly one after another: there is a command under way for the name.
                let id = own[port.ctx.random.index(own.len())];
                let Subscription { source, name, is_pattern, .. } =
                    port.subscriptions[id as usize].subscription.clone();
                self.unsubscribe(id);
                if self.shard.port.subscriptions.len() < SUBSCRIPTIONS_MAX {
                    self.subscribe_to(subscriber, source, name, is_pattern);
                }
            }
            _ => {
                let id = port.subscriptions.len() as u32;
                self.subscribe(subscriber);
                if self.shard.port.subscriptions.len() as u32 > id && self.ctx().random.percent(40) {
                    self.unsubscribe(id);
                }
            }
        }
    }

    fn unsubscribe(&mut self, id: u32) {
        let port = &mut self.shard.port;
        port.ctx.judge.note(|| format!("not wanted any more: subscription {id}"));
        port.ctx.coverage.unsubscribed += 1;
        self.shard.control.push_back(Control::Unsubscribe(id));
        port.ctx.wake_shard(0);
    }

    // What goes wrong.

    fn fault(&mut self, fault: usize, begins: bool) {
        let plan = self.scenario.faults[fault];
        if self.quiet {
            return;
        }
        let Shard { port, network, .. } = &mut self.shard;
        let ctx = &mut port.ctx;
        let endpoint = plan.endpoint;
        ctx.judge.note(|| format!("{plan:?} {}", if begins { "begins" } else { "ends" }));
        ctx.coverage.faults += u64::from(begins);
        let ends_ns = plan.at_ns + plan.lasts_ns;
        let reach = |wrong| if begins { wrong } else { Reach::Up };
        match plan.kind {
            Kind::Break { role } if begins => {
                for socket in network.open_sockets(endpoint, role) {
                    network.cut(ctx, socket);
                }
            }
            Kind::Freeze { role, for_good } if begins => {
                for socket in network.open_sockets(endpoint, role) {
                    network.freeze(ctx, socket, (!for_good).then_some(ends_ns));
                }
            }
            Kind::Break { .. } | Kind::Freeze { .. } => {}
            Kind::Flap => network.peers[endpoint].flaps = begins,
            Kind::Refuse => network.peers[endpoint].reach = reach(Reach::Refuses),
            Kind::Hang => network.peers[endpoint].reach = reach(Reach::Hangs),
            Kind::Mute => network.peers[endpoint].reach = reach(Reach::Mute),
            Kind::Crash => {
                network.peers[endpoint].reach = reach(Reach::Refuses);
                network.restart(ctx, endpoint, false);
            }
            Kind::OtherPassword => network.restart(ctx, endpoint, begins),
            Kind::Pause if begins => network.pause(endpoint),
            Kind::Pause => network.resume(ctx, endpoint),
            Kind::Inject { command, error } => {
                network.peers[endpoint].inject(command, begins.then_some(error));
            }
            Kind::Loading => network.peers[endpoint].server.set_loading(begins),
            Kind::Demote => {
                let role = if begins { redis::Role::Replica } else { redis::Role::Primary };
                network.set_role(ctx, endpoint, role);
            }
            Kind::Slow => network.peers[endpoint].slow_ns = begins.then_some(self.scenario.tempo_ns * 4),
            Kind::Unsubscribe if begins => self.end_subscription(endpoint),
            Kind::Unsubscribe => {}
            Kind::Lie => network.peers[endpoint].lies = begins,
        }
    }

    fn end_subscription(&mut self, endpoint: usize) {
        let Shard { port, network, core, .. } = &mut self.shard;
        let source = Source::Redis(EndpointId(endpoint as u16));
        let mut candidates: Vec<usize> = (0..port.subscriptions.len()).collect();
        candidates.retain(|it| {
            port.subscriptions[*it].live && port.subscriptions[*it].subscription.source == source
        });
        // Between two commands only, and not in the middle of a greeting.
        let connection = ConnectionId::new(EndpointId(endpoint as u16), Role::Subscribe);
        let ready = port.states[connection.index()] == EndpointState::Connected;
        if candidates.is_empty() || !ready || !core.output(connection).is_empty() {
            return;
        }
        let chosen = candidates[port.ctx.random.index(candidates.len())];
        let Subscription { name, is_pattern, .. } = port.subscriptions[chosen].subscription.clone();
        let done = network.end_subscription(&mut port.ctx, endpoint, &name, is_pattern);
        port.ctx.coverage.server_unsubscribes += u64::from(done);
        port.ctx.judge.note(|| format!("the server ends {name:?}: {done}"));
    }

    /// The faults are over, and nothing more is published for now.
    fn heal(&mut self) {
        self.quiet = true;
        self.shard.stalls = 0;
        if self.ctx().judge.is_over() {
            return;
        }
        for endpoint in 0..self.scenario.endpoints.len() {
            let Shard { port, network, .. } = &mut self.shard;
            let character = self.scenario.endpoints[endpoint].character;
            if matches!(character, Character::Dead | Character::Spotless) {
                continue;
            }
            let peer = &mut network.peers[endpoint];
            (peer.reach, peer.lies, peer.flaps, peer.slow_ns) = (Reach::Up, false, false, None);
            for (command, _) in super::faults::INJECTIONS {
                peer.inject(command, None);
            }
            peer.server.set_loading(false);
            network.set_role(&mut port.ctx, endpoint, redis::Role::Primary);
            let peer = &mut network.peers[endpoint];
            if peer.options_differ {
                network.restart(&mut port.ctx, endpoint, false);
            }
            if network.peers[endpoint].paused {
                network.resume(&mut port.ctx, endpoint);
            }
            for socket in network.open_sockets(endpoint, None) {
                if network.sockets[socket].hostile {
                    network.cut(&mut port.ctx, socket);
                }
            }
        }
        let ctx = &mut self.shard.port.ctx;
        ctx.judge.note(|| "all faults are over".to_owned());
    }

    // The quiet end.

    /// Whether everything has arrived where it should, but for what is meant for the dead.
    fn is_settled(&self) -> bool {
        let shard = &self.shard;
        let drained = shard.rings.iter().all(ringwire_shards::ring::FrameReader::is_empty);
        let mut dead = false;
        let ready = (0..self.scenario.endpoints.len()).all(|endpoint| {
            if self.scenario.endpoints[endpoint].character == Character::Dead {
                dead = true;
                return true;
            }
            let status = shard.core.status(EndpointId(endpoint as u16));
            let there = |state| matches!(state, EndpointState::Connected | EndpointState::Disconnected);
            status.counters.in_flight == 0
                && there(status.publish)
                && there(status.subscribe)
                && status.subscribed == status.wanted
        });
        drained
            && shard.control.is_empty()
            && ready
            && (dead || (shard.core.is_ready() && shard.core.is_drained()))
    }

    /// Waits until everything is settled, for as long as that may take.
    fn settle(&mut self, invariant: &'static str) {
        if self.ctx().judge.is_over() {
            return;
        }
        let start_ns = self.ctx().now_ns;
        let until_ns = start_ns + self.settle_bound_ns();
        while !self.is_settled() && !self.ctx().judge.is_over() {
            let Some(event) = self.ctx().next_event(until_ns) else { break };
            self.happen(event);
            self.read_all();
        }
        let settled = self.is_settled();
        let found: Vec<_> = (0..self.scenario.endpoints.len())
            .map(|endpoint| self.shard.core.status(EndpointId(endpoint as u16)))
            .collect();
        self.ctx().judge.require(settled, invariant, || {
            format!("after {:.1} s: {found:#?}", (until_ns - start_ns) as f64 / 1e9)
        });
    }

    /// After this long the core has noticed every connection that is not what it seems.
    fn detection_ns(&self) -> u64 {
        let endpoints = self.scenario.endpoints.iter().map(|plan| {
            let settings = &plan.settings;
            // Clocks are looked at in quarters of the shortest of them.
            2 * (settings.reply_timeout_ns + settings.ping_interval_ns + settings.connect_timeout_ns)
        });
        let stalls_ns = if self.scenario.stalls > 0 { self.scenario.tempo_ns * 40 } else { 0 };
        endpoints.max().unwrap_or(0) + stalls_ns
    }

    fn settle_bound_ns(&self) -> u64 {
        let endpoints = self.scenario.endpoints.iter().map(|plan| {
            let settings = &plan.settings;
            let round_trip_ns = 2 * plan.path.delay_max_ns + 2 * self.scenario.turn_delay_max_ns;
            let credit: u64 = self.scenario.publishers.iter().map(|it| it.credit.bytes).sum();
            let windows = credit / plan.path.window as u64 + 200;
            4 * (settings.connect_timeout_ns + settings.reply_timeout_ns + settings.ping_interval_ns)
                + 8 * settings.reconnect_max_ns
                + windows * round_trip_ns
        });
        // A slow network has put bytes on their way that take that long; stalls come on top.
        REFUSED_RETRY_NS + 2 * endpoints.max().unwrap_or(0) + 40 * self.scenario.tempo_ns
    }

    /// A last message on every channel: it is delivered everywhere, and every subscription that wants it gets it.
    fn say_last_words(&mut self) {
        let mut spoken = Vec::new();
        for channel in 0..self.scenario.channels.len() {
            let dead = self.scenario.channels[channel].legs.iter().any(|leg| {
                leg.endpoint()
                    .is_some_and(|it| self.scenario.endpoints[usize::from(it.0)].character == Character::Dead)
            });
            if dead || !self.opened[channel] || self.ctx().judge.is_over() {
                continue;
            }
            self.read_all();
            // A publisher whose credit is too small for a message finds a smaller one in some tries.
            let accepted = (0..50).any(|_| self.publish(0, channel));
            if accepted {
                spoken.push(self.shard.port.ctx.ledger.messages[0].len() - 1);
            }
        }
        self.settle("when the faults are over, messages are delivered");
        // What is on its way to the subscribers arrives, and notices find their rings empty.
        let until_ns = self.ctx().now_ns + self.settle_bound_ns();
        while !self.ctx().judge.is_over() && !self.shard.network.is_calm() {
            let Some(event) = self.ctx().next_event(until_ns) else { break };
            self.happen(event);
            self.read_all();
        }
        for _ in 0..3 {
            let until_ns = self.ctx().now_ns + 2 * MILLISECOND_NS + 2 * self.scenario.turn_delay_max_ns;
            self.until(until_ns);
            self.read_all();
        }
        let ctx = self.ctx();
        for sequence in spoken {
            let message = ctx.ledger.messages[0][sequence].clone();
            for leg in &message.legs {
                ctx.judge.require(
                    leg.outcome == Some(ringwire_core::Outcome::Delivered),
                    "when the faults are over, messages are delivered",
                    || format!("0.{sequence}: {leg:?}"),
                );
            }
        }
    }

    fn judge_streams(&mut self, complete: bool) {
        let port = &mut self.shard.port;
        for record in &port.subscriptions {
            let dead = match record.subscription.source {
                Source::Bus => false,
                Source::Redis(endpoint) => {
                    self.scenario.endpoints[usize::from(endpoint.0)].character == Character::Dead
                }
            };
            if !port.ctx.judge.is_over() {
                let complete = complete && record.live && !dead;
                streams::stream_is_true(&mut port.ctx, record, complete);
            }
        }
    }

    fn expire(&mut self) {
        if !self.ctx().judge.is_over() {
            self.shard.expire();
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

type Shards = (Vec<Publisher>, Vec<Outgoing>, Vec<ringwire_shards::ring::FrameReader>);

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
        outgoing.push(Outgoing { grantors, reports: report_writer, told: std::collections::VecDeque::new() });
        rings.push(reader);
    }
    (publishers, outgoing, rings)
}

fn make_subscribers(scenario: &Scenario) -> (Vec<Subscriber>, Vec<Inbox>) {
    let make = |plan: &super::scenario::SubscriberPlan| {
        let (writer, reader) = frame_ring(plan.ring_bytes).expect("the scenario's rings are powers of two");
        (Subscriber { plan: plan.clone(), reader }, Inbox::new(writer))
    };
    scenario.subscribers.iter().map(make).unzip()
}
