//! The installer of the foreign clients knows each name of its own list, and of the rig's.

use std::path::Path;
use std::process::Command;

fn install(arguments: &[&str]) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/install");
    let output = Command::new("bash").arg(script).args(arguments).output().expect("there is a bash");
    let both = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&both).into_owned())
}

#[test]
fn every_name_is_known_to_the_installer() {
    let (code, list) = install(&["--list"]);
    assert_eq!(code, Some(0), "{list}");
    for name in ringwire_bench::peers() {
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} is in the list: {list}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[2], "installed:", "{name} has a language: {line}");
        let needs = line.split_once("; needs ").map_or("", |(_, needs)| needs);
        assert!(!needs.is_empty(), "it is said what {name} needs: {line}");
    }
    assert_eq!(list.lines().count(), ringwire_bench::peers().count(), "{list}");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let (code, told) = install(&["nobody"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("names:") && told.contains("librdkafka"), "{told}");
}
