//! `redis://[user[:password]@]host[:port][/db][?option=value…]` and `unix://[user:password@]/path/to.sock`, as Redis
//! users write them.
//!
//! A URL may hold a password: no error here quotes any part of it but a scheme, a host, and an option's name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use super::brokers;
use super::endpoint::EndpointKind;
use super::foreign::{self, Here};
use super::kind::MASK;

/// The port of a Redis whose URL names none.
const DEFAULT_REDIS_PORT: u16 = 6379;

/// Where a server listens, not yet resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Address(IpAddr, u16),
    Name(String, u16),
    Path(PathBuf),
}

impl Location {
    /// Where a broker says that it is.
    pub(crate) fn of_broker(host: &str, port: u16) -> Self {
        // An IPv6 address may stand in brackets.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match bare.parse() {
            Ok(address) => Self::Address(address, port),
            Err(_) => Self::Name(host.to_owned(), port),
        }
    }
}

impl Default for Location {
    fn default() -> Self {
        Self::Address(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_REDIS_PORT)
    }
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

/// Which kind of server a url is for, by its scheme alone.
pub(super) fn kind_of(url: &str) -> EndpointKind {
    if url.starts_with(brokers::SCHEME) { EndpointKind::Kafka } else { EndpointKind::Redis }
}

/// What a url says about an endpoint.
#[derive(Debug)]
pub(super) enum AnyUrl {
    Redis(RedisUrl),
    /// `bootstrap.servers`.
    Kafka(String),
}

impl AnyUrl {
    /// Reads `url`; the error says what is wrong with it, without quoting it.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        match kind_of(url) {
            EndpointKind::Redis => RedisUrl::parse(url).map(Self::Redis),
            EndpointKind::Kafka => brokers::parse(url).map(|brokers| Self::Kafka(brokers::joined(&brokers))),
        }
    }
}

/// What a URL says: where the server is, and settings with their values, each as `--set` would have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RedisUrl {
    pub(super) location: Location,
    pub(super) settings: Vec<(&'static str, String)>,
}

impl RedisUrl {
    /// Reads `url`; the error says what is wrong with it, without quoting it.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
        let is_unix = match scheme {
            "redis" | "valkey" => false,
            "unix" | "redis+unix" | "valkey+unix" => true,
            "rediss" | "valkeys" => {
                return Err(format!("{scheme}:// (TLS) is not built yet; expected redis:// or unix://"));
            }
            _ => return Err(EXPECTED.to_owned()),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            // Either of both may be part of a password: no option's name would be safe to quote.
            return Err("a ? before the host is written %3F, and an @ behind it %40".to_owned());
        }
        let (credentials, place) =
            rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let mut settings = Vec::new();
        if let Some(text) = credentials {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            for (name, text) in [("username", user), ("password", password)] {
                let text = decode(text).ok_or(PERCENT)?;
                if !text.is_empty() {
                    settings.push((name, text));
                }
            }
        }
        let location = if is_unix {
            if !place.starts_with('/') {
                return Err("a socket's path is absolute, as in unix:///run/redis.sock".to_owned());
            }
            if place.contains('\0') {
                return Err("a socket's path has no NUL".to_owned());
            }
            Location::Path(PathBuf::from(place))
        } else {
            let (host, path) = place.split_once('/').unwrap_or((place, ""));
            if !path.is_empty() {
                settings.push(("database", path.to_owned()));
            }
            host_and_port(host)?
        };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            settings.extend(read_option(option)?);
        }
        Ok(Self { location, settings })
    }
}

/// One `name=value` of the query, as a setting; `None` for one that changes nothing.
fn read_option(option: &str) -> Result<Option<(&'static str, String)>, String> {
    let (name, value) =
        option.split_once('=').ok_or("an option is written name=value, as in ?db=1".to_owned())?;
    let value = decode(value).ok_or(PERCENT)?;
    let known = foreign::foreign(name).ok_or_else(|| unknown_option(name))?;
    match known.here {
        Here::Same(setting) => Ok(Some((setting, value))),
        Here::Time(setting) => {
            let milliseconds =
                foreign::milliseconds(name, &value).map_err(|expected| format!("`{name}`: {expected}"))?;
            Ok(Some((setting, milliseconds.to_string())))
        }
        Here::Scaled(setting, unit) => Err(format!("`{name}` is `{setting}` here, {unit}")),
        Here::Protocol if matches!(value.as_str(), "2" | "3" | "resp2" | "resp3") => Ok(None),
        Here::Protocol => Err("`protocol`: expected 2 or 3".to_owned()),
        Here::InUrl => Err(format!("`{name}` stands before the ?, as in redis://host:port")),
        Here::Absent(why) => Err(format!("`{name}` cannot be set: {why}")),
    }
}

