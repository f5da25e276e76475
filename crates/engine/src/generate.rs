//! Answers: tokens chosen one after the other until an end, for one sequence or for many side by side.
//!
//! # Examples
//!
//! One answer, heard as it comes:
//!
//! ```
//! use std::ops::ControlFlow;
//! use std::path::Path;
//!
//! use engine::generate::{Finish, Options, TokenScore};
//! use engine::{ChatMessage, LoadOptions, Model};
//!
//! let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
//! let prompt = model.prompt(&[ChatMessage::new("user", "Is it a cold?")])?;
//! let options = Options { max_tokens: 4, temperature: 0.0, log_probabilities: Some(2), ..Options::default() };
//! let mut heard = String::new();
//! let answer = model.generate(None, &prompt, &options, &mut |piece| {
//!     heard += piece;
//!     ControlFlow::Continue(()) // or `Break`, where nobody listens any more
//! })?;
//! assert_eq!((answer.finish, answer.tokens.len()), (Finish::Length, 4));
//! assert_eq!(answer.text, heard);
//! let TokenScore { log_probability, likeliest, .. } = &answer.scores[0];
//! assert_eq!((likeliest.len(), likeliest[0].1), (2, *log_probability), "greedy takes the likeliest");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Many side by side, none of which changes another:
//!
//! ```
//! # use std::ops::ControlFlow;
//! # use std::path::Path;
//! use engine::generate::{Batch, Event, Generated, Options, Request, Ticket};
//! # use engine::{Adapter, ChatMessage, LoadOptions, Model};
//!
//! # let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
//! # let prompt = model.prompt(&[ChatMessage::new("user", "Is it a cold?")])?;
//! # let options = Options { max_tokens: 4, temperature: 0.0, ..Options::default() };
//! let mut batch = Batch::new(&model);
//! let request = Request { adapter: None::<&Adapter>, prompt: prompt.clone(), options: options.clone(), answers: 2 };
//! let ticket: Ticket = batch.add(request)?;
//! let mut ended: Vec<Generated> = Vec::new();
//! while !batch.is_empty() {
//!     batch.step(&mut |of, event| {
//!         assert_eq!(of, ticket);
//!         if let Event::Ended { generated, .. } = event {
//!             ended.push(generated);
//!         }
//!         ControlFlow::Continue(())
//!     })?;
//! }
//! assert_eq!((batch.answering(), ended.len()), (0, 2));
//! let alone = model.generate(None, &prompt, &options, &mut |_| ControlFlow::Continue(()))?;
//! assert!(ended.iter().all(|answer| answer.text == alone.text));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod remembered;
mod batch;
mod stop;

use std::ops::ControlFlow;

use crate::error::Error;
use crate::lora::Adapter;
use crate::model::Model;
use crate::sampling::Choice;
use crate::template::ChatMessage;
pub use batch::{Batch, Event, Request, Ticket};

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
    /// What a token's logit loses for each time that the answer has it; 0 changes nothing.
    pub frequency_penalty: f32,
    /// What a token's logit loses once the answer has it; 0 changes nothing.
    pub presence_penalty: f32,
    /// What the logits of tokens of prompt and answer are divided by, or multiplied where they are negative; 1 changes
    /// nothing.
    pub repetition_penalty: f32,
    /// What is added to the logits of single tokens.
    pub logit_bias: Vec<(u32, f32)>,
    /// Where the random numbers begin: the same seed gives the same answer.
    pub seed: u64,
    /// Texts that end the answer and are not part of it.
    pub stop: Vec<String>,
    /// With `Some(n)` each token comes with its log-probability and those of the `n` likeliest tokens.
    pub log_probabilities: Option<usize>,
    /// With `Some(n)` the prompt's tokens come with theirs and those of the `n` likeliest in their places.
    pub prompt_log_probabilities: Option<usize>,
}

/// Draws by probability, up to 512 tokens, from seed 0.
impl Default for Options {
    fn default() -> Self {
        Self {
            max_tokens: 512,
            temperature: 1.0,
            top_p: 1.0,
            top_k: None,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            repetition_penalty: 1.0,
            logit_bias: Vec::new(),
            seed: 0,
            stop: Vec::new(),
            log_probabilities: None,
            prompt_log_probabilities: None,
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
        for (option, penalty) in [
            ("frequency_penalty", self.frequency_penalty),
            ("presence_penalty", self.presence_penalty),
        ] {
            if !penalty.is_finite() {
                return fault(option, penalty, "not a number");
            }
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            return fault("repetition_penalty", self.repetition_penalty, "not a number above 0");
        }
        if let Some((_, bias)) = self.logit_bias.iter().find(|(_, bias)| !bias.is_finite()) {
            return fault("logit_bias", *bias, "not a number");
        }
        Ok(Choice {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            repetition_penalty: self.repetition_penalty,
            bias: self.logit_bias.clone(),
        })
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
    /// That of the token by which the model ended the answer, where it did and they were asked for.
    pub end_score: Option<TokenScore>,
    /// One for each token of the prompt but the first, where they were asked for.
    pub prompt_scores: Vec<TokenScore>,
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
        self.conversation(messages, true)
    }

    /// The tokens of a conversation; with `add_generation_prompt` up to where the assistant's next answer begins.
    ///
    /// # Errors
    /// [`Error::Template`] where the template refuses the messages.
    pub fn conversation(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<Vec<u32>, Error> {
        let text = self.chat_template().render(messages, add_generation_prompt)?;
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
        let mut batch = Batch::new(self);
        batch.add(Request {
            adapter,
            prompt: prompt.to_vec(),
            options: options.clone(),
            answers: 1,
        })?;
        let (mut prompt_scores, mut ended) = (Vec::new(), None);
        while !batch.is_empty() {
            batch.step(&mut |_, event| match event {
                Event::Reading { .. } => ControlFlow::Continue(()),
                Event::Read { scores } => {
                    prompt_scores = scores;
                    ControlFlow::Continue(())
                }
                Event::Token { text, .. } => on_text(text),
                Event::Ended { rest, mut generated, .. } => {
                    let cancelled = generated.finish == Finish::Cancelled;
                    if !rest.is_empty() && !cancelled && on_text(rest).is_break() {
                        generated.finish = Finish::Cancelled;
                    }
                    ended = Some(generated);
                    ControlFlow::Continue(())
                }
            })?;
        }
        // A batch tells the end of each of its answers, so that there is one.
        let ended = ended.unwrap_or_else(|| Generated::nothing(Finish::Cancelled, prompt.len()));
        Ok(Generated { prompt_scores, ..ended })
    }
}

#[cfg(test)]
mod tests;
