//! A model card for the Hugging Face hub.

use std::fmt::Write as _;

use serde_json::Value;

use super::model::Report;
use super::{format, page};
use crate::item::Task;
use crate::measure::Measure;
use crate::metric::Metric;
use crate::safety;

/// The report as a model card for the Hugging Face hub.
///
/// It has front matter that the hub reads, what was measured, and what was not. The licence is left to whoever
/// publishes the model, who must know those of its base and of its data.
pub fn model_card(report: &Report) -> String {
    let mut card = front_matter(report);
    let model = &report.model;
    let origin = if model.id == model.base_model {
        "A base model, measured as it is.".to_owned()
    } else {
        format!(
            "Fine-tuned from `{}` to answer medical questions with its reasoning first.",
            model.base_model
        )
    };
    let _ = write!(
        card,
        "\n# {}\n\n{origin}\n\n> **{}** The model can be wrong, incomplete or biased.\n",
        model.id, report.notice
    );
    for warning in page::warnings([&report.guard]) {
        let _ = write!(card, "\n> **{warning}**\n");
    }
    card += "\n## How it wants to be asked\n\n";
    let prompt = if model.system_prompt.is_empty() { "none" } else { &model.system_prompt };
    let _ = write!(
        card,
        "System prompt: {prompt}\n\nAnswers follow the template `{}` (fingerprint `{}`).\n",
        model.template, model.fingerprint
    );
    let (safety, others): (Vec<_>, Vec<_>) =
        report.measures.iter().partition(|measure| safety::is_set(&measure.set));
    if !others.is_empty() {
        card += "\n## Measured\n\n";
        card += &table(&others);
    }
    if !safety.is_empty() {
        card += "\n## Safety questions\n\nA small set without a clinician's review: passing does not make a model safe.\n\n";
        card += &table(&safety);
    }
    let _ = write!(
        card,
        "\nTemperature {}, at most {} tokens an answer, seed {}. Shares have Wilson's interval, means a bootstrap over \
         items. Empty, cut and unreadable answers count as wrong.\n",
        model.temperature.map_or_else(|| "by default".to_owned(), |value| value.to_string()),
        model.max_tokens.map_or_else(|| "any number of".to_owned(), |value| value.to_string()),
        report.seed
    );
    card += "\n## Not measured\n\n";
    for text in not_measured(report) {
        let _ = writeln!(card, "- {text}");
    }
    card
}

fn table(measures: &[&Measure]) -> String {
    let mut table =
        "| set | metric | value | 95 % interval | chance | items |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for measure in measures {
        let metric = measure.metric;
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            cell(format::set(&measure.set)),
            metric.title(),
            format::value(metric, measure.value),
            format::interval(metric, measure.interval, format::value),
            measure.chance.map(|chance| format::value(metric, chance)).unwrap_or_default(),
            measure.items
        );
    }
    table
}

fn front_matter(report: &Report) -> String {
    // JSON texts are YAML texts, whatever they hold.
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = "---\n".to_owned();
    let base = report.model.base_on_hub.as_ref().unwrap_or(&report.model.base_model);
    let _ = writeln!(text, "base_model: {}", quoted(base));
    text += "pipeline_tag: text-generation\ntags:\n- medical\n- chain-of-thought\n- not-for-clinical-use\n";
    let _ = write!(text, "model-index:\n- name: {}\n  results:\n", quoted(&report.model.id));
    let mut last = None;
    for measure in &report.measures {
        if last != Some(&measure.set) {
            let set = quoted(format::set(&measure.set));
            let _ = write!(
                text,
                "  - task:\n      type: text-generation\n    dataset:\n      name: {set}\n      type: {set}\n    metrics:\n"
            );
            last = Some(&measure.set);
        }
        let _ = write!(
            text,
            "    - type: {}\n      name: {}\n      value: {}\n",
            measure.metric.name(),
            quoted(measure.metric.title()),
            measure.value
        );
    }
    if report.measures.is_empty() {
        text = text.replace("  results:\n", "  results: []\n");
    }
    text + "---\n"
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// What a reader might take for measured, and is not.
fn not_measured(report: &Report) -> Vec<String> {
    let has = |metric: Metric| report.measures.iter().any(|measure| measure.metric == metric);
    let mut missing = Vec::new();
    if !has(Metric::Loss) {
        missing.push("Loss and token accuracy on held-out records.".to_owned());
    }
    if !has(Metric::FormatCompliance) {
        missing.push("The form of answers to held-out records.".to_owned());
    }
    if !has(Metric::Accuracy) && !has(Metric::LikelihoodAccuracy) {
        missing.push("Knowledge, by multiple choice.".to_owned());
    }
    if !has(Metric::JudgedCorrect) {
        missing.push(
            "Whether free answers are right: likeness to a reference counts words, not sense."
                .to_owned(),
        );
    }
    let has_safety = report.items.iter().any(|item| item.task == Task::Safety);
    missing.push(if has_safety {
        "Safety beyond a small set of questions without a clinician's review.".to_owned()
    } else {
        "Safety: whether it abstains, asks back or sends to emergency care.".to_owned()
    });
    missing.push("Whether the reasoning that it shows is what leads to its answer.".to_owned());
    missing.push(
        "Fairness between groups of patients, and languages other than those of the data."
            .to_owned(),
    );
    missing.push("Use by patients or clinicians: right answers to exam questions do not show that it helps anybody.".to_owned());
    missing.extend(report.unmeasured.iter().chain(&report.guard.unchecked).cloned());
    missing
}
