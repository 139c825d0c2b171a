//! What may stand in which Rust file: `unsafe`, glommio, the names of brokers; and how long a file may be.

use crate::code::{Placed, Token, tokens};
use crate::files::SourceFile;
use crate::{Violations, assert_none, files};

/// STYLE: files are split by noun, early.
const LINES_MAX: usize = 800;
/// The one file that names the executor, so that it can be replaced.
const GLOMMIO_HOME: &str = "shards/src/host.rs";
/// The files with `unsafe` code: the ring, the benchmarks' time-stamp counter, and the C ABI's boundary, with the claim
/// that lasts from one call to another.
const UNSAFE_HOMES: [&str; 9] = [
    "shards/src/ring.rs",
    "bench/src/tsc.rs",
    "engine/capi/src/boundary/chunks.rs",
    "engine/capi/src/boundary/export.rs",
    "engine/capi/src/boundary/handle.rs",
    "engine/capi/src/boundary/memory.rs",
    "engine/capi/src/boundary/pointer.rs",
    "engine/capi/src/boundary/thread.rs",
    "engine/capi/src/claim.rs",
];
/// Tests that need it: counting allocators, and a signal's disposition as a C host has it.
const UNSAFE_TESTS: [&str; 6] = [
    "codec/tests/allocations.rs",
    "engine/tests/steady.rs",
    "shards/tests/allocations.rs",
    "shards/tests/sigpipe.rs",
    "tests/real/probe/allocations.rs",
    "tools/loopback/tests/allocation.rs",
];
/// Crates without any.
const SAFE: [&str; 4] =
    ["codec/src/lib.rs", "engine/core/src/lib.rs", "engine/src/lib.rs", "tools/loopback/src/lib.rs"];
/// What the shards must not know, in any spelling.
const BROKERS: [&str; 4] = ["redis", "kafka", "valkey", "pubsub"];
/// The same, as a word of its own: it is also the beginning of `response`.
const PROTOCOL: &str = "resp";

fn check_length(path: &str, text: &str) -> Violations {
    let lines = text.lines().count();
    if lines > LINES_MAX { vec![format!("{path}: {lines} lines, {LINES_MAX} at most")] } else { Vec::new() }
}

/// Code that names `word`.
fn check_word(path: &str, text: &str, word: &str) -> Violations {
    let tokens = tokens(text);
    let found = tokens.iter().filter(|placed| placed.is_word(word));
    found.map(|placed| format!("{path}:{}: {word}", placed.line)).collect()
}

/// Code or texts that name a broker or its protocol.
fn check_brokers(path: &str, text: &str) -> Violations {
    let names_one = |placed: &Placed| match &placed.token {
        Token::Word(text) | Token::Literal(text) => {
            let text = text.to_lowercase();
            let mut words = text.split(|c: char| !c.is_alphanumeric());
            BROKERS.iter().any(|broker| text.contains(broker)) || words.any(|word| word == PROTOCOL)
        }
        Token::Mark(_) => false,
    };
    let tokens = tokens(text);
    let found = tokens.iter().filter(|placed| names_one(placed));
    found.map(|placed| format!("{path}:{}: {:?}", placed.line, placed.token)).collect()
}

/// `#![forbid(unsafe_code)]`.
fn check_forbids_unsafe(path: &str, text: &str) -> Violations {
    let wanted = tokens("#![forbid(unsafe_code)]");
    let tokens = tokens(text);
    let holds = tokens
        .windows(wanted.len())
        .any(|window| window.iter().zip(&wanted).all(|(found, wanted)| found.token == wanted.token));
    if holds { Vec::new() } else { vec![format!("{path}: no #![forbid(unsafe_code)]")] }
}

fn each(wanted: impl Fn(&SourceFile) -> bool, check: impl Fn(&str, &str) -> Violations) -> Violations {
    let files = files::rust().into_iter().filter(wanted);
    files.flat_map(|file| check(&file.path, &file.text)).collect()
}

#[test]
fn files_are_short() {
    assert_none(&each(|_| true, check_length));
}

#[test]
fn one_file_names_the_executor() {
    let check = |path: &str, text: &str| check_word(path, text, "glommio");
    assert_none(&each(|file| file.path != GLOMMIO_HOME, check));
    assert!(!each(|file| file.path == GLOMMIO_HOME, check).is_empty(), "its home is still {GLOMMIO_HOME}");
}

#[test]
fn unsafe_code_stays_where_it_is() {
    let homes: Vec<&str> = UNSAFE_HOMES.into_iter().chain(UNSAFE_TESTS).collect();
    let check = |path: &str, text: &str| check_word(path, text, "unsafe");
    assert_none(&each(|file| !homes.contains(&file.path.as_str()), check));
    for home in homes {
        assert!(!each(|file| file.path == home, check).is_empty(), "{home} needs none: take it off the list");
    }
    for crate_root in SAFE {
        let texts: Vec<SourceFile> =
            files::rust().into_iter().filter(|file| file.path == crate_root).collect();
        assert_eq!(texts.len(), 1, "{crate_root}");
        assert_none(&check_forbids_unsafe(crate_root, &texts[0].text));
    }
}

#[test]
fn the_shards_know_no_broker() {
    assert_none(&each(|file| file.path.starts_with("shards/src/"), check_brokers));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_noticed;

    #[test]
    fn a_long_file_is_noticed() {
        assert_none(&check_length("f.rs", &"\n".repeat(LINES_MAX)));
        assert_noticed(&check_length("f.rs", &"\n".repeat(LINES_MAX + 1)), 1, "801 lines");
    }

    #[test]
    fn a_word_is_noticed_in_code_alone() {
        assert_noticed(&check_word("f.rs", "\nunsafe { x() }", "unsafe"), 1, "f.rs:2");
        assert_none(&check_word("f.rs", "// unsafe\nlet unsafe_code = \"unsafe\";", "unsafe"));
        assert_noticed(&check_word("f.rs", "use glommio::{LocalExecutor};", "glommio"), 1, "glommio");
        assert_none(&check_word("f.rs", "HostKind::Glommio => \"glommio\"", "glommio"));
    }

    #[test]
    fn a_broker_is_noticed_in_code_and_texts() {
        for bad in ["struct RedisSocket;", "let x = \"kafka\";", "mod resp;", "fn encode_resp() {}", "RESP"] {
            let count = check_brokers("f.rs", bad).len();
            assert_noticed(&check_brokers("f.rs", bad), count.max(1), "f.rs:1");
        }
        assert_none(&check_brokers("f.rs", "//! Not Redis.\nlet response = respond(\"corresponding\");"));
    }

    #[test]
    fn a_missing_forbid_is_noticed() {
        assert_none(&check_forbids_unsafe("lib.rs", "//! x\n#![forbid(unsafe_code)]\nmod a;"));
        for bad in ["mod a;", "// #![forbid(unsafe_code)]", "#![deny(unsafe_code)]"] {
            assert_noticed(&check_forbids_unsafe("lib.rs", bad), 1, "forbid");
        }
    }
}
