//! The engine's scores in the shapes of the dialect.

use std::collections::BTreeMap;

use engine::Tokenizer;
use engine::generate::TokenScore;
use wire::logprobs::LEAST;
use wire::{ChatLogprobs, CompletionLogprobs, TokenLogprob, TopLogprob};

/// A logarithm as JSON can have it.
fn finite(log_probability: f32) -> f64 {
    let log_probability = f64::from(log_probability);
    if log_probability.is_finite() { log_probability } else { LEAST }
}

/// Tokens of a chat's answer.
pub(crate) fn chat(tokenizer: &Tokenizer, scores: &[TokenScore]) -> ChatLogprobs {
    let content = scores.iter().map(|score| {
        let bytes = tokenizer.bytes(score.token);
        let top = score.likeliest.iter().map(|(token, log_probability)| {
            let bytes = tokenizer.bytes(*token);
            TopLogprob {
                token: String::from_utf8_lossy(&bytes).into_owned(),
                logprob: finite(*log_probability),
                bytes: Some(bytes),
            }
        });
        TokenLogprob {
            token: String::from_utf8_lossy(&bytes).into_owned(),
            logprob: finite(score.log_probability),
            top_logprobs: top.collect(),
            bytes: Some(bytes),
        }
    });
    ChatLogprobs { content: Some(content.collect()), refusal: None }
}

/// Tokens of completions, which are told in four lists.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    told: CompletionLogprobs,
    top: Vec<Option<BTreeMap<String, f64>>>,
    /// Characters of the text so far.
    characters: u64,
}

impl Lists {
    /// Adds a token that nothing foretells.
    pub(crate) fn first(&mut self, tokenizer: &Tokenizer, token: u32) {
        self.token(tokenizer, token);
        self.told.token_logprobs.push(None);
        self.top.push(None);
    }

    /// Adds a token with its score.
    pub(crate) fn push(&mut self, tokenizer: &Tokenizer, score: &TokenScore) {
        self.token(tokenizer, score.token);
        let log_probability = finite(score.log_probability);
        self.told.token_logprobs.push(Some(log_probability));
        let likeliest = score.likeliest.iter();
        let mut top: BTreeMap<String, f64> = likeliest
            .map(|(token, log_probability)| (name(tokenizer, *token), finite(*log_probability)))
            .collect();
        // The token itself is always among them.
        top.insert(name(tokenizer, score.token), log_probability);
        self.top.push(Some(top));
    }

    fn token(&mut self, tokenizer: &Tokenizer, token: u32) {
        self.told.tokens.push(name(tokenizer, token));
        self.told.text_offset.push(self.characters);
        let text = tokenizer.bytes(token);
        self.characters += String::from_utf8_lossy(&text).chars().count() as u64;
    }

    /// What was added since the last time.
    pub(crate) fn take(&mut self) -> CompletionLogprobs {
        let top_logprobs = Some(std::mem::take(&mut self.top));
        CompletionLogprobs { top_logprobs, ..std::mem::take(&mut self.told) }
    }
}

/// The text of a token; one that is no text alone is named by its bytes, so that no two have one name.
fn name(tokenizer: &Tokenizer, token: u32) -> String {
    match String::from_utf8(tokenizer.bytes(token)) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.as_bytes().iter().map(|byte| format!("\\x{byte:02x}"));
            format!("bytes:{}", bytes.collect::<String>())
        }
    }
}
