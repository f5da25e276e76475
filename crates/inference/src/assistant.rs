//! Asking a model as it was trained to be asked.

use std::time::Duration;

use template::{SYSTEM_PROMPT, Template};
use transport::Client;
use wire::{ChatMessage, ChatRequest, Role};

use crate::answer::{Answer, Finish};
use crate::error::{Error, is_unknown_model};
use crate::saved::SavedModel;
use crate::stream::AnswerStream;

/// How an answer is drawn and how long it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// How freely to draw, 0 to 2; the service's default where none.
    pub temperature: Option<f64>,
    /// The share of probability to draw from, 0 to 1; the service's default where none.
    pub top_p: Option<f64>,
    /// The most tokens to answer with; the service's default where none.
    pub max_tokens: Option<u64>,
    /// What the draws come from; a new one each time where none.
    pub seed: Option<i64>,
}

impl Default for Sampling {
    /// As the original project asks: temperature 0.5, at most 1500 tokens.
    fn default() -> Self {
        Self { temperature: Some(0.5), top_p: None, max_tokens: Some(1500), seed: None }
    }
}

/// How long to wait for a model that the service does not know yet, as right after a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long to wait in all; zero to take the first refusal.
    pub bound: Duration,
    /// The first pause; each one is twice the one before.
    pub first_pause: Duration,
}

impl Patience {
    /// No waiting.
    pub const NONE: Self = Self { bound: Duration::ZERO, first_pause: Duration::from_secs(1) };

    /// Waits up to `bound` in all, at first one second.
    pub const fn up_to(bound: Duration) -> Self {
        Self { bound, ..Self::NONE }
    }
}

/// A model together with how it wants to be asked.
///
/// The parts are public, because every combination of them is a valid way of asking.
#[derive(Clone, Debug)]
pub struct Assistant {
    /// The service.
    pub client: Client,
    /// The model's id.
    pub model: String,
    /// The system prompt; none for a model that was trained without.
    pub system_prompt: Option<String>,
    /// The template that the answers follow.
    pub template: Template,
    /// How answers are drawn.
    pub sampling: Sampling,
    /// How long to wait for a model that is not ready.
    pub patience: Patience,
}

impl Assistant {
    /// An assistant with the default system prompt, template and sampling.
    pub fn new(client: Client, model: impl Into<String>) -> Self {
        Self {
            client,
            model: model.into(),
            system_prompt: Some(SYSTEM_PROMPT.to_owned()),
            template: Template::Headed,
            sampling: Sampling::default(),
            patience: Patience::NONE,
        }
    }

    /// An assistant that asks as `saved` was trained.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsTrained`] where the file's system prompt or template was changed after the training; to ask
    /// differently on purpose, change the fields of the assistant.
    pub fn from_saved(client: Client, saved: &SavedModel) -> Result<Self, Error> {
        if !saved.is_as_trained() {
            return Err(Error::NotAsTrained { model: saved.model.clone() });
        }
        let mut assistant = Self::new(client, &saved.model);
        assistant.system_prompt =
            Some(saved.system_prompt.clone()).filter(|prompt| !prompt.is_empty());
        assistant.template = saved.template.clone();
        Ok(assistant)
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] where the service refuses or does not answer, [`Error::NotReady`] where it does not know the
    /// model for too long, [`Error::NoChoice`] where its answer is none.
    pub async fn ask(&self, question: &str) -> Result<Answer, Error> {
        let request = self.request(question);
        let completion = self.patiently(async || self.client.chat(&request).await).await?;
        let choice = completion.choices.into_iter().find(|choice| choice.index == 0);
        let Some(choice) = choice else {
            return Err(Error::NoChoice { model: self.model.clone() });
        };
        let model = if completion.model.is_empty() { self.model.clone() } else { completion.model };
        let halves = self.template.split(&choice.message.text());
        Ok(Answer::new(model, halves, Finish::of(choice.finish_reason.as_ref()), completion.usage))
    }

    /// Asks and returns the answer while it arrives.
    ///
    /// # Errors
    ///
    /// As [`Assistant::ask`]; what happens after the first byte is an error of the stream.
    pub async fn ask_stream(&self, question: &str) -> Result<AnswerStream, Error> {
        let request = self.request(question);
        let chunks = self.patiently(async || self.client.chat_stream(&request).await).await?;
        Ok(AnswerStream::new(chunks, &self.model, &self.template))
    }

    fn request(&self, question: &str) -> ChatRequest {
        let system =
            self.system_prompt.as_deref().map(|prompt| ChatMessage::new(Role::System, prompt));
        let messages = system.into_iter().chain([ChatMessage::new(Role::User, question)]).collect();
        let mut request = ChatRequest::new(&self.model, messages);
        request.temperature = self.sampling.temperature;
        request.top_p = self.sampling.top_p;
        request.max_tokens = self.sampling.max_tokens;
        request.seed = self.sampling.seed;
        request
    }

    /// Calls until the service knows the model or the patience is at its end.
    async fn patiently<T>(
        &self,
        call: impl AsyncFn() -> Result<T, transport::Error>,
    ) -> Result<T, Error> {
        let mut waited = Duration::ZERO;
        let mut pause = self.patience.first_pause;
        loop {
            let source = match call().await {
                Ok(answer) => return Ok(answer),
                Err(source) => source,
            };
            let model = self.model.clone();
            if !is_unknown_model(&source) || self.patience.bound.is_zero() {
                return Err(Error::Service { model, source });
            }
            let Some(left) = self.patience.bound.checked_sub(waited).filter(|left| !left.is_zero())
            else {
                return Err(Error::NotReady { model, waited_s: waited.as_secs(), source });
            };
            tracing::info!(model = self.model, "the model is not ready yet");
            let slept = pause.min(left);
            self.client.settings().sleeper.sleep(slept).await;
            waited += slept;
            pause = pause.saturating_mul(2).min(Duration::from_secs(15));
        }
    }
}
