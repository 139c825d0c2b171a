//! What was executed, for tests that ask whether a message arrived once, twice or not at all.

use super::ClientId;

/// What an entry is taken to cost beyond its bytes.
const ENTRY_OVERHEAD: usize = 80;

/// A `PUBLISH` that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Who sent it.
    pub client: ClientId,
    /// Its channel.
    pub channel: Vec<u8>,
    /// Its message.
    pub payload: Vec<u8>,
    /// Its reply: the matching subscriptions, a client's channel and pattern counted apart.
    pub receivers: u64,
}

#[derive(Default)]
pub(super) struct Journal {
    entries: Vec<Executed>,
    bytes: usize,
}

impl Journal {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn record(&mut self, executed: Executed) {
        self.bytes += executed.channel.len() + executed.payload.len() + ENTRY_OVERHEAD;
        self.entries.push(executed);
    }

    pub(super) fn take(&mut self) -> Vec<Executed> {
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }
}
