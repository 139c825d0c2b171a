//! `ringwire config`, and configurations that cannot be.

use crate::process::{Running, Scratch, command, ringwire};

const GOOD: &str = "[endpoint.main]\nurl = 'redis://bot:hunter2@127.0.0.1:6379'\n";

#[test]
fn a_good_configuration_is_called_so() {
    let file = Scratch::new(GOOD);
    let ended = ringwire(["config", "check", file.text()]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.stdout, format!("{}: well; 1 endpoint, main\n", file.text()));
    let ended = ringwire(["config", "check", "--config", file.text(), "--json"]);
    let json = ended.object();
    assert_eq!((ended.code, &json["file"]), (Some(0), &file.text().into()), "{ended:?}");
    assert!(json["endpoints"][0] == "main" && json["error"].is_null());
    let ended = ringwire(["config", "check"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("no endpoint"), "{ended:?}");
}

#[test]
fn what_is_in_force_is_shown_without_secrets() {
    let file = Scratch::new(GOOD);
    let mut command = command(["config", "show", file.text(), "--set", "engine.ring_bytes=65536"]);
    command.env("RINGWIRE_ENGINE__IDLE", "busy-spin");
    let ended = Running::start(command).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    for line in ["[engine]", "idle = \"busy-spin\"", "ring_bytes = 65536", "[endpoint.main]"] {
        assert!(ended.stdout.lines().any(|it| it.starts_with(line)), "{line}: {ended:?}");
    }
    assert!(ended.stdout.contains("***") && !ended.stdout.contains("hunter2"), "{ended:?}");
    let again = Scratch::new(&ended.stdout);
    assert_eq!(ringwire(["config", "check", again.text()]).code, Some(0));
}

#[test]
fn the_reference_describes_the_settings() {
    let ended = ringwire(["config", "reference"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.stdout, ringwire::config::reference());
}

#[test]
fn what_cannot_be_is_told_in_one_line() {
    let check = |text: &[u8], words: &str| {
        let file = Scratch::new(text);
        let ended = ringwire(["config", "check", file.text()]);
        ended.turned_down(words);
        assert!(ended.stderr.contains(file.text()), "it names the file: {ended:?}");
        let json = ringwire(["config", "check", file.text(), "--json"]);
        assert_eq!((json.code, json.object()["error"].is_string()), (Some(2), true), "{json:?}");
        ringwire(["status", "--config", file.text()]).turned_down(words);
    };
    check(b"[engine]\nidel = 'park'", "idle");
    check(b"[engine]\r\nidle = 'nap'\r\n", "idle");
    check(b"\0\x01\x02\x7fELF", "");
    check(b"[engine]\nidle = '\xff'", "");
    check(b"\xff\xfe[\0e\0", "");
    check(b"just words", "");
    check(&vec![b'['; 100_000], "");
    check(b"[endpoint.main]\nurl = 'redis://:hunter2@h:x'", "url");
    check(&[b"# ".as_slice(), &vec![b'x'; 4 << 20]].concat(), "larger than");
}

#[test]
fn an_empty_file_is_no_error_and_leads_nowhere() {
    let file = Scratch::new("");
    assert_eq!(ringwire(["config", "check", file.text()]).code, Some(0));
    ringwire(["status", "--config", file.text()]).turned_down("there is no endpoint in ");
    ringwire(["publish", "c", "m", "--config", file.text()]).turned_down("there is no endpoint in ");
}

#[test]
fn files_that_are_none_do_not_hang() {
    for (path, words) in [
        ("/nowhere/x.toml", "/nowhere/x.toml: cannot be read: "),
        ("/", "is a directory"),
        ("/dev/zero", "is not a regular file"),
    ] {
        ringwire(["config", "check", path]).turned_down(words);
        ringwire(["publish", "c", "m", "--config", path]).turned_down(words);
    }
    // A line of 1 GB.
    let file = Scratch::new("x");
    std::fs::OpenOptions::new().write(true).open(file.path()).unwrap().set_len(1 << 30).unwrap();
    ringwire(["config", "check", file.text()]).turned_down("larger than");
}

#[test]
fn settings_of_the_command_line_and_the_environment_are_checked() {
    ringwire(["status", "--set", "engine.idel=park"]).turned_down("engine.idel");
    ringwire(["demo", "--set", "engine.ring_bytes=5"]).turned_down("engine.ring_bytes");
    let mut wrong = command(["config", "check"]);
    wrong.env("RINGWIRE_ENGINE__IDEL", "park");
    Running::start(wrong).end().turned_down("RINGWIRE_ENGINE__IDEL");
    let mut missing = command(["config", "check"]);
    missing.env("RINGWIRE_CONFIG", "/nowhere/y.toml");
    Running::start(missing).end().turned_down("/nowhere/y.toml");
}
