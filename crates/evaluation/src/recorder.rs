//! Asking a service, once for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use transport::Client;
use wire::{
    ChatCompletion, ChatRequest, Completion, CompletionRequest, TokenizeRequest, Tokenized,
    TokenizerInfo,
};

use crate::answers::{Answers, AnswersError};

/// Why there is no answer.
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
    /// Whether the service refused this one request, while others may well be answered: too long, or not offered there.
    pub fn is_of_the_request(&self) -> bool {
        match self {
            Self::Service(error) => {
                matches!(error.status(), Some(400 | 404 | 405 | 413 | 422 | 501))
            }
            Self::Lacking(_) => true,
            Self::Answers(_) => false,
        }
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

    /// Whether the service does not know the model or the path, so that nothing else will be answered either.
    pub fn is_unknown_model(&self) -> bool {
        matches!(self, Self::Service(error) if error.status() == Some(404))
    }
}

/// A service that is asked through its recorded answers.
///
/// A request is known by the SHA-256 of the service's name, the path and the request's JSON text. The name stands for
/// whatever answers there: an address, or the weights of a model on this machine.
#[derive(Clone, Debug)]
pub struct Recorder {
    client: Client,
    service: String,
    answers: Arc<Answers>,
    counts: Arc<[AtomicU64; 2]>,
}

impl Recorder {
    /// Asks through `client` what `answers` do not hold yet of the service called `service`.
    pub fn new(client: Client, service: impl Into<String>, answers: Arc<Answers>) -> Self {
        Self { client, service: service.into(), answers, counts: Arc::default() }
    }

    /// How many requests went to the service.
    pub fn asked(&self) -> u64 {
        self.counts[0].load(Ordering::Relaxed)
    }

    /// How many requests were answered from the record.
    pub fn reused(&self) -> u64 {
        self.counts[1].load(Ordering::Relaxed)
    }

    pub(crate) async fn chat(&self, request: &ChatRequest) -> Result<ChatCompletion, AskError> {
        self.recorded("chat/completions", request, async || self.client.chat(request).await).await
    }

    pub(crate) async fn complete(
        &self,
        request: &CompletionRequest,
    ) -> Result<Completion, AskError> {
        self.recorded("completions", request, async || self.client.complete(request).await).await
    }

    pub(crate) async fn tokenize(&self, request: &TokenizeRequest) -> Result<Tokenized, AskError> {
        self.recorded("tokenize", request, async || self.client.tokenize(request).await).await
    }

    pub(crate) async fn tokenizer_info(&self, model: &str) -> Result<TokenizerInfo, AskError> {
        self.recorded("tokenizer_info", &model, async || self.client.tokenizer_info(model).await)
            .await
    }

    async fn recorded<Q: Serialize, A: Serialize + DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
        ask: impl AsyncFn() -> Result<A, transport::Error>,
    ) -> Result<A, AskError> {
        let key = self.key(path, request)?;
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
