//! A frozen linear layer: `out = x W^T`, and `dx = dout W`; no gradient by `W`.
//!
//! Shapes: x, dx `[T, in]`, out, dout `[T, out]`, W `[out, in]` in the files. W is held once: packed for the forward, and
//! turned for the backward in memory that all layers share; or quantised as in its file, and unpacked for either. Only the
//! head keeps a copy of its own for the backward, as it comes to it in blocks of few rows.

use std::sync::OnceLock;

use crate::kernels::{Blocks, Compute, Isa, Left, Packed, Right, Term, Weight};
use crate::weights::Stored;

/// The layer.
#[derive(Debug)]
pub(crate) struct Linear {
    held: Held,
    /// For products of few rows, where the file has it quantised.
    blocks: Option<Blocks>,
    isa: Isa,
    compute: Compute,
    inputs: usize,
    outputs: usize,
}

/// How the weight is held.
#[derive(Debug)]
enum Held {
    /// Packed for the forward.
    Packed(Packed),
    /// Packed for both ways, for the backward when the first asks for it, so that answering never pays for it.
    Both(Packed, OnceLock<Packed>),
    /// As in the file.
    Stored(Stored),
}

impl Linear {
    /// From `weight`, row-major `[out, in]`, kept in the type of `compute`.
    pub(crate) fn new(isa: Isa, compute: Compute, weight: &[f32], inputs: usize) -> Self {
        let outputs = weight.len() / inputs;
        let mut packed = Packed::zeros(isa, compute, [inputs, outputs]);
        packed.fill(weight, [1, inputs]);
        Self { held: Held::Packed(packed), isa, compute, inputs, outputs, blocks: None }
    }

    /// From a weight that stays quantised; products are those of its numbers in the type of `compute`.
    pub(crate) fn stored(isa: Isa, compute: Compute, weight: Stored, inputs: usize) -> Self {
        let outputs = weight.row_count();
        Self { held: Held::Stored(weight), isa, compute, inputs, outputs, blocks: None }
    }

    /// With a copy for the backward that is kept.
    pub(crate) fn both_ways(self) -> Self {
        let held = match self.held {
            Held::Packed(packed) => Held::Both(packed, OnceLock::new()),
            other => other,
        };
        Self { held, ..self }
    }

    /// With the weight also as the file has it, for products of few rows.
    pub(crate) fn with_blocks(self, blocks: Option<Blocks>) -> Self {
        Self { blocks, ..self }
    }

    /// The weight for products of few rows, which are bound by its bytes.
    pub(crate) fn few_rows(&self) -> Weight<'_> {
        match (&self.blocks, &self.held) {
            (Some(blocks), _) => Weight::Blocks(blocks),
            (None, Held::Packed(packed) | Held::Both(packed, _)) => Weight::Packed(packed),
            (None, Held::Stored(_)) => unreachable!("a quantised weight has blocks"),
        }
    }

    /// Numbers in a row of the input.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Numbers in a row of the output.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The product that is the output; `room` is for a weight that has to be unpacked.
    pub(crate) fn forward<'a>(&'a self, x: &'a [f32], room: &'a mut Packed) -> Term<'a> {
        self.forward_of(Left::rows(x, self.inputs), room)
    }

    /// As [`Linear::forward`], of an input that was made ready.
    pub(crate) fn forward_of<'a>(&'a self, x: Left<'a>, room: &'a mut Packed) -> Term<'a> {
        let weight = match &self.held {
            Held::Packed(packed) | Held::Both(packed, _) => packed,
            Held::Stored(stored) => {
                let shape = [self.inputs, self.outputs];
                room.reshape(self.isa, self.compute, shape);
                room.fill(&stored.numbers(), [1, self.inputs]);
                &*room
            }
        };
        Term { left: x, right: Right::packed(weight) }
    }

    /// The product that is the gradient by the input; `room` is for the weight as this needs it.
    pub(crate) fn backward<'a>(&'a self, dout: &'a [f32], room: &'a mut Packed) -> Term<'a> {
        self.backward_of(Left::rows(dout, self.outputs), room)
    }

    /// As [`Linear::backward`], of a gradient that was made ready.
    pub(crate) fn backward_of<'a>(&'a self, dout: Left<'a>, room: &'a mut Packed) -> Term<'a> {
        let weight = match &self.held {
            Held::Packed(packed) => {
                room.become_transpose(packed);
                &*room
            }
            Held::Both(packed, turned) => turned.get_or_init(|| packed.transpose()),
            Held::Stored(stored) => {
                room.reshape(self.isa, self.compute, [self.outputs, self.inputs]);
                room.fill(&stored.numbers(), [self.inputs, 1]);
                &*room
            }
        };
        Term { left: dout, right: Right::packed(weight) }
    }

    /// The weight's row `index`, `[in]`.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) {
        match &self.held {
            Held::Packed(packed) | Held::Both(packed, _) => packed.column(index, out),
            Held::Stored(stored) => out.copy_from_slice(&stored.row(index)),
        }
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        let blocks = self.blocks.as_ref().map_or(0, Blocks::size_bytes);
        let held = match &self.held {
            Held::Packed(packed) => packed.size_bytes(),
            Held::Both(packed, turned) => {
                packed.size_bytes() + turned.get().map_or(0, Packed::size_bytes)
            }
            Held::Stored(stored) => stored.size_bytes(),
        };
        held + blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Output, gemm};
    use crate::layers::testing::numbers;
    use crate::quant::TensorType;

    const ROWS: usize = 5;
    const INPUTS: usize = 64;
    const OUTPUTS: usize = 71;

    /// `out` and `dx`.
    fn both(linear: &Linear, isa: Isa) -> [Vec<f32>; 2] {
        let (x, dout) = (numbers(ROWS * INPUTS, 1), numbers(ROWS * OUTPUTS, 2));
        let (mut out, mut dx) = (vec![0.0; ROWS * OUTPUTS], vec![0.0; ROWS * INPUTS]);
        let mut room = Packed::default();
        gemm(isa, ROWS, &[linear.forward(&x, &mut room)], Output::to(&mut out, OUTPUTS));
        gemm(isa, ROWS, &[linear.backward(&dout, &mut room)], Output::to(&mut dx, INPUTS));
        [out, dx]
    }

    #[test]
    fn however_the_weight_is_held_the_products_have_the_same_bits() {
        // Q8_0: the scale 0.5 as f16 and 32 signed bytes.
        let bytes: Vec<u8> = (0..OUTPUTS * INPUTS / 32)
            .flat_map(|block| {
                let quants =
                    (0..32).map(move |i| u8::try_from((block * 31 + i * 7) % 251).unwrap());
                [0x00, 0x38].into_iter().chain(quants)
            })
            .collect();
        let stored = || Stored::new(TensorType::Q8_0, bytes.clone(), OUTPUTS);
        let weight = stored().numbers();
        assert_eq!(weight.len(), OUTPUTS * INPUTS);
        for isa in Isa::available() {
            for compute in [Compute::F32, Compute::Bf16] {
                let packed = || Linear::new(isa, compute, &weight, INPUTS);
                let expected = both(&packed().both_ways(), isa);
                assert_eq!(both(&packed(), isa), expected, "{} {compute}", isa.name());
                let quantised = Linear::stored(isa, compute, stored(), INPUTS);
                assert_eq!(both(&quantised, isa), expected, "{} {compute}", isa.name());
                assert!(quantised.size_bytes() * 3 < packed().size_bytes() * 2);
            }
        }
    }
}
