//! What became of each message of the demo, on both sides: the publisher's and the subscriber's.
//!
//! ```text
//!  publisher   refused | outcome: delivered, not sent, unknown          one of them, once
//!  subscriber  received | told as part of a gap | neither
//!              ── a ── [gap told] ── b ──     a and b received: what lies between them was told
//! ```

const REFUSED: u8 = 1;
const DELIVERED: u8 = 1 << 1;
const NOT_SENT: u8 = 1 << 2;
const UNKNOWN: u8 = 1 << 3;
const RECEIVED: u8 = 1 << 4;
const TOLD: u8 = 1 << 5;
const OUTCOMES: u8 = DELIVERED | NOT_SENT | UNKNOWN;

/// One byte for each message.
pub(crate) struct Ledger {
    fates: Vec<u8>,
    /// One more than the highest number that was received.
    next: u64,
    /// A gap was told since the last message.
    gap: bool,
    /// One more than the highest number that was delivered.
    delivered_to: u64,
    /// Messages of others, messages that came twice or out of order, outcomes without a message or given twice.
    pub(crate) nonsense: u64,
}

/// What the ledger shows in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Delivered, but neither received nor told as part of a gap.
    pub(crate) missing: u64,
    /// Delivered, not received, and told as part of a gap.
    pub(crate) told: u64,
    /// Received, although refused or *not sent*.
    pub(crate) contradictions: u64,
}

impl Ledger {
    pub(crate) fn new(messages: u64) -> Self {
        let fates = vec![0; usize::try_from(messages).unwrap_or(usize::MAX)];
        Self { fates, next: 0, gap: false, delivered_to: 0, nonsense: 0 }
    }

    fn fate(&mut self, index: u64) -> Option<&mut u8> {
        self.fates.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn refused(&mut self, index: u64) {
        self.mark(index, REFUSED, REFUSED | OUTCOMES);
    }

    pub(crate) fn outcome(&mut self, index: u64, outcome: ringwire::Outcome) {
        let fate = match outcome {
            ringwire::Outcome::Delivered => DELIVERED,
            ringwire::Outcome::NotSent => NOT_SENT,
            ringwire::Outcome::Unknown => UNKNOWN,
        };
        self.mark(index, fate, REFUSED | OUTCOMES);
        if fate == DELIVERED {
            self.delivered_to = self.delivered_to.max(index.saturating_add(1));
        }
    }

    /// Sets a bit, unless one of `exclusive` is set already.
    fn mark(&mut self, index: u64, bit: u8, exclusive: u8) {
        match self.fate(index) {
            Some(fate) if *fate & exclusive == 0 => *fate |= bit,
            _ => self.nonsense += 1,
        }
    }

    /// A message came back. Their order is that of their numbers.
    pub(crate) fn received(&mut self, index: u64) {
        if index < self.next || self.fate(index).is_none() {
            self.nonsense += 1;
            return;
        }
        if std::mem::take(&mut self.gap) {
            self.tell(index);
        }
        self.mark(index, RECEIVED, RECEIVED);
        self.next = index + 1;
    }

    /// The subscriber was told that messages are missing before the next one.
    pub(crate) fn gap(&mut self) {
        self.gap = true;
    }

    /// Everything from the last message that was received up to `index` was told.
    fn tell(&mut self, index: u64) {
        for skipped in self.next..index {
            self.mark(skipped, TOLD, RECEIVED);
        }
    }

    /// Whether the subscriber has seen, or was told of, everything that is known to be delivered.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.gap || self.next >= self.delivered_to
    }

    pub(crate) fn audit(mut self) -> Audit {
        if self.gap {
            self.tell(self.fates.len() as u64);
        }
        let count = |holds: fn(u8) -> bool| self.fates.iter().filter(|fate| holds(**fate)).count() as u64;
        Audit {
            missing: count(|fate| fate & (DELIVERED | RECEIVED | TOLD) == DELIVERED),
            told: count(|fate| fate & (DELIVERED | TOLD) == DELIVERED | TOLD),
            contradictions: count(|fate| fate & RECEIVED != 0 && fate & (REFUSED | NOT_SENT) != 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwire::Outcome;

    fn ledger(received: &[u64], gap_before: Option<u64>) -> Ledger {
        let mut ledger = Ledger::new(8);
        for index in 0..6 {
            ledger.outcome(index, Outcome::Delivered);
        }
        ledger.outcome(6, Outcome::Unknown);
        ledger.refused(7);
        for index in received {
            if gap_before == Some(*index) {
                ledger.gap();
            }
            ledger.received(*index);
        }
        ledger
    }

    #[test]
    fn what_was_delivered_is_received_or_told() {
        let audit = |received: &[u64], gap| ledger(received, gap).audit();
        let clean = Audit::default();
        assert_eq!(audit(&[0, 1, 2, 3, 4, 5], None), clean);
        assert_eq!(audit(&[0, 1, 2, 3, 4, 5, 6], None), clean, "unknown may have arrived");
        assert_eq!(audit(&[0, 1, 4, 5], None), Audit { missing: 2, ..clean });
        assert_eq!(audit(&[0, 1, 4, 5], Some(4)), Audit { told: 2, ..clean });
        assert_eq!(audit(&[0, 1, 4, 5], Some(1)), Audit { missing: 2, ..clean }, "the gap was elsewhere");
        assert_eq!(audit(&[1, 2, 3], None), Audit { missing: 3, ..clean });
        assert_eq!(audit(&[0, 1, 2, 3, 4, 5, 7], None), Audit { contradictions: 1, ..clean });
    }

    #[test]
    fn a_gap_at_the_end_tells_of_the_rest() {
        let mut told = ledger(&[0, 1], None);
        assert!(!told.is_caught_up());
        told.gap();
        assert!(told.is_caught_up());
        assert_eq!(told.audit(), Audit { told: 4, ..Audit::default() });
        assert!(ledger(&[0, 1, 2, 3, 4, 5], None).is_caught_up());
    }

    #[test]
    fn nonsense_is_counted() {
        let mut ledger = ledger(&[0, 0, 2, 1, 8, u64::MAX], None);
        assert_eq!(ledger.nonsense, 4, "twice, out of order, and two that were never sent");
        ledger.outcome(0, Outcome::NotSent);
        ledger.outcome(7, Outcome::Delivered);
        ledger.outcome(99, Outcome::Delivered);
        assert_eq!(ledger.nonsense, 7);
    }
}
