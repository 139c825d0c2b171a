//! Faults as they begin and end.

use ringwire_codec::kafka::Api;
use ringwire_core::Acks;
use ringwire_loopback::kafka::{Injection, TopicOptions};

use super::faults::{Failure, Kind};
use super::ledger;
use super::network::{Host, Reach};
use super::scenario::{NOWHERE, PARTITIONS_MAX, PORT, TopicPlan, host};
use super::world::World;

impl World {
    pub(super) fn fault(&mut self, fault: usize, begins: bool) {
        if self.is_quiet || self.shard.port.ctx.expired {
            return;
        }
        let plan = self.shard.port.scenario.faults[fault];
        let ctx = &mut self.shard.port.ctx;
        ctx.judge.note(|| format!("{plan:?} {}", if begins { "begins" } else { "ends" }));
        match begins {
            true => self.begin(plan.kind),
            false => self.end(plan.kind),
        }
        self.after_mishap();
    }

    fn after_mishap(&mut self) {
        let ctx = &mut self.shard.port.ctx;
        ledger::observe(ctx, &mut self.shard.network.cluster, false);
        self.shard.network.pump(ctx);
    }

    fn begin(&mut self, kind: Kind) {
        match kind {
            // Something is to be under way then.
            Kind::Cut { .. } | Kind::Pause { .. } | Kind::Hold { .. } | Kind::Forget { .. } => {
                self.publish_burst(None);
            }
            Kind::Curt { topic, partition, .. } | Kind::Stutter { topic, partition, .. } => {
                self.publish_burst(Some((topic, partition)));
            }
            _ => {}
        }
        let (ctx, network) = (&mut self.shard.port.ctx, &mut self.shard.network);
        let scenario = &self.shard.port.scenario;
        let name = |topic: usize| scenario.topics[topic].name.as_str();
        match kind {
            Kind::Cut { broker } => {
                for socket in network.open_sockets(broker) {
                    network.cut(ctx, socket);
                }
            }
            Kind::Pause { broker } => {
                ctx.coverage.pauses += 1;
                network.hosts.entry(broker).or_default().paused = true;
            }
            Kind::Hold { broker } => {
                ctx.coverage.holds += 1;
                network.cluster.hold_answers(broker);
            }
            Kind::Stop { broker, moves } => self.stop(broker, moves),
            Kind::StopAll => {
                ctx.coverage.blackouts += 1;
                (1..=scenario.brokers).for_each(|broker| self.stop(broker, false));
            }
            Kind::Fence { broker } => {
                ctx.coverage.fences += 1;
                network.cluster.fence_broker(broker);
                network.cluster.disconnect(broker);
            }
            Kind::Reach { broker, reach } => network.hosts.entry(broker).or_default().reach = reach,
            Kind::Move { topic, partition, broker } => {
                let has_moved = network.cluster.move_leader(name(topic), partition, broker);
                ctx.coverage.moves += u64::from(has_moved);
            }
            Kind::Stale { broker, topic, partition, to } => {
                ctx.coverage.stales += 1;
                for broker in broker.map_or(1..=scenario.brokers, |broker| broker..=broker) {
                    network.cluster.freeze_metadata(broker);
                }
                network.cluster.move_leader(name(topic), partition, to);
            }
            Kind::Inject { api, error, count, appended } => {
                ctx.coverage.injections += 1;
                ctx.ledger.injected.insert(error.0);
                // With acks=1 a leader answers these before it appends, and only then.
                let is_early = scenario.settings.acks != Acks::All && matches!(error.0, 3 | 6);
                let injection =
                    Injection { appended: appended && !is_early, ..Injection::new(api, error, count) };
                network.cluster.inject(injection);
            }
            Kind::Throttle { ms } => network.cluster.set_throttle_ms(ms),
            Kind::Delete { topic, .. } => {
                ctx.ledger.missing = true;
                network.cluster.delete_topic(name(topic));
            }
            Kind::AddPartitions { topic } => self.add_partition(topic),
            Kind::Forget { topic, partition } => {
                if let Some((leader, _)) = network.cluster.leader(name(topic), partition) {
                    network.cluster.hold_answers(leader);
                }
            }
            Kind::Ban { topic } => {
                ctx.coverage.bans += 1;
                ctx.ledger.banned = true;
                network.cluster.set_authorized(name(topic), false);
            }
            Kind::Advertise { broker } => {
                ctx.coverage.advertisements += 1;
                network.cluster.advertise(broker, NOWHERE, PORT);
            }
            Kind::Nonsense { broker, percent } => {
                network.hosts.entry(broker).or_default().nonsense = percent;
            }
            Kind::Curt { topic, partition, percent, failure } => {
                self.fail_next(topic, partition, failure);
                if let Some(host) = self.host_of_leader(topic, partition) {
                    host.curt = percent;
                }
            }
            Kind::Stutter { topic, partition, gap_ns, failure } => {
                self.fail_next(topic, partition, failure);
                if let Some(host) = self.host_of_leader(topic, partition) {
                    host.gap_ns = gap_ns;
                }
            }
        }
    }

