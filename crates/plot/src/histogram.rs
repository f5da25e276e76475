//! How often values occur.

use crate::chart::{BELOW, Chart, RIGHT, TOP, left_of};
use crate::scale::Scale;
use crate::text::{escaped, number, short};
use crate::{Bins, Captions, Marker};

const HEIGHT: f64 = 230.0;

/// How often values occur, as bars.
///
/// # Examples
///
/// ```
/// use plot::{Bins, Captions, Histogram};
///
/// let captions = Captions { title: "Words of a response", x: "words", y: "records", ..Captions::default() };
/// let svg = Histogram { captions, bins: Bins::of(&[3, 4, 4, 5]), markers: &[] }.svg();
/// // Each bar tells its count when pointed at.
/// assert!(svg.contains("<title>4 to below 5: 2</title>"));
/// ```
#[derive(Clone, Debug)]
pub struct Histogram<'a> {
    /// What it says in words.
    pub captions: Captions<'a>,
    /// The counts.
    pub bins: Bins,
    /// Values that have a name, such as a limit.
    pub markers: &'a [Marker<'a>],
}

impl Histogram<'_> {
    /// The chart as an `<svg>` element.
    pub fn svg(&self) -> String {
        let Self { captions, bins, markers } = self;
        let mut chart = Chart::new(captions, HEIGHT);
        let most = bins.counts.iter().copied().max().unwrap_or(0).max(1);
        let y = Scale::around([0.0, most as f64], [HEIGHT - BELOW, TOP], 4);
        let left = left_of(&y);
        let x = Scale::exact([0.0, bins.end()], [left, RIGHT], 6);
        chart.y_axis(&y, captions.y, left);
        for (index, &count) in bins.counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let (low, high) = (bins.width * index as f64, bins.width * (index + 1) as f64);
            let [start, end] = [low, high].map(|value| x.place(value));
            let top = y.place(count as f64);
            let told =
                format!("{} to below {}: {}", short(low), short(high), number(count as f64, 0));
            chart.raw(&format!(
                r#"<rect class="plot-1 plot-bar" x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"><title>{}</title></rect>"#,
                start + 0.4,
                (end - start - 0.8).max(0.5),
                chart.bottom - top,
                escaped(&told),
            ));
        }
        chart.x_axis(&x, captions.x, left);
        chart.markers(&x, TOP, markers);
        if bins.beyond > 0 {
            let beyond = number(bins.beyond as f64, 0);
            let note = format!("{beyond} beyond, up to {}", number(bins.max as f64, 0));
            chart.text([RIGHT - 4.0, chart.bottom - 6.0], r#" text-anchor="end""#, &note);
        }
        chart.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_where_their_values_are() {
        let captions = Captions { title: "T", description: "D", x: "tokens", y: "examples" };
        let markers = [Marker { at: 2.0, label: "limit" }, Marker { at: 9.0, label: "<far>" }];
        let svg = Histogram { captions, bins: Bins::of(&[0, 2, 2, 3]), markers: &markers }.svg();
        let elements = svg.replace('<', "\n<");
        let bars: Vec<_> = elements.lines().filter(|line| line.contains("plot-bar\"")).collect();
        insta::assert_snapshot!(bars.join("\n"), @r#"
        <rect class="plot-1 plot-bar" x="35.3" y="115.0" width="105.0" height="71.0">
        <rect class="plot-1 plot-bar" x="246.9" y="44.0" width="105.0" height="142.0">
        <rect class="plot-1 plot-bar" x="352.6" y="115.0" width="105.0" height="71.0">
        "#);
        assert!(svg.contains("limit 2<") && svg.contains("&lt;far&gt; 9 lies outside"), "{svg}");
        assert!(svg.contains("<title>2 to below 3: 2</title>"));
    }

    #[test]
    fn no_values_are_an_empty_chart() {
        let svg =
            Histogram { captions: Captions::default(), bins: Bins::of(&[]), markers: &[] }.svg();
        assert!(
            !svg.contains("NaN") && !svg.contains("inf") && !svg.contains("plot-bar\""),
            "{svg}"
        );
    }
}
