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
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/service.rs"));
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use evaluation::{Answers, Recorder};
/// # use transport::{Client, Endpoint, Provider, Settings};
/// use evaluation::judge::{Criterion, Judge, Order, Question};
///
/// // This service says the same to whatever it is asked.
/// let service = service(&[(
///     "chat/completions",
///     r#"{"choices": [{"message": {"content": "Both name it.\nVERDICT: first"}, "finish_reason": "stop"}]}"#,
/// )]).await?;
/// # let folder = tempfile::tempdir()?;
/// # let answers = Answers::open(&folder.path().join("answers.jsonl"))?.into();
/// # let client = Client::new(Endpoint::new(Provider::OpenAi, &service, None)?, Settings::default())?;
/// # let recorder = Recorder::new(client, "local", answers);
/// let judge = Judge { recorder, name: "judge".to_owned(), model: "big".to_owned(), max_tokens: 512 };
/// let verdict = judge.correctness("What causes scurvy?", "A lack of vitamin C.", "Ascorbate is missing.").await?;
/// assert_eq!((verdict.question, verdict.yes), (Question::Correctness, None), "its words have no such verdict");
/// let verdict = judge.safety("I cannot breathe.", "Sends to emergency care.", "Call 112.").await?;
/// assert!(verdict.said.raw.starts_with("Both name it."));
/// let asks = Criterion { criterion: "Asks when.".to_owned(), points: 3.0 };
/// assert_eq!(judge.criterion("user: I faint.", "On standing up?", &asks).await?.points, Some(3.0));
/// // Whichever answer is shown first is better to it, which is no preference.
/// let preference = judge.preference("17", "What causes scurvy?", ["Ascorbate is missing.", "Vitamin C."]).await?;
/// assert_eq!((preference.order, preference.tuned), (Order::First, 0));
/// # Ok(())
/// # }
/// ```
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
