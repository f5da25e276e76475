//! `/v1/chat/completions`: <https://platform.openai.com/docs/api-reference/chat/create>.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::{Value, json};
use wire::{
    ChatChoice, ChatChunk, ChatCompletion, ChatDelta, ChatMessage, ChatRequest, ChunkChoice, Extra,
    FinishReason, Role, Usage,
};

use crate::answer::{self, Answer, Piece};
use crate::chat::Question;
use crate::extract::JsonBody;
use crate::fault::Fault;
use crate::id;
use crate::state::State;

pub(super) async fn complete(
    Shared(state): Shared<Arc<State>>,
    JsonBody(request): JsonBody<ChatRequest>,
) -> Result<Response, Fault> {
    let question = Question::new(request, u64::from(id::random_seed()))?;
    let head = |question: &Question| Head {
        id: id::random("chatcmpl-"),
        created: state.clock.now(),
        model: question.model.clone(),
        fingerprint: String::new(),
    };
    let (mut head, stream, include_usage) =
        (head(&question), question.stream, question.include_usage);
    let answer = answer::begin(&state, question).await?;
    head.fingerprint.clone_from(&answer.fingerprint);
    if stream {
        let events = chunks(head, answer, include_usage).map(Ok::<_, Infallible>);
        return Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response());
    }
    whole(head, answer).await.map(|completion| Json(completion).into_response())
}

/// What all chunks of an answer have in common.
#[derive(Debug, Clone)]
struct Head {
    id: String,
    created: i64,
    model: String,
    fingerprint: String,
}

fn extra<const N: usize>(pairs: [(&str, Value); N]) -> Extra {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn whole(head: Head, mut answer: Answer) -> Result<ChatCompletion, Fault> {
    let mut text = String::new();
    loop {
        match answer.pieces.recv().await {
            Some(Piece::Text(piece)) => text.push_str(&piece),
            Some(Piece::Failed(fault)) => return Err(fault),
            None => return Err(answer::broken()),
            Some(Piece::Ended { finish, completion_tokens }) => {
                let message = ChatMessage {
                    extra: extra([("refusal", Value::Null), ("annotations", json!([]))]),
                    ..ChatMessage::new(Role::Assistant, text)
                };
                let choice = ChatChoice {
                    index: 0,
                    message,
                    finish_reason: Some(finish),
                    logprobs: None,
                    extra: Extra::new(),
                };
                return Ok(ChatCompletion {
                    id: head.id,
                    object: "chat.completion".to_owned(),
                    created: head.created,
                    model: head.model,
                    choices: vec![choice],
                    usage: Some(Usage::new(answer.prompt_tokens, completion_tokens)),
                    extra: extra([
                        ("service_tier", json!("default")),
                        ("system_fingerprint", json!(head.fingerprint)),
                    ]),
                });
            }
        }
    }
}

/// The answer as server-sent events: a chunk with the role, chunks of text, one with the reason to end, on request one
/// with the tokens used, and `[DONE]`.
fn chunks(head: Head, answer: Answer, include_usage: bool) -> impl Stream<Item = Event> {
    let first = vec![chunk(&head, delta(Some(Role::Assistant), Some(String::new())), None)];
    let first = with_usage_null(first, include_usage);
    let rest = stream::unfold(Some(answer), move |answer| {
        let head = head.clone();
        async move {
            let mut answer = answer?;
            let (events, answer) = match answer.pieces.recv().await {
                Some(Piece::Text(text)) => {
                    let events = vec![chunk(&head, delta(None, Some(text)), None)];
                    (with_usage_null(events, include_usage), Some(answer))
                }
                Some(Piece::Ended { finish, completion_tokens }) => {
                    let end = vec![chunk(&head, ChatDelta::default(), Some(finish))];
                    let mut events = with_usage_null(end, include_usage);
                    if include_usage {
                        let usage = Usage::new(answer.prompt_tokens, completion_tokens);
                        let last = ChatChunk { usage: Some(usage), ..bare(&head) };
                        events.push(serde_json::to_value(last).unwrap_or_default());
                    }
                    events.push(Value::Null);
                    (events, None)
                }
                Some(Piece::Failed(fault)) => (vec![fault.body()], None),
                None => (vec![answer::broken().body()], None),
            };
            Some((stream::iter(events), answer))
        }
    });
    stream::iter(first).chain(rest.flatten()).map(|chunk| event(&chunk))
}

/// A chunk as an event; null stands for the end of a whole answer.
fn event(chunk: &Value) -> Event {
    if chunk.is_null() {
        Event::default().data("[DONE]")
    } else {
        Event::default().data(chunk.to_string())
    }
}

fn bare(head: &Head) -> ChatChunk {
    ChatChunk {
        id: head.id.clone(),
        object: "chat.completion.chunk".to_owned(),
        created: head.created,
        model: head.model.clone(),
        choices: Vec::new(),
        usage: None,
        extra: extra([
            ("service_tier", json!("default")),
            ("system_fingerprint", json!(head.fingerprint)),
        ]),
    }
}

fn delta(role: Option<Role>, content: Option<String>) -> ChatDelta {
    ChatDelta { role, content, extra: Extra::new() }
}

fn chunk(head: &Head, delta: ChatDelta, finish_reason: Option<FinishReason>) -> Value {
    let choice =
        ChunkChoice { index: 0, delta, logprobs: None, finish_reason, extra: Extra::new() };
    // Types of ours, whose names are all texts, always have a JSON form.
    serde_json::to_value(ChatChunk { choices: vec![choice], ..bare(head) }).unwrap_or_default()
}

/// With usage asked for, all chunks but the last say `"usage": null`.
fn with_usage_null(mut chunks: Vec<Value>, include_usage: bool) -> Vec<Value> {
    if include_usage {
        for chunk in &mut chunks {
            chunk["usage"] = Value::Null;
        }
    }
    chunks
}
