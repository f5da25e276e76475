//! `/v1/chat/completions`: <https://platform.openai.com/docs/api-reference/chat/create>.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use engine::generate::TokenScore;
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::{Value, json};
use wire::{
    ChatChoice, ChatChunk, ChatCompletion, ChatDelta, ChatMessage, ChatRequest, ChunkChoice, Extra,
    FinishReason, Role, Usage,
};

use crate::answer::{self, Answers};
use crate::chat::Question;
use crate::desk::Piece;
use crate::extract::JsonBody;
use crate::fault::Fault;
use crate::state::State;
use crate::{id, logprobs};

pub(super) async fn complete(
    Shared(state): Shared<Arc<State>>,
    JsonBody(request): JsonBody<ChatRequest>,
) -> Result<Response, Fault> {
    let Question { ask, stream, include_usage } =
        Question::new(request, u64::from(id::random_seed()))?;
    let (model, count, scored) =
        (ask.model.clone(), ask.sampling.answers, ask.sampling.logprobs.is_some());
    let answers = answer::begin(&state, ask).await?;
    let head = Head {
        id: id::random("chatcmpl-"),
        created: state.clock.now(),
        model,
        fingerprint: answers.fingerprint.clone(),
        scored,
    };
    if stream {
        let events = chunks(head, answers, count, include_usage);
        let events = events.map(|chunk| Ok::<_, Infallible>(event(&chunk)));
        return Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response());
    }
    whole(head, answers, count).await.map(|completion| Json(completion).into_response())
}

/// What all chunks of an answer have in common.
#[derive(Debug, Clone)]
struct Head {
    id: String,
    created: i64,
    model: String,
    fingerprint: String,
    /// Whether log-probabilities are told.
    scored: bool,
}

impl Head {
    fn extra(&self) -> Extra {
        extra([("service_tier", json!("default")), ("system_fingerprint", json!(self.fingerprint))])
    }
}

pub(super) fn extra<const N: usize>(pairs: [(&str, Value); N]) -> Extra {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn whole(head: Head, mut answers: Answers, count: usize) -> Result<ChatCompletion, Fault> {
    let mut texts = vec![String::new(); count];
    let mut scores = vec![Vec::<TokenScore>::new(); count];
    let mut ends = vec![None; count];
    let mut completion_tokens = 0;
    while ends.iter().any(Option::is_none) {
        match answers.next().await.1 {
            Piece::Read { .. } => {}
            Piece::Token { answer, text, score } => {
                texts[answer].push_str(&text);
                scores[answer].extend(score);
            }
            Piece::Ended { answer, rest, finish, generated } => {
                texts[answer].push_str(&rest);
                completion_tokens += generated.tokens.len() as u64;
                ends[answer] = Some(finish);
            }
            Piece::Failed(fault) => return Err(fault),
        }
    }
    let tokenizer = answers.model.tokenizer();
    let choices = texts.into_iter().zip(scores).zip(ends).zip(0..);
    let choices = choices.map(|(((text, scores), finish_reason), index)| ChatChoice {
        index,
        message: ChatMessage {
            extra: extra([("refusal", Value::Null), ("annotations", json!([]))]),
            ..ChatMessage::new(Role::Assistant, text)
        },
        finish_reason,
        logprobs: head.scored.then(|| logprobs::chat(tokenizer, &scores)),
        extra: Extra::new(),
    });
    Ok(ChatCompletion {
        object: "chat.completion".to_owned(),
        created: head.created,
        choices: choices.collect(),
        usage: Some(Usage::new(answers.prompt_tokens(), completion_tokens)),
        extra: head.extra(),
        id: head.id,
        model: head.model,
    })
}

/// A stream under way.
struct Streaming {
    head: Head,
    answers: Answers,
    /// Answers that have not ended.
    left: usize,
    completion_tokens: u64,
    include_usage: bool,
}

/// The answers as events: for each a chunk with the role, chunks of text, and one with the reason to end; then on request
/// one with the tokens used, and `[DONE]`, for which null stands.
fn chunks(
    head: Head,
    answers: Answers,
    count: usize,
    include_usage: bool,
) -> impl Stream<Item = Value> {
    let role = ChatDelta {
        role: Some(Role::Assistant),
        content: Some(String::new()),
        extra: Extra::new(),
    };
    let first = (0..count).map(|index| choice(index, role.clone(), None));
    let first: Vec<Value> = first.map(|choice| chunk(&head, choice, include_usage)).collect();
    let streaming = Streaming { head, answers, left: count, completion_tokens: 0, include_usage };
    let rest = stream::unfold(Some(streaming), |streaming| async move {
        let mut streaming = streaming?;
        let (events, goes_on) = streaming.next().await;
        Some((stream::iter(events), goes_on.then_some(streaming)))
    });
    stream::iter(first).chain(rest.flatten())
}

impl Streaming {
    /// The next events, and whether more come.
    async fn next(&mut self) -> (Vec<Value>, bool) {
        match self.answers.next().await.1 {
            Piece::Read { .. } => (Vec::new(), true),
            Piece::Token { answer, text, score } => {
                let mut choice = choice(answer, content(text), None);
                choice.logprobs = self.head.scored.then(|| {
                    let scores: Vec<TokenScore> = score.into_iter().collect();
                    logprobs::chat(self.answers.model.tokenizer(), &scores)
                });
                (vec![chunk(&self.head, choice, self.include_usage)], true)
            }
            Piece::Ended { answer, rest, finish, generated } => {
                self.left -= 1;
                self.completion_tokens += generated.tokens.len() as u64;
                let rest = (!rest.is_empty()).then(|| choice(answer, content(rest), None));
                let end = choice(answer, ChatDelta::default(), Some(finish));
                let ends = rest.into_iter().chain([end]);
                let mut events: Vec<Value> =
                    ends.map(|choice| chunk(&self.head, choice, self.include_usage)).collect();
                if self.left == 0 {
                    events.extend(self.include_usage.then(|| self.usage()));
                    events.push(Value::Null);
                }
                (events, self.left > 0)
            }
            Piece::Failed(fault) => (vec![fault.body()], false),
        }
    }

    fn usage(&self) -> Value {
        let usage = Usage::new(self.answers.prompt_tokens(), self.completion_tokens);
        written(&ChatChunk { usage: Some(usage), ..bare(&self.head) })
    }
}

/// A chunk as an event; null stands for the end of a whole answer.
pub(super) fn event(chunk: &Value) -> Event {
    if chunk.is_null() {
        Event::default().data("[DONE]")
    } else {
        Event::default().data(chunk.to_string())
    }
}

/// Types of ours, whose names are all texts, always have a JSON form.
pub(super) fn written(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn bare(head: &Head) -> ChatChunk {
    ChatChunk {
        id: head.id.clone(),
        object: "chat.completion.chunk".to_owned(),
        created: head.created,
        model: head.model.clone(),
        choices: Vec::new(),
        usage: None,
        extra: head.extra(),
    }
}

fn content(text: String) -> ChatDelta {
    ChatDelta { role: None, content: Some(text), extra: Extra::new() }
}

fn choice(index: usize, delta: ChatDelta, finish_reason: Option<FinishReason>) -> ChunkChoice {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    ChunkChoice { index, delta, finish_reason, logprobs: None, extra: Extra::new() }
}

/// With usage asked for, all chunks but the last say `"usage": null`.
fn chunk(head: &Head, choice: ChunkChoice, include_usage: bool) -> Value {
    let mut chunk = written(&ChatChunk { choices: vec![choice], ..bare(head) });
    if include_usage {
        chunk["usage"] = Value::Null;
    }
    chunk
}
