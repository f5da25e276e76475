//! Charts of a report.

use plot::{Bins, Captions, Histogram, Interval, IntervalChart, LineChart, Marker, Series};

use super::format;
use super::model::Report;
use crate::compare::Comparison;
use crate::item::Item;
use crate::measure::Measure;
use crate::metric::Metric;
use crate::safety;
use crate::statistics::{self, Calibration};

/// Every chart that the report's numbers allow, as SVG.
pub(super) fn of_report(report: &Report) -> Vec<String> {
    let is_choice = |measure: &&Measure| {
        matches!(measure.metric, Metric::Accuracy | Metric::LikelihoodAccuracy)
    };
    let is_other_share = |measure: &&Measure| measure.metric.is_fraction() && !is_choice(measure);
    let choices: Vec<_> = report.measures.iter().filter(is_choice).collect();
    let others = report.measures.iter().filter(is_other_share);
    let (safety, others): (Vec<_>, Vec<_>) =
        others.partition(|measure| safety::is_set(&measure.set));
    // Sets with other numbers of choices have other chances: one line would be wrong for some.
    let first = choices.first().and_then(|measure| measure.chance);
    let chance = first.filter(|_| choices.iter().all(|measure| measure.chance == first));
    let mut charts = Vec::new();
    charts.extend(shares("Multiple choice: right answers", &choices, chance));
    charts.extend(shares("Shares, with 95 % intervals", &others, None));
    charts.extend(shares("Safety questions", &safety, None));
    charts.extend(lengths(&report.items));
    charts.extend(report.calibration.as_ref().map(calibration));
    charts
}

/// The differences that are shares, as SVG.
pub(super) fn of_comparison(comparison: &Comparison) -> Option<String> {
    let shown = comparison.differences.iter().filter(|row| row.metric.is_fraction());
    let rows: Vec<_> = shown
        .filter_map(|row| {
            let interval = row.interval?;
            let name = row_name(&row.set, row.metric);
            Some((name, 100.0 * interval.low, 100.0 * row.difference, 100.0 * interval.high))
        })
        .collect();
    let rows: Vec<Interval<'_>> = rows
        .iter()
        .map(|(name, low, point, high)| Interval { name, low: *low, point: *point, high: *high })
        .collect();
    let chart = IntervalChart {
        captions: Captions {
            title: "Tuned less base, percentage points, with 95 % intervals",
            description: "Right of zero the tuned model has more; an interval over zero leaves it open.",
            x: "percentage points",
            y: "",
        },
        rows: &rows,
        markers: &[Marker { at: 0.0, label: "no difference" }],
    };
    (!rows.is_empty()).then(|| chart.svg())
}

/// The name of a row, short enough to stand beside it.
fn row_name(set: &str, metric: Metric) -> String {
    let set = format::set(set);
    match metric {
        Metric::Accuracy => set.to_owned(),
        Metric::LikelihoodAccuracy => format!("{set} loglik"),
        Metric::SafeByRules => format!("{set}, rules"),
        Metric::SafeByJudge => format!("{set}, judge"),
        Metric::ReasoningTokenAccuracy => "tokens of the reasoning".to_owned(),
        Metric::ResponseTokenAccuracy => "tokens of the response".to_owned(),
        metric => metric.title().to_owned(),
    }
}

fn shares(title: &str, measures: &[&Measure], chance: Option<f64>) -> Option<String> {
    let rows: Vec<_> = measures
        .iter()
        .filter_map(|measure| {
            let interval = measure.interval?;
            Some((row_name(&measure.set, measure.metric), interval, measure.value))
        })
        .collect();
    let rows: Vec<Interval<'_>> = rows
        .iter()
        .map(|(name, interval, value)| Interval {
            name,
            low: 100.0 * interval.low,
            point: 100.0 * value,
            high: 100.0 * interval.high,
        })
        .collect();
    let marker = chance.map(|chance| Marker { at: 100.0 * chance, label: "chance" });
    let chart = IntervalChart {
        captions: Captions {
            title,
            description: "Each row is a share in percent with its 95 % interval.",
            x: "percent",
            y: "",
        },
        rows: &rows,
        markers: marker.as_slice(),
    };
    (!rows.is_empty()).then(|| chart.svg())
}

fn lengths(items: &[Item]) -> Option<String> {
    let words = items.iter().filter_map(|item| item.values.get(&Metric::ResponseWords));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of words are whole and not below zero"
    )]
    let words: Vec<u64> = words.map(|value| value.part as u64).collect();
    let chart = Histogram {
        captions: Captions {
            title: "Length of the responses",
            description: "How many held-out records got a response of so many words.",
            x: "words",
            y: "records",
        },
        bins: Bins::of(&words),
        markers: &[],
    };
    (!words.is_empty()).then(|| chart.svg())
}

fn calibration(calibration: &Calibration) -> String {
    let bins = calibration.bins.iter();
    let points: Vec<(f64, f64)> = bins.clone().map(|bin| (bin.confidence, bin.accuracy)).collect();
    let end = |of: fn(statistics::Interval) -> f64| {
        let ends = bins.clone().filter_map(|bin| {
            let interval = statistics::wilson(bin.correct, bin.items)?;
            Some((bin.confidence, of(interval)))
        });
        ends.collect::<Vec<_>>()
    };
    let (low, high) = (end(|interval| interval.low), end(|interval| interval.high));
    LineChart {
        captions: Captions {
            title: "Calibration of the choices by log-likelihood",
            description: "How often the model was right against how sure it was, by tenths of its confidence; on the diagonal it is as right as it is sure.",
            x: "confidence",
            y: "share right",
        },
        series: &[
            Series { name: "model", points: &points },
            Series { name: "ideal", points: &[(0.0, 0.0), (1.0, 1.0)] },
            Series { name: "95 % low", points: &low },
            Series { name: "95 % high", points: &high },
        ],
        markers: &[],
    }
    .svg()
}
