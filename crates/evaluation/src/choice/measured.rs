//! Marks as items of a report.

use super::likelihood::Likelihoods;
use super::problem::Problem;
use super::score::Marked;
use crate::item::{Item, Task, Value};
use crate::metric::Metric;
use crate::statistics::Calibration;

/// `problem` as an item that was not answered yet.
pub fn unanswered(problem: &Problem) -> Item {
    let mut item = Item::new(Task::Choice, &problem.set, &problem.id);
    item.question.clone_from(&problem.question);
    item.choices.clone_from(&problem.choices);
    item.reference =
        format!("{}. {}", Problem::letter(problem.answer), problem.choices[problem.answer]);
    item
}

/// Adds what was read out of a generated answer.
pub fn with_marked(item: &mut Item, marked: Marked, finish: Option<String>) {
    item.values.insert(Metric::Accuracy, Value::yes(marked.is_correct()));
    item.read = Some(marked.read.name().to_owned());
    item.chosen = marked.read.choice().map(Problem::letter);
    item.reasoning = marked.reasoning;
    item.response = Some(marked.response);
    item.finish = finish;
}

/// Adds the choice by log-likelihood.
pub fn with_likelihoods(item: &mut Item, likelihoods: &Likelihoods) {
    item.values.insert(Metric::LikelihoodAccuracy, Value::yes(likelihoods.is_correct()));
    item.log_likelihoods.clone_from(&likelihoods.log_likelihoods);
}

/// How sure the model was of its likeliest choices, and how often it was right; none without log-likelihoods.
pub fn calibration<'a>(items: impl IntoIterator<Item = &'a Item>) -> Option<Calibration> {
    let pairs: Vec<(f64, bool)> = items
        .into_iter()
        .filter(|item| !item.log_likelihoods.is_empty())
        .map(|item| {
            let best = item.log_likelihoods.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = item.log_likelihoods.iter().map(|value| (value - best).exp()).sum();
            let correct = item.values.get(&Metric::LikelihoodAccuracy);
            (1.0 / sum, correct.is_some_and(|value| value.part > 0.5))
        })
        .collect();
    Calibration::of(&pairs)
}
