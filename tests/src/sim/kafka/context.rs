//! What every part of a run shares: virtual time, what is to happen when, chance, and the books.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ringwire_core::Now;

use super::coverage::KafkaCoverage;
use super::ledger::Ledger;
use super::wire::Wire;
use crate::sim::judge::Judge;
use crate::sim::random::Random;

/// Virtual time starts here and not at 0, where a forgotten initialisation would look right.
pub(super) const START_NS: u64 = 1_000_000_000;
/// The wall clock at monotonic 0.
pub(super) const WALL_START_NS: i64 = 1_700_000_000_000_000_000;

/// Events of a run: far more than any has that makes progress.
const EVENTS_MAX: u64 = 1_000_000;

/// Something that happens at a time. Sockets, publishers and faults are named by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// One duty cycle of the shard.
    Turn,
    /// The packet of a connect reaches its address.
    Reach(usize),
    /// A chunk arrives at the broker.
    Up(usize),
    /// A chunk arrives at the client.
    Down(usize),
    /// The client's system learns that the connection is broken.
    Broken(usize),
    /// The broker's system learns that the client has gone.
    Left(usize),
    Publish(usize),
    FaultBegins(usize),
    FaultEnds(usize),
}

#[derive(Debug)]
pub(super) struct Context {
    pub(super) now_ns: u64,
    pub(super) random: Random,
    pub(super) judge: Judge,
    pub(super) coverage: KafkaCoverage,
    pub(super) ledger: Ledger,
    pub(super) wire: Wire,
    /// The core has been told to end.
    pub(super) expired: bool,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// The duty cycle that is to come; others on the agenda are void.
    pub(super) turn_at_ns: Option<u64>,
    pub(super) turn_delay_max_ns: u64,
    /// Events so far: those of one instant happen in the order in which they were put.
    put: u64,
    /// Those that have happened.
    happened: u64,
}

impl Context {
    pub(super) fn new(
        random: Random,
        judge: Judge,
        ledger: Ledger,
        wire: Wire,
        turn_delay_max_ns: u64,
    ) -> Self {
        Self {
            now_ns: START_NS,
            random,
            judge,
            coverage: KafkaCoverage::default(),
            ledger,
            wire,
            expired: false,
            queue: BinaryHeap::new(),
            turn_at_ns: None,
            turn_delay_max_ns,
            put: 0,
            happened: 0,
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono_ns: self.now_ns, wall_ns: WALL_START_NS + self.now_ns as i64 }
    }

    /// Puts an event on the agenda; a time in the past means now.
    pub(super) fn at(&mut self, at_ns: u64, event: Event) {
        self.put += 1;
        self.queue.push(Reverse((at_ns.max(self.now_ns), self.put, event)));
    }

    pub(super) fn after(&mut self, delay_ns: u64, event: Event) {
        self.at(self.now_ns + delay_ns, event);
    }

    /// The shard has a reason to look, after `delay_ns` and the time that it takes to notice.
    pub(super) fn wake_shard(&mut self, delay_ns: u64) {
        let notice_ns = self.random.below(self.turn_delay_max_ns + 1);
        self.turn_by(self.now_ns + delay_ns + notice_ns);
    }

    /// The next duty cycle is at this time, or before.
    pub(super) fn turn_by(&mut self, at_ns: u64) {
        if self.turn_at_ns.is_none_or(|planned| at_ns < planned) {
            self.turn_at_ns = Some(at_ns);
            self.at(at_ns, Event::Turn);
        }
    }

    /// Takes the next event that is due by `until_ns`, and moves time to it.
    pub(super) fn next_event(&mut self, until_ns: u64) -> Option<Event> {
        let Reverse((at_ns, _, _)) = self.queue.peek()?;
        if *at_ns > until_ns {
            return None;
        }
        let Reverse((at_ns, order, event)) = self.queue.pop()?;
        self.happened += 1;
        let happened = self.happened;
        self.judge.require(happened < EVENTS_MAX, "a run comes to an end", || format!("{happened} events"));
        self.now_ns = at_ns;
        self.judge.at_ns = at_ns;
        self.judge.digest(at_ns ^ (order << 40));
        Some(event)
    }
}
