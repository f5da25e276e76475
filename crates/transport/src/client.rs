use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::traits::RequestOptionsBuilder as _;
use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use wire::{
    ChatCompletion, ChatRequest, Completion, CompletionRequest, StreamOptions, TokenizeRequest,
    Tokenized, TokenizerInfo,
};

use crate::endpoint::{Endpoint, EndpointError};
use crate::error::{Cause, Error, Misread};
use crate::exchange::{Answer, Exchange, JSON_LIMIT, Want, unbuilt};
use crate::limits::RateLimits;
use crate::outline::outline;
use crate::retry::{Repeat, Retry};
use crate::route::Route;
use crate::sleeper::Sleeper;
use crate::stream::{ChatStream, CompletionStream, Events};
use crate::upload::{Part, Upload};

/// How a client behaves, whatever it asks.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use transport::{Retry, Settings};
///
/// let impatient = Settings { retry: Retry::never(), read_timeout: Duration::from_secs(5), ..Settings::default() };
/// assert_eq!(impatient.connect_timeout, Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// When to send a request again.
    pub retry: Retry,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a service may be silent; long uploads and answers are not cut as long as something moves.
    pub read_timeout: Duration,
    /// How to wait between attempts.
    pub sleeper: Sleeper,
    /// Certificates in PEM that are trusted beside those of the system, such as a company's own.
    pub certificates: Option<Vec<u8>>,
}

impl Default for Settings {
    /// The official SDKs' times: 5 s to connect, 600 s of silence.
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(600),
            sleeper: Sleeper::default(),
            certificates: None,
        }
    }
}

/// What all requests of a client share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) endpoint: Endpoint,
    pub(crate) settings: Settings,
    pub(crate) http: reqwest::Client,
}

