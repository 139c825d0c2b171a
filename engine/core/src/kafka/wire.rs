//! What goes out on a connection to a broker: bytes of its own, and batches that are sent from where they lie.
//!
//! ```text
//!   own       [ head of a request | head of its next batch | tail ]        positions of its own
//!                                 ^                        ^
//!   apart                      batch                     batch             each in its partition's queue
//! ```
//!
//! A large batch is not copied: those of a request are more than a core's second cache holds, and the copy was an eighth
//! of all the work. It is looked up anew for each `send`, by its [departure](super::partition::Batch::departure): if it is
//! gone, nothing more goes out, and the request's timeout ends the connection.

use std::collections::VecDeque;

use super::link::Part;
use crate::buffer::Output;

/// A batch that is sent from where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Apart {
    /// Where in the own bytes it belongs.
    pub(super) at: u64,
    pub(super) part: Part,
    pub(super) departure: u64,
    pub(super) len: usize,
}

/// Bytes to send, without a break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Own(&'a [u8]),
    /// This batch, from this byte on.
    Batch(Apart, usize),
}

#[derive(Debug, Default)]
pub(super) struct Wire {
    own: Output,
    /// Not yet sent whole, in order.
    apart: VecDeque<Apart>,
    /// Bytes of all that were ever put apart, and what of them was sent.
    apart_end: u64,
    apart_sent: u64,
    /// Sent bytes of the first one.
    first_sent: usize,
}

impl Wire {
    /// Where encoders append.
    pub(super) fn writer(&mut self) -> &mut Vec<u8> {
        self.own.writer()
    }

    /// Takes note of batches that belong between the own bytes; `at` counts from the beginning of [`Wire::writer`].
    pub(super) fn put_apart(&mut self, apart: impl Iterator<Item = Apart>) {
        let origin = self.own.end() - self.own.writer().len() as u64;
        for one in apart {
            self.apart_end += one.len as u64;
            self.apart.push_back(Apart { at: origin + one.at, ..one });
        }
    }

    /// Position behind the last byte, batches included.
    pub(super) fn end(&self) -> u64 {
        self.own.end() + self.apart_end
    }

    /// Position behind the last byte that was sent. Positions never repeat, on later connections neither.
    pub(super) fn sent_to(&self) -> u64 {
        self.own.sent_to() + self.apart_sent
    }

    /// Bytes that wait, batches included.
    pub(super) fn waiting(&self) -> usize {
        (self.end() - self.sent_to()) as usize
    }

    /// Whether batches wait that are sent from where they lie.
    pub(super) fn is_in_pieces(&self) -> bool {
        !self.apart.is_empty()
    }

    /// What waits of the own bytes.
    pub(super) fn own(&self) -> &[u8] {
        self.own.unsent()
    }

    /// All that waits, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let (own, origin) = (self.own.unsent(), self.own.sent_to());
        let place = move |apart: &Apart| (apart.at - origin) as usize;
        let last = self.apart.back().map_or(0, place);
        let mut from = 0;
        let mut first_sent = self.first_sent;
        let between = self.apart.iter().flat_map(move |apart| {
            let before = Piece::Own(&own[std::mem::replace(&mut from, place(apart))..place(apart)]);
            [before, Piece::Batch(*apart, std::mem::take(&mut first_sent))]
        });
        between.chain(std::iter::once(Piece::Own(&own[last..])))
    }

    /// The first `n` bytes of all that waits were sent.
    pub(super) fn sent(&mut self, mut n: usize) {
        while let Some(first) = self.apart.front()
            && n > 0
        {
            let own = (first.at - self.own.sent_to()) as usize;
            if own > 0 {
                self.own.sent(own.min(n));
                n -= own.min(n);
                continue;
            }
            let step = (first.len - self.first_sent).min(n);
            self.first_sent += step;
            self.apart_sent += step as u64;
            n -= step;
            if self.first_sent == first.len {
                self.apart.pop_front();
                self.first_sent = 0;
            }
        }
        self.own.sent(n);
        self.own.keep_from(self.own.sent_to());
    }

    /// Forgets what was not sent, for the next connection.
    pub(super) fn restart(&mut self) {
        self.own.restart(b"");
        self.apart.clear();
        (self.apart_end, self.first_sent) = (self.apart_sent, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part = Part { topic: 0, partition: 0 };

    fn apart(at: u64, departure: u64, len: usize) -> Apart {
        Apart { at, part: PART, departure, len }
    }

    /// All that waits, with a batch's departure in place of each of its bytes.
    fn waiting(wire: &Wire) -> Vec<u8> {
        let bytes = |piece| match piece {
            Piece::Own(own) => own.to_vec(),
            Piece::Batch(apart, from) => vec![apart.departure as u8; apart.len - from],
        };
        wire.pieces().flat_map(bytes).collect()
    }

    /// Sends all that waits, `step` bytes at a time.
    fn sent(wire: &mut Wire, step: usize) -> Vec<u8> {
        let all = waiting(wire);
        let from = wire.sent_to();
        for at in (0..all.len()).step_by(step) {
            assert_eq!((waiting(wire), wire.waiting()), (all[at..].to_vec(), all.len() - at));
            wire.sent(step.min(all.len() - at));
        }
        assert_eq!((wire.sent_to() - from, wire.waiting()), (all.len() as u64, 0));
        all
    }

    #[test]
    fn batches_go_out_where_they_belong() {
        for step in [1, 2, 3, 100] {
            let mut wire = Wire::default();
            wire.writer().extend_from_slice(b"abcdef");
            wire.put_apart([apart(2, 1, 3), apart(4, 2, 2), apart(6, 3, 1)].into_iter());
            assert_eq!((wire.end(), wire.sent_to(), wire.waiting()), (12, 0, 12));
            wire.sent(1);
            wire.writer().extend_from_slice(b"gh");
            let before = wire.own.end() - wire.own.writer().len() as u64;
            wire.put_apart(std::iter::once(apart(8 - before, 4, 2)));
            assert_eq!(sent(&mut wire, step), b"b\x01\x01\x01cd\x02\x02ef\x03gh\x04\x04");
            assert_eq!((wire.end(), wire.sent_to()), (16, 16));
        }
    }

    #[test]
    fn what_a_lost_connection_left_is_forgotten_and_no_position_comes_again() {
        let mut wire = Wire::default();
        wire.writer().extend_from_slice(b"ab");
        wire.put_apart([apart(1, 1, 10), apart(2, 2, 10)].into_iter());
        let end = wire.end();
        wire.sent(1);
        wire.sent(4);
        wire.restart();
        assert_eq!((wire.sent_to(), wire.waiting(), waiting(&wire)), (5, 0, Vec::new()));
        assert!(end > wire.sent_to());
        wire.writer().extend_from_slice(b"cd");
        wire.put_apart(std::iter::once(apart(1, 3, 2)));
        assert_eq!(sent(&mut wire, 1), b"c\x03\x03d");
    }
}
