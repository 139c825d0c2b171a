//! The floor under a producer: one bare socket, requests that were built and compressed before the clock started, and
//! their answers. What it costs is the machine's, the kernel's and the broker's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringwire::monotonic_ns;
use ringwire_codec::kafka::{
    BatchLimits, Compressors, ErrorCode, FrameReader, OpenBatch, ProduceEncoder, ProduceRequest, Producer,
    RESPONSE_LEN_MAX, Record, RequestHeader, decode_response,
};

use super::record::Meter;
use super::{ClientArgs, PATIENCE_NS, Told};
use crate::kafka::{PARTITIONS, TOPIC};
use crate::rig::RigError;

/// The newest version that names its topics: their ids would have to be asked for.
const VERSION: i16 = 12;
/// Records of a batch: what the engine has in one at full speed, within a few hundred.
const RECORDS: usize = 1_000;
/// Requests under way, as the engine's.
const IN_FLIGHT: u64 = 5;
/// What a broker may take to append a batch.
const TIMEOUT_MS: i32 = 30_000;

/// Sends as many batches as hold the messages, each of them a request of its own.
pub(super) fn flood(args: &ClientArgs) -> Result<Told, RigError> {
    let requests =
        (0..PARTITIONS).map(|partition| request(args, partition)).collect::<Result<Vec<_>, _>>()?;
    let stream = TcpStream::connect(args.address).and_then(|stream| {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_nanos(PATIENCE_NS)))?;
        Ok(stream)
    });
    let mut wire = Wire { stream: stream.map_err(|error| args.failed(error))?, input: Vec::new() };
    let batches = |messages: u64| messages.div_ceil(RECORDS as u64);
    wire.send(args, &requests, batches(args.warmup))?;
    let mut meter = Meter::begin();
    let sent = batches(args.messages);
    wire.send(args, &requests, sent)?;
    meter.touch(monotonic_ns());
    let batch = format!("prebuilt requests of {RECORDS} records, {IN_FLIGHT} under way");
    Ok(Told { messages: sent * RECORDS as u64, ..meter.told(args, &["bare blocking socket", &batch], 0) })
}

/// One Produce request of one batch of real records.
fn request(args: &ClientArgs, partition: i32) -> Result<Vec<u8>, RigError> {
    let failed = |error: &dyn std::fmt::Display| args.failed(error);
    let records = args.records()?;
    let mut batch = OpenBatch::new(BatchLimits::default(), args.compression.compression());
    for number in 0..RECORDS {
        let record = Record {
            timestamp: number as i64,
            value: Some(records.of(number + partition as usize * RECORDS)),
            ..Record::default()
        };
        batch.push(&record).map_err(|error| failed(&error))?;
    }
    let frozen = batch.freeze(Producer::NONE, &mut Compressors::new(), Vec::new());
    let mut out = Vec::new();
    let header = RequestHeader { version: VERSION, correlation_id: partition, client_id: Some("floor") };
    let head = ProduceRequest { timeout_ms: TIMEOUT_MS, ..ProduceRequest::default() };
    let mut encoder = ProduceEncoder::begin(&mut out, &header, &head, 1).map_err(|error| failed(&error))?;
    encoder.topic(TOPIC, Default::default(), 1).map_err(|error| failed(&error))?;
    encoder.partition(partition, frozen.bytes()).map_err(|error| failed(&error))?;
    encoder.finish().map_err(|error| failed(&error))?;
    Ok(out)
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
