//! Chat requests, checked: everything that is asked for is honoured or refused by name.

use engine::ChatMessage;
use serde_json::Value;
use wire::{ChatRequest, Content, Role, StreamOptions};

use crate::answer::{Ask, Prompt};
use crate::fault::Fault;
use crate::sampling::{HasNoEffect, Sampling, is_empty, refuse, saturated, wishes};

/// A request that can be answered.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) ask: Ask,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

/// Parameters of the dialect that only a value without effect is accepted for.
const UNSUPPORTED: [(&str, HasNoEffect); 15] = [
    ("audio", |_| false),
    ("function_call", |value| value == "none"),
    ("functions", is_empty),
    ("metadata", is_empty),
    ("modalities", |value| value.as_array().is_some_and(|kinds| kinds == &["text"])),
    ("moderation", |_| false),
    ("parallel_tool_calls", Value::is_boolean),
    ("prediction", |_| false),
    ("reasoning_effort", |_| false),
    ("response_format", |value| value.get("type").is_some_and(|kind| kind == "text")),
    ("service_tier", |value| value == "auto" || value == "default"),
    ("store", |value| *value == Value::Bool(false)),
    ("tool_choice", |value| value == "none" || value == "auto"),
    ("tools", is_empty),
    ("verbosity", |value| value == "medium"),
];

/// The most of the likeliest tokens that are told at each place.
const TOP_LOGPROBS: u64 = 20;

impl Question {
    /// Checks `request`; `random` is the seed where it names none.
    pub(crate) fn new(request: ChatRequest, random: u64) -> Result<Self, Fault> {
        refuse(&request.extra, &UNSUPPORTED)?;
        let stream = request.stream.unwrap_or(false);
        Ok(Self {
            include_usage: include_usage(stream, request.stream_options.as_ref())?,
            stream,
            ask: Ask {
                prompts: vec![Prompt::Messages(checked_messages(&request.messages)?)],
                sampling: sampling(&request, random)?,
                model: request.model,
                prompt_scores: None,
            },
        })
    }
}

/// Whether a stream is to tell the tokens used.
pub(crate) fn include_usage(stream: bool, options: Option<&StreamOptions>) -> Result<bool, Fault> {
    if options.is_some() && !stream {
        let message = "'stream_options' is only allowed when 'stream' is true";
        return Err(Fault::invalid_value("stream_options", message));
    }
    Ok(options.and_then(|options| options.include_usage).unwrap_or(false))
}

fn sampling(request: &ChatRequest, random: u64) -> Result<Sampling, Fault> {
    let max_tokens = match (request.max_completion_tokens, request.max_tokens) {
        (Some(new), Some(old)) if new != old => {
            let message = "'max_tokens' and 'max_completion_tokens' differ; give only one";
            return Err(Fault::invalid_value("max_tokens", message));
        }
        (new, old) => new.or(old),
    };
    if max_tokens == Some(0) {
        let message = "'max_tokens' must be at least 1";
        return Err(Fault::invalid_value("max_tokens", message));
    }
    let wishes = wishes!(request);
    Ok(Sampling {
        max_tokens: max_tokens.map(saturated),
        logprobs: logprobs(request)?,
        ..wishes.checked(random)?
    })
}

fn logprobs(request: &ChatRequest) -> Result<Option<usize>, Fault> {
    match (request.logprobs.unwrap_or(false), request.top_logprobs) {
        (false, Some(1..)) => {
            let message = "'top_logprobs' is only allowed when 'logprobs' is true";
            Err(Fault::invalid_value("top_logprobs", message))
        }
        (true, Some(count)) if count > TOP_LOGPROBS => {
            let message = format!("'top_logprobs' must be from 0 to {TOP_LOGPROBS}");
            Err(Fault::invalid_value("top_logprobs", message))
        }
        (true, count) => Ok(Some(saturated(count.unwrap_or(0)))),
        (false, _) => Ok(None),
    }
}

/// The messages of a conversation in the engine's words.
pub(crate) fn checked_messages(messages: &[wire::ChatMessage]) -> Result<Vec<ChatMessage>, Fault> {
    if messages.is_empty() {
        return Err(Fault::invalid_value("messages", "'messages' must not be empty"));
    }
    messages.iter().enumerate().map(|(index, message)| checked(index, message)).collect()
}

