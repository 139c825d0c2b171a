//! Plots as inline SVG: axes with units, a legend, and the conditions under each.

use std::fmt::Write;

/// One plot.
pub(super) struct Chart {
    /// What a reader without eyes for it is told.
    pub(super) name: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    /// Lines under the plot.
    pub(super) conditions: Vec<String>,
    /// Of the plot alone, in pixels.
    pub(super) height: f64,
}

/// An axis from `low` to `high`.
pub(super) struct Axis {
    /// With its unit in brackets.
    pub(super) label: String,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) is_log: bool,
    /// Where a line and a text stand.
    pub(super) ticks: Vec<(f64, String)>,
}

/// One contestant's line.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) style: Style,
    pub(super) has_dots: bool,
}

/// How a contestant is drawn, the same in every plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub(super) color: &'static str,
    pub(super) width: f64,
    pub(super) dashes: &'static str,
}

/// Colours that people with any kind of sight tell apart (Okabe and Ito), ours the strongest.
const STYLES: [(&str, Style); 10] = [
    ("ringwire", Style { color: "#0072b2", width: 2.6, dashes: "" }),
    ("floor", Style { color: "#333333", width: 1.8, dashes: "6 3" }),
    ("null", Style { color: "#999999", width: 1.2, dashes: "1 3" }),
    ("null-sleep", Style { color: "#999999", width: 1.2, dashes: "5 3 1 3" }),
    ("redis-rs", Style { color: "#d55e00", width: 1.6, dashes: "" }),
    ("fred", Style { color: "#e69f00", width: 1.6, dashes: "" }),
    ("hiredis", Style { color: "#009e73", width: 1.6, dashes: "" }),
    ("rueidis", Style { color: "#cc79a7", width: 1.6, dashes: "" }),
    ("go-redis", Style { color: "#56b4e9", width: 1.6, dashes: "" }),
    ("redis-py", Style { color: "#8c7a00", width: 1.6, dashes: "" }),
];
const OTHERS: Style = Style { color: "#7a5195", width: 1.6, dashes: "2 2" };

pub(super) fn style(contestant: &str) -> Style {
    STYLES.iter().find(|(name, _)| *name == contestant).map_or(OTHERS, |(_, style)| *style)
}

/// The whole picture, in pixels; it shrinks with the page.
const WIDTH: f64 = 920.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 168.0;
const TOP: f64 = 14.0;
/// Ticks, the axis' name, and the conditions below.
const BOTTOM: f64 = 48.0;
const CONDITION_LINE: f64 = 14.0;
/// What fits into the width.
const CONDITION_CHARS_MAX: usize = 150;
const LEGEND_LINE: f64 = 21.0;

impl Axis {
    /// Powers of ten around `low` and `high`, which are above 0.
    pub(super) fn log(label: &str, low: f64, high: f64, tick: impl Fn(f64) -> String) -> Self {
        let first = low.log10().floor() as i32;
        let last = (high.log10().ceil() as i32).max(first + 1);
        let ticks = (first..=last).map(|power| 10_f64.powi(power)).map(|at| (at, tick(at))).collect();
        Self { label: label.into(), low: 10_f64.powi(first), high: 10_f64.powi(last), is_log: true, ticks }
    }

    /// From 0, with a round number of steps.
    pub(super) fn linear(label: &str, high: f64, tick: impl Fn(f64) -> String) -> Self {
        const STEPS: f64 = 5.0;
        let rough = (high / STEPS).max(f64::MIN_POSITIVE);
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| *it >= rough).unwrap_or(rough);
        let count = (high / step).ceil().max(1.0) as u32;
        let ticks = (0..=count).map(|at| f64::from(at) * step).map(|at| (at, tick(at))).collect();
        Self { label: label.into(), low: 0.0, high: f64::from(count) * step, is_log: false, ticks }
    }

    /// From 0 to 1 along the axis.
    fn share(&self, value: f64) -> f64 {
        let place = |it: f64| if self.is_log { it.max(f64::MIN_POSITIVE).log10() } else { it };
        ((place(value) - place(self.low)) / (place(self.high) - place(self.low))).clamp(0.0, 1.0)
    }
}

