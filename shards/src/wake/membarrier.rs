//! `membarrier(2)`: a full fence on every running thread of this process.

#[cfg(not(loom))]
pub(super) use kernel::{all_threads, is_available};
#[cfg(loom)]
pub(super) use model::{all_threads, is_available};

#[cfg(not(loom))]
mod kernel {
    use std::sync::OnceLock;

    use rustix::thread::{MembarrierCommand, membarrier};

    /// Whether the process is registered for the expedited command, which it is on the first call. Linux
    /// 4.14 has it; a seccomp filter or a kernel without `CONFIG_MEMBARRIER` may not.
    pub(crate) fn is_available() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        *REGISTERED.get_or_init(|| {
            membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
                && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
        })
    }

    /// Fences this thread and every other running thread of the process. Only after `is_available` said yes:
    /// a registered process is never refused (membarrier(2), ERRORS).
    pub(crate) fn all_threads() {
        let fenced = membarrier(MembarrierCommand::PrivateExpedited);
        assert!(fenced.is_ok(), "membarrier refused a registered process: {fenced:?}");
    }
}

/// Loom knows no `membarrier`: the sleeper's half is a fence here, and [`crate::sync::light_fence`] is the
/// other one. That checks the handshake, and that both places are fenced; that the system call is worth a
/// fence on the other side is the kernel's promise.
#[cfg(loom)]
mod model {
    pub(crate) fn is_available() -> bool {
        true
    }

    pub(crate) fn all_threads() {
        crate::sync::fence(crate::sync::Ordering::SeqCst);
    }
}
