//! Completions of plain text: <https://platform.openai.com/docs/api-reference/completions>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::{FinishReason, Stop, StreamOptions, Usage};
use crate::lenient::{Extra, soft, text, whole_or_zero};
use crate::logprobs::CompletionLogprobs;

/// What a completion goes on from.
///
/// # Examples
///
/// ```
/// use wire::Prompt;
///
/// let prompt = |json| serde_json::from_str::<Prompt>(json);
/// assert_eq!(prompt(r#""Fever and a""#)?, Prompt::from("Fever and a"));
/// assert_eq!(prompt("[17, 4]")?, Prompt::Tokens(vec![17, 4]));
/// assert_eq!(prompt("[[17, 4], [9]]")?, Prompt::TokenLists(vec![vec![17, 4], vec![9]]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// One list of token ids.
    Tokens(Vec<u32>),
    /// Several lists of token ids.
    TokenLists(Vec<Vec<u32>>),
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A request for completions: <https://platform.openai.com/docs/api-reference/completions/create>.
///
/// # Examples
///
/// ```
/// use wire::CompletionRequest;
///
/// // Scores a text without going on from it.
/// let mut request = CompletionRequest::new("m", "Scurvy: vitamin C");
/// request.echo = Some(true);
/// request.max_tokens = Some(0);
/// request.logprobs = Some(1);
/// let json = serde_json::to_string(&request)?;
/// assert_eq!(json, r#"{"model":"m","prompt":"Scurvy: vitamin C","echo":true,"logprobs":1,"max_tokens":0}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionRequest {
    /// The model to ask.
    pub model: String,
    /// What to go on from; each prompt has its own answers.
    pub prompt: Prompt,
    /// Of how many answers to a prompt the best `n` are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_of: Option<u64>,
    /// Whether the answer begins with the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// What a token loses for each time that the answer has it, -2 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// What to add to the logits of single tokens, by their ids, -100 to 100 each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<BTreeMap<String, f64>>,
    /// Tells the tokens' log-probabilities, with those of so many of the likeliest at each place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u64>,
    /// The most tokens to answer with, 16 where nothing is said; 0 with `echo` scores the prompt alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// How many answers to give to each prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// What a token loses once the answer has it, -2 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// What the draws come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Where to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Whether to answer in chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What to send in a stream beside the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// What comes after the completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// How freely to draw, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The share of probability to draw from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Draws among so many of the likeliest tokens; not `OpenAI`'s, but many servers' of models at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Divides the logits of tokens that prompt or answer have, above 0; not `OpenAI`'s either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CompletionRequest {
    /// A request that asks `model` to go on from `prompt`, everything else left to the service.
    pub fn new(model: impl Into<String>, prompt: impl Into<Prompt>) -> Self {
        Self {
            model: model.into(),
            prompt: prompt.into(),
            best_of: None,
            echo: None,
            frequency_penalty: None,
            logit_bias: None,
            logprobs: None,
            max_tokens: None,
            n: None,
            presence_penalty: None,
            seed: None,
            stop: None,
            stream: None,
            stream_options: None,
            suffix: None,
            temperature: None,
            top_p: None,
            top_k: None,
            repetition_penalty: None,
            extra: Extra::new(),
        }
    }
}

/// Completions, whole or a chunk of a stream, which have the same shape.
///
/// # Examples
///
/// ```
/// let completion: wire::Completion = serde_json::from_str(
///     r#"{"id": "cmpl-1", "choices": [{"text": " stiff neck", "finish_reason": "length"}]}"#,
/// )?;
/// assert_eq!(completion.choices[0].text, " stiff neck");
/// assert!(completion.usage.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Its id.
    #[serde(default, deserialize_with = "soft")]
    pub id: String,
    /// Always `text_completion`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When it was begun, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created: i64,
    /// The model that answers.
    #[serde(default, deserialize_with = "soft")]
    pub model: String,
    /// The answers, `n` to each prompt in their order; empty in the chunk that tells the tokens used.
    pub choices: Vec<CompletionChoice>,
    /// Tokens used by all of them.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One of the answers.
///
/// # Examples
///
/// ```
/// use wire::{CompletionChoice, FinishReason};
///
/// let choice = |json| serde_json::from_str::<CompletionChoice>(json);
/// assert_eq!(choice(r#"{"text": " neck", "finish_reason": "stop"}"#)?.finish_reason, Some(FinishReason::Stop));
/// assert_eq!(choice(r#"{"text": " stiff", "finish_reason": ""}"#)?.finish_reason, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionChoice {
    /// Its place among the answers: that of its prompt times `n`, and on from there.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub index: u32,
    /// The text.
    #[serde(default, deserialize_with = "soft")]
    pub text: String,
    /// The tokens' log-probabilities, where they were asked for.
    #[serde(default, deserialize_with = "soft")]
    pub logprobs: Option<CompletionLogprobs>,
    /// Why it ended.
    #[serde(default, deserialize_with = "reason")]
    pub finish_reason: Option<FinishReason>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The `""` that some servers send in every chunk is no reason to end.
fn reason<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<FinishReason>, D::Error> {
    let reason = text(deserializer)?.filter(|reason| !reason.is_empty());
    Ok(reason.map(|reason| FinishReason::from(reason.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_four_kinds_of_prompt_is_told_from_the_others() {
        let kind = |json: &str| serde_json::from_str::<Prompt>(json).ok();
        assert_eq!(kind("\"a\""), Some(Prompt::Text("a".to_owned())));
        assert_eq!(kind("[\"a\"]"), Some(Prompt::Texts(vec!["a".to_owned()])));
        assert_eq!(kind("[1, 2]"), Some(Prompt::Tokens(vec![1, 2])));
        assert_eq!(kind("[[1], [2, 3]]"), Some(Prompt::TokenLists(vec![vec![1], vec![2, 3]])));
        for bad in ["[-1]", "[1, \"a\"]", "{}", "1", "[[\"a\"]]"] {
            assert_eq!(kind(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_of_another_server_is_read_although_parts_are_odd() {
        let completion: Completion = serde_json::from_str(
            r#"{"choices": [{"text": "a", "finish_reason": "", "logprobs":
                {"tokens": ["a"], "token_logprobs": [null], "top_logprobs": [null], "text_offset": [0]}}]}"#,
        )
        .unwrap();
        let choice = &completion.choices[0];
        assert_eq!(choice.finish_reason, None);
        let logprobs = choice.logprobs.as_ref().unwrap();
        assert_eq!(logprobs.token_logprobs, [None]);
        assert_eq!(logprobs.top_logprobs, Some(vec![None]));
    }
}
