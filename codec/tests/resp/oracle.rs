//! Against redis-protocol, which knows nothing of this codec: what one encodes, the other must read as the same
//! value.

use redis_protocol::resp2::decode as their_resp2;
use redis_protocol::resp3::decode::{complete as their_decode, streaming as their_streams};
use redis_protocol::resp3::encode::{complete as their_encode, streaming as their_stream_encode};
use redis_protocol::resp3::types::{
    DecodedFrame, FrameKind, OwnedFrame, Resp3Frame as _, VerbatimStringFormat,
};
use ringwire_codec::resp::{DecodeErrorKind, FrameReader, Limits, Token, encode};

use crate::feed::{decode_whole, same_tokens};
use crate::random::Random;

/// Random values per direction.
const ROUNDS: u64 = 5_000;

/// A value without the accidents of its encoding: no attributes, sets and maps in a fixed order.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Simple(Vec<u8>),
    Error(String),
    Integer(i64),
    Double(f64),
    BigNumber(Vec<u8>),
    Boolean(bool),
    Null,
    Bulk(Vec<u8>),
    BulkError(Vec<u8>),
    Verbatim([u8; 3], Vec<u8>),
    Array(Vec<Value>),
    Set(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Push(Vec<Value>),
}

impl Value {
    /// A random value of at most `depth` levels.
    fn random(random: &mut Random, depth: usize) -> Self {
        let len = random.below(5);
        let values = |random: &mut Random| (0..len).map(|_| Self::random(random, depth - 1)).collect();
        match random.below(if depth == 0 { 10 } else { 14 }) {
            0 => Self::Simple(line(random)),
            1 => Self::Error(String::from_utf8(line(random)).expect("ascii")),
            2 => Self::Integer(integer(random)),
            3 => Self::Double(double(random)),
            4 => Self::BigNumber(big_number(random)),
            5 => Self::Boolean(random.once_in(2)),
            6 => Self::Null,
            7 => Self::Bulk(random.bytes(300)),
            8 => Self::BulkError(random.bytes(20)),
            9 => Self::Verbatim(*random.pick(&[*b"txt", *b"mkd"]), random.bytes(20)),
            10 | 11 => Self::Array(values(random)),
            12 => Self::Set(keys(random, len)).sorted(),
            _ => {
                let pairs = keys(random, len).into_iter().map(|key| (key, Self::random(random, depth - 1)));
                Self::Map(pairs.collect()).sorted()
            }
        }
    }

