//! Settings as they are given, in layers: a file, the environment, `--set`.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::build::build;
use super::document::{self, origin_of_line};
use super::error::{one_line, quoted};
use super::value::Value;
use super::{Config, ConfigError};

/// The largest configuration file, in bytes: a thousand times what a hundred endpoints need.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "RINGWIRE_";
/// The file's path: for the command line, and no setting.
const FILE_VARIABLE: &str = "RINGWIRE_CONFIG";
/// Where a value of [`Settings::set`] came from.
const SET_ORIGIN: &str = "--set";

/// The later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    File,
    Environment,
    Set,
}

/// What a value is for.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Path(Vec<String>),
    /// What follows [`PREFIX`] in a variable's name, in upper case: which path it is depends on the endpoints.
    Variable(String),
}

/// One value, with its origin.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) layer: Layer,
    pub(super) address: Address,
    pub(super) value: Value,
    pub(super) origin: String,
}

/// Settings as they were given, each with its origin, not checked yet.
///
/// What was set ([`Settings::set`]) wins over the environment, and the environment over the file, in whatever order
/// they are read; within one of them the later value wins.
///
/// ```
/// use ringwire::config::Settings;
///
/// let settings = Settings::new()
///     .read_toml("[endpoint.main]\nurl = 'redis://127.0.0.1'\n", "example.toml")?
///     .read_environment([("RINGWIRE_ENGINE__IDLE".into(), "park".into())])?
///     .assign("reply_timeout_ms=500")?; // there is one endpoint: the short form means it
/// println!("{}", settings.config()?.to_toml());
/// # Ok::<(), ringwire::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    given: Vec<Given>,
}

impl Settings {
    /// No setting: all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a configuration file. The routes of a second file replace those of the first, if it has any.
    ///
    /// # Errors
    /// [`ConfigError`] if it is not a regular file of at most [`FILE_BYTES_MAX`] bytes, cannot be read, or is not
    /// TOML in UTF-8.
    pub fn read_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let origin = if path.as_os_str().is_empty() { "\"\"".to_owned() } else { path.display().to_string() };
        let text = text_of_file(path).map_err(|what| ConfigError::new("", "", &what).from(&origin))?;
        self.read_toml(&text, &origin)
    }

    /// Reads TOML text. `origin` is what errors call it; they add the line.
    ///
    /// # Errors
    /// [`ConfigError`] if it is not TOML, with line and column.
    pub fn read_toml(mut self, text: &str, origin: &str) -> Result<Self, ConfigError> {
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(ConfigError::new("", "", &too_large()).from(origin));
        }
        // It stands in comments too, when the settings are shown.
        let origin = &one_line(origin);
        let placed = document::read(text, origin)?;
        let is_route = |path: &[String]| path.first().is_some_and(|section| section == "route");
        if placed.iter().any(|placed| is_route(&placed.path)) {
            self.given.retain(|given| {
                given.layer != Layer::File || !matches!(&given.address, Address::Path(path) if is_route(path))
            });
        }
        self.given.extend(placed.into_iter().map(|placed| Given {
            layer: Layer::File,
            address: Address::Path(placed.path),
            value: placed.value,
            origin: origin_of_line(origin, placed.line),
        }));
        Ok(self)
    }

    /// Reads the variables whose names begin with `RINGWIRE_`, as [`std::env::vars_os`] gives them, and passes over
    /// all others and over `RINGWIRE_CONFIG`.
    ///
    /// # Errors
    /// [`ConfigError`] if one of them is not UTF-8. Unknown ones are found by [`Settings::config`].
    pub fn read_environment<I>(mut self, variables: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item = (OsString, OsString)>,
    {
        let mut ours = Vec::new();
        for (name, value) in variables {
            if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let Some(name) = name.to_str() else {
                let error = ConfigError::new(&name.to_string_lossy(), "", "the variable's name is not UTF-8");
                return Err(error.from("environment"));
            };
            if name == FILE_VARIABLE {
                continue;
            }
            let Ok(value) = value.into_string() else {
                return Err(
                    ConfigError::new(name, "", "the variable's value is not UTF-8").from("environment")
                );
            };
            ours.push((name.to_owned(), value));
        }
        // The environment has no order of its own: errors should.
        ours.sort();
        self.given.extend(ours.into_iter().map(|(name, value)| Given {
            layer: Layer::Environment,
            address: Address::Variable(name[PREFIX.len()..].to_uppercase()),
            value: Value::Plain(value),
            origin: quoted(&name),
        }));
        Ok(self)
    }

    /// Sets one setting by its path, as in `engine.idle`. Where there is exactly one endpoint, its settings need no
    /// `endpoint.NAME.` before them. `value` is read as the setting's kind says, without quotes; a list is comma
    /// separated or a TOML array.
    ///
    /// # Errors
    /// [`ConfigError`] if the path is none. An unknown one is found by [`Settings::config`].
    pub fn set(mut self, path: &str, value: &str) -> Result<Self, ConfigError> {
        let parts: Vec<String> = path.split('.').map(|part| part.trim().to_owned()).collect();
        if parts.iter().any(String::is_empty) {
            let expected = "expected a setting's path, as in engine.idle or endpoint.main.url";
            return Err(ConfigError::new(path, "", expected).from(SET_ORIGIN));
        }
        self.given.push(Given {
            layer: Layer::Set,
            address: Address::Path(parts),
            value: Value::Plain(value.to_owned()),
            origin: SET_ORIGIN.to_owned(),
        });
        Ok(self)
    }

    /// Sets one setting by `path=value`, as [`Settings::set`] does.
    ///
    /// # Errors
    /// As [`Settings::set`]; also if there is no `=`.
    pub fn assign(self, assignment: &str) -> Result<Self, ConfigError> {
        match assignment.split_once('=') {
            Some((path, value)) => self.set(path.trim(), value),
            // Without a path nobody knows whether it is a secret: it is not quoted.
            None => {
                let expected = "expected PATH=VALUE, as in engine.idle=park";
                Err(ConfigError::new("", "", expected).from(SET_ORIGIN))
            }
        }
    }

    /// Checks the settings, and makes a configuration of them.
    ///
    /// # Errors
    /// The first of [`Settings::problems`].
    pub fn config(&self) -> Result<Config, ConfigError> {
        build(&self.given).map_err(|problems| problems.first)
    }

    /// What is wrong with the settings, in the order in which they take effect; at most a hundred. What depends on
    /// several settings is looked at once each of them is good by itself.
    pub fn problems(&self) -> Vec<ConfigError> {
        build(&self.given)
            .err()
            .map_or_else(Vec::new, |problems| std::iter::once(problems.first).chain(problems.more).collect())
    }
}

impl fmt::Debug for Settings {
    /// What is given where, without the values: some are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_map();
        for given in &self.given {
            shown.entry(&given.address, &given.origin);
        }
        shown.finish()
    }
}

/// The text of a regular file, or what is wrong with it. Its type is looked at first: to open a FIFO might wait, and
/// a device might never end.
fn text_of_file(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let kind = fs::metadata(path).map_err(unreadable)?.file_type();
    if kind.is_dir() {
        return Err("is a directory; expected a configuration file".to_owned());
    }
    if !kind.is_file() {
        return Err("is not a regular file; expected a configuration file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text; expected TOML")
    })
}

fn too_large() -> String {
    format!("larger than {FILE_BYTES_MAX} bytes; expected a configuration file")
}
