//! Numbers and tables for people.

use std::fmt::Write;

use crate::latency::Percentiles;

/// What is quoted of a text that came from a file.
const EXCERPT_CHARS: usize = 40;

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 gap`, `1,234 gaps`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Nanoseconds with three significant digits and their unit: `61.4 µs`.
pub(crate) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..999_500 => (ns as f64 / 1e3, "µs"),
        999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// The same of a value that may be missing.
pub(crate) fn latency(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), duration)
}

/// A piece of a file, quotable in a message: printable, and not long.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * EXCERPT_CHARS)]);
    let mut shown: String =
        text.chars().take(EXCERPT_CHARS).map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect();
    if text.chars().count() > EXCERPT_CHARS {
        shown.push('…');
    }
    shown
}

/// One line for each number: its name, the number and a remark.
pub(crate) fn counts(rows: &[(&str, u64, String)]) -> String {
    let mut text = String::new();
    for (name, number, remark) in rows {
        let line = format!("  {name:<12}{:>14}  {remark}", grouped(*number));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// One line for each row, with two blanks between columns as wide as their widest cell.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// One line for each histogram under a line of percentiles.
pub(crate) fn latencies(title: &str, rows: &[(&str, Percentiles)]) -> String {
    let mut text = String::new();
    let width =
        rows.iter().map(|(name, _)| name.chars().count()).chain([title.chars().count()]).max().unwrap_or(0);
    let mut line = |name: &str, cells: [String; 4]| {
        let [p50, p99, p999, max] = cells;
        let _ = writeln!(text, "  {name:<width$}{p50:>11}{p99:>11}{p999:>11}{max:>11}");
    };
    line(title, ["p50", "p99", "p99.9", "max"].map(str::to_owned));
    for (name, shown) in rows {
        line(name, [shown.p50, shown.p99, shown.p999, shown.max].map(latency));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")];
        for (number, expected) in cases {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!([0, 1, 1_000].map(|number| counted(number, "gap")), ["0 gaps", "1 gap", "1,000 gaps"]);
    }

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (61_440, "61.4 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1.00 s"),
            (3_600_000_000_000, "3600 s"),
        ];
        for (ns, expected) in cases {
            assert_eq!(duration(ns), expected, "{ns}");
        }
    }

    #[test]
    fn what_is_quoted_is_short_and_printable() {
        assert_eq!(excerpt(b"1577916000"), "1577916000");
        assert_eq!(excerpt(b"a\x1b[31m\xff\0"), "a\u{fffd}[31m\u{fffd}\u{fffd}");
        assert_eq!(excerpt(&[b'x'; 500]).chars().count(), EXCERPT_CHARS + 1);
    }

    #[test]
    fn tables_are_aligned() {
        let shown = Percentiles { p50: Some(61_440), p99: Some(92_000), p999: None, max: Some(1_230_000) };
        let text = latencies("latency", &[("to the acknowledgement", shown), ("b", Percentiles::default())]);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        assert!(text.contains("61.4 µs") && text.contains("1.23 ms"), "{text}");
        let rows = [["a", "bc", ""], ["µµµ", "d", "e"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), ["a    bc\n", "µµµ  d   e\n"]);
        assert_eq!(counts(&[("accepted", 200_000, String::new())]), "  accepted           200,000\n");
    }
}
