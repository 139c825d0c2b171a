//! Credits: how much of a shard one publisher may use, as a position limit.
//!
//! ```text
//!   publisher: Account                                        shard: Grantor
//!   fits(amount)?  taken + amount <= limit  <-- limit --      give_back(amount)   local
//!   take(amount)   taken grows                                publish()           limit = returned + capacity
//!
//!   0 <= returned <= taken <= limit <= returned + capacity        (each for messages and for bytes)
//! ```
//!
//! Both sides count upwards, so there is no read-modify-write and no shared line that both write; what the publisher takes
//! back ([`Account::untake`]) the grantor has never heard of. The publisher looks at its own copy of the limit, and at the
//! shared one only when the copy does not suffice. At 10^10 bytes a second a `u64` lasts 58 years: positions do not wrap.
//!
//! Two atomics make the limit. They are read one after the other, so a reload may see a newer limit of
//! messages than of bytes. Each alone is a limit that was true and never goes down: the mixture refuses
//! perhaps too much, and allows never too much.
//!
//! A grantor that is not needed any more may [`waive`](Grantor::waive) the limit: then everything fits, and nothing counts as
//! outstanding.
//!
//! # Waiting for credit
//!
//! Who waits says for what ([`Account::want`]): for half of the capacity, so that a publisher that is faster than the
//! server is woken for thousands of messages and not for each. [`Grantor::suffices`] tells the shard whether that is
//! there. It is the sleeper's dance of [`crate::wake`], with a number beside the flag: `want`, arm, look once more;
//! publish, fence, `suffices`. An old want that a grantor still sees is mostly a lower
//! one, and rings too early at worst. After an `untake` it may be a higher one: so who waits looks again by itself.

use crossbeam::utils::CachePadded;

use crate::sync::{Arc, AtomicU64, Ordering};

/// A number of messages and their bytes; whatever counts only messages leaves `bytes` at 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many messages.
    pub messages: u64,
    /// How many bytes, whatever the two sides agree to count as such.
    pub bytes: u64,
}

impl Amount {
    /// Whether neither part exceeds that of `limit`.
    #[inline]
    #[must_use]
    pub fn within(self, limit: Self) -> bool {
        self.messages <= limit.messages && self.bytes <= limit.bytes
    }

    /// The sum of each part. Positions do not wrap (see the module), so neither do sums.
    #[inline]
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    /// The difference of each part; `other` must be [`within`](Self::within) `self`.
    #[inline]
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { messages: self.messages - other.messages, bytes: self.bytes - other.bytes }
    }
}

/// A waiting publisher is woken when this part of its credit is free: a half keeps the server busy with the other one
/// meanwhile.
const WANTED_SHARE: u64 = 2;

/// What the grantor publishes. Each part only grows, and equals the grantor's `returned` plus the capacity
/// as of its last `publish`; or is all that a number holds, once it was waived.
#[derive(Debug)]
struct Limit {
    messages: AtomicU64,
    bytes: AtomicU64,
    /// What must have been returned before a waiting publisher is woken. The account writes it before it waits: so
    /// seldom that the line stays the grantor's.
    wanted_messages: AtomicU64,
    wanted_bytes: AtomicU64,
}

impl Limit {
    /// Acquire: who sees a limit also sees everything that the grantor did before it published it. The
    /// room in the ring was given back before the credit was, so a publisher that finds credit finds room.
    #[inline]
    fn load(&self) -> Amount {
        Amount { messages: self.messages.load(Ordering::Acquire), bytes: self.bytes.load(Ordering::Acquire) }
    }
}

/// Makes an account with `capacity`, all of it free, and the grantor that refills it.
///
/// The two may go to different threads; neither can be cloned.
#[must_use]
pub fn credit(capacity: Amount) -> (Account, Grantor) {
    let shared = Arc::new(CachePadded::new(Limit {
        messages: AtomicU64::new(capacity.messages),
        bytes: AtomicU64::new(capacity.bytes),
        wanted_messages: AtomicU64::new(0),
        wanted_bytes: AtomicU64::new(0),
    }));
    let none = Amount::default();
    (
        Account { shared: shared.clone(), capacity, taken: none, limit: capacity },
        Grantor { shared, capacity, returned: none, published: none },
    )
}

/// The publisher's side of a credit.
#[derive(Debug)]
pub struct Account {
    shared: Arc<CachePadded<Limit>>,
    /// The most that can be outstanding, unless the grantor waives it; never changes.
    capacity: Amount,
    /// All that was ever taken, less what was taken back. It stays within `limit`.
    taken: Amount,
    /// The newest limit that was seen, at most the shared one, and at least `capacity`.
    limit: Amount,
}

impl Account {
    /// Whether `amount` may be taken now. Costs an atomic load only where the limit seen last is too low.
    ///
    /// What exceeds the [`capacity`](Self::capacity) never fits.
    #[inline]
    #[must_use]
    pub fn fits(&mut self, amount: Amount) -> bool {
        self.allows(self.after(amount))
    }

    /// All that will have been taken when `amount` is.
    #[inline]
    #[must_use]
    pub fn after(&self, amount: Amount) -> Amount {
        self.taken.plus(amount)
    }

    /// Whether as much as `taken` may be taken in all: [`fits`](Self::fits) by its sum.
    #[inline]
    #[must_use]
    pub fn allows(&mut self, taken: Amount) -> bool {
        taken.within(self.limit) || self.allows_reloaded(taken)
    }

