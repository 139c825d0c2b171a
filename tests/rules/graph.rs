//! Who may know whom: the normal and build dependencies between the workspace's crates, and of glommio.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{Violations, assert_none, files};

/// A crate, and the crates of the workspace that it may stand on.
const MAY_KNOW: [(&str, &[&str]); 9] = [
    ("ringwire-codec", &[]),
    ("ringwire-shards", &[]),
    ("ringwire-core", &["ringwire-codec"]),
    ("ringwire", &["ringwire-codec", "ringwire-core", "ringwire-shards"]),
    // The C ABI: the library, and nothing beside it.
    ("ringwire-capi", &["ringwire"]),
    // A server at the other end: it shares the codec, and nothing of what is tested against it.
    ("ringwire-loopback", &["ringwire-codec"]),
    ("ringwire-cli", &["ringwire", "ringwire-loopback", "ringwire-bench"]),
    ("ringwire-bench", UNDER_TEST),
    ("ringwire-tests", UNDER_TEST),
];
const UNDER_TEST: &[&str] =
    &["ringwire", "ringwire-codec", "ringwire-core", "ringwire-shards", "ringwire-loopback"];

/// Packages that one crate alone may depend on.
const ONLY_FOR: [(&str, &str); 1] = [("glommio-ng", "ringwire-shards")];

struct Crate {
    name: String,
    /// Package names of its normal and build dependencies.
    needs: Vec<String>,
    manifest: String,
}

/// The workspace as cargo sees it.
fn workspace() -> Vec<Crate> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(files::root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    read(&metadata)
}

fn read(metadata: &Value) -> Vec<Crate> {
    let packages = metadata["packages"].as_array().expect("there are packages");
    let text = |value: &Value| value.as_str().expect("it is a text").to_owned();
    let read = |package: &Value| Crate {
        name: text(&package["name"]),
        needs: package["dependencies"]
            .as_array()
            .expect("there is a list of dependencies")
            .iter()
            // Development dependencies are the tests' own affair.
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .map(|dependency| text(&dependency["name"]))
            .collect(),
        manifest: text(&package["manifest_path"]),
    };
    packages.iter().map(read).collect()
}

fn check_needs(crates: &[Crate]) -> Violations {
    let mut violations = Vec::new();
    let is_ours = |name: &String| crates.iter().any(|one| one.name == *name);
    for one in crates {
        let Some((_, may_know)) = MAY_KNOW.iter().find(|(name, _)| *name == one.name) else {
            violations.push(format!("{} has no line in MAY_KNOW: say what it may stand on", one.name));
            continue;
        };
        for need in one.needs.iter().filter(|need| is_ours(need) && !may_know.contains(&need.as_str())) {
            violations.push(format!("{} depends on {need}", one.name));
        }
        for (package, owner) in ONLY_FOR {
            if one.name != owner && one.needs.iter().any(|need| need == package) {
                violations.push(format!("{} depends on {package}, which is {owner}'s alone", one.name));
            }
        }
    }
    violations
}

/// `[lints]` with `workspace = true` under it.
fn check_lints(path: &str, manifest: &str) -> Violations {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let inherits =
        lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true");
    if inherits { Vec::new() } else { vec![format!("{path}: does not inherit the workspace's lints")] }
}

#[test]
fn crates_stand_on_what_they_may() {
    let crates = workspace();
    for (name, may_know) in &MAY_KNOW[..4] {
        let found = crates.iter().find(|one| one.name == *name).expect("it is in the workspace");
        let known = may_know.iter().all(|need| found.needs.iter().any(|it| it == need));
        assert!(known, "{name} stands on {may_know:?}: {:?}", found.needs);
    }
    assert_none(&check_needs(&crates));
}

#[test]
fn crates_inherit_the_lints() {
    for one in workspace() {
        let manifest = std::fs::read_to_string(Path::new(&one.manifest)).expect("a manifest can be read");
        assert_none(&check_lints(&one.manifest, &manifest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_noticed;

    fn package(name: &str, needs: &[(&str, Option<&str>)]) -> Value {
        let needs = needs.iter().map(|(name, kind)| serde_json::json!({ "name": name, "kind": kind }));
        let needs: Vec<Value> = needs.collect();
        serde_json::json!({ "name": name, "manifest_path": "x/Cargo.toml", "dependencies": needs })
    }

    fn violations(packages: &[Value]) -> Violations {
        check_needs(&read(&serde_json::json!({ "packages": packages })))
    }

    #[test]
    fn a_wrong_dependency_is_noticed() {
        let codec = package("ringwire-codec", &[]);
        let upward = package("ringwire-shards", &[("ringwire-codec", None), ("rtrb", None)]);
        assert_noticed(&violations(&[codec.clone(), upward]), 1, "ringwire-shards depends on ringwire-codec");
        let built = package("ringwire-shards", &[("ringwire-codec", Some("build"))]);
        assert_noticed(&violations(&[codec.clone(), built]), 1, "depends on ringwire-codec");
        let tested = package("ringwire-shards", &[("ringwire-codec", Some("dev"))]);
        assert_none(&violations(&[codec, tested]));
        assert_noticed(&violations(&[package("ringwire-new", &[])]), 1, "no line in MAY_KNOW");
        let core = package("ringwire-core", &[("glommio-ng", None)]);
        assert_noticed(&violations(&[core]), 1, "ringwire-shards's alone");
    }

    #[test]
    fn missing_lints_are_noticed() {
        assert_none(&check_lints("m", "[package]\n[lints]\nworkspace = true\n[dependencies]\n"));
        for bad in
            ["[package]\n", "[lints]\n[dependencies]\nworkspace = true\n", "[lints.rust]\nworkspace = true\n"]
        {
            assert_noticed(&check_lints("m", bad), 1, "lints");
        }
    }
}
