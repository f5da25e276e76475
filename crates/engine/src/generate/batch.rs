//! Many answers side by side: each pass computes one token more of all of them.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Deref};

use crate::cache::Cache;
use crate::decode::{Decoder, Member, check};
use crate::error::Error;
use crate::generate::answer::{Answer, Chosen, score};
use crate::generate::remembered::Remembered;
use crate::generate::{Finish, Generated, Options, TokenScore};
use crate::lora::Adapter;
use crate::model::Model;
use crate::parallel;
use crate::sampling::{Choice, Sampler};

/// Tokens of a prompt that are read between two tokens of the answers under way: twice the rows of one thread's piece.
///
/// Cuts are always at its multiples, so that they change no bit.
const CHUNK: usize = 192;
/// Rows of logits that stand at once where a prompt is scored.
const SCORED: usize = 32;

/// What is asked of a batch.
#[derive(Clone)]
pub struct Request<A> {
    /// Beside the frozen weights, or none.
    pub adapter: Option<A>,
    /// The tokens to go on from.
    pub prompt: Vec<u32>,
    /// How.
    pub options: Options,
    /// How many answers, with seeds from that of the options on; the prompt is read once for all of them.
    pub answers: usize,
}

/// Shows counts and never tokens, which may be about a patient.
impl<A> std::fmt::Debug for Request<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Request")
            .field("prompt", &self.prompt.len())
            .field("answers", &self.answers)
            .finish_non_exhaustive()
    }
}

/// A request's number in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What a batch tells of a request; to break off at any of them ends what it is about.
#[derive(Debug)]
pub enum Event<'e> {
    /// A part of the prompt is read.
    Reading {
        /// Tokens read so far.
        tokens: usize,
    },
    /// The prompt is read.
    Read {
        /// One for each token of the prompt but the first, where they were asked for.
        scores: Vec<TokenScore>,
    },
    /// An answer has a token more.
    Token {
        /// Which answer, from 0.
        answer: usize,
        /// The token.
        token: u32,
        /// The text that is certain now, in whole characters and never a part of a stop text; often empty.
        text: &'e str,
        /// Where it was asked for.
        score: Option<&'e TokenScore>,
    },
    /// An answer has ended; also one that was broken off.
    Ended {
        /// Which answer, from 0.
        answer: usize,
        /// The text that was held back until now.
        rest: &'e str,
        /// The whole, but for the prompt's scores.
        generated: Generated,
    },
}

/// Hears events; breaks off by [`ControlFlow::Break`].
type Listener<'l> = dyn FnMut(Ticket, Event<'_>) -> ControlFlow<()> + 'l;

/// Answers side by side, over one model and any of its adapters.
///
/// The text of an answer depends on its own request alone: not on the answers beside it, nor on when it came, nor on
/// what the batch has read before and need not read again.
#[derive(Debug)]
pub struct Batch<'m, A> {
    decoder: Decoder<'m>,
    /// Prompts that are not read yet, the first in part.
    prompts: VecDeque<Prompt<A>>,
    answers: Vec<Slot<'m, A>>,
    remembered: Remembered<A>,
    tickets: u64,
}

#[derive(Debug)]
struct Prompt<A> {
    ticket: Ticket,
    request: Request<A>,
    choice: Choice,
    cache: Cache,
    /// The first token of the last chunk that was read.
    chunk: usize,
    scores: Vec<TokenScore>,
}

/// An answer with its place.
#[derive(Debug)]
struct Slot<'m, A> {
    ticket: Ticket,
    index: usize,
    adapter: Option<A>,
    cache: Cache,
    answer: Answer<'m>,
    /// Why it is at its end, where it is.
    finish: Option<Finish>,
}

impl<'m, A: Deref<Target = Adapter> + Clone + Send> Batch<'m, A> {
    /// A batch without requests.
    pub fn new(model: &'m Model) -> Self {
        let decoder = Decoder::new(model);
        let remembered = Remembered::default();
        Self { decoder, prompts: VecDeque::new(), answers: Vec::new(), remembered, tickets: 0 }
    }

