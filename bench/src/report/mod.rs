//! What was found, written for people and for programs.
//!
//! ```text
//!   Results ──► table (terminal)   report.html   results.json
//!   latencies ──► CASE-CONTESTANT.hgrm (percentiles in µs)   CASE-CONTESTANT.hdr (a histogram for each repetition, ns)
//! ```

pub mod hdr;
pub mod html;
mod svg;
pub mod table;
mod words;

pub(crate) use words::time;

use std::fs;
use std::path::Path;

use crate::results::Results;
use crate::rig::{Recorded, RigError};

/// Writes everything into a folder that exists.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(folder: &Path, results: &Results, recorded: &[Recorded]) -> Result<(), RigError> {
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes)
            .map_err(|error| RigError::system(&format!("writing {}", path.display()), &error))
    };
    file("report.html", html::render(results).as_bytes())?;
    file("report.txt", table::render(results).as_bytes())?;
    file("results.json", json(results)?.as_bytes())?;
    for one in recorded {
        let unit = results.case(&one.case).map_or(hdr::Unit::NANOSECONDS, |case| hdr::Unit::of(case.mode));
        let name = format!("{}-{}", one.case, file_name(&one.label));
        file(&format!("{name}.hgrm"), hdr::percentiles(&hdr::pooled(&one.intervals), unit).as_bytes())?;
        file(&format!("{name}.hdr"), &hdr::log(&one.intervals, unit, &one.label)?)?;
        if !one.late.is_empty() {
            let late = hdr::percentiles(&one.late, hdr::Unit::NANOSECONDS);
            file(&format!("{name}-late.hgrm"), late.as_bytes())?;
        }
    }
    Ok(())
}

/// `results.json`.
///
/// # Errors
/// Never for results that the rig made.
pub fn json(results: &Results) -> Result<String, RigError> {
    let text = serde_json::to_string_pretty(results);
    text.map(|text| text + "\n").map_err(|error| RigError::system("writing results.json", &error))
}

/// A label as part of a file's name.
fn file_name(label: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() || it == '.' || it == '-' { Some(it) } else { None };
    let mut name = String::new();
    for it in label.chars() {
        match plain(it) {
            Some(it) => name.push(it),
            None if name.ends_with('-') || it == ',' => {}
            None => name.push('-'),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn labels_become_file_names() {
        let check = |label: &str, expected: &str| assert_eq!(file_name(label), expected);
        check("redis-rs", "redis-rs");
        check("ringwire, 16,384 B", "ringwire-16384-B");
        check("ringwire at 20,000/s", "ringwire-at-20000-s");
        check("../x", "..-x");
    }
}
