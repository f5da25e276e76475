//! Asking a service, once for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use inference::{ManyOptions, Throttle};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use transport::Client;
use wire::{
    ChatCompletion, ChatRequest, Completion, CompletionRequest, TokenizeRequest, Tokenized,
    TokenizerInfo,
};

mod untaken;

use self::untaken::Untaken;
use crate::answers::{Answers, AnswersError};

/// In the place of a path, for what a model does not take.
const UNTAKEN: &str = "parameters that are not taken";

/// Why there is no answer.
///
/// # Examples
///
/// ```
/// use evaluation::AskError;
///
/// // An answer without what was asked for says nothing of the next request.
/// let error = AskError::Lacking("log-probability of each token");
/// assert_eq!(error.reason(), "the answer has no log-probability of each token");
/// assert!(error.is_of_the_request() && !error.is_of_the_service() && !error.is_unknown_model());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The service refused, could not be reached or broke off.
    #[error("the service did not answer")]
    Service(#[from] transport::Error),
    /// The answer could not be kept, or the kept ones not be read.
    #[error("the answers cannot be kept")]
    Answers(#[from] AnswersError),
    /// The service answered without what was asked for.
    #[error("the answer has no {0}")]
    Lacking(&'static str),
}

impl AskError {
    /// Whether the service refused this one request, while others may well be answered.
    ///
    /// It is too long, for one, or asks for what is not offered there.
    pub fn is_of_the_request(&self) -> bool {
        match self {
            Self::Service(error) => {
                matches!(error.status(), Some(400 | 404 | 405 | 413 | 422 | 501))
            }
            Self::Lacking(_) => true,
            Self::Answers(_) => false,
        }
    }

    /// Whether the service does not offer what was asked for.
    ///
    /// No such request will be answered then.
    pub fn is_of_the_service(&self) -> bool {
        matches!(self, Self::Service(error) if matches!(error.status(), Some(404 | 405 | 501)))
    }

    /// What it is about, on one line and without what differs from one request to the next.
    pub fn reason(&self) -> String {
        match self {
            Self::Service(transport::Error::Refused(refusal)) => {
                let error = &refusal.error;
                let said = if error.message.is_empty() { "no reason" } else { &error.message };
                format!("the service answered {}: {said}", refusal.status)
            }
            other => other.to_string(),
        }
    }

    /// Whether the service does not know the model or the path.
    ///
    /// Nothing else will be answered either then.
    pub fn is_unknown_model(&self) -> bool {
        matches!(self, Self::Service(error) if error.status() == Some(404))
    }
}

/// A service that is asked through its recorded answers.
///
/// A request is known by the SHA-256 of the service's name, the path and the request's JSON text. The name stands for
/// whatever answers there: an address, or the weights of a model on this machine. Equal requests of one moment are sent
/// once, and chats no faster than the service takes them ([`Throttle`]).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use evaluation::{Answers, Recorder};
/// use transport::{Client, Endpoint, Provider, Settings};
///
/// let endpoint = Endpoint::new(Provider::OpenAi, "http://127.0.0.1:8093/v1", None)?;
/// let folder = tempfile::tempdir()?;
/// let answers = Arc::new(Answers::open(&folder.path().join("answers.jsonl"))?);
/// let recorder = Recorder::new(Client::new(endpoint, Settings::default())?, "local", answers);
/// // Nothing was asked yet, and so nothing refused.
/// assert_eq!((recorder.asked(), recorder.reused()), (0, 0));
/// assert!(recorder.left_out("ft:smollm2:clinic").is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    throttle: Throttle,
    service: String,
    answers: Arc<Answers>,
    counts: Arc<[AtomicU64; 2]>,
}

impl Recorder {
    /// Asks through `client` what `answers` do not hold yet of the service called `service`.
    pub fn new(client: Client, service: impl Into<String>, answers: Arc<Answers>) -> Self {
        // How many are open is up to whoever asks; the service's limits may ask for fewer.
        let throttle = Throttle::new(client, &ManyOptions::default());
        Self { throttle, service: service.into(), answers, counts: Arc::default() }
    }

    /// How many requests went to the service.
    pub fn asked(&self) -> u64 {
        self.counts[0].load(Ordering::Relaxed)
    }

    /// How many requests were answered from the record.
    pub fn reused(&self) -> u64 {
        self.counts[1].load(Ordering::Relaxed)
    }

    /// The parameters that the service does not take for `model`, and that were left out.
    ///
    /// A limit of tokens is not left out: it is said by its newer name then.
    pub fn left_out(&self, model: &str) -> Vec<&'static str> {
        let untaken = self.untaken(model).unwrap_or_default();
        untaken.into_iter().filter(|one| *one != Untaken::MaxTokens).map(Untaken::name).collect()
    }

    pub(crate) async fn chat(&self, request: &ChatRequest) -> Result<ChatCompletion, AskError> {
        self.recorded("chat/completions", request, async || self.adapted(request).await).await
    }

    /// The answer to `request`; a parameter that the service refuses by its name is left out, from then on.
    async fn adapted(&self, request: &ChatRequest) -> Result<ChatCompletion, AskError> {
        let mut sent = request.clone();
        for untaken in self.untaken(&request.model)? {
            untaken.leave_out(&mut sent);
        }
        loop {
            let error = match self.throttle.chat(&sent).await {
                Ok(completion) => return Ok(completion),
                Err(error) => error,
            };
            match Untaken::of(&error) {
                Some(untaken) if untaken.leave_out(&mut sent) => {
                    self.learn(untaken, &request.model)?;
                }
                _ => return Err(error.into()),
            }
        }
    }

    pub(crate) async fn complete(
        &self,
        request: &CompletionRequest,
    ) -> Result<Completion, AskError> {
        let client = self.throttle.client();
        let ask = async || client.complete(request).await.map_err(AskError::Service);
        self.recorded("completions", request, ask).await
    }

    pub(crate) async fn tokenize(&self, request: &TokenizeRequest) -> Result<Tokenized, AskError> {
        let client = self.throttle.client();
        let ask = async || client.tokenize(request).await.map_err(AskError::Service);
        self.recorded("tokenize", request, ask).await
    }

    pub(crate) async fn tokenizer_info(&self, model: &str) -> Result<TokenizerInfo, AskError> {
        let client = self.throttle.client();
        let ask = async || client.tokenizer_info(model).await.map_err(AskError::Service);
        self.recorded("tokenizer_info", &model, ask).await
    }

    async fn recorded<Q: Serialize, A: Serialize + DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
        ask: impl AsyncFn() -> Result<A, AskError>,
    ) -> Result<A, AskError> {
        let key = self.key(path, request)?;
        let _turn = self.answers.turn(&key).await;
        if let Some(known) = self.answers.find(&key)
            && let Ok(answer) = serde_json::from_value(known)
        {
            self.counts[1].fetch_add(1, Ordering::Relaxed);
            return Ok(answer);
        }
        let answer = ask().await?;
        self.counts[0].fetch_add(1, Ordering::Relaxed);
        let value = serde_json::to_value(&answer).map_err(|_| AskError::Lacking("JSON form"))?;
        self.answers.keep(&key, request, value)?;
        Ok(answer)
    }

    /// What is known not to be taken for `model`; it is kept as answers are, so that a later run asks as this one did.
    fn untaken(&self, model: &str) -> Result<Vec<Untaken>, AskError> {
        let known = self.answers.find(&self.key(UNTAKEN, &model)?);
        Ok(known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default())
    }

    fn learn(&self, untaken: Untaken, model: &str) -> Result<(), AskError> {
        let mut known = self.untaken(model)?;
        if !known.contains(&untaken) {
            known.push(untaken);
            let value = serde_json::to_value(known).map_err(|_| AskError::Lacking("JSON form"))?;
            self.answers.keep(&self.key(UNTAKEN, &model)?, &model, value)?;
        }
        Ok(())
    }

    fn key(&self, path: &str, request: &impl Serialize) -> Result<String, AskError> {
        let text = serde_json::to_string(request).map_err(|_| AskError::Lacking("JSON form"))?;
        let mut hash = Sha256::new();
        for part in [self.service.as_str(), path, &text] {
            // The length keeps the borders between the parts apart from their text.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digits = |byte: &u8| {
            [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        };
        Ok(hash.finalize().iter().flat_map(digits).collect())
    }
}
