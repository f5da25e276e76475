//! Chat completions: <https://platform.openai.com/docs/api-reference/chat/object>.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::lenient::{Extra, soft, text, whole_or_zero};
use crate::logprobs::ChatLogprobs;
use crate::open::open_enum;

open_enum! {
    /// Who speaks.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::Role;
    ///
    /// assert_eq!(Role::from("assistant"), Role::Assistant);
    /// // What this version does not know comes and goes as it is.
    /// let other = Role::from("ipython");
    /// assert_eq!((&other, other.as_str()), (&Role::Other("ipython".to_owned()), "ipython"));
    /// ```
    Role {
        /// The one who says how to answer.
        System = "system",
        /// The newer word for the same.
        Developer = "developer",
        /// The one who asks.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// A tool's answer.
        Tool = "tool",
    }
}

open_enum! {
    /// Why an answer ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::FinishReason;
    ///
    /// assert_eq!(FinishReason::from("length"), FinishReason::Length);
    /// assert_eq!(FinishReason::Stop.as_str(), "stop");
    /// ```
    FinishReason {
        /// The model was done.
        Stop = "stop",
        /// The limit of tokens was reached: the answer is cut.
        Length = "length",
        /// A filter stopped it.
        ContentFilter = "content_filter",
        /// The model asks for a tool.
        ToolCalls = "tool_calls",
    }
}

/// What a message says: one text or several parts.
///
/// # Examples
///
/// ```
/// use wire::Content;
///
/// let parts: Content = serde_json::from_str(
///     r#"[{"type": "text", "text": "What does this "}, {"type": "text", "text": "ECG show?"}]"#,
/// )?;
/// assert_eq!(parts.text(), "What does this ECG show?");
/// assert_eq!(serde_json::to_string(&Content::from("Why the fever?"))?, r#""Why the fever?""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// One text.
    Text(String),
    /// Several parts.
    Parts(Vec<ContentPart>),
}

impl Content {
    /// All its text, parts joined without anything between them.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts.iter().filter_map(|part| part.text.as_deref()).collect(),
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A part of a message.
///
/// # Examples
///
/// ```
/// let part: wire::ContentPart =
///     serde_json::from_str(r#"{"type": "image_url", "image_url": {"url": "https://example.org/ecg.png"}}"#)?;
/// assert_eq!((part.kind.as_str(), &part.text), ("image_url", &None));
/// assert_eq!(part.extra["image_url"]["url"], "https://example.org/ecg.png");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentPart {
    /// Its kind, such as `text` or `image_url`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its text, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A message of a conversation, asked, answered or trained on.
///
/// # Examples
///
/// ```
/// use wire::{ChatMessage, Role};
///
/// let message = ChatMessage::new(Role::User, "Why the fever?");
/// assert_eq!(serde_json::to_string(&message)?, r#"{"role":"user","content":"Why the fever?"}"#);
/// let call: ChatMessage = serde_json::from_str(r#"{"role": "assistant", "content": null, "tool_calls": []}"#)?;
/// assert_eq!((call.text().as_str(), call.extra.contains_key("tool_calls")), ("", true));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said; null where a tool is called instead.
    #[serde(default)]
    pub content: Option<Content>,
    /// The speaker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In training data: whether to learn from this message (0 or 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ChatMessage {
    /// A message of `role` that says `content`.
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        Self { role, content: Some(content.into()), name: None, weight: None, extra: Extra::new() }
    }

    /// What is said, empty where nothing is.
    pub fn text(&self) -> String {
        self.content.as_ref().map(Content::text).unwrap_or_default()
    }
}

/// Where to stop an answer: one text or several.
///
/// # Examples
///
/// ```
/// use wire::Stop;
///
/// let one: Stop = serde_json::from_str(r###""\n## ""###)?;
/// assert_eq!(one.texts(), ["\n## "]);
/// let many: Stop = serde_json::from_str(r#"["END", "STOP"]"#)?;
/// assert_eq!(many.texts().len(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stop {
    /// One text.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

