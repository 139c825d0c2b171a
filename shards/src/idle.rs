//! What a shard does when a turn found no work.
//!
//! ```text
//!   work found ------------------------------> Spin       (the clock of idleness starts anew)
//!   no work:  BusySpin ----------------------> Spin
//!             SpinThenPark, idle < spin -----> Spin       a message that comes now is seen in some 100 ns
//!                           idle >= spin ----> Park       a message that comes now pays a wake-up, 7 to 30 us
//!             Park --------------------------> Park
//!             Moderate, work since the nap --> Nap        a message that comes now waits for the nap's end
//!                       none since then -----> Park
//! ```
//!
//! `Moderate` is to messages what interrupt moderation is to a network card's packets: while they flow, the shard looks
//! at fixed times instead of being woken for each. A message that ends a silence still wakes it at once.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use rustix::thread::{NanosleepRelativeResult, clock_nanosleep_relative, set_current_timer_slack};
use rustix::time::{ClockId, Timespec};

/// How long [`IdleStrategy::SpinThenPark`] spins by default: several times what a wake-up costs, so that
/// traffic of 20,000 messages a second and more never pays one, and an idle shard costs no CPU.
pub const SPIN_DEFAULT: Duration = Duration::from_micros(50);

/// How long [`IdleStrategy::Moderate`] sleeps by default: ten messages at 100,000 a second share what a wake-up costs,
/// and a tenth of a millisecond is what a network card's own moderation adds at most by custom.
pub const NAP_DEFAULT: Duration = Duration::from_micros(100);

/// How late the kernel may end a nap. Its own default, 50 µs, would make a short nap half as long again.
const TIMER_SLACK_NS: NonZeroU64 = NonZeroU64::new(1_000).unwrap();

/// How a shard spends the time without work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleStrategy {
    /// Never sleeps: the lowest latency, one core always busy.
    BusySpin,
    /// Spins for so long after the last work, then parks until something wakes it.
    SpinThenPark {
        /// How long it spins.
        spin: Duration,
    },
    /// Parks at once: little CPU where messages are few.
    Park,
    /// Sleeps for a fixed time after each turn while messages flow, and parks when they do not: the least CPU where
    /// messages are many. It adds at most that time, on average half of it, to each way of a message: to the server,
    /// and back with its outcome or to a subscriber.
    Moderate {
        /// How long it sleeps.
        nap: Duration,
    },
}

impl Default for IdleStrategy {
    fn default() -> Self {
        Self::SpinThenPark { spin: SPIN_DEFAULT }
    }
}

impl fmt::Display for IdleStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BusySpin => "busy-spin",
            Self::SpinThenPark { .. } => "spin-then-park",
            Self::Park => "park",
            Self::Moderate { .. } => "moderate",
        })
    }
}

impl FromStr for IdleStrategy {
    type Err = UnknownIdleStrategy;

    /// `busy-spin`, `spin-then-park` (for [`SPIN_DEFAULT`]), `park` or `moderate` (for [`NAP_DEFAULT`]).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "busy-spin" => Ok(Self::BusySpin),
            "spin-then-park" => Ok(Self::default()),
            "park" => Ok(Self::Park),
            "moderate" => Ok(Self::Moderate { nap: NAP_DEFAULT }),
            _ => Err(UnknownIdleStrategy { name: name.to_owned() }),
        }
    }
}

/// No idle strategy has that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownIdleStrategy {
    /// What was given.
    pub name: String,
}

impl fmt::Display for UnknownIdleStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        write!(f, "unknown idle strategy `{name}`: use `busy-spin`, `spin-then-park`, `park` or `moderate`")
    }
}

impl Error for UnknownIdleStrategy {}

/// What to do after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleAction {
    /// Begin the next turn at once.
    Spin,
    /// Arm the sleeper, look once more, and wait until something happens or the next timer is due.
    Park,
    /// Sleep for so long ([`nap`]), whatever comes meanwhile.
    Nap(Duration),
}

/// Sleeps the calling thread for `duration`, or less if a signal comes.
///
/// The first call on a thread lowers its timer slack, so that the nap is as long as it was asked to be.
pub fn nap(duration: Duration) {
    thread_local!(static IS_SHARP: Cell<bool> = const { Cell::new(false) });
    if !IS_SHARP.replace(true) {
        // Where the kernel refuses, naps are longer.
        let _ = set_current_timer_slack(Some(TIMER_SLACK_NS));
    }
    if let Ok(time) = Timespec::try_from(duration) {
        let _: NanosleepRelativeResult = clock_nanosleep_relative(ClockId::Monotonic, &time);
    }
}

