//! Numbers as people read them.

use std::fmt::Write as _;

use super::model::Agreement;
use crate::compare::Preferred;
use crate::judge::{Order, Tally};
use crate::metric::Metric;
use crate::statistics::Interval;

/// A value of `metric`: shares in percent, everything else with three decimals.
pub(super) fn value(metric: Metric, value: f64) -> String {
    if metric.is_fraction() {
        format!("{:.1} %", 100.0 * value)
    } else if value.abs() >= 100.0 || is_count(metric) {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

/// A difference of two values of `metric`, with its sign.
pub(super) fn difference(metric: Metric, difference: f64) -> String {
    if metric.is_fraction() {
        format!("{:+.1}", 100.0 * difference)
    } else if is_count(metric) {
        format!("{difference:+.1}")
    } else {
        format!("{difference:+.3}")
    }
}

/// Whether it counts whole things.
fn is_count(metric: Metric) -> bool {
    matches!(metric, Metric::ResponseWords | Metric::ReasoningWords)
}

/// The two ends of an interval, formatted by `one`; a dash where there is none.
pub(super) fn interval(
    metric: Metric,
    interval: Option<Interval>,
    one: fn(Metric, f64) -> String,
) -> String {
    let ends = interval.map(|Interval { low, high }| [low, high].map(|end| one(metric, end)));
    ends.map_or_else(
        || "–".to_owned(),
        |[low, high]| format!("{} to {high}", low.trim_end_matches(" %")),
    )
}

/// A p-value: three decimals, or that it is smaller.
pub(super) fn p(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// The name of a set as people read it.
pub(super) fn set(set: &str) -> &str {
    if set.is_empty() { "all choices" } else { set }
}

/// What a judge said, counted; what is not a verdict is told where there is any.
pub(super) fn tally(tally: &Tally) -> String {
    let mut text = format!("{} yes, {} no", tally.yes, tally.no);
    for (count, what) in
        [(tally.unreadable, "unreadable"), (tally.refused, "refused by the service")]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {what} and counted as no");
        }
    }
    text
}

/// How far two judges agree.
pub(super) fn agreement(agreement: &Agreement) -> String {
    let kappa = match agreement.kappa {
        Some(kappa) => format!("Cohen's kappa {kappa:.3}"),
        None => "no kappa, as both gave one and the same verdict throughout".to_owned(),
    };
    format!("{:.1} % of {} verdicts equal, {kappa}", 100.0 * agreement.equal, agreement.items)
}

/// What a judge prefers, and how far that hung on the order of the answers.
pub(super) fn preferred(preferred: &Preferred) -> String {
    let outcomes = preferred.outcomes;
    let mut text = format!(
        "tuned {}, neither {}, base {} (p {})",
        outcomes.wins,
        outcomes.ties,
        outcomes.losses,
        p(preferred.p)
    );
    let unsteady = [
        (Order::First, "went with the first place"),
        (Order::Second, "went with the second place"),
        (Order::Wavering, "changed to or from a tie"),
        (Order::Unreadable, "cannot be read"),
    ];
    let unsteady: Vec<_> = unsteady
        .iter()
        .filter(|(order, _)| preferred.count(*order) > 0)
        .map(|(order, what)| format!("{} {what}", preferred.count(*order)))
        .collect();
    if !unsteady.is_empty() {
        let _ = write!(text, "; of the verdicts {}, and count as neither", unsteady.join(", "));
    }
    text
}
