//! Completion requests, checked: everything that is asked for is honoured or refused by name.

use serde_json::Value;
use wire::{CompletionRequest, Prompt as Asked};

use crate::answer::{Ask, Prompt};
use crate::chat::include_usage;
use crate::fault::Fault;
use crate::sampling::{HasNoEffect, Sampling, is_empty, refuse, saturated, wishes};

/// A request that can be answered.
#[derive(Debug)]
pub(crate) struct Completing {
    pub(crate) ask: Ask,
    /// Whether the answers begin with their prompts.
    pub(crate) echo: bool,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

/// Parameters that only a value without effect is accepted for.
const UNSUPPORTED: [(&str, HasNoEffect); 2] =
    [("metadata", is_empty), ("store", |value| *value == Value::Bool(false))];

/// OpenAI's own default.
const MAX_TOKENS: u64 = 16;
/// The most of the likeliest tokens that are told at each place. OpenAI allows 5, which is few to compare models by.
const LOGPROBS: u64 = 20;
/// The most prompts in one request.
const PROMPTS: usize = 2048;

impl Completing {
    /// Checks `request`; `random` is the seed where it names none.
    pub(crate) fn new(request: CompletionRequest, random: u64) -> Result<Self, Fault> {
        refuse(&request.extra, &UNSUPPORTED)?;
        let stream = request.stream.unwrap_or(false);
        if request.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
            return Err(Fault::unsupported("suffix", "is not supported by this server"));
        }
        if request.best_of.is_some_and(|best| best != request.n.unwrap_or(1)) {
            return Err(Fault::unsupported("best_of", "may only be what 'n' is"));
        }
        let echo = request.echo.unwrap_or(false);
        let sampling = sampling(&request, random)?;
        if sampling.max_tokens == Some(0) && !echo {
            let message = "'max_tokens' must be at least 1 where 'echo' is not true";
            return Err(Fault::invalid_value("max_tokens", message));
        }
        Ok(Self {
            include_usage: include_usage(stream, request.stream_options.as_ref())?,
            stream,
            echo,
            ask: Ask {
                prompts: prompts(request.prompt)?,
                prompt_scores: sampling.logprobs.filter(|_| echo),
                sampling,
                model: request.model,
            },
        })
    }
}

fn sampling(request: &CompletionRequest, random: u64) -> Result<Sampling, Fault> {
    if request.logprobs.is_some_and(|count| count > LOGPROBS) {
        let message = format!("'logprobs' must be from 0 to {LOGPROBS}");
        return Err(Fault::invalid_value("logprobs", message));
    }
    let wishes = wishes!(request);
    Ok(Sampling {
        max_tokens: Some(saturated(request.max_tokens.unwrap_or(MAX_TOKENS))),
        logprobs: request.logprobs.map(saturated),
        ..wishes.checked(random)?
    })
}

fn prompts(asked: Asked) -> Result<Vec<Prompt>, Fault> {
    let prompts: Vec<Prompt> = match asked {
        Asked::Text(text) => vec![Prompt::Text(text)],
        Asked::Texts(texts) => texts.into_iter().map(Prompt::Text).collect(),
        Asked::Tokens(tokens) => vec![Prompt::Tokens(tokens)],
        Asked::TokenLists(lists) => lists.into_iter().map(Prompt::Tokens).collect(),
    };
    if prompts.is_empty() || prompts.len() > PROMPTS {
        let message = format!("'prompt' must be from 1 to {PROMPTS} prompts");
        return Err(Fault::invalid_value("prompt", message));
    }
    Ok(prompts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str) -> String {
        let body = format!(r#"{{"model":"m","prompt":"p"{rest}}}"#);
        match Completing::new(serde_json::from_str(&body).unwrap(), 7) {
            Ok(Completing { ask, echo, .. }) => {
                let Sampling { max_tokens, logprobs, .. } = ask.sampling;
                format!("{max_tokens:?} {logprobs:?} {echo} {:?}", ask.prompt_scores)
            }
            Err(fault) => {
                let error = &fault.body()["error"];
                format!("{} {}", error["param"], error["code"])
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_honoured_or_refused_by_name() {
        insta::assert_snapshot!(check(""), @"Some(16) None false None");
        insta::assert_snapshot!(check(r#","max_tokens":1,"logprobs":1,"echo":true,"seed":1234"#), @"Some(1) Some(1) true Some(1)");
        insta::assert_snapshot!(check(r#","max_tokens":0,"logprobs":0,"echo":true"#), @"Some(0) Some(0) true Some(0)");
        insta::assert_snapshot!(check(r#","max_tokens":0"#), @r#""max_tokens" "invalid_value""#);
        insta::assert_snapshot!(check(r#","suffix":"s""#), @r#""suffix" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","best_of":2"#), @r#""best_of" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","best_of":2,"n":2,"suffix":null"#), @"Some(16) None false None");
        insta::assert_snapshot!(check(r#","logprobs":21"#), @r#""logprobs" "invalid_value""#);
        insta::assert_snapshot!(check(r#","messages":[]"#), @r#""messages" "unknown_parameter""#);
    }

    #[test]
    fn a_request_without_prompts_is_refused() {
        let request = serde_json::from_str(r#"{"model":"m","prompt":[]}"#).unwrap();
        let fault = Completing::new(request, 7).unwrap_err();
        assert_eq!(fault.body()["error"]["param"], "prompt");
    }
}