impl Chart {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (1.0 - self.y.share(value)) * self.height
    }

    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        let legend = TOP + LEGEND_LINE * (self.series.len() as f64 + 0.5);
        let below = BOTTOM + CONDITION_LINE * self.conditions.len() as f64;
        let total = (TOP + self.height + below).max(legend);
        let name = escaped(&self.name);
        // Writing into a string does not fail: here and below.
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {total:.0}\" role=\"img\" aria-label=\"{name}\">\n<title>{name}</title>"
        );
        self.axes(&mut out);
        for series in &self.series {
            self.line(&mut out, series);
        }
        self.legend(&mut out);
        let (middle, bottom) = (LEFT + (WIDTH - LEFT - RIGHT) / 2.0, TOP + self.height);
        let _ = writeln!(
            out,
            "<text class=\"x-label\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
            bottom + 38.0,
            escaped(&self.x.label)
        );
        let upright = TOP + self.height / 2.0;
        let _ = writeln!(
            out,
            "<text class=\"y-label\" x=\"16\" y=\"{upright:.1}\" transform=\"rotate(-90 16 {upright:.1})\">{}</text>",
            escaped(&self.y.label)
        );
        for (at, line) in self.conditions.iter().enumerate() {
            let y = bottom + BOTTOM + CONDITION_LINE * (at as f64 + 0.5);
            let line = escaped(&cut(line));
            let _ = writeln!(out, "<text class=\"conditions\" x=\"{LEFT}\" y=\"{y:.1}\">{line}</text>");
        }
        out.push_str("</svg>\n");
        out
    }

    fn axes(&self, out: &mut String) {
        let (left, right) = (LEFT, WIDTH - RIGHT);
        let (top, bottom) = (TOP, TOP + self.height);
        for (value, text) in &self.y.ticks {
            let y = self.y(*value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/><text class=\"y-tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left - 8.0,
                y + 4.0,
                escaped(text)
            );
        }
        for (value, text) in &self.x.ticks {
            let x = self.x(*value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/><text class=\"x-tick\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 18.0,
                escaped(text)
            );
        }
        let _ = writeln!(out, "<path class=\"frame\" d=\"M{left} {top}V{bottom}H{right}\"/>");
    }

    fn line(&self, out: &mut String, series: &Series) {
        let mut path = String::new();
        for (x, y) in &series.points {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", self.x(*x), self.y(*y));
        }
        let Style { color, width, dashes } = series.style;
        let _ = writeln!(
            out,
            "<path class=\"line\" d=\"{path}\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\"/>"
        );
        for (x, y) in series.points.iter().filter(|_| series.has_dots) {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{color}\"/>",
                self.x(*x),
                self.y(*y)
            );
        }
    }

    fn legend(&self, out: &mut String) {
        out.push_str("<g class=\"legend\">\n");
        let x = WIDTH - RIGHT + 16.0;
        for (at, series) in self.series.iter().enumerate() {
            let y = TOP + LEGEND_LINE * (at as f64 + 0.5);
            let Style { color, width, dashes } = series.style;
            let _ = writeln!(
                out,
                "<path class=\"line\" d=\"M{x} {y:.1}h26\" stroke=\"{color}\" stroke-width=\"{width}\" \
                 stroke-dasharray=\"{dashes}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 34.0,
                y + 4.0,
                escaped(&series.name)
            );
        }
        out.push_str("</g>\n");
    }
}

/// As much of a line as fits.
fn cut(line: &str) -> String {
    if line.chars().count() <= CONDITION_CHARS_MAX {
        return line.to_owned();
    }
    line.chars().take(CONDITION_CHARS_MAX - 1).chain(['…']).collect()
}

/// Text as HTML and SVG take it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_their_values() {
        let ticks = |axis: &Axis| axis.ticks.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        let log = Axis::log("µs", 12.0, 900.0, |it| it.to_string());
        assert_eq!((log.low, log.high, ticks(&log)), (10.0, 1_000.0, vec![10.0, 100.0, 1_000.0]));
        assert!((log.share(100.0) - 0.5).abs() < 1e-9);
        let flat = Axis::log("µs", 10.0, 10.0, |it| it.to_string());
        assert!(flat.low < flat.high);
        let linear = Axis::linear("s", 0.97, |it| it.to_string());
        assert_eq!((linear.low, linear.ticks.len()), (0.0, 6));
        assert!((linear.high - 1.0).abs() < 1e-9 && linear.share(2.0) == 1.0);
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
