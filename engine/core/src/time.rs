//! Time as the core knows it: two numbers that the driver reads once per duty cycle.

/// The present, as the driver read it at the start of its duty cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time, in nanoseconds since an arbitrary start that is the same for all callers of one core.
    pub mono_ns: u64,
    /// Wall-clock time, in nanoseconds since 1970-01-01 UTC. Only stamped on records, never compared.
    pub wall_ns: i64,
}

/// Nanoseconds in a millisecond.
pub const MILLISECOND_NS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000 * MILLISECOND_NS;
/// A deadline that never comes.
pub const NEVER_NS: u64 = u64::MAX;
