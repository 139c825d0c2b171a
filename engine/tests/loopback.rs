//! The engine over real sockets, against the embedded loopback Redis.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use ringwire::{
    Config, EndpointState, Engine, Event, GapReason, HostKind, IdleStrategy, Message, Outcome, Progress,
    Publisher, Reason, Refusal, Report, Reports, Route, Subscriber, WhenDown,
};
use ringwire_loopback::{front, redis::Options};
use ringwire_shards::net::{Events, Interest, Poller};

mod support;

use support::on_both_hosts;

on_both_hosts! {
    a_parked_shard_is_woken_by_each_message,
    refusals_say_what_to_do_and_nothing_of_them_remains,
    credit_and_report_slots_bound_what_is_outstanding,
    a_handler_that_panics_keeps_no_report_slot,
    a_publisher_whose_reports_are_dropped_goes_on_without,
    a_publisher_that_waits_for_a_slot_goes_on_when_the_reports_are_dropped,
    the_longest_payload_is_the_same_with_and_without_a_tag,
    what_is_given_up_holds_nothing,
    what_was_lent_is_paid_for_once,
    the_local_bus_delivers_without_a_broker,
    a_claim_is_written_in_place_and_an_abort_leaves_no_trace,
    a_lent_place_is_published_as_it_was_written,
    a_slow_subscriber_is_told_how_many_it_missed,
    a_server_that_goes_away_is_told_and_comes_back_with_a_gap,
    two_endpoints_have_an_outcome_each_and_a_dead_one_costs_nothing,
}

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

fn collect(reports: &mut Reports, count: usize) -> Vec<Report> {
    let mut got = Vec::new();
    until("reports", || {
        reports.poll(usize::MAX, |report| got.push(*report));
        got.len() >= count
    });
    assert_eq!(got.len(), count, "one report for each (message, leg)");
    got
}

/// What a subscriber was told, in words.
fn events(subscriber: &mut Subscriber, count: usize) -> Vec<String> {
    let mut got = Vec::new();
    until("events", || {
        subscriber.poll(usize::MAX, |delivery| {
            got.push(match delivery.event {
                Event::Message { channel, payload } => {
                    format!("{}={}", String::from_utf8_lossy(channel), String::from_utf8_lossy(payload))
                }
                Event::Subscribed => "subscribed".to_owned(),
                Event::Gap { reason, lost } => format!("gap({reason},{lost})"),
                Event::Refused { error } => format!("refused({})", String::from_utf8_lossy(error)),
            });
        });
        got.len() >= count
    });
    got
}

