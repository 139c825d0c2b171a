//! A Kafka's bootstrap list: `host1:9092,host2:9092`, as `bootstrap.servers` and as what follows `kafka://`.

/// The port of a broker that is named without one.
const DEFAULT_KAFKA_PORT: u16 = 9092;
/// Any one broker tells of all others; whoever lists more has pasted something else.
const BROKERS_MAX: usize = 64;

/// What a Kafka's url begins with.
pub(super) const SCHEME: &str = "kafka://";

pub(super) const EXPECTED: &str = "expected host[:port][,host[:port]…], as in 10.0.0.5:9092,10.0.0.6:9092";

/// Host and port of each broker; the error says what is wrong, without quoting anything.
pub(super) fn parse(text: &str) -> Result<Vec<(String, u16)>, String> {
    let list = text.strip_prefix(SCHEME).unwrap_or(text);
    if list.contains("://") {
        return Err("expected brokers without a scheme: TLS and SASL are not built yet".to_owned());
    }
    if list.contains('@') {
        return Err("expected no user and password: SASL is not built yet".to_owned());
    }
    if list.contains('?') {
        return Err(
            "expected no ? in it: a Kafka's settings stand beside its url, as in acks = \"all\"".to_owned()
        );
    }
    let list = if text.len() == list.len() { list } else { list.strip_suffix('/').unwrap_or(list) };
    let brokers = list.split(',').map(str::trim).filter(|broker| !broker.is_empty());
    let brokers = brokers.map(broker).collect::<Result<Vec<_>, _>>()?;
    match brokers.len() {
        0 => Err(EXPECTED.to_owned()),
        1..=BROKERS_MAX => Ok(brokers),
        _ => Err(format!("expected at most {BROKERS_MAX} brokers: any one of them tells of all others")),
    }
}

fn broker(text: &str) -> Result<(String, u16), &'static str> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or("an IPv6 address stands in [brackets]")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("what stands in brackets is not an IPv6 address");
        }
        // The brackets stay: whoever connects takes them off.
        (&text[..host.len() + 2], rest.strip_prefix(':').or((!rest.is_empty()).then_some(rest)))
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err("an IPv6 address stands in [brackets]"),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !host.starts_with('[') && (host.is_empty() || !host.bytes().all(is_good)) {
        return Err(EXPECTED);
    }
    let Some(port) = port else { return Ok((host.to_owned(), DEFAULT_KAFKA_PORT)) };
    let port = port.parse().ok().filter(|port| *port != 0);
    Ok((host.to_owned(), port.ok_or("a port is a number from 1 to 65535")?))
}

/// The list, as `bootstrap.servers` writes it.
pub(super) fn joined(brokers: &[(String, u16)]) -> String {
    let brokers = brokers.iter().map(|(host, port)| format!("{host}:{port}"));
    brokers.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_kafka_users_write_them() {
        let check = |text: &str, expected: &str| {
            let found = parse(text).map(|brokers| joined(&brokers));
            assert_eq!(found.as_deref(), Ok(expected), "{text}");
        };
        check("h", "h:9092");
        check("10.0.0.5:9093", "10.0.0.5:9093");
        check(" a:1 , b:2,,c_d.e-f ,", "a:1,b:2,c_d.e-f:9092");
        check("kafka://a:1,b:2/", "a:1,b:2");
        check("[::1]:5,[fe80::1]", "[::1]:5,[fe80::1]:9092");
    }

    #[test]
    fn lists_that_are_none() {
        for text in [
            "",
            ",",
            "kafka://",
            "a:0",
            "a:65536",
            "a:b",
            "a b",
            ":9092",
            "::1",
            "[::1",
            "[h]:1",
            "[::1]x",
            "SASL_SSL://a:1",
            "u:p@a:1",
            "kafka://a?acks=1",
            "a/",
            "kafka://a/topic",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&vec!["a"; BROKERS_MAX + 1].join(",")).is_err());
    }
}
