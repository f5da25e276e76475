//! Answers that were recorded elsewhere.

use serde_json::{Map, Value};

use super::problem::{ProblemError, id_of, lines};

/// A recorded answer to a problem.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{Prediction, read_predictions};
///
/// let file = r#"{"problem_id": "17", "set": "medqa", "raw": ["The answer is B.", "A."]}"#;
/// let Prediction { id, set, text } = read_predictions(file)?.remove(0);
/// assert_eq!((id.as_deref(), set.as_deref()), (Some("17"), Some("medqa")));
/// assert_eq!(text, "The answer is B.");
/// # Ok::<(), evaluation::choice::PredictionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// The problem's id; none where answers stand in the problems' order.
    pub id: Option<String>,
    /// The set that the problem is of, where the file says so.
    pub set: Option<String>,
    /// The answer as it was recorded, empty where there was none.
    pub text: String,
}

/// A file of predictions that cannot be used.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{PredictionError, read_predictions};
///
/// let error = read_predictions(r#"[{"problem_id": "17", "answer": "B"}, {"answer": "C"}]"#).unwrap_err();
/// assert!(matches!(error, PredictionError::Mixed { index: 1 }));
/// let error = read_predictions(r#"[{"problem_id": "17", "verdict": "B"}]"#).unwrap_err();
/// assert!(matches!(error, PredictionError::NoText { index: 0 }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictionError {
    /// The text is neither JSON nor JSON lines.
    #[error(transparent)]
    Json(#[from] ProblemError),
    /// A prediction has no field that holds an answer.
    #[error(
        "prediction {index}: none of the fields `raw`, `prediction`, `output`, `response`, `text`, `answer`"
    )]
    NoText {
        /// Its place, counted from 0.
        index: usize,
    },
    /// Some predictions name their problem and some do not.
    #[error("prediction {index}: only some predictions name their problem")]
    Mixed {
        /// The first that differs, counted from 0.
        index: usize,
    },
}

const TEXT: [&str; 9] = [
    "raw",
    "prediction",
    "output",
    "response",
    "generated_text",
    "text",
    "answer",
    "model_answer",
    "completion",
];
const SET: [&str; 3] = ["set", "dataset", "task"];

/// Reads recorded answers.
///
/// They come as JSON lines or an array of texts or objects, or as an object of texts by problem id. An object holds the
/// answer in `raw` (a text, or a list whose first text counts, as in MIRAGE's files), `prediction`, `output`,
/// `response`, `generated_text`, `text`, `answer`, `model_answer` or `completion`; null is no answer. It may name its
/// problem in `problem_id`, `id`, `question_id` or `qid` and the set in `set`, `dataset` or `task`.
///
/// # Examples
///
/// ```
/// use evaluation::choice::read_predictions;
///
/// let in_order = read_predictions(r#"["The answer is B.", null]"#)?;
/// assert_eq!((in_order[0].text.as_str(), in_order[1].text.as_str()), ("The answer is B.", ""));
/// let by_id = read_predictions(r#"{"17": "B", "18": {"output": "C"}}"#)?;
/// assert_eq!((by_id[1].id.as_deref(), by_id[1].text.as_str()), (Some("18"), "C"));
/// # Ok::<(), evaluation::choice::PredictionError>(())
/// ```
///
/// # Errors
///
/// [`PredictionError`]; an answer that makes no sense is none: it is scored, as wrong.
pub fn read_predictions(text: &str) -> Result<Vec<Prediction>, PredictionError> {
    let text = text.trim_start_matches('\u{feff}');
    let rows = match serde_json::from_str(text) {
        Ok(Value::Array(rows)) => rows,
        Ok(Value::Object(fields)) if TEXT.iter().any(|name| fields.contains_key(*name)) => {
            vec![Value::Object(fields)]
        }
        Ok(Value::Object(by_id)) => return Ok(by_id.iter().map(named).collect()),
        _ => lines(text)?,
    };
    let predictions: Vec<Prediction> =
        rows.iter().enumerate().map(|(index, row)| read(index, row)).collect::<Result<_, _>>()?;
    let first_has_id = predictions.first().is_some_and(|first| first.id.is_some());
    match predictions.iter().position(|one| one.id.is_some() != first_has_id) {
        Some(index) => Err(PredictionError::Mixed { index }),
        None => Ok(predictions),
    }
}

fn named((id, value): (&String, &Value)) -> Prediction {
    let text = match value {
        Value::Object(fields) => answer(fields).unwrap_or_default(),
        value => first_text(value),
    };
    Prediction { id: Some(id.clone()), set: None, text }
}

fn read(index: usize, row: &Value) -> Result<Prediction, PredictionError> {
    let Value::Object(fields) = row else {
        return Ok(Prediction { id: None, set: None, text: first_text(row) });
    };
    let text = answer(fields).ok_or(PredictionError::NoText { index })?;
    let set = SET.iter().find_map(|name| fields.get(*name)?.as_str()).map(str::to_owned);
    Ok(Prediction { id: id_of(fields), set, text })
}

fn answer(fields: &Map<String, Value>) -> Option<String> {
    TEXT.iter().find_map(|name| fields.get(*name)).map(first_text)
}

/// A text, or the first of a list of texts; an object as its JSON text, which the rules read.
fn first_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(texts) => texts.first().map(first_text).unwrap_or_default(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let shown = |one: Prediction| {
            format!(
                "{}/{}: {}",
                one.set.as_deref().unwrap_or("-"),
                one.id.as_deref().unwrap_or("-"),
                one.text
            )
        };
        match read_predictions(text) {
            Ok(all) => all.into_iter().map(shown).collect::<Vec<_>>().join("\n"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_shapes_of_recorded_answers_are_read() {
        insta::assert_snapshot!(check(r#"["A", "B. text", null]"#), @"
        -/-: A
        -/-: B. text
        -/-:
        ");
        insta::assert_snapshot!(check("{\"id\": 1, \"raw\": [\"{\\\"answer_choice\\\": \\\"B\\\"}\"], \"dataset\": \"medqa\"}\n{\"id\": 2, \"raw\": []}"), @r#"
        medqa/1: {"answer_choice": "B"}
        -/2:
        "#);
        insta::assert_snapshot!(check(r#"{"0001": "A", "0002": ["B", "C"], "0003": {"output": "D"}}"#), @"
        -/0001: A
        -/0002: B
        -/0003: D
        ");
        insta::assert_snapshot!(check(r#"[{"id": "p", "answer": {"answer_choice": "A"}}]"#), @r#"-/p: {"answer_choice":"A"}"#);
        insta::assert_snapshot!(check(r#"[{"id": 1, "thought": "x"}]"#), @"prediction 0: none of the fields `raw`, `prediction`, `output`, `response`, `text`, `answer`");
        insta::assert_snapshot!(check(r#"[{"id": 1, "text": "x"}, {"text": "y"}]"#), @"prediction 1: only some predictions name their problem");
        insta::assert_snapshot!(check("{\"id\": 1, \"text\": \"x\"}\n{\"id\""), @"line 2: not JSON");
    }
}
