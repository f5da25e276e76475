//! The numbers as text for a terminal.

use std::fmt::Write as _;

use super::model::{ComparisonReport, Report};
use super::{format, page};
use crate::compare::Difference;
use crate::measure::Measure;
use crate::safety;

/// What stands above the rows of the safety questions.
const SAFETY: &str = "safety questions, a small set without a clinician's review:\n";

/// The report in a few lines: warnings first, then a row for each measure.
pub fn text(report: &Report) -> String {
    let mut text = warned(&page::warnings([&report.guard]));
    let (safety, others): (Vec<_>, Vec<_>) =
        report.measures.iter().partition(|measure| safety::is_set(&measure.set));
    if !others.is_empty() {
        text += &measured(&others);
    }
    for (set, ways) in &report.read_by {
        let ways: Vec<_> = ways.iter().map(|(way, count)| format!("{way} {count}")).collect();
        let _ = writeln!(text, "{set}: answers read by {}", ways.join(", "));
    }
    if let Some(calibration) = &report.calibration {
        let _ = writeln!(text, "calibration error of the choices: {:.3}", calibration.error);
    }
    if !safety.is_empty() {
        text += SAFETY;
        text += &measured(&safety);
    }
    for judge in &report.judges {
        for tally in &judge.tallies {
            let _ = writeln!(
                text,
                "judge {}, {}: {}",
                judge.name,
                tally.question.name(),
                format::tally(tally)
            );
        }
    }
    for agreement in &report.agreement {
        let _ = writeln!(text, "two judges, {}: {}", agreement.about, format::agreement(agreement));
    }
    for unmeasured in report.unmeasured.iter().chain(&report.guard.unchecked) {
        let _ = writeln!(text, "note: {unmeasured}");
    }
    text
}

fn measured(measures: &[&Measure]) -> String {
    let heads = ["", "metric", "value", "95 % interval", "chance", "items"];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut last = None;
    for measure in measures {
        let metric = measure.metric;
        let set = if last == Some(&measure.set) { "" } else { format::set(&measure.set) };
        last = Some(&measure.set);
        rows.push([
            set.to_owned(),
            metric.title().to_owned(),
            format::value(metric, measure.value),
            format::interval(metric, measure.interval, format::value),
            measure.chance.map(|chance| format::value(metric, chance)).unwrap_or_default(),
            measure.items.to_string(),
        ]);
    }
    table(&rows, 2)
}

/// The comparison in a few lines.
pub fn comparison_text(report: &ComparisonReport) -> String {
    let mut text = warned(&page::comparison_warnings(report));
    let (safety, others): (Vec<_>, Vec<_>) =
        report.comparison.differences.iter().partition(|row| safety::is_set(&row.set));
    if !others.is_empty() {
        text += &compared(&others);
    }
    if !safety.is_empty() {
        text += SAFETY;
        text += &compared(&safety);
    }
    let changed = &report.comparison.changed;
    let gained = changed.iter().filter(|one| one.gained).count();
    let _ = writeln!(text, "items that changed: {gained} gained, {} lost", changed.len() - gained);
    for preferred in &report.preferred {
        let _ =
            writeln!(text, "preferred by {}: {}", preferred.judge, format::preferred(preferred));
    }
    if let Some(agreement) = &report.agreement {
        let _ = writeln!(text, "two judges, {}: {}", agreement.about, format::agreement(agreement));
    }
    if report.comparison.unpaired > 0 {
        let _ = writeln!(text, "note: {} items stand in one run only", report.comparison.unpaired);
    }
    text
}

fn compared(differences: &[&Difference]) -> String {
    let heads = [
        "",
        "metric",
        "base",
        "tuned",
        "difference",
        "95 % interval",
        "wins/ties/losses",
        "p",
        "items",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut last = None;
    for row in differences {
        let set = if last == Some(&row.set) { "" } else { format::set(&row.set) };
        last = Some(&row.set);
        let outcomes = row.outcomes.map(|one| format!("{}/{}/{}", one.wins, one.ties, one.losses));
        rows.push([
            set.to_owned(),
            row.metric.title().to_owned(),
            format::value(row.metric, row.base),
            format::value(row.metric, row.tuned),
            format::difference(row.metric, row.difference),
            format::interval(row.metric, row.interval, format::difference),
            outcomes.unwrap_or_default(),
            row.p.map(format::p).unwrap_or_default(),
            row.items.to_string(),
        ]);
    }
    table(&rows, 2)
}

fn warned(warnings: &[String]) -> String {
    warnings.iter().flat_map(|warning| [warning, "\n"]).collect()
}

/// Columns as wide as their longest cell; those from `numbers` on stand to the right.
fn table<const N: usize>(rows: &[[String; N]], numbers: usize) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = if column < numbers {
                write!(line, "{cell:<width$}  ")
            } else {
                write!(line, "{cell:>width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
