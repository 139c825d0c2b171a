//! The report's writers on fixed results: what they write is committed beside them.
//!
//! After a change that is meant: `RINGWIRE_BLESS=1 cargo test -p ringwire-bench --test report`, and look at what changed.

mod kafka;
mod sample;

use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use ringwire_bench::report;
use ringwire_bench::results::{Figure, Results};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[track_caller]
fn check(name: &str, found: &str) {
    let path = golden(name);
    if std::env::var_os("RINGWIRE_BLESS").is_some() {
        std::fs::write(&path, found).expect("the golden file can be written");
    }
    let wanted = std::fs::read_to_string(&path).expect("the golden file is there");
    let differs = wanted.lines().zip(found.lines()).enumerate().find(|(_, (wanted, found))| wanted != found);
    if let Some((line, (wanted, found))) = differs {
        panic!("{name}:{}:\nwanted {wanted}\nfound  {found}", line + 1);
    }
    assert_eq!(wanted.lines().count(), found.lines().count(), "{name} has as many lines");
}

#[test]
fn every_writer_writes_what_is_committed() {
    let results = sample::results();
    check("report.txt", &report::table::render(&results));
    check("report.html", &report::html::render(&results));
    check("results.json", &report::json(&results).expect("it is written"));
    let mut histogram =
        Histogram::<u64>::new_with_bounds(1, 600_000_000_000, 3).expect("the bounds are in order");
    (1..=10_000).for_each(|at| histogram.saturating_record(at * 1_000));
    check("latencies.hgrm", &report::hdr::percentiles(&histogram, report::hdr::Unit::NANOSECONDS));
}

#[test]
fn the_json_holds_everything() {
    let results = sample::results();
    let text = report::json(&results).expect("it is written");
    let read: Results = serde_json::from_str(&text).expect("it is read");
    assert_eq!((&read.conditions, &read.contestants), (&results.conditions, &results.contestants));
    assert_eq!((&read.absent, &read.facts, &read.notes), (&results.absent, &results.facts, &results.notes));
    // The last digit of a number may be lost on the way through text.
    let near = |one: f64, other: f64| (one - other).abs() <= one.abs() * 1e-12;
    for (one, other) in read.cases.iter().zip(&results.cases) {
        assert_eq!((&one.id, one.cells.len()), (&other.id, other.cells.len()));
        for (one, other) in one.cells.iter().zip(&other.cells) {
            assert_eq!(
                (&one.label, &one.timeline, one.runs.len()),
                (&other.label, &other.timeline, other.runs.len())
            );
            assert!(
                one.curve.iter().zip(&other.curve).all(|(one, other)| near(one.ns, other.ns)),
                "{}",
                one.label
            );
            for figure in [Figure::P50, Figure::P99, Figure::Cpu, Figure::Rate] {
                let pairs = one.values(figure).into_iter().zip(other.values(figure));
                assert!(
                    pairs.clone().count() == one.values(figure).len()
                        && pairs.clone().all(|(one, other)| near(one, other))
                );
            }
        }
    }
    let verdicts = |it: &Results| it.goals.iter().map(|goal| goal.verdict).collect::<Vec<_>>();
    assert_eq!((read.cases.len(), verdicts(&read)), (results.cases.len(), verdicts(&results)));
}

/// What is between `begin` and `end`, each time.
fn parts<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    text.split(begin).skip(1).map(|it| it.split(end).next().unwrap_or_default()).collect()
}

#[test]
fn every_plot_has_axes_with_units_a_legend_and_conditions() {
    let page = report::html::render(&sample::results());
    let plots = parts(&page, "<svg ", "</svg>");
    // Percentiles, latency against rate, three time lines, the generators' lateness.
    assert_eq!(plots.len(), 6);
    for plot in plots {
        for label in ["x-label", "y-label"] {
            let texts = parts(plot, &format!("class=\"{label}\""), "</text>");
            let [text] = texts[..] else { panic!("one {label}: {texts:?}") };
            assert!(text.contains('(') && text.contains(')'), "the {label} has a unit: {text}");
        }
        let legend = parts(plot, "<g class=\"legend\">", "</g>");
        let lines = legend.first().map_or(0, |it| it.matches("<text").count());
        let drawn =
            plot.split("<g class=\"legend\">").next().unwrap_or_default().matches("class=\"line\"").count();
        assert!(lines > 0 && lines == drawn, "every line is in the legend: {lines} of {drawn}");
        let conditions = parts(plot, "class=\"conditions\"", "</text>").join("\n");
        for part in
            ["redis-server 7.0.15", "2026-11-21", "Some CPU", "Linux 6.18", "seed 7", "ringwire bench"]
        {
            assert!(conditions.contains(part), "{part} is under the plot: {conditions}");
        }
        assert!(plot.contains("<title>") && !plot.contains("NaN") && !plot.contains("inf"), "{plot}");
    }
}

#[test]
fn the_page_stands_alone_and_is_well_formed() {
    let page = report::html::render(&sample::results());
    for outside in ["http:", "https:", "src=", "@import", "url(", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in ["table", "tr", "td", "svg", "figure", "g", "p", "h2", "h3", "ul", "li", "text", "style"] {
        let (opened, closed) = (
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count(),
            page.matches(&format!("</{tag}>")).count(),
        );
        assert_eq!(opened, closed, "{tag}");
    }
    assert!(page.contains("&lt;angles&gt; &amp;") && !page.contains("<angles>"), "texts are escaped");
}

#[test]
fn invalid_runs_and_absent_clients_are_named_in_every_output() {
    let results = sample::results();
    let outputs = [
        report::table::render(&results),
        report::html::render(&results),
        report::json(&results).expect("it is written"),
    ];
    for output in &outputs {
        assert!(output.contains("the generator was late"), "{output}");
        assert!(output.contains("bench/peers/install fred"), "{output}");
        assert!(output.contains("does not hold 100000/s"), "{output}");
    }
    assert!(outputs[..2].iter().all(|it| it.contains("INVALID 2 of 3")));
    // A goal is not judged by a contestant most of whose runs are invalid.
    let goal = results.goals.iter().find(|goal| goal.name.contains("best client")).expect("it is there");
    assert_eq!(goal.verdict.text(), "not measured", "{goal:?}");
    let judged = |name: &str| {
        let goal = results.goals.iter().find(|goal| goal.name.contains(name)).expect("it is there");
        goal.verdict.text()
    };
    assert_eq!(judged("p50 beside the floor"), "PASS");
    assert_eq!(judged("null endpoint: p50"), "FAIL", "34 beside 25 ns, net of the timer");
    assert_eq!(judged("redis-benchmark"), "PASS");
    assert_eq!(judged("resident memory"), "PASS");
    assert_eq!(judged("allocations"), "PASS");
    assert_eq!(judged("two shards"), "not measured");
    // Beside 600 ns of rd_kafka_produce, net: 33 ns at p50 and 14 times less at p99; flat out 2.5 ns more than Rust, net of the loops.
    assert_eq!(judged("rw_publish: p50 beside rd_kafka_produce"), "PASS");
    assert_eq!(judged("rw_publish: p99 beside rd_kafka_produce"), "FAIL");
    assert_eq!(judged("rw_publish: p50 beside a bare rtrb ring"), "PASS");
    assert_eq!(judged("rw_publish flat out"), "PASS");
}
