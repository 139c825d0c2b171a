//! A server that stands still for longer than the reply timeout, with its sockets full, and then goes on.
//!
//! ```text
//!   engine ──► send buffer ──► receive buffer ──╳ stopped     the old connection holds hundreds of messages,
//!   engine gives it up: unknown                               and keeps them after its close
//!   server goes on; engine ──► CLIENT KILL old, then new messages
//! ```

use ringwire::{EndpointState, Engine, GapReason, HostKind, Outcome};

use crate::hosts::{main_at, on_both};
use crate::journal::Journal;
use crate::line::settled;
use crate::load::{Load, Plan};
use crate::patience::{PATIENCE, until};
use crate::server::Server;
use crate::witness::Witness;

const CHANNELS: &[&str] = &["fx.eurusd", "xbt"];
/// Large messages, so that the sockets' buffers fill and most of what was sent waits on our side.
const PLAN: Plan = Plan { channels: CHANNELS, rate: Some(3_000), payload_len: 16 << 10 };
/// The subscriber's ring holds all of the credit at once: what was buffered comes in one burst.
const ENGINE: &str = "[engine]
credit_messages = 4096
credit_bytes = 67108864
subscriber_ring_bytes = 134217728
";
/// What has to be delivered before each stop, and after it.
const MESSAGES: u64 = 1_000;
/// Short, so that the stops need not last long.
const TIMEOUTS: &str = "connect_timeout_ms = 500\nreply_timeout_ms = 500\nping_interval_ms = 100\n";
/// Stops of one server.
const STOPS: usize = 2;

#[test]
fn nothing_executes_late_or_twice_when_rejecting() {
    on_both(|host| stand_still(host, "reject"));
}

#[test]
fn nothing_executes_late_or_twice_when_buffering() {
    on_both(|host| stand_still(host, "buffer"));
}

fn stand_still(host: HostKind, when_down: &str) {
    let server = Server::start();
    let route = format!("[[route]]\nchannels = '*'\nto = ['main']\nwhen_down = '{when_down}'\n");
    let lines = [TIMEOUTS, &route, ENGINE].concat();
    let engine = Engine::start(main_at(host, &server.url(), &lines)).expect("the engine starts");
    let witness = Witness::start(&engine, CHANNELS);
    let journal = Journal::open(&server, CHANNELS);
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let load = Load::start(&engine, PLAN);
    for _ in 0..STOPS {
        load.progress.await_delivered(MESSAGES);
        let unknown_before = load.progress.unknown();
        server.pause();
        until("unknown outcomes", || load.progress.unknown() > unknown_before);
        until("both lanes to notice", || {
            let status = &engine.status()[0];
            [status.publish.state, status.subscribe.state]
                .iter()
                .all(|state| *state == EndpointState::Reconnecting)
        });
        server.resume();
        load.progress.await_delivered(MESSAGES);
        assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    }
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
    let counters = settled(&engine);
    assert_eq!(counters.unfenced, 0);
    assert!(counters.reconnects >= 2 * STOPS as u64, "both lanes: {counters:?}");
}
