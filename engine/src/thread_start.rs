//! What the application wants done on each thread of ours, before the thread does anything else.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Called with the thread's name.
type Hook = dyn Fn(&str) + Send + Sync;

/// Nothing, unless the application said otherwise.
#[derive(Clone, Default)]
pub(crate) struct ThreadStart(Option<Arc<Hook>>);

impl ThreadStart {
    pub(crate) fn new(hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    /// Called by a thread that begins, with its name.
    pub(crate) fn announce(&self, name: &str) {
        if let Some(hook) = &self.0 {
            hook(name);
        }
    }
}

impl fmt::Debug for ThreadStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "ThreadStart(..)" } else { "ThreadStart(none)" })
    }
}

/// The same for threads that the engine's end does not wait for: from then on they call nothing of the application's.
#[derive(Clone)]
pub(crate) struct Revocable(Arc<RwLock<ThreadStart>>);

impl Revocable {
    pub(crate) fn new(thread_start: ThreadStart) -> Self {
        Self(Arc::new(RwLock::new(thread_start)))
    }

    /// As [`ThreadStart::announce`], until it is revoked. Several threads may be in the hook at a time.
    pub(crate) fn announce(&self, name: &str) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).announce(name);
    }

    /// Waits until no thread is in the hook, and lets it go.
    pub(crate) fn revoke(&self) {
        // The application's hook is dropped when the lock is free again.
        let hook = std::mem::take(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner));
        drop(hook);
    }
}
