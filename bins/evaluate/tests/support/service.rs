//! A service that answers by rules: its tokens are characters, and it likes the letter B.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// The running service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) base_url: String,
    state: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicUsize,
    /// After so many requests it refuses, as a service that goes down.
    last: Mutex<Option<usize>>,
    /// So many of the next requests it refuses for now.
    busy: AtomicUsize,
}

impl Service {
    pub(crate) async fn start() -> std::io::Result<Self> {
        let state = Arc::new(Shared::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let routes = axum::Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(axum::serve(listener, routes).into_future());
        Ok(Self { base_url, state })
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// Refuses the next `count` requests for now, with 429.
    pub(crate) fn is_busy(&self, count: usize) {
        self.state.busy.store(count, Ordering::Relaxed);
    }

    /// Refuses every request after the `last`th; none for never.
    pub(crate) fn ends_after(&self, last: Option<usize>) {
        *self.state.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

async fn answer(State(state): State<Arc<Shared>>, uri: Uri, body: Bytes) -> Response {
    let last = *state.last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_some_and(|last| state.asked.load(Ordering::Relaxed) >= last) {
        let body =
            json!({"error": {"message": "no", "type": "invalid_request_error", "code": "down"}});
        return (StatusCode::FORBIDDEN, axum::Json(body)).into_response();
    }
    let less = |busy: usize| busy.checked_sub(1);
    if state.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
        let body = json!({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}});
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], axum::Json(body))
            .into_response();
    }
    state.asked.fetch_add(1, Ordering::Relaxed);
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(refusal) = refusal(&uri, &request) {
        return refusal;
    }
    let answer = match uri.path() {
        "/v1/chat/completions" => chat(&request),
        "/v1/tokenize" => tokenize(&request),
        "/v1/tokenizer_info" => json!({"eos_token": "|"}),
        "/v1/completions" => completions(&request),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    axum::Json(answer).into_response()
}

/// What some models do not take: `thinker` no temperature and no `max_tokens`, `chat-only` nothing but chats, and no judge
/// what is called too long.
fn refusal(uri: &Uri, request: &Value) -> Option<Response> {
    let refuse = |status: StatusCode, code: &str, param: Option<&str>| {
        let body = json!({"error": {"message": "not here", "type": "invalid_request_error", "code": code, "param": param}});
        Some((status, axum::Json(body)).into_response())
    };
    let has = |name: &str| !request[name].is_null();
    let is_of = |model: &str| {
        request["model"] == model || uri.query().is_some_and(|query| query.contains(model))
    };
    if is_of("thinker") && has("max_tokens") {
        return refuse(StatusCode::BAD_REQUEST, "unsupported_parameter", Some("max_tokens"));
    }
    if is_of("thinker") && has("temperature") {
        return refuse(StatusCode::BAD_REQUEST, "unsupported_value", Some("temperature"));
    }
    if is_of("chat-only") && !uri.path().ends_with("/chat/completions") {
        return refuse(StatusCode::NOT_FOUND, "unknown_url", None);
    }
    let text = request["messages"].to_string();
    if text.contains("VERDICT") && text.contains("too long for a judge") {
        return refuse(StatusCode::BAD_REQUEST, "context_length_exceeded", None);
    }
    None
}

fn chat(request: &Value) -> Value {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let asked = messages.last().map(|message| message["content"].to_string()).unwrap_or_default();
    let is = |words: &str| asked.contains(words);
    let text = if is("VERDICT: first") {
        // A judge with a habit prefers whatever answer it sees first; another one never says.
        if request["model"] == "silent" { "Hm." } else { "I like the first one.\nVERDICT: first" }
    } else if is("VERDICT: met") {
        "VERDICT: met"
    } else if is("VERDICT: correct") {
        if request["model"] == "strict" {
            "No.\nVERDICT: incorrect"
        } else {
            "Yes.\nVERDICT: correct"
        }
    } else if is("multiple-choice") {
        "## Thinking\n\nA or C?\n\n## Final Response\n\nThe answer is B."
    } else {
        "## Thinking\n\nWhy.\n\n## Final Response\n\nCall an ambulance now."
    };
    let finish = if is("cut me") && !is("VERDICT") { "length" } else { "stop" };
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}]})
}

fn tokenize(request: &Value) -> Value {
    let mut text = request["prompt"].as_str().unwrap_or_default().to_owned();
    for message in request["messages"].as_array().into_iter().flatten() {
        let part = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        text += &[&part("role"), ":", &part("content"), "|\n"].concat();
    }
    if request["add_generation_prompt"] == true {
        text += "assistant:";
    }
    let tokens: Vec<u32> = text.chars().map(u32::from).collect();
    json!({"count": tokens.len(), "max_model_len": 8192, "tokens": tokens})
}

fn completions(request: &Value) -> Value {
    let prompts = match &request["prompt"] {
        Value::Array(texts) if texts.iter().all(Value::is_string) => texts.clone(),
        prompt => vec![prompt.clone()],
    };
    let choice = |(index, prompt): (usize, &Value)| {
        let text: String = match prompt {
            Value::String(text) => text.clone(),
            tokens => tokens
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|token| char::from_u32(u32::try_from(token.as_u64()?).ok()?))
                .collect(),
        };
        let tokens: Vec<String> = text.chars().map(String::from).collect();
        let logprob = |token: &String| if token == "B" { -0.25 } else { -1.0 };
        let mut logprobs: Vec<Value> = tokens.iter().map(|token| json!(logprob(token))).collect();
        let mut top: Vec<Value> = tokens
            .iter()
            .map(|token| json!({"B": -0.25, token.as_str(): logprob(token)}))
            .collect();
        (logprobs[0], top[0]) = (Value::Null, Value::Null);
        let offsets: Vec<usize> = (0..tokens.len()).collect();
        json!({"index": index, "text": text, "finish_reason": "length", "logprobs":
            {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": top, "text_offset": offsets}})
    };
    let choices: Vec<Value> = prompts.iter().enumerate().map(choice).collect();
    json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": request["model"], "choices": choices})
}
