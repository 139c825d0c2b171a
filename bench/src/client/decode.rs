//! Decoding RESP from memory: ours beside redis-protocol's fastest calls for the same job.
//!
//! A short loop, so that a run of the rig can judge it; `cargo bench -p ringwire-bench --bench resp` measures more kinds.

use std::hint::black_box;

use redis_protocol::resp2;
use redis_protocol::resp3;
use ringwire_codec::resp::{FrameReader, Limits, Token, encode};

use super::record::Meter;
use super::{ClientArgs, Told};
use crate::rig::RigError;

/// Frames in one buffer: what a loop at 100 k messages a second finds after a short stall.
const PIPELINE: usize = 64;

/// Decodes one buffer, and answers something of every value in it, so that none can be left out.
type Decode = Box<dyn FnMut(&[u8]) -> Option<usize>>;

pub(super) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let (library, what) = args.client.split_once(' ').unwrap_or((&args.client, ""));
    let input = match what {
        "replies" => replies(),
        "messages" => messages(args.bytes),
        _ => return Err(args.failed("expected replies or messages")),
    };
    let mut decode: Decode = match (library, what) {
        ("ringwire", _) => {
            let mut reader = FrameReader::new(Limits::default());
            Box::new(move |input| ours(&mut reader, input))
        }
        (_, "replies") => Box::new(their_replies),
        _ => Box::new(their_messages),
    };
    let broken = || args.failed("it did not decode what was encoded");
    // Both find the same, or their times would not be those of the same work.
    let expected = ours(&mut FrameReader::new(Limits::default()), &input).ok_or_else(broken)?;
    let rounds = args.messages.div_ceil(PIPELINE as u64);
    for _ in 0..rounds / 10 {
        decode(black_box(&input)).filter(|it| *it == expected).ok_or_else(broken)?;
    }
    let mut meter = Meter::begin();
    for _ in 0..rounds {
        decode(black_box(&input)).filter(|it| *it == expected).ok_or_else(broken)?;
    }
    meter.touch(ringwire::monotonic_ns());
    let frames = format!("{PIPELINE} frames in a buffer, every value looked at");
    Ok(Told { messages: rounds * PIPELINE as u64, ..meter.told(args, &[&frames], 0) })
}

/// The integers that PUBLISH answers.
fn replies() -> Vec<u8> {
    let mut input = Vec::new();
    (0..PIPELINE as i64).for_each(|receivers| encode::integer(&mut input, receivers % 10));
    input
}

/// Pushed messages.
fn messages(bytes: usize) -> Vec<u8> {
    let mut input = Vec::new();
    let payload = vec![b'x'; bytes];
    for _ in 0..PIPELINE {
        encode::push(&mut input, 3);
        [&b"message"[..], b"quotes.EURUSD", &payload].iter().for_each(|item| encode::bulk(&mut input, item));
    }
    input
}

#[inline]
fn ours(reader: &mut FrameReader, mut rest: &[u8]) -> Option<usize> {
    let mut sum = 0;
    while let Some(frame) = reader.next(rest).ok()? {
        sum += match frame.head() {
            Token::Integer(value) => value as usize,
            Token::Push(_) => {
                let len =
                    |index| frame.item(index).and_then(|it| it.bytes()).map_or(0, |it| black_box(it).len());
                len(1) + len(2)
            }
            _ => return None,
        };
        rest = &rest[frame.len()..];
    }
    Some(sum)
}

fn their_replies(mut rest: &[u8]) -> Option<usize> {
    let mut sum = 0;
    while let Some((frame, len)) = resp2::decode::decode_range(rest).ok()? {
        let resp2::types::RangeFrame::Integer(value) = frame else { return None };
        sum += value as usize;
        rest = &rest[len..];
    }
    Some(sum)
}

fn their_messages(mut rest: &[u8]) -> Option<usize> {
    use resp3::types::RangeFrame;
    let mut sum = 0;
    while let Some((frame, len)) = resp3::decode::complete::decode_range(rest).ok()? {
        let RangeFrame::Push { data, .. } = &frame else { return None };
        for item in &data[1..] {
            let RangeFrame::BlobString { data, .. } = item else { return None };
            sum += black_box(&rest[data.0..data.1]).len();
        }
        rest = &rest[len..];
    }
    Some(sum)
}
