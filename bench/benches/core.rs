//! What a message costs between the rings, without sockets: the core's whole cycle, and a channel found by its name.
//!
//! ```text
//!   cargo bench -p ringwire-bench --bench core
//!
//!   cycle     publish x N -> output -> sent -> N replies received -> poll -> N outcomes
//!   lookup    Engine::channel of a name that is open, among 1 to 10,000
//! ```

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use ringwire::{Config, Engine};
use ringwire_core::{
    Channel, Charge, ConnectionId, Core, Delivery, EndpointId, EndpointState, Frame, Leg, NotTaken, Now,
    Outcome, Outlet, PublisherId, RedisSettings, Report, Role, SubscriberId, WhenDown,
};

/// A message in bytes: a quote with its headers.
const PAYLOAD: [u8; 128] = [b'q'; 128];
const REDIS: EndpointId = EndpointId(0);
/// Messages of one cycle: alone, and as many as a busy shard takes from a ring at a time.
const AT_A_TIME: [usize; 2] = [1, 64];
const CHANNELS: [usize; 3] = [1, 100, 10_000];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    cycle(&mut criterion);
    lookup(&mut criterion);
    criterion.final_summary();
}

/// Counts outcomes, and remembers who wants a connection.
#[derive(Default)]
struct Driver {
    delivered: usize,
    wants: Option<ConnectionId>,
}

impl Outlet for Driver {
    fn outcome(&mut self, _: Charge, report: &Report) {
        self.delivered += usize::from(black_box(report).outcome == Outcome::Delivered);
    }

    fn deliver(&mut self, _: SubscriberId, _: &Delivery<'_>) -> Result<(), NotTaken> {
        Ok(())
    }

    fn connect(&mut self, connection: ConnectionId) {
        self.wants = Some(connection);
    }

    fn close(&mut self, _: ConnectionId) {}

    fn state(&mut self, _: EndpointId, _: Role, _: EndpointState) {}
}

/// Sends what there is, and receives an answer to it.
fn answer(core: &mut Core, now: Now, connection: ConnectionId, bytes: &[u8], driver: &mut Driver) {
    while let Some(writable) = core.take_writable() {
        let n = black_box(core.output(writable)).len();
        core.sent(writable, n);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = core.space(connection);
        let n = space.len().min(rest.len());
        space[..n].copy_from_slice(&rest[..n]);
        core.received(now, connection, n);
        rest = &rest[n..];
    }
    while core.poll(now, driver) {}
}

fn cycle(criterion: &mut Criterion) {
    let now = Now { mono_ns: 1, wall_ns: 0 };
    let (mut core, mut driver) = (Core::new(vec![RedisSettings::default()], 42), Driver::default());
    let legs = vec![Leg::redis_publish(REDIS, b"fx.eurusd", WhenDown::Reject)];
    core.open_channel(now, Channel { index: 0, name: (*b"fx.eurusd").into(), legs });
    while core.poll(now, &mut driver) {}
    let connection = driver.wants.expect("a channel with a leg to Redis needs a connection");
    core.connected(now, connection);
    // HELLO and CLIENT INFO.
    answer(&mut core, now, connection, b"%1\r\n+role\r\n+master\r\n", &mut driver);
    answer(&mut core, now, connection, b"$19\r\nid=7 addr=[::1]:999\r\n", &mut driver);
    let frame = Frame { payload: Some(&PAYLOAD), ..Frame::default() };
    let mut group = criterion.benchmark_group("the core's whole cycle");
    for count in AT_A_TIME {
        let replies = b":1\r\n".repeat(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                driver.delivered = 0;
                for _ in 0..count {
                    core.publish(now, PublisherId(0), black_box(&frame), &mut driver);
                }
                answer(&mut core, now, connection, &replies, &mut driver);
                assert_eq!(driver.delivered, count);
            });
        });
    }
    group.finish();
}

fn lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a channel that is open");
    for count in CHANNELS {
        let engine = Engine::start(Config::new()).expect("an engine without endpoints starts");
        let names: Vec<String> = (0..count).map(|number| format!("fx.{number}")).collect();
        let open = |name: &String| engine.channel(name).expect("a name that is legal");
        let _open: Vec<_> = names.iter().map(open).collect();
        let mut names = names.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| names.next().map(|name| black_box(open(black_box(name)))));
        });
    }
    group.finish();
}
