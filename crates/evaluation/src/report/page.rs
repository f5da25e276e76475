//! One HTML page that needs nothing else.

use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::model::{ComparisonReport, JudgeInfo, Report};
use super::{charts, format};
use crate::compare::Difference;
use crate::guard::Guard;
use crate::item::{Item, Task};
use crate::measure::Measure;
use crate::metric::Metric;
use crate::safety;

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

/// The report as one HTML page.
///
/// It shows numbers with intervals, charts, and items side by side with their reference.
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
            groups => groups(report.measures.iter().filter(|one| !safety::is_set(&one.set))),
            safety_groups => groups(report.measures.iter().filter(|one| safety::is_set(&one.set))),
            charts,
            sets,
            judges => report.judges.iter().map(shown_judge).collect::<Vec<_>>(),
            agreements => pairs(report.agreement.iter().map(|one| (one.about.as_str(), format::agreement(one)))),
        },
    )
}

/// The comparison as one HTML page: differences with intervals and tests, and the items that changed.
pub fn comparison_page(report: &ComparisonReport) -> String {
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
    let rows = |is_safety: bool| {
        let rows = report.comparison.differences.iter();
        compared(rows.filter(move |row| safety::is_set(&row.set) == is_safety))
    };
    let preferred = report.preferred.iter().map(|one| (one.judge.as_str(), format::preferred(one)));
    rendered(
        "comparison.html",
        context! {
            report => Value::from(Serde(report)),
            warnings => comparison_warnings(report),
            groups => rows(false),
            safety_groups => rows(true),
            changed,
            chart => charts::of_comparison(&report.comparison).map(Value::from_safe_string),
            judges => report.judges.iter().map(shown_judge).collect::<Vec<_>>(),
            preferred => pairs(preferred),
            agreement => report.agreement.as_ref().map(format::agreement),
        },
    )
}

/// The rows of a comparison, set by set.
fn compared<'a>(differences: impl Iterator<Item = &'a Difference>) -> Vec<Value> {
    let row = |row: &Difference| {
        let outcomes = row.outcomes;
        context! {
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
    };
    grouped(differences.map(|difference| (difference.set.as_str(), row(difference))))
}

/// Rows that stand together by the set that they are of.
fn grouped<'a>(rows: impl Iterator<Item = (&'a str, Value)>) -> Vec<Value> {
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    for (set, row) in rows {
        match groups.last_mut() {
            Some((last, rows)) if *last == set => rows.push(row),
            _ => groups.push((set, vec![row])),
        }
    }
    let group = |(set, rows): (&str, Vec<Value>)| context! { set => format::set(set), rows };
    groups.into_iter().map(group).collect()
}

/// Names with texts, in their order.
fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Value {
    Value::from(Serde(pairs.collect::<Vec<_>>()))
}

fn shown_judge(judge: &JudgeInfo) -> Value {
    let tallies = judge.tallies.iter();
    context! {
        info => Value::from(Serde(judge)),
        tallies => pairs(tallies.map(|one| (one.question.name(), format::tally(one)))),
    }
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

/// What every page of a comparison must say.
pub(super) fn comparison_warnings(report: &ComparisonReport) -> Vec<String> {
    let mut warnings = warnings(report.guards.iter());
    if !report.asked_differently.is_empty() {
        let differences = report.asked_differently.join(", ");
        warnings.push(format!(
            "NOT ASKED ALIKE: the runs differ in more than the model: {differences}."
        ));
    }
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

fn groups<'a>(measures: impl Iterator<Item = &'a Measure>) -> Vec<Value> {
    let row = |measure: &Measure| {
        let metric = measure.metric;
        Value::from(Serde(Row {
            metric: metric.title(),
            value: format::value(metric, measure.value),
            interval: format::interval(metric, measure.interval, format::value),
            error: measure.standard_error.map(|error| format::value(metric, error)),
            chance: measure.chance.map(|chance| format::value(metric, chance)),
            items: measure.items,
        }))
    };
    grouped(measures.map(|measure| (measure.set.as_str(), row(measure))))
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
