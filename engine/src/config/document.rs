//! The TOML text of a file: every value with its path and its line.
//!
//! ```text
//!   [endpoint.k]            ["endpoint", "k"]                    Table, line 1
//!   url = "redis://h"       ["endpoint", "k", "url"]             Text, line 2
//!   linger.ms = 5           ["endpoint", "k", "linger", "ms"]    Integer, line 3
//!   [[route]]               ["route", "0"]                       Table, line 4
//! ```

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::ConfigError;
use super::value::Value;

/// No setting's path has more parts.
const DEPTH_MAX: usize = 8;
/// Dots of one key. The parser allows 80 in each of 80 inline tables in each other: dropped recursively, that is more
/// than a small thread's stack. So it is a thousand levels at most.
const KEY_DOTS_MAX: usize = 12;
const TOO_DEEP: &str = "nested too deeply; a setting lies at most three tables deep";

/// A value of a file.
pub(super) struct Placed {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    /// From 1.
    pub(super) line: usize,
}

/// All values of `text` in its order. A table stands for itself where it may be empty and yet mean something: at its
/// first two levels, and wherever it holds nothing.
pub(super) fn read(text: &str, origin: &str) -> Result<Vec<Placed>, ConfigError> {
    let lines = Lines::of(text);
    let wrong = |position: usize, what: &str| {
        let (line, column) = lines.position(text, position);
        let place = if origin.is_empty() {
            format!("line {line}, column {column}")
        } else {
            format!("{origin}:{line}:{column}")
        };
        ConfigError::new("", "", what).from(&place)
    };
    if let Some(position) = deep_key(text) {
        return Err(wrong(position, TOO_DEEP));
    }
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        wrong(span.start, &explained(error.message(), text.get(span)))
    })?;
    let mut walk = Walk { lines, path: Vec::new(), found: Vec::new() };
    walk.table(table.get_ref());
    // The parser sorts keys by name.
    walk.found.sort_by_key(|(position, _)| *position);
    Ok(walk.found.into_iter().map(|(_, placed)| placed).collect())
}

/// Where the first key stands that has too many dots.
fn deep_key(text: &str) -> Option<usize> {
    let mut dots = 0;
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString | TokenKind::Whitespace => {}
            _ => dots = 0,
        }
        if dots > KEY_DOTS_MAX {
            return Some(token.span().start());
        }
    }
    None
}

/// Where an error of `line` came from.
pub(super) fn origin_of_line(origin: &str, line: usize) -> String {
    if origin.is_empty() { format!("line {line}") } else { format!("{origin}:{line}") }
}

struct Walk {
    lines: Lines,
    path: Vec<String>,
    found: Vec<(usize, Placed)>,
}

impl Walk {
    fn table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            self.path.push(key.get_ref().to_string());
            self.value(key, value);
            self.path.pop();
        }
    }

    fn value(&mut self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) if self.path.len() < DEPTH_MAX => {
                if table.is_empty() || self.path.len() <= 2 {
                    self.keep(key.span(), Value::Table);
                }
                self.table(table);
            }
            DeValue::Array(items) if self.path == ["route"] => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(index.to_string());
                    self.keep(item.span(), Value::from_toml(item.get_ref()));
                    if let DeValue::Table(table) = item.get_ref() {
                        self.table(table);
                    }
                    self.path.pop();
                }
            }
            other => self.keep(key.span(), Value::from_toml(other)),
        }
    }

    fn keep(&mut self, span: Range<usize>, value: Value) {
        let line = self.lines.line(span.start);
        self.found.push((span.start, Placed { path: self.path.clone(), value, line }));
    }
}

/// Where each line begins.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { starts: std::iter::once(0).chain(ends.map(|(index, _)| index + 1)).collect() }
    }

    /// From 1.
    fn line(&self, position: usize) -> usize {
        self.starts.partition_point(|start| *start <= position)
    }

    /// Line and column, both from 1; columns count characters.
    fn position(&self, text: &str, position: usize) -> (usize, usize) {
        let line = self.line(position);
        let start = self.starts[line - 1];
        let before = text.get(start..position.min(text.len())).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

/// A message of the parser for somebody who does not know the grammar; `found` is what it points at.
fn explained(message: &str, found: Option<&str>) -> String {
    match message {
        "duplicate key" => {
            let key = found.unwrap_or_default();
            format!("`{}` is given twice; expected each key and table once", super::error::quoted(key))
        }
        "recursion limit" | "cannot recurse further; max recursion depth met" => TOO_DEEP.to_owned(),
        other if other.starts_with("string values must be quoted") => {
            "a text is written in quotes, as in idle = \"park\"".to_owned()
        }
        other => format!("not TOML: {}", super::error::quoted(other)),
    }
}
