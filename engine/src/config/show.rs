//! The settings in effect, as TOML that can be read again.

use std::fmt::Write;

use super::kind::Setting;
use super::redis::{Endpoint, RedisOptions};
use super::settings::{ENDPOINT, ENGINE, ROUTE};
use super::{Config, Route};

/// Where comments begin, if the value lets them.
const COMMENT_COLUMN: usize = 36;

impl Config {
    /// The settings in effect as TOML: every setting with its value. A comment follows what is not the default: the
    /// default, and where the value came from. Passwords are shown as `***`; read again, they are just that.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("[engine]\n");
        if self.host_driven {
            text.push_str("# The application's own threads drive the shards.\n");
        }
        self.write(&mut text, ENGINE, self, &Self::default(), "engine");
        for endpoint in &self.endpoints {
            // What was checked is bare: letters, digits, - and _.
            text.push_str(&format!("\n[endpoint.{}]\n", endpoint.name));
            let default = Endpoint::draft("", RedisOptions::default());
            self.write(&mut text, ENDPOINT, endpoint, &default, &format!("endpoint.{}", endpoint.name));
        }
        for (index, route) in self.routes.iter().enumerate() {
            text.push_str("\n[[route]]\n");
            self.write(&mut text, ROUTE, route, &Route::new(""), &format!("route.{index}"));
        }
        text
    }

    fn write<T>(&self, text: &mut String, table: &[Setting<T>], shown: &T, default: &T, path: &str) {
        for setting in table {
            let (value, default) = (setting.show(shown), setting.show(default));
            let line = format!("{} = {value}", setting.name);
            let mut notes: Vec<String> = Vec::new();
            if value != default && !setting.is_required {
                notes.push(format!("default {default}"));
            }
            notes.extend(self.origins.get(&format!("{path}.{}", setting.name)).cloned());
            // Writing to a String cannot fail.
            let _ = if notes.is_empty() {
                writeln!(text, "{line}")
            } else {
                writeln!(text, "{line:COMMENT_COLUMN$} # {}", notes.join("; "))
            };
        }
    }
}
