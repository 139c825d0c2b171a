//! One connected client, and the table of all of them.
//!
//! ```text
//! ClientId --by_id--> Slot --> entries[slot] = Client { reader + pending input, session, output }
//! ready: ids of clients whose driver has something to do, each at most once
//! ```
//!
//! Subscriptions name clients by slot, which stays theirs until the driver says that the connection is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::reply::Reply;
use super::request::RequestReader;
use super::{ClientId, Options};

/// A client's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// Output and input buffers keep at most this capacity while they are empty: a little more than the largest
/// default message, so that steady traffic never allocates and a burst is given back.
pub(super) const RETAINED_BYTES: usize = 2 * 1024 * 1024;

/// Sent bytes are left in front of the output until there are this many of them, and more than are unsent.
const COMPACT_BYTES: usize = 64 * 1024;

/// Whether the connection lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    /// Executes and says nothing more; closes when its output is out. `stuck`: there was no output, so that
    /// Redis, which closes after a write, never does (`QUIT` under `CLIENT REPLY OFF`).
    AfterOutput {
        stuck: bool,
    },
    /// Closes with its output unsent.
    Now,
}

/// What `CLIENT REPLY` says about replies; pushes are never silenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    None,
    /// `SKIP`, while the command itself executes.
    SkipNext,
    /// `SKIP`, for the command after it.
    Skip,
    Off,
}

/// Bytes for the peer: `bytes[sent..]`; `sent` is 0 when there are none.
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    sent: usize,
    /// Since when the soft limit has been exceeded at every look.
    over_soft_since_ns: Option<u64>,
}

impl Output {
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn consume(&mut self, n: usize) {
        self.sent += n.min(self.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
            if self.bytes.capacity() > RETAINED_BYTES {
                self.bytes.shrink_to(RETAINED_BYTES);
            }
        } else if self.sent >= COMPACT_BYTES && self.sent > self.len() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) peer_addr: Box<str>,
    pub(super) connected_ns: u64,
    pub(super) active_ns: u64,

    pub(super) name: Vec<u8>,
    /// Index of the user in the server's table; meaningful once authenticated.
    pub(super) user: usize,
    pub(super) authenticated: bool,
    pub(super) resp3: bool,
    pub(super) db: u8,
    pub(super) silence: Silence,
    pub(super) no_evict: bool,
    /// Full name of the command that was looked up last, for `CLIENT LIST`.
    pub(super) last_command: &'static str,
    pub(super) channels: BTreeSet<Arc<[u8]>>,
    /// In the order in which they were subscribed, as in Redis, which searches them one by one as well.
    pub(super) patterns: Vec<Arc<[u8]>>,

    pub(super) reader: RequestReader,
    /// The beginning of a command whose rest has not arrived.
    pub(super) pending: Vec<u8>,
    pub(super) output: Output,
    pub(super) fate: Fate,
    /// In the ready queue.
    ready: bool,
}

impl Client {
    fn new(id: ClientId, now_ns: u64, peer_addr: &str) -> Self {
        Self {
            id,
            peer_addr: peer_addr.into(),
            connected_ns: now_ns,
            active_ns: now_ns,
            name: Vec::new(),
            user: 0,
            authenticated: false,
            resp3: false,
            db: 0,
            silence: Silence::None,
            no_evict: false,
            last_command: "NULL",
            channels: BTreeSet::new(),
            patterns: Vec::new(),
            reader: RequestReader::default(),
            pending: Vec::new(),
            output: Output::default(),
            fate: Fate::Open,
            ready: false,
        }
    }

    /// Channels and patterns, the count in every (un)subscribe message.
    pub(super) fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Back to a fresh connection's protocol, database, name and reply mode (`RESET`).
    pub(super) fn reset_session(&mut self) {
        self.resp3 = false;
        self.db = 0;
        self.name.clear();
        // Redis forgets OFF here, but not that this very command's reply is skipped.
        if self.silence == Silence::Off {
            self.silence = Silence::None;
        }
    }

    /// Closes once the output so far is sent.
    pub(super) fn close_after_output(&mut self) {
        if self.fate == Fate::Open {
            self.fate = Fate::AfterOutput { stuck: self.output.len() == 0 };
            self.forget_input();
        }
    }

