//! An answer that arrives in events.

use std::collections::VecDeque;

use template::{Piece, Splitter, Template};
use transport::ChatStream;
use wire::{ChatChunk, Usage};

use crate::answer::{Answer, Event, Finish};
use crate::error::Error;

/// An answer that arrives, as [`Event`]s; the last one is [`Event::Done`].
#[derive(Debug)]
pub struct AnswerStream {
    chunks: ChatStream,
    asked: String,
    answered: String,
    splitter: Option<Splitter>,
    pieces: Vec<Piece>,
    finish: Finish,
    usage: Option<Usage>,
    queue: VecDeque<Event>,
}

impl AnswerStream {
    pub(crate) fn new(chunks: ChatStream, model: &str, template: &Template) -> Self {
        Self {
            chunks,
            asked: model.to_owned(),
            answered: model.to_owned(),
            splitter: Some(Splitter::new(template)),
            pieces: Vec::new(),
            finish: Finish::Cut,
            usage: None,
            queue: VecDeque::new(),
        }
    }

    /// The next event, or none after the end.
    ///
    /// # Errors
    ///
    /// [`Error::Service`] where the connection broke or the service sent an error; nothing follows then.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(Some(event));
            }
            if self.splitter.is_none() {
                return Ok(None);
            }
            match self.chunks.next().await {
                Ok(Some(chunk)) => self.take(chunk),
                // A reason for the end that came before the cut still counts; only `[DONE]` is missing then.
                Ok(None) | Err(transport::Error::Cut) => self.end(),
                Err(source) => {
                    self.splitter = None;
                    return Err(Error::Service { model: self.asked.clone(), source });
                }
            }
        }
    }

    /// Waits for the end and returns the whole answer.
    ///
    /// # Errors
    ///
    /// As [`AnswerStream::next`].
    pub async fn whole(mut self) -> Result<Answer, Error> {
        loop {
            match self.next().await? {
                Some(Event::Done(answer)) => return Ok(*answer),
                Some(_) => {}
                None => return Err(Error::NoChoice { model: self.asked }),
            }
        }
    }

    fn take(&mut self, chunk: ChatChunk) {
        if !chunk.model.is_empty() {
            self.answered = chunk.model;
        }
        if let Some(choice) = chunk.choices.into_iter().find(|choice| choice.index == 0) {
            let ended = choice.ended().map(|reason| Finish::of(Some(reason)));
            self.push(&choice.delta.content.unwrap_or_default());
            self.finish = ended.unwrap_or_else(|| std::mem::replace(&mut self.finish, Finish::Cut));
        }
        if let Some(usage) = chunk.usage {
            self.queue.push_back(Event::Usage(usage.clone()));
            self.usage = Some(usage);
        }
    }

    fn push(&mut self, text: &str) {
        let pieces = self.splitter.as_mut().map(|splitter| splitter.push(text)).unwrap_or_default();
        self.show(pieces);
    }

    fn show(&mut self, pieces: Vec<Piece>) {
        self.queue.extend(pieces.iter().map(event));
        self.pieces.extend(pieces);
    }

    fn end(&mut self) {
        let rest = self.splitter.take().map(Splitter::finish).unwrap_or_default();
        self.show(rest);
        let halves = std::mem::take(&mut self.pieces).into_iter().collect();
        let finish = std::mem::replace(&mut self.finish, Finish::Cut);
        let answer =
            Answer::new(std::mem::take(&mut self.answered), halves, finish, self.usage.take());
        self.queue.push_back(Event::Done(Box::new(answer)));
    }
}

fn event(piece: &Piece) -> Event {
    match piece {
        Piece::Reasoning(text) => Event::Reasoning(text.clone()),
        Piece::Response(text) => Event::Response(text.clone()),
        other => Event::Unmarked(other.text().to_owned()),
    }
}