/// A client of one service; clones share its connections.
///
/// # Examples
///
/// Anything that the service has, by its route:
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use serde_json::{Value, json};
/// use transport::{Repeat, Route};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([
/// #     (200, r#"{"object": "list", "data": []}"#),
/// #     (200, "step,train_loss\n"),
/// #     (200, r#"{"id": "ftjob-1", "status": "queued"}"#),
/// #     (200, r#"{"id": "ftjob-1", "status": "cancelled"}"#),
/// #     (200, r#"{"id": "file-2", "object": "file", "deleted": true}"#),
/// # ]).await?;
/// let models: Value = client.get(&Route::new(["models"])?).await?;
/// assert_eq!(models["object"], "list");
/// let content = client.get_bytes(&Route::new(["files", "file-1", "content"])?, 1 << 20).await?;
/// assert_eq!(&content[..], b"step,train_loss\n");
/// let order = json!({"model": "base", "training_file": "file-2"});
/// let jobs = Route::new(["fine_tuning", "jobs"])?;
/// let job: Value = client.post(&jobs, &order, Repeat::Unprocessed).await?; // what costs money is not sent twice
/// let cancel = Route::new(["fine_tuning", "jobs", "ftjob-1", "cancel"])?;
/// let cancelled: Value = client.post_empty(&cancel, Repeat::Always).await?;
/// assert_eq!((&job["id"], &cancelled["status"]), (&json!("ftjob-1"), &json!("cancelled")));
/// let deleted: wire::Deleted = client.delete(&Route::new(["files", "file-2"])?).await?;
/// assert!(deleted.deleted);
/// assert!(client.endpoint().is_loopback() && client.settings().retry.attempts == 6);
/// # Ok(())
/// # }
/// ```
///
/// A model's answers and tokens:
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use wire::{ChatMessage, ChatRequest, CompletionRequest, Role, TokenizeRequest};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let answer = concat!(
/// #     r#"{"choices": [{"index": 0, "message": {"role": "assistant", "#,
/// #     r#""content": "Yes."}, "finish_reason": "stop"}]}"#
/// # );
/// # let chunk = "data: {\"choices\": [{\"index\": 0, \
/// #     \"delta\": {\"content\": \"Yes.\"}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n";
/// # let text = r#"{"choices": [{"index": 0, "text": " the lungs.", "finish_reason": "stop"}]}"#;
/// # let piece = "data: {\"choices\": [{\"index\": 0, \"text\": \" the lungs.\", \
/// #     \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n";
/// # let client = canned([
/// #     (200, answer),
/// #     (200, answer),
/// #     (200, chunk),
/// #     (200, text),
/// #     (200, piece),
/// #     (200, r#"{"count": 2, "max_model_len": 4096, "tokens": [64, 11]}"#),
/// #     (200, r#"{"eos_token": "<|im_end|>"}"#),
/// # ]).await?;
/// let question = ChatRequest::new("tiny", vec![ChatMessage::new(Role::User, "Is a fever common?")]);
/// let answer = client.chat(&question).await?;
/// assert_eq!(answer.choices[0].message.text(), "Yes.");
/// let (answer, limits) = client.chat_once(&question).await?;
/// assert_eq!((answer.choices.len(), limits.requests.remaining), (1, Some(99)));
/// let mut stream = client.chat_stream(&question).await?;
/// while let Some(chunk) = stream.next().await? {
///     assert_eq!(chunk.choices[0].delta.content.as_deref(), Some("Yes."));
/// }
///
/// let beginning = CompletionRequest::new("tiny", "Pneumonia is an infection of");
/// assert_eq!(client.complete(&beginning).await?.choices[0].text, " the lungs.");
/// let mut stream = client.complete_stream(&beginning).await?;
/// assert!(stream.next().await?.is_some());
///
/// let text = TokenizeRequest { prompt: Some("a fever".to_owned()), ..TokenizeRequest::default() };
/// assert_eq!(client.tokenize(&text).await?.tokens, [64, 11]); // by servers at home
/// assert_eq!(client.tokenizer_info("tiny").await?.eos_token.as_deref(), Some("<|im_end|>"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// An answer that does not refuse and was not read yet.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use serde_json::json;
/// use transport::{Repeat, Route, Unread};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([(200, r#"{"id": "ftjob-1", "message": "for Mrs Smith"}"#)]).await?;
/// let order = json!({"model": "base", "training_file": "file-1"});
/// let jobs = Route::new(["fine_tuning", "jobs"])?;
/// let unread: Unread = client.post_unread(&jobs, &order, Repeat::Unprocessed).await?;
/// assert_eq!(unread.outline(), r#"{"id":"ftjob-1","message":"[13 bytes]"}"#); // nobody's words
/// let job: wire::Job = unread.read()?;
/// assert_eq!(job.id.as_str(), "ftjob-1");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Unread {
    client: Client,
    answer: Answer,
}

impl Unread {
    /// What may be kept of it: shape, ids, states and counts; no word that a record, a person or a key may have lent it.
    pub fn outline(&self) -> String {
        match &self.answer {
            Answer::Whole { bytes, .. } => outline(bytes, self.client.endpoint().secrets()),
            Answer::Stream(_) => String::new(),
        }
    }

    /// Reads it as JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] where it is no `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.client.parsed(&self.answer)
    }
}

type Channel = async_openai::Client<Endpoint>;

