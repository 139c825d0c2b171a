//! The end of a run: when the faults are over everything settles, and a last message arrives everywhere.

use ringwire_core::{BreakerState, EndpointId, EndpointState, LaneStatus, MILLISECOND_NS, Outcome, Source};
use ringwire_shards::ring::FrameReader;

use super::scenario::{Character, REFUSED_RETRY_NS};
use super::shard::Shard;
use super::streams;
use super::world::World;

impl World {
    /// Whether everything has arrived where it should, but for what is meant for the dead.
    pub(crate) fn is_settled(&self) -> bool {
        let shard = &self.shard;
        let drained = shard.rings.iter().all(FrameReader::is_empty);
        let mut dead = false;
        let ready = (0..self.scenario.endpoints.len()).all(|endpoint| {
            if self.scenario.endpoints[endpoint].character == Character::Dead {
                dead = true;
                return true;
            }
            let status = shard.core.status(EndpointId(endpoint as u16));
            let is_opened = self.scenario.endpoints[endpoint].is_opened;
            let there = |lane: &LaneStatus| match lane.state {
                // Nothing ails a server that is well, and nothing is said to.
                EndpointState::Connected => lane.last_error.is_none(),
                state => state == EndpointState::Disconnected && !is_opened,
            };
            status.counters.in_flight == 0
                && there(&status.publish)
                && there(&status.subscribe)
                && status.subscribed == status.wanted
        });
        drained
            && shard.control.is_empty()
            && ready
            && (dead || (shard.core.is_ready() && shard.core.is_drained()))
    }

    /// Waits until everything is settled, for as long as that may take.
    pub(crate) fn settle(&mut self, invariant: &'static str) {
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
        let opened =
            self.scenario.endpoints.iter().filter(|it| it.is_opened && it.character != Character::Dead);
        self.shard.port.ctx.coverage.opened_endpoints += opened.count() as u64;
        let found: Vec<_> = (0..self.scenario.endpoints.len())
            .map(|endpoint| self.shard.core.status(EndpointId(endpoint as u16)))
            .collect();
        self.ctx().judge.require(settled, invariant, || {
            format!("after {:.1} s: {found:#?}", (until_ns - start_ns) as f64 / 1e9)
        });
    }

    /// After this long the core has noticed every connection that is not what it seems.
    pub(crate) fn detection_ns(&self) -> u64 {
        let endpoints = self.scenario.endpoints.iter().map(|plan| {
            let settings = &plan.settings;
            // Clocks are looked at in quarters of the shortest of them.
            2 * (settings.reply_timeout_ns + settings.ping_interval_ns + settings.connect_timeout_ns)
        });
        let stalls_ns = if self.scenario.stalls > 0 { self.scenario.tempo_ns * 40 } else { 0 };
        endpoints.max().unwrap_or(0) + stalls_ns
    }

    pub(crate) fn settle_bound_ns(&self) -> u64 {
        let endpoints = self.scenario.endpoints.iter().map(|plan| {
            let settings = &plan.settings;
            let round_trip_ns = 2 * plan.path.delay_max_ns + 2 * self.scenario.turn_delay_max_ns;
            let credit: u64 = self.scenario.publishers.iter().map(|it| it.credit.bytes).sum();
            let windows = credit / plan.path.window as u64 + 200;
            4 * (settings.connect_timeout_ns + settings.reply_timeout_ns + settings.ping_interval_ns)
                // A server that has turned us away is asked again much later.
                + 16 * settings.reconnect_max_ns
                + 4 * (settings.breaker_open_ns + settings.role_interval_ns)
                + windows * round_trip_ns
        });
        // A slow network has put bytes on their way that take that long; stalls come on top.
        REFUSED_RETRY_NS + 2 * endpoints.max().unwrap_or(0) + 40 * self.scenario.tempo_ns
    }

    /// A last message on every channel: it is delivered everywhere, and every subscription that wants it gets it.
    pub(crate) fn say_last_words(&mut self) {
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
        let Shard { port, core, .. } = &mut self.shard;
        let ctx = &mut port.ctx;
        for sequence in spoken {
            let message = ctx.ledger.messages[0][sequence].clone();
            for leg in &message.legs {
                ctx.judge.require(
                    leg.outcome == Some(Outcome::Delivered),
                    "when the faults are over, messages are delivered",
                    || format!("0.{sequence}: {leg:?}"),
                );
                let Some(endpoint) = leg.endpoint else { continue };
                let breaker = core.status(EndpointId(endpoint as u16)).breaker;
                ctx.judge.require(
                    breaker == BreakerState::Closed,
                    "a server that is well closes its breaker",
                    || format!("endpoint {endpoint}: {breaker:?}"),
                );
            }
        }
    }

    /// Nothing happens, and so nothing changes.
    pub(crate) fn stay_quiet(&mut self) {
        if self.ctx().judge.is_over() {
            return;
        }
        let before = self.shard.port.state_changes;
        let dead = self.scenario.endpoints.iter().any(|it| it.character == Character::Dead);
        let until_ns = self.ctx().now_ns + self.detection_ns();
        self.until(until_ns);
        self.read_all();
        let changes = self.shard.port.state_changes - before;
        self.ctx().judge.require(dead || changes == 0, "a quiet connection stays", || {
            format!("{changes} changes of state without a fault")
        });
    }

    pub(crate) fn judge_streams(&mut self, complete: bool) {
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

    pub(crate) fn expire(&mut self) {
        if !self.ctx().judge.is_over() {
            self.shard.expire();
        }
    }
}
