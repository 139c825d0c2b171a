//! Waiting for a condition, with an end.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, on a slow machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Looks in a row before the first pause: most conditions hold within microseconds.
const EAGER_LOOKS: u32 = 64;
/// Between later looks: who waits leaves the cores to what is awaited.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Waits until `holds` answers `true`.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = 0;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        looks += 1;
        if looks < EAGER_LOOKS { thread::yield_now() } else { thread::park_timeout(LOOK_EVERY) }
    }
}
