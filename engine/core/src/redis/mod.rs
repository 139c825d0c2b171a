//! The two lanes of a Redis endpoint: one connection for `PUBLISH`, one for subscriptions.

mod breaker;
mod handshake;
mod link;
mod publish;
mod subscribe;

pub(crate) use link::Link;
pub(crate) use publish::{Departure, PublishLane};
pub(crate) use subscribe::SubscribeLane;

use crate::time::MILLISECOND_NS;

/// Answers or messages decoded for one lane in one [`crate::Core::poll`]: a burst on one connection must not hold
/// up the others on the shard for more than about ten microseconds.
pub(crate) const FRAMES_PER_POLL: usize = 128;

/// How often a ready lane looks at its clocks: a quarter of the shortest limit, so that a limit is overrun by a
/// quarter at most, and no timer is moved per message.
pub(crate) fn check_interval_ns(settings: &crate::settings::RedisSettings) -> u64 {
    (settings.ping_interval_ns.min(settings.reply_timeout_ns).min(settings.role_interval_ns) / 4)
        .max(MILLISECOND_NS)
}
