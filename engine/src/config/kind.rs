//! What one setting is: how its values are read, bounded and shown.

use std::time::Duration;

use super::nearest::suggestion;
use super::value::{Value, toml_text};

/// What is shown instead of a secret.
pub(super) const MASK: &str = "***";

/// One setting of a `T`.
pub(super) struct Setting<T: 'static> {
    /// Its key, as in `ring_bytes`; the path before it says whose it is.
    pub(super) name: &'static str,
    /// Empty for what has none.
    pub(super) unit: &'static str,
    pub(super) kind: Kind<T>,
    /// It has no default.
    pub(super) is_required: bool,
    /// It is another way to give one that is shown.
    pub(super) is_unshown: bool,
    /// One or two sentences, in Markdown.
    pub(super) meaning: &'static str,
}

/// The type of a setting, with its bounds and the place where it is kept. `write` gets only what is in bounds.
pub(super) enum Kind<T: 'static> {
    Integer {
        min: u64,
        max: u64,
        read: fn(&T) -> u64,
        write: fn(&mut T, u64),
    },
    PowerOfTwo {
        min: u64,
        max: u64,
        read: fn(&T) -> u64,
        write: fn(&mut T, u64),
    },
    /// A whole number of units.
    Duration {
        unit: Duration,
        min: u64,
        max: u64,
        read: fn(&T) -> Duration,
        write: fn(&mut T, Duration),
    },
    /// Milliseconds with up to three decimals.
    Milliseconds {
        max: u64,
        read: fn(&T) -> Duration,
        write: fn(&mut T, Duration),
    },
    /// One of several.
    Word {
        words: &'static [&'static str],
        read: fn(&T) -> String,
        write: fn(&mut T, &str),
    },
    Flag {
        read: fn(&T) -> bool,
        write: fn(&mut T, bool),
    },
    Integers {
        max: u64,
        len_max: usize,
        read: fn(&T) -> Vec<u64>,
        write: fn(&mut T, Vec<u64>),
    },
    /// Endpoints; whether there are such is known only when all are.
    Names {
        read: fn(&T) -> Vec<String>,
        write: fn(&mut T, Vec<String>),
    },
    Text {
        read: fn(&T) -> &str,
        write: fn(&mut T, String),
        accepts: fn(&str) -> bool,
        expected: &'static str,
    },
    /// A text or a number that `write` reads, or says what would be accepted.
    Parsed {
        read: fn(&T) -> String,
        write: fn(&mut T, &str) -> Result<(), String>,
        expected: &'static str,
    },
    Secret {
        is_set: fn(&T) -> bool,
        write: fn(&mut T, String),
    },
    /// It sets several things, and may hold a secret: `url.rs` reads it.
    Url {
        read: fn(&T) -> String,
    },
}

pub(super) const fn setting<T>(
    name: &'static str,
    unit: &'static str,
    kind: Kind<T>,
    meaning: &'static str,
) -> Setting<T> {
    Setting { name, unit, kind, is_required: false, is_unshown: false, meaning }
}

/// A setting that has no default.
pub(super) const fn required<T>(mut setting: Setting<T>) -> Setting<T> {
    setting.is_required = true;
    setting
}

/// A setting that is given by another one too, which is the one that is shown.
pub(super) const fn unshown<T>(mut setting: Setting<T>) -> Setting<T> {
    setting.is_unshown = true;
    setting
}

const MICROSECONDS_IN_MILLISECOND: u64 = 1_000;

/// Milliseconds, with decimals where there are any.
fn decimal(duration: Duration) -> String {
    let (whole, rest) = (duration.as_millis(), duration.subsec_micros() % MICROSECONDS_IN_MILLISECOND as u32);
    match rest {
        0 => whole.to_string(),
        _ => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
    }
}

