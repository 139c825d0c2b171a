//! A primary that is demoted under load, and promoted again: it answers `PUBLISH` all the while, and its role alone
//! says that nobody hears it any more where the others listen.

use std::time::Duration;

use ringwire::{EndpointState, Engine, HostKind, LinkError, Outcome, Refusal, monotonic_ns};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::journal::Journal;
use crate::line::settled;
use crate::load::{Load, Plan};
use crate::patience::{PATIENCE, until};
use crate::server::Server;
use crate::witness::Witness;

const CHANNELS: &[&str] = &["fx.eurusd", "xbt"];
const PLAN: Plan = Plan { channels: CHANNELS, rate: Some(5_000), payload_len: 100 };
/// What has to be delivered before each demotion, and after each promotion.
const MESSAGES: u64 = 1_000;
const DEMOTIONS: usize = 2;

#[test]
fn a_primary_that_is_demoted_is_left_and_found_again() {
    on_both(demote);
}

fn demote(host: HostKind) {
    let old = Server::start();
    let new = Server::with(&["--repl-diskless-sync-delay", "0"]);
    let mut admin = Client::connect(&old);
    let engine = Engine::start(main_at(host, &old.url(), "")).expect("the engine starts");
    let witness = Witness::start(&engine, CHANNELS);
    let journal = Journal::open(&old, CHANNELS);
    let channel = engine.channel(CHANNELS[0]).expect("a channel opens");
    let (mut publisher, _reports) = engine.publisher().expect("a publisher opens");
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let load = Load::start(&engine, PLAN);
    let mut demoted = Vec::new();
    for _ in 0..DEMOTIONS {
        load.progress.await_delivered(MESSAGES);
        admin.order(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
        let demoted_ns = monotonic_ns();
        until("the lane to leave the replica", || {
            let lane = engine.status().remove(0).publish;
            lane.state == EndpointState::Failed && lane.last_error == Some(LinkError::Replica)
        });
        demoted.push((demoted_ns, monotonic_ns()));
        assert_eq!(publisher.publish(&channel, b""), Err(Refusal::NotConnected));
        let subscribe = engine.status().remove(0).subscribe.state;
        assert_eq!(subscribe, EndpointState::Connected, "what subscribers hear there is none the worse");
        until("the replication link", || {
            admin.ask(&["INFO", "replication"]).contains("master_link_status:up")
        });
        admin.order(&["REPLICAOF", "NO", "ONE"]);
        load.progress.await_delivered(MESSAGES);
        assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
        assert_eq!(engine.status()[0].last_error(), None);
    }
    let ledger = load.finish();
    // Its connection stood through it all: it saw everything that was ever executed.
    let record = journal.close();
    ledger.judge(std::slice::from_ref(&record));
    ledger.assert_all_delivered_seen(&record);
    for told in witness.finish(&old) {
        ledger.judge(&told.parts);
        assert_eq!(told.gaps, []);
    }
    for (demoted_ns, left_ns) in demoted {
        let took = Duration::from_nanos(left_ns - demoted_ns);
        let late = ledger.delivered_within(demoted_ns, left_ns);
        println!("{host}: left a replica after {took:.1?}, with {late} messages delivered there");
    }
    // What the lane had in flight whenever it left.
    let counters = settled(&engine);
    let lost = (ledger.count(Outcome::Unknown), ledger.count(Outcome::NotSent));
    assert_eq!(((counters.unknown, counters.not_sent), counters.unfenced), (lost, 0));
}