fn publish_all(publisher: &mut Publisher, channel: &ringwire::Channel, count: u64) {
    for number in 0..count {
        loop {
            match publisher.publish(channel, number.to_string().as_bytes()) {
                Ok(sequence) => break assert_eq!(sequence, number),
                Err(Refusal::BackPressured | Refusal::ReportsFull) => {
                    publisher.wait_writable(channel, 8, Duration::from_millis(10)).unwrap();
                }
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }
}

fn configs() -> Vec<(String, Config)> {
    let moderate = IdleStrategy::Moderate { nap: Duration::from_micros(100) };
    let idles = [IdleStrategy::BusySpin, IdleStrategy::default(), IdleStrategy::Park, moderate];
    let hosts = [HostKind::Glommio, HostKind::Thread];
    let pairs = hosts.iter().flat_map(|host| idles.iter().map(move |idle| (host, idle)));
    pairs
        .map(|(host, idle)| (format!("{host} {idle}"), Config::new().host(*host).idle(*idle).shards(2)))
        .collect()
}

#[test]
fn messages_go_out_and_come_back_on_every_host_and_idle_strategy() {
    for (name, config) in configs() {
        let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
        let engine = Engine::start(config.redis("main", &server.url()).unwrap()).unwrap();
        let channels = ["fx.eurusd", "fx.usdjpy", "xbt"].map(|name| engine.channel(name).unwrap());
        let mut subscriber = engine.subscriber().unwrap();
        let all = subscriber.subscribe_pattern("*").unwrap();
        assert!(engine.wait_ready(PATIENCE), "{name}: {:?}", engine.status());
        let publishing = std::thread::spawn({
            let (mut publisher, mut reports) = engine.publisher().unwrap();
            move || {
                for number in 0..3_000_u64 {
                    let payload = number.to_string();
                    let message =
                        Message { payload: Some(payload.as_bytes()), tag: number * 2, ..Message::default() };
                    let sequence =
                        publisher.publish_message(&channels[number as usize % 3], &message).unwrap();
                    assert_eq!(sequence, number);
                }
                let reports = collect(&mut reports, 3_000);
                assert!(
                    reports.iter().all(|it| it.outcome == Outcome::Delivered && it.tag == it.sequence * 2)
                );
                assert!(reports.iter().all(|it| it.receivers() == 1));
                reports.len()
            }
        });
        let mut got: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
        let mut count = 0;
        until("messages", || {
            subscriber.poll(100, |delivery| {
                assert_eq!(delivery.subscription, all.0);
                match delivery.event {
                    Event::Message { channel, payload } => {
                        let number = std::str::from_utf8(payload).unwrap().parse().unwrap();
                        got.entry(channel.to_vec()).or_default().push(number);
                        count += 1;
                    }
                    Event::Subscribed => {}
                    other => panic!("{name}: {other:?}"),
                }
            });
            count == 3_000
        });
        assert_eq!(publishing.join().unwrap(), 3_000);
        assert!(got.values().all(|numbers| numbers.len() == 1_000 && numbers.is_sorted()), "{name}");
        let report = engine.shutdown(PATIENCE);
        assert_eq!((report.flushed, report.not_sent, report.unknown), (true, 0, 0), "{name}");
        assert_eq!(engine.failure(), None, "{name}");
    }
}

fn a_parked_shard_is_woken_by_each_message(config: Config) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let config = config.idle(IdleStrategy::Park).redis("main", &server.url()).unwrap();
    let engine = Engine::start(config).unwrap();
    let channel = engine.channel("ticks").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE));
    for number in 0..200 {
        assert_eq!(publisher.publish(&channel, b"x"), Ok(number));
        until("the report", || reports.wait(Duration::from_secs(1)));
        assert_eq!(reports.poll(10, |report| assert_eq!(report.sequence, number)), 1);
    }
}

fn refusals_say_what_to_do_and_nothing_of_them_remains(config: Config) {
    // Nothing listens on the discard port of the loopback interface.
    let small =
        config.clone().redis("main", "redis://127.0.0.1:9").unwrap().ring_bytes(16 << 10).credit(4, 8 << 10);
    let engine = Engine::start(small).unwrap();
    let other = Engine::start(config).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::NotConnected));
    until("the first failure", || engine.status()[0].last_error().is_some());
    let status = &engine.status()[0];
    assert!(status.last_error().unwrap().to_string().contains("127.0.0.1:9"), "{status:?}");
    assert_eq!(status.publish.state, EndpointState::Reconnecting);
    assert_eq!(publisher.publish(&other.channel("a").unwrap(), b"x"), Err(Refusal::WrongEngine));
    assert!(!engine.wait_ready(Duration::from_millis(1)));
    assert!(engine.channel("").is_err() && engine.channel(vec![b'x'; 2_000]).is_err());
    engine.shutdown(Duration::ZERO);
    assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::Closed));
    assert!(engine.channel("b").is_err() && engine.publisher().is_err() && engine.subscriber().is_err());
    assert_eq!(reports.poll(10, |_| ()), 0);
    assert_eq!(publisher.accepted(), 0);
}

