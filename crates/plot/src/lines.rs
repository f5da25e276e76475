//! Values over values.

use std::fmt::Write;

use crate::chart::{BELOW, CHARACTER, COLOURS, Chart, RIGHT, TOP, left_of};
use crate::scale::{Scale, drawable, range};
use crate::text::{cut, escaped, short};
use crate::{Captions, Marker};

const HEIGHT: f64 = 260.0;
/// What the legend takes above the plotted area.
const LEGEND: f64 = 16.0;
/// Columns in which the least and greatest of more points are kept; there are fewer places to see them on.
const COLUMNS: usize = 400;
/// At most as many points are marked as such.
const DOTS: usize = 40;
/// How the series' lines are broken, after which the colours and these begin again.
const DASHES: [&str; COLOURS] =
    ["", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\"", " stroke-dasharray=\"9 3 2 3\""];

/// A named line through points.
///
/// # Examples
///
/// ```
/// use plot::{Captions, LineChart, Series};
///
/// // A step without a value interrupts the line.
/// let loss = Series { name: "loss", points: &[(1.0, 2.1), (2.0, f64::NAN), (3.0, 1.6), (4.0, 1.4)] };
/// let svg = LineChart { captions: Captions::default(), series: &[loss], markers: &[] }.svg();
/// assert_eq!(svg.matches("<polyline").count(), 2);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// What the line is, in a word or two.
    pub name: &'a str,
    /// The points in the order of their first numbers; one that is not finite interrupts the line.
    pub points: &'a [(f64, f64)],
}

/// Several lines over one axis, such as losses over steps.
///
/// # Examples
///
/// ```
/// use plot::{Captions, LineChart, Marker, Series};
///
/// let chart = LineChart {
///     captions: Captions { title: "Loss over steps", x: "step", y: "loss", ..Captions::default() },
///     series: &[
///         Series { name: "train", points: &[(1.0, 2.1), (2.0, 1.6), (3.0, 1.4)] },
///         Series { name: "valid", points: &[(1.0, 2.2), (3.0, 1.8)] },
///     ],
///     markers: &[Marker { at: 3.0, label: "best" }],
/// };
/// let svg = chart.svg();
/// assert!(svg.contains("<title>train: 1.400 at 3</title>"));
/// assert_eq!(svg, chart.svg());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LineChart<'a> {
    /// What it says in words.
    pub captions: Captions<'a>,
    /// The lines.
    pub series: &'a [Series<'a>],
    /// Values of the horizontal axis that have a name, such as the best step.
    pub markers: &'a [Marker<'a>],
}

impl LineChart<'_> {
    /// The chart as an `<svg>` element.
    pub fn svg(&self) -> String {
        let Self { captions, series, markers } = self;
        let mut chart = Chart::new(captions, HEIGHT);
        let drawn =
            || series.iter().flat_map(|series| series.points).filter(|point| is_drawable(**point));
        let y = range(drawn().map(|point| point.1));
        let y = Scale::around(y, [HEIGHT - BELOW, TOP + LEGEND], 5);
        let left = left_of(&y);
        let x = Scale::exact(range(drawn().map(|point| point.0)), [left, RIGHT], 6);
        chart.y_axis(&y, captions.y, left);
        chart.x_axis(&x, captions.x, left);
        for (number, series) in series.iter().enumerate() {
            line(&mut chart, (number, series), (&x, &y));
        }
        legend(&mut chart, series, left);
        chart.markers(&x, TOP + LEGEND, markers);
        chart.finish()
    }
}

fn is_drawable((x, y): (f64, f64)) -> bool {
    drawable(x) && drawable(y)
}

