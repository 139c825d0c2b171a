//! What the application does with its handles: it opens channels, publishes, reads, and changes its mind about what
//! it wants to hear.

use ringwire_core::{Channel, EndpointId, Leg, Source, SubscriberId, Subscription};

use super::context::Event;
use super::scenario::{PATTERNS, SUBSCRIPTIONS_MAX};
use super::shard::Control;
use super::subscriber::{Record, Subscriber};
use super::world::World;

impl World {
    pub(crate) fn open_channels(&mut self) {
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

    pub(crate) fn publish_some(&mut self, publisher: usize) {
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

    pub(crate) fn publish_burst(&mut self) {
        const BURST_MAX: u64 = 24;
        for _ in 0..self.ctx().random.below(BURST_MAX) {
            let publisher = self.shard.port.ctx.random.index(self.publishers.len());
            let channel = self.shard.port.ctx.random.index(self.opened.len());
            if self.opened[channel] && !self.shard.port.ctx.expired {
                self.publish(publisher, channel);
            }
        }
    }

    pub(crate) fn publish(&mut self, publisher: usize, channel: usize) -> bool {
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

    pub(crate) fn read_reports(&mut self, publisher: usize) {
        let interval_ns = self.publishers[publisher].plan.report_interval_ns;
        let ctx = &mut self.shard.port.ctx;
        let limit = ctx.random.pick(&[1, 10, 1_000]);
        let told = &mut self.shard.port.outgoing[publisher].told;
        self.publishers[publisher].read_reports(ctx, told, limit);
        if !self.quiet {
            ctx.after(interval_ns, Event::ReadReports { publisher });
        }
    }

    pub(crate) fn read_ring(&mut self, subscriber: usize) {
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
    pub(crate) fn read_all(&mut self) {
        let port = &mut self.shard.port;
        for (publisher, outgoing) in self.publishers.iter_mut().zip(&mut port.outgoing) {
            publisher.read_reports(&mut port.ctx, &mut outgoing.told, usize::MAX);
        }
        for (subscriber, inbox) in self.subscribers.iter_mut().zip(&mut port.inboxes) {
            subscriber.read(&mut port.ctx, inbox, usize::MAX);
        }
    }

    pub(crate) fn subscribe(&mut self, subscriber: usize) {
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
        // An endpoint that is opened for its own sake has both lanes though nobody subscribes.
        let source = match source {
            Source::Redis(it) if self.scenario.endpoints[usize::from(it.0)].is_opened => Source::Bus,
            source => source,
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

    pub(crate) fn subscribe_to(
        &mut self,
        subscriber: usize,
        source: Source,
        name: Box<[u8]>,
        is_pattern: bool,
    ) {
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
    pub(crate) fn churn(&mut self, subscriber: usize) {
        if self.quiet || self.shard.port.ctx.expired {
            return;
        }
        let interval_ns = self.subscribers[subscriber].plan.churn_interval_ns;
        self.ctx().after(interval_ns, Event::Churn { subscriber });
        self.change_mind(subscriber);
    }

    /// Subscribes to something, ends something, or both at once.
    pub(crate) fn change_mind(&mut self, subscriber: usize) {
        let port = &mut self.shard.port;
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

    pub(crate) fn unsubscribe(&mut self, id: u32) {
        let port = &mut self.shard.port;
        port.ctx.judge.note(|| format!("not wanted any more: subscription {id}"));
        port.ctx.coverage.unsubscribed += 1;
        self.shard.control.push_back(Control::Unsubscribe(id));
        port.ctx.wake_shard(0);
    }
}
