//! The paper of a chart: its text alternative, style, axes and markers.

use std::fmt::Write;

use crate::scale::Scale;
use crate::text::{cut, escaped, short};

/// Width of every chart; a page scales it.
pub(crate) const WIDTH: f64 = 480.0;
/// Where the plotted area ends on the right.
pub(crate) const RIGHT: f64 = WIDTH - 22.0;
/// Where the plotted area begins on top, below the title.
pub(crate) const TOP: f64 = 44.0;
/// What the plotted area leaves below for the horizontal axis.
pub(crate) const BELOW: f64 = 44.0;
/// The mean width of a character of the axes' text, on the wide side.
pub(crate) const CHARACTER: f64 = 6.3;

/// How many series have a colour of their own.
pub(crate) const COLOURS: usize = 4;

// The names begin with `plot-`, since the style of an element in a page reaches the whole page.
const STYLE: &str = "\
.plot{font:11px system-ui,sans-serif;width:100%;max-width:720px;height:auto}\
.plot-paper{fill:var(--plot-paper,#fff)}\
.plot text{fill:var(--plot-ink,#1f2328)}\
.plot .plot-title{font-size:13px;font-weight:600}\
.plot-axis,.plot-marker{stroke:var(--plot-ink,#1f2328);fill:none}\
.plot-marker{stroke-dasharray:4 3}\
.plot-note{paint-order:stroke;stroke:var(--plot-paper,#fff);stroke-width:3px;stroke-linejoin:round}\
.plot-grid{stroke:var(--plot-faint,#d8dee4);fill:none}\
.plot-line{fill:none;stroke-width:1.8;stroke-linejoin:round}\
.plot-1{--plot-own:var(--plot-1,#0b62a8)}.plot-2{--plot-own:var(--plot-2,#b3450e)}\
.plot-3{--plot-own:var(--plot-3,#1a7f4b)}.plot-4{--plot-own:var(--plot-4,#8a3fa0)}\
.plot-bar{fill:var(--plot-own)}.plot-line{stroke:var(--plot-own)}\
@media (prefers-color-scheme:dark){\
.plot-paper{fill:var(--plot-paper,#161b22)}.plot-note{stroke:var(--plot-paper,#161b22)}\
.plot text{fill:var(--plot-ink,#e6edf3)}\
.plot-axis,.plot-marker{stroke:var(--plot-ink,#e6edf3)}.plot-grid{stroke:var(--plot-faint,#353c46)}\
.plot-1{--plot-own:var(--plot-1,#6cb6ff)}.plot-2{--plot-own:var(--plot-2,#f69d50)}\
.plot-3{--plot-own:var(--plot-3,#6bc46d)}.plot-4{--plot-own:var(--plot-4,#dcbdfb)}}";

/// What a chart says in words.
///
/// # Examples
///
/// ```
/// use plot::{Captions, LineChart};
///
/// let captions = Captions {
///     title: "Loss & accuracy",
///     description: "The loss falls from 2.1 to 1.4.",
///     x: "step",
///     y: "loss (nats)",
/// };
/// let svg = LineChart { captions, series: &[], markers: &[] }.svg();
/// assert!(svg.contains("<title>Loss &amp; accuracy</title><desc>The loss falls from 2.1 to 1.4.</desc>"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Captions<'a> {
    /// What is shown; stands above the chart and is its name for a screen reader.
    pub title: &'a str,
    /// What is to be seen in it, for who does not see it.
    pub description: &'a str,
    /// What the horizontal axis counts, with its unit.
    pub x: &'a str,
    /// What the vertical axis counts, with its unit.
    pub y: &'a str,
}

/// A value of the horizontal axis that has a name, drawn as a line.
///
/// # Examples
///
/// ```
/// use plot::{Bins, Captions, Histogram, Marker};
///
/// let chart = Histogram {
///     captions: Captions { title: "Tokens of an example", ..Captions::default() },
///     bins: Bins::of(&[120, 340, 980]),
///     markers: &[Marker { at: 512.0, label: "limit" }, Marker { at: 4096.0, label: "context" }],
/// };
/// let svg = chart.svg();
/// assert!(svg.contains(">limit 512<") && svg.contains("context 4,096 lies outside"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Marker<'a> {
    /// The value.
    pub at: f64,
    /// Its name, in a word or two.
    pub label: &'a str,
}

