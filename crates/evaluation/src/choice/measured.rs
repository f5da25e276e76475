//! Marks as items of a report.

use super::likelihood::Likelihoods;
use super::problem::Problem;
use super::score::Marked;
use crate::item::{Item, Task, Value};
use crate::metric::Metric;
use crate::statistics::Calibration;

/// `problem` as an item that was not answered yet.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{read_problems, unanswered};
///
/// let text = r#"{"question": "Which vitamin prevents scurvy?", "options": {"A": "B12", "B": "C"}, "answer": "B"}"#;
/// let item = unanswered(&read_problems(text, "own")?[0]);
/// assert_eq!((item.set.as_str(), item.reference.as_str()), ("own", "B. C"));
/// assert!(item.values.is_empty());
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
pub fn unanswered(problem: &Problem) -> Item {
    let mut item = Item::new(Task::Choice, &problem.set, &problem.id);
    item.question.clone_from(&problem.question);
    item.choices.clone_from(&problem.choices);
    item.reference =
        format!("{}. {}", Problem::letter(problem.answer), problem.choices[problem.answer]);
    item
}

/// Adds what was read out of a generated answer.
///
/// # Examples
///
/// ```
/// use evaluation::Metric;
/// use evaluation::choice::{mark, read_problems, unanswered, with_marked};
/// use template::Template;
///
/// let text = r#"{"question": "Which vitamin prevents scurvy?", "options": {"A": "B12", "B": "C"}, "answer": "B"}"#;
/// let problem = read_problems(text, "own")?.remove(0);
/// let mut item = unanswered(&problem);
/// with_marked(&mut item, mark(problem, Some("The answer is A."), &Template::Headed), Some("stop".to_owned()));
/// assert_eq!((item.chosen, item.read.as_deref()), (Some('A'), Some("statement")));
/// assert_eq!(item.values[&Metric::Accuracy].mean(), 0.0);
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
pub fn with_marked(item: &mut Item, marked: Marked, finish: Option<String>) {
    item.values.insert(Metric::Accuracy, Value::yes(marked.is_correct()));
    item.read = Some(marked.read.name().to_owned());
    item.chosen = marked.read.choice().map(Problem::letter);
    item.reasoning = marked.reasoning;
    item.response = Some(marked.response);
    item.finish = finish;
}

/// Adds the choice by log-likelihood.
///
/// # Examples
///
/// ```
/// use evaluation::choice::likelihood::Likelihoods;
/// use evaluation::choice::with_likelihoods;
/// use evaluation::{Item, Metric, Task};
///
/// let (set, id) = ("own".to_owned(), "0".to_owned());
/// let likelihoods = Likelihoods { set, id, answer: 1, log_likelihoods: vec![-2.0, -1.0] };
/// let mut item = Item::new(Task::Choice, "own", "0");
/// with_likelihoods(&mut item, &likelihoods);
/// assert_eq!(item.values[&Metric::LikelihoodAccuracy].mean(), 1.0);
/// assert_eq!(item.log_likelihoods, [-2.0, -1.0]);
/// ```
pub fn with_likelihoods(item: &mut Item, likelihoods: &Likelihoods) {
    item.values.insert(Metric::LikelihoodAccuracy, Value::yes(likelihoods.is_correct()));
    item.log_likelihoods.clone_from(&likelihoods.log_likelihoods);
}

/// How sure the model was of its likeliest choices, and how often it was right.
///
/// There is none without log-likelihoods.
///
/// # Examples
///
/// ```
/// use evaluation::choice::calibration;
/// use evaluation::{Item, Metric, Task, Value};
///
/// let mut item = Item::new(Task::Choice, "medqa", "17");
/// item.log_likelihoods = vec![-4.0, -0.5];
/// item.values.insert(Metric::LikelihoodAccuracy, Value::yes(false));
/// let calibration = calibration([&item]).expect("there are log-likelihoods");
/// assert!(calibration.error > 0.9, "it was sure, and wrong");
/// ```
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
