//! The eventfd's stand-in under loom: a counter that a thread can wait for.

use std::io;

use loom::sync::{Condvar, Mutex};

#[derive(Debug)]
pub(super) struct Bell {
    rings: Mutex<u64>,
    rang: Condvar,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { rings: Mutex::new(0), rang: Condvar::new() })
    }

    pub(super) fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
        self.rang.notify_one();
    }

    pub(super) fn silence(&self) {
        *self.rings.lock().unwrap() = 0;
    }

    /// Waits for ever: a lost wake-up is a deadlock, which loom reports.
    pub(super) fn wait(&self) {
        let mut rings = self.rings.lock().unwrap();
        while *rings == 0 {
            rings = self.rang.wait(rings).unwrap();
        }
    }
}
