//! The two byte queues of a connection, each a small state machine with its invariants on its fields.

/// A receive buffer starts with this much: a full read of what a server writes in one event.
const INPUT_START_LEN: usize = 64 << 10;
/// Less free space than this behind the unconsumed bytes makes the buffer move them to its front, so that a read
/// is never asked for a handful of bytes.
const INPUT_SPACE_MIN: usize = 16 << 10;

/// Bytes that came in and are not decoded yet.
///
/// ```text
///  0            start            end            bytes.len()
///  │ consumed   │ unconsumed     │ space to lend │
/// ```
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// Initialised storage; its length is its capacity. Empty until the first byte is expected.
    bytes: Vec<u8>,
    /// First unconsumed byte: always the first byte of a frame. `start <= end`.
    start: usize,
    /// Behind the last received byte. `end <= bytes.len()`.
    end: usize,
}

impl Input {
    /// Forgets everything, for a new connection.
    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        if self.bytes.len() > INPUT_START_LEN {
            self.bytes = Vec::new();
        }
    }

    /// Space for the driver to receive into, with room for a frame of `wanted` bytes from `start` on, or for twice of
    /// what has come: a peer that only says that it will send much takes no memory.
    pub(crate) fn space(&mut self, wanted: usize) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        let wanted = wanted.min(INPUT_START_LEN.max(2 * (self.end - self.start)));
        let is_short =
            self.bytes.len() - self.end < INPUT_SPACE_MIN || self.start + wanted > self.bytes.len();
        if is_short && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        // Only a frame that does not fit makes it grow, or a driver that receives though it is full.
        let wanted = wanted.max(INPUT_START_LEN);
        if self.bytes.len() < wanted || self.bytes.len() == self.end {
            self.bytes.resize(wanted.max(self.bytes.len() * 2).next_power_of_two(), 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Whether there is little space, wherever the unconsumed bytes stand.
    pub(crate) fn is_full(&self) -> bool {
        let free = self.bytes.len() - (self.end - self.start);
        !self.bytes.is_empty() && free < INPUT_SPACE_MIN
    }

    /// The driver wrote `n` bytes into the space it was lent.
    pub(crate) fn received(&mut self, n: usize) {
        assert!(n <= self.bytes.len() - self.end, "the driver reports more bytes than it was lent");
        self.end += n;
    }

    pub(crate) fn unconsumed(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.end);
    }
}

/// Sent bytes are moved out of the way only when they outweigh this and what is still to be kept: one copy of a
/// byte at most for each byte sent.
const OUTPUT_COMPACT_MIN: usize = 64 << 10;

/// Address space that an output is given at once: the default credit of a publisher, for each endpoint that has
/// channels. A larger one grows by doubling when it must, and stays.
const OUTPUT_RESERVED_MAX: usize = 4 << 20;

/// Bytes that go out, by their position in the stream since the first connection.
///
/// ```text
///        kept_from              sent_to                end()
///  ──────┼──────────────────────┼──────────────────────┤
///        │ sent, but not yet    │ to be sent           │
///        │ a whole command      │                      │
/// ```
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// Stream position of `bytes[0]`. `origin <= kept_from`.
    origin: u64,
    /// First byte that a new connection would need again: always the start of a command.
    kept_from: u64,
    /// Behind the last byte that `send` took. `kept_from <= sent_to <= end()`.
    sent_to: u64,
}

