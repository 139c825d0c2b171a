//! Which value counts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use ringwire::Settings;

use crate::{MAIN, TWO, config, read, shown};

#[test]
fn what_is_given_last_counts() {
    let check = |file: &str, variables: &[(&str, &str)], sets: &[&str], expected: &[(&str, &str)]| {
        let config = config(file, variables, sets).unwrap_or_else(|error| panic!("{sets:?}: {error}"));
        for (path, value) in expected {
            assert_eq!(shown(&config, path), *value, "{path} of {file:?} {variables:?} {sets:?}");
        }
    };
    let park = "[engine]\nidle = 'park'\n";
    check(park, &[], &[], &[("engine.idle", "\"park\"")]);
    check(park, &[("RINGWIRE_ENGINE__IDLE", "busy-spin")], &[], &[("engine.idle", "\"busy-spin\"")]);
    let variable = [("RINGWIRE_ENGINE__IDLE", "busy-spin")];
    check(park, &variable, &["engine.idle=spin-then-park"], &[("engine.idle", "\"spin-then-park\"")]);
    check(
        park,
        &variable,
        &["engine.idle=park", "engine.idle=busy-spin"],
        &[("engine.idle", "\"busy-spin\"")],
    );
    check("", &[("RINGWIRE_CONFIG", "x"), ("PATH", "y")], &[], &[("engine.idle", "\"spin-then-park\"")]);

    // Values by their kind, without quotes.
    let endpoint = |setting: &str| format!("endpoint.main.{setting}");
    check(
        MAIN,
        &[("RINGWIRE_ENGINE__CORES", "2,3"), ("RINGWIRE_ENGINE__RING_BYTES", "65536")],
        &["endpoint.main.client_name=12", "engine.spin_us=0"],
        &[
            ("engine.cores", "[2, 3]"),
            ("engine.shards", "2"),
            ("engine.ring_bytes", "65536"),
            ("engine.spin_us", "0"),
            (&endpoint("client_name"), "\"12\""),
        ],
    );
    check("", &[], &["engine.cores=[0x1, 5,]"], &[("engine.cores", "[1, 5]")]);
    check("[engine]\ncores = [1, 2]", &[], &["engine.cores=", "engine.shards=3"], &[("engine.shards", "3")]);
    check("[engine]\ncores = [1, 2]\nshards = 2", &[], &[], &[("engine.shards", "2")]);

    // The short form, and other spellings of a path.
    let reply = endpoint("reply_timeout_ms");
    check(MAIN, &[], &["reply_timeout_ms=500"], &[(&reply, "500")]);
    check("", &[], &["reply_timeout_ms=500", "endpoint.main.url=redis://h"], &[(&reply, "500")]);
    check("endpoint.main = { url = 'redis://h', reply_timeout_ms = 7 }", &[], &[], &[(&reply, "7")]);
    check(
        "endpoint.main.url = 'redis://h'\nendpoint.\"main\".reply_timeout_ms = 7",
        &[],
        &[],
        &[(&reply, "7")],
    );

    // Endpoints by variables: one of the file, and new ones.
    let timeout = "RINGWIRE_ENDPOINT__A_B__REPLY_TIMEOUT_MS";
    check(TWO, &[(timeout, "9")], &[], &[("endpoint.a-b.reply_timeout_ms", "9")]);
    check(
        "",
        &[("RINGWIRE_ENDPOINT__MAIN__URL", "redis://x:1")],
        &[],
        &[(&endpoint("url"), "\"redis://x:1\"")],
    );
    let upper = MAIN.replace("main", "Main");
    check(&upper, &[("RINGWIRE_ENDPOINT__MAIN__DATABASE", "4")], &[], &[("endpoint.Main.database", "4")]);

    // Routes by number.
    check(TWO, &[], &["route.0.when_down=buffer"], &[("route.0.when_down", "\"buffer\"")]);
    check(TWO, &[("RINGWIRE_ROUTE__0__TO", "main,a-b")], &[], &[("route.0.to", "[\"main\", \"a-b\"]")]);
    let added = ["route.1.channels=*", "route.1.to=a-b", "route.1.external_only=true"];
    check(TWO, &[], &added, &[("route.1.to", "[\"a-b\"]"), ("route.1.external_only", "true")]);
    let local = "[[route]]\nchannels = 'in.*'\nto = []\n[[route]]\nchannels = '*'\nto = ['main']\n";
    check(&[MAIN, local].concat(), &[], &[], &[("route.0.to", "[]"), ("route.1.to", "[\"main\"]")]);
}

