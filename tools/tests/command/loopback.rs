//! `ringwire loopback`.

use crate::process::{Running, command, ringwire, until};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn it_serves_until_a_signal_and_says_where() {
    for signal in [Signal::INT, Signal::TERM] {
        let running = Running::start(command(["loopback", "--redis", "0", "--json"]));
        until("its place", || running.stdout().ends_with('\n'));
        let places: Value = serde_json::from_str(&running.stdout()).unwrap();
        let url = places["redis"].as_str().unwrap();
        assert!(url.starts_with("redis://127.0.0.1:"), "{url}");
        let ended = ringwire(["publish", "c", "m", "--redis", url, "--json"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        running.signal(signal);
        let ended = running.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    }
}

#[test]
fn a_kafka_cluster_runs_beside_it_or_alone() {
    for (options, redis) in
        [(&["--kafka", "0", "--brokers", "2"][..], 0), (&["--kafka", "0", "--redis", "0"], 1)]
    {
        let running = Running::start(command(["loopback", "--json"].iter().chain(options)));
        until("its places", || running.stdout().ends_with('\n'));
        let places: Value = serde_json::from_str(&running.stdout()).unwrap();
        assert_eq!(places["redis"].as_str().is_some(), redis == 1);
        let brokers: Vec<_> = places["kafka"].as_str().unwrap().split(',').collect();
        assert_eq!(brokers.len(), 2 - redis);
        for broker in brokers {
            drop(std::net::TcpStream::connect(broker).unwrap());
        }
        running.signal(Signal::TERM);
        let ended = running.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    }
}

#[test]
fn its_url_alone_is_for_a_person() {
    let running = Running::start(command(["loopback"]));
    until("its place", || running.stdout().ends_with('\n'));
    assert!(running.stdout().starts_with("redis://127.0.0.1:"));
    running.signal(Signal::INT);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_port_that_is_taken_is_told_in_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    ringwire(["loopback", "--redis", &address]).failed(&format!("cannot listen on {address}: Address"));
}
