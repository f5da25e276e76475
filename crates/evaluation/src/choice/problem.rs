//! Problems with choices, in the shapes that they are published in.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A question of which one of several choices is right.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{Problem, read_problems};
///
/// let text = r#"{"id": "17", "question": "Which vitamin?", "options": {"A": "B12", "B": "C"}, "answer": "B"}"#;
/// let problem = &read_problems(text, "own")?[0];
/// assert_eq!((problem.id.as_str(), problem.answer), ("17", 1));
/// assert_eq!(Problem::letter(problem.answer), 'B');
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The set that it belongs to, such as `medqa`.
    pub set: String,
    /// Its id in the set.
    pub id: String,
    /// The question.
    pub question: String,
    /// What the question is about, such as an abstract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The choices, named `A`, `B` and so on in their order.
    pub choices: Vec<String>,
    /// The right choice, counted from 0.
    pub answer: usize,
}

impl Problem {
    /// The letter of a choice, `A` for 0.
    pub fn letter(choice: usize) -> char {
        u8::try_from(choice).map_or('?', |choice| char::from(b'A'.saturating_add(choice)))
    }
}

/// A file of problems that cannot be used.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{ProblemError, read_problems};
///
/// let text = r#"{"id": "17", "question": "Which vitamin?", "options": {"A": "B12", "B": "C"}, "answer": "E"}"#;
/// let error = read_problems(text, "own").unwrap_err();
/// assert_eq!(error.to_string(), "problem `17`: has an answer that is none of its choices");
/// assert!(matches!(read_problems("[]", "own"), Err(ProblemError::Empty)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemError {
    /// The text is neither JSON nor JSON lines.
    #[error("line {line}: not JSON")]
    Json {
        /// The line, counted from 1.
        line: usize,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
    /// A problem lacks something, or says it in a way that is not read here.
    #[error("problem `{problem}`: {fault}")]
    Problem {
        /// Its id, or its place where it has none.
        problem: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// Two problems of a set have one id.
    #[error("problem `{problem}` stands twice in set `{set}`")]
    Twice {
        /// The set.
        set: String,
        /// The id.
        problem: String,
    },
    /// There is no problem in it.
    #[error("holds no problem")]
    Empty,
}

/// The fewest and the most choices of a problem: letters must suffice.
const CHOICES: std::ops::RangeInclusive<usize> = 2..=26;

/// Reads the problems in `text`, which belong to `set` where the text names none itself.
///
/// Read are, as JSON lines, a JSON array or a JSON object by id: `problem_text` with `choices` and the letter in
/// `answer` (aistairc's medical QA benchmark); `question` with `options` by letter and the letter in `answer` or
/// `answer_idx` (MedQA, `HuatuoGPT-o1`, MIRAGE, whose file has one object for each set); `QUESTION`, `CONTEXTS` and
/// `final_decision` (`PubMedQA`).
///
/// # Examples
///
/// ```
/// use evaluation::choice::read_problems;
///
/// let mirage = r#"{"pubmedqa": {"9": {"QUESTION": "Does it?", "CONTEXTS": ["A trial."], "final_decision": "yes"}}}"#;
/// let problem = &read_problems(mirage, "own")?[0];
/// assert_eq!((problem.set.as_str(), problem.id.as_str()), ("pubmedqa", "9"));
/// assert_eq!((problem.context.as_deref(), problem.choices.len()), (Some("A trial."), 3));
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
///
/// # Errors
///
/// [`ProblemError`]: a problem is never left out silently, since that would change what is measured.
pub fn read_problems(text: &str, set: &str) -> Result<Vec<Problem>, ProblemError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut problems = Vec::new();
    match serde_json::from_str(text) {
        Ok(Value::Array(rows)) => read_rows(&rows, set, &mut problems)?,
        Ok(Value::Object(fields)) if is_problem(&fields) => {
            problems.push(read_one(&fields, set, "0")?);
        }
        Ok(Value::Object(by_id)) => read_named(&by_id, set, &mut problems)?,
        _ => read_rows(&lines(text)?, set, &mut problems)?,
    }
    let mut seen = HashSet::new();
    for problem in &problems {
        if !seen.insert((&problem.set, &problem.id)) {
            let (set, problem) = (problem.set.clone(), problem.id.clone());
            return Err(ProblemError::Twice { set, problem });
        }
    }
    if problems.is_empty() { Err(ProblemError::Empty) } else { Ok(problems) }
}

