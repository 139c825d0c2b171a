//! The processor cores that a thread may use, and pinning to one of them.

use std::error::Error;
use std::fmt;

use core_affinity::CoreId;
use rustix::thread::CpuSet;

/// The cores on which the calling thread may run now, ascending: what `taskset`, a pinned parent thread and
/// the cgroup's cpuset left it.
#[must_use]
pub fn allowed() -> Vec<usize> {
    core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect()
}

/// Pins the calling thread to `core`.
///
/// A new thread inherits the affinity of the one that made it, and a trading thread is often pinned itself.
/// So what counts is not the inherited set, but what the kernel grants: every online core of the cgroup's
/// cpuset.
///
/// # Errors
///
/// [`CoreNotAllowed`]; the thread is then not pinned.
pub fn pin(core: usize) -> Result<(), CoreNotAllowed> {
    let allowed = widen();
    if allowed.contains(&core) && core_affinity::set_for_current(CoreId { id: core }) {
        return Ok(());
    }
    Err(CoreNotAllowed { core, allowed })
}

/// Lets the calling thread run on every core that the kernel grants it, and lists those. The kernel
/// intersects the request with the cpuset; should it refuse, the old set remains.
fn widen() -> Vec<usize> {
    let mut all = CpuSet::new();
    for core in 0..CpuSet::MAX_CPU {
        all.set(core);
    }
    let _ = rustix::thread::sched_setaffinity(None, &all);
    allowed()
}

/// A thread cannot be pinned to that core: it does not exist, is offline or is outside the cgroup's cpuset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreNotAllowed {
    /// The core that was asked for.
    pub core: usize,
    /// The cores that would be accepted, ascending.
    pub allowed: Vec<usize>,
}

impl fmt::Display for CoreNotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "core {} is not among the cores that this process may use: ", self.core)?;
        for (index, core) in self.allowed.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{core}")?;
        }
        Ok(())
    }
}

impl Error for CoreNotAllowed {}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn pins_to_an_allowed_core_from_a_thread_that_is_pinned_elsewhere() {
        let cores = thread::spawn(widen).join().unwrap();
        thread::spawn(move || {
            for &core in &cores {
                assert_eq!(pin(core), Ok(()));
                assert_eq!(allowed(), [core]);
                // A child inherits the one core, and is not bound by it.
                let cores = cores.clone();
                thread::spawn(move || {
                    assert_eq!(allowed(), [core]);
                    for &other in &cores {
                        assert_eq!(pin(other), Ok(()));
                    }
                })
                .join()
                .unwrap();
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn names_the_cores_that_would_do() {
        for core in [CpuSet::MAX_CPU - 1, CpuSet::MAX_CPU, usize::MAX] {
            thread::spawn(move || {
                let error = pin(core).unwrap_err();
                assert_eq!(error, CoreNotAllowed { core, allowed: allowed() });
                assert!(!error.allowed.is_empty());
            })
            .join()
            .unwrap();
        }
        let error = CoreNotAllowed { core: 9, allowed: vec![0, 2, 3] };
        assert_eq!(error.to_string(), "core 9 is not among the cores that this process may use: 0, 2, 3");
    }
}
