//! Where answers are generated: for each base model a thread with one batch, which requests join at the next token.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use engine::generate::{Batch, Event, Finish, Generated, Request, Ticket, TokenScore};
use engine::{Adapter, Model};
use rayon::ThreadPool;
use tokio::sync::mpsc::UnboundedSender;
use wire::FinishReason;

use crate::fault::Fault;
use crate::metrics::Answering;
use crate::queue::Turn;

/// What a generation tells of the answers to one prompt.
#[derive(Debug)]
pub(crate) enum Piece {
    /// The prompt is read.
    Read { scores: Vec<TokenScore> },
    /// An answer has a token more.
    Token { answer: usize, text: String, score: Option<TokenScore> },
    /// An answer has ended, with the text that was held back until then.
    Ended { answer: usize, rest: String, finish: FinishReason, generated: Box<Generated> },
    /// No more comes.
    Failed(Fault),
}

/// Where pieces go, with the prompt's place in its request. Unbounded, so that a client who reads slowly does not hold
/// the others; an answer is bounded by the context.
pub(crate) type Pieces = UnboundedSender<(usize, Piece)>;

/// What a desk is asked for.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) request: Request<Arc<Adapter>>,
    /// The prompt's place in its request.
    pub(crate) prompt: usize,
    /// A closed one ends the generation.
    pub(crate) pieces: Pieces,
    pub(crate) turn: Turn,
    /// When its request came.
    pub(crate) asked: Instant,
}

/// The desks, one for each base model that was asked.
#[derive(Debug)]
pub(crate) struct Desks {
    orders: Mutex<HashMap<String, Sender<Order>>>,
    /// The threads that answers are computed on. Training has rayon's global pool: in one pool with it, each small
    /// product of an answer would wait behind a large one of the training, and an answer would take ten times as long.
    pool: Arc<ThreadPool>,
    /// Whether answers under way are to stop.
    hushed: Arc<AtomicBool>,
    metrics: Answering,
}

impl Desks {
    /// Desks that compute on threads of their own, and count into `metrics`.
    pub(crate) fn new(metrics: Answering) -> Result<Self, std::io::Error> {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("answer-{index}"))
            .build()
            .map_err(std::io::Error::other)?;
        let pool = Arc::new(pool);
        Ok(Self { orders: Mutex::default(), pool, hushed: Arc::default(), metrics })
    }

    /// Stops answers under way.
    pub(crate) fn hush(&self) {
        self.hushed.store(true, Ordering::Release);
    }

    /// Hands `order` to the desk of `model`, which begins with the first.
    pub(crate) fn hand(&self, model: &Arc<Model>, order: Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let order = match orders.get(model.name()) {
            None => order,
            Some(desk) => match desk.send(order) {
                Ok(()) => return,
                // The desk broke; another takes its place.
                Err(unsent) => unsent.0,
            },
        };
        let (sender, receiver) = channel();
        let pieces = order.pieces.clone();
        let prompt = order.prompt;
        // The receiver is still here.
        let _ = sender.send(order);
        let desk = Desk {
            model: Arc::clone(model),
            pool: Arc::clone(&self.pool),
            hushed: Arc::clone(&self.hushed),
            metrics: self.metrics.clone(),
        };
        let thread = std::thread::Builder::new().name("answering".to_owned());
        match thread.spawn(move || desk.work(&receiver)) {
            Ok(_) => drop(orders.insert(model.name().to_owned(), sender)),
            Err(error) => {
                let _ = pieces.send((prompt, Piece::Failed(Fault::internal(&error))));
            }
        }
    }
}

impl Drop for Desks {
    fn drop(&mut self) {
        self.hush();
    }
}

/// A thread's own.
struct Desk {
    model: Arc<Model>,
    pool: Arc<ThreadPool>,
    hushed: Arc<AtomicBool>,
    metrics: Answering,
}

/// Whose answers a ticket stands for.
struct Client {
    prompt: usize,
    pieces: Pieces,
    /// Answers that have not ended.
    left: usize,
    prompt_tokens: usize,
    /// When its request came; none behind the first token.
    asked: Option<Instant>,
    _turn: Turn,
}