    /// The rare half of `allows`: looks at the shared limit.
    #[cold]
    fn allows_reloaded(&mut self, taken: Amount) -> bool {
        self.limit = self.shared.load();
        taken.within(self.limit)
    }

    /// Takes `amount`; [`fits`](Self::fits) must have said yes to it, or to more, since the last `take`.
    ///
    /// The two steps are apart so that a message with several credits takes all or none of them.
    #[inline]
    pub fn take(&mut self, amount: Amount) {
        self.take_up_to(self.after(amount));
    }

    /// Takes what is left to `taken`, to which [`allows`](Self::allows) has said yes: [`take`](Self::take) by its sum,
    /// for who has just asked and needs not add it up again.
    #[inline]
    pub fn take_up_to(&mut self, taken: Amount) {
        debug_assert!(taken.within(self.limit), "took {taken:?} without asking whether it fits");
        self.taken = taken;
    }

    /// Takes so many if they fit, of an account that counts only messages, and answers whether it did.
    #[inline]
    #[must_use]
    pub fn try_take_messages(&mut self, messages: u64) -> bool {
        let taken = self.taken.messages + messages;
        if taken > self.limit.messages && !self.allows_reloaded(Amount { messages: taken, bytes: 0 }) {
            return false;
        }
        self.taken.messages = taken;
        true
    }

    /// Undoes a [`take`](Self::take), for what did not come about: the grantor has never heard of it.
    pub fn untake(&mut self, amount: Amount) {
        self.taken = self.taken.minus(amount);
    }

    /// Says that a publisher is about to wait until `amount` fits, and half of the capacity: before it arms its
    /// sleeper and looks once more.
    pub fn want(&self, amount: Amount) {
        let wanted = |taken: u64, amount: u64, capacity: u64| {
            (taken + amount.max(capacity / WANTED_SHARE).min(capacity)).saturating_sub(capacity)
        };
        let messages = wanted(self.taken.messages, amount.messages, self.capacity.messages);
        let bytes = wanted(self.taken.bytes, amount.bytes, self.capacity.bytes);
        // Relaxed: the sleeper's fence stands between these and the last look.
        self.shared.wanted_messages.store(messages, Ordering::Relaxed);
        self.shared.wanted_bytes.store(bytes, Ordering::Relaxed);
    }

    /// All that was ever taken.
    #[must_use]
    pub fn taken(&self) -> Amount {
        self.taken
    }

    /// What was taken and has not come back, as the shared limit says now: nothing where that was waived.
    #[must_use]
    pub fn outstanding(&self) -> Amount {
        let returned = self.shared.load().minus(self.capacity);
        Amount {
            messages: self.taken.messages.saturating_sub(returned.messages),
            bytes: self.taken.bytes.saturating_sub(returned.bytes),
        }
    }

    /// The most that can be outstanding.
    #[must_use]
    pub fn capacity(&self) -> Amount {
        self.capacity
    }
}

/// The shard's side of a credit.
#[derive(Debug)]
pub struct Grantor {
    shared: Arc<CachePadded<Limit>>,
    /// The most that can be outstanding; never changes.
    capacity: Amount,
    /// All that was ever given back: at most what the account has taken.
    returned: Amount,
    /// The part of `returned` that the shared limit shows; within `returned`.
    published: Amount,
}

impl Grantor {
    /// Notes that `amount` came back. The account sees it after [`publish`](Self::publish). Answers whether it is the
    /// first since then: whoever has many grantors keeps a list of those that have something to publish.
    #[inline]
    pub fn give_back(&mut self, amount: Amount) -> bool {
        let is_first = self.published == self.returned;
        self.returned = self.returned.plus(amount);
        is_first
    }

    /// Shows the account what came back since the last call, and returns whether that was anything: then
    /// a publisher that waits for credit is to be woken.
    #[inline]
    pub fn publish(&mut self) -> bool {
        if self.published == self.returned {
            return false;
        }
        let limit = self.returned.plus(self.capacity);
        // Release, for the reason that `Limit::load` gives. A part that did not change is not stored: its
        // value in the shared line is the same.
        if self.published.messages != self.returned.messages {
            self.shared.messages.store(limit.messages, Ordering::Release);
        }
        if self.published.bytes != self.returned.bytes {
            self.shared.bytes.store(limit.bytes, Ordering::Release);
        }
        self.published = self.returned;
        true
    }

    /// Ends the limit: from now on everything fits, as far as numbers go. Whoever finds that also sees what was done before
    /// this.
    pub fn waive(self) {
        self.shared.messages.store(u64::MAX, Ordering::Release);
        self.shared.bytes.store(u64::MAX, Ordering::Release);
    }

    /// Whether all that a waiting publisher asked for has been published; true where nobody ever waited. To be asked
    /// after [`publish`](Self::publish) and a fence.
    #[inline]
    #[must_use]
    pub fn suffices(&self) -> bool {
        self.published.messages >= self.shared.wanted_messages.load(Ordering::Relaxed)
            && self.published.bytes >= self.shared.wanted_bytes.load(Ordering::Relaxed)
    }

    /// All that was ever given back, published or not.
    #[must_use]
    pub fn returned(&self) -> Amount {
        self.returned
    }

    /// The most that can be outstanding.
    #[must_use]
    pub fn capacity(&self) -> Amount {
        self.capacity
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
