//! Tokens of texts, as servers of models at home tell them: the shapes of vLLM, which lm-evaluation-harness asks for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chat::ChatMessage;
use crate::lenient::{Extra, soft, text, whole_or_zero};

/// A request for the tokens of a text or a conversation: `POST /tokenize`.
///
/// A conversation has the tokens that the model reads it by.
///
/// # Examples
///
/// ```
/// use wire::TokenizeRequest;
///
/// let prompt = Some("Why the fever?".to_owned());
/// let request = TokenizeRequest { prompt, add_special_tokens: Some(false), ..TokenizeRequest::default() };
/// assert_eq!(serde_json::to_string(&request)?, r#"{"prompt":"Why the fever?","add_special_tokens":false}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenizeRequest {
    /// The model whose tokenizer is meant; where only one is served it may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The conversation, in place of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<ChatMessage>>,
    /// Whether the tokens that begin a text are added, where the model has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_special_tokens: Option<bool>,
    /// Whether a conversation ends with the opening of an answer; true where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_generation_prompt: Option<bool>,
    /// Whether the tokens' texts are told too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_token_strs: Option<bool>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The tokens of a text.
///
/// # Examples
///
/// ```
/// let tokenized: wire::Tokenized =
///     serde_json::from_str(r#"{"count": 3, "max_model_len": 2048, "tokens": [9690, 260, 12411]}"#)?;
/// assert_eq!(tokenized.tokens.len() as u64, tokenized.count);
/// assert!(tokenized.token_strs.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tokenized {
    /// How many there are.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub count: u64,
    /// The longest context of the model.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub max_model_len: u64,
    /// Their ids.
    pub tokens: Vec<u32>,
    /// Their texts, where they were asked for.
    #[serde(default, deserialize_with = "soft")]
    pub token_strs: Option<Vec<String>>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a model's tokenizer is: `GET /tokenizer_info`, with the names of Transformers' `tokenizer_config.json`.
///
/// # Examples
///
/// ```
/// let info: wire::TokenizerInfo =
///     serde_json::from_str(r#"{"eos_token": {"content": "<|im_end|>"}, "bos_token": null, "vocab_size": 49152}"#)?;
/// assert_eq!((info.eos_token.as_deref(), info.bos_token), (Some("<|im_end|>"), None));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenizerInfo {
    /// The kind of tokenizer.
    #[serde(default, deserialize_with = "text")]
    pub tokenizer_class: Option<String>,
    /// The token before a text, where the model has one.
    #[serde(default, deserialize_with = "token")]
    pub bos_token: Option<String>,
    /// The token that ends an answer.
    #[serde(default, deserialize_with = "token")]
    pub eos_token: Option<String>,
    /// The token that fills up.
    #[serde(default, deserialize_with = "token")]
    pub pad_token: Option<String>,
    /// The template that makes a text of a conversation, in Jinja.
    #[serde(default, deserialize_with = "text")]
    pub chat_template: Option<String>,
    /// The longest context.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub model_max_length: u64,
    /// How many tokens there are.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub vocab_size: u64,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A token as a text, or as the object with `content` that some servers copy from the tokenizer's files.
fn token<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(token) => Some(token),
        Value::Object(fields) => {
            fields.get("content").and_then(Value::as_str).map(ToOwned::to_owned)
        }
        _ => None,
    })
}
