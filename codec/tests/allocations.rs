//! Nothing is allocated per frame, nor for a size that a peer declares: counted by the allocator itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ringwire_codec::resp::{
    CommandPrefix, DecodeErrorKind, Decoder, FrameReader, Limits, ReplyEncoder, Token, Version, command,
    encode, glob_match,
};

thread_local! {
    /// Allocations of this thread: each test has its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `System`, and the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the block came from `System`, and the caller's promises are passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(1)))), 1);
}

#[test]
fn decoding() {
    let mut input = Vec::new();
    for value in 0..50 {
        encode::integer(&mut input, value << value);
        encode::push(&mut input, 3);
        [&b"message"[..], b"channel", &[b'x'; 200]].iter().for_each(|item| encode::bulk(&mut input, item));
        encode::map(&mut input, 20);
        for key in 0..20 {
            encode::bulk_integer(&mut input, key);
            encode::attribute(&mut input, 1);
            encode::simple(&mut input, b"ttl");
            encode::double(&mut input, 0.25);
            encode::array(&mut input, 2);
            encode::push(&mut input, 1);
            encode::simple(&mut input, b"invalidate");
            encode::big_number(&mut input, b"123456789012345678901234567890");
            encode::verbatim(&mut input, *b"txt", b"text");
        }
    }
    for step in [1, 7, 100, input.len()] {
        let mut frames = 0;
        let count = allocations(|| {
            let mut reader = FrameReader::new(Limits::default());
            let mut start = 0;
            for arrived in (0..input.len()).step_by(step).chain([input.len()]) {
                while let Some(frame) = reader.next(&input[start..arrived]).expect("valid") {
                    let depth_one = (0..).map_while(|index| frame.item(index)).count();
                    assert!(depth_one <= frame.tokens().count());
                    start += frame.len();
                    frames += 1;
                }
            }
        });
        assert_eq!(frames, 50 * (3 + 20));
        assert_eq!(count, 0, "in steps of {step}");
    }
}

#[test]
fn declared_sizes() {
    let limits = Limits { bulk_len_max: usize::MAX, frame_len_max: usize::MAX, ..Limits::default() };
    let declared: [&[u8]; 7] = [
        b"*4294967295\r\n",
        b"%4294967295\r\n",
        b"~4294967295\r\n",
        b">4294967295\r\n",
        b"|4294967295\r\n",
        b"$4294967295\r\n",
        b"*1000000\r\n$1000000000000\r\nabc",
    ];
    for limits in [limits, Limits::default()] {
        for input in declared {
            let count = allocations(|| {
                let mut decoder = Decoder::new(limits);
                while let Ok(Some(token)) = decoder.next(input) {
                    assert_ne!(token, Token::End);
                }
                let mut reader = FrameReader::new(limits);
                assert!(!matches!(reader.next(input), Ok(Some(_))));
            });
            assert_eq!(count, 0, "\"{}\"", input.escape_ascii());
        }
    }
}

#[test]
fn errors() {
    let count = allocations(|| {
        let mut reader = FrameReader::new(Limits::default());
        let error = reader.next(b"$1\r\nabc").expect_err("a wrong trailer");
        assert_eq!(error.kind, DecodeErrorKind::BulkTrailer { len: 1, got: *b"bc" });
    });
    assert_eq!(count, 0);
}

#[test]
fn encoding_into_a_grown_buffer() {
    let prefix = CommandPrefix::new(&[b"PUBLISH", b"channel"], 1);
    let payload = [b'x'; 128];
    let reply = ReplyEncoder { version: Version::Resp3 };
    let resp2 = ReplyEncoder { version: Version::Resp2 };
    let mut out = Vec::with_capacity(4096);
    let count = allocations(|| {
        for round in 0..100 {
            out.clear();
            prefix.encode1(&mut out, &payload);
            prefix.encode(&mut out, &[&payload]);
            command(&mut out, &[b"XADD", b"stream", b"*", b"field", &payload]);
            encode::simple(&mut out, b"OK");
            encode::error(&mut out, b"ERR no");
            encode::bulk_integer(&mut out, round);
            encode::bulk_error(&mut out, b"ERR no");
            for reply in [reply, resp2] {
                reply.null(&mut out);
                reply.map(&mut out, 3);
                reply.double(&mut out, round as f64 * 1e-9);
                reply.boolean(&mut out, true);
                reply.verbatim(&mut out, *b"txt", b"text");
                reply.big_number(&mut out, b"123");
            }
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn a_prefix_grows_the_buffer_once() {
    let prefix = CommandPrefix::new(&[b"PUBLISH", b"channel"], 1);
    let payload = [b'x'; 5000];
    assert_eq!(allocations(|| prefix.encode1(&mut Vec::new(), &payload)), 1);
    assert_eq!(allocations(|| command(&mut Vec::new(), &[b"PUBLISH", b"channel", &payload])), 1);
}

#[test]
fn matching_patterns() {
    assert_eq!(allocations(|| assert!(glob_match(b"quotes.*.[a-z]?SD", b"quotes.fx.xUSD"))), 0);
}