fn credit_and_report_slots_bound_what_is_outstanding(config: Config) {
    let buffered = config.clone().redis("main", "redis://127.0.0.1:9").unwrap();
    let buffered = buffered.route(Route::new("*").to("main").when_down(WhenDown::Buffer));
    let engine = Engine::start(buffered.ring_bytes(16 << 10).credit(10, 8 << 10)).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let max = match publisher.publish(&channel, &[0; 100_000]) {
        Err(Refusal::TooLong { max }) => max,
        other => panic!("{other:?}"),
    };
    publish_all(&mut publisher, &channel, 10);
    assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::BackPressured), "credit of 10 messages");
    assert_eq!(publisher.wait_writable(&channel, 1, Duration::from_millis(5)), Ok(false));
    let report = engine.shutdown(Duration::from_millis(1));
    assert_eq!((report.flushed, report.not_sent), (false, 10));
    let got = collect(&mut reports, 10);
    assert!(got.iter().all(|it| (it.outcome, it.reason) == (Outcome::NotSent, Reason::Shutdown)));

    // Reports that nobody polls use up their slots; polling frees them.
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let config = config.redis("main", &server.url()).unwrap();
    let engine = Engine::start(config.ring_bytes(16 << 10).credit(10, 8 << 10)).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE));
    assert!(publisher.publish(&channel, &vec![7; max]).is_ok(), "the longest message goes through");
    for _ in 0..9 {
        assert_eq!(publisher.wait_writable(&channel, 1, PATIENCE), Ok(true));
        publisher.publish(&channel, b"x").unwrap();
    }
    until("ten outcomes", || engine.status()[0].counters.delivered == 10);
    assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::ReportsFull));
    let begin = Instant::now();
    assert_eq!(publisher.wait_writable(&channel, 1, PATIENCE), Ok(false), "nobody else polls");
    assert!(begin.elapsed() < PATIENCE, "it waited for itself");
    assert_eq!(reports.poll(1, |_| ()), 1);
    assert_eq!(publisher.publish(&channel, b"x"), Ok(10));
}

/// An engine whose publisher has ten report slots, with a report in each.
fn with_full_reports(config: Config) -> (Engine, ringwire::Channel, Publisher, Reports, front::RedisFront) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let config = config.redis("main", &server.url()).unwrap();
    let engine = Engine::start(config.ring_bytes(16 << 10).credit(10, 8 << 10)).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, reports) = engine.publisher().unwrap();
    assert!(engine.wait_ready(PATIENCE));
    publish_all(&mut publisher, &channel, 10);
    until("ten outcomes", || engine.status()[0].counters.delivered == 10);
    assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::ReportsFull));
    (engine, channel, publisher, reports, server)
}

fn a_handler_that_panics_keeps_no_report_slot(config: Config) {
    let (_engine, channel, mut publisher, mut reports, _server) = with_full_reports(config);
    let mut seen = 0;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        reports.poll(10, |_| {
            seen += 1;
            // Without a word on the standard error.
            if seen == 3 {
                resume_unwind(Box::new("the handler's"));
            }
        });
    }));
    assert!(panicked.is_err());
    for number in 10..13 {
        assert_eq!(publisher.publish(&channel, b"x"), Ok(number));
    }
    assert_eq!(publisher.publish(&channel, b"x"), Err(Refusal::ReportsFull), "three were free");
    assert_eq!(collect(&mut reports, 10).last().map(|it| it.sequence), Some(12));
}

fn a_publisher_whose_reports_are_dropped_goes_on_without(config: Config) {
    let (engine, channel, mut publisher, reports, _server) = with_full_reports(config);
    drop(reports);
    // Many times the slots, the credit and the ring: claimed, lent, given up and published.
    for number in 10..1_000 {
        assert_eq!(publisher.wait_writable(&channel, 1, PATIENCE), Ok(true));
        publisher.try_claim(&channel, 1).unwrap().abort();
        let mut lent = publisher.try_lend(&channel, 1).unwrap();
        publisher.take_back(&mut lent);
        assert_eq!(publisher.publish(&channel, b"x"), Ok(number));
    }
    assert!(publisher.flush(PATIENCE), "its credit came back");
    let report = engine.shutdown(PATIENCE);
    assert_eq!((report.flushed, engine.failure()), (true, None));
    let counters = engine.status()[0].counters;
    assert_eq!((counters.delivered, counters.in_flight), (1_000, 0));
}