/// A chart in the making.
#[derive(Debug)]
pub(crate) struct Chart {
    svg: String,
    pub(crate) bottom: f64,
}

/// Adds formatted text; writing to a string does not fail.
macro_rules! put {
    ($chart:expr, $($format:tt)*) => {
        let _ = write!($chart.svg, $($format)*);
    };
}

impl Chart {
    pub(crate) fn new(captions: &Captions<'_>, height: f64) -> Self {
        let mut chart = Self { svg: String::new(), bottom: height - BELOW };
        let [title, description] = [captions.title, captions.description].map(escaped);
        put!(
            chart,
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" viewBox="0 0 {WIDTH} {height}">"#
        );
        put!(chart, "<title>{title}</title><desc>{description}</desc><style>{STYLE}</style>");
        put!(chart, r#"<rect class="plot-paper" width="{WIDTH}" height="{height}" rx="6"/>"#);
        let shown = cut(captions.title, 62);
        chart.text([12.0, 20.0], r#" class="plot-title""#, &shown);
        chart
    }

    pub(crate) fn text(&mut self, [x, y]: [f64; 2], attributes: &str, text: &str) {
        put!(self, r#"<text x="{x:.1}" y="{y:.1}"{attributes}>{}</text>"#, escaped(text));
    }

    /// A line whose `class` decides how it looks.
    pub(crate) fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        put!(
            self,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    /// Elements that are written out.
    pub(crate) fn raw(&mut self, elements: &str) {
        self.svg.push_str(elements);
    }

    /// The horizontal axis with its marks and name.
    pub(crate) fn x_axis(&mut self, scale: &Scale, name: &str, left: f64) {
        let bottom = self.bottom;
        self.line("plot-axis", [left, bottom], [RIGHT, bottom]);
        for (value, text) in scale.marks() {
            let x = scale.place(value);
            self.line("plot-axis", [x, bottom], [x, bottom + 4.0]);
            self.text([x, bottom + 16.0], r#" text-anchor="middle""#, &text);
        }
        self.text([RIGHT, bottom + 34.0], r#" text-anchor="end""#, &cut(name, 60));
    }

    /// The vertical axis with its grid and name.
    pub(crate) fn y_axis(&mut self, scale: &Scale, name: &str, left: f64) {
        for (value, text) in scale.marks() {
            let y = scale.place(value);
            self.line("plot-grid", [left, y], [RIGHT, y]);
            self.text([left - 6.0, y + 4.0], r#" text-anchor="end""#, &text);
        }
        self.text([12.0, TOP - 8.0], "", &cut(name, 24));
    }

    /// A dashed line at each marker that lies on the paper, from `top` down, and a note of those beyond.
    pub(crate) fn markers(&mut self, scale: &Scale, top: f64, markers: &[Marker<'_>]) {
        let mut beyond = Vec::new();
        let mut row = 0;
        for marker in markers {
            let value = short(marker.at);
            if !scale.holds(marker.at) {
                beyond.push(format!("{} {value}", cut(marker.label, 24)));
                continue;
            }
            let (x, y) = (scale.place(marker.at), top + 10.0 + f64::from(row) * 13.0);
            let bottom = self.bottom;
            self.line("plot-marker", [x, top], [x, bottom]);
            let label = format!("{} {value}", cut(marker.label, 24));
            if x > WIDTH * 0.6 {
                self.text([x - 4.0, y], r#" class="plot-note" text-anchor="end""#, &label);
            } else {
                self.text([x + 4.0, y], r#" class="plot-note""#, &label);
            }
            row += 1;
        }
        if !beyond.is_empty() {
            let y = top + 10.0 + f64::from(row) * 13.0;
            let note = format!("{} lies outside", cut(&beyond.join(", "), 60));
            self.text([RIGHT - 4.0, y], r#" class="plot-note" text-anchor="end""#, &note);
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// Where the plotted area begins on the left, so that the marks of `scale` fit.
pub(crate) fn left_of(scale: &Scale) -> f64 {
    let longest = scale.marks().iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
    (longest as f64).mul_add(CHARACTER, 16.0).max(34.0)
}