#[test]
fn a_url_counts_less_than_what_is_set_beside_it_and_more_than_an_earlier_layer() {
    let check = |file: &str, variables: &[(&str, &str)], sets: &[&str], database: &str| {
        let config = config(file, variables, sets).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(shown(&config, "endpoint.main.database"), database, "{file} {variables:?} {sets:?}");
    };
    let file = |url: &str| format!("[endpoint.main]\ndatabase = 1\nurl = '{url}'\n");
    check(&file("redis://h"), &[], &[], "1");
    check(&file("redis://h/2"), &[], &[], "1");
    check(&file("redis://h/2"), &[("RINGWIRE_ENDPOINT__MAIN__URL", "redis://h/3")], &[], "3");
    check(&file("redis://h/2"), &[("RINGWIRE_ENDPOINT__MAIN__URL", "redis://h")], &[], "1");
    check(&file("redis://h"), &[("RINGWIRE_ENDPOINT__MAIN__URL", "redis://h/3")], &["database=4"], "4");
    check(&MAIN.replace("//h", "//h/5"), &[], &["url=redis://h"], "0");
    check(&MAIN.replace("//h", "//h/5"), &[("RINGWIRE_ENDPOINT__MAIN__DATABASE", "6")], &[], "6");
}

#[test]
fn endpoints_keep_their_order_and_routes_are_of_one_file() {
    let names = ["zebra", "ant", "mole"];
    let mut file = String::new();
    for name in names {
        file += &format!("[endpoint.{name}]\nurl = 'redis://h'\n");
    }
    file += "[[route]]\nchannels = 'a'\nto = ['ant']\n[[route]]\nchannels = 'b'\nto = ['mole']\n";
    let settings = Settings::new().read_toml(&file, "a.toml").unwrap();
    let settings = settings.read_toml("[[route]]\nchannels = 'c'\nto = ['zebra']\n", "b.toml").unwrap();
    let text = settings.config().unwrap().to_toml();
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        sections,
        ["[engine]", "[endpoint.zebra]", "[endpoint.ant]", "[endpoint.mole]", "[[route]]"],
        "{text}"
    );
    assert!(text.contains("b.toml:2") && !text.contains("\"mole\"]"), "{text}");
}

#[test]
fn variables_are_utf_8() {
    let bad = || OsString::from_vec(b"\xff".to_vec());
    let check = |name: OsString, value: OsString, expected: Option<&str>| {
        let error = Settings::new().read_environment([(name, value)]).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    };
    let value = "environment: RINGWIRE_ENGINE__IDLE: the variable's value is not UTF-8";
    check("RINGWIRE_ENGINE__IDLE".into(), bad(), Some(value));
    let mut name = OsString::from("RINGWIRE_");
    name.push(bad());
    check(name, "x".into(), Some("environment: RINGWIRE_\u{fffd}: the variable's name is not UTF-8"));
    check("OTHER".into(), bad(), None);
    check(bad(), "x".into(), None);
}

#[test]
fn what_is_given_is_not_debugged_with_its_values() {
    let settings = read(MAIN, &[], &["password=hunter2"]).unwrap();
    let debug = format!("{settings:?}");
    assert!(debug.contains("password") && !debug.contains("hunter2"), "{debug}");
}
