//! The addresses of one connection's host name: which is tried first, and answers that came too late.
//!
//! A broker's connection may want another name each time: the next one of the bootstrap list, or where the broker has
//! moved. So each answer is kept with its name, and no name waits for another one's.

use std::collections::VecDeque;

use ringwire_core::SECOND_NS;
use ringwire_shards::net::Address;

use crate::resolver::{Found, Name};

/// An answer that nobody waited for any more serves the name's next attempt if it is no older. Without this, a name service
/// that is slower than the connect timeout would never be of use; and a list of three or four names that are all tried
/// in vain is gone through sooner.
const FRESH_NS: u64 = 10 * SECOND_NS;
/// Late answers that are kept: those of a bootstrap list.
const LATE_MAX: usize = 8;
/// Addresses that are known to be of no use: more than a list of names has.
const USELESS_MAX: usize = 64;
/// A connection that ended sooner was of no use, and its address goes behind the others: it was a replica, or the
/// server closes what it accepts. So was one over which nothing came, however long it stood.
const USEFUL_NS: u64 = SECOND_NS;

#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Names whose look-up is under way, perhaps for an attempt that was given up since.
    asked: Vec<Name>,
    /// Answers that found nobody waiting, each name's newest, and when they came.
    late: VecDeque<(u64, Name, Found)>,
    /// Addresses that were of no use when they were tried last, the most recent one at the end; also another name's, which
    /// may be wanted again.
    useless: Vec<Address>,
    /// What is tried now, or connected.
    current: Option<Address>,
}

impl Addresses {
    /// Whether a look-up of this name is under way.
    pub(crate) fn is_asked(&self, name: &Name) -> bool {
        self.asked.contains(name)
    }

    /// A look-up of this name has begun.
    pub(crate) fn asks(&mut self, name: Name) {
        self.asked.push(name);
    }

    /// The answer to a look-up came.
    pub(crate) fn answered(&mut self, name: &Name) {
        self.asked.retain(|it| it != name);
    }

    /// Nobody waits for this answer.
    pub(crate) fn keep(&mut self, now_ns: u64, name: Name, found: Found) {
        self.late.retain(|(_, other, _)| *other != name);
        if self.late.len() == LATE_MAX {
            self.late.pop_front();
        }
        self.late.push_back((now_ns, name, found));
    }

    /// The answer that was kept for a name, if it is fresh enough. It is used once.
    pub(crate) fn take_fresh(&mut self, now_ns: u64, name: &Name) -> Option<Found> {
        self.late.retain(|(came_ns, ..)| now_ns.saturating_sub(*came_ns) <= FRESH_NS);
        let at = self.late.iter().position(|(_, other, _)| other == name)?;
        self.late.remove(at).map(|(_, _, found)| found)
    }

    /// The order in which a new attempt tries them: as the name service has them, but what was of no use comes last,
    /// the most recent failure at the very end. So each has its turn, whatever order the next answer has.
    pub(crate) fn in_order(&mut self, mut found: Vec<Address>) -> VecDeque<Address> {
        found.sort_by_key(|address| self.useless.iter().position(|it| it == address).map_or(0, |at| at + 1));
        found.into()
    }

    pub(crate) fn tries(&mut self, address: Address) {
        self.current = Some(address);
    }

    /// What was tried gave no answer in time.
    pub(crate) fn timed_out(&mut self) {
        if let Some(address) = self.current.take() {
            self.useless.retain(|it| *it != address);
            if self.useless.len() == USELESS_MAX {
                self.useless.remove(0);
            }
            self.useless.push(address);
        }
    }

    /// The connection ended that was of use for so long.
    pub(crate) fn ended(&mut self, lasted_ns: u64) {
        if lasted_ns < USEFUL_NS {
            self.timed_out();
        } else if let Some(address) = self.current.take() {
            self.useless.retain(|it| *it != address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn address(port: u16) -> Address {
        Address::Tcp(([127, 0, 0, 1], port).into())
    }

    #[test]
    fn each_address_has_its_turn_whatever_order_the_answers_have() {
        let mut addresses = Addresses::default();
        let mut first = |answer: &[u16], lasted_ns: Option<u64>| {
            let order = addresses.in_order(answer.iter().copied().map(address).collect());
            assert_eq!(order.len(), answer.len());
            addresses.tries(order[0].clone());
            match lasted_ns {
                None => addresses.timed_out(),
                Some(lasted_ns) => addresses.ended(lasted_ns),
            }
            match &order[0] {
                Address::Tcp(address) => address.port(),
                Address::Unix(path) => panic!("{}", path.display()),
            }
        };
        assert_eq!(first(&[1, 2, 3], None), 1);
        assert_eq!(first(&[1, 2, 3], None), 2, "the first was of no use");
        assert_eq!(first(&[2, 1, 3], Some(0)), 3);
        assert_eq!(first(&[3, 2, 1], Some(USEFUL_NS)), 1, "all were of no use: the one that failed first");
        assert_eq!(first(&[3, 2, 1], Some(USEFUL_NS)), 1, "it was of use since");
        assert_eq!(first(&[3, 2], None), 2, "the one that failed before the other");
        assert_eq!(first(&[3, 4], Some(USEFUL_NS)), 4, "a new one is tried before those that failed");
        assert_eq!(first(&[2], None), 2, "there is no other");
    }

    #[test]
    fn a_late_answer_serves_its_own_name_once_and_only_while_it_is_fresh() {
        let name = |host: &str| (host.into(), 9092);
        let mut addresses = Addresses::default();
        addresses.keep(5, name("one"), Err("no such name".to_owned()));
        addresses.keep(6, name("two"), Ok(vec![address(2)]));
        assert_eq!(addresses.take_fresh(7, &name("three")), None);
        assert_eq!(addresses.take_fresh(5 + FRESH_NS, &name("one")), Some(Err("no such name".to_owned())));
        assert_eq!(addresses.take_fresh(7, &name("one")), None, "it serves once");
        assert_eq!(addresses.take_fresh(7 + FRESH_NS, &name("two")), None, "it is too old");
        addresses.keep(8, name("one"), Ok(vec![address(1)]));
        addresses.keep(9, name("one"), Ok(vec![address(3)]));
        assert_eq!(addresses.take_fresh(9, &name("one")), Some(Ok(vec![address(3)])), "the newest one");
        for port in 0..20 {
            addresses.keep(10, (Arc::from("many"), port), Ok(vec![address(port)]));
        }
        assert_eq!(addresses.late.len(), LATE_MAX);
    }
}
