//! `/v1/completions`: <https://platform.openai.com/docs/api-reference/completions/create>.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use engine::generate::TokenScore;
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::{Value, json};
use wire::{Completion, CompletionChoice, CompletionRequest, Extra, FinishReason, Prompt, Usage};

use super::chat::{event, extra, written};
use crate::answer::{self, Answers};
use crate::completion::Completing;
use crate::desk::Piece;
use crate::extract::JsonBody;
use crate::fault::Fault;
use crate::id;
use crate::logprobs::Lists;
use crate::state::State;

pub(super) async fn complete(
    Shared(state): Shared<Arc<State>>,
    JsonBody(request): JsonBody<CompletionRequest>,
) -> Result<Response, Fault> {
    let texts = match &request.prompt {
        Prompt::Text(text) => vec![text.clone()],
        Prompt::Texts(texts) => texts.clone(),
        Prompt::Tokens(_) | Prompt::TokenLists(_) => Vec::new(),
    };
    let Completing { ask, echo, stream, include_usage } =
        Completing::new(request, u64::from(id::random_seed()))?;
    let (model, answers) = (ask.model.clone(), ask.sampling.answers);
    let scored = ask.sampling.logprobs.is_some();
    let begun = answer::begin(&state, ask).await?;
    let head = Completion {
        id: id::random("cmpl-"),
        object: "text_completion".to_owned(),
        created: state.clock.now(),
        model,
        extra: extra([("system_fingerprint", json!(begun.fingerprint))]),
        ..Completion::default()
    };
    let writing = Writing::new(begun, answers, scored, echo.then_some(texts));
    if stream {
        let events = chunks(head, writing, include_usage);
        let events = events.map(|chunk| Ok::<_, Infallible>(event(&chunk)));
        return Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response());
    }
    whole(head, writing).await.map(|completion| Json(completion).into_response())
}

/// Completions in the making.
struct Writing {
    answers: Answers,
    /// Answers to each prompt.
    count: usize,
    /// Whether log-probabilities are told.
    scored: bool,
    /// What the answers to each prompt begin with, where they echo it.
    echoed: Option<Vec<String>>,
    /// For each answer what is told of its tokens.
    lists: Vec<Lists>,
    left: usize,
    completion_tokens: u64,
}

/// What came of one answer.
struct Part {
    index: usize,
    text: String,
    finish: Option<FinishReason>,
}

impl Writing {
    fn new(answers: Answers, count: usize, scored: bool, echo: Option<Vec<String>>) -> Self {
        let left = answers.prompts.len() * count;
        let echoed = echo.map(|texts| {
            if !texts.is_empty() {
                return texts;
            }
            // Of tokens, the text that they stand for.
            let tokenizer = answers.model.tokenizer();
            let bytes = |tokens: &Vec<u32>| -> Vec<u8> {
                tokens.iter().flat_map(|token| tokenizer.bytes(*token)).collect()
            };
            let prompts = answers.prompts.iter();
            prompts.map(|tokens| String::from_utf8_lossy(&bytes(tokens)).into_owned()).collect()
        });
        let lists = (0..left).map(|_| Lists::default()).collect();
        Self { answers, count, scored, echoed, lists, left, completion_tokens: 0 }
    }

    /// The next parts; none after the last.
    async fn next(&mut self) -> Result<Option<Vec<Part>>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        let (prompt, piece) = self.answers.next().await;
        let first = prompt * self.count;
        Ok(Some(match piece {
            Piece::Read { scores } => self.read(prompt, &scores),
            Piece::Token { answer, text, score } => {
                self.score(first + answer, score.as_ref());
                vec![Part { index: first + answer, text, finish: None }]
            }
            Piece::Ended { answer, rest, finish, generated } => {
                self.left -= 1;
                self.completion_tokens += generated.tokens.len() as u64;
                // The token that ended the answer is told too, as benchmarks expect one more than they sent.
                self.score(first + answer, generated.end_score.as_ref());
                vec![Part { index: first + answer, text: rest, finish: Some(finish) }]
            }
            Piece::Failed(fault) => return Err(fault),
        }))
    }

    /// What the answers to a prompt begin with.
    fn read(&mut self, prompt: usize, scores: &[TokenScore]) -> Vec<Part> {
        let Some(echoed) = &self.echoed else { return Vec::new() };
        let (first, tokenizer) = (prompt * self.count, self.answers.model.tokenizer());
        let mut parts = Vec::with_capacity(self.count);
        for index in first..first + self.count {
            if self.scored {
                let tokens = &self.answers.prompts[prompt];
                self.lists[index].first(tokenizer, tokens[0]);
                for score in scores {
                    self.lists[index].push(tokenizer, score);
                }
            }
            parts.push(Part { index, text: echoed[prompt].clone(), finish: None });
        }
        parts
    }

    fn score(&mut self, index: usize, score: Option<&TokenScore>) {
        if let Some(score) = score {
            self.lists[index].push(self.answers.model.tokenizer(), score);
        }
    }

    /// A choice of what is written of an answer since the last time.
    fn choice(&mut self, part: Part) -> CompletionChoice {
        CompletionChoice {
            index: u32::try_from(part.index).unwrap_or(u32::MAX),
            text: part.text,
            logprobs: self.scored.then(|| self.lists[part.index].take()),
            finish_reason: part.finish,
            extra: Extra::new(),
        }
    }

    fn usage(&self) -> Usage {
        Usage::new(self.answers.prompt_tokens(), self.completion_tokens)
    }
}

async fn whole(head: Completion, mut writing: Writing) -> Result<Completion, Fault> {
    let mut texts = vec![(String::new(), None); writing.left];
    while let Some(parts) = writing.next().await? {
        for Part { index, text, finish } in parts {
            texts[index].0.push_str(&text);
            texts[index].1 = finish.or(texts[index].1.take());
        }
    }
    let parts = texts.into_iter().enumerate();
    let choices =
        parts.map(|(index, (text, finish))| writing.choice(Part { index, text, finish })).collect();
    Ok(Completion { choices, usage: Some(writing.usage()), ..head })
}

/// The completions as events; null stands for `[DONE]`.
fn chunks(head: Completion, writing: Writing, include_usage: bool) -> impl Stream<Item = Value> {
    stream::unfold(Some((head, writing)), move |state| async move {
        let (head, mut writing) = state?;
        let (events, goes_on) = match writing.next().await {
            Ok(Some(parts)) => {
                let mut events = Vec::with_capacity(parts.len());
                for part in parts {
                    let choices = vec![writing.choice(part)];
                    let mut chunk = written(&Completion { choices, ..head.clone() });
                    if include_usage {
                        chunk["usage"] = Value::Null;
                    }
                    events.push(chunk);
                }
                (events, true)
            }
            Ok(None) => {
                let usage =
                    || written(&Completion { usage: Some(writing.usage()), ..head.clone() });
                let events = include_usage.then(usage).into_iter().chain([Value::Null]);
                (events.collect(), false)
            }
            Err(fault) => (vec![fault.body()], false),
        };
        Some((stream::iter(events), goes_on.then_some((head, writing))))
    })
    .flatten()
}
