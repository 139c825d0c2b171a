//! What every part of a run shares: virtual time, what is to happen when, chance, and the books.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ringwire_core::Now;

use super::breaker::Breaker;
use super::coverage::Coverage;
use super::judge::Judge;
use super::ledger::Ledger;
use super::random::Random;

/// Virtual time starts here and not at 0, where a forgotten initialisation would look right.
pub(crate) const START_NS: u64 = 1_000_000_000;
/// The wall clock at monotonic 0.
const WALL_START_NS: i64 = 1_700_000_000_000_000_000;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// Something that happens at a time. Sockets, peers, publishers and subscribers are named by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// One duty cycle of the shard.
    Turn,
    /// The packet of a connect reaches the peer.
    Connect {
        socket: usize,
    },
    /// A chunk of a stream arrives.
    Arrive {
        socket: usize,
        way: Way,
    },
    /// A path is cut.
    Cut {
        socket: usize,
    },
    /// The client's system learns that the connection is broken.
    Broken {
        socket: usize,
    },
    /// The server's system learns that the client has gone.
    Left {
        socket: usize,
    },
    /// A frozen path moves again.
    Thaw {
        socket: usize,
    },
    Publish {
        publisher: usize,
    },
    ReadReports {
        publisher: usize,
    },
    ReadRing {
        subscriber: usize,
    },
    Churn {
        subscriber: usize,
    },
    /// A fault begins, or ends.
    Fault {
        fault: usize,
        begins: bool,
    },
}

/// Shared by all parts of a run.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) now_ns: u64,
    pub(crate) random: Random,
    pub(crate) ledger: Ledger,
    /// By endpoint.
    pub(crate) breakers: Vec<Breaker>,
    pub(crate) judge: Judge,
    pub(crate) coverage: Coverage,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// The duty cycle that is to come; others on the agenda are void.
    pub(crate) turn_at_ns: Option<u64>,
    /// The shard takes at most this long to notice that something arrived.
    pub(crate) turn_delay_max_ns: u64,
    /// The core has been told to end.
    pub(crate) expired: bool,
    /// An endpoint without faults gives each message its outcome within this.
    pub(crate) healthy_bound_ns: u64,
    /// Events so far: those of one instant happen in the order in which they were put.
    put: u64,
}

impl Context {
    pub(crate) fn new(random: Random, ledger: Ledger, breakers: Vec<Breaker>, judge: Judge) -> Self {
        Self {
            now_ns: START_NS,
            random,
            ledger,
            breakers,
            judge,
            coverage: Coverage::default(),
            queue: BinaryHeap::new(),
            turn_at_ns: None,
            turn_delay_max_ns: 0,
            expired: false,
            healthy_bound_ns: 0,
            put: 0,
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now { mono_ns: self.now_ns, wall_ns: WALL_START_NS + self.now_ns as i64 }
    }

    /// Puts an event on the agenda; a time in the past means now.
    pub(crate) fn at(&mut self, at_ns: u64, event: Event) {
        self.put += 1;
        self.queue.push(Reverse((at_ns.max(self.now_ns), self.put, event)));
    }

    pub(crate) fn after(&mut self, delay_ns: u64, event: Event) {
        self.at(self.now_ns + delay_ns, event);
    }

    /// The shard has a reason to look, after `delay_ns` and the time that it takes to notice.
    pub(crate) fn wake_shard(&mut self, delay_ns: u64) {
        let notice_ns = self.random.below(self.turn_delay_max_ns + 1);
        self.turn_by(self.now_ns + delay_ns + notice_ns);
    }

    /// The next duty cycle is at this time, or before.
    pub(crate) fn turn_by(&mut self, at_ns: u64) {
        if self.turn_at_ns.is_none_or(|planned| at_ns < planned) {
            self.turn_at_ns = Some(at_ns);
            self.at(at_ns, Event::Turn);
        }
    }

    /// Takes the next event that is due by `until_ns`, and moves time to it.
    pub(crate) fn next_event(&mut self, until_ns: u64) -> Option<Event> {
        let Reverse((at_ns, _, _)) = self.queue.peek()?;
        if *at_ns > until_ns {
            return None;
        }
        let Reverse((at_ns, order, event)) = self.queue.pop()?;
        self.now_ns = at_ns;
        self.judge.at_ns = at_ns;
        self.judge.digest(at_ns ^ (order << 40));
        Some(event)
    }
}