impl Client {
    /// A client of the service at `endpoint`.
    ///
    /// Redirects are not followed, so that records go only to the host that was named; a service on this machine is
    /// reached without the environment's proxy.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Client`] where TLS cannot be set up, [`EndpointError::Certificates`] where a certificate is none.
    pub fn new(endpoint: Endpoint, settings: Settings) -> Result<Self, Error> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("medtune/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout);
        if endpoint.is_loopback() {
            http = http.no_proxy();
        }
        if let Some(pem) = &settings.certificates {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| EndpointError::Certificates(Cause::new(error)))?;
            http = http.tls_certs_merge(certificates);
        }
        let http = http.build().map_err(|error| EndpointError::Client(Cause::new(error)))?;
        Ok(Self { shared: Arc::new(Shared { endpoint, settings, http }) })
    }

    /// The service that is asked.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Gets the JSON at `route`.
    ///
    /// It is asked again after failures that may pass, as [`Settings::retry`] says; an answer that is no JSON is one.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn get<T: DeserializeOwned>(&self, route: &Route) -> Result<T, Error> {
        self.parsed(&self.fetch(route, Want::Json).await?)
    }

    /// Gets the bytes at `route`, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// See [`Error`]; a longer body is an [`Error::Answer`].
    pub async fn get_bytes(&self, route: &Route, limit: u64) -> Result<Bytes, Error> {
        match self.fetch(route, Want::Bytes(limit)).await? {
            Answer::Whole { bytes, .. } => Ok(bytes),
            Answer::Stream(_) => Err(self.misread(None, Misread::NoStream)),
        }
    }

    /// Posts `body` as JSON to `route` and reads JSON back.
    ///
    /// # Errors
    ///
    /// See [`Error`]; with [`Repeat::Unprocessed`], [`Error::is_ambiguous`] says whether the service may have acted.
    pub async fn post<T: DeserializeOwned>(
        &self,
        route: &Route,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T, Error> {
        self.parsed(&self.send(route, body, self.exchange(Want::Json, repeat)).await?)
    }

    /// Posts `body` as JSON to `route` and gives the answer back unread, so that it can be kept before it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use serde_json::json;
    /// use transport::{Repeat, Route};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned([(200, r#"{"id": "ftjob-1", "model""#)]).await?;
    /// let jobs = Route::new(["fine_tuning", "jobs"])?;
    /// let unread = client.post_unread(&jobs, &json!({"model": "base"}), Repeat::Unprocessed).await?;
    /// assert!(unread.outline().contains("ftjob-1"), "known, although it cannot be read");
    /// assert!(unread.read::<wire::Job>().is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::post`].
    pub async fn post_unread(
        &self,
        route: &Route,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<Unread, Error> {
        let exchange = self.exchange(Want::Bytes(JSON_LIMIT), repeat);
        let answer = self.send(route, body, exchange).await?;
        Ok(Unread { client: self.clone(), answer })
    }

    /// Posts nothing to `route`, as to cancel, and reads JSON back.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn post_empty<T: DeserializeOwned>(
        &self,
        route: &Route,
        repeat: Repeat,
    ) -> Result<T, Error> {
        let exchange = Exchange { bare: true, ..self.exchange(Want::Json, repeat) };
        self.parsed(&self.send(route, &(), exchange).await?)
    }

    /// Deletes what is at `route`.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn delete<T: DeserializeOwned>(&self, route: &Route) -> Result<T, Error> {
        let exchange = self.exchange(Want::Json, Repeat::Always);
        let channel = self.channel(&exchange);
        let models =
            channel.models().path(route.path()).and_then(|models| models.query(route.query()));
        let sent = models.map_err(unbuilt)?.delete_byot::<_, IgnoredAny>("").await;
        self.parsed(&answer(&exchange, sent)?)
    }

    /// Sends a file to `route`, streamed and with its length told beforehand; the answer is given back unread.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use transport::{Repeat, Route, Upload};
    /// use wire::{FileObject, Purpose};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned([(200, r#"{"id": "file-1", "bytes": 3}"#)]).await?;
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("train.jsonl");
    /// std::fs::write(&path, "{}\n")?;
    /// let (filename, purpose) = ("train.jsonl".to_owned(), Purpose::FineTune);
    /// let upload = Upload { path, filename, purpose, byte_order_mark: false, progress: None };
    /// let unread = client.upload(&Route::new(["files"])?, upload, Repeat::Unprocessed).await?;
    /// assert_eq!(unread.read::<FileObject>()?.id.as_str(), "file-1");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::File`] where the file cannot be read.
    pub async fn upload(
        &self,
        route: &Route,
        upload: Upload,
        repeat: Repeat,
    ) -> Result<Unread, Error> {
        let exchange = self.exchange(Want::Bytes(JSON_LIMIT), repeat);
        let channel = self.channel(&exchange);
        let files = channel.files().path(route.path()).and_then(|files| files.query(route.query()));
        let sent = files.map_err(unbuilt)?.create_byot::<_, IgnoredAny>(upload).await;
        Ok(Unread { client: self.clone(), answer: answer(&exchange, sent)? })
    }

    /// Sends a part of a file to `route`, streamed as [`Client::upload`] does; a part sent twice does no harm.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use transport::{Part, Route};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned([(200, r#"{"id": "part_1", "upload_id": "upload_1"}"#)]).await?;
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("train.jsonl");
    /// std::fs::write(&path, "{}\n".repeat(1000))?;
    /// let part = Part { path, range: 1500..3000, byte_order_mark: false, progress: None };
    /// let told: wire::UploadPart = client.upload_part(&Route::new(["uploads", "upload_1", "parts"])?, part).await?;
    /// assert_eq!(told.id.as_str(), "part_1");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::File`] where the file cannot be read.
    pub async fn upload_part<T: DeserializeOwned>(
        &self,
        route: &Route,
        part: Part,
    ) -> Result<T, Error> {
        let exchange = self.exchange(Want::Json, Repeat::Always);
        let channel = self.channel(&exchange);
        let files = channel.files().path(route.path()).and_then(|files| files.query(route.query()));
        let sent = files.map_err(unbuilt)?.create_byot::<_, IgnoredAny>(part).await;
        self.parsed(&answer(&exchange, sent)?)
    }

    /// Posts `body` to `route` and reads events back.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use serde_json::json;
    /// use transport::Route;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let chunk = "data: {\"choices\": [{\"index\": 0, \
    /// #     \"delta\": {\"content\": \"Yes.\"}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n";
    /// # let client = canned([(200, chunk)]).await?;
    /// let body = json!({"model": "tiny", "stream": true});
    /// let mut events = client.stream(&Route::new(["chat", "completions"])?, &body).await?;
    /// let first = events.next().await?.ok_or("an event")?;
    /// assert_eq!(first["choices"][0]["delta"]["content"], "Yes.");
    /// assert_eq!(events.next().await?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`Error`]; an answer that is no event stream is an [`Error::Answer`].
    pub async fn stream(&self, route: &Route, body: &impl Serialize) -> Result<Events, Error> {
        let exchange = self.exchange(Want::Stream, Repeat::Always);
        match self.send(route, body, exchange).await? {
            Answer::Stream(response) => Ok(Events::new(response, Arc::clone(&self.shared))),
            Answer::Whole { request_id, .. } => Err(self.misread(request_id, Misread::NoStream)),
        }
    }

    /// Asks for a whole answer.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn chat(&self, request: &ChatRequest) -> Result<ChatCompletion, Error> {
        let request = ChatRequest { stream: Some(false), stream_options: None, ..request.clone() };
        self.post(&Route::new(["chat", "completions"])?, &request, Repeat::Always).await
    }

    /// Asks for a whole answer, once, and tells with it what the service says of its limits.
    ///
    /// Unlike [`Client::chat`] it does not ask again by itself: whoever asks much has to slow down as a whole.
    ///
    /// # Errors
    ///
    /// See [`Error`]; a [`Refusal`](crate::Refusal) tells of the limits too.
    pub async fn chat_once(
        &self,
        request: &ChatRequest,
    ) -> Result<(ChatCompletion, RateLimits), Error> {
        let request = ChatRequest { stream: Some(false), stream_options: None, ..request.clone() };
        let exchange = Exchange { once: true, ..self.exchange(Want::Json, Repeat::Unprocessed) };
        let answer = self.send(&Route::new(["chat", "completions"])?, &request, exchange).await?;
        let limits = match &answer {
            Answer::Whole { limits, .. } => *limits,
            Answer::Stream(_) => RateLimits::default(),
        };
        Ok((self.parsed(&answer)?, limits))
    }

    /// Asks for an answer in chunks, the last of which tells the tokens used.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn chat_stream(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        let usage = StreamOptions { include_usage: Some(true), ..StreamOptions::default() };
        let request =
            ChatRequest { stream: Some(true), stream_options: Some(usage), ..request.clone() };
        Ok(ChatStream::new(self.stream(&Route::new(["chat", "completions"])?, &request).await?))
    }

    /// Asks for whole completions.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn complete(&self, request: &CompletionRequest) -> Result<Completion, Error> {
        let request =
            CompletionRequest { stream: Some(false), stream_options: None, ..request.clone() };
        self.post(&Route::new(["completions"])?, &request, Repeat::Always).await
    }

    /// Asks for completions in chunks, the last of which tells the tokens used.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn complete_stream(
        &self,
        request: &CompletionRequest,
    ) -> Result<CompletionStream, Error> {
        let usage = StreamOptions { include_usage: Some(true), ..StreamOptions::default() };
        let request = CompletionRequest {
            stream: Some(true),
            stream_options: Some(usage),
            ..request.clone()
        };
        let events = self.stream(&Route::new(["completions"])?, &request).await?;
        Ok(CompletionStream::new(events))
    }

    /// Asks for the tokens of a text or a conversation, which only servers of models at home tell.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn tokenize(&self, request: &TokenizeRequest) -> Result<Tokenized, Error> {
        self.post(&Route::new(["tokenize"])?, request, Repeat::Always).await
    }

    /// Asks what the tokenizer of `model` is, which only servers of models at home tell.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn tokenizer_info(&self, model: &str) -> Result<TokenizerInfo, Error> {
        self.get(&Route::new(["tokenizer_info"])?.with("model", model)).await
    }

    async fn fetch(&self, route: &Route, want: Want) -> Result<Answer, Error> {
        let exchange = self.exchange(want, Repeat::Always);
        let channel = self.channel(&exchange);
        let models =
            channel.models().path(route.path()).and_then(|models| models.query(route.query()));
        let sent = models.map_err(unbuilt)?.list_byot::<IgnoredAny>().await;
        answer(&exchange, sent)
    }

    async fn send(
        &self,
        route: &Route,
        body: &impl Serialize,
        exchange: Exchange,
    ) -> Result<Answer, Error> {
        let channel = self.channel(&exchange);
        let jobs =
            channel.fine_tuning().path(route.path()).and_then(|jobs| jobs.query(route.query()));
        let sent = jobs.map_err(unbuilt)?.create_byot::<_, IgnoredAny>(body).await;
        answer(&exchange, sent)
    }

    fn exchange(&self, want: Want, repeat: Repeat) -> Exchange {
        let slot = Arc::new(Mutex::new(None));
        Exchange { shared: Arc::clone(&self.shared), want, repeat, bare: false, once: false, slot }
    }

    fn channel(&self, exchange: &Exchange) -> Channel {
        let exchange = exchange.clone();
        Channel::build(self.shared.http.clone(), self.shared.endpoint.clone())
            .with_http_service(tower::service_fn(move |factory| exchange.clone().run(factory)))
    }

    fn parsed<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Error> {
        let Answer::Whole { bytes, request_id, .. } = answer else {
            return Err(self.misread(None, Misread::NoStream));
        };
        serde_json::from_slice(bytes)
            .map_err(|error| self.misread(request_id.clone(), Misread::of(&error)))
    }

    /// The error of an answer that can be read and is about something else than what was asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use transport::Route;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned([(200, r#"{"id": "ftjob-2"}"#)]).await?;
    /// let job: wire::Job = client.get(&Route::new(["fine_tuning", "jobs", "ftjob-1"])?).await?;
    /// let checked = if job.id.as_str() == "ftjob-1" { Ok(job) } else { Err(client.stranger()) };
    /// assert_eq!(checked.unwrap_err().to_string(), "the answer of 127.0.0.1 cannot be read");
    /// # Ok(())
    /// # }
    /// ```
    pub fn stranger(&self) -> Error {
        self.misread(None, Misread::Stranger)
    }

    fn misread(&self, request_id: Option<String>, source: Misread) -> Error {
        Error::Answer { host: self.shared.endpoint.host().to_owned(), request_id, source }
    }
}

/// The slot's content; it is empty only where the request was not even handed over.
fn answer(exchange: &Exchange, sent: Result<IgnoredAny, OpenAIError>) -> Result<Answer, Error> {
    let taken = exchange.slot.lock().expect("no holder of this lock panics").take();
    match (taken, sent) {
        (Some(answer), _) => answer,
        (None, Err(error)) => Err(unbuilt(error)),
        (None, Ok(_)) => Err(EndpointError::Request.into()),
    }
}
