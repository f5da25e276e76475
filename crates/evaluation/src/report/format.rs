//! Numbers as people read them.

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
