//! The choice of the next token from its logits.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kernels::{Isa, Kernel, Simd, exp};

/// How the next token is chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    /// What logits are divided by; 0 takes the likeliest.
    pub(crate) temperature: f32,
    /// The likeliest tokens that together have this probability are chosen from.
    pub(crate) top_p: f32,
    /// At most so many of the likeliest tokens are chosen from.
    pub(crate) top_k: Option<usize>,
    /// What a token's logit loses for each time that it was chosen.
    pub(crate) frequency_penalty: f32,
    /// What a token's logit loses once it was chosen.
    pub(crate) presence_penalty: f32,
    /// What a positive logit of a token of prompt or answer is divided by, and a negative one multiplied.
    pub(crate) repetition_penalty: f32,
    /// What is added to the logits of single tokens.
    pub(crate) bias: Vec<(u32, f32)>,
}

impl Choice {
    /// Whether logits are changed before a token is chosen.
    fn changes(&self) -> bool {
        self.frequency_penalty != 0.0
            || self.presence_penalty != 0.0
            || (self.repetition_penalty - 1.0).abs() > 0.0
            || !self.bias.is_empty()
    }
}

/// Chooses tokens; the same seed and logits choose the same ones.
#[derive(Debug)]
pub(crate) struct Sampler {
    choice: Choice,
    isa: Isa,
    random: ChaCha8Rng,
    /// How often each token was chosen; those of the prompt alone count 0.
    counts: BTreeMap<u32, u32>,
    changed: Vec<f32>,
    weights: Vec<f32>,
    /// Tokens with their weights, kept between choices.
    candidates: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler that begins at `seed` after `prompt`.
    pub(crate) fn new(isa: Isa, choice: Choice, seed: u64, prompt: &[u32]) -> Self {
        let counts = if choice.changes() {
            prompt.iter().map(|token| (*token, 0)).collect()
        } else {
            BTreeMap::new()
        };
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self {
            choice,
            isa,
            random,
            counts,
            changed: Vec::new(),
            weights: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// The next token. Logits that are no number are never chosen while others are there.
    pub(crate) fn choose(&mut self, logits: &[f32]) -> u32 {
        if !self.choice.changes() {
            return self.draw(logits);
        }
        let mut changed = std::mem::take(&mut self.changed);
        changed.clear();
        changed.extend_from_slice(logits);
        self.change(&mut changed);
        let token = self.draw(&changed);
        self.changed = changed;
        *self.counts.entry(token).or_default() += 1;
        token
    }

    /// As vLLM's `apply_penalties` and OpenAI's guide have it: repetition first, then frequency and presence, then bias.
    fn change(&self, logits: &mut [f32]) {
        let Choice { frequency_penalty, presence_penalty, repetition_penalty, bias, .. } =
            &self.choice;
        for (token, count) in &self.counts {
            let Some(logit) = logits.get_mut(*token as usize) else { continue };
            *logit = if *logit > 0.0 {
                *logit / repetition_penalty
            } else {
                *logit * repetition_penalty
            };
            if *count > 0 {
                *logit -= *count as f32 * frequency_penalty + presence_penalty;
            }
        }
        for (token, bias) in bias {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit += bias;
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let best = likeliest(logits);
        let largest = logits[best as usize];
        let Choice { temperature, top_p, top_k, .. } = self.choice;
        if temperature == 0.0 || !largest.is_finite() {
            return best;
        }
        self.weights.resize(logits.len(), 0.0);
        let inverse = 1.0 / temperature;
        self.isa.run(Weights { logits, largest, inverse, out: &mut self.weights });
        self.candidates.clear();
        self.candidates.extend((0..).zip(self.weights.iter().copied()));
        if let Some(count) = top_k.filter(|count| *count < self.candidates.len()) {
            self.candidates.select_nth_unstable_by(count, heavier);
            self.candidates.truncate(count);
            // In one order again, whatever the selection left.
            self.candidates.sort_unstable_by_key(|(token, _)| *token);
        }
        if top_p < 1.0 {
            self.keep_nucleus(top_p);
        }
        let total: f64 = self.candidates.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let mut left = self.random.random::<f64>() * total;
        for (token, weight) in &self.candidates {
            left -= f64::from(*weight);
            if left < 0.0 {
                return *token;
            }
        }
        best
    }

    /// Keeps the heaviest candidates, up to and with the one that brings their share to `top_p`.
    fn keep_nucleus(&mut self, top_p: f32) {
        let total: f64 = self.candidates.iter().map(|(_, weight)| f64::from(*weight)).sum();
        // All that weigh less than this weigh less than 1 - top_p together, so the rest holds the nucleus whole.
        let least = (1.0 - f64::from(top_p)) * total / self.candidates.len() as f64;
        self.candidates.retain(|(_, weight)| f64::from(*weight) >= least);
        self.candidates.sort_unstable_by(heavier);
        let mut sum = 0.0;
        let enough = self.candidates.iter().position(|(_, weight)| {
            sum += f64::from(*weight);
            sum >= f64::from(top_p) * total
        });
        self.candidates.truncate(enough.map_or(self.candidates.len(), |last| last + 1));
    }
}

/// `weights = e^((logits - largest) / temperature)`; of what is no number the least there is.
struct Weights<'a> {
    logits: &'a [f32],
    largest: f32,
    inverse: f32,
    out: &'a mut [f32],
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "vector code must be compiled with its caller's instruction set"
    )]
    fn run<S: Simd>(self, simd: S) {
        let (largest, inverse) = (simd.splat(self.largest), simd.splat(self.inverse));
        for (logits, weights) in self.logits.chunks(S::LANES).zip(self.out.chunks_mut(S::LANES)) {
            let whole = weights.len() == S::LANES;
            let x = if whole { simd.load(logits) } else { simd.load_part(logits, 0.0) };
            let weight = exp(simd, simd.mul(simd.sub(x, largest), inverse));
            if whole { simd.store(weights, weight) } else { simd.store_part(weights, weight) }
        }
    }
}

