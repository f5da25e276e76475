use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use eventsource_stream::{Event, EventStreamError, Eventsource};
use futures_util::{Stream, StreamExt};
use serde_json::Value;
use wire::{ChatChunk, Completion, ErrorBody};

use crate::client::Shared;
use crate::error::{Cause, Error, Misread};

type Inner = Pin<Box<dyn Stream<Item = Result<Event, EventStreamError<reqwest::Error>>> + Send>>;

/// The events of a streamed answer; dropping it ends the request.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use serde_json::json;
/// use transport::{Error, Route};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([(200, "data: {\"n\": 1}\n\n")]).await?;
/// let mut events = client.stream(&Route::new(["chat", "completions"])?, &json!({"stream": true})).await?;
/// assert_eq!(events.next().await?, Some(json!({"n": 1})));
/// assert!(matches!(events.next().await, Err(Error::Cut)), "the service never said `[DONE]`");
/// # Ok(())
/// # }
/// ```
pub struct Events {
    inner: Inner,
    shared: Arc<Shared>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
    Broken,
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Events").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Events {
    pub(crate) fn new(response: reqwest::Response, shared: Arc<Shared>) -> Self {
        Self { inner: Box::pin(response.bytes_stream().eventsource()), shared, state: State::Open }
    }

    /// The next event's JSON, or `None` once the service has said `[DONE]`.
    ///
    /// # Errors
    ///
    /// [`Error::Cut`] where the stream ends before that, [`Error::Broken`] where the connection breaks,
    /// [`Error::InStream`] where the service sends an error, [`Error::Answer`] where an event is no JSON. After an error
    /// the stream stays at [`Error::Cut`].
    pub async fn next(&mut self) -> Result<Option<Value>, Error> {
        match self.state {
            State::Done => return Ok(None),
            State::Broken => return Err(Error::Cut),
            State::Open => {}
        }
        let next = self.read().await;
        self.state = match &next {
            Ok(Some(_)) => State::Open,
            Ok(None) => State::Done,
            Err(_) => State::Broken,
        };
        next
    }

    async fn read(&mut self) -> Result<Option<Value>, Error> {
        loop {
            let event = match self.inner.next().await {
                Some(Ok(event)) => event,
                Some(Err(EventStreamError::Transport(error))) => return Err(self.broken(error)),
                Some(Err(_)) => return Err(self.misread(Misread::Syntax { line: 1, column: 1 })),
                None => return Err(Error::Cut),
            };
            if event.data == "[DONE]" {
                return Ok(None);
            }
            if event.event != "keepalive" && !event.data.is_empty() {
                return self.value(&event).map(Some);
            }
        }
    }

    fn value(&self, event: &Event) -> Result<Value, Error> {
        let value: Value =
            serde_json::from_str(&event.data).map_err(|error| self.misread(Misread::of(&error)))?;
        let is_error =
            event.event == "error" || value.get("error").is_some_and(|error| !error.is_null());
        if is_error {
            let error = ErrorBody::read_value(&value).unwrap_or_default();
            return Err(Error::InStream(Box::new(self.shared.tidy(error))));
        }
        Ok(value)
    }

    fn broken(&self, error: reqwest::Error) -> Error {
        Error::Broken {
            host: self.shared.endpoint.host().to_owned(),
            attempts: 1,
            source: Cause::new(error),
        }
    }

    fn misread(&self, source: Misread) -> Error {
        Error::Answer { host: self.shared.endpoint.host().to_owned(), request_id: None, source }
    }
}

/// A chat completion as it is written.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use transport::{ChatStream, Error};
/// use wire::{ChatMessage, ChatRequest, Role};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let reply = "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"Ye\"}}]}\n\ndata: [DONE]\n\n";
/// # let client = canned([(200, reply)]).await?;
/// let question = ChatRequest::new("tiny", vec![ChatMessage::new(Role::User, "Is a fever common?")]);
/// let mut stream: ChatStream = client.chat_stream(&question).await?;
/// let chunk = stream.next().await?.ok_or("a chunk")?;
/// assert_eq!(chunk.choices[0].delta.content.as_deref(), Some("Ye"));
/// assert!(matches!(stream.next().await, Err(Error::Cut)), "no chunk said why the answer ended");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ChatStream {
    events: Events,
    finished: bool,
}

impl ChatStream {
    pub(crate) fn new(events: Events) -> Self {
        Self { events, finished: false }
    }

    /// The next chunk, or `None` after a whole answer.
    ///
    /// # Errors
    ///
    /// As [`Events::next`]; also [`Error::Cut`] where the service says `[DONE]` although no chunk gave a reason for the
    /// answer's end.
    pub async fn next(&mut self) -> Result<Option<ChatChunk>, Error> {
        let Some(value) = self.events.next().await? else {
            return if self.finished { Ok(None) } else { Err(Error::Cut) };
        };
        let chunk: ChatChunk = serde_json::from_value(value)
            .map_err(|error| self.events.misread(Misread::of(&error)))?;
        self.finished |= chunk.choices.iter().any(|choice| choice.ended().is_some());
        Ok(Some(chunk))
    }
}

/// Completions as they are written.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use transport::CompletionStream;
/// use wire::CompletionRequest;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let piece = "data: {\"choices\": [{\"index\": 0, \"text\": \" the lungs.\", \
/// #     \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n";
/// # let client = canned([(200, piece)]).await?;
/// let beginning = CompletionRequest::new("tiny", "Pneumonia is an infection of");
/// let mut stream: CompletionStream = client.complete_stream(&beginning).await?;
/// let mut text = String::new();
/// while let Some(chunk) = stream.next().await? {
///     text.extend(chunk.choices.iter().map(|choice| choice.text.as_str()));
/// }
/// assert_eq!(text, " the lungs.");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CompletionStream {
    events: Events,
    finished: bool,
}

impl CompletionStream {
    pub(crate) fn new(events: Events) -> Self {
        Self { events, finished: false }
    }

    /// The next chunk, or `None` after whole completions.
    ///
    /// # Errors
    ///
    /// As [`Events::next`]; also [`Error::Cut`] where the service says `[DONE]` although no chunk gave a reason for an
    /// end.
    pub async fn next(&mut self) -> Result<Option<Completion>, Error> {
        let Some(value) = self.events.next().await? else {
            return if self.finished { Ok(None) } else { Err(Error::Cut) };
        };
        let chunk: Completion = serde_json::from_value(value)
            .map_err(|error| self.events.misread(Misread::of(&error)))?;
        self.finished |= chunk.choices.iter().any(|choice| choice.finish_reason.is_some());
        Ok(Some(chunk))
    }
}