/// The JSON values of `text`, one a line; blank lines do not count.
pub(super) fn lines(text: &str) -> Result<Vec<Value>, ProblemError> {
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(index, line)| {
        serde_json::from_str(line).map_err(|source| ProblemError::Json { line: index + 1, source })
    })
    .collect()
}

const QUESTION: [&str; 4] = ["problem_text", "question", "Question", "QUESTION"];
const ID: [&str; 4] = ["problem_id", "id", "question_id", "qid"];

/// Whether it is a problem and no list of them by name.
fn is_problem(fields: &Map<String, Value>) -> bool {
    field(fields, &QUESTION).is_some() || field(fields, &["choices", "options"]).is_some()
}

/// The first of these fields that is there and not null.
fn field<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| fields.get(*name).filter(|value| !value.is_null()))
}

/// The id that a row tells, as text.
pub(super) fn id_of(fields: &Map<String, Value>) -> Option<String> {
    match field(fields, &ID)? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn read_rows(rows: &[Value], set: &str, into: &mut Vec<Problem>) -> Result<(), ProblemError> {
    for (index, row) in rows.iter().enumerate() {
        into.push(read_value(row, set, &index.to_string())?);
    }
    Ok(())
}

/// Problems by their ids, or sets of them by their names.
fn read_named(
    named: &Map<String, Value>,
    set: &str,
    into: &mut Vec<Problem>,
) -> Result<(), ProblemError> {
    for (name, value) in named {
        match value {
            Value::Object(fields) if !is_problem(fields) => {
                for (id, problem) in fields {
                    into.push(read_value(problem, name, id)?);
                }
            }
            _ => into.push(read_value(value, set, name)?),
        }
    }
    Ok(())
}

fn read_value(value: &Value, set: &str, id: &str) -> Result<Problem, ProblemError> {
    let fault = |fault| ProblemError::Problem { problem: id.to_owned(), fault };
    read_one(value.as_object().ok_or_else(|| fault("is no object"))?, set, id)
}

fn read_one(fields: &Map<String, Value>, set: &str, id: &str) -> Result<Problem, ProblemError> {
    let id = id_of(fields).unwrap_or_else(|| id.to_owned());
    let fault = |fault| ProblemError::Problem { problem: id.clone(), fault };
    let question = field(fields, &QUESTION).and_then(Value::as_str).unwrap_or_default().trim();
    if question.is_empty() {
        return Err(fault("has no question"));
    }
    let choices = choices(fields).ok_or_else(|| fault("has no `choices` or `options` of texts"))?;
    if !CHOICES.contains(&choices.len()) {
        return Err(fault("has not 2 to 26 choices"));
    }
    let answer = answer(fields, &choices).map_err(fault)?;
    let context = field(fields, &["context", "CONTEXTS"]).and_then(joined);
    Ok(Problem { set: set.to_owned(), question: question.to_owned(), context, choices, answer, id })
}

/// A text, or several with blank lines between them.
fn joined(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(texts) => {
            texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n\n")
        }
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

fn choices(fields: &Map<String, Value>) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    match field(fields, &["choices", "options"]) {
        Some(Value::Array(texts)) => texts.iter().map(text).collect(),
        Some(Value::Object(by_letter)) => {
            let mut by_letter: Vec<_> = by_letter.iter().collect();
            by_letter.sort_by_key(|(letter, _)| *letter);
            let in_order = |(at, (letter, _)): (usize, &(&String, _))| {
                letter.eq_ignore_ascii_case(&Problem::letter(at).to_string())
            };
            let in_order = by_letter.iter().enumerate().all(in_order);
            in_order.then(|| by_letter.iter().map(|(_, value)| text(value)).collect())?
        }
        None if fields.contains_key("final_decision") => {
            Some(["yes", "no", "maybe"].map(str::to_owned).to_vec())
        }
        _ => None,
    }
}

fn answer(fields: &Map<String, Value>, choices: &[String]) -> Result<usize, &'static str> {
    let value =
        field(fields, &["answer_idx", "answer", "final_decision"]).ok_or("has no answer")?;
    let value = match value {
        Value::Array(answers) if answers.len() == 1 => &answers[0],
        Value::Array(_) => return Err("has not one right answer"),
        value => value,
    };
    let at = match value {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Value::String(text) => named(text.trim(), choices),
        _ => None,
    };
    at.filter(|at| *at < choices.len()).ok_or("has an answer that is none of its choices")
}

