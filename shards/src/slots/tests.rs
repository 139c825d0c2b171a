use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::random::Random;

/// Under Miri each step costs some thousand times more.
const SEEDS: u64 = if cfg!(miri) { 2 } else { 100 };
const STEPS: usize = if cfg!(miri) { 200 } else { 2_000 };
const STRESS_RECORDS: u64 = if cfg!(miri) { 300 } else { 300_000 };

/// No test waits longer for the other thread.
const DEADLINE: Duration = Duration::from_secs(60);

fn behaves_as_a_queue(seed: u64) {
    let mut random = Random::new(seed);
    let capacity = random.up_to(100);
    let (mut writer, mut reader) = slot_ring::<u64>(capacity);
    assert_eq!(writer.capacity(), capacity);
    let (mut staged, mut visible) = (VecDeque::new(), VecDeque::new());
    for step in 0..STEPS as u64 {
        let at = format!("seed {seed}, step {step}");
        match random.up_to(9) {
            0 => {
                let limit = random.up_to(capacity + 1);
                let expected: Vec<u64> = visible.drain(..limit.min(visible.len())).collect();
                let mut seen = Vec::new();
                assert_eq!(reader.read(limit, |&record| seen.push(record)), expected.len(), "{at}");
                assert_eq!(seen, expected, "{at}");
            }
            1 => {
                assert_eq!(writer.publish(), staged.len(), "{at}");
                visible.append(&mut staged);
            }
            2 => {
                let (count, room) = (random.up_to(8), capacity - staged.len() - visible.len());
                let expected = if count > room { Err(Full) } else { Ok(()) };
                assert_eq!(writer.push_all((0..count).map(|_| step)), expected, "{at}");
                visible.append(&mut staged);
                visible.extend((0..count).filter(|_| expected.is_ok()).map(|_| step));
            }
            _ => {
                let full = staged.len() + visible.len() == capacity;
                assert_eq!(writer.push(step), if full { Err(Full) } else { Ok(()) }, "{at}");
                if !full {
                    staged.push_back(step);
                }
                if staged.len() == STAGED_MAX {
                    visible.append(&mut staged);
                }
            }
        }
        assert_eq!(reader.is_empty(), visible.is_empty(), "{at}");
    }
}

#[test]
fn every_step_is_as_a_queue_says() {
    for seed in 0..SEEDS {
        behaves_as_a_queue(seed);
    }
}

#[test]
fn two_threads() {
    let until = Instant::now() + DEADLINE;
    let (mut writer, mut reader) = slot_ring::<[u64; 4]>(96);
    let writing = thread::spawn(move || {
        let mut random = Random::new(5);
        for number in 0..STRESS_RECORDS {
            while writer.push([number; 4]).is_err() {
                assert!(Instant::now() < until, "the reader made no room");
                writer.publish();
                thread::yield_now();
            }
            if random.one_in(10) {
                writer.publish();
            }
        }
    });
    let mut random = Random::new(6);
    let mut number = 0;
    while number < STRESS_RECORDS {
        assert!(Instant::now() < until, "only {number} records came");
        let count = reader.read(1 + random.up_to(95), |record| {
            assert_eq!(*record, [number; 4]);
            number += 1;
        });
        if count == 0 {
            thread::yield_now();
        }
    }
    writing.join().unwrap();
    assert!(reader.is_abandoned() && reader.is_empty());
}

#[test]
fn a_writer_that_goes_publishes_first() {
    let (mut writer, mut reader) = slot_ring::<u8>(4);
    writer.push(1).unwrap();
    writer.push(2).unwrap();
    assert!(reader.is_empty());
    drop(writer);
    let mut seen = Vec::new();
    assert_eq!(reader.read(9, |&record| seen.push(record)), 2);
    assert_eq!(seen, [1, 2]);
}

#[test]
fn a_writer_sees_that_the_reader_is_gone() {
    let (writer, reader) = slot_ring::<u8>(4);
    assert!(!writer.is_abandoned() && !reader.is_abandoned());
    drop(reader);
    assert!(writer.is_abandoned());
}

#[test]
fn a_handler_that_panics_has_read_its_record() {
    let (mut writer, mut reader) = slot_ring::<u8>(8);
    for record in 0..4 {
        writer.push(record).unwrap();
    }
    writer.publish();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        reader.read(9, |&record| assert!(record < 1, "the second record"));
    }));
    assert!(panicked.is_err());
    let mut seen = Vec::new();
    reader.read(9, |&record| seen.push(record));
    assert_eq!(seen, [2, 3]);
}
