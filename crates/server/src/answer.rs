//! Answers: one generation on a blocking thread, its text handed over piece by piece.

use std::ops::ControlFlow;
use std::sync::Arc;

use engine::generate::{Finish, Generated, Options};
use engine::{Adapter, Model};
use tokio::sync::{mpsc, oneshot};
use wire::FinishReason;

use crate::Error;
use crate::chat::{Question, Sampling};
use crate::fault::Fault;
use crate::queue::Turn;
use crate::state::State;
use crate::store::models::{self, TunedModel};

/// What a generation tells: text, and at last how it ended.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Ended { finish: FinishReason, completion_tokens: u64 },
    Failed(Fault),
}

/// An answer under way; dropping it stops the generation.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) prompt_tokens: u64,
    /// Names the weights that answer.
    pub(crate) fingerprint: String,
    // Unbounded, so that a client who reads slowly does not hold the model; an answer is bounded by the context.
    pub(crate) pieces: mpsc::UnboundedReceiver<Piece>,
}

/// Waits for a turn, and then until the prompt is accepted.
pub(crate) async fn begin(state: &Arc<State>, question: Question) -> Result<Answer, Fault> {
    let source = source(state, &question.model).await?;
    let weights = state.shelf.base(&source.base).map_or("", |base| base.sha256.as_str());
    let fingerprint = format!("fp_{}", weights.get(..10).unwrap_or(weights));
    let turn = state.queue.turn().await?;
    let (begun, accepted) = oneshot::channel();
    let (sender, pieces) = mpsc::unbounded_channel();
    let work = Work { state: Arc::clone(state), source, question, pieces: sender };
    tokio::task::spawn_blocking(move || {
        let _turn: Turn = turn;
        match work.prepare() {
            Ok(prepared) => {
                // Where nobody waits any more, the first piece finds that out too.
                let _ = begun.send(Ok(prepared.prompt.len()));
                work.state.answering.install(|| work.generate(&prepared));
            }
            Err(fault) => drop(begun.send(Err(fault))),
        }
    });
    let prompt_tokens = accepted.await.unwrap_or_else(|_| Err(broken()))?;
    Ok(Answer { prompt_tokens: prompt_tokens as u64, fingerprint, pieces })
}

/// The failure of a generation that ended without a word, as after a panic.
pub(crate) fn broken() -> Fault {
    Fault::internal(&std::io::Error::other("a generation broke off"))
}

/// The weights that a model's name stands for.
struct Source {
    base: String,
    tuned: Option<TunedModel>,
}

async fn source(state: &State, name: &str) -> Result<Source, Fault> {
    if state.shelf.base(name).is_some() {
        return Ok(Source { base: name.to_owned(), tuned: None });
    }
    let id = name.to_owned();
    let tuned = state.store.call(move |connection| models::find(connection, &id)).await?;
    let tuned = tuned.ok_or_else(|| Fault::no_model(name))?;
    if !state.shelf.serves(&tuned) {
        let message = format!(
            "The model '{name}' was trained on weights of '{}' that this server was not started with",
            tuned.base
        );
        return Err(Fault::not_found(message).param("model").code("model_not_found"));
    }
    Ok(Source { base: tuned.base.clone(), tuned: Some(tuned) })
}

struct Work {
    state: Arc<State>,
    source: Source,
    question: Question,
    pieces: mpsc::UnboundedSender<Piece>,
}

struct Prepared {
    model: Arc<Model>,
    adapter: Option<Arc<Adapter>>,
    prompt: Vec<u32>,
    options: Options,
}

impl Work {
    fn prepare(&self) -> Result<Prepared, Fault> {
        let (model, adapter) = self.load().map_err(|error| Fault::internal(&error))?;
        let prompt = model.prompt(&self.question.messages).map_err(refused)?;
        let context = model.config().max_positions;
        let sampling = &self.question.sampling;
        let room = context.saturating_sub(prompt.len());
        if room == 0 || sampling.max_tokens.is_some_and(|most| most > context) {
            let message = format!(
                "This model's maximum context length is {context} tokens, and your messages resulted in {} tokens",
                prompt.len()
            );
            return Err(Fault::invalid(message).param("messages").code("context_length_exceeded"));
        }
        let max_tokens = sampling.max_tokens.unwrap_or(room).min(room);
        Ok(Prepared { model, adapter, prompt, options: options(sampling, max_tokens) })
    }

    fn load(&self) -> Result<(Arc<Model>, Option<Arc<Adapter>>), Error> {
        let models = &self.state.shelf;
        let model = models.model(&self.source.base)?;
        let folder = self.state.folder.adapters();
        let tuned = self.source.tuned.as_ref();
        let adapter = tuned.map(|tuned| models.adapter(tuned, &folder, &model)).transpose()?;
        Ok((model, adapter))
    }

    fn generate(&self, prepared: &Prepared) {
        let Prepared { model, adapter, prompt, options } = prepared;
        let mut on_text = |text: &str| {
            let unheard = self.pieces.is_closed()
                || !text.is_empty() && self.pieces.send(Piece::Text(text.to_owned())).is_err();
            if unheard || self.state.is_hushed() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let end = match model.generate(adapter.as_deref(), prompt, options, &mut on_text) {
            Ok(generated) => end(&generated),
            Err(error) => Piece::Failed(Fault::internal(&error)),
        };
        // Nobody listens any more where this fails.
        let _ = self.pieces.send(end);
    }
}

fn refused(error: engine::Error) -> Fault {
    match error {
        engine::Error::Template { .. } => Fault::invalid_value(
            "messages",
            "The model's chat template has no place for messages in this order",
        ),
        error => Fault::internal(&error),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the engine samples in f32")]
fn options(sampling: &Sampling, max_tokens: usize) -> Options {
    Options {
        max_tokens,
        temperature: sampling.temperature as f32,
        // Of a share of nothing the likeliest token is left, which a share of nearly nothing says as well.
        top_p: (sampling.top_p as f32).max(f32::MIN_POSITIVE),
        seed: sampling.seed,
        stop: sampling.stop.clone(),
        ..Options::default()
    }
}

fn end(generated: &Generated) -> Piece {
    let finish = match generated.finish {
        Finish::Stop => FinishReason::Stop,
        Finish::Length => FinishReason::Length,
        _ => return Piece::Failed(Fault::stopping()),
    };
    Piece::Ended { finish, completion_tokens: generated.tokens.len() as u64 }
}
