//! Nothing is allocated per frame or record, nor for a size that a peer declares: counted by the allocator itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ringwire_codec::kafka::{
    ApiVersionsRequest, BatchLimits, Compression, Compressors, Header, Headers, Inflater, List,
    MetadataRequest, MetadataRequestTopic, OpenBatch, PartitionProduceResponse, ProduceEncoder,
    ProduceRequest, ProduceResponse, Producer, Record, RecordBatch, RequestHeader, TopicProduceResponse,
    decode_response, encode_request, encode_response,
};
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

/// Record batches of every codec, filled, compressed, frozen and sent, again and again in the same memory.
#[test]
fn record_batches() {
    let compressions = [
        Compression::None,
        Compression::Gzip(6),
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd(3),
    ];
    for compression in compressions {
        let mut compressors = Compressors::new();
        let mut batch = OpenBatch::new(BatchLimits::default(), compression);
        let mut request = Vec::new();
        let mut spare = Vec::new();
        let mut round = |round: i64| {
            let headers = [Header { key: b"h", value: Some(b"v") }];
            let mut timestamp = round;
            while batch.plain_len() < 200_000 {
                timestamp += 1;
                let value = [timestamp as u8; 100];
                let headers = Headers::new(&headers[..timestamp as usize % 2]);
                let record = Record { timestamp, key: Some(b"key"), value: Some(&value), headers };
                batch.push(&record).expect("room");
                batch.step(&mut compressors);
            }
            let producer = Producer { id: 1, epoch: 0, sequence: 0, transactional: false };
            let frozen = batch.freeze(producer, &mut compressors, std::mem::take(&mut spare));
            request.clear();
            let header = RequestHeader { version: 12, correlation_id: 1, client_id: Some("me") };
            let mut encoder = ProduceEncoder::begin(&mut request, &header, &ProduceRequest::default(), 1)
                .expect("a request");
            encoder.topic("quotes", [0; 16], 1).expect("a topic");
            encoder.partition(0, frozen.bytes()).expect("a partition");
            encoder.finish().expect("a request");
            spare = frozen.into_buffer();
        };
        (0..3).for_each(&mut round);
        assert_eq!(allocations(|| (3..8).for_each(&mut round)), 0, "{compression:?}");
    }
}

#[test]
fn kafka_messages() {
    let partitions = [PartitionProduceResponse::default(); 20];
    let topics = [TopicProduceResponse {
        name: "quotes",
        topic_id: [1; 16],
        partition_responses: List::new(&partitions),
    }; 5];
    let response = ProduceResponse { responses: List::new(&topics), ..ProduceResponse::default() };
    let topics = [MetadataRequestTopic::named("quotes")];
    let metadata = MetadataRequest { topics: Some(List::new(&topics)), ..MetadataRequest::default() };
    let mut out = Vec::with_capacity(1 << 16);
    let count = allocations(|| {
        for version in 3..=13 {
            out.clear();
            encode_response::<ProduceRequest<'_>>(&mut out, version, 1, &response).expect("a response");
            let decoded = decode_response::<ProduceRequest<'_>>(version, &out[4..]).expect("a response");
            let seen = decoded.responses.iter().flat_map(|topic| topic.partition_responses.iter()).count();
            assert_eq!(seen, 100);
            let header = RequestHeader { version, correlation_id: 1, client_id: None };
            encode_request(&mut out, &header, &metadata).expect("a request");
        }
        // A count of 2^31 - 1 messages.
        let hostile = [0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0];
        assert!(decode_response::<ApiVersionsRequest<'_>>(0, &hostile).is_err());
    });
    assert_eq!(count, 0);
}

#[test]
fn reading_records() {
    let mut batch = OpenBatch::new(BatchLimits::default(), Compression::Zstd(3));
    let headers = [Header { key: b"h", value: Some(b"v") }];
    for timestamp in 0..1000 {
        let record = Record { timestamp, key: None, value: Some(&[7; 100]), headers: Headers::new(&headers) };
        batch.push(&record).expect("room");
    }
    let frozen = batch.freeze(Producer::NONE, &mut Compressors::new(), Vec::new());
    let (mut inflater, mut scratch) = (Inflater::default(), Vec::new());
    let mut round = || {
        let (batch, _) = RecordBatch::read(frozen.bytes()).expect("a batch");
        let records = batch.records(&mut inflater, &mut scratch).expect("records");
        let headers: usize = records.map(|read| read.expect("a record").record.headers.iter().count()).sum();
        assert_eq!(headers, 1000);
    };
    round();
    assert_eq!(allocations(round), 0);
}
