//! The model that is measured, asked as it was trained to be asked.

use inference::Sampling;
use template::Template;
use wire::{
    ChatMessage, ChatRequest, CompletionLogprobs, CompletionRequest, FinishReason, Prompt, Role,
    TokenizeRequest,
};

use crate::recorder::{AskError, Recorder};

/// A model with its system prompt, template and sampling.
///
/// The parts are public, because every combination of them is a valid way of asking.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/service.rs"));
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use evaluation::{Answers, Recorder, Subject};
/// use inference::Sampling;
/// use template::{SYSTEM_PROMPT, Template};
/// use transport::{Client, Endpoint, Provider, Settings};
///
/// let service = service(&[(
///     "chat/completions",
///     r#"{"choices": [{"message": {"content": "Vitamin C."}, "finish_reason": "stop"}]}"#,
/// )]).await?;
/// let client = Client::new(Endpoint::new(Provider::OpenAi, &service, None)?, Settings::default())?;
/// let folder = tempfile::tempdir()?;
/// let answers = Arc::new(Answers::open(&folder.path().join("answers.jsonl"))?);
/// let subject = Subject {
///     recorder: Recorder::new(client, "local", answers),
///     model: "ft:smollm2:clinic".to_owned(),
///     system_prompt: Some(SYSTEM_PROMPT.to_owned()),
///     template: Template::Headed,
///     sampling: Sampling { temperature: Some(0.0), ..Sampling::default() },
/// };
/// let question = subject.messages("Which vitamin prevents scurvy?");
/// let reply = subject.answer(question.clone()).await?;
/// assert_eq!((reply.text.as_str(), reply.ended_itself()), ("Vitamin C.", true));
/// // The same question is answered from the record.
/// assert_eq!(subject.answer(question).await?, reply);
/// assert_eq!((subject.recorder.asked(), subject.recorder.reused()), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Subject {
    /// Where it is asked.
    pub recorder: Recorder,
    /// Its id.
    pub model: String,
    /// The system prompt of its training; none for a model that was trained without.
    pub system_prompt: Option<String>,
    /// The template of its training.
    pub template: Template,
    /// How answers are drawn; temperature 0 makes them repeatable.
    pub sampling: Sampling,
}

/// An answer as it came.
///
/// # Examples
///
/// ```
/// use evaluation::Reply;
///
/// let cut = Reply { text: "## Thinking\n\nFever and a".to_owned(), finish: "length".to_owned() };
/// assert!(!cut.ended_itself());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// Why it ended, as the service says; `refused` where the service takes no such request.
    pub finish: String,
}

impl Reply {
    /// Whether the model ended it itself.
    pub fn ended_itself(&self) -> bool {
        self.finish == FinishReason::Stop.as_str()
    }
}

/// How well the tokens of a text were foretold.
///
/// # Examples
///
/// ```
/// use evaluation::TokenSums;
///
/// let reasoning = TokenSums { loss: 42.0, correct: 21, tokens: 30 };
/// let response = TokenSums { loss: 8.0, correct: 8, tokens: 10 };
/// let both = reasoning.plus(response);
/// assert_eq!((both.loss / both.tokens as f64, both.correct), (1.25, 29));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenSums {
    /// The sum of their losses, in nats.
    pub loss: f64,
    /// How many of them were the likeliest at their place.
    pub correct: usize,
    /// How many they are.
    pub tokens: usize,
}

impl TokenSums {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            correct: self.correct + other.correct,
            tokens: self.tokens + other.tokens,
        }
    }
}

impl Subject {
    /// The system prompt and `question`, as messages.
    pub fn messages(&self, question: &str) -> Vec<ChatMessage> {
        let system =
            self.system_prompt.as_deref().map(|prompt| ChatMessage::new(Role::System, prompt));
        system.into_iter().chain([ChatMessage::new(Role::User, question)]).collect()
    }