/// The choice that has this letter, or this text.
fn named(text: &str, choices: &[String]) -> Option<usize> {
    let letter = |at: &usize| text.eq_ignore_ascii_case(&Problem::letter(*at).to_string());
    (0..choices.len())
        .find(letter)
        .or_else(|| choices.iter().position(|choice| choice.eq_ignore_ascii_case(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let problem = |problem: Problem| {
            let Problem { set, id, question, context, choices, answer } = problem;
            let context = context.map(|context| format!(" [{context}]")).unwrap_or_default();
            format!("{set}/{id}: {question}{context} {} = {}", choices.join("|"), choices[answer])
        };
        match read_problems(text, "file") {
            Ok(problems) => problems.into_iter().map(problem).collect::<Vec<_>>().join("\n"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_published_shapes_are_read() {
        let aist = r#"{"problem_id": 7, "problem_text": "Q?", "choices": ["x", "y"], "answer": ["b"], "context": "C"}"#;
        insta::assert_snapshot!(check(aist), @"file/7: Q? [C] x|y = y");
        insta::assert_snapshot!(check(&format!("{aist}\n\n{}\n", aist.replace('7', "8"))), @"
        file/7: Q? [C] x|y = y
        file/8: Q? [C] x|y = y
        ");
        insta::assert_snapshot!(check(r#"[{"question": "Q?", "options": {"A": "x", "B": "y"}, "answer": "y", "answer_idx": "B"}]"#), @"file/0: Q? x|y = y");
        insta::assert_snapshot!(check(r#"{"medqa": {"0001": {"question": "Q?", "options": {"A": "x", "B": "y"}, "answer": "A"}}, "mmlu": {"a-1": {"question": "R?", "options": {"A": "x", "B": "y"}, "answer": "B"}}}"#), @"
        medqa/0001: Q? x|y = x
        mmlu/a-1: R? x|y = y
        ");
        insta::assert_snapshot!(check(r#"{"215": {"QUESTION": "Q?", "CONTEXTS": ["One.", "Two."], "final_decision": "maybe"}}"#), @"
        file/215: Q? [One.

        Two.] yes|no|maybe = maybe
        ");
    }

    #[test]
    fn a_problem_that_cannot_be_scored_is_named() {
        let of =
            |rest: &str| check(&format!(r#"{{"problem_id": "p9", "problem_text": "Q?", {rest}}}"#));
        insta::assert_snapshot!(of(r#""choices": ["x", "y"], "answer": ["a", "b"]"#), @"problem `p9`: has not one right answer");
        insta::assert_snapshot!(of(r#""choices": ["x", "y"], "answer": "c""#), @"problem `p9`: has an answer that is none of its choices");
        insta::assert_snapshot!(of(r#""choices": ["x"], "answer": "a""#), @"problem `p9`: has not 2 to 26 choices");
        insta::assert_snapshot!(of(r#""options": {"A": "x", "C": "y"}, "answer": "a""#), @"problem `p9`: has no `choices` or `options` of texts");
        insta::assert_snapshot!(check(r#"{"problem_id": 1, "choices": ["x", "y"]}"#), @"problem `1`: has no question");
        insta::assert_snapshot!(check("{\"problem_id\": 1\nno"), @"line 1: not JSON");
        insta::assert_snapshot!(check(""), @"holds no problem");
        let twice =
            r#"{"problem_id": 1, "problem_text": "Q?", "choices": ["x", "y"], "answer": "a"}"#;
        insta::assert_snapshot!(check(&format!("{twice}\n{twice}")), @"problem `1` stands twice in set `file`");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(text in ".{0,200}") {
            let _ = read_problems(&text, "file");
        }
    }
}
