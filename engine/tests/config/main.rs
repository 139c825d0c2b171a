//! Settings as users give them: what is taken, what is refused and how, what is shown, and the reference page.

mod errors;
mod hostile;
mod kafka;
mod layers;
mod reference;
mod shown;

use std::ffi::OsString;

use ringwire::{Config, ConfigError, Settings};

/// A file with one endpoint.
const MAIN: &str = "[endpoint.main]\nurl = 'redis://h'\n";
/// A file with two, and their route.
const TWO: &str = "[endpoint.main]\nurl = 'redis://h'\n[endpoint.a-b]\nurl = 'redis://i'\n\
                   [[route]]\nchannels = 'fx.*'\nto = ['main']\n";

/// Reads a file's text, variables and assignments.
fn read(file: &str, variables: &[(&str, &str)], sets: &[&str]) -> Result<Settings, ConfigError> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let settings = Settings::new().read_toml(file, "a.toml")?.read_environment(variables)?;
    sets.iter().try_fold(settings, |settings, assignment| settings.assign(assignment))
}

fn config(file: &str, variables: &[(&str, &str)], sets: &[&str]) -> Result<Config, ConfigError> {
    read(file, variables, sets)?.config()
}

/// The line of a setting in what is shown, without its comment; sections are part of the path, as in `engine.idle`
/// and `route.0.to`.
fn shown(config: &Config, path: &str) -> String {
    let text = config.to_toml();
    let mut section = String::new();
    let mut routes = 0;
    for line in text.lines() {
        if line == "[[route]]" {
            section = format!("route.{routes}");
            routes += 1;
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((name, value)) = line.split_once(" = ")
            && format!("{section}.{name}") == path
        {
            return value.split(" # ").next().unwrap_or_default().trim().to_owned();
        }
    }
    panic!("{path} is not shown in\n{text}")
}
