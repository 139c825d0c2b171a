//! Kafka's record batches in memory: records with keys are appended to batches of the engine's own size, which are
//! compressed, given their checksum and frozen. One core, and no socket.

use std::hint::black_box;

use ringwire::config::KafkaOptions;
use ringwire_codec::kafka::{BatchLimits, Compressors, OpenBatch, Producer, Record};

use super::record::Meter;
use super::{ClientArgs, Told};
use crate::rig::RigError;

/// Bytes of a record beside its key and its value, at most: lengths, deltas, and no headers.
const RECORD_HEAD: usize = 16;
/// As an idempotent producer's first batch: identity and sequence are the same work whatever their values.
const PRODUCER: Producer = Producer { id: 4_000, epoch: 0, sequence: 0, transactional: false };

pub(super) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let records = args.records()?;
    let keys: Vec<String> = (0..args.channels.max(1)).map(|index| args.channel(index)).collect();
    let longest = keys.iter().map(String::len).max().unwrap_or(0);
    let of_a_batch =
        (KafkaOptions::default().batch_size / (records.len + longest + RECORD_HEAD)).max(1) as u64;
    let mut batch = OpenBatch::new(BatchLimits::default(), args.compression.compression());
    let (mut compressors, mut spare) = (Compressors::new(), Vec::new());
    let mut fill = |first: u64| -> Result<(), RigError> {
        for number in first..first + of_a_batch {
            let number = number as usize;
            let record = Record {
                timestamp: number as i64,
                key: Some(keys[number % keys.len()].as_bytes()),
                value: Some(records.of(number)),
                ..Record::default()
            };
            batch.push(black_box(&record)).map_err(|error| args.failed(error))?;
        }
        let frozen = batch.freeze(PRODUCER, &mut compressors, std::mem::take(&mut spare));
        spare = black_box(frozen).into_buffer();
        Ok(())
    };
    let batches = |messages: u64| messages.div_ceil(of_a_batch);
    (0..batches(args.warmup)).try_for_each(|number| fill(number * of_a_batch))?;
    let mut meter = Meter::begin();
    let counted = batches(args.messages);
    (0..counted).try_for_each(|number| fill(number * of_a_batch))?;
    meter.touch(ringwire::monotonic_ns());
    let words = format!("batches of {of_a_batch} records with keys, compression {}", args.compression.name());
    Ok(Told { messages: counted * of_a_batch, ..meter.told(args, &[&words], 0) })
}
