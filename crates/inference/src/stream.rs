//! An answer that arrives in events.

use std::collections::VecDeque;

use template::{Piece, Splitter, Template};
use transport::ChatStream;
use wire::ChatChunk;

use crate::answer::{Answer, Event, Finish, Raw, reasoning_of};
use crate::error::Error;

/// An answer that arrives, as [`Event`]s; the last one is [`Event::Done`].
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, Event};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["## Thinking\n\nCrushing.\n\n## Final Response\n\nAn ECG."]).await?;
/// let mut stream = Assistant::new(client, "ft:tiny").ask_stream("What first?").await?;
/// let mut shown = String::new();
/// while let Some(event) = stream.next().await? {
///     if let Event::Response(text) = event {
///         shown += &text; // never half a heading
///     }
/// }
/// assert_eq!(shown, "An ECG.");
/// assert_eq!(stream.next().await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AnswerStream {
    chunks: ChatStream,
    asked: String,
    raw: Raw,
    splitter: Option<Splitter>,
    pieces: Vec<Piece>,
    finish: Finish,
    queue: VecDeque<Event>,
}

impl AnswerStream {
    pub(crate) fn new(chunks: ChatStream, model: &str, template: &Template) -> Self {
        Self {
            chunks,
            asked: model.to_owned(),
            raw: Raw { model: model.to_owned(), ..Raw::default() },
            splitter: Some(Splitter::new(template)),
            pieces: Vec::new(),
            finish: Finish::Cut,
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
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned(["<think>Crushing.</think>An ECG."]).await?;
    /// let mut assistant = inference::Assistant::new(client, "ft:tiny");
    /// assistant.template = template::Template::Think;
    /// let answer = assistant.ask_stream("What first?").await?.whole().await?;
    /// assert_eq!(answer.response, "An ECG.");
    /// assert_eq!(answer.text, "<think>Crushing.</think>An ECG.");
    /// # Ok(())
    /// # }
    /// ```
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
            self.raw.model = chunk.model;
        }
        if let Some(choice) = chunk.choices.into_iter().find(|choice| choice.index == 0) {
            let ended = choice.ended().map(|reason| Finish::of(Some(reason)));
            let apart = reasoning_of(&choice.delta.extra).filter(|text| !text.is_empty());
            if let Some(reasoning) = apart {
                self.raw.reasoning.push_str(reasoning);
                self.queue.push_back(Event::Reasoning(reasoning.to_owned()));
            }
            self.push(&choice.delta.content.unwrap_or_default());
            self.finish = ended.unwrap_or_else(|| std::mem::replace(&mut self.finish, Finish::Cut));
        }
        if let Some(usage) = chunk.usage {
            self.queue.push_back(Event::Usage(usage.clone()));
            self.raw.usage = Some(usage);
        }
    }

    fn push(&mut self, text: &str) {
        self.raw.text.push_str(text);
        let pieces = self.splitter.as_mut().map(|splitter| splitter.push(text)).unwrap_or_default();
        self.show(pieces);
    }

    fn show(&mut self, pieces: Vec<Piece>) {
        let events = pieces.iter().map(|piece| self.event(piece)).collect::<Vec<_>>();
        self.queue.extend(events);
        self.pieces.extend(pieces);
    }

    fn end(&mut self) {
        let rest = self.splitter.take().map(Splitter::finish).unwrap_or_default();
        self.show(rest);
        let halves = std::mem::take(&mut self.pieces).into_iter().collect();
        let finish = std::mem::replace(&mut self.finish, Finish::Cut);
        let answer = Answer::new(std::mem::take(&mut self.raw), halves, finish);
        self.queue.push_back(Event::Done(Box::new(answer)));
    }

    fn event(&self, piece: &Piece) -> Event {
        match piece {
            Piece::Reasoning(text) => Event::Reasoning(text.clone()),
            Piece::Response(text) => Event::Response(text.clone()),
            // Where the reasoning came apart, the text is the response.
            other if !self.raw.reasoning.is_empty() => Event::Response(other.text().to_owned()),
            other => Event::Unmarked(other.text().to_owned()),
        }
    }
}
