//! What a message costs on its way into a shard, beside the bare ring that it stands on.
//!
//! ```text
//!   cargo bench -p ringwire-bench --bench ring
//!   cargo bench -p ringwire-bench --bench ring -- --percentiles     only the table of p50 and p99
//! ```
//!
//! The bare ring copies 128 bytes into an `rtrb` ring of bytes and makes them visible: one chunk request, one copy,
//! one release store. A publish does that, and a header, and keeps the frame in one piece. Both rings are as
//! large, so both wrap as often. Only the writing is timed, in runs of [`RUN`] messages; the reading between
//! them is not. The two are measured in turn within one loop, so that the machine's moods meet both.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use hdrhistogram::Histogram;
use ringwire_shards::clock::monotonic_ns;
use ringwire_shards::credit::{Amount, credit};
use ringwire_shards::ring::{FrameReader, FrameWriter, frame_ring};
use ringwire_shards::slots::slot_ring;
use ringwire_shards::wake::{Fence, publication_fence, sleeper};
use rtrb::{Consumer, Producer, RingBuffer};

/// A message in bytes: a quote with its headers.
const MESSAGE_LEN: usize = 128;

/// Either ring in bytes: it stays in the second-level cache, and a run fits many times over.
const RING_BYTES: usize = 256 << 10;

/// Messages that are timed together: the clock costs about as much as one message.
const RUN: usize = 16;

/// Runs for the table of percentiles.
const RUNS: usize = 400_000;

/// Frames that a shard takes from a ring at a time.
const BATCH: usize = 64;

