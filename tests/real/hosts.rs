//! The two hosts of a shard's loop: what is proved holds on both.

use std::panic::resume_unwind;
use std::thread;

use ringwire::{Config, HostKind};

/// Both are named: with `auto` nobody would notice that one of them was never used.
pub(crate) const HOSTS: [HostKind; 2] = [HostKind::Glommio, HostKind::Thread];

/// Runs `body` on each host, side by side; the thread of each has its host's name.
pub(crate) fn on_both(body: impl Fn(HostKind) + Sync) {
    thread::scope(|scope| {
        let body = &body;
        let runs = HOSTS.map(|host| {
            let builder = thread::Builder::new().name(host.to_string());
            builder.spawn_scoped(scope, move || body(host)).expect("a thread starts")
        });
        for run in runs {
            run.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
}

/// One endpoint `main` at `url`, with further lines of the configuration file: first those of the endpoint.
pub(crate) fn main_at(host: HostKind, url: &str, lines: &str) -> Config {
    read(host, &format!("[endpoint.main]\nurl = '{url}'\n{lines}"))
}

pub(crate) fn read(host: HostKind, text: &str) -> Config {
    Config::from_toml(text).unwrap_or_else(|error| panic!("{error} in\n{text}")).host(host)
}
