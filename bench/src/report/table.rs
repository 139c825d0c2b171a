//! The report on a terminal.

use std::fmt::Write;

use super::words::{columns, offered, remark};
use crate::results::{Case, Results};

/// Everything, in the order in which a reader wants it: what was promised, the comparisons, the conditions.
pub fn render(results: &Results) -> String {
    let mut out = String::new();
    for case in &results.cases {
        comparison(&mut out, case);
    }
    for fact in &results.facts {
        let value = fact.value.map_or_else(|| "not measured".to_owned(), |it| format!("{it} {}", fact.unit));
        line(&mut out, &format!("{}: {value} ({})\n", fact.name, fact.how));
    }
    goals(&mut out, results);
    conditions(&mut out, results);
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn comparison(out: &mut String, case: &Case) {
    line(out, &case.title);
    line(out, &format!("  {}", offered(case)));
    let columns = columns(case);
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    rows[0].extend(columns.iter().map(|column| column.heading().to_owned()));
    for cell in &case.cells {
        let mut row = vec![cell.label.clone()];
        for column in &columns {
            let (median, range) = column.text(cell);
            row.push(if range.is_empty() { median } else { format!("{median} ({range})") });
        }
        rows.push(row);
    }
    write_rows(out, &rows);
    for cell in &case.cells {
        let remark = remark(case, cell);
        if !remark.is_empty() {
            line(out, &format!("  ! {}: {remark}", cell.label));
        }
    }
    out.push('\n');
}

/// Columns as wide as their widest; the first to the left, the others to the right.
fn write_rows(out: &mut String, rows: &[Vec<String>]) {
    let count = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    for row in rows {
        let mut text = String::from(" ");
        for (at, cell) in row.iter().enumerate() {
            let width = widths[at];
            // Writing into a string does not fail.
            let _ = match at {
                0 => write!(text, " {cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        line(out, text.trim_end());
    }
}

fn goals(out: &mut String, results: &Results) {
    if results.goals.is_empty() {
        return;
    }
    line(out, "Goals");
    for goal in &results.goals {
        line(out, &format!("  {:<12} {}: {}", goal.verdict.text(), goal.name, goal.bound));
        line(out, &format!("  {:<12} {}", "", goal.found));
    }
    out.push('\n');
}

fn conditions(out: &mut String, results: &Results) {
    line(out, "Conditions");
    let conditions = &results.conditions;
    for (name, value) in conditions.lines() {
        line(out, &format!("  {name:<14} {value}"));
    }
    for one in &results.contestants {
        line(out, &format!("  {:<14} {}", one.name, one.version));
        one.settings.iter().for_each(|it| line(out, &format!("  {:<14} {it}", "")));
    }
    for one in &results.absent {
        line(out, &format!("  {:<14} absent: {}", one.name, one.why));
    }
    out.push('\n');
    results.notes.iter().for_each(|note| line(out, &format!("  * {note}")));
}
