//! A publishing thread between two marks that strace shows: what it does in between, the kernel must not see.

use ringwire::{Config, IdleStrategy, Outcome, Refusal};

use crate::bench::{Bench, PAYLOAD};

const MESSAGES: u64 = 100_000;
/// For a shard that sleeps: each message waits for its outcome, so that the next one finds it asleep.
const MESSAGES_TO_A_SLEEPER: u64 = 100;

pub(crate) fn run(url: &str, idle: &str) {
    let idle: IdleStrategy = idle.parse().unwrap_or_else(|_| panic!("no idle strategy is called {idle}"));
    let mut bench = Bench::up(url, Config::new().idle(idle));
    let (messages, outstanding_max) =
        if idle == IdleStrategy::BusySpin { (MESSAGES, u64::MAX) } else { (MESSAGES_TO_A_SLEEPER, 1) };
    mark("/ringwire-probe/begin");
    let mut delivered = 0;
    while delivered < messages {
        let published = bench.publisher.accepted();
        if published < messages && published - delivered < outstanding_max {
            match bench.publisher.publish(&bench.channel, &PAYLOAD) {
                Ok(_) | Err(Refusal::BackPressured | Refusal::ReportsFull) => {}
                Err(refusal) => panic!("{refusal}"),
            }
        }
        bench.reports.poll(usize::MAX, |report| {
            assert_eq!(report.outcome, Outcome::Delivered);
            delivered += 1;
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
