//! Chat completions: <https://platform.openai.com/docs/api-reference/chat/object>.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::lenient::{Extra, soft, text, whole_or_zero};
use crate::logprobs::ChatLogprobs;
use crate::open::open_enum;

open_enum! {
    /// Who speaks.
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
    /// Why the answer ended, where this piece says so; the `""` that some proxies send in every piece does not.
    pub fn ended(&self) -> Option<&FinishReason> {
        self.finish_reason.as_ref().filter(|reason| !reason.as_str().is_empty())
    }
}
