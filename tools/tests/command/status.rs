//! `ringwire status`.

use crate::process::{NOBODY, Scratch, command, journalling, ringwire};
use ringwire_loopback::front;
use ringwire_loopback::redis::Options;

#[test]
fn endpoints_that_are_well_are_shown_so() {
    let server = journalling();
    let ended = ringwire(["status", "--redis", &server.url(), "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let json = ended.object();
    assert_eq!((&json["well"], &json["health"]), (&true.into(), &"healthy".into()));
    assert!(json["file"].is_null() && json["error"].is_null());
    let endpoint = &json["endpoints"][0];
    assert_eq!((&endpoint["name"], &endpoint["address"]), (&"redis".into(), &server.url().into()));
    for lane in ["publish", "subscribe"] {
        assert_eq!(endpoint[lane]["state"], "connected");
        assert!(endpoint[lane]["since_ms"].is_u64() && endpoint[lane]["error"].is_null());
    }
    assert_eq!(endpoint["breaker"], "closed");
    let ended = ringwire(["status", "--redis", &server.url()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    let words = lines[1].split_whitespace().filter(|word| *word == "connected").count();
    assert_eq!(words, 2, "{ended:?}");
}

#[test]
fn what_is_wrong_stands_under_the_endpoint() {
    let server =
        front::spawn("127.0.0.1:0", Options { password: Some("right".into()), ..Options::default() });
    let server = server.unwrap();
    let well = journalling();
    let file = Scratch::new(format!(
        "[endpoint.wrong]\nurl = 'redis://:hunter2@{}'\n[endpoint.well]\nurl = '{}'\n[endpoint.gone]\nurl = '{NOBODY}'\n\
         [[route]]\nchannels = '*'\nto = ['well']\n",
        server.addr().unwrap(),
        well.url()
    ));
    let ended = ringwire(["status", "--config", file.text(), "--timeout", "1"]);
    ended.failed("not connected, or not well: wrong, gone");
    let expected = [
        ("configuration: ", file.text()),
        ("ENDPOINT", "BREAKER"),
        ("wrong ", "failed"),
        ("  authentication failed (", "set the user and password in the endpoint's url"),
        ("well ", "connected ("),
        ("gone ", "reconnecting ("),
        ("  cannot connect: 127.0.0.1:9: ", "check the address"),
    ];
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{ended:?}");
    for (line, (start, part)) in lines.iter().zip(expected) {
        assert!(line.starts_with(start) && line.contains(part), "{start}: {ended:?}");
    }
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{ended:?}");
    let ended = ringwire(["status", "--config", file.text(), "--timeout", "1", "--json"]);
    let json = ended.object();
    assert_eq!((ended.code, &json["well"], &json["health"]), (Some(1), &false.into(), &"degraded".into()));
    assert_eq!(json["endpoints"][0]["publish"]["error"]["code"], "authentication");
    assert_eq!(json["endpoints"][1]["well"], true);
    assert_eq!(json["endpoints"][2]["publish"]["error"]["code"], "connect");
}

#[test]
fn the_file_is_named_by_the_environment_or_lies_here() {
    let server = journalling();
    let file = Scratch::new(format!("[endpoint.main]\nurl = '{}'\n", server.url()));
    let mut named = command(["status", "--json"]);
    named.env("RINGWIRE_CONFIG", file.text());
    let ended = crate::process::Running::start(named).end();
    assert_eq!((ended.code, &ended.object()["file"]), (Some(0), &file.text().into()), "{ended:?}");

    let folder = std::env::temp_dir().join(format!("ringwire-here-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(file.path(), folder.join("ringwire.toml")).unwrap();
    let mut here = command(["status", "--json"]);
    here.current_dir(&folder);
    let ended = crate::process::Running::start(here).end();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!((ended.code, &ended.object()["file"]), (Some(0), &"ringwire.toml".into()), "{ended:?}");

    // The environment alone will do, and --set goes over it.
    let mut variables = command(["status", "--json"]);
    variables
        .env("RINGWIRE_ENDPOINT__MAIN__URL", NOBODY)
        .args(["--set", &format!("endpoint.main.url={}", server.url())]);
    let ended = crate::process::Running::start(variables).end();
    assert_eq!((ended.code, &ended.object()["endpoints"][0]["name"]), (Some(0), &"main".into()), "{ended:?}");
}
