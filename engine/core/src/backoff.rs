//! Reconnect delays: exponential with full jitter, from the core's own seeded numbers.

/// A small seeded generator (SplitMix64): the core must replay from a seed, so it cannot ask the system.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound`, both included.
    pub(crate) fn up_to(&mut self, bound: u64) -> u64 {
        // The bias of a 64-bit remainder over bounds of some seconds is below 1e-9: delays do not notice.
        self.next() % (bound.saturating_add(1).max(1))
    }
}

/// No two attempts come closer than this, whatever the jitter says: a refused connect costs the server too.
pub(crate) const RECONNECT_FLOOR_NS: u64 = crate::time::MILLISECOND_NS;

/// The delay before attempt number `attempt` (0: the first retry): uniform up to `min * 2^attempt`, capped at `max`.
/// Full jitter keeps a fleet from coming back in step.
pub(crate) fn delay_ns(random: &mut Random, attempt: u32, min_ns: u64, max_ns: u64) -> u64 {
    let ceiling = min_ns.saturating_mul(1_u64.checked_shl(attempt).unwrap_or(u64::MAX)).min(max_ns);
    random.up_to(ceiling).max(RECONNECT_FLOOR_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_jittered_grow_and_are_capped() {
        let mut random = Random::new(1);
        for attempt in [0, 1, 5, 31, 63, 64, u32::MAX] {
            let ceiling = if attempt < 5 { 10_000_000 << attempt } else { 250_000_000 };
            let delays: Vec<u64> =
                (0..200).map(|_| delay_ns(&mut random, attempt, 10_000_000, 250_000_000)).collect();
            assert!(delays.iter().all(|delay| (RECONNECT_FLOOR_NS..=ceiling).contains(delay)));
            assert!(*delays.iter().max().unwrap() > ceiling / 2, "spread over the whole range");
            assert!(*delays.iter().min().unwrap() < ceiling / 2, "spread over the whole range");
        }
    }
}
