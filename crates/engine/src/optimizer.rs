//! `AdamW` with decoupled weight decay, and the clipping of gradients before it.
//!
//! Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), with PyTorch's `torch.optim.AdamW` as the order of operations.

use crate::layers::projection::{Factors, Pair};
use crate::lora::{Adapter, Gradients};
use crate::parallel;

/// Decay of the mean of gradients; PyTorch's default.
const BETA_1: f64 = 0.9;
/// Decay of the mean of their squares; PyTorch's default.
const BETA_2: f64 = 0.999;
/// Keeps the division finite; PyTorch's default.
const EPSILON: f32 = 1e-8;

/// The optimizer's state.
#[derive(Debug, Clone)]
pub(crate) struct AdamW {
    /// Running means of gradients.
    pub(crate) first: Gradients,
    /// Running means of their squares.
    pub(crate) second: Gradients,
    /// Steps taken.
    pub(crate) steps: i32,
    weight_decay: f32,
}

impl AdamW {
    /// Fresh state for `adapter`.
    pub(crate) fn new(adapter: &Adapter, weight_decay: f32) -> Self {
        let zeros = Gradients::zeros(adapter);
        Self { first: zeros.clone(), second: zeros, steps: 0, weight_decay }
    }

    /// One step down `gradients`.
    pub(crate) fn step(&mut self, adapter: &mut Adapter, gradients: &Gradients, rate: f32) {
        self.steps += 1;
        let update = Update {
            shrink: 1.0 - rate * self.weight_decay,
            rate: narrow(f64::from(rate) / (1.0 - BETA_1.powi(self.steps))),
            root: narrow((1.0 - BETA_2.powi(self.steps)).sqrt()),
        };
        let sites: Vec<Site<'_>> = adapter
            .factors_mut()
            .zip(gradients.pairs())
            .zip(self.first.pairs_mut().zip(self.second.pairs_mut()))
            .map(|((factors, gradient), (first, second))| Site { factors, gradient, first, second })
            .collect();
        parallel::each_of(sites, |site| {
            let Site { factors, gradient, first, second } = site;
            update.apply(&mut factors.a, &gradient.a, &mut first.a, &mut second.a);
            update.apply(&mut factors.b, &gradient.b, &mut first.b, &mut second.b);
            factors.repack();
        });
    }
}

struct Site<'a> {
    factors: &'a mut Factors,
    gradient: &'a Pair,
    first: &'a mut Pair,
    second: &'a mut Pair,
}

/// The constants of one step.
struct Update {
    shrink: f32,
    rate: f32,
    root: f32,
}

impl Update {
    fn apply(&self, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        let (beta_1, beta_2) = (narrow(BETA_1), narrow(BETA_2));
        let (rest_1, rest_2) = (narrow(1.0 - BETA_1), narrow(1.0 - BETA_2));
        let state = first.iter_mut().zip(second);
        for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradients).zip(state) {
            *first = beta_1 * *first + rest_1 * gradient;
            *second = beta_2 * *second + rest_2 * gradient * gradient;
            let step = *first / (second.sqrt() / self.root + EPSILON);
            *weight = *weight * self.shrink - self.rate * step;
        }
    }
}

/// Scales `gradients` so that their common L2 norm is at most `limit`; yields the norm before.
///
/// As `torch.nn.utils.clip_grad_norm_`; the norm is summed in f64, branch by branch.
pub(crate) fn clip(gradients: &mut Gradients, limit: f32) -> f64 {
    let pairs: Vec<&Pair> = gradients.pairs().collect();
    let sums =
        parallel::map(pairs.len(), |index| squares(&pairs[index].a) + squares(&pairs[index].b));
    let norm = sums.iter().sum::<f64>().sqrt();
    if norm > f64::from(limit) {
        let factor = narrow(f64::from(limit) / (norm + 1e-6));
        parallel::each_of(gradients.pairs_mut().collect(), |pair: &mut Pair| {
            pair.a.iter_mut().chain(&mut pair.b).for_each(|number| *number *= factor);
        });
    }
    norm
}

/// The sum of squares, in as many sums as keep the processor busy.
fn squares(numbers: &[f32]) -> f64 {
    let mut sums = [0.0; 16];
    for numbers in numbers.chunks(sums.len()) {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += f64::from(*number) * f64::from(*number);
        }
    }
    sums.iter().sum()
}

#[expect(clippy::cast_possible_truncation, reason = "rounded to the type of the weights")]
fn narrow(value: f64) -> f32 {
    value as f32
}
