//! Answers: tokens chosen one after the other until an end.

mod stop;

use std::ops::ControlFlow;

use crate::decode::Sequence;
use crate::error::Error;
use crate::lora::Adapter;
use crate::model::Model;
use crate::sampling::{Choice, Sampler, heavier, log_probabilities};
use crate::template::ChatMessage;
use crate::tokenizer::StreamDecoder;
use stop::StopFilter;

/// How an answer is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The most tokens that the answer may have; the model's own limit counts too.
    pub max_tokens: usize,
    /// How far the choice may stray from the likeliest token: 0 always takes that one, 1 draws by probability.
    pub temperature: f32,
    /// Draws only among the likeliest tokens that together have this probability, above 0 and up to 1.
    pub top_p: f32,
    /// Draws only among so many of the likeliest tokens.
    pub top_k: Option<usize>,
    /// Where the random numbers begin: the same seed gives the same answer.
    pub seed: u64,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// With `Some(n)` each token comes with its log-probability and those of the `n` likeliest tokens.
    pub log_probabilities: Option<usize>,
}

/// Draws by probability, up to 512 tokens, from seed 0.
impl Default for Options {
    fn default() -> Self {
        Self {
            max_tokens: 512,
            temperature: 1.0,
            top_p: 1.0,
            top_k: None,
            seed: 0,
            stop: Vec::new(),
            log_probabilities: None,
        }
    }
}

impl Options {
    fn checked(&self) -> Result<Choice, Error> {
        let fault =
            |option, value: f32, reason| Err(Error::Option { option, value: value.into(), reason });
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return fault("temperature", self.temperature, "not a number from 0 up");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return fault("top_p", self.top_p, "not above 0 and up to 1");
        }
        if self.top_k == Some(0) {
            return fault("top_k", 0.0, "not from 1 up");
        }
        Ok(Choice { temperature: self.temperature, top_p: self.top_p, top_k: self.top_k })
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// The model ended it, or a stop text came.
    Stop,
    /// It has as many tokens as it may.
    Length,
    /// Whoever listened broke it off.
    Cancelled,
}

/// A token's log-probability, before temperature and the other settings of the choice.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenScore {
    /// The token.
    pub token: u32,
    /// The natural logarithm of its probability.
    pub log_probability: f32,
    /// The likeliest tokens in its place with theirs, the likeliest first.
    pub likeliest: Vec<(u32, f32)>,
}

/// A finished answer.
#[derive(Clone, PartialEq)]
pub struct Generated {
    /// The tokens chosen, without the one that ended the answer.
    pub tokens: Vec<u32>,
    /// Their text, up to the stop text where one came.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// The tokens of the prompt.
    pub prompt_tokens: usize,
    /// One for each token, where they were asked for.
    pub scores: Vec<TokenScore>,
}

/// Shows counts and never the text, which may be about a patient.
impl std::fmt::Debug for Generated {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Generated")
            .field("tokens", &self.tokens.len())
            .field("finish", &self.finish)
            .field("prompt_tokens", &self.prompt_tokens)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// The tokens of a conversation up to where the assistant's next answer begins.
    ///
    /// They are those that training has before that answer: special tokens are only what the chat template writes.
    ///
    /// # Errors
    /// [`Error::Template`] where the template refuses the messages.
    pub fn prompt(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, Error> {
        let text = self.chat_template().render(messages, true)?;
        Ok(self.tokens_of(&text, messages.iter().map(|message| &message.content[..])))
    }

    /// Generates what follows `prompt`, with `adapter` beside the frozen weights or without.
    ///
    /// `on_text` hears the text as it becomes certain, in whole characters and never a part of a stop text. It is called
    /// after every token, with an empty piece where nothing new is certain, so that it can break off at any token.
    ///
    /// # Errors
    /// [`Error::Option`] for an option that cannot be, [`Error::NoTokens`] for an empty prompt, [`Error::TooLong`] where
    /// the model cannot read it, [`Error::Token`] for a token outside the vocabulary.
    pub fn generate(
        &self,
        adapter: Option<&Adapter>,
        prompt: &[u32],
        options: &Options,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, Error> {
        let sampler = Sampler::new(options.checked()?, options.seed);
        let mut sequence = Sequence::new(self, adapter);
        sequence.feed(prompt)?;
        let answer = Answer {
            stream: self.tokenizer().stream(),
            filter: StopFilter::new(&options.stop),
            sampler,
            tokens: Vec::new(),
            text: String::new(),
            scores: Vec::new(),
        };
        answer.complete(sequence, options, on_text)
    }
}

/// An answer in the making.
struct Answer<'a> {
    stream: StreamDecoder<'a>,
    filter: StopFilter<'a>,
    sampler: Sampler,
    tokens: Vec<u32>,
    text: String,
    scores: Vec<TokenScore>,
}

impl Answer<'_> {
    /// Chooses tokens until the end.
    fn complete(
        mut self,
        mut sequence: Sequence<'_>,
        options: &Options,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, Error> {
        let prompt_tokens = sequence.tokens();
        let room = sequence.model().config().max_positions - prompt_tokens;
        let finish = loop {
            if self.tokens.len() >= options.max_tokens.min(room) {
                break Finish::Length;
            }
            let token = self.sampler.choose(sequence.logits());
            if sequence.model().tokenizer().eos().contains(&token) {
                break Finish::Stop;
            }
            self.scores.extend(
                options.log_probabilities.map(|count| score(token, sequence.logits(), count)),
            );
            self.tokens.push(token);
            let piece = self.stream.push(token);
            let (text, stopped) = self.filter.push(&piece);
            self.text.push_str(&text);
            if on_text(&text).is_break() {
                break Finish::Cancelled;
            }
            if stopped {
                break Finish::Stop;
            }
            if self.tokens.len() < options.max_tokens.min(room) {
                sequence.feed(&[token])?;
            }
        };
        Ok(self.end(finish, prompt_tokens, on_text))
    }

    /// Gives out what was held back.
    fn end(
        mut self,
        mut finish: Finish,
        prompt_tokens: usize,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Generated {
        let (text, stopped) = self.filter.push(&self.stream.finish());
        let rest = if stopped { text } else { text + &self.filter.finish() };
        if stopped && finish == Finish::Length {
            finish = Finish::Stop;
        }
        self.text.push_str(&rest);
        if !rest.is_empty() && finish != Finish::Cancelled && on_text(&rest).is_break() {
            finish = Finish::Cancelled;
        }
        let Self { tokens, text, scores, .. } = self;
        Generated { tokens, text, finish, prompt_tokens, scores }
    }
}

/// The score of the chosen token among all.
fn score(token: u32, logits: &[f32], count: usize) -> TokenScore {
    let logs = log_probabilities(logits);
    let mut likeliest: Vec<(u32, f32)> = (0..).zip(logs.iter().copied()).collect();
    if count < likeliest.len() {
        likeliest.select_nth_unstable_by(count, heavier);
        likeliest.truncate(count);
    }
    likeliest.sort_unstable_by(heavier);
    TokenScore { token, log_probability: logs[token as usize], likeliest }
}

#[cfg(test)]
mod tests;
