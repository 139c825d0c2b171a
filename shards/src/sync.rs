//! The one door through which atomics and fences come, so that loom can replace them.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p ringwire-shards --release --test loom` builds the modules that
//! synchronise by themselves ([`crate::credit`], [`crate::wake`]) on loom's atomics and explores their
//! interleavings. The rings stand on `rtrb`, which is verified where it is developed; the models stand in
//! an atomic for its published position.

/// The standard one under loom too: loom's own only finds leaks, and aborts the process when a model that is
/// meant to fail unwinds through it.
pub use std::sync::Arc;
#[cfg(not(loom))]
pub use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(loom)]
pub use loom::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// Keeps the compiler from moving memory accesses across it, and costs no instruction.
///
/// It is the light half of an asymmetric fence: it suffices only against a thread that executes
/// `membarrier(2)` (see [`crate::wake`]). Loom knows no `membarrier`: there it is a full fence.
#[inline(always)]
pub fn light_fence() {
    #[cfg(not(loom))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}