impl Output {
    /// Makes room for `bytes` that are to be sent, and for as many that are sent and not yet moved out of the way.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        let wanted = bytes.saturating_mul(2).saturating_add(OUTPUT_COMPACT_MIN).min(OUTPUT_RESERVED_MAX);
        // Where there is no room for it now, it grows when it must.
        let _ = self.bytes.try_reserve_exact(wanted.saturating_sub(self.bytes.len()));
    }

    /// Where encoders append.
    pub(crate) fn writer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Stream position behind the last byte.
    pub(crate) fn end(&self) -> u64 {
        self.origin + self.bytes.len() as u64
    }

    pub(crate) fn sent_to(&self) -> u64 {
        self.sent_to
    }

    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[(self.sent_to - self.origin) as usize..]
    }

    /// `send` took `n` more bytes. The caller then says by [`Output::keep_from`] which commands are whole.
    pub(crate) fn sent(&mut self, n: usize) {
        assert!(n as u64 <= self.end() - self.sent_to, "the driver reports more bytes than it was lent");
        self.sent_to += n as u64;
    }

    /// Everything before `position`, the start of a command, is never needed again.
    pub(crate) fn keep_from(&mut self, position: u64) {
        debug_assert!(self.kept_from <= position && position <= self.sent_to);
        self.kept_from = position;
        if self.kept_from == self.end() {
            self.bytes.clear();
            self.origin = self.kept_from;
            return;
        }
        let dead = (self.kept_from - self.origin) as usize;
        if dead > OUTPUT_COMPACT_MIN && dead > self.bytes.len() / 2 {
            self.bytes.drain(..dead);
            self.origin = self.kept_from;
        }
    }

    /// The bytes from stream position `from` up to `to`, both at or behind the last [`Output::keep_from`].
    pub(crate) fn between(&self, from: u64, to: u64) -> &[u8] {
        &self.bytes[(from - self.origin) as usize..(to - self.origin) as usize]
    }

    pub(crate) fn kept_from(&self) -> u64 {
        self.kept_from
    }

    /// Forgets what is here, and goes on with `bytes` for the next connection, none of them sent. Positions never
    /// repeat: these stand behind everything that was ever sent.
    pub(crate) fn restart(&mut self, bytes: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.origin = self.sent_to;
        self.kept_from = self.sent_to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_keeps_a_frame_together_however_it_arrives() {
        let mut input = Input::default();
        let frame: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
        for chunk in [1, 1_000, 65_536, 200_000] {
            for _ in 0..3 {
                let mut fed = 0;
                while fed < frame.len() {
                    let space = input.space(frame.len());
                    let n = space.len().min(chunk).min(frame.len() - fed);
                    assert!(n > 0);
                    space[..n].copy_from_slice(&frame[fed..fed + n]);
                    input.received(n);
                    fed += n;
                }
                assert_eq!(input.unconsumed(), frame);
                input.consume(frame.len());
            }
        }
        assert!(input.bytes.len() <= 512 << 10, "{}", input.bytes.len());
        input.clear();
        assert_eq!(input.space(0).len(), INPUT_START_LEN);
    }

    #[test]
    fn input_grows_with_what_comes_and_not_with_what_is_promised() {
        let mut input = Input::default();
        assert_eq!(input.space(1 << 30).len(), INPUT_START_LEN);
        for _ in 0..8 {
            let n = input.space(1 << 30).len();
            input.received(n);
            assert!(input.bytes.len() <= 2 * input.end.max(INPUT_START_LEN));
        }
        assert_eq!(input.end, INPUT_START_LEN << 7);
    }

    #[test]
    fn input_is_full_before_it_grows() {
        let mut input = Input::default();
        let mut consumed = 0;
        assert!(!input.is_full(), "there is nothing yet");
        // The decoder is slower than the network.
        for _ in 0..100 {
            while !input.is_full() {
                let n = input.space(1).len();
                assert!(n >= INPUT_SPACE_MIN, "{n} bytes are a handful");
                input.received(n);
            }
            input.consume(1_000);
            consumed += 1_000;
        }
        assert_eq!((input.bytes.len(), consumed), (INPUT_START_LEN, 100_000));
    }

    #[test]
    fn output_that_was_reserved_does_not_move() {
        let mut output = Output::default();
        output.reserve(1_000_000);
        let place = output.bytes.as_ptr();
        for _ in 0..10 {
            while output.unsent().len() < 1_000_000 - 1_000 {
                output.writer().extend_from_slice(&[7; 1_000]);
            }
            output.sent(600_000);
            output.keep_from(output.sent_to());
        }
        assert_eq!(output.bytes.as_ptr(), place);
        output.reserve(usize::MAX);
        assert_eq!(output.bytes.capacity(), OUTPUT_RESERVED_MAX);
    }

    #[test]
    fn output_goes_on_behind_what_was_sent() {
        let mut output = Output::default();
        output.writer().extend_from_slice(b"onetwothree");
        output.sent(5);
        output.keep_from(3);
        assert_eq!((output.unsent(), output.between(3, 6)), (&b"othree"[..], &b"two"[..]));
        let again = output.between(3, 11).to_vec();
        output.restart(&again);
        assert_eq!((output.unsent(), output.kept_from(), output.end()), (&b"twothree"[..], 5, 13));
        output.sent(8);
        output.keep_from(13);
        assert_eq!((output.unsent(), output.end()), (&b""[..], 13));
        output.writer().extend_from_slice(b"four");
        output.sent(1);
        output.restart(b"");
        assert_eq!((output.unsent(), output.end(), output.sent_to()), (&b""[..], 14, 14));
    }

    #[test]
    fn output_stays_within_twice_what_is_unsent() {
        let mut output = Output::default();
        for _ in 0..1_000 {
            output.writer().extend_from_slice(&[7; 10_000]);
            if output.unsent().len() > 100_000 {
                let n = output.unsent().len() - 50_000;
                output.sent(n);
                output.keep_from(output.sent_to());
            }
        }
        assert!(output.bytes.len() < 400_000, "{}", output.bytes.len());
    }
}
