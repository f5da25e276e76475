//! A frozen linear layer: `out = x W^T`, and `dx = dout W`; no gradient by `W`.
//!
//! Shapes: x, dx `[T, in]`, out, dout `[T, out]`, W `[out, in]` in the files. W is held packed for the forward; the copy for
//! the backward is made when the first backward asks for it, so that answering never pays for it.

use std::sync::OnceLock;

use crate::kernels::{Isa, Left, Packed, Right, Term};

/// The layer.
#[derive(Debug)]
pub(crate) struct Linear {
    forward: Packed,
    backward: OnceLock<Packed>,
    isa: Isa,
}

impl Linear {
    /// From `weight`, row-major `[out, in]`.
    pub(crate) fn new(isa: Isa, weight: &[f32], inputs: usize) -> Self {
        Self { forward: Packed::transposed(isa, weight, inputs), backward: OnceLock::new(), isa }
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
        self.forward.size_bytes() + self.backward.get().map_or(0, Packed::size_bytes)
    }
}
