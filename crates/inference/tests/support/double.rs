//! A service on port 0 that gives queued answers and remembers what it was asked.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

/// What the service answers one request with.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    content_type: &'static str,
    body: String,
}

/// What the service was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

/// The running service.
#[derive(Debug, Clone)]
pub(crate) struct Double {
    pub(crate) base_url: String,
    state: Shared,
}

type Shared = Arc<Mutex<(VecDeque<Reply>, Vec<Asked>)>>;

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json", body: body.to_string() }
    }

    /// Any text.
    pub(crate) fn raw(text: &str) -> Self {
        Self { status: 200, content_type: "application/octet-stream", body: text.to_owned() }
    }

    pub(crate) fn refusal(status: u16, code: &str) -> Self {
        Self::json(
            status,
            &json!({"error": {"message": "refused", "type": "invalid_request_error", "param": null, "code": code}}),
        )
    }

    /// A whole answer.
    pub(crate) fn text(text: &str, finish: &str) -> Self {
        Self::json(
            200,
            &json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "ft:tiny",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}),
        )
    }

    /// A stream of these events' data, as they are.
    pub(crate) fn events(data: &[String]) -> Self {
        let body = data.iter().flat_map(|data| ["data: ", data, "\n\n"]).collect();
        Self { status: 200, content_type: "text/event-stream", body }
    }

    /// A stream of pieces of text, then why it ended, the tokens used, and `[DONE]`.
    pub(crate) fn stream(pieces: &[&str], finish: &str) -> Self {
        let mut data: Vec<String> = pieces.iter().map(|piece| chunk(piece, None)).collect();
        data.push(chunk("", Some(finish)));
        data.push(json!({"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}).to_string());
        data.push("[DONE]".to_owned());
        Self::events(&data)
    }
}

/// The data of one event of a stream.
pub(crate) fn chunk(text: &str, finish: Option<&str>) -> String {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "ft:tiny",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})
    .to_string()
}

impl Double {
    /// Starts a service that answers with `replies` in turn, and with status 500 after the last.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> io::Result<Self> {
        let state: Shared = Arc::new(Mutex::new((replies.into_iter().collect(), Vec::new())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let routes = axum::Router::new().fallback(answer).with_state(state.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());
        Ok(Self { base_url, state })
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

async fn answer(
    State(state): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let authorization =
        headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.1.push(Asked { line: format!("{method} {uri}"), authorization, body });
    let reply = state.0.pop_front().unwrap_or_else(|| Reply::refusal(500, "queue_empty"));
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).expect("tests use real statuses");
    let content_type = reply.content_type.parse().expect("content types are ASCII");
    response.headers_mut().insert("content-type", content_type);
    response
}
