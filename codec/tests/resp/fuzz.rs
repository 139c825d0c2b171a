//! Fuzz bodies, as plain functions of bytes, and a seeded smoke run of each.

use ringwire_codec::resp::{FrameReader, Limits, glob_match};

use crate::feed::{decode, decode_whole, frames};
use crate::random::Random;

/// Inputs per body: together a second or two of a test run.
const ROUNDS: u64 = 200_000;

/// Tokens do not depend on how the bytes arrive; nothing panics, waits for what is there, or consumes more.
fn decoder_body(input: &[u8], limits: Limits, cut: usize) {
    let whole = decode_whole(input, limits);
    assert!(whole.frame_lens.iter().sum::<usize>() <= input.len());
    assert_eq!(decode(input, limits, [cut].into_iter()), whole, "cut at {cut}");
    assert_eq!(decode(input, limits, 0..input.len()), whole, "byte by byte");
}

/// Frames do not depend on it either, and hold what the tokens say.
fn frames_body(input: &[u8], limits: Limits, cut: usize) {
    let whole = frames(input, limits, [].into_iter());
    assert_eq!(frames(input, limits, [cut].into_iter()), whole, "cut at {cut}");
    assert_eq!(frames(input, limits, 0..input.len()), whole, "byte by byte");
    let decoded = decode_whole(input, limits);
    assert_eq!(whole.1, decoded.error);
    let lens: Vec<_> = whole.0.iter().filter(|frame| !frame.nested).map(|frame| frame.len).collect();
    assert_eq!(lens, decoded.frame_lens);
}

/// Never panics, and agrees with the definition.
fn glob_body(pattern: &[u8], text: &[u8]) {
    // Only the empty pattern matches the empty text.
    let defined = if text.is_empty() { pattern.is_empty() } else { matches_by_definition(pattern, text) };
    assert_eq!(glob_match(pattern, text), defined, "\"{}\"", text.escape_ascii());
}

/// Every star tries everything. For short patterns, and without classes.
fn matches_by_definition(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| matches_by_definition(rest, &text[at..])),
        ([b'?', rest @ ..], [_, text @ ..]) => matches_by_definition(rest, text),
        ([b'\\', escaped, rest @ ..], [byte, text @ ..]) => {
            escaped == byte && matches_by_definition(rest, text)
        }
        ([literal, rest @ ..], [byte, text @ ..]) => literal == byte && matches_by_definition(rest, text),
        _ => false,
    }
}

/// Pieces of frames, whole, half and wrong.
const PIECES: [&[u8]; 44] = [
    b"\r\n",
    b"\r",
    b"\n",
    b"*1\r\n",
    b"*2\r\n",
    b"*3\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*?\r\n",
    b"%1\r\n",
    b"%?\r\n",
    b"~2\r\n",
    b"~?\r\n",
    b">1\r\n",
    b">2\r\n",
    b">3\r\n",
    b">0\r\n",
    b">?\r\n",
    b"|1\r\n",
    b"|0\r\n",
    b"|?\r\n",
    b"$?\r\n",
    b";1\r\nx\r\n",
    b";0\r\n",
    b".\r\n",
    b":1\r\n",
    b":-12\r\n",
    b":1234567\r\n",
    b"+OK\r\n",
    b"-ERR a\r\n",
    b"$3\r\nabc\r\n",
    b"$0\r\n\r\n",
    b"$-1\r\n",
    b"!2\r\nab\r\n",
    b"=6\r\ntxt:ab\r\n",
    b"_\r\n",
    b"#t\r\n",
    b"#f\r\n",
    b",1.5\r\n",
    b",nan\r\n",
    b"(123\r\n",
    b"$7\r\nmessage\r\n",
    b"$2\r\na",
    b":",
];

/// A sequence of pieces, mutated once in a while.
fn random_input(random: &mut Random) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..1 + random.below(12) {
        input.extend_from_slice(random.pick::<&[u8]>(&PIECES));
    }
    for _ in 0..random.below(3) {
        let at = random.below(input.len());
        match random.below(4) {
            0 => input[at] = random.next() as u8,
            1 => input[at] = *random.pick(b"*$%~>|:+-_#,(!=;.?\r\n0123456789"),
            2 => input.truncate(at + 1),
            _ => input.insert(at, *random.pick(b"0123456789-+?\r\n")),
        }
    }
    input
}

fn random_limits(random: &mut Random) -> Limits {
    if random.once_in(2) {
        return Limits::default();
    }
    Limits {
        bulk_len_max: random.below(8),
        line_len_max: random.below(8),
        depth_max: random.below(5),
        frame_len_max: 4 + random.below(60),
    }
}

/// Prints the seed and the input of the round that fails.
struct Round<'a>(u64, &'a [u8]);

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: \"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

#[test]
fn decoder() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let input = random_input(random);
        let round = Round(seed, &input);
        decoder_body(round.1, random_limits(random), random.below(input.len() + 1));
    }
}

#[test]
fn decoder_on_noise() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let input = random.bytes(24);
        let round = Round(seed, &input);
        decoder_body(round.1, random_limits(random), random.below(input.len() + 1));
    }
}

#[test]
fn frame_reader() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let input = random_input(random);
        let round = Round(seed, &input);
        frames_body(round.1, random_limits(random), random.below(input.len() + 1));
    }
}

/// Even a caller that breaks the contract and shows fewer or other bytes gets no panic.
#[test]
fn a_changing_input() {
    let mut reader = FrameReader::new(Limits::default());
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let input = random_input(random);
        let _round = Round(seed, &input);
        match reader.next(&input[..random.below(input.len() + 1)]) {
            Ok(Some(frame)) => assert!(frame.tokens().count() <= frame.bytes().len()),
            Ok(None) => {}
            Err(_) => reader.reset(),
        }
    }
}

#[test]
fn glob() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let mut choose = |from: &[u8], len| -> Vec<u8> { (0..len).map(|_| *random.pick(from)).collect() };
        let pattern = choose(b"ab*?\\", (seed % 8) as usize);
        let text = choose(b"ab*\\", (seed / 8 % 8) as usize);
        let round = Round(seed, &pattern);
        glob_body(round.1, &text);
    }
}

/// With classes: a literal text is matched by itself escaped, and a star in front changes nothing.
#[test]
fn glob_on_noise() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let pattern: Vec<u8> = (0..random.below(12)).map(|_| *random.pick(b"a-^][\\*?\xff")).collect();
        let text = random.bytes(6);
        let _round = Round(seed, &pattern);
        let escaped: Vec<u8> = text.iter().flat_map(|&byte| [b'\\', byte]).collect();
        assert!(glob_match(&escaped, &text));
        if glob_match(&pattern, &text) && !text.is_empty() {
            assert!(glob_match(&[b"*", &pattern[..]].concat(), &text));
            assert!(glob_match(&[&b"?"[..], &pattern].concat(), &[&b"x"[..], &text].concat()));
        }
    }
}
