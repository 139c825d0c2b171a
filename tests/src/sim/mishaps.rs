//! Faults as they begin and end.

use ringwire_core::{ConnectionId, EndpointId, EndpointState, Role, Source, Subscription};
use ringwire_loopback::redis;

use super::faults::{INJECTIONS, Kind};
use super::peer::Reach;
use super::scenario::Character;
use super::shard::Shard;
use super::world::World;

impl World {
    pub(crate) fn fault(&mut self, fault: usize, begins: bool) {
        let plan = self.scenario.faults[fault];
        if self.quiet {
            return;
        }
        if begins && matches!(plan.kind, Kind::Break { .. } | Kind::Freeze { .. } | Kind::Busy | Kind::Pause)
        {
            // Something is to be under way then.
            self.publish_burst();
        }
        if matches!(plan.kind, Kind::Inject { command, .. } if command.ends_with("subscribe")) {
            // Refusals are for those who want something just then.
            for subscriber in 0..self.subscribers.len() {
                self.change_mind(subscriber);
                self.change_mind(subscriber);
            }
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
            Kind::Busy => network.peers[endpoint].set_busy(ctx, begins),
            Kind::Misconf => network.peers[endpoint].set_misconf(ctx, begins),
            Kind::Full { clients_max } => {
                let clients_max = if begins { clients_max } else { redis::Limits::default().clients_max };
                network.peers[endpoint].server.set_clients_max(clients_max);
            }
            Kind::Demote | Kind::MasterDown => {
                let role = if begins { redis::Role::Replica } else { redis::Role::Primary };
                network.set_role(ctx, endpoint, role);
                network.peers[endpoint].server.set_master_down(begins && plan.kind == Kind::MasterDown);
            }
            Kind::Slow => network.peers[endpoint].slow_ns = begins.then_some(self.scenario.tempo_ns * 4),
            Kind::Unsubscribe if begins => self.end_subscription(endpoint),
            Kind::Unsubscribe => {}
            Kind::Lie => network.peers[endpoint].lies = begins,
        }
    }

    pub(crate) fn end_subscription(&mut self, endpoint: usize) {
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
    pub(crate) fn heal(&mut self) {
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
            for (command, _) in INJECTIONS {
                peer.inject(command, None);
            }
            peer.server.set_loading(false);
            peer.set_busy(&port.ctx, false);
            peer.set_misconf(&port.ctx, false);
            peer.server.set_master_down(false);
            peer.server.set_clients_max(redis::Limits::default().clients_max);
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
}