impl Stop {
    /// All texts to stop at.
    pub fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// A request for an answer: <https://platform.openai.com/docs/api-reference/chat/create>.
///
/// # Examples
///
/// ```
/// use wire::{ChatMessage, ChatRequest, Role};
///
/// let question = ChatMessage::new(Role::User, "Why the fever?");
/// let mut request = ChatRequest::new("ft:gpt-4.1-mini:clinic::abc", vec![question]);
/// request.temperature = Some(0.0);
/// let json = serde_json::to_value(&request)?;
/// assert_eq!(json["temperature"], 0.0);
/// // What was not set is not sent.
/// assert!(json.get("max_tokens").is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model to ask.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<ChatMessage>,
    /// How freely to draw, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The share of probability to draw from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The most tokens to answer with; the older name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The most tokens to answer with; the newer name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    /// What the draws come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Where to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// How many answers to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Whether to answer in chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What to send in a stream beside the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// Whether to tell the log-probabilities of the answer's tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many of the likeliest tokens to tell at each place, 0 to 20; asks for `logprobs` as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u64>,
    /// What a token loses for each time that the answer has it, -2 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// What a token loses once the answer has it, -2 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// What to add to the logits of single tokens, by their ids, -100 to 100 each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<BTreeMap<String, f64>>,
    /// Draws among so many of the likeliest tokens; not `OpenAI`'s, but many servers' of models at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Divides the logits of tokens that conversation or answer have, above 0; not `OpenAI`'s either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ChatRequest {
    /// A request that asks `model` to go on with `messages`, everything else left to the service.
    pub fn new(model: impl Into<String>, messages: Vec<ChatMessage>) -> Self {
        Self {
            model: model.into(),
            messages,
            temperature: None,
            top_p: None,
            max_tokens: None,
            max_completion_tokens: None,
            seed: None,
            stop: None,
            n: None,
            stream: None,
            stream_options: None,
            logprobs: None,
            top_logprobs: None,
            frequency_penalty: None,
            presence_penalty: None,
            logit_bias: None,
            top_k: None,
            repetition_penalty: None,
            extra: Extra::new(),
        }
    }
}

/// What to send in a stream beside the answer.
///
/// # Examples
///
/// ```
/// use wire::{ChatRequest, StreamOptions};
///
/// let mut request = ChatRequest::new("m", Vec::new());
/// request.stream = Some(true);
/// request.stream_options = Some(StreamOptions { include_usage: Some(true), ..StreamOptions::default() });
/// assert_eq!(serde_json::to_value(&request)?["stream_options"]["include_usage"], true);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamOptions {
    /// Whether the last chunk tells the tokens used.
    #[serde(default)]
    pub include_usage: Option<bool>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Tokens that a request used.
///
/// # Examples
///
/// ```
/// let usage: wire::Usage = serde_json::from_str(
///     r#"{"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24,
///         "prompt_tokens_details": {"cached_tokens": 16}}"#,
/// )?;
/// assert_eq!(usage.total_tokens, wire::Usage::new(21, 3).total_tokens);
/// assert_eq!(usage.extra["prompt_tokens_details"]["cached_tokens"], 16);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the conversation.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub completion_tokens: u64,
    /// Both together.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub total_tokens: u64,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Usage {
    /// What a prompt and an answer of these lengths used.
    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        let total_tokens = prompt_tokens + completion_tokens;
        Self { prompt_tokens, completion_tokens, total_tokens, extra: Extra::new() }
    }
}

/// A whole answer.
///
/// # Examples
///
/// ```
/// let answer: wire::ChatCompletion = serde_json::from_str(
///     r#"{"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "usage": null, "choices":
///         [{"index": 0, "message": {"role": "assistant", "content": "An infection."}, "finish_reason": "stop"}]}"#,
/// )?;
/// assert_eq!(answer.choices[0].message.text(), "An infection.");
/// // Without an answer it is no completion.
/// assert!(serde_json::from_str::<wire::ChatCompletion>(r#"{"id": "chatcmpl-1"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatCompletion {
    /// Its id.
    #[serde(default, deserialize_with = "soft")]
    pub id: String,
    /// Always `chat.completion`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created: i64,
    /// The model that answered.
    #[serde(default, deserialize_with = "soft")]
    pub model: String,
    /// The answers, usually one.
    pub choices: Vec<ChatChoice>,
    /// Tokens used.
    #[serde(default, deserialize_with = "soft")]
    pub usage: Option<Usage>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

fn answer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ChatMessage, D::Error> {
    let mut message = Extra::deserialize(deserializer)?;
    if !message.get("role").is_some_and(Value::is_string) {
        message.insert("role".to_owned(), Value::from("assistant"));
    }
    ChatMessage::deserialize(Value::Object(message)).map_err(serde::de::Error::custom)
}