fn checked(index: usize, message: &wire::ChatMessage) -> Result<ChatMessage, Fault> {
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        _ => {
            let reason = "must be one of system, developer, user and assistant";
            return Err(Fault::unsupported(format!("messages[{index}].role"), reason));
        }
    };
    // What an answer of ours carries, so that it can be sent back as it came.
    let harmless =
        |(name, value): (&String, &Value)| value.is_null() || is_empty(value) || name == "weight";
    if let Some(name) = message.name.as_ref().map(|_| "name").or_else(|| {
        let unknown = message.extra.iter().find(|field| !harmless(*field));
        unknown.map(|(name, _)| name.as_str())
    }) {
        let name: String = name.chars().take(100).collect();
        let reason = "is not supported by this server";
        return Err(Fault::unsupported(format!("messages[{index}].{name}"), reason));
    }
    let param = format!("messages[{index}].content");
    let content = match &message.content {
        Some(Content::Text(text)) => text.clone(),
        Some(content @ Content::Parts(parts))
            if parts.iter().all(|part| part.kind == "text" && part.text.is_some()) =>
        {
            content.text()
        }
        Some(Content::Parts(_)) => {
            return Err(Fault::unsupported(param, "may only have parts of the type 'text'"));
        }
        None => return Err(Fault::invalid_value(param, "a message has no content")),
    };
    Ok(ChatMessage { role: role.to_owned(), content, weight: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str) -> String {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}]{rest}}}"#);
        let request = serde_json::from_str(&body).unwrap();
        match Question::new(request, 7) {
            Ok(question) => {
                let Sampling {
                    temperature, top_p, max_tokens, seed, stop, logprobs, answers, ..
                } = question.ask.sampling;
                format!(
                    "{temperature} {top_p} {max_tokens:?} {seed} {stop:?} {logprobs:?} {answers}"
                )
            }
            Err(fault) => {
                let error = &fault.body()["error"];
                format!("{} {}", error["param"], error["code"])
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_honoured_or_refused_by_name() {
        insta::assert_snapshot!(check(""), @"1 1 None 7 [] None 1");
        insta::assert_snapshot!(check(r#","max_tokens":5,"temperature":0,"top_p":0.5,"seed":3,"stop":"x""#), @r#"0 0.5 Some(5) 3 ["x"] None 1"#);
        insta::assert_snapshot!(check(r#","n":17"#), @r#""n" "invalid_value""#);
        insta::assert_snapshot!(check(r#","tools":[{}]"#), @r#""tools" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","logprobs":true,"top_logprobs":3,"n":2"#), @"1 1 None 7 [] Some(3) 2");
        insta::assert_snapshot!(check(r#","presence_penalty":2.5"#), @r#""presence_penalty" "invalid_value""#);
        insta::assert_snapshot!(check(r#","response_format":{"type":"json_object"}"#), @r#""response_format" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","top_k":0"#), @r#""top_k" "invalid_value""#);
        insta::assert_snapshot!(check(r#","top_a":3"#), @r#""top_a" "unknown_parameter""#);
        insta::assert_snapshot!(check(r#","top_logprobs":3"#), @r#""top_logprobs" "invalid_value""#);
        insta::assert_snapshot!(check(r#","logprobs":true,"top_logprobs":21"#), @r#""top_logprobs" "invalid_value""#);
        insta::assert_snapshot!(check(r#","logit_bias":{"a":1}"#), @r#""logit_bias" "invalid_value""#);
        insta::assert_snapshot!(check(r#","logit_bias":{"5":101}"#), @r#""logit_bias" "invalid_value""#);
        insta::assert_snapshot!(check(r#","repetition_penalty":0"#), @r#""repetition_penalty" "invalid_value""#);
        insta::assert_snapshot!(check(r#","temperature":2.5"#), @r#""temperature" "invalid_value""#);
        insta::assert_snapshot!(check(r#","max_tokens":0"#), @r#""max_tokens" "invalid_value""#);
        insta::assert_snapshot!(check(r#","stop":["a",""]"#), @r#""stop" "invalid_value""#);
        insta::assert_snapshot!(check(r#","stream_options":{"include_usage":true}"#), @r#""stream_options" "invalid_value""#);
    }

    #[test]
    fn values_without_effect_are_accepted() {
        let rest = r#","n":1,"user":"u","logprobs":false,"presence_penalty":0,"tools":[],"response_format":{"type":"text"},"store":null,"logit_bias":{}"#;
        assert_eq!(check(rest), "1 1 None 7 [] None 1");
    }

    #[test]
    fn a_message_that_cannot_be_honoured_is_named() {
        let check = |message: &str| {
            let body = format!(r#"{{"model":"m","messages":[{message}]}}"#);
            let fault = Question::new(serde_json::from_str(&body).unwrap(), 0).unwrap_err();
            fault.body()["error"]["param"].to_string()
        };
        insta::assert_snapshot!(check(r#"{"role":"tool","content":"x"}"#), @r#""messages[0].role""#);
        insta::assert_snapshot!(check(r#"{"role":"user"}"#), @r#""messages[0].content""#);
        insta::assert_snapshot!(check(r#"{"role":"user","content":[{"type":"image_url"}]}"#), @r#""messages[0].content""#);
        insta::assert_snapshot!(check(r#"{"role":"user","content":"x","name":"n"}"#), @r#""messages[0].name""#);
        insta::assert_snapshot!(check(r#"{"role":"assistant","content":"x","tool_calls":[{"id":"c"}]}"#), @r#""messages[0].tool_calls""#);
    }
}
