//! An open channel: its name, its shard and its legs, resolved once.

use std::fmt;
use std::sync::Arc;

use ringwire_core::Leg;

use crate::shared::Shared;

/// What was resolved when a channel was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The engine that opened it.
    pub(crate) engine: u64,
    pub(crate) index: u32,
    pub(crate) name: Box<[u8]>,
    pub(crate) shard: usize,
    pub(crate) legs: Vec<Leg>,
    /// Whether every leg refuses messages while its endpoint is not connected.
    pub(crate) rejects: bool,
}

/// A channel of an engine. Cheap to clone; `Send + Sync`. Opened by [`crate::Engine::channel`].
#[derive(Clone)]
pub struct Channel {
    pub(crate) opened: Arc<Opened>,
}

impl Channel {
    /// The channel's name.
    pub fn name(&self) -> &[u8] {
        &self.opened.name
    }

    /// Its index within the engine: [`crate::Report`] names the channel by it.
    pub fn index(&self) -> u32 {
        self.opened.index
    }

    #[inline]
    pub(crate) fn is_of(&self, shared: &Shared) -> bool {
        self.opened.engine == shared.id
    }

    /// How many destinations each message has: so many reports come for it.
    pub fn legs(&self) -> usize {
        self.opened.legs.len()
    }

    /// The shard that carries it.
    pub fn shard(&self) -> usize {
        self.opened.shard
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", String::from_utf8_lossy(self.name()))
    }
}