    /// The next batch for a partition fails, and perhaps the one after it.
    fn fail_next(&mut self, topic: usize, partition: i32, failure: Option<Failure>) {
        let Some(Failure { error, appended, then }) = failure else { return };
        let name = &self.shard.port.scenario.topics[topic].name;
        for (error, appended) in [(error, appended)].into_iter().chain(then.map(|error| (error, false))) {
            self.shard.port.ctx.ledger.injected.insert(error.0);
            let (topic, partition) = (Some(name.clone()), Some(partition));
            let once = Injection::new(Api::Produce, error, 1);
            self.shard.network.cluster.inject(Injection { appended, topic, partition, ..once });
        }
    }

    fn host_of_leader(&mut self, topic: usize, partition: i32) -> Option<&mut Host> {
        let name = &self.shard.port.scenario.topics[topic].name;
        let (leader, _) = self.shard.network.cluster.leader(name, partition)?;
        self.shard.network.hosts.get_mut(&leader)
    }

    fn add_partition(&mut self, topic: usize) {
        let (ctx, cluster) = (&mut self.shard.port.ctx, &mut self.shard.network.cluster);
        let name = &self.shard.port.scenario.topics[topic].name;
        let count = cluster.partition_count(name).unwrap_or(PARTITIONS_MAX as usize);
        let is_added = count < PARTITIONS_MAX as usize && cluster.add_partitions(name, 1).is_ok();
        ctx.coverage.partitions_added += u64::from(is_added);
    }

    fn stop(&mut self, broker: i32, moves: bool) {
        let (ctx, network) = (&mut self.shard.port.ctx, &mut self.shard.network);
        let scenario = &self.shard.port.scenario;
        ctx.coverage.stops += 1;
        network.cluster.stop_broker(broker);
        network.hosts.entry(broker).or_default().reach = Reach::Refuses;
        for topic in scenario.topics.iter().filter(|_| moves) {
            for partition in 0..network.cluster.partition_count(&topic.name).unwrap_or(0) as i32 {
                let leads = network.cluster.leader(&topic.name, partition).is_some_and(|it| it.0 == broker);
                let heir = ctx.random.between(1, scenario.brokers as u64) as i32;
                let has_moved =
                    leads && heir != broker && network.cluster.move_leader(&topic.name, partition, heir);
                ctx.coverage.moves += u64::from(has_moved);
            }
        }
    }

