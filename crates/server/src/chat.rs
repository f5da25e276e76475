//! Chat requests, checked: everything that is asked for is honoured or refused by name.

use engine::ChatMessage;
use serde_json::Value;
use wire::{ChatRequest, Content, Role};

use crate::fault::Fault;

/// A request that can be answered.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) model: String,
    pub(crate) messages: Vec<ChatMessage>,
    pub(crate) sampling: Sampling,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

/// How to draw the answer.
#[derive(Debug, Clone)]
pub(crate) struct Sampling {
    pub(crate) temperature: f64,
    pub(crate) top_p: f64,
    /// The most tokens; without it, what the context still holds.
    pub(crate) max_tokens: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) stop: Vec<String>,
}

/// Parameters of the dialect that change nothing in an answer here.
const WITHOUT_EFFECT: [&str; 4] =
    ["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"];

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

type HasNoEffect = fn(&Value) -> bool;

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}

impl Question {
    /// Checks `request`; `random` is the seed where it names none.
    pub(crate) fn new(request: ChatRequest, random: u64) -> Result<Self, Fault> {
        check_extra(&request)?;
        let unsupported = [
            ("logprobs", request.logprobs == Some(true)),
            ("top_logprobs", request.top_logprobs.is_some_and(|count| count > 0)),
            ("frequency_penalty", request.frequency_penalty.is_some_and(|penalty| penalty != 0.0)),
            ("presence_penalty", request.presence_penalty.is_some_and(|penalty| penalty != 0.0)),
            ("logit_bias", request.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty())),
            ("top_k", request.top_k.is_some()),
            ("repetition_penalty", request.repetition_penalty.is_some()),
        ];
        if let Some((name, _)) = unsupported.iter().find(|(_, asked)| *asked) {
            return Err(Fault::unsupported(*name, "is not supported by this server"));
        }
        if request.n.is_some_and(|n| n != 1) {
            return Err(Fault::unsupported("n", "has only the value 1 here"));
        }
        let stream = request.stream.unwrap_or(false);
        if request.stream_options.is_some() && !stream {
            let message = "'stream_options' is only allowed when 'stream' is true";
            return Err(Fault::invalid_value("stream_options", message));
        }
        let options = request.stream_options.as_ref();
        Ok(Self {
            sampling: sampling(&request, random)?,
            include_usage: options.and_then(|options| options.include_usage).unwrap_or(false),
            stream,
            messages: messages(&request)?,
            model: request.model,
        })
    }
}

fn check_extra(request: &ChatRequest) -> Result<(), Fault> {
    for (name, value) in &request.extra {
        if value.is_null() || WITHOUT_EFFECT.contains(&name.as_str()) {
            continue;
        }
        match UNSUPPORTED.iter().find(|(known, _)| known == name) {
            Some((_, has_no_effect)) if has_no_effect(value) => {}
            Some(_) => return Err(Fault::unsupported(name, "is not supported by this server")),
            None => {
                let name: String = name.chars().take(100).collect();
                let message = format!("Unrecognized request argument supplied: {name}");
                return Err(Fault::invalid(message).param(name).code("unknown_parameter"));
            }
        }
    }
    Ok(())
}

fn sampling(request: &ChatRequest, random: u64) -> Result<Sampling, Fault> {
    let in_range = |name: &str, value: Option<f64>, most: f64| match value {
        Some(value) if !(0.0..=most).contains(&value) => {
            Err(Fault::invalid_value(name, format!("'{name}' must be from 0 to {most}")))
        }
        value => Ok(value.unwrap_or(1.0)),
    };
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
    let stop = request.stop.as_ref().map_or(&[][..], |stop| stop.texts());
    if stop.len() > 4 || stop.iter().any(String::is_empty) {
        let message = "'stop' must be up to 4 texts, none of them empty";
        return Err(Fault::invalid_value("stop", message));
    }
    Ok(Sampling {
        temperature: in_range("temperature", request.temperature, 2.0)?,
        top_p: in_range("top_p", request.top_p, 1.0)?,
        max_tokens: max_tokens.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        seed: request.seed.map_or(random, i64::cast_unsigned),
        stop: stop.to_vec(),
    })
}

fn messages(request: &ChatRequest) -> Result<Vec<ChatMessage>, Fault> {
    if request.messages.is_empty() {
        return Err(Fault::invalid_value("messages", "'messages' must not be empty"));
    }
    request.messages.iter().enumerate().map(|(index, message)| checked(index, message)).collect()
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
            Ok(question) => format!("{:?}", question.sampling),
            Err(fault) => {
                let error = &fault.body()["error"];
                format!("{} {}", error["param"], error["code"])
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_honoured_or_refused_by_name() {
        insta::assert_snapshot!(check(""), @"Sampling { temperature: 1.0, top_p: 1.0, max_tokens: None, seed: 7, stop: [] }");
        insta::assert_snapshot!(check(r#","max_tokens":5,"temperature":0,"top_p":0.5,"seed":3,"stop":"x""#), @r#"Sampling { temperature: 0.0, top_p: 0.5, max_tokens: Some(5), seed: 3, stop: ["x"] }"#);
        insta::assert_snapshot!(check(r#","n":2"#), @r#""n" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","tools":[{}]"#), @r#""tools" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","logprobs":true"#), @r#""logprobs" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","presence_penalty":0.5"#), @r#""presence_penalty" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","response_format":{"type":"json_object"}"#), @r#""response_format" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","top_k":3"#), @r#""top_k" "unsupported_parameter""#);
        insta::assert_snapshot!(check(r#","temperature":2.5"#), @r#""temperature" "invalid_value""#);
        insta::assert_snapshot!(check(r#","max_tokens":0"#), @r#""max_tokens" "invalid_value""#);
        insta::assert_snapshot!(check(r#","stop":["a","b","c","d","e"]"#), @r#""stop" "invalid_value""#);
        insta::assert_snapshot!(check(r#","stream_options":{"include_usage":true}"#), @r#""stream_options" "invalid_value""#);
    }

    #[test]
    fn values_without_effect_are_accepted() {
        let rest = r#","n":1,"user":"u","logprobs":false,"presence_penalty":0,"tools":[],"response_format":{"type":"text"},"store":null,"logit_bias":{}"#;
        assert!(check(rest).starts_with("Sampling"), "{}", check(rest));
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
