//! An answer as a program reads it.

use inference::Answer;
use serde::Serialize;
use wire::Usage;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    model: &'a str,
    question: &'a str,
    reasoning: Option<&'a str>,
    response: &'a str,
    complete: bool,
    finish_reason: &'a str,
    usage: Option<&'a Usage>,
}

impl<'a> Record<'a> {
    pub(crate) fn new(question: &'a str, answer: &'a Answer) -> Self {
        Self {
            model: &answer.model,
            question,
            reasoning: answer.reasoning.as_deref(),
            response: &answer.response,
            complete: answer.complete,
            finish_reason: answer.finish.as_str(),
            usage: answer.usage.as_ref(),
        }
    }
}
