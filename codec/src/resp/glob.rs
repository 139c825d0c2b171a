//! Channel patterns, matched exactly as the server matches them.

/// Groups of stars after which a pattern never matches. The server counts its recursion this way to stay safe
/// from abusive patterns (CVE-2024-31228); agreeing with it matters more than matching.
pub const GLOB_STARS_MAX: usize = 1000;

/// Whether `pattern` matches the whole of `text`, by the rules of `PSUBSCRIBE`, `KEYS` and `SCAN`.
///
/// | Pattern | Matches |
/// |---|---|
/// | `*` | any bytes, none included |
/// | `?` | any byte |
/// | `[abc]`, `[a-z]`, `[^a]` | a byte of the class, or not of it; a reversed range is turned round |
/// | `\x` | the byte `x`, in a class too |
///
/// The corners are the server's, as `stringmatchlen` of Redis 7 has them: a class without its `]` extends to
/// the pattern's end; a range takes whatever byte follows its dash, `]` included; ranges compare *signed*
/// bytes (as on x86-64); nothing but the empty pattern matches the empty text.
///
/// Iterative: each star only ever gives up its own shortest match, so the work is bounded by the product of
/// the lengths.
pub fn glob_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern_at, mut text_at) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    let mut star_groups = 0;
    while text_at < text.len() {
        if pattern.get(pattern_at) == Some(&b'*') {
            pattern_at += leading_stars(&pattern[pattern_at..]);
            if pattern_at == pattern.len() {
                return true;
            }
            star_groups += 1;
            if star_groups > GLOB_STARS_MAX {
                return false;
            }
            retry = Some((pattern_at, text_at));
            continue;
        }
        if let Some(len) = match_one(&pattern[pattern_at..], text[text_at]) {
            pattern_at += len;
            text_at += 1;
            continue;
        }
        match &mut retry {
            Some((behind_star, from)) => {
                *from += 1;
                (pattern_at, text_at) = (*behind_star, *from);
            }
            None => return false,
        }
    }
    if text.is_empty() {
        return pattern.is_empty();
    }
    // Every byte but a star needs a byte of text, so no earlier choice could do better.
    pattern_at + leading_stars(&pattern[pattern_at..]) == pattern.len()
}

fn leading_stars(pattern: &[u8]) -> usize {
    pattern.iter().take_while(|&&byte| byte == b'*').count()
}

/// If the first element of `pattern`, not a star, matches `byte`: the element's length.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => {
            let (matches, len) = match_class(class, byte);
            matches.then_some(1 + len)
        }
        [b'\\', escaped, ..] => (escaped == byte).then_some(2),
        [literal, ..] => (literal == byte).then_some(1),
    }
}

/// Whether the class (behind its `[`) holds `byte`, and the class's length up to and with its `]`.
fn match_class(class: &[u8], byte: u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class[at..] {
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [] => break,
            [from, b'-', to, ..] => {
                // The server's `char` is signed, and it swaps the ends of a reversed range.
                let (from, to, byte) = (from.cast_signed(), to.cast_signed(), byte.cast_signed());
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                at += 1;
            }
        }
    }
    (found != negated, at)
}
