//! Asking a model as it was trained to be asked.

use std::time::Duration;

use template::{SYSTEM_PROMPT, Template};
use transport::Client;
use wire::{ChatMessage, ChatRequest, Role};

use crate::answer::Answer;
use crate::error::{Error, is_unknown_model};
use crate::saved::SavedModel;
use crate::stream::AnswerStream;

/// How an answer is drawn and how long it may be.
///
/// # Examples
///
/// ```
/// use inference::Sampling;
///
/// let exact = Sampling { temperature: Some(0.0), seed: Some(7), ..Sampling::default() };
/// assert_eq!(exact.max_tokens, Some(1500));
/// ```
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
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use inference::Patience;
///
/// let patience = Patience::up_to(Duration::from_secs(60));
/// assert_eq!(patience.first_pause, Duration::from_secs(1));
/// assert!(Patience::NONE.bound.is_zero());
/// ```
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
///
/// # Examples
///
/// ```
/// use inference::{Assistant, Patience, Sampling};
/// use wire::{ChatMessage, Role};
/// # use std::time::Duration;
/// # use transport::{Client, Endpoint, Provider, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let endpoint = Endpoint::new(Provider::OpenAi, "http://127.0.0.1:8080/v1", None)?;
/// # let client = Client::new(endpoint, Settings::default())?;
/// let assistant = Assistant {
///     sampling: Sampling { temperature: Some(0.0), max_tokens: None, ..Sampling::default() },
///     patience: Patience::up_to(Duration::from_secs(60)),
///     ..Assistant::new(client, "ft:tiny")
/// };
/// let request = assistant.request(vec![ChatMessage::new(Role::User, "Is a fever common?")]);
/// assert_eq!((request.model.as_str(), request.temperature, request.max_tokens), ("ft:tiny", Some(0.0), None));
/// assert_eq!(request.messages.len(), 2, "the system prompt of the training and the question");
/// # Ok(())
/// # }
/// ```
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
    /// # Examples
    ///
    /// ```
    /// use inference::{Assistant, SavedModel};
    /// use template::Template;
    /// # use transport::{Client, Endpoint, Provider, Settings};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::new(Endpoint::new(Provider::OpenAi, "http://127.0.0.1:8080/v1", None)?, Settings::default())?;
    /// let mut saved = SavedModel::of_id("ft:tiny").trained_with(Template::Think, "Be brief.");
    /// let assistant = Assistant::from_saved(client.clone(), &saved)?;
    /// assert_eq!(assistant.system_prompt.as_deref(), Some("Be brief."));
    /// saved.system_prompt = "Be brief and kind.".to_owned();
    /// assert!(Assistant::from_saved(client, &saved).is_err(), "it was not trained with that");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotAsTrained`] where the file's system prompt or template was changed after the training;
    /// [`Assistant::from_saved_as_is`] asks all the same.
    pub fn from_saved(client: Client, saved: &SavedModel) -> Result<Self, Error> {
        if !saved.is_as_trained() {
            return Err(Error::NotAsTrained { model: saved.model.clone() });
        }
        Ok(Self::from_saved_as_is(client, saved))
    }

    /// An assistant that asks with the saved prompt and template although they are not those of the training.
    ///
    /// This is the way past [`Error::NotAsTrained`], for whoever edited the file on purpose.
    ///
    /// # Examples
    ///
    /// ```
    /// use inference::{Assistant, SavedModel};
    /// # use transport::{Client, Endpoint, Provider, Settings};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let endpoint = Endpoint::new(Provider::OpenAi, "http://127.0.0.1:8080/v1", None)?;
    /// # let client = Client::new(endpoint, Settings::default())?;
    /// let mut saved = SavedModel::of_id("ft:tiny");
    /// saved.system_prompt = "Answer in one sentence.".to_owned();
    /// let assistant = Assistant::from_saved_as_is(client, &saved);
    /// assert_eq!(assistant.system_prompt.as_deref(), Some("Answer in one sentence."));
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_saved_as_is(client: Client, saved: &SavedModel) -> Self {
        Self {
            system_prompt: Some(saved.system_prompt.clone()).filter(|prompt| !prompt.is_empty()),
            template: saved.template.clone(),
            ..Self::new(client, &saved.model)
        }
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::{Assistant, Finish};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned(["## Thinking\n\nCrushing.\n\n## Final Response\n\nAn ECG."]).await?;
    /// let assistant = Assistant::new(client, "ft:tiny");
    /// let answer = assistant.ask("What is the first test in chest pain?").await?;
    /// assert_eq!(answer.reasoning.as_deref(), Some("Crushing."));
    /// assert_eq!((answer.response.as_str(), answer.finish), ("An ECG.", Finish::Stop));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Service`] where the service refuses or does not answer, [`Error::NotReady`] where it does not know the
    /// model for too long, [`Error::NoChoice`] where its answer is none.
    pub async fn ask(&self, question: &str) -> Result<Answer, Error> {
        self.ask_messages(vec![ChatMessage::new(Role::User, question)]).await
    }

    /// Asks and returns the answer while it arrives.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::{Assistant, Event};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned(["## Thinking\n\nCrushing.\n\n## Final Response\n\nAn ECG."]).await?;
    /// let mut stream = Assistant::new(client, "ft:tiny").ask_stream("And now?").await?;
    /// let (mut reasoning, mut response) = (String::new(), String::new());
    /// while let Some(event) = stream.next().await? {
    ///     match event {
    ///         Event::Reasoning(text) => reasoning.push_str(&text),
    ///         Event::Response(text) => response.push_str(&text),
    ///         Event::Done(answer) => assert!(answer.complete),
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!((reasoning.as_str(), response.as_str()), ("Crushing.", "An ECG."));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Assistant::ask`]; what happens after the first byte is an error of the stream.
    pub async fn ask_stream(&self, question: &str) -> Result<AnswerStream, Error> {
        self.ask_messages_stream(vec![ChatMessage::new(Role::User, question)]).await
    }

    /// As [`Assistant::ask`], with messages; the system prompt goes before them unless they begin with one.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::Assistant;
    /// use wire::{ChatMessage, Role};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned(["Within ten minutes."]).await?;
    /// let assistant = Assistant::new(client, "ft:tiny");
    /// let said = [(Role::User, "Chest pain?"), (Role::Assistant, "An ECG."), (Role::User, "How soon?")];
    /// let messages = said.map(|(role, text)| ChatMessage::new(role, text)).to_vec();
    /// assert_eq!(assistant.ask_messages(messages).await?.response, "Within ten minutes.");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Assistant::ask`].
    pub async fn ask_messages(&self, messages: Vec<ChatMessage>) -> Result<Answer, Error> {
        let request = self.request(messages);
        let completion = self.patiently(async || self.client.chat(&request).await).await?;
        Answer::of(completion, &self.model, &self.template)
            .ok_or_else(|| Error::NoChoice { model: self.model.clone() })
    }

    /// As [`Assistant::ask_stream`], with messages; the system prompt goes before them unless they begin with one.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::Assistant;
    /// use wire::{ChatMessage, Role};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned(["Yes."]).await?;
    /// let brief = ChatMessage::new(Role::System, "One word."); // instead of the assistant's own prompt
    /// let question = ChatMessage::new(Role::User, "Is a fever common?");
    /// let stream = Assistant::new(client, "ft:tiny").ask_messages_stream(vec![brief, question]).await?;
    /// assert_eq!(stream.whole().await?.response, "Yes.");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Assistant::ask_stream`].
    pub async fn ask_messages_stream(
        &self,
        messages: Vec<ChatMessage>,
    ) -> Result<AnswerStream, Error> {
        let request = self.request(messages);
        let chunks = self.patiently(async || self.client.chat_stream(&request).await).await?;
        Ok(AnswerStream::new(chunks, &self.model, &self.template))
    }

    /// The request that asks `messages` of the model.
    pub fn request(&self, messages: Vec<ChatMessage>) -> ChatRequest {
        let mut request = ChatRequest::new(&self.model, self.prompted(messages));
        request.temperature = self.sampling.temperature;
        request.top_p = self.sampling.top_p;
        request.max_tokens = self.sampling.max_tokens;
        request.seed = self.sampling.seed;
        request
    }

    /// `messages` with the system prompt before them, unless they begin with one.
    pub(crate) fn prompted(&self, mut messages: Vec<ChatMessage>) -> Vec<ChatMessage> {
        let is_prompt =
            |message: &ChatMessage| matches!(message.role, Role::System | Role::Developer);
        if let Some(prompt) = &self.system_prompt
            && !messages.first().is_some_and(is_prompt)
        {
            messages.insert(0, ChatMessage::new(Role::System, prompt.as_str()));
        }
        messages
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
