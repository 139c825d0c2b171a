//! The RESP codec beside redis-protocol, whose fastest calls for the same job are used: its range and borrowed
//! frames, which copy no payloads, and its `BytesMut` decoder.
//!
//! ```text
//!   cargo bench -p ringwire-bench --bench resp
//! ```
//!
//! An iteration handles [`PIPELINE`] frames that lie in one buffer, as one `recv` brings them; every value is
//! looked at. Times are of the whole iteration.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use redis_protocol::bytes::BytesMut;
use redis_protocol::resp3::types::Resp3Frame as _;
use redis_protocol::{resp2, resp3};
use ringwire_codec::resp::{CommandPrefix, FrameReader, Limits, Token, encode};

/// Frames in one buffer: what a loop at 100 k messages a second finds after a short stall.
const PIPELINE: usize = 64;

/// Payload of a message in bytes: a quote with its headers.
const PAYLOAD_LEN: usize = 128;

const CHANNEL: &[u8] = b"quotes.EURUSD";
const PATTERN: &[u8] = b"quotes.*";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decode_replies(&mut criterion);
    decode_pushes(&mut criterion, "decode message", &[b"message", CHANNEL]);
    decode_pushes(&mut criterion, "decode pmessage", &[b"pmessage", PATTERN, CHANNEL]);
    encode_publish(&mut criterion);
    criterion.final_summary();
}

/// The integers that PUBLISH answers.
fn decode_replies(criterion: &mut Criterion) {
    let mut input = Vec::new();
    for receivers in 0..PIPELINE as i64 {
        encode::integer(&mut input, receivers % 10);
    }
    let mut group = criterion.benchmark_group("decode replies");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    group.bench_function("ringwire", |bencher| {
        let mut reader = FrameReader::new(Limits::default());
        bencher.iter(|| {
            let mut rest = black_box(&input[..]);
            let mut sum = 0;
            while let Some(frame) = reader.next(rest).expect("valid input") {
                if let Token::Integer(value) = frame.head() {
                    sum += value;
                }
                rest = &rest[frame.len()..];
            }
            sum
        });
    });
    group.bench_function("redis-protocol resp2 decode_range", |bencher| {
        bencher.iter(|| {
            let mut rest = black_box(&input[..]);
            let mut sum = 0;
            while let Some((frame, len)) = resp2::decode::decode_range(rest).expect("valid input") {
                if let resp2::types::RangeFrame::Integer(value) = frame {
                    sum += value;
                }
                rest = &rest[len..];
            }
            sum
        });
    });
    group.bench_function("redis-protocol resp3 decode_range", |bencher| {
        bencher.iter(|| {
            let mut rest = black_box(&input[..]);
            let mut sum = 0;
            while let Some((frame, len)) = resp3::decode::complete::decode_range(rest).expect("valid input") {
                if let resp3::types::RangeFrame::Number { data, .. } = frame {
                    sum += data;
                }
                rest = &rest[len..];
            }
            sum
        });
    });
    group.finish();
}

/// Pushes of the given fixed elements and a payload.
fn decode_pushes(criterion: &mut Criterion, name: &str, fixed: &[&[u8]]) {
    let payload = [b'x'; PAYLOAD_LEN];
    let mut input = Vec::new();
    for _ in 0..PIPELINE {
        encode::push(&mut input, fixed.len() as u64 + 1);
        fixed.iter().for_each(|item| encode::bulk(&mut input, item));
        encode::bulk(&mut input, &payload);
    }
    let last = fixed.len();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(PIPELINE as u64));
    group.bench_function("ringwire", |bencher| {
        let mut reader = FrameReader::new(Limits::default());
        bencher.iter(|| {
            let mut rest = black_box(&input[..]);
            let mut bytes = 0;
            while let Some(frame) = reader.next(rest).expect("valid input") {
                if let (Token::Push(_), Some(Token::Bulk(channel)), Some(Token::Bulk(payload))) =
                    (frame.head(), frame.item(last - 1), frame.item(last))
                {
                    bytes += black_box(channel).len() + black_box(payload).len();
                }
                rest = &rest[frame.len()..];
            }
            bytes
        });
    });
    group.bench_function("redis-protocol resp3 decode_range", |bencher| {
        bencher.iter(|| {
            let mut rest = black_box(&input[..]);
            let mut bytes = 0;
            while let Some((frame, len)) = resp3::decode::complete::decode_range(rest).expect("valid input") {
                bytes += push_bytes(rest, &frame, last);
                rest = &rest[len..];
            }
            bytes
        });
    });
    group.bench_function("redis-protocol resp3 decode_bytes_mut", |bencher| {
        let full = BytesMut::from(&input[..]);
        let decode = |mut rest: BytesMut| {
            let mut bytes = 0;
            while let Some((frame, ..)) =
                resp3::decode::complete::decode_bytes_mut(&mut rest).expect("valid input")
            {
                if let resp3::types::BytesFrame::Push { data, .. } = &frame
                    && let [.., channel, payload] = &data[..]
                {
                    bytes += black_box(channel).as_bytes().map_or(0, <[u8]>::len);
                    bytes += black_box(payload).as_bytes().map_or(0, <[u8]>::len);
                }
            }
            bytes
        };
        bencher.iter_batched(|| full.clone(), decode, BatchSize::SmallInput);
    });
    group.finish();
}

/// Length of the channel and payload of a decoded push.
fn push_bytes(input: &[u8], frame: &resp3::types::RangeFrame, last: usize) -> usize {
    use resp3::types::RangeFrame;
    let RangeFrame::Push { data, .. } = frame else { return 0 };
    let (RangeFrame::BlobString { data: channel, .. }, RangeFrame::BlobString { data: payload, .. }) =
        (&data[last - 1], &data[last])
    else {
        return 0;
    };
    black_box(&input[channel.0..channel.1]).len() + black_box(&input[payload.0..payload.1]).len()
}

/// PUBLISH of one payload after another into one output buffer.
fn encode_publish(criterion: &mut Criterion) {
    let payload = [b'x'; PAYLOAD_LEN];
    let mut group = criterion.benchmark_group("encode publish");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    group.bench_function("ringwire prefix", |bencher| {
        let prefix = CommandPrefix::new(&[b"PUBLISH", CHANNEL], 1);
        let mut out = Vec::with_capacity(PIPELINE * prefix.encoded_len(PAYLOAD_LEN));
        bencher.iter(|| {
            out.clear();
            for _ in 0..PIPELINE {
                prefix.encode1(&mut out, black_box(&payload));
            }
            out.len()
        });
    });
    group.bench_function("ringwire command", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            for _ in 0..PIPELINE {
                encode::command(&mut out, &[b"PUBLISH", black_box(CHANNEL), black_box(&payload)]);
            }
            out.len()
        });
    });
    group.bench_function("redis-protocol encode_borrowed", |bencher| {
        use resp2::types::BorrowedFrame::{Array, BulkString};
        let mut out = vec![0; PIPELINE * (PAYLOAD_LEN + CHANNEL.len() + 64)];
        bencher.iter(|| {
            let mut len = 0;
            for _ in 0..PIPELINE {
                let args =
                    [BulkString(b"PUBLISH"), BulkString(black_box(CHANNEL)), BulkString(black_box(&payload))];
                len += resp2::encode::encode_borrowed(&mut out[len..], &Array(&args), false)
                    .expect("room enough");
            }
            len
        });
    });
    group.finish();
}