    /// The answer to `messages`.
    ///
    /// A request that the service does not take is an empty answer that ended with `refused`.
    ///
    /// # Errors
    ///
    /// [`AskError`], where the service does not answer at all or does not know the model.
    pub async fn answer(&self, messages: Vec<ChatMessage>) -> Result<Reply, AskError> {
        let mut request = ChatRequest::new(&self.model, messages);
        request.temperature = self.sampling.temperature;
        request.top_p = self.sampling.top_p;
        request.max_tokens = self.sampling.max_tokens;
        request.seed = self.sampling.seed;
        let completion = match self.recorder.chat(&request).await {
            Ok(completion) => completion,
            Err(error) if error.is_of_the_request() && !error.is_unknown_model() => {
                return Ok(Reply { text: String::new(), finish: "refused".to_owned() });
            }
            Err(error) => return Err(error),
        };
        let choice = completion.choices.into_iter().next().ok_or(AskError::Lacking("choice"))?;
        let finish = choice.finish_reason.as_ref().map_or("cut", FinishReason::as_str).to_owned();
        Ok(Reply { text: choice.message.text(), finish })
    }

    /// The log-likelihood of each of `continuations` behind `prompt`, in nats.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/service.rs"));
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use evaluation::{Answers, Recorder, Subject};
    /// # use transport::{Client, Endpoint, Provider, Settings};
    /// let service = service(&[("completions", r#"{"choices": [
    ///     {"index": 0, "logprobs": {"token_logprobs": [null, -0.2], "text_offset": [0, 7]}},
    ///     {"index": 1, "logprobs": {"token_logprobs": [null, -1.9], "text_offset": [0, 7]}}
    /// ]}"#)]).await?;
    /// # let folder = tempfile::tempdir()?;
    /// # let answers = Answers::open(&folder.path().join("answers.jsonl"))?.into();
    /// # let client = Client::new(Endpoint::new(Provider::OpenAi, &service, None)?, Settings::default())?;
    /// # let subject = Subject {
    /// #     recorder: Recorder::new(client, "local", answers),
    /// #     model: "ft:smollm2:clinic".to_owned(),
    /// #     system_prompt: None,
    /// #     template: template::Template::Headed,
    /// #     sampling: inference::Sampling::default(),
    /// # };
    /// let choices = [" C", " D"].map(str::to_owned);
    /// assert_eq!(subject.log_likelihoods("Scurvy:", &choices).await?, [-0.2, -1.9]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AskError`]; [`AskError::is_of_the_request`] where the service tells no log-probabilities of a prompt.
    pub async fn log_likelihoods(
        &self,
        prompt: &str,
        continuations: &[String],
    ) -> Result<Vec<f64>, AskError> {
        let texts = continuations.iter().map(|continuation| format!("{prompt}{continuation}"));
        let logprobs = self.echoed(Prompt::Texts(texts.collect()), continuations.len()).await?;
        let border = prompt.chars().count() as u64;
        let sum = |logprobs: &CompletionLogprobs| {
            // A token counts from where the next one begins behind the border, as one may reach over it.
            let next = logprobs.text_offset.iter().skip(1).copied().chain([u64::MAX]);
            let behind = next.zip(&logprobs.token_logprobs).filter(|(next, _)| *next > border);
            behind.map(|(_, logprob)| *logprob).sum::<Option<f64>>()
        };
        let sums = logprobs.iter().map(sum).collect::<Option<Vec<f64>>>();
        sums.ok_or(AskError::Lacking("log-probability of each token"))
    }

