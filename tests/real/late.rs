//! Commands that a network delivers after their connection was given up: they must not execute behind what followed.

use ringwire::{Engine, HostKind, Outcome};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::journal::Journal;
use crate::line::settled;
use crate::load::{Load, Plan};
use crate::patience::{PATIENCE, until};
use crate::proxy::Proxy;
use crate::server::Server;

const CHANNELS: &[&str] = &["fx.eurusd", "xbt"];
const PLAN: Plan = Plan { channels: CHANNELS, rate: Some(5_000), payload_len: 100 };
const MESSAGES: u64 = 1_000;
/// Short, so that the connection is given up soon.
const TIMEOUTS: &str = "connect_timeout_ms = 500\nreply_timeout_ms = 300\nping_interval_ms = 100\n";

/// What came of it: the record of what was executed, judged or not, and how many connections stayed unfenced.
struct Held {
    bytes: usize,
    unknown: u64,
    unfenced: u64,
    is_in_order: bool,
}

/// Holds back a connection's bytes until the next one has delivered messages. `user` is part of the url.
fn hold_back(server: &Server, host: HostKind, user: &str, when_down: &str) -> Held {
    let proxy = Proxy::before(server);
    let url = proxy.url().replace("redis://", &format!("redis://{user}"));
    let route = format!("[[route]]\nchannels = '*'\nto = ['main']\nwhen_down = '{when_down}'");
    let config = main_at(host, &url, &[TIMEOUTS, &route].concat());
    let engine = Engine::start(config).expect("the engine starts");
    let journal = Journal::open(server, CHANNELS);
    let load = Load::start(&engine, PLAN);
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    load.progress.await_delivered(MESSAGES);
    proxy.hold();
    until("unknown outcomes", || load.progress.unknown() > 0);
    load.progress.await_delivered(MESSAGES);
    let bytes = proxy.release();
    load.progress.await_delivered(MESSAGES);
    let ledger = load.finish();
    let record = journal.close();
    let is_in_order = CHANNELS.iter().all(|channel| {
        record.iter().filter(|seen| seen.channel == *channel).map(|seen| seen.number).is_sorted()
    });
    if is_in_order {
        ledger.judge(std::slice::from_ref(&record));
    }
    ledger.assert_all_delivered_seen(&record);
    let unfenced = settled(&engine).unfenced;
    Held { bytes, unknown: ledger.count(Outcome::Unknown), unfenced, is_in_order }
}

#[test]
fn the_old_connection_is_killed_before_the_new_one_speaks() {
    on_both(|host| {
        let server = Server::start();
        for when_down in ["reject", "buffer"] {
            let held = hold_back(&server, host, "", when_down);
            assert!(held.bytes > PLAN.payload_len && held.unknown > 0, "the network held messages back");
            assert!(held.is_in_order, "{when_down}");
            assert_eq!(held.unfenced, 0, "{when_down}");
        }
    });
}

#[test]
fn without_the_permission_to_kill_it_the_counter_says_so() {
    on_both(|host| {
        let server = Server::start();
        let mut admin = Client::connect(&server);
        let rules = ["+@all", "-client", "+client|info", "+client|setname"];
        admin.order(&[&["ACL", "SETUSER", "trader", "on", ">pw", "~*", "&*"][..], &rules].concat());
        let held = hold_back(&server, host, "trader:pw@", "reject");
        assert!(held.bytes > PLAN.payload_len && held.unknown > 0, "the network held messages back");
        assert!(held.unfenced > 0);
        assert!(!held.is_in_order, "nothing executes late even so: the test above proves nothing");
    });
}
