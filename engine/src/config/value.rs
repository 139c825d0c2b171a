//! A value as it was given, before it is known which setting it is for.

use std::fmt::Write;

use toml::de::{DeArray, DeValue};

/// Items of a list that an error quotes: the first few tell which list it is.
const SHOWN_ITEMS_MAX: usize = 8;

/// A value with the type that its source gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// From the environment or from `--set`: the setting's kind says how to read it.
    Plain(String),
    Text(String),
    /// Its digits; `None` if they are no `u64`.
    Integer(String, Option<u64>),
    Flag(bool),
    List(Vec<Value>),
    Table,
    /// A float or a date.
    Other(String),
}

impl Value {
    /// What a TOML value is. Tables inside of lists are known as such, and not looked into.
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => {
                Self::Integer(number.to_string(), u64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Array(items) => Self::List(Self::items(items)),
            DeValue::Table(_) => Self::Table,
            DeValue::Float(number) => Self::Other(number.to_string()),
            DeValue::Datetime(date) => Self::Other(date.to_string()),
        }
    }

    /// Lists in lists are as deep as the parser lets them be.
    fn items(items: &DeArray<'_>) -> Vec<Self> {
        items.iter().map(|item| Self::from_toml(item.get_ref())).collect()
    }

    /// As an error quotes it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Plain(text) if text.is_empty() => "(empty)".to_owned(),
            Self::Plain(text) | Self::Integer(text, _) | Self::Other(text) => text.clone(),
            Self::Text(text) => toml_text(text),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => {
                let shown: Vec<String> = items.iter().take(SHOWN_ITEMS_MAX).map(Self::shown).collect();
                let more = if items.len() > SHOWN_ITEMS_MAX { ", …" } else { "" };
                format!("[{}{more}]", shown.join(", "))
            }
            Self::Table => "(a table)".to_owned(),
        }
    }

    /// The items of a list; a plain value is comma separated or a TOML array.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            Self::Plain(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Plain(text) if text.trim_start().starts_with('[') => {
                let value = DeValue::parse(text.trim()).ok()?;
                value.get_ref().as_array().map(Self::items)
            }
            Self::Plain(text) => {
                Some(text.split(',').map(|item| Self::Plain(item.trim().to_owned())).collect())
            }
            _ => None,
        }
    }

    pub(super) fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(_, number) => *number,
            Self::Plain(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Plain(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A text, or a number as it was written: `acks = 1` is as good as `acks = "1"`.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Text(text) | Self::Integer(text, _) => Some(text),
            _ => None,
        }
    }

    /// A number with up to three decimals, in thousandths.
    pub(super) fn thousandths(&self) -> Option<u64> {
        let (Self::Plain(text) | Self::Integer(text, _) | Self::Other(text)) = self else { return None };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > 3 {
            return None;
        }
        let thousandths: u64 = format!("{decimals:0<3}").parse().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(thousandths)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A TOML string.
pub(super) fn toml_text(text: &str) -> String {
    let mut quoted = String::from('"');
    for next in text.chars() {
        match next {
            '"' | '\\' => quoted.extend(['\\', next]),
            control if control.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