fn a_publisher_that_waits_for_a_slot_goes_on_when_the_reports_are_dropped(config: Config) {
    let (_engine, channel, mut publisher, mut reports, _server) = with_full_reports(config);
    // Another thread polls: so the publisher waits for it.
    let (tell, told) = std::sync::mpsc::channel();
    let polling = std::thread::spawn(move || {
        assert_eq!(reports.poll(1, |_| ()), 1);
        tell.send(()).unwrap();
    });
    told.recv().unwrap();
    assert_eq!(publisher.publish(&channel, b"x"), Ok(10));
    assert_eq!(publisher.wait_writable(&channel, 1, PATIENCE), Ok(true));
    assert_eq!(publisher.publish(&channel, b"x"), Ok(11));
    polling.join().unwrap();
}

fn the_local_bus_delivers_without_a_broker(config: Config) {
    let engine = Engine::start(config.shards(3)).unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("a.1").unwrap();
    let pattern = subscriber.subscribe_pattern("a.*").unwrap();
    assert!(engine.wait_ready(PATIENCE));
    let channels = ["a.1", "a.2", "b"].map(|name| engine.channel(name).unwrap());
    for channel in &channels {
        publisher.publish(channel, b"x").unwrap();
    }
    let mut receivers: Vec<u64> = collect(&mut reports, 3).iter().map(Report::receivers).collect();
    receivers.sort_unstable();
    assert_eq!(receivers, [0, 1, 2]);
    // A pattern lives on each of the three shards.
    let mut got = events(&mut subscriber, 3 + 4);
    got.sort_unstable();
    assert_eq!(got, ["a.1=x", "a.1=x", "a.2=x", "subscribed", "subscribed", "subscribed", "subscribed"]);
    assert!(subscriber.unsubscribe(pattern) && !subscriber.unsubscribe(pattern));
    assert!(engine.wait_ready(PATIENCE));
    publisher.publish(&channels[1], b"y").unwrap();
    assert_eq!(collect(&mut reports, 1)[0].receivers(), 0);
}

fn a_claim_is_written_in_place_and_an_abort_leaves_no_trace(config: Config) {
    let engine = Engine::start(config).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("a").unwrap();
    assert!(engine.wait_ready(PATIENCE));
    publisher.try_claim(&channel, 5).unwrap().abort();
    let _ = publisher.try_claim(&channel, 7).unwrap();
    assert!(publisher.flush(PATIENCE), "nothing is outstanding");
    let mut claim = publisher.try_claim(&channel, 5).unwrap();
    claim.copy_from_slice(b"12345");
    assert_eq!(claim.commit(), 0);
    assert_eq!(events(&mut subscriber, 2), ["subscribed", "a=12345"]);
    assert_eq!(collect(&mut reports, 1)[0].sequence, 0);
}

fn a_lent_place_is_published_as_it_was_written(config: Config) {
    let engine = Engine::start(config.ring_bytes(16 << 10)).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("a").unwrap();
    assert!(engine.wait_ready(PATIENCE));
    assert_eq!(events(&mut subscriber, 1), ["subscribed"]);
    // Past the ring's end, several times.
    for number in 0..400_usize {
        let payload = number.to_string().repeat(number % 50);
        // A claim that is given up leaves there what was written, and the place is lent as it is.
        let mut claim = publisher.try_claim(&channel, payload.len()).unwrap();
        claim.copy_from_slice(payload.as_bytes());
        let place = claim.as_ptr();
        claim.abort();
        let mut taken_back = publisher.try_lend(&channel, payload.len()).unwrap();
        publisher.take_back(&mut taken_back);
        let mut lent = publisher.try_lend(&channel, payload.len()).unwrap();
        assert_eq!(lent.place().cast_const(), place);
        assert_eq!(publisher.publish_lent(&mut lent), Ok(number as u64));
        assert_eq!(events(&mut subscriber, 1), [format!("a={payload}")]);
        assert_eq!(collect(&mut reports, 1)[0].sequence, number as u64);
    }
}

