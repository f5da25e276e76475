//! One request and its answer, with all attempts that it takes.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::Bytes;
use reqwest::{Request, Response};
use serde::de::IgnoredAny;
use wire::{ErrorBody, ServiceError};

use crate::body::{Unread, beginning, whole};
use crate::client::Shared;
use crate::error::{Cause, Error, Misread, Refusal};
use crate::hint;
use crate::limits::RateLimits;
use crate::retry::{Repeat, Trouble};

/// No answer in JSON comes near this; it keeps a broken service from filling the memory.
pub(crate) const JSON_LIMIT: u64 = 64 << 20;
/// A longer refusal is a page for a browser.
const REFUSAL_LIMIT: u64 = 64 << 10;
/// A person reads no more of a refusal.
const MESSAGE_LIMIT: usize = 500;

/// What kind of answer is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want {
    /// A whole JSON document.
    Json,
    /// Any bytes, at most this many.
    Bytes(u64),
    /// A stream of events, handed out as soon as it begins.
    Stream,
}

/// An answer that does not refuse.
pub(crate) enum Answer {
    Whole { bytes: Bytes, request_id: Option<String>, limits: RateLimits },
    Stream(Response),
}

/// Without the body, which may hold a record's words.
impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { bytes, request_id, .. } => formatter
                .debug_struct("Whole")
                .field("bytes", &bytes.len())
                .field("request_id", request_id)
                .finish(),
            Self::Stream(_) => formatter.write_str("Stream(..)"),
        }
    }
}

/// The service that `async-openai` hands its requests to.
///
/// The answer is left in `slot` instead of being given back: the crate would drop its headers, write a body that it
/// cannot read to the log, and take a cut stream for a whole one.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) shared: Arc<Shared>,
    pub(crate) want: Want,
    pub(crate) repeat: Repeat,
    /// Whether to send no body, where the crate would send `null`.
    pub(crate) bare: bool,
    /// Whether to leave asking again to the caller.
    pub(crate) once: bool,
    pub(crate) slot: Arc<Mutex<Option<Result<Answer, Error>>>>,
}

impl Exchange {
    pub(crate) async fn run(self, factory: HttpRequestFactory) -> Result<Response, OpenAIError> {
        let answer = self.attempts(&factory).await;
        *self.slot.lock().expect("no holder of this lock panics") = Some(answer);
        Ok(http::Response::new("null").into())
    }

    async fn attempts(&self, factory: &HttpRequestFactory) -> Result<Answer, Error> {
        let (mut attempt, mut waited) = (1, Duration::ZERO);
        loop {
            let (error, trouble) = match self.attempt(factory, attempt).await? {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if self.once {
                return Err(error);
            }
            let retry = &self.shared.settings.retry;
            let Some(delay) = retry.wait((attempt, waited), &trouble, self.repeat, jitter()) else {
                return Err(error);
            };
            tracing::debug!(
                attempt,
                status = trouble.status,
                delay_ms = delay.as_millis(),
                "trying again"
            );
            self.shared.settings.sleeper.sleep(delay).await;
            (attempt, waited) = (attempt + 1, waited + delay);
        }
    }

    /// The outer error ends the exchange: the request could not be built.
    async fn attempt(
        &self,
        factory: &HttpRequestFactory,
        attempts: u32,
    ) -> Result<Result<Answer, (Error, Trouble)>, Error> {
        let mut request = factory.build().await.map_err(unbuilt)?;
        if self.bare {
            strip(&mut request);
        }
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = match self.shared.http.execute(request).await {
            Ok(response) => response,
            Err(error) => return Ok(Err(self.unanswered(error, attempts))),
        };
        let (status, id) = (response.status(), request_id(&response));
        tracing::debug!(%method, path, status = status.as_u16(), request_id = id, attempts, "answered");
        if !status.is_success() {
            return Ok(Err(self.refused(response, attempts).await));
        }
        Ok(self.answered(response, id, attempts).await)
    }

    async fn answered(
        &self,
        response: Response,
        request_id: Option<String>,
        attempts: u32,
    ) -> Result<Answer, (Error, Trouble)> {
        let limit = match self.want {
            Want::Stream => return self.streamed(response, request_id),
            Want::Bytes(limit) => limit,
            Want::Json => JSON_LIMIT,
        };
        let limits = RateLimits::of(response.headers());
        let bytes = match whole(response, limit).await {
            Ok(bytes) => bytes,
            Err(Unread::Broken(error)) => return Err(self.unanswered(error, attempts)),
            Err(Unread::Long) => return Err(self.unread(request_id, Misread::Long(limit))),
        };
        if matches!(self.want, Want::Json)
            && let Err(error) = serde_json::from_slice::<IgnoredAny>(&bytes)
        {
            return Err(self.unread(request_id, Misread::of(&error)));
        }
        Ok(Answer::Whole { bytes, request_id, limits })
    }

    fn streamed(
        &self,
        response: Response,
        request_id: Option<String>,
    ) -> Result<Answer, (Error, Trouble)> {
        let kind = response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Ok(Answer::Stream(response));
        }
        let (error, trouble) = self.unread(request_id, Misread::NoStream);
        Err((error, Trouble { should_retry: Some(false), status: Some(200), ..trouble }))
    }