impl Client {
    /// Counts what happened.
    fn count(&mut self, event: &Event<'_>, metrics: &Answering) {
        match event {
            Event::Reading { .. } => {}
            Event::Read { .. } => metrics.read(self.prompt_tokens),
            Event::Token { .. } => metrics.token(self.asked.take().map(|asked| asked.elapsed())),
            Event::Ended { generated, .. } => metrics.ended(match generated.finish {
                Finish::Stop => "stop",
                Finish::Length => "length",
                _ => "broken_off",
            }),
        }
    }
}

impl Desk {
    /// Works until the server is gone.
    fn work(self, orders: &Receiver<Order>) {
        let mut batch = Batch::new(&self.model);
        let mut clients = HashMap::new();
        loop {
            if batch.is_empty() {
                let Ok(order) = orders.recv() else { return };
                accept(&mut batch, &mut clients, order);
            }
            while let Ok(order) = orders.try_recv() {
                accept(&mut batch, &mut clients, order);
            }
            let stepped = self.pool.install(|| {
                batch.step(&mut |ticket, event| self.tell(&mut clients, ticket, event))
            });
            if let Err(error) = stepped {
                // What was checked when it was added cannot fail; so nothing here can be relied on any more.
                for Client { prompt, pieces, .. } in clients.into_values() {
                    let _ = pieces.send((prompt, Piece::Failed(Fault::internal(&error))));
                }
                return;
            }
        }
    }

    /// Passes an event on; breaks off where nobody listens any more, or the server stops.
    fn tell(&self, clients: &mut Clients, ticket: Ticket, event: Event<'_>) -> ControlFlow<()> {
        let Some(client) = clients.get_mut(&ticket) else { return ControlFlow::Break(()) };
        client.count(&event, &self.metrics);
        let ended = matches!(event, Event::Ended { .. });
        let unheard = match piece(event) {
            Some(piece) => client.pieces.send((client.prompt, piece)).is_err(),
            None => client.pieces.is_closed(),
        };
        if ended {
            client.left -= 1;
            if client.left == 0 {
                clients.remove(&ticket);
            }
        }
        let stopping = self.hushed.load(Ordering::Acquire);
        if unheard || stopping { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

type Clients = HashMap<Ticket, Client>;

fn accept(batch: &mut Batch<'_, Arc<Adapter>>, clients: &mut Clients, order: Order) {
    let Order { request, prompt, pieces, turn, asked } = order;
    let (left, prompt_tokens, asked) = (request.answers, request.prompt.len(), Some(asked));
    match batch.add(request) {
        Ok(ticket) => {
            let client = Client { prompt, pieces, left, prompt_tokens, asked, _turn: turn };
            clients.insert(ticket, client);
        }
        Err(error) => {
            let _ = pieces.send((prompt, Piece::Failed(refused(&error))));
        }
    }
}

/// What the engine will not read, as the client's fault where it is.
pub(crate) fn refused(error: &engine::Error) -> Fault {
    match error {
        engine::Error::NoTokens => Fault::invalid_value("prompt", "'prompt' has no tokens"),
        engine::Error::Token { .. } => {
            Fault::invalid_value("prompt", "'prompt' has a token that the model does not have")
        }
        error => Fault::internal(error),
    }
}

fn piece(event: Event<'_>) -> Option<Piece> {
    Some(match event {
        Event::Reading { .. } | Event::Token { text: "", score: None, .. } => return None,
        Event::Read { scores } => Piece::Read { scores },
        Event::Token { answer, text, score, .. } => {
            Piece::Token { answer, text: text.to_owned(), score: score.cloned() }
        }
        Event::Ended { answer, rest, generated } => {
            let finish = match generated.finish {
                Finish::Stop => FinishReason::Stop,
                Finish::Length => FinishReason::Length,
                // Only the server's own stopping breaks off what somebody listens to.
                _ => return Some(Piece::Failed(Fault::stopping())),
            };
            Piece::Ended { answer, rest: rest.to_owned(), finish, generated: Box::new(generated) }
        }
    })
}
