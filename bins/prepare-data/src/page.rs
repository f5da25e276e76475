//! What a run did, as one page for a browser.

use anyhow::Context;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use plot::{Bins, Captions, Histogram, Marker};

use crate::counts::Counts;
use crate::report::Report;
use crate::spread::Spread;
use crate::tally::Tally;

const PAGE: &str = include_str!("page/report.html");

/// How many near repeats, contaminated records and identifiers are listed; the JSON report lists more.
const LISTED: usize = 50;

/// The page, which needs nothing but itself. It holds places and counts, and no text of a record.
pub(crate) fn page(report: &Report, tally: &Tally) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    // Names of files and fields are whatever the user has.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("number", number);
    environment.add_template("report.html", PAGE).context("the page's template")?;
    let page = environment.get_template("report.html").context("the page's template")?;
    let summary = crate::summary::summary(report);
    let charts = charts(report, tally);
    let report = Value::from(Serde(report));
    page.render(context! { report, summary, charts, listed => LISTED }).context("the page")
}

/// A number as people read it, whole where it is.
fn number(value: &Value) -> String {
    match u64::try_from(value.clone()) {
        Ok(whole) => crate::summary::number(whole),
        Err(_) => f64::try_from(value.clone()).map_or_else(
            |_| value.to_string(),
            |value| {
                let text = format!("{value:.1}");
                let (whole, tenths) = text.split_once('.').unwrap_or((&text, "0"));
                let whole = whole.parse().map_or_else(|_| whole.to_owned(), crate::summary::number);
                format!("{whole}.{tenths}")
            },
        ),
    }
}

/// The lengths of the halves and of whole examples.
fn charts(report: &Report, tally: &Tally) -> Vec<Value> {
    let lengths = &report.lengths;
    let names = ["Question", "Reasoning", "Response", "Whole example"];
    let spreads = [lengths.question, lengths.reasoning, lengths.response, lengths.total];
    let parts = names.into_iter().zip(spreads).zip(&tally.lengths);
    let chart = |((name, spread), counts): ((&str, Option<Spread>), &Counts)| {
        let whole = name == "Whole example";
        let limit = report.overlong.limit.filter(|_| whole);
        let limit = limit.map(|limit| Marker { at: limit as f64, label: "limit" });
        let median = spread.map(|spread| Marker { at: spread.median, label: "median" });
        let markers: Vec<Marker<'_>> = median.into_iter().chain(limit).collect();
        let title = format!("{name}, tokens");
        let description =
            spread.map_or_else(|| "No examples.".to_owned(), |spread| spread.to_string());
        let captions =
            Captions { title: &title, description: &description, x: "tokens", y: "examples" };
        let bins = Bins::of_counted(counts.iter());
        Value::from_safe_string(Histogram { captions, bins, markers: &markers }.svg())
    };
    parts.map(chart).collect()
}
