//! The report as one HTML page that needs nothing else.

use std::fmt::Write;

use super::svg::{Axis, Chart, Series, escaped, style};
use super::words::{columns, offered, remark, time};
use crate::goals::{FLOOR, OURS};
use crate::results::{Case, Cell, Figure, Point, Results, Verdict};
use crate::rig::thousands;

const CSS: &str = include_str!("report.css");

/// Heights of plots in pixels.
const TALL: f64 = 360.0;
const LOW: f64 = 120.0;

/// The whole page.
pub fn render(results: &Results) -> String {
    let mut out = String::new();
    let conditions = &results.conditions;
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    // Writing into a string does not fail: here and below.
    let _ = writeln!(
        out,
        "<title>Ringwire, measured {}</title>\n<style>\n{CSS}</style>\n</head>\n<body>",
        escaped(&conditions.date)
    );
    let _ = writeln!(out, "<h1>Ringwire beside its floor and its peers</h1>");
    let _ = writeln!(out, "<p class=\"lead\">{}</p>", escaped(&short_conditions(results)));
    percentiles(&mut out, results);
    goals(&mut out, results);
    sweep(&mut out, results);
    timelines(&mut out, results);
    lateness(&mut out, results);
    out.push_str("<h2>All comparisons</h2>\n");
    out.push_str("<p>Medians of the repetitions, with the lowest and the highest under them.</p>\n");
    results.cases.iter().for_each(|case| comparison(&mut out, case));
    facts(&mut out, results);
    contestants(&mut out, results);
    reading(&mut out, results);
    out.push_str("</body>\n</html>\n");
    out
}

/// One line: where and when.
fn short_conditions(results: &Results) -> String {
    let it = &results.conditions;
    format!("{} · {} · {} · {} · seed {}", it.date, it.cpu, it.kernel, it.server, it.seed)
}

/// Under a plot: load, machine, versions, command.
fn plot_conditions(results: &Results, case: &Case) -> Vec<String> {
    let it = &results.conditions;
    vec![
        offered(case),
        format!("{} · {} · {}", it.cpu, it.kernel, it.cores),
        format!("{} · ringwire {} · {} · seed {}", it.date, it.version, it.server, it.seed),
        it.command.clone(),
    ]
}

fn figure(out: &mut String, heading: &str, words: &str, charts: &[Chart]) {
    let _ = writeln!(out, "<h2>{}</h2>\n<p>{}</p>", escaped(heading), escaped(words));
    for chart in charts {
        let _ = writeln!(out, "<figure>\n{}</figure>", chart.render());
    }
}

/// A mark on an axis of microseconds, in the unit that suits it.
fn mark(us: f64) -> String {
    let text = time(us * 1_000.0);
    let (digits, unit) = text.split_once(' ').unwrap_or((&text, ""));
    // Marks are powers of ten.
    format!("{} {unit}", digits.split('.').next().unwrap_or(digits))
}

/// Latency at rising percentiles, for the highest rate first.
fn percentiles(out: &mut String, results: &Results) {
    let latency: CurveOf = |cell| &cell.curve;
    for case in results.cases.iter().rev().filter(|case| case.id.starts_with("ack-")) {
        if let Some(chart) = percentile_chart(results, case, "latency", latency) {
            let words = "From the time at which a message was due to the answer that the application sees. The axis \
                         stretches the tail: each mark is ten times rarer than the one before it.";
            figure(out, &case.title, words, &[chart]);
        }
    }
    for case in results.cases.iter().filter(|case| case.id == "subscribe") {
        if let Some(chart) = percentile_chart(results, case, "latency", latency) {
            let words = "From the time at which a message was due to the subscriber's handler.";
            figure(out, &case.title, words, &[chart]);
        }
    }
}

