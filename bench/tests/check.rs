//! The rig measures rightly what it is told: against a server that delays its answers by known times.
//!
//! Nothing here says how fast anything is. What is reported is compared, message by message, with what the server itself
//! noted; and what a busy machine adds can only make a reported time longer, never shorter. `ringwire bench check` holds
//! the percentiles to 2 %, which needs a machine that has nothing else to do.

use ringwire_bench::check::{Delays, TOLERANCE, Trial, compare, trace_own};
use ringwire_bench::client::Tuning;

const OFTEN_NS: u64 = 50_000_000;
const SELDOM_NS: u64 = 200_000_000;
/// A tenth of the answers is seen within 2 % of the delay, even on a busy machine; which may have more than one try.
const PROMPT_NS: u64 = (OFTEN_NS as f64 * TOLERANCE) as u64;
const TRIES: usize = 5;

fn check(delays: Delays, p99_ns: u64) {
    let own = [env!("CARGO_BIN_EXE_ringwire-bench").to_owned(), "bench".to_owned()];
    // The longer delay holds up those behind it: a client that left them out would report too little.
    let trial = Trial { delays, rate: 100, messages: 200 };
    let mut promptest_ns = u64::MAX;
    for _ in 0..TRIES {
        let trace = trace_own("floor", Tuning::Throughput, &trial, &own).expect("it can be measured");
        let pairs = || trace.reported.iter().zip(&trace.expected);
        for (message, (reported, expected)) in pairs().enumerate() {
            assert!(reported >= expected, "{delays:?}, message {message}: {reported} is before {expected}");
            assert!(*expected >= OFTEN_NS, "{delays:?}, message {message}: the server did delay: {expected}");
        }
        for row in compare(&trace.reported, &trace.expected) {
            let exact = exact(&trace.reported, row.name);
            assert!(row.reported_ns.abs_diff(exact) <= exact / 500, "{delays:?}: {row:?}, exactly {exact}");
        }
        assert!(exact(&trace.expected, "p99") >= p99_ns, "{delays:?}: the longer delay is in the tail");
        let mut over: Vec<u64> = pairs().map(|(reported, expected)| reported - expected).collect();
        over.sort_unstable();
        promptest_ns = promptest_ns.min(over[over.len() / 10]);
        if promptest_ns <= PROMPT_NS {
            return;
        }
    }
    panic!("{delays:?}: a tenth of the answers is {promptest_ns} ns too long at least");
}

/// The percentile by rank, without a histogram.
fn exact(values: &[u64], name: &str) -> u64 {
    let share: f64 = name[1..].parse().expect("it is p50, p90 or p99");
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() as f64 * share / 100.0).ceil() as usize - 1]
}

#[test]
fn what_is_reported_is_what_the_server_did() {
    check(Delays::Fixed { ns: OFTEN_NS }, OFTEN_NS);
    check(Delays::TwoPoint { ns: OFTEN_NS, seldom_ns: SELDOM_NS, every: 20 }, SELDOM_NS);
}
