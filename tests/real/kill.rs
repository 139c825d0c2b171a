//! A server that is killed under load, over and over.

use std::collections::HashMap;

use ringwire::{Config, Engine, GapReason, Outcome, Route, WhenDown};

use crate::journal::{Journal, Seen};
use crate::load::{Ledger, Load, Plan};
use crate::patience::PATIENCE;
use crate::server::Server;
use crate::witness::{Told, Witness};

const CHANNELS: &[&str] = &["fx.eurusd", "fx.usdjpy", "xbt"];
const PLAN: Plan = Plan { channels: CHANNELS, rate: Some(20_000), payload_len: 200 };
const KILLS: usize = 3;
/// What each life of the server has to deliver before it ends.
const MESSAGES_PER_LIFE: u64 = 15_000;
/// Messages that a server which stands still is sent before it is killed: their outcome cannot be known.
const MESSAGES_INTO_SILENCE: u64 = 200;

#[test]
fn rejecting_while_down() {
    let ledger = survive(WhenDown::Reject);
    assert!(ledger.count(Outcome::Unknown) > 0, "one server stood still with messages in its socket");
}

#[test]
fn buffering_while_down() {
    let ledger = survive(WhenDown::Buffer);
    assert!(ledger.count(Outcome::Unknown) > 0, "one server stood still with messages in its socket");
    assert_eq!(ledger.count(Outcome::NotSent), 0, "what was not sent whole waited for the next server");
}

fn survive(when_down: WhenDown) -> Ledger {
    let mut server = Server::start();
    let config = Config::new().redis("main", &server.url()).expect("the url is one");
    let route = Route::new("*").to("main").when_down(when_down);
    let engine = Engine::start(config.route(route)).expect("the engine starts");
    let witness = Witness::start(&engine, CHANNELS);
    let mut journals = Vec::new();
    let mut journal = Journal::open(&server, CHANNELS);
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    let load = Load::start(&engine, PLAN);
    for kill in 0..KILLS {
        load.progress.await_delivered(MESSAGES_PER_LIFE);
        witness.await_messages(1);
        if kill == 1 {
            server.pause();
            load.progress.await_accepted(MESSAGES_INTO_SILENCE);
        }
        server.kill();
        journals.push(journal.close());
        server.restart();
        journal = Journal::open(&server, CHANNELS);
        assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    }
    load.progress.await_delivered(MESSAGES_PER_LIFE);
    let ledger = load.finish();
    journals.push(journal.close());
    let told = witness.finish(&server);
    assert_eq!(engine.failure(), None);
    let counters = engine.status()[0].counters;
    assert_eq!(counters.delivered, ledger.count(Outcome::Delivered));
    assert_eq!(counters.unknown, ledger.count(Outcome::Unknown));
    assert_eq!((counters.in_flight, counters.unfenced, counters.errors), (0, 0, 0));

    ledger.judge(&journals);
    for told in &told {
        ledger.judge(&told.parts);
        judge_gaps(told, &journals);
    }
    ledger
}

/// Messages of each life of the server stand behind as many gaps as there were lives before it.
fn judge_gaps(told: &Told, journals: &[Vec<Seen>]) {
    assert_eq!(told.gaps, [GapReason::RECONNECTED; KILLS], "{}", told.channel);
    let mut life_of = HashMap::new();
    for (life, journal) in journals.iter().enumerate() {
        life_of.extend(journal.iter().map(|seen| (seen.number, life)));
    }
    for (gaps_before, part) in told.parts.iter().enumerate() {
        let in_both = part.iter().filter_map(|seen| life_of.get(&seen.number));
        let mut count = 0;
        for life in in_both {
            assert_eq!(*life, gaps_before, "{}", told.channel);
            count += 1;
        }
        assert!(count > 0, "{}: nothing was seen behind {gaps_before} gaps", told.channel);
    }
}
