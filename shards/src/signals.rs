//! Which signals the threads of ours take: none of the application's.

use std::marker::PhantomData;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// What a thread gets for something that it did itself, and what profilers send to whoever is running.
const OWN: [Signal; 8] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGABRT,
    Signal::SIGPROF,
];

/// While it lives, the calling thread blocks signals, and the threads that it starts block them for good: a new thread has
/// the mask of the one that started it. So a handler of the application's never runs on a thread of ours, and interrupts
/// no turn of a shard.
#[derive(Debug)]
pub struct SignalsBlocked {
    before: Option<SigSet>,
    /// The mask is this thread's: it is set back here or nowhere.
    not_send: PhantomData<*const ()>,
}

impl SignalsBlocked {
    /// Blocks them. What arrives meanwhile waits until it is dropped, if no other thread takes it.
    #[must_use]
    pub fn now() -> Self {
        let mut blocked = SigSet::all();
        OWN.into_iter().for_each(|signal| blocked.remove(signal));
        let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok();
        Self { before, not_send: PhantomData }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = before.thread_set_mask();
        }
    }
}
