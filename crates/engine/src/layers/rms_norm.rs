//! RMS normalisation: `out[t, c] = weight[c] x[t, c] / sqrt(mean_c(x[t, c]^2) + epsilon)`.
//!
//! Shapes: x, out, dout, dx `[T, C]`, weight `[C]`. Source: Zhang and Sennrich 2019 (arXiv:1910.07467), as
//! `LlamaRMSNorm` in Transformers. The weight is frozen, so there is no gradient by it.

use crate::kernels::{Isa, Kernel, Simd, dot};
use crate::parallel;

/// Rows in one piece of work.
const ROWS: usize = 16;

/// The layer with its frozen weight.
#[derive(Debug)]
pub(crate) struct RmsNorm {
    weight: Vec<f32>,
    epsilon: f32,
}

impl RmsNorm {
    /// A layer of `weight.len()` channels.
    pub(crate) fn new(weight: Vec<f32>, epsilon: f32) -> Self {
        Self { weight, epsilon }
    }

    /// Normalises each row of `x` into `out`.
    pub(crate) fn forward(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        let size = ROWS * self.weight.len();
        parallel::chunks_mut(out, size, |index, out| {
            self.rows(isa, &x[index * size..][..out.len()], out);
        });
    }

    /// As [`RmsNorm::forward`], on the calling thread alone: for rows that are themselves a piece of work.
    pub(crate) fn rows(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        isa.run(Forward { norm: self, x, out });
    }

    /// Adds to `dx` what `dout` means for `x`.
    pub(crate) fn backward(&self, isa: Isa, x: &[f32], dout: &[f32], dx: &mut [f32]) {
        let size = ROWS * self.weight.len();
        parallel::chunks_mut(dx, size, |index, dx| {
            let part = index * size..index * size + dx.len();
            parallel::with_scratch(self.weight.len(), |g| {
                isa.run(Backward { norm: self, x: &x[part.clone()], dout: &dout[part], g, dx });
            });
        });
    }

    /// `1 / sqrt(mean(x^2) + epsilon)` of one row.
    #[inline(always)]
    fn inverse<S: Simd>(&self, simd: S, x: &[f32]) -> f32 {
        1.0 / (dot(simd, x, x) / x.len() as f32 + self.epsilon).sqrt()
    }
}

struct Forward<'a> {
    norm: &'a RmsNorm,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let weight = &self.norm.weight[..];
        for (x, out) in
            self.x.chunks_exact(weight.len()).zip(self.out.chunks_exact_mut(weight.len()))
        {
            let inverse = self.norm.inverse(simd, x);
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = x * inverse * weight;
            }
        }
    }
}

struct Backward<'a> {
    norm: &'a RmsNorm,
    x: &'a [f32],
    dout: &'a [f32],
    /// Scratch of one row.
    g: &'a mut [f32],
    dx: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// With `r = inverse(x)` and `g = weight dout`: `dx += r (g - x r^2 mean(g x))`.
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let weight = &self.norm.weight[..];
        let channels = weight.len();
        let rows = self.x.chunks_exact(channels).zip(self.dout.chunks_exact(channels));
        for ((x, dout), dx) in rows.zip(self.dx.chunks_exact_mut(channels)) {
            let inverse = self.norm.inverse(simd, x);
            for ((g, dout), weight) in self.g.iter_mut().zip(dout).zip(weight) {
                *g = dout * weight;
            }
            let mean = dot(simd, self.g, x) / channels as f32 * inverse * inverse;
            for ((dx, g), x) in dx.iter_mut().zip(self.g.iter()).zip(x) {
                *dx += inverse * (g - x * mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{assert_near, numbers, numeric_gradient, sum_of_products, wide};

    const EPSILON: f32 = 1e-3;

    fn reference(x: &[f64], weight: &[f32]) -> Vec<f64> {
        x.chunks(weight.len())
            .flat_map(|row| {
                let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
                let root = (mean + f64::from(EPSILON)).sqrt();
                row.iter().zip(weight).map(move |(x, weight)| x / root * f64::from(*weight))
            })
            .collect()
    }

    #[test]
    fn forward_and_backward_are_those_of_the_formula() {
        for (channels, isa) in [5, 32, 37]
            .into_iter()
            .flat_map(|c| Isa::available().into_iter().map(move |isa| (c, isa)))
        {
            let (x, dout) = (numbers(19 * channels, 1), numbers(19 * channels, 2));
            let norm = RmsNorm::new(numbers(channels, 3), EPSILON);
            let mut out = vec![0.0; x.len()];
            norm.forward(isa, &x, &mut out);
            assert_near(&out, &reference(&wide(&x), &norm.weight));
            let mut dx = vec![1.0; x.len()];
            norm.backward(isa, &x, &dout, &mut dx);
            let slope = numeric_gradient(&wide(&x), |x| {
                sum_of_products(&reference(x, &norm.weight), &dout)
            });
            assert_near(&dx, &slope.iter().map(|slope| 1.0 + slope).collect::<Vec<_>>());
        }
    }
}
