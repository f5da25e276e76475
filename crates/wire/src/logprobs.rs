//! Log-probabilities of tokens, in the two shapes in which the API tells them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::lenient::soft;

/// What the API writes where a probability is too small to have a logarithm.
///
/// # Examples
///
/// ```
/// let token: wire::TokenLogprob = serde_json::from_str(r#"{"token": "heart", "logprob": null}"#)?;
/// assert_eq!(token.logprob, wire::logprobs::LEAST);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub const LEAST: f64 = -9999.0;

/// Log-probabilities of a chat's answer: <https://platform.openai.com/docs/api-reference/chat/object>.
///
/// # Examples
///
/// ```
/// let logprobs: wire::ChatLogprobs =
///     serde_json::from_str(r#"{"content": [{"token": "B", "logprob": -0.1}, {"token": ".", "logprob": -0.3}]}"#)?;
/// let sum: f64 = logprobs.content.iter().flatten().map(|token| token.logprob).sum();
/// assert!((sum + 0.4).abs() < 1e-9);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatLogprobs {
    /// The answer's tokens.
    #[serde(default, deserialize_with = "soft")]
    pub content: Option<Vec<TokenLogprob>>,
    /// A refusal's tokens.
    #[serde(default, deserialize_with = "soft")]
    pub refusal: Option<Vec<TokenLogprob>>,
}

/// A token of a chat's answer and how likely it was.
///
/// # Examples
///
/// ```
/// let token: wire::TokenLogprob = serde_json::from_str(
///     r#"{"token": "B", "logprob": -0.1, "bytes": [66], "top_logprobs": [{"token": "B", "logprob": -0.1}]}"#,
/// )?;
/// assert!((token.logprob.exp() - 0.905).abs() < 1e-3);
/// assert_eq!(token.top_logprobs.len(), 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// Its text; bytes that are no text alone show as replacement characters.
    #[serde(default, deserialize_with = "soft")]
    pub token: String,
    /// The natural logarithm of its probability.
    #[serde(deserialize_with = "number")]
    pub logprob: f64,
    /// Its bytes.
    #[serde(default, deserialize_with = "soft")]
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens at its place.
    #[serde(default, deserialize_with = "soft")]
    pub top_logprobs: Vec<TopLogprob>,
}

/// One of the likeliest tokens at a place.
///
/// # Examples
///
/// ```
/// use wire::TopLogprob;
///
/// let top: Vec<TopLogprob> =
///     serde_json::from_str(r#"[{"token": "B", "logprob": -0.1}, {"token": "C", "logprob": -2.4}]"#)?;
/// let likeliest = top.iter().max_by(|one, other| one.logprob.total_cmp(&other.logprob));
/// assert_eq!(likeliest.map(|top| top.token.as_str()), Some("B"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TopLogprob {
    /// Its text.
    #[serde(default, deserialize_with = "soft")]
    pub token: String,
    /// The natural logarithm of its probability.
    #[serde(deserialize_with = "number")]
    pub logprob: f64,
    /// Its bytes.
    #[serde(default, deserialize_with = "soft")]
    pub bytes: Option<Vec<u8>>,
}

/// Log-probabilities of a completion, four lists of one length:
/// <https://platform.openai.com/docs/api-reference/completions/object>.
///
/// # Examples
///
/// ```
/// let logprobs: wire::CompletionLogprobs = serde_json::from_str(
///     r#"{"tokens": ["Vitamin", " C"], "token_logprobs": [null, -0.2], "text_offset": [0, 7],
///         "top_logprobs": [null, {" C": -0.2, " D": -1.9}]}"#,
/// )?;
/// // Nothing foretells a prompt's first token.
/// assert_eq!(logprobs.token_logprobs, [None, Some(-0.2)]);
/// assert_eq!(logprobs.top_logprobs.as_ref().and_then(|top| top[1].as_ref()?.get(" D")), Some(&-1.9));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionLogprobs {
    /// The tokens' texts.
    #[serde(default, deserialize_with = "soft")]
    pub tokens: Vec<String>,
    /// The natural logarithms of their probabilities; null for a prompt's first token, which nothing foretells.
    #[serde(default, deserialize_with = "soft")]
    pub token_logprobs: Vec<Option<f64>>,
    /// The likeliest tokens at each place, by their texts; null for a prompt's first token.
    #[serde(default, deserialize_with = "soft")]
    pub top_logprobs: Option<Vec<Option<BTreeMap<String, f64>>>>,
    /// Where each token begins in the text, in characters.
    #[serde(default, deserialize_with = "soft")]
    pub text_offset: Vec<u64>,
}

/// A logarithm; anything else reads as that of no probability.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_f64().unwrap_or(LEAST))
}
