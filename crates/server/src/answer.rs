//! Answers: prompts made ready, brought to the model's desk in turn, their text handed over piece by piece.

use std::sync::Arc;
use std::time::Instant;

use engine::generate::Request;
use engine::{Adapter, ChatMessage, Model};
use tokio::sync::mpsc;

use crate::Error;
use crate::desk::{Order, Piece, Pieces};
use crate::fault::Fault;
use crate::queue::{Place, Turn};
use crate::sampling::Sampling;
use crate::state::State;
use crate::store::models::{self, TunedModel};

/// What is asked of a model.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) sampling: Sampling,
    /// How many of the likeliest tokens to tell beside each of a prompt; none tells nothing of them.
    pub(crate) prompt_scores: Option<usize>,
}

/// What an answer goes on from.
#[derive(Debug)]
pub(crate) enum Prompt {
    /// A conversation.
    Messages(Vec<ChatMessage>),
    /// A text, in which special tokens may be written out.
    Text(String),
    /// Tokens as they are.
    Tokens(Vec<u32>),
}

impl Prompt {
    /// The parameter that it came by.
    fn parameter(&self) -> &'static str {
        match self {
            Self::Messages(_) => "messages",
            Self::Text(_) | Self::Tokens(_) => "prompt",
        }
    }

    fn tokens(&self, model: &Model) -> Result<Vec<u32>, Fault> {
        match self {
            Self::Messages(messages) => model.prompt(messages).map_err(refused),
            Self::Text(text) => Ok(model.tokenizer().encode_with_special(text)),
            Self::Tokens(tokens) => Ok(tokens.clone()),
        }
    }
}

/// Answers under way; dropping them stops the generation.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) model: Arc<Model>,
    /// The tokens of each prompt.
    pub(crate) prompts: Vec<Vec<u32>>,
    /// Names the weights that answer.
    pub(crate) fingerprint: String,
    /// With the place of the prompt that each is about.
    pub(crate) pieces: mpsc::UnboundedReceiver<(usize, Piece)>,
}

impl Answers {
    /// Tokens of all prompts.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        self.prompts.iter().map(|prompt| prompt.len() as u64).sum()
    }

    /// The next piece; a generation that ends without a word, as after a panic, is a failure.
    pub(crate) async fn next(&mut self) -> (usize, Piece) {
        self.pieces.recv().await.unwrap_or_else(|| (0, Piece::Failed(broken())))
    }
}

fn broken() -> Fault {
    Fault::internal(&std::io::Error::other("a generation broke off"))
}

/// Checks the prompts and waits for the first one's turn.
pub(crate) async fn begin(state: &Arc<State>, ask: Ask) -> Result<Answers, Fault> {
    let asked = Instant::now();
    let source = source(state, &ask.model).await?;
    let weights = state.shelf.base(&source.base).map_or("", |base| base.sha256.as_str());
    let fingerprint = format!("fp_{}", weights.get(..10).unwrap_or(weights));
    let place = state.queue.place().inspect_err(|_| state.metrics.answering.refused())?;
    let preparing = Arc::clone(state);
    let prepared = tokio::task::spawn_blocking(move || prepare(&preparing, &source, &ask)).await;
    let (model, requests) = prepared.unwrap_or_else(|_| Err(broken()))?;
    let prompts = requests.iter().map(|request| request.prompt.clone()).collect();
    let first = place.turn(requests.first().map_or(1, |request| request.answers)).await?;
    let (sender, pieces) = mpsc::unbounded_channel();
    let work = Work { state: Arc::clone(state), model: Arc::clone(&model), place, sender, asked };
    tokio::spawn(work.hand_all(first, requests));
    Ok(Answers { model, prompts, fingerprint, pieces })
}

/// A request's prompts on their way to the desk.
struct Work {
    state: Arc<State>,
    model: Arc<Model>,
    place: Arc<Place>,
    sender: Pieces,
    asked: Instant,
}

