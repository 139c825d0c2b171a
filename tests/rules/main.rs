//! The rules of `engine/ARCHITECTURE.md`, checked on the manifests and the sources.
//!
//! ```text
//!   cargo metadata ──► graph: who may know whom
//!   *.rs ──► code (comments out) ──► modules, words, unsafe, lengths
//!   every file ──► places: no other registry, no path of somebody's machine
//! ```
//!
//! Each rule is a plain function from texts to violations, and is shown to fail on a bad sample beside it.

mod code;
mod files;
mod graph;
mod places;
mod purity;
mod words;

/// What is against a rule, one line each: `path:line: what`.
type Violations = Vec<String>;

/// The rule holds.
#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// The rule notices a bad sample: so many violations, the first of which says `part`.
#[cfg(test)]
#[track_caller]
fn assert_noticed(violations: &[String], count: usize, part: &str) {
    assert_eq!(violations.len(), count, "{violations:?}");
    assert!(violations.iter().any(|violation| violation.contains(part)), "{violations:?} name {part}");
}