    /// How well the assistant's last message in `messages` is foretold.
    ///
    /// The first sums go up to byte `border` of it, the second from there on. The question's tokens are those of the
    /// service's own chat template, up to where an answer begins; the answer is tokenised apart from it, as when the
    /// model writes one, and the token that ends an answer counts with it.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/service.rs"));
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use evaluation::{Answers, Recorder, Subject};
    /// # use transport::{Client, Endpoint, Provider, Settings};
    /// use wire::{ChatMessage, Role};
    ///
    /// // To this service every text has two tokens.
    /// let service = service(&[
    ///     ("tokenizer_info", r#"{"eos_token": "<|im_end|>"}"#),
    ///     ("tokenize", r#"{"count": 2, "tokens": [7, 9]}"#),
    ///     ("completions", r#"{"choices": [{"logprobs": {
    ///         "token_logprobs": [null, -3.0, -0.5, -0.25],
    ///         "top_logprobs": [null, {"a": -0.1}, {"C": -0.5}, {"D": -0.125}]
    ///     }}]}"#),
    /// ]).await?;
    /// # let folder = tempfile::tempdir()?;
    /// # let answers = Answers::open(&folder.path().join("answers.jsonl"))?.into();
    /// # let client = Client::new(Endpoint::new(Provider::OpenAi, &service, None)?, Settings::default())?;
    /// # let subject = Subject {
    /// #     recorder: Recorder::new(client, "local", answers),
    /// #     model: "ft:smollm2:clinic".to_owned(),
    /// #     system_prompt: None,
    /// #     template: template::Template::Headed,
    /// #     sampling: inference::Sampling::default(),
    /// # };
    /// let chat = [(Role::User, "Scurvy?"), (Role::Assistant, "Vitamin C.")];
    /// let [before, behind] = subject.token_sums(&chat.map(|(role, text)| ChatMessage::new(role, text)), 0).await?;
    /// assert_eq!(before.tokens, 0, "the border stands at the beginning");
    /// assert_eq!((behind.loss, behind.correct, behind.tokens), (0.75, 1, 2));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AskError`]; [`AskError::is_of_the_request`] where the service tells no tokens or no log-probabilities of a
    /// prompt, or where the conversation is too long for it.
    pub async fn token_sums(
        &self,
        messages: &[ChatMessage],
        border: usize,
    ) -> Result<[TokenSums; 2], AskError> {
        let Some((answer, question)) = messages.split_last() else {
            return Err(AskError::Lacking("message"));
        };
        let text = answer.text();
        let half = text.get(..border).ok_or(AskError::Lacking("border between characters"))?;
        let end = self.recorder.tokenizer_info(&self.model).await?.eos_token.unwrap_or_default();
        let mut tokens = self.prompt(question.to_vec()).await?;
        let written = self.tokens(format!("{text}{end}")).await?;
        let first = if half.is_empty() {
            0
        } else {
            let half = self.tokens(half.to_owned()).await?;
            half.iter().zip(&written).take_while(|(one, other)| one == other).count()
        };
        let begin = tokens.len();
        tokens.extend(written);
        let (middle, end) = (begin + first, tokens.len());
        let logprobs = self.echoed(Prompt::Tokens(tokens), 1).await?.remove(0);
        if logprobs.token_logprobs.len() < end || begin == 0 {
            return Err(AskError::Lacking("log-probability of each token"));
        }
        Ok([sums(&logprobs, begin..middle)?, sums(&logprobs, middle..end)?])
    }

    /// The tokens of `text` as it stands.
    async fn tokens(&self, text: String) -> Result<Vec<u32>, AskError> {
        let request = TokenizeRequest {
            model: Some(self.model.clone()),
            prompt: Some(text),
            add_special_tokens: Some(false),
            ..TokenizeRequest::default()
        };
        Ok(self.recorder.tokenize(&request).await?.tokens)
    }

    /// The tokens of `messages` and of what stands before an answer to them.
    async fn prompt(&self, messages: Vec<ChatMessage>) -> Result<Vec<u32>, AskError> {
        let request = TokenizeRequest {
            model: Some(self.model.clone()),
            messages: Some(messages),
            add_generation_prompt: Some(true),
            ..TokenizeRequest::default()
        };
        Ok(self.recorder.tokenize(&request).await?.tokens)
    }

    /// The log-probabilities of the tokens of `count` prompts, nothing generated.
    async fn echoed(
        &self,
        prompt: Prompt,
        count: usize,
    ) -> Result<Vec<CompletionLogprobs>, AskError> {
        let mut request = CompletionRequest::new(&self.model, "");
        request.prompt = prompt;
        request.echo = Some(true);
        request.logprobs = Some(1);
        request.max_tokens = Some(0);
        request.temperature = Some(0.0);
        let mut choices = self.recorder.complete(&request).await?.choices;
        choices.sort_by_key(|choice| choice.index);
        let logprobs: Option<Vec<_>> = choices.into_iter().map(|choice| choice.logprobs).collect();
        let logprobs = logprobs.filter(|logprobs| logprobs.len() == count);
        logprobs.ok_or(AskError::Lacking("log-probabilities of the prompt"))
    }
}

fn sums(
    logprobs: &CompletionLogprobs,
    range: std::ops::Range<usize>,
) -> Result<TokenSums, AskError> {
    let lacking = || AskError::Lacking("log-probability of each token");
    let mut sums = TokenSums::default();
    for at in range {
        let logprob = logprobs.token_logprobs[at].ok_or_else(lacking)?;
        let top = logprobs.top_logprobs.as_ref().and_then(|top| top.get(at)?.as_ref());
        let best = top.ok_or_else(lacking)?.values().copied().fold(f64::NEG_INFINITY, f64::max);
        sums.loss -= logprob;
        sums.correct += usize::from(logprob >= best);
        sums.tokens += 1;
    }
    Ok(sums)
}
