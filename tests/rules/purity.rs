//! Codec and core know no clock, socket, thread or executor: time and bytes are handed in.

use crate::code::{Placed, Token, tokens};
use crate::{Violations, assert_none, files};

/// The folders that this holds for.
const PURE: [&str; 2] = ["codec/src/", "engine/core/src/"];
/// Modules of `std` (and of `core`) that reach the system.
const MODULES: [&str; 8] = ["net", "thread", "os", "io", "fs", "process", "env", "sync"];
/// Types and crates that do.
const WORDS: [&str; 9] =
    ["Instant", "SystemTime", "rustix", "libc", "nix", "glommio", "tokio", "crossbeam", "ringwire_shards"];

fn check(path: &str, text: &str) -> Violations {
    let tokens = tokens(text);
    let mut violations = Vec::new();
    for (line, module) in modules_of_std(&tokens) {
        if MODULES.contains(&module.as_str()) {
            violations.push(format!("{path}:{line}: std::{module}"));
        }
    }
    for placed in &tokens {
        if let Some(word) = WORDS.iter().find(|word| placed.is_word(word)) {
            violations.push(format!("{path}:{}: {word}", placed.line));
        }
    }
    violations
}

/// The modules that follow `std::` or `core::`, in a path or at the top of a group.
fn modules_of_std(tokens: &[Placed]) -> Vec<(usize, String)> {
    let mut modules = Vec::new();
    for (at, placed) in tokens.iter().enumerate() {
        let is_path = tokens[at + 1..].iter().take(2).filter(|next| next.is_mark(':')).count() == 2;
        if !(placed.is_word("std") || placed.is_word("core")) || !is_path {
            continue;
        }
        let behind = &tokens[at + 3..];
        match behind.first() {
            Some(Placed { line, token: Token::Word(module) }) => modules.push((*line, module.clone())),
            Some(open) if open.is_mark('{') => modules.extend(tops_of_group(&behind[1..])),
            _ => {}
        }
    }
    modules
}

/// The first word of each element of a group, behind its opening brace.
fn tops_of_group(tokens: &[Placed]) -> Vec<(usize, String)> {
    let mut tops = Vec::new();
    let (mut depth, mut is_first) = (0, true);
    for placed in tokens {
        match &placed.token {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') if depth == 0 => break,
            Token::Mark('}') => depth -= 1,
            Token::Mark(',') if depth == 0 => is_first = true,
            Token::Word(word) if depth == 0 && is_first => {
                tops.push((placed.line, word.clone()));
                is_first = false;
            }
            _ => {}
        }
    }
    tops
}

#[test]
fn codec_and_core_touch_no_system() {
    for pure in PURE {
        let files: Vec<_> = files::rust().into_iter().filter(|file| file.path.starts_with(pure)).collect();
        assert!(files.len() > 5, "{pure} has files");
        for file in files {
            assert_none(&check(&file.path, &file.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_noticed;

    #[test]
    fn the_system_is_noticed_however_it_is_named() {
        for (bad, count, part) in [
            ("let now = Instant::now();", 1, "f.rs:1: Instant"),
            ("\nuse std::time::{Duration, SystemTime};", 1, "f.rs:2: SystemTime"),
            ("use std::net::TcpStream;", 1, "std::net"),
            ("use std::{fmt, io::{self, Read}};", 1, "std::io"),
            ("use std::{\n    fmt::{self, Write},\n    thread,\n};", 1, "f.rs:3: std::thread"),
            ("fn f() -> ::std::io::Result<()>", 1, "std::io"),
            ("use core::net::IpAddr;", 1, "std::net"),
            ("rustix::io::read(); libc::read()", 2, "libc"),
            ("glommio::spawn_local(x)", 1, "glommio"),
        ] {
            assert_noticed(&check("f.rs", bad), count, part);
        }
    }

    #[test]
    fn what_is_allowed_is_let_be() {
        for good in [
            "//! std::net and Instant\nuse std::fmt;",
            "/* std::thread */ let text = \"std::io, SystemTime\";",
            "use std::time::Duration;",
            "use std::{fmt::{self, Write}, collections::VecDeque};",
            "use crate::io::Read; mod net;",
        ] {
            assert_none(&check("f.rs", good));
        }
    }
}
