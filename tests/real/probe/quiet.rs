//! A publishing thread between two marks that strace shows: what it does in between, the kernel must not see.

use ringwire::{Config, IdleStrategy, Outcome, Refusal, monotonic_ns};

use crate::bench::{Bench, PAYLOAD};

const MESSAGES: u64 = 100_000;
/// For a shard that sleeps: each message waits for the outcome of the one before, and so long for the shard to lie down.
const MESSAGES_TO_A_SLEEPER: u64 = 100;
const LIE_DOWN_NS: u64 = 1_000_000;

pub(crate) fn run(url: &str, idle: &str) {
    let idle: IdleStrategy = idle.parse().unwrap_or_else(|_| panic!("no idle strategy is called {idle}"));
    let mut bench = Bench::up(url, Config::new().idle(idle));
    let (messages, outstanding_max, pause_ns) = if idle == IdleStrategy::BusySpin {
        (MESSAGES, u64::MAX, 0)
    } else {
        (MESSAGES_TO_A_SLEEPER, 1, LIE_DOWN_NS)
    };
    mark("/ringwire-probe/begin");
    let (mut delivered, mut not_before_ns) = (0, 0);
    while delivered < messages {
        let published = bench.publisher.accepted();
        let is_due = published - delivered < outstanding_max && monotonic_ns() >= not_before_ns;
        if published < messages && is_due {
            match bench.publisher.publish(&bench.channel, &PAYLOAD) {
                Ok(_) | Err(Refusal::BackPressured | Refusal::ReportsFull) => {}
                Err(refusal) => panic!("{refusal}"),
            }
        }
        bench.reports.poll(usize::MAX, |report| {
            assert_eq!(report.outcome, Outcome::Delivered);
            delivered += 1;
            not_before_ns = monotonic_ns() + pause_ns;
        });
        std::hint::spin_loop();
    }
    mark("/ringwire-probe/end");
    println!("delivered {delivered}");
}

/// A system call that does nothing, and shows its path in strace's output.
fn mark(path: &str) {
    let found = rustix::fs::access(path, rustix::fs::Access::EXISTS);
    assert!(found.is_err(), "nothing has that path");
}