fn line(chart: &mut Chart, (number, series): (usize, &Series<'_>), (x, y): (&Scale, &Scale)) {
    let class = number % COLOURS + 1;
    let dashes = DASHES[number % COLOURS];
    let place = |&(a, b): &(f64, f64)| [x.place(a), y.place(b)];
    for run in series.points.split(|point| !is_drawable(*point)).filter(|run| !run.is_empty()) {
        let mut points = String::new();
        for [x, y] in thinned(run).iter().map(place) {
            // Writing to a string does not fail.
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
        chart.raw(&format!(
            r#"<polyline class="plot-{class} plot-line"{dashes} points="{}"><title>{}</title></polyline>"#,
            points.trim_end(),
            escaped(series.name)
        ));
    }
    let dots = series.points.len() <= DOTS;
    for point in series.points.iter().filter(|point| is_drawable(**point)).filter(|_| dots) {
        let [x, y] = place(point);
        let told = format!("{}: {} at {}", series.name, short(point.1), short(point.0));
        chart.raw(&format!(
            r#"<circle class="plot-{class} plot-bar" cx="{x:.1}" cy="{y:.1}" r="2.6"><title>{}</title></circle>"#,
            escaped(&told)
        ));
    }
}

/// The names of the lines, side by side above them.
fn legend(chart: &mut Chart, series: &[Series<'_>], left: f64) {
    let room = (RIGHT - left) / series.len().max(1) as f64;
    for (number, series) in series.iter().enumerate() {
        let start = left + room * number as f64;
        let y = TOP + 2.0;
        let class = number % COLOURS + 1;
        let dashes = DASHES[number % COLOURS];
        chart.raw(&format!(
            r#"<path class="plot-{class} plot-line"{dashes} d="M{start:.1} {y:.1}h22"/>"#
        ));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width")]
        let characters = ((room - 30.0) / CHARACTER).max(3.0) as usize;
        chart.text([start + 27.0, y + 4.0], "", &cut(series.name, characters));
    }
}

/// The first, least, greatest and last point of each of [`COLUMNS`] stretches, where there are more.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= COLUMNS * 4 {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(COLUMNS * 4);
    for stretch in points.chunks(points.len().div_ceil(COLUMNS)) {
        let by_height = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
        let heights = || stretch.iter().map(|point| point.1).enumerate();
        let ends = [heights().min_by(by_height), heights().max_by(by_height)];
        let mut places = vec![0, stretch.len() - 1];
        places.extend(ends.into_iter().flatten().map(|(index, _)| index));
        places.sort_unstable();
        places.dedup();
        kept.extend(places.into_iter().map(|index| stretch[index]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(series: &[Series<'_>]) -> String {
        let captions = Captions { title: "Loss", description: "", x: "step", y: "loss" };
        LineChart { captions, series, markers: &[] }.svg()
    }

    #[test]
    fn lines_go_through_their_points_and_are_named() {
        let train = [(0.0, 4.0), (5.0, f64::NAN), (10.0, 2.0), (20.0, 1.0)];
        let valid = [(0.0, 3.0), (20.0, 1.5)];
        let svg = chart(&[
            Series { name: "training", points: &train },
            Series { name: "valid & <test>", points: &valid },
        ]);
        let elements = svg.replace('<', "\n<");
        let lines: Vec<_> = elements.lines().filter(|line| line.contains("<polyline")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        <polyline class="plot-1 plot-line" points="34.0,60.0">
        <polyline class="plot-1 plot-line" points="246.0,164.0 458.0,216.0">
        <polyline class="plot-2 plot-line" stroke-dasharray="7 3" points="34.0,112.0 458.0,190.0">
        "#);
        assert!(svg.contains(">valid &amp; &lt;test&gt;</text>"));
        assert!(svg.contains("<title>training: 2 at 10</title>"));
    }

    #[test]
    fn many_points_keep_their_peaks_in_a_small_file() {
        let mut points: Vec<_> = (0..100_000).map(|step| (f64::from(step), 1.0)).collect();
        points[77_777].1 = 9.0;
        let svg = chart(&[Series { name: "loss", points: &points }]);
        assert!(svg.len() < 30_000, "{}", svg.len());
        let thin = thinned(&points);
        assert!(thin.contains(&(77_777.0, 9.0)) && thin.contains(&(99_999.0, 1.0)));
    }

    proptest::proptest! {
        #[test]
        fn any_numbers_make_a_chart_of_finite_places(
            points: Vec<(f64, f64)>, name in ".*", at: f64, label in ".*",
        ) {
            let captions = Captions { title: &name, description: &name, x: &name, y: &name };
            let series = [Series { name: &name, points: &points }; 5];
            let markers = [Marker { at, label: &label }];
            let svg = LineChart { captions, series: &series, markers: &markers }.svg();
            for place in svg.split(['"', ' ', ',']).filter(|word| word.ends_with("NaN") || word.ends_with("inf")) {
                proptest::prop_assert!(name.contains(place) || label.contains(place) || !at.is_finite(), "{}", place);
            }
        }
    }
}
