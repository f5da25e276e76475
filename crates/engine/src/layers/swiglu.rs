//! The gate of the MLP: `out = silu(gate) up`, with `silu(g) = g / (1 + e^-g)`.
//!
//! Shapes: all `[T, F]`. Source: Shazeer 2020 (arXiv:2002.05202), as `LlamaMLP` in Transformers. Nothing but gate and up
//! is kept for the backward.

use crate::kernels::{Isa, Kernel, Simd, exp};
use crate::parallel;

/// Numbers in one piece of work.
const PIECE: usize = 1 << 13;

/// `out = silu(gate) up`.
pub(crate) fn forward(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    parallel::chunks_mut(out, PIECE, |index, out| {
        let part = index * PIECE..index * PIECE + out.len();
        rows(isa, [&gate[part.clone()], &up[part]], out);
    });
}

/// As [`forward`], on the calling thread alone: for rows that are themselves a piece of work.
pub(crate) fn rows(isa: Isa, [gate, up]: [&[f32]; 2], out: &mut [f32]) {
    isa.run(Forward { gate, up, out });
}

/// `out` again of `dout`, on the calling thread; gate and up become the gradients by them.
pub(crate) fn backward(isa: Isa, dout: &[f32], [out, gate, up]: [&mut [f32]; 3]) {
    isa.run(Backward { gate, up, dout, out });
}

/// `1 / (1 + e^-g)`.
#[inline(always)]
fn sigmoid<S: Simd>(simd: S, g: S::V) -> S::V {
    let one = simd.splat(1.0);
    simd.div(one, simd.add(one, exp(simd, simd.sub(simd.splat(0.0), g))))
}

struct Forward<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let inputs = self.gate.chunks(S::LANES).zip(self.up.chunks(S::LANES));
        for ((gate, up), out) in inputs.zip(self.out.chunks_mut(S::LANES)) {
            let whole = out.len() == S::LANES;
            let g = if whole { simd.load(gate) } else { simd.load_part(gate, 0.0) };
            let u = if whole { simd.load(up) } else { simd.load_part(up, 0.0) };
            let value = simd.mul(simd.mul(g, sigmoid(simd, g)), u);
            if whole { simd.store(out, value) } else { simd.store_part(out, value) }
        }
    }
}

struct Backward<'a> {
    /// Becomes `dgate`.
    gate: &'a mut [f32],
    /// Becomes `dup`.
    up: &'a mut [f32],
    dout: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    /// With `s = sigmoid(g)`: `dup = dout g s`, `dgate = dout up s (1 + g (1 - s))`.
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let both = self.gate.chunks_mut(S::LANES).zip(self.up.chunks_mut(S::LANES));
        let outputs = self.out.chunks_mut(S::LANES).zip(self.dout.chunks(S::LANES));
        let one = simd.splat(1.0);
        for ((gate, up), (out, dout)) in both.zip(outputs) {
            let whole = out.len() == S::LANES;
            let g = if whole { simd.load(gate) } else { simd.load_part(gate, 0.0) };
            let u = if whole { simd.load(up) } else { simd.load_part(up, 0.0) };
            let d = if whole { simd.load(dout) } else { simd.load_part(dout, 0.0) };
            let s = sigmoid(simd, g);
            let silu = simd.mul(g, s);
            let slope = simd.mul_add(silu, simd.sub(one, s), s);
            let (dg, du) = (simd.mul(simd.mul(d, u), slope), simd.mul(d, silu));
            let value = simd.mul(silu, u);
            if whole {
                simd.store(out, value);
                simd.store(gate, dg);
                simd.store(up, du);
            } else {
                simd.store_part(out, value);
                simd.store_part(gate, dg);
                simd.store_part(up, du);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{assert_near, numbers, numeric_gradient, sum_of_products, wide};

    fn reference(gate: &[f64], up: &[f64]) -> Vec<f64> {
        gate.iter().zip(up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect()
    }

    #[test]
    fn forward_and_backward_are_those_of_the_formula() {
        for isa in Isa::available() {
            let count = PIECE / 32 + 5;
            let gate: Vec<f32> = numbers(count, 1).iter().map(|x| 8.0 * x).collect();
            let (up, dout) = (numbers(count, 2), numbers(count, 3));
            let mut out = vec![0.0; count];
            forward(isa, &gate, &up, &mut out);
            let (gate_64, up_64) = (wide(&gate), wide(&up));
            assert_near(&out, &reference(&gate_64, &up_64));
            let (mut again, mut dgate, mut dup) = (vec![0.0; count], gate, up);
            backward(isa, &dout, [&mut again, &mut dgate, &mut dup]);
            assert_eq!(again, out);
            let loss = |gate: &[f64], up: &[f64]| sum_of_products(&reference(gate, up), &dout);
            assert_near(&dgate, &numeric_gradient(&gate_64, |gate| loss(gate, &up_64)));
            assert_near(&dup, &numeric_gradient(&up_64, |up| loss(&gate_64, up)));
        }
    }

    #[test]
    fn pieces_are_put_together_in_order() {
        let count = 2 * PIECE + 3;
        let (gate, up) = (numbers(count, 4), numbers(count, 5));
        let mut out = vec![0.0; count];
        forward(Isa::best(), &gate, &up, &mut out);
        assert_near(&out, &reference(&wide(&gate), &wide(&up)));
    }
}