/// The machine's part in the tails: how late the generators were, in the very runs of the plots above.
fn lateness(out: &mut String, results: &Results) {
    let ack = results.cases.iter().rfind(|case| case.id.starts_with("ack-"));
    let charts = ack.into_iter().chain(results.case("subscribe")).filter_map(|case| {
        let mut chart = percentile_chart(results, case, "lateness", |cell| &cell.late_curve)?;
        chart.name = format!("How late messages were handed over: {}", case.title);
        Some(chart)
    });
    let charts: Vec<Chart> = charts.collect();
    if charts.is_empty() {
        return;
    }
    let words = "From the time at which a message was due to the time at which it was handed over, in the same runs as above: \
                 pauses of the host, wake-ups of those that sleep until a message is due, and a client that holds its \
                 caller up. It is part of the latency. ringwire and the floor hand over, send and receive in one thread where they \
                 are asked for acknowledgements: there the work for the message before makes the next one late as well. To \
                 subscribers all is handed over by one and the same publisher, so that only the machine differs.";
    figure(out, "The machine in the same seconds", words, &charts);
}

/// Which of a cell's curves.
type CurveOf = fn(&Cell) -> &Vec<Point>;

fn percentile_chart(results: &Results, case: &Case, what: &str, curve: CurveOf) -> Option<Chart> {
    let decades = |quantile: f64| -(1.0 - quantile).log10();
    let series: Vec<Series> = case
        .cells
        .iter()
        .filter(|cell| !curve(cell).is_empty())
        .map(|cell| Series {
            name: name(cell),
            points: curve(cell).iter().map(|it| (decades(it.quantile), it.ns / 1_000.0)).collect(),
            style: style(&cell.contestant),
            has_dots: false,
        })
        .collect();
    let (low, high) = bounds(&series)?;
    let last = series.iter().flat_map(|it| &it.points).map(|it| it.0).fold(0.0, f64::max);
    let marks = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"];
    let ticks = marks.iter().enumerate().map(|(at, mark)| (at as f64, (*mark).to_owned()));
    let x = Axis {
        label: "percentile of all messages (%)".into(),
        low: 0.0,
        high: last.max(1.0),
        is_log: false,
        ticks: ticks.take_while(|(at, _)| *at <= last.max(1.0)).collect(),
    };
    let y = Axis::log(&format!("{what} (ns, µs, ms as marked)"), low, high, mark);
    let conditions = plot_conditions(results, case);
    Some(Chart { name: case.title.clone(), x, y, series, conditions, height: TALL })
}

/// A line's name: invalid cells are named so.
fn name(cell: &Cell) -> String {
    let mark = if cell.is_invalid() { " (INVALID)" } else { "" };
    format!("{}{mark}", cell.contestant)
}

/// The lowest and the highest value above 0.
fn bounds(series: &[Series]) -> Option<(f64, f64)> {
    let values = series.iter().flat_map(|it| &it.points).map(|it| it.1).filter(|it| *it > 0.0);
    let (low, high) =
        values.fold((f64::INFINITY, 0.0), |(low, high), it| (f64::min(low, it), f64::max(high, it)));
    (high > 0.0).then_some((low, high))
}

/// Latency against offered rate: p50 and p99 of each contestant.
fn sweep(out: &mut String, results: &Results) {
    let Some(case) = results.case("rates") else { return };
    let mut names: Vec<&str> = case.cells.iter().map(|cell| cell.contestant.as_str()).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    let line = |name: &str, figure: Figure, words: &str, dashes: &'static str| {
        let cells = case.cells.iter().filter(|cell| cell.contestant == name);
        let point =
            |cell: &Cell| Some((cell.load.rate as f64 / 1_000.0, cell.spread(figure)?.median / 1_000.0));
        Series {
            name: format!("{name} {words}"),
            points: cells.filter_map(point).collect(),
            style: super::svg::Style { dashes, ..style(name) },
            has_dots: true,
        }
    };
    let series: Vec<Series> = names
        .iter()
        .flat_map(|name| [line(name, Figure::P99, "p99", ""), line(name, Figure::P50, "p50", "3 3")])
        .filter(|it| !it.points.is_empty())
        .collect();
    let Some((low, high)) = bounds(&series) else { return };
    let rate = series.iter().flat_map(|it| &it.points).map(|it| it.0).fold(0.0, f64::max);
    let chart = Chart {
        name: case.title.clone(),
        x: Axis::linear("offered rate (thousand messages/s)", rate, |it| thousands(it as u64)),
        y: Axis::log("latency (ns, µs, ms as marked)", low, high, mark),
        series,
        conditions: plot_conditions(results, case),
        height: TALL * 0.8,
    };
    let words = "A line ends where its contestant no longer holds the rate. Medians of the repetitions.";
    figure(out, &case.title, words, &[chart]);
}

