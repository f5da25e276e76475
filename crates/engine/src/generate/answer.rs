//! One answer in the making: its tokens, its text, its end.

use crate::generate::stop::StopFilter;
use crate::generate::{Finish, Generated, Options, TokenScore};
use crate::kernels::Isa;
use crate::model::Model;
use crate::sampling::{Sampler, largest, normaliser};
use crate::tokenizer::StreamDecoder;

/// An answer that grows token by token.
#[derive(Debug)]
pub(super) struct Answer<'m> {
    model: &'m Model,
    stream: StreamDecoder<'m>,
    filter: StopFilter,
    sampler: Sampler,
    /// The most tokens that it may have.
    most: usize,
    scored: Option<usize>,
    prompt_tokens: usize,
    tokens: Vec<u32>,
    text: String,
    scores: Vec<TokenScore>,
    end_score: Option<TokenScore>,
}

/// A token that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) token: u32,
    pub(super) score: Option<TokenScore>,
}

/// What a token brought.
#[derive(Debug)]
pub(super) struct Step {
    /// The text that is certain now; none where the token only ended the answer.
    pub(super) text: Option<String>,
    /// Why the answer is at its end, where it is.
    pub(super) finish: Option<Finish>,
}

impl<'m> Answer<'m> {
    /// An answer without tokens, drawn by `sampler`.
    pub(super) fn new(
        model: &'m Model,
        options: &Options,
        sampler: Sampler,
        prompt_tokens: usize,
    ) -> Self {
        let room = model.config().max_positions.saturating_sub(prompt_tokens);
        Self {
            model,
            stream: model.tokenizer().stream(),
            filter: StopFilter::new(&options.stop),
            sampler,
            most: options.max_tokens.min(room),
            scored: options.log_probabilities,
            prompt_tokens,
            tokens: Vec::new(),
            text: String::new(),
            scores: Vec::new(),
            end_score: None,
        }
    }

    /// Whether it may have no token more.
    pub(super) fn is_full(&self) -> bool {
        self.tokens.len() >= self.most
    }

    /// The last token.
    pub(super) fn last(&self) -> Option<u32> {
        self.tokens.last().copied()
    }

    /// The last token's score.
    pub(super) fn last_score(&self) -> Option<&TokenScore> {
        self.scores.last()
    }

    /// Chooses the next token.
    pub(super) fn choose(&mut self, logits: &[f32]) -> Chosen {
        let token = self.sampler.choose(logits);
        let score = self.scored.map(|count| score(self.model.isa(), token, logits, count));
        Chosen { token, score }
    }

    /// Takes the token that was chosen.
    pub(super) fn take(&mut self, chosen: Chosen) -> Step {
        let Chosen { token, score } = chosen;
        if self.model.tokenizer().eos().contains(&token) {
            self.end_score = score;
            return Step { text: None, finish: Some(Finish::Stop) };
        }
        self.scores.extend(score);
        self.tokens.push(token);
        let (text, stopped) = self.filter.push(&self.stream.push(token));
        self.text.push_str(&text);
        let full = self.is_full().then_some(Finish::Length);
        Step { text: Some(text), finish: if stopped { Some(Finish::Stop) } else { full } }
    }

    /// The text that was held back, and the whole.
    pub(super) fn end(mut self, mut finish: Finish) -> (String, Generated) {
        let (text, stopped) = self.filter.push(&self.stream.finish());
        let rest = if stopped { text } else { text + &self.filter.finish() };
        if stopped && finish == Finish::Length {
            finish = Finish::Stop;
        }
        self.text.push_str(&rest);
        let Self { prompt_tokens, tokens, text, scores, end_score, .. } = self;
        let prompt_scores = Vec::new();
        let generated =
            Generated { tokens, text, finish, prompt_tokens, scores, end_score, prompt_scores };
        (rest, generated)
    }
}

/// The score of a token among all that `logits` tell.
pub(super) fn score(isa: Isa, token: u32, logits: &[f32], count: usize) -> TokenScore {
    let normaliser = normaliser(isa, logits);
    let likeliest = largest(logits, count).into_iter();
    TokenScore {
        token,
        log_probability: logits[token as usize] - normaliser,
        likeliest: likeliest.map(|(token, logit)| (token, logit - normaliser)).collect(),
    }
}
