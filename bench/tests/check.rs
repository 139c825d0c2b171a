//! The rig measures rightly what it is told: against a server that delays its answers by known times.
//!
//! Nothing here says how fast anything is: what is reported is compared with what the server itself noted. Server and
//! client sleep, and the delays are long, so that other programs on the machine do not matter.

use ringwire_bench::check::{Delays, Trial, measure};
use ringwire_bench::client::Tuning;

/// 2 % of it are a millisecond: longer than a thread that sleeps waits for its core.
const OFTEN_NS: u64 = 50_000_000;
const SELDOM_NS: u64 = 200_000_000;

#[test]
fn reported_percentiles_are_those_of_the_server() {
    let own = [env!("CARGO_BIN_EXE_ringwire-bench").to_owned(), "bench".to_owned()];
    let two = Delays::TwoPoint { ns: OFTEN_NS, seldom_ns: SELDOM_NS, every: 20 };
    for (delays, p99_ns) in [(Delays::Fixed { ns: OFTEN_NS }, OFTEN_NS), (two, SELDOM_NS)] {
        // The longer delay holds up those behind it: a client that left them out would report too little.
        let trial = Trial { delays, rate: 100, messages: 200 };
        let rows = measure("floor", Tuning::Throughput, &trial, &own).expect("it can be measured");
        for row in rows {
            assert!(row.is_right(), "{delays:?}: {row:?}");
            assert!(row.expected_ns >= OFTEN_NS, "the server did delay: {row:?}");
        }
        assert!(rows[2].expected_ns >= p99_ns * 99 / 100, "{delays:?}: {rows:?}");
    }
}
