//! What one `publish` costs its caller: the engine's, a bare rtrb ring's, and the empty region that both include.
//!
//! Written in tenths of a nanosecond: the cost is a few dozen nanoseconds, and a whole one would round it away. For the
//! same reason readings are spread over the counter's own step ([`Tsc::spread`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringwire::{Config, Engine, IdleStrategy, Route, WhenDown};

use super::record::{Meter, late_path, write_u64s};
use super::{ClientArgs, Records, Told};
use crate::machine::pin;
use crate::rig::RigError;
use crate::tsc::{Tsc, ticks};

/// As large as the engine's own ring.
const RING_BYTES: usize = ringwire::config::DEFAULT_RING_BYTES;

/// Bytes that a record of the engine's ring has before its payload: its own head, and the frame's.
const RECORD_HEAD: usize = 16 + ringwire_core::frame::PLAIN_LEN;

/// Calls whose mean is taken flat out: far more than the timer's own cost, and fewer than any queue holds.
const BATCH: usize = 1_000;
const BATCHES: usize = 200;
/// A batch that is not over by then is given up.
const BATCH_PATIENCE_NS: u64 = 10_000_000_000;

/// When nothing has come for so long, nothing comes.
const LAST_REPORT: Duration = Duration::from_millis(100);

/// Reports taken in the time that is left before the next message.
const REPORTS_AT_A_TIME: usize = 64;

pub(super) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let records = args.records()?;
    let mut pace = Pace::new(args)?;
    let mut refused = 0;
    let mean_ns;
    let settings = match args.client.as_str() {
        "ringwire" => {
            (refused, mean_ns) = engine(args, &records, &mut pace)?;
            "publish to an endpoint where nobody listens, route drops; shard spins on a core of its own"
        }
        "bare ring" => {
            mean_ns = bare_ring(args, &records, &mut pace)?;
            "rtrb push of the record's bytes; a reader copies them out on the shard's core"
        }
        "empty region" => {
            pace.run(|_| {}, || {});
            let nothing = |(): &mut (), index| {
                std::hint::black_box(records.of(index));
            };
            mean_ns = pace.flat_out(&mut (), nothing, |(), _| false);
            "the timer alone, which the others include; flat out, the loop alone"
        }
        name => {
            return Err(args.failed(format_args!("`{name}` is none of: ringwire, bare ring, empty region")));
        }
    };
    pace.tsc.spread(&mut pace.tenths);
    let counter = format!(
        "readings spread evenly over the counter's step of {:.1} ns",
        pace.tsc.step_tenths() as f64 / 10.0
    );
    let flat_out = format!("flat out, mean of a batch of {BATCH}: {mean_ns:.1} ns");
    let told = pace.meter.told(args, &["spins for the due time", &counter, settings, &flat_out], refused);
    let told = Told { flat_out_ns: (mean_ns > 0.0).then_some(mean_ns), ..told };
    let out = args.out.as_ref().ok_or_else(|| args.failed("--out is missing"))?;
    write_u64s(out, &pace.tenths)?;
    write_u64s(&late_path(out), &pace.late)?;
    Ok(told)
}

/// The open loop around the region that is measured.
struct Pace {
    tsc: Tsc,
    due: Vec<u64>,
    warmup: usize,
    tenths: Vec<u64>,
    late: Vec<u64>,
    meter: Meter,
}

impl Pace {
    fn new(args: &ClientArgs) -> Result<Self, RigError> {
        let mut due = args.due()?;
        due.truncate(args.total());
        let messages = args.messages as usize;
        Ok(Self {
            tsc: Tsc::calibrate(),
            due,
            warmup: args.warmup as usize,
            tenths: Vec::with_capacity(messages),
            late: Vec::with_capacity(messages),
            meter: Meter::begin(),
        })
    }

    /// Calls `timed` for each message when it is due, and `between` in the time that is left.
    fn run(&mut self, mut timed: impl FnMut(usize), mut between: impl FnMut()) {
        let tsc = self.tsc;
        let start = ticks();
        for (index, due_ns) in self.due.iter().enumerate() {
            let due = start + tsc.ticks_of_ns(*due_ns as f64);
            between();
            while ticks() < due {
                std::hint::spin_loop();
            }
            let before = ticks();
            timed(index);
            let after = ticks();
            if index >= self.warmup {
                self.tenths.push(tsc.tenths_ns(after - before).max(1));
                self.late.push(tsc.tenths_ns(before - due) / 10);
            }
        }
        self.meter.touch(ringwire::monotonic_ns());
    }