fn the_longest_payload_is_the_same_with_and_without_a_tag(config: Config) {
    let engine = Engine::start(config.ring_bytes(16 << 10)).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let Err(Refusal::TooLong { max }) = publisher.wait_writable(&channel, usize::MAX, PATIENCE) else {
        panic!("no ring takes that")
    };
    let payload = vec![7; max + 1];
    let (longest, longer) = (Some(&payload[..max]), Some(&payload[..]));
    let tagged = |payload| Message { payload, tag: 1, ..Message::default() };
    let keyed = |payload| Message { payload, key: Some(b"k"), ..Message::default() };
    let too_long = Err(Refusal::TooLong { max });
    assert_eq!(publisher.publish(&channel, &payload), too_long);
    assert_eq!(publisher.publish_message(&channel, &tagged(longer)), too_long);
    assert_eq!(
        publisher.publish_message(&channel, &Message { payload: longer, ..Message::default() }),
        too_long
    );
    assert_eq!(publisher.try_claim(&channel, max + 1).err(), too_long.err());
    assert!(matches!(publisher.publish_message(&channel, &keyed(longest)), Err(Refusal::TooLong { .. })));
    assert_eq!(publisher.publish(&channel, &payload[..max]), Ok(0));
    assert_eq!(collect(&mut reports, 1)[0].sequence, 0);
    assert_eq!(publisher.publish_message(&channel, &tagged(longest)), Ok(1));
    assert_eq!(collect(&mut reports, 1)[0].tag, 1);
    assert_eq!(publisher.try_claim(&channel, max).unwrap().commit(), 2);
}

fn what_is_given_up_holds_nothing(config: Config) {
    let config =
        config.redis("one", "redis://127.0.0.1:9").unwrap().redis("two", "redis://127.0.0.1:9").unwrap();
    for route in [Route::new("*").to("one"), Route::new("*").to("one").to("two")] {
        let config = config.clone().route(route.when_down(WhenDown::Buffer)).ring_bytes(16 << 10);
        let engine = Engine::start(config.credit(10, 8 << 10)).unwrap();
        let channel = engine.channel("a").unwrap();
        let (mut publisher, _reports) = engine.publisher().unwrap();
        for _ in 0..20 {
            publisher.try_claim(&channel, 100).unwrap().abort();
            drop(publisher.try_claim(&channel, 100).unwrap());
            let mut lent = publisher.try_lend(&channel, 100).unwrap();
            publisher.take_back(&mut lent);
        }
        assert!(publisher.flush(Duration::ZERO), "all credit is there");
        let (mut other, _others_reports) = engine.publisher().unwrap();
        let [taken, taken_by_other] = [&mut publisher, &mut other]
            .map(|publisher| (0..).take_while(|_| publisher.publish(&channel, b"x").is_ok()).count());
        assert!(taken > 0);
        assert_eq!(taken, taken_by_other, "as if nothing had been claimed");
    }
}

