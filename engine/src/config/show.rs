//! The settings in effect, as TOML that can be read again.

use std::fmt::Write;

use super::endpoint::Server;
use super::kafka::Kafka;
use super::kafka_table::{KAFKA, acks_word};
use super::kind::Setting;
use super::redis::{Redis, RedisOptions};
use super::settings::{ENGINE, REDIS, ROUTE};
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
            let path = format!("endpoint.{}", endpoint.name);
            match &endpoint.server {
                Server::Redis(redis) => {
                    self.write(&mut text, REDIS, redis, &Redis::draft(RedisOptions::default()), &path);
                }
                Server::Kafka(kafka) => {
                    if let Some(note) = idempotence_note(kafka) {
                        text.push_str(&format!("# {note}\n"));
                    }
                    self.write(&mut text, KAFKA, kafka, &Kafka::default(), &path);
                }
            }
        }
        for (index, route) in self.routes.iter().enumerate() {
            text.push_str("\n[[route]]\n");
            self.write(&mut text, ROUTE, route, &Route::new(""), &format!("route.{index}"));
        }
        text
    }

    fn write<T>(&self, text: &mut String, table: &[Setting<T>], shown: &T, default: &T, path: &str) {
        for setting in table.iter().filter(|setting| !setting.is_unshown) {
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

/// Why a Kafka is not idempotent although nobody said so.
fn idempotence_note(kafka: &Kafka) -> Option<String> {
    let options = &kafka.options;
    let is_off_by_itself = options.enable_idempotence.is_none() && !options.is_idempotent();
    is_off_by_itself.then(|| {
        let acks = acks_word(options.acks);
        format!("enable.idempotence is off because acks is {acks}: a retry may repeat messages and change their order.")
    })
}