    /// Takes a request; its prompt is read after those that came before.
    ///
    /// # Errors
    /// Those of [`Model::generate`].
    pub fn add(&mut self, request: Request<A>) -> Result<Ticket, Error> {
        let choice = request.options.checked()?;
        check(self.decoder.model(), 0, &request.prompt)?;
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        let cache = Cache::new(self.decoder.model().config());
        let prompt = Prompt { ticket, request, choice, cache, chunk: 0, scores: Vec::new() };
        self.prompts.push_back(prompt);
        Ok(ticket)
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty() && self.answers.is_empty()
    }

    /// How many answers grow by a token in each step.
    pub fn answering(&self) -> usize {
        self.answers.len()
    }

    /// Reads a part of the first prompt, where one waits, and gives every answer under way a token more.
    ///
    /// # Errors
    /// None that [`Batch::add`] did not give.
    pub fn step(&mut self, listener: &mut Listener<'_>) -> Result<(), Error> {
        if let Some(mut prompt) = self.prompts.pop_front() {
            if self.read(&mut prompt, listener)? {
                self.begin(prompt, listener);
            } else {
                self.prompts.push_front(prompt);
            }
        }
        self.go_on(listener)
    }

    /// Reads the next chunk of a prompt; says whether the prompt is done with.
    fn read(&mut self, prompt: &mut Prompt<A>, listener: &mut Listener<'_>) -> Result<bool, Error> {
        let Prompt { ticket, request, cache, chunk, scores, .. } = prompt;
        let (decoder, adapter) = (&mut self.decoder, request.adapter.as_deref());
        // A prompt whose own tokens are scored is read whole.
        if cache.tokens() == 0
            && request.options.prompt_log_probabilities.is_none()
            && let Some(known) = self.remembered.recall(adapter, &request.prompt)
        {
            *cache = known;
        }
        let from = cache.tokens();
        *chunk = from;
        let to = request.prompt.len().min((from / CHUNK + 1) * CHUNK);
        parallel::inside(|| decoder.read(cache, adapter, &request.prompt[from..to]))?;
        if let Some(count) = request.options.prompt_log_probabilities {
            // What foretells a token is the row before it.
            let last = to.min(request.prompt.len() - 1);
            for first in (from..last).step_by(SCORED) {
                let end = last.min(first + SCORED);
                let vocabulary = self.decoder.model().config().vocab;
                let isa = self.decoder.model().isa();
                let logits = self.decoder.logits(first - from..end - from);
                scores.extend(parallel::map(end - first, |row| {
                    let logits = &logits[row * vocabulary..(row + 1) * vocabulary];
                    score(isa, request.prompt[first + row + 1], logits, count)
                }));
            }
        }
        if listener(*ticket, Event::Reading { tokens: to }).is_break() {
            for answer in 0..request.answers {
                let generated = Generated::nothing(Finish::Cancelled, request.prompt.len());
                let _ = listener(*ticket, Event::Ended { answer, rest: "", generated });
            }
            request.answers = 0;
            return Ok(true);
        }
        let whole = to == request.prompt.len();
        if whole {
            self.remembered.keep(request.adapter.as_ref(), &request.prompt, cache);
        }
        Ok(whole)
    }

