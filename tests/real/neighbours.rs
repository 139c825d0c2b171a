//! An endpoint that stands still with a full queue, and what that costs another one on the same shard: nothing.

use ringwire::{Engine, HostKind, Outcome};

use crate::hosts::{HOSTS, read};
use crate::load::{Load, Plan};
use crate::patience::{PATIENCE, until};
use crate::server::Server;

const WELL: Plan = Plan { channels: &["well.a", "well.b"], rate: Some(10_000), payload_len: 128 };
const NEIGHBOUR: Plan = Plan { channels: &["neighbour.a"], rate: Some(5_000), payload_len: 128 };
/// Few, so that the neighbour's queue is soon full.
const CREDIT_MESSAGES: u64 = 1_024;
/// What the healthy endpoint has to deliver meanwhile.
const MESSAGES: u64 = 15_000;

/// One after the other: the figures are of the machine with nothing else of this test on it.
#[test]
fn a_dead_neighbour_with_a_full_queue() {
    for host in HOSTS {
        let alone = deliver_beside(host, false);
        let beside = deliver_beside(host, true);
        println!("{host}: to the report, beside a healthy neighbour: {alone}; beside a dead one: {beside}");
    }
}

/// Delivers messages beside a neighbour that is `dead` or not; answers latencies in words.
fn deliver_beside(host: HostKind, dead: bool) -> String {
    let (well, neighbour) = (Server::start(), Server::start());
    let text = format!(
        "[engine]
        credit_messages = {CREDIT_MESSAGES}
        [endpoint.well]
        url = '{}'
        [endpoint.neighbour]
        url = '{}'
        reply_timeout_ms = 500
        connect_timeout_ms = 500
        [[route]]
        channels = 'well.*'
        to = ['well']
        [[route]]
        channels = 'neighbour.*'
        to = ['neighbour']
        when_down = 'buffer'",
        well.url(),
        neighbour.url()
    );
    let engine = Engine::start(read(host, &text)).expect("the engine starts");
    let counters = |name: &str| {
        let status = engine.status().into_iter().find(|status| status.name == name);
        status.expect("it is configured").counters
    };
    let loads = [WELL, NEIGHBOUR].map(|plan| Load::start(&engine, plan));
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    loads[0].progress.await_delivered(1);
    if dead {
        neighbour.pause();
        until("the neighbour's queue to be full", || counters("neighbour").in_flight == CREDIT_MESSAGES);
    }
    loads[0].progress.await_delivered(MESSAGES);
    assert_eq!(counters("well").reconnects, 0);
    if dead {
        assert!(counters("neighbour").in_flight > 0, "it is still dead");
        neighbour.resume();
    }
    let [well_ledger, neighbour_ledger] = loads.map(Load::finish);
    let lost = well_ledger.count(Outcome::Unknown) + well_ledger.count(Outcome::NotSent);
    assert_eq!(lost, 0, "everything was delivered beside it");
    assert_eq!(neighbour_ledger.count(Outcome::NotSent), 0, "what was not sent whole waited");
    assert_eq!(neighbour_ledger.count(Outcome::Unknown) > 0, dead);
    format!("p50 {:.0?}, p99 {:.0?}", well_ledger.latency(0.5), well_ledger.latency(0.99))
}
