//! What the application wants done on each thread of ours, before the thread does anything else.

use std::fmt;
use std::sync::Arc;

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
