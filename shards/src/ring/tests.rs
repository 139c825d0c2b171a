use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::random::Random;

/// Under Miri each step costs some thousand times more.
const SEEDS: u64 = if cfg!(miri) { 2 } else { 200 };
const STEPS: usize = if cfg!(miri) { 150 } else { 2_000 };
const STRESS_FRAMES: u64 = if cfg!(miri) { 150 } else { 200_000 };

/// No test waits longer for the other thread.
const DEADLINE: Duration = Duration::from_secs(60);

/// A frame's contents follow from its number and length: what the reader sees is checked byte by byte.
fn fill(frame: &mut [u8], number: u64) {
    let mut random = Random::new(number ^ (frame.len() as u64) << 40);
    for chunk in frame.chunks_mut(size_of::<u64>()) {
        let bytes = random.next().to_le_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
}

fn filled(len: usize, number: u64) -> Vec<u8> {
    let mut frame = vec![0; len];
    fill(&mut frame, number);
    frame
}

/// The ring as arithmetic: it predicts every refusal exactly.
struct Model {
    words: usize,
    position: usize,
    used: usize,
    /// Each frame with the words that its reading frees, padding included.
    frames: VecDeque<(Vec<u8>, usize)>,
}

impl Model {
    fn new(capacity: usize) -> Self {
        Self { words: capacity / WORD, position: 0, used: 0, frames: VecDeque::new() }
    }

    /// Words for a frame of `len`, with padding.
    fn needed(&self, len: usize) -> usize {
        let record = (16 + len).div_ceil(WORD);
        let to_end = self.words - self.position;
        if record <= to_end { record } else { to_end + record }
    }

    fn has_room(&self, len: usize) -> bool {
        self.used + self.needed(len) <= self.words
    }

    fn commit(&mut self, frame: Vec<u8>) {
        let needed = self.needed(frame.len());
        self.used += needed;
        self.position = (self.position + needed) % self.words;
        self.frames.push_back((frame, needed));
    }

    fn read(&mut self) -> Option<Vec<u8>> {
        let (frame, needed) = self.frames.pop_front()?;
        self.used -= needed;
        Some(frame)
    }
}

fn behaves_as_the_model(seed: u64) {
    let mut random = Random::new(seed);
    let capacity = CAPACITY_MIN << random.up_to(6);
    let (mut writer, mut reader) = frame_ring(capacity).unwrap();
    let mut model = Model::new(capacity);
    let max = writer.frame_len_max();
    assert_eq!(max, capacity / 4 - 16, "seed {seed}");
    let (mut ahead_seen, mut rare_seen) = (false, false);
    for step in 0..STEPS {
        let at = format!("seed {seed}, step {step}");
        if random.one_in(3) {
            let limit = random.up_to(4);
            let mut expected = Vec::new();
            while expected.len() < limit
                && let Some(frame) = model.read()
            {
                expected.push(frame);
            }
            let mut seen = Vec::new();
            let count = reader.read(limit, |frame| seen.push(frame.to_vec()));
            assert_eq!(seen, expected, "{at}");
            assert_eq!(count, expected.len(), "{at}");
            assert_eq!(reader.is_empty(), model.frames.is_empty(), "{at}");
            continue;
        }
        let len = if random.one_in(8) { max + random.up_to(1) } else { random.up_to(max) };
        // A claim ahead lends what one anywhere does, and nothing where that fails.
        assert!(writer.try_claim_ahead(len, max - len.min(max) + 1).is_none(), "{at}: {len}");
        let ahead = writer.try_claim_ahead(len, 0).map(|claim| claim.as_ptr());
        let anywhere = writer.try_claim(len).map(|claim| claim.as_ptr());
        assert!(ahead.is_none_or(|ahead| anywhere == Ok(ahead)), "{at}: {len}");
        ahead_seen |= ahead.is_some();
        rare_seen |= ahead.is_none() && anywhere.is_ok();
        match writer.try_claim(len) {
            Err(ClaimError::TooLong { len: long, max: most }) => {
                assert_eq!((long, most), (max + 1, max), "{at}");
            }
            Err(ClaimError::Full) => assert!(!model.has_room(len), "{at}: refused {len}"),
            Ok(mut claim) => {
                assert!(model.has_room(len), "{at}: granted {len}");
                assert_eq!(claim.len(), len, "{at}");
                fill(&mut claim, step as u64);
                match random.up_to(5) {
                    0 => claim.abort(),
                    1 => drop(claim),
                    _ => {
                        claim.commit();
                        model.commit(filled(len, step as u64));
                    }
                }
            }
        }
    }
    assert!(cfg!(miri) || (ahead_seen && rare_seen), "seed {seed}: not every way was taken");
}

#[test]
fn every_step_is_as_the_model_says() {
    for seed in 0..SEEDS {
        behaves_as_the_model(seed);
    }
}

/// One thread writes, the other reads; lengths, aborts and batch sizes are random.
fn survives_two_threads(capacity: usize, seed: u64) {
    let (mut writer, mut reader) = frame_ring(capacity).unwrap();
    let max = writer.frame_len_max();
    let length = move |number: u64| Random::new(seed ^ number.wrapping_mul(31)).up_to(max);
    let until = Instant::now() + DEADLINE;
    let writing = thread::spawn(move || {
        let mut random = Random::new(seed);
        let mut number = 0;
        while number < STRESS_FRAMES {
            assert!(Instant::now() < until, "the reader made no room (seed {seed})");
            match writer.try_claim(length(number)) {
                Err(ClaimError::Full) => thread::yield_now(),
                Err(error) => panic!("{error} (seed {seed})"),
                Ok(mut claim) => {
                    fill(&mut claim, number);
                    if random.one_in(8) {
                        claim.fill(0xEE);
                        claim.abort();
                    } else {
                        claim.commit();
                        number += 1;
                    }
                }
            }
        }
    });
    let mut random = Random::new(!seed);
    let mut number = 0;
    loop {
        assert!(Instant::now() < until, "only {number} frames came (seed {seed})");
        // In this order: what was committed before the writer went is read after its going was seen.
        let last = reader.is_abandoned();
        let count = reader.read(1 + random.up_to(63), |frame| {
            assert_eq!(frame, filled(length(number), number), "frame {number} (seed {seed})");
            assert_eq!(frame.as_ptr() as usize % WORD, 16, "frame {number} (seed {seed})");
            number += 1;
        });
        if count == 0 {
            if last {
                break;
            }
            thread::yield_now();
        }
    }
    writing.join().unwrap();
    assert_eq!(number, STRESS_FRAMES, "seed {seed}");
}

#[test]
fn two_threads_on_the_smallest_ring() {
    survives_two_threads(CAPACITY_MIN, 1);
}

#[test]
fn two_threads_on_a_ring_of_a_few_frames() {
    survives_two_threads(512, 2);
}

#[test]
fn two_threads_on_a_ring_of_many_frames() {
    survives_two_threads(4096, 3);
}

#[test]
fn only_powers_of_two_in_the_range_are_capacities() {
    for bytes in [0, 1, 64, 128, 255, 257, 384, 1000, CAPACITY_MAX + 1, 2 * CAPACITY_MAX, usize::MAX] {
        assert_eq!(frame_ring(bytes).err(), Some(CapacityError { bytes }));
    }
    for bytes in [CAPACITY_MIN, 512, 4096] {
        let (writer, _) = frame_ring(bytes).unwrap();
        assert_eq!((writer.capacity(), writer.frame_len_max()), (bytes, bytes / 4 - 16));
    }
}

#[test]
fn the_longest_frame_fits_an_empty_ring_wherever_it_stands() {
    for capacity in [CAPACITY_MIN, 512, 1024] {
        for before in 0..capacity / WORD {
            let (mut writer, mut reader) = frame_ring(capacity).unwrap();
            for _ in 0..before {
                writer.try_claim(0).unwrap().commit();
                assert_eq!(reader.read(1, |frame| assert!(frame.is_empty())), 1);
            }
            let max = writer.frame_len_max();
            let mut claim = writer.try_claim(max).unwrap();
            fill(&mut claim, 7);
            claim.commit();
            assert_eq!(reader.read(9, |frame| assert_eq!(frame, filled(max, 7))), 1);
            assert!(reader.is_empty());
        }
    }
}

#[test]
fn an_aborted_claim_lends_the_same_bytes_again() {
    let (mut writer, reader) = frame_ring(256).unwrap();
    for len in [0, 1, 16, 48] {
        let mut claim = writer.try_claim(len).unwrap();
        claim.fill(0xA5);
        let place = claim.as_ptr();
        claim.abort();
        assert!(reader.is_empty());
        let claim = writer.try_claim(len).unwrap();
        assert_eq!(claim.as_ptr(), place);
        assert!(claim.iter().all(|&byte| byte == 0xA5));
    }
}

#[test]
fn a_batch_gives_its_room_back_at_its_end() {
    let (mut writer, mut reader) = frame_ring(CAPACITY_MIN).unwrap();
    for _ in 0..8 {
        writer.try_claim(0).unwrap().commit();
    }
    assert_eq!(writer.try_claim(0).err(), Some(ClaimError::Full));
    assert_eq!(reader.read(3, |_| assert_eq!(writer.try_claim(0).err(), Some(ClaimError::Full))), 3);
    for _ in 0..3 {
        writer.try_claim(0).unwrap().commit();
    }
    assert_eq!(writer.try_claim(0).err(), Some(ClaimError::Full));
    assert_eq!(reader.read(0, |_| panic!("none was asked for")), 0);
    assert_eq!(reader.read(usize::MAX, |_| {}), 8);
}

#[test]
fn a_handler_that_panics_has_read_its_frame() {
    let (mut writer, mut reader) = frame_ring(512).unwrap();
    // Across the end of the storage, with padding.
    for _ in 0..3 {
        writer.try_claim(112).unwrap().commit();
        reader.read(1, |_| {});
    }
    for number in 0..4 {
        let mut claim = writer.try_claim(80).unwrap();
        fill(&mut claim, number);
        claim.commit();
    }
    let mut seen = Vec::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        reader.read(9, |frame| {
            seen.push(frame.to_vec());
            assert!(seen.len() < 2, "the second frame");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(reader.read(9, |frame| seen.push(frame.to_vec())), 2);
    assert_eq!(seen, (0..4).map(|number| filled(80, number)).collect::<Vec<_>>());
    // All of the room came back.
    assert!(reader.is_empty());
    assert!(writer.try_claim(112).is_ok());
}

#[test]
fn each_end_sees_that_the_other_is_gone() {
    let (writer, reader) = frame_ring(CAPACITY_MIN).unwrap();
    assert!(!writer.is_abandoned() && !reader.is_abandoned());
    drop(reader);
    assert!(writer.is_abandoned());

    let (mut writer, mut reader) = frame_ring(CAPACITY_MIN).unwrap();
    writer.try_claim(3).unwrap().commit();
    drop(writer);
    assert!(reader.is_abandoned());
    assert_eq!(reader.read(9, |frame| assert_eq!(frame.len(), 3)), 1);
}
