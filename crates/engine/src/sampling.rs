//! The choice of the next token from its logits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choice {
    /// What logits are divided by; 0 takes the likeliest.
    pub(crate) temperature: f32,
    /// The likeliest tokens that together have this probability are chosen from.
    pub(crate) top_p: f32,
    /// At most so many of the likeliest tokens are chosen from.
    pub(crate) top_k: Option<usize>,
}

/// Chooses tokens; the same seed and logits choose the same ones.
#[derive(Debug)]
pub(crate) struct Sampler {
    choice: Choice,
    random: ChaCha8Rng,
    /// Tokens with their weights, kept between choices.
    candidates: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler that begins at `seed`.
    pub(crate) fn new(choice: Choice, seed: u64) -> Self {
        Self { choice, random: ChaCha8Rng::seed_from_u64(seed), candidates: Vec::new() }
    }

    /// The next token. Logits that are no number are never chosen while others are there.
    pub(crate) fn choose(&mut self, logits: &[f32]) -> u32 {
        let best = likeliest(logits);
        let largest = logits[best as usize];
        let Choice { temperature, top_p, top_k } = self.choice;
        if temperature == 0.0 || !largest.is_finite() {
            return best;
        }
        self.candidates.clear();
        let weights = logits.iter().map(|logit| ((logit - largest) / temperature).exp());
        self.candidates.extend((0..).zip(weights).filter(|(_, weight)| *weight > 0.0));
        if let Some(count) = top_k.filter(|count| *count < self.candidates.len()) {
            self.candidates.select_nth_unstable_by(count, heavier);
            self.candidates.truncate(count);
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

/// Heavier first, and the lower token first among equals, so that the order is always the same.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that sorting asks for")]
pub(crate) fn heavier(one: &(u32, f32), other: &(u32, f32)) -> std::cmp::Ordering {
    other.1.total_cmp(&one.1).then(one.0.cmp(&other.0))
}

/// The token with the largest logit, the first among equals.
pub(crate) fn likeliest(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, logit) in (0..).zip(logits) {
        if *logit > best.1 {
            best = (token, *logit);
        }
    }
    best.0
}

/// The natural logarithm of each token's probability.
pub(crate) fn log_probabilities(logits: &[f32]) -> Vec<f32> {
    let largest = logits[likeliest(logits) as usize];
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    let normaliser = f64::from(largest) + sum.ln();
    #[expect(clippy::cast_possible_truncation, reason = "back to the precision of the logits")]
    logits.iter().map(|logit| (f64::from(*logit) - normaliser) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(choice: Choice, logits: &[f32], draws: usize) -> Vec<usize> {
        let mut sampler = Sampler::new(choice, 7);
        let mut counts = vec![0; logits.len()];
        for _ in 0..draws {
            counts[sampler.choose(logits) as usize] += 1;
        }
        counts
    }

    const ALL: Choice = Choice { temperature: 1.0, top_p: 1.0, top_k: None };

    #[test]
    fn without_temperature_the_likeliest_is_taken_and_the_first_among_equals() {
        let greedy = Choice { temperature: 0.0, ..ALL };
        assert_eq!(drawn(greedy, &[1.0, 3.0, 3.0, f32::NAN], 5), [0, 5, 0, 0]);
    }

    #[test]
    fn tokens_come_as_often_as_they_are_likely() {
        let logits = [0.5_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln(), f32::NEG_INFINITY];
        let counts = drawn(ALL, &logits, 10_000);
        // Three standard deviations of 10,000 draws are below 150.
        for (count, expected) in counts.iter().zip([5_000_usize, 3_000, 2_000, 0]) {
            assert!(count.abs_diff(expected) < 150, "{counts:?}");
        }
        let counts = drawn(Choice { temperature: 0.5, ..ALL }, &logits, 10_000);
        for (count, expected) in counts.iter().zip([6_579_usize, 2_368, 1_053, 0]) {
            assert!(count.abs_diff(expected) < 150, "{counts:?}");
        }
    }

    #[test]
    fn the_nucleus_reaches_top_p_with_the_token_that_crosses_it() {
        let logits = [0.1_f32.ln(), 0.5_f32.ln(), 0.3_f32.ln(), 0.1_f32.ln()];
        let counts = drawn(Choice { top_p: 0.6, ..ALL }, &logits, 1_000);
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!(counts[1].abs_diff(625) < 50, "{counts:?}");
        let counts = drawn(Choice { top_p: 0.4, ..ALL }, &logits, 100);
        assert_eq!(counts, [0, 100, 0, 0]);
    }

    #[test]
    fn only_the_top_k_are_drawn() {
        let counts = drawn(Choice { top_k: Some(2), ..ALL }, &[0.0, 1.0, 2.0, 1.0], 1_000);
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!(counts[1] > 0 && counts[2] > 0);
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let logits: Vec<f32> = (0..50).map(|i| (i as f32).sin()).collect();
        assert_eq!(drawn(ALL, &logits, 100), drawn(ALL, &logits, 100));
    }

    #[test]
    fn log_probabilities_sum_to_one() {
        let found = log_probabilities(&[1_000.0, 1_000.0, 990.0]);
        let sum: f32 = found.iter().map(|log| log.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        assert!((found[0] - 0.5_f32.ln()).abs() < 1e-4);
    }
}
