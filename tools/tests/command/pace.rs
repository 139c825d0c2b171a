//! `ringwire replay` with the recorded times.

use crate::process::{Ended, Scratch, executed, journalling, replay};

/// Replays three lines with these times, of which the second lies 0.2 s after the first, and the third before it.
fn play(times: [&str; 3], options: &[&str]) -> Ended {
    let server = journalling();
    let lines = times.map(|time| format!("{time},EURUSD"));
    let file = Scratch::new(format!("time,symbol\n{}\n", lines.join("\n")));
    let ended = replay(file.text(), &server, options);
    assert_eq!(ended.code, Some(0), "{times:?}: {ended:?}");
    assert_eq!(executed(&server), lines.map(String::into_bytes));
    assert_eq!(ended.count("backwards"), 1, "{ended:?}");
    ended
}

#[test]
fn every_way_to_write_a_time_keeps_the_gaps() {
    for times in [
        ["1577916000000000000", "1577916000200000000", "1577916000100000000"],
        ["1577916000000000", "1577916000200000", "1577916000100000"],
        ["1577916000000", "1577916000200", "1577916000100"],
        ["1577916000", "1577916000.2", "1577916000.1"],
        ["2020-01-01T22:00:00Z", "2020-01-01T22:00:00.2Z", "2020-01-01T22:00:00.1Z"],
        ["2020-01-01T23:59:59.9+00:00", "2020-01-02T01:00:00.100000+01:00", "2020-01-01T22:00:00.1+00:00"],
        ["2020-01-01 22:00:00.000", "2020-01-01 22:00:00.200", "2020-01-01 22:00:00.100"],
        ["\"2020-01-01T22:00:00\"", "\"2020-01-01T22:00:00.2\"", "\"2020-01-01\""],
    ] {
        let ended = play(times, &["--speed", "real"]);
        // Nothing is sent before it is due. The shard's clock may be a duty cycle early.
        let seconds = ended.json()["seconds"].as_f64().unwrap();
        assert!(seconds > 0.15, "{times:?}: {seconds} s");
    }
}

#[test]
fn whole_seconds_played_faster_or_slower() {
    let ended = play(["1577916000", "1577916001", "1577916000"], &["--speed", "5"]);
    assert!(ended.json()["seconds"].as_f64().unwrap() > 0.15, "{ended:?}");
    let ended =
        play(["2020-01-01T00:00:00", "2020-01-02T00:00:00", "2020-01-01T12:00:00"], &["--speed", "1e9"]);
    assert_eq!(ended.count("delivered"), 3, "a day in less than a millisecond");
    let ended = play(["1577916000000", "1577916000002", "1577916000001"], &["--speed", "0.01"]);
    assert!(ended.json()["seconds"].as_f64().unwrap() > 0.15, "{ended:?}");
}

#[test]
fn the_column_of_the_times_is_found_by_name_or_number() {
    let server = journalling();
    let file =
        Scratch::new("\u{feff}symbol,\"when, exactly\",bid\nEURUSD,1577916000,1\n\"a,b\",1577916001,2\n");
    for column in ["when, exactly", "2"] {
        let ended = replay(file.text(), &server, &["--speed", "1e6", "--time-column", column]);
        assert_eq!((ended.code, ended.count("delivered")), (Some(0), 2), "{ended:?}");
    }
    let ended = replay(file.text(), &server, &["--speed", "real", "--time-column", "ts"]);
    ended.failed("there is no column `ts`; the header line has: symbol, when, exactly, bid");
    let ended = replay(file.text(), &server, &["--speed", "real"]);
    ended.failed("line 2: the time `EURUSD` in column 1 is neither a number of seconds");
    let ended = replay(file.text(), &server, &["--speed", "real", "--time-column", "9"]);
    ended.failed("line 2: there is no column 9, where the time should be");
    let file = Scratch::new("h\n1577916000\n\n");
    let ended = replay(file.text(), &server, &["--speed", "real"]);
    ended.failed("line 3: the time `` in column 1 is empty");
    assert_eq!((ended.count("lines"), ended.count("delivered")), (2, 1));
}
