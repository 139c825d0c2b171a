//! One connection to a broker, and the table of all of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ConnectionId;
use super::options::{OUTPUT_LEN_MAX, RETAINED_LEN};

/// Sent bytes stay in front of the output until there are this many of them, and more than are unsent.
const COMPACT_LEN: usize = 64 << 10;

/// Whether a connection lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Open,
    /// Hears nothing more; closes when its output is out.
    AfterOutput,
    /// Closes with its output unsent.
    Now,
}

/// A request that is answered later, and holds up those behind it: a broker executes one at a time.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) until_ns: u64,
    pub(super) payload: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Connection {
    /// The broker that it was accepted by.
    pub(super) broker: i32,
    /// The beginning of a request, or requests behind the one that waits.
    pub(super) input: Vec<u8>,
    pub(super) waiting: Option<Waiting>,
    /// Answers; `output[..sent]` is on its way.
    pub(super) output: Vec<u8>,
    sent: usize,
    pub(super) fate: Fate,
    /// In the table's queue.
    is_ready: bool,
}

impl Connection {
    pub(super) fn unsent(&self) -> &[u8] {
        if self.fate == Fate::Now { &[] } else { &self.output[self.sent..] }
    }

    pub(super) fn sent(&mut self, n: usize) {
        self.sent = self.output.len().min(self.sent + n);
        if self.sent == self.output.len() {
            self.output.clear();
            self.output.shrink_to(RETAINED_LEN);
            self.sent = 0;
        } else if self.sent > COMPACT_LEN && self.sent > self.output.len() / 2 {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
    }

    pub(super) fn wants_close(&self) -> bool {
        match self.fate {
            Fate::Open => false,
            Fate::AfterOutput => self.unsent().is_empty(),
            Fate::Now => true,
        }
    }

    /// Closes with what it has not been told.
    pub(super) fn end(&mut self) {
        self.fate = Fate::Now;
        self.input = Vec::new();
        self.output = Vec::new();
        self.sent = 0;
    }

    /// A peer that does not read is closed.
    pub(super) fn enforce_output_limit(&mut self) {
        if self.unsent().len() > OUTPUT_LEN_MAX {
            self.end();
        }
    }
}

/// Connections by their number, and those whose driver has something to do.
#[derive(Debug, Default)]
pub(super) struct Connections {
    by_id: BTreeMap<ConnectionId, Connection>,
    ready: VecDeque<ConnectionId>,
    /// Those with a request that waits.
    waiting: BTreeSet<ConnectionId>,
    accepted: u64,
}

impl Connections {
    pub(super) fn insert(&mut self, broker: i32) -> ConnectionId {
        self.accepted += 1;
        let id = ConnectionId(self.accepted);
        self.by_id.insert(id, Connection { broker, ..Connection::default() });
        id
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.waiting.remove(&id);
        self.by_id.remove(&id);
    }

    pub(super) fn wait(&mut self, id: ConnectionId, waiting: Waiting) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.waiting = Some(waiting);
            self.waiting.insert(id);
        }
    }

    pub(super) fn stop_waiting(&mut self, id: ConnectionId) -> Option<Waiting> {
        self.waiting.remove(&id);
        self.by_id.get_mut(&id)?.waiting.take()
    }

    /// Those with a request that waits, the oldest connection first.
    pub(super) fn waiting(&self) -> Vec<ConnectionId> {
        self.waiting.iter().copied().collect()
    }

    /// When the first of them has waited for long enough.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let waiting = self.waiting.iter().filter_map(|id| self.by_id.get(id)?.waiting.as_ref());
        waiting.map(|waiting| waiting.until_ns).min()
    }

    /// The connections of a broker.
    pub(super) fn of(&self, broker: i32) -> Vec<ConnectionId> {
        let mine = self.by_id.iter().filter(|(_, connection)| connection.broker == broker);
        mine.map(|(&id, _)| id).collect()
    }

    /// Its driver has to look at it.
    pub(super) fn mark_ready(&mut self, id: ConnectionId) {
        if let Some(connection) = self.by_id.get_mut(&id)
            && !connection.is_ready
        {
            connection.is_ready = true;
            self.ready.push_back(id);
        }
    }

    pub(super) fn next_ready(&mut self) -> Option<ConnectionId> {
        loop {
            let id = self.ready.pop_front()?;
            // One that was closed meanwhile is not there any more.
            if let Some(connection) = self.by_id.get_mut(&id) {
                connection.is_ready = false;
                return Some(id);
            }
        }
    }
}
