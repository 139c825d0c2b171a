//! The floor under a producer: one bare socket, requests that were built and compressed before the clock started, and
//! their answers. What it costs is the machine's, the kernel's and the broker's.
//!
//! A request holds as many batches, and a batch as many records, as the engine's held on average: larger ones would be
//! a lower floor than the load allows, since how much is under way is what the broker's speed decides.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringwire::monotonic_ns;
use ringwire_codec::kafka::{
    BatchLimits, Compressors, ErrorCode, FrameReader, OpenBatch, ProduceEncoder, ProduceRequest, Producer,
    RESPONSE_LEN_MAX, Record, RequestHeader, decode_response,
};

use super::record::Meter;
use super::{ClientArgs, PATIENCE_NS, Records, Told};
use crate::kafka::{PARTITIONS, TOPIC};
use crate::rig::RigError;

/// The newest version that names its topics: their ids would have to be asked for.
const VERSION: i16 = 12;
/// Requests under way, as the engine's.
const IN_FLIGHT: u64 = 5;
/// What a broker may take to append a batch.
const TIMEOUT_MS: i32 = 30_000;

/// Sends as many requests as hold the messages.
pub(super) fn flood(args: &ClientArgs) -> Result<Told, RigError> {
    let batches = args.request_batches.clamp(1, PARTITIONS as usize) as i32;
    let of_a_request = (args.batch_records.max(1) * batches as usize) as u64;
    let records = args.records()?;
    // One for each partition to begin with: all partitions get as much.
    let requests = (0..PARTITIONS)
        .map(|first| request(args, &records, first, batches))
        .collect::<Result<Vec<_>, _>>()?;
    let stream = TcpStream::connect(args.address).and_then(|stream| {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_nanos(PATIENCE_NS)))?;
        Ok(stream)
    });
    let mut wire = Wire { stream: stream.map_err(|error| args.failed(error))?, input: Vec::new() };
    let count = |messages: u64| messages.div_ceil(of_a_request);
    wire.send(args, &requests, count(args.warmup))?;
    let mut meter = Meter::begin();
    let sent = count(args.messages);
    wire.send(args, &requests, sent)?;
    meter.touch(monotonic_ns());
    let bytes = requests.iter().map(Vec::len).sum::<usize>() / requests.len();
    let words = format!(
        "prebuilt requests of {bytes} B: {batches} batches of {} records; {IN_FLIGHT} under way",
        args.batch_records
    );
    Ok(Told { messages: sent * of_a_request, ..meter.told(args, &["bare blocking socket", &words], 0) })
}

/// One Produce request with a batch of real records for each of `batches` partitions from `first` on.
fn request(args: &ClientArgs, records: &Records, first: i32, batches: i32) -> Result<Vec<u8>, RigError> {
    let failed = |error: &dyn std::fmt::Display| args.failed(error);
    let mut out = Vec::new();
    let header = RequestHeader { version: VERSION, correlation_id: first, client_id: Some("floor") };
    let head = ProduceRequest { timeout_ms: TIMEOUT_MS, ..ProduceRequest::default() };
    let mut encoder = ProduceEncoder::begin(&mut out, &header, &head, 1).map_err(|error| failed(&error))?;
    encoder.topic(TOPIC, Default::default(), batches as usize).map_err(|error| failed(&error))?;
    for number in 0..batches {
        let partition = (first + number) % PARTITIONS;
        let bytes = batch(args, records, partition)?;
        encoder.partition(partition, &bytes).map_err(|error| failed(&error))?;
    }
    encoder.finish().map_err(|error| failed(&error))?;
    Ok(out)
}

/// What a partition gets: its part of the keys, and every so manieth record.
fn batch(args: &ClientArgs, records: &Records, partition: i32) -> Result<Vec<u8>, RigError> {
    let mut batch = OpenBatch::new(BatchLimits::default(), args.compression.compression());
    for number in 0..args.batch_records.max(1) {
        let message = number * PARTITIONS as usize + partition as usize;
        let key = args.channel(message as u32 % args.channels.max(1));
        let record = Record {
            timestamp: number as i64,
            key: Some(key.as_bytes()),
            value: Some(records.of(message)),
            ..Record::default()
        };
        batch.push(&record).map_err(|error| args.failed(error))?;
    }
    Ok(batch.freeze(Producer::NONE, &mut Compressors::new(), Vec::new()).bytes().to_vec())
}

struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Wire {
    fn send(&mut self, args: &ClientArgs, requests: &[Vec<u8>], count: u64) -> Result<(), RigError> {
        for number in 0..count {
            if number >= IN_FLIGHT {
                self.answer(args)?;
            }
            let request = &requests[number as usize % requests.len()];
            self.stream.write_all(request).map_err(|error| args.failed(error))?;
        }
        (0..count.min(IN_FLIGHT)).try_for_each(|_| self.answer(args))
    }

    /// Waits for one answer, and looks at what it says.
    fn answer(&mut self, args: &ClientArgs) -> Result<(), RigError> {
        loop {
            let frame = FrameReader::new(RESPONSE_LEN_MAX).next(&self.input);
            if let Some(frame) = frame.map_err(|error| args.failed(error))? {
                let answer = decode_response::<ProduceRequest<'_>>(VERSION, frame.payload())
                    .map_err(|error| args.failed(error))?;
                let mut codes = answer
                    .responses
                    .into_iter()
                    .flat_map(|topic| topic.partition_responses.into_iter().map(|it| it.error_code));
                if let Some(code) = codes.find(|code| *code != ErrorCode::NONE) {
                    return Err(args.failed(format_args!("the broker answers {code}")));
                }
                let len = frame.len();
                self.input.drain(..len);
                return Ok(());
            }
            let mut bytes = [0; 4_096];
            match self.stream.read(&mut bytes).map_err(|error| args.failed(error))? {
                0 => return Err(args.failed("the broker closed the connection")),
                count => self.input.extend_from_slice(&bytes[..count]),
            }
        }
    }
}