    /// Calls `timed` in batches, and `is_busy` until it is not between them, with the number of calls so far; answers
    /// the middle one of the batches' means, in nanoseconds.
    fn flat_out<S>(
        &self,
        state: &mut S,
        mut timed: impl FnMut(&mut S, usize),
        mut is_busy: impl FnMut(&mut S, u64) -> bool,
    ) -> f64 {
        // By a pointer, as the C program has it: a call inlined into this loop would leave half of its work before it.
        let timed: &mut dyn FnMut(&mut S, usize) = std::hint::black_box(&mut timed);
        let mut tenths = Vec::with_capacity(BATCHES);
        for batch in 0..BATCHES {
            let until = ringwire::monotonic_ns() + BATCH_PATIENCE_NS;
            while is_busy(state, (batch * BATCH) as u64) && ringwire::monotonic_ns() < until {}
            let before = ticks();
            for index in 0..BATCH {
                timed(state, index);
            }
            tenths.push(self.tsc.tenths_ns(ticks() - before));
        }
        tenths.sort_unstable();
        tenths[BATCHES / 2] as f64 / 10.0 / BATCH as f64
    }
}

fn engine(args: &ClientArgs, records: &Records, pace: &mut Pace) -> Result<(u64, f64), RigError> {
    // Nothing listens there: every message takes credit and a report slot, is drained, dropped and reported.
    let config = Config::new().redis("null", "redis://127.0.0.1:9").map_err(|error| args.failed(error))?;
    let config = config.idle(IdleStrategy::BusySpin);
    let config = if let Some(core) = args.shard_core { config.cores([core]) } else { config };
    let config = config.route(Route::new("*").to("null").when_down(WhenDown::Drop));
    let engine = Engine::start(config).map_err(|error| args.failed(error))?;
    let channel = engine.channel(args.channel(0)).map_err(|error| args.failed(error))?;
    let (mut publisher, mut reports) = engine.publisher().map_err(|error| args.failed(error))?;
    let mut refused = 0;
    pace.run(
        |index| refused += u64::from(publisher.publish(&channel, records.of(index)).is_err()),
        || {
            reports.poll(REPORTS_AT_A_TIME, |_| ());
        },
    );
    // Each batch begins with an empty ring and all its credit.
    while reports.wait(LAST_REPORT) {
        reports.poll(REPORTS_AT_A_TIME, |_| ());
    }
    let mut polled = 0;
    let mean_ns = pace.flat_out(
        &mut publisher,
        |publisher, index| refused += u64::from(publisher.publish(&channel, records.of(index)).is_err()),
        |_, sent| {
            polled += reports.poll(REPORTS_AT_A_TIME, |_| ()) as u64;
            polled < sent
        },
    );
    Ok((refused, mean_ns))
}

fn bare_ring(args: &ClientArgs, records: &Records, pace: &mut Pace) -> Result<f64, RigError> {
    let full = |_| args.failed("the ring was full: its reader did not keep up");
    let (mut producer, mut consumer) = rtrb::RingBuffer::<u8>::new(RING_BYTES);
    // As the engine's ring: in huge pages where there are any, and every page is there before the first message.
    if let Ok(mut all) = producer.write_chunk_uninit(RING_BYTES) {
        ringwire_shards::ring::ask_for_huge_pages(all.as_mut_slices().0);
    }
    producer.push_entire_slice(&vec![0; RING_BYTES]).map_err(full)?;
    if let Ok(chunk) = consumer.read_chunk(RING_BYTES) {
        chunk.commit_all();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (stop, core) = (stop.clone(), args.shard_core);
        move || {
            if let Some(core) = core {
                pin(&[core]);
            }
            let mut output = Vec::with_capacity(1 << 20);
            while !stop.load(Ordering::Relaxed) {
                let readable = consumer.slots();
                if readable > 0
                    && let Ok(chunk) = consumer.read_chunk(readable)
                {
                    // As the shard does: every byte is read, into a buffer that goes to a socket.
                    let (first, second) = chunk.as_slices();
                    output.clear();
                    output.extend_from_slice(first);
                    output.extend_from_slice(second);
                    std::hint::black_box(&output);
                    chunk.commit_all();
                }
            }
        }
    });
    // The same bytes as frames: a head and the payload each.
    let mut frames = Records { bytes: Vec::new(), len: RECORD_HEAD + records.len, count: records.count };
    for record in 0..records.count {
        frames.bytes.extend_from_slice(&[0; RECORD_HEAD]);
        frames.bytes.extend_from_slice(records.of(record));
    }
    pace.run(
        |index| {
            let _ = std::hint::black_box(producer.push_entire_slice(frames.of(index)));
        },
        || {},
    );
    let mean_ns = pace.flat_out(
        &mut producer,
        |producer, index| {
            let _ = std::hint::black_box(producer.push_entire_slice(frames.of(index)));
        },
        |producer, _| producer.slots() < RING_BYTES,
    );
    stop.store(true, Ordering::Relaxed);
    reader.join().map_err(|_| args.failed("the ring's reader panicked"))?;
    Ok(mean_ns)
}
