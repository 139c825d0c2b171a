//! Channel patterns. Every row agrees with `PUBSUB CHANNELS` of a Redis 7.0.15.

use ringwire_codec::resp::{GLOB_STARS_MAX, glob_match};

#[track_caller]
fn check(pattern: &[u8], matching: &[&[u8]], others: &[&[u8]]) {
    for (texts, expected) in [(matching, true), (others, false)] {
        for text in texts {
            let shown = (pattern.escape_ascii(), text.escape_ascii());
            assert_eq!(glob_match(pattern, text), expected, "\"{}\" and \"{}\"", shown.0, shown.1);
        }
    }
}

#[test]
fn literals_and_wildcards() {
    check(b"", &[b""], &[b"a"]);
    check(
        b"quotes.EURUSD",
        &[b"quotes.EURUSD"],
        &[b"quotes.EURUS", b"quotes.EURUSDX", b"Quotes.EURUSD", b""],
    );
    check(b"a?c", &[b"abc", b"a?c", b"a\xffc"], &[b"ac", b"abbc"]);
    check(b"quotes.*", &[b"quotes.", b"quotes.x", b"quotes.*"], &[b"quotes", b"xquotes.x"]);
    check(b"*.EURUSD", &[b".EURUSD", b"a.b.EURUSD", b".EURUSD.EURUSD"], &[b"EURUSD", b".EURUSD."]);
    check(b"a*b*c", &[b"abc", b"aXbYc", b"abbcc", b"abcbc"], &[b"ab", b"acb", b"abcX"]);
    check(b"*a*", &[b"a", b"bab"], &[b"", b"b"]);
    check(b"a**b", &[b"ab", b"axb"], &[b"a"]);
    check(b"a***", &[b"a", b"ab"], &[b"b"]);
    check(b"?*", &[b"a", b"ab"], &[b""]);
    check(b"*?", &[b"a", b"ab"], &[b""]);
    check(b"*aab", &[b"aab", b"aaab", b"abaab"], &[b"aabb", b"ab"]);
}

#[test]
fn only_the_empty_pattern_matches_the_empty_text() {
    check(b"*", &[b"a", b"*"], &[b""]);
    check(b"**", &[b"a"], &[b""]);
}

#[test]
fn classes() {
    check(b"[abc]x", &[b"ax", b"bx", b"cx"], &[b"dx", b"x", b"a", b"abx"]);
    check(b"[a-c]", &[b"a", b"b", b"c"], &[b"-", b"d", b""]);
    check(b"[c-a]", &[b"a", b"b", b"c"], &[b"-", b"d"]);
    check(b"[^a-c]", &[b"d", b"-", b"^"], &[b"a", b"c", b""]);
    check(b"[^^]", &[b"a"], &[b"^"]);
    check(b"[a^]", &[b"a", b"^"], &[b"b"]);
    check(b"[]", &[], &[b"", b"]", b"a"]);
    check(b"[]a]", &[], &[b"]", b"a", b"a]"]);
    check(b"[^]", &[b"a", b"]"], &[b"", b"ab"]);
    check(b"[a]]", &[b"a]"], &[b"a", b"]"]);
    check(b"[*?]", &[b"*", b"?"], &[b"a"]);
    check(b"[-a]", &[b"-", b"a"], &[b"b"]);
}

#[test]
fn escapes() {
    check(br"\*", &[b"*"], &[b"a", br"\*"]);
    check(br"a\?c", &[b"a?c"], &[b"abc"]);
    check(br"\[a]", &[b"[a]"], &[b"a"]);
    check(br"\\", &[br"\"], &[br"\\"]);
    check(br"\a", &[b"a"], &[br"\a"]);
    // At the pattern's end a backslash stands for itself.
    check(br"a\", &[br"a\"], &[b"a"]);
    check(br"[\]]", &[b"]"], &[br"\", br"\]"]);
    check(br"[\-a]", &[b"-", b"a"], &[br"\"]);
    check(br"[\^a]", &[b"^", b"a"], &[b"b"]);
    // An escaped byte begins no range.
    check(br"[\a-c]", &[b"a", b"-", b"c"], &[b"b"]);
    check(br"*\*", &[b"*", b"a*"], &[b"a"]);
}

#[test]
fn unterminated_classes_reach_to_the_end() {
    check(b"[abc", &[b"a", b"c"], &[b"[abc", b"d", b""]);
    check(b"[", &[], &[b"[", b""]);
    check(b"[^", &[b"a", b"^", b"["], &[b"", b"ab"]);
    check(b"[a-", &[b"a", b"-"], &[b"b"]);
    check(br"[\", &[br"\"], &[b"["]);
    check(br"[\a", &[b"a"], &[br"\", b"["]);
    // The range takes the bracket.
    check(b"[Z-]", &[b"Z", b"[", b"]"], &[b"-", b"Y"]);
    check(b"[Z-]a", &[b"Z", b"]", b"a"], &[b"Za", b"b"]);
    // The escape ends at the range's first byte: the range is from Z to the backslash.
    check(br"[Z-\]x", &[b"Zx", b"[x", br"\x"], &[b"]x", b"Z"]);
    check(b"*[a", &[b"a", b"ba"], &[b"b"]);
}

#[test]
fn ranges_compare_signed_bytes() {
    check(b"[a-\xff]", &[b"a", b"A", b"\x00", b"\xff"], &[b"b", b"\xfe", b"\x80"]);
    check(b"[\x7f-\x80]", &[b"a", b"\x00", b"\xff", b"\x80", b"\x7f"], &[b""]);
    check(b"[\x80-\xff]", &[b"\x80", b"\xc3", b"\xff"], &[b"a", b"\x7f"]);
}

#[test]
fn many_stars_end_soon() {
    // Exponential in a matcher that tries every star again.
    let text = vec![b'a'; 5_000];
    let mut pattern = b"a*".repeat(500);
    assert!(glob_match(&pattern, &text));
    pattern.push(b'b');
    assert!(!glob_match(&pattern, &text));
    let pattern = [b"*".repeat(100_000), b"b".to_vec()].concat();
    assert!(!glob_match(&pattern, &text));
}

#[test]
fn the_server_counts_groups_of_stars() {
    let text = vec![b'a'; 3 * GLOB_STARS_MAX];
    assert!(glob_match(&b"*a".repeat(GLOB_STARS_MAX), &text));
    assert!(glob_match(&b"**a".repeat(GLOB_STARS_MAX), &text));
    assert!(!glob_match(&b"*a".repeat(GLOB_STARS_MAX + 1), &text));
    // A star at the end is no further group.
    assert!(glob_match(&[b"*a".repeat(GLOB_STARS_MAX), b"*".to_vec()].concat(), &text));
}