/// The worst latency in each slice, for ours, the floor and the best of the others.
fn timelines(out: &mut String, results: &Results) {
    let Some(case) = results.cases.iter().rfind(|case| case.id.starts_with("ack-")) else { return };
    let p99 = |cell: &&Cell| cell.spread(Figure::P99).map_or(f64::INFINITY, |it| it.median);
    let is_other = |cell: &&Cell| ![OURS, FLOOR, "null", "null-sleep"].contains(&cell.contestant.as_str());
    let best = case.cells.iter().filter(is_other).min_by(|one, other| p99(one).total_cmp(&p99(other)));
    let named = [OURS, FLOOR].map(|name| case.cells.iter().find(|cell| cell.label == name));
    let cells = named.into_iter().chain([best]).flatten();
    let lines: Vec<(Series, f64)> = cells
        .filter_map(|cell| {
            let line = cell.timeline.as_ref()?;
            let at = |slice: usize| slice as f64 * line.slice_ms / 1_000.0;
            let points = line.worst_ns.iter().enumerate().filter(|(_, ns)| **ns > 0);
            let points = points.map(|(slice, ns)| (at(slice), *ns as f64 / 1_000.0)).collect();
            let style = super::svg::Style { width: 1.0, dashes: "", ..style(&cell.contestant) };
            let series = Series { name: cell.label.clone(), points, style, has_dots: false };
            Some((series, line.slice_ms))
        })
        .collect();
    let all: Vec<f64> = lines.iter().flat_map(|(it, _)| &it.points).map(|it| it.1).collect();
    let (low, high) =
        all.iter().fold((f64::INFINITY, 0.0), |(low, high), it| (f64::min(low, *it), f64::max(high, *it)));
    if high == 0.0 {
        return;
    }
    let charts: Vec<Chart> = lines
        .into_iter()
        .map(|(series, slice_ms)| {
            let end = series.points.last().map_or(1.0, |it| it.0);
            Chart {
                name: format!("Worst latency over time, {}", series.name),
                x: Axis::linear("time in the run (s)", end, |it| format!("{it:.2}")),
                // The same for all, so that they can be compared.
                y: Axis::log("worst latency (µs, ms)", low, high, mark),
                conditions: [vec![format!("worst of each {slice_ms:.0} ms")], plot_conditions(results, case)]
                    .concat(),
                series: vec![series],
                height: LOW,
            }
        })
        .collect();
    let words = "Each point is the slowest message of its slice, in the repetition with the median p99. The runs were \
                 made one after the other: a pause of the machine that hits one need not hit another.";
    figure(out, "The worst milliseconds", words, &charts);
}

fn goals(out: &mut String, results: &Results) {
    if results.goals.is_empty() {
        return;
    }
    out.push_str("<h2>Goals</h2>\n<table class=\"goals\">\n<tr><th></th><th>promised</th><th>bound</th><th>found</th></tr>\n");
    for goal in &results.goals {
        let class = match goal.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::NotMeasured => "none",
        };
        let _ = writeln!(
            out,
            "<tr><td><span class=\"{class}\">{}</span></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            goal.verdict.text(),
            escaped(&goal.name),
            escaped(&goal.bound),
            escaped(&goal.found)
        );
    }
    out.push_str("</table>\n");
}

