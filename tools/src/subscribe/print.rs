//! How a message is printed: as a line of text, or as a line of JSON.

use serde::Serialize;

use crate::args::Pattern;

/// One message, and where it came from.
pub(super) struct Received<'a> {
    pub(super) channel: &'a [u8],
    pub(super) pattern: &'a Pattern,
    pub(super) payload: &'a [u8],
    /// Nanoseconds since 1970.
    pub(super) received_ns: u64,
}

/// A message as JSON. What is not UTF-8 has a `_base64` at the end of its name.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    received_ns: u64,
}

/// Something else than a message, as JSON: its key says what.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Notice<'a> {
    Gap { pattern: &'a str, reason: String, lost: u64, received_ns: u64 },
    Refused { pattern: &'a str, error: &'a str, received_ns: u64 },
}

impl Received<'_> {
    /// `channel payload`, with what would break the line or steer a terminal written as `\n`, `\r` or `\x1b`.
    pub(super) fn print(&self, buffer: &mut Vec<u8>) {
        escape(self.channel, buffer);
        buffer.push(b' ');
        escape(self.payload, buffer);
        buffer.push(b'\n');
    }

    pub(super) fn print_json(&self, buffer: &mut Vec<u8>) {
        let (channel, channel_base64) = text_or_base64(self.channel);
        let (payload, payload_base64) = text_or_base64(self.payload);
        let Pattern { text, is_glob } = self.pattern;
        let pattern = is_glob.then(|| String::from_utf8_lossy(text).into_owned());
        let received_ns = self.received_ns;
        print_json(
            &Message { channel, channel_base64, pattern, payload, payload_base64, received_ns },
            buffer,
        );
    }
}

/// Adds a value as a line of JSON.
pub(super) fn print_json(value: &impl Serialize, buffer: &mut Vec<u8>) {
    // A vector takes everything, and JSON every text and number.
    let _ = serde_json::to_writer(&mut *buffer, value);
    buffer.push(b'\n');
}

fn escape(bytes: &[u8], buffer: &mut Vec<u8>) {
    for run in bytes.split_inclusive(|byte| is_escaped(*byte)) {
        match run.split_last() {
            Some((last, rest)) if is_escaped(*last) => {
                buffer.extend_from_slice(rest);
                buffer.extend(std::ascii::escape_default(*last));
            }
            _ => buffer.extend_from_slice(run),
        }
    }
}

/// A backslash stands for itself: what is printed is for eyes and for `grep`, and JSON for programs.
fn is_escaped(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

fn text_or_base64(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(base64(bytes))),
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_padding = digit > group.len();
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if is_padding { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"fooba", "Zm9vYmE="),
            (b"foobar", "Zm9vYmFy"),
            (b"\xff\xfe\xfb", "//77"),
        ] {
            assert_eq!(base64(bytes), expected);
        }
    }

    #[test]
    fn a_message_is_one_line_whatever_it_holds() {
        let check = |payload: &[u8], text: &[u8], json: &str| {
            let pattern = Pattern { text: b"c*".to_vec(), is_glob: true };
            let received = Received { channel: b"ch", pattern: &pattern, payload, received_ns: 7 };
            let (mut line, mut object) = (Vec::new(), Vec::new());
            received.print(&mut line);
            received.print_json(&mut object);
            assert_eq!(line, [b"ch ", text, b"\n"].concat());
            let expected = format!("{{\"channel\":\"ch\",\"pattern\":\"c*\",{json},\"received_ns\":7}}\n");
            assert_eq!(String::from_utf8(object).unwrap(), expected);
        };
        check(b"", b"", r#""payload":"""#);
        check(b"a b\t\\", b"a b\t\\", r#""payload":"a b\t\\""#);
        check(b"a\r\nb\x1b[0m", br"a\r\nb\x1b[0m", r#""payload":"a\r\nb\u001b[0m""#);
        check("é".as_bytes(), "é".as_bytes(), r#""payload":"é""#);
        check(b"\xff\0", b"\xff\\x00", r#""payload_base64":"/wA=""#);
    }
}