    /// Closes with everything unsent dropped.
    pub(super) fn close_now(&mut self) {
        self.fate = Fate::Now;
        self.output = Output::default();
        self.forget_input();
    }

    pub(super) fn wants_close(&self) -> bool {
        matches!(self.fate, Fate::Now | Fate::AfterOutput { stuck: false })
    }

    /// Whether Redis would close this client for the output that it has not taken.
    pub(super) fn exceeds_output_limit(&mut self, now_ns: u64, options: &Options) -> bool {
        let (len, limits) = (self.output.len(), &options.limits);
        if self.subscriptions() == 0 {
            return len >= limits.reply_output_max;
        }
        if len >= options.output_buffer_max {
            return true;
        }
        if len < limits.pubsub_soft_max {
            self.output.over_soft_since_ns = None;
            return false;
        }
        let since = *self.output.over_soft_since_ns.get_or_insert(now_ns);
        now_ns.saturating_sub(since) > limits.pubsub_soft_ns
    }

    fn forget_input(&mut self) {
        self.pending = Vec::new();
        self.reader = RequestReader::default();
    }
}

#[derive(Default)]
pub(super) struct Clients {
    entries: Vec<Option<Client>>,
    free: Vec<Slot>,
    by_id: BTreeMap<ClientId, Slot>,
    ready: VecDeque<ClientId>,
}

impl Clients {
    pub(super) fn insert(&mut self, id: ClientId, now_ns: u64, peer_addr: &str) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            Slot((self.entries.len() - 1) as u32)
        });
        self.entries[slot.0 as usize] = Some(Client::new(id, now_ns, peer_addr));
        self.by_id.insert(id, slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(client) = self.entries[slot.0 as usize].take() {
            self.by_id.remove(&client.id);
            self.free.push(slot);
            if client.ready {
                self.ready.retain(|id| *id != client.id);
            }
        }
    }

    pub(super) fn slot(&self, id: ClientId) -> Option<Slot> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn by_id(&self, id: ClientId) -> Option<&Client> {
        self.entries[self.slot(id)?.0 as usize].as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn at(&self, slot: Slot) -> &Client {
        self.entries[slot.0 as usize].as_ref().expect("a slot is held only while its client is")
    }

    pub(super) fn at_mut(&mut self, slot: Slot) -> &mut Client {
        self.entries[slot.0 as usize].as_mut().expect("a slot is held only while its client is")
    }

    /// All clients by age, which is the order of Redis' client list.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Client)> {
        self.by_id.values().map(|slot| (*slot, self.at(*slot)))
    }

    /// Where the reply to a client's own command goes: nowhere after `CLIENT REPLY OFF` or `SKIP`.
    pub(super) fn reply(&mut self, slot: Slot) -> Reply<'_> {
        match self.at(slot).silence {
            Silence::None | Silence::SkipNext => self.push(slot),
            Silence::Skip | Silence::Off => Reply::silenced(),
        }
    }

    /// Where messages go: subscriptions' frames come through whatever `CLIENT REPLY` said.
    pub(super) fn push(&mut self, slot: Slot) -> Reply<'_> {
        self.mark_ready(slot);
        let client = self.at_mut(slot);
        match client.fate {
            Fate::Open => Reply::new(&mut client.output.bytes, client.resp3),
            Fate::AfterOutput { .. } | Fate::Now => Reply::silenced(),
        }
    }

    pub(super) fn mark_ready(&mut self, slot: Slot) {
        let client = self.at_mut(slot);
        if !client.ready {
            client.ready = true;
            let id = client.id;
            self.ready.push_back(id);
        }
    }

    pub(super) fn next_ready(&mut self) -> Option<ClientId> {
        while let Some(id) = self.ready.pop_front() {
            let Some(slot) = self.slot(id) else { continue };
            let client = self.at_mut(slot);
            client.ready = false;
            if client.output.len() > 0 || client.wants_close() {
                return Some(id);
            }
        }
        None
    }

    pub(super) fn sent(&mut self, slot: Slot, n: usize) {
        self.at_mut(slot).output.consume(n);
    }
}
