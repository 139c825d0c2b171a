//! Fuzz bodies, as plain functions of bytes, and a seeded smoke run of each.

use ringwire_codec::kafka::{
    BatchLimits, Batches, Codec, Compression, Compressors, FrameReader, Inflater, OpenBatch, Producer, Record,
};

use crate::random::Random;
use crate::records::{reseal, restamp};
use crate::samples::{Sample, samples};

/// Mutations of each sample message.
const MESSAGE_ROUNDS: u64 = 1_000;
/// Mutations of each sample batch.
const BATCH_ROUNDS: u64 = 4_000;
/// What a mutated batch may decompress to, in bytes.
const INFLATED_LEN_MAX: usize = 1 << 16;

/// No panic; and what is accepted can be written again, and is then the same however often.
fn message_body(sample: &Sample, payload: &[u8]) {
    let Ok(again) = (sample.again)(sample.version, payload) else { return };
    let settled = (sample.again)(sample.version, &again[4..]);
    assert_eq!(settled.as_ref(), Ok(&again));
}

/// No panic, no more memory than allowed, no more records than announced.
fn batches_body(input: &[u8]) {
    let mut inflater = Inflater::new(INFLATED_LEN_MAX);
    let mut scratch = Vec::new();
    for batch in Batches::new(input).flatten() {
        let _ = batch.check_produced();
        let Ok(records) = batch.records(&mut inflater, &mut scratch) else { continue };
        let read = records
            .flatten()
            .inspect(|read| assert!(read.record.headers.iter().count() <= input.len() * 400));
        assert!(read.count() <= batch.count as usize);
    }
    assert!(scratch.capacity() <= 2 * INFLATED_LEN_MAX + (64 << 10), "{} bytes", scratch.capacity());
}

/// A few bytes changed, removed or added.
fn mutate(random: &mut Random, input: &mut Vec<u8>, from: usize) {
    for _ in 0..1 + random.below(3) {
        if input.len() <= from + 1 {
            return;
        }
        let at = from + random.below(input.len() - from);
        match random.below(6) {
            0 => input[at] = random.next() as u8,
            1 => input[at] = *random.pick(&[0, 1, 2, 0x7f, 0x80, 0xff]),
            2 => input[at] = input[at].wrapping_add(1),
            3 => input.truncate(at),
            4 => input.insert(at, *random.pick(&[0, 1, 0x80, 0xff])),
            _ => drop(input.remove(at)),
        }
    }
}

/// Prints the seed and the input of the round that fails.
struct Round<'a>(&'a str, u64, &'a [u8]);

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}, seed {}: {:02x?}", self.0, self.1, self.2);
        }
    }
}

#[test]
fn messages() {
    for sample in samples() {
        for seed in 0..MESSAGE_ROUNDS {
            let random = &mut Random::new(seed);
            let mut payload = sample.bytes[4..].to_vec();
            // A request's header says what it is: that stays, its body changes.
            mutate(random, &mut payload, if sample.name.ends_with("request") { 8 } else { 4 });
            let round = Round(sample.name, seed, &payload);
            message_body(&sample, round.2);
        }
    }
}

#[test]
fn frames_of_noise() {
    for seed in 0..MESSAGE_ROUNDS {
        let random = &mut Random::new(seed);
        let mut input = random.bytes(30);
        if let Some(size) = input.first_chunk_mut::<4>() {
            *size = (random.below(40) as i32 - 5).to_be_bytes();
        }
        let round = Round("frame", seed, &input);
        let reader = FrameReader::new(20);
        match reader.next(round.2) {
            Ok(Some(frame)) => assert!(frame.len() <= input.len() && frame.len() >= 8),
            Ok(None) => assert!(reader.wanted(round.2) > input.len()),
            Err(error) => assert!(!(4..=20).contains(&error.size)),
        }
    }
}

#[test]
fn batches() {
    let compressions = [
        Compression::None,
        Compression::Gzip(6),
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd(3),
    ];
    for compression in compressions {
        let mut compressors = Compressors::new();
        let mut open = OpenBatch::new(BatchLimits::default(), compression);
        for index in 0..20 {
            open.push(&Record { timestamp: index, value: Some(&[b'v'; 30]), ..Record::default() })
                .expect("room");
        }
        let sample = open.freeze(Producer::NONE, &mut compressors, Vec::new()).bytes().to_vec();
        for seed in 0..BATCH_ROUNDS {
            let random = &mut Random::new(seed);
            let mut input = sample.clone();
            // Behind the magic. With the checksum right, what is behind it is looked at.
            mutate(random, &mut input, 21);
            if !random.once_in(10) {
                reseal(&mut input);
            }
            let round = Round(compression.codec().name(), seed, &input);
            batches_body(round.2);
        }
    }
}

#[test]
fn bodies_of_noise() {
    for seed in 0..BATCH_ROUNDS {
        let random = &mut Random::new(seed);
        for codec in Codec::ALL {
            let body = random.bytes(60);
            let input = restamp(codec, 1 + random.below(3) as i32, &body);
            let round = Round(codec.name(), seed, &input);
            batches_body(round.2);
        }
    }
}
