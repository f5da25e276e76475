//! Answers judged by another model.
//!
//! A judge is a model too: it has habits, likes long answers, and is wrong. So its words are kept as they came, two
//! judges can be held against each other ([`cohens_kappa`](crate::statistics::cohens_kappa)), and where two answers are
//! compared each is shown first once.

mod verdict;
mod tally;
mod correctness;
mod rubric;
mod preference;

pub use self::correctness::{CORRECTNESS, SAFETY};
pub use self::preference::{Order, PREFERENCE, Preference};
pub use self::rubric::{CRITERION, Criterion, Rubric, RubricError, read_rubrics, rubric_score};
pub use self::tally::{Tally, tallies};
pub use self::verdict::{Question, Said, Verdict};

use wire::{ChatMessage, ChatRequest, FinishReason, Role};

use crate::recorder::{AskError, Recorder};

/// A model that judges.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Where it is asked.
    pub recorder: Recorder,
    /// What it is called in verdicts, where two judges may have one id.
    pub name: String,
    /// Its id.
    pub model: String,
    /// The most tokens of a verdict; judges that think need many.
    pub max_tokens: u64,
}

impl Judge {
    /// What the judge says to `prompt`, at temperature 0 where it takes one.
    ///
    /// A prompt that the service does not take, such as one that is too long for it, is answered by nothing.
    async fn says(&self, prompt: String) -> Result<Said, AskError> {
        let messages = vec![ChatMessage::new(Role::User, prompt)];
        let mut request = ChatRequest::new(&self.model, messages);
        request.temperature = Some(0.0);
        request.max_tokens = Some(self.max_tokens);
        let completion = match self.recorder.chat(&request).await {
            Ok(completion) => completion,
            Err(error) if error.is_of_the_request() && !error.is_unknown_model() => {
                return Ok(Said { refused: Some(error.reason()), ..Said::default() });
            }
            Err(error) => return Err(error),
        };
        let choice = completion.choices.into_iter().next().ok_or(AskError::Lacking("choice"))?;
        let cut = choice.finish_reason == Some(FinishReason::Length);
        Ok(Said { raw: choice.message.text(), cut, refused: None })
    }
}

/// `template` with the texts put in place of their names in braces.
///
/// A text that holds such a name itself is left as it is.
fn filled(template: &str, texts: &[(&str, &str)]) -> String {
    let mut prompt = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        prompt.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = texts.iter().find(|(name, _)| rest[1..].starts_with(&format!("{name}}}")));
        if let Some((name, text)) = known {
            prompt.push_str(text);
            rest = &rest[name.len() + 2..];
        } else {
            prompt.push('{');
            rest = &rest[1..];
        }
    }
    prompt + rest
}
