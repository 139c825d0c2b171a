//! `ringwire loopback`.

use clap::Args;

/// The host where only a port is given: this machine, and nobody else.
const HOST: &str = "127.0.0.1";

#[derive(Args)]
pub(super) struct Raw {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "PORT|HOST:PORT", default_value = "0")]
    redis: String,
    /// Print {"redis":"redis://127.0.0.1:PORT"} instead of the URL alone
    #[arg(long)]
    json: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Loopback {
    /// `HOST:PORT`.
    pub(crate) address: String,
    pub(crate) json: bool,
}

impl Raw {
    pub(super) fn resolve(self) -> Result<Loopback, String> {
        let (host, port) = self.redis.rsplit_once(':').unwrap_or((HOST, &self.redis));
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(format!(
                "--redis {}: expected a port from 0 to 65535, or HOST:PORT, as in 127.0.0.1:6379",
                self.redis
            ));
        }
        Ok(Loopback { address: format!("{host}:{port}"), json: self.json })
    }
}
