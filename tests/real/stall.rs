//! A server that stands still for longer than the reply timeout, with its sockets full, and then goes on.
//!
//! ```text
//!   engine ──► send buffer ──► receive buffer ──╳ stopped     the old connection holds hundreds of messages,
//!   engine gives it up: unknown                               and keeps them after its close
//!   server goes on; engine ──► CLIENT KILL old, then new messages
//! ```

use std::time::Duration;

use ringwire::{Config, EndpointState, Engine, GapReason, Outcome, RedisTimeouts, Route, WhenDown};

use crate::journal::Journal;
use crate::load::{Load, Plan};
use crate::patience::{PATIENCE, until};
use crate::server::Server;
use crate::witness::Witness;

const CHANNELS: &[&str] = &["fx.eurusd", "xbt"];
/// Large messages, so that the sockets' buffers fill and most of what was sent waits on our side.
const PLAN: Plan = Plan { channels: CHANNELS, rate: Some(3_000), payload_len: 16 << 10 };
const CREDIT_MESSAGES: u32 = 4_096;
const CREDIT_BYTES: u32 = 64 << 20;
/// All of the credit at once: what was buffered comes in one burst.
const SUBSCRIBER_RING_BYTES: usize = 128 << 20;
const MESSAGES_BEFORE: u64 = 1_000;
const MESSAGES_AFTER: u64 = 1_000;
/// Short, so that the stop need not last long.
const TIMEOUTS: RedisTimeouts = RedisTimeouts {
    connect: Duration::from_millis(500),
    reply: Duration::from_millis(500),
    ping_interval: Duration::from_millis(100),
};

#[test]
fn nothing_executes_late_or_twice_when_rejecting() {
    stand_still(WhenDown::Reject);
}

#[test]
fn nothing_executes_late_or_twice_when_buffering() {
    stand_still(WhenDown::Buffer);
}

fn stand_still(when_down: WhenDown) {
    let server = Server::start();
    let config = Config::new().redis_with("main", &server.url(), TIMEOUTS).expect("the url is one");
    let config = config.route(Route::new("*").to("main").when_down(when_down));
    let config = config.credit(CREDIT_MESSAGES, CREDIT_BYTES).subscriber_ring_bytes(SUBSCRIBER_RING_BYTES);
    let engine = Engine::start(config).expect("the engine starts");
    let witness = Witness::start(&engine, CHANNELS);
    let journal = Journal::open(&server, CHANNELS);
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let load = Load::start(&engine, PLAN);
    load.progress.await_delivered(MESSAGES_BEFORE);
    server.pause();
    until("unknown outcomes", || load.progress.unknown() > 0);
    until("both lanes to notice", || {
        let status = &engine.status()[0];
        [status.publish.state, status.subscribe.state]
            .iter()
            .all(|state| *state == EndpointState::Reconnecting)
    });
    server.resume();
    load.progress.await_delivered(MESSAGES_AFTER);
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let ledger = load.finish();
    // Its connection stood through it all: it saw everything that was ever executed, in the order of execution.
    let record = journal.close();
    let told = witness.finish(&server);
    ledger.judge(std::slice::from_ref(&record));
    ledger.assert_all_delivered_seen(&record);
    assert!(ledger.count(Outcome::Unknown) > 0);
    for told in told {
        ledger.judge(&told.parts);
        assert!(told.gaps.contains(&GapReason::RECONNECTED), "{:?}", told.gaps);
    }
    let counters = engine.status()[0].counters;
    assert_eq!((counters.in_flight, counters.unfenced), (0, 0));
    assert!(counters.reconnects >= 2, "both lanes: {counters:?}");
}
