//! Marks for answers, and what they come to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use template::Template;

use super::extraction::{Extraction, Missing, extract};
use super::problem::Problem;
use crate::statistics::{Interval, standard_error, wilson};

/// An answer to a problem, read and marked.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{mark, read_problems};
/// use template::Template;
///
/// let text = r#"{"question": "Which vitamin prevents scurvy?", "options": {"A": "B12", "B": "C"}, "answer": "B"}"#;
/// let problem = read_problems(text, "own")?.remove(0);
/// let answer = "## Thinking\n\nNot A: the answer is not B12.\n\n## Final Response\n\nThe answer is B.";
/// let marked = mark(problem, Some(answer), &Template::Headed);
/// assert!(marked.is_correct());
/// assert_eq!(marked.response, "The answer is B.");
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The problem.
    pub problem: Problem,
    /// The reasoning, where the answer marks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The final response, or all of the answer where it marks none.
    pub response: String,
    /// What was read out of the response.
    pub read: Extraction,
}

impl Marked {
    /// Whether the right choice was read.
    pub fn is_correct(&self) -> bool {
        self.read.choice() == Some(self.problem.answer)
    }
}

/// What a set of problems came to.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{Score, mark, read_problems};
/// use template::Template;
///
/// let problems = r#"[{"question": "Which vitamin prevents scurvy?", "options": {"A": "B12", "B": "C"}, "answer": "B"},
/// {"question": "Which vitamin prevents rickets?", "options": {"A": "D", "B": "K"}, "answer": "A"}]"#;
/// let answers = [Some("The answer is B."), None];
/// let problems = read_problems(problems, "own")?.into_iter().zip(answers);
/// let marked: Vec<_> = problems.map(|(one, answer)| mark(one, answer, &Template::Headed)).collect();
/// let score = Score::of(&marked).expect("there are problems");
/// // An answer that is not there is a wrong one.
/// assert_eq!((score.correct, score.accuracy, score.chance), (1, 0.5, 0.5));
/// assert_eq!(score.read_by["no_prediction"], 1);
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// All problems: none is left out.
    pub items: usize,
    /// Problems whose right choice was given.
    pub correct: usize,
    /// The share that is right.
    pub accuracy: f64,
    /// Wilson's 95 % interval of the accuracy.
    pub interval: Interval,
    /// The standard error of the accuracy, with `n - 1`; none for one problem.
    pub standard_error: Option<f64>,
    /// The accuracy of guessing.
    pub chance: f64,
    /// How often each rule, or reason for no choice, applied.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub read_by: BTreeMap<String, usize>,
}

/// Reads and marks the answer to `problem`, which is split as `template` says; none is wrong, too.
///
/// Where the answer marks reasoning, only the final response counts: a choice that was weighed is none that was given.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{Extraction, Missing, mark, read_problems};
/// use template::Template;
///
/// let text = r#"{"question": "Which vitamin prevents scurvy?", "options": {"A": "B12", "B": "C"}, "answer": "B"}"#;
/// let problem = read_problems(text, "own")?.remove(0);
/// // The reasoning names the right choice, and the answer was cut before its response.
/// let marked = mark(problem, Some("## Thinking\n\nThe answer is B, since"), &Template::Headed);
/// assert_eq!(marked.read, Extraction::Missing(Missing::NoResponse));
/// assert!(!marked.is_correct());
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
pub fn mark(problem: Problem, answer: Option<&str>, template: &Template) -> Marked {
    let Some(text) = answer else {
        let read = Extraction::Missing(Missing::NoPrediction);
        return Marked { problem, reasoning: None, response: String::new(), read };
    };
    let halves = template.split(text);
    let read = match halves.reasoning {
        Some(_) if halves.response.trim().is_empty() => Extraction::Missing(Missing::NoResponse),
        _ => extract(&halves.response, &problem.choices),
    };
    Marked { problem, reasoning: halves.reasoning, response: halves.response, read }
}

/// The score of `items`: whether each is right, and how many choices it had; none without items.
///
/// # Examples
///
/// ```
/// use evaluation::choice::score;
///
/// let score = score([(true, 4), (false, 4), (true, 4), (false, 4)]).expect("there are items");
/// assert_eq!((score.accuracy, score.chance), (0.5, 0.25));
/// assert!(score.interval.contains(score.chance));
/// ```
pub fn score(items: impl IntoIterator<Item = (bool, usize)>) -> Option<Score> {
    let (mut values, mut chances) = (Vec::new(), 0.0);
    for (correct, choices) in items {
        values.push(f64::from(u8::from(correct)));
        chances += 1.0 / choices as f64;
    }
    let items = values.len();
    let correct = values.iter().filter(|value| **value > 0.0).count();
    Some(Score {
        items,
        correct,
        accuracy: correct as f64 / items as f64,
        interval: wilson(correct, items)?,
        standard_error: standard_error(&values),
        chance: chances / items as f64,
        read_by: BTreeMap::new(),
    })
}

impl Score {
    /// The score of marked answers, with how they were read.
    pub fn of<'a>(marked: impl IntoIterator<Item = &'a Marked>) -> Option<Self> {
        let mut read_by = BTreeMap::new();
        let mut items = Vec::new();
        for one in marked {
            *read_by.entry(one.read.name().to_owned()).or_insert(0) += 1;
            items.push((one.is_correct(), one.problem.choices.len()));
        }
        score(items).map(|score| Self { read_by, ..score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::read_problems;

    fn check(answer: Option<&str>) -> (bool, &'static str) {
        let text =
            r#"{"question": "Q?", "options": {"A": "Heparin", "B": "Aspirin"}, "answer": "B"}"#;
        let problem = read_problems(text, "set").unwrap().remove(0);
        let marked = mark(problem, answer, &Template::Headed);
        (marked.is_correct(), marked.read.name())
    }

    #[test]
    fn only_the_final_response_counts() {
        let both = "## Thinking\n\nThe answer is A.\n\n## Final Response\n\nThe answer is B.";
        assert_eq!(check(Some(both)), (true, "statement"));
        assert_eq!(check(Some("## Thinking\n\nThe answer is B.")), (false, "no_response"));
        assert_eq!(check(Some("B")), (true, "letter_first"));
        assert_eq!(check(None), (false, "no_prediction"));
        assert_eq!(check(Some("")), (false, "empty"));
    }

    #[test]
    fn wrong_and_missing_answers_stay_in_the_denominator() {
        let score = score([(true, 4), (false, 4), (false, 2), (false, 4)]).unwrap();
        assert_eq!((score.items, score.correct), (4, 1));
        assert!((score.accuracy - 0.25).abs() < 1e-12);
        assert!((score.chance - 1.25 / 4.0).abs() < 1e-12);
        assert!(super::score([]).is_none());
    }
}
