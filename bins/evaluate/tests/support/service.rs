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
    state.asked.fetch_add(1, Ordering::Relaxed);
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = match uri.path() {
        "/v1/chat/completions" => chat(&request),
        "/v1/tokenize" => tokenize(&request),
        "/v1/tokenizer_info" => json!({"eos_token": "|"}),
        "/v1/completions" => completions(&request),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    axum::Json(answer).into_response()
}

fn chat(request: &Value) -> Value {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let asked = messages.last().map(|message| message["content"].to_string()).unwrap_or_default();
    let is = |words: &str| asked.contains(words);
    let text = if is("VERDICT: first") {
        // Prefers whatever answer it sees first, unless one is longer by far: a judge with a habit.
        "I like the first one.\nVERDICT: first"
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
    let finish = if is("cut me") { "length" } else { "stop" };
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