fn main() {
    if std::env::args().any(|argument| argument == "--percentiles") {
        percentiles();
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    write(&mut criterion);
    read(&mut criterion);
    around_the_ring(&mut criterion);
    criterion.final_summary();
    percentiles();
}

/// The bare ring, as fast as it goes.
struct Bare {
    producer: Producer<u8>,
    consumer: Consumer<u8>,
}

impl Bare {
    fn new() -> Self {
        let (producer, consumer) = RingBuffer::new(RING_BYTES);
        Self { producer, consumer }
    }

    #[inline(always)]
    fn write(&mut self, message: &[u8; MESSAGE_LEN]) {
        self.producer.push_entire_slice(message).expect("the ring was emptied");
    }

    fn empty(&mut self) {
        let slots = self.consumer.slots();
        self.consumer.read_chunk(slots).expect("they are there").commit_all();
    }
}

/// The frame ring.
struct Framed {
    writer: FrameWriter,
    reader: FrameReader,
}

impl Framed {
    fn new() -> Self {
        let (writer, reader) = frame_ring(RING_BYTES).expect("a legal capacity");
        Self { writer, reader }
    }

    #[inline(always)]
    fn write(&mut self, message: &[u8; MESSAGE_LEN]) {
        let mut claim = self.writer.try_claim(message.len()).expect("the ring was emptied");
        claim.copy_from_slice(message);
        claim.commit();
    }

    fn empty(&mut self) {
        self.reader.read(usize::MAX, |frame| {
            black_box(frame);
        });
    }
}

/// Times `iterations` messages, a run at a time, with `after_run` untimed between the runs.
fn time_runs<T>(iterations: u64, ring: &mut T, write: fn(&mut T), after_run: fn(&mut T)) -> Duration {
    let mut total = Duration::ZERO;
    let runs = iterations.div_ceil(RUN as u64);
    for _ in 0..runs {
        let begun = Instant::now();
        for _ in 0..RUN {
            write(ring);
        }
        total += begun.elapsed();
        after_run(ring);
    }
    total.mul_f64(iterations as f64 / (runs * RUN as u64) as f64)
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write 128 B");
    group.throughput(Throughput::Elements(1));
    group.bench_function("bare rtrb", |bencher| {
        let mut ring = Bare::new();
        bencher.iter_custom(|iterations| {
            time_runs(iterations, &mut ring, |ring| ring.write(black_box(&[7; MESSAGE_LEN])), Bare::empty)
        });
    });
    group.bench_function("claim, copy, commit", |bencher| {
        let mut ring = Framed::new();
        bencher.iter_custom(|iterations| {
            time_runs(iterations, &mut ring, |ring| ring.write(black_box(&[7; MESSAGE_LEN])), Framed::empty)
        });
    });
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("64 frames of 128 B", |bencher| {
        let mut ring = Framed::new();
        bencher.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                for _ in 0..BATCH {
                    ring.write(&[7; MESSAGE_LEN]);
                }
                let begun = Instant::now();
                let frames = ring.reader.read(BATCH, |frame| {
                    black_box(frame);
                });
                total += begun.elapsed();
                assert_eq!(frames, BATCH);
            }
            total
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("an empty ring", |bencher| {
        let mut ring = Framed::new();
        bencher.iter(|| {
            ring.reader.read(BATCH, |frame| {
                black_box(frame);
            })
        });
    });
    group.finish();
}

/// Credits, reports, wake-ups that wake nobody, and the clock.
fn around_the_ring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("around the ring");
    group.throughput(Throughput::Elements(1));
    group.bench_function("credit: fits, take", |bencher| {
        let endless = u64::MAX / 2;
        let (mut account, _grantor) = credit(Amount { messages: endless, bytes: endless });
        bencher.iter(|| {
            let amount = Amount { messages: 1, bytes: black_box(MESSAGE_LEN as u64) };
            let fits = account.fits(amount);
            if fits {
                account.take(amount);
            }
            fits
        });
    });
    group.bench_function("credit: give back, publish", |bencher| {
        let (_account, mut grantor) = credit(Amount { messages: 1_000, bytes: 1_000_000 });
        bencher.iter(|| {
            grantor.give_back(Amount { messages: 1, bytes: black_box(MESSAGE_LEN as u64) });
            grantor.publish()
        });
    });
    group.bench_function("report: push, a publish in 64", |bencher| {
        let (mut writer, mut reader) = slot_ring::<[u64; 8]>(1 << 10);
        let mut pushed = 0_usize;
        bencher.iter(|| {
            pushed += 1;
            let _ = writer.push(black_box([7; 8]));
            if pushed.is_multiple_of(512) {
                reader.read(usize::MAX, |record| {
                    black_box(record);
                });
            }
        });
    });
    for (name, kind) in [("membarrier", Fence::Membarrier), ("fence", Fence::Full)] {
        let (_sleeper, waker) = sleeper(kind).expect("a descriptor is free");
        group.bench_function(format!("notify one that is awake, {name}"), |bencher| {
            bencher.iter(|| waker.notify());
        });
    }
    let (_sleeper, waker) = sleeper(Fence::Full).expect("a descriptor is free");
    group.bench_function("one fence, 8 notified", |bencher| {
        bencher.iter(|| {
            publication_fence();
            for _ in 0..8 {
                waker.notify_fenced();
            }
        });
    });
    group.bench_function("monotonic_ns", |bencher| bencher.iter(monotonic_ns));
    group.finish();
}

/// p50 and p99 of runs, per message, bare and framed in turn; first alone, then with a reader on another core.
fn percentiles() {
    println!("\nwrite 128 B, ns per message over runs of {RUN}      p50      p99");
    let (mut bare, mut framed) = (Bare::new(), Framed::new());
    let message = [7; MESSAGE_LEN];
    let ratios = measure(
        || {
            let ns = time_run(|| bare.write(black_box(&message)));
            bare.empty();
            ns
        },
        || {
            let ns = time_run(|| framed.write(black_box(&message)));
            framed.empty();
            ns
        },
    );
    println!("{ratios}, emptied by the same thread\n");

    let Bare { mut producer, mut consumer } = Bare::new();
    let Framed { mut writer, mut reader } = Framed::new();
    let reading = thread::spawn(move || {
        // Each ends when its writer is gone; both are polled, as a shard polls its rings.
        while !(consumer.is_abandoned() && reader.is_abandoned()) {
            let slots = consumer.slots();
            if let Ok(chunk) = consumer.read_chunk(slots.min(BATCH * MESSAGE_LEN)) {
                // Both readers look into every message, so both move its lines to their core.
                let (first, second) = chunk.as_slices();
                for message in first.chunks(MESSAGE_LEN).chain(second.chunks(MESSAGE_LEN)) {
                    black_box(message[0]);
                }
                chunk.commit_all();
            }
            reader.read(BATCH, |frame| {
                black_box(frame[0]);
            });
        }
    });
    // Before each run both wait for the same room, a quarter of the ring, by the same kind of request.
    let ratios = measure(
        || {
            while producer.write_chunk_uninit(RING_BYTES / 4).is_err() {}
            time_run(|| producer.push_entire_slice(black_box(&message)).expect("there is room"))
        },
        || {
            // The longest frame is a quarter of the ring, too.
            let len_max = writer.frame_len_max();
            while writer.try_claim(len_max).is_err() {}
            time_run(|| {
                let mut claim = writer.try_claim(MESSAGE_LEN).expect("there is room");
                claim.copy_from_slice(black_box(&message));
                claim.commit();
            })
        },
    );
    println!("{ratios}, with a reader on another core");
    drop((producer, writer));
    reading.join().expect("the reader ends");
}

/// Nanoseconds of one run.
#[inline(always)]
fn time_run(mut write: impl FnMut()) -> u64 {
    let begun_ns = monotonic_ns();
    for _ in 0..RUN {
        write();
    }
    monotonic_ns() - begun_ns
}

/// Measures both in turn, prints both, and returns the ratios as text.
fn measure(mut bare: impl FnMut() -> u64, mut framed: impl FnMut() -> u64) -> String {
    let mut histograms = [0, 1].map(|_| Histogram::<u64>::new(3).expect("three digits"));
    for _ in 0..RUNS {
        histograms[0].saturating_record(bare());
        histograms[1].saturating_record(framed());
    }
    let per_message =
        |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / RUN as f64;
    let [bare, framed] = histograms.each_ref().map(|it| [per_message(it, 0.5), per_message(it, 0.99)]);
    for (name, [p50, p99]) in [("bare rtrb", bare), ("claim, copy, commit", framed)] {
        println!("  {name:<44} {p50:>8.1} {p99:>8.1}");
    }
    format!("  {:<44} {:>8.2} {:>8.2}", "ratio", framed[0] / bare[0], framed[1] / bare[1])
}