    /// The first tokens of the answers to a prompt that is read.
    fn begin(&mut self, prompt: Prompt<A>, listener: &mut Listener<'_>) {
        let Prompt { ticket, request, choice, cache, chunk, scores } = prompt;
        if request.answers == 0 {
            return;
        }
        let broken = listener(ticket, Event::Read { scores }).is_break();
        let model = self.decoder.model();
        let last = cache.tokens() - 1 - chunk;
        let logits = self.decoder.logits(last..last + 1);
        let mut caches = vec![cache];
        caches.resize_with(request.answers, || Cache::new(model.config()));
        for index in 1..request.answers {
            caches[index] = caches[0].clone();
        }
        for (index, cache) in caches.into_iter().enumerate() {
            let seed = request.options.seed.wrapping_add(index as u64);
            let sampler = Sampler::new(model.isa(), choice.clone(), seed, &request.prompt);
            let answer = Answer::new(model, &request.options, sampler, request.prompt.len());
            let adapter = request.adapter.clone();
            let mut slot = Slot { ticket, index, adapter, cache, answer, finish: None };
            if broken {
                slot.finish = Some(Finish::Cancelled);
            } else if slot.answer.is_full() {
                slot.finish = Some(Finish::Length);
            } else {
                let chosen = slot.answer.choose(logits);
                slot.take(chosen, listener);
            }
            self.answers.push(slot);
        }
        self.drop_ended(listener);
        // Side by side where they have one adapter, so that its products are taken together.
        self.answers.sort_by_key(|slot| {
            slot.adapter.as_deref().map(|adapter| std::ptr::from_ref::<Adapter>(adapter).addr())
        });
    }

    /// One token more of every answer.
    fn go_on(&mut self, listener: &mut Listener<'_>) -> Result<(), Error> {
        if self.answers.is_empty() {
            return Ok(());
        }
        let Self { decoder, answers, .. } = self;
        let chosen = parallel::inside(|| next(decoder, answers))?;
        for (slot, chosen) in self.answers.iter_mut().zip(chosen.into_iter().flatten()) {
            slot.take(chosen, listener);
        }
        self.drop_ended(listener);
        Ok(())
    }

    /// Tells and drops the answers that are at their end.
    fn drop_ended(&mut self, listener: &mut Listener<'_>) {
        let (ended, rest) = std::mem::take(&mut self.answers)
            .into_iter()
            .partition::<Vec<_>, _>(|slot| slot.finish.is_some());
        self.answers = rest;
        for Slot { ticket, index: answer, answer: made, finish, .. } in ended {
            let (rest, generated) = made.end(finish.unwrap_or(Finish::Cancelled));
            // It is over, whatever the listener says.
            let _ = listener(ticket, Event::Ended { answer, rest: &rest, generated });
        }
    }
}

/// Chooses one token more of every answer.
fn next<A: Deref<Target = Adapter> + Send>(
    decoder: &mut Decoder<'_>,
    answers: &mut [Slot<'_, A>],
) -> Result<Vec<Option<Chosen>>, Error> {
    let mut members: Vec<Member<'_>> = answers
        .iter_mut()
        .map(|slot| Member {
            token: slot.answer.last().expect("an answer under way has a token"),
            adapter: slot.adapter.as_deref(),
            cache: &mut slot.cache,
        })
        .collect();
    decoder.step(&mut members)?;
    let vocabulary = decoder.model().config().vocab;
    let logits = decoder.logits(0..answers.len());
    let mut chosen: Vec<Option<Chosen>> = answers.iter().map(|_| None).collect();
    let work = answers.iter_mut().zip(logits.chunks_exact(vocabulary)).zip(&mut chosen);
    let work = work.map(|((slot, logits), chosen)| (&mut slot.answer, logits, chosen));
    parallel::each_of(work.collect(), |(answer, logits, chosen)| {
        *chosen = Some(answer.choose(logits));
    });
    Ok(chosen)
}

impl<A> Slot<'_, A> {
    /// Takes a token and tells it.
    fn take(&mut self, chosen: Chosen, listener: &mut Listener<'_>) {
        let step = self.answer.take(chosen);
        self.finish = step.finish;
        let Some((text, token)) = step.text.zip(self.answer.last()) else { return };
        let score = self.answer.last_score();
        let event = Event::Token { answer: self.index, token, text: &text, score };
        if listener(self.ticket, event).is_break() {
            self.finish = Some(Finish::Cancelled);
        }
    }
}

impl Generated {
    /// An answer without tokens.
    pub(super) fn nothing(finish: Finish, prompt_tokens: usize) -> Self {
        Self {
            tokens: Vec::new(),
            text: String::new(),
            finish,
            prompt_tokens,
            scores: Vec::new(),
            end_score: None,
            prompt_scores: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
