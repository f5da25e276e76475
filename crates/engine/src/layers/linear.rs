//! A frozen linear layer: `out = x W^T`, and `dx = dout W`; no gradient by `W`.
//!
//! Shapes: x, dx `[T, in]`, out, dout `[T, out]`, W `[out, in]` in the files. W is held packed for the forward; the copy for
//! the backward is made when the first backward asks for it, so that answering never pays for it.

use std::sync::OnceLock;

use crate::kernels::{Blocks, Isa, Left, Packed, Right, Term, Weight};

/// The layer.
#[derive(Debug)]
pub(crate) struct Linear {
    forward: Packed,
    backward: OnceLock<Packed>,
    /// For products of few rows, where the file has it quantised.
    blocks: Option<Blocks>,
    isa: Isa,
}

impl Linear {
    /// From `weight`, row-major `[out, in]`.
    pub(crate) fn new(isa: Isa, weight: &[f32], inputs: usize) -> Self {
        let forward = Packed::transposed(isa, weight, inputs);
        Self { forward, backward: OnceLock::new(), blocks: None, isa }
    }

    /// With the weight also as the file has it, for products of few rows.
    pub(crate) fn with_blocks(self, blocks: Option<Blocks>) -> Self {
        Self { blocks, ..self }
    }

    /// The weight for products of few rows, which are bound by its bytes.
    pub(crate) fn few_rows(&self) -> Weight<'_> {
        match &self.blocks {
            Some(blocks) => Weight::Blocks(blocks),
            None => Weight::Packed(&self.forward),
        }
    }

    /// Numbers in a row of the input.
    pub(crate) fn inputs(&self) -> usize {
        self.forward.row_count()
    }

    /// Numbers in a row of the output.
    pub(crate) fn outputs(&self) -> usize {
        self.forward.column_count()
    }

    /// The product that is the output.
    pub(crate) fn forward<'a>(&'a self, x: &'a [f32]) -> Term<'a> {
        Term { left: Left::rows(x, self.inputs()), right: Right::packed(&self.forward) }
    }

    /// The product that is the gradient by the input.
    pub(crate) fn backward<'a>(&'a self, dout: &'a [f32]) -> Term<'a> {
        let weight = self.backward.get_or_init(|| self.forward.transpose(self.isa));
        Term { left: Left::rows(dout, self.outputs()), right: Right::packed(weight) }
    }

    /// The weight's row `index`, `[in]`.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) {
        self.forward.column(index, out);
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        let turned = self.backward.get().map_or(0, Packed::size_bytes);
        self.forward.size_bytes() + turned + self.blocks.as_ref().map_or(0, Blocks::size_bytes)
    }
}
