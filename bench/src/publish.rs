//! What one `publish` costs its caller, beside the same bytes through a bare rtrb ring.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hdrhistogram::Histogram;
use ringwire::{Channel, Config, Engine, IdleStrategy, Publisher, Reports, Route, WhenDown};

use crate::rounds::{Plan, Series, histogram, pin, table};
use crate::tsc::{Tsc, ticks};

/// As large as the engine's own ring.
const RING_BYTES: usize = ringwire::config::DEFAULT_RING_BYTES;

/// Bytes that a frame has before its payload.
const FRAME_HEAD: usize = ringwire_core::frame::PLAIN_LEN;

pub(crate) fn run(plan: &Plan) -> Result<(), Box<dyn std::error::Error>> {
    let tsc = Tsc::calibrate();
    pin(0);
    let (mut ours, mut bare, mut empty) = (Series::default(), Series::default(), Series::default());
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        empty.add(&pace(plan, tsc, || {}, || {}), 10.0);
        // Core 1 belongs to one reader at a time: the engine's shard, or the bare ring's.
        ours.add(&engine(plan, tsc)?, 10.0);
        bare.add(&bare_ring(plan, tsc), 10.0);
    }
    println!(
        "publish, {} bytes, {} a second, {} messages a round, {} rounds; publisher on core 0, shard on core 1",
        plan.bytes, plan.rate, plan.messages, plan.rounds
    );
    table("ns", ("publish", &ours), ("bare rtrb", &bare));
    println!("the empty region itself, included above:");
    table("ns", ("empty", &empty), ("empty", &empty));
    Ok(())
}

/// Calls `timed` for each message when it is due, and `between` in the time that is left.
fn pace(plan: &Plan, tsc: Tsc, mut timed: impl FnMut(), mut between: impl FnMut()) -> Histogram<u64> {
    let mut times = histogram();
    let start = ticks();
    for index in 0..plan.messages {
        let due = start + tsc.ticks_of_ns(plan.due_ns(index) as f64);
        between();
        while ticks() < due {
            std::hint::spin_loop();
        }
        let before = ticks();
        timed();
        times.saturating_record(tsc.tenths_ns(ticks() - before).max(1));
    }
    times
}

/// A round with an engine of its own.
fn engine(plan: &Plan, tsc: Tsc) -> Result<Histogram<u64>, Box<dyn std::error::Error>> {
    // Nothing listens there: every message takes credit and a report slot, is drained, dropped and reported.
    let config = Config::new().redis("null", "redis://127.0.0.1:9")?.cores([1]).idle(IdleStrategy::BusySpin);
    let engine = Engine::start(config.route(Route::new("*").to("null").when_down(WhenDown::Drop)))?;
    let channel = engine.channel("fx.eurusd")?;
    let (mut publisher, mut reports) = engine.publisher()?;
    Ok(publish(plan, tsc, &mut publisher, &mut reports, &channel))
}

fn publish(
    plan: &Plan,
    tsc: Tsc,
    publisher: &mut Publisher,
    reports: &mut Reports,
    channel: &Channel,
) -> Histogram<u64> {
    let payload = vec![b'q'; plan.bytes];
    let mut refused = 0_u64;
    let times = pace(
        plan,
        tsc,
        || refused += u64::from(publisher.publish(channel, &payload).is_err()),
        || {
            reports.poll(64, |_| ());
        },
    );
    if refused > 0 {
        println!("{refused} messages were refused: the shard did not keep up");
    }
    times
}

fn bare_ring(plan: &Plan, tsc: Tsc) -> Histogram<u64> {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<u8>::new(RING_BYTES);
    // As the engine's ring: every page is there before the first message.
    producer.push_entire_slice(&vec![0; RING_BYTES]).expect("an empty ring takes its capacity");
    consumer.read_chunk(RING_BYTES).expect("all of it was pushed").commit_all();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let stop = stop.clone();
        move || {
            pin(1);
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
    // The same bytes as a frame: its head and the payload.
    let payload = vec![b'q'; FRAME_HEAD + plan.bytes];
    let write = || {
        let _ = std::hint::black_box(producer.push_entire_slice(&payload));
    };
    let times = pace(plan, tsc, write, || {});
    stop.store(true, Ordering::Relaxed);
    reader.join().expect("the reader does not panic");
    times
}
