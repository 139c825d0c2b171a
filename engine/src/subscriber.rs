//! Subscriptions and what they deliver: one ring from each shard, merged by the subscriber's own thread.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringwire_core::channel::{NAME_LEN_MAX, shard_of};
use ringwire_core::{Delivery, Source, SubscriberId, Subscription};
use ringwire_shards::ring::FrameReader;
use ringwire_shards::wake::Sleeper;

use crate::engine::OpenError;
use crate::shared::{Command, Shared};

/// One subscription of a subscriber: deliveries name it. No other open one has its number; when it has ended, 2^32
/// others come before one gets it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub u32);

/// Where a subscription that is open lives.
struct Open {
    /// The shards that were told of it.
    shards: Vec<usize>,
}

/// Receives messages. One thread at a time. Dropping it ends its subscriptions.
///
/// A message comes once for each subscription that matches it. Between the messages of one subscription and channel
/// the order is the server's; there is none between a pattern and a channel. When the ring is full, messages are
/// dropped, counted, and told as a [`crate::Event::Gap`] before the next one: the connection is never left unread,
/// since the server would close it.
pub struct Subscriber {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: u32,
    /// One for each shard.
    pub(crate) rings: Box<[FrameReader]>,
    pub(crate) sleeper: Sleeper,
    /// The ring that the next poll begins with.
    pub(crate) first: usize,
    open: HashMap<u32, Open>,
}

impl Subscriber {
    pub(crate) fn new(shared: Arc<Shared>, id: u32, rings: Box<[FrameReader]>, sleeper: Sleeper) -> Self {
        Self { shared, id, rings, sleeper, first: 0, open: HashMap::new() }
    }

    /// Subscribes to one channel, where its route leads: at its first Redis, or on the local bus.
    ///
    /// It does not wait: [`crate::Event::Subscribed`] tells when it is in force.
    ///
    /// # Errors
    /// [`OpenError`] if the name is empty or too long, if the channel leads to a Kafka alone, or if the engine was shut
    /// down.
    pub fn subscribe(&mut self, channel: impl AsRef<[u8]>) -> Result<SubscriptionId, OpenError> {
        let channel = channel.as_ref();
        let source = self.shared.config.source(channel)?;
        self.open(channel, false, source)
    }

    /// Subscribes to one channel at the endpoint with this name, wherever its route leads.
    ///
    /// # Errors
    /// As [`Subscriber::subscribe`]; also if there is no such endpoint.
    pub fn subscribe_at(
        &mut self,
        endpoint: &str,
        channel: impl AsRef<[u8]>,
    ) -> Result<SubscriptionId, OpenError> {
        self.open(channel.as_ref(), false, self.shared.config.source_at(endpoint)?)
    }

    /// Subscribes to all channels that match `pattern` by Redis' glob rules, at the engine's only Redis, or on
    /// the local bus if it has no endpoint. With several Redis use [`Subscriber::subscribe_pattern_at`].
    ///
    /// # Errors
    /// As [`Subscriber::subscribe`]; also if there are several Redis endpoints.
    pub fn subscribe_pattern(&mut self, pattern: impl AsRef<[u8]>) -> Result<SubscriptionId, OpenError> {
        let source = self.shared.config.source_of_patterns()?;
        self.open(pattern.as_ref(), true, source)
    }

    /// Subscribes to all channels that match `pattern`, at the endpoint with this name.
    ///
    /// # Errors
    /// As [`Subscriber::subscribe`]; also if there is no such endpoint.
    pub fn subscribe_pattern_at(
        &mut self,
        endpoint: &str,
        pattern: impl AsRef<[u8]>,
    ) -> Result<SubscriptionId, OpenError> {
        self.open(pattern.as_ref(), true, self.shared.config.source_at(endpoint)?)
    }

    fn open(&mut self, name: &[u8], is_pattern: bool, source: Source) -> Result<SubscriptionId, OpenError> {
        if name.is_empty() || name.len() > NAME_LEN_MAX {
            return Err(OpenError::BadName { len: name.len() });
        }
        crate::engine::running(&self.shared)?;
        let id = self.shared.registry().open_subscription();
        let count = self.shared.shards.len();
        // A pattern on the bus matches channels of every shard; everything else lives on one.
        let shards = match source {
            Source::Bus if is_pattern => (0..count).collect(),
            _ => vec![shard_of(name, count)],
        };
        for shard in &shards {
            let subscriber = SubscriberId(self.id);
            let subscription = Subscription { id, subscriber, source, name: name.into(), is_pattern };
            self.shared.shards[*shard].command(Command::Subscribe(subscription));
        }
        self.open.insert(id, Open { shards });
        Ok(SubscriptionId(id))
    }

    /// Ends a subscription. What is in the ring already still comes. Answers whether it was open.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId) -> bool {
        let Some(open) = self.open.remove(&subscription.0) else { return false };
        for shard in open.shards {
            self.shared.shards[shard].command(Command::Unsubscribe(subscription.0));
        }
        self.shared.registry().close_subscription(subscription.0);
        true
    }

    /// Hands up to `limit` events to `handler`, and answers how many. Never blocks. What the handler is lent is
    /// valid until it returns.
    pub fn poll(&mut self, limit: usize, mut handler: impl FnMut(&Delivery<'_>)) -> usize {
        let count = self.rings.len();
        let mut polled = 0;
        for offset in 0..count {
            let ring = &mut self.rings[(self.first + offset) % count];
            polled += ring.read(limit - polled, |bytes| {
                if let Some(delivery) = Delivery::decode(bytes) {
                    handler(&delivery);
                }
            });
        }
        self.first = (self.first + 1) % count.max(1);
        polled
    }

    /// Waits until there is something to poll, or `timeout` has passed; answers whether there is. It ends early,
    /// with `false`, when nothing can come any more: every shard has ended.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        while self.arm() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) || self.is_ended() {
                self.sleeper.disarm();
                return !self.is_empty();
            }
            // A signal wakes too early.
            self.sleeper.wait(left);
        }
        true
    }

    /// Whether every shard has ended: nothing comes any more but what can be polled now.
    pub fn is_ended(&self) -> bool {
        self.rings.iter().all(FrameReader::is_abandoned)
    }

    /// Whether there is nothing to poll now.
    pub fn is_empty(&self) -> bool {
        self.rings.iter().all(FrameReader::is_empty)
    }

    /// An eventfd for `epoll` and the like: readable when a shard rang. The shard rings only after
    /// [`Subscriber::arm`] has answered that there is nothing to poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.sleeper.fd()
    }

    /// Makes the descriptor readable until the next [`Subscriber::arm`], whether there is anything or not: for who waits on it
    /// before having polled.
    pub fn ring(&mut self) {
        self.sleeper.ring();
    }

    /// Asks to be rung when the next event comes. Answers `false`, and does not ask, if there is one already.
    ///
    /// The end rings once, and arming silences what rang before: look at [`Subscriber::is_ended`] after it.
    pub fn arm(&mut self) -> bool {
        self.sleeper.drain();
        self.sleeper.arm();
        let is_empty = self.is_empty();
        if !is_empty {
            self.sleeper.disarm();
        }
        is_empty
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let open: Vec<u32> = self.open.keys().copied().collect();
        for number in open {
            self.unsubscribe(SubscriptionId(number));
        }
        for shard in &self.shared.shards {
            shard.command(Command::CloseSubscriber(self.id));
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("subscriptions", &self.open.len()).finish_non_exhaustive()
    }
}
