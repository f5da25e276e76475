//! What a model is asked.

use std::fmt::Write as _;

use super::Problem;

/// The user's message that asks for a choice by generation.
///
/// It names no letter as an example, because small models repeat what they were shown.
///
/// # Examples
///
/// ```
/// let problem = r#"{"question": "Which vitamin prevents scurvy?", "options": {"A": "B12", "B": "C"}, "answer": "B"}"#;
/// let problem = &evaluation::choice::read_problems(problem, "own")?[0];
/// let question = evaluation::choice::question(problem);
/// assert!(question.contains("A. B12\nB. C\n"));
/// # Ok::<(), evaluation::choice::ProblemError>(())
/// ```
pub fn question(problem: &Problem) -> String {
    let mut text = "Please answer the following multiple-choice question.\n\n".to_owned();
    if let Some(context) = &problem.context {
        let _ = write!(text, "{context}\n\n");
    }
    let _ = write!(text, "{}\n\n", problem.question);
    text += &listed(problem);
    text += "\nEnd your final response with the words \"The answer is\" and the letter of the one right option.";
    text
}

/// The choices, each on a line with its letter.
pub(super) fn listed(problem: &Problem) -> String {
    let line = |(at, choice): (usize, &String)| format!("{}. {choice}\n", Problem::letter(at));
    problem.choices.iter().enumerate().map(line).collect()
}