/// Heavier first, and the lower token first among equals, so that the order is always the same.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that sorting asks for")]
fn heavier(one: &(u32, f32), other: &(u32, f32)) -> std::cmp::Ordering {
    other.1.total_cmp(&one.1).then(one.0.cmp(&other.0))
}

/// The token with the largest logit, the first among equals.
pub(crate) fn likeliest(logits: &[f32]) -> u32 {
    // Side by side, so that the compiler takes vectors; what is no number is never larger.
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = logits.chunks_exact(16);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, logit) in lanes.iter_mut().zip(chunk) {
            *lane = if *logit > *lane { *logit } else { *lane };
        }
    }
    let largest =
        lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    let place = logits.iter().position(|logit| *logit >= largest).unwrap_or(0);
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The natural logarithm of the sum of `e^logits`: what a logit lies below it is the logarithm of its probability.
pub(crate) fn normaliser(isa: Isa, logits: &[f32]) -> f32 {
    let largest = logits[likeliest(logits) as usize];
    largest + isa.run(Sum { logits, largest }).ln()
}

/// The sum of `e^(logits - largest)`.
struct Sum<'a> {
    logits: &'a [f32],
    largest: f32,
}

impl Kernel for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "vector code must be compiled with its caller's instruction set"
    )]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let largest = simd.splat(self.largest);
        let mut sum = simd.splat(0.0);
        for logits in self.logits.chunks(S::LANES) {
            let whole = logits.len() == S::LANES;
            let x =
                if whole { simd.load(logits) } else { simd.load_part(logits, f32::NEG_INFINITY) };
            sum = simd.add(sum, exp(simd, simd.sub(x, largest)));
        }
        simd.sum(sum)
    }
}

/// The `count` largest of `logits`, the largest first and the lower token first among equals.
pub(crate) fn largest(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let mut top: Vec<(u32, f32)> = Vec::with_capacity(count + 1);
    for (token, logit) in (0..).zip(logits.iter().copied()) {
        let full = top.len() == count;
        if count == 0 || logit.is_nan() || full && top.last().is_some_and(|last| logit <= last.1) {
            continue;
        }
        let place = top.partition_point(|(_, other)| *other >= logit);
        top.insert(place, (token, logit));
        top.truncate(count);
    }
    top
}

#[cfg(test)]
mod tests;
