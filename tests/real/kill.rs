//! A server that is killed under load, over and over, while its own `MONITOR` tells what it executed.
//!
//! ```text
//!   killed ── started apart ── MONITOR ── let in ── plain PING answered ── first delivery of what came after
//!                                                   ╰─────────── the figure that is printed ───────────────╯
//! ```

use std::collections::HashMap;
use std::time::Duration;

use ringwire::{Engine, GapReason, HostKind, Outcome};

use crate::hosts::{main_at, on_both};
use crate::line::settled;
use crate::load::{Ledger, Life, Load, Plan};
use crate::monitor::Monitor;
use crate::patience::{PATIENCE, until};
use crate::server::Server;
use crate::witness::{Told, Witness};

const CHANNELS: &[&str] = &["fx.eurusd", "fx.usdjpy", "xbt"];
/// Two publishing threads; together 20,000 messages a second.
const PLANS: [Plan; 2] = [
    Plan { channels: &["fx.eurusd", "fx.usdjpy"], rate: Some(13_000), payload_len: 200 },
    Plan { channels: &["xbt"], rate: Some(7_000), payload_len: 200 },
];
const KILLS: usize = 10;
/// What each publisher has to have delivered by each life of the server before it ends.
const MESSAGES_PER_LIFE: u64 = 3_000;
/// Every so many lives the server stands still before it is killed: what it was sent then has an unknown outcome.
const STANDSTILL_EVERY: usize = 4;
/// Messages that a server which stands still is sent.
const MESSAGES_INTO_SILENCE: u64 = 200;
/// Room for seconds of messages: a machine however busy drops none, and gaps are those of the kills alone. The credit
/// lasts for longer than a server is away, and a server that is kept from its work has no longer a queue to work off.
const ENGINE: &str = "[engine]\nsubscriber_ring_bytes = 67108864\ncredit_messages = 4096\n";
/// What the way back may take at most, on a machine however busy; the printed figures say what it does take.
const WAY_BACK_MAX: Duration = Duration::from_secs(5);

#[test]
fn rejecting_while_down() {
    on_both(|host| {
        let ledgers = survive(host, "reject");
        assert!(count(&ledgers, Outcome::Unknown) > 0, "servers stood still with messages in their sockets");
    });
}

#[test]
fn buffering_while_down() {
    on_both(|host| {
        let ledgers = survive(host, "buffer");
        assert!(count(&ledgers, Outcome::Unknown) > 0, "servers stood still with messages in their sockets");
        assert_eq!(
            count(&ledgers, Outcome::NotSent),
            0,
            "what was not sent whole waited for the next server"
        );
    });
}

fn count(ledgers: &[Ledger], outcome: Outcome) -> u64 {
    ledgers.iter().map(|ledger| ledger.count(outcome)).sum()
}

fn survive(host: HostKind, when_down: &str) -> Vec<Ledger> {
    let mut server = Server::start();
    let route = format!("[[route]]\nchannels = '*'\nto = ['main']\nwhen_down = '{when_down}'\n{ENGINE}");
    let engine = Engine::start(main_at(host, &server.url(), &route)).expect("the engine starts");
    let witness = Witness::start(&engine, CHANNELS);
    let mut monitor = Monitor::open(&server);
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let loads = PLANS.map(|plan| Load::start(&engine, plan));
    let mut lives = Vec::new();
    let mut began_ns = 0;
    for kill in 0..KILLS {
        for load in &loads {
            load.progress.await_delivered(MESSAGES_PER_LIFE);
        }
        witness.await_messages(1);
        if kill % STANDSTILL_EVERY == 0 {
            server.pause();
            // On a machine so busy that the reply timeout has passed already, their outcomes are here.
            let unknown = engine.status()[0].counters.unknown;
            until("messages in its socket", || {
                let counters = engine.status()[0].counters;
                counters.in_flight >= MESSAGES_INTO_SILENCE || counters.unknown > unknown
            });
        }
        server.kill();
        lives.push(Life { began_ns, record: monitor.close() });
        server.restart_apart();
        monitor = Monitor::open(&server);
        began_ns = server.let_in();
        assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    }
    for load in &loads {
        load.progress.await_delivered(MESSAGES_PER_LIFE);
    }
    let ledgers: Vec<Ledger> = loads.into_iter().map(Load::finish).collect();
    lives.push(Life { began_ns, record: monitor.close() });
    let told = witness.finish(&server);
    assert_eq!(engine.failure(), None);
    let counters = settled(&engine);
    assert_eq!(counters.delivered, count(&ledgers, Outcome::Delivered));
    assert_eq!(counters.unknown, count(&ledgers, Outcome::Unknown));
    assert_eq!((counters.unfenced, counters.errors), (0, 0));

    let records: Vec<_> = lives.iter().map(|life| life.record.clone()).collect();
    for ledger in &ledgers {
        ledger.judge(&records);
        let unwritten = ledger.assert_seen_but_for_tails(&lives);
        println!(
            "{host}, {when_down}: {unwritten} delivered behind the last line that a killed server wrote"
        );
        for told in &told {
            ledger.judge(&told.parts);
        }
    }
    for told in &told {
        judge_gaps(told, &lives);
    }
    judge_way_back(&format!("{host}, {when_down}"), &ledgers, &lives);
    ledgers
}

/// Messages of each life of the server stand behind as many gaps as there were lives before it, and the server
/// executed each of them: but for those behind the last line that it could write.
fn judge_gaps(told: &Told, lives: &[Life]) {
    assert_eq!(told.gaps, [GapReason::RECONNECTED; KILLS], "{}", told.channel);
    let mut life_of = HashMap::new();
    let mut last = vec![None; lives.len()];
    for (index, life) in lives.iter().enumerate() {
        for seen in life.record.iter().filter(|seen| seen.channel == told.channel) {
            life_of.insert(seen.number, index);
            last[index] = Some(seen.number);
        }
    }
    for (gaps_before, part) in told.parts.iter().enumerate() {
        assert!(!part.is_empty(), "{}: nothing was heard behind {gaps_before} gaps", told.channel);
        for seen in part {
            match life_of.get(&seen.number) {
                Some(life) => assert_eq!(*life, gaps_before, "{}: message {}", told.channel, seen.number),
                None => assert!(Some(seen.number) > last[gaps_before] && gaps_before < KILLS, "{seen:?}"),
            }
        }
    }
}

/// From a server that answers a plain client to the first delivery of all, and to that of a message which was accepted
/// after that: where messages are buffered, it stands behind those.
fn judge_way_back(what: &str, ledgers: &[Ledger], lives: &[Life]) {
    let after = |life: &Life, accepted_since_ns: u64| {
        let first = |ledger: &Ledger| ledger.first_delivery_ns(accepted_since_ns, life.began_ns);
        let first = ledgers.iter().filter_map(first).min();
        Duration::from_nanos(first.expect("each life delivered messages") - life.began_ns)
    };
    let sorted = |mut all: Vec<Duration>| {
        all.sort_unstable();
        all
    };
    let any = sorted(lives[1..].iter().map(|life| after(life, 0)).collect());
    let fresh = sorted(lives[1..].iter().map(|life| after(life, life.began_ns)).collect());
    let median = any.len() / 2;
    println!("{what}: on the wire again after {:.1?} in the median of {any:.1?}", any[median]);
    println!(
        "{what}: what was accepted after that, after {:.1?} in the median of {fresh:.1?}",
        fresh[median]
    );
    assert!(any.iter().all(|way| *way < WAY_BACK_MAX), "{any:?}");
    assert!(fresh.iter().all(|way| *way < PATIENCE), "{fresh:?}");
}