    fn sorted(mut self) -> Self {
        match &mut self {
            Self::Set(values) => values.sort_by_cached_key(Self::encoded),
            Self::Map(pairs) => pairs.sort_by_cached_key(|(key, _)| key.encoded()),
            _ => {}
        }
        self
    }

    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out, &mut |_| false);
        out
    }

    /// Encodes with this codec, with an attribute before each value for which `attribute` says so.
    fn encode(&self, out: &mut Vec<u8>, attribute: &mut dyn FnMut(&Self) -> bool) {
        if attribute(self) {
            encode::attribute(out, 1);
            encode::simple(out, b"ttl");
            Self::Array(vec![Self::Integer(9), Self::Null]).encode(out, &mut |_| false);
        }
        match self {
            Self::Simple(text) => encode::simple(out, text),
            Self::Error(text) => encode::error(out, text.as_bytes()),
            Self::Integer(value) => encode::integer(out, *value),
            Self::Double(value) => encode::double(out, *value),
            Self::BigNumber(digits) => encode::big_number(out, digits),
            Self::Boolean(value) => encode::boolean(out, *value),
            Self::Null => encode::null(out),
            Self::Bulk(bytes) => encode::bulk(out, bytes),
            Self::BulkError(bytes) => encode::bulk_error(out, bytes),
            Self::Verbatim(format, text) => encode::verbatim(out, *format, text),
            Self::Array(values) => {
                encode::array(out, values.len() as u64);
                values.iter().for_each(|value| value.encode(out, attribute));
            }
            Self::Set(values) => {
                encode::set(out, values.len() as u64);
                values.iter().for_each(|value| value.encode(out, attribute));
            }
            Self::Push(values) => {
                encode::push(out, values.len() as u64);
                values.iter().for_each(|value| value.encode(out, attribute));
            }
            Self::Map(pairs) => {
                encode::map(out, pairs.len() as u64);
                for (key, value) in pairs {
                    key.encode(out, &mut |_| false);
                    value.encode(out, attribute);
                }
            }
        }
    }

    /// Rebuilds a value from this codec's tokens.
    fn read<'a>(tokens: &mut dyn Iterator<Item = Token<'a>>) -> Self {
        match tokens.next().expect("a value") {
            Token::Array(Some(count)) => Self::Array((0..count).map(|_| Self::read(tokens)).collect()),
            Token::Push(Some(count)) => Self::Push((0..count).map(|_| Self::read(tokens)).collect()),
            Token::Set(Some(count)) => Self::Set((0..count).map(|_| Self::read(tokens)).collect()).sorted(),
            Token::Map(Some(count)) => {
                let pairs = (0..count).map(|_| (Self::read(tokens), Self::read(tokens)));
                Self::Map(pairs.collect()).sorted()
            }
            Token::Simple(text) => Self::Simple(text.to_vec()),
            Token::Error(text) => Self::Error(String::from_utf8(text.to_vec()).expect("ascii")),
            Token::Integer(value) => Self::Integer(value),
            Token::Double(value) => Self::Double(value),
            Token::BigNumber(digits) => Self::BigNumber(digits.to_vec()),
            Token::Boolean(value) => Self::Boolean(value),
            Token::Null => Self::Null,
            Token::Bulk(bytes) => Self::Bulk(bytes.to_vec()),
            Token::BulkError(bytes) => Self::BulkError(bytes.to_vec()),
            Token::Verbatim { format, text } => Self::Verbatim(format, text.to_vec()),
            other => panic!("{other:?} among plain values"),
        }
    }

    /// Their frame, with an attribute on each value for which `attribute` says so.
    fn to_theirs(&self, attribute: &mut dyn FnMut(&Self) -> bool) -> OwnedFrame {
        let attributes = attribute(self).then(|| {
            let key = OwnedFrame::SimpleString { data: b"ttl".to_vec(), attributes: None };
            [(key, Self::Array(vec![Self::Integer(9), Self::Null]).to_theirs(&mut |_| false))]
                .into_iter()
                .collect()
        });
        match self.clone() {
            Self::Simple(data) => OwnedFrame::SimpleString { data, attributes },
            Self::Error(data) => OwnedFrame::SimpleError { data, attributes },
            Self::Integer(data) => OwnedFrame::Number { data, attributes },
            Self::Double(data) => OwnedFrame::Double { data, attributes },
            Self::BigNumber(data) => OwnedFrame::BigNumber { data, attributes },
            Self::Boolean(data) => OwnedFrame::Boolean { data, attributes },
            Self::Null => OwnedFrame::Null,
            Self::Bulk(data) => OwnedFrame::BlobString { data, attributes },
            Self::BulkError(data) => OwnedFrame::BlobError { data, attributes },
            Self::Verbatim(format, data) => {
                let format = match &format {
                    b"txt" => VerbatimStringFormat::Text,
                    _ => VerbatimStringFormat::Markdown,
                };
                OwnedFrame::VerbatimString { data, format, attributes }
            }
            Self::Array(values) => {
                let data = values.iter().map(|value| value.to_theirs(attribute)).collect();
                OwnedFrame::Array { data, attributes }
            }
            Self::Push(values) => {
                let data = values.iter().map(|value| value.to_theirs(attribute)).collect();
                OwnedFrame::Push { data, attributes }
            }
            Self::Set(values) => {
                let data = values.iter().map(|value| value.to_theirs(&mut |_| false)).collect();
                OwnedFrame::Set { data, attributes }
            }
            Self::Map(pairs) => {
                let pairs = pairs
                    .iter()
                    .map(|(key, value)| (key.to_theirs(&mut |_| false), value.to_theirs(attribute)));
                OwnedFrame::Map { data: pairs.collect(), attributes }
            }
        }
    }

    fn from_theirs(frame: &OwnedFrame) -> Self {
        match frame {
            OwnedFrame::SimpleString { data, .. } => Self::Simple(data.clone()),
            OwnedFrame::SimpleError { data, .. } => Self::Error(data.clone()),
            OwnedFrame::Number { data, .. } => Self::Integer(*data),
            OwnedFrame::Double { data, .. } => Self::Double(*data),
            OwnedFrame::BigNumber { data, .. } => Self::BigNumber(data.clone()),
            OwnedFrame::Boolean { data, .. } => Self::Boolean(*data),
            OwnedFrame::Null => Self::Null,
            OwnedFrame::BlobString { data, .. } => Self::Bulk(data.clone()),
            OwnedFrame::BlobError { data, .. } => Self::BulkError(data.clone()),
            OwnedFrame::VerbatimString { data, format: VerbatimStringFormat::Text, .. } => {
                Self::Verbatim(*b"txt", data.clone())
            }
            OwnedFrame::VerbatimString { data, .. } => Self::Verbatim(*b"mkd", data.clone()),
            OwnedFrame::Array { data, .. } => Self::Array(data.iter().map(Self::from_theirs).collect()),
            OwnedFrame::Push { data, .. } => Self::Push(data.iter().map(Self::from_theirs).collect()),
            OwnedFrame::Set { data, .. } => Self::Set(data.iter().map(Self::from_theirs).collect()).sorted(),
            OwnedFrame::Map { data, .. } => {
                let pairs =
                    data.iter().map(|(key, value)| (Self::from_theirs(key), Self::from_theirs(value)));
                Self::Map(pairs.collect()).sorted()
            }
            other => panic!("{other:?} was never encoded"),
        }
    }
}

