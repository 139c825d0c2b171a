//! Patterns as the server matches them, against ours.

use ringwire::glob_match;

use crate::client::Client;
use crate::server::Server;

const PATTERNS: &[&str] = &[
    "*",
    "**",
    "a*",
    "*a",
    "*a*",
    "a*b*c",
    "a**c",
    "?",
    "??",
    "a?c",
    "?*",
    "*?",
    "[abc]",
    "[^abc]",
    "[a-c]",
    "[c-a]",
    "[^a-c]x",
    "[a-]",
    "[-a]",
    "[]",
    "[]a]",
    "[^]",
    "[^]a]",
    "[a",
    "[a-",
    "[^",
    "[",
    "a[",
    "[\\]]",
    "[\\-]",
    "[a\\-c]",
    "\\*",
    "\\?",
    "\\[",
    "\\\\",
    "\\",
    "a\\",
    "a\\b",
    "*\\",
    "fx.*",
    "fx.eur???",
    "fx.[eu]*",
    "h[^e]llo",
    "h[a-b]llo",
    "*.*.*",
    "a*a*a*a*b",
    "]",
    "^",
    "-",
    "[\\",
    "[^\\",
    "[a-\\]",
    "*[",
    "?[a-c]*[^x]",
    "",
];

const CHANNELS: &[&str] = &[
    "",
    "a",
    "b",
    "c",
    "x",
    "aa",
    "ab",
    "ac",
    "abc",
    "aXc",
    "abbbc",
    "a-c",
    "-",
    "]",
    "[",
    "^",
    "\\",
    "*",
    "?",
    "a]",
    "a[",
    "a\\",
    "ab\\",
    "fx.eurusd",
    "fx.usdjpy",
    "fx.",
    "fx",
    "hello",
    "hallo",
    "hbllo",
    "a.b.c",
    "aaaaaaaaaaab",
    "aaaaaaaaaaaa",
    "bx",
    "dx",
    "\u{e9}",
    "a\r\nb",
];

/// What generated patterns and channels are made of: all that means something, and three letters.
const ALPHABET: &[u8] = b"abc*?[]^-\\\xe9";
const GENERATED: usize = 1_500;
const CHANNELS_PER_PATTERN: usize = 12;
const LEN_MAX: u64 = 7;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// xorshift64*: the same patterns in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn text(&mut self) -> Vec<u8> {
        let len = self.below(LEN_MAX + 1);
        (0..len).map(|_| ALPHABET[self.below(ALPHABET.len() as u64) as usize]).collect()
    }
}

/// Subscribes to one pattern and publishes to each channel: as many receivers as we say. Answers how many matched.
fn compare(listener: &mut Client, speaker: &mut Client, pattern: &[u8], channels: &[Vec<u8>]) -> usize {
    listener.send(&[b"PSUBSCRIBE", pattern]);
    assert_eq!(kind(listener), b"psubscribe");
    let mut matched = 0;
    for channel in channels {
        speaker.send(&[b"PUBLISH", channel, b"x"]);
    }
    for channel in channels {
        let answer = speaker.next(crate::client::words).expect("the server answers");
        let expected = u8::from(glob_match(pattern, channel)).to_string();
        let (pattern, channel) = (pattern.escape_ascii(), channel.escape_ascii());
        assert_eq!(answer, expected, "receivers of \"{channel}\" by \"{pattern}\"");
        matched += usize::from(answer == "1");
    }
    listener.send(&[b"PUNSUBSCRIBE", pattern]);
    for _ in 0..matched {
        assert_eq!(kind(listener), b"pmessage");
    }
    assert_eq!(kind(listener), b"punsubscribe");
    matched
}

fn kind(client: &mut Client) -> Vec<u8> {
    let kind = client.next(|frame| {
        frame.item(0).as_ref().and_then(ringwire_codec::resp::Token::bytes).map(<[u8]>::to_vec)
    });
    kind.expect("the server answers").expect("a subscriber is sent arrays of texts")
}

#[test]
fn a_table_of_patterns_and_channels() {
    let server = Server::start();
    let (mut listener, mut speaker) = (Client::connect(&server), Client::connect(&server));
    let channels: Vec<Vec<u8>> = CHANNELS.iter().map(|name| name.as_bytes().to_vec()).collect();
    let matched: usize = PATTERNS
        .iter()
        .map(|pattern| compare(&mut listener, &mut speaker, pattern.as_bytes(), &channels))
        .sum();
    let pairs = PATTERNS.len() * CHANNELS.len();
    assert!((pairs / 20..pairs / 2).contains(&matched), "{matched} of {pairs} match: too one-sided to tell");
}

#[test]
fn generated_patterns_and_channels() {
    let server = Server::start();
    let (mut listener, mut speaker) = (Client::connect(&server), Client::connect(&server));
    let mut random = Random(SEED);
    let mut matched = 0;
    for _ in 0..GENERATED {
        let pattern = random.text();
        let channels: Vec<Vec<u8>> = (0..CHANNELS_PER_PATTERN).map(|_| random.text()).collect();
        matched += compare(&mut listener, &mut speaker, &pattern, &channels);
    }
    assert!(matched > GENERATED / 10, "{matched} matches are too few to tell");
}