fn comparison(out: &mut String, case: &Case) {
    let _ = writeln!(out, "<h3>{}</h3>\n<p>{}</p>\n<table>", escaped(&case.title), escaped(&offered(case)));
    let columns = columns(case);
    out.push_str("<tr><th></th>");
    for column in &columns {
        let _ = write!(out, "<th class=\"n\">{}</th>", column.heading());
    }
    out.push_str("<th></th></tr>\n");
    for cell in &case.cells {
        let class = if cell.is_invalid() {
            " class=\"invalid\""
        } else if cell.contestant == OURS {
            " class=\"ours\""
        } else {
            ""
        };
        let _ = write!(out, "<tr{class}><td>{}</td>", escaped(&cell.label));
        for column in &columns {
            let (median, range) = column.text(cell);
            let _ =
                write!(out, "<td class=\"n\">{}<small>{}</small></td>", escaped(&median), escaped(&range));
        }
        let _ = writeln!(out, "<td class=\"remark\">{}</td></tr>", escaped(&remark(case, cell)));
    }
    out.push_str("</table>\n");
}

fn facts(out: &mut String, results: &Results) {
    for fact in &results.facts {
        let value = fact.value.map_or_else(|| "not measured".to_owned(), |it| format!("{it} {}", fact.unit));
        let _ = writeln!(
            out,
            "<p><b>{}</b>: {} ({})</p>",
            escaped(&fact.name),
            escaped(&value),
            escaped(&fact.how)
        );
    }
}

fn contestants(out: &mut String, results: &Results) {
    out.push_str("<h2>Contestants</h2>\n<table>\n<tr><th></th><th>version</th><th>set up</th></tr>\n");
    for one in &results.contestants {
        let settings = one.settings.iter().map(|it| escaped(it)).collect::<Vec<_>>().join("<br>");
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{settings}</td></tr>",
            escaped(&one.name),
            escaped(&one.version)
        );
    }
    for one in &results.absent {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>absent</td><td>{}</td></tr>",
            escaped(&one.name),
            escaped(&one.why)
        );
    }
    out.push_str("</table>\n");
}

fn reading(out: &mut String, results: &Results) {
    out.push_str("<h2>Conditions</h2>\n<table class=\"conditions\">\n");
    for (name, value) in results.conditions.lines() {
        let _ = writeln!(out, "<tr><td>{}</td><td>{}</td></tr>", escaped(name), escaped(&value));
    }
    noise(out, results);
    out.push_str("</table>\n<h2>How to read this</h2>\n<ul>\n");
    for note in &results.notes {
        let _ = writeln!(out, "<li>{}</li>", escaped(note));
    }
    out.push_str("</ul>\n");
}

/// The machine's own noise over all runs.
fn noise(out: &mut String, results: &Results) {
    let runs = || results.cases.iter().flat_map(|case| &case.cells).flat_map(|cell| &cell.runs);
    let gaps = || runs().flat_map(|run| [run.noise.before, run.noise.after]);
    let steal_ms: u64 = runs().map(|run| run.noise.steal_ms).sum();
    let longest = gaps().map(|it| it.longest_ns).max().unwrap_or(0);
    let (count, looks) = (gaps().map(|it| it.count).sum::<u64>(), gaps().count());
    let waited = runs().map(|run| run.noise.waited_ns).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "<tr><td>noise</td><td>{} ms stolen by the hypervisor during {} runs; {count} gaps of 10 µs and more in {looks} \
         looks of 20 ms between them, the longest {}; a contestant waited up to {} for its core in one run</td></tr>",
        thousands(steal_ms),
        runs().count(),
        escaped(&time(longest as f64)),
        escaped(&time(waited as f64))
    );
}