impl Work {
    /// Hands over one prompt after the other, each in its turn, so that a request of many leaves room for the others.
    async fn hand_all(self, first: Turn, requests: Vec<Request<Arc<Adapter>>>) {
        let mut turn = Some(first);
        for (prompt, request) in requests.into_iter().enumerate() {
            let next = if let Some(turn) = turn.take() {
                Ok(turn)
            } else {
                tokio::select! {
                    next = self.place.turn(request.answers) => next,
                    () = self.sender.closed() => return,
                }
            };
            match next {
                Ok(turn) => {
                    let (pieces, asked) = (self.sender.clone(), self.asked);
                    let order = Order { request, prompt, pieces, turn, asked };
                    self.state.desks.hand(&self.model, order);
                }
                Err(fault) => return drop(self.sender.send((prompt, Piece::Failed(fault)))),
            }
        }
    }
}

/// The weights that a model's name stands for.
pub(crate) struct Source {
    pub(crate) base: String,
    tuned: Option<TunedModel>,
}

/// Finds what `name` stands for.
pub(crate) async fn source(state: &State, name: &str) -> Result<Source, Fault> {
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

type Prepared = (Arc<Model>, Vec<Request<Arc<Adapter>>>);

fn prepare(state: &State, source: &Source, ask: &Ask) -> Result<Prepared, Fault> {
    let (model, adapter) = load(state, source).map_err(|error| Fault::internal(&error))?;
    let prompts = ask.prompts.iter().map(|prompt| {
        let tokens = prompt.tokens(&model)?;
        let max_tokens = room(&model, (prompt.parameter(), &tokens), &ask.sampling)?;
        Ok(Request {
            adapter: adapter.clone(),
            prompt: tokens,
            options: ask.sampling.options(max_tokens, ask.prompt_scores),
            answers: ask.sampling.answers,
        })
    });
    let requests = prompts.collect::<Result<_, Fault>>()?;
    Ok((model, requests))
}

/// How many tokens an answer may have.
fn room(
    model: &Model,
    (parameter, tokens): (&str, &[u32]),
    sampling: &Sampling,
) -> Result<usize, Fault> {
    let config = model.config();
    let context = config.max_positions;
    let room = context.saturating_sub(tokens.len());
    let fits = tokens.len() <= context && (room > 0 || sampling.max_tokens == Some(0));
    if !fits || sampling.max_tokens.is_some_and(|most| most > context) {
        let message = format!(
            "This model's maximum context length is {context} tokens, and your {parameter} resulted in {} tokens",
            tokens.len()
        );
        return Err(Fault::invalid(message).param(parameter).code("context_length_exceeded"));
    }
    if tokens.is_empty() {
        return Err(Fault::invalid_value(parameter, format!("'{parameter}' has no tokens")));
    }
    if tokens.iter().any(|token| *token as usize >= config.vocab) {
        let message = format!("'{parameter}' has a token that the model does not have");
        return Err(Fault::invalid_value(parameter, message));
    }
    Ok(sampling.max_tokens.unwrap_or(room).min(room))
}

/// Loads what answers, where it is not loaded yet; blocks.
fn load(state: &State, source: &Source) -> Result<(Arc<Model>, Option<Arc<Adapter>>), Error> {
    let model = state.shelf.model(&source.base)?;
    let folder = state.folder.adapters();
    let tuned = source.tuned.as_ref();
    let adapter = tuned.map(|tuned| state.shelf.adapter(tuned, &folder, &model)).transpose()?;
    Ok((model, adapter))
}

/// A conversation that the model's template does not take is the client's fault.
pub(crate) fn refused(error: engine::Error) -> Fault {
    match error {
        engine::Error::Template { .. } => Fault::invalid_value(
            "messages",
            "The model's chat template has no place for messages in this order",
        ),
        error => Fault::internal(&error),
    }
}
