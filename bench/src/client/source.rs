//! The publisher that subscribers listen to: it stamps each payload with its due time, and sends what is due in one go.
//!
//! It has switched the server's replies off: they would cost the server a write for each batch, and nobody reads them.

use ringwire::monotonic_ns;
use ringwire_codec::resp::{CommandPrefix, encode};
use ringwire_shards::net::Transfer;

use super::floor::{connect, discard};
use super::pace::{Patience, sleep_until};
use super::record::{DUE_DIGITS, Recorder};
use super::{ClientArgs, Told};
use crate::rig::RigError;

/// Between the connection and the first message: the switched-off replies take effect.
const LEAD_NS: u64 = 20_000_000;

pub(super) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let records = args.records()?;
    if records.len < DUE_DIGITS {
        return Err(
            args.failed(format_args!("a payload of {} bytes has no room for its due time", records.len))
        );
    }
    let prefixes: Vec<CommandPrefix> = (0..args.channels.max(1))
        .map(|index| CommandPrefix::new(&[b"PUBLISH", args.channel(index).as_bytes()], 1))
        .collect();
    let socket = connect(args)?;
    let mut output = Vec::with_capacity(1 << 20);
    encode::command(&mut output, &[b"CLIENT", b"REPLY", b"OFF"]);
    let due = args.due()?.into_iter().map(|due| due + LEAD_NS).collect();
    let mut recorder = Recorder::start(args, due);
    let mut payload = vec![0; records.len];
    let (mut index, mut sent, mut patience) = (0, 0_u64, Patience::new());
    loop {
        let now_ns = monotonic_ns();
        while let Some(due_ns) = recorder.due_ns(index).filter(|due_ns| *due_ns <= now_ns) {
            payload.copy_from_slice(records.of(index));
            stamp(&mut payload, due_ns);
            prefixes[index % prefixes.len()].encode1(&mut output, &payload);
            recorder.handed(index, now_ns);
            recorder.answered(index, now_ns);
            index += 1;
        }
        if let Transfer::Done(count) = socket.send(&output).map_err(|error| args.failed(error))? {
            output.drain(..count);
            sent += count as u64;
        }
        discard(args, &socket)?;
        if !patience.holds(sent, now_ns) && !output.is_empty() {
            return Err(args.failed("the server took nothing for a minute"));
        }
        match recorder.due_ns(index) {
            _ if !output.is_empty() => {}
            Some(due_ns) => sleep_until(due_ns),
            None => break,
        }
    }
    recorder.finish(args, &["bare socket", "replies off", "sleeps for the due time"])
}

/// Writes the due time into a payload's first digits.
fn stamp(payload: &mut [u8], due_ns: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (place, byte) in payload[..DUE_DIGITS].iter_mut().enumerate() {
        *byte = DIGITS[(due_ns >> (60 - 4 * place) & 15) as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn a_due_time_is_sixteen_digits() {
        let mut payload = *b"................rest";
        stamp(&mut payload, 0x0123_4567_89ab_cdef);
        assert_eq!(&payload, b"0123456789abcdefrest");
        stamp(&mut payload, 10);
        assert_eq!(&payload, b"000000000000000arest");
    }
}
