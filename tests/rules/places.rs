//! No file names another registry than crates.io, or a place on somebody's machine.

use crate::{Violations, assert_none, files};

/// What Cargo.lock calls crates.io.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Settings that lead cargo elsewhere.
const REGISTRY_SETTINGS: [&str; 5] =
    ["replace-with", "[source.", "[registries", "registry =", "registry-index"];

/// Where people's files lie; spelt in two halves, so that this file is not against its own rule.
fn homes() -> [String; 3] {
    [["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"]].map(|halves| halves.concat())
}

fn check_lock(path: &str, text: &str) -> Violations {
    let sources = text.lines().enumerate().filter_map(|(index, line)| {
        let source = line.strip_prefix("source = \"")?.strip_suffix('"')?;
        (source != CRATES_IO).then(|| format!("{path}:{}: {source}", index + 1))
    });
    sources.collect()
}

fn check_settings(path: &str, text: &str) -> Violations {
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.split('#').next().unwrap_or_default().trim_start();
        if let Some(setting) = REGISTRY_SETTINGS.iter().find(|setting| code.contains(*setting)) {
            violations.push(format!("{path}:{}: {setting}", index + 1));
        }
    }
    violations
}

/// `checkout` is where the project lies on this machine: no file may know that.
fn check_paths(path: &str, text: &str, checkout: &str) -> Violations {
    // A checkout right below the root has a name that may mean anything.
    let checkout = (checkout.matches('/').count() > 1).then(|| checkout.to_owned());
    let places: Vec<String> = homes().into_iter().chain(checkout).collect();
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(place) = places.iter().find(|place| line.contains(*place)) {
            violations.push(format!("{path}:{}: {place}", index + 1));
        }
    }
    violations
}

#[test]
fn dependencies_come_from_crates_io() {
    let locks = files::all(|name| name == "Cargo.lock");
    assert!(locks.iter().any(|lock| lock.text.contains(CRATES_IO)), "there is a lock file");
    for lock in locks {
        assert_none(&check_lock(&lock.path, &lock.text));
    }
    for file in files::all(|name| name == "Cargo.toml" || name == "config.toml" || name == "config") {
        assert_none(&check_settings(&file.path, &file.text));
    }
}

#[test]
fn no_file_knows_a_machine() {
    let checkout = files::root().to_string_lossy().into_owned();
    let files = files::all(|_| true);
    assert!(files.len() > 100, "the project has files");
    for file in files {
        assert_none(&check_paths(&file.path, &file.text, &checkout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_noticed;

    #[test]
    fn another_registry_is_noticed() {
        assert_none(&check_lock("l", &format!("name = \"a\"\nsource = \"{CRATES_IO}\"\n")));
        for bad in ["registry+https://mirror.example/index", "git+https://example.org/a?rev=1#1"] {
            assert_noticed(&check_lock("l", &format!("[[package]]\nsource = \"{bad}\"\n")), 1, "l:2");
        }
        assert_none(&check_settings("c", "[dependencies] # registry = none\na = \"1\"\n"));
        for bad in ["[source.crates-io]", "replace-with = \"x\"", "a = { version = \"1\", registry = \"x\" }"]
        {
            assert_noticed(&check_settings("c", bad), 1, "c:1");
        }
    }

    #[test]
    fn a_place_on_a_machine_is_noticed() {
        for home in homes() {
            let line = format!("see {home}someone/x");
            assert_noticed(&check_paths("f", &line, "/"), 1, "f:1");
        }
        assert_noticed(&check_paths("f", "\ncd /opt/build/ringwire", "/opt/build/ringwire"), 1, "f:2");
        assert_none(&check_paths("f", "unix:///run/redis.sock, cd /app/x", "/app"));
    }
}
