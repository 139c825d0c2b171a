//! The rig from the command line: a short run of what needs nothing installed, and what it leaves behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ringwire_bench::results::{Results, Run};

fn rig(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringwire-bench"));
    command.arg("rig").args(arguments).output().expect("the rig can be started")
}

/// A folder of this test, which it makes itself.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ringwire-rig-test-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_short_run_leaves_a_whole_report() {
    let out = folder("whole");
    let output = rig(&[
        "--embedded",
        "--clients",
        "ringwire,floor,null,null-sleep",
        // All but those of the probe, which would be built first.
        "--only",
        "ack,flood,subscribe,rates,shapes,sizes,breadth,decode",
        "--seconds",
        "0.02",
        "--repetitions",
        "1",
        "--rates",
        "20000",
        "--seed",
        "11",
        "--out",
        &out.to_string_lossy(),
    ]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("Goals") && shown.contains("embedded loopback"), "{shown}");

    let results: Results = serde_json::from_str(&read(&out, "results.json")).expect("it is what was written");
    assert_eq!(results.conditions.seed, 11);
    for case in &results.cases {
        for cell in &case.cells {
            assert_eq!(
                cell.trouble.as_deref().filter(|it| !it.contains("does not hold")),
                None,
                "{}",
                cell.label
            );
            assert!(!cell.runs.is_empty(), "{}: {}", case.id, cell.label);
            assert!(cell.runs.iter().all(|run| run.failed == 0 && run.elapsed_ns > 0), "{}", cell.label);
        }
    }
    let ids: Vec<&str> = results.cases.iter().map(|case| case.id.as_str()).collect();
    for id in
        ["ack-20000", "flood", "subscribe", "subscribe-cpu", "rates", "shapes", "sizes", "breadth", "decode"]
    {
        assert!(ids.contains(&id), "{id} is among {ids:?}");
    }
    assert!(read(&out, "report.html").contains("<svg"));
    assert!(read(&out, "report.txt").contains("Conditions"));
    let table = read(&out, "ack-20000-ringwire.hgrm");
    assert!(table.contains("1/(1-Percentile)") && table.contains("#[Max"), "{table}");
    assert!(read(&out, "ack-20000-ringwire.hdr").contains("#[StartTime"));
    std::fs::remove_dir_all(&out).expect("it is there");
}

#[test]
fn a_short_run_of_kafka_leaves_a_whole_report() {
    let out = folder("kafka");
    let output = rig(&[
        "kafka",
        "--embedded",
        // All but the probe's, which would be built first.
        "--only",
        "flood,ack,encode,beside-redis",
        "--clients",
        "ringwire,floor",
        "--messages",
        "20000",
        "--seconds",
        "1",
        "--repetitions",
        "1",
        "--seed",
        "11",
        "--out",
        &out.to_string_lossy(),
    ]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let results: Results = serde_json::from_str(&read(&out, "results.json")).expect("it is what was written");
    let ids: Vec<&str> = results.cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids, ["kafka-flood-none", "kafka-flood-lz4", "ack-kafka", "kafka-encode", "beside-redis"]);
    for case in &results.cases {
        for cell in &case.cells {
            let trouble = cell.trouble.as_deref().filter(|it| !it.contains("does not hold"));
            assert_eq!(trouble, None, "{}: {}", case.id, cell.label);
            let is_whole = |run: &Run| run.failed == 0 && run.elapsed_ns > 0;
            assert!(!cell.runs.is_empty() && cell.runs.iter().all(is_whole), "{}: {}", case.id, cell.label);
        }
    }
    let floor = results.contestants.iter().find(|it| it.name == "kafka-floor").expect("it took part");
    assert!(floor.settings[0].contains("prebuilt requests of"), "{:?}", floor.settings);
    assert_eq!(results.goals.len(), ringwire_bench::kafka::judge(&results).len());
    assert!(read(&out, "report.txt").contains("messages for each second of CPU"));
    assert!(read(&out, "ack-kafka-ringwire.hgrm").contains("#[Max"));
    assert!(!out.join("heating-ringwire.hgrm").exists(), "what does not count is not kept");
    std::fs::remove_dir_all(&out).expect("it is there");
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    let out = folder("refused");
    for (arguments, code, part) in [
        (&["--clients", "nobody"][..], 1, "nobody"),
        (&["--seconds", "0"], 1, "0.01 to 600"),
        (&["--seconds", "NaN"], 1, "0.01 to 600"),
        (&["--only", "nothing"], 2, "nothing"),
        (&["--bytes", "3"], 2, "16"),
        (&["--quick", "--long"], 2, "--long"),
        (&["--out", "/proc/nowhere"], 1, "/proc/nowhere"),
        (&["kafka", "--clients", "nobody"], 1, "there are ringwire, floor, librdkafka"),
        (&["kafka", "--messages", "3"], 2, "1000"),
    ] {
        let mut all = arguments.to_vec();
        let out = out.to_string_lossy();
        if !arguments.contains(&"--out") {
            all.extend(["--out", &out]);
        }
        let output = rig(&all);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
    assert!(!out.exists(), "a run that is refused leaves nothing behind");
}

/// What `/proc` says of a process: its command line, or nothing of one that has ended.
fn command_line(process: &str) -> String {
    std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default()
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_server_ends_with_the_rig_however_that_ends() {
    let script = "\"$0\" rig tether --parent $$ --cores 0 -- sleep 600 >/dev/null & echo $!; wait";
    let mut rig = Command::new("sh");
    rig.args(["-c", script, env!("CARGO_BIN_EXE_ringwire-bench")]).stdout(Stdio::piped());
    let mut rig = rig.spawn().expect("there is a shell");
    let mut server = String::new();
    let mut lines = BufReader::new(rig.stdout.take().expect("it is piped"));
    lines.read_line(&mut server).expect("it tells a number");
    let server = server.trim();
    until("the program runs", || command_line(server).starts_with("sleep"));
    rig.kill().expect("it runs");
    rig.wait().expect("it ended");
    until("the program ends with it", || command_line(server).is_empty());
}