/// One of the answers.
///
/// # Examples
///
/// ```
/// use wire::{ChatChoice, FinishReason, Role};
///
/// let choice: ChatChoice =
///     serde_json::from_str(r#"{"message": {"content": "An infection"}, "finish_reason": "length"}"#)?;
/// assert_eq!(choice.message.role, Role::Assistant);
/// assert_eq!(choice.finish_reason, Some(FinishReason::Length), "the answer is cut");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatChoice {
    /// Its place among the answers.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub index: u32,
    /// What is answered; a role that a server leaves out reads as the assistant's.
    #[serde(deserialize_with = "answer")]
    pub message: ChatMessage,
    /// Why it ended.
    #[serde(default, deserialize_with = "soft")]
    pub finish_reason: Option<FinishReason>,
    /// The tokens' log-probabilities, where they were asked for.
    #[serde(default, deserialize_with = "soft")]
    pub logprobs: Option<ChatLogprobs>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A piece of a streamed answer: <https://platform.openai.com/docs/api-reference/chat-streaming/streaming>.
///
/// # Examples
///
/// ```
/// use wire::ChatChunk;
///
/// let stream = [
///     r#"{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "An inf"}}]}"#,
///     r#"{"choices": [{"index": 0, "delta": {"content": "ection."}, "finish_reason": "stop"}]}"#,
///     r#"{"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24}}"#,
/// ];
/// let (mut text, mut tokens) = (String::new(), None);
/// for data in stream {
///     let chunk: ChatChunk = serde_json::from_str(data)?;
///     text.extend(chunk.choices.iter().filter_map(|choice| choice.delta.content.as_deref()));
///     tokens = chunk.usage.map(|usage| usage.completion_tokens);
/// }
/// assert_eq!((text.as_str(), tokens), ("An infection.", Some(3)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatChunk {
    /// The id of the whole answer.
    #[serde(default, deserialize_with = "soft")]
    pub id: String,
    /// Always `chat.completion.chunk`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When the answer was begun, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created: i64,
    /// The model that answers.
    #[serde(default, deserialize_with = "soft")]
    pub model: String,
    /// What is new; empty in the chunk that tells the tokens used.
    #[serde(default, deserialize_with = "soft")]
    pub choices: Vec<ChunkChoice>,
    /// Tokens used, in the last chunk.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What is new in one of the answers.
///
/// # Examples
///
/// ```
/// use wire::{ChunkChoice, FinishReason};
///
/// let choice = |json| serde_json::from_str::<ChunkChoice>(json);
/// assert_eq!(choice(r#"{"delta": {}, "finish_reason": "stop"}"#)?.ended(), Some(&FinishReason::Stop));
/// assert_eq!(choice(r#"{"delta": {"content": "An"}, "finish_reason": ""}"#)?.ended(), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChunkChoice {
    /// Its place among the answers.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub index: u32,
    /// The new piece.
    #[serde(default, deserialize_with = "soft")]
    pub delta: ChatDelta,
    /// Why the answer ended, in its last piece.
    #[serde(default, deserialize_with = "soft")]
    pub finish_reason: Option<FinishReason>,
    /// The tokens' log-probabilities, where they were asked for.
    #[serde(default, deserialize_with = "soft")]
    pub logprobs: Option<ChatLogprobs>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The new piece of a message.
///
/// # Examples
///
/// ```
/// use wire::{ChatDelta, Role};
///
/// let first: ChatDelta = serde_json::from_str(r#"{"role": "assistant", "content": ""}"#)?;
/// assert_eq!((first.role, first.content.as_deref()), (Some(Role::Assistant), Some("")));
/// let thought: ChatDelta = serde_json::from_str(r#"{"reasoning_content": "Fever, so"}"#)?;
/// assert_eq!(thought.extra["reasoning_content"], "Fever, so");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatDelta {
    /// Who speaks, in the first piece.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The new text.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ChunkChoice {
    /// Why the answer ended, where this piece says so.
    ///
    /// The `""` that some proxies send in every piece does not.
    pub fn ended(&self) -> Option<&FinishReason> {
        self.finish_reason.as_ref().filter(|reason| !reason.as_str().is_empty())
    }
}
