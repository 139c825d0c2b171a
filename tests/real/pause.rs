//! `CLIENT PAUSE`: a server that takes commands and does not execute them for a while.

use ringwire::{Engine, HostKind, Outcome};

use crate::client::Client;
use crate::hosts::{main_at, on_both};
use crate::journal::Journal;
use crate::line::settled;
use crate::load::{Load, Plan};
use crate::patience::{PATIENCE, until};
use crate::server::Server;

const CHANNELS: &[&str] = &["fx.eurusd", "xbt"];
const PLAN: Plan = Plan { channels: CHANNELS, rate: Some(2_000), payload_len: 100 };
/// What has to be delivered before the pause, and after it.
const MESSAGES: u64 = 500;

struct Pause {
    mode: &'static str,
    length_ms: &'static str,
    reply_timeout_ms: &'static str,
    is_noticed: bool,
}

const PAUSES: [Pause; 4] = [
    Pause { mode: "ALL", length_ms: "200", reply_timeout_ms: "5000", is_noticed: false },
    Pause { mode: "WRITE", length_ms: "200", reply_timeout_ms: "5000", is_noticed: false },
    Pause { mode: "ALL", length_ms: "1500", reply_timeout_ms: "300", is_noticed: true },
    Pause { mode: "WRITE", length_ms: "1500", reply_timeout_ms: "300", is_noticed: true },
];

#[test]
fn pauses_shorter_and_longer_than_the_reply_timeout() {
    on_both(|host| PAUSES.iter().for_each(|pause| sit_out(host, pause)));
}

fn sit_out(host: HostKind, pause: &Pause) {
    let Pause { mode, length_ms, reply_timeout_ms, is_noticed } = *pause;
    let what = format!("{mode} for {length_ms} ms");
    let server = Server::start();
    let lines = format!("reply_timeout_ms = {reply_timeout_ms}\nconnect_timeout_ms = {reply_timeout_ms}");
    let engine = Engine::start(main_at(host, &server.url(), &lines)).expect("the engine starts");
    let journal = Journal::open(&server, CHANNELS);
    let load = Load::start(&engine, PLAN);
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    load.progress.await_delivered(MESSAGES);
    Client::connect(&server).order(&["CLIENT", "PAUSE", length_ms, mode]);
    if is_noticed {
        until("unknown outcomes", || load.progress.unknown() > 0);
    }
    load.progress.await_delivered(MESSAGES);
    let ledger = load.finish();
    // It was connected all the while: what executes late, or twice, it saw out of order.
    let record = journal.close();
    ledger.judge(std::slice::from_ref(&record));
    ledger.assert_all_delivered_seen(&record);
    let counters = settled(&engine);
    assert_eq!(counters.unfenced, 0, "{what}");
    assert_eq!(counters.reconnects > 0, is_noticed, "{what}: {counters:?}");
    if !is_noticed {
        let lost = ledger.count(Outcome::Unknown) + ledger.count(Outcome::NotSent);
        assert_eq!(lost, 0, "{what}: all waited for their answers");
    }
}