fn unknown_option(name: &str) -> String {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // What does not look like a name may be the rest of a password.
    let name = if is_name && name.len() <= OPTION_LEN_MAX { format!(" `{name}`") } else { String::new() };
    format!("unknown option{name}; a url takes db, client_name, socket_timeout, connect_timeout and others")
}

/// No client has a longer option's name.
const OPTION_LEN_MAX: usize = 32;

/// A URL as an error may quote it: without its password, and without what might be one.
pub(super) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return "(the url)".to_owned();
    };
    if scheme == "kafka" {
        let shown = if rest.contains(['@', '?']) { "…" } else { rest };
        return format!("{scheme}://{shown}");
    }
    if rest.split_once('?').is_some_and(|(_, query)| query.contains('@')) {
        return format!("{scheme}://…");
    }
    let (user, place) = match rest.rsplit_once('@') {
        Some((credentials, place)) => match credentials.split_once(':') {
            Some((user, _)) => (format!("{user}:{MASK}@"), place),
            None => (format!("{MASK}@"), place),
        },
        // Without an @, what follows a colon may be a password whose host was forgotten.
        None if rest.contains(':') && !rest.starts_with('[') => return format!("{scheme}://…"),
        None => (String::new(), rest),
    };
    let place = place.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{user}{place}")
}

fn is_scheme(text: &str) -> bool {
    [
        "redis",
        "rediss",
        "unix",
        "redis+unix",
        "valkey",
        "valkeys",
        "valkey+unix",
        "http",
        "https",
        "tcp",
        "kafka",
    ]
    .contains(&text)
}

const EXPECTED: &str = "expected redis://[user:password@]host[:port][/database], unix:///path/to.sock or \
                        kafka://host:port[,host:port…]";
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

/// Undoes percent encoding.
fn decode(text: &str) -> Option<String> {
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
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_as_redis_users_write_them() {
        let check = |url: &str, location: Location, settings: &[(&'static str, &str)]| {
            let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            assert_eq!(RedisUrl::parse(url), Ok(RedisUrl { location, settings }), "{url}");
        };
        let local = |port| Location::Address("127.0.0.1".parse().unwrap(), port);
        let name = |port| Location::Name("redis.example".into(), port);
        let socket = |path: &str| Location::Path(path.into());
        check("redis://127.0.0.1", local(6379), &[]);
        check("redis://", local(6379), &[]);
        check("valkey://:6380", local(6380), &[]);
        check("redis://127.0.0.1:7000/3", local(7000), &[("database", "3")]);
        check("redis://:secret@redis.example", name(6379), &[("password", "secret")]);
        let decoded = [("username", "bot"), ("password", "s@c:ret")];
        check("redis://bot:s%40c%3aret@redis.example:1/", name(1), &decoded);
        check("redis://:a@b/c#d:e@redis.example", name(6379), &[("password", "a@b/c#d:e")]);
        check("redis://[::1]:9?db=2", Location::Address("::1".parse().unwrap(), 9), &[("database", "2")]);
        check("unix:///run/redis.sock?db=1", socket("/run/redis.sock"), &[("database", "1")]);
        check("redis+unix://a:b@/r.sock", socket("/r.sock"), &[("username", "a"), ("password", "b")]);
        check("redis://?protocol=3&&protocol=resp2", local(6379), &[]);
        check("redis://?username=a&pass=b%26", local(6379), &[("username", "a"), ("password", "b&")]);
        check("redis://?clientName=x", local(6379), &[("client_name", "x")]);
    }

    #[test]
    fn times_as_other_clients_write_them() {
        let check = |option: &str, setting: &'static str, milliseconds: &str| {
            let expected = Ok(Some((setting, milliseconds.to_owned())));
            assert_eq!(read_option(option), expected, "{option}");
        };
        check("socket_timeout=5", "reply_timeout_ms", "5000");
        check("socket_timeout=0.25", "reply_timeout_ms", "250");
        check("read_timeout=1m1.5s", "reply_timeout_ms", "61500");
        check("timeout=2s", "reply_timeout_ms", "2000");
        check("socket_connect_timeout=.1", "connect_timeout_ms", "100");
        check("dial_timeout=500ms", "connect_timeout_ms", "500");
        check("dial_timeout=1us", "connect_timeout_ms", "1");
        check("health_check_interval=30", "ping_interval_ms", "30000");
        check("health_check_interval=999999999999999999999h", "ping_interval_ms", &u64::MAX.to_string());
    }
}