impl<T> Setting<T> {
    /// Reads `value` and keeps it in `target`; else says what would be accepted.
    pub(super) fn put(&self, target: &mut T, value: &Value) -> Result<(), String> {
        match &self.kind {
            Kind::Integer { write, .. } | Kind::PowerOfTwo { write, .. } => {
                write(target, self.number(value)?);
            }
            Kind::Duration { unit, write, .. } => {
                let count = u32::try_from(self.number(value)?).map_err(|_| self.expected())?;
                write(target, *unit * count);
            }
            Kind::Milliseconds { max, write, .. } => {
                let most = max.saturating_mul(MICROSECONDS_IN_MILLISECOND);
                let count = value.thousandths().filter(|count| *count <= most);
                write(target, Duration::from_micros(count.ok_or_else(|| self.mistyped(value))?));
            }
            Kind::Word { words, write, .. } => {
                let word = value.word().ok_or_else(|| self.expected())?;
                if !words.contains(&word) {
                    // A number is no slip of another one.
                    let is_word = word.bytes().any(|byte| byte.is_ascii_alphabetic());
                    let words = words.iter().copied().filter(|_| is_word);
                    return Err(self.expected() + &suggestion(word, words));
                }
                write(target, word);
            }
            Kind::Flag { write, .. } => write(target, value.flag().ok_or_else(|| self.mistyped(value))?),
            Kind::Integers { max, len_max, write, .. } => {
                let items = value.list().filter(|items| items.len() <= *len_max);
                let numbers = items.ok_or_else(|| self.expected())?.iter().map(Value::integer).collect();
                let numbers: Option<Vec<u64>> = numbers;
                let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number <= max));
                write(target, numbers.ok_or_else(|| self.expected())?);
            }
            Kind::Names { write, .. } => {
                let items = value.list().ok_or_else(|| self.expected())?;
                let names = items.iter().map(|item| item.text().filter(|name| !name.is_empty()));
                let names: Option<Vec<String>> = names.map(|name| name.map(str::to_owned)).collect();
                write(target, names.ok_or_else(|| self.expected())?);
            }
            Kind::Text { write, accepts, .. } => {
                let text = value.text().ok_or_else(|| self.mistyped(value))?;
                if !accepts(text) {
                    return Err(self.expected());
                }
                write(target, text.to_owned());
            }
            Kind::Parsed { write, .. } => {
                let word = value.word().ok_or_else(|| self.expected())?;
                write(target, word.trim())?;
            }
            Kind::Secret { write, .. } => {
                write(target, value.text().ok_or_else(|| self.mistyped(value))?.to_owned());
            }
            Kind::Url { .. } => {}
        }
        Ok(())
    }

    /// Whether what `target` holds is in bounds; else what it holds, and what would be accepted.
    pub(super) fn check(&self, target: &T) -> Result<(), (String, String)> {
        let is_good = match &self.kind {
            Kind::Integer { read, .. } | Kind::PowerOfTwo { read, .. } => self.is_in_bounds(read(target)),
            Kind::Duration { unit, read, .. } => {
                let duration = read(target);
                let count = u64::try_from(duration.as_nanos() / unit.as_nanos());
                let is_whole = duration.as_nanos().is_multiple_of(unit.as_nanos());
                if !is_whole || !count.is_ok_and(|count| self.is_in_bounds(count)) {
                    return Err((format!("{duration:?}"), self.expected()));
                }
                true
            }
            Kind::Milliseconds { max, read, .. } => {
                let duration = read(target);
                let is_whole = duration.subsec_nanos().is_multiple_of(1_000);
                if !is_whole || duration.as_millis() > u128::from(*max) {
                    return Err((format!("{duration:?}"), self.expected()));
                }
                true
            }
            Kind::Text { read, accepts, .. } => accepts(read(target)),
            Kind::Integers { max, len_max, read, .. } => {
                let numbers = read(target);
                numbers.len() <= *len_max && numbers.iter().all(|number| number <= max)
            }
            // Their types hold nothing bad.
            Kind::Word { .. }
            | Kind::Flag { .. }
            | Kind::Names { .. }
            | Kind::Parsed { .. }
            | Kind::Secret { .. }
            | Kind::Url { .. } => true,
        };
        if is_good { Ok(()) } else { Err((self.show(target), self.expected())) }
    }

    /// What `target` holds, as TOML; a secret is masked.
    pub(super) fn show(&self, target: &T) -> String {
        match &self.kind {
            Kind::Integer { read, .. } | Kind::PowerOfTwo { read, .. } => read(target).to_string(),
            Kind::Duration { unit, read, .. } => (read(target).as_nanos() / unit.as_nanos()).to_string(),
            Kind::Milliseconds { read, .. } => decimal(read(target)),
            Kind::Word { read, .. } | Kind::Url { read } | Kind::Parsed { read, .. } => {
                toml_text(&read(target))
            }
            Kind::Flag { read, .. } => read(target).to_string(),
            Kind::Integers { read, .. } => format!("{:?}", read(target)),
            Kind::Names { read, .. } => {
                let names: Vec<String> = read(target).iter().map(|name| toml_text(name)).collect();
                format!("[{}]", names.join(", "))
            }
            Kind::Text { read, .. } => toml_text(read(target)),
            Kind::Secret { is_set, .. } => toml_text(if is_set(target) { MASK } else { "" }),
        }
    }

    /// `value` as an error may quote it.
    pub(super) fn quote(&self, value: &Value) -> String {
        match &self.kind {
            Kind::Secret { .. } => MASK.to_owned(),
            _ => value.shown(),
        }
    }

    /// What would be accepted.
    pub(super) fn expected(&self) -> String {
        let bounds = self.bounds();
        let unit = if self.unit.is_empty() { String::new() } else { format!(" ({})", self.unit) };
        match &self.kind {
            Kind::Integer { .. } | Kind::Duration { .. } => format!("expected an integer {bounds}{unit}"),
            Kind::PowerOfTwo { .. } => format!("expected a power of two {bounds}{unit}"),
            Kind::Milliseconds { .. } => format!("expected a number {bounds}{unit}"),
            Kind::Word { .. } => format!("expected {bounds}"),
            Kind::Flag { .. } => "expected true or false".to_owned(),
            Kind::Integers { .. } => format!("expected a list of {bounds}, as in [2, 3]"),
            Kind::Names { .. } => "expected a list of endpoints' names, as in [\"main\"]".to_owned(),
            Kind::Text { expected, .. } | Kind::Parsed { expected, .. } => (*expected).to_owned(),
            Kind::Secret { .. } => "expected a text".to_owned(),
            Kind::Url { .. } => "expected a url".to_owned(),
        }
    }

    /// What is accepted, in the words of a table.
    pub(super) fn bounds(&self) -> String {
        match &self.kind {
            Kind::Integer { min, max, .. } | Kind::Duration { min, max, .. } => {
                format!("from {min} to {max}")
            }
            Kind::PowerOfTwo { min, max, .. } => format!("from {min} to {max}"),
            Kind::Milliseconds { max, .. } => format!("from 0 to {max}, with up to three decimals"),
            Kind::Word { words, .. } => match words {
                [before @ .., last] => format!("{} or {last}", before.join(", ")),
                [] => String::new(),
            },
            Kind::Integers { max, len_max, .. } => format!("at most {len_max} integers from 0 to {max}"),
            _ => String::new(),
        }
    }

    fn number(&self, value: &Value) -> Result<u64, String> {
        let number = value.integer().ok_or_else(|| self.mistyped(value))?;
        if self.is_in_bounds(number) { Ok(number) } else { Err(self.expected()) }
    }

    fn is_in_bounds(&self, number: u64) -> bool {
        match &self.kind {
            Kind::Integer { min, max, .. } | Kind::Duration { min, max, .. } => {
                (*min..=*max).contains(&number)
            }
            Kind::PowerOfTwo { min, max, .. } => (*min..=*max).contains(&number) && number.is_power_of_two(),
            _ => true,
        }
    }

    /// What would be accepted, where it is the quotes that are wrong.
    fn mistyped(&self, value: &Value) -> String {
        let takes_text = matches!(self.kind, Kind::Text { .. } | Kind::Secret { .. });
        match value {
            Value::Text(_) if !takes_text => self.expected() + ", without quotes",
            Value::Integer(..) | Value::Flag(_) | Value::Other(_) if takes_text => {
                self.expected() + ", in quotes"
            }
            _ => self.expected(),
        }
    }
}
