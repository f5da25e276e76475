//! The head and its loss: `logits = x W^T`, cross-entropy with the next tokens, and the gradient by `x`.
//!
//! Shapes: x, dx `[N, C]` where N are only the rows that carry loss, W `[V, C]`, logits `[block, V]`: they are made in
//! blocks of rows and turned into their own gradient in place, so `[N, V]` never stands. The sums over V are in f32, those
//! over rows in f64.

use crate::kernels::{Buffer, Isa, Kernel, Output, Packed, Simd, exp, gemm};
use crate::layers::linear::Linear;
use crate::parallel;

/// Rows in a block: so many that the weight's way from memory is small beside the arithmetic.
pub(crate) const BLOCK: usize = 96;

/// The rows that carry loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// What the head sees, `[N, C]`.
    pub(crate) x: &'a [f32],
    /// The token that each row should predict.
    pub(crate) targets: &'a [u32],
    /// What each row's loss counts.
    pub(crate) weights: &'a [f32],
}

/// Sums over rows that carry loss.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sums {
    /// Weight times cross-entropy, in nats.
    pub(crate) loss: f64,
    /// The weights.
    pub(crate) weight: f64,
    /// Rows whose likeliest token is the target.
    pub(crate) correct: usize,
    /// Rows.
    pub(crate) rows: usize,
}

impl Sums {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            weight: self.weight + other.weight,
            correct: self.correct + other.correct,
            rows: self.rows + other.rows,
        }
    }
}

/// The gradient that is wanted.
#[derive(Debug)]
pub(crate) struct Gradient<'a> {
    /// `[N, C]`, overwritten.
    pub(crate) dx: &'a mut [f32],
    /// What every row's loss is multiplied by, beside its weight.
    pub(crate) scale: f32,
}

/// The loss of `rows`, and where it is asked for its gradient by them.
pub(crate) fn loss(
    isa: Isa,
    head: &Linear,
    rows: Rows<'_>,
    mut gradient: Option<Gradient<'_>>,
    logits: &mut Buffer,
) -> Sums {
    let (vocabulary, channels) = (head.outputs(), head.inputs());
    let total = rows.targets.len();
    let mut sums = Sums::default();
    for from in (0..total).step_by(BLOCK) {
        let count = BLOCK.min(total - from);
        logits.resize(count * vocabulary);
        gemm(
            isa,
            count,
            &[head.forward(&rows.x[from * channels..], &mut Packed::default())],
            Output::to(logits, vocabulary),
        );
        let scale = gradient.as_ref().map(|gradient| gradient.scale);
        let mut results = vec![0.0; 2 * count];
        let lengths = (0..count).map(|_| [vocabulary, 2]);
        parallel::pieces_mut([&mut *logits, &mut results], lengths, |row, [logits, result]| {
            let target = rows.targets[from + row] as usize;
            let factor = scale.map(|scale| scale * rows.weights[from + row]);
            let (loss, correct) = isa.run(CrossEntropy { logits, target, factor });
            result.copy_from_slice(&[loss, f32::from(u8::from(correct))]);
        });
        for (result, weight) in results.chunks_exact(2).zip(&rows.weights[from..]) {
            let weight = f64::from(*weight);
            let correct = usize::from(result[1] > 0.0);
            let loss = weight * f64::from(result[0]);
            sums = sums.plus(Sums { loss, weight, correct, rows: 1 });
        }
        if let Some(Gradient { dx, .. }) = &mut gradient {
            let dx = &mut dx[from * channels..];
            gemm(
                isa,
                count,
                &[head.backward(logits, &mut Packed::default())],
                Output::to(dx, channels),
            );
        }
    }
    sums
}

/// One row's `logsumexp(logits) - logits[target]`, and whether no token is likelier than the target.
///
/// With a factor the logits become `factor (softmax(logits) - onehot(target))`.
struct CrossEntropy<'a> {
    logits: &'a mut [f32],
    target: usize,
    factor: Option<f32>,
}

impl Kernel for CrossEntropy<'_> {
    type Output = (f32, bool);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (f32, bool) {
        let target = self.logits[self.target];
        let mut largest = simd.splat(f32::NEG_INFINITY);
        for x in self.logits.chunks(S::LANES) {
            let whole = x.len() == S::LANES;
            let x = if whole { simd.load(x) } else { simd.load_part(x, f32::NEG_INFINITY) };
            largest = simd.max(largest, x);
        }
        let largest = simd.largest(largest);
        let shift = simd.splat(largest);
        let mut sum = simd.splat(0.0);
        for x in self.logits.chunks_mut(S::LANES) {
            if x.len() == S::LANES {
                let e = exp(simd, simd.sub(simd.load(x), shift));
                sum = simd.add(sum, e);
                simd.store(x, e);
            } else {
                let e = exp(simd, simd.sub(simd.load_part(x, 0.0), shift));
                simd.store_part(x, e);
                sum = simd.add(sum, simd.load_part(x, 0.0));
            }
        }
        let sum = simd.sum(sum);
        if let Some(factor) = self.factor {
            let share = factor / sum;
            for x in &mut *self.logits {
                *x *= share;
            }
            self.logits[self.target] -= factor;
        }
        (largest + sum.ln() - target, target >= largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Compute;
    use crate::layers::testing::{assert_near, numbers, numeric_gradient, wide};

    const VOCABULARY: usize = 37;
    const CHANNELS: usize = 6;

    /// `(sum of weighted losses, correct rows)` from the definition.
    fn reference(weight: &[f32], x: &[f64], targets: &[u32], weights: &[f32]) -> (f64, usize) {
        let mut correct = 0;
        let losses = x.chunks(CHANNELS).zip(targets).zip(weights).map(|((x, target), share)| {
            let rows = weight.chunks(CHANNELS);
            let logits: Vec<f64> =
                rows.map(|row| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum()).collect();
            let target = logits[*target as usize];
            correct += usize::from(logits.iter().all(|logit| *logit <= target));
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            f64::from(*share) * (sum.ln() - target)
        });
        (losses.sum(), correct)
    }

    #[test]
    fn loss_accuracy_and_gradient_are_those_of_the_formula() {
        let rows = BLOCK + 4;
        let weight = numbers(VOCABULARY * CHANNELS, 1);
        let x = numbers(rows * CHANNELS, 2);
        let targets: Vec<u32> =
            (0..rows).map(|row| u32::try_from(row * 5 % VOCABULARY).unwrap()).collect();
        let weights: Vec<f32> = (0..rows).map(|row| if row % 3 == 0 { 0.5 } else { 1.0 }).collect();
        let (loss_64, correct) = reference(&weight, &wide(&x), &targets, &weights);
        let slope =
            numeric_gradient(&wide(&x), |x| 0.25 * reference(&weight, x, &targets, &weights).0);
        for isa in Isa::available() {
            let head = Linear::new(isa, Compute::F32, &weight, CHANNELS);
            let mut dx = vec![f32::NAN; x.len()];
            let gradient = Gradient { dx: &mut dx, scale: 0.25 };
            let set = Rows { x: &x, targets: &targets, weights: &weights };
            let sums = loss(isa, &head, set, Some(gradient), &mut Buffer::default());
            assert!((sums.loss / loss_64 - 1.0).abs() < 1e-6, "{} {loss_64}", sums.loss);
            assert_eq!((sums.correct, sums.rows), (correct, rows));
            assert_near(&dx, &slope);
            let alone = loss(isa, &head, set, None, &mut Buffer::default());
            assert_eq!(alone, sums);
        }
    }
}
