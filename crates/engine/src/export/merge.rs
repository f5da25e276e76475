//! The base weights with the adapter's branches added.

use super::Export;
use crate::error::Error;
use crate::kernels::Isa;
use crate::lora::{Projection, place_of};

impl Export<'_> {
    /// A tensor's numbers, row-major in Transformers' order: `W + s B A` where the adapter has a branch there.
    pub(super) fn merged(&self, name: &str) -> Result<Vec<f32>, Error> {
        let mut weight = self.weights.tensor(name)?;
        let place = name.strip_suffix(".weight").and_then(place_of);
        let branch = place
            .zip(self.adapter)
            .and_then(|((layer, projection), adapter)| adapter.branch(layer, projection, None));
        if let Some(branch) = branch {
            branch.add_to(Isa::best(), &mut weight);
        }
        Ok(weight)
    }

    /// Whether llama.cpp keeps the rows of `projection` in pairs.
    pub(super) fn is_paired(&self, projection: Projection) -> bool {
        self.config().architecture.gguf_has_rotary_pairs()
            && matches!(projection, Projection::Query | Projection::Key)
    }

    /// The rows of a matrix, `row` numbers each, in the order in which llama.cpp keeps those of the tensor `name`.
    pub(super) fn rows_for_llama_cpp(&self, name: &str, numbers: Vec<f32>, row: usize) -> Vec<f32> {
        let place = name.strip_suffix(".weight").and_then(place_of);
        match place {
            Some((_, projection)) if self.is_paired(projection) => {
                pairs(&numbers, self.config().head_dim, row)
            }
            _ => numbers,
        }
    }
}

/// Rows from Transformers' rotary order (halves of each head) to llama.cpp's (pairs): `permute` in its `conversion/llama.py`.
fn pairs(numbers: &[f32], head_dim: usize, row: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(numbers.len());
    for head in numbers.chunks_exact(head_dim * row) {
        for j in 0..head_dim / 2 {
            for half in 0..2 {
                let from = half * head_dim / 2 + j;
                out.extend_from_slice(&head[from * row..(from + 1) * row]);
            }
        }
    }
    out
}