fn what_was_lent_is_paid_for_once(config: Config) {
    let buffered = config.redis("main", "redis://127.0.0.1:9").unwrap();
    let buffered = buffered.route(Route::new("*").to("main").when_down(WhenDown::Buffer));
    let engine = Engine::start(buffered.ring_bytes(16 << 10).credit(10, 8 << 10)).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, _reports) = engine.publisher().unwrap();
    let (mut other, _others_reports) = engine.publisher().unwrap();
    let max = match publisher.try_lend(&channel, 100_000) {
        Err(Refusal::TooLong { max }) => max,
        other => panic!("{other:?}"),
    };
    let mut lent = publisher.try_lend(&channel, max).unwrap();
    publisher.take_back(&mut lent);
    // Another publisher's, and one whose place something else has by now.
    let mut lent = publisher.try_lend(&channel, 1).unwrap();
    assert_eq!(other.publish_lent(&mut lent), Err(Refusal::Stale));
    other.take_back(&mut lent);
    publisher.take_back(&mut lent);
    publisher.take_back(&mut lent);
    assert_eq!(publisher.publish_lent(&mut lent), Err(Refusal::Stale));
    let (mut first, mut second) =
        (publisher.try_lend(&channel, 1).unwrap(), publisher.try_lend(&channel, 1).unwrap());
    assert_eq!(publisher.publish_lent(&mut second), Ok(0));
    assert_eq!(publisher.publish_lent(&mut first), Err(Refusal::Stale));
    let (mut lent, mut foreign) =
        (publisher.try_lend(&channel, 1).unwrap(), other.try_lend(&channel, 1).unwrap());
    publisher.take_back(&mut foreign);
    assert_eq!(publisher.publish(&channel, b"x"), Ok(1));
    assert_eq!(publisher.publish_lent(&mut lent), Err(Refusal::Stale));
    // Two were accepted: the rest of the credit is there.
    for sequence in 2..10 {
        assert_eq!(publisher.publish(&channel, b"x"), Ok(sequence));
    }
    let last = publisher.try_claim(&channel, 1);
    assert_eq!(last.err(), Some(Refusal::BackPressured));
    assert_eq!(publisher.try_lend(&channel, 1).err(), Some(Refusal::BackPressured));
    assert_eq!(publisher.wait_writable(&channel, 1, Duration::from_millis(5)), Ok(false));
}

fn a_slow_subscriber_is_told_how_many_it_missed(config: Config) {
    let engine = Engine::start(config.subscriber_ring_bytes(16 << 10)).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("a").unwrap();
    assert!(engine.wait_ready(PATIENCE));
    let mut taken = 0;
    for _ in 0..100 {
        publisher.publish(&channel, &[b'x'; 1_000]).unwrap();
        taken += collect(&mut reports, 1)[0].receivers();
    }
    assert!((5..100).contains(&taken), "the ring holds some of them: {taken}");
    let got = events(&mut subscriber, taken as usize + 2);
    assert_eq!((got.len() as u64, got[0].as_str()), (taken + 2, "subscribed"));
    assert_eq!(got.last().unwrap(), &format!("gap({},{})", GapReason::RING_FULL, 100 - taken));
    assert_eq!(engine.bus_counters().dropped, 100 - taken);
}

fn a_server_that_goes_away_is_told_and_comes_back_with_a_gap(config: Config) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let (address, url) = (server.addr().unwrap(), server.url());
    let engine = Engine::start(config.redis("main", &url).unwrap()).unwrap();
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    let mut subscriber = engine.subscriber().unwrap();
    subscriber.subscribe("a").unwrap();
    assert!(engine.wait_ready(PATIENCE));
    publisher.publish(&channel, b"1").unwrap();
    assert_eq!(collect(&mut reports, 1)[0].outcome, Outcome::Delivered);
    server.stop();
    until("the refusal", || publisher.publish(&channel, b"2") == Err(Refusal::NotConnected));
    let lost = publisher.accepted() - 1;
    let outcomes = collect(&mut reports, lost as usize);
    assert!(outcomes.iter().all(|report| report.outcome != Outcome::Delivered));
    let server = front::spawn(&address.to_string(), Options::default()).unwrap();
    assert!(engine.wait_ready(PATIENCE), "{:?}", engine.status());
    publisher.publish(&channel, b"3").unwrap();
    assert_eq!(collect(&mut reports, 1)[0].outcome, Outcome::Delivered);
    let got = events(&mut subscriber, 4);
    assert_eq!(got, ["subscribed", "a=1", "gap(reconnected,0)", "a=3"]);
    assert!(engine.status()[0].counters.reconnects >= 2, "both lanes came back");
    server.stop();
}