fn line(random: &mut Random) -> Vec<u8> {
    let len = random.below(40);
    (0..len).map(|_| b' ' + random.below(95) as u8).collect()
}

fn integer(random: &mut Random) -> i64 {
    let value = random.next().cast_signed() >> random.below(64);
    *random.pick(&[value, value, value, value, i64::MIN, i64::MAX])
}

fn double(random: &mut Random) -> f64 {
    let value = match random.below(3) {
        0 => f64::from_bits(random.next()),
        1 => integer(random) as f64 / 100.0,
        _ => *random.pick(&[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 0.1, 1e300, 5e-324]),
    };
    if value.is_nan() { 1.5 } else { value }
}

fn big_number(random: &mut Random) -> Vec<u8> {
    let sign: &[u8] = if random.once_in(2) { b"-" } else { b"" };
    let len = 1 + random.below(50);
    sign.iter().copied().chain((0..len).map(|_| b'0' + random.below(10) as u8)).collect()
}

/// Distinct values of the kinds that their maps and sets can hold.
fn keys(random: &mut Random, len: usize) -> Vec<Value> {
    let mut keys: Vec<Value> = Vec::new();
    while keys.len() < len {
        let key = match random.below(3) {
            0 => Value::Simple(line(random)),
            1 => Value::Integer(integer(random)),
            _ => Value::Bulk(random.bytes(20)),
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// A reply, or a push of one level, as servers send them.
fn random_frame(random: &mut Random) -> Value {
    if random.once_in(5) {
        let len = random.below(6);
        Value::Push((0..len).map(|_| Value::random(random, 2)).collect())
    } else {
        Value::random(random, 4)
    }
}

#[test]
fn they_read_what_we_encode() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let value = random_frame(random);
        let mut bytes = Vec::new();
        value.encode(&mut bytes, &mut |value| !matches!(value, Value::Null) && random.once_in(6));
        let (frame, len) = their_decode::decode(&bytes).expect("valid").expect("whole");
        assert_eq!(len, bytes.len(), "seed {seed}");
        assert_eq!(Value::from_theirs(&frame), value, "seed {seed}");
    }
}

#[test]
fn we_read_what_they_encode() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let value = random_frame(random);
        let frame = value.to_theirs(&mut |value| !matches!(value, Value::Null) && random.once_in(6));
        let mut bytes = vec![0; frame.encode_len(false)];
        let len = their_encode::encode(&mut bytes, &frame, false).expect("room enough");
        let mut reader = FrameReader::new(Limits::default());
        let ours = reader.next(&bytes[..len]).expect("valid").expect("whole");
        assert_eq!(ours.len(), len, "seed {seed}");
        assert_eq!(Value::read(&mut ours.tokens()), value, "seed {seed}");
    }
}

#[test]
fn resp2_frames_have_the_same_extent() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let mut bytes = Vec::new();
        random_resp2(random, 4, &mut bytes);
        // Some are cut, some are damaged: where this codec sees a frame, they see the same one.
        if random.once_in(3) {
            bytes.truncate(random.below(bytes.len() + 1));
        }
        if random.once_in(3) && !bytes.is_empty() {
            let at = random.below(bytes.len());
            bytes[at] = *random.pick(b"$*:+-\r\n019a");
        }
        let mut reader = FrameReader::new(Limits::default());
        let ours = reader.next(&bytes).map(|frame| frame.map(|frame| frame.len()));
        let theirs = their_resp2::decode_range(&bytes);
        let shown = bytes.escape_ascii();
        match ours {
            Ok(Some(len)) => assert_eq!(theirs.expect("valid").expect("whole").1, len, "\"{shown}\""),
            // They look for no error behind the place where they wait; but they must not see a frame.
            Ok(None) => assert!(!matches!(theirs, Ok(Some(_))), "\"{shown}\""),
            // What they accept beyond is listed below.
            Err(_) => {}
        }
    }
}

fn random_resp2(random: &mut Random, depth: usize, out: &mut Vec<u8>) {
    match random.below(if depth == 0 { 5 } else { 7 }) {
        0 => encode::simple(out, &line(random)),
        1 => encode::error(out, &line(random)),
        2 => encode::integer(out, integer(random)),
        3 => encode::bulk(out, &random.bytes(200)),
        4 => encode::null_bulk(out),
        _ => {
            let count = random.below(5);
            encode::array(out, count as u64);
            (0..count).for_each(|_| random_resp2(random, depth - 1, out));
        }
    }
}