    fn end(&mut self, kind: Kind) {
        let (ctx, network) = (&mut self.shard.port.ctx, &mut self.shard.network);
        let scenario = &self.shard.port.scenario;
        match kind {
            Kind::Pause { broker } => network.resume(ctx, broker),
            Kind::Hold { broker } => network.cluster.release_answers(broker),
            Kind::Stop { broker, .. } | Kind::Reach { broker, .. } => {
                network.cluster.start_broker(broker);
                network.hosts.entry(broker).or_default().reach = Reach::Up;
            }
            Kind::Fence { broker } => network.cluster.unfence_broker(broker),
            Kind::StopAll => {
                for broker in 1..=scenario.brokers {
                    network.cluster.start_broker(broker);
                    network.hosts.entry(broker).or_default().reach = Reach::Up;
                }
            }
            Kind::Stale { broker, .. } => {
                for broker in broker.map_or(1..=scenario.brokers, |broker| broker..=broker) {
                    network.cluster.thaw_metadata(broker);
                }
            }
            Kind::Throttle { .. } => network.cluster.set_throttle_ms(0),
            Kind::Delete { topic, partitions } => {
                let has_ids = scenario.options.topic_ids;
                let partitions = if has_ids { partitions } else { PARTITIONS_MAX as u32 };
                let plan = TopicPlan { partitions, ..scenario.topics[topic].clone() };
                let is_made = create(&mut network.cluster, &plan);
                ctx.coverage.recreations += u64::from(is_made);
            }
            Kind::Ban { topic } => {
                network.cluster.set_authorized(&scenario.topics[topic].name, true);
            }
            Kind::Advertise { broker } => network.cluster.advertise(broker, &host(broker), PORT),
            Kind::Nonsense { broker, .. } => network.hosts.entry(broker).or_default().nonsense = 0,
            Kind::Curt { .. } => network.hosts.values_mut().for_each(|host| host.curt = 0),
            Kind::Stutter { .. } => network.hosts.values_mut().for_each(|host| host.gap_ns = 0),
            Kind::Forget { topic, partition } => self.forget(topic, partition),
            Kind::Cut { .. } | Kind::Move { .. } | Kind::Inject { .. } | Kind::AddPartitions { .. } => {}
        }
    }

    fn forget(&mut self, topic: usize, partition: i32) {
        let (ctx, network) = (&mut self.shard.port.ctx, &mut self.shard.network);
        let name = &self.shard.port.scenario.topics[topic].name;
        if network.cluster.forget_producers(name, partition) {
            ctx.coverage.forgets += 1;
            ctx.ledger.forgets(topic, Some(partition as usize));
        }
        for socket in network.open_sockets(None) {
            network.cut(ctx, socket);
        }
        (1..=self.shard.port.scenario.brokers).for_each(|broker| network.cluster.release_answers(broker));
    }

    /// The faults are over, and nothing more is published for now.
    pub(super) fn heal(&mut self) {
        self.is_quiet = true;
        let (ctx, network) = (&mut self.shard.port.ctx, &mut self.shard.network);
        let scenario = &self.shard.port.scenario;
        network.cluster.clear_injections();
        network.cluster.set_throttle_ms(0);
        for broker in 1..=scenario.brokers {
            let host_of = network.hosts.entry(broker).or_default();
            *host_of = Host { paused: host_of.paused, ..Host::default() };
            network.cluster.start_broker(broker);
            network.cluster.unfence_broker(broker);
            network.cluster.release_answers(broker);
            network.cluster.thaw_metadata(broker);
            network.cluster.advertise(broker, &host(broker), PORT);
            network.resume(ctx, broker);
        }
        for plan in &scenario.topics {
            // As when it is made anew.
            let fewest = if scenario.options.topic_ids { plan.partitions } else { PARTITIONS_MAX as u32 };
            create(&mut network.cluster, &TopicPlan { partitions: fewest, ..plan.clone() });
            network.cluster.set_authorized(&plan.name, true);
        }
        ctx.judge.note(|| "all faults are over".to_owned());
        self.after_mishap();
    }
}

/// Makes a topic, if it is not there.
pub(super) fn create(cluster: &mut ringwire_loopback::kafka::Cluster, plan: &TopicPlan) -> bool {
    let options = TopicOptions {
        message_bytes_max: plan.message_bytes_max,
        log_append_time: plan.log_append_time,
        compacted: plan.is_compacted,
    };
    cluster.create_topic(&plan.name, plan.partitions, options).is_ok()
}
