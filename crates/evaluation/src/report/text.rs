//! The numbers as text for a terminal.

use std::fmt::Write as _;

use super::model::{ComparisonReport, Report};
use super::{format, page};

/// The report in a few lines: warnings first, then a row for each measure.
pub fn text(report: &Report) -> String {
    let mut text = warned(&page::warnings([&report.guard]));
    let mut rows =
        vec![["", "metric", "value", "95 % interval", "chance", "items"].map(str::to_owned)];
    let mut last = None;
    for measure in &report.measures {
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
    text += &table(&rows, 2);
    for (set, ways) in &report.read_by {
        let ways: Vec<_> = ways.iter().map(|(way, count)| format!("{way} {count}")).collect();
        let _ = writeln!(text, "{set}: answers read by {}", ways.join(", "));
    }
    if let Some(calibration) = &report.calibration {
        let _ = writeln!(text, "calibration error of the choices: {:.3}", calibration.error);
    }
    if let Some(agreement) = &report.agreement {
        let kappa =
            agreement.kappa.map_or_else(|| "none".to_owned(), |kappa| format!("{kappa:.3}"));
        let equal = 100.0 * agreement.equal;
        let _ = writeln!(
            text,
            "two judges agree in {equal:.1} % of {} answers, kappa {kappa}",
            agreement.items
        );
    }
    for unmeasured in report.unmeasured.iter().chain(&report.guard.unchecked) {
        let _ = writeln!(text, "note: {unmeasured}");
    }
    text
}

/// The comparison in a few lines.
pub fn comparison_text(report: &ComparisonReport) -> String {
    let mut text = warned(&page::warnings(&report.guards));
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
    for row in &report.comparison.differences {
        let outcomes = row.outcomes.map(|one| format!("{}/{}/{}", one.wins, one.ties, one.losses));
        rows.push([
            format::set(&row.set).to_owned(),
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
    text += &table(&rows, 2);
    let changed = &report.comparison.changed;
    let gained = changed.iter().filter(|one| one.gained).count();
    let _ = writeln!(text, "items that changed: {gained} gained, {} lost", changed.len() - gained);
    if report.judge.is_some() {
        let preferred = report.comparison.preferred();
        let (wins, ties, losses) = (preferred.wins, preferred.ties, preferred.losses);
        let _ =
            writeln!(text, "preferred by the judge: tuned {wins}, neither {ties}, base {losses}");
    }
    if report.comparison.unpaired > 0 {
        let _ = writeln!(text, "note: {} items stand in one run only", report.comparison.unpaired);
    }
    text
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
