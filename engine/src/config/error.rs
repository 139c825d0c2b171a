//! What is wrong with a setting, in one line.

use std::fmt;

/// Longest key or value that an error quotes, in characters: enough to recognise it, and a line stays one.
const QUOTED_LEN_MAX: usize = 100;

/// A setting that cannot be: which, what was found and where, and what would be accepted.
///
/// It is shown as one line, and never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    key: String,
    found: String,
    expected: String,
    origin: String,
}

impl ConfigError {
    pub(crate) fn new(key: &str, found: &str, expected: &str) -> Self {
        Self { key: quoted(key), found: quoted(found), expected: expected.to_owned(), origin: String::new() }
    }

    /// The same error, with where the value came from.
    pub(crate) fn from(mut self, origin: &str) -> Self {
        self.origin = one_line(origin);
        self
    }

    /// The setting's path, as in `endpoint.main.url`; empty where no single setting is at fault, as in a file that
    /// cannot be read.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value as it was given; empty where there is none, `***` for a secret.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// What is wrong with it, or what would be accepted.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// Where the value came from: `file:line`, an environment variable or `--set`; empty for the builder.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.origin.is_empty() {
            write!(f, "{}: ", self.origin)?;
        }
        match (self.key.is_empty(), self.found.is_empty()) {
            (true, _) => {}
            (false, true) => write!(f, "{}: ", self.key)?,
            (false, false) => write!(f, "{} = {}: ", self.key, self.found)?,
        }
        f.write_str(&self.expected)
    }
}

impl std::error::Error for ConfigError {}

/// `text` in one line of bounded length, with an ellipsis for what was cut.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_LEN_MAX) {
        Some((end, _)) => one_line(&text[..end]) + "…",
        None => one_line(text),
    }
}

/// `text` with its control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for next in text.chars() {
        // Besides the control characters, what some terminals and readers take for a line's end.
        if next.is_control() || matches!(next, '\u{2028}' | '\u{2029}' | '\u{feff}') {
            line.extend(next.escape_unicode());
        } else {
            line.push(next);
        }
    }
    line
}
