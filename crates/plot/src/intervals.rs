//! Values that are known within bounds.

use crate::chart::{BELOW, CHARACTER, Chart, RIGHT, TOP};
use crate::scale::{Scale, drawable, range};
use crate::text::{cut, escaped, short};
use crate::{Captions, Marker};

/// The height of a row.
const ROW: f64 = 24.0;
/// The longest name that is shown whole.
const NAME: usize = 26;

/// A value that is known within bounds.
///
/// # Examples
///
/// ```
/// use plot::{Captions, Interval, IntervalChart};
///
/// let row = Interval { name: "medqa", low: 31.2, point: 35.0, high: 39.1 };
/// let svg = IntervalChart { captions: Captions::default(), rows: &[row], markers: &[] }.svg();
/// assert!(svg.contains("<title>medqa: 35 (31.20 to 39.10)</title>"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Interval<'a> {
    /// What it is the value of.
    pub name: &'a str,
    /// The lower bound.
    pub low: f64,
    /// The value.
    pub point: f64,
    /// The upper bound.
    pub high: f64,
}

/// A row for each value, with its bounds; what is not finite is not drawn.
///
/// # Examples
///
/// ```
/// use plot::{Captions, Interval, IntervalChart, Marker};
///
/// let chart = IntervalChart {
///     captions: Captions { title: "Right answers", x: "percent", ..Captions::default() },
///     rows: &[
///         Interval { name: "base", low: 22.0, point: 25.5, high: 29.3 },
///         Interval { name: "tuned", low: 31.2, point: 35.0, high: 39.1 },
///     ],
///     markers: &[Marker { at: 25.0, label: "chance" }],
/// };
/// let svg = chart.svg();
/// assert_eq!(svg.matches("<circle").count(), 2);
/// assert!(svg.contains(">chance 25<"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct IntervalChart<'a> {
    /// What it says in words; nothing stands on the vertical axis but the rows' names.
    pub captions: Captions<'a>,
    /// The rows, from top to bottom.
    pub rows: &'a [Interval<'a>],
    /// Values that have a name, such as what chance gives.
    pub markers: &'a [Marker<'a>],
}

impl IntervalChart<'_> {
    /// The chart as an `<svg>` element.
    pub fn svg(&self) -> String {
        let Self { captions, rows, markers } = self;
        // The markers' names stand above the rows.
        let above = TOP - 14.0 + 13.0 * markers.len() as f64;
        let height = above + ROW * rows.len().max(1) as f64 + BELOW + 6.0;
        let mut chart = Chart::new(captions, height);
        let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).min(NAME);
        let left = (longest as f64).mul_add(CHARACTER, 22.0).max(34.0);
        let values = rows.iter().flat_map(|row| [row.low, row.point, row.high]);
        let values = values.chain(markers.iter().map(|marker| marker.at));
        let x = Scale::around(range(values), [left, RIGHT - 8.0], 5);
        for (value, _) in x.marks() {
            let at = x.place(value);
            chart.line("plot-grid", [at, above], [at, chart.bottom]);
        }
        chart.x_axis(&x, captions.x, left);
        chart.markers(&x, TOP - 14.0, markers);
        for (number, interval) in rows.iter().enumerate() {
            let y = above + ROW * (number as f64 + 0.5);
            chart.text([left - 8.0, y + 4.0], r#" text-anchor="end""#, &cut(interval.name, NAME));
            row(&mut chart, &x, interval, y);
        }
        chart.finish()
    }
}

fn row(chart: &mut Chart, x: &Scale, interval: &Interval<'_>, y: f64) {
    let Interval { name, low, point, high } = *interval;
    if ![low, point, high].iter().all(|value| drawable(*value)) {
        return;
    }
    let told = format!("{name}: {} ({} to {})", short(point), short(low), short(high));
    let [low, point, high] = [low, point, high].map(|value| x.place(value));
    let (top, bottom) = (y - 5.0, y + 5.0);
    chart.raw(&format!(
        r#"<g class="plot-1"><title>{}</title><path class="plot-line" d="M{low:.1} {y:.1}H{high:.1}M{low:.1} {top:.1}V{bottom:.1}M{high:.1} {top:.1}V{bottom:.1}"/><circle class="plot-bar" cx="{point:.1}" cy="{y:.1}" r="4"/></g>"#,
        escaped(&told)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_bounds_and_says_them() {
        let rows = [
            Interval { name: "base", low: 0.21, point: 0.25, high: 0.3 },
            Interval { name: "tuned", low: 0.28, point: 0.32, high: 0.37 },
            Interval { name: "unknown", low: f64::NAN, point: 0.3, high: 0.4 },
        ];
        let captions = Captions { title: "Right answers", description: "", x: "share", y: "" };
        let markers = [Marker { at: 0.25, label: "chance" }];
        let svg = IntervalChart { captions, rows: &rows, markers: &markers }.svg();
        let elements = svg.replace('<', "\n<");
        let drawn: Vec<_> = elements.lines().filter(|line| line.contains("plot-line\"")).collect();
        insta::assert_snapshot!(drawn.join("\n"), @r#"
        <path class="plot-line" d="M85.3 55.0H258.0M85.3 50.0V60.0M258.0 50.0V60.0"/>
        <path class="plot-line" d="M219.7 79.0H392.4M219.7 74.0V84.0M392.4 74.0V84.0"/>
        "#);
        assert!(svg.contains("<title>tuned: 0.320 (0.280 to 0.370)</title>"));
        assert!(svg.contains(">unknown</text>") && !svg.contains("NaN"));
    }
}