    fn unread(&self, request_id: Option<String>, source: Misread) -> (Error, Trouble) {
        let host = self.shared.endpoint.host().to_owned();
        (Error::Answer { host, request_id, source }, Trouble { sent: true, ..Trouble::default() })
    }

    fn unanswered(&self, error: reqwest::Error, attempts: u32) -> (Error, Trouble) {
        let (host, sent) = (self.shared.endpoint.host().to_owned(), !error.is_connect());
        let trouble = Trouble { sent, ..Trouble::default() };
        let source = Cause::new(error);
        if sent {
            (Error::Broken { host, attempts, source }, trouble)
        } else {
            (Error::Unreachable { host, attempts, source }, trouble)
        }
    }

    async fn refused(&self, response: Response, attempts: u32) -> (Error, Trouble) {
        let (status, request_id) = (response.status().as_u16(), request_id(&response));
        let retry_after = hint::retry_after(response.headers());
        let should_retry = hint::should_retry(response.headers());
        let limits = RateLimits::of(response.headers());
        let body = beginning(response, REFUSAL_LIMIT).await.unwrap_or_default();
        let error = ErrorBody::read(&body).unwrap_or_default();
        let error = self.shared.tidy(error);
        let refusal = Refusal { status, error, request_id, attempts, retry_after, limits };
        let trouble = Trouble {
            status: Some(status),
            sent: true,
            quota: refusal.is_quota(),
            should_retry,
            hint: retry_after,
        };
        (Error::Refused(Box::new(refusal)), trouble)
    }
}

impl Shared {
    /// Takes the key and control characters out of a service's words and shortens them.
    pub(crate) fn tidy(&self, mut error: ServiceError) -> ServiceError {
        let tidy = |text: &str| {
            let plain = self.endpoint.redact(text);
            plain
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(MESSAGE_LIMIT)
                .collect::<String>()
        };
        error.message = String::from(tidy(&error.message).trim());
        error.kind = error.kind.as_deref().map(tidy);
        error.param = error.param.as_deref().map(tidy);
        error.code = error.code.as_deref().map(tidy);
        error.extra.clear();
        error
    }
}

fn request_id(response: &Response) -> Option<String> {
    let id = response.headers().get("x-request-id")?.to_str().ok()?;
    Some(id.chars().take(128).collect())
}

/// Takes the `null` away that the crate sends where nothing is to be said.
fn strip(request: &mut Request) {
    *request.body_mut() = None;
    request.headers_mut().remove(reqwest::header::CONTENT_TYPE);
    request
        .headers_mut()
        .insert(reqwest::header::CONTENT_LENGTH, reqwest::header::HeaderValue::from_static("0"));
}

pub(crate) fn unbuilt(error: OpenAIError) -> Error {
    let build = crate::endpoint::EndpointError::Request;
    match error {
        OpenAIError::Boxed(error) => {
            error.downcast::<Error>().map_or_else(|_| build.into(), |error| *error)
        }
        OpenAIError::Reqwest(error) => {
            crate::endpoint::EndpointError::Client(Cause::new(error)).into()
        }
        _ => build.into(),
    }
}

/// A number in 0 to 1, from the randomness that the standard library seeds its hash maps with.
fn jitter() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