/// An [`IdleStrategy`] at work.
#[derive(Debug)]
pub struct Idle {
    strategy: IdleStrategy,
    /// When the first of the turns without work in a row was seen; `None` after a turn with work.
    idle_since_ns: Option<u64>,
}

impl Idle {
    /// A shard that has just had work.
    #[must_use]
    pub fn new(strategy: IdleStrategy) -> Self {
        Self { strategy, idle_since_ns: None }
    }

    /// Decides after a turn that began at `now_ns` (monotonic) and did or did not find work.
    #[inline]
    pub fn decide(&mut self, now_ns: u64, work_done: bool) -> IdleAction {
        if work_done {
            self.idle_since_ns = None;
            return IdleAction::Spin;
        }
        match self.strategy {
            IdleStrategy::BusySpin => IdleAction::Spin,
            IdleStrategy::Park => IdleAction::Park,
            IdleStrategy::SpinThenPark { spin } => {
                let since_ns = *self.idle_since_ns.get_or_insert(now_ns);
                let idle_ns = now_ns.saturating_sub(since_ns);
                if u128::from(idle_ns) < spin.as_nanos() { IdleAction::Spin } else { IdleAction::Park }
            }
            // The first turn without work in a row: what follows the nap says whether messages still flow.
            IdleStrategy::Moderate { nap } => match self.idle_since_ns.replace(now_ns) {
                None => IdleAction::Nap(nap),
                Some(_) => IdleAction::Park,
            },
        }
    }

    /// The strategy that it follows.
    #[must_use]
    pub fn strategy(&self) -> IdleStrategy {
        self.strategy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_by_strategy_time_and_work() {
        use IdleAction::{Nap, Park, Spin};
        let nap_5 = Duration::from_nanos(5);
        let spin_50 = IdleStrategy::SpinThenPark { spin: Duration::from_nanos(50) };
        let spin_0 = IdleStrategy::SpinThenPark { spin: Duration::ZERO };
        // (now, work) -> action, one after the other.
        let check = |strategy, steps: &[(u64, bool, IdleAction)]| {
            let mut idle = Idle::new(strategy);
            for (step, &(now, work, expected)) in steps.iter().enumerate() {
                assert_eq!(idle.decide(now, work), expected, "{strategy:?}, step {step}");
            }
        };
        check(IdleStrategy::BusySpin, &[(0, true, Spin), (1, false, Spin), (u64::MAX, false, Spin)]);
        check(IdleStrategy::Park, &[(0, true, Spin), (1, false, Park), (2, true, Spin), (3, false, Park)]);
        check(
            IdleStrategy::Moderate { nap: nap_5 },
            &[
                (0, true, Spin),
                (1, false, Nap(nap_5)),
                (6, true, Spin),
                (7, false, Nap(nap_5)),
                // Nothing came in a whole nap.
                (12, false, Park),
                (90, false, Park),
                (99, true, Spin),
                (99, false, Nap(nap_5)),
            ],
        );
        check(spin_0, &[(5, true, Spin), (6, false, Park)]);
        check(
            spin_50,
            &[
                (100, false, Spin),
                (149, false, Spin),
                (150, false, Park),
                // Woken without work: it parks again at once, it has been idle all along.
                (900, false, Park),
                // Work: the time starts anew with the first turn without.
                (1000, true, Spin),
                (1010, false, Spin),
                (1059, false, Spin),
                (1060, false, Park),
                // A clock that goes back never parks by underflow.
                (1, true, Spin),
                (1000, false, Spin),
                (10, false, Spin),
            ],
        );
    }

    #[test]
    fn names_round_trip() {
        for name in ["busy-spin", "spin-then-park", "park", "moderate"] {
            assert_eq!(
                name.parse::<IdleStrategy>().map(|strategy| strategy.to_string()),
                Ok(name.to_owned())
            );
        }
        assert_eq!("spin-then-park".parse(), Ok(IdleStrategy::default()));
        let error = "yield".parse::<IdleStrategy>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown idle strategy `yield`: use `busy-spin`, `spin-then-park`, `park` or `moderate`"
        );
    }
}