#[test]
fn we_read_the_streams_that_they_encode() {
    let number = |data| OwnedFrame::Number { data, attributes: None };
    let mut bytes = [0; 256];
    let mut at = their_stream_encode::encode_start_string(&mut bytes, 0).unwrap();
    at = their_stream_encode::encode_string_chunk(&mut bytes, at, b"ring").unwrap();
    at = their_stream_encode::encode_string_chunk(&mut bytes, at, b"wire").unwrap();
    at = their_stream_encode::encode_end_string(&mut bytes, at).unwrap();
    at = their_stream_encode::encode_start_aggregate_type(&mut bytes, at, FrameKind::Array).unwrap();
    for value in [1, 2] {
        let value = number(value);
        at = their_stream_encode::encode_owned_aggregate_type_inner_value(&mut bytes, at, &value, false)
            .unwrap();
    }
    at = their_stream_encode::encode_end_aggregate_type(&mut bytes, at).unwrap();
    at = their_stream_encode::encode_start_aggregate_type(&mut bytes, at, FrameKind::Map).unwrap();
    let (key, value) = (number(3), number(4));
    at = their_stream_encode::encode_owned_aggregate_type_inner_kv_pair(&mut bytes, at, &key, &value, false)
        .unwrap();
    at = their_stream_encode::encode_end_aggregate_type(&mut bytes, at).unwrap();
    let expected = [
        Token::StreamedString,
        Token::Chunk(b"ring"),
        Token::Chunk(b"wire"),
        Token::End,
        Token::Array(None),
        Token::Integer(1),
        Token::Integer(2),
        Token::End,
        Token::Map(None),
        Token::Integer(3),
        Token::Integer(4),
        Token::End,
    ];
    let decoded = decode_whole(&bytes[..at], Limits::default());
    assert!(same_tokens(&decoded.tokens, &expected), "{decoded:?}");
}

#[test]
fn they_read_the_streams_that_we_encode() {
    let mut bytes = Vec::new();
    encode::streamed(&mut bytes, b'$');
    encode::chunk(&mut bytes, b"ring");
    encode::chunk(&mut bytes, b"");
    encode::streamed(&mut bytes, b'~');
    encode::integer(&mut bytes, 1);
    encode::end(&mut bytes);
    let mut rest = &bytes[..];
    let mut steps = Vec::new();
    while let Some((frame, len)) = their_streams::decode(rest).expect("valid") {
        steps.push(match frame {
            DecodedFrame::Streaming(stream) => format!("{:?}", stream.kind),
            DecodedFrame::Complete(frame) => format!("{:?} {:?}", frame.kind(), frame.as_bytes()),
        });
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    let chunk = format!("ChunkedString Some({:?})", b"ring");
    let end = "EndStream Some([])";
    assert_eq!(steps, ["BlobString", &chunk, end, "Set", "Number None", end]);
}

/// Where redis-protocol 6.0.0 differs, and is not followed.
#[test]
fn known_differences() {
    let ours = |input: &[u8]| FrameReader::new(Limits::default()).next(input).map(|_| ()).map_err(|e| e.kind);
    // It takes any two bytes for a bulk's trailer.
    assert!(their_decode::decode(b"$3\r\nabcXY").unwrap().is_some());
    assert_eq!(ours(b"$3\r\nabcXY"), Err(DecodeErrorKind::BulkTrailer { len: 3, got: *b"XY" }));
    // Whatever stands between `_` and CRLF is a null.
    assert!(their_decode::decode(b"_garbage\r\n").unwrap().is_some());
    assert_eq!(ours(b"_garbage\r\n"), Err(DecodeErrorKind::ExpectedLineEnd { got: b'g' }));
    // A lone LF goes into a simple string.
    assert!(their_decode::decode(b"+a\nb\r\n").unwrap().is_some());
    assert_eq!(ours(b"+a\nb\r\n"), Err(DecodeErrorKind::BareLineFeed));
    // RESP2's nulls under RESP3 begin a stream.
    assert!(their_decode::decode(b"$-1\r\n").is_err());
    assert_eq!(ours(b"$-1\r\n"), Ok(()));
    // Any bytes are a big number.
    assert!(their_decode::decode(b"(abc\r\n").unwrap().is_some());
    assert_eq!(ours(b"(abc\r\n"), Err(DecodeErrorKind::BadBigNumber { got: b'a' }));
    // An inline HELLO is a frame.
    assert!(their_decode::decode(b"HELLO 3\r\n").unwrap().is_some());
    assert_eq!(ours(b"HELLO 3\r\n"), Err(DecodeErrorKind::UnknownType { got: b'H' }));
}
