//! One column of a line of comma-separated values.
//!
//! A field that begins with a double quote ends with one, and may hold commas and doubled quotes (RFC 4180, without
//! line breaks in a field: here a line is a message).

/// The UTF-8 byte order mark that some programs put before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A column, as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Counted from 0.
    Index(usize),
    /// As in the header line.
    Name(String),
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{}", index + 1),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

impl Column {
    /// The column's index; `None` if `header` has no column of that name.
    pub(crate) fn index(&self, header: &[u8]) -> Option<usize> {
        match self {
            Self::Index(index) => Some(*index),
            Self::Name(name) => {
                let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(header);
                fields(header).position(|field| field == name.as_bytes())
            }
        }
    }
}

/// The column's index.
///
/// # Errors
/// The header line has no such column; it says which it has.
pub(crate) fn find(column: &Column, header: &[u8]) -> Result<usize, String> {
    let missing = || format!("there is no column {column}; the header line has: {}", names(header));
    column.index(header).ok_or_else(missing)
}

/// The field with that index, from 0, without surrounding quotes and blanks; `None` if the line is shorter.
pub(crate) fn field(line: &[u8], index: usize) -> Option<&[u8]> {
    fields(line).nth(index)
}

/// The fields' names of a header line, for a message.
fn names(header: &[u8]) -> String {
    let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(header);
    let names: Vec<String> = fields(header).take(NAMES_SHOWN).map(crate::table::excerpt).collect();
    names.join(", ")
}

/// Enough for a person to recognise the file by.
const NAMES_SHOWN: usize = 20;

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = field_end(line);
        rest = line.get(end + 1..);
        let field = line[..end].trim_ascii();
        let unquoted = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\""));
        Some(unquoted.unwrap_or(field).trim_ascii())
    })
}

/// Where the first field of `line` ends: at a comma outside quotes, or at the line's end.
fn field_end(line: &[u8]) -> usize {
    // Only a quote at the start opens a quoted field; elsewhere it is an ordinary character.
    let is_quoted = line.trim_ascii_start().starts_with(b"\"");
    let mut is_inside = false;
    let end = line.iter().position(|byte| {
        is_inside ^= is_quoted && *byte == b'"';
        *byte == b',' && !is_inside
    });
    end.unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_at_commas_outside_quotes() {
        let cases: [(&str, &[&str]); 9] = [
            ("", &[""]),
            ("a,b,c", &["a", "b", "c"]),
            (" a , b ", &["a", "b"]),
            (",,", &["", "", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            (" \"a \"\" ,b\" ,c", &["a \"\" ,b", "c"]),
            ("5\" pipe,c", &["5\" pipe", "c"]),
            ("\"a,b", &["\"a,b"]),
            ("\"", &["\""]),
        ];
        for (line, expected) in cases {
            for (index, field_text) in expected.iter().enumerate() {
                assert_eq!(field(line.as_bytes(), index), Some(field_text.as_bytes()), "{line} {index}");
            }
            assert_eq!(field(line.as_bytes(), expected.len()), None, "{line}");
        }
    }

    #[test]
    fn a_column_is_found_by_name_or_number() {
        let header = b"\xef\xbb\xbfts_ns,\"symbol\", bid";
        let index = |name: &str| Column::Name(name.into()).index(header);
        assert_eq!(
            (index("ts_ns"), index("symbol"), index("bid"), index("ask")),
            (Some(0), Some(1), Some(2), None)
        );
        assert_eq!(Column::Index(7).index(b""), Some(7));
        assert_eq!(names(header), "ts_ns, symbol, bid");
    }
}
