//! One HTML page that needs nothing else.

use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::model::{ComparisonReport, Report};
use super::{charts, format};
use crate::guard::Guard;
use crate::item::{Item, Task};
use crate::measure::Measure;
use crate::metric::Metric;

/// The most items of a set that the page shows; the JSON report holds all.
const SHOWN_ITEMS: usize = 200;

/// The templates; every name ends in `.html`, so that every text is escaped.
static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    for (name, source) in [
        ("base.html", include_str!("base.html")),
        ("item.html", include_str!("item.html")),
        ("report.html", include_str!("report.html")),
        ("comparison.html", include_str!("comparison.html")),
    ] {
        pages.add_template(name, source).expect("the templates are a part of this program");
    }
    pages
});

/// The report as one HTML page: numbers with intervals, charts, and items side by side with their reference.
pub fn page(report: &Report) -> String {
    let charts: Vec<Value> =
        charts::of_report(report).into_iter().map(Value::from_safe_string).collect();
    let mut sets: Vec<&str> = Vec::new();
    for item in &report.items {
        if !sets.contains(&item.set.as_str()) {
            sets.push(&item.set);
        }
    }
    let sets: Vec<Value> = sets.into_iter().map(|set| shown_set(report, set)).collect();
    rendered(
        "report.html",
        context! {
            report => Value::from(Serde(report)),
            warnings => warnings([&report.guard]),
            groups => groups(&report.measures),
            charts,
            sets,
        },
    )
}

/// The comparison as one HTML page: differences with intervals and tests, and the items that changed.
pub fn comparison_page(report: &ComparisonReport) -> String {
    let rows: Vec<Value> = report
        .comparison
        .differences
        .iter()
        .map(|row| {
            let outcomes = row.outcomes;
            context! {
                set => format::set(&row.set),
                metric => row.metric.title(),
                base => format::value(row.metric, row.base),
                tuned => format::value(row.metric, row.tuned),
                difference => format::difference(row.metric, row.difference),
                interval => format::interval(row.metric, row.interval, format::difference),
                wins => outcomes.map(|outcomes| outcomes.wins),
                ties => outcomes.map(|outcomes| outcomes.ties),
                losses => outcomes.map(|outcomes| outcomes.losses),
                p => row.p.map(format::p),
                items => row.items,
            }
        })
        .collect();
    let changed: Vec<Value> = report
        .comparison
        .changed
        .iter()
        .take(SHOWN_ITEMS)
        .map(|one| {
            context! {
                metric => one.metric.title(),
                gained => one.gained,
                base => shown_item(&one.base),
                tuned => shown_item(&one.tuned),
            }
        })
        .collect();
    let preferred = report.comparison.preferred();
    rendered(
        "comparison.html",
        context! {
            report => Value::from(Serde(report)),
            warnings => warnings(report.guards.iter()),
            rows,
            changed,
            chart => charts::of_comparison(&report.comparison).map(Value::from_safe_string),
            preferred => Value::from(Serde(preferred)),
            inconsistent => report.comparison.preferences.iter().filter(|one| !one.consistent).count(),
        },
    )
}

fn rendered(name: &str, context: Value) -> String {
    let page = PAGES.get_template(name).and_then(|template| template.render(context));
    page.expect("the templates render every report: a test renders one with every part")
}

/// What every page must say, whatever else stands on it.
pub(super) fn warnings<'a>(guards: impl IntoIterator<Item = &'a Guard>) -> Vec<String> {
    let mut warnings = Vec::new();
    for guard in guards {
        if !guard.leaks.is_empty() {
            warnings.push(format!(
                "LEAK: {} measured {} in the training data, so these numbers are too good.",
                guard.leaks.len(),
                if guard.leaks.len() == 1 { "item stands" } else { "items stand" }
            ));
        }
        let mismatches = guard.mismatches.iter();
        warnings.extend(mismatches.map(|text| format!("NOT ASKED AS TRAINED: {text}.")));
    }
    // Two runs of one file have the same to say.
    let mut said = Vec::new();
    warnings.retain(|warning| {
        let new = !said.contains(warning);
        said.push(warning.clone());
        new
    });
    warnings
}

#[derive(Serialize)]
struct Row {
    metric: &'static str,
    value: String,
    interval: String,
    error: Option<String>,
    chance: Option<String>,
    items: usize,
}

fn groups(measures: &[Measure]) -> Vec<Value> {
    let mut groups: Vec<(&str, Vec<Row>)> = Vec::new();
    for measure in measures {
        let metric = measure.metric;
        let row = Row {
            metric: metric.title(),
            value: format::value(metric, measure.value),
            interval: format::interval(metric, measure.interval, format::value),
            error: measure.standard_error.map(|error| format::value(metric, error)),
            chance: measure.chance.map(|chance| format::value(metric, chance)),
            items: measure.items,
        };
        match groups.last_mut() {
            Some((set, rows)) if *set == measure.set => rows.push(row),
            _ => groups.push((&measure.set, vec![row])),
        }
    }
    groups
        .into_iter()
        .map(|(set, rows)| context! { set => format::set(set), rows => Value::from(Serde(rows)) })
        .collect()
}

fn shown_set(report: &Report, set: &str) -> Value {
    let items: Vec<&Item> = report.items.iter().filter(|item| item.set == set).collect();
    let is_safety = items.first().is_some_and(|item| item.task == Task::Safety);
    context! {
        name => set,
        is_safety,
        read_by => report.read_by.get(set).map(|ways| Value::from(Serde(ways))),
        total => items.len(),
        items => items.iter().take(SHOWN_ITEMS).map(|item| shown_item(item)).collect::<Vec<_>>(),
    }
}

/// An item as the page shows it: its own fields, and what it came to in words.
fn shown_item(item: &Item) -> Value {
    let met = [
        Metric::Accuracy,
        Metric::LikelihoodAccuracy,
        Metric::JudgedCorrect,
        Metric::SafeByJudge,
        Metric::SafeByRules,
        Metric::FormatCompliance,
    ]
    .iter()
    .find_map(|metric| item.values.get(metric))
    .map(|value| value.part > 0.5);
    let shown = [
        Metric::FormatCompliance,
        Metric::RougeL,
        Metric::Chrf,
        Metric::TokenF1,
        Metric::Loss,
        Metric::RubricScore,
        Metric::LikelihoodAccuracy,
    ];
    let values: Vec<String> = shown
        .iter()
        .filter_map(|metric| {
            let value = item.values.get(metric)?;
            Some(format!("{} {}", metric.title(), format::value(*metric, value.mean())))
        })
        .collect();
    let choices: Vec<Value> = item
        .choices
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let letter = crate::choice::Problem::letter(at);
            context! {
                letter,
                text,
                right => item.reference.starts_with(&format!("{letter}. ")),
                chosen => item.chosen == Some(letter),
                log_likelihood => item.log_likelihoods.get(at).map(|value| format!("{value:.3}")),
            }
        })
        .collect();
    context! { item => Value::from(Serde(item)), met, values => values.join(" · "), choices }
}
