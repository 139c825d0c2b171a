//! `redis://[user[:password]@]host[:port][/db]` and `unix://[user:password@]/path/to.sock[?db=N]`, as Redis users
//! write them.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::ConfigError;

/// The port of a Redis whose URL names none.
const DEFAULT_REDIS_PORT: u16 = 6379;
/// `SELECT` takes an index; servers are configured with far fewer databases than this.
const DATABASE_MAX: u32 = 1 << 16;

/// Where a server listens, not yet resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Address(IpAddr, u16),
    Name(String, u16),
    Path(PathBuf),
}

impl fmt::Display for Location {
    /// The URL without user, password and database.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address), port) => write!(f, "redis://[{address}]:{port}"),
            Self::Address(address, port) => write!(f, "redis://{address}:{port}"),
            Self::Name(host, port) => write!(f, "redis://{host}:{port}"),
            Self::Path(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// A parsed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RedisUrl {
    pub(crate) location: Location,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
}

impl RedisUrl {
    /// Parses `url`, the value of the setting `key`.
    pub(crate) fn parse(key: &str, url: &str) -> Result<Self, ConfigError> {
        // The URL may hold a password: errors name the key and what is wrong, and never quote it.
        let bad = |what: &str| ConfigError::new(key, "(the url)", what);
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad(EXPECTED))?;
        let is_unix = match scheme {
            "redis" => false,
            "unix" | "redis+unix" => true,
            "rediss" => return Err(bad("rediss:// (TLS) is not built yet; expected redis:// or unix://")),
            _ => return Err(bad(EXPECTED)),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (credentials, place) =
            rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let (username, password) = match credentials {
            None => (None, None),
            Some(text) => {
                let (user, password) = text.split_once(':').unwrap_or((text, ""));
                (decode(user).ok_or_else(|| bad(PERCENT))?, decode(password).ok_or_else(|| bad(PERCENT))?)
            }
        };
        if username.is_some() && password.is_none() {
            return Err(bad("the user has no password; expected redis://user:password@host"));
        }
        let (location, mut database) = if is_unix {
            if !place.starts_with('/') {
                return Err(bad("a socket's path is absolute, as in unix:///run/redis.sock"));
            }
            (Location::Path(PathBuf::from(place)), None)
        } else {
            let (host, path) = place.split_once('/').unwrap_or((place, ""));
            (host_and_port(host).map_err(bad)?, (!path.is_empty()).then_some(path))
        };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("db", value)) => database = Some(value),
                _ => return Err(bad("the only option that a url takes is ?db=N")),
            }
        }
        let database = match database {
            None => 0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| *number < DATABASE_MAX)
                .ok_or_else(|| bad("the database is a number, as in redis://host:6379/0"))?,
        };
        Ok(Self { location, username, password, database })
    }
}

const EXPECTED: &str = "expected redis://[user:password@]host[:port][/db] or unix:///path/to.sock";
const PERCENT: &str = "a % is written %25, and stands before two hexadecimal digits";

fn host_and_port(text: &str) -> Result<Location, &'static str> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, port) = bracketed.split_once(']').ok_or("an IPv6 address stands in [brackets]")?;
        (host, port.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err("an IPv6 address stands in [brackets]"),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        None => DEFAULT_REDIS_PORT,
        Some(text) => {
            text.parse().ok().filter(|port| *port != 0).ok_or("the port is a number from 1 to 65535")?
        }
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    match host.parse() {
        Ok(address) => Ok(Location::Address(address, port)),
        Err(_) if text.starts_with('[') => Err("what stands in brackets is not an IPv6 address"),
        Err(_) if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) => {
            Ok(Location::Name(host.to_owned(), port))
        }
        Err(_) => Err("the host is a name or an address"),
    }
}

/// Undoes percent encoding; nothing is `None` inside.
fn decode(text: &str) -> Option<Option<String>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    Some((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_as_redis_users_write_them() {
        let check = |url: &str, location: Location, user: Option<&str>, password: Option<&str>, database| {
            let expected = RedisUrl {
                location,
                username: user.map(str::to_owned),
                password: password.map(str::to_owned),
                database,
            };
            assert_eq!(RedisUrl::parse("url", url), Ok(expected), "{url}");
        };
        let local = |port| Location::Address("127.0.0.1".parse().unwrap(), port);
        let name = |port| Location::Name("redis.example".into(), port);
        check("redis://127.0.0.1", local(6379), None, None, 0);
        check("redis://127.0.0.1:7000/3", local(7000), None, None, 3);
        check("redis://:secret@redis.example", name(6379), None, Some("secret"), 0);
        check("redis://bot:s%40c%3aret@redis.example:1/", name(1), Some("bot"), Some("s@c:ret"), 0);
        check("redis://[::1]:9?db=2", Location::Address("::1".parse().unwrap(), 9), None, None, 2);
        check("unix:///run/redis.sock?db=1", Location::Path("/run/redis.sock".into()), None, None, 1);
        check("unix://a:b@/r.sock", Location::Path("/r.sock".into()), Some("a"), Some("b"), 0);
        check("redis://:6380", local(6380), None, None, 0);
    }

    #[test]
    fn bad_urls_are_named_without_their_password() {
        for url in [
            "",
            "127.0.0.1:6379",
            "http://h",
            "rediss://h",
            "redis://h:0",
            "redis://h:70000",
            "redis://h:x",
            "redis://::1",
            "redis://[::1",
            "redis://[x]:1",
            "redis://h/x",
            "redis://user@h",
            "redis://:hunter2@h:x",
            "redis://:%zz@h",
            "redis://h?x=1",
            "unix://run/x",
            "redis://a b",
            "redis://h/99999999",
        ] {
            let error = RedisUrl::parse("endpoint.main.url", url).unwrap_err().to_string();
            assert!(error.contains("endpoint.main.url") && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