fn two_endpoints_have_an_outcome_each_and_a_dead_one_costs_nothing(config: Config) {
    let server = front::spawn("127.0.0.1:0", Options::default()).unwrap();
    let config = config.redis("live", &server.url()).unwrap().redis("dead", "redis://127.0.0.1:9").unwrap();
    let engine = Engine::start(
        config.route(Route::new("both").to("dead").to("live")).route(Route::new("*").to("live")),
    )
    .unwrap();
    let (both, live) = (engine.channel("both").unwrap(), engine.channel("live").unwrap());
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    until("the live endpoint", || engine.status()[0].publish.state == EndpointState::Connected);
    for number in 0..100 {
        assert_eq!(publisher.publish(if number % 2 == 0 { &both } else { &live }, b"x"), Ok(number));
    }
    let outcomes = collect(&mut reports, 150);
    let count = |channel: &ringwire::Channel, leg, outcome| {
        let mine = outcomes.iter().filter(|it| (it.channel, it.leg) == (channel.index(), leg));
        mine.filter(|it| it.outcome == outcome).count()
    };
    assert_eq!(count(&both, 0, Outcome::NotSent), 50);
    assert_eq!(count(&both, 1, Outcome::Delivered), 50);
    assert_eq!(count(&live, 0, Outcome::Delivered), 50);
}

#[test]
fn the_application_can_drive_the_shard_itself() {
    let path = std::env::temp_dir().join(format!("ringwire-{}.sock", std::process::id()));
    let server = front::spawn_unix(&path, Options::default(), front::Idle::default()).unwrap();
    let config = Config::new().redis("main", &server.url()).unwrap().host_driven();
    let engine = Engine::start(config).unwrap();
    let mut shard = engine.take_shard(0).unwrap();
    assert!(engine.take_shard(0).is_none());
    let channel = engine.channel("a").unwrap();
    let (mut publisher, mut reports) = engine.publisher().unwrap();
    until("the connection", || {
        shard.poll();
        engine.is_ready()
    });
    publisher.publish(&channel, b"x").unwrap();
    assert!(!shard.arm(), "there is a message: no time to wait");
    until("the outcome", || {
        shard.poll();
        reports.poll(1, |report| assert_eq!(report.outcome, Outcome::Delivered)) == 1
    });
    until("an idle shard", || shard.poll() == Progress::Idle);
    assert!(shard.arm() && shard.next_deadline_ns().is_some());
    shard.disarm();
    // A shard that spins for long reads its connection without asking epoll. Before it waits, epoll is to tell again.
    let spins_until = Instant::now() + Duration::from_millis(20);
    let mut spun = 0;
    while Instant::now() < spins_until {
        publisher.publish(&channel, b"x").unwrap();
        spun += 1;
        until("an answer", || {
            shard.poll();
            reports.poll(1, |_| ()) == 1
        });
    }
    assert!(spun > 2);
    publisher.publish(&channel, b"x").unwrap();
    shard.poll();
    let mut answered = reports.poll(1, |_| ()) == 1;
    while !answered {
        if shard.arm() {
            let (poller, mut events) = (Poller::new().unwrap(), Events::with_capacity(1));
            poller.add(shard.fd(), 0, Interest::Read).unwrap();
            assert_eq!(poller.wait(Some(PATIENCE), &mut events).unwrap(), 1, "nothing told of the answer");
            shard.disarm();
        }
        shard.poll();
        answered = reports.poll(1, |_| ()) == 1;
    }
    publisher.publish(&channel, b"y").unwrap();
    engine.begin_shutdown(PATIENCE);
    until("the end", || shard.poll() == Progress::Finished);
    assert_eq!(reports.poll(9, |report| assert_eq!(report.outcome, Outcome::Delivered)), 1);
    assert!(!path.exists() || std::fs::remove_file(&path).is_ok());
}
